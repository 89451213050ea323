//! The actions of a primitive: down and up again where it is, and from the role it has to the role it shall have.

use crate::plan::Reason;
use crate::scheduler::cluster::{ActIdx, Cluster, MultiplyActive, NodeIdx, RelationFlags as F, Role, RscIdx, Task};

use super::{migration, recurring};

/// Makes all actions of `rsc`.
pub(super) fn create(cluster: &mut Cluster<'_>, rsc: RscIdx) {
    if cluster.rsc[rsc].next_role == Role::Unknown {
        let up = cluster.rsc[rsc].assigned.is_some();
        cluster.rsc[rsc].next_role = if up { Role::Started } else { Role::Stopped };
    }
    for node in cluster.rsc[rsc].dangling.clone() {
        let stop = cluster.action(rsc, Task::Stop, Some(node), false);
        cluster.actions[stop].migration_abort = true;
    }
    let plan = Plan::of(cluster, rsc);
    down_and_up(cluster, rsc, &plan);
    to_next_role(cluster, rsc, &plan);
    recurring::create(cluster, rsc);
    if plan.migrates {
        migration::create(cluster, rsc, plan.current);
    }
}

/// What is needed besides a change of role.
struct Plan {
    current: Option<NodeIdx>,
    need_stop: bool,
    need_promote: bool,
    /// Active on several nodes, only one of which is right.
    stop_unexpected: bool,
    migrates: bool,
}

impl Plan {
    fn of(cluster: &mut Cluster<'_>, rsc: RscIdx) -> Self {
        let (active, all, clean) = cluster.active_nodes(rsc);
        let mut plan = Self {
            current: active,
            need_stop: false,
            need_promote: false,
            stop_unexpected: false,
            migrates: migration::possible(cluster, rsc, active),
        };
        plan.multiply_active(cluster, rsc, all, clean);
        let resource = &cluster.rsc[rsc];
        let moves = matches!((plan.current, resource.assigned), (Some(from), Some(to)) if from != to);
        if moves && resource.next_role > Role::Stopped {
            plan.need_stop = true;
        } else if resource.is.failed {
            if resource.is.stop_if_failed {
                plan.need_stop = true;
            } else {
                plan.need_promote = resource.next_role == Role::Promoted;
            }
        } else if resource.is.blocked {
            plan.need_stop = true;
        } else if resource.role > Role::Started && plan.current.is_some() && resource.assigned.is_some() {
            let start = cluster.action(rsc, Task::Start, cluster.rsc[rsc].assigned, true);
            plan.need_stop |= !cluster.actions[start].optional;
        }
        plan
    }

    /// Half a migration, or active on more nodes than it should be.
    fn multiply_active(&mut self, cluster: &mut Cluster<'_>, rsc: RscIdx, all: usize, clean: usize) {
        let resource = &cluster.rsc[rsc];
        if let Some((_, target)) = resource.migration {
            if self.migrates && resource.assigned == Some(target) && all == 2 {
                return;
            }
            cluster.rsc[rsc].migration = None;
            self.migrates = false;
            self.need_stop = true;
            self.current = cluster.current_node(rsc);
            return;
        }
        let count = if resource.is.needs_fencing { all } else { clean };
        if count <= 1 {
            return;
        }
        match resource.multiply_active {
            MultiplyActive::StopStart => self.need_stop = true,
            MultiplyActive::StopUnexpected => {
                self.need_stop = true;
                self.stop_unexpected = true;
            }
            MultiplyActive::StopOnly | MultiplyActive::Block => {}
        }
    }
}

/// The next role on the way from one to another.
const fn step(from: Role, to: Role) -> Role {
    match (from, to) {
        (Role::Promoted, Role::Promoted) => Role::Promoted,
        (Role::Promoted, _) => Role::Unpromoted,
        (Role::Unpromoted | Role::Started, Role::Stopped | Role::Unknown) => Role::Stopped,
        (Role::Unpromoted, Role::Started) => Role::Stopped,
        (Role::Stopped | Role::Unknown, Role::Promoted) => Role::Unpromoted,
        (_, to) => to,
    }
}

/// So that there is something to hang orderings on, everything active has a stop and a start, needed or not.
fn down_and_up(cluster: &mut Cluster<'_>, rsc: RscIdx, plan: &Plan) {
    let highest = cluster.rsc[rsc].role;
    let optional = !plan.need_stop;
    let mut role = highest;
    while role > Role::Stopped {
        let next = step(role, Role::Stopped);
        take(cluster, rsc, plan, (role, next), plan.current, (optional, true));
        role = next;
    }
    while role < highest && !cluster.rsc[rsc].is.blocked && role <= cluster.rsc[rsc].next_role {
        let next = step(role, highest);
        if next > cluster.rsc[rsc].next_role || next == role {
            break;
        }
        let needed = plan.need_stop || (next == Role::Promoted && plan.need_promote);
        take(cluster, rsc, plan, (role, next), cluster.rsc[rsc].assigned, (!needed, true));
        role = next;
    }
}

