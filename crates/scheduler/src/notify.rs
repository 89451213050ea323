//! Notifications: instances of a clone with `notify` are told before and after their siblings change.
//!
//! Each task of the clone gets four milestones, made with the clone's own: "tell", "told" before it begins, and again
//! after it is done. The notifications of the instances are made when all that is required is known. Reads roles and
//! assignments; writes notify actions and relations.

use super::cluster::{ActIdx, Cluster, NodeIdx, RelationFlags as F, Role, RscIdx, Task};
use super::ordering;
use hac_model::INFINITY;

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
pub(super) fn milestones(cluster: &mut Cluster<'_>, clone: RscIdx, task: Task, begin: ActIdx, done: ActIdx) {
    if !cluster.rsc[clone].is.notify || !cluster.rsc[clone].is_clone() {
        return;
    }
    let reached = cluster.actions[done].task;
    let mut make = |mark: &str, of: Task, like: ActIdx| {
        let told = mark.starts_with("confirmed");
        let (optional, runnable) = (cluster.actions[like].optional, cluster.actions[like].runnable);
        let key = format!("{}_{mark}_notify_{}_0", cluster.rsc[clone].id, of.name());
        let kind = if told { Task::Notified } else { Task::Notify };
        let action = cluster.keyed_action(key, kind, 0, Some(clone), None, optional);
        let entry = &mut cluster.actions[action];
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
        cluster.actions[after].priority = INFINITY;
    }
    cluster.order(tell_before, told_before, F::ORDERED);
    cluster.order(told_before, begin, F::ORDERED);
    cluster.order(done, tell_after, F::FIRST_IMPLIES_THEN);
    cluster.order(tell_after, told_after, F::FIRST_IMPLIES_THEN);
    cluster.order(told_before, tell_after, F::ORDERED);
}

/// Orders the notifications of a clone's tasks among each other.
pub(super) fn order_tasks(cluster: &mut Cluster<'_>, clone: RscIdx) {
    if !cluster.rsc[clone].is.notify {
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
        if let (Some(first), Some(then)) = (around(cluster, clone, first), around(cluster, clone, then)) {
            cluster.order(first.told_after, then.tell_before, F::ORDERED);
        }
    }
}

/// The milestones around a task, if they were made.
fn around(cluster: &Cluster<'_>, clone: RscIdx, task: Task) -> Option<Around> {
    let reached = task.finished()?;
    let find = |mark: &str, of: Task| {
        let key = format!("{}_{mark}_notify_{}_0", cluster.rsc[clone].id, of.name());
        cluster.rsc[clone].actions.iter().copied().find(|action| cluster.actions[*action].key == key)
    };
    Some(Around {
        tell_before: find("pre", task)?,
        told_before: find("confirmed-pre", task)?,
        tell_after: find("post", reached)?,
        told_after: find("confirmed-post", reached)?,
    })
}

/// Makes the notifications of all instances, once it is settled what is done.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    let clones: Vec<RscIdx> =
        cluster.rsc.keys().filter(|rsc| cluster.rsc[*rsc].is_clone() && cluster.rsc[*rsc].is.notify).collect();
    for clone in clones {
        for task in TASKS {
            if let Some(around) = around(cluster, clone, task) {
                of_task(cluster, clone, task, around);
            }
        }
    }
}

/// Tells the instances of `clone` about `task`.
fn of_task(cluster: &mut Cluster<'_>, clone: RscIdx, task: Task, around: Around) {
    let done = task.finished();
    let milestone = |cluster: &Cluster<'_>, task: Task| cluster.first_action(clone, task, None);
    let (Some(begin), Some(done)) = (milestone(cluster, task), done.and_then(|done| milestone(cluster, done))) else {
        return;
    };
    follow(cluster, begin, [around.tell_before, around.told_before]);
    if ordering::can_be_done(cluster, begin) {
        // A cloned group is told though its members turned out not to be able to.
        for before in [around.tell_before, around.told_before] {
            cluster.actions[before].runnable = true;
        }
    }
    follow(cluster, done, [around.tell_after, around.told_after]);
    if cluster.actions[around.tell_after].optional && cluster.actions[around.tell_before].optional {
        return;
    }
    let instances = cluster.primitives(clone);
    if !instances.iter().any(|instance| does(cluster, *instance, task)) {
        // The clone begins and ends the task, but nothing comes of it that anybody could be told.
        return;
    }
    for instance in instances.iter().copied() {
        tell_before(cluster, instance, task, around);
        tell_after(cluster, instance, task, around);
    }
    if task == Task::Stop {
        for instance in instances.iter().copied() {
            after_fencing(cluster, instance, &instances);
        }
    }
}

/// Whether `instance` is to do `task`.
fn does(cluster: &Cluster<'_>, instance: RscIdx, task: Task) -> bool {
    let down = matches!(task, Task::Stop | Task::Demote);
    cluster.actions_of(instance, task, 0).into_iter().any(|action| {
        let action = &cluster.actions[action];
        !action.optional && (action.runnable || down)
    })
}

/// Milestones are needed as what they are about is.
fn follow(cluster: &mut Cluster<'_>, about: ActIdx, milestones: [ActIdx; 2]) {
    let (optional, runnable) = (cluster.actions[about].optional, cluster.actions[about].runnable);
    for milestone in milestones {
        let entry = &mut cluster.actions[milestone];
        entry.optional = optional;
        entry.runnable = runnable;
    }
}

/// Whether `instance` is active and will not be stopped.
fn stays_up(cluster: &Cluster<'_>, instance: RscIdx) -> bool {
    let stops = cluster.actions_of(instance, Task::Stop, 0);
    cluster.rsc[instance].role > Role::Stopped && stops.iter().all(|stop| cluster.actions[*stop].optional)
}

