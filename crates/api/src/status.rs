//! What a node knows of its cluster.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Version;

/// Everything `hacctl status` needs, as the answering node sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Version of the daemon.
    pub hacd_version: String,
    /// Name of the answering node.
    pub node: String,
    /// Its id.
    pub node_id: u32,
    /// When this was written, milliseconds since 1970.
    pub now_ms: i64,
    /// When the daemon started, milliseconds since 1970.
    pub started_ms: i64,
    /// Name of the designated coordinator, if there is one.
    pub dc: Option<String>,
    /// Version of the daemon on the coordinator.
    pub dc_version: Option<String>,
    /// How far this node is in taking part.
    pub sync: Sync,
    /// Whether this node has not met most of the votes since it started: its configuration is what its own disk had, with
    /// what was changed here since, and may be older than what the same node told before, and than what others have. Or it
    /// took its configuration over from another node, and that is on too few disks to be found again after a fall of power.
    pub uncompared: bool,
    /// Whether nothing is in progress.
    pub settled: bool,
    /// What is in progress, in words.
    pub waiting_for: Vec<String>,
    /// What a person should know, worst first.
    pub problems: Vec<Problem>,
    /// What keeps a resource from running twice when nodes do not see each other: `power-off (Shooter)`, or `nothing`.
    pub protected_by: String,
    /// Who is a member.
    pub members: Members,
    /// Votes.
    pub quorum: Quorum,
    /// The cluster information base (`hac_model::Cib`), secrets masked; null if the view was asked for.
    pub cib: Value,
    /// How nodes and resources stand: `hac_scheduler::view::ClusterView`, made once for each state by the daemon. Null
    /// unless it was asked for.
    pub view: Value,
    /// What nodes found out about what they could start, as far as they told.
    pub readiness: Vec<Readiness>,
    /// The last change of the configuration.
    pub last_change: LastChange,
    /// Things counted since the start.
    pub counters: Vec<Counter>,
    /// How long the steps of the daemon's threads took since the start.
    pub steps: Vec<Steps>,
    /// The cluster as such: its name for ever, and the level at which its members speak.
    #[serde(default)]
    pub cluster: ClusterInfo,
}

/// What a node found out about what it could start if it had to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Readiness {
    /// Its name.
    pub node: String,
    /// Whether it lacks nothing.
    pub ready: bool,
    /// Of how many resources it found out.
    pub proved: u64,
    /// What it lacks.
    pub lacks: Vec<Lack>,
    /// The agents that it has for them, each with what tells it from others of that name.
    pub agents: Vec<(String, String)>,
}

/// Something without which a node cannot start resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lack {
    /// Ids of the resources; none where the node as such lacks it.
    pub resources: Vec<String>,
    /// `agent`, `validate`, `parameters`, `droplet`, `api` or `disk`.
    pub what: String,
    /// What is the matter, a clause.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
}

/// The last change of the configuration, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastChange {
    /// When, milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// By which user.
    pub user: Option<String>,
    /// With which program.
    pub client: Option<String>,
    /// On which node.
    pub origin: Option<String>,
}

/// The steps of one thread of the daemon that had one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Steps {
    /// `ring` or `cluster`.
    pub thread: String,
    /// `messages`, `timer`, `command`, `result` or `snapshot`.
    pub cause: String,
    /// The longest by the monotonic clock, microseconds: work, and waiting for a processor that others use.
    pub longest_us: u64,
    /// The longest by the thread's own clock (`CLOCK_THREAD_CPUTIME_ID`), microseconds: work alone. It need not be the
    /// same step.
    pub longest_cpu_us: u64,
    /// How many took how long, by the monotonic clock.
    pub classes: Vec<StepClass>,
}

/// One class of a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepClass {
    /// Its upper end, microseconds; none for the last.
    pub up_to_us: Option<u64>,
    /// How many.
    pub count: u64,
}

/// A state of this node that was given up for that of others, which does not have all of its changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conflict {
    /// Its file in the state directory.
    pub file: String,
    /// Names of what is in it and not in the state that counts, or is something else there.
    pub changes: Vec<String>,
    /// Its configuration (`hac_model::Configuration`), secrets masked; nothing if the file cannot be read.
    pub configuration: Option<Value>,
}

/// The cluster as such. The highest version counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterInfo {
    /// Tells this cluster from any other, 32 hexadecimal digits; empty until all nodes have been together once.
    pub uuid: String,
    /// The level at which members speak and store; 0 if it is not known.
    pub level: u16,
    /// Raised by every change of this.
    pub version: u64,
    /// Configured nodes that are no members.
    pub away: Vec<String>,
}

