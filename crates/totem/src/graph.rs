//! Which membership is possible: the largest set of nodes that all hear each other.
//!
//! Every node computes it from the same rows (who says to hear whom), so agreement on a membership is equality of sets.
//! With connectivity that is not transitive (A-B, B-C, but not A-C) the answer is still one for all, so the cluster
//! settles instead of flapping.

use std::collections::BTreeMap;

use hac_types::{Member, NodeId};

use crate::wire::Members;

#[cfg(test)]
mod tests;

/// Who says to hear whom.
pub(crate) type Rows = BTreeMap<NodeId, (Member, Members)>;

/// After so many steps the best set found so far is taken. Graphs of 64 nodes with ordinary faults need a few hundred.
const STEPS_MAX: u32 = 50_000;

/// One of the sets that the graph is cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) members: Members,
    /// Whether another set is larger than this one.
    pub(crate) is_minor: bool,
}

/// The membership this node belongs to: the graph is cut into sets of nodes that all hear each other, the largest first
/// and among equals the one with the lowest ids.
pub(crate) fn membership(me: Member, rows: &Rows) -> Part {
    let graph = Graph::new(me, rows);
    let mut rest = graph.all();
    let own = graph.bit_of(me.node);
    let mut largest = 0;
    while rest & own != 0 {
        let best = graph.largest_clique(rest);
        largest = largest.max(best.count_ones());
        if best & own != 0 {
            return Part { members: graph.members(best), is_minor: best.count_ones() < largest };
        }
        rest &= !best;
    }
    Part { members: Members(vec![me]), is_minor: largest > 1 }
}

/// Nodes that this node hears but that somebody else whom it hears does not.
pub(crate) fn doubtful(me: Member, rows: &Rows) -> Vec<NodeId> {
    let Some((_, ours)) = rows.get(&me.node) else { return Vec::new() };
    let heard_by = |other: &Member, member: &Member| match rows.get(&other.node) {
        Some((_, theirs)) => other == member || claims(theirs, member),
        None => true,
    };
    let missed = |member: &&Member| !ours.iter().all(|other| heard_by(other, member));
    ours.iter().filter(missed).map(|member| member.node).collect()
}

/// Whether all of these still hear each other, as far as we know.
pub(crate) fn is_connected(me: Member, rows: &Rows, members: &Members) -> bool {
    let graph = Graph::new(me, rows);
    let mut wanted = 0;
    for member in members.iter() {
        match graph.vertices.iter().position(|v| v == member) {
            Some(index) => wanted |= 1 << index,
            None => return false,
        }
    }
    (0..graph.vertices.len()).filter(|i| wanted & (1 << i) != 0).all(|i| wanted & !graph.edges[i] & !(1 << i) == 0)
}

/// An undirected graph; sets of nodes are bit masks, the lowest id is bit 0.
struct Graph {
    vertices: Vec<Member>,
    edges: Vec<u64>,
}

impl Graph {
    fn new(me: Member, rows: &Rows) -> Self {
        let mut lives: BTreeMap<NodeId, Member> = BTreeMap::new();
        for (member, heard) in rows.values() {
            for claimed in heard.iter().filter(|claimed| !rows.contains_key(&claimed.node)) {
                let life = lives.entry(claimed.node).or_insert(*claimed);
                *life = (*life).max(*claimed);
            }
            lives.insert(member.node, *member);
        }
        lives.insert(me.node, me);
        let vertices: Vec<Member> = lives.into_values().take(64).collect();
        let edge = |a: &Member, b: &Member| match (rows.get(&a.node), rows.get(&b.node)) {
            (Some((_, from_a)), Some((_, from_b))) => claims(from_a, b) && claims(from_b, a),
            (Some((_, from_a)), None) => claims(from_a, b),
            (None, Some((_, from_b))) => claims(from_b, a),
            (None, None) => false,
        };
        let edges = vertices.iter().map(|a| {
            let linked = vertices.iter().enumerate().filter(|(_, b)| a.node != b.node && edge(a, b));
            linked.fold(0, |mask, (index, _)| mask | 1_u64 << index)
        });
        let edges = edges.collect();
        Self { vertices, edges }
    }

    fn all(&self) -> u64 {
        if self.vertices.len() >= 64 { u64::MAX } else { (1 << self.vertices.len()) - 1 }
    }

    fn bit_of(&self, node: NodeId) -> u64 {
        self.vertices.iter().position(|v| v.node == node).map_or(0, |index| 1 << index)
    }

    fn members(&self, set: u64) -> Members {
        let chosen = self.vertices.iter().enumerate().filter(|(index, _)| set & (1 << index) != 0);
        Members(chosen.map(|(_, member)| *member).collect())
    }

    fn largest_clique(&self, within: u64) -> u64 {
        let mut search = Search { graph: self, best: 0, steps: 0 };
        search.extend(0, within, 0);
        search.best
    }
}

fn claims(heard: &Members, other: &Member) -> bool {
    heard.incarnation_of(other.node) == Some(other.incarnation)
}

/// Bron and Kerbosch's enumeration of maximal cliques, with pivot.
struct Search<'a> {
    graph: &'a Graph,
    best: u64,
    steps: u32,
}

impl Search<'_> {
    fn extend(&mut self, clique: u64, candidates: u64, excluded: u64) {
        self.steps += 1;
        if candidates == 0 && excluded == 0 {
            self.offer(clique);
            return;
        }
        if self.steps > STEPS_MAX || clique.count_ones() + candidates.count_ones() < self.best.count_ones() {
            return;
        }
        let neighbours = |index: usize| self.graph.edges.get(index).copied().unwrap_or_default();
        let pivot = bits(candidates | excluded).max_by_key(|i| ((neighbours(*i) & candidates).count_ones(), 64 - i));
        let covered = pivot.map_or(0, neighbours);
        let (mut candidates, mut excluded) = (candidates, excluded);
        for index in bits(candidates & !covered) {
            let linked = self.graph.edges.get(index).copied().unwrap_or_default();
            self.extend(clique | 1 << index, candidates & linked, excluded & linked);
            candidates &= !(1 << index);
            excluded |= 1 << index;
        }
    }

    fn offer(&mut self, clique: u64) {
        let difference = clique ^ self.best;
        let lower = difference & difference.wrapping_neg() & clique != 0;
        if clique.count_ones() > self.best.count_ones() || (clique.count_ones() == self.best.count_ones() && lower) {
            self.best = clique;
        }
    }
}

fn bits(set: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |index| set & (1 << index) != 0)
}
