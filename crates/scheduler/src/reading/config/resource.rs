//! One resource: meta-attributes, flags, allowed nodes. Groups add their members.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::allowed::Discovery;
use crate::conditions::{Given, parse_interval_ms, read_blocks};
use crate::facts::{Blocks, FlagFacts, MultiplyActive, ResourceFacts, Variant};
use crate::ids::{NodeIdx, RscIdx};
use crate::known::{Flags, Resource};
use crate::options::{NoQuorum, lenient_score};
use crate::reading::Reading;
use crate::reading::fact::Fact;
use hac_model::Role;
use hac_model::{Agent, INFINITY, parse_bool};

use super::{Prepared, is_remote_agent};

/// Adds a prepared primitive or group, as part of `parent`, as instance `number`.
pub(super) fn add(
    reading: &mut Reading<'_>,
    prepared: &Prepared,
    parent: Option<RscIdx>,
    number: Option<usize>,
) -> RscIdx {
    match prepared {
        Prepared::Primitive(id, blocks) => add_primitive(reading, id, blocks, parent, number),
        Prepared::Group(id, blocks, members) => {
            let variant = Variant::Group { ordered: true, colocated: true };
            let group = create(reading, id, blocks, variant, parent, number);
            let flag = |name: &str| reading.rsc[group].meta.get(name).and_then(|v| parse_bool(v)).unwrap_or(true);
            let (ordered, colocated) = (flag("ordered"), flag("collocated"));
            reading.rsc[group].facts.write().variant = Variant::Group { ordered, colocated };
            for (id, blocks) in members {
                let member = add_primitive(reading, id, blocks, Some(group), number);
                reading.rsc[group].children.push(member);
            }
            allow_nodes(reading, group);
            group
        }
    }
}

fn add_primitive(
    reading: &mut Reading<'_>,
    id: &str,
    blocks: &Rc<Blocks>,
    parent: Option<RscIdx>,
    number: Option<usize>,
) -> RscIdx {
    let rsc = create(reading, id, blocks, Variant::Primitive, parent, number);
    allow_nodes(reading, rsc);
    let mut numbers = BTreeMap::new();
    let facts = Given { now: reading.now, ..Given::default() };
    read_blocks(&blocks.utilization, None, &facts, &mut numbers);
    reading.rsc[rsc].facts.write().utilization =
        numbers.iter().map(|(name, value)| (name.clone(), super::nodes::number(value))).collect();
    rsc
}

