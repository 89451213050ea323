//! What alerts are for, as a node sees it.

use hac_model::fencing::Record;
use serde::{Deserialize, Serialize};

/// Something that this node tells to those who asked for alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// A node became a member, or is one no longer. Every node sees it.
    Node {
        /// Its name.
        node: String,
        /// Its id, decimal.
        id: String,
        /// It is a member now.
        member: bool,
    },
    /// A request to fence a node is over. Every node sees it.
    Fencing(Record),
    /// An operation that this node carried out ended, and was no probe that found what was expected.
    Operation(Box<Ended>),
    /// A transient attribute of a node has another value. The coordinator sees it.
    Attribute {
        /// Name of the node.
        node: String,
        /// Its id, decimal.
        id: String,
        /// Name of the attribute.
        name: String,
        /// Its value; nothing if it was removed.
        value: String,
    },
}

/// How an operation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Name of the node for which it counts.
    pub node: String,
    /// The resource.
    pub resource: String,
    /// `start`, `monitor` …
    pub task: String,
    /// Its interval, milliseconds; 0 if it does not recur.
    pub interval_ms: u64,
    /// The exit code that was expected.
    pub target_rc: i32,
    /// How it ended, as a number of the CIB.
    pub status: i32,
    /// Its exit code.
    pub rc: i32,
    /// How long it took, milliseconds.
    pub exec_time_ms: u64,
}
