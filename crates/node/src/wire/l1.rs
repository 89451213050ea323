//! Level 1: what the bodies without a part of the model are, byte for byte (bincode, little endian, variable integers).
//!
//! **Frozen.** The order of fields and variants is the format. A later level that needs another form of one of these gets
//! a module of its own with that type, and conversions between the two; nothing here changes. `tests/golden/wire/l1` has
//! the bytes of each.

use std::collections::{BTreeMap, BTreeSet};

use hac_model::Version;
use hac_types::{Incarnation, LevelWindow, Member, NodeId, RingId, WallTime};
use serde::{Deserialize, Serialize};

use crate::cluster::ClusterConfig;

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
    /// The newest quorate active view in which it took part in its present life.
    pub(crate) lived: Option<RingId>,
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
    /// Lowest and highest level that its daemon knows.
    pub(crate) levels: LevelWindow,
    /// What it knows of the cluster as such.
    pub(crate) cluster: ClusterConfig,
    /// Its cluster lets fewer than most of the votes change the configuration.
    pub(crate) few: bool,
    /// What is prepared on its disk and may have been agreed upon before it went down.
    pub(crate) offer: Option<Offer>,
}

/// One change of the configuration, by the name that it has for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// `admin_epoch` after it.
    pub(crate) admin_epoch: u64,
    /// `epoch` after it.
    pub(crate) epoch: u64,
    /// Who proposed it.
    pub(crate) node: NodeId,
    /// In which life.
    pub(crate) incarnation: Incarnation,
    /// Its number there.
    pub(crate) seq: u64,
    /// It was carried out while a membership broke up, and counts nowhere as far as its bearer knows.
    pub(crate) passing: bool,
    /// It counts on a side that had not most of the votes, and no membership since had: others may go on without it.
    pub(crate) apart: bool,
}

impl Mark {
    /// Whether both are the same change. It may have another number on each side: they carry out what was proposed to
    /// both in an order of their own.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.node, self.incarnation, self.seq) == (other.node, other.incarnation, other.seq)
    }
}

/// A prepared configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// Its version.
    pub(crate) version: Version,
    /// Digest of its CIB.
    pub(crate) digest: [u8; 16],
    /// The newest quorate view before it was prepared.
    pub(crate) lineage: Option<RingId>,
    /// The cluster as such in it.
    pub(crate) cluster: ClusterConfig,
}

impl Offer {
    /// Whether both have the same CIB.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.version, self.digest) == (other.version, other.digest)
    }
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

/// What a member was asked, and says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Which question.
    pub(crate) proposal: ProposalId,
    /// The answer, in the words of the daemons.
    pub(crate) text: String,
}
