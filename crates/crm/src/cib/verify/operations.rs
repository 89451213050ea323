//! Configured operations.

use std::collections::BTreeSet;

use super::super::tree::{self, Kind as Item};
use super::Findings;
use super::values::{Kind, check_option};
use hac_model::{Configuration, Operation, Primitive, parse_duration_ms};

/// Options of operations.
pub(super) const OPTIONS: &[(&str, Kind)] = &[
    ("enabled", Kind::Bool),
    ("interval", Kind::Time),
    (
        "on-fail",
        Kind::OneOf(&["ignore", "block", "demote", "stop", "restart", "standby", "fence", "restart-container"]),
    ),
    ("record-pending", Kind::Bool),
    ("requires", Kind::OneOf(&["nothing", "quorum", "fencing", "unfencing"])),
    ("role", Kind::Role),
    ("start-delay", Kind::Time),
    ("timeout", Kind::Timeout),
];

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    for item in tree::walk(&configuration.resources) {
        if let Item::Primitive(primitive) | Item::Template(primitive) = item.kind {
            check_primitive(primitive, findings);
        }
    }
}

fn check_primitive(primitive: &Primitive, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for operation in primitive.operations.iter().filter(|operation| operation.id_ref.is_none()) {
        check_options(&primitive.id, operation, findings);
        let interval = parse_duration_ms(&operation.interval).unwrap_or(0);
        if !seen.insert((operation.name.as_str(), interval)) {
            let (name, written) = (&operation.name, &operation.interval);
            findings.error(
                &primitive.id,
                format!("{} already has a {name} op with interval {written}", primitive.id),
                "give each an interval of its own, 10s and 11s for two roles",
            );
        }
        if interval == 0 && operation.name == "monitor" {
            findings.warning(
                &primitive.id,
                "its monitor has no interval, so that nobody looks whether it still runs",
                "write how often, such as interval=10s",
            );
        }
        if interval > 0 && matches!(operation.name.as_str(), "start" | "stop" | "promote" | "demote") {
            findings.error(
                &primitive.id,
                format!("{} is done once, it has no interval", operation.name),
                "leave interval out",
            );
        }
    }
}

fn check_options(subject: &str, operation: &Operation, findings: &mut Findings) {
    if operation.name.is_empty() {
        findings.error(subject, "an operation has no name", "say which: start, stop, monitor ...");
    }
    if !operation.interval.is_empty() {
        check_option(subject, "interval", &operation.interval, OPTIONS, findings);
    }
    for (name, value) in &operation.options {
        check_option(subject, name, value, OPTIONS, findings);
    }
    let pairs = operation.meta.iter().flat_map(|set| &set.pairs);
    for (name, value) in pairs.filter_map(|pair| Some((&pair.name, pair.value.as_ref()?))) {
        check_option(subject, name, value, OPTIONS, findings);
    }
    let on_fail = operation.options.get("on-fail").map(String::as_str);
    if operation.name == "stop" && matches!(on_fail, Some("demote" | "standby" | "stop" | "restart")) {
        let on_fail = on_fail.unwrap_or_default();
        findings.error(subject, format!("a stop cannot have on-fail={on_fail}"), "use ignore, block or fence");
    }
}
