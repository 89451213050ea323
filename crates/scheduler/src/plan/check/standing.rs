//! How things stand before a plan, and how they will stand after it.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Op;
use crate::plan::{ActionKind, Plan};
use crate::view::{NodeView, ResourceKind, ResourceView};
use crate::{ClusterView, Role};
use hac_model::{OperationKey, Task, parse_bool};

/// A primitive, instance or member, with what it is part of.
pub(super) struct Service<'v> {
    pub(super) view: &'v ResourceView,
    /// Ids under which constraints may mean it: its own, its group's, its clone's, with and without number.
    names: BTreeSet<&'v str>,
    /// Id of the outermost clone that it is an instance of.
    pub(super) clone: Option<&'v ResourceView>,
    /// It is, or is in, a container.
    pub(super) contained: bool,
    /// Where it will run, and whether promoted there.
    pub(super) after: BTreeMap<&'v str, bool>,
}

/// A group and its members.
pub(super) struct Members<'v> {
    pub(super) group: &'v ResourceView,
    pub(super) members: Vec<&'v str>,
}

/// See the [module documentation](self).
pub(super) struct Standing<'v> {
    pub(super) view: &'v ClusterView,
    pub(super) services: BTreeMap<&'v str, Service<'v>>,
    pub(super) groups: Vec<Members<'v>>,
    pub(super) clones: Vec<&'v ResourceView>,
}

impl<'v> Standing<'v> {
    pub(super) fn new(view: &'v ClusterView, plan: &'v Plan) -> Self {
        let mut standing = Self { view, services: BTreeMap::new(), groups: Vec::new(), clones: Vec::new() };
        for resource in &view.resources {
            standing.add(resource, &BTreeSet::new(), None, false);
        }
        standing.carry_out(plan);
        standing
    }

    fn add(
        &mut self,
        resource: &'v ResourceView,
        outer: &BTreeSet<&'v str>,
        clone: Option<&'v ResourceView>,
        contained: bool,
    ) {
        let mut names = outer.clone();
        names.insert(&resource.id);
        names.insert(without_number(&resource.id));
        match &resource.kind {
            ResourceKind::Primitive { .. } => {
                let promoted = resource.role == Role::Promoted;
                let after = resource.nodes.iter().map(|node| (node.as_str(), promoted)).collect();
                self.services.insert(&resource.id, Service { view: resource, names, clone, contained, after });
            }
            ResourceKind::Group => {
                let members = resource.children.iter().map(|child| child.id.as_str()).collect();
                self.groups.push(Members { group: resource, members });
                resource.children.iter().for_each(|child| self.add(child, &names, clone, contained));
            }
            ResourceKind::Clone { child, .. } => {
                names.insert(child);
                self.clones.push(resource);
                resource.children.iter().for_each(|child| self.add(child, &names, Some(resource), contained));
            }
            ResourceKind::Bundle { replicas, .. } => {
                for replica in replicas {
                    let parts = [
                        Some(&replica.container),
                        replica.ip.as_ref(),
                        replica.remote.as_ref(),
                        replica.child.as_ref(),
                    ];
                    parts.into_iter().flatten().for_each(|part| self.add(part, &names, clone, true));
                }
            }
        }
    }

    /// What the plan changes: stops take away, starts add.
    fn carry_out(&mut self, plan: &'v Plan) {
        let ops: Vec<(&str, Task, &str)> = plan.actions.iter().filter_map(change).collect();
        for down in [true, false] {
            for (resource, task, node) in &ops {
                let Some(service) = self.services.get_mut(resource) else { continue };
                match (*task, down) {
                    (Task::Stop, true) => drop(service.after.remove(node)),
                    (Task::Demote, true) => drop(service.after.insert(node, false)),
                    (Task::Start | Task::MigrateFrom, false) => drop(service.after.entry(node).or_insert(false)),
                    (Task::Promote, false) => drop(service.after.insert(node, true)),
                    _ => {}
                }
            }
        }
    }

    /// The service that an order is about.
    pub(super) fn of(&self, op: &Op<'_>) -> Option<&Service<'v>> {
        self.services.get(op.resource)
    }

    /// The services that a constraint means by `id`.
    pub(super) fn meant(&self, id: &str) -> Vec<&Service<'v>> {
        self.services.values().filter(|service| service.names.contains(id)).collect()
    }

    pub(super) fn node(&self, name: &str) -> Option<&'v NodeView> {
        self.view.nodes.iter().find(|node| node.name == name)
    }
}

impl Service<'_> {
    /// Whether a constraint about `id` means it.
    pub(super) fn is_meant_by(&self, id: &str) -> bool {
        self.names.contains(id)
    }

    /// Whether the cluster may act on it.
    pub(super) const fn is_free(&self) -> bool {
        self.view.flags.managed && !self.view.flags.blocked
    }

    /// Whether it may be started while a node is in doubt that had it: fence devices, and connections to nodes.
    pub(super) fn needs_quorum_alone(&self) -> bool {
        match &self.view.kind {
            ResourceKind::Primitive { agent } => {
                agent.class == "stonith" || (agent.provider.as_deref() == Some("pacemaker") && agent.kind == "remote")
            }
            ResourceKind::Group | ResourceKind::Clone { .. } | ResourceKind::Bundle { .. } => false,
        }
    }

    /// Whether it waits for its neighbour on the node alone, where what it depends on is a clone too.
    pub(super) fn interleaves(&self) -> bool {
        let value = self.clone.and_then(|clone| clone.meta.get("interleave"));
        value.and_then(|value| parse_bool(value)).unwrap_or(false)
    }
}

/// An id without its instance number.
fn without_number(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => id,
    }
}

/// What an action changes about a service: (id, task, node).
fn change(action: &crate::plan::Action) -> Option<(&str, Task, &str)> {
    let node = action.node.as_deref()?;
    match &action.kind {
        ActionKind::Resource(op) => Some((op.instance.as_deref().unwrap_or(&op.resource), op.task, node)),
        ActionKind::Pseudo => {
            let key = OperationKey::parse(&action.key).filter(|key| key.interval_ms == 0)?;
            Some((key.resource, Task::parse(key.task)?, node))
        }
        _ => None,
    }
}
