//! Stage: fencing and shutdown of nodes, and what comes before and after.
//!
//! Reads nodes and all actions; writes fencing and shutdown actions, turns what fencing implies into milestones, and
//! relates at once, for the orderings are applied later.

use crate::cluster::{ActIdx, Cluster, Needs, NodeIdx, RelationFlags as F, RscIdx, Task};

/// Decides about every node in order of names. What happens to the coordinator comes last.
pub(crate) fn run(cluster: &mut Cluster<'_>) {
    let managed = cluster.top.iter().any(|rsc| cluster.rsc[*rsc].is.managed);
    let (mut coordinator, mut fencings, mut shutdowns) = (None, Vec::new(), Vec::new());
    for node in cluster.node_order.clone() {
        let host = &cluster.nodes[node];
        if host.is_guest() {
            if host.remote_requires_reset && managed && cluster.can_fence(node) {
                guest(cluster, node);
            }
            continue;
        }
        let fences = host.unclean && managed && cluster.can_fence(node);
        let leaves = host.online && host.shutdown && !host.is_remote();
        if fences {
            let fencing = cluster.fence_op(node, None, false, Some("node is unclean"), false);
            order_around(cluster, node, fencing);
            if cluster.nodes[node].is_dc {
                coordinator = Some(fencing);
            } else {
                add_fencing(cluster, &mut fencings, fencing);
            }
        } else if leaves {
            let shutdown = shut_down(cluster, node);
            if cluster.nodes[node].is_dc {
                coordinator = Some(shutdown);
            } else {
                shutdowns.push(shutdown);
            }
        }
    }
    let Some(coordinator) = coordinator else { return };
    if cluster.actions[coordinator].task == Task::Shutdown {
        for shutdown in shutdowns {
            cluster.order(shutdown, coordinator, F::ORDERED);
        }
    }
    for fencing in fencings {
        cluster.order(fencing, coordinator, F::ORDERED);
    }
}

/// Adds a fencing to those that are under way together; where only one may be, after the one before it.
fn add_fencing(cluster: &mut Cluster<'_>, fencings: &mut Vec<ActIdx>, fencing: ActIdx) {
    if !cluster.options.concurrent_fencing {
        for before in fencings.drain(..) {
            cluster.order(before, fencing, F::ORDERED);
        }
    }
    fencings.push(fencing);
}

/// A guest is fenced by the stop of its container, or together with the host. Its own fencing is but a milestone.
fn guest(cluster: &mut Cluster<'_>, node: NodeIdx) {
    let Some(container) = cluster.container_of(node) else { return };
    let stop = cluster.first_action(container, Task::Stop, None);
    let restarts = cluster.first_action(container, Task::Start, None).is_some();
    let what = if restarts { "reboot" } else { "off" };
    let fencing = cluster.fence_op(node, Some(what), false, Some("guest is unclean"), false);
    let entry = &mut cluster.actions[fencing];
    entry.pseudo = true;
    entry.runnable = true;
    entry.optional = false;
    let implied = F::UNRUNNABLE_FIRST_BLOCKS | F::FIRST_IMPLIES_THEN;
    let host = stop.and_then(|stop| cluster.actions[stop].node);
    // If it is known already that the host's fencing implies that stop, only the fencing counts.
    let implied_stop = stop.is_some_and(|stop| cluster.actions[stop].pseudo);
    let lost = host.filter(|_| implied_stop);
    if let Some(host) = lost {
        let first = cluster.fence_op(host, None, true, None, false);
        cluster.order(first, fencing, implied);
    } else if let Some(stop) = stop {
        cluster.order(stop, fencing, implied);
    } else if let Some(connection) = cluster.nodes[node].connection
        && let Some(stop) = cluster.first_action(connection, Task::Stop, None)
    {
        cluster.order(stop, fencing, F::ORDERED);
    }
    order_around(cluster, node, fencing);
}

