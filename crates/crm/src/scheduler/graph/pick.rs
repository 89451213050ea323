//! What belongs into the graph.

use crate::scheduler::cluster::{ActIdx, Cluster, NodeIdx, RelationFlags as F, Task};

/// Whether `action` is to be done.
pub(super) fn action(cluster: &Cluster<'_>, action: ActIdx) -> bool {
    let entry = &cluster.actions[action];
    if !entry.runnable || (entry.optional && !entry.always_in_graph) {
        return false;
    }
    // What is not managed is only looked at.
    let unmanaged = entry.rsc.is_some_and(|rsc| !cluster.rsc[rsc].is.managed);
    let cancels_recurring = entry.task == Task::Cancel || entry.interval_ms > 0;
    if unmanaged && entry.task != Task::Monitor && !cancels_recurring {
        return false;
    }
    if entry.pseudo || matches!(entry.task, Task::Fence | Task::Shutdown) {
        return true;
    }
    let Some(node) = entry.node else { return false };
    let host = &cluster.nodes[node];
    entry.on_dc || (host.is_guest() && !host.remote_requires_reset) || (host.online && !host.unclean)
}

/// Whether `action` must wait for what stands at this position before it.
pub(super) fn input(cluster: &mut Cluster<'_>, action: ActIdx, at: usize) -> bool {
    let relation = cluster.actions[action].before[at];
    let (flags, before) = (relation.flags, &cluster.actions[relation.action]);
    if flags.is_none() {
        return false;
    }
    let weak = F::ORDERED | F::FIRST_IMPLIES_THEN_GRAPHED | F::THEN_IMPLIES_FIRST_GRAPHED | F::SERIALIZE;
    if !before.runnable && (flags.only(weak) || flags.has(F::MIN_RUNNABLE) || flags.has(F::UNMIGRATABLE_THEN_BLOCKS)) {
        return false;
    }
    if flags.has(F::IF_FIRST_UNMIGRATABLE) && before.migratable {
        return false;
    }
    if flags == F::ORDERED && before.migratable && before.task == Task::Stop {
        return false;
    }
    if flags == F::IF_ON_SAME_NODE_OR_TARGET {
        return on_same_node_or_target(cluster, action, relation.action);
    }
    if flags == F::IF_REQUIRED_ON_SAME_NODE {
        let here = cluster.actions[action].node;
        let elsewhere = before.node.is_some() && here.is_some() && before.node != here;
        return !elsewhere && !before.optional;
    }
    !is_stuck_stop(cluster, action, relation.action)
}

/// A clone does not wait for the stop of something that failed and is not managed.
fn is_stuck_stop(cluster: &Cluster<'_>, action: ActIdx, before: ActIdx) -> bool {
    let (entry, before) = (&cluster.actions[action], &cluster.actions[before]);
    let Some(rsc) = before.rsc.filter(|rsc| Some(*rsc) != entry.rsc) else { return false };
    let is = &cluster.rsc[rsc].is;
    is.failed && !is.managed && before.task == Task::Stop && entry.rsc.is_some_and(|rsc| cluster.rsc[rsc].is_clone())
}

/// Room is made on a node before something comes there.
fn on_same_node_or_target(cluster: &mut Cluster<'_>, action: ActIdx, before: ActIdx) -> bool {
    let entry = &cluster.actions[action];
    let target: Option<NodeIdx> = match (entry.task, entry.rsc) {
        (Task::MigrateTo, Some(rsc)) => cluster.rsc[rsc].assigned,
        _ => entry.node,
    };
    let first = &cluster.actions[before];
    if first.node.is_some() && target.is_some() && first.node != target {
        return false;
    }
    if first.optional {
        return false;
    }
    !leads_back(cluster, before, action)
}

/// Whether `from` waits, directly or not, for `to`.
fn leads_back(cluster: &Cluster<'_>, from: ActIdx, to: ActIdx) -> bool {
    let mut seen = vec![false; cluster.actions.len()];
    let mut open = vec![from];
    while let Some(action) = open.pop() {
        if action == to {
            return true;
        }
        if std::mem::replace(&mut seen[crate::scheduler::arena::Key::at(action)], true) {
            continue;
        }
        let waits = cluster.actions[action].before.iter().filter(|relation| {
            let before = &cluster.actions[relation.action];
            !relation.flags.is_none() && before.runnable && (!before.optional || before.always_in_graph)
        });
        open.extend(waits.map(|relation| relation.action));
    }
    false
}
