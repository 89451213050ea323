//! What nodes say to each other in the ordered stream, and how the configuration lies on the disk: the only place that
//! knows of the encoding (bincode).
//!
//! ```text
//! message:  version u8 │ body (bincode, little endian, variable integers)
//! stored:   "hacd-cib" │ version u8 │ body
//! ```
//!
//! Everything here came through the ring's authentication or from our own disk, and is yet decoded within bounds: a
//! limit on what a body may claim to contain, no trailing bytes, unknown versions and kinds refused. What is refused is
//! a counter ([`Undecodable`]), never a panic.

use std::collections::{BTreeMap, BTreeSet};

use bincode::config::{Configuration, Limit};
use hac_crm::cib::{Command, StatusChange};
use hac_crm::executor::RunOp;
use hac_crm::model::{Cib, ResourceHistory, Version};
use hac_types::{Incarnation, Member, NodeId, RingId, WallTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// First byte of every message; raised when an old node could misunderstand a new one.
pub(crate) const VERSION: u8 = 1;

/// Largest message that is sent whole: below the ring's 1 MiB. Larger ones go in [parts](crate::parts).
pub(crate) const MESSAGE_MAX: usize = 1_000_000;

/// Bytes of a larger message in one part: small enough to leave room for others in between.
pub(crate) const PART: usize = 256 * 1024;

/// Largest message that is sent in parts: one with the largest snapshot in it.
pub(crate) const WHOLE_MAX: usize = SNAPSHOT_MAX + 1024;

/// Largest snapshot, bytes. A CIB of 2000 resources on 16 nodes has about 20 MiB of histories.
pub(crate) const SNAPSHOT_MAX: usize = 128 << 20;

/// What stands at the beginning of a stored configuration.
const STORED_MAGIC: &[u8; 8] = b"hacd-cib";

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
///  all Ready there     ACTIVE: Propose, Vote, Order, Change, SettleDone, Progress, KeyStored, Close, Stored
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
    Order(Order),
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
}

/// What a node brings into a view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Version of its CIB.
    pub(crate) version: Version,
    /// Digest of its CIB.
    pub(crate) digest: [u8; 16],
    /// Up to where it has processed the proposals of each node.
    pub(crate) processed: Vec<Processed>,
    /// The newest quorate active view whose state this is; survives restarts.
    pub(crate) lineage: Option<RingId>,
    /// The lives of the nodes to which its state belongs.
    pub(crate) lives: BTreeMap<NodeId, Incarnation>,
    /// The first active view of those in which it took part without interruption; the default if none.
    pub(crate) since: RingId,
    /// The coordinator it knew.
    pub(crate) dc: Option<Member>,
    /// Nodes that left its previous view in good order.
    pub(crate) left_clean: BTreeSet<NodeId>,
    /// What it says to quorum.
    pub(crate) votes: Votes,
    /// Its civil time.
    pub(crate) wall: WallTime,
    /// Its name.
    pub(crate) name: String,
    /// Version of its daemon, for people.
    pub(crate) software: String,
    /// Its keys.
    pub(crate) keys: KeyStanding,
    /// Why its disk does not have its state.
    pub(crate) undurable: Option<String>,
}

/// Which keys a node has on its disk, by their fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyStanding {
    /// The one it uses.
    pub(crate) own: [u8; 8],
    /// The one it would change to.
    pub(crate) next: Option<[u8; 8]>,
}

/// What became of storing the next key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyStored {
    /// Its fingerprint.
    pub(crate) next: [u8; 8],
    /// Why it could not be stored.
    pub(crate) error: Option<String>,
}

/// [`hac_quorum::NodeInfo`] on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Votes {
    pub(crate) votes: u32,
    pub(crate) expected_votes: u32,
    pub(crate) quorate: bool,
    pub(crate) waiting: bool,
    pub(crate) last_quorate: Option<(RingId, BTreeSet<NodeId>, NodeId, NodeId)>,
}

impl From<hac_quorum::NodeInfo> for Votes {
    fn from(info: hac_quorum::NodeInfo) -> Self {
        let last_quorate = info.last_quorate.map(|q| (q.ring, q.members, q.lowest, q.highest));
        Self {
            votes: info.votes,
            expected_votes: info.expected_votes,
            quorate: info.quorate,
            waiting: info.waiting,
            last_quorate,
        }
    }
}

