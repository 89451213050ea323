//! Scores that single nodes get: from health, locks, location constraints, stickiness and failures.
//!
//! Reads constraints and the status; writes the tables of allowed nodes.

pub(super) mod health;
mod lock;

use crate::influence::Influence;
use hac_model::INFINITY;

use super::cluster::{
    Allowed, AllowedTable, Cluster, Discovery, LocIdx, NodeIdx, Role, RscIdx, Task, Variant, base_name,
};
use super::reading::status::failcount::{Count, fail_count};
use super::score;

/// Gives all resources their scores for single nodes.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    let top = cluster.top.clone();
    if cluster.options.shutdown_lock {
        for rsc in &top {
            lock::apply(cluster, *rsc);
            cluster.note(*rsc, |cluster| locked(cluster, *rsc));
        }
    }
    for location in cluster.locations.keys() {
        let rsc = cluster.locations[location].rsc;
        apply_location(cluster, rsc, location);
        note_location(cluster, rsc, location);
    }
    for rsc in &top {
        apply_stickiness(cluster, *rsc);
        cluster.note(*rsc, |_| Influence::Stickiness);
    }
    for node in cluster.node_order.clone() {
        for rsc in &top {
            apply_failures(cluster, *rsc, node);
            apply_exclusive_discovery(cluster, *rsc, node);
            cluster.note(*rsc, |_| Influence::Discovery);
        }
    }
}

fn locked(cluster: &Cluster<'_>, rsc: RscIdx) -> Influence {
    let lock = cluster.primitives(rsc).into_iter().find_map(|part| cluster.rsc[part].lock);
    Influence::ShutdownLock { node: lock.map_or_else(String::new, |(node, _)| cluster.nodes[node].name.clone()) }
}

fn note_location(cluster: &mut Cluster<'_>, rsc: RscIdx, location: LocIdx) {
    if cluster.witness.is_none() {
        return;
    }
    let entry = &cluster.locations[location];
    let influence =
        if entry.id == health::ID { Influence::Health } else { Influence::Location { constraint: entry.id.clone() } };
    // One for the promoted role counts when roles are chosen.
    let banned = entry.nodes.iter().filter(|(_, points)| *points <= -INFINITY && entry.role == Role::Unknown);
    for node in banned.map(|(node, _)| *node).collect::<Vec<_>>() {
        cluster.note_ban(rsc, node, |_| influence.clone());
    }
    cluster.note(rsc, |_| influence);
}

/// Applies a location constraint to a resource and its parts.
fn apply_location(cluster: &mut Cluster<'_>, rsc: RscIdx, location: LocIdx) {
    add_location(cluster, rsc, location, true);
    match cluster.rsc[rsc].variant.clone() {
        Variant::Primitive => {}
        Variant::Group { colocated, .. } => {
            for (at, member) in cluster.rsc[rsc].children.clone().into_iter().enumerate() {
                // Later members follow the first one; of the constraint they only get to know the nodes.
                add_location(cluster, member, location, at == 0 || !colocated);
            }
        }
        Variant::Clone(_) => {
            for instance in cluster.rsc[rsc].children.clone() {
                apply_location(cluster, instance, location);
            }
        }
        Variant::Bundle(data) => {
            for replica in &data.replicas {
                apply_location(cluster, replica.container, location);
                if let Some(ip) = replica.ip {
                    apply_location(cluster, ip, location);
                }
            }
            let role = cluster.locations[location].role;
            if let Some(inner) = data.child.filter(|_| role >= Role::Unpromoted) {
                apply_location(cluster, inner, location);
                cluster.rsc[inner].locations.push(location);
            }
        }
    }
}

/// Applies a location constraint to one table; without `scores` only its nodes and discovery mode.
pub(super) fn add_location(cluster: &mut Cluster<'_>, rsc: RscIdx, location: LocIdx, scores: bool) {
    let location = &cluster.locations[location];
    if location.role != Role::Unknown && location.role != cluster.rsc[rsc].next_role {
        return;
    }
    let resource = &mut cluster.rsc[rsc];
    for (node, points) in &location.nodes {
        let points = if scores { *points } else { 0 };
        match resource.allowed.get_mut(*node) {
            Some(allowed) => allowed.score = score::add(allowed.score, points),
            None => {
                let entry = cluster.nodes[*node].table_entry;
                resource.allowed.insert(*node, Allowed { score: points, ..entry });
            }
        }
        if let Some(allowed) = resource.allowed.get_mut(*node)
            && allowed.discovery < location.discovery
        {
            allowed.discovery = location.discovery;
            resource.is.exclusive_discovery |= location.discovery == Discovery::Exclusive;
        }
    }
}

