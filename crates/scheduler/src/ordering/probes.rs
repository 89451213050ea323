//! What probes come before, by orderings that are about something else.

use super::Graph;
use crate::action::{Ordering, RelationFlags as F, Task};
use crate::assign;
use crate::ids::{ActIdx, RscIdx};
use crate::limits::ProbeSteps;
use hac_model::Role;
use hac_model::parse_bool;

/// Orders probes before what is ordered after a stop, and before what would be restarted.
pub(super) fn order(graph: &mut Graph<'_>, orderings: &[Ordering]) {
    // In this order: what follows from the first is not followed up.
    let mut steps = ProbeSteps::default();
    for at in 0..graph.top.len() {
        let rsc = graph.top[at];
        before_restarts(graph, rsc, &mut steps);
    }
    if let Some(warning) = steps.warning() {
        graph.warn(warning);
    }
    for ordering in orderings {
        before_what_follows_a_stop(graph, ordering);
    }
}

/// The probes of a primitive.
fn probes(graph: &Graph<'_>, rsc: RscIdx) -> Vec<ActIdx> {
    graph.actions_of(rsc, Task::Monitor, 0)
}

/// "Stop A, then B": as long as it is not known whether A runs, B waits for the probes of A.
fn before_what_follows_a_stop(graph: &mut Graph<'_>, ordering: &Ordering) {
    let Some(rsc) = ordering.first.rsc else { return };
    let launched = ordering.then.rsc.is_some() && graph.rsc[rsc].launcher == ordering.then.rsc;
    let of_container = launched && ordering.then.task == Task::Stop;
    if ordering.flags.is_none() || ordering.then.rsc == Some(rsc) || ordering.first.task != Task::Stop || of_container {
        return;
    }
    // Unfencing comes after stops, but before probes.
    let unfences = ordering.then.task == Task::Fence;
    let probes = probes(graph, rsc);
    if probes.is_empty() || unfences {
        return;
    }
    let thens = match (ordering.then.action, ordering.then.rsc) {
        (Some(then), _) => vec![then],
        (None, Some(rsc)) => graph.actions_of(rsc, ordering.then.task, ordering.then.interval_ms),
        (None, None) => Vec::new(),
    };
    let flags = preserved(ordering.flags);
    for probe in probes {
        for then in &thens {
            graph.order(probe, *then, flags);
        }
    }
}

/// The ordering of a probe, with those flags of the original that let it be dropped later.
fn preserved(flags: F) -> F {
    for alone in [F::IF_REQUIRED_ON_SAME_NODE, F::IF_ON_SAME_NODE_OR_TARGET] {
        if flags == alone {
            return flags;
        }
    }
    let mut kept = F::ORDERED;
    for flag in [F::IF_FIRST_UNMIGRATABLE, F::IF_ON_SAME_NODE] {
        if flags.has(flag) {
            kept |= flag;
        }
    }
    kept
}

/// If A's start would make B restart, B is stopped only once A was probed.
fn before_restarts(graph: &mut Graph<'_>, rsc: RscIdx, steps: &mut ProbeSteps) {
    for at in 0..graph.rsc[rsc].children.len() {
        let child = graph.rsc[rsc].children[at];
        before_restarts(graph, child, steps);
    }
    if !graph.rsc[rsc].is_primitive() {
        return;
    }
    for probe in probes(graph, rsc) {
        before_further_instances(graph, rsc, probe);
        let after: Vec<ActIdx> = graph.actions[probe].after.iter().rev().map(|r| r.action).collect();
        for action in after {
            let mut seen = Vec::new();
            through(graph, (probe, action), steps, &mut seen);
            for action in seen {
                graph.actions[action].tracking = false;
            }
        }
    }
}

