//! Operations that failed.

use hac_model::{ExecStatus, Task};
use hac_scheduler::view::{ClusterView, FailedOperation};

use super::{date, span};
use crate::text::Lines;

/// Prints the section if there is anything in it. What failed on a node that is gone is history.
pub(super) fn section(lines: &mut Lines, view: &ClusterView) {
    let is_up = |name: &str| view.nodes.iter().any(|node| node.name == name && node.online);
    let failed: Vec<&FailedOperation> = view.failed.iter().filter(|failed| is_up(&failed.operation.node)).collect();
    if failed.is_empty() {
        return;
    }
    lines.plain("");
    lines.plain("Failed Resource Actions:");
    for failed in failed {
        lines.item(1, &line(failed));
    }
}

/// One failed operation in words.
pub(super) fn line(failed: &FailedOperation) -> String {
    let operation = &failed.operation;
    let task = match (operation.task.as_str(), operation.interval_ms) {
        (task, 0) if task == Task::Monitor.name() => "probe".to_owned(),
        (task, 0) => task.to_owned(),
        (task, interval) => format!("{}-interval {task}", span(interval)),
    };
    let reason = operation.exit_reason.as_deref().filter(|reason| !reason.is_empty());
    let rc = operation.rc.name().map_or_else(|| format!("exit status {}", operation.rc), str::to_owned);
    let what = match (not_executed(operation.status), reason) {
        (Some(why), Some(reason)) => format!("could not be executed ({why}: {reason})"),
        (Some(why), None) => format!("could not be executed ({why})"),
        (None, Some(reason)) => format!("returned '{}' ({reason})", rc),
        (None, None) => format!("returned '{}'", rc),
    };
    let mut line = format!("{} {task} on {} {what}", failed.resource, operation.node);
    if let Some(when) = operation.last_rc_change {
        line.push_str(&format!(" at {}", date(when)));
    }
    if let Some(took) = operation.exec_time_ms.filter(|&ms| ms > 0) {
        line.push_str(&format!(" after {}", span(took)));
    }
    line
}

/// Why an operation gave no exit code of its own; `None` if it did.
fn not_executed(status: i32) -> Option<&'static str> {
    match ExecStatus::from_code(status)? {
        ExecStatus::Pending => Some("Pending"),
        ExecStatus::Cancelled => Some("Cancelled"),
        ExecStatus::Timeout => Some("Timed Out"),
        ExecStatus::NotSupported => Some("Not supported"),
        ExecStatus::NotInstalled => Some("Not installed"),
        ExecStatus::NotConnected => Some("No executor connection"),
        ExecStatus::Invalid => Some("Invalid"),
        ExecStatus::Done
        | ExecStatus::Error
        | ExecStatus::HardError
        | ExecStatus::FatalError
        | ExecStatus::NoFenceDevice
        | ExecStatus::NoSecrets => None,
    }
}
