//! What a node wants done.

use std::sync::Arc;
use std::time::Duration;

use hac_crm::executor::{Invocation, InvocationId, ProcessRef, Started, WatchId};
use hac_model::Cib;
use hac_quorum::ArbiterRequest;
use hac_totem::AuthKey;
use hac_types::{Level, LinkId, NodeId, WallTime};
use serde::{Deserialize, Serialize};

use crate::participant::planning::DecideId;
use crate::wire::ProposalId;
use crate::{Reply, RequestId, Seen, Told};

/// One thing to do. The driver performs outputs in the order in which they are given.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send one datagram. Losing it is allowed.
    Transmit {
        /// From which of our links.
        link: LinkId,
        /// To which node's address on that link.
        to: NodeId,
        /// At most `netmtu` - 48 bytes.
        datagram: Vec<u8>,
    },
    /// Store something and answer with [`Node::handle_persisted`](crate::Node::handle_persisted).
    Persist {
        /// To be given back with the answer.
        id: PersistId,
        /// What.
        what: Persist,
    },
    /// Run an agent; answer with [`Node::handle_outcome`](crate::Node::handle_outcome).
    Invoke(Invocation),
    /// Stop an agent that runs, with all its processes. Its outcome is no longer awaited (and harmless).
    CancelInvocation(InvocationId),
    /// Call [`Node::handle_process_exited`](crate::Node::handle_process_exited) when the process ends, or at once if
    /// it is no longer there.
    Watch(WatchId, ProcessRef),
    /// No longer.
    Unwatch(WatchId),
    /// Keep what a resource runs with, to be given as [`Stored::started`](crate::Stored) at the next start in this life of
    /// the kernel; `None` forgets it. An agent that is to be run after it begins when this is kept.
    Remember(String, Option<Started>),
    /// Decide what is to be done about this state (`hac_scheduler::schedule`) and answer with
    /// [`Node::handle_decided`](crate::Node::handle_decided), beside everything else: nothing waits for it. Only if the
    /// owner of a [`Node`](crate::Node) asked for it; otherwise the node decides itself, at once.
    Decide {
        /// To be given back with the answer. A later one replaces an earlier one.
        id: DecideId,
        /// The state.
        cib: Arc<Cib>,
        /// The time for which is decided.
        wall: WallTime,
        /// The level of the ring.
        level: Level,
        /// How long the answer is waited for.
        budget: Duration,
    },
    /// Answer a request. Each is answered exactly once.
    Reply {
        /// Which.
        id: RequestId,
        /// With what.
        reply: Reply,
    },
    /// Something happened that people may want to know.
    Event(Told),
    /// Something happened that the configuration wants told: run the alerts that are for it, beside everything else.
    Alert(Seen),
    /// Another node asks something of this one: look, beside everything else, and answer with
    /// [`Node::handle_answered`](crate::Node::handle_answered). If no answer comes, whoever asked waits until its time is up.
    Ask(QuestionId, String),
    /// Ask the arbiter's store, beside everything else, and answer with [`Node::handle_arbiter`](crate::Node::handle_arbiter)
    /// within [`hac_quorum::Model::call`]; if no answer comes, it is asked again.
    Arbiter {
        /// To be given back with the answer.
        id: u64,
        /// The name of this cluster for ever, under which its register lies.
        cluster: String,
        /// What to ask.
        request: ArbiterRequest,
    },
    /// The node cannot go on in this cluster as the program that it is, for this reason; it leaves. The daemon ends with a
    /// code that says so.
    Fault(String),
    /// The node learned that it was fenced: it stops everything and leaves. The daemon ends with a code that keeps it from being
    /// started again by itself.
    Fenced {
        /// What it says of that.
        why: String,
        /// The host is to be reset at once (`fencing-reaction=panic`). Where that cannot be done, it goes as it would without.
        panics: bool,
    },
    /// The node has left; nothing follows. The driver ends.
    Stopped,
}

/// Names one question of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QuestionId(pub(crate) ProposalId);

/// Names one [`Output::Persist`] in one life of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersistId(pub u64);

/// What to store.
///
/// Generations of the configuration are written in two steps, so that a change is on the disk of every member before it
/// counts: prepared (durable, but not read at the next start), then committed or discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Persist {
    /// The ring's number. What may not leave before it is durable is kept back by the node.
    RingSeq(u64),
    /// Write this generation so that it is durable, without making it the one that is read at the next start. Later
    /// outputs need not wait.
    CibPrepare {
        /// Its number; numbers grow.
        generation: u64,
        /// Its content, opaque.
        bytes: Vec<u8>,
    },
    /// Make a prepared generation the one that is read at the next start. Older ones may be removed, but a few should
    /// be kept. Later outputs need not wait.
    CibCommit {
        /// Its number.
        generation: u64,
    },
    /// Remove a prepared generation, or one whose preparation failed.
    CibDiscard {
        /// Its number.
        generation: u64,
    },
    /// Keep a state that was given up as a file of this name, which no start reads as the configuration.
    CibLost {
        /// Its name.
        file: String,
        /// Its content, as that of a generation.
        bytes: Vec<u8>,
    },
    /// People have looked at the states that were given up: [`Stored::lost`](crate::Stored) has them no more.
    CibLostSeen,
    /// Keep this beside the key file so that it is durable, to be given as [`Stored::next_key`](crate::Stored) at the
    /// next start. Later outputs need not wait.
    KeyStage {
        /// The next key, sealed under the present one.
        sealed: Vec<u8>,
    },
    /// Replace the key file, all at once and durably, then remove what was kept beside it. Later outputs need not wait.
    KeyCommit {
        /// The key that is used from now on.
        key: AuthKey,
    },
    /// Remove what is kept beside the key file.
    KeyDiscard,
}