/// How far a node is in taking part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// Looking for others.
    #[default]
    Joining,
    /// In a membership, comparing states.
    Syncing,
    /// Has the cluster's state and takes part.
    Active,
    /// Handing its resources over in order to leave.
    Leaving,
    /// A state of a later version.
    #[serde(other)]
    Unknown,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// One sentence: what is the matter.
    pub sentence: String,
    /// One sentence: what to do about it. May be empty.
    #[serde(default)]
    pub remedy: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing will work until it is put right.
    Error,
    /// Something is missing or less safe than it could be.
    Warning,
    /// Good to know.
    Info,
}

/// The membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Members {
    /// The ring as `REPRESENTATIVE.SEQUENCE` in hexadecimal.
    pub ring: String,
    /// All configured nodes, ascending by id.
    pub nodes: Vec<MembersEntry>,
}

/// A configured node in the membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MembersEntry {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Whether it is this node.
    pub local: bool,
    /// Whether it is a member.
    pub state: MemberState,
    /// Its life, as `BOOT.RANDOM`, if it is known.
    pub incarnation: Option<String>,
    /// Version of its daemon, if it is a member.
    pub version: Option<String>,
    /// Lowest and highest level that its daemon knows, if it is a member.
    pub levels: Option<(u16, u16)>,
    /// How often it joined since this daemon started.
    pub join_count: u32,
    /// Its votes.
    pub votes: u32,
    /// Its addresses, by link.
    pub addresses: Vec<Address>,
    /// How the links to it do (empty for the own node).
    pub links: Vec<Link>,
}

/// Whether a node is a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It is.
    Joined,
    /// It was and left in order.
    Left,
    /// It was and fell silent.
    Lost,
    /// It has not been seen since this daemon started.
    #[default]
    #[serde(other)]
    Unseen,
}

impl MemberState {
    /// The word that `corosync-cmapctl` prints: `joined` or `left`; `unseen` for a node never seen.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Left | Self::Lost => "left",
            Self::Unseen => "unseen",
        }
    }
}

/// An address of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The link.
    pub link: u8,
    /// The address.
    pub ip: String,
}

/// How a link to a node does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// The link.
    pub link: u8,
    /// Whether anything comes through.
    pub connected: bool,
    /// Smoothed round-trip time, microseconds.
    pub rtt_us: Option<u64>,
    /// Its variation, microseconds.
    pub jitter_us: Option<u64>,
    /// Lost probes in the recent past, parts per thousand.
    pub loss_permille: Option<u32>,
    /// How long the peer may be silent before it is suspected, milliseconds.
    pub silence_limit_ms: Option<u64>,
    /// How long ago something was heard, milliseconds.
    pub last_heard_ms: Option<u64>,
    /// Largest datagram known to pass, bytes.
    pub datagram_max: Option<u16>,
}

/// Votes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quorum {
    /// Whether this partition may act.
    pub quorate: bool,
    /// Votes that a complete cluster has.
    pub expected_votes: u32,
    /// Highest number of votes seen or expected.
    pub highest_expected: u32,
    /// Votes of the members.
    pub total_votes: u32,
    /// Votes needed.
    pub quorum: u32,
    /// The flags of `corosync-quorumtool`: `2Node`, `Quorate`, `WaitForAll`, `AutoTieBreaker` …
    pub flags: Vec<String>,
    /// What is waited for, in words.
    pub waiting_for: Option<String>,
    /// All nodes are waited for (`wait_for_all`); the command `cancel_wait_for_all` ends that.
    #[serde(default)]
    pub waits_for_all: bool,
    /// How it stands with the third vote, if one is counted on.
    #[serde(default)]
    pub arbiter: Option<Arbiter>,
}

/// How it stands with the vote of a store outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arbiter {
    /// `unknown`, `ready`, `silent`, `strange` or `unused` while it decides nothing; `asked`, `won` or `lost` while it does.
    pub state: String,
    /// The same in a sentence.
    pub sentence: String,
    /// How often its register was changed, as far as this node knows; 0 if nothing was agreed with it yet.
    pub epoch: u64,
}

/// Something counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Its name, with dots: `totem.rejected.mac`.
    pub name: String,
    /// Its value since the start.
    pub value: u64,
}

/// Answer to `GET /v1/cib`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CibResponse {
    /// Its version.
    pub version: Version,
    /// The cluster information base (`hac_model::Cib`).
    pub cib: Value,
    /// Whether secrets are in clear.
    pub secrets: bool,
    /// As [`Status::uncompared`].
    #[serde(default)]
    pub uncompared: bool,
}