/// A probe that cannot be run does not keep a clone from starting as long as some of it is active. But there could be too
/// many instances, so no further one starts before it is known what runs there.
fn before_further_instances(graph: &mut Graph<'_>, rsc: RscIdx, probe: ActIdx) {
    if graph.actions[probe].runnable {
        return;
    }
    let top = graph.top(rsc, false);
    if graph.rsc[top].is_primitive() || graph.rsc[top].is_group() {
        return;
    }
    let begin = |graph: &Graph<'_>, action: ActIdx| {
        let action = &graph.actions[action];
        action.task == Task::Start && action.rsc.is_some_and(|rsc| graph.top(rsc, false) == top)
    };
    let starts: Vec<ActIdx> = graph.actions[probe]
        .after
        .iter()
        .filter(|relation| !relation.flags.has(F::UNRUNNABLE_FIRST_BLOCKS))
        .map(|relation| relation.action)
        .filter(|action| graph.actions[*action].rsc == Some(top) && begin(graph, *action))
        .collect();
    for start in starts {
        let instances: Vec<ActIdx> = graph.actions[start].after.iter().map(|relation| relation.action).collect();
        for instance in instances {
            let active = graph.actions[instance].rsc.is_none_or(|rsc| !graph.rsc[rsc].active.is_empty());
            if !active && begin(graph, instance) {
                graph.order(probe, instance, F::ORDERED | F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
    }
}

/// Follows what is implied by `from`, and orders `probe` before what would be brought down on the way.
fn through(graph: &mut Graph<'_>, (probe, from): (ActIdx, ActIdx), steps: &mut ProbeSteps, seen: &mut Vec<ActIdx>) {
    let mut open = vec![from];
    while let Some(action) = open.pop() {
        if !steps.take() {
            return;
        }
        if std::mem::replace(&mut graph.actions[action].tracking, true) {
            continue;
        }
        seen.push(action);
        let after = graph.actions[action].rsc;
        if let Some(rsc) = after.filter(|rsc| Some(*rsc) != graph.actions[probe].rsc) {
            before_coming_down(graph, probe, action, rsc);
        }
        let partner = after.and_then(|after| interleaved_partner(graph, probe, after));
        let next = graph.actions[action].after.iter().filter(|relation| {
            relation.flags.has(F::FIRST_IMPLIES_THEN) || leads_inside(graph, probe, after, relation.action, partner)
        });
        let next: Vec<ActIdx> = next.map(|relation| relation.action).collect();
        open.extend(next);
    }
}

/// What starts anew must have come down before; the probe goes before that.
fn before_coming_down(graph: &mut Graph<'_>, probe: ActIdx, action: ActIdx, rsc: RscIdx) {
    let down = match graph.actions[action].task {
        Task::Start => Task::Stop,
        Task::Promote => Task::Demote,
        _ => return,
    };
    if !graph.rsc[rsc].is_primitive() {
        return;
    }
    for earlier in graph.actions_of(rsc, down, 0) {
        if !graph.actions[earlier].pseudo {
            graph.order(probe, earlier, F::ORDERED);
        }
    }
}

/// For an interleaved clone: the instance that goes with the probe's resource, if there is one.
fn interleaved_partner(graph: &Graph<'_>, probe: ActIdx, after: RscIdx) -> Option<Option<RscIdx>> {
    let resource = &graph.rsc[after];
    let interleave = resource.meta.get("interleave").and_then(|text| parse_bool(text)).unwrap_or(false);
    if !interleave || !(resource.is_clone() || resource.is_bundle()) {
        return None;
    }
    let rsc = graph.actions[probe].rsc?;
    Some(assign::compatible(graph, rsc, after, Role::Unknown, false))
}

/// From a collective's milestone to what is inside: to all parts, or to the partner of an interleaved clone.
fn leads_inside(
    graph: &Graph<'_>,
    probe: ActIdx,
    after: Option<RscIdx>,
    then: ActIdx,
    partner: Option<Option<RscIdx>>,
) -> bool {
    let (Some(after), Some(inner)) = (after, graph.actions[then].rsc) else { return false };
    let own_parent = graph.actions[probe].rsc.is_some_and(|rsc| graph.rsc[rsc].parent == Some(after));
    let collective = &graph.rsc[after];
    if collective.is_primitive() || own_parent || graph.rsc[inner].parent != Some(after) {
        return false;
    }
    if !graph.rsc[inner].is_primitive() && !graph.rsc[inner].is_group() {
        return false;
    }
    partner.is_none_or(|partner| !collective.is_clone() || partner == Some(inner))
}
