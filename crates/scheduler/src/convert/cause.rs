//! What a decision answers to where no action says why.

use crate::action::Task;
use crate::graph::Graph;
use crate::ids::{NodeIdx, RscIdx};
use crate::plan::{Cause, Obstacle, Verb};
use crate::viewing::target_role;

/// What makes `verb` the right thing to do about `rsc`, which is or was on `origin`.
pub(super) fn of(graph: &Graph<'_>, rsc: RscIdx, verb: Verb, origin: Option<NodeIdx>) -> Cause {
    match verb {
        Verb::Start => Cause::NotRunning,
        Verb::Promote => Cause::BestPromoted,
        Verb::Demote | Verb::RePromote if !graph.rsc[rsc].is.failed => down(graph, rsc, origin, Cause::OtherInstances),
        Verb::Fence => Cause::Requested,
        Verb::Stop
        | Verb::Move
        | Verb::Migrate
        | Verb::Restart
        | Verb::Recover
        | Verb::Reload
        | Verb::Demote
        | Verb::RePromote => away(graph, rsc, verb, origin),
    }
}

/// Why it does not stay as it is on `origin`.
fn away(graph: &Graph<'_>, rsc: RscIdx, verb: Verb, origin: Option<NodeIdx>) -> Cause {
    let resource = &graph.rsc[rsc];
    let Some(node) = origin else { return Cause::NotRunning };
    let name = || graph.nodes[node].name.clone();
    if verb != Verb::Stop && resource.is.failed {
        return Cause::Failed { node: name() };
    }
    let assigned = graph.placed[rsc].assigned;
    if verb == Verb::Stop && assigned.is_some_and(|next| next != node) {
        return Cause::Banned { node: name() };
    }
    let otherwise = match assigned {
        Some(next) if next != node && graph.scores.of(rsc).score(node) >= 0 => {
            Cause::BetterNode { from: name(), to: graph.nodes[next].name.clone() }
        }
        Some(next) if next == node => in_place(graph, rsc, verb, node),
        _ => Cause::Banned { node: name() },
    };
    down(graph, rsc, origin, otherwise)
}

/// Why it does not go on as it is where it stays.
fn in_place(graph: &Graph<'_>, rsc: RscIdx, verb: Verb, node: NodeIdx) -> Cause {
    let resource = &graph.rsc[rsc];
    let forgotten = || graph.first_action(rsc, Task::CleanUp, Some(node)).is_some();
    let failed = || resource.launched.iter().copied().find(|inside| graph.rsc[*inside].is.failed);
    if resource.active.len() > 1 {
        Cause::MultiplyActive
    } else if verb == Verb::Reload || forgotten() {
        Cause::Changed
    } else if let Some(inside) = failed() {
        Cause::Contained { resource: graph.rsc[inside].id.clone() }
    } else {
        Cause::Implied
    }
}

/// Why it may not stay up on `origin`, or else `otherwise`.
fn down(graph: &Graph<'_>, rsc: RscIdx, origin: Option<NodeIdx>, otherwise: Cause) -> Cause {
    let resource = &graph.rsc[rsc];
    if graph.options.stop_all {
        return Cause::StopAll;
    }
    if resource.is.removed {
        return Cause::Removed;
    }
    if target_role(graph, rsc).is_some_and(|role| resource.next_role <= role) {
        return Cause::TargetRole;
    }
    match origin.and_then(|node| obstacle(graph, node).map(|obstacle| (node, obstacle))) {
        Some((node, obstacle)) => Cause::Node { node: graph.nodes[node].name.clone(), obstacle },
        None => otherwise,
    }
}

/// Why a node may not run anything, if it may not.
pub(crate) fn obstacle(graph: &Graph<'_>, node: NodeIdx) -> Option<Obstacle> {
    let node = &graph.nodes[node];
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