/// Lets a node go once everything on it is stopped.
fn shut_down(cluster: &mut Cluster<'_>, node: NodeIdx) -> ActIdx {
    let key = format!("{}-{}", Task::Shutdown.name(), cluster.nodes[node].name);
    let shutdown = cluster.keyed_action(key, Task::Shutdown, 0, None, Some(node), false);
    cluster.actions[shutdown].meta_mut().insert("op_no_wait".into(), "true".into());
    for stop in cluster.actions.keys().collect::<Vec<_>>() {
        let entry = &cluster.actions[stop];
        if entry.task != Task::Stop || entry.node != Some(node) {
            continue;
        }
        let Some(rsc) = entry.rsc else { continue };
        let is = &cluster.rsc[rsc].is;
        if is.maintenance || (!is.managed && !is.blocked) {
            continue;
        }
        cluster.actions[stop].optional = false;
        cluster.order(stop, shutdown, F::ORDERED | F::UNRUNNABLE_FIRST_BLOCKS);
    }
    shutdown
}

/// Orders everything that has to do with the fencing of `node`.
fn order_around(cluster: &mut Cluster<'_>, node: NodeIdx, fencing: ActIdx) {
    for at in 0..cluster.top.len() {
        for rsc in cluster.primitives(cluster.top[at]) {
            starts(cluster, rsc, node, fencing);
            stops(cluster, rsc, node, fencing);
        }
    }
}

/// What needs fencing starts after it; what needs quorum does if it might run on the victim.
fn starts(cluster: &mut Cluster<'_>, rsc: RscIdx, victim: NodeIdx, fencing: ActIdx) {
    let resource = &cluster.rsc[rsc];
    // What is known of one instance is known of all that are not told apart.
    let clone = resource.parent.filter(|parent| cluster.rsc[*parent].is_clone() && !cluster.rsc[*parent].is.unique);
    let known =
        resource.known.contains(&victim) || clone.is_some_and(|clone| cluster.rsc[clone].known.contains(&victim));
    let unknown = cluster.scores.of(rsc).has(victim) && !known;
    for action in resource.actions.clone() {
        let entry = &cluster.actions[action];
        match entry.needs {
            Needs::Fencing => {
                cluster.order(fencing, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
            Needs::Quorum if entry.task == Task::Start && unknown => {
                cluster.order(fencing, action, F::ORDERED | F::UNRUNNABLE_FIRST_BLOCKS);
            }
            _ => {}
        }
    }
}

/// Fencing takes down what runs on the victim: stops there are mere milestones, as are demotes that could not be done.
fn stops(cluster: &mut Cluster<'_>, rsc: RscIdx, victim: NodeIdx, fencing: ActIdx) {
    let resource = &cluster.rsc[rsc];
    if !resource.is.managed {
        return;
    }
    let top = cluster.top(rsc, false);
    let waits = resource.is.needs_fencing || cluster.nodes[victim].is_guest();
    let down = !cluster.nodes[victim].online || cluster.nodes[victim].unclean || resource.is.failed;
    for action in resource.actions.clone() {
        let entry = &cluster.actions[action];
        let implied = entry.task == Task::Stop || (entry.task == Task::Demote && down);
        if entry.node != Some(victim) || !implied {
            continue;
        }
        let is_stop = entry.task == Task::Stop;
        let entry = &mut cluster.actions[action];
        entry.pseudo = true;
        entry.runnable = true;
        if !waits {
            continue;
        }
        cluster.order(fencing, action, F::FIRST_IMPLIES_THEN);
        if is_stop && let Some(stop) = cluster.first_action(top, Task::Stop, None) {
            // That of a group stands for its members if all are there, but not for parts on other nodes.
            let all_there = cluster.rsc[top].is_group() && all_on(cluster, top, victim);
            let flags = if all_there { F::FIRST_IMPLIES_THEN } else { F::ORDERED };
            cluster.order(fencing, stop, flags);
        }
    }
}

/// Whether nothing of `rsc` is active on another node.
fn all_on(cluster: &Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    cluster.primitives(rsc).into_iter().all(|part| cluster.rsc[part].active.iter().all(|place| *place == node))
}
