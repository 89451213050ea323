//! Scores that single nodes get: from health, locks, location constraints, stickiness and failures.
//!
//! Reads constraints and the status; writes the tables of allowed nodes.

pub(super) mod health;

use super::cluster::{Allowed, AllowedTable, Cluster, NodeIdx, RscIdx};
use super::score;

impl Cluster<'_> {
    /// Adds `points` for `node` (or all nodes) to a resource and all its parts.
    pub(super) fn add_score(&mut self, rsc: RscIdx, node: Option<NodeIdx>, points: i32) {
        let nodes: Vec<NodeIdx> = match node {
            Some(node) => vec![node],
            None => self.node_order.clone(),
        };
        self.add_scores(rsc, &nodes, points);
        if node.is_none() && points <= -crate::model::INFINITY {
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
        self.rsc[rsc].allowed.set_all(-crate::model::INFINITY);
    }

    /// A table that bans all nodes.
    pub(super) fn banned_everywhere(&self) -> AllowedTable {
        let mut table = AllowedTable::default();
        for node in self.nodes.keys() {
            let entry = self.nodes[node].table_entry;
            table.insert(node, Allowed { score: -crate::model::INFINITY, ..entry });
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

    /// Notes the whole table of `rsc`.
    pub(super) fn note_scores(&mut self, rsc: RscIdx) {
        if self.scores.is_none() {
            return;
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
