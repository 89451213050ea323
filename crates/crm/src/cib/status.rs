//! Commands that change the status: what is known of nodes and resources.
//!
//! Nodes are called by name everywhere; the ids of the CIB are looked up.

use serde::{Deserialize, Serialize};

use crate::fencer::requests::Step;
use hac_model::fencing::Watchdog;
use hac_model::{Agent, OnFail, OpHistory, Readiness, ResourceHistory};

/// More is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusChange {
    /// Who is there, after a view change. Nodes not named stay as they are. A node that is gone loses its transient
    /// attributes; its history stays until it tells its own.
    NodeStates(Vec<NodePresence>),
    /// What a node itself knows of its resources, in place of what was known. Sent after each merge.
    NodeHistory {
        /// Its name.
        node: String,
        /// All its histories.
        resources: Vec<ResourceHistory>,
    },
    /// An operation was ordered.
    OpStarted(OpStarted),
    /// An operation ended.
    OpResult(OpResult),
    /// A recurring operation was cancelled and its entry is to go.
    OpCancelled(OpCancelled),
    /// Set or remove a transient attribute of a node: promotion scores, `standby` until reboot … A value `value++` or
    /// `value+=N` counts up from what it is.
    SetAttribute {
        /// Name of the node.
        node: String,
        /// Name of the attribute.
        name: String,
        /// Its value; `None` removes.
        value: Option<String>,
        /// Where it is new: it never counts, nodes only tell each other.
        private: bool,
        /// Where it is new: for so long changes are collected before they count, milliseconds, at most a day.
        dampening_ms: u64,
        /// Where it is new: it is a capacity of the node, beside those of its configuration.
        utilization: bool,
    },
    /// For how long changes of a transient attribute are collected from now on; what waits counts at once if that is 0.
    SetDampening {
        /// Name of the attribute, which some node must have.
        name: String,
        /// Milliseconds, at most a day.
        dampening_ms: u64,
    },
    /// A ticket is granted, revoked or changed otherwise, all at once; or forgotten. It lasts as long as a node runs.
    Ticket {
        /// Its id.
        id: String,
        /// Values to set, or with `None` to remove: `granted`, `standby`, `last-granted`, and others. A grant is dated by itself.
        values: Vec<(String, Option<String>)>,
        /// Nothing of it stays.
        forget: bool,
    },
    /// What was collected counts from now on.
    WriteAttributes {
        /// Of this attribute, or of all.
        name: Option<String>,
    },
    /// Cleanup by people: forget fail counts, and the histories that have failures, so that those resources are probed
    /// again.
    ClearFailures {
        /// Of this resource (with its members, or its instances), or of all.
        resource: Option<String>,
        /// On this node, or on all.
        node: Option<String>,
        /// Of this operation and interval in milliseconds alone.
        operation: Option<(String, u64)>,
    },
    /// Part of a plan: forget a resource's fail counts on a node, and the entry of its last failure. The rest of its
    /// history stays.
    ClearFailCount {
        /// Id under which the node keeps its history.
        resource: String,
        /// Name of the node.
        node: String,
    },
    /// Refresh by people, or clean-up of a removed resource by a plan: forget histories and fail counts.
    ForgetHistory {
        /// Of this resource (with its members, or its instances), or of all.
        resource: Option<String>,
        /// On this node, or on all.
        node: Option<String>,
    },
    /// Who coordinates; `None` while nobody does.
    Dc {
        /// Name of the node.
        node: Option<String>,
    },
    /// Whether this partition may act.
    Quorum(bool),
    /// A node asks to be let go (`true`) or takes that back.
    Shutdown {
        /// Its name.
        node: String,
        /// Whether it wants to go.
        wanted: bool,
    },
    /// All that a leaving node had was stopped or handed over: it may go, and is expected to be down from now on.
    LetGo {
        /// Its name.
        node: String,
    },
    /// A node is known to be powered off (a fence device did it, or a person confirms it): whatever it had is gone.
    Fenced {
        /// Its name.
        node: String,
    },
    /// A step of fencing.
    Fencing(Step),
    /// A notice was sent for these events. Nothing is decided by it.
    Noticed {
        /// Id of the notice.
        notice: String,
        /// Names of the events.
        events: Vec<String>,
    },
    /// A node found out what it could start, in place of what it told before. Nothing is decided by it.
    Readiness(Readiness),
    /// A node has armed its watchdog, or has none any more. Others rely on it when they lose the node.
    Watchdog {
        /// Its name.
        node: String,
        /// The watchdog.
        armed: Option<Watchdog>,
    },
}

/// Whether a node takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePresence {
    /// Its id, decimal.
    pub id: String,
    /// Its name.
    pub name: String,
    /// It is in the membership.
    pub member: bool,
    /// Its resource manager answers.
    pub online: bool,
    /// How far it has joined.
    pub join: Join,
    /// Whether it should be up: `Some(true)` when it has joined, `Some(false)` when it left in good order; `None`
    /// leaves it as it is, for a node that was lost.
    pub expected_up: Option<bool>,
    /// Tells this life of a member from every other one; 0 if it is not known.
    pub life: u64,
}

/// How far a node has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Join {
    /// Not at all.
    Down,
    /// It is being brought up to date.
    Pending,
    /// It takes part.
    Member,
    /// It was turned away.
    Nack,
}

impl Join {
    /// The word of the CIB.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Pending => "pending",
            Self::Member => "member",
            Self::Nack => "banned",
        }
    }
}

/// An operation was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpStarted {
    /// Name of the node that carries it out.
    pub node: String,
    /// Id under which it keeps its history.
    pub resource: String,
    /// The agent.
    pub agent: Agent,
    /// The operation as pending: `op_status` -1, `rc_code` 193, `call_id` -1.
    pub op: OpHistory,
}

/// An operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpResult {
    /// Name of the node that carried it out.
    pub node: String,
    /// Id under which it keeps its history.
    pub resource: String,
    /// The agent.
    pub agent: Agent,
    /// The result. Its `id` is not looked at; under which id or ids it is kept follows from the rest.
    pub op: OpHistory,
    /// What the order said about failures; `ignore` keeps the fail count as it is.
    pub on_fail: Option<OnFail>,
}

/// A recurring operation was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpCancelled {
    /// Name of the node.
    pub node: String,
    /// Id under which it keeps its history.
    pub resource: String,
    /// The operation that no longer recurs.
    pub task: String,
    /// Its interval in milliseconds.
    pub interval_ms: u64,
    /// `ACTION:TRANSITION:EXPECTED_RC:UUID` of the order to cancel.
    pub transition_key: String,
}
