//! Measurements on real daemons: failover, cold start, idle cost; and on the ring alone: messaging.

mod coldstart;
mod failover;
mod idle;
mod messaging;
mod statistics;

use std::thread;
use std::time::Duration;

pub use coldstart::coldstart;
pub use failover::{Scenario, failover};
pub use idle::idle;
pub use messaging::{Messaging, messaging};
pub use statistics::Series;

/// How long a step of a measurement may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Lets time pass because the passing itself is what is wanted: a calm stretch to be watched.
pub fn pause(length: Duration) {
    thread::sleep(length);
}
