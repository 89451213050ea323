//! What nodes say to each other in the ordered stream, and how the state lies on the disk: the only place that knows of
//! the encodings.
//!
//! ```text
//! message:  frame (bincode): ring │ kind │ level │ bytes
//!           bytes: bincode for what has no part of the model (l1), the named form (hac-wire) for the rest
//! snapshot: the named form
//! stored:   "hacd-state 2\n" │ the named form; of the release before the first: "hacd-cib" │ 1 │ bincode (l0)
//! ```
//!
//! Everything here came through the ring's authentication or from our own disk, and is yet decoded within bounds: a
//! limit on what a body may claim to contain, no trailing bytes, unknown names and kinds refused. The frame itself never
//! changes, so that a node can tell at least for which ring and at which level a body was made that it does not know.

mod l0;
mod l1;
mod stored;

use std::collections::BTreeMap;

use bincode::config::{Configuration, Limit};
use hac_crm::cib::{Command, StatusChange};
use hac_model::fencing::Watchdog;
use hac_model::{Cib, ResourceHistory, Version};
use hac_quorum::Register;
use hac_types::{Incarnation, Level, Member, NodeId, RingId, WallTime};
use hac_wire::Unreadable;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::{ClusterConfig, ClusterNode};

#[cfg(test)]
pub(crate) use self::l1::Votes;
pub(crate) use self::l1::{
    Answer, Close, Hello, KeyStanding, KeyStored, Lane, Mark, Offer, Part, Processed, ProposalId, Vote,
};
pub(crate) use self::stored::{StoredState, decode_stored, encode_stored};

/// Largest message that is sent whole: below the ring's 1 MiB. Larger ones go in [parts](crate::parts).
pub(crate) const MESSAGE_MAX: usize = 1_000_000;

/// Bytes of a larger message in one part: small enough to leave room for others in between.
pub(crate) const PART: usize = 256 * 1024;

/// Largest message that is sent in parts: one with the largest snapshot in it.
pub(crate) const WHOLE_MAX: usize = SNAPSHOT_MAX + 1024;

/// Largest snapshot, bytes. A CIB of 2000 resources on 16 nodes has about 20 MiB of histories.
pub(crate) const SNAPSHOT_MAX: usize = 128 << 20;

/// A message, and the ring for which it was composed: it means nothing in another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The ring.
    pub(crate) ring: RingId,
    /// What is said.
    pub(crate) body: Body,
}

/// What a node says.
///
/// ```text
///  a new view          every member: Hello
///  all Hellos there    the donor: Snapshot or NoSnapshot   (only if somebody needs it)
///  state complete      every member: Ready
///  all Ready there     ACTIVE: Propose, Vote, Order, Change, SettleDone, Progress, KeyStored, Close, Stored,
///                              Answer
///  nothing comes       any member: Impatient               (who is missing is left out)
///  at any time         Part, of any of these
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// What I bring into this view.
    Hello(Hello),
    /// A part of a message that is too large for the ring.
    Part(Part),
    /// I have the state; this is how my own resources stand.
    Ready(Ready),
    /// Let us do this.
    Propose(Proposal),
    /// I have stored (or could not store) the configuration that would follow from a proposal.
    Vote(Vote),
    /// The coordinator orders an operation.
    Order(DatedOrder),
    /// The coordinator changes the status.
    Change(Dated),
    /// The coordinator says that all is done that followed from what came before this proposal.
    SettleDone(ProposalId),
    /// The coordinator says whether it is at work.
    Progress {
        /// It is.
        busy: bool,
    },
    /// I have stored the next key (or could not).
    KeyStored(KeyStored),
    /// The state that is taken over: an encoded [`Snapshot`].
    Snapshot(Vec<u8>),
    /// The state cannot be handed over, for this reason.
    NoSnapshot(String),
    /// I have waited long enough for whoever is still missing in the barrier.
    Impatient,
    /// The coordinator closes the vote on a change that not all have stored.
    Close(Close),
    /// I was behind, and now have the configuration of this version on my disk.
    Stored(Version),
    /// I was asked, and this is my answer.
    Answer(Answer),
}

impl Body {
    /// Whether only the coordinator may say it.
    pub(crate) const fn is_of_coordinator(&self) -> bool {
        matches!(self, Self::Order(_) | Self::Change(_) | Self::SettleDone(_) | Self::Progress { .. } | Self::Close(_))
    }
}

