//! Instances of a clone, and containers of a bundle: who goes first, and who goes where.

use std::cmp::Ordering;

use crate::allowed::{Allowed, AllowedTable};
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::placement::Placement;
use crate::scores::Why;
use hac_model::INFINITY;
use hac_model::Role;

use super::{sort as sorting, unassign, wishes};

/// Sorts instances by who should be assigned first.
pub(super) fn sort(placement: &mut Placement<'_>, instances: &mut Vec<RscIdx>) {
    // Comparing computes wishes and is not consistent in every case: an insertion sort ends in any case, and instances are
    // nearly sorted already.
    let mut sorted: Vec<RscIdx> = Vec::with_capacity(instances.len());
    for instance in instances.iter().copied() {
        let mut at = sorted.len();
        while at > 0 && compare(placement, sorted[at - 1], instance) == Ordering::Greater {
            at -= 1;
        }
        sorted.insert(at, instance);
    }
    *instances = sorted;
}

/// Which of two instances goes first.
pub(super) fn compare(placement: &mut Placement<'_>, a: RscIdx, b: RscIdx) -> Ordering {
    let ((mut node_a, all_a, _), (mut node_b, all_b, _)) = (placement.active_nodes(a), placement.active_nodes(b));
    if all_a > 0 && all_b > 0 && all_a != all_b {
        return all_a.cmp(&all_b);
    }
    let drop_banned = |placement: &Placement<'_>, rsc: RscIdx, node: &mut Option<NodeIdx>| {
        let banned = node.is_some_and(|node| placement.scores.of(rsc).get(node).is_none_or(|a| a.score < 0));
        if banned {
            *node = None;
        }
        banned
    };
    let (banned_a, banned_b) = (drop_banned(placement, a, &mut node_a), drop_banned(placement, b, &mut node_b));
    if banned_a != banned_b {
        return banned_a.cmp(&banned_b);
    }
    let by_priority = placement.rsc[b].priority.cmp(&placement.rsc[a].priority);
    if by_priority != Ordering::Equal {
        return by_priority;
    }
    let (Some(here), Some(there)) = (node_a, node_b) else {
        return match (node_a, node_b) {
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            _ => by_number(placement, a, b),
        };
    };
    compare_active(placement, (a, here), (b, there))
}

/// Which of two active instances goes first.
fn compare_active(placement: &mut Placement<'_>, a: (RscIdx, NodeIdx), b: (RscIdx, NodeIdx)) -> Ordering {
    let available = |node: NodeIdx| !placement.node_available(node);
    let by_node = available(a.1).cmp(&available(b.1));
    if by_node != Ordering::Equal {
        return by_node;
    }
    match (parent_entry(placement, a.0, a.1), parent_entry(placement, b.0, b.1)) {
        (None, None) => return by_number(placement, a.0, b.0),
        (None, Some(_)) => return Ordering::Greater,
        (Some(_), None) => return Ordering::Less,
        (Some(x), Some(y)) if x.count != y.count => return x.count.cmp(&y.count),
        _ => {}
    }
    let failed = |rsc: RscIdx| placement.any_failed(rsc);
    let by_failure = failed(a.0).cmp(&failed(b.0));
    if by_failure != Ordering::Equal {
        return by_failure;
    }
    compare_wishes(placement, a.0, b.0).then_with(|| by_number(placement, a.0, b.0))
}

fn by_number(placement: &Placement<'_>, a: RscIdx, b: RscIdx) -> Ordering {
    let number = |rsc: RscIdx| {
        let id = &placement.rsc[rsc].id;
        id.rsplit_once(':').and_then(|(_, number)| number.parse::<usize>().ok())
    };
    number(a).cmp(&number(b)).then_with(|| a.cmp(&b))
}

/// What the parent says of a node.
fn parent_entry(placement: &Placement<'_>, instance: RscIdx, node: NodeIdx) -> Option<Allowed> {
    let table = match placement.rsc[instance].parent {
        Some(parent) => placement.scores.of(parent),
        None => placement.scores.of(instance),
    };
    table.get(node).copied()
}

