//! A node in two halves, so that nothing above the ring can hold it up: the [`RingHalf`] (membership and messages) and
//! the [`ClusterHalf`] (all that is decided with them). They share nothing and are joined by two queues of values,
//! [`Up`] and [`Down`]. The daemon runs them on two threads; [`Node`](crate::Node) joins them in one.
//!
//! ```text
//!   datagrams ─► ring half ── Up: views, deliveries, notices, beats ──► cluster half ─► outputs
//!   datagrams ◄─           ◄── Down: broadcasts, key orders, leave ───               ◄─ requests, agents' ends
//!                     └─ Assurance: until when the membership is known to hold ─┘
//! ```
//!
//! What holds between them:
//! * **Order.** Either queue is taken in order. A message names the ring for which it is meant, and counts in no other,
//!   so that one that was on its way down when the membership changed means nothing.
//! * **Bounds.** At most [`cluster::IN_FLIGHT`] broadcasts are on their way down without having been taken. What is on its
//!   way up is counted by the ring half until the cluster half has acknowledged it ([`Down::Seen`]).
//! * **A cluster half that stands still.** The ring half always has something unacknowledged on its way, if only a beat.
//!   If that grows older than `token`, or than [`ring::BACKLOG_MAX`] bytes, the ring half falls silent
//!   ([`RingOutput::Withdrawn`]), as if the whole process had been stopped, and the others go on without this node. When
//!   the cluster half has caught up, the ring notices that it was not scheduled, doubts itself, and joins again in order.
//! * **Doubt.** The ring half publishes, beside the queues, an [`Assurance`]: how many times the membership changed or
//!   came into doubt, and until when it would notice no pause. An outside effect follows only while the cluster half has
//!   handled all those changes and the time is not past; otherwise it holds its executor until the ring has confirmed
//!   ([`Down::Confirm`], [`Up::Confirmed`]). So a change that is in the queue and has not been seen stops effects at
//!   once, and a process that goes on after a pause does nothing before its ring has looked at the clock.

pub(crate) mod cluster;
pub(crate) mod ring;

use std::time::Duration;

use hac_totem::{AuthKey, Delivery, Exclusion, LeaveReason, LinkStatus, Notice, Stats};
use hac_types::{Level, LinkId, NodeId, Timestamp, View};
use serde::{Deserialize, Serialize};

use crate::ClusterNode;

pub use self::cluster::{ClusterHalf, Effect};
pub use self::ring::{RingHalf, RingOutput};

/// What the ring half has for the cluster half, in order.
#[derive(Clone, Debug)]
pub enum Up {
    /// The membership changed.
    View(View),
    /// A message, in the total order.
    Delivery(Delivery),
    /// Something happened in the ring.
    Notice(Notice),
    /// So many broadcasts were taken by the ring, or dropped because their membership is over: as many more may come.
    Room(usize),
    /// The answer to [`Down::Confirm`]: the ring has looked at the clock since.
    Confirmed,
    /// The ring's number could not be made durable, and why; or it could, after it could not.
    RingNumber(Result<(), String>),
    /// The ring refused an order, and why.
    Refused(String),
    /// Nothing but a sign of life, to be acknowledged as all others.
    Beat,
    /// How the ring does, for reports.
    Condition(Box<Condition>),
    /// The cluster half stood still for so long that the ring fell silent; it takes part again from here on.
    Returned(Duration),
    /// The ring was left, as ordered. Nothing follows.
    Left,
}

impl Up {
    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let content = match self {
            Self::Delivery(delivery) => delivery.payload.len(),
            Self::Condition(condition) => condition.links.len() * size_of::<LinkStatus>(),
            _ => 0,
        };
        size_of::<Self>() + content
    }
}

/// What the cluster half orders of the ring half, in order.
#[derive(Clone, Debug)]
pub enum Down {
    /// Send this to all members, by safe delivery.
    Broadcast(Vec<u8>),
    /// Talk to peers with this key as well.
    AcceptKey(AuthKey),
    /// Send with the accepted key from now on.
    UseKey,
    /// Go on without these nodes in the next ring, and seek it now.
    Exclude(Vec<NodeId>, Exclusion),
    /// Take these nodes again.
    Readmit(Vec<NodeId>),
    /// The level of the ring; [`Up::Refused`] follows if it does not know it.
    SetLevel(Level),
    /// Which cluster this is, and the version of its configuration, for greetings.
    SetCluster {
        /// Its name for ever.
        uuid: [u8; 16],
        /// The version.
        version: u64,
    },
    /// The nodes are these from now on.
    SetNodes(Vec<ClusterNode>),
    /// Look at the clock and answer with [`Up::Confirmed`].
    Confirm,
    /// So many events in all have been handled.
    Seen(u64),
    /// Answer with [`Up::Condition`].
    Look,
    /// Leave the ring.
    Leave(LeaveReason),
}

/// Until when a membership is known to hold; published by the ring half beside the queue, so that it is never late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// How often the membership changed or came into doubt.
    pub changes: u64,
    /// The ring, if it looked at the clock not later than this, would find that it was not kept from running.
    pub until: Timestamp,
    /// The ring is in service, and this half takes part in it.
    pub serves: bool,
}

/// How the ring does.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// Counters since the start.
    pub stats: Stats,
    /// Every link to every other node.
    pub links: Vec<LinkStatus>,
}

/// A datagram on its way out. Losing it is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// From which of our links.
    pub link: LinkId,
    /// To which node's address on that link.
    pub to: NodeId,
    /// At most `netmtu` - 48 bytes.
    pub datagram: Vec<u8>,
}

#[cfg(test)]
mod tests;
