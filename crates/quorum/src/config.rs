//! The options of the `quorum` section and who votes.

use std::time::Duration;

use hac_types::NodeId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::arbiter::Model;

/// A configured node and its weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// Which node.
    pub node: NodeId,
    /// Its name, for sentences.
    pub name: String,
    /// `nodelist.node.quorum_votes`, 1 unless given; 0 is an observer.
    pub votes: u32,
}

/// Which half goes on when a cluster splits in the middle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TieBreaker {
    /// The one with the lowest node id of the last quorate partition.
    Lowest,
    /// The one with the highest.
    Highest,
    /// The one with the first of these nodes that took part in the last quorate partition; before there was any, the
    /// one with the first of these nodes. The latter is safe only with `wait_for_all`.
    List(Vec<NodeId>),
}

/// The `quorum` section. The defaults are those of votequorum(5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// All configured nodes.
    pub nodes: Vec<Voter>,
    /// `quorum.expected_votes`; the sum of the votes of all nodes unless given.
    pub expected_votes: Option<u32>,
    /// `quorum.two_node`: of two nodes, one alone may act.
    pub two_node: bool,
    /// `quorum.wait_for_all`: no quorum before all nodes were seen at once. Implied by `two_node` unless given.
    pub wait_for_all: Option<bool>,
    /// `quorum.auto_tie_breaker` and `auto_tie_breaker_node`.
    pub auto_tie_breaker: Option<TieBreaker>,
    /// `quorum.last_man_standing`: expected votes follow the partition down.
    pub last_man_standing: bool,
    /// `quorum.last_man_standing_window`: how long a smaller partition must be stable before they do.
    pub last_man_standing_window: Duration,
    /// `quorum.allow_downscale`: refused.
    pub allow_downscale: bool,
    /// `arbiter.model`: of two nodes, the one that has the vote of a store outside goes on alone.
    pub arbiter: bool,
    /// What kind of store that is.
    pub arbiter_model: Model,
}

impl Config {
    /// Default of [`last_man_standing_window`](Self::last_man_standing_window).
    pub const LAST_MAN_STANDING_WINDOW: Duration = Duration::from_secs(10);

    /// One vote a node, no special rules.
    #[must_use]
    pub fn new(node: NodeId, nodes: Vec<Voter>) -> Self {
        Self {
            node,
            nodes,
            expected_votes: None,
            two_node: false,
            wait_for_all: None,
            auto_tie_breaker: None,
            last_man_standing: false,
            last_man_standing_window: Self::LAST_MAN_STANDING_WINDOW,
            allow_downscale: false,
            arbiter: false,
            arbiter_model: Model::Register,
        }
    }

    /// Other nodes from now on. What the file says of votes in all and of `two_node` was said of other nodes: the sum of
    /// the votes counts, and of two voters one alone may act unless another rule decides between two.
    pub fn set_nodes(&mut self, nodes: Vec<Voter>) {
        let voters = nodes.iter().filter(|voter| voter.votes > 0).count();
        let equal = nodes.iter().all(|voter| voter.votes <= 1);
        let two = voters == 2 && equal && self.auto_tie_breaker.is_none() && !self.last_man_standing;
        self.two_node = two && !self.arbiter;
        self.expected_votes = None;
        self.nodes = nodes;
    }

    /// Whether [`wait_for_all`](Self::wait_for_all) is in force: given, or implied by `two_node`.
    #[must_use]
    pub fn waits_for_all(&self) -> bool {
        self.wait_for_all.unwrap_or(self.two_node)
    }

    /// Votes that a complete cluster has.
    #[must_use]
    pub fn expected(&self) -> u32 {
        self.expected_votes.unwrap_or_else(|| {
            self.nodes.iter().fold(self.arbiter_votes(), |sum, voter| sum.saturating_add(voter.votes))
        })
    }

    /// The arbiter's vote: one with two voters of one vote each, none with others, where it could make a tie or decide
    /// nothing.
    #[must_use]
    pub fn arbiter_votes(&self) -> u32 {
        let voters = self.nodes.iter().filter(|voter| voter.votes > 0);
        u32::from(self.arbiter && voters.clone().count() == 2 && voters.clone().all(|voter| voter.votes == 1))
    }

    /// Votes of `node` as configured; 1 for a node that is not in the list.
    #[must_use]
    pub fn votes_of(&self, node: NodeId) -> u32 {
        self.nodes.iter().find(|v| v.node == node).map_or(1, |v| v.votes)
    }

