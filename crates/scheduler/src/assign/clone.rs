//! Clones: wishes of all sides, then instances, then roles.

use super::{instances, lists, promotable, wishes};
use crate::ids::{NodeIdx, RscIdx};
use crate::placement::Placement;

/// Assigns the instances of a clone.
pub(super) fn assign(cluster: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>) {
    if !cluster.placed[rsc].unassigned || cluster.placed[rsc].assigning {
        return;
    }
    cluster.placed[rsc].assigning = true;
    let promotable = cluster.rsc[rsc].is.promotable;
    if promotable {
        promotable::add_scores(cluster, rsc);
    }
    for idx in lists::this_with(cluster, rsc) {
        let primary = cluster.colocation(idx).primary;
        super::assign(cluster, primary, prefer, true);
    }
    for idx in lists::with_this(cluster, rsc) {
        wishes::add_dependent(cluster, idx, rsc);
    }
    cluster.note_scores(rsc);
    let mut children = std::mem::take(&mut cluster.rsc[rsc].children);
    cluster.rsc[rsc].children.clone_from(&children);
    instances::sort(cluster, &mut children);
    cluster.rsc[rsc].children.clone_from(&children);
    let (max, per_node) = cluster.clone_data(rsc).map_or((0, 0), |data| (data.max, data.node_max));
    instances::assign_all(cluster, rsc, &children, max, per_node);
    if promotable {
        promotable::set_roles(cluster, rsc);
    }
    cluster.placed[rsc].assigning = false;
    cluster.placed[rsc].unassigned = false;
}
