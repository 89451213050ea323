//! What probes come before, by orderings that are about something else.

use crate::assign;
use crate::cluster::{ActIdx, Cluster, Ordering, RelationFlags as F, Role, RscIdx, Task};
use hac_model::parse_bool;

/// Orders probes before what is ordered after a stop, and before what would be restarted.
pub(super) fn order(cluster: &mut Cluster<'_>, orderings: &[Ordering]) {
    // In this order: what follows from the first is not followed up.
    for at in 0..cluster.top.len() {
        let rsc = cluster.top[at];
        before_restarts(cluster, rsc);
    }
    for ordering in orderings {
        before_what_follows_a_stop(cluster, ordering);
    }
}

/// The probes of a primitive.
fn probes(cluster: &Cluster<'_>, rsc: RscIdx) -> Vec<ActIdx> {
    cluster.actions_of(rsc, Task::Monitor, 0)
}

/// "Stop A, then B": as long as it is not known whether A runs, B waits for the probes of A.
fn before_what_follows_a_stop(cluster: &mut Cluster<'_>, ordering: &Ordering) {
    let Some(rsc) = ordering.first.rsc else { return };
    let launched = ordering.then.rsc.is_some() && cluster.rsc[rsc].launcher == ordering.then.rsc;
    let of_container = launched && ordering.then.task == Task::Stop;
    if ordering.flags.is_none() || ordering.then.rsc == Some(rsc) || ordering.first.task != Task::Stop || of_container {
        return;
    }
    // Unfencing comes after stops, but before probes.
    let unfences = ordering.then.task == Task::Fence;
    let probes = probes(cluster, rsc);
    if probes.is_empty() || unfences {
        return;
    }
    let thens = match (ordering.then.action, ordering.then.rsc) {
        (Some(then), _) => vec![then],
        (None, Some(rsc)) => cluster.actions_of(rsc, ordering.then.task, ordering.then.interval_ms),
        (None, None) => Vec::new(),
    };
    let flags = preserved(ordering.flags);
    for probe in probes {
        for then in &thens {
            cluster.order(probe, *then, flags);
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
fn before_restarts(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    for at in 0..cluster.rsc[rsc].children.len() {
        let child = cluster.rsc[rsc].children[at];
        before_restarts(cluster, child);
    }
    if !cluster.rsc[rsc].is_primitive() {
        return;
    }
    for probe in probes(cluster, rsc) {
        let after: Vec<ActIdx> = cluster.actions[probe].after.iter().rev().map(|r| r.action).collect();
        for action in after {
            let mut seen = Vec::new();
            through(cluster, probe, action, &mut seen);
            for action in seen {
                cluster.actions[action].tracking = false;
            }
        }
    }
}

/// Follows what is implied by `from`, and orders `probe` before what would be brought down on the way.
fn through(cluster: &mut Cluster<'_>, probe: ActIdx, from: ActIdx, seen: &mut Vec<ActIdx>) {
    let mut open = vec![from];
    while let Some(action) = open.pop() {
        if !cluster.limits.step_from_probe() {
            return;
        }
        if std::mem::replace(&mut cluster.actions[action].tracking, true) {
            continue;
        }
        seen.push(action);
        let after = cluster.actions[action].rsc;
        if let Some(rsc) = after.filter(|rsc| Some(*rsc) != cluster.actions[probe].rsc) {
            before_coming_down(cluster, probe, action, rsc);
        }
        let partner = after.and_then(|after| interleaved_partner(cluster, probe, after));
        let next = cluster.actions[action].after.iter().filter(|relation| {
            relation.flags.has(F::FIRST_IMPLIES_THEN) || leads_inside(cluster, probe, after, relation.action, partner)
        });
        let next: Vec<ActIdx> = next.map(|relation| relation.action).collect();
        open.extend(next);
    }
}

/// What starts anew must have come down before; the probe goes before that.
fn before_coming_down(cluster: &mut Cluster<'_>, probe: ActIdx, action: ActIdx, rsc: RscIdx) {
    let down = match cluster.actions[action].task {
        Task::Start => Task::Stop,
        Task::Promote => Task::Demote,
        _ => return,
    };
    if !cluster.rsc[rsc].is_primitive() {
        return;
    }
    for earlier in cluster.actions_of(rsc, down, 0) {
        if !cluster.actions[earlier].pseudo {
            cluster.order(probe, earlier, F::ORDERED);
        }
    }
}

/// For an interleaved clone: the instance that goes with the probe's resource, if there is one.
fn interleaved_partner(cluster: &Cluster<'_>, probe: ActIdx, after: RscIdx) -> Option<Option<RscIdx>> {
    let resource = &cluster.rsc[after];
    let interleave = resource.meta.get("interleave").and_then(|text| parse_bool(text)).unwrap_or(false);
    if !interleave || !(resource.is_clone() || resource.is_bundle()) {
        return None;
    }
    let rsc = cluster.actions[probe].rsc?;
    Some(assign::compatible(cluster, rsc, after, Role::Unknown, false))
}

/// From a collective's milestone to what is inside: to all parts, or to the partner of an interleaved clone.
fn leads_inside(
    cluster: &Cluster<'_>,
    probe: ActIdx,
    after: Option<RscIdx>,
    then: ActIdx,
    partner: Option<Option<RscIdx>>,
) -> bool {
    let (Some(after), Some(inner)) = (after, cluster.actions[then].rsc) else { return false };
    let own_parent = cluster.actions[probe].rsc.is_some_and(|rsc| cluster.rsc[rsc].parent == Some(after));
    let collective = &cluster.rsc[after];
    if collective.is_primitive() || own_parent || cluster.rsc[inner].parent != Some(after) {
        return false;
    }
    if !cluster.rsc[inner].is_primitive() && !cluster.rsc[inner].is_group() {
        return false;
    }
    partner.is_none_or(|partner| !collective.is_clone() || partner == Some(inner))
}
