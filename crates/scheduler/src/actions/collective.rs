//! The milestones of groups, clones and bundles.

use crate::action::Task;
use crate::facts::Variant;
use crate::graph::Graph;
use crate::ids::RscIdx;
use crate::notify;
use hac_model::INFINITY;

use super::primitive;

/// Makes the actions of `rsc` and of everything in it.
pub(crate) fn create(graph: &mut Graph<'_>, rsc: RscIdx) {
    match graph.rsc[rsc].variant {
        Variant::Primitive => primitive::create(graph, rsc),
        Variant::Group { .. } => group(graph, rsc),
        Variant::Clone(_) => clone(graph, rsc),
        Variant::Bundle(_) => bundle(graph, rsc),
    }
}

fn group(graph: &mut Graph<'_>, rsc: RscIdx) {
    for child in graph.rsc[rsc].children.clone() {
        create(graph, child);
    }
    for task in [Task::Start, Task::Started, Task::Stop, Task::Stopped] {
        graph.pseudo_action(rsc, task, true, true);
    }
    let top = graph.top(rsc, false);
    if graph.rsc[top].is.promotable {
        for task in [Task::Demote, Task::Demoted, Task::Promote, Task::Promoted] {
            graph.pseudo_action(rsc, task, true, true);
        }
    }
}

fn clone(graph: &mut Graph<'_>, rsc: RscIdx) {
    let children = graph.rsc[rsc].children.clone();
    instances(graph, rsc, &children);
    if graph.rsc[rsc].is.promotable {
        roles(graph, rsc, &children);
    }
    notify::order_tasks(graph, rsc);
}

/// What instances are about to do.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    active: bool,
    starting: bool,
    stopping: bool,
    restarting: bool,
    promoting: bool,
    demoting: bool,
}

impl Seen {
    fn look(&mut self, graph: &Graph<'_>, rsc: RscIdx) {
        let resource = &graph.rsc[rsc];
        if !resource.children.is_empty() {
            resource.children.iter().for_each(|child| self.look(graph, *child));
            return;
        }
        self.active |= !resource.active.is_empty();
        let required = |task: Task, and_runnable: bool| {
            graph.actions_on(rsc).iter().map(|action| &graph.actions[*action]).any(|action| {
                action.task == task && !action.optional && (action.pseudo || action.runnable || !and_runnable)
            })
        };
        let (starts, stops) = (required(Task::Start, true), required(Task::Stop, false));
        self.starting |= starts;
        self.stopping |= stops;
        self.restarting |= starts && stops;
        self.promoting |= required(Task::Promote, true);
        self.demoting |= required(Task::Demote, false);
    }
}

/// Actions of instances, and the milestones of their collective.
fn instances(graph: &mut Graph<'_>, rsc: RscIdx, parts: &[RscIdx]) {
    let mut seen = Seen::default();
    for part in parts {
        create(graph, *part);
        seen.look(graph, *part);
    }
    let start = graph.pseudo_action(rsc, Task::Start, !seen.starting, true);
    let started = graph.pseudo_action(rsc, Task::Started, !seen.starting, false);
    graph.actions[started].priority = INFINITY;
    graph.actions[started].runnable = seen.active || seen.starting;
    notify::milestones(graph, rsc, Task::Start, start, started);
    let stop = graph.pseudo_action(rsc, Task::Stop, !seen.stopping, true);
    let stopped = graph.pseudo_action(rsc, Task::Stopped, !seen.stopping, true);
    graph.actions[stopped].priority = INFINITY;
    graph.actions[stop].migratable = !seen.restarting;
    notify::milestones(graph, rsc, Task::Stop, stop, stopped);
}

fn roles(graph: &mut Graph<'_>, rsc: RscIdx, parts: &[RscIdx]) {
    let mut seen = Seen::default();
    parts.iter().for_each(|part| seen.look(graph, *part));
    let promote = graph.pseudo_action(rsc, Task::Promote, !seen.promoting, true);
    let promoted = graph.pseudo_action(rsc, Task::Promoted, !seen.promoting, false);
    graph.actions[promoted].priority = INFINITY;
    graph.actions[promoted].runnable = seen.promoting;
    notify::milestones(graph, rsc, Task::Promote, promote, promoted);
    let demote = graph.pseudo_action(rsc, Task::Demote, !seen.demoting, true);
    let demoted = graph.pseudo_action(rsc, Task::Demoted, !seen.demoting, true);
    graph.actions[demoted].priority = INFINITY;
    notify::milestones(graph, rsc, Task::Demote, demote, demoted);
}

fn bundle(graph: &mut Graph<'_>, rsc: RscIdx) {
    let replicas = graph.replicas(rsc);
    for replica in &replicas {
        for part in [replica.ip, replica.remote].into_iter().flatten() {
            create(graph, part);
        }
    }
    let containers: Vec<RscIdx> = replicas.iter().map(|replica| replica.container).collect();
    instances(graph, rsc, &containers);
    let Some(inner) = graph.bundle_data(rsc).and_then(|data| data.child) else { return };
    create(graph, inner);
    if graph.rsc[inner].is.promotable {
        for task in [Task::Promote, Task::Promoted, Task::Demote, Task::Demoted] {
            let milestone = graph.pseudo_action(rsc, task, true, true);
            if matches!(task, Task::Promoted | Task::Demoted) {
                graph.actions[milestone].priority = INFINITY;
            }
        }
    }
}
