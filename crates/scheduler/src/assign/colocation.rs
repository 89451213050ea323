//! Applying a colocation to the dependent's table, or to how much it wants to be promoted.

use crate::facts::Variant;
use crate::ids::{ColIdx, NodeIdx, RscIdx};
use crate::placement::Placement;
use crate::score;
use crate::scores::Why;
use hac_model::Role;
use hac_model::{INFINITY, parse_bool};

use super::{instances, note_withheld, place, wishes};

/// What a colocation is about at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affects {
    /// Nothing.
    Nothing,
    /// Where the dependent will be.
    Location,
    /// Whether it will be promoted.
    Role,
}

/// Applies a colocation of `dependent` with `primary`, which may be parts of what the constraint names. With
/// `for_dependent` it is the dependent's kind that decides how, else the primary's.
pub(super) fn apply(
    placement: &mut Placement<'_>,
    dependent: RscIdx,
    primary: RscIdx,
    idx: ColIdx,
    for_dependent: bool,
    why: &Why,
) {
    let which = if for_dependent { dependent } else { primary };
    match placement.rsc[which].variant {
        Variant::Primitive if for_dependent => apply(placement, dependent, primary, idx, false, why),
        Variant::Primitive => pair(placement, dependent, primary, idx, why),
        // An instance that is a group is promoted as a whole.
        Variant::Group { .. }
            if for_dependent && affects(placement, dependent, primary, idx, false) == Affects::Role =>
        {
            apply(placement, dependent, primary, idx, false, why);
        }
        Variant::Group { colocated, .. } if for_dependent => {
            dependent_group(placement, dependent, primary, idx, colocated, why);
        }
        Variant::Group { colocated, .. } => with_group(placement, dependent, primary, idx, colocated, why),
        Variant::Clone(_) if !for_dependent => with_clone(placement, dependent, primary, idx, why),
        Variant::Bundle(_) if !for_dependent => with_bundle(placement, dependent, primary, idx, why),
        // Clones and bundles as dependents hand their colocations to their instances.
        Variant::Clone(_) | Variant::Bundle(_) => {}
    }
}

fn pair(placement: &mut Placement<'_>, dependent: RscIdx, primary: RscIdx, idx: ColIdx, why: &Why) {
    match affects(placement, dependent, primary, idx, false) {
        Affects::Nothing => {}
        Affects::Location => apply_to_scores(placement, dependent, primary, idx, why),
        Affects::Role => apply_to_priority(placement, dependent, primary, idx),
    }
}

/// The resource whose role counts: what is inside for a bundle's container.
fn role_holder(placement: &Placement<'_>, rsc: RscIdx) -> RscIdx {
    if !placement.rsc[rsc].is_primitive() {
        return rsc;
    }
    let Some(parent) = placement.rsc[rsc].parent.filter(|parent| placement.rsc[*parent].is_bundle()) else {
        return rsc;
    };
    let replicas = placement.bundle_data(parent).map_or(&[][..], |data| &data.replicas);
    let replica = replicas.iter().find(|replica| replica.container == rsc);
    replica.and_then(|replica| replica.child).unwrap_or(rsc)
}

/// What a colocation is about. With `preview` it is asked before anything was assigned.
pub(super) fn affects(
    placement: &Placement<'_>,
    dependent: RscIdx,
    primary: RscIdx,
    idx: ColIdx,
    preview: bool,
) -> Affects {
    let constraint = placement.colocation(idx);
    if !preview && placement.placed[primary].unassigned {
        return Affects::Nothing;
    }
    let (dependent_holder, primary_holder) = (role_holder(placement, dependent), role_holder(placement, primary));
    let holder = &placement.rsc[dependent_holder];
    let in_promotable = holder.parent.is_some_and(|parent| placement.rsc[parent].is.promotable);
    if constraint.dependent_role >= Role::Unpromoted && in_promotable && !placement.placed[dependent_holder].unassigned
    {
        return Affects::Role;
    }
    if !preview && !placement.placed[dependent].unassigned {
        return Affects::Nothing;
    }
    let fits = |role: Role, holder: RscIdx| role == Role::Unknown || role == placement.rsc[holder].next_role;
    if fits(constraint.dependent_role, dependent_holder) && fits(constraint.primary_role, primary_holder) {
        Affects::Location
    } else {
        Affects::Nothing
    }
}

/// The value that must agree: the node itself, or an attribute of it.
pub(super) fn node_value(placement: &Placement<'_>, node: NodeIdx, idx: ColIdx, rsc: RscIdx) -> Option<String> {
    let attribute = placement.colocation(idx).attribute.as_deref();
    attribute_value(placement, node, attribute, rsc)
}

