//! Stage: actions. What has to be done so that each resource gets from where it is to where it is to be.
//!
//! Runs after the assignment and reads where everything will be. Makes actions and orderings, and sets next roles where
//! nothing else was decided.

pub(super) mod collective;
mod migration;
mod primitive;
pub(super) mod recurring;

use super::graph::Graph;

/// Makes the actions of all resources.
pub(super) fn run(graph: &mut Graph<'_>) {
    for at in 0..graph.top.len() {
        let rsc = graph.top[at];
        collective::create(graph, rsc);
    }
}