/// The instance whose current node others would like better goes first.
fn compare_wishes(placement: &mut Placement<'_>, a: RscIdx, b: RscIdx) -> Ordering {
    let (Some(node_a), Some(node_b)) = (placement.current_node(a), placement.current_node(b)) else {
        return Ordering::Equal;
    };
    let wish = |placement: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx| {
        let mut table = AllowedTable::default();
        for entry in [node_a, node_b] {
            table.insert(entry, Allowed::default());
        }
        wishes::add_all(placement, rsc, &mut table);
        table.score(node)
    };
    let (wish_a, wish_b) = (wish(placement, a, node_a), wish(placement, b, node_b));
    wish_b.cmp(&wish_a)
}

/// Assigns instances until `max` are placed, no more than `per_node` on one node; the others are banned.
pub(super) fn assign_all(
    placement: &mut Placement<'_>,
    parent: RscIdx,
    instances: &[RscIdx],
    max: usize,
    per_node: usize,
) {
    let available = reset_counts(placement, parent);
    let optimal = max.checked_div(available).unwrap_or(1).max(1);
    let mut assigned = 0;
    for instance in instances {
        if assigned >= max {
            break;
        }
        if !placement.placed[*instance].unassigned {
            continue;
        }
        if let Some(current) = healthy_node(placement, *instance, optimal)
            && assign_early(placement, *instance, current, per_node, max - assigned)
        {
            assigned += 1;
        }
    }
    for instance in instances {
        if !placement.placed[*instance].unassigned {
            continue;
        }
        if assigned >= max {
            let why = placement.because(|_| Influence::Surplus { max });
            placement.add_score(*instance, None, -INFINITY, &why);
        } else if assign_one(placement, *instance, None, per_node).is_some() {
            assigned += 1;
        }
    }
}

/// Sets the parent's counts to zero. Returns how many nodes may run instances.
fn reset_counts(placement: &mut Placement<'_>, parent: RscIdx) -> usize {
    placement.scores.reset_counts(parent);
    let table = placement.scores.of(parent);
    table.nodes().filter(|node| placement.node_available(*node) && table.score(*node) >= 0).count()
}

/// The node on which an instance is healthy, if it may stay there. That a member of it failed does not count.
fn healthy_node(placement: &Placement<'_>, instance: RscIdx, optimal: usize) -> Option<NodeIdx> {
    let resource = &placement.rsc[instance];
    if resource.active.is_empty() || resource.is.failed {
        return None;
    }
    let node = placement.current_node(instance).filter(|node| placement.node_available(*node))?;
    let full = parent_entry(placement, instance, node).is_some_and(|entry| entry.count >= optimal);
    (!full).then_some(node)
}

/// Tries to leave an instance where it is. For every node that attracts it more, a place is put aside there for another
/// instance.
fn assign_early(
    placement: &mut Placement<'_>,
    instance: RscIdx,
    current: NodeIdx,
    per_node: usize,
    available: usize,
) -> bool {
    if !placement.is_allowed(instance, current) {
        return false;
    }
    let Some(parent) = placement.rsc[instance].parent else { return false };
    let saved = placement.scores.save(&with_parts(placement, instance));
    let saved_parent = placement.scores.save(&[parent]);
    let mut reserved = 0;
    let mut stays = false;
    while reserved < available {
        let chosen = assign_one(placement, instance, Some(current), per_node);
        if chosen == Some(current) {
            stays = true;
            break;
        }
        placement.scores.restore(&saved);
        if chosen.is_none() {
            mark_unassigned(placement, instance);
            break;
        }
        reserved += 1;
        unassign(placement, instance);
        mark_unassigned(placement, instance);
    }
    placement.scores.restore(&saved_parent);
    if stays {
        count_at_parent(placement, instance, current);
    }
    stays
}

fn mark_unassigned(placement: &mut Placement<'_>, rsc: RscIdx) {
    placement.placed[rsc].unassigned = true;
    for child in placement.rsc[rsc].children.clone() {
        mark_unassigned(placement, child);
    }
}

