//! How results of operations are kept in a history: what Pacemaker's controller writes into `lrm_resource`.
//!
//! The last one-shot operation is `RSC_last_0`, the last good run of a recurring one `RSC_TASK_INTERVALms`, the last
//! failure `RSC_last_failure_0`. A one-shot operation that fails is kept under both its ids; a recurring one that
//! fails leaves the entry of its last good run as it is. A probe that finds what it did not expect counts as failed
//! here; the scheduler knows better.

use hac_types::WallTime;

use crate::model::{ExecStatus, NodeState, OpHistory, ResourceHistory, operation_key};

/// OCF: a monitor that finds the resource degraded.
const DEGRADED: i32 = 190;
/// OCF: the same in promoted role.
const DEGRADED_PROMOTED: i32 = 191;
/// OCF: not running.
const NOT_RUNNING: i32 = 7;
/// OCF: not installed.
const NOT_INSTALLED: i32 = 5;
/// OCF: invalid parameter.
const INVALID_PARAM: i32 = 2;

/// The exit code that the order expected: the third number of `ACTION:TRANSITION:EXPECTED_RC:UUID`.
pub(crate) fn expected_rc(transition_key: &str) -> Option<i32> {
    transition_key.split(':').nth(2)?.parse().ok()
}

/// Whether the result is to be kept as a failure.
pub(crate) fn is_failure(op: &OpHistory) -> bool {
    if is_pending(op) || op.op_status == ExecStatus::Cancelled.code() {
        return false;
    }
    let certain = [ExecStatus::Done, ExecStatus::HardError, ExecStatus::FatalError, ExecStatus::NotInstalled];
    if !certain.iter().any(|status| status.code() == op.op_status) {
        return true;
    }
    expected_rc(&op.transition_key).unwrap_or(0) != op.rc_code
}

/// Whether the result is other than expected and not merely degraded.
pub(crate) fn is_unexpected(op: &OpHistory) -> bool {
    let expected = expected_rc(&op.transition_key).unwrap_or(0);
    let degraded = op.op_status == ExecStatus::Done.code()
        && ((op.rc_code == DEGRADED && expected == 0) || (op.rc_code == DEGRADED_PROMOTED && expected == 8));
    is_failure(op) && !degraded
}

/// Whether the operation is still on its way.
pub(crate) fn is_pending(op: &OpHistory) -> bool {
    op.op_status == ExecStatus::Pending.code()
}

/// Whether it asks what is there before anything is done.
pub(crate) fn is_probe(op: &OpHistory) -> bool {
    op.operation == "monitor" && op.interval_ms == 0
}

/// Whether the operation changes the state of a resource, so that recurring operations of the old state end first.
pub(crate) fn changes_state(task: &str) -> bool {
    matches!(task, "start" | "stop" | "promote" | "demote" | "migrate_to" | "migrate_from")
}

/// Keeps `op` in `history`. Returns whether that changed anything.
pub(crate) fn record(history: &mut ResourceHistory, op: &OpHistory) -> bool {
    let mut entry = op.clone();
    entry.operation_key = operation_key(&history.id, &op.operation, op.interval_ms);
    entry.transition_magic = format!("{}:{};{}", op.op_status, op.rc_code, op.transition_key);
    let last = format!("{}_last_0", history.id);
    let failure = format!("{}_last_failure_0", history.id);
    let migration = matches!(op.operation.as_str(), "migrate_to" | "migrate_from");
    let ids = match (migration, is_failure(op), op.interval_ms) {
        (true, _, _) => vec![entry.operation_key.clone()],
        (false, true, 0) => vec![failure, last],
        (false, true, _) => vec![failure],
        (false, false, 0) => vec![last],
        (false, false, _) => vec![entry.operation_key.clone()],
    };
    let mut changed = false;
    if changes_state(&op.operation) && op.interval_ms == 0 && !is_pending(op) {
        // Recurring operations of the state before were cancelled; one that never ended has no result.
        let before = history.ops.len();
        history.ops.retain(|old| old.interval_ms == 0 || !is_pending(old));
        changed |= history.ops.len() != before;
    }
    for id in ids {
        changed |= keep(history, OpHistory { id, ..entry.clone() });
    }
    changed
}

fn keep(history: &mut ResourceHistory, entry: OpHistory) -> bool {
    match history.ops.iter_mut().find(|old| old.id == entry.id) {
        Some(old) if *old == entry => return false,
        Some(old) => *old = entry,
        None => history.ops.push(entry),
    }
    true
}

/// The result with the time at which it was told, if it has none.
pub(crate) fn dated(op: &OpHistory, wall: WallTime) -> OpHistory {
    OpHistory { last_rc_change: op.last_rc_change.or(Some(wall.as_secs())), ..op.clone() }
}

/// Forgets the recurring operation. Returns whether it was there.
pub(crate) fn forget_operation(history: &mut ResourceHistory, task: &str, interval_ms: u64) -> bool {
    let id = operation_key(&history.id, task, interval_ms);
    let before = history.ops.len();
    history.ops.retain(|op| op.id != id);
    history.ops.len() != before
}

/// Forgets the last failure, of `operation` alone if given. Returns whether there was one.
pub(crate) fn forget_failure(history: &mut ResourceHistory, operation: Option<(&str, u64)>) -> bool {
    let id = format!("{}_last_failure_0", history.id);
    let before = history.ops.len();
    let matches = |op: &OpHistory| operation.is_none_or(|(task, ms)| op.operation == task && op.interval_ms == ms);
    history.ops.retain(|op| op.id != id || !matches(op));
    history.ops.len() != before
}

/// Whether people would call something in this history failed.
pub(crate) fn has_failure(history: &ResourceHistory) -> bool {
    history.ops.iter().any(|op| is_failure(op) && !(is_probe(op) && matches!(op.rc_code, 0 | NOT_RUNNING | 8)))
}

/// Whether the history `id` is that of the resource, or of one of its instances.
pub(crate) fn belongs_to(id: &str, resource: &str) -> bool {
    id.strip_prefix(resource).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix(':').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether the resource is running there as far as is known; what may be running counts as running.
pub(crate) fn is_running(history: &ResourceHistory) -> bool {
    let mut ops: Vec<&OpHistory> = history.ops.iter().collect();
    ops.sort_by_key(|op| (if op.call_id < 0 { i64::MAX } else { op.call_id }, op.last_rc_change));
    ops.iter().fold(false, |running, op| after(running, op))
}

/// Whether it is running after `op`, if it was (`running`) before.
fn after(running: bool, op: &OpHistory) -> bool {
    let good = !is_pending(op) && !is_unexpected(op);
    match op.operation.as_str() {
        "start" | "promote" | "demote" | "migrate_from" => true,
        "stop" => !good && (running || !is_pending(op)),
        "migrate_to" => !good,
        "monitor" if is_pending(op) => running,
        "monitor" if op.rc_code == NOT_RUNNING => false,
        "monitor" if is_probe(op) => {
            !matches!(op.rc_code, NOT_INSTALLED | INVALID_PARAM) && op.op_status != ExecStatus::NotInstalled.code()
        }
        "monitor" => true,
        _ => running,
    }
}

/// Whether the node takes part.
pub(crate) fn is_online(state: &NodeState) -> bool {
    let truth = |word: &Option<String>, yes: &str| {
        word.as_deref().is_some_and(|word| word == yes || word.parse::<i64>().is_ok_and(|since| since > 0))
    };
    truth(&state.in_ccm, "true") && truth(&state.crmd, "online")
}

#[cfg(test)]
mod tests;
