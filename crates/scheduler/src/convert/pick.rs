//! What belongs into the graph.

use crate::action::{RelationFlags as F, Task};
use crate::arena::Key as _;
use crate::graph::Graph;
use crate::ids::ActIdx;

/// Whether `action` is to be done.
pub(super) fn action(graph: &Graph<'_>, action: ActIdx) -> bool {
    let entry = &graph.actions[action];
    if !entry.runnable || (entry.optional && !entry.always_in_graph) {
        return false;
    }
    // What is not managed is only looked at.
    let unmanaged = entry.rsc.is_some_and(|rsc| !graph.rsc[rsc].is.managed);
    let cancels_recurring = entry.task == Task::Cancel || entry.interval_ms > 0;
    if unmanaged && entry.task != Task::Monitor && !cancels_recurring {
        return false;
    }
    if entry.pseudo || matches!(entry.task, Task::Fence | Task::Shutdown) {
        return true;
    }
    let Some(node) = entry.node else { return false };
    let host = &graph.nodes[node];
    // The coordinator forgets failures, but of a node that is there.
    let anywhere = entry.on_dc && entry.task != Task::ClearFailCount;
    let joining = host.pending && entry.task == Task::ClearFailCount;
    anywhere || (host.is_guest() && !host.remote_requires_reset) || (host.online && !host.unclean && !joining)
}

/// Whether `action` must wait for what stands at this position before it. An ordering that does not count here is taken
/// out for good.
pub(super) fn input(graph: &mut Graph<'_>, action: ActIdx, at: usize) -> bool {
    match judge(graph, action, at) {
        Judgement::Yes => true,
        Judgement::No => false,
        Judgement::Never => {
            graph.actions[action].before[at].flags = F::NONE;
            false
        }
    }
}

/// What is to be done about an ordering in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Yes,
    No,
    Never,
}

fn judge(graph: &Graph<'_>, action: ActIdx, at: usize) -> Judgement {
    let relation = graph.actions[action].before[at];
    let (flags, before) = (relation.flags, &graph.actions[relation.action]);
    let weak = F::ORDERED | F::FIRST_IMPLIES_THEN_GRAPHED | F::THEN_IMPLIES_FIRST_GRAPHED;
    if flags.is_none()
        || (!before.runnable
            && (flags.only(weak) || flags.has(F::MIN_RUNNABLE) || flags.has(F::UNMIGRATABLE_THEN_BLOCKS)))
        || (flags.has(F::IF_FIRST_UNMIGRATABLE) && before.migratable)
        || (flags == F::ORDERED && before.migratable && before.key.ends_with("_stop_0"))
    {
        return Judgement::No;
    }
    let here = graph.actions[action].node;
    if flags == F::IF_ON_SAME_NODE_OR_TARGET {
        let entry = &graph.actions[action];
        let Some(rsc) = entry.rsc.filter(|_| entry.task == Task::MigrateTo) else {
            let useless = before.node != here || before.optional;
            return if useless { Judgement::Never } else { Judgement::Yes };
        };
        return if before.node == graph.placed[rsc].assigned { Judgement::Yes } else { Judgement::Never };
    }
    if flags == F::IF_REQUIRED_ON_SAME_NODE {
        let elsewhere = before.node.is_some() && here.is_some() && before.node != here;
        return if elsewhere || before.optional { Judgement::Never } else { Judgement::Yes };
    }
    if is_stuck_stop(graph, action, relation.action) {
        return Judgement::No;
    }
    let absent = before.optional && !before.always_in_graph && before.planned.is_none();
    if absent && !self::action(graph, relation.action) { Judgement::No } else { Judgement::Yes }
}

/// Takes out orderings that nobody could meet: between a guest and what runs in it, and those by which two migrations
/// would wait for each other to make room.
///
/// Newest first: of two that would wait for each other the older one goes on waiting.
pub(super) fn drop_invalid(graph: &mut Graph<'_>) {
    for action in graph.actions.keys().rev() {
        for at in 0..graph.actions[action].before.len() {
            let relation = graph.actions[action].before[at];
            if relation.flags.is_none() {
                continue;
            }
            let entry = &graph.actions[action];
            let from_inside = !relation.flags.has(F::GUEST_ALLOWED)
                && graph.actions[relation.action].rsc.is_some()
                && entry.rsc.is_some_and(|rsc| {
                    let inside = graph.actions[relation.action].node.and_then(|node| graph.container_of(node));
                    inside == Some(rsc)
                });
            let makes_room =
                relation.flags == F::IF_ON_SAME_NODE_OR_TARGET && entry.rsc.is_some() && entry.task == Task::MigrateTo;
            if from_inside || (makes_room && leads_back(graph, action, at)) {
                graph.actions[action].before[at].flags = F::NONE;
            }
        }
    }
}

/// A clone does not wait for the stop of something that failed and is not managed.
fn is_stuck_stop(graph: &Graph<'_>, action: ActIdx, before: ActIdx) -> bool {
    let (entry, before) = (&graph.actions[action], &graph.actions[before]);
    let Some(rsc) = before.rsc.filter(|rsc| Some(*rsc) != entry.rsc) else { return false };
    let is = &graph.rsc[rsc].is;
    is.failed && !is.managed && before.task == Task::Stop && entry.rsc.is_some_and(|rsc| graph.rsc[rsc].is_clone())
}

/// Whether what stands at this position before `action` waits, directly or not, for `action` itself.
fn leads_back(graph: &Graph<'_>, action: ActIdx, at: usize) -> bool {
    let mut seen = vec![false; graph.actions.len()];
    let mut open = vec![(action, at)];
    while let Some((then, at)) = open.pop() {
        let first = graph.actions[then].before[at].action;
        if judge(graph, then, at) != Judgement::Yes {
            continue;
        }
        if first == action {
            return true;
        }
        if std::mem::replace(&mut seen[first.at()], true) {
            continue;
        }
        open.extend((0..graph.actions[first].before.len()).map(|at| (first, at)));
    }
    false
}
