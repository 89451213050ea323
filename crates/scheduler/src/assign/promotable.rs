//! Promotable clones: who wants to be promoted, and who is.

use std::cmp::Ordering;

use crate::Role;
use crate::ids::{ColIdx, LocIdx, NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::names::base_name;
use crate::options::NoQuorum;
use crate::placement::Placement;
use crate::score;
use crate::scores::Why;
use hac_model::INFINITY;

use super::{colocation, instances, lists, wishes};

/// Adds promotion scores to instances' tables, so that they go where they want to be promoted.
pub(super) fn add_scores(cluster: &mut Placement<'_>, clone: RscIdx) {
    if std::mem::replace(&mut cluster.placed[clone].promotion_added, true) {
        return;
    }
    let why = cluster.because(|_| Influence::Promotion);
    for instance in cluster.rsc[clone].children.clone() {
        let nodes: Vec<NodeIdx> = cluster.scores.of(instance).nodes().collect();
        for node in nodes {
            if !cluster.node_available(node) {
                continue;
            }
            let points = promotion_score(cluster, instance, node).unwrap_or(0);
            if points > 0 {
                cluster.scores.add(instance, node, points, &why);
            }
            if points > cluster.rsc[instance].priority {
                cluster.rsc[instance].priority = points;
            }
        }
    }
}

/// How much an instance wants to be promoted on a node; `None` if nothing is said. Of a group, the sum of its members.
fn promotion_score(cluster: &Placement<'_>, rsc: RscIdx, node: NodeIdx) -> Option<i32> {
    let resource = &cluster.rsc[rsc];
    if !resource.children.is_empty() {
        let said: Vec<i32> =
            resource.children.iter().filter_map(|child| promotion_score(cluster, *child, node)).collect();
        return (!said.is_empty()).then(|| said.iter().fold(0_i32, |sum, points| sum.saturating_add(*points)));
    }
    if !score_applies(cluster, rsc, node) {
        return None;
    }
    let value = |name: &str| score_attribute(cluster, rsc, node, name);
    let text = value(resource.known_as()).or_else(|| {
        let base = base_name(&resource.id);
        if resource.is.unique || base == resource.id { None } else { value(base) }
    })?;
    Some(cluster.options.score(&text))
}

/// The attribute in which an agent says how much it wants to be promoted; in a container perhaps its host's.
fn score_attribute(cluster: &Placement<'_>, rsc: RscIdx, node: NodeIdx, name: &str) -> Option<String> {
    let on_host = cluster.rsc[rsc].meta.get("container-attribute-target").is_some_and(|target| target == "host");
    let mut node = node;
    if on_host && let Some(container) = cluster.container_of(node) {
        let host = if cluster.placed[container].unassigned {
            cluster.rsc[container].active.first().copied()
        } else {
            cluster.placed[container].assigned
        };
        node = host?;
    }
    cluster.nodes[node].attributes.get(&format!("master-{name}")).cloned()
}

/// Whether a promotion score is this instance's: agents of an anonymous clone speak for whichever instance is there.
fn score_applies(cluster: &Placement<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let resource = &cluster.rsc[rsc];
    let mut applies = false;
    if !resource.is.unique {
        let clone = cluster.top(rsc, false);
        let base = base_name(&resource.id);
        let same = |other: &RscIdx| base_name(&cluster.rsc[*other].id) == base;
        let parts: Vec<RscIdx> = cluster.primitives(clone).into_iter().filter(same).collect();
        let active = parts.iter().copied().find(|part| cluster.rsc[*part].active.contains(&node));
        applies = active == Some(rsc)
            || (active.is_none() && parts.iter().any(|part| cluster.rsc[*part].known.contains(&node)));
    }
    applies |= resource.active.is_empty() && resource.known.is_empty();
    applies |= resource.known.contains(&node) || resource.active.contains(&node);
    applies && cluster.is_allowed(rsc, node)
}

/// Chooses who is promoted.
pub(super) fn set_roles(cluster: &mut Placement<'_>, clone: RscIdx) {
    let why = cluster.because(|_| Influence::Promotion);
    cluster.scores.reset_counts(clone);
    for instance in cluster.rsc[clone].children.clone() {
        set_priority(cluster, clone, instance, &why);
    }
    sort(cluster, clone, &why);
    let max = cluster.clone_data(clone).map_or(0, |data| data.promoted_max);
    let mut promoted = 0;
    for instance in cluster.rsc[clone].children.clone() {
        note_priority(cluster, instance);
        let node = if promoted < max { node_to_promote_on(cluster, clone, instance) } else { None };
        let frozen = cluster.role(instance) < Role::Promoted
            && !cluster.quorate
            && cluster.options.no_quorum == NoQuorum::Freeze;
        match node.filter(|_| !frozen) {
            Some(node) => {
                cluster.scores.count(clone, node);
                promote(cluster, instance);
                promoted += 1;
            }
            None => leave_unpromoted(cluster, instance),
        }
    }
}

/// How much an instance wants to be promoted, all things considered.
fn set_priority(cluster: &mut Placement<'_>, clone: RscIdx, instance: RscIdx, why: &Why) {
    if cluster.role(instance) == Role::Started {
        was_unpromoted(cluster, instance);
    }
    let node = cluster.location(instance, false);
    let next = cluster.next_role(instance);
    match next {
        Role::Unknown | Role::Started => {
            let points = node.and_then(|node| promotion_score(cluster, instance, node));
            cluster.rsc[instance].priority = points.unwrap_or(-1);
        }
        Role::Stopped | Role::Unpromoted => cluster.rsc[instance].priority = -INFINITY,
        Role::Promoted => {}
    }
    if let Some(node) = node {
        for list in [instance, clone].map(|rsc| cluster.rules().locations_of(rsc).to_vec()) {
            add_promoted_locations(cluster, instance, &list, node);
        }
    }
    for idx in lists::this_with(cluster, instance) {
        let primary = cluster.colocation(idx).primary;
        colocation::apply(cluster, instance, primary, idx, true, why);
    }
    let priority = if next == Role::Promoted { INFINITY } else { cluster.rsc[instance].priority };
    cluster.placed[instance].promotion_priority = priority;
}

fn was_unpromoted(cluster: &mut Placement<'_>, rsc: RscIdx) {
    if cluster.rsc[rsc].role == Role::Started {
        cluster.rsc[rsc].role = Role::Unpromoted;
    }
    for child in cluster.rsc[rsc].children.clone() {
        was_unpromoted(cluster, child);
    }
}

fn add_promoted_locations(cluster: &mut Placement<'_>, instance: RscIdx, list: &[LocIdx], node: NodeIdx) {
    for location in list {
        let location = &cluster.rules().locations()[*location];
        if location.role != Role::Promoted {
            continue;
        }
        if let Some((_, points)) = location.nodes.iter().find(|(other, _)| *other == node) {
            let priority = cluster.rsc[instance].priority;
            cluster.rsc[instance].priority = score::add(priority, *points);
        }
    }
}

/// Turns priorities into what their nodes are worth to all, and sorts instances by that.
fn sort(cluster: &mut Placement<'_>, clone: RscIdx, why: &Why) {
    if std::mem::replace(&mut cluster.placed[clone].choosing_roles, true) {
        return;
    }
    cluster.placed[clone].updating_nodes = true;
    let instances = cluster.rsc[clone].children.clone();
    for instance in &instances {
        let priority = cluster.placed[*instance].promotion_priority;
        if priority >= 0
            && let Some(node) = cluster.location(*instance, false)
        {
            cluster.scores.add(clone, node, priority, why);
        }
    }
    add_wishes(cluster, clone, why);
    require_tickets(cluster, clone, why);
    for instance in &instances {
        let node = cluster.location(*instance, false);
        if !cluster.rsc[*instance].is.managed && cluster.next_role(*instance) == Role::Promoted {
            cluster.placed[*instance].promotion_priority = INFINITY;
        } else if let Some(node) = node
            && cluster.placed[*instance].promotion_priority >= 0
        {
            cluster.placed[*instance].promotion_priority = cluster.scores.of(clone).score(node);
        } else if node.is_none() {
            cluster.placed[*instance].promotion_priority = -INFINITY;
        }
    }
    let mut sorted: Vec<RscIdx> = Vec::with_capacity(instances.len());
    for instance in instances {
        let mut at = sorted.len();
        while at > 0 && compare(cluster, sorted[at - 1], instance) == Ordering::Greater {
            at -= 1;
        }
        sorted.insert(at, instance);
    }
    cluster.rsc[clone].children = sorted;
    cluster.placed[clone].updating_nodes = false;
}

fn compare(cluster: &mut Placement<'_>, a: RscIdx, b: RscIdx) -> Ordering {
    let by_priority = cluster.placed[b].promotion_priority.cmp(&cluster.placed[a].promotion_priority);
    let by_role = cluster.role(b).cmp(&cluster.role(a));
    match by_priority.then(by_role) {
        Ordering::Equal => instances::compare(cluster, a, b),
        unequal => unequal,
    }
}

/// Adds to the clone's table what those want that go with the promoted role.
fn add_wishes(cluster: &mut Placement<'_>, clone: RscIdx, why: &Why) {
    let mut table = cluster.scores.of(clone).clone();
    for idx in lists::with_this(cluster, clone) {
        let constraint = cluster.colocation(idx);
        if constraint.primary_role != Role::Promoted || !wishes::has_influence(cluster, idx, None) {
            continue;
        }
        let (other, points) = (constraint.dependent, constraint.score);
        let mode = wishes::Mode { optional: true, nonnegative: true, this_with: false };
        wishes::add(cluster, other, clone, &mut table, Some(idx), wishes::factor(points), mode);
    }
    cluster.scores.replace(clone, table, why);
}

/// Without a ticket that the promoted role needs, nobody is promoted.
fn require_tickets(cluster: &mut Placement<'_>, clone: RscIdx, why: &Why) {
    let missing = cluster.rules().tickets().iter().any(|rule| {
        let held = cluster.tickets.get(&rule.ticket).is_some_and(|ticket| ticket.granted && !ticket.standby);
        rule.rsc == clone && rule.role == Role::Promoted && !held
    });
    if missing {
        cluster.add_score(clone, None, -INFINITY, why);
    }
}

/// The node on which an instance may be promoted.
fn node_to_promote_on(cluster: &Placement<'_>, clone: RscIdx, instance: RscIdx) -> Option<NodeIdx> {
    for child in &cluster.rsc[instance].children {
        node_to_promote_on_as_member(cluster, *child)?;
    }
    let node = cluster.location(instance, false)?;
    let resource = &cluster.rsc[instance];
    if !resource.is.managed {
        if cluster.role(instance) != Role::Promoted {
            return None;
        }
    } else if cluster.placed[instance].promotion_priority < 0 || !cluster.node_or_host_available(node) {
        return None;
    }
    let entry = cluster.scores.of(clone).get(node)?;
    let per_node = cluster.clone_data(clone).map_or(1, |data| data.promoted_node_max);
    (entry.count < per_node || !resource.is.managed).then_some(node)
}

/// Whether a cloned group's member does not stand in the way.
fn node_to_promote_on_as_member(cluster: &Placement<'_>, member: RscIdx) -> Option<NodeIdx> {
    let node = cluster.location(member, false)?;
    let resource = &cluster.rsc[member];
    if !resource.is.managed {
        return (resource.role == Role::Promoted).then_some(node);
    }
    cluster.node_or_host_available(node).then_some(node)
}

fn promote(cluster: &mut Placement<'_>, rsc: RscIdx) {
    if cluster.rsc[rsc].next_role == Role::Unknown || cluster.rsc[rsc].next_role == Role::Started {
        cluster.rsc[rsc].next_role = Role::Promoted;
    }
    for child in cluster.rsc[rsc].children.clone() {
        promote(cluster, child);
    }
}

fn leave_unpromoted(cluster: &mut Placement<'_>, rsc: RscIdx) {
    let role = if cluster.location(rsc, false).is_some() { Role::Unpromoted } else { Role::Stopped };
    cluster.rsc[rsc].next_role = role;
    for child in cluster.rsc[rsc].children.clone() {
        leave_unpromoted(cluster, child);
    }
}

/// Applies a colocation with a role of a promotable clone to the dependent's table.
pub(super) fn update_dependent(cluster: &mut Placement<'_>, dependent: RscIdx, clone: RscIdx, idx: ColIdx, why: &Why) {
    let constraint = cluster.colocation(idx);
    let (points, dependent_role, primary_role) = (constraint.score, constraint.dependent_role, constraint.primary_role);
    let mut hosts = Vec::new();
    for instance in cluster.rsc[clone].children.clone() {
        let Some(node) = cluster.location(instance, false) else { continue };
        if cluster.next_role(instance) != primary_role {
            continue;
        }
        if points < INFINITY {
            let value = colocation::node_value(cluster, node, idx, clone);
            let nodes: Vec<NodeIdx> = cluster.scores.of(dependent).nodes().collect();
            for other in nodes {
                if colocation::node_value(cluster, other, idx, dependent) == value {
                    cluster.scores.add(dependent, other, points, why);
                }
            }
        }
        hosts.push((node, score_where_assigned(cluster, instance)));
    }
    if points >= INFINITY && (dependent_role != Role::Promoted || primary_role != Role::Promoted) {
        colocation::only_on(cluster, dependent, &hosts, why);
    }
}

/// Applies it to how much the dependent wants to be promoted.
pub(super) fn update_dependent_priority(cluster: &mut Placement<'_>, dependent: RscIdx, clone: RscIdx, idx: ColIdx) {
    let constraint = cluster.colocation(idx);
    let (points, primary_role) = (constraint.score, constraint.primary_role);
    let Some(here) = cluster.location(dependent, false) else { return };
    let value = colocation::node_value(cluster, here, idx, dependent);
    let with_us = cluster.rsc[clone].children.iter().any(|instance| {
        let there = cluster.location(*instance, false);
        cluster.next_role(*instance) == primary_role
            && !cluster.any_blocked(*instance)
            && there.is_some_and(|node| colocation::node_value(cluster, node, idx, *instance) == value)
    });
    if with_us {
        let priority = cluster.rsc[dependent].priority;
        cluster.rsc[dependent].priority = score::add(priority, points);
    } else if points >= INFINITY {
        cluster.rsc[dependent].priority = -INFINITY;
    }
}

/// The score that an instance had on its node when it was placed there; of a group, its first member's.
fn score_where_assigned(cluster: &Placement<'_>, instance: RscIdx) -> i32 {
    cluster.primitives(instance).first().map_or(0, |part| cluster.placed[*part].assigned_score)
}

/// Notes for people how much an instance wants to be promoted.
fn note_priority(cluster: &mut Placement<'_>, instance: RscIdx) {
    let node = cluster.location(instance, false);
    if !cluster.scores.has_lines() {
        return;
    }
    let points = score::text(cluster.placed[instance].promotion_priority);
    let place = node.map_or_else(|| "(inactive)".to_owned(), |node| format!("on {}", cluster.nodes[node].name));
    let line = format!("{} promotion score {place}: {points}", cluster.rsc[instance].id);
    cluster.scores.line(|| line);
}
