//! Which nodes can be fenced, and which must be.
//!
//! Before the graph nodes are only marked, and their fencing asked for; what is really done is decided after all
//! resource actions exist.

pub(crate) mod devices;
pub(super) mod schedule;

use crate::action::Task;
use crate::ids::{NodeIdx, RscIdx};
use crate::known::Known;
use crate::requests::Requests;
use crate::scores::Scores;

impl Known<'_> {
    /// Whether `node` can be fenced from here.
    pub(super) fn can_fence(&self, scores: &Scores, node: NodeIdx) -> bool {
        let entry = &self.nodes[node];
        if entry.is_guest() {
            let Some(container) = self.container_of(node) else { return false };
            return self.rsc[container].active.iter().all(|host| {
                self.nodes[*host].online || (!self.nodes[*host].is_guest() && self.can_fence(scores, *host))
            });
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
            let hosts = entry.connection.map(|connection| scores.of(connection));
            return hosts.is_none_or(|hosts| hosts.nodes().all(|host| self.nodes[host].online));
        }
        true
    }

    /// Marks a node as one to be fenced. Tells whether fencing it takes an action; a guest is reset with its container.
    pub(super) fn mark_for_fencing(&mut self, node: NodeIdx) -> bool {
        if self.nodes[node].is_guest() {
            self.mark_for_reset(node);
            return false;
        }
        if self.nodes[node].is_remote() {
            let managed = self.nodes[node].connection.is_none_or(|connection| self.rsc[connection].is.managed);
            if managed {
                self.nodes[node].remote_requires_reset = true;
            }
        }
        self.nodes[node].unclean = true;
        true
    }

    /// A guest is fenced by restarting its container.
    fn mark_for_reset(&mut self, node: NodeIdx) {
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

    /// Marks a node as one to be fenced and asks for it. With `delay` the importance of what ran there counts for who is
    /// fenced first.
    pub(super) fn fence_node(&mut self, requests: &mut Requests, node: NodeIdx, reason: &str, delay: bool) {
        if self.mark_for_fencing(node) {
            let delay = delay && !self.nodes[node].is_remote();
            requests.fence(node, reason.to_owned(), delay);
        }
    }

    /// Asks for an action. A stop that is impossible because the node is lost calls for its fencing.
    pub(super) fn ask_for(&mut self, requests: &mut Requests, rsc: RscIdx, task: Task, node: NodeIdx) {
        requests.action(rsc, task, node);
        if task == Task::Stop && self.is_lost(node) && self.rsc[rsc].is.managed && !self.nodes[node].unclean {
            self.fence_node(requests, node, "stop is unrunnable", false);
        }
    }

    /// Whether nothing can be done on a node: it is not there, and is no guest that is started with its container.
    pub(super) fn is_lost(&self, node: NodeIdx) -> bool {
        let host = &self.nodes[node];
        !host.online && (!host.is_guest() || host.remote_requires_reset)
    }

    /// Seconds by which fencing of `node` waits: only that of the most important node does.
    pub(super) fn priority_fencing_delay_secs(&self, node: NodeIdx) -> u64 {
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
