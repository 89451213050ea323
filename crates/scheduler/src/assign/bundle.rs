//! Bundles: containers, then what belongs to each, then what runs inside.

use crate::facts::Replica;
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::placement::Placement;
use crate::rules::Colocation;
use crate::weigh;
use hac_model::INFINITY;
use hac_model::Role;

use super::instances;

/// Assigns all parts of a bundle.
pub(super) fn assign(placement: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>, stop_if_fail: bool) {
    if !placement.placed[rsc].unassigned || placement.placed[rsc].assigning {
        return;
    }
    placement.placed[rsc].assigning = true;
    placement.note_scores(rsc);
    let replicas = placement.replicas(rsc);
    let mut containers: Vec<RscIdx> = replicas.iter().map(|replica| replica.container).collect();
    instances::sort(placement, &mut containers);
    let per_host = placement.bundle_data(rsc).map_or(1, |data| data.per_host);
    instances::assign_all(placement, rsc, &containers, replicas.len(), per_host);
    for replica in &replicas {
        assign_replica(placement, replica, prefer, stop_if_fail);
    }
    if let Some(inner) = placement.bundle_data(rsc).and_then(|data| data.child) {
        let own: Vec<NodeIdx> = replicas.iter().filter_map(|replica| replica.node).collect();
        let nodes: Vec<NodeIdx> = placement.scores.of(inner).nodes().collect();
        let why = placement.because(|_| Influence::BuiltIn);
        for node in nodes {
            let score = if own.contains(&node) { 0 } else { -INFINITY };
            placement.scores.set(inner, node, score, &why);
        }
        super::assign(placement, inner, prefer, stop_if_fail);
    }
    placement.placed[rsc].assigning = false;
    placement.placed[rsc].unassigned = false;
}

fn assign_replica(placement: &mut Placement<'_>, replica: &Replica, prefer: Option<NodeIdx>, stop_if_fail: bool) {
    if let Some(ip) = replica.ip {
        super::assign(placement, ip, prefer, stop_if_fail);
    }
    if let Some(remote) = replica.remote {
        let host = placement.placed[replica.container].assigned;
        if let Some(connection) = host.and_then(|host| placement.nodes[host].connection) {
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
            placement.add_colocation(with_host);
        }
        super::assign(placement, remote, prefer, stop_if_fail);
    }
    let Some(child) = replica.child else { return };
    let nodes: Vec<NodeIdx> = placement.scores.of(child).nodes().collect();
    let why = placement.because(|_| Influence::BuiltIn);
    for node in nodes {
        let score = if replica.node != Some(node) {
            -INFINITY
        } else if weigh::failures_too_many(placement, child, node).is_some() {
            continue;
        } else {
            INFINITY
        };
        placement.scores.set(child, node, score, &why);
    }
    let Some(inner) = placement.rsc[child].parent else { return };
    placement.placed[inner].assigning = true;
    super::assign(placement, child, replica.node, stop_if_fail);
    placement.placed[inner].assigning = false;
}
