//! One operation in a history: whether it expired, what its result means, and what it says of the resource.

use crate::action::OnFail;
use crate::configured as meta;
use crate::digests;
use crate::ids::{NodeIdx, RscIdx};
use crate::reading::Reading;
use crate::view::{FailedOperation, OperationView};
use hac_model::Role;
use hac_model::{ExecStatus, INFINITY, OcfCode, OpHistory, Task};

use super::failcount::{Count, fail_count};
use super::history::Story;
use super::outcome;

/// A result as it is judged, which may differ from what was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Position in the story.
    pub(super) at: usize,
    /// Exit code.
    pub(super) rc: OcfCode,
    /// Execution status.
    pub(super) status: ExecStatus,
    /// Expected exit code, if it is known.
    pub(super) expected: Option<OcfCode>,
    /// Too old to count.
    pub(super) expired: bool,
}

/// Whether an operation says anything of a resource's state. That a monitor was cancelled, say, does not.
fn says_something(task: &str) -> bool {
    !matches!(task, "notify" | "meta-data" | "cancel" | "")
}

/// Whether this is a probe that failed in a way that means "cannot run here".
pub(super) fn is_masked_probe(op: &OpHistory) -> bool {
    op.is_probe()
        && (matches!(op.rc_code, OcfCode::NOT_INSTALLED | OcfCode::INVALID_PARAM) || op.ended(ExecStatus::NotInstalled))
}

/// Judges one operation and takes over what it says.
pub(super) fn read(reading: &mut Reading<'_>, story: &mut Story<'_>, at: usize) {
    let op = &story.ops[at];
    let Some(status) = op.status().filter(|status| *status != ExecStatus::Cancelled) else { return };
    if !says_something(&op.operation) {
        return;
    }
    let mut judged = Judged {
        at,
        rc: op.rc_code,
        status,
        expected: op.expected_rc().filter(|expected| expected.0 >= 0),
        expired: false,
    };
    judged.expired = has_expired(reading, story, op);
    if judged.expired && Some(judged.rc) != judged.expected && op.interval_ms == 0 {
        return;
    }
    remap(reading, story, &mut judged);
    if judged.expired && Some(judged.rc) != judged.expected {
        let node = &reading.nodes[story.node];
        if node.online && !node.unclean {
            story.expired.push(at);
            return;
        }
    }
    if is_masked_probe(op) && !reading.is_bundled(story.rsc) {
        masked_probe(reading, story, &judged);
        return;
    }
    match judged.status {
        ExecStatus::Pending => outcome::pending(reading, story, &judged),
        ExecStatus::Done => outcome::success(reading, story, &judged, Some(judged.rc)),
        ExecStatus::NotInstalled => not_installed(reading, story, &judged),
        _ => failure(reading, story, &judged),
    }
}

/// The clone that a failure on one node concerns as a whole, or the resource itself.
fn concerned(reading: &Reading<'_>, rsc: RscIdx) -> RscIdx {
    if reading.rsc[rsc].is.unique { rsc } else { reading.top(rsc, false) }
}

fn masked_probe(reading: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    outcome::success(reading, story, judged, judged.expected);
    record(reading, story, judged.at);
    let op = &story.ops[judged.at];
    let words = op.rc_code;
    let words = if op.ended(ExecStatus::NotInstalled) && words != OcfCode::INVALID_PARAM {
        OcfCode::NOT_INSTALLED
    } else {
        words
    };
    reading.rsc[story.rsc].facts.write().probe_failures.push((story.node, words.words().to_owned()));
    let concerned = concerned(reading, story.rsc);
    reading.add_score(concerned, Some(story.node), -INFINITY, &story.why);
}

fn not_installed(reading: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    let (on_fail, role) = failure_handling(reading, story, judged);
    if on_fail == OnFail::Ignore {
        story.on_fail = OnFail::Ban;
    }
    let concerned = concerned(reading, story.rsc);
    reading.add_score(concerned, Some(story.node), -INFINITY, &story.why);
    outcome::failure(reading, story, judged, on_fail, role);
}

fn failure(reading: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    if judged.status == ExecStatus::NotConnected
        && let Some(connection) = reading.nodes[story.node].connection
        && reading.rsc[connection].is.managed
    {
        reading.rsc[connection].is.failed = true;
        reading.rsc[connection].is.stop_if_failed = true;
    }
    let (on_fail, role) = failure_handling(reading, story, judged);
    let op = &story.ops[judged.at];
    if on_fail == OnFail::Ignore || (on_fail == OnFail::RestartContainer && op.task() == Some(Task::Stop)) {
        outcome::success(reading, story, judged, judged.expected);
        reading.rsc[story.rsc].is.facts.write().failure_ignored = true;
        record(reading, story, judged.at);
        if on_fail == OnFail::RestartContainer && story.on_fail <= OnFail::Restart {
            story.on_fail = on_fail;
        }
        return;
    }
    outcome::failure(reading, story, judged, on_fail, role);
    let concerned = concerned(reading, story.rsc);
    match judged.status {
        ExecStatus::HardError => reading.add_score(concerned, Some(story.node), -INFINITY, &story.why),
        ExecStatus::FatalError => reading.add_score(concerned, None, -INFINITY, &story.why),
        _ => {}
    }
}

