//! Where things are done: on nodes that are there, to what may be touched, and never twice.

use std::collections::BTreeMap;

use super::Violation;
use super::graph::{Graph, Op, name};
use super::standing::{Service, Standing};
use crate::view::{NodeKind, ResourceKind};
use hac_model::{ExecStatus, Task};

pub(super) fn check(standing: &Standing<'_>, graph: &Graph<'_>, violations: &mut Vec<Violation>) {
    let mut starts: BTreeMap<&str, Vec<Op<'_>>> = BTreeMap::new();
    for op in graph.ops() {
        if op.is_real() {
            node(standing, graph, &op, violations);
            touch(standing, &op, violations);
            if matches!(op.task, Task::Start | Task::MigrateFrom) {
                starts.entry(op.resource).or_default().push(op);
            }
        }
    }
    for (resource, starts) in starts {
        let Some(service) = standing.services.get(resource) else { continue };
        if starts.iter().any(|start| start.node != starts[0].node) {
            violations.push(Violation::StartedTwice(resource.to_owned()));
        }
        starts.iter().for_each(|start| left_before(standing, service, graph, start, violations));
    }
    instances(standing, graph, violations);
    role_changes(standing, graph, violations);
}

/// An agent can only be run on a node that is there and whose state is known.
fn node(standing: &Standing<'_>, graph: &Graph<'_>, op: &Op<'_>, violations: &mut Vec<Violation>) {
    let Some(node) = standing.node(op.node) else {
        violations.push(Violation::AbsentNode(op.name()));
        return;
    };
    let there = node.online && !node.unclean;
    // A connection that starts first brings the node with it.
    let connects =
        |other: &Op<'_>| other.task == Task::Start && other.resource == node.name && graph.waits(op.index, other.index);
    if !there && (node.kind == NodeKind::Member || !graph.ops().any(|other| connects(&other))) {
        violations.push(Violation::AbsentNode(op.name()));
    }
    let unwilling = node.standby || node.maintenance || (node.shutdown && node.kind == NodeKind::Member);
    if unwilling && matches!(op.task, Task::Start | Task::Promote | Task::MigrateFrom) {
        violations.push(Violation::UnwillingNode(op.name()));
    }
}

/// Only what is managed is changed, and nothing is started without quorum.
fn touch(standing: &Standing<'_>, op: &Op<'_>, violations: &mut Vec<Violation>) {
    let Some(service) = standing.of(op) else { return };
    let changes = op.task.changes_state();
    if changes && !service.is_free() {
        violations.push(Violation::Unmanaged(op.name()));
    }
    let view = standing.view;
    let needs_quorum = service.view.meta.get("requires").is_none_or(|needed| needed != "nothing");
    let active = !service.view.nodes.is_empty();
    let forbidden = match view.no_quorum_policy.as_str() {
        "stop" => true,
        "freeze" => !active,
        _ => false,
    };
    if op.task == Task::Start && !view.quorate && needs_quorum && forbidden {
        violations.push(Violation::NoQuorum(op.name()));
    }
}

/// Wherever it runs, or may run, it is stopped or the node powered off before it is started.
fn left_before(
    standing: &Standing<'_>,
    service: &Service<'_>,
    graph: &Graph<'_>,
    start: &Op<'_>,
    violations: &mut Vec<Violation>,
) {
    for node in &service.view.nodes {
        if node == start.node && (starts_on(service, node) || lost_start(service)) {
            continue;
        }
        let host = standing.node(node);
        // A node behind a connection that is made anew is seen again: what runs there can be stopped.
        let seen_again = |other: &Op<'_>| {
            other.task == Task::Start && other.resource == node && graph.waits(start.index, other.index)
        };
        let unclean = host.is_some_and(|node| {
            node.unclean && (node.kind == NodeKind::Member || !graph.ops().any(|other| seen_again(&other)))
        });
        // Fence devices and connections need quorum alone; all else waits until a node in doubt is powered off.
        if service.needs_quorum_alone() && (unclean || graph.fencings(node).next().is_some()) {
            continue;
        }
        let fenced = || graph.fencings(node).any(|fencing| graph.waits(start.index, fencing));
        let left = |other: &Op<'_>| {
            other.resource == start.resource
                && other.node == node
                && ((other.task == Task::Stop && start.task == Task::Start) || other.task == Task::MigrateTo)
                && graph.waits(start.index, other.index)
        };
        let source = start.op.and_then(|op| op.migration.as_ref()).map(|ends| ends.source.as_str());
        // The first half of the migration is done already, or it is: the source lets go when the target has it.
        let migrates = start.task == Task::MigrateFrom && (source == Some(node.as_str()) || node == start.node);
        let stays = !migrates && !graph.ops().any(|other| left(&other));
        if (stays || unclean) && !fenced() {
            violations.push(Violation::ActiveTwice { start: start.name(), node: node.clone() });
        }
    }
}

