//! Operations that failed.

use hac_crm::scheduler::view::{ClusterView, FailedOperation};

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

fn line(failed: &FailedOperation) -> String {
    let operation = &failed.operation;
    let task = match (operation.task.as_str(), operation.interval_ms) {
        ("monitor", 0) => "probe".to_owned(),
        (task, 0) => task.to_owned(),
        (task, interval) => format!("{}-interval {task}", span(interval)),
    };
    let reason = operation.exit_reason.as_deref().filter(|reason| !reason.is_empty());
    let what = match (not_executed(operation.status), reason) {
        (Some(why), Some(reason)) => format!("could not be executed ({why}: {reason})"),
        (Some(why), None) => format!("could not be executed ({why})"),
        (None, Some(reason)) => format!("returned '{}' ({reason})", exit_words(operation.rc)),
        (None, None) => format!("returned '{}'", exit_words(operation.rc)),
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
    match status {
        -1 => Some("Pending"),
        1 => Some("Cancelled"),
        2 => Some("Timed Out"),
        3 => Some("Not supported"),
        7 => Some("Not installed"),
        8 => Some("No executor connection"),
        9 => Some("Invalid"),
        _ => None,
    }
}

/// The meaning of an agent's exit code.
fn exit_words(code: i32) -> String {
    let words = match code {
        0 => "ok",
        1 => "error",
        2 => "invalid parameter",
        3 => "unimplemented feature",
        4 => "insufficient privileges",
        5 => "not installed",
        6 => "not configured",
        7 => "not running",
        8 => "promoted",
        9 => "promoted (failed)",
        190 => "degraded",
        191 => "promoted (degraded)",
        _ => return format!("exit status {code}"),
    };
    words.to_owned()
}
