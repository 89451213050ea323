//! What goes in and out of the engine.

use std::time::Duration;

use crate::cib::StatusChange;
use crate::fencer::{self, MAX_ATTEMPTS};
use crate::work::Order;
use hac_model::{Configuration, FenceAction, parse_duration_ms};

/// Bounds on carrying a plan out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most orders on their way at one time, `batch-limit`; 0 is no limit.
    pub batch_limit: usize,
    /// Most agents that a node runs for them at one time, `node-action-limit`; 0 is no limit. Twice the number of cores
    /// unless configured, so that a node that takes over much is not smothered. The node itself keeps to it
    /// ([`Executor::limit`](crate::executor::Executor::limit)); the engine gives it some more orders, so that it never
    /// waits for the next one.
    pub node_action_limit: usize,
    /// So often in a row a node is fenced in vain before something else has to happen first, `fencing-max-attempts`.
    pub fencing_max_attempts: u32,
    /// Time that an order and its answer may take on top of the operation's own timeout, `cluster-delay`.
    pub cluster_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_limit: 0,
            node_action_limit: 0,
            fencing_max_attempts: MAX_ATTEMPTS,
            cluster_delay: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// What the cluster properties say, for nodes with so many `cores`.
    #[must_use]
    pub fn of(configuration: &Configuration, cores: usize) -> Self {
        let default = Self::default();
        let number = |name| configuration.property(name).and_then(|text| text.trim().parse().ok());
        let delay = configuration.property("cluster-delay").and_then(parse_duration_ms).map(Duration::from_millis);
        Self {
            batch_limit: number("batch-limit").unwrap_or(default.batch_limit),
            node_action_limit: number("node-action-limit")
                .filter(|limit| *limit > 0)
                .unwrap_or_else(|| cores.saturating_mul(2)),
            fencing_max_attempts: fencer::max_attempts(configuration),
            cluster_delay: delay.unwrap_or(default.cluster_delay),
        }
    }
}

/// What the engine wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Broadcast this order. When it is delivered, everybody applies [`Order::started`], and the executor of the node that
    /// it names takes it.
    Run(Order),
    /// What this orders is under way already by the order of an earlier coordinator, whose result answers it: nothing is
    /// broadcast. The agent may have ended and its result be on its way, so that the node would run it a second time.
    TakenUp(Order),
    /// Broadcast this change.
    Status(StatusChange),
    /// Ask for the fencing of a node, on behalf of the coordinator.
    Fence {
        /// Name of the node.
        target: String,
        /// What is done to it.
        action: FenceAction,
        /// To wait so many seconds first, on top of what the devices say (`priority-fencing-delay`).
        delay_s: u64,
    },
    /// The transition is over.
    Ended(Summary),
    /// The world is no longer the one that was planned for: decide again now. Never while orders are in flight.
    Replan(Abort),
}

/// How a transition went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its number.
    pub transition: u64,
    /// Actions in the plan.
    pub actions: usize,
    /// Actions that were begun.
    pub fired: usize,
    /// Actions that ended as expected.
    pub done: usize,
    /// How it ended.
    pub end: End,
    /// What went wrong, in sentences.
    pub problems: Vec<String>,
}

/// How a transition ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it was done.
    Complete,
    /// It was abandoned; [`Output::Replan`] follows.
    Aborted(Abort),
    /// It cannot go on, and deciding again would not help before something changes.
    Stuck,
}

/// Why a transition is abandoned, or a decision needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abort {
    /// The configuration changed.
    Configuration,
    /// A node came, went or changed its state.
    Membership,
    /// Quorum was gained or lost.
    Quorum,
    /// A node attribute changed: name of node and attribute.
    Attribute(String, String),
    /// An operation had another result than expected: its key and the node.
    UnexpectedResult(String, String),
    /// A recurring operation, or one that was no longer awaited, had a good result: its key and the node.
    News(String, String),
    /// No result came in time: operation key and node.
    Lost(String, String),
    /// Histories or failures were forgotten.
    Cleanup,
    /// A node told its history.
    History(String),
    /// A node wants to leave.
    Shutdown(String),
    /// A node could not be fenced.
    NotFenced(String),
    /// A node was fenced that nobody had planned to.
    Fenced(String),
    /// Asked for from outside, in words.
    Other(String),
}

impl std::fmt::Display for Abort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Configuration => f.write_str("the configuration changed"),
            Self::Membership => f.write_str("the membership changed"),
            Self::Quorum => f.write_str("quorum changed"),
            Self::Attribute(node, name) => write!(f, "attribute {name} of {node} changed"),
            Self::UnexpectedResult(key, node) => write!(f, "{key} on {node} did not end as expected"),
            Self::News(key, node) => write!(f, "{key} on {node} has a new result"),
            Self::Lost(key, node) => write!(f, "no result of {key} came from {node} in time"),
            Self::Cleanup => f.write_str("failures or histories were forgotten"),
            Self::History(node) => write!(f, "{node} told its history"),
            Self::Shutdown(node) => write!(f, "{node} wants to leave"),
            Self::NotFenced(node) => write!(f, "{node} could not be fenced"),
            Self::Fenced(node) => write!(f, "{node} was fenced"),
            Self::Other(words) => f.write_str(words),
        }
    }
}
