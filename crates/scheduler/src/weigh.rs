//! Stage: scores that single nodes get, from tickets, locks, location constraints, health, stickiness and failures.
//!
//! Reads rules and what is known; changes scores. A ticket that is lost and a lock that is over ask something of the
//! graph.

mod lock;
mod ticket;

use crate::allowed::Discovery;
use crate::constraints::health;
use crate::facts::Variant;
use crate::ids::{LocIdx, NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::names::base_name;
use crate::placement::Placement;
use crate::requests::Requests;
use crate::rules::Location;
use crate::scores::Why;
use hac_model::INFINITY;
use hac_model::Role;

use super::reading::status::failcount::{Count, fail_count};

/// Gives all resources their scores for single nodes.
pub(super) fn run(placement: &mut Placement<'_>, requests: &mut Requests) {
    let top = placement.top.clone();
    for rsc in placement.rsc.keys().filter(|rsc| placement.rules().is_exclusive(*rsc)).collect::<Vec<_>>() {
        placement.scores.make_exclusive(rsc);
    }
    ticket::apply_all(placement, requests);
    if placement.options.shutdown_lock {
        for rsc in &top {
            lock::apply(placement, requests, *rsc);
        }
    }
    for location in placement.rules().locations().keys() {
        let rsc = placement.rules().locations()[location].rsc;
        let why = placement.because(|placement| influence(&placement.rules().locations()[location]));
        apply_location(placement, rsc, location, &why);
        note_bans(placement, rsc, location, &why);
    }
    for rsc in &top {
        let why = placement.because(|_| Influence::Stickiness);
        apply_stickiness(placement, *rsc, &why);
    }
    for node in placement.node_order.clone() {
        for rsc in &top {
            apply_failures(placement, requests, *rsc, node);
            let why = placement.because(|_| Influence::Discovery);
            apply_exclusive_discovery(placement, *rsc, node, &why);
        }
    }
}

/// A location constraint as an influence.
fn influence(location: &Location) -> Influence {
    if location.id == health::ID { Influence::Health } else { Influence::Location { constraint: location.id.clone() } }
}

/// Writes down whom a constraint bans, even where others did so before.
fn note_bans(placement: &mut Placement<'_>, rsc: RscIdx, location: LocIdx, why: &Why) {
    // One for the promoted role counts when roles are chosen.
    if !placement.scores.is_explained() || placement.rules().locations()[location].role != Role::Unknown {
        return;
    }
    for (node, points) in placement.rules().locations()[location].nodes.clone() {
        if points <= -INFINITY {
            placement.note_ban(rsc, node, why);
        }
    }
}

/// Applies a location constraint to a resource and its parts.
fn apply_location(placement: &mut Placement<'_>, rsc: RscIdx, location: LocIdx, why: &Why) {
    placement.add_location(rsc, location, true, why);
    match placement.rsc[rsc].variant.clone() {
        Variant::Primitive => {}
        Variant::Group { colocated, .. } => {
            for (at, member) in placement.rsc[rsc].children.clone().into_iter().enumerate() {
                // Later members follow the first one; of the constraint they only get to know the nodes.
                placement.add_location(member, location, at == 0 || !colocated, why);
            }
        }
        Variant::Clone(_) => {
            for instance in placement.rsc[rsc].children.clone() {
                apply_location(placement, instance, location, why);
            }
        }
        Variant::Bundle(data) => {
            for replica in &data.replicas {
                apply_location(placement, replica.container, location, why);
                if let Some(ip) = replica.ip {
                    apply_location(placement, ip, location, why);
                }
            }
            let role = placement.rules().locations()[location].role;
            if let Some(inner) = data.child.filter(|_| role >= Role::Unpromoted) {
                apply_location(placement, inner, location, why);
            }
        }
    }
}

fn apply_stickiness(placement: &mut Placement<'_>, rsc: RscIdx, why: &Why) {
    if !placement.rsc[rsc].children.is_empty() {
        for child in placement.rsc[rsc].children.clone() {
            apply_stickiness(placement, child, why);
        }
        return;
    }
    let resource = &placement.rsc[rsc];
    let [node] = resource.active[..] else { return };
    let usable = placement.options.symmetric || placement.scores.of(rsc).has(node);
    if resource.is.managed && resource.stickiness >= 1 && usable {
        let stickiness = resource.stickiness;
        placement.add_score(rsc, Some(node), stickiness, why);
    }
}

/// Bans a resource (an anonymous clone as a whole) from a node where it failed too often.
fn apply_failures(placement: &mut Placement<'_>, requests: &Requests, rsc: RscIdx, node: NodeIdx) {
    if !placement.rsc[rsc].children.is_empty() {
        for child in placement.rsc[rsc].children.clone() {
            apply_failures(placement, requests, child, node);
        }
        return;
    }
    let forgiven = requests.forgets(rsc, node);
    let Some(failures) = failures_too_many(placement, rsc, node).filter(|_| !forgiven) else { return };
    let banned = if placement.rsc[rsc].is.unique { rsc } else { placement.top(rsc, false) };
    let why = placement.because(|placement| {
        let resource = &placement.rsc[rsc];
        let service = resource.known_as();
        let service = if resource.is.unique { service } else { base_name(service) }.to_owned();
        Influence::Failures { service, failures, threshold: resource.ban_after }
    });
    placement.add_score(banned, Some(node), -INFINITY, &why);
    placement.note_ban(banned, node, &why);
}

/// Whether a resource failed as often on a node as it may; then how often.
pub(super) fn failures_too_many(placement: &Placement<'_>, rsc: RscIdx, node: NodeIdx) -> Option<i32> {
    let threshold = placement.rsc[rsc].ban_after;
    if threshold == 0 || placement.rsc[rsc].is.failure_ignored {
        return None;
    }
    let (failures, _) = fail_count(placement, rsc, node, Count::WithLaunched, None);
    (failures > 0 && failures >= threshold).then_some(failures)
}

/// A resource that says where it may be looked for may not run elsewhere.
fn apply_exclusive_discovery(placement: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx, why: &Why) {
    let top = placement.top(rsc, false);
    if !placement.scores.is_exclusive(rsc) && !placement.scores.is_exclusive(top) {
        return;
    }
    for child in placement.rsc[rsc].children.clone() {
        apply_exclusive_discovery(placement, child, node, why);
    }
    if placement.scores.of(rsc).get(node).is_some_and(|allowed| allowed.discovery != Discovery::Exclusive) {
        placement.scores.set(rsc, node, -INFINITY, why);
    }
}

/// Bans that follow from what resources are: connections and devices do not run on remote nodes, and what runs inside a
/// guest runs nowhere else.
pub(super) fn by_nature(placement: &mut Placement<'_>) {
    let why = placement.because(|_| Influence::BuiltIn);
    let managed = |rsc: &RscIdx| placement.rsc[*rsc].is_primitive() && placement.rsc[*rsc].is.managed;
    for rsc in placement.rsc.keys().filter(managed).collect::<Vec<_>>() {
        let connects = placement.is_connection(rsc);
        if let Some(container) = placement.rsc[rsc].launcher {
            if connects && !placement.rsc[rsc].is.allow_remote_remotes {
                avoid_remote_nodes(placement, container, &why);
            }
            if let Some(connection) = placement.connection_into(rsc, container) {
                only_behind(placement, rsc, connection, &why);
            }
        }
        if connects || placement.rsc[rsc].is.fence_device {
            avoid_remote_nodes(placement, rsc, &why);
        }
    }
}

/// It runs inside: nowhere else then.
fn only_behind(placement: &mut Placement<'_>, rsc: RscIdx, connection: RscIdx, why: &Why) {
    for node in placement.nodes.keys() {
        if placement.nodes[node].connection != Some(connection) {
            placement.scores.set(rsc, node, -INFINITY, why);
        }
    }
}

fn avoid_remote_nodes(placement: &mut Placement<'_>, rsc: RscIdx, why: &Why) {
    for node in placement.nodes.keys() {
        if placement.nodes[node].connection.is_some() {
            placement.scores.set(rsc, node, -INFINITY, why);
        }
    }
}
