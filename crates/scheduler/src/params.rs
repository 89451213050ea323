//! Stage: changed definitions. What runs with other parameters, or by another agent, than configured is reloaded,
//! restarted or scheduled again; what is no longer configured is cancelled and forgotten.
//!
//! Reads histories and configured parameters; writes required starts, reloads, cancellations, clean-ups and clearings of
//! fail counts, and their orderings. Runs before the assignment; what depends on where a bundle's container will be is
//! put off until after it.

use std::collections::BTreeMap;

use crate::plan::Reason;
use hac_model::{OpHistory, ResourceHistory, operation_key};

use super::actions::recurring;
use super::cluster::{Cluster, NodeIdx, Ordering, RelationFlags, RscIdx, Side, Task};
use super::configured as meta;
use super::digests::{self, Comparison};
use super::reading::status::failcount::{Count, fail_count};
use super::reading::status::{active_since, sorted};

/// Compares everything that is recorded with what is configured.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    for node in cluster.node_order.clone() {
        if !cluster.nodes[node].maintenance && !cluster.node_available(node) {
            continue;
        }
        let entries = recorded(cluster, node);
        if entries.is_empty() {
            continue;
        }
        for rsc in cluster.rsc.keys() {
            if cluster.rsc[rsc].is_primitive() {
                for entry in of_that_name(cluster, &entries, rsc) {
                    check_resource(cluster, rsc, node, entry);
                }
            }
        }
    }
}

/// Entries of a node's history by name, each with its place there.
type Recorded<'c> = BTreeMap<&'c str, Vec<(usize, &'c ResourceHistory)>>;

/// What a node recorded, as far as it was read.
fn recorded<'c>(cluster: &Cluster<'c>, node: NodeIdx) -> Recorded<'c> {
    let mut found = Recorded::new();
    let cib = cluster.cib;
    let state = cluster.nodes[node].state.and_then(|at| cib.status.nodes.get(at));
    let Some(state) = state.filter(|_| cluster.nodes[node].unpacked) else { return found };
    for (position, entry) in state.resources.iter().enumerate() {
        if !entry.ops.is_empty() {
            found.entry(entry.id.as_str()).or_default().push((position, entry));
        }
    }
    found
}

