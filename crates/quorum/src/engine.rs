//! Votequorum as a machine: memberships in, decisions out.
//!
//! Calling contract: [`Engine::membership`] for every regular membership, with what each member said of itself
//! ([`Engine::info`] of each) in that membership; [`Engine::handle_timeout`] when [`Engine::poll_timeout`] is due. An
//! answer is about the membership that was handed over last and about no other.
//!
//! ```text
//!                    all seen at once, or a quorate peer,
//!                    or the operator says so
//!     WAITING ─────────────────────────────────────────► QUORATE ◄──┐
//!        ▲  (only with wait_for_all)                        │       │ votes >= quorum,
//!        └──────────────── votes < quorum ──────────────────┤       │ or tie breaker
//!                          (wait_for_all)                   ▼       │
//!                                                       INQUORATE ──┘
//! ```

use std::collections::{BTreeMap, BTreeSet};

use hac_types::{NodeId, RingId, Timestamp, mutant};
use thiserror::Error;

use crate::{Config, ConfigError, TieBreaker, Voter};

/// What a member says of itself in a membership. The values are those *before* the membership is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its votes.
    pub votes: u32,
    /// Votes that it believes a complete cluster has.
    pub expected_votes: u32,
    /// It was quorate in its previous membership.
    pub quorate: bool,
    /// It waits for all nodes (`wait_for_all`).
    pub waiting: bool,
    /// The last quorate membership of its life.
    pub last_quorate: Option<LastQuorate>,
}

/// A membership that was quorate; tie breakers go by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastQuorate {
    /// Which.
    pub ring: RingId,
    /// Its members.
    pub members: BTreeSet<NodeId>,
    /// Lowest member when votes alone last made a membership quorate; a tie breaker does not move it.
    pub lowest: NodeId,
    /// Highest member then.
    pub highest: NodeId,
}

/// The judgement about a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// This partition may act.
    pub quorate: bool,
    /// It was not so before.
    pub changed: bool,
}

/// What the engine knows, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This partition may act.
    pub quorate: bool,
    /// Votes that a complete cluster is believed to have.
    pub expected_votes: u32,
    /// The same as configured.
    pub configured_votes: u32,
    /// Votes of the members.
    pub total_votes: u32,
    /// Votes needed.
    pub quorum: u32,
    /// Which rules are in force.
    pub flags: Flags,
    /// What is waited for, in words; `None` when quorate.
    pub waiting_for: Option<String>,
    /// All nodes are waited for (`wait_for_all`): [`Engine::cancel_wait_for_all`] ends that.
    pub waits_for_all: bool,
}

/// Which rules are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `two_node`.
    pub two_node: bool,
    /// `wait_for_all`, given or implied.
    pub wait_for_all: bool,
    /// `last_man_standing`.
    pub last_man_standing: bool,
    /// `auto_tie_breaker`.
    pub auto_tie_breaker: bool,
    /// The vote of an arbiter is counted on.
    pub arbiter: bool,
    /// Quorate.
    pub quorate: bool,
}

impl Flags {
    /// The words of `corosync-quorumtool`.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        [
            (self.two_node, "2Node"),
            (self.quorate, "Quorate"),
            (self.wait_for_all, "WaitForAll"),
            (self.last_man_standing, "LastManStanding"),
            (self.auto_tie_breaker, "AutoTieBreaker"),
            (self.arbiter, "Qdevice"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect()
    }
}

/// Why an operator's change was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Fewer than there are.
    #[error("expected votes cannot be lower than the {total} votes that are present")]
    BelowTotal {
        /// Votes of the members.
        total: u32,
    },
    /// The partition would lose quorum by it.
    #[error("with {expected} expected votes this partition would no longer be quorate")]
    LosesQuorum {
        /// What was asked for.
        expected: u32,
    },
}

/// The quorum of one node; its rules are those of votequorum(5).
#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
    expected: u32,
    quorum: u32,
    quorate: bool,
    waiting: bool,
    members: BTreeMap<NodeId, NodeInfo>,
    ring: RingId,
    last_quorate: Option<LastQuorate>,
    /// When expected votes follow the partition down (`last_man_standing`).
    window: Option<Timestamp>,
    /// The arbiter's vote is with this membership.
    arbiter: bool,
    /// `two_node` is not in force, because the other node may have the vote of an arbiter.
    two_node_barred: bool,
}