    /// The name of `node`, or its id if it is not in the list.
    #[must_use]
    pub fn name_of(&self, node: NodeId) -> String {
        self.nodes.iter().find(|v| v.node == node).map_or_else(|| node.to_string(), |v| v.name.clone())
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    ///
    /// The first thing wrong, naming the key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.nodes.iter().any(|v| v.node == self.node) {
            return Err(ConfigError::NotListed(self.node));
        }
        for (index, voter) in self.nodes.iter().enumerate() {
            if self.nodes.iter().skip(index + 1).any(|other| other.node == voter.node) {
                return Err(ConfigError::Twice(voter.node));
            }
        }
        if self.expected() == 0 {
            return Err(ConfigError::NoVotes);
        }
        if self.allow_downscale {
            return Err(ConfigError::AllowDownscale);
        }
        if self.arbiter {
            self.validate_arbiter()?;
        }
        if self.two_node {
            self.validate_two_node()?;
        }
        if self.last_man_standing && self.nodes.iter().any(|v| v.votes != 1) {
            return Err(ConfigError::LastManStandingVotes);
        }
        self.validate_tie_breaker()
    }

    fn validate_two_node(&self) -> Result<(), ConfigError> {
        if self.nodes.len() > 2 {
            return Err(ConfigError::TwoNodeCount(self.nodes.len()));
        }
        if self.expected() != 2 || self.nodes.iter().any(|v| v.votes != 1) {
            return Err(ConfigError::TwoNodeVotes);
        }
        if self.auto_tie_breaker.is_some() {
            return Err(ConfigError::TwoNodeTieBreaker);
        }
        if self.last_man_standing {
            return Err(ConfigError::TwoNodeLastManStanding);
        }
        Ok(())
    }

    fn validate_arbiter(&self) -> Result<(), ConfigError> {
        if self.two_node {
            return Err(ConfigError::ArbiterTwoNode);
        }
        if self.auto_tie_breaker.is_some() || self.last_man_standing {
            return Err(ConfigError::ArbiterOtherRule);
        }
        if self.expected_votes.is_some_and(|votes| votes != 3 && self.arbiter_votes() > 0) {
            return Err(ConfigError::ArbiterVotes);
        }
        Ok(())
    }

    fn validate_tie_breaker(&self) -> Result<(), ConfigError> {
        let Some(rule) = &self.auto_tie_breaker else { return Ok(()) };
        if !self.expected().is_multiple_of(2) && !self.waits_for_all() {
            return Err(ConfigError::TieBreakerOdd);
        }
        if let TieBreaker::List(list) = rule {
            if list.is_empty() {
                return Err(ConfigError::TieBreakerEmpty);
            }
            if let Some(unknown) = list.iter().find(|id| !self.nodes.iter().any(|v| v.node == **id)) {
                return Err(ConfigError::TieBreakerUnknown(*unknown));
            }
        }
        Ok(())
    }
}

/// What is wrong with a [`Config`]. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// This node is not in the list.
    #[error("nodelist: node {0} is not among the nodes")]
    NotListed(NodeId),
    /// A node is listed twice.
    #[error("nodelist: node id {0} is used twice")]
    Twice(NodeId),
    /// Nobody can vote.
    #[error("quorum.expected_votes: nobody has a vote; give at least one node quorum_votes of 1 or more")]
    NoVotes,
    /// See the [crate documentation](crate).
    #[error("quorum.allow_downscale: not supported; remove the key, and remove nodes from nodelist instead")]
    AllowDownscale,
    /// `two_node` with more nodes.
    #[error("quorum.two_node: the nodelist has {0} nodes; two_node is for exactly two")]
    TwoNodeCount(usize),
    /// `two_node` with other votes.
    #[error("quorum.two_node: expected_votes must be 2 and every node must have exactly one vote")]
    TwoNodeVotes,
    /// `two_node` with a tie breaker.
    #[error("quorum.two_node: cannot be used with auto_tie_breaker; remove one of them")]
    TwoNodeTieBreaker,
    /// `two_node` with last man standing.
    #[error("quorum.two_node: cannot be used with last_man_standing; remove one of them")]
    TwoNodeLastManStanding,
    /// An arbiter beside `two_node`.
    #[error("quorum.two_node: cannot be used with an arbiter, whose vote decides between two; remove one of them")]
    ArbiterTwoNode,
    /// An arbiter beside another rule for halves.
    #[error("arbiter.model: cannot be used with auto_tie_breaker or last_man_standing; remove one of them")]
    ArbiterOtherRule,
    /// An arbiter whose vote is not expected.
    #[error("quorum.expected_votes: two nodes and the arbiter have 3 votes; remove the key")]
    ArbiterVotes,
    /// `last_man_standing` with unequal votes.
    #[error("quorum.last_man_standing: every node must have exactly one vote")]
    LastManStandingVotes,
    /// A tie breaker where no tie can be.
    #[error("quorum.auto_tie_breaker: with an odd number of expected votes it needs wait_for_all")]
    TieBreakerOdd,
    /// An empty list.
    #[error("quorum.auto_tie_breaker_node: the list is empty")]
    TieBreakerEmpty,
    /// A listed node that does not exist.
    #[error("quorum.auto_tie_breaker_node: node {0} is not among the nodes")]
    TieBreakerUnknown(NodeId),
}
