//! The resource manager as a pure machine: what is configured, what is known, what should be done about it.
//!
//! * [`model`] is the cluster information base (CIB) as types: configuration and status, in Pacemaker's terms.
//! * [`cib`] applies replicated commands to it, the same on every node.
//! * [`scheduler`] turns a CIB into a [`plan`], as Pacemaker's scheduler would.
//! * [`explain`](mod@explain) tells why it decided so, as values and in sentences.
//! * [`executor`] carries a plan out; only the designated coordinator (DC) runs it.
//! * [`local`] is one node's side: queues, recurring monitors and the history of its own resources.
//!
//! Nothing here reads a clock, a socket or a file.

pub mod cib;
pub mod executor;
pub mod explain;
pub mod local;
pub mod model;
pub mod nearest;
pub mod plan;
pub mod scheduler;
