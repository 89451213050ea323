//! Carries a plan out, every action with success, and tells of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hac_scheduler::plan::{Action, ActionKind, Plan};

use super::Simulation;
use super::ids::{Names, without_number};
use crate::text::Lines;

/// The order in which actions fire: swept over again and again in stored order, an action fires when all its inputs are
/// done, and counts at once for those later in the same sweep. Actions that wait for one another never fire.
pub(super) fn sweep(plan: &Plan) -> Vec<usize> {
    let count = plan.actions.len();
    let mut waiting = vec![0usize; count];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, action) in plan.actions.iter().enumerate() {
        for &input in &action.inputs {
            if let Some(list) = dependents.get_mut(input) {
                list.push(index);
                waiting[index] += 1;
            }
        }
    }
    // (sweep, index): the least is the next to fire.
    let mut ready: BinaryHeap<Reverse<(usize, usize)>> =
        waiting.iter().enumerate().filter(|&(_, &n)| n == 0).map(|(index, _)| Reverse((0, index))).collect();
    let mut fired = Vec::with_capacity(count);
    while let Some(Reverse((sweep, index))) = ready.pop() {
        fired.push(index);
        for &dependent in &dependents[index] {
            waiting[dependent] -= 1;
            if waiting[dependent] == 0 {
                ready.push(Reverse((sweep + usize::from(dependent < index), dependent)));
            }
        }
    }
    fired
}

/// Prints a line for each action carried out.
pub(super) fn execution(lines: &mut Lines, simulation: &Simulation) {
    for &index in &simulation.executed {
        if let Some(action) = simulation.outcome.plan.actions.get(index) {
            lines.item(1, &line(action, &simulation.names));
        }
    }
}

fn line(action: &Action, names: &Names) -> String {
    let node = action.node.as_deref().unwrap_or_default();
    match &action.kind {
        ActionKind::Resource(op) => {
            let id = op.instance.as_deref().unwrap_or(&op.resource);
            let task = if op.interval_ms > 0 { format!("{}={}", op.task, op.interval_ms) } else { op.task.to_string() };
            resource_line(names.executed(id), &task, node)
        }
        ActionKind::Cancel(op) => {
            let id = op.instance.as_deref().unwrap_or(&op.resource);
            resource_line(names.executed(id), &format!("cancel={}", op.interval_ms), node)
        }
        ActionKind::Pseudo => {
            let on = if node.is_empty() { String::new() } else { format!(" on {node}") };
            format!("Pseudo action:   {}{on}", names.key(action).0)
        }
        ActionKind::Fence(fencing) => format!("Fencing {node} ({})", fencing.action),
        ActionKind::Shutdown => format!("Cluster action:  do_shutdown on {node}"),
        ActionKind::ClearFailCount { resource, .. } => {
            format!("Cluster action:  clear_failcount for {} on {node}", without_number(resource))
        }
        ActionKind::DeleteHistory { resource, instance, .. } if is_locally_deleted(action) => {
            resource_line(names.executed(instance.as_deref().unwrap_or(resource)), "delete", node)
        }
        ActionKind::DeleteHistory { resource, .. } => {
            format!("Cluster action:  lrm_delete for {} on {node}", without_number(resource))
        }
    }
}

/// Whether a history is deleted by the node itself; else the entry of an absent node is taken out of the CIB.
pub(super) fn is_locally_deleted(action: &Action) -> bool {
    !action.key.contains("_lrm_delete_")
}

fn resource_line(name: &str, task: &str, node: &str) -> String {
    format!("Resource action: {name:<15} {task} on {node}")
}
