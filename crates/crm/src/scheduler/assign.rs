//! Stage: assignment. (Coordinator's stopgap so that the live daemon can be tried: lead, replace this file with the real stage 10.)

use super::cluster::{Cluster, NodeIdx, Role, RscIdx};
use crate::model::INFINITY;

/// Assigns everything.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    for at in 0..cluster.top.len() {
        let rsc = cluster.top[at];
        assign(cluster, rsc);
    }
}

fn assign(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    if !cluster.rsc[rsc].is.unassigned {
        return;
    }
    cluster.rsc[rsc].is.unassigned = false;
    for at in 0..cluster.rsc[rsc].this_with.len() {
        let col = cluster.colocations[cluster.rsc[rsc].this_with[at]].clone();
        assign(cluster, col.primary);
        if col.score >= INFINITY {
            let nodes: Vec<NodeIdx> = cluster.primitives(col.primary).iter().filter_map(|p| cluster.rsc[*p].assigned).collect();
            for node in cluster.node_order.clone() {
                if !nodes.contains(&node) {
                    cluster.rsc[rsc].allowed.add(node, -INFINITY);
                }
            }
        }
    }
    let children = cluster.rsc[rsc].children.clone();
    if !cluster.rsc[rsc].is_primitive() {
        let mut used: Vec<NodeIdx> = Vec::new();
        let clone = cluster.rsc[rsc].is_clone();
        let mut order = children.clone();
        order.sort_by_key(|child| cluster.rsc[*child].active.is_empty());
        for child in order {
            if clone {
                for node in &used {
                    for part in cluster.primitives(child) {
                        cluster.rsc[part].allowed.add(*node, -INFINITY);
                    }
                }
            }
            assign(cluster, child);
            used.extend(cluster.primitives(child).first().and_then(|p| cluster.rsc[*p].assigned));
        }
        return;
    }
    primitive(cluster, rsc);
}

fn primitive(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    let current = cluster.current_node(rsc);
    if !cluster.rsc[rsc].is.managed {
        cluster.rsc[rsc].next_role = cluster.rsc[rsc].role;
        cluster.rsc[rsc].assigned = current;
        return;
    }
    let stopped = cluster.rsc[rsc].next_role == Role::Stopped;
    let mut nodes: Vec<NodeIdx> = cluster.node_order.clone();
    nodes.retain(|node| cluster.node_available(*node) && cluster.is_allowed(rsc, *node) && !stopped);
    nodes.sort_by_key(|node| {
        (
            -i64::from(cluster.rsc[rsc].allowed.score(*node)),
            cluster.nodes[*node].assigned,
            Some(*node) != current,
            cluster.nodes[*node].name.clone(),
        )
    });
    let best = match (nodes.first(), current) {
        (Some(first), Some(now))
            if nodes.contains(&now) && cluster.rsc[rsc].allowed.score(now) == cluster.rsc[rsc].allowed.score(*first) =>
        {
            Some(now)
        }
        (first, _) => first.copied(),
    };
    cluster.rsc[rsc].assigned = best;
    match best {
        Some(node) => cluster.nodes[node].assigned += 1,
        None => cluster.rsc[rsc].next_role = Role::Stopped,
    }
}
