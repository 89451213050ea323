//! Nodes and attributes as the daemon tells them, and changing them.

use hac_api::{AttributeSet, Attributes, Command, CommandRequest, ConfigureRequest, NodeAttributes, route};
use hac_crm::cib::{Change, Lifetime, Section};
use serde_json::Value;

use crate::{Ends, Said, client, exit, variable};

/// What is known of all nodes; `name` is the one attribute that is looked at, `None` for all of them.
pub(crate) fn attributes(program: &str, name: Option<&str>, unreachable: &str) -> Ends<Attributes> {
    let query = name.map(|name| format!("?name={}", encoded(name))).unwrap_or_default();
    client::get(program, &format!("{}{query}", route::ATTRIBUTES), unreachable)
}

/// Text as part of a query.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The node that is meant: the one that is named, else the one on which the agent's resource is, else this one.
pub(crate) fn meant(known: &Attributes, named: Option<&str>) -> String {
    named.map(str::to_owned).or_else(|| variable("OCF_RESKEY_CRM_meta_on_node")).unwrap_or_else(|| known.node.clone())
}

/// The node of this name, whatever its letters' case.
pub(crate) fn node<'a>(known: &'a Attributes, name: &str) -> Option<&'a NodeAttributes> {
    known.nodes.iter().find(|node| node.name.eq_ignore_ascii_case(name))
}

/// A value in some sets, and its id. `set` restricts it to the set of that id.
pub(crate) fn find<'a>(sets: &'a [AttributeSet], set: Option<&str>, name: &str) -> Option<&'a hac_api::AttributePair> {
    let wanted = |of: &&AttributeSet| set.is_none_or(|set| of.id == set);
    sets.iter().filter(wanted).flat_map(|set| &set.pairs).find(|pair| pair.name == name)
}

/// Sets or removes an attribute that lasts until the node restarts.
pub(crate) struct Transient<'a> {
    pub(crate) node: &'a str,
    pub(crate) name: &'a str,
    pub(crate) value: Option<&'a str>,
    pub(crate) private: bool,
    /// If it is new: for so long changes are collected, milliseconds.
    pub(crate) dampening_ms: Option<u64>,
    /// If it is new: it is a capacity of the node.
    pub(crate) utilization: bool,
    pub(crate) wait: bool,
}

impl Transient<'_> {
    pub(crate) fn set(&self, program: &str, unreachable: &str) -> Ends<()> {
        let command = Command::Attribute {
            node: self.node.to_owned(),
            name: self.name.to_owned(),
            value: self.value.map(str::to_owned),
            private: self.private,
            dampening_ms: self.dampening_ms,
            utilization: self.utilization,
        };
        order(program, command, self.wait, unreachable)
    }
}

/// Has the daemon carry out a command.
pub(crate) fn order(program: &str, command: Command, wait: bool, unreachable: &str) -> Ends<()> {
    let request = CommandRequest { command, wait_ms: None };
    client::post(program, route::COMMAND, &request, wait, unreachable)
}

/// Changes the configuration.
pub(crate) fn configure(program: &str, changes: &[Change], unreachable: &str) -> Ends<()> {
    let changes: Result<Vec<Value>, _> = changes.iter().map(serde_json::to_value).collect();
    let changes = changes
        .map_err(|error| Said::failed(exit::ERROR, format!("{program}: could not write the change: {error}")))?;
    let request = ConfigureRequest { changes, client: program.to_owned(), ..ConfigureRequest::default() };
    client::post(program, route::CONFIGURE, &request, true, unreachable)
}

/// Sets or removes a permanent attribute of a node.
pub(crate) fn permanent(node: &str, name: &str, value: Option<&str>) -> Change {
    Change::SetNodeAttribute {
        node: node.to_owned(),
        name: name.to_owned(),
        value: value.map(str::to_owned),
        lifetime: Lifetime::Forever,
    }
}

/// Sets or removes a property or a default.
pub(crate) fn property(section: Section, set: Option<&str>, name: &str, value: Option<&str>) -> Change {
    let pairs = vec![(name.to_owned(), value.map(str::to_owned))];
    Change::SetProperties { section, set: set.map(str::to_owned), pairs }
}
