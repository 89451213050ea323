//! Recurring operations: monitors of what runs, and of what must not run elsewhere.

use crate::action::{Ordering, RelationFlags as F, Side, Task};
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use hac_model::Role;
use hac_model::{OcfCode, operation_key};

use crate::configured as meta;

/// Whether a task of this name may not recur.
fn is_once(name: &str) -> bool {
    Task::parse(name).is_some_and(|task| task.changes_state() || task == Task::Reload)
}

/// A configured recurring operation.
#[derive(Clone, Debug)]
struct Recurring {
    name: String,
    interval_ms: u64,
    role: Option<Role>,
}

/// Makes the recurring operations of a primitive.
pub(super) fn create(graph: &mut Graph<'_>, rsc: RscIdx) {
    let resource = &graph.rsc[rsc];
    let node = graph.placed[rsc].assigned;
    let left_alone = node.is_some_and(|node| graph.nodes[node].maintenance);
    if resource.is.blocked || resource.is.maintenance || left_alone {
        return;
    }
    let runs = resource.next_role != Role::Stopped || !resource.is.managed;
    let start = node.filter(|_| runs).map(|node| graph.action(rsc, Task::Start, Some(node), true));
    for operation in configured(graph, rsc) {
        if let (Some(start), Some(node)) = (start, node) {
            while_active(graph, rsc, start, node, &operation);
        }
        if operation.role == Some(Role::Stopped) {
            while_inactive(graph, rsc, node, &operation);
        }
    }
}

/// The recurring operations in force. Those that share name and interval contradict each other: none of them counts.
fn configured(graph: &Graph<'_>, rsc: RscIdx) -> Vec<Recurring> {
    let mut found: Vec<Recurring> = Vec::new();
    for operation in &graph.rsc[rsc].blocks.operations {
        let interval_ms = meta::interval_of(operation);
        let same =
            |other: &&hac_model::Operation| other.name == operation.name && meta::interval_of(other) == interval_ms;
        let contradicted = graph.rsc[rsc].blocks.operations.iter().filter(same).count() > 1;
        if interval_ms == 0 || contradicted || is_once(&operation.name) || !meta::is_enabled(operation) {
            continue;
        }
        let role = operation.options.get("role").and_then(|role| Role::parse(role));
        found.push(Recurring { name: operation.name.clone(), interval_ms, role });
    }
    found
}

/// The task of a recurring operation. Whatever its name, it is treated as a monitor.
fn task(operation: &Recurring) -> Task {
    Task::parse(&operation.name).unwrap_or(Task::Monitor)
}

/// The recurring operation that runs on `node` by its history.
fn running(graph: &Graph<'_>, rsc: RscIdx, node: NodeIdx, operation: &Recurring) -> Option<ActIdx> {
    let actions = graph.actions_of(rsc, task(operation), operation.interval_ms);
    actions.into_iter().find(|action| graph.actions[*action].node == Some(node))
}

fn while_active(graph: &mut Graph<'_>, rsc: RscIdx, start: ActIdx, node: NodeIdx, operation: &Recurring) {
    if operation.role == Some(Role::Stopped) {
        return;
    }
    let exists = running(graph, rsc, node, operation);
    let reschedule = exists.is_some_and(|action| graph.actions[action].reschedule);
    let optional = exists.is_some() && !reschedule && graph.actions[start].optional;
    let next = graph.rsc[rsc].next_role;
    let matches = match operation.role {
        Some(role) => role == next,
        None => next != Role::Promoted,
    };
    if !matches {
        if optional {
            cancel_for_role(graph, rsc, node, operation);
        }
        return;
    }
    let monitor = graph.recurring_action(rsc, task(operation), operation.interval_ms, Some(node), optional);
    let host = &graph.nodes[node];
    if !graph.actions[start].runnable || !host.online || host.unclean {
        graph.actions[monitor].runnable = false;
    }
    if next == Role::Promoted {
        expect(graph, monitor, OcfCode::PROMOTED);
    }
    if graph.rsc[rsc].is.managed {
        let required = F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS;
        after(graph, rsc, Task::Start, monitor, required);
        after(graph, rsc, Task::Reload, monitor, required);
        let changed = F::ORDERED | F::UNRUNNABLE_FIRST_BLOCKS;
        if next == Role::Promoted {
            after(graph, rsc, Task::Promote, monitor, changed);
        } else if graph.rsc[rsc].role == Role::Promoted {
            after(graph, rsc, Task::Demote, monitor, changed);
        }
    }
}

