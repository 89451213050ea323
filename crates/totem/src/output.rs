//! What the ring asks its driver to do and what it has to say.

use std::fmt;
use std::time::Duration;

use hac_types::{Level, LinkId, Member, NodeId, RingId, View};

use crate::{Guarantee, PeerProblem};

/// One thing to do. The driver performs outputs in the order in which they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Make this number durable before any later output is performed. It is a reservation: the numbers in use are
    /// lower, and the next life continues above it.
    Persist {
        /// Reserved up to and including this.
        ring_seq: u64,
    },
    /// The membership changed; belongs between the deliveries before and after it.
    View(View),
    /// A message, in the total order.
    Delivery(Delivery),
    /// Something an operator may want to read.
    Notice(Notice),
}

/// A message in its place in the total order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The ring in which it was sent.
    pub ring: RingId,
    /// Its position among the messages of that ring: 1 is the first; the same on every member that delivers it in the
    /// regular view.
    pub seq: u64,
    /// Who sent it.
    pub origin: NodeId,
    /// With which promise it was sent.
    pub guarantee: Guarantee,
    /// Delivered in a transitional view: what was promised holds only among the members of that view.
    pub transitional: bool,
    /// What was given to [`crate::Engine::broadcast`].
    pub payload: Vec<u8>,
}

/// Why a node began to look for a new membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GatherReason {
    /// The node has just started.
    Startup,
    /// No token for the token timeout in a ring in service.
    TokenLostOperational,
    /// The commit token did not come back.
    TokenLostCommit,
    /// The token got lost while old messages were exchanged.
    TokenLostRecovery,
    /// Somebody in the proposal answers but did not agree in time.
    ConsensusExpired,
    /// A member fell silent.
    Silence,
    /// A member said LEAVE.
    Leave,
    /// A member was replaced by a later life of the same node.
    Restart,
    /// A larger membership is possible.
    Merge,
    /// A member proposes another membership.
    Join,
    /// This node cannot receive what the others have.
    FailedToReceive,
    /// The layer above goes without a member.
    Excluded,
    /// The active level changed: the next ring is to have it.
    Level,
}

impl GatherReason {
    /// Its word in the names of counters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::TokenLostOperational => "token_lost_operational",
            Self::TokenLostCommit => "token_lost_commit",
            Self::TokenLostRecovery => "token_lost_recovery",
            Self::ConsensusExpired => "consensus_expired",
            Self::Silence => "silence",
            Self::Leave => "leave",
            Self::Restart => "restart",
            Self::Merge => "merge",
            Self::Join => "join",
            Self::FailedToReceive => "failed_to_receive",
            Self::Excluded => "excluded",
            Self::Level => "level",
        }
    }
}

/// Why the layer above goes without a node that takes part in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// It does not say in time what all wait for.
    Silent,
    /// It cannot be given what it needs to take part.
    Unserved,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "it takes part in the ring but does not say in time what all wait for",
            Self::Unserved => "it cannot be given what it needs to take part",
        })
    }
}

impl fmt::Display for GatherReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "this node has started",
            Self::TokenLostOperational => "the token was lost in the operational state",
            Self::TokenLostCommit => "the token was lost in the commit state",
            Self::TokenLostRecovery => "the token was lost in the recovery state",
            Self::ConsensusExpired => "the consensus timeout expired",
            Self::Silence => "a member fell silent",
            Self::Leave => "a member left",
            Self::Restart => "a member restarted",
            Self::Merge => "other nodes can be reached",
            Self::Join => "a member proposes another membership",
            Self::FailedToReceive => "failed to receive",
            Self::Excluded => "the members go on without one of them",
            Self::Level => "the active level changed",
        })
    }
}

/// What a node that holds the key did against the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misbehaviour {
    /// Its bodies cannot be decoded or contradict themselves.
    Malformed,
    /// Its token claims what cannot be.
    Token,
    /// Its packed messages do not add up.
    Packing,
    /// It brings a level into the ring that it said not to know.
    Level,
}