/// Whether a start on `node` is under way: that it is ordered once more there changes nothing. (What the view gives as
/// pending is the first such operation on any node; that may be another one.)
pub(super) fn starts_on(service: &Service<'_>, node: &str) -> bool {
    let pending = ExecStatus::Pending.code();
    service.view.operations.iter().any(|op| op.node == node && op.task == Task::Start.name() && op.status == pending)
}

/// Whether a start of a fence device is under way on another node than where it runs, most likely one that was lost meanwhile:
/// Pacemaker starts it where it runs then, which asks its agent once more and changes nothing.
fn lost_start(service: &Service<'_>) -> bool {
    service.needs_quorum_alone() && service.view.nodes.iter().any(|node| starts_on(service, node))
}

/// No node gets more instances of a clone than may share it.
fn instances(standing: &Standing<'_>, graph: &Graph<'_>, violations: &mut Vec<Violation>) {
    for clone in &standing.clones {
        let ResourceKind::Clone { clone_node_max, .. } = &clone.kind else { continue };
        let mut starting: Vec<&str> = graph
            .ops()
            .filter(|op| op.task == Task::Start && op.is_real())
            .filter(|op| standing.of(op).is_some_and(|s| s.is_meant_by(&clone.id) && !s.contained))
            .map(|op| op.node)
            .collect();
        starting.sort_unstable();
        starting.dedup();
        for node in starting {
            // Of a cloned group the members count one by one; one of each instance is enough.
            let mut there: Vec<&str> = clone
                .children
                .iter()
                .filter(|instance| {
                    let parts = standing.services.values().filter(|s| s.is_meant_by(&instance.id));
                    parts.into_iter().any(|s| s.view.flags.managed && s.after.contains_key(node))
                })
                .map(|instance| instance.id.as_str())
                .collect();
            there.dedup();
            if there.len() > *clone_node_max {
                violations.push(Violation::TooManyInstances {
                    clone: clone.id.clone(),
                    node: node.to_owned(),
                    count: there.len(),
                    most: *clone_node_max,
                });
            }
        }
    }
}

/// On one node: started before promoted, demoted before stopped. And what may run anywhere is probed before it is started;
/// a start that is under way and ordered once more waits for no other node.
fn role_changes(standing: &Standing<'_>, graph: &Graph<'_>, violations: &mut Vec<Violation>) {
    let mut by_resource: BTreeMap<&str, Vec<Op<'_>>> = BTreeMap::new();
    for op in graph.ops().filter(Op::is_real) {
        by_resource.entry(op.resource).or_default().push(op);
    }
    for ops in by_resource.values() {
        for then in ops {
            for first in ops {
                let here = first.node == then.node;
                let probe = first.op.is_some_and(|op| op.task == Task::Monitor && op.interval_ms == 0);
                let again = || standing.of(then).is_some_and(|service| starts_on(service, then.node));
                let must = match (first.task, then.task) {
                    (Task::Monitor, Task::Start) => probe && (here || !again()),
                    (Task::Start, Task::Promote) | (Task::Demote, Task::Stop) => here,
                    (Task::Start, Task::Monitor) => here && then.op.is_some_and(|op| op.interval_ms > 0),
                    _ => false,
                };
                if must && !graph.waits(then.index, first.index) {
                    violations.push(Violation::TooEarly {
                        then: name(then.action),
                        first: name(first.action),
                        rule: then.resource.to_owned(),
                    });
                }
            }
        }
    }
}
