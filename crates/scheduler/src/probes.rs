//! Stage: probes. Where it is not known whether a resource runs, its agent is asked before anything is decided about it.
//!
//! Reads histories and tables of allowed nodes; writes probes and the orderings around them.

use crate::action::{Ordering, RelationFlags as F, Side, Task};
use crate::allowed::Discovery;
use crate::arena::Key as _;
use crate::facts::Variant;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use hac_model::OcfCode;
use hac_model::Role;

use super::actions::recurring::expect;
use crate::graph::Graph;

/// Makes the probes that are needed on every node that can be asked.
pub(super) fn run(graph: &mut Graph<'_>) {
    if !graph.options.startup_probes {
        return;
    }
    for node in graph.node_order.clone() {
        let host = &graph.nodes[node];
        if !host.online {
            fence_if_unreachable(graph, node);
            continue;
        }
        if host.unclean || !host.discovery {
            continue;
        }
        for at in 0..graph.top.len() {
            let rsc = graph.top[at];
            probe(graph, rsc, node);
        }
    }
}

/// A remote node whose connection failed for good cannot be asked any more. It need not be fenced twice.
fn fence_if_unreachable(graph: &mut Graph<'_>, node: NodeIdx) {
    let host = &graph.nodes[node];
    let lost = host.is_remote()
        && !host.remote_was_fenced
        && host.connection.is_some_and(|connection| graph.rsc[connection].is.failed);
    if lost {
        graph.fence_node(node, "the connection is unrecoverable");
    }
}

/// Makes the probes of `rsc` on `node`; tells whether one was made.
fn probe(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    match graph.rsc[rsc].variant {
        Variant::Primitive => primitive(graph, rsc, node),
        Variant::Group { .. } => all(graph, &graph.rsc[rsc].children.clone(), node),
        Variant::Clone(_) => clone(graph, rsc, node),
        Variant::Bundle(_) => bundle(graph, rsc, node),
    }
}

fn all(graph: &mut Graph<'_>, parts: &[RscIdx], node: NodeIdx) -> bool {
    let mut any = false;
    for part in parts {
        any |= probe(graph, *part, node);
    }
    any
}

/// Instances that are not told apart are probed once a node.
fn clone(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    if graph.scores.is_exclusive(rsc) {
        let allowed = graph.scores.of(rsc).get(node);
        if allowed.is_none_or(|allowed| allowed.discovery != Discovery::Exclusive) {
            graph.forget_node(rsc, node);
            return false;
        }
    }
    graph.sort_instances(rsc);
    let children = graph.rsc[rsc].children.clone();
    if graph.rsc[rsc].is.unique {
        return all(graph, &children, node);
    }
    let known = children.iter().copied().find(|child| is_known(graph, *child, node));
    let planned = || children.iter().copied().find(|child| place(graph, *child) == Some(node));
    let lowest = || children.iter().copied().min_by_key(|child| child.at());
    let instance = known.or_else(planned).or_else(lowest);
    instance.is_some_and(|instance| probe(graph, instance, node))
}

fn is_known(graph: &Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let resource = &graph.rsc[rsc];
    if resource.is_primitive() {
        return resource.known.contains(&node);
    }
    resource.children.iter().any(|child| is_known(graph, *child, node))
}

fn place(graph: &Graph<'_>, rsc: RscIdx) -> Option<NodeIdx> {
    let resource = &graph.rsc[rsc];
    graph.placed[rsc].assigned.or_else(|| resource.children.first().and_then(|child| place(graph, *child)))
}

fn bundle(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let replicas = graph.replicas(rsc);
    let one_per_host = graph.bundle_data(rsc).is_some_and(|data| data.per_host == 1);
    let mut any = false;
    for replica in &replicas {
        if let Some(ip) = replica.ip {
            any |= probe(graph, ip, node);
        }
        if let Some(inner) = replica.child.filter(|_| replica.node == Some(node)) {
            any |= probe(graph, inner, node);
        }
        if probe(graph, replica.container, node) {
            any = true;
            if one_per_host {
                let others: Vec<RscIdx> =
                    replicas.iter().map(|other| other.container).filter(|other| *other != replica.container).collect();
                before_other_containers(graph, replica.container, &others, node);
            }
        }
        // A connection can be probed once there is something to connect to: a container that runs, or will.
        if let Some(remote) = replica.remote
            && probe(graph, remote, node)
        {
            any = true;
            if let Some(asked) = probe_on(graph, remote, node) {
                graph.add_ordering(Ordering {
                    first: Side::of(replica.container, Task::Start),
                    then: Side::action(asked, Task::Monitor, Some(remote)),
                    flags: F::NESTED_REMOTE_PROBE,
                });
            }
        }
    }
    any
}

