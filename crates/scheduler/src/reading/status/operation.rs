//! One operation in a history: whether it expired, what its result means, and what it says of the resource.

use crate::Role;
use crate::action::OnFail;
use crate::configured as meta;
use crate::digests;
use crate::ids::{NodeIdx, RscIdx};
use crate::reading::Reading;
use crate::view::{FailedOperation, OperationView};
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

/// Whether an operation says anything of a resource's state.
fn says_something(task: &str) -> bool {
    !matches!(task, "notify" | "meta-data" | "")
}

/// Whether this is a probe that failed in a way that means "cannot run here".
pub(super) fn is_masked_probe(op: &OpHistory) -> bool {
    op.is_probe()
        && (matches!(op.rc_code, OcfCode::NOT_INSTALLED | OcfCode::INVALID_PARAM) || op.ended(ExecStatus::NotInstalled))
}

/// Judges one operation and takes over what it says.
pub(super) fn read(cluster: &mut Reading<'_>, story: &mut Story<'_>, at: usize) {
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
    judged.expired = has_expired(cluster, story, op);
    if judged.expired && Some(judged.rc) != judged.expected && op.interval_ms == 0 {
        return;
    }
    remap(cluster, story, &mut judged);
    if judged.expired && Some(judged.rc) != judged.expected {
        let node = &cluster.nodes[story.node];
        if node.online && !node.unclean {
            story.expired.push(at);
            return;
        }
    }
    if is_masked_probe(op) && !cluster.is_bundled(story.rsc) {
        masked_probe(cluster, story, &judged);
        return;
    }
    match judged.status {
        ExecStatus::Pending => outcome::pending(cluster, story, &judged),
        ExecStatus::Done => outcome::success(cluster, story, &judged, Some(judged.rc)),
        ExecStatus::NotInstalled => not_installed(cluster, story, &judged),
        _ => failure(cluster, story, &judged),
    }
}

/// The clone that a failure on one node concerns as a whole, or the resource itself.
fn concerned(cluster: &Reading<'_>, rsc: RscIdx) -> RscIdx {
    if cluster.rsc[rsc].is.unique { rsc } else { cluster.top(rsc, false) }
}

fn masked_probe(cluster: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    outcome::success(cluster, story, judged, judged.expected);
    record(cluster, story, judged.at);
    let op = &story.ops[judged.at];
    let words = op.rc_code;
    let words = if op.ended(ExecStatus::NotInstalled) && words != OcfCode::INVALID_PARAM {
        OcfCode::NOT_INSTALLED
    } else {
        words
    };
    cluster.rsc[story.rsc].facts.write().probe_failures.push((story.node, words.words().to_owned()));
    let concerned = concerned(cluster, story.rsc);
    cluster.add_score(concerned, Some(story.node), -INFINITY, &story.why);
}

fn not_installed(cluster: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    let (on_fail, role) = failure_handling(cluster, story, judged);
    if on_fail == OnFail::Ignore {
        story.on_fail = OnFail::Ban;
    }
    let concerned = concerned(cluster, story.rsc);
    cluster.add_score(concerned, Some(story.node), -INFINITY, &story.why);
    outcome::failure(cluster, story, judged, on_fail, role);
}

fn failure(cluster: &mut Reading<'_>, story: &mut Story<'_>, judged: &Judged) {
    if judged.status == ExecStatus::NotConnected
        && let Some(connection) = cluster.nodes[story.node].connection
        && cluster.rsc[connection].is.managed
    {
        cluster.rsc[connection].is.failed = true;
        cluster.rsc[connection].is.stop_if_failed = true;
    }
    let (on_fail, role) = failure_handling(cluster, story, judged);
    let op = &story.ops[judged.at];
    if on_fail == OnFail::Ignore || (on_fail == OnFail::RestartContainer && op.task() == Some(Task::Stop)) {
        outcome::success(cluster, story, judged, judged.expected);
        cluster.rsc[story.rsc].is.facts.write().failure_ignored = true;
        record(cluster, story, judged.at);
        if on_fail == OnFail::RestartContainer && story.on_fail <= OnFail::Restart {
            story.on_fail = on_fail;
        }
        return;
    }
    outcome::failure(cluster, story, judged, on_fail, role);
    let concerned = concerned(cluster, story.rsc);
    match judged.status {
        ExecStatus::HardError => cluster.add_score(concerned, Some(story.node), -INFINITY, &story.why),
        ExecStatus::FatalError => cluster.add_score(concerned, None, -INFINITY, &story.why),
        _ => {}
    }
}

/// What is configured to follow from this failure, and the role afterwards.
fn failure_handling(cluster: &Reading<'_>, story: &Story<'_>, judged: &Judged) -> (OnFail, Role) {
    let op = &story.ops[judged.at];
    let config = meta::find_operation(cluster, story.rsc, &op.operation, op.interval_ms, true);
    let values = meta::read_meta(cluster, story.rsc, &op.operation, op.interval_ms, config);
    let on_fail = meta::on_fail(cluster, story.rsc, &op.operation, op.interval_ms, &values);
    (on_fail, meta::role_after_failure(cluster, story.rsc, &op.operation, on_fail))
}

