//! Which nodes can be fenced, and the actions that fence them.
//!
//! While the status is read nodes are only marked; what is really done is decided after all resource actions exist.

pub(super) mod schedule;

use crate::plan::Reason;

use super::cluster::{ActIdx, Cluster, NodeIdx, RelationFlags, RscIdx, Task};
use super::digests;

impl Cluster<'_> {
    /// Whether `node` can be fenced from here.
    pub(super) fn can_fence(&self, node: NodeIdx) -> bool {
        let entry = &self.nodes[node];
        if entry.is_guest() {
            let Some(container) = self.container_of(node) else { return false };
            return self.rsc[container]
                .active
                .iter()
                .all(|host| self.nodes[*host].online || (!self.nodes[*host].is_guest() && self.can_fence(*host)));
        }
        if !self.options.fencing || !self.fencing_configured {
            return false;
        }
        if self.quorate || self.options.no_quorum == super::options::NoQuorum::Ignore {
            return true;
        }
        if !entry.online {
            return false;
        }
        if entry.is_remote() && !self.options.fence_remote_without_quorum {
            let hosts = entry.connection.map(|connection| self.scores.of(connection));
            return hosts.is_none_or(|hosts| hosts.nodes().all(|host| self.nodes[host].online));
        }
        true
    }

    /// Marks a node for fencing. With `delay` the importance of what ran there counts for who is fenced first.
    pub(super) fn fence_node(&mut self, node: NodeIdx, reason: &str, delay: bool) {
        if self.nodes[node].is_guest() {
            self.reset_guest(node);
            return;
        }
        if self.nodes[node].is_remote() {
            let managed = self.nodes[node].connection.is_none_or(|connection| self.rsc[connection].is.managed);
            if managed {
                self.nodes[node].remote_requires_reset = true;
            }
            self.nodes[node].unclean = true;
            self.fence_op(node, None, true, Some(reason), false);
            return;
        }
        self.nodes[node].unclean = true;
        self.fence_op(node, None, true, Some(reason), delay);
    }

    /// A guest is fenced by restarting its container.
    fn reset_guest(&mut self, node: NodeIdx) {
        let Some(container) = self.container_of(node) else {
            self.nodes[node].remote_requires_reset = true;
            return;
        };
        if self.rsc[container].is.failed || !self.rsc[container].is.managed {
            return;
        }
        self.nodes[node].remote_requires_reset = true;
        self.rsc[container].is.failed = true;
        self.rsc[container].is.stop_if_failed = true;
    }

    /// The action that fences `node`, with the cluster's fencing action unless told otherwise.
    pub(super) fn fence_op(
        &mut self,
        node: NodeIdx,
        what: Option<&str>,
        optional: bool,
        reason: Option<&str>,
        delay: bool,
    ) -> ActIdx {
        let what = what.unwrap_or(&self.options.fencing_action).to_owned();
        let key = format!("{}-{}-{what}", Task::Fence.name(), self.nodes[node].name);
        let action = match self.loose_actions.get(&key).and_then(|actions| actions.first()) {
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
    pub(super) fn unfence_before(&mut self, action: ActIdx, rsc: RscIdx, node: NodeIdx, flags: RelationFlags) {
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
    pub(super) fn unfence_anew(&mut self, device: RscIdx, node: NodeIdx, reason: &str) {
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

    /// Seconds by which fencing of `node` waits: only that of the most important node does.
    fn priority_fencing_delay_secs(&self, node: NodeIdx) -> u64 {
        if self.nodes[node].is_pacemaker_remote() {
            return 0;
        }
        let members = self.nodes.iter().filter(|node| !node.is_pacemaker_remote());
        let (mut members_count, mut online, mut top, mut lowest) = (0, 0, 0, 0);
        for (at, member) in members.enumerate() {
            members_count += 1;
            online += usize::from(member.online && !member.unclean);
            if at == 0 || member.priority > top {
                top = member.priority;
            }
            if at == 0 || member.priority < lowest {
                lowest = member.priority;
            }
        }
        let all_equal = lowest == top;
        if members_count == 0 || online > members_count / 2 || all_equal || self.nodes[node].priority < top {
            return 0;
        }
        self.options.priority_fencing_delay_ms / 1000
    }
}
