//! The actions of a plan, and those that cannot be carried out, with what each waits for.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Action, RelationFlags, Task};
use crate::convert::obstacle;
use crate::explain::{Step, Wait};
use crate::graph::Graph;
use crate::ids::{ActIdx, RscIdx};
use crate::names::base_name;
use crate::plan::{Plan, Reason};
use hac_model::{Constraint, Order};

/// No more things that an action waits for are told.
const WAITS_MAX: usize = 20;

/// The wanted actions, in an order in which they can be carried out; after them those that are needed and cannot be carried out.
pub(super) fn all(graph: &Graph<'_>, plan: &Plan, wanted: impl Fn(&Action) -> bool) -> Vec<Step> {
    let mut by_place: Vec<Option<ActIdx>> = vec![None; plan.actions.len()];
    for action in graph.actions.keys() {
        if let Some(slot) = graph.actions[action].planned.and_then(|place| by_place.get_mut(place)) {
            *slot = Some(action);
        }
    }
    let steps = Steps { graph, plan, by_place: &by_place, orders: orders(graph) };
    let in_order = order(plan).into_iter().filter_map(|place| by_place.get(place).copied().flatten());
    let planned = in_order.filter(|action| {
        let entry = &graph.actions[*action];
        !entry.pseudo && wanted(entry)
    });
    let mut told: Vec<Step> = planned.map(|action| steps.step(action)).collect();
    for action in graph.actions.keys() {
        let entry = &graph.actions[action];
        // A monitor follows from a start, which tells the reason.
        if is_blocked(entry) && entry.planned.is_none() && entry.interval_ms == 0 && wanted(entry) {
            told.push(steps.blocked(action));
        }
    }
    told
}

