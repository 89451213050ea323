//! Stage: orderings. Relates the actions that exist, and lets what is required, impossible or migrated spread along the
//! relations until nothing changes any more.
//!
//! Reads everything; writes relations and the flags and reasons of actions. It alone works on a graph that is
//! [`Open`](crate::graph::Open): it takes the assignment of an interleaved instance without partner back. Lists that
//! Pacemaker prepends to are walked newest first.

mod apply;
mod block;
mod collective;
mod flags;
mod probes;
mod update;

use crate::graph::{self, Open};
use crate::ids::ActIdx;

/// A graph in which assignments may be taken back: this stage alone may.
type Graph<'a> = graph::Graph<'a, Open>;

/// Deepest nesting of updates; what would go deeper is put off until the walk is back at the top. Chains of orderings
/// are as long as people make them, the stack is not.
const MAX_DEPTH: usize = 1_000;

/// Relations that one run may look at for each action, and in all: orderings that contradict each other could go on for
/// ever.
const MAX_UPDATES_PER_ACTION: usize = 10_000;
const MAX_UPDATES: usize = 30_000_000;

/// The state of the walk.
#[derive(Debug, Default)]
struct Walk {
    depth: usize,
    /// Put off because of the depth.
    waiting: Vec<ActIdx>,
    /// Relations that are left to look at before the walk is given up.
    left: usize,
}

/// Applies all orderings and updates all actions.
pub(super) fn run<'a>(graph: graph::Graph<'a>) -> graph::Graph<'a> {
    let mut graph = graph.open();
    settle(&mut graph);
    graph.close()
}

fn settle(graph: &mut Graph<'_>) {
    let orderings = std::mem::take(&mut graph.orderings);
    apply::all(graph, &orderings);
    let mut walk = Walk {
        left: graph.actions.len().saturating_mul(MAX_UPDATES_PER_ACTION).clamp(MAX_UPDATES_PER_ACTION, MAX_UPDATES),
        ..Walk::default()
    };
    block::unrunnable(graph, &mut walk);
    probes::order(graph, &orderings);
    let actions: Vec<ActIdx> = graph.actions.keys().rev().collect();
    for action in actions {
        update::action(graph, &mut walk, action);
        while let Some(waiting) = walk.waiting.pop() {
            update::action(graph, &mut walk, waiting);
        }
    }
    settle_milestones(graph);
    if walk.left == 0 {
        graph.warn("the orderings contradict each other; they were applied as far as possible".to_owned());
    }
}

/// Whether what a milestone of a collective stands for can be done, as its parts look.
pub(super) fn can_be_done(graph: &mut graph::Graph<'_>, milestone: ActIdx) -> bool {
    flags::seen(graph, milestone, None).runnable
}

/// Judges the milestones of clones once more: what was blocked last may have been all that one of them stood for.
fn settle_milestones(graph: &mut Graph<'_>) {
    for rsc in graph.rsc.keys() {
        if !graph.rsc[rsc].is_clone() {
            continue;
        }
        for at in 0..graph.actions_on(rsc).len() {
            let milestone = graph.actions_on(rsc)[at];
            flags::seen(graph, milestone, None);
        }
    }
}
