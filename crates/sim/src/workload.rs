//! What people do to a cluster while it suffers: they create, delete, rename, group, clone and promote resources, move and
//! ban them, switch them off and on, change parameters, put nodes into standby and into maintenance. All of it is drawn
//! from the seed. What was asked for and acknowledged carries a mark, by which it is looked for later.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::{Change, CloneDef, Configure, GroupDef, GroupEdit, Lifetime, Object, Place, PutMode, Section};
use hac_model::{
    Agent, Cib, Colocation, Configuration, Constraint, Location, LocationSubject, LocationTarget, NvPair, NvSet,
    Operation, Order, Primitive, Resource,
};
use hac_netsim::Rng;
use hac_node::Request;

/// Begins the names of what people make here.
const MADE: &str = "w-";
/// Begins the names of the marks of changes.
pub(crate) const MARK: &str = "sim-change-";
/// Begins the ids of the constraints that relate two of them.
const RELATED: &str = "rel-";
/// So many resources are made at most: plans grow with them, and so does the time that a seed takes.
const MADE_MAX: usize = 6;

/// The stream of the seed's random numbers that people draw from.
const STREAM: u64 = 13;

/// People.
#[derive(Debug)]
pub struct Workload {
    rng: Rng,
    made: u64,
    changes: u64,
}

/// What there is that something can be done to.
struct Things<'a> {
    configuration: &'a Configuration,
    /// At top level: ids of primitives, of groups, of all.
    primitives: Vec<&'a str>,
    groups: Vec<&'a str>,
    all: Vec<&'a str>,
    /// All, and the machine that can migrate.
    movable: Vec<&'a str>,
    nodes: Vec<&'a str>,
}

impl<'a> Things<'a> {
    fn of(configuration: &'a Configuration) -> Self {
        let made = |id: &&'a str| id.starts_with(MADE);
        let of = |want: fn(&Resource) -> bool| {
            let found = configuration.resources.iter().filter(|resource| want(resource)).map(Resource::id);
            found.filter(made).collect::<Vec<&str>>()
        };
        Self {
            configuration,
            primitives: of(|resource| matches!(resource, Resource::Primitive(_))),
            groups: of(|resource| matches!(resource, Resource::Group(_))),
            all: of(|_| true),
            movable: {
                let ids = configuration.resources.iter().map(Resource::id);
                ids.filter(|id| made(id) || *id == crate::tutorial::MACHINE).collect()
            },
            nodes: configuration.nodes.iter().map(|node| node.uname.as_str()).collect(),
        }
    }
}

