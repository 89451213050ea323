//! Live migrations in histories: done, half done, or failed.
//!
//! A migration is a `migrate_to` on the source, then a `migrate_from` on the target, then a stop on the source. Either
//! node's history may have been cleared in between.

use std::cmp::Ordering;

use crate::action::Task;
use crate::ids::NodeIdx;
use crate::reading::Reading;
use hac_model::Role;
use hac_model::{ExecStatus, OcfCode, OpHistory};

use super::history::{Story, add_active};
use super::sort::compare;

/// Operations of a resource that a node's history has, by the name the resource has there.
fn ops<'c>(reading: &'c Reading<'_>, story: &Story<'_>, node: &str) -> Vec<&'c OpHistory> {
    let id = reading.rsc[story.rsc].known_as();
    let Some(node) = reading.find_node(node) else { return Vec::new() };
    let Some(state) = reading.nodes[node].state else { return Vec::new() };
    let entries = reading.cib.status.nodes[state].resources.iter().filter(|entry| entry.id == id);
    entries.flat_map(|entry| &entry.ops).collect()
}

/// The `task` between these two nodes; with `done` only if it succeeded.
fn find_op(
    reading: &Reading<'_>,
    story: &Story<'_>,
    task: Task,
    node: &str,
    other: &str,
    done: bool,
) -> Option<OpHistory> {
    let matches = |op: &&&OpHistory| {
        let partner = if task == Task::MigrateTo { &op.migrate_target } else { &op.migrate_source };
        op.task() == Some(task) && partner.as_deref() == Some(other)
    };
    let op = ops(reading, story, node).iter().find(matches).map(|op| (*op).clone())?;
    (!done || (op.rc_code == OcfCode::OK && op.ended(ExecStatus::Done))).then_some(op)
}

/// Whether the node's history has anything but monitors that is newer than `op`.
fn acted_after(reading: &Reading<'_>, story: &Story<'_>, node: &str, op: &OpHistory, same_node: bool) -> bool {
    ops(reading, story, node).iter().any(|other| {
        other.task().is_some_and(Task::changes_state) && compare(other, op, same_node) == Ordering::Greater
    })
}

/// Whether the node's history has a monitor newer than `op` that did not find it running.
fn gone_after(reading: &Reading<'_>, story: &Story<'_>, node: &str, op: &OpHistory, same_node: bool) -> bool {
    ops(reading, story, node).iter().any(|other| {
        other.task() == Some(Task::Monitor)
            && other.rc_code == OcfCode::NOT_RUNNING
            && other.ended(ExecStatus::Done)
            && compare(other, op, same_node) == Ordering::Greater
    })
}

/// Whether a node knows better than a migration's events.
fn newer_state(
    reading: &Reading<'_>,
    story: &Story<'_>,
    node: &str,
    migrate_to: Option<&OpHistory>,
    migrate_from: Option<&OpHistory>,
) -> bool {
    let Some(op) = migrate_from.or(migrate_to) else { return false };
    let is = |name: &Option<String>| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(node));
    let (op, same_node) = if is(&op.migrate_target) {
        match migrate_from {
            Some(from) => (from, true),
            None => (op, false),
        }
    } else if is(&op.migrate_source) {
        match migrate_to {
            Some(to) => (to, true),
            None => (op, false),
        }
    } else {
        (op, false)
    };
    acted_after(reading, story, node, op, same_node) || gone_after(reading, story, node, op, same_node)
}

/// Whether a node's history says nothing of the resource.
fn unknown_on(reading: &Reading<'_>, story: &Story<'_>, node: &str) -> bool {
    ops(reading, story, node).iter().all(|op| op.rc_code == OcfCode::UNKNOWN)
}