/// Where `instance` will be up in the end: not where it should be, but cannot start.
fn will_be_up(cluster: &Cluster<'_>, instance: RscIdx) -> Option<NodeIdx> {
    let resource = &cluster.rsc[instance];
    let planned = resource.assigned.filter(|_| resource.next_role > Role::Stopped)?;
    (stays_up(cluster, instance) || does(cluster, instance, Task::Start)).then_some(planned)
}

/// An active instance is told of what is about to happen.
fn tell_before(cluster: &mut Cluster<'_>, instance: RscIdx, task: Task, around: Around) {
    let ends = (around.tell_before, around.told_before);
    if task == Task::Promote {
        // By then all that is to be up is.
        if let Some(node) = will_be_up(cluster, instance) {
            notify(cluster, instance, node, ("pre", task), ends);
        }
        return;
    }
    if cluster.rsc[instance].role <= Role::Stopped || (task == Task::Start && !stays_up(cluster, instance)) {
        return;
    }
    for node in cluster.rsc[instance].active.clone() {
        notify(cluster, instance, node, ("pre", task), ends);
    }
}

/// An instance is told of what happened where it will be then.
fn tell_after(cluster: &mut Cluster<'_>, instance: RscIdx, task: Task, around: Around) {
    let ends = (around.tell_after, around.told_after);
    let resource = &cluster.rsc[instance];
    if task == Task::Demote {
        if resource.role > Role::Stopped {
            for node in resource.active.clone() {
                notify(cluster, instance, node, ("post", task), ends);
            }
        }
    } else if task == Task::Stop && !stays_up(cluster, instance) {
        // It is not there to be told.
    } else if let Some(node) = will_be_up(cluster, instance) {
        notify(cluster, instance, node, ("post", task), ends);
    }
}

/// Tells one instance on a node between two milestones.
fn notify(
    cluster: &mut Cluster<'_>,
    instance: RscIdx,
    node: NodeIdx,
    (mark, task): (&str, Task),
    (tell, told): (ActIdx, ActIdx),
) {
    let host = &cluster.nodes[node];
    let lost = !host.online || host.unclean || host.remote_requires_reset;
    let entry = &cluster.actions[tell];
    if lost || entry.optional || !entry.runnable {
        return;
    }
    let (meta, priority) = (entry.meta.clone(), entry.priority);
    let key = format!("{}_{mark}_notify_{}_0", cluster.rsc[instance].id, task.name());
    let action = cluster.keyed_action(key, Task::Notify, 0, Some(instance), Some(node), false);
    let entry = &mut cluster.actions[action];
    entry.optional = false;
    entry.priority = priority;
    let notes = meta.iter().filter(|(name, _)| name.starts_with("notify_"));
    entry.meta_mut().extend(notes.map(|(name, value)| (name.clone(), value.clone())));
    cluster.order(tell, action, F::ORDERED);
    cluster.order(action, told, F::ORDERED);
    if mark == "post" {
        before_monitors(cluster, instance, told);
    }
}

/// If fencing stopped `instance`, the others are told after that.
fn after_fencing(cluster: &mut Cluster<'_>, instance: RscIdx, all: &[RscIdx]) {
    let Some(fencing) = fencing_of(cluster, instance) else { return };
    let others: Vec<ActIdx> = all.iter().filter_map(|other| told_of_stop(cluster, *other)).collect();
    let tell = stonith_milestone(cluster, instance, "post", Task::Notify);
    let told = stonith_milestone(cluster, instance, "confirmed-post", Task::Notified);
    cluster.order(fencing, tell, F::ORDERED);
    cluster.order(tell, told, F::ORDERED);
    for other in others {
        cluster.order(tell, other, F::ORDERED);
        cluster.order(other, told, F::ORDERED);
    }
    for other in all.iter().copied().filter(|other| told_of_stop(cluster, *other).is_some()).collect::<Vec<_>>() {
        before_monitors(cluster, other, told);
    }
}

/// The notification of an instance about a stop.
fn told_of_stop(cluster: &Cluster<'_>, instance: RscIdx) -> Option<ActIdx> {
    let resource = &cluster.rsc[instance];
    let key = format!("{}_post_notify_{}_0", resource.id, Task::Stop.name());
    resource.actions.iter().copied().find(|action| cluster.actions[*action].key == key)
}

/// Monitors see what the notified made of it.
fn before_monitors(cluster: &mut Cluster<'_>, instance: RscIdx, told: ActIdx) {
    let recurring = |action: &&ActIdx| {
        let action = &cluster.actions[**action];
        action.interval_ms > 0 && action.task != Task::Cancel
    };
    let monitors: Vec<ActIdx> = cluster.rsc[instance].actions.iter().filter(recurring).copied().collect();
    for monitor in monitors {
        cluster.order(told, monitor, F::ORDERED);
    }
}

/// The fencing that implies the stop of `instance`.
fn fencing_of(cluster: &Cluster<'_>, instance: RscIdx) -> Option<ActIdx> {
    let stops = cluster.actions_of(instance, Task::Stop, 0).into_iter().filter(|stop| cluster.actions[*stop].pseudo);
    let mut before = stops.flat_map(|stop| cluster.actions[stop].before.iter().map(|relation| relation.action));
    before.find(|action| {
        let action = &cluster.actions[*action];
        action.task == Task::Fence && !action.optional && action.detail.as_deref() != Some("on")
    })
}

fn stonith_milestone(cluster: &mut Cluster<'_>, instance: RscIdx, mark: &str, task: Task) -> ActIdx {
    let key = format!("{}_{mark}_notify_{}_0", cluster.rsc[instance].id, Task::Fence.name());
    let action = cluster.keyed_action(key, task, 0, Some(instance), None, false);
    let entry = &mut cluster.actions[action];
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
