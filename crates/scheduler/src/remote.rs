//! Stage: orderings of what happens behind Pacemaker Remote connections.
//!
//! An action on a remote node needs the connection to it, one on a guest node also the guest itself. Reads actions,
//! roles and assignments; writes orderings, and marks remote nodes for fencing that cannot be reached any more.

use super::cluster::{ActIdx, Cluster, NodeIdx, Ordering, RelationFlags as F, Role, RscIdx, Side, Task};

/// How it stands with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not active, and will be.
    Unknown,
    /// It is active, and stays.
    Alive,
    /// It will be active again, elsewhere or after its host was dealt with.
    Resting,
    /// It cannot be brought back.
    Failed,
    /// It is ended in good order.
    Stopped,
}

/// Orders all actions on remote and guest nodes.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    if !cluster.has_remote_nodes {
        return;
    }
    for action in cluster.actions.keys().collect::<Vec<_>>() {
        let entry = &cluster.actions[action];
        let Some(rsc) = entry.rsc else { continue };
        let (task, node) = (entry.task, entry.node);
        if !cluster.rsc[rsc].is_primitive() {
            continue;
        }
        if task == Task::Stop {
            moves_onto_remote(cluster, rsc, action);
        }
        let entry = &cluster.actions[action];
        // Clearing a fail count is the coordinator's work, but it is about what the node will be.
        let here = !entry.on_dc || task == Task::ClearFailCount;
        let Some(node) = node.filter(|_| !entry.pseudo && here) else { continue };
        let Some(connection) = cluster.nodes[node].connection else { continue };
        if cluster.nodes[node].is_guest() && cluster.container_of(node).is_some() {
            on_guest(cluster, action, node, connection);
        } else if cluster.nodes[node].is_pacemaker_remote() {
            on_remote(cluster, action, node, connection);
        }
    }
}

/// A milestone that tells of nodes behind connections whose maintenance began or ended since it was last recorded.
pub(super) fn announce_maintenance(cluster: &mut Cluster<'_>) {
    let changed =
        cluster.nodes.keys().map(|node| &cluster.nodes[node]).any(|node| {
            node.is_pacemaker_remote() && node.state.is_some() && node.maintenance != node.remote_maintenance
        });
    if changed {
        let milestone = cluster.keyed_action("maintenance_nodes".to_owned(), Task::Milestone, 0, None, None, false);
        cluster.actions[milestone].pseudo = true;
        cluster.actions[milestone].runnable = true;
    }
}

/// What moves onto a remote node or into a guest stops where it is only once that node can be reached.
fn moves_onto_remote(cluster: &mut Cluster<'_>, rsc: RscIdx, stop: ActIdx) {
    let Some(target) = cluster.rsc[rsc].assigned else { return };
    if cluster.actions[stop].node == Some(target) || !cluster.nodes[target].is_pacemaker_remote() {
        return;
    }
    if let Some(connection) = cluster.nodes[target].connection {
        after(cluster, connection, Task::Start, stop, F::ORDERED);
    }
}

/// `first` of `rsc` before `then`.
fn after(cluster: &mut Cluster<'_>, rsc: RscIdx, first: Task, then: ActIdx, flags: F) {
    let entry = &cluster.actions[then];
    let then = Side { rsc: entry.rsc, task: entry.task, interval_ms: entry.interval_ms, action: Some(then) };
    cluster.add_ordering(Ordering { first: Side::of(rsc, first), then, flags: flags | F::GUEST_ALLOWED });
}

/// `first` before `then` of `rsc`.
fn before(cluster: &mut Cluster<'_>, first: ActIdx, rsc: RscIdx, then: Task, flags: F) {
    let entry = &cluster.actions[first];
    let first = Side { rsc: entry.rsc, task: entry.task, interval_ms: entry.interval_ms, action: Some(first) };
    cluster.add_ordering(Ordering { first, then: Side::of(rsc, then), flags: flags | F::GUEST_ALLOWED });
}