/// A node has the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its judgement about quorum in this view; that of the coordinator counts.
    pub(crate) quorate: bool,
    /// All histories of its own resources, if they differ from what the state says.
    pub(crate) history: Option<Vec<ResourceHistory>>,
    /// Changes of the configuration that this node gave up for the state of this view.
    pub(crate) lost: Option<Lost>,
    /// What it knows of the arbiter's register. Not part of the state that was taken over: the newest counts.
    pub(crate) register: Option<Register>,
    /// It was told to count on the vote of an arbiter.
    pub(crate) arbiter: bool,
    /// The watchdog that it has armed.
    pub(crate) watchdog: Option<Watchdog>,
}

/// Changes of the configuration that were acknowledged on one side of a cut and that the state of the other side, which
/// counts, does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lost {
    /// The file in the state directory of this node that has the whole configuration as it was.
    pub(crate) file: String,
    /// What differs, one object or property each.
    pub(crate) changes: Vec<String>,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    /// Its name.
    pub(crate) id: ProposalId,
    /// Civil time at which it was made.
    pub(crate) wall: WallTime,
    /// What is proposed.
    pub(crate) what: Proposed,
}

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Proposed {
    /// A command for the CIB.
    Command(Command),
    /// That the coordinator says when all is done.
    Settle,
    /// That nobody is waited for any more.
    CancelWaitForAll,
    /// Another key for the cluster.
    RotateKey {
        /// The next key, sealed under the present one.
        sealed: Vec<u8>,
        /// Nodes that are away are left behind.
        force: bool,
    },
    /// Another level for the cluster.
    SetLevel {
        /// Which.
        to: Level,
    },
    /// Another list of nodes.
    SetNodes(NewNodes),
    /// Another register at the arbiter.
    SetRegister(NewRegister),
    /// That a member looks at something and says what it sees. It concerns nobody else.
    Ask {
        /// The member.
        node: NodeId,
        /// What it is asked, in words that the daemons know and this crate does not.
        question: String,
    },
}

/// Another list of nodes for the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewNodes {
    /// The version of the cluster's configuration from which it was made.
    pub(crate) base: u64,
    /// All nodes.
    pub(crate) nodes: Vec<ClusterNode>,
    /// Why the node that is removed cannot be running any more, in the words of whoever says so; empty if it is a member.
    pub(crate) statement: String,
}

/// What was written at the arbiter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewRegister {
    /// The register as it is now.
    pub(crate) register: Register,
    /// The membership that is quorate by it; none if it was written for all nodes.
    pub(crate) claimed: Option<RingId>,
    /// The membership in which it was read of a list that anybody may add to; none if it was written by compare-and-swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) read_in: Option<RingId>,
}

impl Proposed {
    /// The lowest level at which all members understand it.
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::Command(command) => Level(command.level()),
            Self::Settle
            | Self::CancelWaitForAll
            | Self::RotateKey { .. }
            | Self::SetLevel { .. }
            | Self::SetNodes(_)
            | Self::SetRegister(_)
            | Self::Ask { .. } => Level::FIRST,
        }
    }

    /// Whether all members store what follows from it before it counts.
    pub(crate) const fn is_stored(&self) -> bool {
        let stored = matches!(self, Self::SetLevel { .. } | Self::SetNodes(_) | Self::SetRegister(_));
        stored || matches!(self, Self::Command(Command::Configure(_)))
    }
}

/// An order of the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DatedOrder {
    /// When it was given.
    pub(crate) wall: WallTime,
    /// What.
    pub(crate) order: hac_crm::work::Order,
}

/// A change of the status by the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dated {
    /// When it was made.
    pub(crate) wall: WallTime,
    /// What changes.
    pub(crate) change: StatusChange,
}

/// What a snapshot contains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) cib: Cib,
    pub(crate) processed: Vec<Processed>,
    pub(crate) lineage: Option<RingId>,
    pub(crate) dc: Option<Member>,
    pub(crate) lives: BTreeMap<NodeId, Incarnation>,
    pub(crate) trail: Vec<Mark>,
}

