//! How an action looks to those ordered with it: a collective's milestone by what its parts do.

use crate::cluster::{ActIdx, Cluster, NodeIdx, RscIdx, Task};

/// What orderings ask of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Not needed.
    pub(super) optional: bool,
    /// It can be carried out.
    pub(super) runnable: bool,
    /// Part of a live migration.
    pub(super) migratable: bool,
}

/// How `action` looks in an ordering with something on `node`. Of a clone's action it matters what is required there, but
/// whether it can be carried out anywhere.
pub(super) fn for_ordering(cluster: &mut Cluster<'_>, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    let anywhere = seen(cluster, action, None);
    let of_clone = cluster.actions[action].rsc.is_some_and(|rsc| cluster.rsc[rsc].is_clone());
    if node.is_none() || !of_clone {
        return anywhere;
    }
    let there = seen(cluster, action, node);
    Seen { runnable: there.runnable || anywhere.runnable, ..there }
}

/// How `action` looks on `node` (or anywhere). What a collective's milestone turns out to be is written down.
pub(super) fn seen(cluster: &mut Cluster<'_>, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    match cluster.actions[action].rsc {
        Some(rsc) if cluster.rsc[rsc].is_group() => group(cluster, rsc, action, node),
        Some(rsc) if !cluster.rsc[rsc].is_primitive() => instances(cluster, rsc, action, node),
        _ => own(cluster, action),
    }
}

fn own(cluster: &Cluster<'_>, action: ActIdx) -> Seen {
    let action = &cluster.actions[action];
    Seen { optional: action.optional, runnable: action.runnable, migratable: action.migratable }
}

/// Required if a member's is; possible if all members' are, and (unless it brings down) every member has one.
fn group(cluster: &mut Cluster<'_>, rsc: RscIdx, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    let mut result = Seen { optional: true, runnable: true, migratable: false };
    let task = cluster.actions[action].task;
    let begun = task.begun();
    for at in 0..cluster.rsc[rsc].children.len() {
        let member = cluster.rsc[rsc].children[at];
        let Some(part) = cluster.first_action(member, begun, node) else {
            if !matches!(begun, Task::Stop | Task::Demote) {
                result.runnable = false;
            }
            continue;
        };
        let part = seen(cluster, part, node);
        if result.optional && !part.optional {
            result.optional = false;
            cluster.actions[action].optional = false;
        }
        // Pacemaker looks at this for finished milestones only.
        if begun != task && result.runnable && !part.runnable {
            result.runnable = false;
            cluster.actions[action].runnable = false;
        }
    }
    result
}

/// Required if any instance's is; possible if any instance's is.
fn instances(cluster: &mut Cluster<'_>, rsc: RscIdx, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    let mut result = Seen { optional: true, runnable: false, migratable: false };
    let told = told_task(cluster, action);
    for instance in parts_with(cluster, rsc, told.begun()) {
        let where_to_look = node.filter(|_| cluster.rsc[instance].is_primitive());
        // A cloned group has a milestone of its own for what is finished.
        let task = if cluster.rsc[instance].is_group() { told } else { told.begun() };
        let Some(part) = cluster.first_action(instance, task, where_to_look) else { continue };
        let part = seen(cluster, part, node);
        if result.optional && !part.optional {
            result.optional = false;
            cluster.actions[action].optional = false;
        }
        result.runnable |= part.runnable;
    }
    if !result.runnable && node.is_none() {
        cluster.actions[action].runnable = false;
    }
    result
}

/// The instances of a clone, or the containers of a bundle.
pub(super) fn parts(cluster: &Cluster<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    match cluster.bundle_data(rsc) {
        Some(data) => data.replicas.iter().map(|replica| replica.container).collect(),
        None => cluster.rsc[rsc].children.clone(),
    }
}

/// The parts that carry a task out: in a bundle roles are what is inside changes, not the containers.
fn parts_with(cluster: &Cluster<'_>, rsc: RscIdx, task: Task) -> Vec<RscIdx> {
    let inner = cluster.bundle_data(rsc).and_then(|data| data.child);
    match inner {
        Some(inner) if matches!(task, Task::Promote | Task::Demote | Task::Notify) => {
            cluster.rsc[inner].children.clone()
        }
        _ => parts(cluster, rsc),
    }
}

/// The task whose milestone (or notification) an action is: `start` for `running` and for the notifications about it.
pub(super) fn original_task(cluster: &Cluster<'_>, action: ActIdx) -> Task {
    told_task(cluster, action).begun()
}

/// What an action is, or what a notification is about.
fn told_task(cluster: &Cluster<'_>, action: ActIdx) -> Task {
    let entry = &cluster.actions[action];
    if !entry.key.contains("_notify_") {
        return entry.task;
    }
    let notified = ["_post_notify_", "_confirmed-post_notify_", "_pre_notify_", "_confirmed-pre_notify_"]
        .iter()
        .find_map(|mark| entry.key.rsplit_once(mark))
        .and_then(|(_, rest)| Task::parse(rest.rsplit_once('_').map_or(rest, |(task, _)| task)));
    notified.unwrap_or(entry.task)
}
