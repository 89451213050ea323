//! Promotable clones: who wants to be promoted, and who is.

use std::cmp::Ordering;

use crate::ids::{ColIdx, LocIdx, NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::names::base_name;
use crate::options::NoQuorum;
use crate::placement::Placement;
use crate::score;
use crate::scores::Why;
use hac_model::INFINITY;
use hac_model::Role;

use super::{colocation, instances, lists, wishes};

/// Adds promotion scores to instances' tables, so that they go where they want to be promoted.
pub(super) fn add_scores(placement: &mut Placement<'_>, clone: RscIdx) {
    if std::mem::replace(&mut placement.placed[clone].promotion_added, true) {
        return;
    }
    let why = placement.because(|_| Influence::Promotion);
    for instance in placement.rsc[clone].children.clone() {
        let nodes: Vec<NodeIdx> = placement.scores.of(instance).nodes().collect();
        for node in nodes {
            if !placement.node_available(node) {
                continue;
            }
            let points = promotion_score(placement, instance, node).unwrap_or(0);
            if points > 0 {
                placement.scores.add(instance, node, points, &why);
            }
            if points > placement.rsc[instance].priority {
                placement.rsc[instance].priority = points;
            }
        }
    }
}

/// How much an instance wants to be promoted on a node; `None` if nothing is said. Of a group, the sum of its members.
fn promotion_score(placement: &Placement<'_>, rsc: RscIdx, node: NodeIdx) -> Option<i32> {
    let resource = &placement.rsc[rsc];
    if !resource.children.is_empty() {
        let said: Vec<i32> =
            resource.children.iter().filter_map(|child| promotion_score(placement, *child, node)).collect();
        return (!said.is_empty()).then(|| said.iter().fold(0_i32, |sum, points| sum.saturating_add(*points)));
    }
    if !score_applies(placement, rsc, node) {
        return None;
    }
    let value = |name: &str| score_attribute(placement, rsc, node, name);
    let text = value(resource.known_as()).or_else(|| {
        let base = base_name(&resource.id);
        if resource.is.unique || base == resource.id { None } else { value(base) }
    })?;
    Some(placement.options.score(&text))
}

/// The attribute in which an agent says how much it wants to be promoted; in a container perhaps its host's.
fn score_attribute(placement: &Placement<'_>, rsc: RscIdx, node: NodeIdx, name: &str) -> Option<String> {
    let on_host = placement.rsc[rsc].meta.get("container-attribute-target").is_some_and(|target| target == "host");
    let mut node = node;
    if on_host && let Some(container) = placement.container_of(node) {
        let host = if placement.placed[container].unassigned {
            placement.rsc[container].active.first().copied()
        } else {
            placement.placed[container].assigned
        };
        node = host?;
    }
    placement.nodes[node].attributes.get(&format!("master-{name}")).cloned()
}

/// Whether a promotion score is this instance's: agents of an anonymous clone speak for whichever instance is there.
fn score_applies(placement: &Placement<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let resource = &placement.rsc[rsc];
    let mut applies = false;
    if !resource.is.unique {
        let clone = placement.top(rsc, false);
        let base = base_name(&resource.id);
        let same = |other: &RscIdx| base_name(&placement.rsc[*other].id) == base;
        let parts: Vec<RscIdx> = placement.primitives(clone).into_iter().filter(same).collect();
        let active = parts.iter().copied().find(|part| placement.rsc[*part].active.contains(&node));
        applies = active == Some(rsc)
            || (active.is_none() && parts.iter().any(|part| placement.rsc[*part].known.contains(&node)));
    }
    applies |= resource.active.is_empty() && resource.known.is_empty();
    applies |= resource.known.contains(&node) || resource.active.contains(&node);
    applies && placement.is_allowed(rsc, node)
}

/// Chooses who is promoted.
pub(super) fn set_roles(placement: &mut Placement<'_>, clone: RscIdx) {
    let why = placement.because(|_| Influence::Promotion);
    placement.scores.reset_counts(clone);
    for instance in placement.rsc[clone].children.clone() {
        set_priority(placement, clone, instance, &why);
    }
    sort(placement, clone, &why);
    let max = placement.clone_data(clone).map_or(0, |data| data.promoted_max);
    let mut promoted = 0;
    for instance in placement.rsc[clone].children.clone() {
        note_priority(placement, instance);
        let node = if promoted < max { node_to_promote_on(placement, clone, instance) } else { None };
        let frozen = placement.role(instance) < Role::Promoted
            && !placement.quorate
            && placement.options.no_quorum == NoQuorum::Freeze;
        match node.filter(|_| !frozen) {
            Some(node) => {
                placement.scores.count(clone, node);
                promote(placement, instance);
                promoted += 1;
            }
            None => leave_unpromoted(placement, instance),
        }
    }
}

/// How much an instance wants to be promoted, all things considered.
fn set_priority(placement: &mut Placement<'_>, clone: RscIdx, instance: RscIdx, why: &Why) {
    if placement.role(instance) == Role::Started {
        was_unpromoted(placement, instance);
    }
    let node = placement.location(instance, false);
    let next = placement.next_role(instance);
    match next {
        Role::Unknown | Role::Started => {
            let points = node.and_then(|node| promotion_score(placement, instance, node));
            placement.rsc[instance].priority = points.unwrap_or(-1);
        }
        Role::Stopped | Role::Unpromoted => placement.rsc[instance].priority = -INFINITY,
        Role::Promoted => {}
    }
    if let Some(node) = node {
        for list in [instance, clone].map(|rsc| placement.rules().locations_of(rsc).to_vec()) {
            add_promoted_locations(placement, instance, &list, node);
        }
    }
    for idx in lists::this_with(placement, instance) {
        let primary = placement.colocation(idx).primary;
        colocation::apply(placement, instance, primary, idx, true, why);
    }
    let priority = if next == Role::Promoted { INFINITY } else { placement.rsc[instance].priority };
    placement.placed[instance].promotion_priority = priority;
}

fn was_unpromoted(placement: &mut Placement<'_>, rsc: RscIdx) {
    if placement.rsc[rsc].role == Role::Started {
        placement.rsc[rsc].role = Role::Unpromoted;
    }
    for child in placement.rsc[rsc].children.clone() {
        was_unpromoted(placement, child);
    }
}

fn add_promoted_locations(placement: &mut Placement<'_>, instance: RscIdx, list: &[LocIdx], node: NodeIdx) {
    for location in list {
        let location = &placement.rules().locations()[*location];
        if location.role != Role::Promoted {
            continue;
        }
        if let Some((_, points)) = location.nodes.iter().find(|(other, _)| *other == node) {
            let priority = placement.rsc[instance].priority;
            placement.rsc[instance].priority = score::add(priority, *points);
        }
    }
}

/// Turns priorities into what their nodes are worth to all, and sorts instances by that.
fn sort(placement: &mut Placement<'_>, clone: RscIdx, why: &Why) {
    if std::mem::replace(&mut placement.placed[clone].choosing_roles, true) {
        return;
    }
    placement.placed[clone].updating_nodes = true;
    let instances = placement.rsc[clone].children.clone();
    for instance in &instances {
        let priority = placement.placed[*instance].promotion_priority;
        if priority >= 0
            && let Some(node) = placement.location(*instance, false)
        {
            placement.scores.add(clone, node, priority, why);
        }
    }
    add_wishes(placement, clone, why);
    require_tickets(placement, clone, why);
    for instance in &instances {
        let node = placement.location(*instance, false);
        if !placement.rsc[*instance].is.managed && placement.next_role(*instance) == Role::Promoted {
            placement.placed[*instance].promotion_priority = INFINITY;
        } else if let Some(node) = node
            && placement.placed[*instance].promotion_priority >= 0
        {
            placement.placed[*instance].promotion_priority = placement.scores.of(clone).score(node);
        } else if node.is_none() {
            placement.placed[*instance].promotion_priority = -INFINITY;
        }
    }
    let mut sorted: Vec<RscIdx> = Vec::with_capacity(instances.len());
    for instance in instances {
        let mut at = sorted.len();
        while at > 0 && compare(placement, sorted[at - 1], instance) == Ordering::Greater {
            at -= 1;
        }
        sorted.insert(at, instance);
    }
    placement.rsc[clone].children = sorted;
    placement.placed[clone].updating_nodes = false;
}

fn compare(placement: &mut Placement<'_>, a: RscIdx, b: RscIdx) -> Ordering {
    let by_priority = placement.placed[b].promotion_priority.cmp(&placement.placed[a].promotion_priority);
    let by_role = placement.role(b).cmp(&placement.role(a));
    match by_priority.then(by_role) {
        Ordering::Equal => instances::compare(placement, a, b),
        unequal => unequal,
    }
}

/// Adds to the clone's table what those want that go with the promoted role.
fn add_wishes(placement: &mut Placement<'_>, clone: RscIdx, why: &Why) {
    let mut table = placement.scores.of(clone).clone();
    for idx in lists::with_this(placement, clone) {
        let constraint = placement.colocation(idx);
        if constraint.primary_role != Role::Promoted || !wishes::has_influence(placement, idx, None) {
            continue;
        }
        let (other, points) = (constraint.dependent, constraint.score);
        let mode = wishes::Mode { optional: true, nonnegative: true, this_with: false };
        wishes::add(placement, other, clone, &mut table, Some(idx), wishes::factor(points), mode);
    }
    placement.scores.replace(clone, table, why);
}

/// Without a ticket that the promoted role needs, nobody is promoted.
fn require_tickets(placement: &mut Placement<'_>, clone: RscIdx, why: &Why) {
    let missing = placement.rules().tickets().iter().any(|rule| {
        let held = placement.tickets.get(&rule.ticket).is_some_and(|ticket| ticket.granted && !ticket.standby);
        rule.rsc == clone && rule.role == Role::Promoted && !held
    });
    if missing {
        placement.add_score(clone, None, -INFINITY, why);
    }
}

/// The node on which an instance may be promoted.
fn node_to_promote_on(placement: &Placement<'_>, clone: RscIdx, instance: RscIdx) -> Option<NodeIdx> {
    for child in &placement.rsc[instance].children {
        node_to_promote_on_as_member(placement, *child)?;
    }
    let node = placement.location(instance, false)?;
    let resource = &placement.rsc[instance];
    if !resource.is.managed {
        if placement.role(instance) != Role::Promoted {
            return None;
        }
    } else if placement.placed[instance].promotion_priority < 0 || !placement.node_or_host_available(node) {
        return None;
    }
    let entry = placement.scores.of(clone).get(node)?;
    let per_node = placement.clone_data(clone).map_or(1, |data| data.promoted_node_max);
    (entry.count < per_node || !resource.is.managed).then_some(node)
}

/// Whether a cloned group's member does not stand in the way.
fn node_to_promote_on_as_member(placement: &Placement<'_>, member: RscIdx) -> Option<NodeIdx> {
    let node = placement.location(member, false)?;
    let resource = &placement.rsc[member];
    if !resource.is.managed {
        return (resource.role == Role::Promoted).then_some(node);
    }
    // Of instances the priority is the wish to be promoted by now. A member still has its own.
    (resource.priority >= 0 && placement.node_or_host_available(node)).then_some(node)
}

fn promote(placement: &mut Placement<'_>, rsc: RscIdx) {
    if placement.rsc[rsc].next_role == Role::Unknown || placement.rsc[rsc].next_role == Role::Started {
        placement.rsc[rsc].next_role = Role::Promoted;
    }
    for child in placement.rsc[rsc].children.clone() {
        promote(placement, child);
    }
}

fn leave_unpromoted(placement: &mut Placement<'_>, rsc: RscIdx) {
    let role = if placement.location(rsc, false).is_some() { Role::Unpromoted } else { Role::Stopped };
    placement.rsc[rsc].next_role = role;
    for child in placement.rsc[rsc].children.clone() {
        leave_unpromoted(placement, child);
    }
}

/// Applies a colocation with a role of a promotable clone to the dependent's table.
pub(super) fn update_dependent(
    placement: &mut Placement<'_>,
    dependent: RscIdx,
    clone: RscIdx,
    idx: ColIdx,
    why: &Why,
) {
    let constraint = placement.colocation(idx);
    let (points, dependent_role, primary_role) = (constraint.score, constraint.dependent_role, constraint.primary_role);
    let mut hosts = Vec::new();
    for instance in placement.rsc[clone].children.clone() {
        let Some(node) = placement.location(instance, false) else { continue };
        if placement.next_role(instance) != primary_role {
            continue;
        }
        if points < INFINITY {
            let value = colocation::node_value(placement, node, idx, clone);
            let nodes: Vec<NodeIdx> = placement.scores.of(dependent).nodes().collect();
            for other in nodes {
                if colocation::node_value(placement, other, idx, dependent) == value {
                    placement.scores.add(dependent, other, points, why);
                }
            }
        }
        hosts.push((node, score_where_assigned(placement, instance)));
    }
    if points >= INFINITY && (dependent_role != Role::Promoted || primary_role != Role::Promoted) {
        colocation::only_on(placement, dependent, &hosts, why);
    }
}

/// Applies it to how much the dependent wants to be promoted.
pub(super) fn update_dependent_priority(placement: &mut Placement<'_>, dependent: RscIdx, clone: RscIdx, idx: ColIdx) {
    let constraint = placement.colocation(idx);
    let (points, primary_role) = (constraint.score, constraint.primary_role);
    let Some(here) = placement.location(dependent, false) else { return };
    let value = colocation::node_value(placement, here, idx, dependent);
    let with_us = placement.rsc[clone].children.iter().any(|instance| {
        let there = placement.location(*instance, false);
        placement.next_role(*instance) == primary_role
            && !placement.any_blocked(*instance)
            && there.is_some_and(|node| colocation::node_value(placement, node, idx, *instance) == value)
    });
    if with_us {
        let priority = placement.rsc[dependent].priority;
        placement.rsc[dependent].priority = score::add(priority, points);
    } else if points >= INFINITY {
        placement.rsc[dependent].priority = -INFINITY;
    }
}

/// The score that an instance had on its node when it was placed there; of a group, its first member's.
fn score_where_assigned(placement: &Placement<'_>, instance: RscIdx) -> i32 {
    placement.primitives(instance).first().map_or(0, |part| placement.placed[*part].assigned_score)
}

/// Notes for people how much an instance wants to be promoted.
fn note_priority(placement: &mut Placement<'_>, instance: RscIdx) {
    let node = placement.location(instance, false);
    if !placement.scores.has_lines() {
        return;
    }
    let points = score::text(placement.placed[instance].promotion_priority);
    let place = node.map_or_else(|| "(inactive)".to_owned(), |node| format!("on {}", placement.nodes[node].name));
    let line = format!("{} promotion score {place}: {points}", placement.rsc[instance].id);
    placement.scores.line(|| line);
}
