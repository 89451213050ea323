//! The actions of a primitive: down and up again where it is, and from the role it has to the role it shall have.

use crate::action::{RelationFlags as F, Task};
use crate::facts::MultiplyActive;
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::plan::Reason;
use hac_model::Role;

use super::{migration, recurring};

/// No way from one role to another has more steps.
const STEPS: usize = 8;

/// Makes all actions of `rsc`.
pub(super) fn create(graph: &mut Graph<'_>, rsc: RscIdx) {
    if graph.rsc[rsc].next_role == Role::Unknown {
        let up = graph.placed[rsc].assigned.is_some();
        graph.set_next_role(rsc, if up { Role::Started } else { Role::Stopped });
    }
    let current = graph.current_node(rsc);
    for node in graph.rsc[rsc].dangling.clone() {
        let stop = graph.action(rsc, Task::Stop, Some(node), false);
        graph.actions[stop].migration_abort = true;
    }
    let mut way = Way::new(graph, rsc, current);
    way.staying(graph);
    way.down_and_up(graph);
    way.to_next_role(graph);
    recurring::create(graph, rsc);
    if way.migrates {
        migration::create(graph, rsc, current);
    }
}

/// How a primitive gets from where it is to where it shall be.
struct Way {
    rsc: RscIdx,
    current: Option<NodeIdx>,
    moves: bool,
    need_stop: bool,
    need_promote: bool,
    migrates: bool,
    /// Active on several nodes, one of which is right and is left alone.
    stop_unexpected: bool,
    /// Steps are down and up again, not to the next role.
    restarting: bool,
}

impl Way {
    /// Moves, and what being active on more than one node calls for.
    fn new(graph: &mut Graph<'_>, rsc: RscIdx, current: Option<NodeIdx>) -> Self {
        let resource = &graph.rsc[rsc];
        let (_, all, clean) = graph.active_nodes(rsc);
        let assigned = graph.placed[rsc].assigned;
        let elsewhere = matches!((current, assigned), (Some(from), Some(to)) if from != to);
        let moves = elsewhere && resource.next_role >= Role::Started;
        let mut way = Self {
            rsc,
            current,
            moves,
            need_stop: moves,
            need_promote: false,
            migrates: moves && migration::possible(graph, rsc, current),
            stop_unexpected: false,
            restarting: false,
        };
        if let Some((source, target)) = resource.migration {
            let goes_on = way.migrates && all == 2 && current == Some(source) && assigned == Some(target);
            if !goes_on {
                graph.end_migration(rsc);
                way.need_stop = true;
                way.migrates = false;
            }
            return way;
        }
        let active = if resource.is.needs_fencing { all } else { clean };
        if active > 1 {
            match resource.multiply_active {
                MultiplyActive::StopStart => way.need_stop = true,
                MultiplyActive::StopUnexpected => {
                    way.need_stop = true;
                    way.stop_unexpected = true;
                }
                MultiplyActive::StopOnly | MultiplyActive::Block => {}
            }
        }
        way
    }

    /// What a resource that stays where it is calls for.
    fn staying(&mut self, graph: &mut Graph<'_>) {
        let rsc = self.rsc;
        let assigned = graph.placed[rsc].assigned;
        if graph.starts(rsc) {
            // The start that is under way stands for itself. Where nothing may run it, it is in vain, but is said.
            let start = graph.action(rsc, Task::Start, assigned, assigned.is_some());
            graph.actions[start].always_in_graph = true;
        }
        let resource = &graph.rsc[rsc];
        if self.moves {
            return;
        }
        if resource.is.failed {
            if resource.is.stop_if_failed {
                self.need_stop = true;
            } else if resource.next_role == Role::Promoted {
                self.need_promote = true;
            }
        } else if resource.is.blocked {
            self.need_stop = true;
        } else if resource.role > Role::Started && self.current.is_some() && assigned.is_some() {
            let start = graph.action(rsc, Task::Start, assigned, true);
            self.need_stop |= !graph.actions[start].optional;
        }
    }

    /// So that there is something to hang orderings on, everything active has a stop and a start, needed or not.
    fn down_and_up(&mut self, graph: &mut Graph<'_>) {
        self.restarting = true;
        let mut role = graph.rsc[self.rsc].role;
        for _ in 0..STEPS {
            if role == Role::Stopped {
                break;
            }
            let next = step(role, Role::Stopped);
            if !self.take(graph, (role, next), self.current, !self.need_stop) {
                break;
            }
            role = next;
        }
        for _ in 0..STEPS {
            let resource = &graph.rsc[self.rsc];
            if resource.role > resource.next_role || role == resource.role || resource.is.blocked {
                break;
            }
            let next = step(role, resource.role);
            let required = self.need_stop || (next == Role::Promoted && self.need_promote);
            if !self.take(graph, (role, next), graph.placed[self.rsc].assigned, !required) {
                break;
            }
            role = next;
        }
        self.restarting = false;
    }

