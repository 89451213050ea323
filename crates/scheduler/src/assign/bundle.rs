//! Bundles: containers, then what belongs to each, then what runs inside.

use crate::Role;
use crate::facts::Replica;
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::placement::Placement;
use crate::rules::Colocation;
use crate::weigh;
use hac_model::INFINITY;

use super::instances;

/// Assigns all parts of a bundle.
pub(super) fn assign(cluster: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>, stop_if_fail: bool) {
    if !cluster.placed[rsc].unassigned || cluster.placed[rsc].assigning {
        return;
    }
    cluster.placed[rsc].assigning = true;
    cluster.note_scores(rsc);
    let replicas = cluster.replicas(rsc);
    let mut containers: Vec<RscIdx> = replicas.iter().map(|replica| replica.container).collect();
    instances::sort(cluster, &mut containers);
    let per_host = cluster.bundle_data(rsc).map_or(1, |data| data.per_host);
    instances::assign_all(cluster, rsc, &containers, replicas.len(), per_host);
    for replica in &replicas {
        assign_replica(cluster, replica, prefer, stop_if_fail);
    }
    if let Some(inner) = cluster.bundle_data(rsc).and_then(|data| data.child) {
        let own: Vec<NodeIdx> = replicas.iter().filter_map(|replica| replica.node).collect();
        let nodes: Vec<NodeIdx> = cluster.scores.of(inner).nodes().collect();
        let why = cluster.because(|_| Influence::BuiltIn);
        for node in nodes {
            let score = if own.contains(&node) { 0 } else { -INFINITY };
            cluster.scores.set(inner, node, score, &why);
        }
        super::assign(cluster, inner, prefer, stop_if_fail);
    }
    cluster.placed[rsc].assigning = false;
    cluster.placed[rsc].unassigned = false;
}

fn assign_replica(cluster: &mut Placement<'_>, replica: &Replica, prefer: Option<NodeIdx>, stop_if_fail: bool) {
    if let Some(ip) = replica.ip {
        super::assign(cluster, ip, prefer, stop_if_fail);
    }
    if let Some(remote) = replica.remote {
        let host = cluster.placed[replica.container].assigned;
        if let Some(connection) = host.and_then(|host| cluster.nodes[host].connection) {
            // A connection through a remote node must be where that node's own connection is.
            let with_host = Colocation {
                id: "#replica-remote-with-host-remote".to_owned(),
                dependent: remote,
                primary: connection,
                dependent_role: Role::Unknown,
                primary_role: Role::Unknown,
                score: INFINITY,
                attribute: None,
                influence: true,
                explicit: false,
            };
            cluster.add_colocation(with_host);
        }
        super::assign(cluster, remote, prefer, stop_if_fail);
    }
    let Some(child) = replica.child else { return };
    let nodes: Vec<NodeIdx> = cluster.scores.of(child).nodes().collect();
    let why = cluster.because(|_| Influence::BuiltIn);
    for node in nodes {
        let score = if replica.node != Some(node) {
            -INFINITY
        } else if weigh::failures_too_many(cluster, child, node).is_some() {
            continue;
        } else {
            INFINITY
        };
        cluster.scores.set(child, node, score, &why);
    }
    let Some(inner) = cluster.rsc[child].parent else { return };
    cluster.placed[inner].assigning = true;
    super::assign(cluster, child, replica.node, stop_if_fail);
    cluster.placed[inner].assigning = false;
}
