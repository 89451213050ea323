//! Which nodes a resource may run on, and how much it wants to be on each.

use hac_model::INFINITY;

use super::arena::Key;
use super::ids::NodeIdx;

/// Where probes of a resource are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Discovery {
    /// Everywhere.
    #[default]
    Always,
    /// Not here.
    Never,
    /// Only here (and where else it says so).
    Exclusive,
}

/// A resource's view of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// How much it wants to be there.
    pub(crate) score: i32,
    /// Whether it is probed there.
    pub(crate) discovery: Discovery,
    /// Instances (of a clone) assigned there.
    pub(crate) count: usize,
}

/// The nodes that a resource may run on. A node that is missing is not allowed at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedTable(Vec<Option<Allowed>>);

impl AllowedTable {
    /// What is said of `node`.
    pub(crate) fn get(&self, node: NodeIdx) -> Option<&Allowed> {
        self.0.get(node.at())?.as_ref()
    }

    /// What is said of `node`, to change it.
    pub(crate) fn get_mut(&mut self, node: NodeIdx) -> Option<&mut Allowed> {
        self.0.get_mut(node.at())?.as_mut()
    }

    /// The score of `node`; missing is negative infinity.
    pub(crate) fn score(&self, node: NodeIdx) -> i32 {
        self.get(node).map_or(-INFINITY, |a| a.score)
    }

    /// Whether `node` is there.
    pub(crate) fn has(&self, node: NodeIdx) -> bool {
        self.get(node).is_some()
    }

    /// Says something of `node`.
    pub(crate) fn insert(&mut self, node: NodeIdx, allowed: Allowed) {
        if self.0.len() <= node.at() {
            self.0.resize(node.at() + 1, None);
        }
        self.0[node.at()] = Some(allowed);
    }

    /// Takes a node out.
    pub(crate) fn remove(&mut self, node: NodeIdx) {
        if let Some(slot) = self.0.get_mut(node.at()) {
            *slot = None;
        }
    }

    /// Takes all nodes out.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// No node is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The nodes that are there, in order of creation.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeIdx> + '_ {
        self.0.iter().enumerate().filter(|(_, a)| a.is_some()).map(|(at, _)| NodeIdx::new(at))
    }

    /// Adds `score` for `node` if it is there.
    pub(crate) fn add(&mut self, node: NodeIdx, score: i32) {
        if let Some(allowed) = self.get_mut(node) {
            allowed.score = super::score::add(allowed.score, score);
        }
    }

    /// No instance is anywhere.
    pub(crate) fn reset_counts(&mut self) {
        for allowed in self.0.iter_mut().flatten() {
            allowed.count = 0;
        }
    }

    /// Sets the score of all nodes.
    pub(crate) fn set_all(&mut self, score: i32) {
        for allowed in self.0.iter_mut().flatten() {
            allowed.score = score;
        }
    }
}
