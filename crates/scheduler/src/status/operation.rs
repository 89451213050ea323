//! One operation in a history: whether it expired, what its result means, and what it says of the resource.

use crate::action::OnFail;
use crate::actions::meta;
use crate::cluster::{Cluster, NodeIdx, RelationFlags, Role, RscIdx};
use crate::digests;
use crate::view::{FailedOperation, OperationView};
use hac_model::{INFINITY, OpHistory};

use super::failcount::{Count, fail_count};
use super::history::Story;
use super::{outcome, sort};

/// Exit codes of agents.
pub(super) mod rc {
    /// Success.
    pub(crate) const OK: i32 = 0;
    /// Wrong parameters.
    pub(crate) const INVALID_PARAM: i32 = 2;
    /// The agent cannot do this.
    pub(crate) const UNIMPLEMENTED: i32 = 3;
    /// Not allowed to.
    pub(crate) const INSUFFICIENT_PRIV: i32 = 4;
    /// Something is missing on the node.
    pub(crate) const NOT_INSTALLED: i32 = 5;
    /// Configured in a way that works nowhere.
    pub(crate) const NOT_CONFIGURED: i32 = 6;
    /// Does not run.
    pub(crate) const NOT_RUNNING: i32 = 7;
    /// Runs promoted.
    pub(crate) const PROMOTED: i32 = 8;
    /// Promoted and failed.
    pub(crate) const FAILED_PROMOTED: i32 = 9;
    /// Runs, but not well.
    pub(crate) const DEGRADED: i32 = 190;
    /// Runs promoted, but not well.
    pub(crate) const DEGRADED_PROMOTED: i32 = 191;
}

/// Execution statuses.
pub(super) mod status {
    /// Under way.
    pub(crate) const PENDING: i32 = -1;
    /// Done.
    pub(crate) const DONE: i32 = 0;
    /// Given up.
    pub(crate) const CANCELLED: i32 = 1;
    /// It took too long.
    pub(crate) const TIMED_OUT: i32 = 2;
    /// Not supported.
    pub(crate) const NOT_SUPPORTED: i32 = 3;
    /// Failed.
    pub(crate) const ERROR: i32 = 4;
    /// Failed in a way that will not change on this node.
    pub(crate) const ERROR_HARD: i32 = 5;
    /// Failed in a way that will not change on any node.
    pub(crate) const ERROR_FATAL: i32 = 6;
    /// The agent is missing.
    pub(crate) const NOT_INSTALLED: i32 = 7;
    /// The connection is lost.
    pub(crate) const NOT_CONNECTED: i32 = 8;
    /// The greatest that is known.
    pub(crate) const GREATEST: i32 = 11;
}

/// A result as it is judged, which may differ from what was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Position in the story.
    pub(super) at: usize,
    /// Exit code.
    pub(super) rc: i32,
    /// Execution status.
    pub(super) status: i32,
    /// Expected exit code; -1 unknown.
    pub(super) expected: i32,
    /// Too old to count.
    pub(super) expired: bool,
}

/// Whether an operation says anything of a resource's state.
fn says_something(task: &str) -> bool {
    !matches!(task, "notify" | "meta-data" | "")
}

/// Whether this is a probe.
pub(super) fn is_probe(op: &OpHistory) -> bool {
    op.operation == "monitor" && op.interval_ms == 0
}

/// Whether this is a probe that failed in a way that means "cannot run here".
pub(super) fn is_masked_probe(op: &OpHistory) -> bool {
    is_probe(op)
        && (matches!(op.rc_code, rc::NOT_INSTALLED | rc::INVALID_PARAM) || op.op_status == status::NOT_INSTALLED)
}

/// Judges one operation and takes over what it says.
pub(super) fn read(cluster: &mut Cluster<'_>, story: &mut Story<'_>, at: usize) {
    let op = &story.ops[at];
    let known = (status::PENDING..=status::GREATEST).contains(&op.op_status) && op.op_status != status::CANCELLED;
    if !says_something(&op.operation) || !known {
        return;
    }
    let mut judged = Judged {
        at,
        rc: op.rc_code,
        status: op.op_status,
        expected: sort::expected_rc(op).unwrap_or(-1),
        expired: false,
    };
    judged.expired = has_expired(cluster, story, op);
    if judged.expired && judged.rc != judged.expected && op.interval_ms == 0 {
        return;
    }
    remap(cluster, story, &mut judged);
    if judged.expired && judged.rc != judged.expected {
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
        status::PENDING => outcome::pending(cluster, story, &judged),
        status::DONE => {
            let rc = judged.rc;
            outcome::success(cluster, story, &judged, rc);
        }
        status::NOT_INSTALLED => not_installed(cluster, story, &judged),
        _ => failure(cluster, story, &judged),
    }
}

/// The clone that a failure on one node concerns as a whole, or the resource itself.
fn concerned(cluster: &Cluster<'_>, rsc: RscIdx) -> RscIdx {
    if cluster.rsc[rsc].is.unique { rsc } else { cluster.top(rsc, false) }
}

