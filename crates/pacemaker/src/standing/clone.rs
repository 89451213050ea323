//! Clones: instances that need a line of their own, and lists of nodes for the others.

use hac_scheduler::view::{ResourceView, Role};

use super::Show;
use super::resources::{is_active, is_disabled, parenthesised, resource, unmanaged_flag};
use crate::text::Lines;

/// A clone and what its kind says.
pub(super) struct Clone<'a> {
    /// It.
    pub(super) resource: &'a ResourceView,
    /// Id of what is copied.
    pub(super) child: &'a str,
    /// How many instances there may be.
    pub(super) clone_max: usize,
    /// Nodes that the `Stopped` list may name.
    pub(super) allowed: &'a [String],
}

/// Prints a clone.
pub(super) fn clone(lines: &mut Lines, depth: usize, clone: &Clone<'_>, show: Show<'_>) {
    let this = clone.resource;
    let mut flags = Vec::new();
    if this.flags.promotable {
        flags.push("promotable");
    }
    if this.flags.unique {
        flags.push("unique");
    }
    if is_disabled(this) {
        flags.push("disabled");
    }
    flags.extend(unmanaged_flag(this));
    lines.item(depth, &format!("Clone Set: {} [{}]{}:", this.id, clone.child, parenthesised(&flags)));

    let mut promoted = Vec::new();
    let mut started = Vec::new();
    for instance in &this.children {
        if this.flags.unique {
            if show.inactive || is_active(instance, show.view) {
                resource(lines, depth + 1, instance, show);
            }
            continue;
        }
        if !is_active(instance, show.view) && !is_pending(instance, show) {
            continue;
        }
        match summed_up(instance, show) {
            Some((node, Role::Promoted)) => promoted.push(node),
            Some((node, _)) => started.push(node),
            None => resource(lines, depth + 1, instance, show),
        }
    }
    if this.flags.unique {
        return;
    }
    node_lists(lines, depth + 1, clone, [promoted, started], show);
}

/// The node and role of an instance that is as it should be; `None` if it needs a line of its own.
fn summed_up<'a>(instance: &'a ResourceView, show: Show<'_>) -> Option<(&'a str, Role)> {
    if !all_parts(instance, &|part| {
        part.flags.managed
            && !part.flags.failed
            && !part.flags.removed
            && !part.flags.blocked
            && !is_pending(part, show)
    }) || !instance.flags.fully_active
    {
        return None;
    }
    let node = instance.nodes.first().or_else(|| instance.children.iter().find_map(|c| c.nodes.first()))?;
    if show.view.nodes.iter().any(|n| n.name == *node && n.unclean && !n.online) {
        return None;
    }
    Some((node, instance.role))
}

pub(super) fn is_pending(resource: &ResourceView, show: Show<'_>) -> bool {
    show.pending && resource.pending.as_ref().is_some_and(|(task, _)| task != "probe")
        || resource.children.iter().any(|child| is_pending(child, show))
}

fn all_parts(resource: &ResourceView, holds: &impl Fn(&ResourceView) -> bool) -> bool {
    if resource.children.is_empty() { holds(resource) } else { resource.children.iter().all(|c| all_parts(c, holds)) }
}

fn node_lists(lines: &mut Lines, depth: usize, clone: &Clone<'_>, [promoted, started]: [Vec<&str>; 2], show: Show<'_>) {
    let this = clone.resource;
    let listed = promoted.len() + started.len();
    list(lines, depth, "Promoted", promoted, show);
    let title = match this.flags.promotable {
        true if is_held_down(this) => "Unpromoted (target-role)",
        true => "Unpromoted",
        false => "Started",
    };
    list(lines, depth, title, started, show);
    if !show.inactive || listed >= clone.clone_max {
        return;
    }
    let mut stopped: Vec<(String, Vec<&str>)> = Vec::new();
    let disabled = |r: &ResourceView| r.target_role == Some(Role::Stopped);
    let plain = if disabled(this) || this.children.iter().any(disabled) { "Stopped (disabled)" } else { "Stopped" };
    for node in clone.allowed {
        if is_active_on(this, node) {
            continue;
        }
        let failure = if show.is_online(node) { probe_failure(this, node) } else { None };
        let title = match failure {
            Some(words) => format!("Stopped ({words})"),
            None => plain.to_owned(),
        };
        match stopped.iter_mut().find(|(t, _)| *t == title) {
            Some((_, nodes)) => nodes.push(node),
            None => stopped.push((title, vec![node])),
        }
    }
    stopped.sort();
    for (title, nodes) in stopped {
        list(lines, depth, &title, nodes, show);
    }
}

/// Whether the clone, or something it consists of, is not to be promoted.
fn is_held_down(resource: &ResourceView) -> bool {
    resource.target_role == Some(Role::Unpromoted) || resource.children.iter().any(is_held_down)
}

fn is_active_on(resource: &ResourceView, node: &str) -> bool {
    resource.nodes.iter().any(|n| n == node) || resource.children.iter().any(|child| is_active_on(child, node))
}

/// Why an instance cannot run on a node, in words. A cloned group's members may each have their own reason: none is told.
fn probe_failure<'a>(clone: &'a ResourceView, node: &str) -> Option<&'a str> {
    let instances = clone.children.iter().filter(|instance| instance.children.is_empty());
    let mut failures = instances.flat_map(|instance| &instance.probe_failures);
    failures.find(|(n, _)| n == node).map(|(_, words)| words.as_str())
}

/// Prints names in the order of nodes.
fn list(lines: &mut Lines, depth: usize, title: &str, mut names: Vec<&str>, show: Show<'_>) {
    if names.is_empty() {
        return;
    }
    names.sort_by_key(|name| show.view.nodes.iter().position(|n| n.name == *name));
    lines.item(depth, &format!("{title}: [ {} ]", names.join(" ")));
}
