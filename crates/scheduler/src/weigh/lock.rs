//! Shutdown locks: a resource waits for its node that shut down cleanly.

use crate::action::Task;
use crate::ids::RscIdx;
use crate::influence::Influence;
use crate::placement::Placement;
use crate::requests::Requests;
use hac_model::INFINITY;

/// Locks a primitive, or a group's members, if their node shuts down.
pub(super) fn apply(cluster: &mut Placement<'_>, requests: &mut Requests, rsc: RscIdx) {
    if cluster.rsc[rsc].is_group() {
        for member in cluster.rsc[rsc].children.clone() {
            apply(cluster, requests, member);
        }
        return;
    }
    let resource = &cluster.rsc[rsc];
    if !resource.is_primitive() || resource.is.fence_device || cluster.is_connection(rsc) {
        return;
    }
    match (resource.lock, &resource.active[..]) {
        (Some((node, _)), [_, ..]) => {
            // It was started elsewhere all the same; leave it there.
            cluster.ask_for(requests, rsc, Task::Delete, node);
            cluster.rsc[rsc].lock = None;
        }
        (None, [node]) if cluster.nodes[*node].shutdown && !cluster.nodes[*node].unclean => {
            let node = *node;
            let since = cluster.nodes[node].attributes.get("shutdown").and_then(|text| text.trim().parse().ok());
            cluster.rsc[rsc].lock = Some((node, since.unwrap_or(cluster.now)));
        }
        _ => {}
    }
    let Some((node, since)) = cluster.rsc[rsc].lock else { return };
    let limit = i64::try_from(cluster.options.shutdown_lock_limit_ms / 1000).unwrap_or(i64::MAX);
    if limit > 0 {
        cluster.recheck(since.saturating_add(limit).saturating_add(1));
    }
    let why = cluster.because(|cluster| Influence::ShutdownLock { node: cluster.nodes[node].name.clone() });
    for other in cluster.node_order.clone() {
        if other != node {
            cluster.add_score(rsc, Some(other), -INFINITY, &why);
        }
    }
}
