//! `crm_attribute`: attributes of nodes, cluster properties, promotion scores.

use hac_api::{AttributeSet, Attributes};
use hac_crm::cib::{Change, Object, PutMode, Section};
use hac_model::{NvPair, NvSet, computed};
use regex_lite::Regex;

use crate::facts::{self, Transient};
use crate::options::{COMMON, Given, Spec, Value, document, escaped};
use crate::{Ends, Said, exit, variable};

/// What is said without a daemon.
pub(crate) const UNREACHABLE: &str = "crm_attribute: Could not connect to the CIB: Transport endpoint is not connected";

const OPTIONS: &[Spec] = &[
    Spec("n", &["name", "attr-name"], Value::Yes),
    Spec("P", &["pattern"], Value::Yes),
    Spec("G", &["query", "get-value"], Value::No),
    Spec("v", &["update", "attr-value"], Value::Yes),
    Spec("D", &["delete", "delete-attr"], Value::No),
    Spec("qQ", &["quiet"], Value::No),
    Spec("NU", &["node", "uname", "node-uname"], Value::Yes),
    // One variable in Pacemaker's: the last of the two counts.
    Spec("tl", &["type", "lifetime"], Value::Yes),
    Spec("z", &["utilization"], Value::No),
    Spec("p", &["promotion"], Value::Maybe),
    Spec("s", &["set-name"], Value::Yes),
    Spec("i", &["id"], Value::Yes),
    Spec("d", &["default"], Value::Yes),
    Spec("W", &["wait"], Value::Yes),
    Spec("", &["score"], Value::No),
];

const HELP: &str = "Usage: crm_attribute [-G | -v VALUE | -D] -n NAME [-N NODE] [-t TYPE | -l LIFETIME] [OPTIONS]\n\
    \n  -G, --query          print the value (default)\n  -v, --update=VALUE   set it; value++ and value+=N compute\n  \
    -D, --delete         remove it\n  -n, --name=NAME      the attribute\n  -P, --pattern=REGEX  all attributes that match\n  \
    -p, --promotion[=RSC]  the promotion score of a resource\n  -N, --node=NODE      of this node\n  \
    -t, --type=TYPE      nodes, status, crm_config, rsc_defaults, op_defaults\n  \
    -l, --lifetime=LIFE  forever or reboot\n  -z, --utilization    an attribute of utilization\n  \
    -s, --set-name=ID    in this set\n  -d, --default=VALUE  printed if there is none\n  -q, --quiet          only the value\n  \
    -W, --wait=no|local|cluster";

/// Where the attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Nodes,
    Utilization,
    Status,
    Of(Section),
}

impl Scope {
    const fn word(self) -> &'static str {
        match self {
            Self::Nodes | Self::Utilization => "nodes",
            Self::Status => "status",
            Self::Of(Section::CrmConfig) => "crm_config",
            Self::Of(Section::RscDefaults) => "rsc_defaults",
            Self::Of(Section::OpDefaults) => "op_defaults",
        }
    }
}

