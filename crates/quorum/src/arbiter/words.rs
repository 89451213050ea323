//! What is said to a store that has the third vote, and by it; and what a cluster remembers of it.

use std::time::Duration;

use hac_types::{NodeId, mutant};
use serde::{Deserialize, Serialize};

/// What kind of store has the register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Model {
    /// One that compares and swaps, at once (etcd).
    #[default]
    Register,
    /// A provider's list of actions on an address.
    ActionLog,
}

impl Model {
    /// How long whoever asks the store may take for one request, whatever it tries meanwhile. A provider may be slow, and an
    /// order that nobody has answered is worth nothing.
    #[must_use]
    pub const fn call(self) -> Duration {
        match self {
            Self::Register => Duration::from_secs(3),
            Self::ActionLog => Duration::from_secs(10),
        }
    }

    /// How long the one that has less to lose waits before it claims. Where a claim moves the address, it is to be in the list
    /// before the other one looks.
    #[must_use]
    pub const fn grace(self) -> Duration {
        match self {
            Self::Register => Duration::from_secs(1),
            Self::ActionLog => Duration::from_secs(3),
        }
    }
}

/// What the cluster knows of the register: part of its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Register {
    /// Counts its changes.
    pub epoch: u64,
    /// The revision of the store at which it was changed last.
    pub revision: u64,
    /// Which store that is: numbers of two stores have nothing to do with each other.
    pub store: u64,
    /// Whether the cluster is moving the address itself: the first change after `revision` is that move then, and the second
    /// one decides. Only of a list of actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// How far two nodes are with saying that the cluster moves the address itself. Both go through both of these, one step at a time
/// and in either direction, so that never one counts the move and the other one does not: what makes a node win that is at
/// [`Announced`](Self::Announced) makes the other one lose wherever that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Moving {
    /// The other node may or may not count it: the first change and the second one must both be one's own.
    Announced,
    /// The other node has it announced at least: the second change decides.
    Expected,
}

impl Register {
    /// Which changes after `revision` must be a node's own for it to win, counted from 0: from the one to the other.
    #[must_use]
    pub(crate) fn deciding(&self) -> std::ops::RangeInclusive<usize> {
        match self.moving {
            None => 0..=0,
            Some(Moving::Announced) if mutant("announced-is-expected") => 1..=1,
            Some(Moving::Announced) => 0..=1,
            Some(Moving::Expected) => 1..=1,
        }
    }

    /// Whether this is the next step after what all members know, and may be stored. A proposal that was made before another
    /// change was delivered is not: it could skip a step.
    #[must_use]
    pub fn follows(&self, known: Option<&Self>) -> bool {
        Some(self) > known
            && (self.epoch == known.map_or(0, |known| known.epoch).saturating_add(1) || mutant("steps-are-skipped"))
    }

    /// The newest of these: what counts when members come together whose states are one from then on.
    pub fn newest<'a>(known: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        known.max()
    }
}

/// What lies in the register, for people and for who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// Counts the changes.
    pub epoch: u64,
    /// Who wrote it.
    pub node: NodeId,
    /// In which life.
    pub incarnation: u64,
    /// Tells this change from all others. The same for each attempt at it, so that one whose answer was lost is recognised.
    pub nonce: String,
    /// For whom it speaks.
    pub members: Vec<NodeId>,
}

/// What the store is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Request {
    /// What is in the register? Not from a copy that may be old.
    Read,
    /// What was changed after this revision? Asked of a list of actions.
    Since(u64),
    /// Put this there if it was changed last at this revision (0: if there is none), and say what is there if not.
    Swap {
        /// The revision.
        expected: u64,
        /// What to put there.
        mark: Mark,
    },
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// Which store this is.
    pub store: u64,
    /// Its revision: that of the change, if it was made.
    pub revision: u64,
    /// What came of the request.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The change was made.
    Swapped,
    /// This is there; nothing was changed.
    Found(Option<Found>),
    /// An action is under way: what is there is known when it has ended.
    Underway,
    /// What was changed after what is known, one after the other, as far as it is certain: up to the first action that is under way.
    Since {
        /// The changes.
        changes: Vec<Found>,
        /// The last action of all, if none is under way.
        last: Option<u64>,
    },
}

/// What is in the register.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Found {
    /// When it was changed last.
    pub revision: u64,
    /// What it is; nothing if none of ours wrote it.
    pub mark: Option<Mark>,
}
