//! Rules that follow from what resources are: orderings and colocations.

use crate::Role;
use crate::action::{Ordering, RelationFlags as R, Side, Task};
use crate::facts::Variant;
use crate::ids::{NodeIdx, ReqIdx, RscIdx};
use crate::rules::Colocation;
use hac_model::INFINITY;

use super::Unpacking;
use super::colocation::add_colocation;
use crate::options::Strategy;

/// Score of a bundle's connection with its container: it may be elsewhere if it must.
const NEAR_CONTAINER: i32 = 10_000;

/// Adds the constraints of all resources.
pub(super) fn run(cluster: &mut Unpacking<'_, '_>) {
    for rsc in cluster.top.clone() {
        of(cluster, rsc);
    }
}

fn of(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    match cluster.rsc[rsc].variant {
        Variant::Primitive => primitive(cluster, rsc),
        Variant::Group { ordered, colocated } => group(cluster, rsc, ordered, colocated),
        Variant::Clone(_) => clone(cluster, rsc),
        Variant::Bundle(_) => bundle(cluster, rsc),
    }
}

fn primitive(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    let is = cluster.rsc[rsc].is;
    if !is.managed {
        return;
    }
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::Start, R::ORDERED | R::FIRST_IMPLIES_THEN | R::INTERMEDIATE_STOP);
    let promotable = cluster.rsc[cluster.top(rsc, false)].is.promotable;
    if promotable || cluster.rsc[rsc].role > Role::Unpromoted {
        cluster.order_tasks(rsc, Task::Demote, rsc, Task::Stop, R::PROMOTED_THEN_IMPLIES_FIRST);
        cluster.order_tasks(rsc, Task::Start, rsc, Task::Promote, R::UNRUNNABLE_FIRST_BLOCKS);
    }
    cluster.order_tasks(rsc, Task::Delete, rsc, Task::Monitor, R::IF_ON_SAME_NODE | R::THEN_CANCELS_FIRST);
    if !is.fence_device && cluster.unfencing_in_use && is.needs_unfencing {
        order_unfencing(cluster, rsc);
    }
    if cluster.options.strategy != Strategy::Default && !cluster.rsc[rsc].utilization.is_empty() {
        order_load(cluster, rsc);
    }
    if let Some(container) = cluster.rsc[rsc].launcher {
        with_container(cluster, rsc, container);
    }
}

/// The allowed nodes by name.
fn allowed_nodes(cluster: &Unpacking<'_, '_>, rsc: RscIdx) -> Vec<NodeIdx> {
    cluster.node_order.iter().copied().filter(|node| cluster.scores.of(rsc).has(*node)).collect()
}

fn order_unfencing(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    for node in allowed_nodes(cluster, rsc) {
        let unfence = cluster.requests.unfencing(node);
        let this = Side::action(unfence, Task::Fence, None);
        cluster.add_ordering(Ordering {
            first: Side::of(rsc, Task::Stop),
            then: this,
            flags: R::ORDERED | R::IF_ON_SAME_NODE,
        });
        cluster.add_ordering(Ordering {
            first: this,
            then: Side::of(rsc, Task::Start),
            flags: R::FIRST_IMPLIES_SAME_NODE_THEN | R::IF_ON_SAME_NODE,
        });
    }
}

/// What leaves a node makes room for what comes.
fn order_load(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    for node in cluster.rsc[rsc].active.clone() {
        let relieved = load_stopped(cluster, node);
        cluster.add_ordering(Ordering {
            first: Side::of(rsc, Task::Stop),
            then: relieved,
            flags: R::IF_ON_SAME_NODE_OR_TARGET,
        });
    }
    for node in allowed_nodes(cluster, rsc) {
        let relieved = load_stopped(cluster, node);
        for task in [Task::Start, Task::MigrateTo] {
            cluster.add_ordering(Ordering {
                first: relieved,
                then: Side::of(rsc, task),
                flags: R::IF_ON_SAME_NODE_OR_TARGET,
            });
        }
    }
}

