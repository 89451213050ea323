//! Stage: changed definitions. What runs with other parameters, or by another agent, than configured is reloaded,
//! restarted or scheduled again; what is no longer configured is cancelled and forgotten.
//!
//! Reads histories and configured parameters; writes required starts, reloads, cancellations, clean-ups and clearings of
//! fail counts, and their orderings. Runs before the assignment; what depends on where a bundle's container will be is
//! put off until after it.

use std::collections::BTreeMap;

use crate::action::{Ordering, RelationFlags, Side, Task};
use crate::ids::{NodeIdx, RscIdx};
use crate::plan::Reason;
use hac_model::{OpHistory, ResourceHistory, operation_key};

use super::actions::recurring;
use super::configured as meta;
use super::digests::{self, Comparison};
use super::reading::status::failcount::{Count, fail_count};
use super::reading::status::{active_since, sorted};
use super::requests::Requests;
use crate::graph::Graph;

/// Compares everything that is recorded with what is configured.
pub(super) fn run(graph: &mut Graph<'_>) {
    for node in graph.node_order.clone() {
        if !graph.nodes[node].maintenance && !graph.node_available(node) {
            continue;
        }
        let entries = recorded(graph, node);
        if entries.is_empty() {
            continue;
        }
        for rsc in graph.rsc.keys() {
            if graph.rsc[rsc].is_primitive() {
                for entry in of_that_name(graph, &entries, rsc) {
                    check_resource(graph, rsc, node, entry);
                }
            }
        }
    }
}

/// Entries of a node's history by name, each with its place there.
type Recorded<'c> = BTreeMap<&'c str, Vec<(usize, &'c ResourceHistory)>>;

/// What a node recorded, as far as it was read.
fn recorded<'c>(graph: &Graph<'c>, node: NodeIdx) -> Recorded<'c> {
    let mut found = Recorded::new();
    let cib = graph.cib;
    let state = graph.nodes[node].state.and_then(|at| cib.status.nodes.get(at));
    let Some(state) = state.filter(|_| graph.nodes[node].unpacked) else { return found };
    for (position, entry) in state.resources.iter().enumerate() {
        if !entry.ops.is_empty() {
            found.entry(entry.id.as_str()).or_default().push((position, &**entry));
        }
    }
    found
}

