//! Work: what the coordinator orders, who does it, and for which node it counts.
//!
//! The transition engine makes an [`Order`] of an action of its plan, the ordered stream carries it to all, the executor of
//! the node that it names takes it. Each kind of [`Work`] is told apart here, where the transition engine makes it, and at
//! the executor's entrance; whoever comes after that knows what it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cib::{OpStarted, StatusChange};
use crate::fencer::requests::{Attempt, Step};
use hac_model::{Agent, Cib, ExecStatus, OcfCode, OpHistory, ResourceHistory, Task, operation_key};
use hac_scheduler::plan::ResourceOp;

/// An order to a node, made by the coordinator's transition engine and delivered in the ordered stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Name of the node that carries it out; others ignore it.
    pub by: String,
    /// Name of the node for which it counts, whose history has it: the same, unless a node acts for another one, to which
    /// it has a connection.
    pub at: String,
    /// `ACTION:TRANSITION:EXPECTED_RC:UUID`. Comes back with the result.
    pub transition_key: String,
    /// What is to be done.
    pub work: Work,
}

/// Kinds of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Run an agent for a resource: once, or again and again if the operation has an interval.
    Operation(ResourceOp),
    /// One half of a live migration between the two ends that [`ResourceOp::migration`] names.
    Migration(ResourceOp),
    /// Tell an instance what happens to the others of its clone. It leaves no trace, whatever comes of it.
    Notify(ResourceOp),
    /// No longer run the recurring operation.
    Cancel(ResourceOp),
    /// Run a fence device against a node.
    Fence(FenceRun),
}

/// One run of a fence device against a node: an attempt at a request. `Debug` leaves the parameters out, because there are
/// secrets among them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRun {
    /// Number of the request.
    pub request: u64,
    /// Which turn of it this is.
    pub turn: u64,
    /// Name of the node that it is done to.
    pub target: String,
    /// What is tried, by whom.
    pub attempt: Attempt,
    /// The device's agent.
    pub agent: Agent,
    /// The device's parameters.
    pub params: BTreeMap<String, String>,
    /// How long the agent may take unless the device says otherwise, milliseconds.
    pub timeout_ms: u64,
}

impl std::fmt::Debug for FenceRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FenceRun")
            .field("request", &self.request)
            .field("turn", &self.turn)
            .field("target", &self.target)
            .field("attempt", &self.attempt)
            .field("agent", &format_args!("{}", self.agent))
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}

impl Work {
    /// To run the agent of `op`.
    #[must_use]
    pub fn run(op: ResourceOp) -> Self {
        match op.task {
            Task::Notify => Self::Notify(op),
            Task::MigrateTo | Task::MigrateFrom => Self::Migration(op),
            _ => Self::Operation(op),
        }
    }
}

impl Order {
    /// Its name for people: `RSC_TASK_INTERVALms`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.work {
            Work::Operation(op) | Work::Migration(op) | Work::Notify(op) | Work::Cancel(op) => {
                operation_key(&op.resource, op.task, op.interval_ms)
            }
            Work::Fence(run) => format!("{}_{}_0", run.attempt.device, run.attempt.action),
        }
    }

    /// What is to be recorded when the order is delivered: the operation as pending, the attempt to fence as begun. `None` for orders whose start is
    /// not recorded: cancellations, notifications, and operations that say `record-pending=false`. Of a migration it
    /// always is: the next coordinator must know of it.
    #[must_use]
    pub fn started(&self) -> Option<StatusChange> {
        match &self.work {
            Work::Operation(op) | Work::Migration(op) => started(&self.at, &self.transition_key, op),
            Work::Notify(_) | Work::Cancel(_) => None,
            Work::Fence(FenceRun { request, turn, attempt, .. }) => {
                let (request, turn, attempt) = (*request, *turn, attempt.clone());
                Some(StatusChange::Fencing(Step::Begun { request, turn, attempt }))
            }
        }
    }

    /// What, as `cib` tells, is under way at the node and is what this orders: the same one-shot operation with the same
    /// parameters, and for a migration between the same nodes, of which the same is expected. `None` also for what is not
    /// recorded as pending ([`Self::started`]), which the CIB cannot tell.
    #[must_use]
    pub fn under_way<'a>(&self, cib: &'a Cib) -> Option<&'a OpHistory> {
        let (Work::Operation(op) | Work::Migration(op)) = &self.work else { return None };
        if op.interval_ms != 0 || !is_told_by_parameters(op.task) {
            return None;
        }
        let of = self.history(&op.resource, cib).filter(|of| of.agent == *op.agent)?;
        let (source, target) = ends(op);
        let same = |known: &&OpHistory| {
            known.is_pending()
                && (known.task(), known.interval_ms) == (Some(op.task), 0)
                && (known.op_digest.is_some() && known.op_digest == op.digest)
                && (&known.migrate_source, &known.migrate_target) == (&source, &target)
                && known.expected_rc() == Some(op.expected_rc)
        };
        of.ops.iter().find(same)
    }

    /// The migration that, as `cib` tells, is under way of the resource at the node and is not what this orders. Where the
    /// resource is when that has ended nobody knows before, and a result of this would take the place of what tells it.
    #[must_use]
    pub fn amid_migration<'a>(&self, cib: &'a Cib) -> Option<&'a OpHistory> {
        let (Work::Operation(op) | Work::Migration(op)) = &self.work else { return None };
        let migrates = |known: &&OpHistory| {
            known.is_pending()
                && known.exit_reason.is_none()
                && matches!(known.task(), Some(Task::MigrateTo | Task::MigrateFrom))
                && known.transition_key != self.transition_key
        };
        self.history(&op.resource, cib)?.ops.iter().find(migrates)
    }

    /// What `cib` knows of the resource at the node that this is for.
    fn history<'a>(&self, resource: &str, cib: &'a Cib) -> Option<&'a ResourceHistory> {
        let id = cib.node_id(&self.at)?;
        let histories = &cib.status.nodes.iter().find(|state| state.id == id)?.resources;
        histories.get(histories.place(resource)?).map(|of| &**of)
    }
}

