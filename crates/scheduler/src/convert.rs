//! Stage: the plan. Picks what is really to be done, in the order in which Pacemaker stores it, and turns it into a plan.
//!
//! Reads actions, relations and resources; writes an action's place in the plan and takes orderings out that could
//! never be met. After this nothing of the working data is needed any more.

mod action;
mod cause;
mod drawing;
mod lingering;
mod pick;
mod summary;
mod told;

use crate::graph::Graph;
use crate::ids::{ActIdx, RscIdx};
use crate::plan::{Action, Plan};

pub(super) use cause::obstacle;
pub(super) use drawing::draw;

/// The plan.
pub(super) fn plan(graph: &mut Graph<'_>) -> Plan {
    pick::drop_invalid(graph);
    let order = order(graph);
    let mut picked = Vec::new();
    for action in order {
        if graph.actions[action].planned.is_none() && pick::action(graph, action) {
            graph.actions[action].planned = Some(picked.len());
            picked.push(action);
        }
    }
    let mut last = action::Last::default();
    let mut actions: Vec<Action> = picked.iter().map(|action| convert(graph, *action, &mut last)).collect();
    for (stop, starts) in lingering::stops(graph, &picked, &actions) {
        if let Some(action) = actions.get_mut(stop) {
            action.rather_after = starts;
        }
    }
    let summary = summary::decisions(graph);
    Plan {
        actions,
        summary,
        recheck_by: graph.recheck_by.get(),
        warnings: graph.warnings.take(),
        fence_devices: Vec::new(),
    }
}

fn convert(graph: &mut Graph<'_>, action: ActIdx, last: &mut action::Last) -> Action {
    let inputs = inputs(graph, action);
    Action { inputs, ..action::action(graph, action, last) }
}

/// Places in the plan of what must be done before, each once, in order of creation.
fn inputs(graph: &mut Graph<'_>, action: ActIdx) -> Vec<usize> {
    let mut before: Vec<(ActIdx, usize)> =
        graph.actions[action].before.iter().enumerate().map(|(at, relation)| (relation.action, at)).collect();
    // Of several relations with one action the newest is looked at first.
    before.sort_by_key(|(other, at)| (*other, std::cmp::Reverse(*at)));
    let mut inputs: Vec<usize> = Vec::new();
    for (other, at) in before {
        let Some(planned) = graph.actions[other].planned else { continue };
        if inputs.last() != Some(&planned) && pick::input(graph, action, at) {
            inputs.push(planned);
        }
    }
    inputs
}

/// All actions in the order of the graph: resource by resource, then the rest, newest first.
fn order(graph: &Graph<'_>) -> Vec<ActIdx> {
    let mut order = Vec::with_capacity(graph.actions.len());
    for rsc in &graph.top {
        of_resource(graph, *rsc, &mut order);
    }
    order.extend(graph.actions.keys().rev());
    order
}

fn of_resource(graph: &Graph<'_>, rsc: RscIdx, order: &mut Vec<ActIdx>) {
    let resource = &graph.rsc[rsc];
    if let Some(data) = resource.bundle_data() {
        data.child.iter().for_each(|inner| of_resource(graph, *inner, order));
        for replica in &data.replicas {
            let parts = [replica.ip, Some(replica.container), replica.remote];
            parts.into_iter().flatten().for_each(|part| of_resource(graph, part, order));
        }
        return;
    }
    let own = |order: &mut Vec<ActIdx>| order.extend(graph.actions_on(rsc).iter().rev());
    if !resource.is_clone() {
        own(order);
    }
    resource.children.iter().for_each(|child| of_resource(graph, *child, order));
    if resource.is_clone() {
        own(order);
    }
}
