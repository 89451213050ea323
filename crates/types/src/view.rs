//! Memberships.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Incarnation, Level, Member, NodeId};

/// Names one ring for ever: no two different memberships share one. Ordered by sequence, then representative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingId {
    /// Grows with every membership; persisted, so that it grows across restarts too.
    pub seq: u64,
    /// Lowest node id of the membership, which created it. Zero only in the default value, "no ring".
    pub rep: u32,
    /// In which of its lives the representative created it.
    pub rep_incarnation: Incarnation,
}

impl fmt::Display for RingId {
    /// As corosync prints it: representative in hex, dot, sequence in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}", self.rep, self.seq)
    }
}

/// Whether a membership is the agreed new one or the remainder of the old one in which its last messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ViewKind {
    /// Those who move together from the old ring to the next. Messages delivered here are "maybe": record, propose
    /// again, never act.
    Transitional,
    /// An installed membership.
    Regular,
}

/// Why a node is no longer a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Departure {
    /// It said LEAVE after handing its resources over.
    LeftClean,
    /// It said LEAVE while resources may still run there.
    LeftUnclean,
    /// It fell silent, or another life of it appeared.
    Lost,
}

/// A node that was in the previous regular view and is not in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Left {
    /// Who, and in which life.
    pub member: Member,
    /// How.
    pub departure: Departure,
}

/// A membership as delivered in the ordered stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The ring. A transitional view carries the id of the *old* ring.
    pub ring: RingId,
    /// Transitional or regular.
    pub kind: ViewKind,
    /// The level of the ring: of every message that was sent in it and of every rule that is applied in it.
    pub level: Level,
    /// Ascending by node id; this node is always among them.
    pub members: Vec<Member>,
    /// Members that come along from this node's previous regular view, ascending. In the first regular view of a life
    /// only this node.
    pub continuing: Vec<NodeId>,
    /// Those who were in the previous regular view and are not now, ascending.
    pub left: Vec<Left>,
}

impl View {
    /// Whether `node` is a member.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        self.members.iter().any(|m| m.node == node)
    }
}
