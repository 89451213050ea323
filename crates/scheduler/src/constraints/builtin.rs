//! Rules that follow from what resources are: orderings and colocations.

use crate::action::{Ordering, RelationFlags as R, Side, Task};
use crate::facts::Variant;
use crate::ids::{NodeIdx, ReqIdx, RscIdx};
use crate::rules::Colocation;
use hac_model::INFINITY;
use hac_model::Role;

use super::Unpacking;
use super::colocation::add_colocation;
use crate::options::Strategy;

/// Score of a bundle's connection with its container: it may be elsewhere if it must.
const NEAR_CONTAINER: i32 = 10_000;

/// Adds the constraints of all resources.
pub(super) fn run(unpacking: &mut Unpacking<'_, '_>) {
    for rsc in unpacking.top.clone() {
        of(unpacking, rsc);
    }
}

fn of(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    match unpacking.rsc[rsc].variant {
        Variant::Primitive => primitive(unpacking, rsc),
        Variant::Group { ordered, colocated } => group(unpacking, rsc, ordered, colocated),
        Variant::Clone(_) => clone(unpacking, rsc),
        Variant::Bundle(_) => bundle(unpacking, rsc),
    }
}

fn primitive(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    let is = unpacking.rsc[rsc].is;
    if !is.managed {
        return;
    }
    unpacking.order_tasks(rsc, Task::Stop, rsc, Task::Start, R::ORDERED | R::FIRST_IMPLIES_THEN | R::INTERMEDIATE_STOP);
    let promotable = unpacking.rsc[unpacking.top(rsc, false)].is.promotable;
    if promotable || unpacking.rsc[rsc].role > Role::Unpromoted {
        unpacking.order_tasks(rsc, Task::Demote, rsc, Task::Stop, R::PROMOTED_THEN_IMPLIES_FIRST);
        unpacking.order_tasks(rsc, Task::Start, rsc, Task::Promote, R::UNRUNNABLE_FIRST_BLOCKS);
    }
    unpacking.order_tasks(rsc, Task::Delete, rsc, Task::Monitor, R::IF_ON_SAME_NODE | R::THEN_CANCELS_FIRST);
    if !is.fence_device && unpacking.unfencing_in_use && is.needs_unfencing {
        order_unfencing(unpacking, rsc);
    }
    if unpacking.options.strategy != Strategy::Default && !unpacking.rsc[rsc].utilization.is_empty() {
        order_load(unpacking, rsc);
    }
    if let Some(container) = unpacking.rsc[rsc].launcher {
        with_container(unpacking, rsc, container);
    }
}

/// The allowed nodes by name.
fn allowed_nodes(unpacking: &Unpacking<'_, '_>, rsc: RscIdx) -> Vec<NodeIdx> {
    unpacking.node_order.iter().copied().filter(|node| unpacking.scores.of(rsc).has(*node)).collect()
}

fn order_unfencing(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    for node in allowed_nodes(unpacking, rsc) {
        let unfence = unpacking.requests.unfencing(node);
        let this = Side::action(unfence, Task::Fence, None);
        unpacking.add_ordering(Ordering {
            first: Side::of(rsc, Task::Stop),
            then: this,
            flags: R::ORDERED | R::IF_ON_SAME_NODE,
        });
        unpacking.add_ordering(Ordering {
            first: this,
            then: Side::of(rsc, Task::Start),
            flags: R::FIRST_IMPLIES_SAME_NODE_THEN | R::IF_ON_SAME_NODE,
        });
    }
}

/// What leaves a node makes room for what comes.
fn order_load(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    for node in unpacking.rsc[rsc].active.clone() {
        let relieved = load_stopped(unpacking, node);
        unpacking.add_ordering(Ordering {
            first: Side::of(rsc, Task::Stop),
            then: relieved,
            flags: R::IF_ON_SAME_NODE_OR_TARGET,
        });
    }
    for node in allowed_nodes(unpacking, rsc) {
        let relieved = load_stopped(unpacking, node);
        for task in [Task::Start, Task::MigrateTo] {
            unpacking.add_ordering(Ordering {
                first: relieved,
                then: Side::of(rsc, task),
                flags: R::IF_ON_SAME_NODE_OR_TARGET,
            });
        }
    }
}

