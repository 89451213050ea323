//! The barrier at the beginning of each view: members compare their states, take the best one over, and tell how their
//! own resources stand, before anybody acts.
//!
//! ```text
//!  Hellos ──all delivered──► Copying ──last chunk──► Readies ──all delivered──► over
//!              │                                        ▲
//!              └────────── nobody needs a copy ─────────┘
//! ```
//!
//! Each step is a position in the ordered stream, so all members take it at the same point. All of it belongs to one
//! ring and is dropped with it.

use std::collections::{BTreeMap, BTreeSet};

use hac_types::{Member, NodeId, RingId, WallTime};

use crate::wire::{Chunk, Hello, Ready, SNAPSHOT_MAX};

/// The barrier of one view.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// The ring it belongs to.
    pub(crate) ring: RingId,
    members: Vec<Member>,
    hellos: BTreeMap<NodeId, Hello>,
    copying: Option<Copying>,
    readies: BTreeMap<NodeId, Ready>,
}

/// A state on its way.
#[derive(Clone, Debug, Default)]
struct Copying {
    next: u32,
    bytes: Vec<u8>,
    done: bool,
}

/// What the hellos say when all are there. The same on all members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Whose state is taken over.
    pub(crate) donor: NodeId,
    /// Who needs it.
    pub(crate) needy: BTreeSet<NodeId>,
}

/// What a chunk did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// More is to come, or the chunk was none of ours.
    More,
    /// That was all.
    All(Vec<u8>),
}

impl Join {
    /// The barrier of the view of `ring` with `members`.
    pub(crate) const fn new(ring: RingId, members: Vec<Member>) -> Self {
        Self { ring, members, hellos: BTreeMap::new(), copying: None, readies: BTreeMap::new() }
    }

    /// Takes a hello; the comparison when it was the last one.
    pub(crate) fn hello(&mut self, from: NodeId, hello: Hello) -> Option<Comparison> {
        if self.copying.is_some() || !self.is_member(from) {
            return None;
        }
        self.hellos.insert(from, hello);
        if self.hellos.len() < self.members.len() {
            return None;
        }
        let comparison = compare(&self.hellos);
        if let Some(comparison) = &comparison {
            let done = comparison.needy.is_empty();
            self.copying = Some(Copying { done, ..Copying::default() });
        }
        comparison
    }

    /// Takes a piece of the donor's state.
    pub(crate) fn chunk(&mut self, from: NodeId, chunk: Chunk) -> Copied {
        let donor = self.comparison().map(|c| c.donor);
        let Some(copying) = self.copying.as_mut().filter(|c| !c.done && Some(from) == donor) else {
            return Copied::More;
        };
        let too_large = copying.bytes.len().saturating_add(chunk.bytes.len()) > SNAPSHOT_MAX;
        if chunk.index != copying.next || too_large {
            return Copied::More;
        }
        copying.next = copying.next.saturating_add(1);
        copying.bytes.extend_from_slice(&chunk.bytes);
        if !chunk.last {
            return Copied::More;
        }
        copying.done = true;
        Copied::All(std::mem::take(&mut copying.bytes))
    }

    /// Takes the news that a member has the state; whether it was the last one.
    pub(crate) fn ready(&mut self, from: NodeId, ready: Ready) -> bool {
        if !self.copying.as_ref().is_some_and(|c| c.done) || !self.is_member(from) {
            return false;
        }
        self.readies.insert(from, ready);
        self.readies.len() == self.members.len()
    }

    /// What was compared; `None` before all hellos are there.
    pub(crate) fn comparison(&self) -> Option<Comparison> {
        self.copying.as_ref().and_then(|_| compare(&self.hellos))
    }

    /// Who has not said hello, or is not ready.
    pub(crate) fn missing(&self) -> Vec<NodeId> {
        let all = self.members.iter().map(|m| m.node);
        if self.copying.is_none() {
            all.filter(|node| !self.hellos.contains_key(node)).collect()
        } else {
            all.filter(|node| !self.readies.contains_key(node)).collect()
        }
    }

    /// The members.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// What they said first, by node.
    pub(crate) const fn hellos(&self) -> &BTreeMap<NodeId, Hello> {
        &self.hellos
    }

    /// What they said last, by node.
    pub(crate) const fn readies(&self) -> &BTreeMap<NodeId, Ready> {
        &self.readies
    }

    /// A civil time that all members agree on: the latest anybody has.
    pub(crate) fn wall(&self) -> WallTime {
        self.hellos.values().map(|h| h.wall).max().unwrap_or_default()
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.members.iter().any(|m| m.node == node)
    }
}

/// Chooses the donor: the highest configuration wins, as in Pacemaker; among equals the state that was last part of a
/// quorate view, then one that is not only from the disk (where nothing is known of the present, nor which proposals were
/// carried out), then the one that followed the stream further, then the previous coordinator, then the lowest id. Who
/// has anything else needs a copy.
fn compare(hellos: &BTreeMap<NodeId, Hello>) -> Option<Comparison> {
    let rank = |entry: &(&NodeId, &Hello)| {
        let (&node, hello) = *entry;
        let configuration = (hello.version.admin_epoch, hello.version.epoch);
        let followed = hello.since != RingId::default();
        let was_dc = hello.dc.is_some_and(|dc| dc.node == node);
        let lowest = std::cmp::Reverse(node);
        (configuration, hello.lineage, followed, hello.version.num_updates, was_dc, lowest)
    };
    let (&donor, best) = hellos.iter().max_by_key(rank)?;
    let same = |hello: &Hello| {
        hello.version == best.version && hello.digest == best.digest && hello.processed == best.processed
    };
    let needy = hellos.iter().filter(|(_, hello)| !same(hello)).map(|(&node, _)| node).collect();
    Some(Comparison { donor, needy })
}

#[cfg(test)]
mod tests;