/// The same for an attribute by name. A guest that was never up has none, not even its name: two of them are one place.
pub(super) fn attribute_value(
    placement: &Placement<'_>,
    node: NodeIdx,
    attribute: Option<&str>,
    rsc: RscIdx,
) -> Option<String> {
    let node = host_for(placement, node, rsc);
    placement.nodes[node].attributes.get(attribute.unwrap_or("#uname")).cloned()
}

/// What is colocated with a bundle's inside cannot run inside itself; for it the inside is where the container is.
pub(super) fn host_for(placement: &Placement<'_>, node: NodeIdx, rsc: RscIdx) -> NodeIdx {
    let outside = placement.nodes[node].kind == crate::facts::Kind::Bundle && placement.runs_in_bundle(rsc);
    if !outside {
        return node;
    }
    let container = placement.container_of(node);
    container.and_then(|container| placement.placed[container].assigned).unwrap_or(node)
}

fn same(a: Option<&String>, b: Option<&String>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (None, None) => true,
        _ => false,
    }
}

/// Changes the dependent's table according to where the primary is.
fn apply_to_scores(placement: &mut Placement<'_>, dependent: RscIdx, primary: RscIdx, idx: ColIdx, why: &Why) {
    let points = placement.colocation(idx).score;
    let primary_node = placement.placed[primary].assigned;
    if primary_node.is_none() && points < 0 {
        return;
    }
    let value = primary_node.and_then(|node| node_value(placement, node, idx, primary));
    let mut work = placement.scores.of(dependent).clone();
    let nodes: Vec<NodeIdx> = work.nodes().collect();
    for node in nodes {
        if primary_node.is_none() {
            work.add(node, -points);
        } else if same(node_value(placement, node, idx, dependent).as_ref(), value.as_ref()) {
            if points < INFINITY {
                work.add(node, points);
            }
        } else if points >= INFINITY
            && let Some(allowed) = work.get_mut(node)
        {
            allowed.score = -INFINITY;
        }
    }
    if points.abs() >= INFINITY || wishes::any_available(placement, &work) {
        placement.scores.replace(dependent, work, why);
    }
}

/// Changes how much an instance wants to be promoted according to where the primary is.
fn apply_to_priority(placement: &mut Placement<'_>, dependent: RscIdx, primary: RscIdx, idx: ColIdx) {
    let constraint = placement.colocation(idx);
    let (points, dependent_role, primary_role) = (constraint.score, constraint.dependent_role, constraint.primary_role);
    let Some(here) = placement.location(dependent, false) else { return };
    // A primary that is nowhere is not where the dependent is.
    let together = placement.placed[primary].assigned.is_some_and(|there| {
        let (mine, theirs) = (node_value(placement, here, idx, dependent), node_value(placement, there, idx, primary));
        same(mine.as_ref(), theirs.as_ref())
    });
    if !together {
        if points >= INFINITY && dependent_role == Role::Promoted {
            placement.rsc[dependent].priority = -INFINITY;
        }
        return;
    }
    let holder = role_holder(placement, primary);
    if primary_role != Role::Unknown && primary_role != placement.rsc[holder].next_role {
        return;
    }
    let sign = if dependent_role == Role::Unpromoted { -1 } else { 1 };
    let priority = placement.rsc[dependent].priority;
    placement.rsc[dependent].priority = score::add(priority, sign * points);
}

/// A group follows by its first member.
fn dependent_group(
    placement: &mut Placement<'_>,
    group: RscIdx,
    primary: RscIdx,
    idx: ColIdx,
    colocated: bool,
    why: &Why,
) {
    let members = placement.rsc[group].children.clone();
    if colocated {
        if let Some(first) = members.first() {
            apply(placement, *first, primary, idx, true, why);
        }
    } else if placement.colocation(idx).score < INFINITY {
        for member in members {
            apply(placement, member, primary, idx, true, why);
        }
    }
}

/// With a group: with its last member if that is mandatory, else with its first.
fn with_group(
    placement: &mut Placement<'_>,
    dependent: RscIdx,
    group: RscIdx,
    idx: ColIdx,
    colocated: bool,
    why: &Why,
) {
    if placement.placed[group].unassigned {
        return;
    }
    let members = placement.rsc[group].children.clone();
    let mandatory = placement.colocation(idx).score >= INFINITY;
    if colocated {
        let member = if mandatory { members.last() } else { members.first() };
        if let Some(member) = member {
            apply(placement, dependent, *member, idx, false, why);
        }
    } else if !mandatory {
        for member in members {
            apply(placement, dependent, member, idx, false, why);
        }
    }
}

