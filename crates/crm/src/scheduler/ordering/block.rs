//! What cannot start takes with it what must be with it.

use crate::model::INFINITY;
use crate::plan::Reason;
use crate::scheduler::cluster::{ActIdx, Cluster, Role, RscIdx, Task};

/// Blocks the dependents of every action that cannot be carried out.
pub(super) fn unrunnable(cluster: &mut Cluster<'_>) {
    for action in cluster.actions.keys().rev() {
        dependents(cluster, action);
    }
}

/// If `action` is a start or promote that cannot be carried out, and no other instance can, what is mandatorily
/// colocated with its resource cannot either.
pub(super) fn dependents(cluster: &mut Cluster<'_>, action: ActIdx) {
    let entry = &cluster.actions[action];
    let (Some(rsc), task) = (entry.rsc, entry.task) else { return };
    if entry.runnable || !matches!(task, Task::Start | Task::Promote) {
        return;
    }
    let top = cluster.top(rsc, false);
    if top != rsc && any_instance_can(cluster, top, task) {
        return;
    }
    for at in 0..cluster.rsc[top].with_this.len() {
        let colocation = &cluster.colocations[cluster.rsc[top].with_this[at]];
        if colocation.score < INFINITY || (task == Task::Promote && colocation.primary_role != Role::Promoted) {
            continue;
        }
        let (dependent, role) = (colocation.dependent, colocation.dependent_role);
        let blocked = if role == Role::Promoted { Task::Promote } else { Task::Start };
        block(cluster, dependent, top, blocked);
    }
}

/// Whether some part of `top` can be started (or promoted).
fn any_instance_can(cluster: &Cluster<'_>, top: RscIdx, task: Task) -> bool {
    cluster.rsc[top].children.iter().any(|child| {
        cluster.first_action(*child, task, None).is_none_or(|action| cluster.actions[action].runnable)
    })
}

/// Blocks the start (or promote) of `dependent` and of its parts because `primary` cannot.
fn block(cluster: &mut Cluster<'_>, dependent: RscIdx, primary: RscIdx, task: Task) {
    if let Some(action) = cluster.first_action(dependent, task, None) {
        if cluster.actions[action].runnable {
            let reason = Reason::Colocation(cluster.rsc[primary].id.clone());
            cluster.set_reason(action, reason);
            cluster.actions[action].runnable = false;
            dependents(cluster, action);
        }
    }
    for at in 0..cluster.rsc[dependent].children.len() {
        let child = cluster.rsc[dependent].children[at];
        block(cluster, child, primary, task);
    }
}
