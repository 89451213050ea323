//! The resources in `hacd.toml`: what an empty cluster begins with.
//!
//! They are made into the same changes that a client would send, so that one set of rules decides what is right.

use std::collections::BTreeMap;

use hac_crm::cib::{
    Agents, Bootstrap, Change, CloneDef, Configure, GroupDef, Object, PutMode, Refusal, Replicated as _, Section,
    Severity, judge,
};
use hac_model::{
    Agent, Cib, Colocation, Configuration, Constraint, Location, LocationSubject, LocationTarget, NvPair, NvSet,
    Operation, Order, Primitive,
};

use super::read::{Free, SeedSection};
use super::{Checker, Node};

/// Order in which objects are made, so that what is referred to exists.
const ORDER: &[&str] =
    &["properties", "rsc_defaults", "op_defaults", "primitive", "group", "clone", "colocation", "order", "location"];

impl Checker<'_> {
    /// What an empty cluster begins with; `None` if the file has no resources. They are put one after the other into an
    /// empty CIB, so that one set of rules says what is right.
    pub(super) fn seed(&mut self, nodes: &[Node]) -> Option<Configuration> {
        let nodes = nodes.iter().map(|node| (node.id.to_string(), node.name.clone())).collect();
        let mut cib = Cib::initial(Bootstrap { nodes, ..Bootstrap::default() });
        let changes = self.seed_changes();
        for (line, table, change) in &changes {
            let configure = Configure { changes: vec![change.clone()], ..Configure::default() };
            match judged(&cib, &configure) {
                Ok(next) => cib = next,
                Err(refusal) => self.report(*line, table, format!("{}. {}", refusal.sentence, refusal.remedy)),
            }
        }
        (!changes.is_empty()).then(|| cib.configuration.into_inner())
    }

    /// The changes that make the resources of the file, with their lines and tables.
    fn seed_changes(&mut self) -> Vec<(usize, &'static str, Change)> {
        let document = self.document;
        let mut changes = Vec::new();
        for kind in ORDER {
            for section in document.seed.iter().filter(|section| section.table == *kind) {
                let mut reader = SeedReader { section, checker: self };
                if let Some(change) = reader.change() {
                    changes.push((section.line, section.table, change));
                }
            }
        }
        changes
    }
}

/// The CIB after a change that is neither impossible nor wrong.
fn judged(cib: &Cib, configure: &Configure) -> Result<Cib, Refusal> {
    let next = cib.candidate(configure)?;
    let found = judge(&cib.configuration, &next.configuration, &Agents::default());
    match found.into_iter().find(|finding| finding.severity == Severity::Error) {
        None => Ok(next),
        Some(error) => Err(error.into()),
    }
}

/// Reads one table.
struct SeedReader<'a, 'c, 'd> {
    section: &'a SeedSection,
    checker: &'c mut Checker<'d>,
}