fn masked_probe(cluster: &mut Cluster<'_>, story: &mut Story<'_>, judged: &Judged) {
    outcome::success(cluster, story, judged, judged.expected);
    record(cluster, story, judged.at);
    let op = &story.ops[judged.at];
    let words = op.rc_code;
    let words =
        if op.op_status == status::NOT_INSTALLED && words != rc::INVALID_PARAM { rc::NOT_INSTALLED } else { words };
    cluster.rsc[story.rsc].probe_failures.push((story.node, exit_words(words).to_owned()));
    let concerned = concerned(cluster, story.rsc);
    cluster.add_score(concerned, Some(story.node), -INFINITY);
}

/// What an exit code means, in words.
pub(crate) fn exit_words(code: i32) -> &'static str {
    match code {
        rc::OK => "OK",
        1 => "Error occurred",
        rc::INVALID_PARAM => "Invalid parameter",
        rc::UNIMPLEMENTED => "Unimplemented",
        rc::INSUFFICIENT_PRIV => "Insufficient privileges",
        rc::NOT_INSTALLED => "Not installed",
        rc::NOT_CONFIGURED => "Not configured",
        rc::NOT_RUNNING => "Not running",
        rc::PROMOTED => "Promoted",
        rc::FAILED_PROMOTED => "Failed in promoted role",
        _ => "Unknown exit status",
    }
}

fn not_installed(cluster: &mut Cluster<'_>, story: &mut Story<'_>, judged: &Judged) {
    let (on_fail, role) = failure_handling(cluster, story, judged);
    if on_fail == OnFail::Ignore {
        story.on_fail = OnFail::Ban;
    }
    let concerned = concerned(cluster, story.rsc);
    cluster.add_score(concerned, Some(story.node), -INFINITY);
    outcome::failure(cluster, story, judged, on_fail, role);
}

fn failure(cluster: &mut Cluster<'_>, story: &mut Story<'_>, judged: &Judged) {
    if judged.status == status::NOT_CONNECTED
        && let Some(connection) = cluster.nodes[story.node].connection
        && cluster.rsc[connection].is.managed
    {
        cluster.rsc[connection].is.failed = true;
        cluster.rsc[connection].is.stop_if_failed = true;
    }
    let (on_fail, role) = failure_handling(cluster, story, judged);
    let op = &story.ops[judged.at];
    if on_fail == OnFail::Ignore || (on_fail == OnFail::RestartContainer && op.operation == "stop") {
        outcome::success(cluster, story, judged, judged.expected);
        cluster.rsc[story.rsc].is.failure_ignored = true;
        record(cluster, story, judged.at);
        if on_fail == OnFail::RestartContainer && story.on_fail <= OnFail::Restart {
            story.on_fail = on_fail;
        }
        return;
    }
    outcome::failure(cluster, story, judged, on_fail, role);
    let concerned = concerned(cluster, story.rsc);
    match judged.status {
        status::ERROR_HARD => cluster.add_score(concerned, Some(story.node), -INFINITY),
        status::ERROR_FATAL => cluster.add_score(concerned, None, -INFINITY),
        _ => {}
    }
}

/// What is configured to follow from this failure, and the role afterwards.
fn failure_handling(cluster: &Cluster<'_>, story: &Story<'_>, judged: &Judged) -> (OnFail, Role) {
    let op = &story.ops[judged.at];
    let config = meta::find_operation(cluster, story.rsc, &op.operation, op.interval_ms, true);
    let values = meta::read_meta(cluster, story.rsc, &op.operation, op.interval_ms, config);
    let on_fail = meta::on_fail(cluster, story.rsc, &op.operation, op.interval_ms, &values);
    (on_fail, meta::role_after_failure(cluster, story.rsc, &op.operation, on_fail))
}