impl Workload {
    /// The people of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed, STREAM), made: 0, changes: 0 }
    }

    /// Whether somebody wants something now, of a chance in thousandths; and which of the nodes that are up is asked.
    pub fn wants(&mut self, chance: u64) -> Option<usize> {
        let which = usize::try_from(self.rng.below(3)).unwrap_or_default();
        self.rng.chance(chance).then_some(which)
    }

    /// What somebody asks of a node that has this state.
    pub fn asks(&mut self, cib: &Cib, at: &str) -> Request {
        let changes = self.change(&Things::of(&cib.configuration));
        self.marked(changes, at)
    }

    /// A change of nothing but its mark.
    pub fn mark(&mut self, at: &str) -> Request {
        self.marked(Vec::new(), at)
    }

    /// These changes, and with them a mark by which they are looked for.
    pub(crate) fn marked(&mut self, mut changes: Vec<Change>, at: &str) -> Request {
        self.changes += 1;
        let pair = (format!("{MARK}{}", self.changes), Some(self.changes.to_string()));
        changes.push(Change::SetProperties { section: Section::CrmConfig, set: None, pairs: vec![pair] });
        request(changes, at)
    }

    fn change(&mut self, things: &Things<'_>) -> Vec<Change> {
        let one = match self.rng.below(22) {
            0..=4 => self.create(things),
            5 => self.delete(things),
            6 => self.group(things),
            7 => return self.clone_of(things),
            8 => self.regroup(things),
            9 | 10 => self.switch(things, "target-role", "Stopped"),
            11 => self.switch(things, "is-managed", "false"),
            12 => self.parameter(things),
            13 | 14 => self.place(things),
            15 => self.release(things),
            16 | 17 => self.node_attribute(things, "standby"),
            18 => self.node_attribute(things, "maintenance"),
            19 | 20 => self.relate(things),
            _ => self.rename(things),
        };
        one.into_iter().collect()
    }

    fn fresh(&mut self) -> String {
        self.made += 1;
        format!("{MADE}{}", self.made)
    }

    fn create(&mut self, things: &Things<'_>) -> Option<Change> {
        (things.all.len() < MADE_MAX).then(|| {
            let object = Object::Primitive(primitive(&self.fresh()));
            Change::Put { object, mode: PutMode::Create }
        })
    }

    fn delete(&mut self, things: &Things<'_>) -> Option<Change> {
        let id = (*self.rng.pick(&things.all)?).to_owned();
        Some(Change::Delete { id, force: self.rng.chance(700) })
    }

    fn group(&mut self, things: &Things<'_>) -> Option<Change> {
        let [first, second, ..] = things.primitives.as_slice() else { return None };
        if goes_round(things.configuration, first, second) {
            return None;
        }
        let members = vec![(*first).to_owned(), (*second).to_owned()];
        let object = Object::Group(GroupDef { id: self.fresh(), members, ..GroupDef::default() });
        Some(Change::Put { object, mode: PutMode::Create })
    }

    /// A clone, or one of which one instance is promoted, on a node that is named.
    fn clone_of(&mut self, things: &Things<'_>) -> Vec<Change> {
        let Some(child) = self.rng.pick(&things.primitives).map(|id| (*id).to_owned()) else { return Vec::new() };
        let id = self.fresh();
        let promotable = self.rng.chance(500);
        let meta = if promotable { vec![set(&format!("{id}-meta"), "promotable", "true")] } else { Vec::new() };
        let object = Object::Clone(CloneDef { id: id.clone(), child, meta, ..CloneDef::default() });
        let mut changes = vec![Change::Put { object, mode: PutMode::Create }];
        let node = self.rng.pick(&things.nodes).filter(|_| promotable);
        changes.extend(node.map(|node| location(&format!("{id}-promoted"), &id, node, "100", Some("Promoted"))));
        changes
    }

    fn regroup(&mut self, things: &Things<'_>) -> Option<Change> {
        let group = (*self.rng.pick(&things.groups)?).to_owned();
        let member = things.primitives.first().filter(|_| self.rng.chance(500));
        let is_bound = |one: &str, other: &str| goes_before(things.configuration, one, other);
        if member.is_some_and(|member| is_bound(member, &group) || is_bound(&group, member)) {
            return None;
        }
        let edit = match member {
            Some(resource) => GroupEdit::Add { resource: (*resource).to_owned(), place: Place::Last },
            None => {
                let found = things.configuration.resources.iter().find(|resource| resource.id() == group);
                let Some(Resource::Group(found)) = found else { return None };
                GroupEdit::Remove { resource: found.members.last()?.id.clone() }
            }
        };
        Some(Change::ModGroup { group, edit })
    }

    fn switch(&mut self, things: &Things<'_>, name: &str, value: &str) -> Option<Change> {
        let resource = (*self.rng.pick(&things.all)?).to_owned();
        let value = self.rng.chance(500).then(|| value.to_owned());
        Some(Change::SetMeta { resource, name: name.to_owned(), value })
    }

    fn parameter(&mut self, things: &Things<'_>) -> Option<Change> {
        let resource = (*self.rng.pick(&things.primitives)?).to_owned();
        let value = self.rng.below(100).to_string();
        Some(Change::SetParam { resource, name: "colour".to_owned(), value: Some(value) })
    }

    /// A move, or a ban.
    fn place(&mut self, things: &Things<'_>) -> Option<Change> {
        let (resource, node) = (*self.rng.pick(&things.movable)?, *self.rng.pick(&things.nodes)?);
        let (word, score) = if self.rng.chance(600) { ("prefer", "INFINITY") } else { ("ban", "-INFINITY") };
        Some(location(&format!("cli-{word}-{resource}"), resource, node, score, None))
    }

    /// Two belong together, or apart, or one behind the other. Mostly the one made later depends.
    fn relate(&mut self, things: &Things<'_>) -> Option<Change> {
        let [first, .., last] = things.all.as_slice() else { return None };
        if goes_before(things.configuration, last, first) {
            return None;
        }
        let (kind, id) = (self.rng.below(3), format!("{RELATED}{first}-{last}"));
        let (one, other) = ((*first).to_owned(), (*last).to_owned());
        let constraint = if kind == 0 {
            Constraint::Order(Order { id, first: one, then: other, ..Order::default() })
        } else {
            let score = Some(if kind == 1 { "INFINITY" } else { "-INFINITY" }.to_owned());
            Constraint::Colocation(Colocation { id, score, rsc: other, with_rsc: one, ..Colocation::default() })
        };
        Some(Change::Put { object: Object::Constraint(constraint), mode: PutMode::Upsert })
    }

    /// The end of one.
    fn release(&mut self, things: &Things<'_>) -> Option<Change> {
        let placed: Vec<&str> = placements(things.configuration).collect();
        Some(Change::Delete { id: (*self.rng.pick(&placed)?).to_owned(), force: false })
    }

    fn node_attribute(&mut self, things: &Things<'_>, name: &str) -> Option<Change> {
        let node = *self.rng.pick(&things.nodes)?;
        let value = if self.rng.chance(500) { "on" } else { "off" };
        Some(attribute(node, name, value))
    }

    fn rename(&mut self, things: &Things<'_>) -> Option<Change> {
        let from = (*self.rng.pick(&things.all)?).to_owned();
        Some(Change::Rename { from, to: self.fresh() })
    }
}