/// The same, to be written: a state may be large and is not copied for it.
#[derive(Serialize)]
pub(crate) struct SnapshotRef<'a> {
    pub(crate) cib: &'a Cib,
    pub(crate) processed: &'a [Processed],
    pub(crate) lineage: Option<RingId>,
    pub(crate) dc: Option<Member>,
    pub(crate) lives: &'a BTreeMap<NodeId, Incarnation>,
    pub(crate) trail: &'a [Mark],
}

/// What every message is, at every level for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// The ring for which it was composed.
    pub(crate) ring: RingId,
    /// Which body.
    kind: u8,
    /// The level of its form.
    level: Level,
    /// The body.
    #[serde(with = "content")]
    bytes: Vec<u8>,
}

/// Bytes at once and not one by one: a state may have many.
mod content {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_bytes(Content)
    }

    struct Content;

    impl Visitor<'_> for Content {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }
        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
}

/// The numbers of the bodies. A number is never used again for anything else.
mod kind {
    pub(super) const HELLO: u8 = 1;
    pub(super) const SNAPSHOT: u8 = 2;
    pub(super) const READY: u8 = 3;
    pub(super) const PROPOSE: u8 = 4;
    pub(super) const VOTE: u8 = 5;
    pub(super) const ORDER: u8 = 6;
    pub(super) const CHANGE: u8 = 7;
    pub(super) const SETTLE_DONE: u8 = 8;
    pub(super) const PROGRESS: u8 = 9;
    pub(super) const KEY_STORED: u8 = 10;
    pub(super) const PART: u8 = 11;
    pub(super) const NO_SNAPSHOT: u8 = 12;
    pub(super) const IMPATIENT: u8 = 13;
    pub(super) const CLOSE: u8 = 14;
    pub(super) const STORED: u8 = 15;
    pub(super) const ANSWER: u8 = 16;
}

/// Why bytes were not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Undecodable {
    /// A kind of body that this release does not have.
    #[error("it is of kind {0}, which this release does not know")]
    Kind(u8),
    /// The form of a level that is not that of the ring.
    #[error("it has the form of level {0}, which is not that of this ring")]
    Level(Level),
    /// A name in it is not known.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// Not what it should be.
    #[error("its content is malformed")]
    Malformed,
}

impl Message {
    /// Its frame at `level`.
    fn frame(&self, level: Level) -> Option<Frame> {
        let (kind, bytes) = match &self.body {
            Body::Hello(hello) => (kind::HELLO, plain(hello)),
            Body::Snapshot(bytes) => (kind::SNAPSHOT, Some(bytes.clone())),
            Body::NoSnapshot(why) => (kind::NO_SNAPSHOT, plain(why)),
            Body::Part(part) => (kind::PART, plain(part)),
            Body::Impatient => (kind::IMPATIENT, Some(Vec::new())),
            Body::Close(close) => (kind::CLOSE, plain(close)),
            Body::Stored(version) => (kind::STORED, plain(version)),
            Body::Answer(answer) => (kind::ANSWER, plain(answer)),
            Body::Ready(ready) => (kind::READY, named(ready)),
            Body::Propose(proposal) => (kind::PROPOSE, named(proposal)),
            Body::Vote(vote) => (kind::VOTE, plain(vote)),
            Body::Order(order) => (kind::ORDER, named(order)),
            Body::Change(dated) => (kind::CHANGE, named(dated)),
            Body::SettleDone(id) => (kind::SETTLE_DONE, plain(id)),
            Body::Progress { busy } => (kind::PROGRESS, plain(busy)),
            Body::KeyStored(stored) => (kind::KEY_STORED, plain(stored)),
        };
        Some(Frame { ring: self.ring, kind, level, bytes: bytes? })
    }
}

