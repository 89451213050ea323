//! Whether what a waited command (`--wait`) asked for came about. That the cluster has nothing left to do does not say so.

use std::time::Duration;

use hac_api::{ErrorCode, Settled};
use hac_model::Role;
use hac_scheduler::view::{ClusterView, FailedOperation, ResourceView};

use crate::failure::Failure;
use crate::terminal;
use hac_compat::not_running;

/// What a command is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Nothing beyond the change itself: but what should run and does not, since then, is told.
    #[default]
    Change,
    /// These resources have this `target-role`.
    Role(Vec<String>, Role),
    /// The resource runs on the node.
    On(String, String),
    /// The resource does not run on the node.
    NotOn(String, String),
    /// Nothing that is managed runs on these nodes.
    Empty(Vec<String>),
    /// Constraints that a command left are gone: what follows is what was asked for.
    Cleared,
    /// This resource (`None`: no resource) fails again.
    Recovered(Option<String>),
}

/// Fails if the cluster is still at work.
pub(crate) fn settled(settled: &Settled) -> Result<(), Failure> {
    if settled.settled {
        return Ok(());
    }
    let waiting = if settled.waiting_for.is_empty() {
        String::new()
    } else {
        format!(": {}", terminal::harmless(&settled.waiting_for.join("; ")))
    };
    Err(Failure::new(ErrorCode::Timeout, format!("it is agreed, but the cluster is still at work{waiting}"))
        .with_remedy("See 'hacctl status'; wait longer with --timeout SECONDS."))
}

/// Fails, with the reason, if `goal` is not reached: how things stood `before` the command, and `after` all that followed.
pub(crate) fn judge(goal: &Goal, before: &ClusterView, after: &ClusterView) -> Result<(), Failure> {
    match goal {
        Goal::Change | Goal::Cleared => newly_down(before, after),
        Goal::Role(resources, role) => resources.iter().try_for_each(|id| has_role(after, id, *role)),
        Goal::On(id, node) if !active_on(after, id).contains(node) => {
            Err(missed(after, id, &format!("is not running on {node}")))
        }
        Goal::NotOn(id, node) if active_on(after, id).contains(node) => {
            Err(missed(after, id, &format!("is still running on {node}")))
        }
        Goal::Empty(nodes) => {
            match nodes.iter().find_map(|node| stays_on(&after.resources, node).map(|id| (id, node))) {
                Some((id, node)) => Err(missed(after, id, &format!("is still running on {node}"))),
                None => Ok(()),
            }
        }
        Goal::Recovered(id) => {
            let concerned = |failed: &&FailedOperation| {
                id.as_deref()
                    .is_none_or(|id| views(&after.resources, id).into_iter().any(|view| contains(view, failed)))
            };
            match after.failed.iter().find(concerned) {
                Some(failed) => Err(missed(after, &failed.resource, "has failed again")),
                None => Ok(()),
            }
        }
        Goal::On(..) | Goal::NotOn(..) => Ok(()),
    }
}

/// Where the cluster is still at work when a wait is over, names the work: that somebody is at it says less.
pub(crate) fn name_work(settled: &mut Settled, view: &ClusterView) {
    let pending = under_way(view);
    if !settled.settled && !pending.is_empty() {
        settled.waiting_for = pending;
    }
}

/// Operations that are under way, in words.
fn under_way(view: &ClusterView) -> Vec<String> {
    fn of(resource: &ResourceView, found: &mut Vec<String>) {
        found.extend(resource.pending.iter().map(|(task, node)| format!("{task} of {} on {node}", resource.name)));
        resource.children.iter().for_each(|child| of(child, found));
    }
    let mut found = Vec::new();
    view.resources.iter().for_each(|resource| of(resource, &mut found));
    found
}