/// The milestone that what leaves a node has left.
fn load_stopped(cluster: &mut Unpacking<'_, '_>, node: NodeIdx) -> Side<ReqIdx> {
    let name = format!("load_stopped_{}", cluster.nodes[node].name);
    Side::action(cluster.requests.room(name, node), Task::Milestone, None)
}

/// What is inside a container, or the connection to what is inside.
fn with_container(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx, container: RscIdx) {
    if cluster.is_connection(rsc) {
        cluster.order_tasks(container, Task::Monitor, rsc, Task::Stop, R::ORDERED);
    }
    if cluster.connection_into(rsc, container).is_some() {
        return;
    }
    let needs = R::FIRST_IMPLIES_THEN | R::UNRUNNABLE_FIRST_BLOCKS;
    cluster.order_tasks(container, Task::Start, rsc, Task::Start, needs);
    cluster.order_tasks(rsc, Task::Stop, container, Task::Stop, R::THEN_IMPLIES_FIRST);
    let score = if cluster.rsc[rsc].is.allow_remote_remotes { NEAR_CONTAINER } else { INFINITY };
    colocate(cluster, "#resource-with-container", score, rsc, container, true);
}

/// Adds a built-in colocation.
fn colocate(
    cluster: &mut Unpacking<'_, '_>,
    id: &str,
    score: i32,
    dependent: RscIdx,
    primary: RscIdx,
    influence: bool,
) {
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

fn group(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx, ordered: bool, colocated: bool) {
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::Stopped, R::UNRUNNABLE_FIRST_BLOCKS);
    cluster.order_tasks(rsc, Task::Stopped, rsc, Task::Start, R::ORDERED);
    cluster.order_tasks(rsc, Task::Start, rsc, Task::Started, R::UNRUNNABLE_FIRST_BLOCKS);
    let promotable = cluster.rsc[cluster.top(rsc, false)].is.promotable;
    let (mut previous, mut last_active) = (None, None);
    for member in cluster.rsc[rsc].children.clone() {
        primitive(cluster, member);
        member_with_group(cluster, rsc, member, (ordered, colocated, promotable), previous);
        if let Some(previous) = previous {
            if ordered {
                member_after(cluster, member, previous, promotable);
            }
            stop_in_sequence(cluster, member, previous, last_active.filter(|_| ordered));
        }
        if !cluster.rsc[member].active.is_empty() {
            last_active = Some(member);
        }
        previous = Some(member);
    }
}

/// A member relative to its group's milestones, and placed with the member before it.
fn member_with_group(
    cluster: &mut Unpacking<'_, '_>,
    group: RscIdx,
    member: RscIdx,
    (ordered, colocated, promotable): (bool, bool, bool),
    previous: Option<RscIdx>,
) {
    let mut down = R::THEN_IMPLIES_FIRST_GRAPHED;
    let mut after_down = R::FIRST_IMPLIES_THEN_GRAPHED;
    match previous {
        None if ordered => {
            down |= R::ORDERED;
            after_down = R::FIRST_IMPLIES_THEN;
        }
        None => {}
        Some(previous) if colocated => {
            let influence = cluster.rsc[member].is.critical;
            colocate(cluster, "#group-members", INFINITY, member, previous, influence);
        }
        Some(_) => {}
    }
    let after_up = R::UNRUNNABLE_FIRST_BLOCKS | R::FIRST_IMPLIES_THEN | R::FIRST_IMPLIES_THEN_GRAPHED;
    let unordered = R::FIRST_IMPLIES_THEN | R::UNRUNNABLE_FIRST_BLOCKS | R::THEN_IMPLIES_FIRST_GRAPHED;
    if promotable {
        cluster.order_tasks(group, Task::Demote, member, Task::Demote, down);
        cluster.order_tasks(member, Task::Demote, group, Task::Demoted, after_down);
        cluster.order_tasks(member, Task::Promote, group, Task::Promoted, after_up);
        cluster.order_tasks(group, Task::Promote, member, Task::Promote, R::THEN_IMPLIES_FIRST_GRAPHED);
    }
    cluster.order_tasks(group, Task::Stop, member, Task::Stop, down);
    cluster.order_tasks(member, Task::Stop, group, Task::Stopped, after_down);
    cluster.order_tasks(group, Task::Start, member, Task::Start, R::THEN_IMPLIES_FIRST_GRAPHED);
    cluster.order_tasks(member, Task::Start, group, Task::Started, after_up);
    if !ordered {
        cluster.order_tasks(group, Task::Start, member, Task::Start, unordered);
        if promotable {
            cluster.order_tasks(group, Task::Promote, member, Task::Promote, unordered);
        }
    }
}

