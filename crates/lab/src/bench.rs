//! Measurements on real daemons: failover, cold start, idle cost; and on the ring alone: messaging.

mod coldstart;
mod databases;
mod detection;
mod failover;
mod idle;
mod many;
mod messaging;
mod page;
mod statistics;

use std::thread;
use std::time::Duration;

pub use coldstart::coldstart;
pub use databases::databases;
pub use detection::detection;
pub use failover::{Scenario, failover, far};
pub use idle::idle;
pub use many::many;
pub use messaging::{Messaging, messaging};
pub use page::page;
pub use statistics::Series;

/// How the ring's detector is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As it is by default.
    Usual,
    /// The fast profile of `docs/operations.md`.
    Fast,
}

impl Profile {
    /// The profile of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "default" => Self::Usual,
            "fast" => Self::Fast,
            _ => return None,
        })
    }

    /// Its lines of `[totem]`.
    pub(crate) const fn totem(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Fast => "ping = 25\nsilence_min = 80\n",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Usual => "default",
            Self::Fast => "ping 25, silence_min 80",
        }
    }
}

/// How long a step of a measurement may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Lets time pass because the passing itself is what is wanted: a calm stretch to be watched.
pub fn pause(length: Duration) {
    thread::sleep(length);
}
