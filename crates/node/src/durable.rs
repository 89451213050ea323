//! Changes of the configuration, made durable before they count.
//!
//! ```text
//!  delivered ──► every member computes the candidate and stores it (prepare)
//!                 └─ stored ──► Vote ──► all votes delivered ──► commit, applied, acknowledged
//!                 └─ cannot ──► Vote ──► delivered ────────────► discarded, refused
//!  a new view before that ───────────────────────────────────► discarded; its origin proposes it again
//! ```
//!
//! Changes are carried out one after the other, in the order of the stream. What is known of the present goes on
//! changing meanwhile: the change is applied anew at its commit.

use std::collections::{BTreeSet, VecDeque};

use hac_types::{NodeId, mutant};

use crate::wire::{Proposal, ProposalId};

/// Changes of the configuration on their way; the same on all members of a view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    /// Delivered and not begun.
    pub(crate) queue: VecDeque<Proposal>,
    /// The one that is being stored.
    pub(crate) current: Option<Prepare>,
}

/// A change that is being stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepare {
    /// The change.
    pub(crate) proposal: Proposal,
    /// Number of its generation on this node's disk.
    pub(crate) generation: u64,
    voters: Vec<NodeId>,
    votes: BTreeSet<NodeId>,
}

/// What the votes so far mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    /// Some are missing.
    Open,
    /// Every member has stored it.
    Stored,
    /// This member could not, for this reason.
    Failed(NodeId, String),
}

impl Prepare {
    /// Asks these members.
    pub(crate) const fn new(proposal: Proposal, generation: u64, voters: Vec<NodeId>) -> Self {
        Self { proposal, generation, voters, votes: BTreeSet::new() }
    }

    /// Takes a vote.
    pub(crate) fn vote(&mut self, from: NodeId, on: ProposalId, error: Option<String>) -> Tally {
        if on != self.proposal.id || !self.voters.contains(&from) {
            return Tally::Open;
        }
        if let Some(why) = error {
            return Tally::Failed(from, why);
        }
        self.votes.insert(from);
        let all = self.votes.len() == self.voters.len() || mutant("one-vote-is-enough");
        if all { Tally::Stored } else { Tally::Open }
    }

    /// Who has not voted.
    pub(crate) fn missing(&self) -> impl Iterator<Item = NodeId> {
        self.voters.iter().copied().filter(|node| !self.votes.contains(node))
    }
}

impl Durable {
    /// A new view: everything on its way is dropped. The generation to discard, if one was being stored.
    pub(crate) fn reset(&mut self) -> Option<u64> {
        self.queue.clear();
        self.current.take().map(|prepare| prepare.generation)
    }

    /// Whether anything is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.current.is_none()
    }
}

#[cfg(test)]
mod tests;
