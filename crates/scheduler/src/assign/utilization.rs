//! Utilization: what resources take of nodes, and which nodes have room.

use std::collections::BTreeMap;

use crate::facts::Variant;
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::options::Strategy;
use crate::placement::Placement;
use hac_model::INFINITY;

use super::colocation::{Affects, affects};
use super::{lists, table};

/// Names and amounts.
type Load = BTreeMap<String, i64>;

/// Takes what a resource needs from a node.
pub(super) fn consume(placement: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx) {
    change(placement, rsc, node, -1);
}

/// Gives what a resource needed back to a node.
pub(super) fn release(placement: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx) {
    change(placement, rsc, node, 1);
}

fn change(placement: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx, sign: i64) {
    placement.change_room(rsc, node, sign);
}

fn has_room(placement: &Placement<'_>, node: NodeIdx, load: &Load) -> bool {
    let left = &placement.load[node].room;
    load.iter().all(|(name, amount)| *amount <= left.get(name).copied().unwrap_or(0))
}

/// Compares the room that two nodes have left: less is more room on the first.
pub(super) fn compare_room(placement: &Placement<'_>, a: NodeIdx, b: NodeIdx) -> std::cmp::Ordering {
    let (left, right) = (&placement.load[a].room, &placement.load[b].room);
    let mut balance = 0;
    let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
    for name in names {
        let (x, y) = (left.get(name).copied().unwrap_or(0), right.get(name).copied().unwrap_or(0));
        balance += i32::from(y > x) - i32::from(x > y);
    }
    balance.cmp(&0)
}

/// Bans nodes without room. Returns the roomiest node if none has room for all that belongs together.
pub(super) fn ban_full_nodes(placement: &mut Placement<'_>, rsc: RscIdx) -> Option<NodeIdx> {
    if placement.options.strategy == Strategy::Default {
        return None;
    }
    let mut together = Vec::new();
    colocated(placement, rsc, rsc, &mut together);
    if !together.contains(&rsc) {
        together.push(rsc);
    }
    let mut load = Load::new();
    for other in &together {
        add_load(placement, *other, &together, &mut load);
    }
    let nodes: Vec<NodeIdx> = placement
        .node_order
        .iter()
        .copied()
        .filter(|node| placement.is_allowed(rsc, *node) && placement.node_available(*node))
        .collect();
    let room_for_all = nodes.iter().any(|node| has_room(placement, *node, &load));
    let roomiest = if room_for_all { None } else { roomiest(placement, &nodes) };
    let load = if room_for_all { load } else { placement.rsc[rsc].utilization.clone() };
    for node in nodes {
        if !has_room(placement, node, &load) {
            let why = placement.because(|_| Influence::Capacity);
            placement.add_score(rsc, Some(node), -INFINITY, &why);
        }
    }
    roomiest
}

/// The node that has most room; of several the one that Pacemaker comes across first.
fn roomiest(placement: &Placement<'_>, nodes: &[NodeIdx]) -> Option<NodeIdx> {
    let all: Vec<NodeIdx> = placement.nodes.keys().collect();
    let ids: Vec<&str> = all.iter().map(|node| placement.nodes[*node].id.as_str()).collect();
    let met = table::order(&ids).into_iter().map(|place| all[place]).filter(|node| nodes.contains(node));
    // The first of equals is what this keeps.
    met.reduce(|best, node| if compare_room(placement, node, best).is_lt() { node } else { best })
}

/// Collects what must be on one node with `rsc`.
fn colocated(placement: &Placement<'_>, rsc: RscIdx, asked: RscIdx, found: &mut Vec<RscIdx>) {
    if let Variant::Group { colocated: on_one_node, .. } = placement.rsc[rsc].variant {
        let cloned = placement.rsc[rsc].parent.is_some_and(|parent| placement.rsc[parent].is_clone());
        if on_one_node || cloned {
            if found.contains(&rsc) {
                return;
            }
            found.push(rsc);
            for member in &placement.rsc[rsc].children {
                colocated(placement, *member, asked, found);
            }
            return;
        }
    }
    if found.contains(&rsc) {
        return;
    }
    found.push(rsc);
    for idx in lists::this_with(placement, rsc) {
        let constraint = placement.colocation(idx);
        let primary = constraint.primary;
        if primary != asked
            && constraint.score >= INFINITY
            && affects(placement, rsc, primary, idx, true) == Affects::Location
        {
            colocated(placement, primary, asked, found);
        }
    }
    for idx in lists::with_this(placement, rsc) {
        let constraint = placement.colocation(idx);
        let dependent = constraint.dependent;
        let uncertain = placement.rsc[rsc].is_clone() && !placement.rsc[dependent].is_clone();
        if dependent != asked
            && !uncertain
            && constraint.score >= INFINITY
            && affects(placement, dependent, rsc, idx, true) == Affects::Location
        {
            colocated(placement, dependent, asked, found);
        }
    }
}

/// Adds what an unassigned resource needs, unless its parts are in the list themselves.
fn add_load(placement: &Placement<'_>, rsc: RscIdx, listed: &[RscIdx], load: &mut Load) {
    let resource = &placement.rsc[rsc];
    if !placement.placed[rsc].unassigned {
        return;
    }
    match &resource.variant {
        Variant::Primitive => {
            for (name, amount) in &resource.utilization {
                *load.entry(name.clone()).or_insert(0) += amount;
            }
        }
        Variant::Group { colocated, .. } => {
            let cloned = resource.parent.is_some_and(|parent| placement.rsc[parent].is_clone());
            let members = if *colocated || cloned {
                &resource.children[..]
            } else {
                resource.children.get(..1).unwrap_or_default()
            };
            for member in members {
                if !listed.contains(member) {
                    add_load(placement, *member, listed, load);
                }
            }
        }
        Variant::Clone(_) => {
            let in_list = |rsc: &RscIdx| {
                listed.contains(rsc) || placement.rsc[*rsc].children.iter().any(|child| listed.contains(child))
            };
            if !resource.children.iter().any(in_list)
                && let Some(first) = resource.children.first()
            {
                add_load(placement, *first, listed, load);
            }
        }
        Variant::Bundle(data) => {
            if let Some(replica) = data.replicas.first() {
                add_load(placement, replica.container, listed, load);
            }
        }
    }
}
