//! Stops that can wait: what others were together with, and nothing waits for its stop.
//!
//! The order of a plan leaves a choice where an address moves away from a node and the server behind it stops there. When the
//! server goes last, clients are served throughout. Where something orders the two, a person has chosen.

use std::collections::BTreeMap;

use crate::action::Task;
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::plan::{Action, ActionKind};
use hac_model::Role;

/// For each stop that can wait, the starts elsewhere that it lets go first: positions in the plan.
pub(super) fn stops(graph: &Graph<'_>, picked: &[ActIdx], actions: &[Action]) -> BTreeMap<usize, Vec<usize>> {
    let mut lingering: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let any_role = |role| matches!(role, Role::Unknown | Role::Started);
    let togethers = graph.rules().colocations().iter().filter(|rule| {
        let whole = any_role(rule.dependent_role) && any_role(rule.primary_role) && rule.attribute.is_none();
        rule.explicit && rule.score > 0 && whole
    });
    let mut dependents: Option<Vec<Vec<usize>>> = None;
    for rule in togethers {
        let followers = primitives(graph, rule.dependent);
        for stop in primitives(graph, rule.primary).into_iter().flat_map(|rsc| planned(graph, rsc, Task::Stop)) {
            let Some(node) = picked.get(stop).and_then(|action| graph.actions[*action].node) else { continue };
            let leaving =
                followers.iter().filter(|rsc| acts(graph, picked, **rsc, Task::Stop, |at| at == node).next().is_some());
            let starts: Vec<usize> =
                leaving.flat_map(|rsc| acts(graph, picked, *rsc, Task::Start, |at| at != node)).collect();
            if starts.is_empty() || is_ordered(graph, picked, actions, stop, &followers) {
                continue;
            }
            if !nothing_waits(actions, dependents.get_or_insert_with(|| dependents_of(actions)), stop) {
                continue;
            }
            let after = lingering.entry(stop).or_default();
            after.extend(starts);
            after.sort_unstable();
            after.dedup();
        }
    }
    lingering
}

/// The primitives that a resource is or is made of.
fn primitives(graph: &Graph<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    let mut found = Vec::new();
    let mut open = vec![rsc];
    while let Some(rsc) = open.pop() {
        let resource = &graph.rsc[rsc];
        if resource.is_primitive() {
            found.push(rsc);
        }
        open.extend(&resource.children);
    }
    found
}

/// Places in the plan of what is done with a resource.
fn planned<'a>(graph: &'a Graph<'_>, rsc: RscIdx, task: Task) -> impl Iterator<Item = usize> + use<'a> {
    let of_kind = move |action: &&ActIdx| graph.actions[**action].task == task && !graph.actions[**action].pseudo;
    graph.actions_on(rsc).iter().filter(of_kind).filter_map(|action| graph.actions[*action].planned)
}

/// Those of them on such nodes.
fn acts<'a>(
    graph: &'a Graph<'_>,
    picked: &'a [ActIdx],
    rsc: RscIdx,
    task: Task,
    on: impl Fn(NodeIdx) -> bool + 'a,
) -> impl Iterator<Item = usize> + 'a {
    let node = move |at: &usize| picked.get(*at).and_then(|action| graph.actions[*action].node);
    planned(graph, rsc, task).filter(move |at| node(at).is_some_and(&on))
}

/// For each action, those that wait for it.
fn dependents_of(actions: &[Action]) -> Vec<Vec<usize>> {
    let mut dependents = vec![Vec::new(); actions.len()];
    for (at, action) in actions.iter().enumerate() {
        for &input in &action.inputs {
            if let Some(list) = dependents.get_mut(input) {
                list.push(at);
            }
        }
    }
    dependents
}

/// Whether after `stop` there are only milestones, and the leave of its node to go.
fn nothing_waits(actions: &[Action], dependents: &[Vec<usize>], stop: usize) -> bool {
    let mut seen = vec![false; actions.len()];
    let mut open = vec![stop];
    while let Some(first) = open.pop() {
        for &then in dependents.get(first).map_or(&[][..], Vec::as_slice) {
            let kind = actions.get(then).map(|action| &action.kind);
            if !matches!(kind, Some(ActionKind::Pseudo | ActionKind::Shutdown)) {
                return false;
            }
            if seen.get_mut(then).is_some_and(|seen| !std::mem::replace(seen, true)) {
                open.push(then);
            }
        }
    }
    true
}

/// Whether `stop` waits for something that is done with one of the followers.
fn is_ordered(graph: &Graph<'_>, picked: &[ActIdx], actions: &[Action], stop: usize, followers: &[RscIdx]) -> bool {
    let mut seen = vec![false; actions.len()];
    let mut open = vec![stop];
    while let Some(then) = open.pop() {
        for &first in actions.get(then).map_or(&[][..], |action| &action.inputs) {
            let whose = picked.get(first).and_then(|action| graph.actions[*action].rsc);
            if whose.is_some_and(|rsc| followers.contains(&rsc)) {
                return true;
            }
            if seen.get_mut(first).is_some_and(|seen| !std::mem::replace(seen, true)) {
                open.push(first);
            }
        }
    }
    false
}
