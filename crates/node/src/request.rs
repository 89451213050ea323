//! What clients ask of a node and what they get.

use std::time::Duration;

use hac_crm::cib::{Configure, Refusal, StatusChange};
use hac_model::Version;
use hac_totem::AuthKey;
use hac_types::{Level, NodeId};
use serde::{Deserialize, Serialize};

use crate::ClusterNode;

/// Names one request in one life of the node; chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Change the configuration.
    Configure(Configure),
    /// Change what is known: [`StatusChange::ClearFailures`], [`StatusChange::ForgetHistory`] or
    /// [`StatusChange::SetAttribute`] and its relatives; everything else is refused, because it belongs to the nodes themselves.
    Status(StatusChange),
    /// Answer when the cluster has done all that it decided to do about everything that was asked before.
    Settle {
        /// Answer all the same after this long.
        timeout: Duration,
    },
    /// The operator declares that the nodes that are waited for are down, and that this partition may act without
    /// having seen them.
    CancelWaitForAll,
    /// Change the level at which the members speak and store.
    SetLevel {
        /// The next one, or a lower one.
        to: Level,
    },
    /// Change the list of nodes by one: add a learner, or remove a node.
    SetNodes {
        /// The version of the cluster's configuration from which the list was made.
        base: u64,
        /// All nodes.
        nodes: Vec<ClusterNode>,
        /// Why the node that is removed cannot be running any more; empty if it is a member.
        statement: String,
    },
    /// Ask a member something that only it can see, in words that the daemons know.
    Ask {
        /// The member.
        node: NodeId,
        /// What it is asked.
        question: String,
        /// How long its answer is waited for.
        timeout: Duration,
    },
    /// What the arbiter's store has is to be believed from now on, whatever it is, while all nodes are members.
    TrustArbiter,
    /// People have looked at the states that were given up: they are not told of any more. Concerns this node alone.
    ForgetLost,
    /// Change the cluster's key, or finish a change that was begun. Keys are never written with other things: it cannot
    /// be serialized.
    #[serde(skip)]
    RotateKey(Rotate),
}

/// A change of the cluster's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// The next key, unless a change was begun with another one already.
    pub next: AuthKey,
    /// From the operating system's random source, never used twice.
    pub salt: [u8; 16],
    /// Leave nodes that are away with the present key.
    pub force: bool,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The cluster agreed and did it; a change of the configuration is stored on every member that no warning names.
    Done {
        /// Version of the CIB after it.
        version: Version,
        /// What people should know although it was done: sentences.
        warnings: Vec<String>,
    },
    /// To [`Request::Settle`].
    Settled {
        /// Nothing is in progress.
        settled: bool,
        /// What still is, in words.
        waiting_for: Vec<String>,
    },
    /// To [`Request::Ask`]: what the member says.
    Answered(String),
    /// The cluster agreed that this cannot be done; nothing was changed.
    Refused(Refusal),
    /// It is above a limit, which is named; nobody was asked.
    TooLarge(Refusal),
    /// Too few members could store the change; nothing was changed.
    NotStored(Refusal),
    /// This partition is not quorate; nothing was changed.
    NoQuorum(Refusal),
    /// The node is leaving or overloaded; nothing was changed.
    Unavailable(Refusal),
    /// The cluster did not agree in time. The change may still be made; look before asking again.
    TimedOut(Refusal),
}
