//! Stage: probes. Where it is not known whether a resource runs, its agent is asked before anything is decided about it.
//!
//! Reads histories and tables of allowed nodes; writes probes and the orderings around them.

use hac_model::OcfCode;

use super::actions::recurring::expect;
use super::cluster::{
    ActIdx, Cluster, Discovery, Key, NodeIdx, Ordering, RelationFlags as F, Role, RscIdx, Side, Task, Variant,
};

/// Makes the probes that are needed on every node that can be asked.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    if !cluster.options.startup_probes {
        return;
    }
    for node in cluster.node_order.clone() {
        let host = &cluster.nodes[node];
        if !host.online {
            fence_if_unreachable(cluster, node);
            continue;
        }
        if host.unclean || !host.discovery {
            continue;
        }
        for at in 0..cluster.top.len() {
            let rsc = cluster.top[at];
            probe(cluster, rsc, node);
        }
    }
}

/// A remote node whose connection failed for good cannot be asked any more.
fn fence_if_unreachable(cluster: &mut Cluster<'_>, node: NodeIdx) {
    let host = &cluster.nodes[node];
    let lost = host.is_remote() && host.connection.is_some_and(|connection| cluster.rsc[connection].is.failed);
    if lost {
        cluster.fence_node(node, "the connection is unrecoverable", false);
    }
}

/// Makes the probes of `rsc` on `node`; tells whether one was made.
fn probe(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    match cluster.rsc[rsc].variant {
        Variant::Primitive => primitive(cluster, rsc, node),
        Variant::Group { .. } => all(cluster, &cluster.rsc[rsc].children.clone(), node),
        Variant::Clone(_) => clone(cluster, rsc, node),
        Variant::Bundle(_) => bundle(cluster, rsc, node),
    }
}

fn all(cluster: &mut Cluster<'_>, parts: &[RscIdx], node: NodeIdx) -> bool {
    let mut any = false;
    for part in parts {
        any |= probe(cluster, *part, node);
    }
    any
}

/// Instances that are not told apart are probed once a node.
fn clone(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    if cluster.scores.is_exclusive(rsc) {
        let allowed = cluster.scores.of(rsc).get(node);
        if allowed.is_none_or(|allowed| allowed.discovery != Discovery::Exclusive) {
            cluster.scores.forget(rsc, node);
            return false;
        }
    }
    // The assignment left the instances in the order of its choice.
    let mut children = std::mem::take(&mut cluster.rsc[rsc].children);
    let number =
        |child: &RscIdx| cluster.rsc[*child].id.rsplit_once(':').and_then(|(_, text)| text.parse::<u32>().ok());
    children.sort_by_key(number);
    cluster.rsc[rsc].children.clone_from(&children);
    if cluster.rsc[rsc].is.unique {
        return all(cluster, &children, node);
    }
    let known = children.iter().copied().find(|child| is_known(cluster, *child, node));
    let planned = || children.iter().copied().find(|child| place(cluster, *child) == Some(node));
    let lowest = || children.iter().copied().min_by_key(|child| child.at());
    let instance = known.or_else(planned).or_else(lowest);
    instance.is_some_and(|instance| probe(cluster, instance, node))
}

fn is_known(cluster: &Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let resource = &cluster.rsc[rsc];
    if resource.is_primitive() {
        return resource.known.contains(&node);
    }
    resource.children.iter().any(|child| is_known(cluster, *child, node))
}

fn place(cluster: &Cluster<'_>, rsc: RscIdx) -> Option<NodeIdx> {
    let resource = &cluster.rsc[rsc];
    resource.assigned.or_else(|| resource.children.first().and_then(|child| place(cluster, *child)))
}

fn bundle(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let replicas = cluster.replicas(rsc);
    let one_per_host = cluster.bundle_data(rsc).is_some_and(|data| data.per_host == 1);
    let mut any = false;
    for replica in &replicas {
        if let Some(ip) = replica.ip {
            any |= probe(cluster, ip, node);
        }
        if let Some(inner) = replica.child.filter(|_| replica.node == Some(node)) {
            any |= probe(cluster, inner, node);
        }
        if probe(cluster, replica.container, node) {
            any = true;
            if one_per_host {
                let others: Vec<RscIdx> =
                    replicas.iter().map(|other| other.container).filter(|other| *other != replica.container).collect();
                before_other_containers(cluster, replica.container, &others, node);
            }
        }
        // A connection can be probed once there is something to connect to: a container that runs, or will.
        if let Some(remote) = replica.remote
            && probe(cluster, remote, node)
        {
            any = true;
            if let Some(asked) = probe_on(cluster, remote, node) {
                cluster.add_ordering(Ordering {
                    first: Side::of(replica.container, Task::Start),
                    then: Side::action(asked, Task::Monitor, Some(remote)),
                    flags: F::NESTED_REMOTE_PROBE,
                });
            }
        }
    }
    any
}

