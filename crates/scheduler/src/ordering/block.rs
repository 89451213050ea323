//! What cannot start takes with it what must be with it.

use crate::assign;
use crate::cluster::{ActIdx, Cluster, Role, RscIdx, Task};
use crate::plan::Reason;
use hac_model::INFINITY;

use super::{Walk, update};

/// Blocks the dependents of every action that cannot be carried out.
pub(super) fn unrunnable(cluster: &mut Cluster<'_>, walk: &mut Walk) {
    let actions: Vec<ActIdx> = cluster.actions.keys().rev().collect();
    for action in actions {
        dependents(cluster, walk, action);
    }
}

/// If `action` is a start or promote that cannot be carried out, and no other instance can, what is mandatorily
/// colocated with its resource cannot either.
pub(super) fn dependents(cluster: &mut Cluster<'_>, walk: &mut Walk, action: ActIdx) {
    let entry = &cluster.actions[action];
    let (Some(rsc), task) = (entry.rsc, entry.task) else { return };
    if entry.runnable || !matches!(task, Task::Start | Task::Promote) {
        return;
    }
    let top = cluster.top(rsc, false);
    let top = cluster.rsc[top].parent.unwrap_or(top);
    if any_part_can(cluster, top, task) {
        return;
    }
    for idx in assign::with_this(cluster, top) {
        let colocation = &cluster.colocations[idx];
        if colocation.score < INFINITY || (task == Task::Promote && colocation.primary_role != Role::Promoted) {
            continue;
        }
        let (dependent, role) = (colocation.dependent, colocation.dependent_role);
        let blocked = if role == Role::Promoted { Task::Promote } else { Task::Start };
        block(cluster, walk, dependent, rsc, blocked);
    }
}

/// Whether some part of `top` can be started (or promoted).
fn any_part_can(cluster: &Cluster<'_>, top: RscIdx, task: Task) -> bool {
    cluster.rsc[top]
        .children
        .iter()
        .any(|child| cluster.first_action(*child, task, None).is_none_or(|action| cluster.actions[action].runnable))
}

/// Blocks the start (or promote) of `dependent` and of its parts because `primary` cannot.
fn block(cluster: &mut Cluster<'_>, walk: &mut Walk, dependent: RscIdx, primary: RscIdx, task: Task) {
    for action in cluster.actions_of(dependent, task, 0).into_iter().rev() {
        if cluster.actions[action].runnable {
            cluster.actions[action].runnable = false;
            let reason = Reason::Colocation(cluster.rsc[primary].id.clone());
            cluster.set_reason(action, reason);
            dependents(cluster, walk, action);
            update::action(cluster, walk, action);
        }
    }
    for child in cluster.rsc[dependent].children.clone() {
        block(cluster, walk, child, primary, task);
    }
}
