//! Questions to the working data that many stages ask. Nothing here changes anything.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::reading::config;
use crate::conditions::{Given, read_blocks};
use crate::facts::{BundleData, CloneData, Replica};
use crate::ids::{NodeIdx, RscIdx};
use crate::known::{Known, Resource};
use hac_model::Role;

impl Known<'_> {
    /// The resource with this id. For the id of what a clone copies, its first instance.
    pub(super) fn find(&self, id: &str) -> Option<RscIdx> {
        self.rsc_by_id.get(id).copied()
    }

    /// The node of this name, without regard to case.
    pub(super) fn find_node(&self, name: &str) -> Option<NodeIdx> {
        self.nodes.keys().find(|n| self.nodes[*n].name.eq_ignore_ascii_case(name))
    }

    /// The node with this id.
    pub(super) fn find_node_by_id(&self, id: &str) -> Option<NodeIdx> {
        self.nodes.keys().find(|n| self.nodes[*n].id == id)
    }

    /// Whether `rsc` is a Pacemaker Remote connection.
    pub(super) fn is_connection(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc].is_primitive() && config::is_remote_agent(&self.rsc[rsc].blocks.agent)
    }

    /// Whether `rsc` is the connection to a remote node (not a guest).
    pub(super) fn is_remote_connection(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc].remote_node.is_some_and(|node| self.nodes[node].is_remote())
    }

    /// Whether `rsc` is the connection to a guest or bundle node.
    pub(super) fn is_guest_connection(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc].remote_node.is_some_and(|node| self.nodes[node].is_guest())
    }

    /// Whether `rsc` contains a guest or bundle node; then its connection.
    pub(super) fn guest_connection_in(&self, rsc: RscIdx) -> Option<RscIdx> {
        self.rsc[rsc].launched.iter().copied().find(|launched| self.is_guest_connection(*launched))
    }

    /// The connection behind which `rsc` runs that `container` contains; `None` for a connection itself, and for what
    /// runs beside its container.
    pub(super) fn connection_into(&self, rsc: RscIdx, container: RscIdx) -> Option<RscIdx> {
        if self.is_connection(rsc) {
            None
        } else if self.is_connection(container) {
            Some(container)
        } else {
            self.guest_connection_in(container)
        }
    }

    /// What contains `rsc`: its clone, group or itself. A bundle only with `bundle`.
    pub(super) fn top(&self, rsc: RscIdx, bundle: bool) -> RscIdx {
        let mut at = rsc;
        while let Some(parent) = self.rsc[at].parent {
            if self.rsc[parent].is_bundle() && !bundle {
                break;
            }
            at = parent;
        }
        at
    }

    /// Whether `rsc` is inside a bundle.
    pub(super) fn is_bundled(&self, rsc: RscIdx) -> bool {
        let top = self.top(rsc, true);
        top != rsc && self.rsc[top].is_bundle()
    }

    /// Whether `rsc` runs inside the containers of a bundle, and is not one of them or of what belongs to them.
    pub(super) fn runs_in_bundle(&self, rsc: RscIdx) -> bool {
        let top = self.top(rsc, false);
        self.rsc[top].is_clone() && self.rsc[top].parent.is_some()
    }

    /// The clone that `rsc` is an instance (or part of an instance) of, if instances are not told apart.
    pub(super) fn anonymous_clone(&self, rsc: RscIdx) -> Option<RscIdx> {
        let top = self.top(rsc, false);
        (top != rsc && self.rsc[top].is_clone() && !self.rsc[top].is.unique).then_some(top)
    }

    /// Whether `ancestor` contains `rsc`.
    pub(super) fn is_inside(&self, rsc: RscIdx, ancestor: RscIdx) -> bool {
        let mut at = self.rsc[rsc].parent;
        while let Some(parent) = at {
            if parent == ancestor {
                return true;
            }
            at = self.rsc[parent].parent;
        }
        false
    }

    /// Clone data of a clone.
    pub(super) fn clone_data(&self, rsc: RscIdx) -> Option<&CloneData> {
        self.rsc[rsc].clone_data()
    }

    /// Bundle data of a bundle.
    pub(super) fn bundle_data(&self, rsc: RscIdx) -> Option<&BundleData> {
        self.rsc[rsc].bundle_data()
    }

    /// Replicas of a bundle.
    pub(super) fn replicas(&self, rsc: RscIdx) -> Vec<Replica> {
        self.bundle_data(rsc).map(|data| data.replicas.clone()).unwrap_or_default()
    }

    /// All primitives in `rsc`, itself if it is one, depth first.
    pub(super) fn primitives(&self, rsc: RscIdx) -> Vec<RscIdx> {
        let mut found = Vec::new();
        let mut queue = vec![rsc];
        while let Some(at) = queue.pop() {
            if self.rsc[at].is_primitive() {
                found.push(at);
            }
            queue.extend(self.rsc[at].children.iter().rev());
        }
        found
    }

    /// Parameters of a resource as they hold on a node.
    pub(super) fn params(&self, rsc: RscIdx, node: Option<NodeIdx>) -> BTreeMap<String, String> {
        let next = Cell::new(None);
        let resource = &self.rsc[rsc];
        let facts = Given {
            now: self.now,
            attributes: node.map(|node| &self.nodes[node].attributes),
            agent: Some(&resource.blocks.agent),
            next_change: Some(&next),
            ..Given::default()
        };
        let mut values = BTreeMap::new();
        let mut at = Some(rsc);
        while let Some(rsc) = at {
            read_blocks(&self.rsc[rsc].blocks.params, None, &facts, &mut values);
            at = self.rsc[rsc].parent;
        }
        values
    }

    /// The role that `rsc` has now: of a collective, the highest of its parts.
    pub(super) fn role(&self, rsc: RscIdx) -> Role {
        let resource = &self.rsc[rsc];
        if resource.is_primitive() {
            return resource.role;
        }
        resource.children.iter().map(|child| self.role(*child)).max().unwrap_or(Role::Unknown)
    }

    /// The role that `rsc` is to reach: of a collective, the highest of its parts.
    pub(super) fn next_role(&self, rsc: RscIdx) -> Role {
        let resource = &self.rsc[rsc];
        if resource.is_primitive() {
            return resource.next_role;
        }
        resource.children.iter().map(|child| self.next_role(*child)).max().unwrap_or(Role::Unknown)
    }

    /// Whether `rsc` is active; with `all`, whether every part of it is.
    pub(super) fn is_active(&self, rsc: RscIdx, all: bool) -> bool {
        let resource = &self.rsc[rsc];
        if resource.is_primitive() {
            return resource.active.iter().any(|node| self.counts_as_active(resource, *node));
        }
        if resource.is_bundle() {
            return self.is_bundle_active(rsc, all);
        }
        let mut children = resource.children.iter().map(|child| self.is_active(*child, all));
        if all { children.all(|active| active) } else { children.any(|active| active) }
    }

    /// Whether being active on this node counts: not on an offline node that is left alone.
    fn counts_as_active(&self, resource: &Resource, node: NodeIdx) -> bool {
        let node = &self.nodes[node];
        node.online || node.unclean || !resource.is.managed
    }

    fn is_bundle_active(&self, rsc: RscIdx, all: bool) -> bool {
        let Some(data) = self.bundle_data(rsc) else { return false };
        let mut parts = data.replicas.iter().flat_map(|replica| {
            [replica.ip, replica.child, Some(replica.container), replica.remote].into_iter().flatten()
        });
        if all { parts.all(|part| self.is_active(part, all)) } else { parts.any(|part| self.is_active(part, all)) }
    }

    /// The host of a guest node: where its container is active, or will be with `planned`.
    pub(super) fn container_of(&self, node: NodeIdx) -> Option<RscIdx> {
        self.nodes[node].connection.and_then(|connection| self.rsc[connection].launcher)
    }

    /// The node on which `rsc` (a primitive, or the first such part) counts as active now: clean ones first unless it
    /// needs fencing.
    pub(super) fn current_node(&self, rsc: RscIdx) -> Option<NodeIdx> {
        self.active_nodes(rsc).0
    }

    /// The node on which `rsc` counts as active now, on how many nodes it is, and on how many clean ones.
    pub(super) fn active_nodes(&self, rsc: RscIdx) -> (Option<NodeIdx>, usize, usize) {
        let resource = &self.rsc[rsc];
        let happy = |node: NodeIdx| self.nodes[node].online && !self.nodes[node].unclean;
        let active = &resource.active;
        let first = active.first().copied();
        let chosen = match resource.migration {
            Some((source, _)) => active.iter().copied().find(|node| *node == source),
            None if !resource.is.needs_fencing => active.iter().copied().find(|node| happy(*node)),
            None => None,
        };
        (chosen.or(first), active.len(), active.iter().filter(|node| happy(**node)).count())
    }

    /// Whether `node` may run resources now.
    pub(super) fn node_available(&self, node: NodeIdx) -> bool {
        let node = &self.nodes[node];
        node.online && !node.shutdown && !node.unclean && !node.standby && !node.maintenance
    }

    /// Name of a node.
    pub(super) fn node_name(&self, node: NodeIdx) -> &str {
        &self.nodes[node].name
    }
}

