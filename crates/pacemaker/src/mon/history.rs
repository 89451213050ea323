//! Operations and fail counts, node by node.

use hac_model::{INFINITY, OcfCode, Task};
use hac_scheduler::view::{ClusterView, OperationView, ResourceKind, ResourceView};

use super::{Options, date};
use crate::text::Lines;

/// Prints the section that `options` ask for: operations (with fail counts if those are asked for too), or only what
/// failed.
pub(super) fn section(lines: &mut Lines, view: &ClusterView, options: &Options) {
    if !options.operations && !options.failcounts && !options.timing {
        return;
    }
    let mut primitives = Vec::new();
    view.resources.iter().for_each(|resource| collect(resource, &mut primitives));
    lines.plain("");
    lines.plain(if options.operations || options.timing { "Operations:" } else { "Migration Summary:" });
    for node in &view.nodes {
        let mut inside = Lines::default();
        for (index, primitive) in primitives.iter().enumerate() {
            // Instances of a clone have one name, and count together.
            let of_name = |other: &&&ResourceView| other.name == primitive.name;
            if primitives.iter().take(index).any(|other| of_name(&other)) {
                continue;
            }
            let instances: Vec<_> = primitives.iter().filter(of_name).copied().collect();
            resource(&mut inside, &instances, &node.name, options);
        }
        if !inside.is_empty() {
            lines.item(1, &format!("Node: {}:", node.name));
            lines.append(&inside);
        }
    }
}

fn collect<'a>(resource: &'a ResourceView, found: &mut Vec<&'a ResourceView>) {
    if matches!(resource.kind, ResourceKind::Primitive { .. }) {
        found.push(resource);
    }
    resource.children.iter().for_each(|child| collect(child, found));
    if let ResourceKind::Bundle { replicas, .. } = &resource.kind {
        for replica in replicas {
            let parts =
                [replica.ip.as_ref(), replica.child.as_ref(), Some(&replica.container), replica.remote.as_ref()];
            parts.into_iter().flatten().for_each(|part| collect(part, found));
        }
    }
}

/// What one resource, which may have several instances, did on one node.
fn resource(lines: &mut Lines, instances: &[&ResourceView], node: &str, options: &Options) {
    let Some(first) = instances.first() else { return };
    let all = || instances.iter().copied();
    let failures = all().flat_map(|one| &one.fail_counts).find(|(on, count, _)| on == node && *count > 0);
    let mut operations: Vec<&OperationView> =
        all().flat_map(|one| &one.operations).filter(|op| op.node == node).collect();
    operations.retain(|op| !(is_probe(op) && op.rc == OcfCode::NOT_RUNNING));
    operations.sort_by_key(|op| op.call_id);
    operations.dedup_by_key(|op| (op.call_id, op.task.as_str(), op.interval_ms));
    if !options.operations && !options.timing {
        operations.clear();
    }
    let counted = if options.failcounts { failures } else { None };
    if operations.is_empty() && counted.is_none() {
        return;
    }
    let threshold = first.migration_threshold.unwrap_or(INFINITY);
    let mut title = format!("{}: migration-threshold={threshold}", first.name);
    if let Some((_, count, last)) = counted {
        title.push_str(&format!(" fail-count={count}"));
        if let Some(last) = last {
            title.push_str(&format!(" last-failure='{}'", date(*last)));
        }
    }
    if options.operations || options.timing {
        title.push(':');
    }
    lines.item(2, &title);
    for op in operations {
        let text = match op.interval_ms {
            0 if is_probe(op) => format!("({}) probe", op.call_id),
            0 => format!("({}) {}", op.call_id, op.task),
            interval => format!("({}) {}: interval=\"{interval}ms\"", op.call_id, op.task),
        };
        let text = if options.timing { text + &timing(op) } else { text };
        lines.item(3, &text);
    }
}

/// When it ran, how long it took, how it ended.
fn timing(op: &OperationView) -> String {
    let mut text = String::new();
    if let Some(when) = op.last_rc_change {
        text.push_str(&format!(" last-rc-change=\"{}\"", date(when)));
    }
    for (name, value) in [("exec-time", op.exec_time_ms), ("queue-time", op.queue_time_ms)] {
        if let Some(value) = value {
            text.push_str(&format!(" {name}=\"{value}ms\""));
        }
    }
    let rc = op.rc.name().unwrap_or("unknown");
    let colon = if op.interval_ms == 0 { ":" } else { "" };
    format!("{colon}{text} rc={} ({rc})", op.rc)
}

fn is_probe(op: &OperationView) -> bool {
    op.task == Task::Monitor.name() && op.interval_ms == 0
}
