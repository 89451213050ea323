//! Which colocations count for a resource: its own and those it inherits.

use crate::facts::Variant;
use crate::ids::{ColIdx, RscIdx};
use crate::placement::Placement;
use crate::rules::Sort;
use hac_model::INFINITY;

/// Colocations in which `rsc` (or what it stands for) is the dependent.
pub(super) fn this_with(placement: &Placement<'_>, rsc: RscIdx) -> Vec<ColIdx> {
    let mut list = Vec::new();
    collect(placement, rsc, rsc, &mut list, Sort::ByPrimary);
    list
}

/// Colocations in which `rsc` (or what it stands for) is the primary.
pub(crate) fn with_this(placement: &Placement<'_>, rsc: RscIdx) -> Vec<ColIdx> {
    let mut list = Vec::new();
    collect(placement, rsc, rsc, &mut list, Sort::ByDependent);
    list
}

/// Adds what `rsc` contributes to the list of `asked`.
fn collect(placement: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort) {
    match &placement.rsc[rsc].variant {
        Variant::Primitive if rsc == asked => {
            add_all(placement, list, own(placement, rsc, sort), sort);
            parent(placement, rsc, asked, list, sort);
        }
        Variant::Primitive => {
            for idx in own(placement, rsc, sort) {
                if placement.colocation(*idx).explicit {
                    placement.insert(list, *idx, sort);
                }
            }
        }
        Variant::Group { colocated, .. } => group(placement, rsc, asked, list, sort, *colocated),
        Variant::Clone(_) => {
            add_all(placement, list, own(placement, rsc, sort), sort);
            parent(placement, rsc, asked, list, sort);
        }
        Variant::Bundle(_) => bundle(placement, rsc, asked, list, sort),
    }
}

fn own<'c>(placement: &'c Placement<'_>, rsc: RscIdx, sort: Sort) -> &'c [ColIdx] {
    placement.colocations_of(rsc, sort)
}

fn parent(placement: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort) {
    if let Some(parent) = placement.rsc[rsc].parent {
        collect(placement, parent, asked, list, sort);
    }
}

/// Adds one list to another. Pacemaker adds the first of the added ones once for each of them if there is something in
/// the list already; this decides scores, so it is done here too.
fn add_all(placement: &Placement<'_>, list: &mut Vec<ColIdx>, added: &[ColIdx], sort: Sort) {
    let Some(first) = added.first() else { return };
    if list.is_empty() {
        list.extend_from_slice(added);
    } else {
        for _ in added {
            placement.insert(list, *first, sort);
        }
    }
}

fn group(placement: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort, colocated: bool) {
    let members = &placement.rsc[rsc].children;
    let end = match sort {
        Sort::ByPrimary => members.first(),
        Sort::ByDependent => members.last(),
    };
    if asked == rsc || Some(&asked) == end {
        add_all(placement, list, own(placement, rsc, sort), sort);
        parent(placement, rsc, asked, list, sort);
        if sort == Sort::ByDependent && !colocated {
            return;
        }
        for member in members {
            if *member != asked {
                collect(placement, *member, asked, list, sort);
            }
        }
        return;
    }
    if sort == Sort::ByDependent {
        return;
    }
    // Later members follow the first one, unless someone before them is left alone where it is.
    let earlier = members.iter().take_while(|member| **member != asked);
    if members.contains(&asked) && earlier.into_iter().any(|member| !placement.rsc[*member].is.managed) {
        for idx in own(placement, rsc, sort) {
            if placement.colocation(*idx).score >= INFINITY {
                placement.insert(list, *idx, sort);
            }
        }
    }
}

fn bundle(placement: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort) {
    let Some(data) = placement.bundle_data(rsc) else { return };
    if asked == rsc || data.replicas.iter().any(|replica| replica.container == asked) {
        add_all(placement, list, own(placement, rsc, sort), sort);
        return;
    }
    let Some(inner) = data.child.filter(|inner| placement.rsc[*inner].is.promotable) else { return };
    if placement.top(asked, false) != inner {
        return;
    }
    let choosing_roles =
        if asked == inner { placement.placed[inner].choosing_roles } else { !placement.placed[asked].unassigned };
    if choosing_roles {
        add_all(placement, list, own(placement, rsc, sort), sort);
    }
}
