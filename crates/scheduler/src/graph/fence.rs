//! The actions that fence and unfence nodes.

use crate::action::{RelationFlags, Task};
use crate::digests;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::plan::Reason;

use super::Graph;

impl<M> Graph<'_, M> {
    /// Marks a node as one to be fenced, and makes the action that does so.
    pub(crate) fn fence_node(&mut self, node: NodeIdx, reason: &str) {
        if self.placement.mark_for_fencing(node) {
            self.fence_op(node, None, true, Some(reason), false);
        }
    }

    /// The action that fences `node`, with the cluster's fencing action unless told otherwise.
    pub(crate) fn fence_op(
        &mut self,
        node: NodeIdx,
        what: Option<&str>,
        optional: bool,
        reason: Option<&str>,
        delay: bool,
    ) -> ActIdx {
        let what = what.unwrap_or(&self.options.fencing_action).to_owned();
        let key = format!("{}-{}-{what}", Task::Fence.name(), self.nodes[node].name);
        let action = match self.loose.get(&key).and_then(|actions| actions.first()) {
            Some(action) => *action,
            None => {
                let action = self.keyed_action(key, Task::Fence, 0, None, Some(node), true);
                let (name, id) = (self.nodes[node].name.clone(), self.nodes[node].id.clone());
                let entry = &mut self.actions[action];
                let meta = entry.meta_mut();
                meta.insert("on_node".into(), name);
                meta.insert("on_node_uuid".into(), id);
                meta.insert("stonith_action".into(), what.clone());
                let unfences = what == "on";
                entry.detail = Some(what);
                if unfences && self.nodes[node].is_remote() && self.devices_changed_for(node) && self.can_fence(node) {
                    self.actions[action].optional = false;
                }
                action
            }
        };
        if self.options.priority_fencing_delay_ms > 0
            && (delay || self.actions[action].meta.contains_key("priority-fencing-delay"))
        {
            let seconds = self.priority_fencing_delay_secs(node);
            self.actions[action].meta_mut().insert("priority-fencing-delay".into(), seconds.to_string());
        }
        if !optional && self.can_fence(node) {
            self.actions[action].optional = false;
        }
        if let Some(reason) = reason {
            self.set_reason(action, Reason::Other(reason.to_owned()));
        }
        action
    }

    /// Orders the unfencing of `node` before `action` of `rsc`, if that must not happen on a node that is still fenced.
    pub(crate) fn unfence_before(&mut self, action: ActIdx, rsc: RscIdx, node: NodeIdx, flags: RelationFlags) {
        let is = &self.rsc[rsc].is;
        if !(is.needs_unfencing || (is.fence_device && self.unfencing_in_use)) {
            return;
        }
        let unfence = self.fence_op(node, Some("on"), true, None, false);
        self.order(unfence, action, flags);
        let unfenced = self.nodes[node].attributes.get("#node-unfenced");
        let when = unfenced.and_then(|when| when.parse::<i64>().ok()).unwrap_or(0);
        if when == 0 && self.nodes[node].online && !self.nodes[node].unclean {
            let reason = format!("required by {} {}", self.rsc[rsc].id, self.actions[action].task.name());
            self.fence_op(node, Some("on"), false, Some(&reason), false);
        }
    }

    /// A device that needs unfencing changed where it is known: nodes that it unfenced must be unfenced anew.
    pub(crate) fn unfence_anew(&mut self, device: RscIdx, node: NodeIdx, reason: &str) {
        let host = &self.nodes[node];
        let fit = host.online && !host.unclean && !host.shutdown;
        if self.unfencing_in_use && self.rsc[device].is.fence_device && fit {
            self.fence_op(node, Some("on"), false, Some(reason), false);
        }
    }

    /// Whether a device changed since it unfenced a remote node. What it was then is noted with the node, for such nodes
    /// have no history of devices.
    fn devices_changed_for(&self, node: NodeIdx) -> bool {
        let Some(noted) = self.nodes[node].attributes.get("#digests-all").filter(|_| self.unfencing_in_use) else {
            return false;
        };
        let unfences = |rsc: &RscIdx| {
            let device = &self.rsc[*rsc];
            device.is.fence_device && device.meta.get("provides").is_some_and(|what| what == "unfencing")
        };
        self.rsc.keys().filter(unfences).any(|rsc| {
            let digest = digests::digest(&digests::digest_params(self, rsc, Task::Start.name(), 0, Some(node)));
            let device = &self.rsc[rsc];
            !noted.split(',').any(|entry| entry == format!("{}:{}:{digest}", device.id, device.blocks.agent.kind))
        })
    }
}
