//! The resource manager as a pure machine: what is configured, what is known, what should be done about it.
//!
//! * [`cib`] applies replicated commands to the cluster information base (CIB), the same on every node.
//! * [`transition_engine`] carries a plan out; only the designated coordinator (DC) runs it.
//! * [`executor`] runs what one node is ordered: queues, recurring monitors and the history of its own resources.
//!
//! Nothing here reads a clock, a socket or a file.

pub mod cib;
pub mod executor;
pub mod fencer;
pub mod transition_engine;
