//! Making actions, or finding those that exist.
//!
//! An action is known by its key and node; one without a node adopts the first node it is asked for.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::action::{Action, Needs, Relation, RelationFlags, Task};
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::options::NoQuorum;
use crate::plan::Reason;
use hac_model::{Role, operation_key};

use crate::configured;

use super::{Graph, OperationKind};

/// The key of an operation.
pub(crate) fn key(rsc: &str, task: Task, interval_ms: u64) -> String {
    operation_key(rsc, task.name(), interval_ms)
}

impl<M> Graph<'_, M> {
    /// The action `task` of `rsc`, made if it does not exist. With `optional` false it becomes required.
    pub(crate) fn action(&mut self, rsc: RscIdx, task: Task, node: Option<NodeIdx>, optional: bool) -> ActIdx {
        self.recurring_action(rsc, task, 0, node, optional)
    }

    /// The same for a recurring one.
    pub(crate) fn recurring_action(
        &mut self,
        rsc: RscIdx,
        task: Task,
        interval_ms: u64,
        node: Option<NodeIdx>,
        optional: bool,
    ) -> ActIdx {
        let key = key(&self.rsc[rsc].id, task, interval_ms);
        self.keyed_action(key, task, interval_ms, Some(rsc), node, optional)
    }

    /// A milestone of a resource: optional, runnable and done at once.
    pub(crate) fn pseudo_action(&mut self, rsc: RscIdx, task: Task, optional: bool, runnable: bool) -> ActIdx {
        let action = self.action(rsc, task, None, optional);
        self.actions[action].pseudo = true;
        if runnable {
            self.actions[action].runnable = true;
        }
        action
    }

    /// The action with this very key.
    pub(crate) fn keyed_action(
        &mut self,
        key: String,
        task: Task,
        interval_ms: u64,
        rsc: Option<RscIdx>,
        node: Option<NodeIdx>,
        optional: bool,
    ) -> ActIdx {
        let existing = self.find_actions(rsc, &key, node).first().copied();
        let action = existing.unwrap_or_else(|| self.new_action(key, task, interval_ms, rsc, node, optional));
        let unmanaged = rsc.is_some_and(|rsc| !self.rsc[rsc].is.managed);
        let entry = &mut self.actions[action];
        if unmanaged && entry.node.is_some() && !entry.pseudo && entry.interval_ms == 0 {
            entry.optional = true;
        } else if !optional {
            entry.optional = false;
        }
        if rsc.is_some() {
            self.update_runnable(action);
        }
        action
    }

    fn new_action(
        &mut self,
        key: String,
        task: Task,
        interval_ms: u64,
        rsc: Option<RscIdx>,
        node: Option<NodeIdx>,
        optional: bool,
    ) -> ActIdx {
        let action = self.actions.push(Action {
            key: key.clone(),
            task,
            interval_ms,
            rsc,
            node,
            op: None,
            optional,
            pseudo: false,
            runnable: true,
            always_in_graph: false,
            migratable: false,
            migration_abort: false,
            on_dc: task == Task::Delete,
            reschedule: false,
            needs: Needs::Nothing,
            on_fail: hac_model::OnFail::Restart,
            fail_role: Role::Started,
            reason: None,
            meta: Rc::default(),
            target_rc: None,
            before: Vec::new(),
            after: Vec::new(),
            required_runnable: 0,
            runnable_before: 0,
            priority: 0,
            detail: None,
            migration: None,
            planned: None,
            tracking: false,
        });
        match rsc {
            Some(rsc) => {
                self.configure(action, rsc);
                self.of[rsc].actions.push(action);
            }
            None => self.loose.entry(key).or_default().push(action),
        }
        action
    }

    /// Reads what is configured for an action.
    fn configure(&mut self, action: ActIdx, rsc: RscIdx) {
        let entry = &self.actions[action];
        let (task, interval_ms) = (entry.task, entry.interval_ms);
        let mut op = configured::find_operation(self, rsc, task.name(), interval_ms, true);
        if op.is_none() && entry.key.contains("_notify_") {
            op = configured::find_operation(self, rsc, "notify", 0, true);
        }
        let meta = self.shared_meta(rsc, (task, interval_ms, op));
        let on_fail = configured::on_fail(self, rsc, task.name(), interval_ms, &meta);
        let fail_role = configured::role_after_failure(self, rsc, task.name(), on_fail);
        let is = self.rsc[rsc].is;
        let entry = &mut self.actions[action];
        entry.op = op;
        entry.on_fail = on_fail;
        entry.fail_role = fail_role;
        entry.meta = meta;
        entry.needs = match task {
            Task::Start | Task::Promote if is.needs_fencing => Needs::Fencing,
            Task::Start | Task::Promote if is.needs_quorum => Needs::Quorum,
            _ => Needs::Nothing,
        };
    }

    /// The values of an operation, read once.
    fn shared_meta(&mut self, rsc: RscIdx, kind: OperationKind) -> Rc<BTreeMap<String, String>> {
        if let Some((_, meta)) = self.of[rsc].meta.iter().find(|(known, _)| *known == kind) {
            return Rc::clone(meta);
        }
        let (task, interval_ms, op) = kind;
        let meta = Rc::new(configured::read_meta(self, rsc, task.name(), interval_ms, op));
        self.of[rsc].meta.push((kind, Rc::clone(&meta)));
        meta
    }

    /// Existing actions with this key, newest first; with a node only those on it. One without a node adopts it.
    pub(crate) fn find_actions(&mut self, rsc: Option<RscIdx>, key: &str, node: Option<NodeIdx>) -> Vec<ActIdx> {
        let list: &[ActIdx] = match rsc {
            Some(rsc) => &self.of[rsc].actions,
            None => self.loose.get(key).map_or(&[], Vec::as_slice),
        };
        let mut found = Vec::new();
        // Pacemaker turns the list round while it collects, so the oldest match comes first.
        for action in list {
            let entry = &mut self.actions[*action];
            if entry.key != key {
                continue;
            }
            if entry.node.is_none() {
                entry.node = node;
            }
            if node.is_none() || entry.node == node {
                found.push(*action);
            }
        }
        found
    }

    /// Existing actions of this kind, oldest first, whatever their node.
    pub(crate) fn actions_of(&self, rsc: RscIdx, task: Task, interval_ms: u64) -> Vec<ActIdx> {
        let matches = |action: &&ActIdx| {
            let action = &self.actions[**action];
            action.task == task && action.interval_ms == interval_ms
        };
        self.of[rsc].actions.iter().filter(matches).copied().collect()
    }

    /// The newest existing action of this kind; with a node, the newest on it.
    pub(crate) fn first_action(&self, rsc: RscIdx, task: Task, node: Option<NodeIdx>) -> Option<ActIdx> {
        self.of[rsc].actions.iter().rev().copied().find(|action| {
            let action = &self.actions[*action];
            action.task == task && action.interval_ms == 0 && (node.is_none() || action.node == node)
        })
    }

    /// Whether an action can be carried out, as far as its node, quorum and fencing say.
    fn update_runnable(&mut self, action: ActIdx) {
        let entry = &self.actions[action];
        if entry.pseudo {
            return;
        }
        let (Some(rsc), needs, on_dc) = (entry.rsc, entry.needs, entry.on_dc) else { return };
        let Some(node) = entry.node else {
            self.actions[action].runnable = false;
            return;
        };
        let host = &self.nodes[node];
        if !on_dc && self.is_lost(node) {
            let stop = entry.task == Task::Stop && self.rsc[rsc].is.managed && !host.unclean;
            self.actions[action].runnable = false;
            if stop {
                self.fence_node(node, "stop is unrunnable");
            }
        } else if !on_dc && host.pending {
            self.actions[action].runnable = false;
        } else if needs == Needs::Nothing {
            let host_is_lost = host.is_guest() && !self.can_fence(node);
            self.actions[action].reason = None;
            self.actions[action].runnable = !host_is_lost;
        } else {
            self.apply_quorum(action, rsc);
        }
    }

    /// Whether an action that needs quorum can be carried out.
    fn apply_quorum(&mut self, action: ActIdx, rsc: RscIdx) {
        let (runnable, reason) = match self.effective_no_quorum(rsc) {
            NoQuorum::Stop => (false, Some(Reason::NoQuorum)),
            NoQuorum::Freeze if !self.is_active(rsc, true) || self.rsc[rsc].next_role > self.rsc[rsc].role => {
                (false, Some(Reason::QuorumFreeze))
            }
            NoQuorum::Freeze => return,
            _ => (true, None),
        };
        self.actions[action].runnable = runnable;
        if reason.is_some() {
            self.actions[action].reason = reason;
        }
    }

    /// What holds for a resource without quorum; `Ignore` with quorum.
    fn effective_no_quorum(&mut self, rsc: RscIdx) -> NoQuorum {
        if self.quorate {
            return NoQuorum::Ignore;
        }
        match self.options.no_quorum {
            NoQuorum::Demote if matches!(self.rsc[rsc].role, Role::Promoted | Role::Unpromoted) => {
                if self.rsc[rsc].next_role > Role::Unpromoted {
                    self.set_next_role(rsc, Role::Unpromoted);
                }
                NoQuorum::Ignore
            }
            NoQuorum::Demote => NoQuorum::Stop,
            other => other,
        }
    }

    /// Notes why an action is as it is, unless that is known.
    pub(crate) fn set_reason(&mut self, action: ActIdx, reason: Reason) {
        self.actions[action].reason.get_or_insert(reason);
    }

    /// Relates two actions, unless they are related by any of these flags already. Tells whether it did.
    pub(crate) fn order(&mut self, first: ActIdx, then: ActIdx, flags: RelationFlags) -> bool {
        if flags.is_none() || first == then {
            return false;
        }
        let related = self.actions[first].after.iter().any(|r| r.action == then && r.flags.any(flags));
        if related {
            return false;
        }
        self.actions[first].after.push(Relation { action: then, flags });
        self.actions[then].before.push(Relation { action: first, flags });
        true
    }

    /// Clearing of a resource's failures on a node, required; made only once.
    pub(crate) fn clear_fail_count(&mut self, rsc: RscIdx, node: NodeIdx, reason: &str) -> ActIdx {
        let action = self.action(rsc, Task::ClearFailCount, Some(node), false);
        self.actions[action].on_dc = true;
        self.actions[action].runnable = true;
        self.set_reason(action, Reason::Other(reason.to_owned()));
        action
    }
}
