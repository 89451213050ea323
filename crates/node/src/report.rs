//! What a node knows of itself and its cluster, for people.

mod configuration;
pub(crate) mod fencing;
pub(crate) mod readiness;

use hac_model::Version;
use hac_types::{Incarnation, Level, LevelWindow, Member, NodeId, RingId, Timestamp, WallTime};
use serde::{Deserialize, Serialize};

use crate::ClusterConfig;

/// How things stand as this node sees them. The CIB is beside it ([`Node::cib`](crate::Node::cib)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Name of this node.
    pub name: String,
    /// Its id.
    pub node: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
    /// Version of its daemon.
    pub version: String,
    /// When this was written.
    pub now: WallTime,
    /// When the node started.
    pub started: WallTime,
    /// The ring in service.
    pub ring: Option<RingId>,
    /// How far it is in taking part.
    pub sync: SyncState,
    /// Whether its state was compared with that of most of the votes since it started (until then it is what its disk had),
    /// and what it took over is on enough disks.
    pub compared: bool,
    /// All configured nodes, ascending by id.
    pub members: Vec<MemberReport>,
    /// Votes.
    pub quorum: QuorumReport,
    /// Name of the designated coordinator.
    pub dc: Option<String>,
    /// Version of the coordinator's daemon.
    pub dc_version: Option<String>,
    /// Nothing is in progress, as far as this node knows.
    pub settled: bool,
    /// What is in progress or waited for, in words.
    pub waiting_for: Vec<String>,
    /// What a person should know, worst first.
    pub problems: Vec<Problem>,
    /// The cluster's keys, by their fingerprints.
    pub keys: KeyReport,
    /// Version of the CIB.
    pub cib_version: Version,
    /// The cluster as such: its name for ever, and its level.
    pub cluster: ClusterConfig,
    /// Lowest and highest level that this daemon knows.
    pub levels: LevelWindow,
    /// States of this node that were given up: file, and names of what was in them.
    pub lost: Vec<(String, Vec<String>)>,
    /// Names of the configured nodes that are no members.
    pub away: Vec<String>,
    /// Things counted since the start, by name.
    pub counters: Vec<Counter>,
}

/// Which keys are in use; a fingerprint names a key and tells nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// The key that this node uses.
    pub fingerprint: String,
    /// The key to which the cluster is changing.
    pub next: Option<String>,
    /// Names of the nodes that have not stored it.
    pub waiting_for: Vec<String>,
    /// All configured nodes, ascending by id.
    pub members: Vec<KeyMember>,
}

/// The keys of one node, if it is a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyMember {
    /// Its id.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// The key it uses.
    pub fingerprint: Option<String>,
    /// The next key, if it has stored one.
    pub next: Option<String>,
}

/// The few facts of a [`Report`] that programs ask for often; cheap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How far the node is in taking part.
    pub sync: SyncState,
    /// Whether its state was compared with that of most of the votes since it started, and is on enough disks.
    pub compared: bool,
    /// The ring in service.
    pub ring: Option<RingId>,
    /// The designated coordinator, while the node is active.
    pub dc: Option<Member>,
    /// The node's partition may act.
    pub quorate: bool,
    /// Nothing is in progress, as far as the node knows.
    pub settled: bool,
    /// The level of what it says.
    pub level: Level,
    /// Since when a change of the configuration has been voted on, if one is.
    pub voting: Option<Timestamp>,
}

impl Standing {
    /// Whether the node has the cluster's state and takes part, if only to leave.
    #[must_use]
    pub const fn takes_part(&self) -> bool {
        matches!(self.sync, SyncState::Active | SyncState::Leaving)
    }
}

/// How far a node is in taking part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncState {
    /// Looking for others, or between two memberships.
    Joining,
    /// In a membership, comparing states.
    Syncing,
    /// Has the cluster's state and takes part.
    Active,
    /// Handing its resources over in order to leave.
    Leaving,
    /// Has left.
    Stopped,
}

/// A configured node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Its id.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// It is this node.
    pub local: bool,
    /// Whether it is a member.
    pub state: MemberState,
    /// The life in which it is or was one.
    pub incarnation: Option<Incarnation>,
    /// How often it joined since this node started.
    pub joins: u32,
    /// Its votes.
    pub votes: u32,
    /// The levels that its daemon knows, if it is a member.
    pub levels: Option<LevelWindow>,
    /// Version of its daemon, if it is a member.
    pub version: Option<String>,
    /// How the links to it do; empty for this node.
    pub links: Vec<LinkReport>,
}

/// Whether a node is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberState {
    /// It is.
    Joined,
    /// It was and left in good order.
    Left,
    /// It was and fell silent, or died.
    Lost,
    /// It has not been one since this node started.
    Unseen,
}

/// A link to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkReport {
    /// Which.
    pub link: u8,
    /// It answers.
    pub connected: bool,
    /// Smoothed round trip, microseconds.
    pub rtt_us: Option<u64>,
    /// Its mean deviation, microseconds.
    pub jitter_us: Option<u64>,
    /// Share of lost probes, thousandths.
    pub loss_permille: u32,
    /// Silence tolerated, milliseconds.
    pub silence_limit_ms: u64,
    /// How long ago something was heard, milliseconds.
    pub last_heard_ms: Option<u64>,
    /// Largest datagram known to pass, bytes.
    pub datagram_max: u16,
}

/// Votes and quorum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumReport {
    /// This partition may act. Only true while the node is [`SyncState::Active`] (or leaving).
    pub quorate: bool,
    /// Votes that a complete cluster has as configured.
    pub expected_votes: u32,
    /// The same as believed now: more nodes may have been seen.
    pub highest_expected: u32,
    /// Votes of the members.
    pub total_votes: u32,
    /// Votes needed.
    pub quorum: u32,
    /// The flags of `corosync-quorumtool`: `2Node`, `Quorate`, `WaitForAll` …
    pub flags: Vec<String>,
    /// What is waited for, in words; none when quorate.
    pub waiting_for: Option<String>,
    /// All nodes are waited for (`wait_for_all`); an operator can end that.
    pub waits_for_all: bool,
    /// How it stands with the third vote, if one is counted on.
    pub arbiter: Option<ArbiterReport>,
}

/// How it stands with the vote of a store outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArbiterReport {
    /// `unknown`, `ready`, `silent` or `strange` while it decides nothing; `asked`, `won` or `lost` while it does.
    pub state: String,
    /// The same in a sentence.
    pub sentence: String,
    /// How often the register was changed, as far as this node knows; 0 if nothing was agreed with it yet.
    pub epoch: u64,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// One sentence: what is the matter.
    pub sentence: String,
    /// One sentence: what to do about it; may be empty.
    pub remedy: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Nothing will work until it is put right.
    Error,
    /// Something is missing or less safe than it could be.
    Warning,
    /// Good to know.
    Info,
}

/// Something counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Its name, with dots: `totem.rejected.mac`.
    pub name: String,
    /// Its value since the start.
    pub value: u64,
}
