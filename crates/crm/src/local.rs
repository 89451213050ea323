//! One node's side: it carries out the orders of the coordinator, one action at a time a resource, runs the recurring
//! monitors, watches processes, and keeps the history of its own resources.
//!
//! Orders ([`RunOp`]) come in as delivered in the ordered stream. What an agent shall do goes out as [`Output::Invoke`];
//! what became of it comes back through `Local::handle_outcome` and goes out as [`Output::Report`], which is to be
//! broadcast as it is.

mod order;

pub use order::{
    ExecStatus, Invocation, InvocationId, Order, Outcome, Output, ProcessRef, RC_PENDING, RunOp, WatchId, operation_key,
};
