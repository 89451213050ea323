//! Scores that single nodes get: from health, locks, location constraints, stickiness and failures.
//!
//! Reads constraints and the status; writes the tables of allowed nodes.

mod lock;
mod ticket;

use crate::Role;
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

use super::reading::status::failcount::{Count, fail_count};

/// Gives all resources their scores for single nodes.
pub(super) fn run(cluster: &mut Placement<'_>, requests: &mut Requests) {
    let top = cluster.top.clone();
    for rsc in cluster.rsc.keys().filter(|rsc| cluster.rules().is_exclusive(*rsc)).collect::<Vec<_>>() {
        cluster.scores.make_exclusive(rsc);
    }
    ticket::apply_all(cluster, requests);
    if cluster.options.shutdown_lock {
        for rsc in &top {
            lock::apply(cluster, requests, *rsc);
        }
    }
    for location in cluster.rules().locations().keys() {
        let rsc = cluster.rules().locations()[location].rsc;
        let why = cluster.because(|cluster| influence(&cluster.rules().locations()[location]));
        apply_location(cluster, rsc, location, &why);
        note_bans(cluster, rsc, location, &why);
    }
    for rsc in &top {
        let why = cluster.because(|_| Influence::Stickiness);
        apply_stickiness(cluster, *rsc, &why);
    }
    for node in cluster.node_order.clone() {
        for rsc in &top {
            apply_failures(cluster, requests, *rsc, node);
            let why = cluster.because(|_| Influence::Discovery);
            apply_exclusive_discovery(cluster, *rsc, node, &why);
        }
    }
}

/// A location constraint as an influence.
fn influence(location: &Location) -> Influence {
    if location.id == health::ID { Influence::Health } else { Influence::Location { constraint: location.id.clone() } }
}

/// Writes down whom a constraint bans, even where others did so before.
fn note_bans(cluster: &mut Placement<'_>, rsc: RscIdx, location: LocIdx, why: &Why) {
    // One for the promoted role counts when roles are chosen.
    if !cluster.scores.is_explained() || cluster.rules().locations()[location].role != Role::Unknown {
        return;
    }
    for (node, points) in cluster.rules().locations()[location].nodes.clone() {
        if points <= -INFINITY {
            cluster.note_ban(rsc, node, why);
        }
    }
}

/// Applies a location constraint to a resource and its parts.
fn apply_location(cluster: &mut Placement<'_>, rsc: RscIdx, location: LocIdx, why: &Why) {
    cluster.add_location(rsc, location, true, why);
    match cluster.rsc[rsc].variant.clone() {
        Variant::Primitive => {}
        Variant::Group { colocated, .. } => {
            for (at, member) in cluster.rsc[rsc].children.clone().into_iter().enumerate() {
                // Later members follow the first one; of the constraint they only get to know the nodes.
                cluster.add_location(member, location, at == 0 || !colocated, why);
            }
        }
        Variant::Clone(_) => {
            for instance in cluster.rsc[rsc].children.clone() {
                apply_location(cluster, instance, location, why);
            }
        }
        Variant::Bundle(data) => {
            for replica in &data.replicas {
                apply_location(cluster, replica.container, location, why);
                if let Some(ip) = replica.ip {
                    apply_location(cluster, ip, location, why);
                }
            }
            let role = cluster.rules().locations()[location].role;
            if let Some(inner) = data.child.filter(|_| role >= Role::Unpromoted) {
                apply_location(cluster, inner, location, why);
            }
        }
    }
}

fn apply_stickiness(cluster: &mut Placement<'_>, rsc: RscIdx, why: &Why) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply_stickiness(cluster, child, why);
        }
        return;
    }
    let resource = &cluster.rsc[rsc];
    let [node] = resource.active[..] else { return };
    let usable = cluster.options.symmetric || cluster.scores.of(rsc).has(node);
    if resource.is.managed && resource.stickiness >= 1 && usable {
        let stickiness = resource.stickiness;
        cluster.add_score(rsc, Some(node), stickiness, why);
    }
}

