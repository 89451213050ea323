//! Votequorum written down as its manual describes it, one sentence after the other, with lists and no thought of
//! speed. It shares nothing with the engine but the types of what goes in.

use std::collections::BTreeMap;

use hac_types::NodeId;

use crate::engine::NodeInfo;
use crate::{Config, TieBreaker};

#[derive(Clone)]
pub(super) struct Model {
    config: Config,
    pub(super) expected: u32,
    pub(super) quorum: u32,
    pub(super) quorate: bool,
    pub(super) waiting: bool,
    /// Members of the last quorate membership.
    before: Vec<u32>,
    /// Members of the last membership that was quorate by votes alone.
    by_votes: Vec<u32>,
}

impl Model {
    pub(super) fn new(config: &Config) -> Self {
        let sum: u32 = config.nodes.iter().map(|v| v.votes).sum();
        let wait = match config.wait_for_all {
            Some(given) => given,
            None => config.two_node,
        };
        Self {
            config: config.clone(),
            expected: config.expected_votes.unwrap_or(sum),
            quorum: (config.expected_votes.unwrap_or(sum) + 2) / 2,
            quorate: false,
            waiting: wait,
            before: vec![],
            by_votes: vec![],
        }
    }

    pub(super) fn membership(&mut self, members: &BTreeMap<NodeId, NodeInfo>) {
        let here: Vec<u32> = members.keys().map(|n| n.0).collect();
        let total: u32 = members.values().map(|i| i.votes).sum();

        // Expected votes are believed from those who are quorate. One who is not takes theirs, and may for once ask for
        // less than before.
        let mut may_shrink = false;
        let quorate_say: Vec<u32> = members.values().filter(|i| i.quorate).map(|i| i.expected_votes).collect();
        if quorate_say.is_empty() {
            for info in members.values() {
                if info.expected_votes > self.expected {
                    self.expected = info.expected_votes;
                }
            }
        } else {
            let highest = *quorate_say.iter().max().unwrap();
            if self.quorate {
                if highest > self.expected {
                    self.expected = highest;
                }
            } else if highest != self.expected {
                self.expected = highest;
                may_shrink = true;
            }
        }
        if total > self.expected {
            self.expected = total;
        }

        // The formula.
        let q1 = (self.expected + 2) / 2;
        let q2 = (total + 2) / 2;
        let mut quorum = if q1 > q2 { q1 } else { q2 };
        if !may_shrink && self.quorum > quorum {
            quorum = self.quorum;
        }
        if self.config.two_node && here.len() <= 2 {
            quorum = 1;
        }
        self.quorum = quorum;

        // The gate of wait_for_all.
        if self.waiting {
            let a_quorate_peer = members.values().any(|i| i.quorate && !i.waiting);
            if total == self.expected || a_quorate_peer {
                self.waiting = false;
            } else {
                return;
            }
        }

        // Votes, then the tie breaker.
        self.quorate = total >= quorum && total > 0;
        if self.quorate {
            self.before = here.clone();
            self.by_votes = here;
        } else if self.tie_is_ours(&here, total) {
            self.quorate = true;
            if !self.before.is_empty() {
                self.before = here;
            }
        }

        // Losing quorum arms wait_for_all again.
        let wait = match self.config.wait_for_all {
            Some(given) => given,
            None => self.config.two_node,
        };
        self.waiting = wait && !self.quorate;
    }

    fn tie_is_ours(&self, here: &[u32], total: u32) -> bool {
        let Some(rule) = &self.config.auto_tie_breaker else { return false };
        if total == 0 || total != self.expected / 2 {
            return false;
        }
        // Where could a quorum be that is not here?
        let mut votes_elsewhere = self.expected;
        for _ in 0..total {
            votes_elsewhere -= 1;
        }
        if votes_elsewhere >= self.quorum {
            return false;
        }
        match rule {
            TieBreaker::Lowest => self.by_votes.iter().min().is_some_and(|n| here.contains(n)),
            TieBreaker::Highest => self.by_votes.iter().max().is_some_and(|n| here.contains(n)),
            TieBreaker::List(list) => {
                // Before any quorum the first of the list decides; later the first who took part in the last.
                for node in list {
                    if self.before.is_empty() || self.before.contains(&node.0) {
                        return here.contains(&node.0);
                    }
                }
                false
            }
        }
    }
}
