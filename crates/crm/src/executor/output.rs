//! What an executor wants done.

use super::Started;
use crate::cib::StatusChange;
use hac_model::{Invocation, InvocationId, ProcessRef, WatchId};

/// What a node's executor wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Run an agent; answer with `Executor::handle_outcome`.
    Invoke(Invocation),
    /// Stop an agent that runs, with all its processes; its outcome is no longer awaited.
    CancelInvocation(InvocationId),
    /// Call `Executor::handle_process_exited` when the process ends, or at once if it is
    /// no longer there.
    Watch(WatchId, ProcessRef),
    /// No longer.
    Unwatch(WatchId),
    /// Keep what the resource runs with for the next life of the daemon ([`Executor::restore`](super::Executor::restore)),
    /// or forget it. What is invoked after it begins when it is kept.
    Remember(String, Option<Started>),
    /// Broadcast this.
    Report(StatusChange),
}
