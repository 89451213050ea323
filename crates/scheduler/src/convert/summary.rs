//! What people are told: one line for each node that is fenced, and for each resource that does not stay as it is.

use crate::action::Task;
use crate::graph::Graph;
use crate::ids::{ActIdx, NodeIdx, RscIdx};
use crate::plan::{Decision, Reason, Verb};
use hac_model::Role;

use super::cause;

/// All lines, in the order of the report.
pub(super) fn decisions(graph: &Graph<'_>) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = graph.actions.keys().rev().filter_map(|action| fencing(graph, action)).collect();
    for rsc in &graph.top {
        of_resource(graph, *rsc, &mut decisions);
    }
    decisions
}

/// The line of a fencing that is needed and has a reason. That of a guest is said even if its container cannot be stopped.
fn fencing(graph: &Graph<'_>, action: ActIdx) -> Option<Decision> {
    let entry = &graph.actions[action];
    let of_guest = entry.node.is_some_and(|node| graph.nodes[node].is_guest());
    if entry.task != Task::Fence || entry.optional || !(entry.runnable || of_guest) {
        return None;
    }
    Some(Decision {
        verb: Verb::Fence,
        subject: graph.nodes[entry.node?].name.clone(),
        detail: entry.detail.clone().unwrap_or_default(),
        reason: Some(entry.reason.clone()?),
        cause: None,
        blocked: false,
    })
}

fn of_resource(graph: &Graph<'_>, rsc: RscIdx, decisions: &mut Vec<Decision>) {
    let resource = &graph.rsc[rsc];
    if let Some(data) = resource.bundle_data() {
        for replica in &data.replicas {
            let parts = [replica.ip, Some(replica.container), replica.remote, replica.child];
            parts.into_iter().flatten().for_each(|part| of_resource(graph, part, decisions));
        }
    } else if resource.is_primitive() {
        primitive(graph, rsc, decisions);
    } else {
        resource.children.iter().for_each(|child| of_resource(graph, *child, decisions));
    }
}

/// The actions that tell what happens to a primitive.
struct Look<'c, 'a> {
    graph: &'c Graph<'a>,
    rsc: RscIdx,
    current: Option<NodeIdx>,
    next: Option<NodeIdx>,
    start: Option<ActIdx>,
    stop: Option<ActIdx>,
    promote: Option<ActIdx>,
    demote: Option<ActIdx>,
}

impl<'c, 'a> Look<'c, 'a> {
    fn new(graph: &'c Graph<'a>, rsc: RscIdx) -> Self {
        let resource = &graph.rsc[rsc];
        let next = graph.placed[rsc].assigned;
        let current = match resource.migration {
            Some((source, _)) => Some(source),
            None => graph.current_node(rsc),
        };
        let find = |task, node| graph.first_action(rsc, task, node);
        let start = find(Task::Start, next);
        let startable = start.is_some_and(|start| graph.actions[start].runnable);
        let stop = find(Task::Stop, if startable { current } else { None }).or_else(|| find(Task::Stop, None));
        let (promote, demote) = (find(Task::Promote, next), find(Task::Demote, next));
        Self { graph, rsc, current, next, start, stop, promote, demote }
    }

    fn required(&self, action: Option<ActIdx>) -> bool {
        action.is_some_and(|action| !self.graph.actions[action].optional)
    }

    fn runnable(&self, action: Option<ActIdx>) -> bool {
        action.is_some_and(|action| self.graph.actions[action].runnable)
    }

    fn reason(&self, action: Option<ActIdx>) -> Option<&Reason> {
        self.graph.actions[action?].reason.as_ref()
    }

    fn moving(&self) -> bool {
        matches!((self.current, self.next), (Some(current), Some(next)) if current != next)
    }

    /// A line about what `action` does, because of `source` (or of itself).
    fn say(
        &self,
        verb: Verb,
        origin: Option<NodeIdx>,
        destination: Option<NodeIdx>,
        action: Option<ActIdx>,
        source: Option<ActIdx>,
    ) -> Decision {
        let reason = self.reason(source.or(action)).cloned();
        let cause = reason.is_none().then(|| cause::of(self.graph, self.rsc, verb, origin));
        Decision {
            verb,
            subject: self.graph.rsc[self.rsc].id.clone(),
            detail: self.detail(origin, destination),
            reason,
            cause,
            blocked: !self.runnable(action),
        }
    }