impl Frame {
    /// Its body, if it has the form of `level`, which is that of the ring.
    ///
    /// # Errors
    /// See [`Undecodable`]. Who cannot read what others can must not go on with them.
    pub(crate) fn body(&self, level: Level) -> Result<Body, Undecodable> {
        if self.level != level {
            return Err(Undecodable::Level(self.level));
        }
        let bytes = self.bytes.as_slice();
        Ok(match self.kind {
            kind::HELLO => Body::Hello(whole(bytes)?),
            kind::SNAPSHOT => Body::Snapshot(bytes.to_vec()),
            kind::NO_SNAPSHOT => Body::NoSnapshot(whole(bytes)?),
            kind::PART => Body::Part(whole(bytes)?),
            kind::IMPATIENT if bytes.is_empty() => Body::Impatient,
            kind::IMPATIENT => return Err(Undecodable::Malformed),
            kind::CLOSE => Body::Close(whole(bytes)?),
            kind::STORED => Body::Stored(whole(bytes)?),
            kind::ANSWER => Body::Answer(whole(bytes)?),
            kind::READY => Body::Ready(hac_wire::from_slice(bytes)?),
            kind::PROPOSE => Body::Propose(hac_wire::from_slice(bytes)?),
            kind::VOTE => Body::Vote(whole(bytes)?),
            kind::ORDER => Body::Order(hac_wire::from_slice(bytes)?),
            kind::CHANGE => Body::Change(hac_wire::from_slice(bytes)?),
            kind::SETTLE_DONE => Body::SettleDone(whole(bytes)?),
            kind::PROGRESS => Body::Progress { busy: whole(bytes)? },
            kind::KEY_STORED => Body::KeyStored(whole(bytes)?),
            kind => return Err(Undecodable::Kind(kind)),
        })
    }
}

/// The message as bytes, in the form of `level`; `None` if it is larger than [`WHOLE_MAX`].
pub(crate) fn encode(message: &Message, level: Level) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    append(&mut bytes, &message.frame(level)?)?;
    (bytes.len() <= WHOLE_MAX).then_some(bytes)
}

/// How many bytes a proposal has on its way.
pub(crate) fn size(what: &Proposed) -> usize {
    named(what).map_or(usize::MAX, |bytes| bytes.len())
}

/// The CIB in a stored state, of this release or an older one; what is known of the present is not in it.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn stored_cib(bytes: &[u8]) -> Result<Cib, String> {
    decode_stored(bytes, hac_types::LevelWindow::KNOWN).map(|state| state.cib).map_err(|why| why.to_string())
}

/// The cluster as such in a stored state.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn stored_cluster(bytes: &[u8]) -> Result<ClusterConfig, String> {
    decode_stored(bytes, hac_types::LevelWindow::KNOWN).map(|state| state.cluster).map_err(|why| why.to_string())
}

/// What the bytes say of themselves.
pub(crate) fn open(bytes: &[u8]) -> Result<Frame, Undecodable> {
    whole(bytes)
}

/// The bytes as a message of `level`.
#[cfg(any(test, fuzzing))]
pub(crate) fn decode(bytes: &[u8], level: Level) -> Result<Message, Undecodable> {
    let frame = open(bytes)?;
    Ok(Message { ring: frame.ring, body: frame.body(level)? })
}

/// A snapshot as bytes; `None` if it is larger than what is taken over.
pub(crate) fn encode_snapshot(snapshot: &SnapshotRef<'_>) -> Option<Vec<u8>> {
    named(snapshot).filter(|bytes| bytes.len() <= SNAPSHOT_MAX)
}

/// The bytes as a snapshot.
pub(crate) fn decode_snapshot(bytes: &[u8]) -> Result<Snapshot, Unreadable> {
    hac_wire::from_slice(bytes)
}

fn plain<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    append(&mut bytes, value)?;
    Some(bytes)
}

fn named<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    hac_wire::to_vec(value).ok()
}

/// An entry of a recording as bytes.
pub(crate) fn encode_record<T: Serialize>(entry: &T) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    append(&mut bytes, entry)?;
    Some(bytes)
}

/// The bytes as an entry of a recording.
pub(crate) fn decode_record<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Undecodable> {
    whole(bytes)
}

/// Variable-length integers; nothing may claim to be larger than the largest message.
const fn coding() -> Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<WHOLE_MAX>> {
    bincode::config::standard().with_limit::<WHOLE_MAX>()
}

fn append<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Option<()> {
    bincode::serde::encode_into_std_write(value, bytes, coding()).ok().map(|_| ())
}

/// Decodes and insists that nothing is left over.
fn whole<T: DeserializeOwned>(body: &[u8]) -> Result<T, Undecodable> {
    match bincode::serde::decode_from_slice(body, coding()) {
        Ok((value, used)) if used == body.len() => Ok(value),
        Ok(_) | Err(_) => Err(Undecodable::Malformed),
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
