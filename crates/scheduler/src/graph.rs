//! Stage: graph. Picks what is really to be done, in the order in which Pacemaker stores it, and turns it into a plan.
//!
//! Reads actions, relations and resources; writes an action's place in the plan and takes orderings out that could
//! never be met. After this nothing of the working data is needed any more.

mod cause;
mod convert;
mod drawing;
mod pick;
mod summary;

use super::cluster::{ActIdx, Cluster, RscIdx};
use crate::plan::{Action, Plan};

pub(super) use cause::obstacle;
pub(super) use drawing::draw;

/// The plan.
pub(super) fn plan(cluster: &mut Cluster<'_>) -> Plan {
    pick::drop_invalid(cluster);
    let order = order(cluster);
    let mut picked = Vec::new();
    for action in order {
        if cluster.actions[action].planned.is_none() && pick::action(cluster, action) {
            cluster.actions[action].planned = Some(picked.len());
            picked.push(action);
        }
    }
    let mut last = convert::Last::default();
    let actions: Vec<Action> = picked.iter().map(|action| convert(cluster, *action, &mut last)).collect();
    let summary = summary::decisions(cluster);
    Plan { actions, summary, recheck_by: cluster.recheck_by, warnings: std::mem::take(&mut cluster.warnings) }
}

fn convert(cluster: &mut Cluster<'_>, action: ActIdx, last: &mut convert::Last) -> Action {
    let inputs = inputs(cluster, action);
    Action { inputs, ..convert::action(cluster, action, last) }
}

/// Places in the plan of what must be done before, each once, in order of creation.
fn inputs(cluster: &mut Cluster<'_>, action: ActIdx) -> Vec<usize> {
    let mut before: Vec<(ActIdx, usize)> =
        cluster.actions[action].before.iter().enumerate().map(|(at, relation)| (relation.action, at)).collect();
    // Of several relations with one action the newest is looked at first.
    before.sort_by_key(|(other, at)| (*other, std::cmp::Reverse(*at)));
    let mut inputs: Vec<usize> = Vec::new();
    for (other, at) in before {
        let Some(planned) = cluster.actions[other].planned else { continue };
        if inputs.last() != Some(&planned) && pick::input(cluster, action, at) {
            inputs.push(planned);
        }
    }
    inputs
}

/// All actions in the order of the graph: resource by resource, then the rest, newest first.
fn order(cluster: &Cluster<'_>) -> Vec<ActIdx> {
    let mut order = Vec::with_capacity(cluster.actions.len());
    for rsc in &cluster.top {
        of_resource(cluster, *rsc, &mut order);
    }
    order.extend(cluster.actions.keys().rev());
    order
}

fn of_resource(cluster: &Cluster<'_>, rsc: RscIdx, order: &mut Vec<ActIdx>) {
    let resource = &cluster.rsc[rsc];
    if let Some(data) = resource.bundle_data() {
        data.child.iter().for_each(|inner| of_resource(cluster, *inner, order));
        for replica in &data.replicas {
            let parts = [replica.ip, Some(replica.container), replica.remote];
            parts.into_iter().flatten().for_each(|part| of_resource(cluster, part, order));
        }
        return;
    }
    let own = |order: &mut Vec<ActIdx>| order.extend(resource.actions.iter().rev());
    if !resource.is_clone() {
        own(order);
    }
    resource.children.iter().for_each(|child| of_resource(cluster, *child, order));
    if resource.is_clone() {
        own(order);
    }
}
