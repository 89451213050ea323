//! The ring under a simulated network: whole engines, virtual time, seeded faults.
#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod checks;
mod detection;
mod directed;
mod excluding;
mod greeting;
mod hostile;
mod levels;
mod links;
mod membership;
mod net;
mod nodes;
mod ordering;
mod rotation;
mod sweep;
