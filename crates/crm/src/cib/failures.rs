//! Fail counts: transient node attributes `fail-count-RSC#OP_INTERVALms` and `last-failure-RSC#OP_INTERVALms`.

use hac_types::WallTime;

use super::{OpResult, history, observed};
use hac_model::{Cib, INFINITY, NodeState, OnFail, Task, parse_bool, parse_score};

/// How a failure counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// One more.
    One,
    /// Enough for ever.
    Infinite,
}

/// Counts the result if it is a failure that counts: not one of a probe, not one that is to be ignored. A failed stop
/// counts for ever, a failed start too unless `start-failure-is-fatal` is off.
pub(super) fn count(cib: &mut Cib, result: &OpResult, wall: WallTime) -> bool {
    let op = &result.op;
    if !history::is_unexpected(op) || result.on_fail == Some(OnFail::Ignore) {
        return false;
    }
    let fatal = cib.configuration.property("start-failure-is-fatal").and_then(parse_bool).unwrap_or(true);
    let weight = match (op.task(), op.interval_ms) {
        (Some(Task::Stop), _) => Weight::Infinite,
        (Some(Task::Start), _) if fatal => Weight::Infinite,
        (Some(Task::Start | Task::Promote | Task::Demote), _) => Weight::One,
        (_, 0) => return false,
        (_, _) => Weight::One,
    };
    let operation = format!("{}#{}_{}", result.resource, op.operation, op.interval_ms);
    let (count, time) = (format!("fail-count-{operation}"), format!("last-failure-{operation}"));
    let old = cib.transient(&result.node, &count).and_then(parse_score).unwrap_or(0).max(0);
    let new = match weight {
        Weight::One => old.saturating_add(1).min(INFINITY),
        Weight::Infinite => INFINITY,
    };
    let new = if new == INFINITY { "INFINITY".to_owned() } else { new.to_string() };
    let counted = observed::set_transient(cib, &result.node, &count, Some(&new));
    let dated = observed::set_transient(cib, &result.node, &time, Some(&wall.as_secs().to_string()));
    counted == Some(true) || dated == Some(true)
}

/// Forgets the fail counts of `resource` (of all if `None`) on a node, of `operation` alone if given. Returns whether
/// there were any.
pub(super) fn forget(state: &mut NodeState, resource: Option<&str>, operation: Option<(&str, u64)>) -> bool {
    let mut changed = false;
    for set in &mut state.attributes {
        let before = set.pairs.len();
        set.pairs.retain(|pair| !concerns(&pair.name, resource, operation));
        changed |= set.pairs.len() != before;
    }
    changed
}

/// Whether the node has a fail count of `resource`.
pub(super) fn any(state: &NodeState, resource: &str) -> bool {
    state.attributes.iter().flat_map(|set| &set.pairs).any(|pair| concerns(&pair.name, Some(resource), None))
}

/// Whether the attribute is a fail count, or the time of a failure, of that resource and operation.
fn concerns(name: &str, resource: Option<&str>, operation: Option<(&str, u64)>) -> bool {
    let Some(rest) = name.strip_prefix("fail-count-").or_else(|| name.strip_prefix("last-failure-")) else {
        return false;
    };
    let (of, which) = rest.split_once('#').unwrap_or((rest, ""));
    resource.is_none_or(|resource| history::belongs_to(of, resource))
        && operation.is_none_or(|(task, interval)| which == format!("{task}_{interval}"))
}

#[cfg(test)]
mod tests;