impl Engine {
    /// A node that has just started: not quorate, waiting if `wait_for_all` is in force.
    ///
    /// # Errors
    ///
    /// The configuration cannot work.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let expected = config.expected();
        Ok(Self {
            expected,
            quorum: majority(expected),
            quorate: false,
            waiting: config.waits_for_all(),
            members: BTreeMap::new(),
            ring: RingId::default(),
            last_quorate: None,
            window: None,
            arbiter: false,
            two_node_barred: false,
            config,
        })
    }

    /// What this node says of itself at the beginning of a membership.
    #[must_use]
    pub fn info(&self) -> NodeInfo {
        NodeInfo {
            votes: self.config.votes_of(self.config.node),
            expected_votes: self.expected,
            quorate: self.quorate,
            waiting: self.waiting,
            last_quorate: self.last_quorate.clone(),
        }
    }

    /// Judges the membership of `ring`. `members` holds what each member (this node among them) said of itself in it.
    /// All members judge alike, because they go by what the best informed of them said.
    pub fn membership(&mut self, now: Timestamp, ring: RingId, members: BTreeMap<NodeId, NodeInfo>) -> Decision {
        let shrunk = self.members.keys().any(|node| !members.contains_key(node));
        self.ring = ring;
        let newest = members.values().filter_map(|info| info.last_quorate.as_ref()).max_by_key(|q| q.ring);
        self.last_quorate = newest.cloned();
        self.members = members;
        self.arbiter = false;
        let was_quorate = self.quorate;
        let allow_decrease = self.learn_expected();
        self.recompute(allow_decrease);
        self.quorate |= was_quorate && mutant("quorum-kept");
        self.arm_window(now, shrunk);
        Decision { quorate: self.quorate, changed: self.quorate != was_quorate }
    }

    /// The configured nodes are others from now on, for all members at the same place of the order: the present membership
    /// is judged anew by their votes. A member that is not among them has none.
    pub fn set_nodes(&mut self, nodes: Vec<Voter>) -> Decision {
        let was_quorate = self.quorate;
        self.config.set_nodes(nodes);
        self.expected = self.config.expected();
        for (node, info) in &mut self.members {
            let voter = self.config.nodes.iter().find(|voter| voter.node == *node);
            info.votes = voter.map_or(0, |voter| voter.votes);
            info.expected_votes = self.expected;
        }
        if !self.members.is_empty() {
            self.recompute(true);
        }
        Decision { quorate: self.quorate, changed: self.quorate != was_quorate }
    }

    /// Whether the arbiter's vote would make the last membership handed over quorate, which is not so without it.
    #[must_use]
    pub fn needs_arbiter(&self) -> bool {
        let votes = self.config.arbiter_votes();
        let gated = self.waiting && !self.members.values().any(|info| info.quorate && !info.waiting);
        votes > 0 && !self.quorate && !gated && self.total() > 0 && self.total() + votes >= self.quorum
    }

    /// Whether an arbiter's vote is counted on.
    #[must_use]
    pub fn counts_arbiter(&self) -> bool {
        self.config.arbiter_votes() > 0
    }

    /// Whether all who vote are members.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.config.nodes.iter().all(|voter| voter.votes == 0 || self.members.contains_key(&voter.node))
    }

    /// The arbiter's vote is with the last membership handed over, or is not.
    pub fn set_arbiter(&mut self, granted: bool) -> Decision {
        let was_quorate = self.quorate;
        self.arbiter = granted && self.config.arbiter_votes() > 0;
        self.recompute(false);
        Decision { quorate: self.quorate, changed: self.quorate != was_quorate }
    }

    /// Another node of this cluster counts on an arbiter, and this one was not told of it: as long as that is so `two_node`
    /// is not in force.
    pub fn bar_two_node(&mut self, barred: bool) -> Decision {
        let was_quorate = self.quorate;
        if self.two_node_barred != barred {
            self.two_node_barred = barred;
            self.quorum = majority(self.expected);
            self.recompute(true);
        }
        Decision { quorate: self.quorate, changed: self.quorate != was_quorate }
    }

    /// Votes of `node`: as it says itself if it is a member, as configured otherwise.
    #[must_use]
    pub fn votes_of(&self, node: NodeId) -> u32 {
        self.members.get(&node).map_or_else(|| self.config.votes_of(node), |info| info.votes)
    }

    /// Whether the last membership handed over has more than half of the configured votes: whatever is agreed in it, any
    /// other that has so many knows of it too. A quorate membership need not have them (`two_node`, `last_man_standing`).
    #[must_use]
    pub fn is_majority(&self) -> bool {
        self.total() > self.config.expected() / 2
    }

    /// Whether a partition with fewer than most of the votes may be quorate by the rules: one of two nodes, a half with a tie
    /// breaker, what is left of a cluster that shrank.
    #[must_use]
    pub const fn few_may_act(&self) -> bool {
        self.config.two_node || self.config.auto_tie_breaker.is_some() || self.config.last_man_standing
    }

    /// Whether the last membership handed over is quorate.
    #[must_use]
    pub const fn is_quorate(&self) -> bool {
        self.quorate
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.window
    }

    /// The end of the window of `last_man_standing`: the partition has been stable, expected votes follow it.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<Decision> {
        if self.window.is_none_or(|due| now < due) {
            return None;
        }
        self.window = None;
        if !self.quorate {
            return None;
        }
        let was_quorate = self.quorate;
        self.expected = self.total();
        self.recompute(true);
        Some(Decision { quorate: self.quorate, changed: self.quorate != was_quorate })
    }

    /// The operator declares that the missing nodes are down: `wait_for_all` is satisfied.
    pub fn cancel_wait_for_all(&mut self) -> Decision {
        let was_quorate = self.quorate;
        self.waiting = false;
        self.recompute(false);
        Decision { quorate: self.quorate, changed: self.quorate != was_quorate }
    }

    /// The operator says how many votes a complete cluster has.
    ///
    /// # Errors
    ///
    /// It contradicts what is present.
    pub fn set_expected(&mut self, expected: u32) -> Result<Decision, Refused> {
        let total = self.total();
        if expected < total {
            return Err(Refused::BelowTotal { total });
        }
        let was_quorate = self.quorate;
        let mut changed = self.clone();
        changed.expected = expected;
        changed.recompute(true);
        if was_quorate && !changed.quorate {
            return Err(Refused::LosesQuorum { expected });
        }
        *self = changed;
        Ok(Decision { quorate: self.quorate, changed: self.quorate != was_quorate })
    }

    /// What is known, for people.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            quorate: self.quorate,
            expected_votes: self.expected,
            configured_votes: self.config.expected(),
            total_votes: self.total(),
            quorum: self.quorum,
            flags: Flags {
                two_node: self.config.two_node,
                wait_for_all: self.config.waits_for_all(),
                last_man_standing: self.config.last_man_standing,
                auto_tie_breaker: self.config.auto_tie_breaker.is_some(),
                arbiter: self.config.arbiter_votes() > 0,
                quorate: self.quorate,
            },
            waiting_for: self.waiting_for(),
            waits_for_all: self.waiting,
        }
    }

    fn waiting_for(&self) -> Option<String> {
        if self.quorate {
            return None;
        }
        let missing: Vec<String> = self
            .config
            .nodes
            .iter()
            .filter(|v| v.node != self.config.node && !self.members.contains_key(&v.node))
            .map(|v| format!("{} ({})", v.name, v.node))
            .collect();
        let whom = if missing.is_empty() { "the other nodes".to_owned() } else { missing.join(", ") };
        Some(if self.waiting {
            format!("waiting for {whom}: wait_for_all, no quorum before all nodes have been seen at once")
        } else {
            format!("waiting for {whom}: {} of {} votes needed for quorum are present", self.total(), self.quorum)
        })
    }

    fn total(&self) -> u32 {
        let arbiter = if self.arbiter { self.config.arbiter_votes() } else { 0 };
        self.members.values().fold(arbiter, |sum, info| sum.saturating_add(info.votes))
    }

    /// Takes over the expected votes of quorate members; without any, the highest anybody believes in. Whether the
    /// quorum may shrink once, because a quorate member knows better than this node.
    fn learn_expected(&mut self) -> bool {
        let quorate = self.members.values().filter(|info| info.quorate).map(|info| info.expected_votes).max();
        if let Some(expected) = quorate {
            let adopts = !self.quorate && expected != self.expected;
            self.expected = if self.quorate { self.expected.max(expected) } else { expected };
            return adopts;
        }
        let anybody = self.members.values().map(|info| info.expected_votes).max().unwrap_or(0);
        self.expected = self.expected.max(anybody);
        false
    }

    /// The formula and the order of decisions.
    fn recompute(&mut self, allow_decrease: bool) {
        let total = self.total();
        self.expected = self.expected.max(total);
        let mut quorum = majority(self.expected).max(majority(total));
        if !allow_decrease {
            quorum = quorum.max(self.quorum);
        }
        let two_node = self.config.two_node && !self.two_node_barred
            || self.config.arbiter_votes() > 0 && mutant("two-node-with-arbiter");
        if two_node && self.members.values().filter(|info| info.votes > 0).count() <= 2 {
            quorum = 1;
        }
        self.quorum = quorum;

        // The arbiter's vote is there when all nodes are: it is not asked then.
        let silent = if self.arbiter { 0 } else { self.config.arbiter_votes() };
        if self.waiting {
            let released = self.members.values().any(|info| info.quorate && !info.waiting);
            if total + silent != self.expected && !released {
                return;
            }
            self.waiting = false;
        }
        self.quorate = total >= quorum && total > 0;
        if self.quorate {
            self.note_quorate();
        } else if self.tie_is_ours(total) {
            self.quorate = true;
            if let Some(last) = &mut self.last_quorate {
                last.members = self.members.keys().copied().collect();
                last.ring = self.ring;
            }
        }
        // Whoever may yet get the arbiter's vote has seen all.
        let asks = silent > 0 && total > 0 && total + silent >= quorum;
        self.waiting = self.config.waits_for_all() && !self.quorate && !asks;
    }

    fn note_quorate(&mut self) {
        let members: BTreeSet<NodeId> = self.members.keys().copied().collect();
        if let (Some(&lowest), Some(&highest)) = (members.first(), members.last()) {
            self.last_quorate = Some(LastQuorate { ring: self.ring, members, lowest, highest });
        }
    }

    /// Whether this is the half that goes on. All that is not here, taken together, must be unable to be quorate by its
    /// votes. (Votequorum asks that only of the members that went with the last change, and can be split in three steps
    /// by it when the number of votes is odd.)
    fn tie_is_ours(&self, total: u32) -> bool {
        let Some(rule) = &self.config.auto_tie_breaker else {
            return false;
        };
        let elsewhere = self.expected.saturating_sub(total);
        if total == 0 || total != self.expected / 2 || elsewhere >= self.quorum {
            return false;
        }
        let with_us = |node: &NodeId| self.members.contains_key(node);
        match rule {
            TieBreaker::Lowest => self.last_quorate.as_ref().is_some_and(|last| with_us(&last.lowest)),
            TieBreaker::Highest => self.last_quorate.as_ref().is_some_and(|last| with_us(&last.highest)),
            TieBreaker::List(list) => match &self.last_quorate {
                Some(last) => list.iter().find(|n| last.members.contains(n)).is_some_and(with_us),
                None => list.first().is_some_and(with_us),
            },
        }
    }

    fn arm_window(&mut self, now: Timestamp, shrunk: bool) {
        if !self.config.last_man_standing || !self.quorate || self.total() >= self.expected {
            self.window = None;
        } else if shrunk || self.window.is_none() {
            self.window = Some(now + self.config.last_man_standing_window);
        }
    }
}

/// More than half.
fn majority(votes: u32) -> u32 {
    if mutant("half-is-enough") {
        return votes / 2;
    }
    // Written so that it cannot overflow: the same as (votes + 2) / 2.
    votes / 2 + 1
}

#[cfg(test)]
mod tests;
