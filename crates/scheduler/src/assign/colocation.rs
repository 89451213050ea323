//! Applying a colocation to the dependent's table, or to how much it wants to be promoted.

use crate::Role;
use crate::facts::Variant;
use crate::ids::{ColIdx, NodeIdx, RscIdx};
use crate::placement::Placement;
use crate::score;
use crate::scores::Why;
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
    cluster: &mut Placement<'_>,
    dependent: RscIdx,
    primary: RscIdx,
    idx: ColIdx,
    for_dependent: bool,
    why: &Why,
) {
    let which = if for_dependent { dependent } else { primary };
    match cluster.rsc[which].variant {
        Variant::Primitive if for_dependent => apply(cluster, dependent, primary, idx, false, why),
        Variant::Primitive => pair(cluster, dependent, primary, idx, why),
        // An instance that is a group is promoted as a whole.
        Variant::Group { .. } if for_dependent && affects(cluster, dependent, primary, idx, false) == Affects::Role => {
            apply(cluster, dependent, primary, idx, false, why);
        }
        Variant::Group { colocated, .. } if for_dependent => {
            dependent_group(cluster, dependent, primary, idx, colocated, why);
        }
        Variant::Group { colocated, .. } => with_group(cluster, dependent, primary, idx, colocated, why),
        Variant::Clone(_) if !for_dependent => with_clone(cluster, dependent, primary, idx, why),
        Variant::Bundle(_) if !for_dependent => with_bundle(cluster, dependent, primary, idx, why),
        // Clones and bundles as dependents hand their colocations to their instances.
        Variant::Clone(_) | Variant::Bundle(_) => {}
    }
}

fn pair(cluster: &mut Placement<'_>, dependent: RscIdx, primary: RscIdx, idx: ColIdx, why: &Why) {
    match affects(cluster, dependent, primary, idx, false) {
        Affects::Nothing => {}
        Affects::Location => apply_to_scores(cluster, dependent, primary, idx, why),
        Affects::Role => apply_to_priority(cluster, dependent, primary, idx),
    }
}

/// The resource whose role counts: what is inside for a bundle's container.
fn role_holder(cluster: &Placement<'_>, rsc: RscIdx) -> RscIdx {
    if !cluster.rsc[rsc].is_primitive() {
        return rsc;
    }
    let Some(parent) = cluster.rsc[rsc].parent.filter(|parent| cluster.rsc[*parent].is_bundle()) else { return rsc };
    let replicas = cluster.bundle_data(parent).map_or(&[][..], |data| &data.replicas);
    let replica = replicas.iter().find(|replica| replica.container == rsc);
    replica.and_then(|replica| replica.child).unwrap_or(rsc)
}

/// What a colocation is about. With `preview` it is asked before anything was assigned.
pub(super) fn affects(
    cluster: &Placement<'_>,
    dependent: RscIdx,
    primary: RscIdx,
    idx: ColIdx,
    preview: bool,
) -> Affects {
    let constraint = cluster.colocation(idx);
    if !preview && cluster.placed[primary].unassigned {
        return Affects::Nothing;
    }
    let (dependent_holder, primary_holder) = (role_holder(cluster, dependent), role_holder(cluster, primary));
    let holder = &cluster.rsc[dependent_holder];
    let in_promotable = holder.parent.is_some_and(|parent| cluster.rsc[parent].is.promotable);
    if constraint.dependent_role >= Role::Unpromoted && in_promotable && !cluster.placed[dependent_holder].unassigned {
        return Affects::Role;
    }
    if !preview && !cluster.placed[dependent].unassigned {
        return Affects::Nothing;
    }
    let fits = |role: Role, holder: RscIdx| role == Role::Unknown || role == cluster.rsc[holder].next_role;
    if fits(constraint.dependent_role, dependent_holder) && fits(constraint.primary_role, primary_holder) {
        Affects::Location
    } else {
        Affects::Nothing
    }
}

/// The value that must agree: the node itself, or an attribute of it.
pub(super) fn node_value(cluster: &Placement<'_>, node: NodeIdx, idx: ColIdx, rsc: RscIdx) -> Option<String> {
    let attribute = cluster.colocation(idx).attribute.as_deref();
    attribute_value(cluster, node, attribute, rsc)
}

/// The same for an attribute by name. A guest that was never up has none, not even its name: two of them are one place.
pub(super) fn attribute_value(
    cluster: &Placement<'_>,
    node: NodeIdx,
    attribute: Option<&str>,
    rsc: RscIdx,
) -> Option<String> {
    let node = host_for(cluster, node, rsc);
    cluster.nodes[node].attributes.get(attribute.unwrap_or("#uname")).cloned()
}