/// The milestone that what leaves a node has left.
fn load_stopped(unpacking: &mut Unpacking<'_, '_>, node: NodeIdx) -> Side<ReqIdx> {
    let name = format!("load_stopped_{}", unpacking.nodes[node].name);
    Side::action(unpacking.requests.room(name, node), Task::Milestone, None)
}

/// What is inside a container, or the connection to what is inside.
fn with_container(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx, container: RscIdx) {
    if unpacking.is_connection(rsc) {
        unpacking.order_tasks(container, Task::Monitor, rsc, Task::Stop, R::ORDERED);
    }
    if unpacking.connection_into(rsc, container).is_some() {
        return;
    }
    let needs = R::FIRST_IMPLIES_THEN | R::UNRUNNABLE_FIRST_BLOCKS;
    unpacking.order_tasks(container, Task::Start, rsc, Task::Start, needs);
    unpacking.order_tasks(rsc, Task::Stop, container, Task::Stop, R::THEN_IMPLIES_FIRST);
    let score = if unpacking.rsc[rsc].is.allow_remote_remotes { NEAR_CONTAINER } else { INFINITY };
    colocate(unpacking, "#resource-with-container", score, rsc, container, true);
}

/// Adds a built-in colocation.
fn colocate(
    unpacking: &mut Unpacking<'_, '_>,
    id: &str,
    score: i32,
    dependent: RscIdx,
    primary: RscIdx,
    influence: bool,
) {
    add_colocation(
        unpacking,
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

fn group(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx, ordered: bool, colocated: bool) {
    unpacking.order_tasks(rsc, Task::Stop, rsc, Task::Stopped, R::UNRUNNABLE_FIRST_BLOCKS);
    unpacking.order_tasks(rsc, Task::Stopped, rsc, Task::Start, R::ORDERED);
    unpacking.order_tasks(rsc, Task::Start, rsc, Task::Started, R::UNRUNNABLE_FIRST_BLOCKS);
    let promotable = unpacking.rsc[unpacking.top(rsc, false)].is.promotable;
    let (mut previous, mut last_active) = (None, None);
    for member in unpacking.rsc[rsc].children.clone() {
        primitive(unpacking, member);
        member_with_group(unpacking, rsc, member, (ordered, colocated, promotable), previous);
        if let Some(previous) = previous {
            if ordered {
                member_after(unpacking, member, previous, promotable);
            }
            stop_in_sequence(unpacking, member, previous, last_active.filter(|_| ordered));
        }
        if !unpacking.rsc[member].active.is_empty() {
            last_active = Some(member);
        }
        previous = Some(member);
    }
}

/// A member relative to its group's milestones, and placed with the member before it.
fn member_with_group(
    unpacking: &mut Unpacking<'_, '_>,
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
            let influence = unpacking.rsc[member].is.critical;
            colocate(unpacking, "#group-members", INFINITY, member, previous, influence);
        }
        Some(_) => {}
    }
    let after_up = R::UNRUNNABLE_FIRST_BLOCKS | R::FIRST_IMPLIES_THEN | R::FIRST_IMPLIES_THEN_GRAPHED;
    let unordered = R::FIRST_IMPLIES_THEN | R::UNRUNNABLE_FIRST_BLOCKS | R::THEN_IMPLIES_FIRST_GRAPHED;
    if promotable {
        unpacking.order_tasks(group, Task::Demote, member, Task::Demote, down);
        unpacking.order_tasks(member, Task::Demote, group, Task::Demoted, after_down);
        unpacking.order_tasks(member, Task::Promote, group, Task::Promoted, after_up);
        unpacking.order_tasks(group, Task::Promote, member, Task::Promote, R::THEN_IMPLIES_FIRST_GRAPHED);
    }
    unpacking.order_tasks(group, Task::Stop, member, Task::Stop, down);
    unpacking.order_tasks(member, Task::Stop, group, Task::Stopped, after_down);
    unpacking.order_tasks(group, Task::Start, member, Task::Start, R::THEN_IMPLIES_FIRST_GRAPHED);
    unpacking.order_tasks(member, Task::Start, group, Task::Started, after_up);
    if !ordered {
        unpacking.order_tasks(group, Task::Start, member, Task::Start, unordered);
        if promotable {
            unpacking.order_tasks(group, Task::Promote, member, Task::Promote, unordered);
        }
    }
}

