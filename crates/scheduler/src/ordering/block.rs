//! What cannot start takes with it what must be with it.

use super::Graph;
use crate::action::Task;
use crate::assign;
use crate::ids::{ActIdx, RscIdx};
use crate::plan::Reason;
use hac_model::INFINITY;
use hac_model::Role;

use super::{Walk, update};

/// Blocks the dependents of every action that cannot be carried out.
pub(super) fn unrunnable(graph: &mut Graph<'_>, walk: &mut Walk) {
    let actions: Vec<ActIdx> = graph.actions.keys().rev().collect();
    for action in actions {
        dependents(graph, walk, action);
    }
}

/// If `action` is a start or promote that cannot be carried out, and no other instance can, what is mandatorily
/// colocated with its resource cannot either.
pub(super) fn dependents(graph: &mut Graph<'_>, walk: &mut Walk, action: ActIdx) {
    let entry = &graph.actions[action];
    let (Some(rsc), task) = (entry.rsc, entry.task) else { return };
    if entry.runnable || !matches!(task, Task::Start | Task::Promote) {
        return;
    }
    let top = graph.top(rsc, false);
    let top = graph.rsc[top].parent.unwrap_or(top);
    if any_part_can(graph, top, task) {
        return;
    }
    for idx in assign::with_this(graph, top) {
        let colocation = graph.colocation(idx);
        if colocation.score < INFINITY || (task == Task::Promote && colocation.primary_role != Role::Promoted) {
            continue;
        }
        let (dependent, role) = (colocation.dependent, colocation.dependent_role);
        let blocked = if role == Role::Promoted { Task::Promote } else { Task::Start };
        block(graph, walk, dependent, rsc, blocked);
    }
}

/// Whether some part of `top` can be started (or promoted).
fn any_part_can(graph: &Graph<'_>, top: RscIdx, task: Task) -> bool {
    graph.rsc[top]
        .children
        .iter()
        .any(|child| graph.first_action(*child, task, None).is_none_or(|action| graph.actions[action].runnable))
}

/// Blocks the start (or promote) of `dependent` and of its parts because `primary` cannot.
fn block(graph: &mut Graph<'_>, walk: &mut Walk, dependent: RscIdx, primary: RscIdx, task: Task) {
    for action in graph.actions_of(dependent, task, 0).into_iter().rev() {
        if graph.actions[action].runnable {
            graph.actions[action].runnable = false;
            let reason = Reason::Colocation(graph.rsc[primary].id.clone());
            graph.set_reason(action, reason);
            dependents(graph, walk, action);
            update::action(graph, walk, action);
        }
    }
    for child in graph.rsc[dependent].children.clone() {
        block(graph, walk, child, primary, task);
    }
}