/// Names of source and target; `None` if the entry does not say or is not about this node.
fn ends(reading: &Reading<'_>, story: &Story<'_>, at: usize, here_is_source: bool) -> Option<(String, String)> {
    let op = &story.ops[at];
    let (source, target) = (op.migrate_source.clone()?, op.migrate_target.clone()?);
    let here = if here_is_source { &source } else { &target };
    reading.nodes[story.node].name.eq_ignore_ascii_case(here).then_some((source, target))
}

fn online(reading: &Reading<'_>, name: &str) -> Option<NodeIdx> {
    reading.find_node(name).filter(|node| reading.nodes[*node].online)
}

fn fail(reading: &mut Reading<'_>, story: &Story<'_>) {
    let is = &mut reading.rsc[story.rsc].is;
    is.failed = true;
    is.stop_if_failed = true;
    is.migratable = false;
}

/// A `migrate_to` that succeeded.
pub(super) fn succeeded(reading: &mut Reading<'_>, story: &Story<'_>, at: usize) {
    let Some((source, target)) = ends(reading, story, at, true) else { return };
    let op = &story.ops[at];
    let rsc = story.rsc;
    let source_acted = acted_after(reading, story, &source, op, true);
    let migrate_from = find_op(reading, story, Task::MigrateFrom, &target, &source, false);
    if migrate_from.is_some() && source_acted {
        return;
    }
    let target_knows = newer_state(reading, story, &target, Some(op), migrate_from.as_ref());
    let source_knows = newer_state(reading, story, &source, Some(op), migrate_from.as_ref());
    if source_knows && target_knows {
        return;
    }
    if let Some(from) = &migrate_from
        && from.rc_code == OcfCode::OK
        && from.ended(ExecStatus::Done)
    {
        reading.rsc[rsc].role = Role::Stopped;
        reading.rsc[rsc].facts.write().dangling.push(story.node);
        return;
    }
    reading.rsc[rsc].role = Role::Started;
    let target_node = online(reading, &target);
    let active_on_target = target_node.filter(|_| !target_knows);
    if migrate_from.as_ref().is_some_and(|from| !from.is_pending()) {
        match active_on_target {
            Some(node) => add_active(reading, rsc, node, true),
            None => fail(reading, story),
        }
        return;
    }
    if target_node.is_some() && unknown_on(reading, story, &target) {
        return;
    }
    if let Some(node) = active_on_target {
        add_active(reading, rsc, node, false);
        if let Some(from) = online(reading, &source) {
            reading.rsc[rsc].migration = Some((from, node));
        }
    } else if !source_knows {
        fail(reading, story);
    }
}

/// A `migrate_to` that failed: it is taken to be active on both sides unless something says otherwise.
pub(super) fn migrate_to_failed(reading: &mut Reading<'_>, story: &Story<'_>, at: usize) {
    let Some((source, target)) = ends(reading, story, at, true) else { return };
    let op = &story.ops[at];
    reading.rsc[story.rsc].role = Role::Started;
    let migrate_from = find_op(reading, story, Task::MigrateFrom, &target, &source, true);
    if !unknown_on(reading, story, &target) && !newer_state(reading, story, &target, Some(op), migrate_from.as_ref()) {
        if let Some(node) = online(reading, &target) {
            add_active(reading, story.rsc, node, false);
        }
    } else if !acted_after(reading, story, &source, op, true) {
        reading.rsc[story.rsc].facts.write().dangling.push(story.node);
    }
}

/// A `migrate_from` that failed: it may still be active on the source, if anything is known of it there.
pub(super) fn migrate_from_failed(reading: &mut Reading<'_>, story: &Story<'_>, at: usize) {
    let Some((source, target)) = ends(reading, story, at, false) else { return };
    let op = &story.ops[at];
    reading.rsc[story.rsc].role = Role::Started;
    let migrate_to = find_op(reading, story, Task::MigrateTo, &source, &target, true);
    if !unknown_on(reading, story, &source)
        && !newer_state(reading, story, &source, migrate_to.as_ref(), Some(op))
        && let Some(node) = online(reading, &source)
    {
        add_active(reading, story.rsc, node, true);
    }
}
