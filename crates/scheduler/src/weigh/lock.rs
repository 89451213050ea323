//! Shutdown locks: a resource waits for its node that shut down cleanly.

use crate::action::Task;
use crate::ids::RscIdx;
use crate::influence::Influence;
use crate::placement::Placement;
use crate::requests::Requests;
use hac_model::INFINITY;

/// Locks a primitive, or a group's members, if their node shuts down.
pub(super) fn apply(placement: &mut Placement<'_>, requests: &mut Requests, rsc: RscIdx) {
    if placement.rsc[rsc].is_group() {
        for member in placement.rsc[rsc].children.clone() {
            apply(placement, requests, member);
        }
        return;
    }
    let resource = &placement.rsc[rsc];
    if !resource.is_primitive() || resource.is.fence_device || placement.is_connection(rsc) {
        return;
    }
    match (resource.lock, &resource.active[..]) {
        (Some((node, _)), [_, ..]) => {
            // It was started elsewhere all the same; leave it there.
            placement.ask_for(requests, rsc, Task::Delete, node);
            placement.rsc[rsc].lock = None;
        }
        (None, [node]) if placement.nodes[*node].shutdown && !placement.nodes[*node].unclean => {
            let node = *node;
            let since = placement.nodes[node].attributes.get("shutdown").and_then(|text| text.trim().parse().ok());
            placement.rsc[rsc].lock = Some((node, since.unwrap_or(placement.now)));
        }
        _ => {}
    }
    let Some((node, since)) = placement.rsc[rsc].lock else { return };
    let limit = i64::try_from(placement.options.shutdown_lock_limit_ms / 1000).unwrap_or(i64::MAX);
    if limit > 0 {
        placement.recheck(since.saturating_add(limit).saturating_add(1));
    }
    let why = placement.because(|placement| Influence::ShutdownLock { node: placement.nodes[node].name.clone() });
    for other in placement.node_order.clone() {
        if other != node {
            placement.add_score(rsc, Some(other), -INFINITY, &why);
        }
    }
}
