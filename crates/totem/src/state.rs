//! The four states of the ring protocol, a file each, and what they wait for.

pub(crate) mod commit;
pub(crate) mod gather;
pub(crate) mod operational;
pub(crate) mod recovery;
mod waits;

use hac_types::Timestamp;

use crate::state::commit::Attempt;
use crate::state::gather::Gather;
use crate::state::operational::Operational;
use crate::state::recovery::Recovery;

/// Where a node stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Agreeing on a membership.
    Gather(Gather),
    /// The commit token goes round.
    Commit(Attempt),
    /// Exchanging what is missing from the old rings.
    Recovery(Box<Recovery>),
    /// In service.
    Operational(Operational),
}

impl Phase {
    /// Before anything was heard.
    pub(crate) fn starting(now: Timestamp) -> Self {
        Self::Gather(Gather::new(now))
    }

    pub(crate) const fn gather(&self) -> Option<&Gather> {
        match self {
            Self::Gather(gather) => Some(gather),
            _ => None,
        }
    }

    pub(crate) const fn gather_mut(&mut self) -> Option<&mut Gather> {
        match self {
            Self::Gather(gather) => Some(gather),
            _ => None,
        }
    }

    pub(crate) const fn operational(&self) -> Option<&Operational> {
        match self {
            Self::Operational(operational) => Some(operational),
            _ => None,
        }
    }
}
