//! Nodes: configured ones, and those behind remote connections and in guests.
//!
//! Writes nodes with their permanent attributes; connections for guests are returned as resources to be added.

use std::collections::BTreeMap;

use crate::allowed::Allowed;
use crate::conditions::{Given, read_blocks};
use crate::facts::{Kind, NodeFacts};
use crate::ids::{NodeIdx, RscIdx};
use crate::known::Node;
use crate::names::compare_names;
use crate::reading::Reading;
use crate::reading::fact::Fact;
use hac_model::{NvPair, NvSet, Operation, Primitive, Resource as Configured, parse_bool};

use super::is_remote_agent;

/// Adds a node at its place in the order of names.
pub(crate) fn add_node(reading: &mut Reading<'_>, node: Node) -> NodeIdx {
    let name = node.name.clone();
    if node.is_pacemaker_remote() {
        reading.facts.write().has_remote_nodes = true;
    }
    let idx = reading.nodes.push(node);
    let at = reading.node_order.partition_point(|n| compare_names(&reading.nodes[*n].name, &name).is_le());
    reading.facts.write().node_order.insert(at, idx);
    idx
}

/// A new node of which nothing is known.
pub(super) fn new_node(id: &str, name: &str, kind: Kind) -> Node {
    let kind_name = match kind {
        Kind::Member => "cluster",
        Kind::Remote => "remote",
        Kind::Guest | Kind::Bundle => "container",
    };
    let facts = NodeFacts {
        id: id.to_owned(),
        name: name.to_owned(),
        kind,
        attributes: BTreeMap::from([("#kind".to_owned(), kind_name.to_owned())]),
        discovery: true,
        ..NodeFacts::default()
    };
    Node { facts: Fact::new(facts), ..Node::default() }
}

/// The nodes that are configured.
pub(super) fn read(reading: &mut Reading<'_>) {
    let cib = reading.cib;
    for configured in &cib.configuration.nodes {
        if configured.kind.as_deref() == Some("ping") {
            continue;
        }
        if reading.find_node_by_id(&configured.id).is_some() {
            reading.warn(format!("node id {} is configured twice", configured.id));
            continue;
        }
        let kind = if configured.kind.as_deref() == Some("remote") { Kind::Remote } else { Kind::Member };
        let mut node = new_node(&configured.id, &configured.uname, kind);
        node.facts.write().score = configured.score.as_deref().map_or(0, |score| reading.options.score(score));
        node.facts.write().table_entry = Allowed { score: node.score, ..Allowed::default() };
        if kind == Kind::Member {
            node.unclean = reading.options.fencing && reading.options.startup_fencing;
        }
        let idx = add_node(reading, node);
        add_capacity(reading, idx, &configured.utilization);
        add_attributes(reading, idx, &configured.attributes, false);
    }
}

/// A capacity as a number.
pub(super) fn number(value: &str) -> i64 {
    i64::from(crate::options::lenient_score(value))
}

/// Takes capacities of a node in; those that it has stay.
pub(crate) fn add_capacity(reading: &mut Reading<'_>, node: NodeIdx, blocks: &[NvSet]) {
    let mut found = BTreeMap::new();
    let facts = Given { now: reading.now, ..Given::default() };
    read_blocks(&reading.index.sets(blocks), None, &facts, &mut found);
    let entry = &mut reading.nodes[node];
    for (name, value) in found {
        entry.facts.write().capacity.entry(name).or_insert_with(|| number(&value));
    }
}

/// Takes attributes of a node in. With `overwrite` they win over what is there (but not over each other).
pub(crate) fn add_attributes(reading: &mut Reading<'_>, node: NodeIdx, blocks: &[NvSet], overwrite: bool) {
    let is_dc = reading.cib.info.dc_uuid.as_deref() == Some(reading.nodes[node].id.as_str());
    if is_dc {
        reading.facts.write().dc = Some(node);
        reading.nodes[node].facts.write().is_dc = true;
    }
    let mut found = BTreeMap::new();
    let facts = Given { now: reading.now, ..Given::default() };
    read_blocks(&reading.index.sets(blocks), None, &facts, &mut found);
    let site = reading.options.all.get("cluster-name").cloned();
    let entry = reading.nodes[node].facts.write();
    entry.attributes.insert("#uname".into(), entry.name.clone());
    entry.attributes.insert("#id".into(), entry.id.clone());
    entry.attributes.insert("#is_dc".into(), is_dc.to_string());
    if let Some(name) = &site {
        entry.attributes.insert("#cluster-name".into(), name.clone());
    }
    for (name, value) in found {
        if overwrite || !entry.attributes.contains_key(&name) {
            entry.attributes.insert(name, value);
        }
    }
    if let Some(site) = entry.attributes.get("site-name").cloned().or(site) {
        entry.attributes.insert("#site-name".into(), site);
    }
}

