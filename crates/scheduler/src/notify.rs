//! Notifications: instances of a clone with `notify` are told before and after their siblings change.
//!
//! Each task of the clone gets four milestones, made with the clone's own: "tell", "told" before it begins, and again
//! after it is done. The notifications of the instances are made when all that is required is known. Reads roles and
//! assignments; writes notify actions and relations.

use super::ordering;
use crate::action::{RelationFlags as F, Task};
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use hac_model::INFINITY;
use hac_model::Role;

/// What an instance can be told of, in the order in which it is.
const TASKS: [Task; 4] = [Task::Start, Task::Stop, Task::Promote, Task::Demote];

/// The four milestones around a task.
#[derive(Clone, Copy, Debug)]
struct Around {
    tell_before: ActIdx,
    told_before: ActIdx,
    tell_after: ActIdx,
    told_after: ActIdx,
}

/// Makes the milestones around `begin` and `done` of a clone.
pub(super) fn milestones(graph: &mut Graph<'_>, clone: RscIdx, task: Task, begin: ActIdx, done: ActIdx) {
    if !graph.rsc[clone].is.notify || !graph.rsc[clone].is_clone() {
        return;
    }
    let reached = graph.actions[done].task;
    let mut make = |mark: &str, of: Task, like: ActIdx| {
        let told = mark.starts_with("confirmed");
        let (optional, runnable) = (graph.actions[like].optional, graph.actions[like].runnable);
        let key = format!("{}_{mark}_notify_{}_0", graph.rsc[clone].id, of.name());
        let kind = if told { Task::Notified } else { Task::Notify };
        let action = graph.keyed_action(key, kind, 0, Some(clone), None, optional);
        let entry = &mut graph.actions[action];
        entry.pseudo = true;
        entry.runnable = like == begin || runnable;
        entry.meta_mut().insert("notify_type".into(), if of == task { "pre" } else { "post" }.into());
        entry.meta_mut().insert("notify_operation".into(), task.name().into());
        entry.meta_mut().insert("notify_key_type".into(), mark.into());
        entry.meta_mut().insert("notify_key_operation".into(), of.name().into());
        action
    };
    let tell_before = make("pre", task, begin);
    let told_before = make("confirmed-pre", task, begin);
    let tell_after = make("post", reached, done);
    let told_after = make("confirmed-post", reached, done);
    for after in [tell_after, told_after] {
        graph.actions[after].priority = INFINITY;
    }
    graph.order(tell_before, told_before, F::ORDERED);
    graph.order(told_before, begin, F::ORDERED);
    graph.order(done, tell_after, F::FIRST_IMPLIES_THEN);
    graph.order(tell_after, told_after, F::FIRST_IMPLIES_THEN);
    graph.order(told_before, tell_after, F::ORDERED);
}

/// Orders the notifications of a clone's tasks among each other.
pub(super) fn order_tasks(graph: &mut Graph<'_>, clone: RscIdx) {
    if !graph.rsc[clone].is.notify {
        return;
    }
    for (first, then) in [
        (Task::Stop, Task::Start),
        (Task::Stop, Task::Promote),
        (Task::Start, Task::Promote),
        (Task::Demote, Task::Promote),
        (Task::Demote, Task::Start),
        (Task::Demote, Task::Stop),
    ] {
        if let (Some(first), Some(then)) = (around(graph, clone, first), around(graph, clone, then)) {
            graph.order(first.told_after, then.tell_before, F::ORDERED);
        }
    }
}

/// The milestones around a task, if they were made.
fn around(graph: &Graph<'_>, clone: RscIdx, task: Task) -> Option<Around> {
    let reached = task.finished()?;
    let find = |mark: &str, of: Task| {
        let key = format!("{}_{mark}_notify_{}_0", graph.rsc[clone].id, of.name());
        graph.actions_on(clone).iter().copied().find(|action| graph.actions[*action].key == key)
    };
    Some(Around {
        tell_before: find("pre", task)?,
        told_before: find("confirmed-pre", task)?,
        tell_after: find("post", reached)?,
        told_after: find("confirmed-post", reached)?,
    })
}

