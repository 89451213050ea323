//! The resource manager as a pure machine: what is configured, what is known, what should be done about it.
//!
//! * [`cib`] applies replicated commands to the cluster information base (CIB), the same on every node.
//! * [`transition_engine`] carries a plan out; only the designated coordinator (DC) runs it.
//! * [`work`] is what the one orders and the other does.
//! * [`executor`] runs what one node is ordered: queues, recurring monitors and the history of its own resources.
//! * [`fencer`] is where fencing goes.
//!
//! Nothing here reads a clock, a socket or a file.

pub mod cib;
pub mod executor;
pub mod fencer;
pub mod transition_engine;
pub mod work;
