//! Which colocations count for a resource: its own and those it inherits.

use crate::facts::Variant;
use crate::ids::{ColIdx, RscIdx};
use crate::placement::Placement;
use crate::rules::Sort;
use hac_model::INFINITY;

/// Colocations in which `rsc` (or what it stands for) is the dependent.
pub(super) fn this_with(cluster: &Placement<'_>, rsc: RscIdx) -> Vec<ColIdx> {
    let mut list = Vec::new();
    collect(cluster, rsc, rsc, &mut list, Sort::ByPrimary);
    list
}

/// Colocations in which `rsc` (or what it stands for) is the primary.
pub(crate) fn with_this(cluster: &Placement<'_>, rsc: RscIdx) -> Vec<ColIdx> {
    let mut list = Vec::new();
    collect(cluster, rsc, rsc, &mut list, Sort::ByDependent);
    list
}

/// Adds what `rsc` contributes to the list of `asked`.
fn collect(cluster: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort) {
    match &cluster.rsc[rsc].variant {
        Variant::Primitive if rsc == asked => {
            add_all(cluster, list, own(cluster, rsc, sort), sort);
            parent(cluster, rsc, asked, list, sort);
        }
        Variant::Primitive => {
            for idx in own(cluster, rsc, sort) {
                if cluster.colocation(*idx).explicit {
                    cluster.insert(list, *idx, sort);
                }
            }
        }
        Variant::Group { colocated, .. } => group(cluster, rsc, asked, list, sort, *colocated),
        Variant::Clone(_) => {
            add_all(cluster, list, own(cluster, rsc, sort), sort);
            parent(cluster, rsc, asked, list, sort);
        }
        Variant::Bundle(_) => bundle(cluster, rsc, asked, list, sort),
    }
}

fn own<'c>(cluster: &'c Placement<'_>, rsc: RscIdx, sort: Sort) -> &'c [ColIdx] {
    cluster.colocations_of(rsc, sort)
}

fn parent(cluster: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort) {
    if let Some(parent) = cluster.rsc[rsc].parent {
        collect(cluster, parent, asked, list, sort);
    }
}

/// Adds one list to another. Pacemaker adds the first of the added ones once for each of them if there is something in
/// the list already; this decides scores, so it is done here too.
fn add_all(cluster: &Placement<'_>, list: &mut Vec<ColIdx>, added: &[ColIdx], sort: Sort) {
    let Some(first) = added.first() else { return };
    if list.is_empty() {
        list.extend_from_slice(added);
    } else {
        for _ in added {
            cluster.insert(list, *first, sort);
        }
    }
}

fn group(cluster: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort, colocated: bool) {
    let members = &cluster.rsc[rsc].children;
    let end = match sort {
        Sort::ByPrimary => members.first(),
        Sort::ByDependent => members.last(),
    };
    if asked == rsc || Some(&asked) == end {
        add_all(cluster, list, own(cluster, rsc, sort), sort);
        parent(cluster, rsc, asked, list, sort);
        if sort == Sort::ByDependent && !colocated {
            return;
        }
        for member in members {
            if *member != asked {
                collect(cluster, *member, asked, list, sort);
            }
        }
        return;
    }
    if sort == Sort::ByDependent {
        return;
    }
    // Later members follow the first one, unless someone before them is left alone where it is.
    let earlier = members.iter().take_while(|member| **member != asked);
    if members.contains(&asked) && earlier.into_iter().any(|member| !cluster.rsc[*member].is.managed) {
        for idx in own(cluster, rsc, sort) {
            if cluster.colocation(*idx).score >= INFINITY {
                cluster.insert(list, *idx, sort);
            }
        }
    }
}

fn bundle(cluster: &Placement<'_>, rsc: RscIdx, asked: RscIdx, list: &mut Vec<ColIdx>, sort: Sort) {
    let Some(data) = cluster.bundle_data(rsc) else { return };
    if asked == rsc || data.replicas.iter().any(|replica| replica.container == asked) {
        add_all(cluster, list, own(cluster, rsc, sort), sort);
        return;
    }
    let Some(inner) = data.child.filter(|inner| cluster.rsc[*inner].is.promotable) else { return };
    if cluster.top(asked, false) != inner {
        return;
    }
    let choosing_roles =
        if asked == inner { cluster.placed[inner].choosing_roles } else { !cluster.placed[asked].unassigned };
    if choosing_roles {
        add_all(cluster, list, own(cluster, rsc, sort), sort);
    }
}
