//! Changes of the configuration, made durable before they count.
//!
//! ```text
//!  delivered ──► every member computes the candidate and stores it (prepare)
//!                 └─ stored, or cannot ──► Vote ──┬─ all have stored it ──────────────────► commit, applied, acknowledged
//!                                                 └─ a member cannot, or does not answer
//!                                                     └─► the coordinator judges: Close ──┬─► commit without that member
//!                                                                                         └─► discarded, refused
//!  a new view before that ────────────────────────────────────────────────────────────────► discarded; its origin
//!                                                                                           proposes it again
//! ```
//!
//! Changes are carried out one after the other, in the order of the stream. What is known of the present goes on
//! changing meanwhile: the change is applied anew at its commit.
//!
//! A member that had not stored a change when it counted is *behind*: it is not asked any more, stores the newest state
//! as soon as its disk answers, and says so (`Stored`). Who is behind is the same on all members. See
//! `docs/decisions/0031-disks-that-do-not-answer.md`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use hac_types::{NodeId, Timestamp, mutant};

use crate::wire::{Close, Proposal, ProposalId};

/// How long a disk may take before a change counts without it, if enough others have stored it.
pub(crate) const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// How long disks may take if too few have stored it: then it comes to nothing.
pub(crate) const STORING_PATIENCE: Duration = Duration::from_secs(30);

/// What is said of a disk that has not answered in time.
pub(crate) const NO_ANSWER: &str = "its disk does not answer";

/// Changes of the configuration on their way; the same on all members of a view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    /// Delivered and not begun.
    pub(crate) queue: VecDeque<Proposal>,
    /// The one that is being stored.
    pub(crate) current: Option<Prepare>,
    /// Members that have not stored the newest configuration, and why.
    pub(crate) behind: BTreeMap<NodeId, String>,
}

/// A change that is being stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepare {
    /// The change.
    pub(crate) proposal: Proposal,
    /// Number of its generation on this node's disk.
    pub(crate) generation: u64,
    /// When it began here; for the coordinator's patience.
    pub(crate) since: Timestamp,
    /// The coordinator has judged, and its word is on its way.
    pub(crate) judged: bool,
    voters: Vec<NodeId>,
    stored: BTreeSet<NodeId>,
    failed: BTreeMap<NodeId, String>,
}

/// What the votes so far mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    /// Some are missing.
    Open,
    /// Every member that was asked has stored it.
    Stored,
    /// All that were asked have answered, and some could not.
    Divided,
}

/// What the coordinator can say of a change that not all have stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Nothing before this.
    Later(Timestamp),
    /// It counts without the others.
    Counts,
    /// It comes to nothing.
    Fails,
}

impl Prepare {
    /// Asks these members.
    pub(crate) const fn new(proposal: Proposal, generation: u64, voters: Vec<NodeId>, since: Timestamp) -> Self {
        Self { proposal, generation, since, judged: false, voters, stored: BTreeSet::new(), failed: BTreeMap::new() }
    }

    /// Takes a vote.
    pub(crate) fn vote(&mut self, from: NodeId, on: ProposalId, error: Option<String>) -> Tally {
        if on != self.proposal.id || !self.voters.contains(&from) {
            return Tally::Open;
        }
        match error {
            Some(why) => {
                self.failed.insert(from, why);
            }
            None => {
                self.stored.insert(from);
            }
        }
        self.tally()
    }

    fn tally(&self) -> Tally {
        if self.stored.len() == self.voters.len() || (mutant("one-vote-is-enough") && !self.stored.is_empty()) {
            Tally::Stored
        } else if self.missing().next().is_none() {
            Tally::Divided
        } else {
            Tally::Open
        }
    }

    /// When it can be judged, if those who have stored it are `enough` or not; [`Timestamp::ZERO`] is at once.
    pub(crate) fn judgeable(&self, enough: bool) -> Timestamp {
        match self.tally() {
            Tally::Stored | Tally::Divided => Timestamp::ZERO,
            Tally::Open => self.since + if enough { DISK_PATIENCE } else { STORING_PATIENCE },
        }
    }

    /// What is to be said of it now, if those who have stored it are `enough` or not.
    pub(crate) fn judge(&self, now: Timestamp, enough: bool) -> Judgement {
        match self.judgeable(enough) {
            at if now < at => Judgement::Later(at),
            _ if enough => Judgement::Counts,
            _ => Judgement::Fails,
        }
    }

    /// Who has stored it.
    pub(crate) const fn stored(&self) -> &BTreeSet<NodeId> {
        &self.stored
    }

    /// Who could not, or has not answered, and why.
    pub(crate) fn without(&self) -> impl Iterator<Item = (NodeId, &str)> {
        let why = |node| self.failed.get(node).map_or(NO_ANSWER, String::as_str);
        self.voters.iter().filter(|node| !self.stored.contains(node)).map(move |node| (*node, why(node)))
    }

    /// Who has not voted.
    pub(crate) fn missing(&self) -> impl Iterator<Item = NodeId> {
        let answered = |node: &NodeId| self.stored.contains(node) || self.failed.contains_key(node);
        self.voters.iter().copied().filter(move |node| !answered(node))
    }
}

impl Durable {
    /// A new view: everything on its way is dropped. The generation to discard, if one was being stored.
    pub(crate) fn reset(&mut self) -> Option<u64> {
        self.queue.clear();
        self.behind.clear();
        self.current.take().map(|prepare| prepare.generation)
    }

    /// The change that is being stored, unless the coordinator has judged it already.
    pub(crate) fn unjudged(&self) -> Option<&Prepare> {
        self.current.as_ref().filter(|current| !current.judged)
    }

    /// The coordinator judges the change that is being stored, if that is due: once.
    pub(crate) fn close(&mut self, now: Timestamp, enough: bool) -> Option<Close> {
        let current = self.current.as_mut().filter(|current| !current.judged)?;
        let counts = match current.judge(now, enough) {
            Judgement::Counts => true,
            Judgement::Fails => false,
            Judgement::Later(_) => return None,
        };
        current.judged = true;
        Some(Close { proposal: current.proposal.id, counts })
    }

    /// Whether anything is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.current.is_none()
    }

    /// A change counts: of these members, those who have not stored it are behind.
    pub(crate) fn counts(&mut self, prepare: &Prepare, members: impl Iterator<Item = NodeId>) {
        for node in members.filter(|node| !prepare.stored.contains(node)) {
            let why = prepare.failed.get(&node).cloned();
            let before = self.behind.remove(&node);
            self.behind.insert(node, why.or(before).unwrap_or_else(|| NO_ANSWER.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests;
