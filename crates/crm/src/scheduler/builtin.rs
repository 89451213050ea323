//! Stage: built-in constraints. What follows from what a resource is, without anybody having written it.
//!
//! Reads resources; writes orderings and colocations, and bans of containers and connections from remote nodes.

use super::action::{RelationFlags as F, Side};
use super::cluster::{Cluster, Colocation, NodeIdx, Ordering, Role, RscIdx, Task, Variant};
use super::constraints::add_colocation;
use crate::model::INFINITY;

/// Colocation with a container in which other things than one node may run.
const NESTED_CONTAINER_SCORE: i32 = 10_000;

/// Creates the built-in constraints of everything.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    for at in 0..cluster.top.len() {
        let rsc = cluster.top[at];
        of_resource(cluster, rsc);
    }
}

fn of_resource(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    match cluster.rsc[rsc].variant {
        Variant::Primitive => primitive(cluster, rsc),
        Variant::Group { .. } => group(cluster, rsc),
        Variant::Clone(_) => clone(cluster, rsc),
        Variant::Bundle(_) => bundle(cluster, rsc),
    }
}

fn primitive(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    if !cluster.rsc[rsc].is.managed {
        return;
    }
    let top = cluster.top(rsc, false);
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::Start, F::ORDERED | F::FIRST_IMPLIES_THEN | F::INTERMEDIATE_STOP);
    if cluster.rsc[top].is.promotable || cluster.rsc[rsc].role > Role::Unpromoted {
        cluster.order_tasks(rsc, Task::Demote, rsc, Task::Stop, F::PROMOTED_THEN_IMPLIES_FIRST);
        cluster.order_tasks(rsc, Task::Start, rsc, Task::Promote, F::UNRUNNABLE_FIRST_BLOCKS);
    }
    cluster.order_tasks(rsc, Task::Delete, rsc, Task::Monitor, F::IF_ON_SAME_NODE | F::THEN_CANCELS_FIRST);
    if cluster.rsc[rsc].is.needs_unfencing {
        unfencing(cluster, rsc);
    }
    if cluster.rsc[rsc].launcher.is_some() {
        launched(cluster, rsc);
    }
    if cluster.rsc[rsc].is.fence_device || cluster.is_connection(rsc) {
        ban_from_remote_nodes(cluster, rsc);
    }
}

/// A node is unfenced after what ran there was stopped, and before it starts there.
fn unfencing(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    for node in allowed_nodes(cluster, rsc) {
        let unfence = cluster.fence_op(node, Some("on"), true, None, false);
        let unfence = Side::action(unfence, Task::Fence, None);
        cluster.add_ordering(Ordering {
            first: Side::of(rsc, Task::Stop),
            then: unfence,
            flags: F::ORDERED | F::IF_ON_SAME_NODE,
        });
        cluster.add_ordering(Ordering {
            first: unfence,
            then: Side::of(rsc, Task::Start),
            flags: F::FIRST_IMPLIES_SAME_NODE_THEN | F::IF_ON_SAME_NODE,
        });
    }
}

fn allowed_nodes(cluster: &Cluster<'_>, rsc: RscIdx) -> Vec<NodeIdx> {
    let table = &cluster.rsc[rsc].allowed;
    cluster.node_order.iter().copied().filter(|node| table.has(*node)).collect()
}

/// What runs in a container, or is the connection into one.
fn launched(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    let Some(launcher) = cluster.rsc[rsc].launcher else { return };
    let nested = cluster.rsc[rsc].is.allow_remote_remotes;
    let guest = if cluster.is_guest_connection(rsc) {
        if !nested {
            ban_from_remote_nodes(cluster, launcher);
        }
        cluster.order_tasks(launcher, Task::Monitor, rsc, Task::Stop, F::ORDERED);
        None
    } else if cluster.is_connection(launcher) {
        Some(launcher)
    } else {
        cluster.guest_connection_in(launcher)
    };
    if let Some(connection) = guest {
        for node in allowed_nodes(cluster, rsc) {
            if cluster.nodes[node].connection != Some(connection)
                && let Some(allowed) = cluster.rsc[rsc].allowed.get_mut(node)
            {
                allowed.score = -INFINITY;
            }
        }
        return;
    }
    cluster.order_tasks(launcher, Task::Start, rsc, Task::Start, F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS);
    cluster.order_tasks(rsc, Task::Stop, launcher, Task::Stop, F::THEN_IMPLIES_FIRST);
    let score = if nested { NESTED_CONTAINER_SCORE } else { INFINITY };
    keep_together(cluster, "#resource-with-container", rsc, launcher, score, true);
}

fn ban_from_remote_nodes(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    for node in allowed_nodes(cluster, rsc) {
        if cluster.nodes[node].connection.is_some()
            && let Some(allowed) = cluster.rsc[rsc].allowed.get_mut(node)
        {
            allowed.score = -INFINITY;
        }
    }
}

