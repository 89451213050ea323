//! The names that one instance of a clone goes by.
//!
//! `Nginx:1` is the scheduler's own id. Histories know it as `Nginx` or, where an old one bears a number, `Nginx:0`;
//! graph and report use that name where there is one.

use std::collections::{BTreeMap, BTreeSet};

use hac_model::Agent;
use hac_scheduler::plan::{Action, ActionKind};
use hac_scheduler::view::{ClusterView, ResourceKind, ResourceView};

/// Names of all resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// All ids, and all names in histories.
    known: BTreeSet<String>,
    /// Name in histories by own id, where it differs.
    histories: BTreeMap<String, String>,
    /// Agents by own id.
    agents: BTreeMap<String, Agent>,
    /// Own ids of instances that are told apart by number.
    unique: BTreeSet<String>,
    /// Names of containers by name of guest node.
    containers: BTreeMap<String, String>,
}

/// An id without its instance number.
pub(super) fn without_number(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, digits))
            if !base.is_empty() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            base
        }
        _ => id,
    }
}

impl Names {
    /// Collects the names in `view`.
    pub(super) fn of(view: &ClusterView) -> Self {
        let mut names = Self::default();
        for resource in &view.resources {
            names.add(resource);
        }
        for node in &view.nodes {
            if let Some(container) = &node.container {
                names.containers.insert(node.name.clone(), container.clone());
            }
        }
        names
    }

    fn add(&mut self, resource: &ResourceView) {
        self.known.insert(resource.id.clone());
        if let Some(history) = &resource.history_name {
            self.known.insert(history.clone());
            if *history != resource.id {
                self.histories.insert(resource.id.clone(), history.clone());
            }
        }
        if let ResourceKind::Primitive { agent } = &resource.kind {
            self.agents.insert(resource.id.clone(), agent.clone());
            if resource.flags.unique {
                self.unique.insert(resource.id.clone());
            }
        }
        for child in &resource.children {
            self.add(child);
        }
        if let ResourceKind::Bundle { replicas, .. } = &resource.kind {
            for replica in replicas {
                let parts =
                    [Some(&replica.container), replica.ip.as_ref(), replica.remote.as_ref(), replica.child.as_ref()];
                parts.into_iter().flatten().for_each(|part| self.add(part));
            }
        }
    }

    /// The agent of the resource with this own id.
    pub(super) fn agent(&self, id: &str) -> Option<&Agent> {
        self.agents.get(id)
    }

    /// Whether the resource with this own id is told apart by its number.
    pub(super) fn is_unique(&self, id: &str) -> bool {
        self.unique.contains(id)
    }

    /// The name in histories of the resource with this own id, if it differs.
    pub(super) fn history(&self, id: &str) -> Option<&str> {
        self.histories.get(id).map(String::as_str)
    }

    /// The id that a graph's `primitive` has as its long one: the own id, or the name in histories if that bears a number.
    pub(super) fn long<'a>(&'a self, id: &'a str) -> &'a str {
        match self.history(id) {
            Some(history) if history != without_number(id) => history,
            _ => id,
        }
    }

    /// The name in the execution section: the configured one where that finds a resource, else the long one.
    pub(super) fn executed<'a>(&'a self, id: &'a str) -> &'a str {
        let short = without_number(id);
        if short == id || self.known.contains(short) { short } else { self.long(id) }
    }

    /// An action's key as it is shown, and the own one if that differs.
    pub(super) fn key<'a>(&'a self, action: &'a Action) -> (String, Option<&'a str>) {
        let Some(id) = own_id(action) else { return (action.key.clone(), None) };
        let Some(rest) = action.key.strip_prefix(id) else { return (action.key.clone(), None) };
        // What is told to others after a node was fenced is called as after a stop, but for instances told apart.
        let rest = match rest {
            _ if self.is_unique(id) => rest,
            "_post_notify_stonith_0" => "_post_notify_stop_0",
            "_confirmed-post_notify_stonith_0" => "_notified_0",
            _ => rest,
        };
        let shown = format!("{}{rest}", self.history(id).unwrap_or(id));
        let own = (shown != action.key).then_some(action.key.as_str());
        (shown, own)
    }

    /// The resource that contains a guest node.
    pub(super) fn container(&self, node: &str) -> Option<&str> {
        self.containers.get(node).map(String::as_str)
    }
}

/// The own id of the resource that an action is about.
fn own_id(action: &Action) -> Option<&str> {
    match &action.kind {
        ActionKind::Resource(op) | ActionKind::Cancel(op) => Some(op.instance.as_deref().unwrap_or(&op.resource)),
        ActionKind::ClearFailCount { resource, instance } | ActionKind::DeleteHistory { resource, instance, .. } => {
            Some(instance.as_deref().unwrap_or(resource))
        }
        ActionKind::Pseudo => instance_in(&action.key),
        ActionKind::Fence(_) | ActionKind::Shutdown => None,
    }
}

/// The id with an instance number that a milestone's key begins with: `pgsql:0` of `pgsql:0_demote_0`.
fn instance_in(key: &str) -> Option<&str> {
    let colon = key.rfind(':')?;
    let digits = key[colon + 1..].bytes().take_while(u8::is_ascii_digit).count();
    let end = colon + 1 + digits;
    (digits > 0 && key[end..].starts_with('_')).then(|| &key[..end])
}
