//! Clones: wishes of all sides, then instances, then roles.

use super::{instances, lists, promotable, wishes};
use crate::ids::{NodeIdx, RscIdx};
use crate::placement::Placement;

/// Assigns the instances of a clone.
pub(super) fn assign(placement: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>) {
    if !placement.placed[rsc].unassigned || placement.placed[rsc].assigning {
        return;
    }
    placement.placed[rsc].assigning = true;
    let promotable = placement.rsc[rsc].is.promotable;
    if promotable {
        promotable::add_scores(placement, rsc);
    }
    for idx in lists::this_with(placement, rsc) {
        let primary = placement.colocation(idx).primary;
        super::assign(placement, primary, prefer, true);
    }
    for idx in lists::with_this(placement, rsc) {
        wishes::add_dependent(placement, idx, rsc);
    }
    placement.note_scores(rsc);
    let mut children = std::mem::take(&mut placement.rsc[rsc].children);
    placement.rsc[rsc].children.clone_from(&children);
    instances::sort(placement, &mut children);
    placement.rsc[rsc].children.clone_from(&children);
    let (max, per_node) = placement.clone_data(rsc).map_or((0, 0), |data| (data.max, data.node_max));
    instances::assign_all(placement, rsc, &children, max, per_node);
    if promotable {
        promotable::set_roles(placement, rsc);
    }
    placement.placed[rsc].assigning = false;
    placement.placed[rsc].unassigned = false;
}