fn before_other_containers(graph: &mut Graph<'_>, container: RscIdx, others: &[RscIdx], node: NodeIdx) {
    let Some(probe) = probe_on(graph, container, node) else { return };
    for other in others {
        // Elsewhere it does not hold, but a stop that comes before that start is put after the probe even so.
        graph.add_ordering(Ordering {
            first: Side::action(probe, Task::Monitor, Some(container)),
            then: Side::of(*other, Task::Start),
            flags: F::ORDERED | F::IF_ON_SAME_NODE,
        });
    }
}

fn probe_on(graph: &Graph<'_>, rsc: RscIdx, node: NodeIdx) -> Option<ActIdx> {
    let probes = graph.actions_of(rsc, Task::Monitor, 0);
    probes.into_iter().find(|probe| graph.actions[*probe].node == Some(node))
}

fn primitive(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    if !is_needed(graph, rsc, node) || guest_tells(graph, rsc, node) {
        return false;
    }
    let probe = graph.action(rsc, Task::Monitor, Some(node), false);
    graph.actions[probe].optional = false;
    graph.unfence_before(probe, rsc, node, F::ORDERED);
    let resource = &graph.rsc[rsc];
    if !resource.active.contains(&node) {
        expect(graph, probe, OcfCode::NOT_RUNNING);
    } else if resource.role == Role::Promoted {
        expect(graph, probe, OcfCode::PROMOTED);
    }
    let top = graph.top(rsc, false);
    let top = if graph.rsc[top].is_clone() { top } else { rsc };
    let mut flags = F::ORDERED;
    if !graph.actions[probe].runnable && !graph.is_active(top, false) {
        flags |= F::UNRUNNABLE_FIRST_BLOCKS;
    }
    let first = Side::action(probe, Task::Monitor, Some(rsc));
    graph.add_ordering(Ordering { first, then: Side::of(top, Task::Start), flags });
    graph.add_ordering(Ordering { first, then: Side::of(rsc, Task::Reload), flags: F::ORDERED });
    true
}

/// Whether it is not known if a primitive runs on `node`, and could.
fn is_needed(graph: &Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let (resource, host) = (&graph.rsc[rsc], &graph.nodes[node]);
    if host.is_pacemaker_remote() {
        // Guests run on remote nodes, but not in guests.
        let guest = host.is_guest() && graph.guest_connection_in(rsc).is_some();
        if resource.is.fence_device || graph.is_connection(rsc) || guest {
            return false;
        }
    }
    let inside = resource.launcher.is_some() && !graph.is_connection(rsc);
    if inside || resource.is.removed || resource.known.contains(&node) {
        return false;
    }
    let allowed = graph.scores.of(rsc).get(node);
    let top = graph.top(rsc, false);
    if graph.scores.is_exclusive(rsc) || graph.scores.is_exclusive(top) {
        return allowed.is_some_and(|allowed| allowed.discovery == Discovery::Exclusive);
    }
    let discovery = allowed.map_or(host.table_entry.discovery, |allowed| allowed.discovery);
    discovery != Discovery::Never
}

/// Whether what is known of a guest makes a probe inside it pointless; then the start waits for the guest.
fn guest_tells(graph: &mut Graph<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    if !graph.nodes[node].is_guest() {
        return false;
    }
    let Some(guest) = graph.container_of(node) else { return false };
    let (host, container) = (&graph.nodes[node], &graph.rsc[guest]);
    let first = if container.role == Role::Stopped {
        // Where it will be nothing of it runs, or it will be nowhere: then no probe of it matters to what is inside.
        if graph.placed[guest].assigned.is_none_or(|node| container.known.contains(&node)) {
            return true;
        }
        Task::Monitor
    } else if host.remote_requires_reset || host.unclean || will_stop(graph, guest) {
        Task::Stop
    } else {
        return false;
    };
    let top = graph.top(rsc, false);
    graph.order_tasks(guest, first, top, Task::Start, F::ORDERED);
    true
}

/// Whether a guest will be stopped, as far as can be said before its actions are made.
fn will_stop(graph: &Graph<'_>, guest: RscIdx) -> bool {
    let resource = &graph.rsc[guest];
    let moves = graph.placed[guest].assigned.is_some_and(|node| !resource.active.contains(&node));
    resource.is.failed || resource.next_role == Role::Stopped || moves
}
