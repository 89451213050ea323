//! Stage: fencing and shutdown of nodes, and what comes before and after.
//!
//! Reads nodes and all actions; writes fencing and shutdown actions, turns what fencing implies into milestones, and
//! relates at once, for the orderings are applied later.

use crate::action::{Needs, RelationFlags as F, Task};
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::notify;

/// Decides about every node in order of names. What happens to the coordinator comes last.
pub(crate) fn run(graph: &mut Graph<'_>) {
    let managed = graph.top.iter().any(|rsc| graph.rsc[*rsc].is.managed);
    let (mut coordinator, mut fencings, mut shutdowns) = (None, Vec::new(), Vec::new());
    for node in graph.node_order.clone() {
        let host = &graph.nodes[node];
        if host.is_guest() {
            if host.remote_requires_reset && managed && graph.can_fence(node) {
                guest(graph, node);
            }
            continue;
        }
        let fences = host.unclean && managed && graph.can_fence(node);
        let leaves = host.online && host.shutdown && !host.is_remote();
        if fences {
            let fencing = graph.fence_op(node, None, false, Some("node is unclean"), false);
            order_around(graph, node, fencing);
            if graph.nodes[node].is_dc {
                coordinator = Some(fencing);
            } else {
                add_fencing(graph, &mut fencings, fencing);
            }
        } else if leaves {
            let shutdown = shut_down(graph, node);
            if graph.nodes[node].is_dc {
                coordinator = Some(shutdown);
            } else {
                shutdowns.push(shutdown);
            }
        }
    }
    let Some(coordinator) = coordinator else { return };
    if graph.actions[coordinator].task == Task::Shutdown {
        for shutdown in shutdowns {
            graph.order(shutdown, coordinator, F::ORDERED);
        }
    }
    for fencing in fencings {
        graph.order(fencing, coordinator, F::ORDERED);
    }
}

/// Adds a fencing to those that are under way together; where only one may be, after the one before it.
fn add_fencing(graph: &mut Graph<'_>, fencings: &mut Vec<ActIdx>, fencing: ActIdx) {
    if !graph.options.concurrent_fencing {
        for before in fencings.drain(..) {
            graph.order(before, fencing, F::ORDERED);
        }
    }
    fencings.push(fencing);
}

/// A guest is fenced by the stop of its container, or together with the host. Its own fencing is but a milestone.
fn guest(graph: &mut Graph<'_>, node: NodeIdx) {
    let Some(container) = graph.container_of(node) else { return };
    let stop = graph.first_action(container, Task::Stop, None);
    let restarts = graph.first_action(container, Task::Start, None).is_some();
    let what = if restarts { "reboot" } else { "off" };
    let fencing = graph.fence_op(node, Some(what), false, Some("guest is unclean"), false);
    let entry = &mut graph.actions[fencing];
    entry.pseudo = true;
    entry.runnable = true;
    entry.optional = false;
    let implied = F::UNRUNNABLE_FIRST_BLOCKS | F::FIRST_IMPLIES_THEN;
    let host = stop.and_then(|stop| graph.actions[stop].node);
    // If it is known already that the host's fencing implies that stop, only the fencing counts.
    let implied_stop = stop.is_some_and(|stop| graph.actions[stop].pseudo);
    let lost = host.filter(|_| implied_stop);
    if let Some(host) = lost {
        let first = graph.fence_op(host, None, true, None, false);
        graph.order(first, fencing, implied);
    } else if let Some(stop) = stop {
        graph.order(stop, fencing, implied);
    } else if let Some(connection) = graph.nodes[node].connection
        && let Some(stop) = graph.first_action(connection, Task::Stop, None)
    {
        graph.order(stop, fencing, F::ORDERED);
    }
    order_around(graph, node, fencing);
}