fn apply_stickiness(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply_stickiness(cluster, child);
        }
        return;
    }
    let resource = &cluster.rsc[rsc];
    let [node] = resource.active[..] else { return };
    let usable = cluster.options.symmetric || resource.allowed.has(node);
    if resource.is.managed && resource.stickiness >= 1 && usable {
        let stickiness = resource.stickiness;
        cluster.add_score(rsc, Some(node), stickiness);
    }
}

/// Bans a resource (an anonymous clone as a whole) from a node where it failed too often.
fn apply_failures(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply_failures(cluster, child, node);
        }
        return;
    }
    let forgiven =
        cluster.actions_of(rsc, Task::ClearFailCount, 0).iter().any(|a| cluster.actions[*a].node == Some(node));
    if !forgiven && failed_too_often(cluster, rsc, node) {
        let banned = if cluster.rsc[rsc].is.unique { rsc } else { cluster.top(rsc, false) };
        cluster.add_score(banned, Some(node), -INFINITY);
        if cluster.witness.is_some() {
            let (failures, _) = fail_count(cluster, rsc, node, Count::WithLaunched, None);
            cluster.note_ban(banned, node, |cluster| {
                let resource = &cluster.rsc[rsc];
                let service = resource.known_as();
                let service = if resource.is.unique { service } else { base_name(service) }.to_owned();
                Influence::Failures { service, failures, threshold: resource.ban_after }
            });
        }
    }
}

/// Whether a resource failed as often on a node as it may.
pub(super) fn failed_too_often(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let threshold = cluster.rsc[rsc].ban_after;
    if threshold == 0 || cluster.rsc[rsc].is.failure_ignored {
        return false;
    }
    let (failures, _) = fail_count(cluster, rsc, node, Count::WithLaunched, None);
    failures > 0 && failures >= threshold
}

/// A resource that says where it may be looked for may not run elsewhere.
fn apply_exclusive_discovery(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) {
    let top = cluster.top(rsc, false);
    if !cluster.rsc[rsc].is.exclusive_discovery && !cluster.rsc[top].is.exclusive_discovery {
        return;
    }
    for child in cluster.rsc[rsc].children.clone() {
        apply_exclusive_discovery(cluster, child, node);
    }
    if let Some(allowed) = cluster.rsc[rsc].allowed.get_mut(node)
        && allowed.discovery != Discovery::Exclusive
    {
        allowed.score = -INFINITY;
    }
}

impl Cluster<'_> {
    /// Adds `points` for `node` (or all nodes) to a resource and all its parts.
    pub(super) fn add_score(&mut self, rsc: RscIdx, node: Option<NodeIdx>, points: i32) {
        let nodes: Vec<NodeIdx> = match node {
            Some(node) => vec![node],
            None => self.node_order.clone(),
        };
        self.add_scores(rsc, &nodes, points);
        if node.is_none() && points <= -INFINITY {
            // Bundle nodes that only their own may use are in the list too; nothing is left that could be used.
            self.ban_all(rsc);
        }
    }

    fn add_scores(&mut self, rsc: RscIdx, nodes: &[NodeIdx], points: i32) {
        for at in 0..self.rsc[rsc].children.len() {
            let child = self.rsc[rsc].children[at];
            self.add_scores(child, nodes, points);
        }
        for node in nodes {
            let entry = self.nodes[*node].table_entry;
            let table = &mut self.rsc[rsc].allowed;
            if !table.has(*node) {
                table.insert(*node, entry);
            }
            table.add(*node, points);
        }
    }

    fn ban_all(&mut self, rsc: RscIdx) {
        self.rsc[rsc].allowed.set_all(-INFINITY);
    }

    /// A table that bans all nodes.
    pub(super) fn banned_everywhere(&self) -> AllowedTable {
        let mut table = AllowedTable::default();
        for node in self.nodes.keys() {
            let entry = self.nodes[node].table_entry;
            table.insert(node, Allowed { score: -INFINITY, ..entry });
        }
        table
    }

    /// A note of a score for people, if they want scores.
    pub(super) fn note_score(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.scores.is_some() {
            let line = line(self);
            if let Some(scores) = &mut self.scores {
                scores.push(line);
            }
        }
    }

    /// Notes the whole table of `rsc` and those of its parts.
    pub(super) fn note_scores(&mut self, rsc: RscIdx) {
        if self.scores.is_none() || self.rsc[rsc].is.removed {
            return;
        }
        for at in 0..self.rsc[rsc].children.len() {
            let child = self.rsc[rsc].children[at];
            self.note_scores(child);
        }
        for node in self.node_order.clone() {
            if let Some(allowed) = self.rsc[rsc].allowed.get(node) {
                let points = score::text(allowed.score);
                self.note_score(|cluster| {
                    format!("{} allocation score on {}: {points}", cluster.rsc[rsc].id, cluster.nodes[node].name)
                });
            }
        }
    }
}