/// Runs as `program`, whose words these are.
pub(crate) fn run(program: &str, words: &[String]) -> Ends<Said> {
    let given = Given::read(program, &[OPTIONS, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(HELP));
    }
    let xml = given.xml()?;
    let name = name(program, &given)?;
    let scope = scope(program, &given)?;
    let pattern = given.value("pattern").map(Regex::new).transpose().map_err(|_| {
        Said::failed(exit::USAGE, format!("{program}: --pattern: not a regular expression that hacd can read"))
    })?;
    let known = facts::attributes(program, name.as_deref(), UNREACHABLE)?;
    let node = match scope {
        Scope::Of(_) => None,
        _ => {
            let meant = facts::meant(&known, given.value("node"));
            let found = facts::node(&known, &meant);
            let unknown = || Said::failed(exit::NO_SUCH, format!("{program}: Could not map name={meant} to a UUID"));
            Some(found.ok_or_else(unknown)?.name.clone())
        }
    };
    let command = given.last(&["query", "update", "delete"]).unwrap_or("query");
    let (set, utilization) = (given.value("set-name"), given.has("utilization"));
    let target = Target { program, known: &known, scope, node: node.as_deref(), set, utilization };
    let names: Vec<String> = match (&name, &pattern) {
        (Some(name), _) => vec![name.clone()],
        (None, Some(pattern)) => target.names().into_iter().filter(|name| pattern.is_match(name)).collect(),
        (None, None) if command == "query" && target.node.is_some() => target.names(),
        (None, None) => {
            return Err(Said::failed(exit::USAGE, format!("{program}: must specify attribute name or pattern")));
        }
    };
    let wait = given.value("wait").is_some_and(|wait| wait != "no");
    match command {
        "update" => {
            let value = given.value("update").unwrap_or_default();
            names.iter().try_for_each(|name| target.set(name, Some(value), wait))?;
            Ok(Said::nothing())
        }
        "delete" => {
            let mut out = Vec::new();
            for name in &names {
                out.extend(target.delete(name, wait)?);
            }
            Ok(Said::printed(out.join("\n")))
        }
        _ => {
            let missing = || {
                Said::failed(exit::NO_SUCH, format!("{program}: Error performing operation: No such device or address"))
            };
            let found = names.iter().filter_map(|name| {
                let value = target.value(name).map(|pair| pair.value.clone());
                Some((name, value.or_else(|| given.value("default").map(str::to_owned))?))
            });
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                return Err(missing());
            }
            let request = format!("{program} {}", words.join(" "));
            Ok(print(scope, &found, &given, xml.then_some(request.as_str())))
        }
    }
}

/// The name of the attribute.
fn name(program: &str, given: &Given) -> Ends<Option<String>> {
    if !given.has("promotion") {
        return Ok(given.value("name").map(str::to_owned));
    }
    let resource = given.value("promotion").filter(|resource| !resource.is_empty()).map(str::to_owned);
    match resource.or_else(|| variable("OCF_RESOURCE_INSTANCE")) {
        Some(resource) => Ok(Some(format!("master-{resource}"))),
        None => Err(Said::failed(
            exit::USAGE,
            format!(
                "{program}: -p/--promotion must be called from an OCF resource agent or with a resource ID specified"
            ),
        )),
    }
}

fn scope(program: &str, given: &Given) -> Ends<Scope> {
    let named = match given.value("type") {
        Some("forever" | "nodes") => Some(Scope::Nodes),
        Some("reboot" | "status") => Some(Scope::Status),
        Some("crm_config") => Some(Scope::Of(Section::CrmConfig)),
        Some("rsc_defaults") => Some(Scope::Of(Section::RscDefaults)),
        Some("op_defaults") => Some(Scope::Of(Section::OpDefaults)),
        Some(other) => {
            let err = format!(
                "{program}: hacd does not know the type '{other}': nodes, status, crm_config, rsc_defaults or op_defaults"
            );
            return Err(Said::failed(exit::USAGE, err));
        }
        None => None,
    };
    let scope = match named {
        Some(scope) => scope,
        None if given.has("promotion") => Scope::Status,
        None if given.has("node") || given.has("utilization") => Scope::Nodes,
        None => Scope::Of(Section::CrmConfig),
    };
    Ok(if scope == Scope::Nodes && given.has("utilization") { Scope::Utilization } else { scope })
}

/// What is looked at or changed.
struct Target<'a> {
    program: &'a str,
    known: &'a Attributes,
    scope: Scope,
    node: Option<&'a str>,
    set: Option<&'a str>,
    /// A new one that lasts until the node restarts is a capacity of the node.
    utilization: bool,
}