/// Bans a resource (an anonymous clone as a whole) from a node where it failed too often.
fn apply_failures(cluster: &mut Placement<'_>, requests: &Requests, rsc: RscIdx, node: NodeIdx) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply_failures(cluster, requests, child, node);
        }
        return;
    }
    let forgiven = requests.forgets(rsc, node);
    let Some(failures) = failures_too_many(cluster, rsc, node).filter(|_| !forgiven) else { return };
    let banned = if cluster.rsc[rsc].is.unique { rsc } else { cluster.top(rsc, false) };
    let why = cluster.because(|cluster| {
        let resource = &cluster.rsc[rsc];
        let service = resource.known_as();
        let service = if resource.is.unique { service } else { base_name(service) }.to_owned();
        Influence::Failures { service, failures, threshold: resource.ban_after }
    });
    cluster.add_score(banned, Some(node), -INFINITY, &why);
    cluster.note_ban(banned, node, &why);
}

/// Whether a resource failed as often on a node as it may; then how often.
pub(super) fn failures_too_many(cluster: &Placement<'_>, rsc: RscIdx, node: NodeIdx) -> Option<i32> {
    let threshold = cluster.rsc[rsc].ban_after;
    if threshold == 0 || cluster.rsc[rsc].is.failure_ignored {
        return None;
    }
    let (failures, _) = fail_count(cluster, rsc, node, Count::WithLaunched, None);
    (failures > 0 && failures >= threshold).then_some(failures)
}

/// A resource that says where it may be looked for may not run elsewhere.
fn apply_exclusive_discovery(cluster: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx, why: &Why) {
    let top = cluster.top(rsc, false);
    if !cluster.scores.is_exclusive(rsc) && !cluster.scores.is_exclusive(top) {
        return;
    }
    for child in cluster.rsc[rsc].children.clone() {
        apply_exclusive_discovery(cluster, child, node, why);
    }
    if cluster.scores.of(rsc).get(node).is_some_and(|allowed| allowed.discovery != Discovery::Exclusive) {
        cluster.scores.set(rsc, node, -INFINITY, why);
    }
}

/// Bans that follow from what resources are: connections and devices do not run on remote nodes, and what runs inside a
/// guest runs nowhere else.
pub(super) fn by_nature(cluster: &mut Placement<'_>) {
    let why = cluster.because(|_| Influence::BuiltIn);
    let managed = |rsc: &RscIdx| cluster.rsc[*rsc].is_primitive() && cluster.rsc[*rsc].is.managed;
    for rsc in cluster.rsc.keys().filter(managed).collect::<Vec<_>>() {
        let connects = cluster.is_connection(rsc);
        if let Some(container) = cluster.rsc[rsc].launcher {
            if connects && !cluster.rsc[rsc].is.allow_remote_remotes {
                avoid_remote_nodes(cluster, container, &why);
            }
            if let Some(connection) = cluster.connection_into(rsc, container) {
                only_behind(cluster, rsc, connection, &why);
            }
        }
        if connects || cluster.rsc[rsc].is.fence_device {
            avoid_remote_nodes(cluster, rsc, &why);
        }
    }
}

/// It runs inside: nowhere else then.
fn only_behind(cluster: &mut Placement<'_>, rsc: RscIdx, connection: RscIdx, why: &Why) {
    for node in cluster.nodes.keys() {
        if cluster.nodes[node].connection != Some(connection) {
            cluster.scores.set(rsc, node, -INFINITY, why);
        }
    }
}

fn avoid_remote_nodes(cluster: &mut Placement<'_>, rsc: RscIdx, why: &Why) {
    for node in cluster.nodes.keys() {
        if cluster.nodes[node].connection.is_some() {
            cluster.scores.set(rsc, node, -INFINITY, why);
        }
    }
}
