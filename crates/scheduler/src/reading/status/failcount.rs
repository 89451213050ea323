//! Fail counts, as node attributes `fail-count-RSC#OP_INTERVAL`, and when they expire.

use crate::ids::{NodeIdx, RscIdx};
use crate::known::Known;
use crate::names::base_name;
use crate::options::lenient_score;
use crate::score;
use hac_model::{INFINITY, OpHistory};

/// Which failures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// All.
    All,
    /// Those that did not expire.
    Effective,
    /// Those that did not expire, and those of what a container contains.
    WithLaunched,
}

/// Number of failures of a resource on a node, and when the last one was (seconds since 1970, 0 unknown).
pub(crate) fn fail_count(
    known: &Known<'_>,
    rsc: RscIdx,
    node: NodeIdx,
    which: Count,
    op: Option<&OpHistory>,
) -> (i32, i64) {
    let (mut failures, mut last) = recorded(known, rsc, node);
    if failures > 0
        && which != Count::All
        && known.rsc[rsc].failure_expiry_ms.get() > 0
        && is_blocked_by_failure(known, rsc, node, op)
    {
        known.rsc[rsc].failure_expiry_ms.set(0);
    }
    let expiry = i64::try_from(known.rsc[rsc].failure_expiry_ms.get() / 1000).unwrap_or(i64::MAX);
    if failures > 0 && which != Count::All && last > 0 && known.rsc[rsc].failure_expiry_ms.get() > 0 {
        let end = last.saturating_add(expiry);
        if known.now > end {
            failures = 0;
        } else {
            known.recheck(end.saturating_add(1));
        }
    }
    if which == Count::WithLaunched && !known.is_bundled(rsc) {
        for launched in known.rsc[rsc].launched.clone() {
            let (more, when) = fail_count(known, launched, node, Count::Effective, None);
            failures = score::add(failures, more);
            last = last.max(when);
        }
    }
    (failures, last)
}

/// The sum of what is recorded for all operations.
pub(crate) fn recorded(known: &Known<'_>, rsc: RscIdx, node: NodeIdx) -> (i32, i64) {
    let resource = &known.rsc[rsc];
    let name = resource.known_as();
    let unique = resource.is.unique;
    let name = if unique { name } else { base_name(name) };
    let (mut failures, mut last) = (0, 0);
    // Attributes are sorted, so those of one resource lie together.
    for (attribute, value) in from(&known.nodes[node].attributes, "fail-count-") {
        if concerns(attribute, name, unique) {
            failures = score::add(failures, lenient_score(value));
        }
    }
    if failures != 0 {
        for (attribute, value) in from(&known.nodes[node].attributes, "last-failure-") {
            if concerns(attribute, name, unique) {
                last = last.max(value.trim().parse().unwrap_or(0));
            }
        }
    }
    (failures.min(INFINITY), last)
}

/// Attributes whose names begin with `prefix`, names without it.
fn from<'m>(
    attributes: &'m std::collections::BTreeMap<String, String>,
    prefix: &'static str,
) -> impl Iterator<Item = (&'m str, &'m str)> {
    attributes
        .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded))
        .map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
}

/// Whether `RSC#OP_INTERVAL` (or, in old status sections, `RSC`) is about the resource `name`.
fn concerns(attribute: &str, name: &str, unique: bool) -> bool {
    let Some(rest) = attribute.strip_prefix(name) else { return false };
    let rest = if unique { rest } else { without_instance(rest) };
    rest.is_empty()
        || rest.strip_prefix('#').and_then(|op| op.rsplit_once('_')).is_some_and(|(op, interval)| {
            !op.is_empty() && !interval.is_empty() && interval.bytes().all(|b| b.is_ascii_digit())
        })
}

fn without_instance(rest: &str) -> &str {
    match rest.strip_prefix(':') {
        Some(number) => {
            let end = number.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(number.len());
            if end == 0 { rest } else { &number[end..] }
        }
        None => rest,
    }
}

/// Whether an operation failed for which `on-fail=block` is configured: such failures do not expire.
fn is_blocked_by_failure(known: &Known<'_>, rsc: RscIdx, node: NodeIdx, op: Option<&OpHistory>) -> bool {
    let resource = &known.rsc[rsc];
    let name = base_name(&resource.id);
    let blocking = resource
        .blocks
        .operations
        .iter()
        .filter(|operation| operation.options.get("on-fail").is_some_and(|text| text == "block"));
    for operation in blocking {
        let interval_ms = crate::configured::interval_of(operation);
        let matches = |op: &OpHistory| {
            op.operation == operation.name
                && op.interval_ms == interval_ms
                && (op.id == format!("{name}_last_failure_0")
                    || (op.id == format!("{name}_{}_{interval_ms}", operation.name)
                        && op.expected_rc() != Some(op.rc_code)))
        };
        let blocked = match op {
            Some(op) => matches(op),
            None => known.history(rsc, node).iter().any(|entry| entry.ops.iter().any(matches)),
        };
        if blocked {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_name_resource_operation_and_interval() {
        assert!(concerns("rsc#monitor_10000", "rsc", true));
        assert!(concerns("rsc:3#start_0", "rsc", false));
        assert!(!concerns("rsc:3#start_0", "rsc", true));
        assert!(!concerns("rsc2#start_0", "rsc", true));
        assert!(concerns("rsc", "rsc", true));
    }
}