/// The entries that go by a resource's own name or by the one it has in histories. Which instance of an anonymous clone
/// an entry was taken for does not matter: the entry concerns all that share its name.
fn of_that_name<'c>(cluster: &Cluster<'_>, entries: &Recorded<'c>, rsc: RscIdx) -> Vec<&'c ResourceHistory> {
    let resource = &cluster.rsc[rsc];
    let renamed = resource.history_id.as_deref().filter(|name| *name != resource.id);
    let names = std::iter::once(resource.id.as_str()).chain(renamed);
    let mut found: Vec<_> = names.filter_map(|name| entries.get(name)).flatten().copied().collect();
    found.sort_unstable_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// Compares what had to wait for the assignment.
pub(super) fn run_deferred(cluster: &mut Cluster<'_>) {
    for (rsc, node, op) in std::mem::take(&mut cluster.deferred_checks) {
        check_and_forgive(cluster, rsc, node, &op);
    }
    for (rsc, node, op) in std::mem::take(&mut cluster.deferred_failure_checks) {
        if digests::compare(cluster, rsc, node, &op).changed() {
            cluster.clear_fail_count(rsc, node, "resource parameters have changed");
        }
    }
}

/// Forgets the failures of resources that are no longer configured, before they are stopped.
pub(super) fn forgive_removed(cluster: &mut Cluster<'_>) {
    if !cluster.options.stop_removed {
        return;
    }
    for rsc in cluster.top.clone() {
        if !cluster.rsc[rsc].is.removed {
            continue;
        }
        for node in cluster.node_order.clone() {
            if !cluster.nodes[node].online || fail_count(cluster, rsc, node, Count::Effective, None).0 == 0 {
                continue;
            }
            let clear = cluster.clear_fail_count(rsc, node, "it is removed");
            cluster.add_ordering(Ordering {
                first: Side::action(clear, Task::ClearFailCount, Some(rsc)),
                then: Side::of(rsc, Task::Stop),
                flags: RelationFlags::ORDERED,
            });
        }
    }
}

fn check_resource(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, entry: &ResourceHistory) {
    if cluster.rsc[rsc].is.removed {
        if cluster.anonymous_clone(rsc).is_none() {
            clean_up(cluster, rsc, node, entry);
        }
        return;
    }
    let agent_changed = entry.agent != *cluster.rsc[rsc].blocks.agent && !entry.agent.class.is_empty();
    let active = cluster.rsc[rsc].active.contains(&node);
    if agent_changed {
        cluster.unfence_anew(rsc, node, "Device definition changed");
        if active {
            cluster.action(rsc, Task::Stop, Some(node), false);
            cluster.rsc[rsc].is.start_pending = true;
        }
        clean_up(cluster, rsc, node, entry);
    }
    if !active {
        return;
    }
    let order = sorted(&entry.ops);
    let Some(start) = active_since(&entry.ops, &order) else { return };
    for at in &order[start..] {
        let op = &entry.ops[*at];
        let in_maintenance = cluster.rsc[rsc].is.maintenance || cluster.nodes[node].maintenance;
        if op.interval_ms > 0 && in_maintenance {
            cancel(cluster, rsc, node, op);
        } else if op.interval_ms > 0
            || matches!(op.task(), Some(Task::Monitor | Task::Start | Task::Promote | Task::MigrateFrom))
        {
            if digests::needs_assignment(cluster, rsc) {
                cluster.deferred_checks.push((rsc, node, op.clone()));
            } else {
                check_and_forgive(cluster, rsc, node, op);
            }
        }
    }
}

/// An operation whose definition changed may be tried afresh.
fn check_and_forgive(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) {
    if check(cluster, rsc, node, op) && fail_count(cluster, rsc, node, Count::Effective, None).0 != 0 {
        cluster.clear_fail_count(rsc, node, "action definition changed");
    }
}

/// Compares one operation and does what a change calls for. Tells whether there was one.
fn check(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) -> bool {
    let task = digests::compared_as(&op.operation, op.interval_ms);
    if op.interval_ms > 0 && meta::find_operation(cluster, rsc, task, op.interval_ms, false).is_none() {
        if cluster.options.cancel_removed {
            cancel(cluster, rsc, node, op);
        }
        return true;
    }
    match digests::compare(cluster, rsc, node, op) {
        Comparison::Same => return false,
        Comparison::NeedsRestart => {
            cluster.unfence_anew(rsc, node, "Device parameters changed");
            require(cluster, rsc, task, op.interval_ms);
        }
        Comparison::Different | Comparison::Unknown if op.interval_ms > 0 => {
            cluster.unfence_anew(rsc, node, "Device parameters changed (reschedule)");
            let key = operation_key(&cluster.rsc[rsc].id, task, op.interval_ms);
            if let Some(kind) = Task::parse(task) {
                let action = cluster.keyed_action(key, kind, op.interval_ms, Some(rsc), Some(node), true);
                cluster.actions[action].reschedule = true;
            }
        }
        Comparison::Different if op.op_restart_digest.is_some() && !has_own_parameters(cluster, rsc, task) => {
            cluster.unfence_anew(rsc, node, "Device parameters changed (reload)");
            reload(cluster, rsc, node);
        }
        Comparison::Different | Comparison::Unknown => {
            cluster.unfence_anew(rsc, node, "Device parameters changed");
            require(cluster, rsc, task, op.interval_ms);
        }
    }
    true
}

/// Whether an operation adds parameters to those of the resource: an agent could not take them in place.
fn has_own_parameters(cluster: &Cluster<'_>, rsc: RscIdx, task: &str) -> bool {
    let operation = meta::find_operation(cluster, rsc, task, 0, false);
    operation.is_some_and(|at| !cluster.rsc[rsc].blocks.operations[at].params.is_empty())
}

/// Requires an operation wherever it will be done.
fn require(cluster: &mut Cluster<'_>, rsc: RscIdx, task: &str, interval_ms: u64) {
    let Some(kind) = Task::parse(task) else { return };
    let key = operation_key(&cluster.rsc[rsc].id, task, interval_ms);
    let action = cluster.keyed_action(key, kind, interval_ms, Some(rsc), None, false);
    cluster.actions[action].reason = Some(Reason::DefinitionChange);
}

/// Lets the agent take changed parameters in place; a stop or demote that is needed anyway makes that superfluous.
fn reload(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) {
    let is = cluster.rsc[rsc].is;
    if !is.managed || is.failed {
        return;
    }
    if is.start_pending {
        cluster.action(rsc, Task::Stop, Some(node), false);
        return;
    }
    cluster.rsc[rsc].is.reload = true;
    let reload = cluster.action(rsc, Task::Reload, Some(node), false);
    cluster.set_reason(reload, Reason::DefinitionChange);
    for then in [Task::Stop, Task::Demote] {
        cluster.add_ordering(Ordering {
            first: Side::action(reload, Task::Reload, Some(rsc)),
            then: Side::of(rsc, then),
            flags: RelationFlags::ORDERED | RelationFlags::THEN_CANCELS_FIRST,
        });
    }
}

/// Cancels a recurring operation, after a stop if there is one.
fn cancel(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) {
    let action = recurring::cancel(cluster, rsc, &op.operation, op.interval_ms, node);
    cluster.actions[action].meta_mut().insert("call-id".into(), op.call_id.to_string());
    cluster.add_ordering(Ordering {
        first: Side::of(rsc, Task::Stop),
        then: Side::action(action, Task::Cancel, Some(rsc)),
        flags: RelationFlags::ORDERED,
    });
}

/// Lets a node forget what it has recorded of a resource, after it was stopped and before it is started again.
fn clean_up(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, entry: &ResourceHistory) {
    if cluster.rsc[rsc].is.failed || cluster.nodes[node].unclean || !cluster.nodes[node].online {
        return;
    }
    let action = cluster.action(rsc, Task::CleanUp, Some(node), false);
    cluster.actions[action].detail = Some(entry.id.clone());
    cluster.order_tasks(rsc, Task::Stop, rsc, Task::CleanUp, RelationFlags::ORDERED);
    cluster.order_tasks(rsc, Task::CleanUp, rsc, Task::Start, RelationFlags::ORDERED);
}