fn before_other_containers(cluster: &mut Cluster<'_>, container: RscIdx, others: &[RscIdx], node: NodeIdx) {
    let Some(probe) = probe_on(cluster, container, node) else { return };
    for other in others {
        if cluster.rsc[*other].assigned == Some(node) {
            cluster.add_ordering(Ordering {
                first: Side::action(probe, Task::Monitor, Some(container)),
                then: Side::of(*other, Task::Start),
                flags: F::ORDERED,
            });
        }
    }
}

fn probe_on(cluster: &Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> Option<ActIdx> {
    let probes = cluster.actions_of(rsc, Task::Monitor, 0);
    probes.into_iter().find(|probe| cluster.actions[*probe].node == Some(node))
}

fn primitive(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    if !is_needed(cluster, rsc, node) || guest_tells(cluster, rsc, node) {
        return false;
    }
    let probe = cluster.action(rsc, Task::Monitor, Some(node), false);
    cluster.actions[probe].optional = false;
    cluster.unfence_before(probe, rsc, node, F::ORDERED);
    let resource = &cluster.rsc[rsc];
    if !resource.active.contains(&node) {
        expect(cluster, probe, OcfCode::NOT_RUNNING);
    } else if resource.role == Role::Promoted {
        expect(cluster, probe, OcfCode::PROMOTED);
    }
    let top = cluster.top(rsc, false);
    let top = if cluster.rsc[top].is_clone() { top } else { rsc };
    let mut flags = F::ORDERED;
    if !cluster.actions[probe].runnable && !cluster.is_active(top, false) {
        flags |= F::UNRUNNABLE_FIRST_BLOCKS;
    }
    let first = Side::action(probe, Task::Monitor, Some(rsc));
    cluster.add_ordering(Ordering { first, then: Side::of(top, Task::Start), flags });
    cluster.add_ordering(Ordering { first, then: Side::of(rsc, Task::Reload), flags: F::ORDERED });
    true
}

/// Whether it is not known if a primitive runs on `node`, and could.
fn is_needed(cluster: &Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let (resource, host) = (&cluster.rsc[rsc], &cluster.nodes[node]);
    if host.is_pacemaker_remote() {
        // Guests run on remote nodes, but not in guests.
        let guest = host.is_guest() && cluster.guest_connection_in(rsc).is_some();
        if resource.is.fence_device || cluster.is_connection(rsc) || guest {
            return false;
        }
    }
    let inside = resource.launcher.is_some() && !cluster.is_connection(rsc);
    if inside || resource.is.removed || resource.known.contains(&node) {
        return false;
    }
    let allowed = cluster.scores.of(rsc).get(node);
    let top = cluster.top(rsc, false);
    if cluster.scores.is_exclusive(rsc) || cluster.scores.is_exclusive(top) {
        return allowed.is_some_and(|allowed| allowed.discovery == Discovery::Exclusive);
    }
    let discovery = allowed.map_or(host.table_entry.discovery, |allowed| allowed.discovery);
    discovery != Discovery::Never
}

/// Whether what is known of a guest makes a probe inside it pointless; then the start waits for the guest.
fn guest_tells(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    if !cluster.nodes[node].is_guest() {
        return false;
    }
    let Some(guest) = cluster.container_of(node) else { return false };
    let (host, container) = (&cluster.nodes[node], &cluster.rsc[guest]);
    let first = if container.role == Role::Stopped {
        Task::Monitor
    } else if host.remote_requires_reset || host.unclean || will_stop(cluster, guest) {
        Task::Stop
    } else {
        return false;
    };
    let top = cluster.top(rsc, false);
    cluster.order_tasks(guest, first, top, Task::Start, F::ORDERED);
    true
}

/// Whether a guest will be stopped, as far as can be said before its actions are made.
fn will_stop(cluster: &Cluster<'_>, guest: RscIdx) -> bool {
    let resource = &cluster.rsc[guest];
    let moves = resource.assigned.is_some_and(|node| !resource.active.contains(&node));
    resource.is.failed || resource.next_role == Role::Stopped || moves
}
