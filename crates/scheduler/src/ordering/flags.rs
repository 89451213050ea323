//! How an action looks to those ordered with it: a collective's milestone by what its parts do.

use crate::action::Task;
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};

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
pub(super) fn for_ordering<M>(graph: &mut Graph<'_, M>, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    let anywhere = seen(graph, action, None);
    let of_clone = graph.actions[action].rsc.is_some_and(|rsc| graph.rsc[rsc].is_clone());
    if node.is_none() || !of_clone {
        return anywhere;
    }
    let there = seen(graph, action, node);
    Seen { runnable: there.runnable || anywhere.runnable, ..there }
}

/// How `action` looks on `node` (or anywhere). What a collective's milestone turns out to be is written down.
pub(super) fn seen<M>(graph: &mut Graph<'_, M>, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    match graph.actions[action].rsc {
        Some(rsc) if graph.rsc[rsc].is_group() => group(graph, rsc, action, node),
        Some(rsc) if !graph.rsc[rsc].is_primitive() => instances(graph, rsc, action, node),
        _ => own(graph, action),
    }
}

fn own<M>(graph: &Graph<'_, M>, action: ActIdx) -> Seen {
    let action = &graph.actions[action];
    Seen { optional: action.optional, runnable: action.runnable, migratable: action.migratable }
}

/// Required if a member's is; possible if all members' are, and (unless it brings down) every member has one.
fn group<M>(graph: &mut Graph<'_, M>, rsc: RscIdx, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    let mut result = Seen { optional: true, runnable: true, migratable: false };
    let task = graph.actions[action].task;
    let begun = task.begun();
    for at in 0..graph.rsc[rsc].children.len() {
        let member = graph.rsc[rsc].children[at];
        let Some(part) = graph.first_action(member, begun, node) else {
            if !matches!(begun, Task::Stop | Task::Demote) {
                result.runnable = false;
            }
            continue;
        };
        let part = seen(graph, part, node);
        if result.optional && !part.optional {
            result.optional = false;
            graph.actions[action].optional = false;
        }
        // Pacemaker looks at this for finished milestones only.
        if begun != task && result.runnable && !part.runnable {
            result.runnable = false;
            graph.actions[action].runnable = false;
        }
    }
    result
}

/// Required if any instance's is; possible if any instance's is.
fn instances<M>(graph: &mut Graph<'_, M>, rsc: RscIdx, action: ActIdx, node: Option<NodeIdx>) -> Seen {
    let mut result = Seen { optional: true, runnable: false, migratable: false };
    let told = told_task(graph, action);
    for instance in parts_with(graph, rsc, told.begun()) {
        let where_to_look = node.filter(|_| graph.rsc[instance].is_primitive());
        // A cloned group has a milestone of its own for what is finished.
        let task = if graph.rsc[instance].is_group() { told } else { told.begun() };
        let Some(part) = graph.first_action(instance, task, where_to_look) else { continue };
        let part = seen(graph, part, node);
        if result.optional && !part.optional {
            result.optional = false;
            graph.actions[action].optional = false;
        }
        result.runnable |= part.runnable;
    }
    if !result.runnable && node.is_none() {
        graph.actions[action].runnable = false;
    }
    result
}

/// The instances of a clone, or the containers of a bundle.
pub(super) fn parts<M>(graph: &Graph<'_, M>, rsc: RscIdx) -> Vec<RscIdx> {
    match graph.bundle_data(rsc) {
        Some(data) => data.replicas.iter().map(|replica| replica.container).collect(),
        None => graph.rsc[rsc].children.clone(),
    }
}

/// The parts that carry a task out: in a bundle roles are what is inside changes, not the containers.
fn parts_with<M>(graph: &Graph<'_, M>, rsc: RscIdx, task: Task) -> Vec<RscIdx> {
    let inner = graph.bundle_data(rsc).and_then(|data| data.child);
    match inner {
        Some(inner) if matches!(task, Task::Promote | Task::Demote | Task::Notify) => graph.rsc[inner].children.clone(),
        _ => parts(graph, rsc),
    }
}

/// What an action is, or what a notification is about.
pub(super) fn told_task<M>(graph: &Graph<'_, M>, action: ActIdx) -> Task {
    let entry = &graph.actions[action];
    if !entry.key.contains("_notify_") {
        return entry.task;
    }
    let notified = ["_post_notify_", "_confirmed-post_notify_", "_pre_notify_", "_confirmed-pre_notify_"]
        .iter()
        .find_map(|mark| entry.key.rsplit_once(mark))
        .and_then(|(_, rest)| Task::parse(rest.rsplit_once('_').map_or(rest, |(task, _)| task)));
    notified.unwrap_or(entry.task)
}
