//! Transient attributes that are more than values in the nodes' entries: private ones, and those whose changes are collected
//! for a while (dampening), so that what several nodes notice at slightly different times is decided upon once.
//!
//! What is collected here waits for [`StatusChange::WriteAttributes`](super::StatusChange::WriteAttributes), which the
//! coordinator proposes when its time has come. Whoever asks sees it before that.

use super::Changes;
use super::observed::{Wrong, set_transient_as};
use hac_model::{Cib, HeldAttribute, HeldValue, computed};

/// Most attributes of which something is held, and most values of each.
pub(super) const HELD_MAX: usize = 10_000;

/// Longest dampening: a day.
const DAMPENING_MAX_MS: u64 = 24 * 60 * 60 * 1000;

type Done = Result<bool, Wrong>;

/// What an attribute becomes that is new.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) private: bool,
    pub(super) dampening_ms: u64,
    /// A capacity of the node.
    pub(super) utilization: bool,
}

/// Sets or removes a value; `kind` is what the attribute becomes if it is new.
pub(super) fn set(
    cib: &mut Cib,
    (node, name): (&str, &str),
    value: Option<&str>,
    Kind { private, dampening_ms, utilization }: Kind,
    changes: &mut Changes,
) -> Done {
    let Some(id) = cib.node_id(node) else { return Err(Wrong::UnknownNode(node.to_owned())) };
    let state = cib.status.nodes.iter().find(|state| state.id == id);
    let mut sets = state.into_iter().flat_map(|state| state.attributes.iter().chain(&state.utilization));
    let old = sets.find_map(|set| set.get(name)).map(str::to_owned);
    let is_new = cib.status.held(name).is_none() && !has(cib, name);
    if is_new && value.is_some() && (private || dampening_ms > 0) {
        if cib.status.held.len() >= HELD_MAX {
            return Err(Wrong::TooMany);
        }
        let dampening_ms = if private { 0 } else { dampening_ms.min(DAMPENING_MAX_MS) };
        let utilization = utilization && !private;
        let held = HeldAttribute { name: name.to_owned(), private, dampening_ms, utilization, values: Vec::new() };
        cib.status.held.push(held);
    }
    let at_once = |cib: &mut Cib| {
        let done = set_transient_as(cib, (node, name), value, utilization);
        done.ok_or_else(|| Wrong::UnknownNode(node.to_owned()))
    };
    let Some(held) = cib.status.held.iter_mut().find(|held| held.name == name) else { return at_once(cib) };
    if !held.private && held.dampening_ms == 0 {
        return at_once(cib);
    }
    let before = held.of(node).map_or(if held.private { None } else { old }, |waiting| waiting.value.clone());
    let value = value.map(|value| computed(before.as_deref(), value));
    if before == value {
        return Ok(false);
    }
    let entry = HeldValue { node: node.to_owned(), value };
    let count = held.values.len();
    match held.values.iter_mut().find(|value| value.node == node) {
        Some(there) => *there = entry,
        None if count >= HELD_MAX => return Err(Wrong::TooMany),
        None => held.values.push(entry),
    }
    if held.private {
        held.values.retain(|value| value.value.is_some());
        tidy(cib);
    }
    changes.held = true;
    Ok(true)
}

/// Changes the dampening of an attribute that some node has. What waits counts at once if there is none any more.
pub(super) fn set_dampening(cib: &mut Cib, name: &str, dampening_ms: u64, changes: &mut Changes) -> Done {
    let dampening_ms = dampening_ms.min(DAMPENING_MAX_MS);
    let (is_used, count) = (has(cib, name), cib.status.held.len());
    match cib.status.held.iter_mut().find(|held| held.name == name) {
        // Nothing is decided by what is private.
        Some(held) if held.private || held.dampening_ms == dampening_ms => return Ok(false),
        Some(held) => held.dampening_ms = dampening_ms,
        None if !is_used => return Err(Wrong::UnknownAttribute(name.to_owned())),
        None if dampening_ms == 0 => return Ok(false),
        None if count >= HELD_MAX => return Err(Wrong::TooMany),
        None => cib.status.held.push(HeldAttribute { name: name.to_owned(), dampening_ms, ..HeldAttribute::default() }),
    }
    // Without dampening what waits counts at once.
    changes.held = dampening_ms > 0 || !write(cib, Some(name));
    Ok(true)
}

/// Lets count what was collected. Whether anything was collected.
pub(super) fn write(cib: &mut Cib, name: Option<&str>) -> bool {
    let due = |held: &&mut HeldAttribute| held.waits() && name.is_none_or(|name| held.name == name);
    let collected: Vec<((String, bool), Vec<HeldValue>)> = cib
        .status
        .held
        .iter_mut()
        .filter(due)
        .map(|held| ((held.name.clone(), held.utilization), std::mem::take(&mut held.values)))
        .collect();
    for ((name, utilization), values) in &collected {
        for HeldValue { node, value } in values {
            // A node that is not configured any more has no attributes.
            let _ = set_transient_as(cib, (node.as_str(), name.as_str()), value.as_deref(), *utilization);
        }
    }
    tidy(cib);
    !collected.is_empty()
}

/// What counts at once is not overtaken by what was collected before.
pub(super) fn overtake(cib: &mut Cib, node: &str, name: &str) -> bool {
    let Some(held) = cib.status.held.iter_mut().find(|held| held.name == name && !held.private) else { return false };
    let before = held.values.len();
    held.values.retain(|value| value.node != node);
    held.values.len() != before
}

/// A node is gone, and all that it had with it.
pub(super) fn lose(cib: &mut Cib, node: &str) -> bool {
    let mut changed = false;
    for held in &mut cib.status.held {
        let before = held.values.len();
        held.values.retain(|value| value.node != node);
        changed |= held.values.len() != before;
    }
    tidy(cib);
    let known = cib.status.readiness.len();
    cib.status.readiness.retain(|of| of.node != node);
    changed || cib.status.readiness.len() != known
}

/// Forgets attributes that nobody has any more, and those that are like all others.
fn tidy(cib: &mut Cib) {
    let mut held = std::mem::take(&mut cib.status.held);
    held.retain(|held| !held.values.is_empty() || (held.dampening_ms > 0 && has(cib, &held.name)));
    cib.status.held = held;
}

/// Whether some node has the attribute.
fn has(cib: &Cib, name: &str) -> bool {
    let sets = cib.status.nodes.iter().flat_map(|state| state.attributes.iter().chain(&state.utilization));
    sets.into_iter().any(|set| set.get(name).is_some())
}

#[cfg(test)]
mod tests;