    /// From where to where, with roles where they matter.
    fn detail(&self, origin: Option<NodeIdx>, destination: Option<NodeIdx>) -> String {
        let resource = &self.graph.rsc[self.rsc];
        let name = |node: NodeIdx| self.graph.nodes[node].name.as_str();
        let (role, next) = (resource.role, resource.next_role);
        let roles = role > Role::Started || next > Role::Unpromoted;
        match (origin, destination) {
            (None, None) => String::new(),
            (None, Some(to)) if roles => format!("{role} -> {next} {}", name(to)),
            (None, Some(to)) => name(to).to_owned(),
            (Some(from), None) if roles => format!("{role} {}", name(from)),
            (Some(from), None) => name(from).to_owned(),
            (Some(from), Some(to)) if role == next && from == to => {
                if roles {
                    format!("{role} {}", name(from))
                } else {
                    name(from).to_owned()
                }
            }
            (Some(from), Some(to)) if role == next => {
                let path = format!("{} -> {}", name(from), name(to));
                if roles { format!("{path} {role}") } else { path }
            }
            (Some(from), Some(to)) if from == to => format!("{role} -> {next} {}", name(from)),
            (Some(from), Some(to)) => format!("{role} {} -> {next} {}", name(from), name(to)),
        }
    }
}

fn primitive(graph: &Graph<'_>, rsc: RscIdx, decisions: &mut Vec<Decision>) {
    let look = Look::new(graph, rsc);
    if !graph.rsc[rsc].is.managed || (look.current.is_none() && look.next.is_none()) {
        return;
    }
    if graph.rsc[rsc].role == graph.rsc[rsc].next_role {
        decisions.extend(same_role(&look));
    } else {
        other_role(&look, decisions);
    }
}

/// It stays in its role; perhaps not where it is, or not without a break.
fn same_role(look: &Look<'_, '_>) -> Option<Decision> {
    let (current, next, start, stop) = (look.current, look.next, look.start, look.stop);
    let is = &look.graph.rsc[look.rsc].is;
    let migrate = look.graph.first_action(look.rsc, Task::MigrateFrom, next);
    if look.runnable(migrate) {
        return Some(look.say(Verb::Migrate, current, next, start, None));
    }
    if look.graph.reloads(look.rsc) {
        return Some(look.say(Verb::Reload, current, next, start, None));
    }
    if !look.required(start) {
        let again = look.required(look.demote) && look.required(look.promote);
        return again.then(|| look.say(Verb::RePromote, current, next, look.promote, look.demote));
    }
    if !look.runnable(start) {
        let source = if look.reason(stop).is_some() { stop } else { start };
        return Some(look.say(Verb::Stop, current, None, stop, source));
    }
    Some(if look.moving() {
        look.say(if is.failed { Verb::Recover } else { Verb::Move }, current, next, stop, None)
    } else if is.failed {
        look.say(Verb::Recover, current, None, stop, None)
    } else {
        look.say(Verb::Restart, current, next, start, None)
    })
}

/// It takes another role.
fn other_role(look: &Look<'_, '_>, decisions: &mut Vec<Decision>) {
    let (current, next, start, stop) = (look.current, look.next, look.start, look.stop);
    let resource = &look.graph.rsc[look.rsc];
    let goes_down = resource.next_role == Role::Stopped || (start.is_some() && !look.runnable(start));
    if stop.is_some() && goes_down {
        for node in &resource.active {
            let stop = look.graph.first_action(look.rsc, Task::Stop, Some(*node));
            let source = if look.reason(stop).is_some() { stop } else { start };
            decisions.push(look.say(Verb::Stop, Some(*node), None, stop, source.or(stop)));
        }
        return;
    }
    decisions.extend(if stop.is_some() && resource.is.failed && resource.is.stop_if_failed {
        Some(look.say(Verb::Recover, current, next, stop, start))
    } else if look.moving() {
        Some(look.say(Verb::Move, current, next, stop, None))
    } else if look.graph.reloads(look.rsc) {
        Some(look.say(Verb::Reload, current, next, start, None))
    } else if look.required(stop) {
        Some(look.say(Verb::Restart, current, next, start, None))
    } else if resource.role == Role::Promoted {
        Some(look.say(Verb::Demote, current, next, look.demote, None))
    } else if resource.next_role == Role::Promoted {
        Some(look.say(Verb::Promote, current, next, look.promote, None))
    } else if resource.role <= Role::Stopped && resource.next_role > Role::Stopped {
        Some(look.say(Verb::Start, current, next, start, None))
    } else {
        None
    });
}
