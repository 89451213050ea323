//! Orderings whose later side is a group, clone or bundle.

use super::Graph;
use crate::action::{RelationFlags as F, Task};
use crate::assign;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use hac_model::Role;
use hac_model::parse_bool;

use super::Walk;
use super::flags::{self, parts, told_task};
use super::update::{self, Changed, Step, pair};

/// The milestone at which what `first` begins has been reached; `first` itself unless it is a collective's.
///
/// With notifications that is when all have been told.
pub(super) fn finished(graph: &Graph<'_>, first: ActIdx) -> ActIdx {
    let entry = &graph.actions[first];
    let Some(rsc) = entry.rsc else { return first };
    let resource = &graph.rsc[rsc];
    if resource.is_primitive() || entry.key.contains("notify") || entry.interval_ms > 0 {
        return first;
    }
    let Some(reached) = entry.task.begun().finished().filter(|task| *task != Task::Notified) else { return first };
    let tells = resource.is.notify && (resource.is_clone() || resource.is_bundle());
    let key = if tells {
        format!("{}_confirmed-post_notify_{}_0", resource.id, reached.name())
    } else {
        format!("{}_{}_0", resource.id, reached.name())
    };
    graph.actions_on(rsc).iter().rev().copied().find(|action| graph.actions[*action].key == key).unwrap_or(first)
}

/// Updates `first` and `then` as the kind of `owner` asks, and what is inside the resource of `then`.
pub(super) fn update(
    graph: &mut Graph<'_>,
    walk: &mut Walk,
    owner: RscIdx,
    first: ActIdx,
    then: ActIdx,
    step: &Step,
) -> Changed {
    let Some(rsc) = graph.actions[then].rsc else { return pair(graph, walk, first, then, step) };
    if graph.rsc[owner].is_primitive() {
        pair(graph, walk, first, then, step)
    } else if graph.rsc[owner].is_group() {
        group(graph, walk, rsc, first, then, step)
    } else {
        instances(graph, walk, rsc, first, then, step)
    }
}

/// A group: itself and every member that has such an action.
fn group(graph: &mut Graph<'_>, walk: &mut Walk, rsc: RscIdx, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    let mut changed = pair(graph, walk, first, then, step);
    let task = graph.actions[then].task;
    for at in 0..graph.rsc[rsc].children.len() {
        let member = graph.rsc[rsc].children[at];
        if let Some(part) = graph.first_action(member, task, step.node) {
            changed |= update(graph, walk, member, first, part, step);
        }
    }
    changed
}

fn instances(graph: &mut Graph<'_>, walk: &mut Walk, rsc: RscIdx, first: ActIdx, then: ActIdx, step: &Step) -> Changed {
    if interleaves(graph, first, then) {
        return interleaved(graph, walk, rsc, first, then, step);
    }
    let mut changed = pair(graph, walk, first, then, step);
    let task = graph.actions[then].task;
    for instance in parts(graph, rsc) {
        let Some(part) = graph.first_action(instance, task, step.node) else { continue };
        if !flags::seen(graph, part, step.node).runnable {
            continue;
        }
        let of_part = update(graph, walk, instance, first, part, step);
        if of_part.then {
            update::follow(graph, walk, part);
        }
        changed |= of_part;
    }
    changed
}

/// Whether instances wait only for their counterparts.
fn interleaves(graph: &Graph<'_>, first: ActIdx, then: ActIdx) -> bool {
    let (Some(before), Some(after)) = (graph.actions[first].rsc, graph.actions[then].rsc) else { return false };
    let multiple = |rsc: RscIdx| graph.rsc[rsc].is_clone() || graph.rsc[rsc].is_bundle();
    if before == after || !multiple(before) || !multiple(after) {
        return false;
    }
    let down = matches!(graph.actions[then].task, Task::Stop | Task::Demote);
    let decides = if down { before } else { after };
    graph.rsc[decides].meta.get("interleave").and_then(|text| parse_bool(text)).unwrap_or(false)
}

fn interleaved(
    graph: &mut Graph<'_>,
    walk: &mut Walk,
    rsc: RscIdx,
    first: ActIdx,
    then: ActIdx,
    step: &Step,
) -> Changed {
    let mut changed = Changed::default();
    let Some(before) = graph.actions[first].rsc else { return changed };
    let current = {
        let key = &graph.actions[first].key;
        key.ends_with("_stopped_0") || key.ends_with("_demoted_0")
    };
    let (told, then_task) = (told_task(graph, first), graph.actions[then].task);
    for instance in parts(graph, rsc) {
        let Some(counterpart) = assign::compatible(graph, instance, before, Role::Unknown, current) else {
            if step.flags.any(F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS) && !current {
                let was = graph.location(instance, false);
                graph.take_back(instance, before);
                // It may have been the last instance that could start.
                flags::seen(graph, then, None);
                changed.then |= was.is_some();
            }
            continue;
        };
        // A cloned group has a milestone of its own for what is finished.
        let first_task = if graph.rsc[counterpart].is_group() { told } else { told.begun() };
        let Some(partner_action) = instance_action(graph, counterpart, before, first_task, step.node, true) else {
            continue;
        };
        let Some(own_action) = instance_action(graph, instance, rsc, then_task, step.node, false) else { continue };
        if graph.order(partner_action, own_action, step.flags) {
            changed.first = true;
            changed.then = true;
        }
        let seen = flags::seen(graph, partner_action, step.node);
        changed |= update(graph, walk, instance, partner_action, own_action, &Step { first: seen, ..*step });
    }
    changed
}

/// The action of an instance. In a bundle starts and stops are the container's, roles those of what is inside; and what
/// starts as the `first` of two has not done so before what is inside has.
fn instance_action(
    graph: &Graph<'_>,
    instance: RscIdx,
    of: RscIdx,
    task: Task,
    node: Option<NodeIdx>,
    first: bool,
) -> Option<ActIdx> {
    let inside = matches!(task, Task::Promote | Task::Demote) || (first && task == Task::Start);
    let inner = graph.bundle_data(of).and_then(|data| {
        let replica = data.replicas.iter().find(|replica| replica.container == instance)?;
        replica.child.filter(|_| inside)
    });
    match inner {
        Some(inner) => graph.first_action(inner, task, None),
        None => graph.first_action(instance, task, node),
    }
}
