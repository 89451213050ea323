//! What goes in and out of a node's local side.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cib::{OpStarted, StatusChange, history};
use crate::model::{Agent, Cib, ExecStatus, OpHistory, operation_key};
use crate::plan::ResourceOp;

/// An order to a node, made by the coordinator's executor and delivered in the ordered stream.
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
        let unwanted = self.op.meta.get("CRM_meta_record_pending").is_some_and(|v| v == "false");
        if self.order == Order::Cancel || self.op.task == "notify" || unwanted {
            return None;
        }
        let op = OpHistory {
            operation_key: operation_key(&self.op.resource, &self.op.task, self.op.interval_ms),
            operation: self.op.task.clone(),
            transition_key: self.transition_key.clone(),
            transition_magic: format!("{}:{};{}", ExecStatus::Pending.code(), RC_PENDING, self.transition_key),
            rc_code: RC_PENDING,
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

    /// The transition key of what, as `cib` tells, is under way on the node and is what this orders: the same one-shot
    /// operation with the same parameters, of which the same is expected. `None` also for what is not recorded as pending
    /// ([`Self::started`]), which the CIB cannot tell.
    #[must_use]
    pub fn under_way<'a>(&self, cib: &'a Cib) -> Option<&'a str> {
        let once = self.order == Order::Run && self.op.interval_ms == 0;
        if !once || !is_told_by_parameters(&self.op.task) {
            return None;
        }
        let id = cib.node_id(&self.node)?;
        let state = cib.status.nodes.iter().find(|state| state.id == id)?;
        let of = state.resources.iter().find(|of| of.id == self.op.resource && of.agent == *self.op.agent)?;
        let same = |op: &&OpHistory| {
            history::is_pending(op)
                && (op.operation.as_str(), op.interval_ms) == (self.op.task.as_str(), 0)
                && (op.op_digest.is_some() && op.op_digest == self.op.digest)
                && history::expected_rc(&op.transition_key) == Some(self.op.expected_rc)
        };
        of.ops.iter().find(same).map(|op| op.transition_key.as_str())
    }
}

/// Whether two operations of this task and the same parameters are the same; a migration has partners besides.
pub(super) fn is_told_by_parameters(task: &str) -> bool {
    matches!(task, "start" | "stop" | "promote" | "demote" | "monitor")
}

/// Exit code that stands for "not known yet".
pub const RC_PENDING: i32 = 193;

/// One run of an agent. Unique in one life of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InvocationId(pub u64);

/// One watch over a process. Unique in one life of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchId(pub u64);

/// A process that can be told from a later one of the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessRef {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub started: u64,
}

/// Run an agent. `Debug` leaves the parameters out, because there are secrets among them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Names this run.
    pub id: InvocationId,
    /// Id under which the node keeps the history.
    pub resource: String,
    /// `OCF_RESOURCE_INSTANCE`: with the instance number where the resource has one.
    pub instance: String,
    /// The agent.
    pub agent: Agent,
    /// `start`, `stop`, `monitor` …
    pub action: String,
    /// 0 for once and for probes.
    pub interval_ms: u64,
    /// It is stopped, with all its processes, when this has passed.
    pub timeout: Duration,
    /// Exit code that means all is as expected.
    pub expected_rc: i32,
    /// Parameters, to be passed as `OCF_RESKEY_NAME`. Secrets among them: never log them.
    pub params: BTreeMap<String, String>,
    /// More of the same with `CRM_meta_` in front of each name; `timeout`, `interval` (milliseconds), `name` and
    /// `on_node` are always there.
    pub meta: BTreeMap<String, String>,
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation")
            .field("id", &self.id)
            .field("instance", &self.instance)
            .field("agent", &format_args!("{}", self.agent))
            .field("action", &self.action)
            .field("interval_ms", &self.interval_ms)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What became of an invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Exit code.
    pub rc: i32,
    /// Whether that can be relied on.
    pub status: ExecStatus,
    /// What the agent said about its failure.
    pub exit_reason: Option<String>,
    /// How long it ran; zero if that is not known.
    pub exec_time: Duration,
    /// Processes whose end means that the resource is no longer what it was. Looked at after a successful start,
    /// promote, demote or monitor.
    pub watch: Vec<ProcessRef>,
}

/// What a node's local side wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Run an agent; answer with `Local::handle_outcome`.
    Invoke(Invocation),
    /// Stop an agent that runs, with all its processes; its outcome is no longer awaited.
    CancelInvocation(InvocationId),
    /// Call `Local::handle_process_exited` when the process ends, or at once if it is
    /// no longer there.
    Watch(WatchId, ProcessRef),
    /// No longer.
    Unwatch(WatchId),
    /// Broadcast this.
    Report(StatusChange),
}
