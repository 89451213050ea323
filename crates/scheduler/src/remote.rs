//! Stage: orderings of what happens behind Pacemaker Remote connections.
//!
//! An action on a remote node needs the connection to it, one on a guest node also the guest itself. Reads actions,
//! roles and assignments; writes orderings, and marks remote nodes for fencing that cannot be reached any more.

use crate::action::{Ordering, RelationFlags as F, Side, Task};
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use hac_model::Role;

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
pub(super) fn run(graph: &mut Graph<'_>) {
    if !graph.has_remote_nodes {
        return;
    }
    for action in graph.actions.keys().collect::<Vec<_>>() {
        let entry = &graph.actions[action];
        let Some(rsc) = entry.rsc else { continue };
        let (task, node) = (entry.task, entry.node);
        if !graph.rsc[rsc].is_primitive() {
            continue;
        }
        if task == Task::ClearFailCount && graph.is_connection(rsc) {
            // A connection is made anew with a clean record.
            let first = Side::action(action, task, Some(rsc));
            graph.add_ordering(Ordering { first, then: Side::of(rsc, Task::Start), flags: F::ORDERED });
            continue;
        }
        if task == Task::Stop {
            moves_onto_remote(graph, rsc, action);
        }
        let entry = &graph.actions[action];
        // Clearing a fail count is the coordinator's work, but it is about what the node will be.
        let here = !entry.on_dc || task == Task::ClearFailCount;
        let Some(node) = node.filter(|_| !entry.pseudo && here) else { continue };
        let Some(connection) = graph.nodes[node].connection else { continue };
        if graph.nodes[node].is_guest() && graph.container_of(node).is_some() {
            on_guest(graph, action, node, connection);
        } else if graph.nodes[node].is_pacemaker_remote() {
            on_remote(graph, action, node, connection);
        }
    }
}

/// A milestone that tells of nodes behind connections whose maintenance began or ended since it was last recorded. Of a
/// node whose attributes could not be read nobody can say.
pub(super) fn announce_maintenance(graph: &mut Graph<'_>) {
    let changed = graph
        .nodes
        .keys()
        .map(|node| &graph.nodes[node])
        .any(|node| node.is_pacemaker_remote() && node.unpacked && node.maintenance != node.remote_maintenance);
    if changed {
        let milestone = graph.keyed_action("maintenance_nodes".to_owned(), Task::Milestone, 0, None, None, false);
        graph.actions[milestone].pseudo = true;
        graph.actions[milestone].runnable = true;
    }
}

/// What moves onto a remote node or into a guest stops where it is only once that node can be reached.
fn moves_onto_remote(graph: &mut Graph<'_>, rsc: RscIdx, stop: ActIdx) {
    let Some(target) = graph.placed[rsc].assigned else { return };
    if graph.actions[stop].node == Some(target) || !graph.nodes[target].is_pacemaker_remote() {
        return;
    }
    if graph.actions[stop].migratable {
        // It has arrived there before it stops.
        return;
    }
    if let Some(connection) = graph.nodes[target].connection {
        after(graph, connection, Task::Start, stop, F::ORDERED);
    }
}

/// `first` of `rsc` before `then`.
fn after(graph: &mut Graph<'_>, rsc: RscIdx, first: Task, then: ActIdx, flags: F) {
    let entry = &graph.actions[then];
    let then = Side { rsc: entry.rsc, task: entry.task, interval_ms: entry.interval_ms, action: Some(then) };
    graph.add_ordering(Ordering { first: Side::of(rsc, first), then, flags: flags | F::GUEST_ALLOWED });
}

/// `first` before `then` of `rsc`.
fn before(graph: &mut Graph<'_>, first: ActIdx, rsc: RscIdx, then: Task, flags: F) {
    let entry = &graph.actions[first];
    let first = Side { rsc: entry.rsc, task: entry.task, interval_ms: entry.interval_ms, action: Some(first) };
    graph.add_ordering(Ordering { first, then: Side::of(rsc, then), flags: flags | F::GUEST_ALLOWED });
}