impl Target<'_> {
    fn sets(&self) -> &[AttributeSet] {
        let node = self.node.and_then(|name| facts::node(self.known, name));
        match (self.scope, node) {
            (Scope::Nodes, Some(node)) => &node.permanent,
            (Scope::Utilization, Some(node)) => &node.utilization,
            (Scope::Status, Some(node)) => &node.transient,
            (Scope::Of(Section::CrmConfig), _) => &self.known.crm_config,
            (Scope::Of(Section::RscDefaults), _) => &self.known.rsc_defaults,
            (Scope::Of(Section::OpDefaults), _) => &self.known.op_defaults,
            _ => &[],
        }
    }

    fn names(&self) -> Vec<String> {
        self.sets().iter().flat_map(|set| &set.pairs).map(|pair| pair.name.clone()).collect()
    }

    fn value(&self, name: &str) -> Option<&hac_api::AttributePair> {
        // What lasts until the restart is in one set, whatever it is called.
        let set = self.set.filter(|_| self.scope != Scope::Status);
        facts::find(self.sets(), set, name)
    }

    fn set(&self, name: &str, value: Option<&str>, wait: bool) -> Ends<()> {
        let node = self.node.unwrap_or_default();
        if self.scope == Scope::Status {
            let (private, dampening_ms, utilization) = (false, None, self.utilization);
            let transient = Transient { node, name, value, private, dampening_ms, utilization, wait };
            return transient.set(self.program, UNREACHABLE);
        }
        let before = self.value(name).map(|pair| pair.value.as_str());
        let computed = value.map(|value| computed(before, value));
        let change = match self.scope {
            Scope::Of(section) => facts::property(section, self.set, name, computed.as_deref()),
            Scope::Utilization => self.utilization(node, name, computed)?,
            _ => facts::permanent(node, name, computed.as_deref()),
        };
        facts::configure(self.program, &[change], UNREACHABLE)
    }

    /// The node with another utilization.
    fn utilization(&self, node: &str, name: &str, value: Option<String>) -> Ends<Change> {
        let path = format!("{}?secrets=true", hac_api::route::CIB);
        let cib: hac_api::CibResponse = crate::client::get(self.program, &path, UNREACHABLE)?;
        let cib: hac_model::Cib = serde_json::from_value(cib.cib)
            .map_err(|error| Said::failed(exit::ERROR, format!("{}: {error}", self.program)))?;
        let mut found =
            cib.configuration.into_inner().nodes.into_iter().find(|found| found.uname == node).ok_or_else(|| {
                Said::failed(exit::NO_SUCH, format!("{}: Could not map name={node} to a UUID", self.program))
            })?;
        let id = format!("nodes-{}-utilization", found.id);
        found.utilization.iter_mut().for_each(|set| set.pairs.retain(|pair| pair.name != name));
        if let Some(value) = value {
            if found.utilization.is_empty() {
                found.utilization.push(NvSet { id: id.clone(), ..NvSet::default() });
            }
            let pair =
                NvPair { id: format!("{id}-{name}"), name: name.to_owned(), value: Some(value), ..NvPair::default() };
            found.utilization.iter_mut().take(1).for_each(|set| set.pairs.push(pair.clone()));
        }
        Ok(Change::Put { object: Object::Node(found), mode: PutMode::Upsert })
    }

    /// Removes it, and what is said of that: nothing of what was not there.
    fn delete(&self, name: &str, wait: bool) -> Ends<Option<String>> {
        let id = self.value(name).map(|pair| pair.id.clone());
        if id.is_none() && self.scope != Scope::Status {
            return Ok(None);
        }
        self.set(name, None, wait)?;
        Ok(match (self.scope, id) {
            (Scope::Nodes | Scope::Utilization, Some(id)) => {
                Some(format!("Deleted nodes attribute: id={id} name={name}"))
            }
            (Scope::Of(_), Some(id)) => Some(format!("Deleted {} option: id={id} name={name}", self.scope.word())),
            _ => None,
        })
    }
}

fn print(scope: Scope, found: &[(&String, String)], given: &Given, request: Option<&str>) -> Said {
    if given.silent() {
        return Said::nothing();
    }
    if let Some(request) = request {
        let line = |(name, value): &(&String, String)| {
            format!(
                "  <attribute name=\"{}\" value=\"{}\" scope=\"{}\"/>\n",
                escaped(name),
                escaped(value),
                scope.word()
            )
        };
        return document(request, &found.iter().map(line).collect::<String>());
    }
    let line = |(name, value): &(&String, String)| {
        if given.has("quiet") {
            format!("{value}\n")
        } else {
            format!("scope={}  name={name} value={}\n", scope.word(), value.replace('"', "\\\""))
        }
    };
    Said::printed(found.iter().map(line).collect::<String>())
}