/// What is colocated with a bundle's inside cannot run inside itself; for it the inside is where the container is.
pub(super) fn host_for(cluster: &Placement<'_>, node: NodeIdx, rsc: RscIdx) -> NodeIdx {
    let outside = cluster.nodes[node].kind == crate::facts::Kind::Bundle && cluster.is_bundled(rsc);
    if !outside {
        return node;
    }
    let container = cluster.container_of(node);
    container.and_then(|container| cluster.placed[container].assigned).unwrap_or(node)
}

fn same(a: Option<&String>, b: Option<&String>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (None, None) => true,
        _ => false,
    }
}

/// Changes the dependent's table according to where the primary is.
fn apply_to_scores(cluster: &mut Placement<'_>, dependent: RscIdx, primary: RscIdx, idx: ColIdx, why: &Why) {
    let points = cluster.colocation(idx).score;
    let primary_node = cluster.placed[primary].assigned;
    if primary_node.is_none() && points < 0 {
        return;
    }
    let value = primary_node.and_then(|node| node_value(cluster, node, idx, primary));
    let mut work = cluster.scores.of(dependent).clone();
    let nodes: Vec<NodeIdx> = work.nodes().collect();
    for node in nodes {
        if primary_node.is_none() {
            work.add(node, -points);
        } else if same(node_value(cluster, node, idx, dependent).as_ref(), value.as_ref()) {
            if points < INFINITY {
                work.add(node, points);
            }
        } else if points >= INFINITY
            && let Some(allowed) = work.get_mut(node)
        {
            allowed.score = -INFINITY;
        }
    }
    if points.abs() >= INFINITY || wishes::any_available(cluster, &work) {
        cluster.scores.replace(dependent, work, why);
    }
}

/// Changes how much an instance wants to be promoted according to where the primary is.
fn apply_to_priority(cluster: &mut Placement<'_>, dependent: RscIdx, primary: RscIdx, idx: ColIdx) {
    let constraint = cluster.colocation(idx);
    let (points, dependent_role, primary_role) = (constraint.score, constraint.dependent_role, constraint.primary_role);
    let Some(here) = cluster.location(dependent, false) else { return };
    // A primary that is nowhere is not where the dependent is.
    let together = cluster.placed[primary].assigned.is_some_and(|there| {
        let (mine, theirs) = (node_value(cluster, here, idx, dependent), node_value(cluster, there, idx, primary));
        same(mine.as_ref(), theirs.as_ref())
    });
    if !together {
        if points >= INFINITY && dependent_role == Role::Promoted {
            cluster.rsc[dependent].priority = -INFINITY;
        }
        return;
    }
    let holder = role_holder(cluster, primary);
    if primary_role != Role::Unknown && primary_role != cluster.rsc[holder].next_role {
        return;
    }
    let sign = if dependent_role == Role::Unpromoted { -1 } else { 1 };
    let priority = cluster.rsc[dependent].priority;
    cluster.rsc[dependent].priority = score::add(priority, sign * points);
}

/// A group follows by its first member.
fn dependent_group(
    cluster: &mut Placement<'_>,
    group: RscIdx,
    primary: RscIdx,
    idx: ColIdx,
    colocated: bool,
    why: &Why,
) {
    let members = cluster.rsc[group].children.clone();
    if colocated {
        if let Some(first) = members.first() {
            apply(cluster, *first, primary, idx, true, why);
        }
    } else if cluster.colocation(idx).score < INFINITY {
        for member in members {
            apply(cluster, member, primary, idx, true, why);
        }
    }
}

/// With a group: with its last member if that is mandatory, else with its first.
fn with_group(cluster: &mut Placement<'_>, dependent: RscIdx, group: RscIdx, idx: ColIdx, colocated: bool, why: &Why) {
    if cluster.placed[group].unassigned {
        return;
    }
    let members = cluster.rsc[group].children.clone();
    let mandatory = cluster.colocation(idx).score >= INFINITY;
    if colocated {
        let member = if mandatory { members.last() } else { members.first() };
        if let Some(member) = member {
            apply(cluster, dependent, *member, idx, false, why);
        }
    } else if !mandatory {
        for member in members {
            apply(cluster, dependent, member, idx, false, why);
        }
    }
}