fn with_clone(placement: &mut Placement<'_>, dependent: RscIdx, clone: RscIdx, idx: ColIdx, why: &Why) {
    if placement.placed[clone].unassigned {
        return;
    }
    let constraint = placement.colocation(idx);
    let (points, dependent_role, primary_role) = (constraint.score, constraint.dependent_role, constraint.primary_role);
    if placement.rsc[clone].is.promotable && primary_role != Role::Unknown {
        super::promotable::update_dependent(placement, dependent, clone, idx, why);
        if dependent_role == Role::Promoted {
            super::promotable::update_dependent_priority(placement, dependent, clone, idx);
        }
        // Who is to be unpromoted together with somebody is judged by that somebody.
        if dependent_role != Role::Unpromoted {
            return;
        }
    }
    if interleaves(placement, idx) {
        match instances::compatible(placement, dependent, clone, Role::Unknown, false) {
            Some(partner) => apply(placement, dependent, partner, idx, true, why),
            None if points >= INFINITY => {
                place(placement, dependent, None, true, true);
                note_withheld(placement, dependent, clone);
            }
            None => {}
        }
        return;
    }
    let children = placement.rsc[clone].children.clone();
    if points >= INFINITY {
        let hosts: Vec<(NodeIdx, i32)> = children
            .iter()
            .filter(|instance| !placement.any_blocked(**instance))
            .filter_map(|instance| placement.location(*instance, false))
            .map(|node| (node, 0))
            .collect();
        only_on(placement, dependent, &hosts, why);
        return;
    }
    for instance in children {
        apply(placement, dependent, instance, idx, false, why);
    }
}

/// Whether instances of the dependent each have a partner among the primary's.
fn interleaves(placement: &Placement<'_>, idx: ColIdx) -> bool {
    let constraint = placement.colocation(idx);
    let dependent = &placement.rsc[constraint.dependent];
    if !dependent.is_clone() && !dependent.is_bundle() {
        return false;
    }
    let wanted = dependent.meta.get("interleave").and_then(|text| parse_bool(text)).unwrap_or(false);
    wanted && max_per_node(placement, constraint.dependent) == max_per_node(placement, constraint.primary)
}

/// How many instances of a collective may be on one node.
pub(super) fn max_per_node(placement: &Placement<'_>, rsc: RscIdx) -> usize {
    match &placement.rsc[rsc].variant {
        Variant::Clone(data) => data.node_max,
        Variant::Bundle(data) => data.per_host,
        _ => 1,
    }
}

/// Bans a resource from all nodes but these, whose points are added.
pub(super) fn only_on(placement: &mut Placement<'_>, rsc: RscIdx, hosts: &[(NodeIdx, i32)], why: &Why) {
    let nodes: Vec<NodeIdx> = placement.scores.of(rsc).nodes().collect();
    for node in nodes {
        let points = hosts.iter().find(|(host, _)| *host == node).map(|(_, points)| *points);
        match points {
            Some(points) => placement.scores.add(rsc, node, points, why),
            None => placement.scores.set(rsc, node, -INFINITY, why),
        }
    }
}

fn with_bundle(placement: &mut Placement<'_>, dependent: RscIdx, bundle: RscIdx, idx: ColIdx, why: &Why) {
    if placement.placed[bundle].unassigned {
        return;
    }
    let constraint = placement.colocation(idx);
    let (points, primary_role, whole) = (constraint.score, constraint.primary_role, constraint.dependent);
    if placement.rsc[whole].is_clone() || placement.rsc[whole].is_bundle() {
        match instances::compatible_container(placement, dependent, bundle) {
            Some(container) => apply(placement, dependent, container, idx, true, why),
            None if points >= INFINITY => {
                place(placement, dependent, None, true, true);
                note_withheld(placement, dependent, bundle);
            }
            None => {}
        }
        return;
    }
    let mut hosts = Vec::new();
    for replica in placement.replicas(bundle) {
        if points < INFINITY {
            apply(placement, dependent, replica.container, idx, false, why);
            continue;
        }
        let Some(host) = placement.location(replica.container, false) else { continue };
        let promoted = replica.child.is_some_and(|child| placement.rsc[child].next_role >= Role::Promoted);
        let fits = primary_role < Role::Promoted || promoted;
        if fits && !placement.any_blocked(replica.container) {
            hosts.push((host, 0));
        }
    }
    if points >= INFINITY {
        only_on(placement, dependent, &hosts, why);
    }
}
