//! Which instance of one collective goes with an instance of another, and what becomes of one that has none.

use crate::scheduler::cluster::{Cluster, NodeIdx, Role, RscIdx, Task};

use super::flags::parts;

/// Where an instance is (`current`) or will be.
fn place(cluster: &Cluster<'_>, instance: RscIdx, current: bool) -> Option<NodeIdx> {
    let resource = &cluster.rsc[instance];
    if resource.children.is_empty() {
        return if current { resource.active.first().copied() } else { resource.assigned };
    }
    resource.children.iter().find_map(|child| place(cluster, *child, current))
}

/// The instance of `collective` on the node where `instance` is (`current`) or will be, else on the best node where
/// `instance` may be.
pub(super) fn of(cluster: &Cluster<'_>, instance: RscIdx, collective: RscIdx, current: bool) -> Option<RscIdx> {
    let on = |node: NodeIdx| {
        let candidates = parts(cluster, collective).into_iter();
        candidates.filter(|other| !cluster.rsc[*other].is.removed).find(|other| {
            place(cluster, *other, current) == Some(node) && !cluster.rsc[*other].is.blocked
        })
    };
    if let Some(node) = place(cluster, instance, current) {
        return on(node);
    }
    let table = &cluster.rsc[instance].allowed;
    let mut nodes: Vec<NodeIdx> = cluster.node_order.iter().copied().filter(|node| table.has(*node)).collect();
    nodes.sort_by_key(|node| std::cmp::Reverse(table.score(*node)));
    nodes.into_iter().find_map(on)
}

/// Takes back the assignment of an instance for which there is no partner, though its actions exist. Tells whether
/// that changed anything.
pub(super) fn unassign(cluster: &mut Cluster<'_>, instance: RscIdx) -> bool {
    let mut changed = false;
    for at in 0..cluster.rsc[instance].children.len() {
        let child = cluster.rsc[instance].children[at];
        changed |= unassign(cluster, child);
    }
    if !cluster.rsc[instance].is_primitive() {
        return changed;
    }
    changed |= cluster.rsc[instance].assigned.take().is_some();
    cluster.rsc[instance].next_role = Role::Stopped;
    for at in 0..cluster.rsc[instance].actions.len() {
        let action = cluster.rsc[instance].actions[at];
        let entry = &mut cluster.actions[action];
        match entry.task {
            Task::Stop => entry.optional = false,
            Task::Start => entry.runnable = false,
            _ if entry.interval_ms > 0 => entry.runnable = false,
            _ => {}
        }
    }
    changed
}
