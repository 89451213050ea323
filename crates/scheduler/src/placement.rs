//! Scores that single nodes get: from health, locks, location constraints, stickiness and failures.
//!
//! Reads constraints and the status; writes the tables of allowed nodes.

pub(super) mod health;
mod lock;

use crate::influence::Influence;
use hac_model::INFINITY;

use super::cluster::{
    Allowed, AllowedTable, Cluster, Discovery, LocIdx, Location, NodeIdx, Role, RscIdx, Variant, Why, base_name,
};
use super::reading::status::failcount::{Count, fail_count};
use super::score;

/// Gives all resources their scores for single nodes.
pub(super) fn run(cluster: &mut Cluster<'_>) {
    let top = cluster.top.clone();
    if cluster.options.shutdown_lock {
        for rsc in &top {
            lock::apply(cluster, *rsc);
        }
    }
    for location in cluster.locations.keys() {
        let rsc = cluster.locations[location].rsc;
        let why = cluster.because(|cluster| influence(&cluster.locations[location]));
        apply_location(cluster, rsc, location, &why);
        note_bans(cluster, rsc, location, &why);
    }
    for rsc in &top {
        let why = cluster.because(|_| Influence::Stickiness);
        apply_stickiness(cluster, *rsc, &why);
    }
    for node in cluster.node_order.clone() {
        for rsc in &top {
            apply_failures(cluster, *rsc, node);
            let why = cluster.because(|_| Influence::Discovery);
            apply_exclusive_discovery(cluster, *rsc, node, &why);
        }
    }
}

/// A location constraint as an influence.
fn influence(location: &Location) -> Influence {
    if location.id == health::ID { Influence::Health } else { Influence::Location { constraint: location.id.clone() } }
}

/// Writes down whom a constraint bans, even where others did so before.
fn note_bans(cluster: &mut Cluster<'_>, rsc: RscIdx, location: LocIdx, why: &Why) {
    // One for the promoted role counts when roles are chosen.
    if !cluster.scores.is_explained() || cluster.locations[location].role != Role::Unknown {
        return;
    }
    for (node, points) in cluster.locations[location].nodes.clone() {
        if points <= -INFINITY {
            cluster.note_ban(rsc, node, why);
        }
    }
}

/// Applies a location constraint to a resource and its parts.
fn apply_location(cluster: &mut Cluster<'_>, rsc: RscIdx, location: LocIdx, why: &Why) {
    add_location(cluster, rsc, location, true, why);
    match cluster.rsc[rsc].variant.clone() {
        Variant::Primitive => {}
        Variant::Group { colocated, .. } => {
            for (at, member) in cluster.rsc[rsc].children.clone().into_iter().enumerate() {
                // Later members follow the first one; of the constraint they only get to know the nodes.
                add_location(cluster, member, location, at == 0 || !colocated, why);
            }
        }
        Variant::Clone(_) => {
            for instance in cluster.rsc[rsc].children.clone() {
                apply_location(cluster, instance, location, why);
            }
        }
        Variant::Bundle(data) => {
            for replica in &data.replicas {
                apply_location(cluster, replica.container, location, why);
                if let Some(ip) = replica.ip {
                    apply_location(cluster, ip, location, why);
                }
            }
            let role = cluster.locations[location].role;
            if let Some(inner) = data.child.filter(|_| role >= Role::Unpromoted) {
                apply_location(cluster, inner, location, why);
                cluster.rsc[inner].locations.push(location);
            }
        }
    }
}

/// Applies a location constraint to one table; without `scores` only its nodes and discovery mode.
fn add_location(cluster: &mut Cluster<'_>, rsc: RscIdx, location: LocIdx, scores: bool, why: &Why) {
    let location = &cluster.locations[location];
    if location.role != Role::Unknown && location.role != cluster.rsc[rsc].next_role {
        return;
    }
    for (node, points) in &location.nodes {
        let points = if scores { *points } else { 0 };
        if cluster.scores.of(rsc).has(*node) {
            cluster.scores.add(rsc, *node, points, why);
        } else {
            let entry = Allowed { score: 0, ..cluster.nodes[*node].table_entry };
            cluster.scores.add_or_insert(rsc, *node, entry, points, why);
        }
        cluster.scores.restrict_discovery(rsc, *node, location.discovery);
    }
}

/// A copy of a resource's table with the scores of these locations in it.
pub(super) fn with_locations(cluster: &Cluster<'_>, rsc: RscIdx, locations: &[LocIdx]) -> AllowedTable {
    let mut table = cluster.scores.of(rsc).clone();
    for location in locations.iter().map(|location| &cluster.locations[*location]) {
        if location.role != Role::Unknown && location.role != cluster.rsc[rsc].next_role {
            continue;
        }
        for (node, points) in &location.nodes {
            if !table.has(*node) {
                table.insert(*node, Allowed { score: 0, ..cluster.nodes[*node].table_entry });
            }
            table.add(*node, *points);
        }
    }
    table
}