fn keep_together(cluster: &mut Cluster<'_>, id: &str, dependent: RscIdx, primary: RscIdx, score: i32, influence: bool) {
    add_colocation(
        cluster,
        Colocation {
            id: id.to_owned(),
            dependent,
            primary,
            dependent_role: Role::Unknown,
            primary_role: Role::Unknown,
            score,
            attribute: None,
            influence,
            explicit: false,
        },
    );
}

fn group(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    let (ordered, colocated) = match cluster.rsc[rsc].variant {
        Variant::Group { ordered, colocated } => (ordered, colocated),
        _ => return,
    };
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::Stopped, F::UNRUNNABLE_FIRST_BLOCKS);
    cluster.order_tasks(rsc, Task::Stopped, rsc, Task::Start, F::ORDERED);
    cluster.order_tasks(rsc, Task::Start, rsc, Task::Started, F::UNRUNNABLE_FIRST_BLOCKS);
    let top = cluster.top(rsc, false);
    let promotable = cluster.rsc[top].is.promotable;
    let mut previous = None;
    let mut last_active: Option<RscIdx> = None;
    for at in 0..cluster.rsc[rsc].children.len() {
        let member = cluster.rsc[rsc].children[at];
        of_resource(cluster, member);
        member_and_group(cluster, rsc, member, (ordered, previous.is_none()), promotable);
        if let Some(before) = previous {
            if colocated {
                let influence = cluster.rsc[member].is.critical;
                keep_together(cluster, "#group-members", member, before, INFINITY, influence);
            }
            if ordered {
                member_and_previous(cluster, member, before, promotable);
            }
        }
        if cluster.is_active(member, true) {
            if let (true, Some(before), Some(last)) = (ordered, previous, last_active)
                && !cluster.is_active(before, false)
            {
                cluster.order_tasks(member, Task::Stop, last, Task::Stop, F::ORDERED);
            }
            last_active = Some(member);
        }
        previous = Some(member);
    }
}

/// A member begins after the group begins, and the group is done after the member is.
fn member_and_group(
    cluster: &mut Cluster<'_>,
    group: RscIdx,
    member: RscIdx,
    (ordered, first): (bool, bool),
    promotable: bool,
) {
    let mut begin_down = F::THEN_IMPLIES_FIRST_GRAPHED;
    let mut end_down = F::FIRST_IMPLIES_THEN_GRAPHED;
    if ordered && first {
        begin_down |= F::ORDERED;
        end_down = F::FIRST_IMPLIES_THEN;
    }
    let end_up = F::UNRUNNABLE_FIRST_BLOCKS | F::FIRST_IMPLIES_THEN | F::FIRST_IMPLIES_THEN_GRAPHED;
    let begin_up = if ordered {
        F::THEN_IMPLIES_FIRST_GRAPHED
    } else {
        F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS | F::THEN_IMPLIES_FIRST_GRAPHED
    };
    if promotable {
        cluster.order_tasks(group, Task::Demote, member, Task::Demote, begin_down);
        cluster.order_tasks(member, Task::Demote, group, Task::Demoted, end_down);
        cluster.order_tasks(member, Task::Promote, group, Task::Promoted, end_up);
        cluster.order_tasks(group, Task::Promote, member, Task::Promote, begin_up);
    }
    cluster.order_tasks(group, Task::Stop, member, Task::Stop, begin_down);
    cluster.order_tasks(member, Task::Stop, group, Task::Stopped, end_down);
    cluster.order_tasks(group, Task::Start, member, Task::Start, begin_up);
    cluster.order_tasks(member, Task::Start, group, Task::Started, end_up);
}

/// Members of an ordered group start one after the other, and stop the other way round.
fn member_and_previous(cluster: &mut Cluster<'_>, member: RscIdx, previous: RscIdx, promotable: bool) {
    let up = F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS;
    cluster.order_tasks(previous, Task::Start, member, Task::Start, up);
    cluster.order_tasks(member, Task::Stop, previous, Task::Stop, F::ORDERED | F::INTERMEDIATE_STOP);
    if cluster.is_active(member, true) && !cluster.is_active(previous, false) {
        let flags = F::THEN_IMPLIES_FIRST | F::UNRUNNABLE_FIRST_BLOCKS;
        cluster.order_tasks(member, Task::Stop, previous, Task::Start, flags);
    }
    if promotable {
        cluster.order_tasks(previous, Task::Promote, member, Task::Promote, up);
        cluster.order_tasks(member, Task::Demote, previous, Task::Demote, F::ORDERED);
    }
}

