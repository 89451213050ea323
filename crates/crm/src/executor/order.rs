//! What goes in and out of a node's executor.

use serde::{Deserialize, Serialize};

use crate::cib::{OpStarted, StatusChange};
use hac_model::{
    Agent, Cib, ExecStatus, Invocation, InvocationId, OcfCode, OpHistory, ProcessRef, Task, WatchId, operation_key,
};
use hac_scheduler::plan::ResourceOp;

/// An order to a node, made by the coordinator's transition engine and delivered in the ordered stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOp {
    /// Name of the node that carries it out; others ignore it.
    pub node: String,
    /// What to do.
    pub order: Order,
    /// `ACTION:TRANSITION:EXPECTED_RC:UUID`. Comes back with the result.
    pub transition_key: String,
    /// Of or with what.
    pub op: ResourceOp,
}

/// What a [`RunOp`] orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Run the operation, again and again if it has an interval.
    Run,
    /// Cancel the recurring operation.
    Cancel,
}

impl RunOp {
    /// What is to be recorded when the order is delivered: the operation as pending. `None` for orders whose start is
    /// not recorded: cancellations, notifications, and operations that say `record-pending=false`.
    #[must_use]
    pub fn started(&self) -> Option<StatusChange> {
        if self.op.unrecorded { None } else { self.pending() }
    }

    /// The operation as pending; `None` for cancellations and notifications, which have no history.
    pub(super) fn pending(&self) -> Option<StatusChange> {
        if self.order == Order::Cancel || self.op.task == Task::Notify {
            return None;
        }
        let op = OpHistory {
            operation_key: operation_key(&self.op.resource, self.op.task, self.op.interval_ms),
            operation: self.op.task.to_string(),
            transition_key: self.transition_key.clone(),
            transition_magic: format!("{}:{};{}", ExecStatus::Pending.code(), OcfCode::UNKNOWN, self.transition_key),
            rc_code: OcfCode::UNKNOWN,
            op_status: ExecStatus::Pending.code(),
            call_id: -1,
            interval_ms: self.op.interval_ms,
            op_digest: self.op.digest.clone(),
            on_node: Some(self.node.clone()),
            ..OpHistory::default()
        };
        let (node, resource, agent) = (self.node.clone(), self.op.resource.clone(), Agent::clone(&self.op.agent));
        Some(StatusChange::OpStarted(OpStarted { node, resource, agent, op }))
    }

    /// What, as `cib` tells, is under way on the node and is what this orders: the same one-shot
    /// operation with the same parameters, of which the same is expected. `None` also for what is not recorded as pending
    /// ([`Self::started`]), which the CIB cannot tell.
    #[must_use]
    pub fn under_way<'a>(&self, cib: &'a Cib) -> Option<&'a OpHistory> {
        let once = self.order == Order::Run && self.op.interval_ms == 0;
        if !once || !is_told_by_parameters(self.op.task) {
            return None;
        }
        let id = cib.node_id(&self.node)?;
        let state = cib.status.nodes.iter().find(|state| state.id == id)?;
        let of = state.resources.iter().find(|of| of.id == self.op.resource && of.agent == *self.op.agent)?;
        let same = |op: &&OpHistory| {
            op.is_pending()
                && (op.task(), op.interval_ms) == (Some(self.op.task), 0)
                && (op.op_digest.is_some() && op.op_digest == self.op.digest)
                && op.expected_rc() == Some(self.op.expected_rc)
        };
        of.ops.iter().find(same)
    }
}

/// Whether two operations of this task and the same parameters are the same; a migration has partners besides.
pub(super) const fn is_told_by_parameters(task: Task) -> bool {
    matches!(task, Task::Start | Task::Stop | Task::Promote | Task::Demote | Task::Monitor)
}

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
    /// Broadcast this.
    Report(StatusChange),
}