/// A member of an ordered group relative to the member before it.
fn member_after(cluster: &mut Unpacking<'_, '_>, member: RscIdx, previous: RscIdx, promotable: bool) {
    let needs = R::FIRST_IMPLIES_THEN | R::UNRUNNABLE_FIRST_BLOCKS;
    cluster.order_tasks(previous, Task::Start, member, Task::Start, needs);
    cluster.order_tasks(member, Task::Stop, previous, Task::Stop, R::ORDERED | R::INTERMEDIATE_STOP);
    let active = |rsc: RscIdx| !cluster.rsc[rsc].active.is_empty();
    if active(member) && !active(previous) {
        let flags = R::THEN_IMPLIES_FIRST | R::UNRUNNABLE_FIRST_BLOCKS;
        cluster.order_tasks(member, Task::Stop, previous, Task::Start, flags);
    }
    if promotable {
        cluster.order_tasks(previous, Task::Promote, member, Task::Promote, needs);
        cluster.order_tasks(member, Task::Demote, previous, Task::Demote, R::ORDERED);
    }
}

/// In a partly active group an active member after an inactive one still stops before the active one before that.
fn stop_in_sequence(cluster: &mut Unpacking<'_, '_>, member: RscIdx, previous: RscIdx, last_active: Option<RscIdx>) {
    let active = |rsc: RscIdx| !cluster.rsc[rsc].active.is_empty();
    if let Some(last_active) = last_active
        && active(member)
        && !active(previous)
    {
        cluster.order_tasks(member, Task::Stop, last_active, Task::Stop, R::ORDERED);
    }
}

fn clone(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    let (promotable, ordered) =
        (cluster.rsc[rsc].is.promotable, cluster.clone_data(rsc).is_some_and(|data| data.ordered));
    cluster.order_tasks(rsc, Task::Stopped, rsc, Task::Start, R::ORDERED);
    cluster.order_tasks(rsc, Task::Start, rsc, Task::Started, R::UNRUNNABLE_FIRST_BLOCKS);
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::Stopped, R::UNRUNNABLE_FIRST_BLOCKS);
    if promotable {
        cluster.order_tasks(rsc, Task::Demoted, rsc, Task::Stop, R::ORDERED);
        cluster.order_tasks(rsc, Task::Started, rsc, Task::Promote, R::UNRUNNABLE_FIRST_BLOCKS);
    }
    let instances = cluster.rsc[rsc].children.clone();
    for (at, instance) in instances.iter().enumerate() {
        of(cluster, *instance);
        let begins = R::UNRUNNABLE_FIRST_BLOCKS | R::THEN_IMPLIES_FIRST_GRAPHED;
        cluster.order_tasks(rsc, Task::Start, *instance, Task::Start, begins);
        cluster.order_tasks(*instance, Task::Start, rsc, Task::Started, R::FIRST_IMPLIES_THEN_GRAPHED);
        cluster.order_tasks(rsc, Task::Stop, *instance, Task::Stop, R::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(*instance, Task::Stop, rsc, Task::Stopped, R::FIRST_IMPLIES_THEN_GRAPHED);
        for later in instances[at + 1..].iter().filter(|_| ordered) {
            cluster.order_tasks(*instance, Task::Start, *later, Task::Start, R::ORDERED);
            cluster.order_tasks(*later, Task::Stop, *instance, Task::Stop, R::ORDERED);
        }
    }
    if promotable {
        order_roles(cluster, rsc, &instances, ordered);
    }
}