/// Notes a failed operation for people.
pub(super) fn record(cluster: &mut Cluster<'_>, story: &Story<'_>, at: usize) {
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
    cluster.failed.push(FailedOperation {
        resource: cluster.rsc[story.rsc].known_as().to_owned(),
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
fn has_expired(cluster: &mut Cluster<'_>, story: &Story<'_>, op: &OpHistory) -> bool {
    if op.op_status == status::NOT_INSTALLED {
        return false;
    }
    let (rsc, node) = (story.rsc, story.node);
    let is_last_failure = op.id.ends_with("last_failure_0");
    let mut expired = false;
    let mut unexpired_failures = 0;
    if let Some(changed) = op.last_rc_change
        && cluster.rsc[rsc].failure_expiry_ms > 0
    {
        let expiry = i64::try_from(cluster.rsc[rsc].failure_expiry_ms / 1000).unwrap_or(i64::MAX);
        expired = cluster.now >= changed.saturating_add(expiry);
        let (failures, last) = fail_count(cluster, rsc, node, Count::Effective, Some(op));
        unexpired_failures = failures;
        if failures > 0 && cluster.now < last.saturating_add(expiry) {
            cluster.recheck(last.saturating_add(expiry));
        }
        if cluster.rsc[rsc].failure_expiry_ms == 0 {
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
    let harmless = matches!(op.rc_code, rc::OK | rc::NOT_RUNNING | rc::PROMOTED | rc::DEGRADED | rc::DEGRADED_PROMOTED);
    expired && !waits && !(is_probe(op) && harmless)
}

fn clear_failures(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, reason: &str) {
    let clear = cluster.clear_fail_count(rsc, node, reason);
    if cluster.options.fencing
        && cluster.rsc[rsc].reconnect_ms != 0
        && let Some(remote) = cluster.rsc[rsc].remote_node
    {
        // Else the connection would be tried again before the node behind it was reset.
        let fencing = cluster.fence_op(remote, None, true, None, false);
        cluster.order(fencing, clear, RelationFlags::FIRST_IMPLIES_THEN);
    }
}

/// A remote connection's failed monitor counts until its node was fenced. (Its fail count is cleared all the same.)
fn waits_for_fencing(cluster: &Cluster<'_>, rsc: RscIdx, op: &OpHistory) -> bool {
    cluster.rsc[rsc].reconnect_ms != 0
        && cluster.options.fencing
        && op.interval_ms != 0
        && op.operation == "monitor"
        && cluster.rsc[rsc].remote_node.is_some_and(|remote| !cluster.nodes[remote].remote_was_fenced)
}

/// Whether a failed start or monitor ran with other parameters than are configured now.
fn params_changed(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) -> bool {
    if !matches!(op.operation.as_str(), "start" | "monitor") {
        return false;
    }
    if digests::needs_assignment(cluster, rsc) {
        cluster.deferred_failure_checks.push((rsc, node, op.clone()));
        return false;
    }
    digests::compare(cluster, rsc, node, op).changed()
}

/// Judges a result by what was expected.
fn remap(cluster: &mut Cluster<'_>, story: &mut Story<'_>, judged: &mut Judged) {
    let op = &story.ops[judged.at];
    let rsc = story.rsc;
    let probe = is_probe(op);
    judged.rc = match judged.rc {
        rc::DEGRADED => rc::OK,
        rc::DEGRADED_PROMOTED => rc::PROMOTED,
        other => other,
    };
    if judged.rc != op.rc_code && !judged.expired {
        record(cluster, story, judged.at);
    }
    if is_masked_probe(op) && !cluster.is_bundled(rsc) {
        judged.status = status::DONE;
        judged.rc = rc::NOT_RUNNING;
    }
    match judged.status {
        status::DONE | status::ERROR => {}
        10 | 11 => {
            judged.status = status::ERROR_HARD;
            return;
        }
        _ => return,
    }
    judged.status = if judged.expected < 0 {
        if judged.rc == rc::OK { status::DONE } else { status::ERROR }
    } else if judged.rc == judged.expected {
        status::DONE
    } else {
        status::ERROR
    };
    match judged.rc {
        rc::OK if probe && judged.expected == rc::NOT_RUNNING => judged.status = status::DONE,
        rc::NOT_RUNNING if probe || judged.expected == judged.rc || !cluster.rsc[rsc].is.managed => {
            judged.status = status::DONE;
            cluster.rsc[rsc].role = Role::Stopped;
            story.on_fail = OnFail::Ignore;
            cluster.rsc[rsc].next_role = Role::Unknown;
        }
        rc::PROMOTED => {
            if probe && judged.rc != judged.expected {
                judged.status = status::DONE;
            }
            if !judged.expired || judged.rc == judged.expected {
                cluster.rsc[rsc].role = Role::Promoted;
            }
        }
        rc::FAILED_PROMOTED => {
            if !judged.expired {
                cluster.rsc[rsc].role = Role::Promoted;
            }
            judged.status = status::ERROR;
        }
        rc::NOT_CONFIGURED => judged.status = status::ERROR_FATAL,
        rc::UNIMPLEMENTED if op.interval_ms > 0 => judged.status = status::NOT_SUPPORTED,
        rc::UNIMPLEMENTED | rc::NOT_INSTALLED | rc::INVALID_PARAM | rc::INSUFFICIENT_PRIV => {
            if op.operation == "stop" && !judged.expired && !cluster.can_fence(story.node) {
                cluster.rsc[rsc].is.blocked = true;
                cluster.rsc[rsc].is.failed = true;
            }
            judged.status = status::ERROR_HARD;
        }
        rc::OK | rc::NOT_RUNNING => {}
        _ => judged.status = status::ERROR,
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
        match op.operation.as_str() {
            "stop" if op.op_status == status::DONE => stop = Some(place),
            "start" | "migrate_from" => start = Some(place),
            "monitor" if by_monitor <= stop && matches!(op.rc_code, rc::OK | rc::PROMOTED) => by_monitor = Some(place),
            "promote" | "demote" => by_role = Some(place),
            _ => {}
        }
    }
    (start.or(by_role).or(by_monitor), stop)
}