/// What is configured to follow from this failure, and the role afterwards.
fn failure_handling(reading: &Reading<'_>, story: &Story<'_>, judged: &Judged) -> (OnFail, Role) {
    let op = &story.ops[judged.at];
    let config = meta::find_operation(reading, story.rsc, &op.operation, op.interval_ms, true);
    let values = meta::read_meta(reading, story.rsc, &op.operation, op.interval_ms, config);
    let on_fail = meta::on_fail(reading, story.rsc, &op.operation, op.interval_ms, &values);
    (on_fail, meta::role_after_failure(reading, story.rsc, &op.operation, on_fail))
}

/// Notes a failed operation for people.
pub(super) fn record(reading: &mut Reading<'_>, story: &Story<'_>, at: usize) {
    let node = &reading.nodes[story.node];
    if node.shutdown && node.online {
        return;
    }
    let op = &story.ops[at];
    let name = node.name.clone();
    let known = reading.failed.iter().any(|failed| failed.operation_key == key_of(op) && failed.operation.node == name);
    if known {
        return;
    }
    let resource = reading.rsc[story.rsc].known_as().to_owned();
    reading.facts.write().failed.push(FailedOperation {
        resource,
        operation_key: key_of(op).to_owned(),
        operation: operation_view(op, &name),
    });
}

fn key_of(op: &OpHistory) -> &str {
    if op.operation_key.is_empty() { &op.id } else { &op.operation_key }
}

/// An operation as people are told.
pub(crate) fn operation_view(op: &OpHistory, node: &str) -> OperationView {
    OperationView {
        node: node.to_owned(),
        call_id: op.call_id,
        task: op.operation.clone(),
        interval_ms: op.interval_ms,
        rc: op.rc_code,
        status: op.op_status,
        last_rc_change: op.last_rc_change,
        exec_time_ms: op.exec_time_ms,
        queue_time_ms: op.queue_time_ms,
        exit_reason: op.exit_reason.clone(),
    }
}

/// Whether an operation is too old to count. May call for clearing of the fail count.
fn has_expired(reading: &mut Reading<'_>, story: &Story<'_>, op: &OpHistory) -> bool {
    if op.ended(ExecStatus::NotInstalled) {
        return false;
    }
    let (rsc, node) = (story.rsc, story.node);
    let is_last_failure = op.id.ends_with("last_failure_0");
    let mut expired = false;
    let mut unexpired_failures = 0;
    if let Some(changed) = op.last_rc_change
        && reading.rsc[rsc].failure_expiry_ms.get() > 0
    {
        let expiry = i64::try_from(reading.rsc[rsc].failure_expiry_ms.get() / 1000).unwrap_or(i64::MAX);
        expired = reading.now >= changed.saturating_add(expiry);
        let (failures, last) = fail_count(reading, rsc, node, Count::Effective, Some(op));
        unexpired_failures = failures;
        if failures > 0 && reading.now < last.saturating_add(expiry) {
            reading.recheck(last.saturating_add(expiry));
        }
        if reading.rsc[rsc].failure_expiry_ms.get() == 0 {
            // A failure that blocks was found on the way; what is old stays old for this one operation.
            expired = expired && reading.now >= changed.saturating_add(expiry);
        }
    }
    let waits = waits_for_fencing(reading, rsc, op);
    let mut clear = None;
    if expired {
        if fail_count(reading, rsc, node, Count::All, Some(op)).0 > 0 {
            if unexpired_failures == 0 {
                clear = Some("it expired");
            } else {
                expired = false;
            }
        } else if is_last_failure && !waits && reading.rsc[rsc].reconnect_ms != 0 {
            clear = Some("reconnect interval is set");
        }
    }
    if !expired && is_last_failure && params_changed(reading, rsc, node, op) {
        clear = Some("resource parameters have changed");
    }
    if let Some(reason) = clear {
        clear_failures(reading, rsc, node, reason);
    }
    let harmless = matches!(
        op.rc_code,
        OcfCode::OK | OcfCode::NOT_RUNNING | OcfCode::PROMOTED | OcfCode::DEGRADED | OcfCode::DEGRADED_PROMOTED
    );
    expired && !waits && !(op.is_probe() && harmless)
}

fn clear_failures(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, reason: &'static str) {
    let reconnects = reading.options.fencing && reading.rsc[rsc].reconnect_ms != 0;
    // Else the connection would be tried again before the node behind it was reset.
    let after_fencing = reading.rsc[rsc].remote_node.filter(|_| reconnects);
    reading.requests.forget(rsc, node, reason, after_fencing);
}

/// A remote connection's failed monitor counts until its node was fenced. (Its fail count is cleared all the same.)
fn waits_for_fencing(reading: &Reading<'_>, rsc: RscIdx, op: &OpHistory) -> bool {
    reading.rsc[rsc].reconnect_ms != 0
        && reading.options.fencing
        && op.interval_ms != 0
        && op.task() == Some(Task::Monitor)
        && reading.rsc[rsc].remote_node.is_some_and(|remote| !reading.nodes[remote].remote_was_fenced)
}

