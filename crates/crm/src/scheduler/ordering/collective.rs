//! Orderings whose later side is a group, clone or bundle.

use crate::scheduler::cluster::{ActIdx, Cluster, NodeIdx, RelationFlags as F, RscIdx, Task};

use super::flags::{self, original_task, parts};
use super::partner;
use super::update::{Changed, Step, pair};

/// The milestone at which what `first` begins has been reached; `first` itself unless it is a collective's.
///
/// With notifications that is when all have been told.
pub(super) fn finished(cluster: &Cluster<'_>, first: ActIdx) -> ActIdx {
    let entry = &cluster.actions[first];
    let Some(rsc) = entry.rsc else { return first };
    let resource = &cluster.rsc[rsc];
    if resource.is_primitive() || entry.key.contains("_notify_") || entry.interval_ms > 0 {
        return first;
    }
    let Some(reached) = entry.task.begun().finished().filter(|task| *task != Task::Notified) else { return first };
    let key = if resource.is_group() || !resource.is.notify {
        format!("{}_{}_0", resource.id, reached.name())
    } else {
        format!("{}_confirmed-post_notify_{}_0", resource.id, reached.name())
    };
    resource.actions.iter().rev().copied().find(|action| cluster.actions[*action].key == key).unwrap_or(first)
}

/// Updates `first` and `then`, and what is inside the resource of `then`.
pub(super) fn update(cluster: &mut Cluster<'_>, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    match cluster.actions[then].rsc {
        Some(rsc) if cluster.rsc[rsc].is_group() => group(cluster, rsc, first, then, step),
        Some(rsc) if !cluster.rsc[rsc].is_primitive() => instances(cluster, rsc, first, then, step),
        _ => pair(cluster, first, then, step),
    }
}

/// A group: itself and every member that has such an action.
fn group(cluster: &mut Cluster<'_>, rsc: RscIdx, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changed = pair(cluster, first, then, step);
    let task = cluster.actions[then].task;
    for at in 0..cluster.rsc[rsc].children.len() {
        let member = cluster.rsc[rsc].children[at];
        if let Some(part) = cluster.first_action(member, task, step.node) {
            changed |= update(cluster, first, part, step);
        }
    }
    changed
}

fn instances(cluster: &mut Cluster<'_>, rsc: RscIdx, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    if interleaves(cluster, first, then) {
        return interleaved(cluster, rsc, first, then, step);
    }
    let mut changed = pair(cluster, first, then, step);
    let task = cluster.actions[then].task;
    for instance in parts(cluster, rsc) {
        let Some(part) = cluster.first_action(instance, task, step.node) else { continue };
        if flags::seen(cluster, part, step.node).runnable {
            changed |= update(cluster, first, part, step);
        }
    }
    changed
}

/// Whether instances wait only for their counterparts.
fn interleaves(cluster: &Cluster<'_>, first: ActIdx, then: ActIdx) -> bool {
    let (Some(before), Some(after)) = (cluster.actions[first].rsc, cluster.actions[then].rsc) else { return false };
    let multiple = |rsc: RscIdx| cluster.rsc[rsc].is_clone() || cluster.rsc[rsc].is_bundle();
    if before == after || !multiple(before) || !multiple(after) {
        return false;
    }
    let down = matches!(cluster.actions[then].task, Task::Stop | Task::Demote);
    let decides = if down { before } else { after };
    // Bundles always do.
    cluster.clone_data(decides).is_none_or(|data| data.interleave)
}

fn interleaved(cluster: &mut Cluster<'_>, rsc: RscIdx, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changed = Changed::default();
    let Some(before) = cluster.actions[first].rsc else { return changed };
    let current = {
        let key = &cluster.actions[first].key;
        key.ends_with("_stopped_0") || key.ends_with("_demoted_0")
    };
    let (first_task, then_task) = (original_task(cluster, first), cluster.actions[then].task);
    for instance in parts(cluster, rsc) {
        let Some(counterpart) = partner::of(cluster, instance, before, current) else {
            if step.flags.any(F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS) && !current {
                changed.then |= partner::unassign(cluster, instance);
            }
            continue;
        };
        let Some(partner_action) = instance_action(cluster, counterpart, before, first_task, None) else { continue };
        let Some(own_action) = instance_action(cluster, instance, rsc, then_task, step.node) else { continue };
        if cluster.order(partner_action, own_action, step.flags) {
            changed.first = true;
            changed.then = true;
        }
        let seen = flags::seen(cluster, partner_action, step.node);
        changed |= update(cluster, partner_action, own_action, &Step { first: seen, ..*step });
    }
    changed
}

/// The action of an instance. In a bundle starts and stops are the container's, roles those of what is inside.
fn instance_action(
    cluster: &Cluster<'_>,
    instance: RscIdx,
    of: RscIdx,
    task: Task,
    node: Option<NodeIdx>,
) -> Option<ActIdx> {
    let inner = cluster.bundle_data(of).and_then(|data| {
        let replica = data.replicas.iter().find(|replica| replica.container == instance)?;
        replica.child.filter(|_| matches!(task, Task::Promote | Task::Demote))
    });
    match inner {
        Some(inner) => cluster.first_action(inner, task, None),
        None => cluster.first_action(instance, task, node).or_else(|| cluster.first_action(instance, task, None)),
    }
}