impl SeedReader<'_, '_, '_> {
    fn change(&mut self) -> Option<Change> {
        let object = match self.section.table {
            "properties" => return self.properties(Section::CrmConfig),
            "rsc_defaults" => return self.properties(Section::RscDefaults),
            "op_defaults" => return self.properties(Section::OpDefaults),
            "primitive" => Object::Primitive(self.primitive()?),
            "group" => Object::Group(GroupDef {
                id: self.needed("id")?,
                description: self.text("description"),
                members: self.list("members")?,
                params: self.set("params"),
                meta: self.set("meta"),
            }),
            "clone" => Object::Clone(CloneDef {
                id: self.needed("id")?,
                description: self.text("description"),
                child: self.needed("resource")?,
                params: self.set("params"),
                meta: self.set("meta"),
            }),
            "colocation" => Object::Constraint(Constraint::Colocation(Colocation {
                id: self.needed("id")?,
                score: self.text("score").or_else(|| Some("INFINITY".to_owned())),
                rsc: self.needed("resource")?,
                rsc_role: self.text("role"),
                with_rsc: self.needed("with")?,
                with_rsc_role: self.text("with_role"),
                node_attribute: self.text("node_attribute"),
                influence: self.text("influence"),
                ..Colocation::default()
            })),
            "order" => Object::Constraint(Constraint::Order(Order {
                id: self.needed("id")?,
                kind: self.text("kind"),
                score: self.text("score"),
                first: self.needed("first")?,
                first_action: self.text("first_action"),
                then: self.needed("then")?,
                then_action: self.text("then_action"),
                symmetrical: self.text("symmetrical"),
                ..Order::default()
            })),
            _ => Object::Constraint(Constraint::Location(Location {
                id: self.needed("id")?,
                subject: LocationSubject::Resource(self.needed("resource")?),
                role: self.text("role"),
                resource_discovery: self.text("resource_discovery"),
                target: LocationTarget::Node { node: self.needed("node")?, score: Some(self.needed("score")?) },
                lifetime: Vec::new(),
            })),
        };
        Some(Change::Put { object, mode: PutMode::Create })
    }

    fn properties(&mut self, section: Section) -> Option<Change> {
        let mut pairs = Vec::new();
        for name in &self.section.order {
            match self.section.entries.get(name) {
                Some((_, Free::Text(value))) => pairs.push((name.clone(), Some(value.clone()))),
                _ => self.wrong(name, "must be a text, a number, yes or no"),
            }
        }
        Some(Change::SetProperties { section, set: None, pairs })
    }

    fn primitive(&mut self) -> Option<Primitive> {
        let id = self.needed("id")?;
        let agent = self.needed("agent")?;
        let Ok(agent) = agent.parse::<Agent>() else {
            let what = format!("\"{agent}\" is not an agent: write CLASS:PROVIDER:TYPE, such as ocf:heartbeat:nginx");
            self.wrong("agent", what);
            return None;
        };
        let operations = self.operations()?;
        Some(Primitive {
            id,
            agent,
            description: self.text("description"),
            params: self.set("params"),
            meta: self.set("meta"),
            utilization: self.set("utilization"),
            operations,
            ..Primitive::default()
        })
    }

    fn operations(&mut self) -> Option<Vec<Operation>> {
        let tables = match self.section.entries.get("op") {
            None => return Some(Vec::new()),
            Some((_, Free::Tables(tables))) => tables,
            Some(_) => {
                self.wrong("op", "comes as often as needed: write [[primitive.op]]");
                return None;
            }
        };
        let mut operations = Vec::new();
        for table in tables {
            let mut options: BTreeMap<String, String> = table.iter().cloned().collect();
            let Some(name) = options.remove("name") else {
                self.wrong("op", "name is missing: write start, stop, monitor …");
                return None;
            };
            let interval = options.remove("interval").unwrap_or_else(|| "0".to_owned());
            operations.push(Operation { name, interval, options, ..Operation::default() });
        }
        Some(operations)
    }

    fn wrong(&mut self, key: &str, what: impl Into<String>) {
        let line = self.section.entries.get(key).map_or(self.section.line, |(line, _)| *line);
        self.checker.report(line, &format!("{}.{key}", self.section.table), what);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.section.entries.get(key) {
            None => None,
            Some((_, Free::Text(text))) => Some(text.clone()),
            Some(_) => {
                self.wrong(key, "must be a text");
                None
            }
        }
    }

    fn needed(&mut self, key: &str) -> Option<String> {
        if !self.section.entries.contains_key(key) {
            self.wrong(key, "is missing");
        }
        self.text(key)
    }

    fn list(&mut self, key: &str) -> Option<Vec<String>> {
        match self.section.entries.get(key) {
            Some((_, Free::List(list))) => Some(list.clone()),
            _ => {
                self.wrong(key, "must be a list of ids: [\"A\", \"B\"]");
                None
            }
        }
    }

    fn set(&mut self, key: &str) -> Vec<NvSet> {
        let pairs = match self.section.entries.get(key) {
            None => return Vec::new(),
            Some((_, Free::Pairs(pairs))) => pairs,
            Some(_) => {
                self.wrong(key, "must be a table: { name = \"value\" }");
                return Vec::new();
            }
        };
        let pair = |(name, value): &(String, String)| NvPair {
            name: name.clone(),
            value: Some(value.clone()),
            ..NvPair::default()
        };
        vec![NvSet { pairs: pairs.iter().map(pair).collect(), ..NvSet::default() }]
    }
}