/// A resource and all its parts.
fn with_parts(placement: &Placement<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    let mut found = vec![rsc];
    for child in &placement.rsc[rsc].children {
        found.extend(with_parts(placement, *child));
    }
    found
}

/// Assigns one instance; without `prefer` it is to be stopped if that fails.
fn assign_one(
    placement: &mut Placement<'_>,
    instance: RscIdx,
    prefer: Option<NodeIdx>,
    per_node: usize,
) -> Option<NodeIdx> {
    let nodes: Vec<NodeIdx> = placement.scores.of(instance).nodes().collect();
    for node in nodes {
        let entry = parent_entry(placement, instance, node);
        let usable = entry.is_some_and(|entry| entry.score >= 0 && entry.count < per_node);
        if !usable || !placement.node_available(node) {
            let why = placement.because(|placement| match entry {
                Some(entry) if entry.score >= 0 && placement.node_available(node) => {
                    Influence::NodeFull { max: per_node }
                }
                Some(entry) if entry.score >= 0 => Influence::NodeUnavailable,
                _ => Influence::WholeClone,
            });
            ban(placement, instance, node, &why);
        }
    }
    let chosen = super::assign(placement, instance, prefer, prefer.is_none())?;
    count_at_parent(placement, instance, chosen);
    Some(chosen)
}

fn count_at_parent(placement: &mut Placement<'_>, instance: RscIdx, node: NodeIdx) {
    if let Some(parent) = placement.rsc[instance].parent {
        placement.scores.count(parent, node);
    }
}

/// Bans a resource and its parts from a node.
fn ban(placement: &mut Placement<'_>, rsc: RscIdx, node: NodeIdx, why: &Why) {
    placement.scores.set(rsc, node, -INFINITY, why);
    for child in placement.rsc[rsc].children.clone() {
        ban(placement, child, node, why);
    }
}

/// The instances of a collective: containers for a bundle.
fn instances_of(placement: &Placement<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    match placement.bundle_data(rsc) {
        Some(data) => data.replicas.iter().map(|replica| replica.container).collect(),
        None => placement.rsc[rsc].children.clone(),
    }
}

/// An instance of a collective that goes with `rsc`: on its node, or on the best node it may have.
pub(crate) fn compatible(
    placement: &Placement<'_>,
    rsc: RscIdx,
    collective: RscIdx,
    role: Role,
    current: bool,
) -> Option<RscIdx> {
    let place = placement.location(rsc, current);
    compatible_at(placement, place, rsc, collective, role, current)
}

/// The same for an instance that is taken to be at `place`.
fn compatible_at(
    placement: &Placement<'_>,
    place: Option<NodeIdx>,
    rsc: RscIdx,
    collective: RscIdx,
    role: Role,
    current: bool,
) -> Option<RscIdx> {
    let instances = instances_of(placement, collective);
    let on = |node: NodeIdx| instances.iter().copied().find(|i| matches_node(placement, *i, node, role, current));
    match place {
        Some(node) => on(node),
        None => sorting::nodes(placement, rsc, None).into_iter().find_map(on),
    }
}

/// Whether an instance is (or will be) on a node, in a role if one is given, and not blocked.
fn matches_node(placement: &Placement<'_>, instance: RscIdx, node: NodeIdx, role: Role, current: bool) -> bool {
    let actual = if current { placement.role(instance) } else { placement.next_role(instance) };
    (role == Role::Unknown || role == actual)
        && !placement.any_blocked(instance)
        && placement.location(instance, current) == Some(node)
}

/// The container of a bundle that goes with an instance. What runs inside a container itself is where that one is.
pub(super) fn compatible_container(placement: &Placement<'_>, rsc: RscIdx, bundle: RscIdx) -> Option<RscIdx> {
    let place = placement.location(rsc, false).map(|node| super::colocation::host_for(placement, node, rsc));
    compatible_at(placement, place, rsc, bundle, Role::Unknown, false)
}