fn with_clone(cluster: &mut Placement<'_>, dependent: RscIdx, clone: RscIdx, idx: ColIdx, why: &Why) {
    if cluster.placed[clone].unassigned {
        return;
    }
    let constraint = cluster.colocation(idx);
    let (points, dependent_role, primary_role) = (constraint.score, constraint.dependent_role, constraint.primary_role);
    if cluster.rsc[clone].is.promotable && primary_role != Role::Unknown {
        super::promotable::update_dependent(cluster, dependent, clone, idx, why);
        if dependent_role == Role::Promoted {
            super::promotable::update_dependent_priority(cluster, dependent, clone, idx);
        }
        // Who is to be unpromoted together with somebody is judged by that somebody.
        if dependent_role != Role::Unpromoted {
            return;
        }
    }
    if interleaves(cluster, idx) {
        match instances::compatible(cluster, dependent, clone, Role::Unknown, false) {
            Some(partner) => apply(cluster, dependent, partner, idx, true, why),
            None if points >= INFINITY => {
                place(cluster, dependent, None, true, true);
                note_withheld(cluster, dependent, clone);
            }
            None => {}
        }
        return;
    }
    let children = cluster.rsc[clone].children.clone();
    if points >= INFINITY {
        let hosts: Vec<(NodeIdx, i32)> = children
            .iter()
            .filter(|instance| !cluster.any_blocked(**instance))
            .filter_map(|instance| cluster.location(*instance, false))
            .map(|node| (node, 0))
            .collect();
        only_on(cluster, dependent, &hosts, why);
        return;
    }
    for instance in children {
        apply(cluster, dependent, instance, idx, false, why);
    }
}

/// Whether instances of the dependent each have a partner among the primary's.
fn interleaves(cluster: &Placement<'_>, idx: ColIdx) -> bool {
    let constraint = cluster.colocation(idx);
    let dependent = &cluster.rsc[constraint.dependent];
    if !dependent.is_clone() && !dependent.is_bundle() {
        return false;
    }
    let wanted = dependent.meta.get("interleave").and_then(|text| parse_bool(text)).unwrap_or(false);
    wanted && max_per_node(cluster, constraint.dependent) == max_per_node(cluster, constraint.primary)
}

/// How many instances of a collective may be on one node.
pub(super) fn max_per_node(cluster: &Placement<'_>, rsc: RscIdx) -> usize {
    match &cluster.rsc[rsc].variant {
        Variant::Clone(data) => data.node_max,
        Variant::Bundle(data) => data.per_host,
        _ => 1,
    }
}

/// Bans a resource from all nodes but these, whose points are added.
pub(super) fn only_on(cluster: &mut Placement<'_>, rsc: RscIdx, hosts: &[(NodeIdx, i32)], why: &Why) {
    let nodes: Vec<NodeIdx> = cluster.scores.of(rsc).nodes().collect();
    for node in nodes {
        let points = hosts.iter().find(|(host, _)| *host == node).map(|(_, points)| *points);
        match points {
            Some(points) => cluster.scores.add(rsc, node, points, why),
            None => cluster.scores.set(rsc, node, -INFINITY, why),
        }
    }
}

fn with_bundle(cluster: &mut Placement<'_>, dependent: RscIdx, bundle: RscIdx, idx: ColIdx, why: &Why) {
    if cluster.placed[bundle].unassigned {
        return;
    }
    let constraint = cluster.colocation(idx);
    let (points, primary_role, whole) = (constraint.score, constraint.primary_role, constraint.dependent);
    if cluster.rsc[whole].is_clone() || cluster.rsc[whole].is_bundle() {
        match instances::compatible_container(cluster, dependent, bundle) {
            Some(container) => apply(cluster, dependent, container, idx, true, why),
            None if points >= INFINITY => {
                place(cluster, dependent, None, true, true);
                note_withheld(cluster, dependent, bundle);
            }
            None => {}
        }
        return;
    }
    let mut hosts = Vec::new();
    for replica in cluster.replicas(bundle) {
        if points < INFINITY {
            apply(cluster, dependent, replica.container, idx, false, why);
            continue;
        }
        let Some(host) = cluster.location(replica.container, false) else { continue };
        let promoted = replica.child.is_some_and(|child| cluster.rsc[child].next_role >= Role::Promoted);
        let fits = primary_role < Role::Promoted || promoted;
        if fits && !cluster.any_blocked(replica.container) {
            hosts.push((host, 0));
        }
    }
    if points >= INFINITY {
        only_on(cluster, dependent, &hosts, why);
    }
}