/// Notes a failed operation for people.
pub(super) fn record(cluster: &mut Reading<'_>, story: &Story<'_>, at: usize) {
    let node = &cluster.nodes[story.node];
    if node.shutdown && node.online {
        return;
    }
    let op = &story.ops[at];
    let name = node.name.clone();
    let known = cluster.failed.iter().any(|failed| failed.operation_key == key_of(op) && failed.operation.node == name);
    if known {
        return;
    }
    let resource = cluster.rsc[story.rsc].known_as().to_owned();
    cluster.facts.write().failed.push(FailedOperation {
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
fn has_expired(cluster: &mut Reading<'_>, story: &Story<'_>, op: &OpHistory) -> bool {
    if op.ended(ExecStatus::NotInstalled) {
        return false;
    }
    let (rsc, node) = (story.rsc, story.node);
    let is_last_failure = op.id.ends_with("last_failure_0");
    let mut expired = false;
    let mut unexpired_failures = 0;
    if let Some(changed) = op.last_rc_change
        && cluster.rsc[rsc].failure_expiry_ms.get() > 0
    {
        let expiry = i64::try_from(cluster.rsc[rsc].failure_expiry_ms.get() / 1000).unwrap_or(i64::MAX);
        expired = cluster.now >= changed.saturating_add(expiry);
        let (failures, last) = fail_count(cluster, rsc, node, Count::Effective, Some(op));
        unexpired_failures = failures;
        if failures > 0 && cluster.now < last.saturating_add(expiry) {
            cluster.recheck(last.saturating_add(expiry));
        }
        if cluster.rsc[rsc].failure_expiry_ms.get() == 0 {
            // A failure that blocks was found on the way; what is old stays old for this one operation.
            expired = expired && cluster.now >= changed.saturating_add(expiry);
        }
    }
    let waits = waits_for_fencing(cluster, rsc, op);
    let mut clear = None;
    if expired {
        if fail_count(cluster, rsc, node, Count::All, Some(op)).0 > 0 {
            if unexpired_failures == 0 {
                clear = Some("it expired");
            } else {
                expired = false;
            }
        } else if is_last_failure && !waits && cluster.rsc[rsc].reconnect_ms != 0 {
            clear = Some("reconnect interval is set");
        }
    }
    if !expired && is_last_failure && params_changed(cluster, rsc, node, op) {
        clear = Some("resource parameters have changed");
    }
    if let Some(reason) = clear {
        clear_failures(cluster, rsc, node, reason);
    }
    let harmless = matches!(
        op.rc_code,
        OcfCode::OK | OcfCode::NOT_RUNNING | OcfCode::PROMOTED | OcfCode::DEGRADED | OcfCode::DEGRADED_PROMOTED
    );
    expired && !waits && !(op.is_probe() && harmless)
}

fn clear_failures(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, reason: &'static str) {
    let reconnects = cluster.options.fencing && cluster.rsc[rsc].reconnect_ms != 0;
    // Else the connection would be tried again before the node behind it was reset.
    let after_fencing = cluster.rsc[rsc].remote_node.filter(|_| reconnects);
    cluster.requests.forget(rsc, node, reason, after_fencing);
}

/// A remote connection's failed monitor counts until its node was fenced. (Its fail count is cleared all the same.)
fn waits_for_fencing(cluster: &Reading<'_>, rsc: RscIdx, op: &OpHistory) -> bool {
    cluster.rsc[rsc].reconnect_ms != 0
        && cluster.options.fencing
        && op.interval_ms != 0
        && op.task() == Some(Task::Monitor)
        && cluster.rsc[rsc].remote_node.is_some_and(|remote| !cluster.nodes[remote].remote_was_fenced)
}

/// Whether a failed start or monitor ran with other parameters than are configured now.
fn params_changed(cluster: &mut Reading<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) -> bool {
    if !matches!(op.task(), Some(Task::Start | Task::Monitor)) {
        return false;
    }
    if digests::needs_assignment(cluster, rsc) {
        cluster.requests.compare_later(rsc, node, op.clone());
        return false;
    }
    digests::compare(cluster, rsc, node, op).changed()
}

/// Judges a result by what was expected.
fn remap(cluster: &mut Reading<'_>, story: &mut Story<'_>, judged: &mut Judged) {
    let op = &story.ops[judged.at];
    let rsc = story.rsc;
    let probe = op.is_probe();
    judged.rc = match judged.rc {
        OcfCode::DEGRADED => OcfCode::OK,
        OcfCode::DEGRADED_PROMOTED => OcfCode::PROMOTED,
        other => other,
    };
    if judged.rc != op.rc_code && !judged.expired {
        record(cluster, story, judged.at);
    }
    if is_masked_probe(op) && !cluster.is_bundled(rsc) {
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
        OcfCode::NOT_RUNNING if probe || judged.expected == Some(judged.rc) || !cluster.rsc[rsc].is.managed => {
            judged.status = ExecStatus::Done;
            cluster.rsc[rsc].role = Role::Stopped;
            story.on_fail = OnFail::Ignore;
            cluster.rsc[rsc].next_role = Role::Unknown;
        }
        OcfCode::PROMOTED => {
            if probe && Some(judged.rc) != judged.expected {
                judged.status = ExecStatus::Done;
            }
            if !judged.expired || Some(judged.rc) == judged.expected {
                cluster.rsc[rsc].role = Role::Promoted;
            }
        }
        OcfCode::FAILED_PROMOTED => {
            if !judged.expired {
                cluster.rsc[rsc].role = Role::Promoted;
            }
            judged.status = ExecStatus::Error;
        }
        OcfCode::NOT_CONFIGURED => judged.status = ExecStatus::FatalError,
        OcfCode::UNIMPLEMENTED if op.interval_ms > 0 => judged.status = ExecStatus::NotSupported,
        OcfCode::UNIMPLEMENTED | OcfCode::NOT_INSTALLED | OcfCode::INVALID_PARAM | OcfCode::INSUFFICIENT_PRIV => {
            if op.task() == Some(Task::Stop) && !judged.expired && !cluster.can_fence(story.node) {
                cluster.rsc[rsc].is.blocked = true;
                cluster.rsc[rsc].is.failed = true;
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