/// The places of a plan's actions, each after its inputs; what is in a circle is at the end.
fn order(plan: &Plan) -> Vec<usize> {
    let count = plan.actions.len();
    let mut missing = vec![0_usize; count];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (place, action) in plan.actions.iter().enumerate() {
        for input in action.inputs.iter().filter(|input| **input < count) {
            missing[place] += 1;
            dependents[*input].push(place);
        }
    }
    let mut ready: BTreeSet<usize> = (0..count).filter(|place| missing[*place] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(place) = ready.pop_first() {
        order.push(place);
        for dependent in &dependents[place] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    order.extend((0..count).filter(|place| missing[*place] > 0));
    order
}

/// Needed, and cannot be carried out.
fn is_blocked(entry: &Action) -> bool {
    !entry.runnable && !entry.optional && !entry.pseudo
}

struct Steps<'g, 'a> {
    graph: &'g Graph<'a>,
    plan: &'g Plan,
    by_place: &'g [Option<ActIdx>],
    /// Ordering constraints by the names that they have, in document order.
    orders: BTreeMap<&'a str, Vec<&'a Order>>,
}

impl Steps<'_, '_> {
    fn step(&self, action: ActIdx) -> Step {
        let entry = &self.graph.actions[action];
        let after = entry.planned.map_or_else(Vec::new, |place| self.work_before(place));
        Step {
            constraint: self.constraint_of(entry),
            reason: entry.reason.clone(),
            after: after.into_iter().map(|other| self.wait(other, action)).collect(),
            ..self.named(entry)
        }
    }

    fn blocked(&self, action: ActIdx) -> Step {
        let entry = &self.graph.actions[action];
        let blocks = |flags: RelationFlags| {
            flags.any(RelationFlags::UNRUNNABLE_FIRST_BLOCKS | RelationFlags::THEN_IMPLIES_FIRST)
        };
        let mut before: Vec<ActIdx> = entry
            .before
            .iter()
            .filter(|relation| blocks(relation.flags) && is_blocked(&self.graph.actions[relation.action]))
            .map(|relation| relation.action)
            .collect();
        before.sort_unstable();
        before.dedup();
        Step {
            blocked: true,
            constraint: self.constraint_of(entry),
            reason: entry.reason.clone(),
            obstacle: entry.node.and_then(|node| obstacle(self.graph, node)),
            after: before.into_iter().take(WAITS_MAX).map(|other| self.wait(other, action)).collect(),
            ..self.named(entry)
        }
    }

    /// The constraint by which the resource that a reason names bears on an action.
    fn constraint_of(&self, entry: &Action) -> Option<String> {
        let (Reason::Unrunnable(other, _) | Reason::Unmigrateable(other, _) | Reason::Required(other, _)) =
            entry.reason.as_ref()?
        else {
            return None;
        };
        self.constraint(self.graph.find_or_renamed(other)?, entry.rsc?)
    }

    /// The ordering constraint that names both resources, or what they are parts of.
    fn constraint(&self, first: RscIdx, then: RscIdx) -> Option<String> {
        let (mine, theirs) = (names(self.graph, first), names(self.graph, then));
        let has = |order: &Order, names: &BTreeSet<&str>, others: &BTreeSet<&str>| {
            order_names(order).iter().any(|name| names.contains(name) && !others.contains(name))
        };
        let named = mine.iter().filter_map(|name| self.orders.get(name)).flatten();
        let mut between = named.filter(|order| has(order, &mine, &theirs) && has(order, &theirs, &mine));
        between.next().map(|order| order.id.clone())
    }

    /// What an action is.
    fn named(&self, entry: &Action) -> Step {
        Step {
            key: entry.key.clone(),
            resource: entry.rsc.map(|rsc| self.graph.rsc[rsc].id.clone()),
            task: task(entry),
            interval_ms: entry.interval_ms,
            node: entry.node.map(|node| self.graph.nodes[node].name.clone()),
            ..Step::default()
        }
    }

    fn wait(&self, other: ActIdx, action: ActIdx) -> Wait {
        let (entry, then) = (&self.graph.actions[other], &self.graph.actions[action]);
        let constraint = entry.rsc.zip(then.rsc).and_then(|(first, then)| self.constraint(first, then));
        Wait {
            key: entry.key.clone(),
            resource: entry.rsc.map(|rsc| self.graph.rsc[rsc].id.clone()),
            task: task(entry),
            node: entry.node.map(|node| self.graph.nodes[node].name.clone()),
            blocked: is_blocked(entry),
            constraint,
        }
    }

    /// The work that must be done right before the action at `place`: milestones stand for what leads to them.
    fn work_before(&self, place: usize) -> Vec<ActIdx> {
        let inputs = |place: usize| self.plan.actions.get(place).map_or(&[][..], |action| &action.inputs);
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut queue: Vec<usize> = inputs(place).iter().rev().copied().collect();
        let mut found = Vec::new();
        while let Some(at) = queue.pop().filter(|_| found.len() < WAITS_MAX) {
            if !seen.insert(at) {
                continue;
            }
            match self.by_place.get(at).copied().flatten() {
                Some(action) if !self.graph.actions[action].pseudo => found.push(action),
                _ => queue.extend(inputs(at).iter().rev()),
            }
        }
        found
    }
}

fn task(entry: &Action) -> String {
    match (entry.task, &entry.detail) {
        (Task::Fence, Some(what)) => format!("fencing ({what})"),
        (Task::Cancel, Some(what)) => format!("end of the recurring {what}"),
        _ => entry.task.name().to_owned(),
    }
}

/// The configured ordering constraints by the names that they have.
fn orders<'a>(graph: &Graph<'a>) -> BTreeMap<&'a str, Vec<&'a Order>> {
    let mut found: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
    for constraint in &graph.cib.configuration.constraints {
        if let Constraint::Order(order) = constraint {
            order_names(order).into_iter().for_each(|name| found.entry(name).or_default().push(order));
        }
    }
    found
}

/// The names by which a constraint may call a resource: its own, and those of what contains it.
fn names<'c>(graph: &'c Graph<'_>, rsc: RscIdx) -> BTreeSet<&'c str> {
    let mut names = BTreeSet::new();
    let mut at = Some(rsc);
    while let Some(rsc) = at {
        names.insert(graph.rsc[rsc].id.as_str());
        names.insert(base_name(&graph.rsc[rsc].id));
        at = graph.rsc[rsc].parent;
    }
    let tags = graph.sets.iter().filter(|(_, members)| members.iter().any(|member| names.contains(member.as_str())));
    let tags: Vec<&str> = tags.map(|(tag, _)| tag.as_str()).collect();
    names.extend(tags);
    names
}

fn order_names(order: &Order) -> Vec<&str> {
    let members = order.sets.iter().flat_map(|set| set.members.iter().map(String::as_str));
    [order.first.as_str(), order.then.as_str()].into_iter().filter(|name| !name.is_empty()).chain(members).collect()
}
