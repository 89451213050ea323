//! Orderings between a container and what runs in its guest that could never be met.

use crate::scheduler::cluster::{ActIdx, Cluster, RelationFlags as F};

/// Takes out orderings between actions of a container and of what runs inside: the container's own start and stop
/// bring up and take down all that is in it.
pub(super) fn drop_impossible(cluster: &mut Cluster<'_>) {
    if !cluster.has_remote_nodes {
        return;
    }
    for then in cluster.actions.keys().collect::<Vec<_>>() {
        for at in 0..cluster.actions[then].before.len() {
            let relation = cluster.actions[then].before[at];
            if relation.flags.is_none() || relation.flags.has(F::GUEST_ALLOWED) {
                continue;
            }
            if runs_in(cluster, relation.action, then) || runs_in(cluster, then, relation.action) {
                cluster.actions[then].before[at].flags = F::NONE;
            }
        }
    }
}

/// Whether `inner` acts in a guest whose container `outer` is an action of.
fn runs_in(cluster: &Cluster<'_>, inner: ActIdx, outer: ActIdx) -> bool {
    let (Some(node), Some(rsc)) = (cluster.actions[inner].node, cluster.actions[outer].rsc) else { return false };
    let container = cluster.container_of(node).filter(|_| cluster.nodes[node].is_guest());
    cluster.actions[inner].rsc.is_some_and(|own| own != rsc)
        && container.is_some_and(|container| container == rsc || cluster.is_inside(container, rsc))
}