fn after(graph: &mut Graph<'_>, rsc: RscIdx, first: Task, then: ActIdx, flags: F) {
    let task = graph.actions[then].task;
    graph.add_ordering(Ordering { first: Side::of(rsc, first), then: Side::action(then, task, Some(rsc)), flags });
}

/// Notes the exit code that means all is well.
pub(crate) fn expect(graph: &mut Graph<'_>, action: ActIdx, rc: OcfCode) {
    graph.actions[action].target_rc = Some(rc);
}

/// It runs, but is meant for another role.
fn cancel_for_role(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx, operation: &Recurring) {
    let cancel = cancel(graph, rsc, &operation.name, operation.interval_ms, node);
    let resource = &graph.rsc[rsc];
    let before = match (resource.role, resource.next_role) {
        (Role::Promoted, _) => Some(Task::Demote),
        (Role::Started | Role::Unpromoted, Role::Promoted) => Some(Task::Promote),
        (Role::Started | Role::Unpromoted, Role::Stopped) => Some(Task::Stop),
        _ => None,
    };
    if let Some(before) = before {
        graph.add_ordering(Ordering {
            first: Side::action(cancel, Task::Cancel, Some(rsc)),
            then: Side::of(rsc, before),
            flags: F::UNRUNNABLE_FIRST_BLOCKS,
        });
    }
}

/// The cancellation of a recurring operation on `node`, required.
pub(crate) fn cancel(graph: &mut Graph<'_>, rsc: RscIdx, name: &str, interval_ms: u64, node: NodeIdx) -> ActIdx {
    let key = operation_key(&graph.rsc[rsc].id, name, interval_ms);
    let action = graph.keyed_action(key, Task::Cancel, interval_ms, Some(rsc), Some(node), false);
    let entry = &mut graph.actions[action];
    entry.task = Task::Cancel;
    entry.detail = Some(name.to_owned());
    let meta = entry.meta_mut();
    meta.insert("operation".into(), name.to_owned());
    meta.insert("interval".into(), interval_ms.to_string());
    action
}

/// A monitor that makes sure that nothing runs where it should not.
fn while_inactive(graph: &mut Graph<'_>, rsc: RscIdx, node: Option<NodeIdx>, operation: &Recurring) {
    if !graph.rsc[rsc].is.unique {
        return;
    }
    if let Some(node) = node.filter(|node| running(graph, rsc, *node, operation).is_some()) {
        let cancel = cancel(graph, rsc, &operation.name, operation.interval_ms, node);
        if graph.rsc[rsc].next_role > Role::Stopped {
            graph.add_ordering(Ordering {
                first: Side::action(cancel, Task::Cancel, Some(rsc)),
                then: Side::of(rsc, Task::Start),
                flags: F::UNRUNNABLE_FIRST_BLOCKS,
            });
        }
    }
    let stops = graph.actions_of(rsc, Task::Stop, 0);
    for other in graph.node_order.clone() {
        if Some(other) == node {
            continue;
        }
        let optional = running(graph, rsc, other, operation).is_some();
        let monitor = graph.recurring_action(rsc, task(operation), operation.interval_ms, Some(other), optional);
        expect(graph, monitor, OcfCode::NOT_RUNNING);
        if graph.rsc[rsc].is.managed {
            for probe in graph.actions_of(rsc, Task::Monitor, 0) {
                if graph.actions[probe].node == Some(other) {
                    graph.order(probe, monitor, F::UNRUNNABLE_FIRST_BLOCKS);
                }
            }
        }
        for stop in stops.iter().copied().filter(|stop| !graph.actions[*stop].optional).collect::<Vec<_>>() {
            if graph.actions[stop].node == Some(other) {
                if !graph.actions[stop].runnable {
                    graph.actions[monitor].runnable = false;
                }
                if graph.rsc[rsc].is.managed {
                    graph.order(stop, monitor, F::FIRST_IMPLIES_THEN | F::UNRUNNABLE_FIRST_BLOCKS);
                }
            }
        }
        let host = &graph.nodes[other];
        if !host.online || host.unclean {
            graph.actions[monitor].runnable = false;
        }
    }
}