/// A member of an ordered group relative to the member before it.
fn member_after(unpacking: &mut Unpacking<'_, '_>, member: RscIdx, previous: RscIdx, promotable: bool) {
    let needs = R::FIRST_IMPLIES_THEN | R::UNRUNNABLE_FIRST_BLOCKS;
    unpacking.order_tasks(previous, Task::Start, member, Task::Start, needs);
    unpacking.order_tasks(member, Task::Stop, previous, Task::Stop, R::ORDERED | R::INTERMEDIATE_STOP);
    let active = |rsc: RscIdx| !unpacking.rsc[rsc].active.is_empty();
    if active(member) && !active(previous) {
        let flags = R::THEN_IMPLIES_FIRST | R::UNRUNNABLE_FIRST_BLOCKS;
        unpacking.order_tasks(member, Task::Stop, previous, Task::Start, flags);
    }
    if promotable {
        unpacking.order_tasks(previous, Task::Promote, member, Task::Promote, needs);
        unpacking.order_tasks(member, Task::Demote, previous, Task::Demote, R::ORDERED);
    }
}

/// In a partly active group an active member after an inactive one still stops before the active one before that.
fn stop_in_sequence(unpacking: &mut Unpacking<'_, '_>, member: RscIdx, previous: RscIdx, last_active: Option<RscIdx>) {
    let active = |rsc: RscIdx| !unpacking.rsc[rsc].active.is_empty();
    if let Some(last_active) = last_active
        && active(member)
        && !active(previous)
    {
        unpacking.order_tasks(member, Task::Stop, last_active, Task::Stop, R::ORDERED);
    }
}

fn clone(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    let (promotable, ordered) =
        (unpacking.rsc[rsc].is.promotable, unpacking.clone_data(rsc).is_some_and(|data| data.ordered));
    unpacking.order_tasks(rsc, Task::Stopped, rsc, Task::Start, R::ORDERED);
    unpacking.order_tasks(rsc, Task::Start, rsc, Task::Started, R::UNRUNNABLE_FIRST_BLOCKS);
    unpacking.order_tasks(rsc, Task::Stop, rsc, Task::Stopped, R::UNRUNNABLE_FIRST_BLOCKS);
    if promotable {
        unpacking.order_tasks(rsc, Task::Demoted, rsc, Task::Stop, R::ORDERED);
        unpacking.order_tasks(rsc, Task::Started, rsc, Task::Promote, R::UNRUNNABLE_FIRST_BLOCKS);
    }
    let instances = unpacking.rsc[rsc].children.clone();
    for (at, instance) in instances.iter().enumerate() {
        of(unpacking, *instance);
        let begins = R::UNRUNNABLE_FIRST_BLOCKS | R::THEN_IMPLIES_FIRST_GRAPHED;
        unpacking.order_tasks(rsc, Task::Start, *instance, Task::Start, begins);
        unpacking.order_tasks(*instance, Task::Start, rsc, Task::Started, R::FIRST_IMPLIES_THEN_GRAPHED);
        unpacking.order_tasks(rsc, Task::Stop, *instance, Task::Stop, R::THEN_IMPLIES_FIRST_GRAPHED);
        unpacking.order_tasks(*instance, Task::Stop, rsc, Task::Stopped, R::FIRST_IMPLIES_THEN_GRAPHED);
        for later in instances[at + 1..].iter().filter(|_| ordered) {
            unpacking.order_tasks(*instance, Task::Start, *later, Task::Start, R::ORDERED);
            unpacking.order_tasks(*later, Task::Stop, *instance, Task::Stop, R::ORDERED);
        }
    }
    if promotable {
        order_roles(unpacking, rsc, &instances, ordered);
    }
}

