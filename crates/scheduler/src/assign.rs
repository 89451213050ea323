//! Stage: assignment. Where each resource will be, and in which role.
//!
//! Takes a placement where nothing is assigned, and hands it on with everything assigned. Reads colocations; changes
//! scores, assigned nodes, next roles, the load of nodes, and whether nodes behind connections will be up.

mod bundle;
mod clone;
mod colocation;
mod instances;
mod lists;
mod primitive;
mod promotable;
mod sort;
mod table;
mod utilization;
mod wishes;

pub(super) use instances::compatible;
pub(super) use lists::with_this;

use super::options::Strategy;
use crate::facts::Variant;
use crate::ids::{NodeIdx, RscIdx};
use crate::placement::Placement;
use hac_model::Role;

/// Assigns everything.
pub(super) fn run(mut placement: Placement<'_>) -> Placement<'_> {
    assign_all(&mut placement);
    if let Some(warning) = placement.limits.warning() {
        placement.warn(warning);
    }
    placement
}

fn assign_all(placement: &mut Placement<'_>) {
    if placement.options.strategy != Strategy::Default {
        sort::by_scores(placement);
    }
    placement.limits.allow_for(placement.rsc.len());
    let top = placement.top.clone();
    if placement.has_remote_nodes {
        for rsc in &top {
            if placement.is_connection(*rsc) {
                let target = placement.rsc[*rsc].migration.map(|(_, target)| target);
                assign(placement, *rsc, target, true);
            }
        }
    }
    for rsc in &top {
        if !placement.is_connection(*rsc) {
            assign(placement, *rsc, None, true);
        }
    }
}

/// Assigns a resource, with what it depends on first. `prefer` is taken if it is as good as any. With `stop_if_fail` a
/// resource without a node is to be stopped; without, this is only an attempt.
fn assign(placement: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>, stop_if_fail: bool) -> Option<NodeIdx> {
    match placement.rsc[rsc].variant {
        Variant::Primitive => primitive::assign(placement, rsc, prefer, stop_if_fail),
        Variant::Group { colocated, .. } => group(placement, rsc, prefer, stop_if_fail, colocated),
        Variant::Clone(_) => {
            clone::assign(placement, rsc, prefer);
            None
        }
        Variant::Bundle(_) => {
            bundle::assign(placement, rsc, prefer, stop_if_fail);
            None
        }
    }
}

fn group(
    placement: &mut Placement<'_>,
    rsc: RscIdx,
    prefer: Option<NodeIdx>,
    stop_if_fail: bool,
    colocated: bool,
) -> Option<NodeIdx> {
    if !placement.placed[rsc].unassigned {
        return placement.placed[rsc].assigned;
    }
    if placement.placed[rsc].assigning {
        return None;
    }
    placement.placed[rsc].assigning = true;
    placement.note_scores(rsc);
    let mut first = None;
    for member in placement.rsc[rsc].children.clone() {
        let node = assign(placement, member, prefer, stop_if_fail);
        first = first.or(node);
    }
    if let Some(member) = placement.rsc[rsc].children.first() {
        placement.rsc[rsc].next_role = placement.rsc[*member].next_role;
    }
    placement.placed[rsc].assigning = false;
    placement.placed[rsc].unassigned = false;
    first.filter(|_| colocated)
}

/// Puts a resource and all its parts on a node, or nowhere. Without `force` the node must be fit for it.
fn place(placement: &mut Placement<'_>, rsc: RscIdx, node: Option<NodeIdx>, force: bool, stop_if_fail: bool) {
    if !placement.rsc[rsc].children.is_empty() {
        for child in placement.rsc[rsc].children.clone() {
            place(placement, child, node, force, stop_if_fail);
        }
        return;
    }
    let mut node = node;
    if let Some(chosen) = node
        && !force
    {
        let banned = placement.scores.of(rsc).score(chosen) < 0;
        let down = !placement.node_available(chosen) && !placement.nodes[chosen].is_guest();
        if banned || down {
            if stop_if_fail {
                placement.rsc[rsc].next_role = Role::Stopped;
            }
            node = None;
        }
    }
    unassign(placement, rsc);
    placement.placed[rsc].unassigned = false;
    let Some(node) = node else {
        if stop_if_fail {
            nowhere(placement, rsc);
        }
        return;
    };
    // Who is left where it is has the node's own score, whatever its table says.
    let own = placement.nodes[node].table_entry.score;
    let score = if force { own } else { placement.scores.of(rsc).get(node).map_or(own, |allowed| allowed.score) };
    placement.placed[rsc].assigned = Some(node);
    placement.placed[rsc].assigned_score = score;
    placement.scores.count(rsc, node);
    placement.load[node].resources += 1;
    utilization::consume(placement, rsc, node);
}

/// Writes down that `rsc` and its parts are nowhere because no part of `partner` goes with them.
pub(super) fn note_withheld(placement: &mut Placement<'_>, rsc: RscIdx, partner: RscIdx) {
    placement.scores.note_withheld(rsc, partner);
    for child in placement.rsc[rsc].children.clone() {
        note_withheld(placement, child, partner);
    }
}

/// A resource that can be nowhere is stopped.
fn nowhere(placement: &mut Placement<'_>, rsc: RscIdx) {
    placement.rsc[rsc].next_role = Role::Stopped;
    placement.given_up.push(rsc);
}

/// Takes a resource and all its parts from their nodes.
pub(super) fn unassign(placement: &mut Placement<'_>, rsc: RscIdx) {
    for child in placement.rsc[rsc].children.clone() {
        unassign(placement, child);
    }
    let Some(node) = placement.placed[rsc].assigned.take() else { return };
    placement.placed[rsc].unassigned = true;
    placement.load[node].resources = placement.load[node].resources.saturating_sub(1);
    utilization::release(placement, rsc, node);
}

/// Takes a resource and all its parts from their nodes, for good: it is to be stopped.
pub(super) fn unassign_and_stop(placement: &mut Placement<'_>, rsc: RscIdx) {
    place(placement, rsc, None, true, true);
}