fn clone(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    cluster.order_tasks(rsc, Task::Stopped, rsc, Task::Start, F::ORDERED);
    cluster.order_tasks(rsc, Task::Start, rsc, Task::Started, F::UNRUNNABLE_FIRST_BLOCKS);
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::Stopped, F::UNRUNNABLE_FIRST_BLOCKS);
    let promotable = cluster.rsc[rsc].is.promotable;
    if promotable {
        cluster.order_tasks(rsc, Task::Demoted, rsc, Task::Stop, F::ORDERED);
        cluster.order_tasks(rsc, Task::Started, rsc, Task::Promote, F::UNRUNNABLE_FIRST_BLOCKS);
    }
    let ordered = cluster.clone_data(rsc).is_some_and(|data| data.ordered);
    let mut instances = cluster.rsc[rsc].children.clone();
    if ordered {
        instances.sort_by_key(|instance| number(&cluster.rsc[*instance].id));
    }
    for (at, instance) in instances.iter().copied().enumerate() {
        of_resource(cluster, instance);
        cluster.order_tasks(
            rsc,
            Task::Start,
            instance,
            Task::Start,
            F::UNRUNNABLE_FIRST_BLOCKS | F::THEN_IMPLIES_FIRST_GRAPHED,
        );
        cluster.order_tasks(instance, Task::Start, rsc, Task::Started, F::FIRST_IMPLIES_THEN_GRAPHED);
        cluster.order_tasks(rsc, Task::Stop, instance, Task::Stop, F::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(instance, Task::Stop, rsc, Task::Stopped, F::FIRST_IMPLIES_THEN_GRAPHED);
        for later in instances.iter().skip(at + 1).copied().filter(|_| ordered) {
            cluster.order_tasks(instance, Task::Start, later, Task::Start, F::ORDERED);
            cluster.order_tasks(later, Task::Stop, instance, Task::Stop, F::ORDERED);
        }
    }
    if promotable {
        promotions(cluster, rsc, &instances, ordered);
    }
}

/// The instance number in an id.
fn number(id: &str) -> usize {
    id.rsplit_once(':').and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

fn promotions(cluster: &mut Cluster<'_>, rsc: RscIdx, instances: &[RscIdx], ordered: bool) {
    for (first, then) in [
        (Task::Stopped, Task::Start),
        (Task::Stopped, Task::Promote),
        (Task::Demoted, Task::Stop),
        (Task::Demoted, Task::Start),
        (Task::Demoted, Task::Promote),
        (Task::Started, Task::Promote),
        (Task::Demote, Task::Demoted),
    ] {
        cluster.order_tasks(rsc, first, rsc, then, F::ORDERED);
    }
    let mut previous = None;
    for instance in instances.iter().copied() {
        cluster.order_tasks(instance, Task::Demote, instance, Task::Promote, F::ORDERED);
        cluster.order_tasks(rsc, Task::Promote, instance, Task::Promote, F::ORDERED);
        cluster.order_tasks(instance, Task::Promote, rsc, Task::Promoted, F::ORDERED);
        cluster.order_tasks(rsc, Task::Demote, instance, Task::Demote, F::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(instance, Task::Demote, rsc, Task::Demoted, F::FIRST_IMPLIES_THEN_GRAPHED);
        if let Some(previous) = previous.filter(|_| ordered) {
            cluster.order_tasks(previous, Task::Promote, instance, Task::Promote, F::ORDERED);
            cluster.order_tasks(instance, Task::Demote, previous, Task::Demote, F::ORDERED);
        }
        previous = Some(instance);
    }
}

fn bundle(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    for replica in cluster.replicas(rsc) {
        let container = replica.container;
        of_resource(cluster, container);
        let begin = F::UNRUNNABLE_FIRST_BLOCKS | F::THEN_IMPLIES_FIRST_GRAPHED;
        cluster.order_tasks(rsc, Task::Start, container, Task::Start, begin);
        if let Some(inner) = replica.child {
            cluster.order_tasks(rsc, Task::Stop, inner, Task::Stop, F::THEN_IMPLIES_FIRST_GRAPHED);
        }
        cluster.order_tasks(rsc, Task::Stop, container, Task::Stop, F::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(container, Task::Start, rsc, Task::Started, F::FIRST_IMPLIES_THEN_GRAPHED);
        cluster.order_tasks(container, Task::Stop, rsc, Task::Stopped, F::FIRST_IMPLIES_THEN_GRAPHED);
        if let Some(ip) = replica.ip {
            of_resource(cluster, ip);
            let up = F::UNRUNNABLE_FIRST_BLOCKS | F::GUEST_ALLOWED;
            cluster.order_tasks(ip, Task::Start, container, Task::Start, up);
            cluster.order_tasks(container, Task::Stop, ip, Task::Stop, F::THEN_IMPLIES_FIRST | F::GUEST_ALLOWED);
            keep_together(cluster, "#ip-with-container", ip, container, INFINITY, true);
        }
        if let Some(remote) = replica.remote {
            of_resource(cluster, remote);
        }
    }
    let Some(inner) = cluster.bundle_data(rsc).and_then(|data| data.child) else { return };
    of_resource(cluster, inner);
    for (begin, done) in [
        (Task::Start, Task::Started),
        (Task::Stop, Task::Stopped),
        (Task::Promote, Task::Promoted),
        (Task::Demote, Task::Demoted),
    ] {
        let roles = matches!(begin, Task::Promote | Task::Demote);
        if roles && !cluster.rsc[inner].is.promotable {
            continue;
        }
        cluster.order_tasks(rsc, begin, inner, begin, F::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(inner, done, rsc, done, F::FIRST_IMPLIES_THEN_GRAPHED);
    }
}