/// What must be taken back so that everything that is configured may run everywhere; nothing if that is so.
#[must_use]
pub fn taken_back(configuration: &Configuration) -> Vec<Change> {
    let mut changes = Vec::new();
    for node in &configuration.nodes {
        for name in ["standby", "maintenance"] {
            let is_on = node
                .attributes
                .iter()
                .flat_map(|set| &set.pairs)
                .any(|pair| pair.name == name && pair.value.as_deref() != Some("off"));
            changes.extend(is_on.then(|| attribute(&node.uname, name, "off")));
        }
    }
    let bans = placements(configuration).map(|id| Change::Delete { id: id.to_owned(), force: false });
    changes.extend(bans);
    let mut open: Vec<&Resource> = configuration.resources.iter().collect();
    while let Some(resource) = open.pop() {
        let meta = match resource {
            Resource::Primitive(primitive) => &primitive.meta,
            Resource::Group(group) => &group.meta,
            Resource::Clone(clone) => {
                open.push(&clone.child);
                &clone.meta
            }
            Resource::Bundle(_) | Resource::Template(_) => continue,
        };
        let members = if let Resource::Group(group) = resource { group.members.as_slice() } else { &[] };
        let own = [(resource.id(), meta)].into_iter();
        for (id, meta) in own.chain(members.iter().map(|member| (member.id.as_str(), &member.meta))) {
            for name in ["target-role", "is-managed"] {
                if meta.iter().flat_map(|set| &set.pairs).any(|pair| pair.name == name) {
                    changes.push(Change::SetMeta { resource: id.to_owned(), name: name.to_owned(), value: None });
                }
            }
        }
    }
    changes
}

/// Names of the marks of all changes that are there.
#[must_use]
pub fn marks(configuration: &Configuration) -> Vec<String> {
    let names = configuration.crm_config.iter().flat_map(|set| &set.pairs).map(|pair| &pair.name);
    names.filter(|name| name.starts_with(MARK)).cloned().collect()
}

/// Where people related two to each other: what comes first, and what goes by that.
fn relations(configuration: &Configuration) -> impl Iterator<Item = (&str, &str)> {
    let made = configuration.constraints.iter().filter(|constraint| constraint.id().starts_with(RELATED));
    made.filter_map(|constraint| match constraint {
        Constraint::Order(order) => Some((order.first.as_str(), order.then.as_str())),
        Constraint::Colocation(together) => Some((together.with_rsc.as_str(), together.rsc.as_str())),
        _ => None,
    })
}

/// Whether `one` comes before `other` by what people said of them, directly or not: to say the opposite too would be a circle,
/// of which no plan can be made.
fn goes_before(configuration: &Configuration, one: &str, other: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![one]);
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            open.extend(relations(configuration).filter(|(first, _)| *first == name).map(|(_, then)| then));
        }
    }
    seen.contains(other)
}