/// Makes the notifications of all instances, once it is settled what is done.
pub(super) fn run(graph: &mut Graph<'_>) {
    let clones: Vec<RscIdx> =
        graph.rsc.keys().filter(|rsc| graph.rsc[*rsc].is_clone() && graph.rsc[*rsc].is.notify).collect();
    for clone in clones {
        for task in TASKS {
            if let Some(around) = around(graph, clone, task) {
                of_task(graph, clone, task, around);
            }
        }
    }
}

/// Tells the instances of `clone` about `task`.
fn of_task(graph: &mut Graph<'_>, clone: RscIdx, task: Task, around: Around) {
    let done = task.finished();
    let milestone = |graph: &Graph<'_>, task: Task| graph.first_action(clone, task, None);
    let (Some(begin), Some(done)) = (milestone(graph, task), done.and_then(|done| milestone(graph, done))) else {
        return;
    };
    follow(graph, begin, [around.tell_before, around.told_before]);
    if ordering::can_be_done(graph, begin) {
        // A cloned group is told though its members turned out not to be able to.
        for before in [around.tell_before, around.told_before] {
            graph.actions[before].runnable = true;
        }
    }
    follow(graph, done, [around.tell_after, around.told_after]);
    if graph.actions[around.tell_after].optional && graph.actions[around.tell_before].optional {
        return;
    }
    let instances = graph.primitives(clone);
    if !instances.iter().any(|instance| does(graph, *instance, task)) {
        // The clone begins and ends the task, but nothing comes of it that anybody could be told.
        return;
    }
    for instance in instances.iter().copied() {
        tell_before(graph, instance, task, around);
        tell_after(graph, instance, task, around);
    }
}

/// Whether `instance` is to do `task`.
fn does(graph: &Graph<'_>, instance: RscIdx, task: Task) -> bool {
    let down = matches!(task, Task::Stop | Task::Demote);
    graph.actions_of(instance, task, 0).into_iter().any(|action| {
        let action = &graph.actions[action];
        !action.optional && (action.runnable || down)
    })
}

/// Milestones are needed as what they are about is.
fn follow(graph: &mut Graph<'_>, about: ActIdx, milestones: [ActIdx; 2]) {
    let (optional, runnable) = (graph.actions[about].optional, graph.actions[about].runnable);
    for milestone in milestones {
        let entry = &mut graph.actions[milestone];
        entry.optional = optional;
        entry.runnable = runnable;
    }
}

/// Whether `instance` is active and will not be stopped.
fn stays_up(graph: &Graph<'_>, instance: RscIdx) -> bool {
    let stops = graph.actions_of(instance, Task::Stop, 0);
    graph.rsc[instance].role > Role::Stopped && stops.iter().all(|stop| graph.actions[*stop].optional)
}

/// Where `instance` will be up in the end: not where it should be, but cannot start.
fn will_be_up(graph: &Graph<'_>, instance: RscIdx) -> Option<NodeIdx> {
    let resource = &graph.rsc[instance];
    let planned = graph.placed[instance].assigned.filter(|_| resource.next_role > Role::Stopped)?;
    (stays_up(graph, instance) || does(graph, instance, Task::Start)).then_some(planned)
}

/// An active instance is told of what is about to happen.
fn tell_before(graph: &mut Graph<'_>, instance: RscIdx, task: Task, around: Around) {
    let ends = (around.tell_before, around.told_before);
    if task == Task::Promote {
        // By then all that is to be up is.
        if let Some(node) = will_be_up(graph, instance) {
            notify(graph, instance, node, ("pre", task), ends);
        }
        return;
    }
    if graph.rsc[instance].role <= Role::Stopped || (task == Task::Start && !stays_up(graph, instance)) {
        return;
    }
    for node in graph.rsc[instance].active.clone() {
        notify(graph, instance, node, ("pre", task), ends);
    }
}

