//! How results of operations are kept in a history: what Pacemaker's controller writes into `lrm_resource`.
//!
//! The last one-shot operation is `RSC_last_0`, the last good run of a recurring one `RSC_TASK_INTERVALms`, the last
//! failure `RSC_last_failure_0`. A one-shot operation that fails is kept under both its ids; a recurring one that
//! fails leaves the entry of its last good run as it is. A probe that finds what it did not expect counts as failed
//! here; the scheduler knows better. What Pacemaker leaves there and is forgotten here is a migration that is over.

use hac_types::WallTime;

use hac_model::{ExecStatus, NodeState, OcfCode, OpHistory, ResourceHistory, Task, operation_key};

/// Whether the result is to be kept as a failure.
pub(crate) fn is_failure(op: &OpHistory) -> bool {
    match op.status() {
        Some(ExecStatus::Pending | ExecStatus::Cancelled) => false,
        Some(ExecStatus::Done | ExecStatus::HardError | ExecStatus::FatalError | ExecStatus::NotInstalled) => {
            op.expected_rc().unwrap_or_default() != op.rc_code
        }
        _ => true,
    }
}

/// Whether the result is other than expected and not merely degraded.
pub(crate) fn is_unexpected(op: &OpHistory) -> bool {
    let degraded = op.ended(ExecStatus::Done)
        && matches!(
            (op.rc_code, op.expected_rc().unwrap_or_default()),
            (OcfCode::DEGRADED, OcfCode::OK) | (OcfCode::DEGRADED_PROMOTED, OcfCode::PROMOTED)
        );
    is_failure(op) && !degraded
}

/// Whether this is no agent's result, but the coordinator's word that none came. One that came all the same counts.
pub(crate) fn is_only_given_up(op: &OpHistory) -> bool {
    op.call_id < 0 && !op.is_pending()
}

/// Whether the operation changes the state of a resource, so that recurring operations of the old state end first.
pub(crate) fn changes_state(op: &OpHistory) -> bool {
    op.interval_ms == 0 && op.task().is_some_and(Task::changes_state)
}

/// Keeps `op` in `history`. Returns whether that changed anything.
pub(crate) fn record(history: &mut ResourceHistory, op: &OpHistory) -> bool {
    if is_only_given_up(op)
        && history.ops.iter().any(|old| old.transition_key == op.transition_key && !old.is_pending())
    {
        return false;
    }
    let mut entry = op.clone();
    entry.operation_key = operation_key(&history.id, &op.operation, op.interval_ms);
    entry.transition_magic = format!("{}:{};{}", op.op_status, op.rc_code, op.transition_key);
    let last = format!("{}_last_0", history.id);
    let failure = format!("{}_last_failure_0", history.id);
    let migration = matches!(op.task(), Some(Task::MigrateTo | Task::MigrateFrom));
    let ids = match (migration, is_failure(op), op.interval_ms) {
        (true, _, _) => vec![entry.operation_key.clone()],
        (false, true, 0) => vec![failure, last],
        (false, true, _) => vec![failure],
        (false, false, 0) => vec![last],
        (false, false, _) => vec![entry.operation_key.clone()],
    };
    let mut changed = false;
    if changes_state(op) && !op.is_pending() {
        // Recurring operations of the state before were cancelled; one that never ended has no result.
        let before = history.ops.len();
        history.ops.retain(|old| old.interval_ms == 0 || !old.is_pending());
        changed |= history.ops.len() != before;
    }
    if settles_migrations(op) {
        let before = history.ops.len();
        history.ops.retain(|old| !is_settled(old));
        changed |= history.ops.len() != before;
    }
    for id in ids {
        changed |= keep(history, OpHistory { id, ..entry.clone() });
    }
    changed
}

/// Whether what was known of migrations from or to this node is over with this result: since then it is known anew what is
/// here. Their entries would be compared with what the other end did later, by clocks that may differ.
fn settles_migrations(op: &OpHistory) -> bool {
    let anew = matches!(op.task(), Some(Task::Start | Task::Stop | Task::MigrateFrom));
    anew && op.interval_ms == 0 && !op.is_pending() && !is_failure(op)
}

/// Whether the entry is of a migration that left here, or came here and failed. One that came here well stays: it says that
/// what is left at its source is to be stopped.
fn is_settled(op: &OpHistory) -> bool {
    !op.is_pending()
        && match op.task() {
            Some(Task::MigrateTo) => true,
            Some(Task::MigrateFrom) => is_failure(op),
            _ => false,
        }
}

fn keep(history: &mut ResourceHistory, entry: OpHistory) -> bool {
    match history.ops.iter_mut().find(|old| old.id == entry.id) {
        Some(old) if *old == entry => return false,
        Some(old) => *old = entry,
        None => history.ops.push(entry),
    }
    true
}

/// Dates all that has ended back to the beginning of time: something that happened elsewhere is newer. Returns whether that
/// changed anything.
pub(crate) fn date_back(history: &mut ResourceHistory) -> bool {
    let mut changed = false;
    for op in history.ops.iter_mut().filter(|op| !op.is_pending()) {
        changed |= op.last_rc_change.replace(0) != Some(0);
    }
    changed
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
    history.ops.iter().any(|op| {
        is_failure(op)
            && !(op.is_probe() && matches!(op.rc_code, OcfCode::OK | OcfCode::NOT_RUNNING | OcfCode::PROMOTED))
    })
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
    let good = !op.is_pending() && !is_unexpected(op);
    match op.task() {
        Some(Task::Start | Task::Promote | Task::Demote | Task::MigrateFrom) => true,
        Some(Task::Stop) => !good && (running || !op.is_pending()),
        Some(Task::MigrateTo) => !good,
        Some(Task::Monitor) if op.is_pending() => running,
        Some(Task::Monitor) if op.rc_code == OcfCode::NOT_RUNNING => false,
        Some(Task::Monitor) if op.is_probe() => {
            !matches!(op.rc_code, OcfCode::NOT_INSTALLED | OcfCode::INVALID_PARAM)
                && !op.ended(ExecStatus::NotInstalled)
        }
        Some(Task::Monitor) => true,
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
