//! The vocabulary that the crates of hacd share: who, where, when, and which membership.
//!
//! Nothing here behaves; a type is in this crate only if two of the three cores (`hac-totem`, `hac-quorum`, `hac-crm`)
//! must speak of the same thing without knowing each other.

pub mod level;
mod mutant;
mod node;
mod time;
mod view;

pub use level::{Level, LevelWindow, RELEASE};
pub use mutant::mutant;
#[cfg(feature = "mutants")]
pub use mutant::switch_mutant;
pub use node::{Incarnation, LinkId, Member, NodeId};
pub use time::{Timestamp, WallTime};
pub use view::{Departure, Left, RingId, View, ViewKind};