fn apply_stickiness(cluster: &mut Cluster<'_>, rsc: RscIdx, why: &Why) {
    if !cluster.rsc[rsc].children.is_empty() {
        for child in cluster.rsc[rsc].children.clone() {
            apply_stickiness(cluster, child, why);
        }
        return;
    }
    let resource = &cluster.rsc[rsc];
    let [node] = resource.active[..] else { return };
    let usable = cluster.options.symmetric || cluster.scores.of(rsc).has(node);
    if resource.is.managed && resource.stickiness >= 1 && usable {
        let stickiness = resource.stickiness;
        cluster.add_score(rsc, Some(node), stickiness, why);
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
    let forgiven = cluster.requests.forgets(rsc, node);
    let Some(failures) = failures_too_many(cluster, rsc, node).filter(|_| !forgiven) else { return };
    let banned = if cluster.rsc[rsc].is.unique { rsc } else { cluster.top(rsc, false) };
    let why = cluster.because(|cluster| {
        let resource = &cluster.rsc[rsc];
        let service = resource.known_as();
        let service = if resource.is.unique { service } else { base_name(service) }.to_owned();
        Influence::Failures { service, failures, threshold: resource.ban_after }
    });
    cluster.add_score(banned, Some(node), -INFINITY, &why);
    cluster.note_ban(banned, node, &why);
}

/// Whether a resource failed as often on a node as it may; then how often.
pub(super) fn failures_too_many(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx) -> Option<i32> {
    let threshold = cluster.rsc[rsc].ban_after;
    if threshold == 0 || cluster.rsc[rsc].is.failure_ignored {
        return None;
    }
    let (failures, _) = fail_count(cluster, rsc, node, Count::WithLaunched, None);
    (failures > 0 && failures >= threshold).then_some(failures)
}

/// A resource that says where it may be looked for may not run elsewhere.
fn apply_exclusive_discovery(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, why: &Why) {
    let top = cluster.top(rsc, false);
    if !cluster.scores.is_exclusive(rsc) && !cluster.scores.is_exclusive(top) {
        return;
    }
    for child in cluster.rsc[rsc].children.clone() {
        apply_exclusive_discovery(cluster, child, node, why);
    }
    if cluster.scores.of(rsc).get(node).is_some_and(|allowed| allowed.discovery != Discovery::Exclusive) {
        cluster.scores.set(rsc, node, -INFINITY, why);
    }
}

impl Cluster<'_> {
    /// A reason for changes of scores, worked out only in a run that is to be explained.
    pub(super) fn because(&self, influence: impl FnOnce(&Self) -> Influence) -> Why {
        self.scores.because(|| influence(self))
    }

    /// Adds `points` for `node` (or all nodes) to a resource and all its parts.
    pub(super) fn add_score(&mut self, rsc: RscIdx, node: Option<NodeIdx>, points: i32, why: &Why) {
        let nodes: Vec<NodeIdx> = match node {
            Some(node) => vec![node],
            None => self.node_order.clone(),
        };
        self.add_scores(rsc, &nodes, points, why);
        if node.is_none() && points <= -INFINITY {
            // Bundle nodes that only their own may use are in the list too; nothing is left that could be used.
            self.scores.ban_all(rsc, why);
        }
    }

    fn add_scores(&mut self, rsc: RscIdx, nodes: &[NodeIdx], points: i32, why: &Why) {
        for at in 0..self.rsc[rsc].children.len() {
            let child = self.rsc[rsc].children[at];
            self.add_scores(child, nodes, points, why);
        }
        for node in nodes {
            self.scores.add_or_insert(rsc, *node, self.nodes[*node].table_entry, points, why);
        }
    }

    /// Writes down a ban of a resource and its parts that changed nothing because there was one before.
    fn note_ban(&mut self, rsc: RscIdx, node: NodeIdx, why: &Why) {
        self.scores.note_ban(rsc, node, why);
        for child in self.rsc[rsc].children.clone() {
            self.note_ban(child, node, why);
        }
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

    /// Writes the table of `rsc` and those of its parts down, if people want scores.
    pub(super) fn note_scores(&mut self, rsc: RscIdx) {
        if !self.scores.has_lines() || self.rsc[rsc].is.removed {
            return;
        }
        for at in 0..self.rsc[rsc].children.len() {
            let child = self.rsc[rsc].children[at];
            self.note_scores(child);
        }
        for node in self.node_order.clone() {
            if let Some(allowed) = self.scores.of(rsc).get(node) {
                let points = score::text(allowed.score);
                let (id, name) = (&self.rsc[rsc].id, &self.nodes[node].name);
                self.scores.line(|| format!("{id} allocation score on {name}: {points}"));
            }
        }
    }
}