    fn to_next_role(&self, graph: &mut Graph<'_>) {
        let mut role = graph.rsc[self.rsc].role;
        // The next role may be taken away on the way.
        for _ in 0..STEPS {
            let target = graph.rsc[self.rsc].next_role;
            let next = step(role, target);
            if role == target || !self.take(graph, (role, next), graph.placed[self.rsc].assigned, false) {
                return;
            }
            role = next;
        }
    }

    /// Makes the action that leads from one role to the next; `false` if no action does.
    fn take(&self, graph: &mut Graph<'_>, (from, to): (Role, Role), node: Option<NodeIdx>, optional: bool) -> bool {
        match (from, to) {
            (Role::Unknown, Role::Stopped) => self.stop(graph, optional),
            (Role::Stopped, Role::Started | Role::Unpromoted) => self.start(graph, node, optional),
            (Role::Started, Role::Stopped) => self.stop(graph, optional),
            (Role::Unpromoted, Role::Stopped | Role::Started) => self.stop(graph, optional),
            (Role::Started | Role::Unpromoted, Role::Promoted) => self.promote(graph, node, optional),
            (Role::Promoted, Role::Stopped | Role::Started | Role::Unpromoted) => self.demote(graph, optional),
            (Role::Stopped, Role::Stopped)
            | (Role::Started, Role::Started | Role::Unpromoted)
            | (Role::Unpromoted, Role::Unpromoted)
            | (Role::Promoted, Role::Promoted) => {}
            _ => return false,
        }
        true
    }

    /// Whether a node is the one on which a multiply active resource is right.
    fn is_expected(&self, graph: &Graph<'_>, node: Option<NodeIdx>) -> bool {
        let resource = &graph.rsc[self.rsc];
        self.restarting
            && self.stop_unexpected
            && resource.next_role > Role::Stopped
            && node.is_some()
            && graph.placed[self.rsc].assigned == node
    }

    fn stop(&self, graph: &mut Graph<'_>, optional: bool) {
        for node in graph.rsc[self.rsc].active.clone() {
            if self.is_expected(graph, Some(node)) {
                continue;
            }
            let resource = &graph.rsc[self.rsc];
            let assigned = graph.placed[self.rsc].assigned;
            if resource.migration.is_some_and(|(_, target)| target == node) && assigned == Some(node) {
                continue;
            }
            let stop = graph.action(self.rsc, Task::Stop, Some(node), optional);
            if assigned.is_none() {
                graph.actions[stop].reason = Some(Reason::NodeAvailability);
            } else if self.restarting && self.stop_unexpected {
                graph.actions[stop].reason = Some(Reason::MultiplyActive);
            }
            if !graph.rsc[self.rsc].is.managed {
                graph.actions[stop].runnable = false;
            }
            if graph.rsc[self.rsc].is.needs_unfencing {
                let unfence = graph.fence_op(node, Some("on"), true, None, false);
                graph.order(stop, unfence, F::THEN_IMPLIES_FIRST);
            }
        }
    }

    fn start(&self, graph: &mut Graph<'_>, node: Option<NodeIdx>, optional: bool) {
        let start = graph.action(self.rsc, Task::Start, node, true);
        if let Some(node) = node {
            graph.unfence_before(start, self.rsc, node, F::FIRST_IMPLIES_THEN);
        }
        if graph.actions[start].runnable && !optional {
            graph.actions[start].optional = false;
        }
        if self.is_expected(graph, node) {
            // It runs there already, and is left alone.
            graph.actions[start].pseudo = true;
        }
    }

    fn promote(&self, graph: &mut Graph<'_>, node: Option<NodeIdx>, optional: bool) {
        let Some(node) = node else { return };
        let on_node = |graph: &Graph<'_>, task: Task| -> Vec<ActIdx> {
            let mut actions = graph.actions_of(self.rsc, task, 0);
            actions.retain(|action| graph.actions[*action].node == Some(node));
            actions
        };
        if on_node(graph, Task::Start).iter().all(|start| graph.actions[*start].runnable) {
            let promote = graph.action(self.rsc, Task::Promote, Some(node), optional);
            if self.is_expected(graph, Some(node)) {
                graph.actions[promote].pseudo = true;
            }
            return;
        }
        for promote in on_node(graph, Task::Promote) {
            graph.actions[promote].runnable = false;
        }
    }

    fn demote(&self, graph: &mut Graph<'_>, optional: bool) {
        for node in graph.rsc[self.rsc].active.clone() {
            if !self.is_expected(graph, Some(node)) {
                graph.action(self.rsc, Task::Demote, Some(node), optional);
            }
        }
    }
}

/// The next role on the way from one to another.
const fn step(from: Role, to: Role) -> Role {
    match (from, to) {
        (_, Role::Unknown) | (Role::Unknown, _) => Role::Stopped,
        (Role::Stopped, Role::Promoted) => Role::Unpromoted,
        (Role::Unpromoted, Role::Started) => Role::Stopped,
        (Role::Promoted, Role::Stopped | Role::Started) => Role::Unpromoted,
        (_, to) => to,
    }
}