fn to_next_role(cluster: &mut Cluster<'_>, rsc: RscIdx, plan: &Plan) {
    let mut role = cluster.rsc[rsc].role;
    // Stages on the way may take the next role away; at most every role is passed once in each direction.
    for _ in 0..8 {
        let target = cluster.rsc[rsc].next_role;
        if role == target {
            return;
        }
        let next = step(role, target);
        take(cluster, rsc, plan, (role, next), cluster.rsc[rsc].assigned, (false, false));
        role = next;
    }
}

/// Makes the action that leads from one role to the next.
fn take(
    cluster: &mut Cluster<'_>,
    rsc: RscIdx,
    plan: &Plan,
    (from, to): (Role, Role),
    node: Option<NodeIdx>,
    (optional, restarting): (bool, bool),
) {
    match (from, to) {
        (Role::Promoted, Role::Unpromoted) => demote(cluster, rsc, optional),
        (_, Role::Stopped) if from > Role::Stopped => stop(cluster, rsc, plan, optional, restarting),
        (Role::Stopped | Role::Unknown, Role::Started | Role::Unpromoted) => {
            if let Some(node) = node {
                start(cluster, rsc, plan, node, optional);
            }
        }
        (_, Role::Promoted) => {
            if let Some(node) = node {
                promote(cluster, rsc, node, optional);
            }
        }
        _ => {}
    }
}

fn stop(cluster: &mut Cluster<'_>, rsc: RscIdx, plan: &Plan, optional: bool, restarting: bool) {
    for node in cluster.rsc[rsc].active.clone() {
        let resource = &cluster.rsc[rsc];
        if plan.stop_unexpected && resource.assigned == Some(node) && restarting {
            continue;
        }
        if resource.migration.is_some_and(|(_, target)| target == node) && resource.assigned == Some(node) {
            continue;
        }
        let assigned = resource.assigned;
        let stop = cluster.action(rsc, Task::Stop, Some(node), optional);
        if assigned.is_none() {
            cluster.actions[stop].reason = Some(Reason::NodeAvailability);
        } else if restarting && plan.stop_unexpected {
            cluster.actions[stop].reason = Some(Reason::MultiplyActive);
        }
        if !cluster.rsc[rsc].is.managed {
            cluster.actions[stop].runnable = false;
        }
        if cluster.rsc[rsc].is.needs_unfencing {
            let unfence = cluster.fence_op(node, Some("on"), true, None, false);
            cluster.order(stop, unfence, F::THEN_IMPLIES_FIRST);
        }
    }
}

fn start(cluster: &mut Cluster<'_>, rsc: RscIdx, plan: &Plan, node: NodeIdx, optional: bool) {
    let start = cluster.action(rsc, Task::Start, Some(node), true);
    after_unfencing(cluster, rsc, node, start);
    if cluster.actions[start].runnable && !optional {
        cluster.actions[start].optional = false;
    }
    if plan.stop_unexpected && cluster.rsc[rsc].active.contains(&node) {
        // It runs there already, and is left alone.
        cluster.actions[start].pseudo = true;
    }
}

fn after_unfencing(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, action: ActIdx) {
    if !cluster.rsc[rsc].is.needs_unfencing {
        return;
    }
    let unfence = cluster.fence_op(node, Some("on"), true, None, false);
    cluster.order(unfence, action, F::ORDERED);
}

fn promote(cluster: &mut Cluster<'_>, rsc: RscIdx, node: NodeIdx, optional: bool) {
    let key = super::make::key(&cluster.rsc[rsc].id, Task::Start, 0);
    let starts = cluster.find_actions(Some(rsc), &key, Some(node));
    if starts.iter().all(|start| cluster.actions[*start].runnable) {
        let promote = cluster.action(rsc, Task::Promote, Some(node), optional);
        after_unfencing(cluster, rsc, node, promote);
        return;
    }
    for promote in cluster.actions_of(rsc, Task::Promote, 0) {
        if cluster.actions[promote].node.is_none_or(|at| at == node) {
            cluster.actions[promote].runnable = false;
        }
    }
}

fn demote(cluster: &mut Cluster<'_>, rsc: RscIdx, optional: bool) {
    for node in cluster.rsc[rsc].active.clone() {
        cluster.action(rsc, Task::Demote, Some(node), optional);
    }
}