/// Milestones of a promotable collective relative to each other.
fn restart_with_roles(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    for (first, then) in [
        (Task::Stopped, Task::Start),
        (Task::Stopped, Task::Promote),
        (Task::Demoted, Task::Stop),
        (Task::Demoted, Task::Start),
        (Task::Demoted, Task::Promote),
        (Task::Started, Task::Promote),
        (Task::Demote, Task::Demoted),
    ] {
        cluster.order_tasks(rsc, first, rsc, then, R::ORDERED);
    }
}

fn order_roles(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx, instances: &[RscIdx], ordered: bool) {
    restart_with_roles(cluster, rsc);
    let mut previous = None;
    for instance in instances.iter().copied() {
        cluster.order_tasks(instance, Task::Demote, instance, Task::Promote, R::ORDERED);
        cluster.order_tasks(rsc, Task::Promote, instance, Task::Promote, R::ORDERED);
        cluster.order_tasks(instance, Task::Promote, rsc, Task::Promoted, R::ORDERED);
        cluster.order_tasks(rsc, Task::Demote, instance, Task::Demote, R::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(instance, Task::Demote, rsc, Task::Demoted, R::FIRST_IMPLIES_THEN_GRAPHED);
        if let Some(previous) = previous.filter(|_| ordered) {
            cluster.order_tasks(previous, Task::Promote, instance, Task::Promote, R::ORDERED);
            cluster.order_tasks(instance, Task::Demote, previous, Task::Demote, R::ORDERED);
        }
        previous = Some(instance);
    }
}

fn bundle(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    let inner = cluster.bundle_data(rsc).and_then(|data| data.child);
    if let Some(inner) = inner {
        with_inner(cluster, rsc, inner, &[(Task::Start, Task::Started), (Task::Stop, Task::Stopped)]);
    }
    for replica in cluster.replicas(rsc) {
        let container = replica.container;
        primitive(cluster, container);
        let begins = R::UNRUNNABLE_FIRST_BLOCKS | R::THEN_IMPLIES_FIRST_GRAPHED;
        cluster.order_tasks(rsc, Task::Start, container, Task::Start, begins);
        if let Some(child) = replica.child {
            cluster.order_tasks(rsc, Task::Stop, child, Task::Stop, R::THEN_IMPLIES_FIRST_GRAPHED);
        }
        cluster.order_tasks(rsc, Task::Stop, container, Task::Stop, R::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(container, Task::Start, rsc, Task::Started, R::FIRST_IMPLIES_THEN_GRAPHED);
        cluster.order_tasks(container, Task::Stop, rsc, Task::Stopped, R::FIRST_IMPLIES_THEN_GRAPHED);
        if let Some(ip) = replica.ip {
            primitive(cluster, ip);
            let up = R::UNRUNNABLE_FIRST_BLOCKS | R::GUEST_ALLOWED;
            cluster.order_tasks(ip, Task::Start, container, Task::Start, up);
            let down = R::THEN_IMPLIES_FIRST | R::GUEST_ALLOWED;
            cluster.order_tasks(container, Task::Stop, ip, Task::Stop, down);
            colocate(cluster, "#ip-with-container", INFINITY, ip, container, true);
        }
        if let Some(remote) = replica.remote {
            primitive(cluster, remote);
        }
    }
    if let Some(inner) = inner {
        clone(cluster, inner);
        if cluster.rsc[inner].is.promotable {
            restart_with_roles(cluster, rsc);
            with_inner(cluster, rsc, inner, &[(Task::Promote, Task::Promoted), (Task::Demote, Task::Demoted)]);
        }
    }
}

/// A bundle's milestones around those of the clone inside.
fn with_inner(cluster: &mut Unpacking<'_, '_>, rsc: RscIdx, inner: RscIdx, tasks: &[(Task, Task)]) {
    for (begin, end) in tasks {
        cluster.order_tasks(rsc, *begin, inner, *begin, R::THEN_IMPLIES_FIRST_GRAPHED);
        cluster.order_tasks(inner, *end, rsc, *end, R::FIRST_IMPLIES_THEN_GRAPHED);
    }
}