/// Milestones of a promotable collective relative to each other.
fn restart_with_roles(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    for (first, then) in [
        (Task::Stopped, Task::Start),
        (Task::Stopped, Task::Promote),
        (Task::Demoted, Task::Stop),
        (Task::Demoted, Task::Start),
        (Task::Demoted, Task::Promote),
        (Task::Started, Task::Promote),
        (Task::Demote, Task::Demoted),
    ] {
        unpacking.order_tasks(rsc, first, rsc, then, R::ORDERED);
    }
}

fn order_roles(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx, instances: &[RscIdx], ordered: bool) {
    restart_with_roles(unpacking, rsc);
    let mut previous = None;
    for instance in instances.iter().copied() {
        unpacking.order_tasks(instance, Task::Demote, instance, Task::Promote, R::ORDERED);
        unpacking.order_tasks(rsc, Task::Promote, instance, Task::Promote, R::ORDERED);
        unpacking.order_tasks(instance, Task::Promote, rsc, Task::Promoted, R::ORDERED);
        unpacking.order_tasks(rsc, Task::Demote, instance, Task::Demote, R::THEN_IMPLIES_FIRST_GRAPHED);
        unpacking.order_tasks(instance, Task::Demote, rsc, Task::Demoted, R::FIRST_IMPLIES_THEN_GRAPHED);
        if let Some(previous) = previous.filter(|_| ordered) {
            unpacking.order_tasks(previous, Task::Promote, instance, Task::Promote, R::ORDERED);
            unpacking.order_tasks(instance, Task::Demote, previous, Task::Demote, R::ORDERED);
        }
        previous = Some(instance);
    }
}

fn bundle(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx) {
    let inner = unpacking.bundle_data(rsc).and_then(|data| data.child);
    if let Some(inner) = inner {
        with_inner(unpacking, rsc, inner, &[(Task::Start, Task::Started), (Task::Stop, Task::Stopped)]);
    }
    for replica in unpacking.replicas(rsc) {
        let container = replica.container;
        primitive(unpacking, container);
        let begins = R::UNRUNNABLE_FIRST_BLOCKS | R::THEN_IMPLIES_FIRST_GRAPHED;
        unpacking.order_tasks(rsc, Task::Start, container, Task::Start, begins);
        if let Some(child) = replica.child {
            unpacking.order_tasks(rsc, Task::Stop, child, Task::Stop, R::THEN_IMPLIES_FIRST_GRAPHED);
        }
        unpacking.order_tasks(rsc, Task::Stop, container, Task::Stop, R::THEN_IMPLIES_FIRST_GRAPHED);
        unpacking.order_tasks(container, Task::Start, rsc, Task::Started, R::FIRST_IMPLIES_THEN_GRAPHED);
        unpacking.order_tasks(container, Task::Stop, rsc, Task::Stopped, R::FIRST_IMPLIES_THEN_GRAPHED);
        if let Some(ip) = replica.ip {
            primitive(unpacking, ip);
            let up = R::UNRUNNABLE_FIRST_BLOCKS | R::GUEST_ALLOWED;
            unpacking.order_tasks(ip, Task::Start, container, Task::Start, up);
            let down = R::THEN_IMPLIES_FIRST | R::GUEST_ALLOWED;
            unpacking.order_tasks(container, Task::Stop, ip, Task::Stop, down);
            colocate(unpacking, "#ip-with-container", INFINITY, ip, container, true);
        }
        if let Some(remote) = replica.remote {
            primitive(unpacking, remote);
        }
    }
    if let Some(inner) = inner {
        clone(unpacking, inner);
        if unpacking.rsc[inner].is.promotable {
            restart_with_roles(unpacking, rsc);
            with_inner(unpacking, rsc, inner, &[(Task::Promote, Task::Promoted), (Task::Demote, Task::Demoted)]);
        }
    }
}

/// A bundle's milestones around those of the clone inside.
fn with_inner(unpacking: &mut Unpacking<'_, '_>, rsc: RscIdx, inner: RscIdx, tasks: &[(Task, Task)]) {
    for (begin, end) in tasks {
        unpacking.order_tasks(rsc, *begin, inner, *begin, R::THEN_IMPLIES_FIRST_GRAPHED);
        unpacking.order_tasks(inner, *end, rsc, *end, R::FIRST_IMPLIES_THEN_GRAPHED);
    }
}