/// An instance is told of what happened where it will be then.
fn tell_after(graph: &mut Graph<'_>, instance: RscIdx, task: Task, around: Around) {
    let ends = (around.tell_after, around.told_after);
    let resource = &graph.rsc[instance];
    if task == Task::Demote {
        if resource.role > Role::Stopped {
            for node in resource.active.clone() {
                notify(graph, instance, node, ("post", task), ends);
            }
        }
    } else if task == Task::Stop && !stays_up(graph, instance) {
        // It is not there to be told.
    } else if let Some(node) = will_be_up(graph, instance) {
        notify(graph, instance, node, ("post", task), ends);
    }
}

/// Tells one instance on a node between two milestones.
fn notify(
    graph: &mut Graph<'_>,
    instance: RscIdx,
    node: NodeIdx,
    (mark, task): (&str, Task),
    (tell, told): (ActIdx, ActIdx),
) {
    let host = &graph.nodes[node];
    // What starts in a guest anew is told of what comes after that; nobody in it is of what comes before.
    let reset = host.remote_requires_reset && matches!(task, Task::Stop | Task::Demote);
    let lost = !host.online || host.unclean || reset;
    let entry = &graph.actions[tell];
    if lost || entry.optional || !entry.runnable {
        return;
    }
    let (meta, priority) = (entry.meta.clone(), entry.priority);
    let key = format!("{}_{mark}_notify_{}_0", graph.rsc[instance].id, task.name());
    let action = graph.keyed_action(key, Task::Notify, 0, Some(instance), Some(node), false);
    let entry = &mut graph.actions[action];
    entry.optional = false;
    entry.priority = priority;
    let notes = meta.iter().filter(|(name, _)| name.starts_with("notify_"));
    entry.meta_mut().extend(notes.map(|(name, value)| (name.clone(), value.clone())));
    graph.order(tell, action, F::ORDERED);
    graph.order(action, told, F::ORDERED);
    if mark == "post" {
        before_monitors(graph, instance, told);
    }
}

/// What fencing stops and wants notifications gets milestones after that. Of a clone those instances are told that are on
/// their node and stay there, as far as is known before orderings are looked at.
pub(super) fn after_fencing(graph: &mut Graph<'_>, rsc: RscIdx, fencing: ActIdx) {
    if !graph.rsc[rsc].is.notify {
        return;
    }
    let tell = stonith_milestone(graph, rsc, "post", Task::Notify);
    let told = stonith_milestone(graph, rsc, "confirmed-post", Task::Notified);
    graph.order(fencing, tell, F::ORDERED);
    graph.order(tell, told, F::ORDERED);
    let top = graph.top(rsc, false);
    if !graph.rsc[top].is_clone() {
        return;
    }
    for instance in graph.primitives(top) {
        let resource = &graph.rsc[instance];
        let planned = graph.placed[instance].assigned.filter(|node| resource.active.contains(node));
        if let Some(node) = planned.filter(|_| stays_up(graph, instance) && resource.next_role > Role::Stopped) {
            notify(graph, instance, node, ("post", Task::Stop), (tell, told));
        }
    }
}

/// Monitors see what the notified made of it.
fn before_monitors(graph: &mut Graph<'_>, instance: RscIdx, told: ActIdx) {
    let recurring = |action: &&ActIdx| {
        let action = &graph.actions[**action];
        action.interval_ms > 0 && action.task != Task::Cancel
    };
    let monitors: Vec<ActIdx> = graph.actions_on(instance).iter().filter(recurring).copied().collect();
    for monitor in monitors {
        graph.order(told, monitor, F::ORDERED);
    }
}

fn stonith_milestone(graph: &mut Graph<'_>, instance: RscIdx, mark: &str, task: Task) -> ActIdx {
    let key = format!("{}_{mark}_notify_{}_0", graph.rsc[instance].id, Task::Fence.name());
    let action = graph.keyed_action(key, task, 0, Some(instance), None, false);
    let entry = &mut graph.actions[action];
    entry.pseudo = true;
    entry.runnable = true;
    entry.optional = false;
    entry.priority = INFINITY;
    entry.meta_mut().insert("notify_type".into(), "post".into());
    entry.meta_mut().insert("notify_operation".into(), Task::Stop.name().into());
    entry.meta_mut().insert("notify_key_type".into(), mark.into());
    entry.meta_mut().insert("notify_key_operation".into(), Task::Fence.name().into());
    action
}
