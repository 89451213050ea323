//! Which membership is possible: the largest set of nodes that all hear each other.
//!
//! Every node computes it from the same rows (who says to hear whom), so agreement on a membership is equality of sets.
//! With connectivity that is not transitive (A-B, B-C, but not A-C) the answer is still one for all, so the cluster
//! settles instead of flapping.

use std::collections::BTreeMap;

use hac_types::{Member, NodeId};

use crate::config::NODES_MAX;
use crate::wire::Members;

#[cfg(test)]
mod tests;

/// After so many steps the best set found so far is taken. Graphs of 64 nodes with ordinary faults need a few hundred.
const STEPS_MAX: u32 = 50_000;

/// One of the sets that a graph is cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) members: Members,
    /// Whether another set is larger than this one.
    pub(crate) is_minor: bool,
}

/// What one node says of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Says<'a> {
    /// Who says it.
    pub(crate) member: Member,
    /// Whom it hears.
    pub(crate) heard: &'a Members,
    /// Whom it goes without although they answer.
    pub(crate) excluded: &'a Members,
}

/// Who says to hear whom, as one node knows it. Sets of nodes are bit masks, the lowest id is bit 0.
#[derive(Debug)]
pub(crate) struct Graph {
    me: Member,
    /// Whom this node hears, also in lives that others know to be over.
    heard: Members,
    /// Ascending, each node once.
    vertices: Vec<Member>,
    /// Whom each says to hear; `None` if it said nothing.
    says: Vec<Option<u64>>,
    /// Who hears each other.
    edges: Vec<u64>,
}

impl Graph {
    /// The graph of what these say, each node in one life, `me` among them.
    pub(crate) fn new(me: Member, rows: &[Says<'_>]) -> Self {
        let vertices = vertices(me, rows);
        let heard = rows.iter().find(|row| row.member == me).map(|row| row.heard.clone());
        let says = vec![None; vertices.len()];
        let mut graph = Self { me, heard: heard.unwrap_or_default(), vertices, says, edges: Vec::new() };
        for row in rows {
            let said = row.heard.places_in(&graph.vertices);
            if let Some(place) = graph.place(&row.member).and_then(|index| graph.says.get_mut(index)) {
                *place = Some(said);
            }
        }
        graph.edges = graph.find_edges();
        graph.exclude(rows);
        graph
    }

    /// Cuts off whom somebody goes without. All go without them if they are no more than half of all; else only who says
    /// so, lest one that is mistaken takes the cluster apart. Who was cut off so speaks for itself alone. All that know
    /// the same rows cut alike.
    fn exclude(&mut self, rows: &[Says<'_>]) {
        let mut cut_off = 0;
        for row in rows {
            let Some(own) = self.place(&row.member).map(|index| 1 << index) else { continue };
            let others = row.excluded.places_in(&self.vertices) & !own;
            let few = bits(others).count() * 2 <= self.vertices.len();
            let by_all = few && cut_off & own == 0;
            let without = if by_all { self.all() & !others } else { own };
            for index in bits(without) {
                self.edges[index] &= !others;
            }
            for index in bits(others) {
                self.edges[index] &= !without;
            }
            if by_all {
                cut_off |= others;
            }
        }
    }

    /// An edge is what both say, or one of them if the other's word is not known.
    fn find_edges(&self) -> Vec<u64> {
        let mut claimed_by = vec![0; self.vertices.len()];
        let mut silent = self.all();
        for (index, said) in self.says.iter().enumerate() {
            silent &= !(u64::from(said.is_some()) << index);
            for other in bits(said.unwrap_or(0)) {
                claimed_by[other] |= 1 << index;
            }
        }
        let edges = self.says.iter().zip(claimed_by).enumerate().map(|(index, (said, claimed_by))| {
            let both = said.map_or(claimed_by, |said| said & (claimed_by | silent));
            both & !(1 << index)
        });
        edges.collect()
    }

    /// Where a member is, in the life that counts.
    fn place(&self, member: &Member) -> Option<usize> {
        self.vertices.binary_search(member).ok()
    }

    /// The membership this node belongs to: the graph is cut into sets of nodes that all hear each other, the largest
    /// first and among equals the one with the lowest ids.
    pub(crate) fn membership(&self) -> Part {
        let mut rest = self.all();
        let own = self.place(&self.me).map_or(0, |index| 1 << index);
        let mut largest = 0;
        while rest & own != 0 {
            let best = self.largest_clique(rest);
            largest = largest.max(best.count_ones());
            if best & own != 0 {
                return Part { members: self.members(best), is_minor: best.count_ones() < largest };
            }
            rest &= !best;
        }
        Part { members: Members(vec![self.me]), is_minor: largest > 1 }
    }

    /// Nodes that this node hears but that somebody else whom it hears does not, in that life.
    pub(crate) fn doubtful(&self) -> Vec<NodeId> {
        let misses = |other: usize, index: usize| self.says[other].is_some_and(|said| said & 1 << index == 0);
        let heard = self.heard.places_in(&self.vertices);
        let missed = |member: &&Member| match self.place(member) {
            Some(index) => bits(heard & !(1 << index)).any(|other| misses(other, index)),
            None => bits(heard).any(|other| self.says[other].is_some()),
        };
        self.heard.iter().filter(missed).map(|member| member.node).collect()
    }

    /// Whether this node hears somebody who is not among these.
    pub(crate) fn hears_others_than(&self, members: &Members) -> bool {
        self.heard.iter().any(|member| !members.contains(member))
    }

    /// Whether all of these still hear each other, as far as we know.
    pub(crate) fn is_connected(&self, members: &Members) -> bool {
        let wanted = members.places_in(&self.vertices);
        bits(wanted).count() == members.len()
            && bits(wanted).all(|index| wanted & !self.edges[index] & !(1 << index) == 0)
    }

    fn all(&self) -> u64 {
        if self.vertices.len() >= NODES_MAX { u64::MAX } else { (1 << self.vertices.len()) - 1 }
    }

    fn members(&self, set: u64) -> Members {
        Members(bits(set).filter_map(|index| self.vertices.get(index).copied()).collect())
    }

    fn largest_clique(&self, within: u64) -> u64 {
        let mut search = Search { graph: self, best: 0, steps: 0 };
        search.extend(0, within, 0);
        search.best
    }
}

/// All who speak or are spoken of, each node in one life: that of which it speaks itself, else the latest claimed.
fn vertices(me: Member, rows: &[Says<'_>]) -> Vec<Member> {
    let mut vertices: Vec<Member> = rows.iter().map(|row| row.member).chain([me]).collect();
    vertices.sort_unstable();
    vertices.dedup();
    let speaks = |node: NodeId| vertices.binary_search_by_key(&node, |member| member.node).is_ok();
    let claims =
        rows.iter().map(|row| row.heard).filter(|heard| !heard.are_in(&vertices)).flat_map(|heard| heard.iter());
    let mut silent: BTreeMap<NodeId, Member> = BTreeMap::new();
    for claimed in claims.filter(|claimed| !speaks(claimed.node)) {
        let life = silent.entry(claimed.node).or_insert(*claimed);
        *life = (*life).max(*claimed);
    }
    vertices.extend(silent.into_values());
    vertices.sort_unstable();
    vertices.truncate(NODES_MAX);
    vertices
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

/// The places of a set, ascending.
fn bits(set: u64) -> impl Iterator<Item = usize> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let index = usize::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)?;
        rest &= rest - 1;
        Some(index)
    })
}