/// Nodes behind connections and in guests. Returns the connections that guests need.
pub(super) fn read_remote(reading: &mut Reading<'_>) -> Vec<Configured> {
    let mut implicit = Vec::new();
    let cib = reading.cib;
    for resource in &cib.configuration.resources {
        match resource {
            Configured::Primitive(primitive) => read_remote_of(reading, primitive, &mut implicit),
            Configured::Group(group) => {
                for member in &group.members {
                    read_guest_of(reading, member, &mut implicit);
                }
            }
            _ => {}
        }
    }
    implicit
}

fn read_remote_of(reading: &mut Reading<'_>, primitive: &Primitive, implicit: &mut Vec<Configured>) {
    if is_remote_agent(&primitive.agent) {
        if reading.find_node(&primitive.id).is_none() {
            add_node(reading, new_node(&primitive.id, &primitive.id, Kind::Remote));
        }
    } else {
        read_guest_of(reading, primitive, implicit);
    }
}

/// The guest node that a primitive's `remote-node` names, and its connection.
fn read_guest_of(reading: &mut Reading<'_>, primitive: &Primitive, implicit: &mut Vec<Configured>) {
    let literal = |name: &str| {
        let pairs = primitive.meta.iter().flat_map(|set| &set.pairs);
        pairs.filter(|pair| pair.name == name).find_map(|pair| pair.value.clone())
    };
    let Some(name) = literal("remote-node") else { return };
    let taken = reading.index.primitive(&name).is_some()
        || implicit.iter().any(|resource| resource.id() == name)
        || reading.cib.configuration.resources.iter().any(|resource| resource.id() == name);
    if taken {
        reading.warn(format!("{}: remote-node {name} is the id of a resource", primitive.id));
        return;
    }
    if reading.find_node(&name).is_none() {
        add_node(reading, new_node(&name, &name, Kind::Guest));
    }
    let pair = |name: &str, value: Option<String>| NvPair { name: name.into(), value, ..NvPair::default() };
    let meta = vec![
        pair("internal", Some("true".into())),
        pair("container", Some(primitive.id.clone())),
        pair("allow-migrate", literal("remote-allow-migrate")),
        pair("is-managed", literal("is-managed").filter(|managed| parse_bool(managed) == Some(false))),
    ];
    let params = vec![pair("addr", literal("remote-addr")), pair("port", literal("remote-port"))];
    implicit.push(Configured::Primitive(connection(&name, meta, params, literal("remote-connect-timeout"))));
}

/// A connection resource.
pub(super) fn connection(
    id: &str,
    meta: Vec<NvPair>,
    params: Vec<NvPair>,
    connect_timeout: Option<String>,
) -> Primitive {
    let block = |kind: &str, pairs: Vec<NvPair>| {
        let pairs: Vec<NvPair> = pairs.into_iter().filter(|pair| pair.value.is_some()).collect();
        vec![NvSet { id: format!("{id}-{kind}"), pairs, ..NvSet::default() }]
    };
    let operation = |name: &str, interval: &str, timeout: String| Operation {
        id: format!("{id}-{name}-{interval}"),
        name: name.into(),
        interval: interval.into(),
        options: BTreeMap::from([("timeout".into(), timeout)]),
        ..Operation::default()
    };
    let mut operations = vec![operation("monitor", "30s", "30s".into())];
    if let Some(timeout) = connect_timeout {
        operations.push(operation("start", "0", timeout));
    }
    Primitive {
        id: id.to_owned(),
        agent: hac_model::Agent { class: "ocf".into(), provider: Some("pacemaker".into()), kind: "remote".into() },
        params: block("instance_attributes", params),
        meta: block("meta_attributes", meta),
        operations,
        ..Primitive::default()
    }
}

/// Connects a connection resource with its node.
pub(super) fn link_connection(reading: &mut Reading<'_>, rsc: RscIdx) {
    let Some(node) = reading.find_node(&reading.rsc[rsc].id.clone()) else { return };
    if !reading.nodes[node].is_pacemaker_remote() {
        return;
    }
    reading.nodes[node].facts.write().connection = Some(rsc);
    reading.rsc[rsc].facts.write().remote_node = Some(node);
    if reading.rsc[rsc].launcher.is_some() {
        if reading.nodes[node].kind != Kind::Bundle {
            reading.nodes[node].facts.write().kind = Kind::Guest;
        }
        reading.nodes[node].facts.write().attributes.insert("#kind".into(), "container".into());
    } else if reading.options.fencing && reading.options.startup_fencing {
        reading.nodes[node].unclean = true;
    }
}