impl From<Votes> for hac_quorum::NodeInfo {
    fn from(votes: Votes) -> Self {
        let last_quorate = votes.last_quorate.map(|(ring, members, lowest, highest)| hac_quorum::LastQuorate {
            ring,
            members,
            lowest,
            highest,
        });
        Self {
            votes: votes.votes,
            expected_votes: votes.expected_votes,
            quorate: votes.quorate,
            waiting: votes.waiting,
            last_quorate,
        }
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its place, from 0.
    pub(crate) index: u32,
    /// It is the last one.
    pub(crate) last: bool,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A node has the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its judgement about quorum in this view; that of the coordinator counts.
    pub(crate) quorate: bool,
    /// All histories of its own resources, if they differ from what the state says.
    pub(crate) history: Option<Vec<ResourceHistory>>,
}

/// Names a proposal for ever. Each node counts separately what is carried out at once and what needs votes, because
/// the two overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ProposalId {
    /// Who proposes.
    pub(crate) node: NodeId,
    /// In which of its lives.
    pub(crate) incarnation: Incarnation,
    /// Which of its sequences.
    pub(crate) lane: Lane,
    /// Counts from 1.
    pub(crate) seq: u64,
}

/// A sequence of proposals that do not overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lane {
    /// Carried out when delivered.
    Status,
    /// Stored by all members first.
    Configure,
    /// Changes nothing; may be delivered twice.
    Ask,
}

/// Up to where the proposals of a node were processed: all of its `lane` up to `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Processed {
    pub(crate) node: NodeId,
    pub(crate) lane: Lane,
    pub(crate) incarnation: Incarnation,
    pub(crate) seq: u64,
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
}

/// A vote on a stored configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vote {
    /// On this proposal.
    pub(crate) proposal: ProposalId,
    /// Why it could not be stored.
    pub(crate) error: Option<String>,
}

/// The end of a vote that did not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Close {
    /// On this proposal.
    pub(crate) proposal: ProposalId,
    /// Enough have stored it: it counts, and the others are behind. If not, it comes to nothing.
    pub(crate) counts: bool,
}

/// An order of the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// When it was given.
    pub(crate) wall: WallTime,
    /// What.
    pub(crate) run: RunOp,
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
}

/// What is on the disk: a CIB whose status is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    pub(crate) cib: Cib,
    pub(crate) lineage: Option<RingId>,
}

/// Why bytes were not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub(crate) enum Undecodable {
    /// A version unknown here.
    #[error("it has a version that this program does not know")]
    Version,
    /// Not what it should be.
    #[error("its content is malformed")]
    Malformed,
}

/// The message as bytes; `None` if it is larger than [`WHOLE_MAX`].
pub(crate) fn encode(message: &Message) -> Option<Vec<u8>> {
    let mut bytes = vec![VERSION];
    append(&mut bytes, message)?;
    (bytes.len() <= WHOLE_MAX).then_some(bytes)
}

/// How many bytes a proposal has on its way.
pub(crate) fn size(what: &Proposed) -> usize {
    bincode::serde::encode_into_std_write(what, &mut std::io::sink(), coding()).unwrap_or(usize::MAX)
}

/// The bytes as a message.
pub(crate) fn decode(bytes: &[u8]) -> Result<Message, Undecodable> {
    match bytes.split_first() {
        Some((&VERSION, body)) => whole(body),
        Some(_) => Err(Undecodable::Version),
        None => Err(Undecodable::Malformed),
    }
}

/// A snapshot as bytes.
pub(crate) fn encode_snapshot(snapshot: &Snapshot) -> Option<Vec<u8>> {
    let mut bytes = vec![VERSION];
    append(&mut bytes, snapshot)?;
    (bytes.len() <= SNAPSHOT_MAX).then_some(bytes)
}

/// The bytes as a snapshot.
pub(crate) fn decode_snapshot(bytes: &[u8]) -> Result<Snapshot, Undecodable> {
    match bytes.split_first() {
        Some((&VERSION, body)) => whole(body),
        Some(_) => Err(Undecodable::Version),
        None => Err(Undecodable::Malformed),
    }
}

/// A configuration as it lies on the disk.
pub(crate) fn encode_stored(state: &StoredState) -> Option<Vec<u8>> {
    let mut bytes = STORED_MAGIC.to_vec();
    bytes.push(VERSION);
    append(&mut bytes, state)?;
    (bytes.len() <= SNAPSHOT_MAX).then_some(bytes)
}

/// What lies on the disk as a configuration.
pub(crate) fn decode_stored(bytes: &[u8]) -> Result<StoredState, Undecodable> {
    let body = bytes.strip_prefix(STORED_MAGIC).ok_or(Undecodable::Malformed)?;
    match body.split_first() {
        Some((&VERSION, body)) => whole(body),
        Some(_) => Err(Undecodable::Version),
        None => Err(Undecodable::Malformed),
    }
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
mod tests;