/// What is to be recorded when `op` is ordered at a node under this key; `None` if nothing is.
pub(crate) fn started(at: &str, transition_key: &str, op: &ResourceOp) -> Option<StatusChange> {
    let migrates = matches!(op.task, Task::MigrateTo | Task::MigrateFrom);
    let unwanted = op.task == Task::Notify || (op.unrecorded && !migrates);
    (!unwanted).then(|| StatusChange::OpStarted(pending(at, transition_key, op)))
}

/// `op` as pending.
pub(crate) fn pending(at: &str, transition_key: &str, op: &ResourceOp) -> OpStarted {
    let (migrate_source, migrate_target) = ends(op);
    let entry = OpHistory {
        operation_key: operation_key(&op.resource, op.task, op.interval_ms),
        operation: op.task.to_string(),
        transition_key: transition_key.to_owned(),
        transition_magic: format!("{}:{};{transition_key}", ExecStatus::Pending.code(), OcfCode::UNKNOWN),
        rc_code: OcfCode::UNKNOWN,
        op_status: ExecStatus::Pending.code(),
        call_id: -1,
        interval_ms: op.interval_ms,
        op_digest: op.digest.clone(),
        on_node: Some(at.to_owned()),
        migrate_source,
        migrate_target,
        ..OpHistory::default()
    };
    OpStarted { node: at.to_owned(), resource: op.resource.clone(), agent: Agent::clone(&op.agent), op: entry }
}

/// Source and target of a migration, as a history has them.
pub(crate) fn ends(op: &ResourceOp) -> (Option<String>, Option<String>) {
    op.migration.clone().map(|ends| (ends.source, ends.target)).unzip()
}

/// Whether two operations of this task are the same if their parameters are, and the ends of a migration.
pub(crate) const fn is_told_by_parameters(task: Task) -> bool {
    matches!(
        task,
        Task::Start | Task::Stop | Task::Promote | Task::Demote | Task::Monitor | Task::MigrateTo | Task::MigrateFrom
    )
}

#[cfg(test)]
impl Order {
    /// The operation that it is about.
    pub(crate) fn op(&self) -> &ResourceOp {
        match &self.work {
            Work::Operation(op) | Work::Migration(op) | Work::Notify(op) | Work::Cancel(op) => op,
            Work::Fence(run) => panic!("no operation: {run:?}"),
        }
    }

    /// The same, to change it.
    pub(crate) fn op_mut(&mut self) -> &mut ResourceOp {
        match &mut self.work {
            Work::Operation(op) | Work::Migration(op) | Work::Notify(op) | Work::Cancel(op) => op,
            Work::Fence(run) => panic!("no operation: {run:?}"),
        }
    }

    /// The cancellation of the operation.
    pub(crate) fn cancelled(self) -> Self {
        let work = match self.work {
            Work::Operation(op) | Work::Migration(op) | Work::Notify(op) | Work::Cancel(op) => Work::Cancel(op),
            Work::Fence(run) => Work::Fence(run),
        };
        Self { work, ..self }
    }
}
