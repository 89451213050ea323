//! What the stages before the graph ask of it, as data: stop this, fence that node, forget those failures.
//!
//! Asking makes no action. The graph answers the requests in the order in which they were raised, before it makes any
//! action of its own.

use std::collections::{BTreeMap, BTreeSet};

use hac_model::{OpHistory, Task};

use crate::arena::Key as _;
use crate::ids::{NodeIdx, ReqIdx, RscIdx};

/// One request.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// An action of a resource is required.
    Action {
        /// Whose.
        rsc: RscIdx,
        /// Which.
        task: Task,
        /// Where.
        node: NodeIdx,
    },
    /// A recurring operation runs, and goes on running if nothing else is decided.
    Keep {
        /// Whose.
        rsc: RscIdx,
        /// What is run.
        task: Task,
        /// How often, milliseconds.
        interval_ms: u64,
        /// Where.
        node: NodeIdx,
    },
    /// The stop that was asked for is not needed after all.
    NoStop {
        /// Of what.
        rsc: RscIdx,
        /// Where.
        node: NodeIdx,
    },
    /// The failures of a resource on a node are forgotten.
    Forget {
        /// Whose.
        rsc: RscIdx,
        /// Where.
        node: NodeIdx,
        /// Why.
        reason: &'static str,
        /// ... once this node was fenced.
        after_fencing: Option<NodeIdx>,
    },
    /// A node is fenced, if fencing it turns out to be possible and needed.
    Fence {
        /// Which.
        node: NodeIdx,
        /// Why.
        reason: String,
        /// The importance of what ran there counts for who is fenced first.
        delay: bool,
    },
    /// A node may be unfenced before something starts there.
    Unfence {
        /// Which.
        node: NodeIdx,
    },
    /// A milestone that counts what can be carried out before it.
    Milestone {
        /// Its name.
        name: String,
        /// How much of that is needed.
        needed: usize,
    },
    /// The milestone that what leaves a node has left.
    Room {
        /// Its name.
        name: String,
        /// The node.
        node: NodeIdx,
    },
}

/// All requests of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    list: Vec<Request>,
    milestones: BTreeMap<String, ReqIdx>,
    unfencings: BTreeMap<NodeIdx, ReqIdx>,
    forgotten: BTreeSet<(RscIdx, NodeIdx)>,
    later: Vec<(RscIdx, NodeIdx, OpHistory)>,
}

impl Requests {
    fn push(&mut self, request: Request) -> ReqIdx {
        self.list.push(request);
        ReqIdx::new(self.list.len() - 1)
    }

    /// All requests, in the order in which they were raised.
    pub(crate) fn list(&self) -> &[Request] {
        &self.list
    }

    /// Asks for an action.
    pub(crate) fn action(&mut self, rsc: RscIdx, task: Task, node: NodeIdx) {
        self.push(Request::Action { rsc, task, node });
    }

    /// Asks that a recurring operation goes on.
    pub(crate) fn keep(&mut self, rsc: RscIdx, task: Task, interval_ms: u64, node: NodeIdx) {
        self.push(Request::Keep { rsc, task, interval_ms, node });
    }

    /// Takes back that a stop is required.
    pub(crate) fn no_stop(&mut self, rsc: RscIdx, node: NodeIdx) {
        self.push(Request::NoStop { rsc, node });
    }

    /// Asks that failures are forgotten, once a node was fenced if one is named.
    pub(crate) fn forget(&mut self, rsc: RscIdx, node: NodeIdx, reason: &'static str, after_fencing: Option<NodeIdx>) {
        self.forgotten.insert((rsc, node));
        self.push(Request::Forget { rsc, node, reason, after_fencing });
    }

    /// Whether the failures of a resource on a node are to be forgotten.
    pub(crate) fn forgets(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        self.forgotten.contains(&(rsc, node))
    }

    /// Asks for the fencing of a node.
    pub(crate) fn fence(&mut self, node: NodeIdx, reason: String, delay: bool) {
        self.push(Request::Fence { node, reason, delay });
    }

    /// The unfencing of a node, to be ordered with something.
    pub(crate) fn unfencing(&mut self, node: NodeIdx) -> ReqIdx {
        if let Some(request) = self.unfencings.get(&node) {
            return *request;
        }
        let request = self.push(Request::Unfence { node });
        self.unfencings.insert(node, request);
        request
    }

    /// The milestone of this name, which needs so many of those before it.
    pub(crate) fn milestone(&mut self, name: String, needed: usize) -> ReqIdx {
        if let Some(request) = self.milestones.get(&name) {
            return *request;
        }
        let request = self.push(Request::Milestone { name: name.clone(), needed });
        self.milestones.insert(name, request);
        request
    }

    /// The milestone of this name: what leaves a node has left.
    pub(crate) fn room(&mut self, name: String, node: NodeIdx) -> ReqIdx {
        if let Some(request) = self.milestones.get(&name) {
            return *request;
        }
        let request = self.push(Request::Room { name: name.clone(), node });
        self.milestones.insert(name, request);
        request
    }

    /// Asks that a failure is forgotten if its parameters differ, which can be said only after the assignment.
    pub(crate) fn compare_later(&mut self, rsc: RscIdx, node: NodeIdx, op: OpHistory) {
        self.later.push((rsc, node, op));
    }

    /// The failures whose parameters can be compared only after the assignment.
    pub(crate) fn later(&self) -> &[(RscIdx, NodeIdx, OpHistory)] {
        &self.later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_milestone_is_asked_for_once() {
        let mut requests = Requests::default();
        let first = requests.milestone("one-or-more:set".into(), 1);
        requests.action(RscIdx::new(0), Task::Stop, NodeIdx::new(0));
        assert_eq!(requests.milestone("one-or-more:set".into(), 1), first);
        assert_eq!(requests.list().len(), 2);
    }

    #[test]
    fn failures_are_forgotten_of_one_resource_on_one_node() {
        let mut requests = Requests::default();
        requests.forget(RscIdx::new(1), NodeIdx::new(2), "it expired", None);
        assert!(requests.forgets(RscIdx::new(1), NodeIdx::new(2)));
        assert!(!requests.forgets(RscIdx::new(1), NodeIdx::new(1)));
    }
}
