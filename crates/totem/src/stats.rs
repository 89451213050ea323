//! Counters and what can be shown to an operator.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_types::{LinkId, Member, NodeId, RingId, Timestamp};
use thiserror::Error;

use crate::{GatherReason, PeerProblem, Told};

/// Why a datagram was dropped. A counter, not a failure: nothing of the protocol state has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Rejected {
    /// Shorter than an envelope, or its length field disagrees with its size.
    #[error("the size is wrong")]
    Size,
    /// Not ours at all (corosync's, for example), or a version unknown here.
    #[error("not a datagram of hacd")]
    Magic,
    /// Another cluster name or another key.
    #[error("of another cluster or with another authkey")]
    ForeignCluster,
    /// Encrypted otherwise than configured here.
    #[error("the cipher differs")]
    Suite,
    /// Meant for another node.
    #[error("meant for another node")]
    Destination,
    /// The sender named is not the node that owns the source address, or is not configured, or is this node.
    #[error("the sender is not who its address says")]
    Source,
    /// The link named is not the one on which it came.
    #[error("meant for another link")]
    Link,
    /// No session with the sender yet (or not this one): recorded earlier, or we or it restarted.
    #[error("no such session")]
    NoSession,
    /// Seen before or too old.
    #[error("replayed or too old")]
    Replay,
    /// The authentication code is wrong.
    #[error("the authentication code is wrong")]
    Mac,
    /// The code is right but the body cannot be decrypted.
    #[error("the body cannot be decrypted")]
    Decrypt,
    /// Authentic but not a message, or one that contradicts itself.
    #[error("the body is malformed")]
    Malformed,
    /// Hello frames come faster than they are answered.
    #[error("too many hellos")]
    RateLimit,
    /// A hello of an earlier life, or of a second process with the same node id.
    #[error("the life of the sender is refused")]
    Incarnation,
    /// A proved peer whose program or cluster cannot be in one ring with this node.
    #[error("its program or cluster does not fit")]
    Incompatible,
    /// Arrived while this process was paused.
    #[error("received during a pause")]
    Paused,
    /// This node has left.
    #[error("this node has left")]
    HasLeft,
}

impl Rejected {
    /// Its word in the names of counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Magic => "magic",
            Self::ForeignCluster => "foreign_cluster",
            Self::Suite => "suite",
            Self::Destination => "destination",
            Self::Source => "source",
            Self::Link => "link",
            Self::NoSession => "no_session",
            Self::Replay => "replay",
            Self::Mac => "mac",
            Self::Decrypt => "decrypt",
            Self::Malformed => "malformed",
            Self::RateLimit => "rate_limit",
            Self::Incarnation => "incarnation",
            Self::Incompatible => "incompatible",
            Self::Paused => "paused",
            Self::HasLeft => "has_left",
        }
    }
}

/// Counters since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams dropped, by reason.
    pub rejected: BTreeMap<Rejected, u64>,
    /// Searches for a new membership, by reason.
    pub gathers: BTreeMap<GatherReason, u64>,
    /// Datagrams given out to be sent.
    pub datagrams_sent: u64,
    /// Datagrams taken.
    pub datagrams_received: u64,
    /// Bytes given out to be sent, envelopes included.
    pub bytes_sent: u64,
    /// Bytes taken.
    pub bytes_received: u64,
    /// Visits of the token.
    pub tokens: u64,
    /// Tokens sent again because no successor was seen.
    pub token_retransmits: u64,
    /// Packets of messages sent for the first time.
    pub packets_sent: u64,
    /// Packets sent again because somebody missed them.
    pub retransmissions: u64,
    /// Packets this node asked for.
    pub retransmit_requests: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Regular views installed.
    pub views: u64,
    /// Suspicions of peers.
    pub suspicions: u64,
    /// Suspicions that were false: the same life answered again within 10 s.
    pub false_suspicions: u64,
    /// Pauses of this process.
    pub pauses: u64,
    /// Messages waiting to be sent.
    pub queued: u64,
    /// The ring in service, if any.
    pub ring: Option<RingId>,
}

/// A link to a peer as `hacctl members -v` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkStatus {
    /// The peer.
    pub node: NodeId,
    /// The link.
    pub link: LinkId,
    /// The life of the peer that is connected.
    pub member: Option<Member>,
    /// Whether the link answers.
    pub connected: bool,
    /// Whether the peer answers on any link.
    pub peer_alive: bool,
    /// Smoothed round trip.
    pub rtt: Option<Duration>,
    /// Mean deviation of the round trip.
    pub jitter: Option<Duration>,
    /// Share of pings without answer, 0 to 1.
    pub loss: f64,
    /// Silence of the peer tolerated at present.
    pub silence_limit: Duration,
    /// When anything authentic was heard from it on this link.
    pub last_heard: Option<Timestamp>,
    /// Largest datagram known to pass, bytes.
    pub datagram_max: u16,
    /// What the peer has proved to be, if it has.
    pub told: Option<Told>,
    /// Why there is no connection, if the peer gave a reason.
    pub problem: Option<PeerProblem>,
}