/// How it stands with `connection`.
fn state(cluster: &Cluster<'_>, connection: RscIdx) -> State {
    let resource = &cluster.rsc[connection];
    let host = cluster.current_node(connection);
    let host_lost = host.is_some_and(|host| cluster.nodes[host].unclean);
    if resource.assigned.is_none() || resource.next_role <= Role::Stopped {
        return if host_lost || resource.is.failed {
            State::Failed
        } else if resource.assigned.is_none() || resource.next_role == Role::Stopped {
            State::Stopped
        } else {
            State::Unknown
        };
    }
    if resource.assigned.is_some_and(|node| cluster.nodes[node].unclean) {
        return State::Failed;
    }
    let Some(host) = host else { return State::Unknown };
    let host_down = host_lost || !cluster.nodes[host].online;
    if (resource.active.len() > 1 && resource.migration.is_some()) || host_down {
        // The new host is not connected yet, the old one does not matter any more.
        return State::Resting;
    }
    State::Alive
}

fn on_remote(cluster: &mut Cluster<'_>, action: ActIdx, node: NodeIdx, connection: RscIdx) {
    let state = state(cluster, connection);
    let entry = &cluster.actions[action];
    match entry.task {
        Task::Start | Task::Promote => {
            let mut flags = F::UNRUNNABLE_FIRST_BLOCKS;
            if state == State::Failed {
                flags |= F::FIRST_IMPLIES_THEN;
            }
            after(cluster, connection, Task::Start, action, flags);
        }
        Task::Stop => match state {
            State::Alive => before(cluster, action, connection, Task::Stop, F::THEN_IMPLIES_FIRST),
            State::Failed => cluster.fence_node(node, "resources are active but connection is unrecoverable", false),
            _ if cluster.rsc[connection].next_role == Role::Stopped => {
                before(cluster, action, connection, Task::Stop, F::ORDERED);
            }
            _ => after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS),
        },
        // It leaves by the connection that is there now.
        Task::MigrateTo if state == State::Alive => before(cluster, action, connection, Task::Stop, F::ORDERED),
        Task::Demote => {
            if matches!(state, State::Resting | State::Unknown) {
                after(cluster, connection, Task::Start, action, F::NONE);
            }
        }
        _ if entry.interval_ms > 0 => {
            after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS | F::FIRST_IMPLIES_THEN);
        }
        task => {
            let probe = task == Task::Monitor;
            if probe && state == State::Failed {
                cluster.fence_node(node, "resources are in unknown state and connection is unrecoverable", false);
            }
            if state == State::Stopped {
                before(cluster, action, connection, Task::Stop, F::ORDERED);
            } else {
                after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
    }
}

fn on_guest(cluster: &mut Cluster<'_>, action: ActIdx, node: NodeIdx, connection: RscIdx) {
    let Some(container) = cluster.container_of(node) else { return };
    let failed = cluster.rsc[container].is.failed;
    let entry = &cluster.actions[action];
    match entry.task {
        Task::Start | Task::Promote => {
            let flags = F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS;
            after(cluster, container, Task::Start, action, flags);
            after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
        }
        Task::Stop | Task::Demote => {
            // With the container everything in it stops.
            if !failed {
                before(cluster, action, connection, Task::Stop, F::THEN_IMPLIES_FIRST);
            }
        }
        // The monitors of a guest end with it: there is nothing to wait for.
        Task::Cancel => {}
        Task::ClearFailCount => after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS),
        _ if entry.interval_ms > 0 => {
            let flags = F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS;
            if cluster.rsc[connection].next_role != Role::Stopped {
                after(cluster, connection, Task::Start, action, flags);
            }
        }
        Task::Monitor => {
            if state(cluster, connection) == State::Stopped {
                before(cluster, action, connection, Task::Stop, F::ORDERED);
            } else {
                after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
        _ => {
            if cluster.rsc[connection].next_role == Role::Stopped {
                before(cluster, action, connection, Task::Stop, F::ORDERED);
            } else {
                after(cluster, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
    }
}
