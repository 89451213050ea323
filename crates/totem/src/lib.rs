//! Membership and totally ordered messaging: a Totem single ring over UDP unicast, without input or output.
//!
//! [`Engine`] takes datagrams, time and messages and gives back, in order, what must be done ([`Output`]): datagrams to
//! send, a number to make durable, views and messages to deliver, remarks for the log. The driver owns sockets, clock
//! and disk. What is promised, the message table, the envelope and the timers are described in `docs/protocol.md`.

mod authkey;
mod config;
mod crypto;
mod engine;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod graph;
mod inspect;
mod output;
mod pack;
mod problem;
mod ring;
mod rotation;
mod seal;
mod state;
mod stats;
mod store;
mod transport;
mod wire;

pub use authkey::{AuthKey, Fingerprint, SealedKey};
pub use config::{Cipher, Config, ConfigError, Contract, NodeConfig, Stored, Timers};
pub use engine::{Engine, Guarantee, LeaveReason, LevelUnknown, QueueFull};
pub use inspect::{Inspection, RingInspection, Stage};
pub use output::{Delivery, Exclusion, GatherReason, Misbehaviour, Notice, Output};
pub use problem::{Mismatch, PeerProblem};
pub use seal::{SALT_LEN, Sealer};
pub use stats::{LinkStatus, Rejected, Stats};
pub use transport::hello::Told;
pub use wire::{Release, is_of_a_ring};