/// Meta-attributes of a resource as they hold: its own, its ancestors', the defaults, its parent's.
fn meta(reading: &Reading<'_>, blocks: &Blocks, parent: Option<RscIdx>) -> BTreeMap<String, String> {
    let agent = (!blocks.agent.class.is_empty()).then(|| blocks.agent.as_ref());
    let facts = Given { now: reading.now, agent, next_change: Some(&reading.recheck_by), ..Given::default() };
    let mut values = blocks.attributes.clone();
    read_blocks(&blocks.meta, None, &facts, &mut values);
    let mut ancestor = parent;
    while let Some(rsc) = ancestor {
        let rsc = &reading.rsc[rsc];
        for (name, value) in &rsc.blocks.attributes {
            values.entry(name.clone()).or_insert_with(|| value.clone());
        }
        read_blocks(&rsc.blocks.meta, None, &facts, &mut values);
        ancestor = rsc.parent;
    }
    read_blocks(&reading.defaults, None, &facts, &mut values);
    if let Some(parent) = parent {
        for (name, value) in &reading.rsc[parent].meta {
            values.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    values
}

/// Makes a resource without parts and without nodes.
pub(super) fn create(
    reading: &mut Reading<'_>,
    id: &str,
    blocks: &Rc<Blocks>,
    variant: Variant,
    parent: Option<RscIdx>,
    number: Option<usize>,
) -> RscIdx {
    let meta = meta(reading, blocks, parent);
    let id = number.map_or_else(|| id.to_owned(), |number| format!("{id}:{number}"));
    let remote = matches!(variant, Variant::Primitive) && is_remote_agent(&blocks.agent);
    let guest = remote && meta.contains_key("container");
    let get = |name: &str| meta.get(name).map(String::as_str);
    let flag = |name: &str| get(name).and_then(parse_bool);
    let score = |name: &str| get(name).map(|value| reading.options.score(value));
    let time = |name: &str| get(name).and_then(parse_interval_ms).unwrap_or(0);

    let facts = FlagFacts {
        critical: flag("critical").unwrap_or(true),
        notify: flag("notify").unwrap_or(false),
        fence_device: blocks.agent.class == "stonith",
        allow_remote_remotes: false,
        ..FlagFacts::default()
    };
    let mut is = Flags {
        facts: Fact::new(facts),
        managed: flag("is-managed").unwrap_or(true),
        migratable: flag("allow-migrate").unwrap_or(remote && !guest),
        ..Flags::default()
    };
    if flag("maintenance").unwrap_or(false) || reading.options.maintenance {
        is.managed = false;
        is.facts.write().maintenance = true;
    }
    match top_clone(reading, parent) {
        Some(clone) => {
            is.facts.write().unique = reading.rsc[clone].is.unique;
            is.facts.write().promotable = reading.rsc[clone].is.promotable;
        }
        None => is.facts.write().unique = true,
    }
    requires(reading, get("requires"), remote, &mut is);
    let ban_after = match score("migration-threshold") {
        Some(failures) if failures >= 0 => failures,
        _ => INFINITY,
    };
    let stickiness = score("resource-stickiness").unwrap_or(0);
    let multiply_active = match get("multiple-active") {
        Some("stop_only") => MultiplyActive::StopOnly,
        Some("block") => MultiplyActive::Block,
        Some("stop_unexpected") => MultiplyActive::StopUnexpected,
        _ => MultiplyActive::StopStart,
    };
    let (priority, failure_expiry_ms) = (score("priority").unwrap_or(0), Cell::new(time("failure-timeout")));
    let next_role = target_role(get("target-role"), is.promotable);
    let facts = ResourceFacts {
        stickiness,
        ban_after,
        multiply_active,
        ..blank_facts(id.clone(), variant, parent, Rc::clone(blocks), meta)
    };
    let rsc = Resource { priority, failure_expiry_ms, next_role, ..blank(facts, is) };
    let rsc = reading.rsc.push(rsc);
    reading.scores.add_resource();
    if remote {
        let params = reading.params(rsc, None);
        let reconnect = params.get("reconnect_interval").and_then(|v| parse_interval_ms(v)).unwrap_or(0);
        reading.rsc[rsc].facts.write().reconnect_ms = reconnect;
        if reconnect > 0 {
            // Attempts are made anew after this time, so failures count no longer.
            reading.rsc[rsc].failure_expiry_ms.set(reconnect);
        }
    }
    reading.facts.write().rsc_by_id.entry(id).or_insert(rsc);
    rsc
}

/// What is known of a resource of which nothing but the given is known.
fn blank_facts(
    id: String,
    variant: Variant,
    parent: Option<RscIdx>,
    blocks: Rc<Blocks>,
    meta: BTreeMap<String, String>,
) -> ResourceFacts {
    ResourceFacts {
        id,
        history_id: None,
        variant,
        parent,
        blocks,
        meta,
        stickiness: 0,
        ban_after: INFINITY,
        reconnect_ms: 0,
        multiply_active: MultiplyActive::default(),
        launcher: None,
        launched: Vec::new(),
        remote_node: None,
        utilization: BTreeMap::new(),
        active: Vec::new(),
        known: Vec::new(),
        pending: None,
        dangling: Vec::new(),
        probe_failures: Vec::new(),
        histories: Vec::new(),
    }
}

/// A resource with which nothing was done yet.
fn blank(facts: ResourceFacts, is: Flags) -> Resource {
    Resource {
        facts: Fact::new(facts),
        children: Vec::new(),
        is,
        priority: 0,
        failure_expiry_ms: Cell::new(0),
        lock: None,
        role: Role::Stopped,
        next_role: Role::Unknown,
        migration: None,
    }
}

/// The clone that is, or contains, `rsc`.
fn top_clone(reading: &Reading<'_>, rsc: Option<RscIdx>) -> Option<RscIdx> {
    let mut at = rsc;
    while let Some(rsc) = at {
        if reading.rsc[rsc].is_clone() {
            return Some(rsc);
        }
        at = reading.rsc[rsc].parent;
    }
    None
}

/// What a resource waits for before it starts.
fn requires(reading: &Reading<'_>, value: Option<&str>, remote: bool, is: &mut Flags) {
    let value = match value.map(str::to_ascii_lowercase).as_deref() {
        Some("nothing") => "nothing",
        Some("quorum") => "quorum",
        Some("fencing") => "fencing",
        Some("unfencing") => "unfencing",
        _ if is.fence_device || remote => "quorum",
        _ if reading.unfencing_in_use => "unfencing",
        _ if reading.options.fencing => "fencing",
        _ if reading.options.no_quorum == NoQuorum::Ignore => "nothing",
        _ => "quorum",
    };
    match value {
        "unfencing" if is.fence_device || !reading.options.fencing => is.facts.write().needs_quorum = true,
        "unfencing" => {
            is.facts.write().needs_fencing = true;
            is.facts.write().needs_unfencing = true;
        }
        "fencing" => is.facts.write().needs_fencing = true,
        "quorum" => is.facts.write().needs_quorum = true,
        _ => {}
    }
}

/// `target-role` as far as it restricts; `Unknown` if it does not.
pub(crate) fn target_role(value: Option<&str>, promotable: bool) -> Role {
    match Role::parse(value.unwrap_or("Started")) {
        Some(Role::Stopped) => Role::Stopped,
        Some(Role::Unpromoted) if promotable => Role::Unpromoted,
        _ => Role::Unknown,
    }
}

/// Lets a resource run anywhere if the cluster is symmetric.
pub(super) fn allow_nodes(reading: &mut Reading<'_>, rsc: RscIdx) {
    let guest = reading.is_connection(rsc) && reading.rsc[rsc].meta.contains_key("container");
    if !reading.options.symmetric && !guest {
        return;
    }
    let nodes: Vec<NodeIdx> = reading.node_order.clone();
    allow(reading, rsc, &nodes, reading.options.symmetric);
}

/// With `by_default`, neither nodes that only their own may run on nor resources that say where they run are touched.
fn allow(reading: &mut Reading<'_>, rsc: RscIdx, nodes: &[NodeIdx], by_default: bool) {
    if by_default && reading.scores.is_exclusive(rsc) {
        return;
    }
    for at in 0..reading.rsc[rsc].children.len() {
        let child = reading.rsc[rsc].children[at];
        allow(reading, child, nodes, by_default);
    }
    for node in nodes {
        let entry = reading.nodes[*node].table_entry;
        let closed = by_default && entry.discovery == Discovery::Never;
        if !closed && !reading.scores.of(rsc).has(*node) {
            reading.scores.begin(rsc, *node, entry);
        }
    }
}

/// Why a removed resource is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemovedKind {
    /// Nothing of that name is configured.
    Primitive,
    /// It contains something that is active.
    Container,
}

/// Makes a primitive from a history whose resource is no longer configured.
pub(crate) fn add_removed(
    reading: &mut Reading<'_>,
    id: &str,
    agent: &Agent,
    container: Option<&str>,
    kind: RemovedKind,
) -> RscIdx {
    let mut attributes = BTreeMap::new();
    if let Some(container) = container {
        attributes.insert("container".to_owned(), container.to_owned());
    }
    let blocks = Rc::new(Blocks { agent: Arc::new(agent.clone()), attributes, ..Blocks::default() });
    let rsc = add_primitive(reading, id, &blocks, None, None);
    reading.rsc[rsc].is.facts.write().removed = kind == RemovedKind::Primitive || kind == RemovedKind::Container;
    reading.top.push(rsc);
    rsc
}

/// An integer meta-attribute, at least 0.
pub(super) fn count(reading: &Reading<'_>, rsc: RscIdx, names: &[&str]) -> Option<usize> {
    let meta = &reading.rsc[rsc].meta;
    let value = names.iter().find_map(|name| meta.get(*name))?;
    usize::try_from(lenient_score(value)).ok()
}