/// A remark for the log. `Display` is one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A new membership is being sought.
    GatherEntered {
        /// Why.
        reason: GatherReason,
    },
    /// The members of a new ring agreed on it and exchange what is missing from the old one.
    RecoveryEntered {
        /// The ring to be.
        ring: RingId,
    },
    /// A peer did not answer within its silence limit, nor to probes.
    Suspected {
        /// Who.
        node: NodeId,
        /// For how long nothing was heard.
        quiet: Duration,
        /// What was tolerated.
        limit: Duration,
    },
    /// A suspected peer answers again in the same life: the suspicion was false or the network was cut.
    Returned {
        /// Who.
        node: NodeId,
        /// Silence tolerated from now on at least.
        silence_min: Duration,
    },
    /// A peer can be talked to: it proved that it holds the key now.
    Connected {
        /// Who, in which life.
        member: Member,
    },
    /// Datagrams from a peer's address are authenticated with another key or another cluster name.
    WrongKey {
        /// Whose address.
        node: NodeId,
    },
    /// Datagrams from a peer's address are authenticated with the key that was in use before the last change.
    FormerKey {
        /// Whose address.
        node: NodeId,
    },
    /// The former key opens nothing any more.
    FormerKeyRetired,
    /// A peer encrypts otherwise than we do.
    CipherDiffers {
        /// Who.
        node: NodeId,
    },
    /// A peer has another list of nodes, other timeouts or other limits of flow control.
    ConfigDiffers {
        /// Who.
        node: NodeId,
    },
    /// A peer cannot be in one ring with this node, or says that this node is there twice.
    Incompatible {
        /// Who.
        node: NodeId,
        /// Why.
        problem: PeerProblem,
    },
    /// Two processes claim the same node id; the one that is connected stays.
    DuplicateNode {
        /// The id.
        node: NodeId,
    },
    /// This process was not scheduled. Others may have gone on without it: do not act on what was true before until
    /// [`Notice::PauseOver`] or a new view.
    PauseDetected {
        /// For how long.
        paused: Duration,
    },
    /// A token of the present ring has come after one that was passed on since the pause: the membership still holds.
    PauseOver,
    /// A link to a peer went silent.
    LinkDown {
        /// Which link.
        link: LinkId,
        /// To whom.
        node: NodeId,
    },
    /// A link carries small datagrams but none of the size that is needed: it counts as down until it does.
    LinkTooNarrow {
        /// Which link.
        link: LinkId,
        /// To whom.
        node: NodeId,
        /// The size, bytes.
        needed: u16,
    },
    /// A link to a peer answers.
    LinkUp {
        /// Which link.
        link: LinkId,
        /// To whom.
        node: NodeId,
    },
    /// The largest datagram that passes to a peer changed.
    PathMtu {
        /// On which link.
        link: LinkId,
        /// To whom.
        node: NodeId,
        /// Largest datagram, bytes.
        datagram_max: u16,
    },
    /// A node with the right key breaks the protocol.
    Misbehaving {
        /// Who.
        node: NodeId,
        /// How.
        what: Misbehaviour,
    },
    /// This node leaves the ring to its fellows because it cannot receive their messages.
    FailedToReceive,
    /// This node goes without a peer that answers, because the layer above wants it so.
    Excluded {
        /// Without whom.
        node: NodeId,
        /// Why.
        why: Exclusion,
        /// For how long, unless it restarts.
        pause: Duration,
    },
    /// Another node goes without a peer or without this node, and those who hear it follow.
    ExcludedBy {
        /// Without whom; may be this node.
        node: NodeId,
        /// Who says so.
        by: NodeId,
    },
    /// A peer that was gone without is counted again.
    Readmitted {
        /// Who.
        node: NodeId,
    },
    /// The ring has a higher level than the one that was active here: it is active here from now on.
    LevelTakenOver {
        /// The level.
        level: Level,
        /// A member that brought it.
        from: NodeId,
    },
    /// Several attempts to agree on a membership failed one after the other.
    NoStableMembership {
        /// How many.
        attempts: u32,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GatherEntered { reason } => write!(f, "entering GATHER state: {reason}"),
            Self::RecoveryEntered { ring } => write!(f, "entering RECOVERY state for ring {ring}"),
            Self::Suspected { node, quiet, limit } => write!(
                f,
                "node {node} is silent: nothing heard for {} ms, tolerated are {} ms",
                quiet.as_millis(),
                limit.as_millis()
            ),
            Self::Returned { node, silence_min } => {
                write!(
                    f,
                    "node {node} answers again; silence of {} ms is tolerated from now on",
                    silence_min.as_millis()
                )
            }
            Self::Connected { member } => write!(f, "connected to node {} (life {})", member.node, member.incarnation),
            Self::WrongKey { node } => {
                write!(f, "datagrams from node {node} are refused: its authkey or cluster_name differs from ours")
            }
            Self::FormerKey { node } => {
                write!(f, "datagrams from node {node} are refused: it still has the authkey from before the rotation")
            }
            Self::FormerKeyRetired => f.write_str("the former authkey is no longer accepted"),
            Self::CipherDiffers { node } => write!(f, "node {node} is refused: its crypto_cipher differs from ours"),
            Self::ConfigDiffers { node } => {
                write!(f, "the nodelist, timeouts or window_size of node {node} differ from ours")
            }
            Self::Incompatible { node, problem } => f.write_str(&problem.sentence(&format!("node {node}"))),
            Self::DuplicateNode { node } => {
                write!(f, "another process claims to be node {node}; the one that is connected stays")
            }
            Self::PauseDetected { paused } => {
                write!(f, "this process was not scheduled for {} ms; the others may have gone on", paused.as_millis())
            }
            Self::PauseOver => f.write_str("the membership still holds after the pause"),
            Self::LinkDown { link, node } => write!(f, "link {link} to node {node} is down"),
            Self::LinkTooNarrow { link, node, needed } => {
                write!(
                    f,
                    "link {link} to node {node} is unusable: it answers, but datagrams of {needed} bytes do not pass"
                )
            }
            Self::LinkUp { link, node } => write!(f, "link {link} to node {node} is up"),
            Self::PathMtu { link, node, datagram_max } => {
                write!(f, "datagrams of up to {datagram_max} bytes pass on link {link} to node {node}")
            }
            Self::Misbehaving { node, what } => {
                let what = match what {
                    Misbehaviour::Malformed => "its messages are malformed",
                    Misbehaviour::Token => "its token is impossible",
                    Misbehaviour::Packing => "its packed messages do not add up",
                    Misbehaviour::Level => "it brings a level that cannot be",
                };
                write!(f, "node {node} holds the key but breaks the protocol: {what}")
            }
            Self::FailedToReceive => {
                f.write_str("FAILED TO RECEIVE: the others have messages that do not reach this node; leaving the ring")
            }
            Self::Excluded { node, why, pause } => {
                write!(f, "going on without node {node} for {} s or until it restarts: {why}", pause.as_secs())
            }
            Self::ExcludedBy { node, by } => write!(f, "node {by} goes on without node {node}"),
            Self::Readmitted { node } => write!(f, "node {node} is counted again"),
            Self::LevelTakenOver { level, from } => write!(f, "level {level} was taken over from node {from}"),
            Self::NoStableMembership { attempts } => {
                write!(f, "no stable membership after {attempts} attempts; check the network between the nodes")
            }
        }
    }
}