/// How it stands with `connection`.
fn state(graph: &Graph<'_>, connection: RscIdx) -> State {
    let resource = &graph.rsc[connection];
    let host = graph.current_node(connection);
    let host_lost = host.is_some_and(|host| graph.nodes[host].unclean);
    let assigned = graph.placed[connection].assigned;
    if assigned.is_none() || resource.next_role <= Role::Stopped {
        return if host_lost || resource.is.failed {
            State::Failed
        } else if assigned.is_none() || resource.next_role == Role::Stopped {
            State::Stopped
        } else {
            State::Unknown
        };
    }
    if assigned.is_some_and(|node| graph.nodes[node].unclean) {
        return State::Failed;
    }
    let Some(host) = host else { return State::Unknown };
    let host_down = host_lost || !graph.nodes[host].online;
    if (resource.active.len() > 1 && resource.migration.is_some()) || host_down {
        // The new host is not connected yet, the old one does not matter any more.
        return State::Resting;
    }
    State::Alive
}

fn on_remote(graph: &mut Graph<'_>, action: ActIdx, node: NodeIdx, connection: RscIdx) {
    let state = state(graph, connection);
    let entry = &graph.actions[action];
    match entry.task {
        Task::Start | Task::Promote => {
            let mut flags = F::UNRUNNABLE_FIRST_BLOCKS;
            if state == State::Failed {
                flags |= F::FIRST_IMPLIES_THEN;
            }
            after(graph, connection, Task::Start, action, flags);
        }
        Task::Stop => match state {
            State::Alive => before(graph, action, connection, Task::Stop, F::THEN_IMPLIES_FIRST),
            State::Failed => graph.fence_node(node, "resources are active but connection is unrecoverable"),
            _ if graph.rsc[connection].next_role == Role::Stopped => {
                before(graph, action, connection, Task::Stop, F::ORDERED);
            }
            _ => after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS),
        },
        // It leaves by the connection that is there now.
        Task::MigrateTo if state == State::Alive => before(graph, action, connection, Task::Stop, F::ORDERED),
        // It arrives by that too; where the connection must be made anew it cannot migrate.
        Task::MigrateFrom if state == State::Alive => {
            before(graph, action, connection, Task::Stop, F::THEN_IMPLIES_FIRST);
        }
        Task::Demote => {
            if matches!(state, State::Resting | State::Unknown) {
                after(graph, connection, Task::Start, action, F::NONE);
            }
        }
        _ if entry.interval_ms > 0 => {
            after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS | F::FIRST_IMPLIES_THEN);
        }
        task => {
            let probe = task == Task::Monitor;
            if probe && state == State::Failed {
                graph.fence_node(node, "resources are in unknown state and connection is unrecoverable");
            }
            if state == State::Stopped {
                before(graph, action, connection, Task::Stop, F::ORDERED);
            } else {
                after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
    }
}

fn on_guest(graph: &mut Graph<'_>, action: ActIdx, node: NodeIdx, connection: RscIdx) {
    let Some(container) = graph.container_of(node) else { return };
    let failed = graph.rsc[container].is.failed;
    let entry = &graph.actions[action];
    match entry.task {
        Task::Start | Task::Promote => {
            let flags = F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS;
            after(graph, container, Task::Start, action, flags);
            after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
        }
        Task::Stop | Task::Demote => {
            // With the container everything in it stops.
            if !failed {
                before(graph, action, connection, Task::Stop, F::THEN_IMPLIES_FIRST);
            }
        }
        // The monitors of a guest end with it: there is nothing to wait for.
        Task::Cancel => {}
        Task::ClearFailCount => after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS),
        _ if entry.interval_ms > 0 => {
            let flags = F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS;
            if graph.rsc[connection].next_role != Role::Stopped {
                after(graph, connection, Task::Start, action, flags);
            }
        }
        Task::Monitor => {
            if state(graph, connection) == State::Stopped {
                before(graph, action, connection, Task::Stop, F::ORDERED);
            } else {
                after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
        _ => {
            if graph.rsc[connection].next_role == Role::Stopped {
                before(graph, action, connection, Task::Stop, F::ORDERED);
            } else {
                after(graph, connection, Task::Start, action, F::UNRUNNABLE_FIRST_BLOCKS);
            }
        }
    }
}