/// Whether one of two comes before the other by way of a third: in one group with it, they would be before and behind that.
fn goes_round(configuration: &Configuration, one: &str, other: &str) -> bool {
    let by_way = |from: &str, to: &str| {
        let mut next = relations(configuration).filter(|(first, then)| *first == from && *then != to);
        next.any(|(_, then)| goes_before(configuration, then, to))
    };
    by_way(one, other) || by_way(other, one)
}

/// Ids of all that is named where people related two to each other.
#[must_use]
pub fn related(configuration: &Configuration) -> BTreeSet<&str> {
    relations(configuration).flat_map(|(first, then)| [first, then]).collect()
}

/// Ids of the constraints by which people moved or banned something.
fn placements(configuration: &Configuration) -> impl Iterator<Item = &str> {
    configuration.constraints.iter().map(Constraint::id).filter(|id| id.starts_with("cli-"))
}

/// By what a change is counted that was acknowledged.
pub(crate) fn name(change: &Change) -> Option<&'static str> {
    Some(match change {
        Change::Delete { id, .. } if id.starts_with(MADE) => "a resource was deleted",
        Change::Put { object: Object::Constraint(constraint), .. } if constraint.id().starts_with("cli-") => {
            "a resource was moved or banned"
        }
        Change::Put { object: Object::Constraint(constraint), .. } if constraint.id().starts_with(RELATED) => {
            "two resources were related"
        }
        Change::SetMeta { value: Some(_), .. } => "a resource was switched off or left alone",
        Change::SetParam { .. } => "a parameter was changed",
        Change::Rename { .. } => "a resource was renamed",
        Change::SetNodeAttribute { name, value: Some(value), .. } if value == "on" => match name.as_str() {
            "standby" => "a node was put into standby",
            _ => "a node was put into maintenance",
        },
        _ => return None,
    })
}

/// Asks for these changes.
#[must_use]
pub fn request(changes: Vec<Change>, at: &str) -> Request {
    Request::Configure(Configure {
        changes,
        origin: at.to_owned(),
        client: "sim".to_owned(),
        user: "root".to_owned(),
        base: None,
    })
}

fn attribute(node: &str, name: &str, value: &str) -> Change {
    let (name, value) = (name.to_owned(), Some(value.to_owned()));
    Change::SetNodeAttribute { node: node.to_owned(), name, value, lifetime: Lifetime::Forever }
}

fn location(id: &str, resource: &str, node: &str, score: &str, role: Option<&str>) -> Change {
    let object = Object::Constraint(Constraint::Location(Location {
        id: id.to_owned(),
        subject: LocationSubject::Resource(resource.to_owned()),
        role: role.map(str::to_owned),
        resource_discovery: None,
        target: LocationTarget::Node { node: node.to_owned(), score: Some(score.to_owned()) },
        lifetime: Vec::new(),
    }));
    Change::Put { object, mode: PutMode::Upsert }
}

fn primitive(id: &str) -> Primitive {
    let operation = |name: &str, interval: &str| Operation {
        id: format!("{id}-{name}-{interval}"),
        name: name.to_owned(),
        interval: interval.to_owned(),
        options: BTreeMap::from([("timeout".to_owned(), "20s".to_owned())]),
        ..Operation::default()
    };
    Primitive {
        id: id.to_owned(),
        agent: Agent { class: "ocf".to_owned(), provider: Some("sim".to_owned()), kind: "thing".to_owned() },
        operations: vec![operation("monitor", "7s")],
        ..Primitive::default()
    }
}

fn set(id: &str, name: &str, value: &str) -> NvSet {
    let pair = NvPair {
        id: format!("{id}-{name}"),
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..NvPair::default()
    };
    NvSet { id: id.to_owned(), pairs: vec![pair], ..NvSet::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_says_that_two_come_before_each_other() {
        let order = |first: &str, then: &str| {
            let id = format!("{RELATED}{first}-{then}");
            Constraint::Order(Order { id, first: first.to_owned(), then: then.to_owned(), ..Order::default() })
        };
        let constraints = vec![order("w-1", "w-2"), order("w-2", "w-3"), order("w-3", "w-2")];
        let configuration = Configuration { constraints, ..Configuration::default() };
        assert!(goes_before(&configuration, "w-1", "w-3"));
        assert!(!goes_before(&configuration, "w-3", "w-1"));
    }
}
