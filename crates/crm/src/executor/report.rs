//! What goes to the agent, and what is told of its outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_types::{Timestamp, WallTime};

use super::resource::Job;
use super::{ExecStatus, Invocation, InvocationId, Outcome, Started, operation_key};
use crate::cib::{OpResult, OpStarted, StatusChange};
use crate::work::{self, Order};
use hac_model::{Agent, OcfCode, OpHistory, Task, is_secret};
use hac_scheduler::plan::ResourceOp;

/// The run of an agent that carries `job` out, as `op`.
pub(super) fn invocation(id: InvocationId, job: &Job, op: &ResourceOp) -> Invocation {
    Invocation {
        id,
        node: job.at.clone(),
        resource: op.resource.clone(),
        // Of an anonymous clone the plain name: its numbers are dealt anew with each plan.
        instance: op.resource.clone(),
        agent: Agent::clone(&op.agent),
        action: op.task.to_string(),
        interval_ms: op.interval_ms,
        timeout: Duration::from_millis(op.timeout_ms),
        expected_rc: op.expected_rc.0,
        migration: op.migration.clone(),
        fencing: None,
        params: BTreeMap::clone(&op.params),
        meta: BTreeMap::clone(&op.meta),
    }
}

/// What is kept of an outcome.
pub(super) fn history(
    (job, op): (&Job, &ResourceOp),
    outcome: &Outcome,
    now: Timestamp,
    wall: WallTime,
    started: Timestamp,
) -> OpHistory {
    let (migrate_source, migrate_target) = work::ends(op);
    let task = recorded_task(op.task, outcome);
    let restart = restart(op, outcome);
    let secure = secure(op);
    OpHistory {
        operation_key: operation_key(&op.resource, task, op.interval_ms),
        operation: task.to_string(),
        transition_key: job.transition_key.clone(),
        transition_magic: format!("{}:{};{}", outcome.status.code(), outcome.rc, job.transition_key),
        rc_code: OcfCode(outcome.rc),
        op_status: outcome.status.code(),
        call_id: job.call_id,
        interval_ms: op.interval_ms,
        last_rc_change: Some(wall.as_secs()),
        exec_time_ms: Some(millis(if outcome.exec_time.is_zero() { now.since(started) } else { outcome.exec_time })),
        queue_time_ms: Some(millis(started.since(job.queued))),
        op_digest: op.digest.clone(),
        op_force_restart: restart.as_ref().map(|(names, _)| names.clone()),
        op_restart_digest: restart.map(|(_, digest)| digest),
        op_secure_params: secure.as_ref().map(|(names, _)| names.clone()),
        op_secure_digest: secure.map(|(_, digest)| digest),
        exit_reason: reason(outcome),
        on_node: Some(job.at.clone()),
        migrate_source,
        migrate_target,
        ..OpHistory::default()
    }
}

/// Most characters of an agent's last words that are kept as the reason of its failure.
const LAST_WORDS_MAX: usize = 200;

/// Why it failed: what the agent gave as the reason, else the last that it wrote. To say that nothing runs is no failure.
fn reason(outcome: &Outcome) -> Option<String> {
    let fine = outcome.status == ExecStatus::Done && matches!(outcome.rc, 0 | 7 | 8);
    let last_words = || {
        let line = outcome.output.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().filter(|c| !c.is_control()).take(LAST_WORDS_MAX).collect())
    };
    outcome.exit_reason.clone().or_else(|| if fine { None } else { last_words() })
}

/// Names (blank separated, blank at both ends) and digest of the parameters whose change needs a restart, if the agent
/// takes changes of others in place. An operation with parameters of its own cannot be compared with others.
fn restart(op: &ResourceOp, outcome: &Outcome) -> Option<(String, String)> {
    let tells = matches!(op.task, Task::Start | Task::Reload) || (op.task == Task::Monitor && op.interval_ms == 0);
    let up = outcome.status == ExecStatus::Done && matches!(OcfCode(outcome.rc), OcfCode::OK | OcfCode::PROMOTED);
    let listed = outcome.restart_params.as_ref().filter(|_| tells && up && op.own.is_empty())?;
    let names: Vec<&str> = listed.iter().map(String::as_str).collect();
    let digest = hac_scheduler::restart_digest(&op.params, &names);
    Some((format!(" {} ", names.join(" ")), digest))
}

/// Names of the secret parameters (blank separated, blank at both ends) and digest of all others, if there are secrets: so
/// that what is configured can be compared with what runs where secrets are masked.
fn secure(op: &ResourceOp) -> Option<(String, String)> {
    let names: Vec<&str> = op.params.keys().map(String::as_str).filter(|name| is_secret(name)).collect();
    if names.is_empty() || op.digest.is_none() {
        return None;
    }
    let digest = hac_scheduler::secure_digest(&op.params, &names);
    Some((format!(" {} ", names.join(" ")), digest))
}

/// The key of what no coordinator ordered.
pub(super) const NO_TRANSITION: &str = "0:0:7:00000000-0000-0000-0000-000000000000";

/// The entry for what an earlier life of the daemon started: as a probe that found it.
pub(super) fn inherited(node: &str, id: &str, runs: &Started) -> OpHistory {
    let (task, rc, status) = (Task::Monitor, OcfCode::OK, ExecStatus::Done);
    let transition_key = NO_TRANSITION.to_owned();
    OpHistory {
        operation_key: operation_key(id, task, 0),
        operation: task.to_string(),
        transition_magic: format!("{}:{rc};{transition_key}", status.code()),
        transition_key,
        rc_code: rc,
        op_status: status.code(),
        op_digest: runs.digest.clone(),
        on_node: Some(node.to_owned()),
        ..OpHistory::default()
    }
}

/// A reload that worked is as good as a start; one that failed is known only to have failed.
fn recorded_task(task: Task, outcome: &Outcome) -> Task {
    match (task, OcfCode(outcome.rc), outcome.status) {
        (Task::Reload, OcfCode::OK, ExecStatus::Done) => Task::Start,
        (Task::Reload, _, _) => Task::Monitor,
        _ => task,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is told of a result.
pub(super) fn result(job: &Job, given: &ResourceOp, op: OpHistory) -> StatusChange {
    StatusChange::OpResult(OpResult {
        node: job.at.clone(),
        resource: job.op.resource.clone(),
        agent: Agent::clone(&given.agent),
        op,
        on_fail: job.op.on_fail,
    })
}

/// What is told of an order at a node to which the node `by` has no connection.
pub(super) fn not_connected(by: &str, order: &Order, op: &ResourceOp) -> StatusChange {
    let OpStarted { node, resource, agent, op: entry } = work::pending(&order.at, &order.transition_key, op);
    let entry = OpHistory {
        transition_magic: format!("{}:{};{}", ExecStatus::NotConnected.code(), OcfCode::ERROR, order.transition_key),
        rc_code: OcfCode::ERROR,
        op_status: ExecStatus::NotConnected.code(),
        exit_reason: Some(format!("{by} has no connection to {}", order.at)),
        ..entry
    };
    StatusChange::OpResult(OpResult { node, resource, agent, op: entry, on_fail: op.on_fail })
}

/// The outcome of an agent that nothing more was heard of.
pub(super) fn never_ended() -> Outcome {
    Outcome {
        rc: 1,
        status: ExecStatus::Timeout,
        exit_reason: Some("the agent did not end at its timeout".to_owned()),
        ..Outcome::default()
    }
}