/// Lets a node go once everything on it is stopped.
fn shut_down(graph: &mut Graph<'_>, node: NodeIdx) -> ActIdx {
    let key = format!("{}-{}", Task::Shutdown.name(), graph.nodes[node].name);
    let shutdown = graph.keyed_action(key, Task::Shutdown, 0, None, Some(node), false);
    graph.actions[shutdown].meta_mut().insert("op_no_wait".into(), "true".into());
    for stop in graph.actions.keys().collect::<Vec<_>>() {
        let entry = &graph.actions[stop];
        if entry.task != Task::Stop || entry.node != Some(node) {
            continue;
        }
        let Some(rsc) = entry.rsc else { continue };
        let is = &graph.rsc[rsc].is;
        if is.maintenance || (!is.managed && !is.blocked) {
            continue;
        }
        graph.actions[stop].optional = false;
        graph.order(stop, shutdown, F::ORDERED | F::UNRUNNABLE_FIRST_BLOCKS);
    }
    shutdown
}

/// Orders everything that has to do with the fencing of `node`.
fn order_around(graph: &mut Graph<'_>, node: NodeIdx, fencing: ActIdx) {
    for at in 0..graph.top.len() {
        for rsc in graph.primitives(graph.top[at]) {
            starts(graph, rsc, node, fencing);
            stops(graph, rsc, node, fencing);
        }
    }
}

/// What needs fencing starts after it; what needs quorum does if it might run on the victim.
fn starts(graph: &mut Graph<'_>, rsc: RscIdx, victim: NodeIdx, fencing: ActIdx) {
    let resource = &graph.rsc[rsc];
    // What is known of one instance is known of all that are not told apart.
    let clone = resource.parent.filter(|parent| graph.rsc[*parent].is_clone() && !graph.rsc[*parent].is.unique);
    let known = resource.known.contains(&victim) || clone.is_some_and(|clone| graph.rsc[clone].known.contains(&victim));
    let unknown = graph.scores.of(rsc).has(victim) && !known;
    for action in graph.actions_on(rsc).to_vec() {
        let entry = &graph.actions[action];
        match entry.needs {
            Needs::Fencing => {
                graph.order(fencing, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
            Needs::Quorum if entry.task == Task::Start && unknown => {
                graph.order(fencing, action, F::ORDERED | F::UNRUNNABLE_FIRST_BLOCKS);
            }
            _ => {}
        }
    }
}

/// Fencing takes down what runs on the victim: stops there are mere milestones, as are demotes that could not be done.
fn stops(graph: &mut Graph<'_>, rsc: RscIdx, victim: NodeIdx, fencing: ActIdx) {
    let resource = &graph.rsc[rsc];
    if !resource.is.managed {
        return;
    }
    let top = graph.top(rsc, false);
    let waits = resource.is.needs_fencing || graph.nodes[victim].is_guest();
    // The guest's fencing waits for the container, which waits until nothing runs in the bundle: that would be a circle.
    let in_bundle = graph.runs_in_bundle(rsc);
    let down = !graph.nodes[victim].online || graph.nodes[victim].unclean || resource.is.failed;
    for action in graph.actions_on(rsc).to_vec() {
        let entry = &graph.actions[action];
        let implied = entry.task == Task::Stop || (entry.task == Task::Demote && down);
        if entry.node != Some(victim) || !implied {
            continue;
        }
        let is_stop = entry.task == Task::Stop;
        let entry = &mut graph.actions[action];
        entry.pseudo = true;
        entry.runnable = true;
        if waits && !in_bundle {
            graph.order(fencing, action, F::FIRST_IMPLIES_THEN);
        }
        if waits
            && is_stop
            && let Some(stop) = graph.first_action(top, Task::Stop, None)
        {
            // That of a group stands for its members if all are there, but not for parts on other nodes.
            let all_there = graph.rsc[top].is_group() && all_on(graph, top, victim);
            let flags = if all_there { F::FIRST_IMPLIES_THEN } else { F::ORDERED };
            graph.order(fencing, stop, flags);
        }
        if is_stop {
            notify::after_fencing(graph, rsc, fencing);
        }
    }
}

/// Whether nothing of `rsc` is active on another node.
fn all_on(graph: &Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    graph.primitives(rsc).into_iter().all(|part| graph.rsc[part].active.iter().all(|place| *place == node))
}
