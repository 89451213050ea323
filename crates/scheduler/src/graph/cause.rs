//! What a decision answers to where no action says why.

use crate::cluster::{Cluster, NodeIdx, RscIdx, Task};
use crate::plan::{Cause, Obstacle, Verb};
use crate::viewing::target_role;

/// What makes `verb` the right thing to do about `rsc`, which is or was on `origin`.
pub(super) fn of(cluster: &Cluster<'_>, rsc: RscIdx, verb: Verb, origin: Option<NodeIdx>) -> Cause {
    match verb {
        Verb::Start => Cause::NotRunning,
        Verb::Promote => Cause::BestPromoted,
        Verb::Demote | Verb::RePromote if !cluster.rsc[rsc].is.failed => {
            down(cluster, rsc, origin, Cause::OtherInstances)
        }
        Verb::Fence => Cause::Requested,
        Verb::Stop
        | Verb::Move
        | Verb::Migrate
        | Verb::Restart
        | Verb::Recover
        | Verb::Reload
        | Verb::Demote
        | Verb::RePromote => away(cluster, rsc, verb, origin),
    }
}

/// Why it does not stay as it is on `origin`.
fn away(cluster: &Cluster<'_>, rsc: RscIdx, verb: Verb, origin: Option<NodeIdx>) -> Cause {
    let resource = &cluster.rsc[rsc];
    let Some(node) = origin else { return Cause::NotRunning };
    let name = || cluster.nodes[node].name.clone();
    if verb != Verb::Stop && resource.is.failed {
        return Cause::Failed { node: name() };
    }
    if verb == Verb::Stop && resource.assigned.is_some_and(|next| next != node) {
        return Cause::Banned { node: name() };
    }
    let otherwise = match resource.assigned {
        Some(next) if next != node && cluster.scores.of(rsc).score(node) >= 0 => {
            Cause::BetterNode { from: name(), to: cluster.nodes[next].name.clone() }
        }
        Some(next) if next == node => in_place(cluster, rsc, verb, node),
        _ => Cause::Banned { node: name() },
    };
    down(cluster, rsc, origin, otherwise)
}

/// Why it does not go on as it is where it stays.
fn in_place(cluster: &Cluster<'_>, rsc: RscIdx, verb: Verb, node: NodeIdx) -> Cause {
    let resource = &cluster.rsc[rsc];
    let forgotten = || cluster.first_action(rsc, Task::CleanUp, Some(node)).is_some();
    let failed = || resource.launched.iter().copied().find(|inside| cluster.rsc[*inside].is.failed);
    if resource.active.len() > 1 {
        Cause::MultiplyActive
    } else if verb == Verb::Reload || forgotten() {
        Cause::Changed
    } else if let Some(inside) = failed() {
        Cause::Contained { resource: cluster.rsc[inside].id.clone() }
    } else {
        Cause::Implied
    }
}

/// Why it may not stay up on `origin`, or else `otherwise`.
fn down(cluster: &Cluster<'_>, rsc: RscIdx, origin: Option<NodeIdx>, otherwise: Cause) -> Cause {
    let resource = &cluster.rsc[rsc];
    if cluster.options.stop_all {
        return Cause::StopAll;
    }
    if resource.is.removed {
        return Cause::Removed;
    }
    if target_role(cluster, rsc).is_some_and(|role| resource.next_role <= role) {
        return Cause::TargetRole;
    }
    match origin.and_then(|node| obstacle(cluster, node).map(|obstacle| (node, obstacle))) {
        Some((node, obstacle)) => Cause::Node { node: cluster.nodes[node].name.clone(), obstacle },
        None => otherwise,
    }
}

/// Why a node may not run anything, if it may not.
pub(crate) fn obstacle(cluster: &Cluster<'_>, node: NodeIdx) -> Option<Obstacle> {
    let node = &cluster.nodes[node];
    let found = [
        (node.unclean, Obstacle::Unclean),
        (node.shutdown, Obstacle::Leaving),
        (node.pending, Obstacle::Joining),
        (!node.online, Obstacle::Offline),
        (node.fail_standby, Obstacle::StandbyOnFail),
        (node.standby, Obstacle::Standby),
        (node.maintenance, Obstacle::Maintenance),
    ];
    found.into_iter().find(|(holds, _)| *holds).map(|(_, obstacle)| obstacle)
}