/// What became of resources between two moments, a line each, with how long it took.
pub(crate) fn differences(before: &ClusterView, after: &ClusterView, took: Duration) -> Vec<String> {
    let place = |view: &ClusterView, name: &str| {
        let mut nodes = active_on(view, name);
        nodes.sort();
        if nodes.is_empty() { "stopped".to_owned() } else { nodes.join(" ") }
    };
    let mut names: Vec<&str> = before.resources.iter().chain(&after.resources).map(|r| r.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let seconds = took.as_secs_f64();
    names
        .into_iter()
        .map(|name| (name, place(before, name), place(after, name)))
        .filter(|(_, was, is)| was != is)
        .map(|(name, was, is)| format!("{name}: {was} -> {is} in {seconds:.2} s"))
        .collect()
}

/// A resource that should run and does not, although it did before, or that failed once more since.
fn newly_down(before: &ClusterView, after: &ClusterView) -> Result<(), Failure> {
    let (was_down, is_down) = (not_running(before), not_running(after));
    let was_blocked = blocked(&before.resources);
    let new = |failed: &&FailedOperation| !before.failed.contains(failed);
    let mut failures = after.failed.iter().filter(new);
    let failed = |id: &&String| {
        let found = views(&after.resources, id);
        failures.any(|failed| found.iter().any(|view| contains(view, failed)))
    };
    let runs_no_more = |id: &&String| !was_down.contains(id) && !views(&before.resources, id).is_empty();
    let mut gone = is_down.iter().filter(|id| runs_no_more(id));
    if let Some(id) = gone.next().or_else(|| is_down.iter().find(failed)) {
        return Err(missed(after, id, "is not running"));
    }
    match blocked(&after.resources).into_iter().find(|id| !was_blocked.contains(id)) {
        Some(id) => Err(missed(after, id, "is blocked by a failure")),
        None => Ok(()),
    }
}

fn has_role(after: &ClusterView, id: &str, role: Role) -> Result<(), Failure> {
    let found = views(&after.resources, id);
    let roles = |wanted: Role| found.iter().any(|view| view.role == wanted);
    let active = !active_on(after, id).is_empty();
    let down = not_running(after);
    let what = match role {
        Role::Stopped if active => "is still running",
        Role::Promoted if !roles(Role::Promoted) => "is not promoted",
        Role::Unpromoted if roles(Role::Promoted) => "is still promoted",
        Role::Unpromoted | Role::Started if !active || found.iter().any(|view| down.contains(&view.name)) => {
            "is not running"
        }
        _ => return Ok(()),
    };
    Err(missed(after, id, &format!("{what}, although its target-role is {role}")))
}

/// The sentence, with what failed and why.
fn missed(after: &ClusterView, id: &str, what: &str) -> Failure {
    let found = views(&after.resources, id);
    let concerned =
        |failed: &&FailedOperation| failed.resource == id || found.iter().any(|view| contains(view, failed));
    let why = after.failed.iter().filter(concerned).map(hac_pacemaker::mon::failure).collect::<Vec<_>>().join("; ");
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let id = terminal::harmless(id);
    Failure::new(ErrorCode::Invalid, format!("{id} {what}{}", terminal::harmless(&why))).with_remedy(format!(
        "'hacctl explain {id}' says what is in the way; 'hacctl resource cleanup {id}' lets the cluster try again."
    ))
}

/// Whether an operation is one of the resource's or of what is inside.
fn contains(view: &ResourceView, failed: &FailedOperation) -> bool {
    let known = [Some(&view.id), Some(&view.name), view.history_name.as_ref()];
    known.into_iter().flatten().any(|name| *name == failed.resource)
        || view.children.iter().any(|child| contains(child, failed))
}

/// A managed resource that is active on the node.
fn stays_on<'a>(tree: &'a [ResourceView], node: &str) -> Option<&'a str> {
    tree.iter().find_map(|view| {
        if !view.children.is_empty() {
            return stays_on(&view.children, node);
        }
        let on = view.nodes.iter().any(|name| name == node);
        // What a failure blocks was managed before.
        (on && (view.flags.managed || view.flags.blocked)).then_some(view.name.as_str())
    })
}

fn blocked(tree: &[ResourceView]) -> Vec<&str> {
    let mut found = Vec::new();
    for view in tree {
        if view.children.is_empty() && view.flags.blocked {
            found.push(view.name.as_str());
        }
        found.extend(blocked(&view.children));
    }
    found
}

/// The views of the resource called `id`: one, or the instances of an anonymous clone's child.
pub(super) fn views<'a>(tree: &'a [ResourceView], id: &str) -> Vec<&'a ResourceView> {
    let mut found = Vec::new();
    for view in tree {
        if view.id == id || view.name == id {
            found.push(view);
        } else {
            found.extend(views(&view.children, id));
        }
    }
    found
}

/// Names of the nodes on which `id` is active, each once.
pub(super) fn active_on(view: &ClusterView, id: &str) -> Vec<String> {
    let mut nodes: Vec<String> = Vec::new();
    let mut open = views(&view.resources, id);
    while let Some(resource) = open.pop() {
        for node in &resource.nodes {
            if !nodes.contains(node) {
                nodes.push(node.clone());
            }
        }
        open.extend(&resource.children);
    }
    nodes.sort();
    nodes
}

#[cfg(test)]
mod tests;
