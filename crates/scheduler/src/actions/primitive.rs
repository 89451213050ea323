//! The actions of a primitive: down and up again where it is, and from the role it has to the role it shall have.

use crate::cluster::{ActIdx, Cluster, MultiplyActive, NodeIdx, RelationFlags as F, Role, RscIdx, Task};
use crate::plan::Reason;

use super::{migration, recurring};

/// No way from one role to another has more steps.
const STEPS: usize = 8;

/// Makes all actions of `rsc`.
pub(super) fn create(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    if cluster.rsc[rsc].next_role == Role::Unknown {
        let up = cluster.rsc[rsc].assigned.is_some();
        cluster.rsc[rsc].next_role = if up { Role::Started } else { Role::Stopped };
    }
    let current = cluster.current_node(rsc);
    for node in cluster.rsc[rsc].dangling.clone() {
        let stop = cluster.action(rsc, Task::Stop, Some(node), false);
        cluster.actions[stop].migration_abort = true;
    }
    let mut way = Way::new(cluster, rsc, current);
    way.staying(cluster);
    way.down_and_up(cluster);
    way.to_next_role(cluster);
    recurring::create(cluster, rsc);
    if way.migrates {
        migration::create(cluster, rsc, current);
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
    fn new(cluster: &mut Cluster<'_>, rsc: RscIdx, current: Option<NodeIdx>) -> Self {
        let resource = &cluster.rsc[rsc];
        let (_, all, clean) = cluster.active_nodes(rsc);
        let elsewhere = matches!((current, resource.assigned), (Some(from), Some(to)) if from != to);
        let moves = elsewhere && resource.next_role >= Role::Started;
        let mut way = Self {
            rsc,
            current,
            moves,
            need_stop: moves,
            need_promote: false,
            migrates: moves && migration::possible(cluster, rsc, current),
            stop_unexpected: false,
            restarting: false,
        };
        if let Some((source, target)) = resource.migration {
            let goes_on = way.migrates && all == 2 && current == Some(source) && resource.assigned == Some(target);
            if !goes_on {
                cluster.rsc[rsc].migration = None;
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
    fn staying(&mut self, cluster: &mut Cluster<'_>) {
        let rsc = self.rsc;
        let assigned = cluster.rsc[rsc].assigned;
        if cluster.rsc[rsc].is.start_pending {
            // The start that is under way stands for itself. Where nothing may run it, it is in vain, but is said.
            let start = cluster.action(rsc, Task::Start, assigned, assigned.is_some());
            cluster.actions[start].always_in_graph = true;
        }
        let resource = &cluster.rsc[rsc];
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
            let start = cluster.action(rsc, Task::Start, assigned, true);
            self.need_stop |= !cluster.actions[start].optional;
        }
    }

    /// So that there is something to hang orderings on, everything active has a stop and a start, needed or not.
    fn down_and_up(&mut self, cluster: &mut Cluster<'_>) {
        self.restarting = true;
        let mut role = cluster.rsc[self.rsc].role;
        for _ in 0..STEPS {
            if role == Role::Stopped {
                break;
            }
            let next = step(role, Role::Stopped);
            if !self.take(cluster, (role, next), self.current, !self.need_stop) {
                break;
            }
            role = next;
        }
        for _ in 0..STEPS {
            let resource = &cluster.rsc[self.rsc];
            if resource.role > resource.next_role || role == resource.role || resource.is.blocked {
                break;
            }
            let next = step(role, resource.role);
            let required = self.need_stop || (next == Role::Promoted && self.need_promote);
            if !self.take(cluster, (role, next), resource.assigned, !required) {
                break;
            }
            role = next;
        }
        self.restarting = false;
    }

    fn to_next_role(&self, cluster: &mut Cluster<'_>) {
        let mut role = cluster.rsc[self.rsc].role;
        // The next role may be taken away on the way.
        for _ in 0..STEPS {
            let target = cluster.rsc[self.rsc].next_role;
            let next = step(role, target);
            if role == target || !self.take(cluster, (role, next), cluster.rsc[self.rsc].assigned, false) {
                return;
            }
            role = next;
        }
    }

    /// Makes the action that leads from one role to the next; `false` if no action does.
    fn take(&self, cluster: &mut Cluster<'_>, (from, to): (Role, Role), node: Option<NodeIdx>, optional: bool) -> bool {
        match (from, to) {
            (Role::Unknown, Role::Stopped) => self.stop(cluster, optional),
            (Role::Stopped, Role::Started | Role::Unpromoted) => self.start(cluster, node, optional),
            (Role::Started, Role::Stopped) => self.stop(cluster, optional),
            (Role::Unpromoted, Role::Stopped | Role::Started) => self.stop(cluster, optional),
            (Role::Started | Role::Unpromoted, Role::Promoted) => self.promote(cluster, node, optional),
            (Role::Promoted, Role::Stopped | Role::Started | Role::Unpromoted) => self.demote(cluster, optional),
            (Role::Stopped, Role::Stopped)
            | (Role::Started, Role::Started | Role::Unpromoted)
            | (Role::Unpromoted, Role::Unpromoted)
            | (Role::Promoted, Role::Promoted) => {}
            _ => return false,
        }
        true
    }

    /// Whether a node is the one on which a multiply active resource is right.
    fn is_expected(&self, cluster: &Cluster<'_>, node: Option<NodeIdx>) -> bool {
        let resource = &cluster.rsc[self.rsc];
        self.restarting
            && self.stop_unexpected
            && resource.next_role > Role::Stopped
            && node.is_some()
            && resource.assigned == node
    }

    fn stop(&self, cluster: &mut Cluster<'_>, optional: bool) {
        for node in cluster.rsc[self.rsc].active.clone() {
            if self.is_expected(cluster, Some(node)) {
                continue;
            }
            let resource = &cluster.rsc[self.rsc];
            let assigned = resource.assigned;
            if resource.migration.is_some_and(|(_, target)| target == node) && assigned == Some(node) {
                continue;
            }
            let stop = cluster.action(self.rsc, Task::Stop, Some(node), optional);
            if assigned.is_none() {
                cluster.actions[stop].reason = Some(Reason::NodeAvailability);
            } else if self.restarting && self.stop_unexpected {
                cluster.actions[stop].reason = Some(Reason::MultiplyActive);
            }
            if !cluster.rsc[self.rsc].is.managed {
                cluster.actions[stop].runnable = false;
            }
            if cluster.rsc[self.rsc].is.needs_unfencing {
                let unfence = cluster.fence_op(node, Some("on"), true, None, false);
                cluster.order(stop, unfence, F::THEN_IMPLIES_FIRST);
            }
        }
    }

    fn start(&self, cluster: &mut Cluster<'_>, node: Option<NodeIdx>, optional: bool) {
        let start = cluster.action(self.rsc, Task::Start, node, true);
        if let Some(node) = node {
            cluster.unfence_before(start, self.rsc, node, F::FIRST_IMPLIES_THEN);
        }
        if cluster.actions[start].runnable && !optional {
            cluster.actions[start].optional = false;
        }
        if self.is_expected(cluster, node) {
            // It runs there already, and is left alone.
            cluster.actions[start].pseudo = true;
        }
    }

    fn promote(&self, cluster: &mut Cluster<'_>, node: Option<NodeIdx>, optional: bool) {
        let Some(node) = node else { return };
        let on_node = |cluster: &Cluster<'_>, task: Task| -> Vec<ActIdx> {
            let mut actions = cluster.actions_of(self.rsc, task, 0);
            actions.retain(|action| cluster.actions[*action].node == Some(node));
            actions
        };
        if on_node(cluster, Task::Start).iter().all(|start| cluster.actions[*start].runnable) {
            let promote = cluster.action(self.rsc, Task::Promote, Some(node), optional);
            if self.is_expected(cluster, Some(node)) {
                cluster.actions[promote].pseudo = true;
            }
            return;
        }
        for promote in on_node(cluster, Task::Promote) {
            cluster.actions[promote].runnable = false;
        }
    }

    fn demote(&self, cluster: &mut Cluster<'_>, optional: bool) {
        for node in cluster.rsc[self.rsc].active.clone() {
            if !self.is_expected(cluster, Some(node)) {
                cluster.action(self.rsc, Task::Demote, Some(node), optional);
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
