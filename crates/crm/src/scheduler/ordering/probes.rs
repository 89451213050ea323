//! What probes come before, by orderings that are about something else.

use crate::scheduler::cluster::{ActIdx, Cluster, Ordering, RelationFlags as F, RscIdx, Task};

/// Orders probes before what is ordered after a stop, and before what would be restarted.
pub(super) fn order(cluster: &mut Cluster<'_>, orderings: &[Ordering]) {
    for ordering in orderings {
        before_what_follows_a_stop(cluster, ordering);
    }
    for at in 0..cluster.top.len() {
        let rsc = cluster.top[at];
        before_restarts(cluster, rsc);
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
    if ordering.flags.is_none() || ordering.then.rsc == Some(rsc) || ordering.first.task != Task::Stop || launched {
        return;
    }
    let probes = probes(cluster, rsc);
    if probes.is_empty() {
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
        let mut seen = Vec::new();
        let after: Vec<ActIdx> = cluster.actions[probe].after.iter().rev().map(|r| r.action).collect();
        for action in after {
            through(cluster, probe, action, &mut seen);
        }
        for action in seen {
            cluster.actions[action].tracking = false;
        }
    }
}

/// Follows what is implied by `from`, and orders `probe` before the stops on the way.
fn through(cluster: &mut Cluster<'_>, probe: ActIdx, from: ActIdx, seen: &mut Vec<ActIdx>) {
    let mut open = vec![from];
    while let Some(action) = open.pop() {
        if std::mem::replace(&mut cluster.actions[action].tracking, true) {
            continue;
        }
        seen.push(action);
        let own = cluster.actions[probe].rsc;
        if let Some(rsc) = cluster.actions[action].rsc.filter(|rsc| Some(*rsc) != own && cluster.rsc[*rsc].is_primitive()) {
            for stop in cluster.actions_of(rsc, Task::Stop, 0) {
                if !cluster.actions[stop].pseudo {
                    cluster.order(probe, stop, F::ORDERED);
                }
            }
        }
        let implied = cluster.actions[action].after.iter().filter(|r| r.flags.has(F::FIRST_IMPLIES_THEN));
        open.extend(implied.map(|r| r.action));
    }
}