impl Known<'_> {
    /// The resource with this id, or one whose history goes by it.
    pub(super) fn find_or_renamed(&self, id: &str) -> Option<RscIdx> {
        self.find(id).or_else(|| self.renamed.get(id).copied())
    }

    /// Notes that another answer may be right at `at`.
    pub(super) fn recheck(&self, at: i64) {
        if at > self.now {
            self.recheck_by.set(Some(self.recheck_by.get().map_or(at, |before| before.min(at))));
        }
    }

    /// Notes that something is wrong with the input.
    pub(super) fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    /// A node on which a resource, or a part of it, is active or has an operation under way.
    pub(super) fn any_location(&self, rsc: RscIdx) -> Option<NodeIdx> {
        let resource = &self.rsc[rsc];
        if resource.is_primitive() {
            return resource.active.first().copied().or_else(|| resource.pending.as_ref().map(|(_, node)| *node));
        }
        resource.children.iter().find_map(|child| self.any_location(*child))
    }

    /// On how many nodes a resource is active: all, if it needs fencing, else clean ones.
    pub(super) fn active_where_it_counts(&self, rsc: RscIdx) -> usize {
        let (_, all, clean) = self.active_nodes(rsc);
        if self.rsc[rsc].is.needs_fencing { all } else { clean }
    }

    /// Entries of a resource in a node's history.
    pub(super) fn history(&self, rsc: RscIdx, node: NodeIdx) -> Vec<&hac_model::ResourceHistory> {
        let Some(state) = self.nodes[node].state.and_then(|at| self.cib.status.nodes.get(at)) else {
            return Vec::new();
        };
        let entries = self.rsc[rsc].histories.iter().filter(|(at, _)| *at == node);
        entries.filter_map(|(_, position)| state.resources.get(*position)).map(|of| &**of).collect()
    }
}

impl Known<'_> {
    /// Whether a resource or a part of it waits for a person.
    pub(super) fn any_blocked(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc].is.blocked || self.rsc[rsc].children.iter().any(|child| self.any_blocked(*child))
    }

    /// Whether a resource or a part of it failed.
    pub(super) fn any_failed(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc].is.failed || self.rsc[rsc].children.iter().any(|child| self.any_failed(*child))
    }
}