/// The entries that go by a resource's own name or by the one it has in histories. Which instance of an anonymous clone
/// an entry was taken for does not matter: the entry concerns all that share its name.
fn of_that_name<'c>(graph: &Graph<'_>, entries: &Recorded<'c>, rsc: RscIdx) -> Vec<&'c ResourceHistory> {
    let resource = &graph.rsc[rsc];
    let renamed = resource.history_id.as_deref().filter(|name| *name != resource.id);
    let names = std::iter::once(resource.id.as_str()).chain(renamed);
    let mut found: Vec<_> = names.filter_map(|name| entries.get(name)).flatten().copied().collect();
    found.sort_unstable_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// Compares what had to wait for the assignment.
pub(super) fn run_deferred(graph: &mut Graph<'_>, requests: &Requests) {
    for (rsc, node, op) in std::mem::take(&mut graph.later) {
        check_and_forgive(graph, rsc, node, &op);
    }
    for (rsc, node, op) in requests.later() {
        let (rsc, node) = (*rsc, *node);
        if digests::compare(graph, rsc, node, op).changed() {
            graph.clear_fail_count(rsc, node, "resource parameters have changed");
        }
    }
}

/// Forgets the failures of resources that are no longer configured, before they are stopped.
pub(super) fn forgive_removed(graph: &mut Graph<'_>) {
    if !graph.options.stop_removed {
        return;
    }
    for rsc in graph.top.clone() {
        if !graph.rsc[rsc].is.removed {
            continue;
        }
        for node in graph.node_order.clone() {
            if !graph.nodes[node].online || fail_count(graph, rsc, node, Count::Effective, None).0 == 0 {
                continue;
            }
            let clear = graph.clear_fail_count(rsc, node, "it is removed");
            graph.add_ordering(Ordering {
                first: Side::action(clear, Task::ClearFailCount, Some(rsc)),
                then: Side::of(rsc, Task::Stop),
                flags: RelationFlags::ORDERED,
            });
        }
    }
}

fn check_resource(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx, entry: &ResourceHistory) {
    if graph.rsc[rsc].is.removed {
        if graph.anonymous_clone(rsc).is_none() {
            clean_up(graph, rsc, node, entry);
        }
        return;
    }
    let agent_changed = entry.agent != *graph.rsc[rsc].blocks.agent && !entry.agent.class.is_empty();
    let active = graph.rsc[rsc].active.contains(&node);
    if agent_changed {
        graph.unfence_anew(rsc, node, "Device definition changed");
        if active {
            graph.action(rsc, Task::Stop, Some(node), false);
            graph.set_starts(rsc);
        }
        clean_up(graph, rsc, node, entry);
    }
    if !active {
        return;
    }
    let order = sorted(&entry.ops);
    let Some(start) = active_since(&entry.ops, &order) else { return };
    for at in &order[start..] {
        let op = &entry.ops[*at];
        let in_maintenance = graph.rsc[rsc].is.maintenance || graph.nodes[node].maintenance;
        if op.interval_ms > 0 && in_maintenance {
            cancel(graph, rsc, node, op);
        } else if op.interval_ms > 0
            || matches!(op.task(), Some(Task::Monitor | Task::Start | Task::Promote | Task::MigrateFrom))
        {
            if digests::needs_assignment(graph, rsc) {
                graph.later.push((rsc, node, op.clone()));
            } else {
                check_and_forgive(graph, rsc, node, op);
            }
        }
    }
}

/// An operation whose definition changed may be tried afresh.
fn check_and_forgive(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) {
    if check(graph, rsc, node, op) && fail_count(graph, rsc, node, Count::Effective, None).0 != 0 {
        graph.clear_fail_count(rsc, node, "action definition changed");
    }
}

/// Compares one operation and does what a change calls for. Tells whether there was one.
fn check(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) -> bool {
    let task = digests::compared_as(&op.operation, op.interval_ms);
    if op.interval_ms > 0 && meta::find_operation(graph, rsc, task, op.interval_ms, false).is_none() {
        if graph.options.cancel_removed {
            cancel(graph, rsc, node, op);
        }
        return true;
    }
    match digests::compare(graph, rsc, node, op) {
        Comparison::Same => return false,
        Comparison::NeedsRestart => {
            graph.unfence_anew(rsc, node, "Device parameters changed");
            require(graph, rsc, task, op.interval_ms);
        }
        Comparison::Different | Comparison::Unknown if op.interval_ms > 0 => {
            graph.unfence_anew(rsc, node, "Device parameters changed (reschedule)");
            let key = operation_key(&graph.rsc[rsc].id, task, op.interval_ms);
            if let Some(kind) = Task::parse(task) {
                let action = graph.keyed_action(key, kind, op.interval_ms, Some(rsc), Some(node), true);
                graph.actions[action].reschedule = true;
            }
        }
        Comparison::Different if op.op_restart_digest.is_some() && !has_own_parameters(graph, rsc, task, node) => {
            graph.unfence_anew(rsc, node, "Device parameters changed (reload)");
            reload(graph, rsc, node);
        }
        Comparison::Different | Comparison::Unknown => {
            graph.unfence_anew(rsc, node, "Device parameters changed");
            require(graph, rsc, task, op.interval_ms);
        }
    }
    true
}

/// Whether an operation adds parameters to those of the resource: an agent could not take them in place.
fn has_own_parameters(graph: &Graph<'_>, rsc: RscIdx, task: &str, node: NodeIdx) -> bool {
    !digests::own_params(graph, rsc, task, 0, Some(node)).is_empty()
}

/// Requires an operation wherever it will be done.
fn require(graph: &mut Graph<'_>, rsc: RscIdx, task: &str, interval_ms: u64) {
    let Some(kind) = Task::parse(task) else { return };
    let key = operation_key(&graph.rsc[rsc].id, task, interval_ms);
    let action = graph.keyed_action(key, kind, interval_ms, Some(rsc), None, false);
    graph.actions[action].reason = Some(Reason::DefinitionChange);
}

/// Lets the agent take changed parameters in place; a stop or demote that is needed anyway makes that superfluous.
fn reload(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx) {
    let is = graph.rsc[rsc].is;
    if !is.managed || is.failed {
        return;
    }
    if graph.starts(rsc) {
        graph.action(rsc, Task::Stop, Some(node), false);
        return;
    }
    graph.set_reloads(rsc, true);
    let reload = graph.action(rsc, Task::Reload, Some(node), false);
    graph.set_reason(reload, Reason::DefinitionChange);
    for then in [Task::Stop, Task::Demote] {
        graph.add_ordering(Ordering {
            first: Side::action(reload, Task::Reload, Some(rsc)),
            then: Side::of(rsc, then),
            flags: RelationFlags::ORDERED | RelationFlags::THEN_CANCELS_FIRST,
        });
    }
}

/// Cancels a recurring operation, after a stop if there is one.
fn cancel(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) {
    let action = recurring::cancel(graph, rsc, &op.operation, op.interval_ms, node);
    graph.actions[action].meta_mut().insert("call-id".into(), op.call_id.to_string());
    graph.add_ordering(Ordering {
        first: Side::of(rsc, Task::Stop),
        then: Side::action(action, Task::Cancel, Some(rsc)),
        flags: RelationFlags::ORDERED,
    });
}

/// Lets a node forget what it has recorded of a resource, after it was stopped and before it is started again.
fn clean_up(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx, entry: &ResourceHistory) {
    if graph.rsc[rsc].is.failed || graph.nodes[node].unclean || !graph.nodes[node].online {
        return;
    }
    let clean_up = graph.action(rsc, Task::CleanUp, Some(node), false);
    graph.actions[clean_up].detail = Some(entry.id.clone());
    graph.order_tasks(rsc, Task::Stop, rsc, Task::CleanUp, RelationFlags::ORDERED);
    graph.order_tasks(rsc, Task::CleanUp, rsc, Task::Start, RelationFlags::ORDERED);
}