/// Whether a failed start or monitor ran with other parameters than are configured now.
fn params_changed(reading: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) -> bool {
    if !matches!(op.task(), Some(Task::Start | Task::Monitor)) {
        return false;
    }
    if digests::needs_assignment(reading, rsc) {
        reading.requests.compare_later(rsc, node, op.clone());
        return false;
    }
    digests::compare(reading, rsc, node, op).changed()
}

/// Judges a result by what was expected.
fn remap(reading: &mut Reading<'_>, story: &mut Story<'_>, judged: &mut Judged) {
    let op = &story.ops[judged.at];
    let rsc = story.rsc;
    let probe = op.is_probe();
    judged.rc = match judged.rc {
        OcfCode::DEGRADED => OcfCode::OK,
        OcfCode::DEGRADED_PROMOTED => OcfCode::PROMOTED,
        other => other,
    };
    if judged.rc != op.rc_code && !judged.expired {
        record(reading, story, judged.at);
    }
    if is_masked_probe(op) && !reading.is_bundled(rsc) {
        judged.status = ExecStatus::Done;
        judged.rc = OcfCode::NOT_RUNNING;
    }
    match judged.status {
        ExecStatus::Done | ExecStatus::Error => {}
        ExecStatus::NoFenceDevice | ExecStatus::NoSecrets => {
            judged.status = ExecStatus::HardError;
            return;
        }
        _ => return,
    }
    judged.status =
        if judged.rc == judged.expected.unwrap_or(OcfCode::OK) { ExecStatus::Done } else { ExecStatus::Error };
    match judged.rc {
        OcfCode::OK if probe && judged.expected == Some(OcfCode::NOT_RUNNING) => judged.status = ExecStatus::Done,
        OcfCode::NOT_RUNNING if probe || judged.expected == Some(judged.rc) || !reading.rsc[rsc].is.managed => {
            judged.status = ExecStatus::Done;
            reading.rsc[rsc].role = Role::Stopped;
            story.on_fail = OnFail::Ignore;
            reading.rsc[rsc].next_role = Role::Unknown;
        }
        OcfCode::PROMOTED => {
            if probe && Some(judged.rc) != judged.expected {
                judged.status = ExecStatus::Done;
            }
            if !judged.expired || Some(judged.rc) == judged.expected {
                reading.rsc[rsc].role = Role::Promoted;
            }
        }
        OcfCode::FAILED_PROMOTED => {
            if !judged.expired {
                reading.rsc[rsc].role = Role::Promoted;
            }
            judged.status = ExecStatus::Error;
        }
        OcfCode::NOT_CONFIGURED => judged.status = ExecStatus::FatalError,
        OcfCode::UNIMPLEMENTED if op.interval_ms > 0 => judged.status = ExecStatus::NotSupported,
        OcfCode::UNIMPLEMENTED | OcfCode::NOT_INSTALLED | OcfCode::INVALID_PARAM | OcfCode::INSUFFICIENT_PRIV => {
            if op.task() == Some(Task::Stop) && !judged.expired && !reading.can_fence(story.node) {
                reading.rsc[rsc].is.managed = false;
                reading.rsc[rsc].is.blocked = true;
                reading.rsc[rsc].is.failed = true;
            }
            judged.status = ExecStatus::HardError;
        }
        OcfCode::OK | OcfCode::NOT_RUNNING => {}
        _ => judged.status = ExecStatus::Error,
    }
}

/// Place in `order` since which the recurring operations of an active resource count; `None` if it is not active.
pub(crate) fn active_since(ops: &[OpHistory], order: &[usize]) -> Option<usize> {
    let (start, stop) = start_and_stop(ops, order);
    if start < stop { None } else { Some(start.unwrap_or(0)) }
}

/// Place in `order` since which recurring operations are running: of what was stopped those that began after that.
pub(super) fn running_since(ops: &[OpHistory], order: &[usize]) -> usize {
    let (start, stop) = start_and_stop(ops, order);
    if start < stop { stop.map_or(0, |place| place + 1) } else { start.unwrap_or(0) }
}

/// Places in `order` of the last start, said or implied, and of the last stop.
fn start_and_stop(ops: &[OpHistory], order: &[usize]) -> (Option<usize>, Option<usize>) {
    let (mut start, mut stop, mut by_monitor, mut by_role) = (None, None, None, None);
    for (place, at) in order.iter().enumerate() {
        let op = &ops[*at];
        match op.task() {
            Some(Task::Stop) if op.ended(ExecStatus::Done) => stop = Some(place),
            Some(Task::Start | Task::MigrateFrom) => start = Some(place),
            Some(Task::Monitor) if by_monitor <= stop && matches!(op.rc_code, OcfCode::OK | OcfCode::PROMOTED) => {
                by_monitor = Some(place)
            }
            Some(Task::Promote | Task::Demote) => by_role = Some(place),
            _ => {}
        }
    }
    (start.or(by_role).or(by_monitor), stop)
}
