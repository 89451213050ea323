//! Stage: assignment. Where each resource will be, and in which role.
//!
//! Reads tables of allowed nodes and colocations; writes those tables, assigned nodes, next roles, the load of nodes, and
//! whether nodes behind connections will be up.

mod bundle;
mod clone;
mod colocation;
mod instances;
mod lists;
mod primitive;
mod promotable;
mod sort;
mod utilization;
mod wishes;

pub(super) use instances::compatible;
pub(super) use lists::with_this;

use super::options::Strategy;
use crate::Role;
use crate::facts::Variant;
use crate::ids::{NodeIdx, RscIdx};
use crate::placement::Placement;

/// Assigns everything.
pub(super) fn run(mut placement: Placement<'_>) -> Placement<'_> {
    assign_all(&mut placement);
    if let Some(warning) = placement.limits.warning() {
        placement.warn(warning);
    }
    placement
}

fn assign_all(cluster: &mut Placement<'_>) {
    if cluster.options.strategy != Strategy::Default {
        sort::by_scores(cluster);
    }
    cluster.limits.allow_for(cluster.rsc.len());
    let top = cluster.top.clone();
    if cluster.has_remote_nodes {
        for rsc in &top {
            if cluster.is_connection(*rsc) {
                let target = cluster.rsc[*rsc].migration.map(|(_, target)| target);
                assign(cluster, *rsc, target, true);
            }
        }
    }
    for rsc in &top {
        if !cluster.is_connection(*rsc) {
            assign(cluster, *rsc, None, true);
        }
    }
}

/// Assigns a resource, with what it depends on first. `prefer` is taken if it is as good as any. With `stop_if_fail` a
/// resource without a node is to be stopped; without, this is only an attempt.
fn assign(cluster: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>, stop_if_fail: bool) -> Option<NodeIdx> {
    match cluster.rsc[rsc].variant {
        Variant::Primitive => primitive::assign(cluster, rsc, prefer, stop_if_fail),
        Variant::Group { colocated, .. } => group(cluster, rsc, prefer, stop_if_fail, colocated),
        Variant::Clone(_) => {
            clone::assign(cluster, rsc, prefer);
            None
        }
        Variant::Bundle(_) => {
            bundle::assign(cluster, rsc, prefer, stop_if_fail);
            None
        }
    }
}

fn group(
    cluster: &mut Placement<'_>,
    rsc: RscIdx,
    prefer: Option<NodeIdx>,
    stop_if_fail: bool,
    colocated: bool,
) -> Option<NodeIdx> {
    if !cluster.placed[rsc].unassigned {
        return cluster.placed[rsc].assigned;
    }
    if cluster.placed[rsc].assigning {
        return None;
    }
    cluster.placed[rsc].assigning = true;
    cluster.note_scores(rsc);
    let mut first = None;
    for member in cluster.rsc[rsc].children.clone() {
        let node = assign(cluster, member, prefer, stop_if_fail);
        first = first.or(node);
    }
    if let Some(member) = cluster.rsc[rsc].children.first() {
        cluster.rsc[rsc].next_role = cluster.rsc[*member].next_role;
    }
    cluster.placed[rsc].assigning = false;
    cluster.placed[rsc].unassigned = false;
    first.filter(|_| colocated)
}

/// Puts a resource and all its parts on a node, or nowhere. Without `force` the node must be fit for it.
fn place(cluster: &mut Placement<'_>, rsc: RscIdx, node: Option<NodeIdx>, force: bool, stop_if_fail: bool) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            place(cluster, child, node, force, stop_if_fail);
        }
        return;
    }
    let mut node = node;
    if let Some(chosen) = node
        && !force
    {
        let banned = cluster.scores.of(rsc).score(chosen) < 0;
        let down = !cluster.node_available(chosen) && !cluster.nodes[chosen].is_guest();
        if banned || down {
            if stop_if_fail {
                cluster.rsc[rsc].next_role = Role::Stopped;
            }
            node = None;
        }
    }
    unassign(cluster, rsc);
    cluster.placed[rsc].unassigned = false;
    let Some(node) = node else {
        if stop_if_fail {
            nowhere(cluster, rsc);
        }
        return;
    };
    // Who is left where it is has the node's own score, whatever its table says.
    let own = cluster.nodes[node].table_entry.score;
    let score = if force { own } else { cluster.scores.of(rsc).get(node).map_or(own, |allowed| allowed.score) };
    cluster.placed[rsc].assigned = Some(node);
    cluster.placed[rsc].assigned_score = score;
    cluster.scores.count(rsc, node);
    cluster.load[node].resources += 1;
    utilization::consume(cluster, rsc, node);
}

/// Writes down that `rsc` and its parts are nowhere because no part of `partner` goes with them.
pub(super) fn note_withheld(cluster: &mut Placement<'_>, rsc: RscIdx, partner: RscIdx) {
    cluster.scores.note_withheld(rsc, partner);
    for child in cluster.rsc[rsc].children.clone() {
        note_withheld(cluster, child, partner);
    }
}

/// A resource that can be nowhere is stopped.
fn nowhere(cluster: &mut Placement<'_>, rsc: RscIdx) {
    cluster.rsc[rsc].next_role = Role::Stopped;
    cluster.given_up.push(rsc);
}

/// Takes a resource and all its parts from their nodes.
pub(super) fn unassign(cluster: &mut Placement<'_>, rsc: RscIdx) {
    for child in cluster.rsc[rsc].children.clone() {
        unassign(cluster, child);
    }
    let Some(node) = cluster.placed[rsc].assigned.take() else { return };
    cluster.placed[rsc].unassigned = true;
    cluster.load[node].resources = cluster.load[node].resources.saturating_sub(1);
    utilization::release(cluster, rsc, node);
}

/// Takes a resource and all its parts from their nodes, for good: it is to be stopped.
pub(super) fn unassign_and_stop(cluster: &mut Placement<'_>, rsc: RscIdx) {
    place(cluster, rsc, None, true, true);
}
