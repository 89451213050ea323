//! From orderings between kinds of actions to relations between actions.

use super::Graph;
use crate::action::{Ordering, RelationFlags, Side, Task};
use crate::ids::{ActIdx, RscIdx};
use hac_model::Role;

/// Applies the orderings in order of creation.
pub(super) fn all(graph: &mut Graph<'_>, orderings: &[Ordering]) {
    for ordering in orderings {
        match (ordering.first.action, ordering.first.rsc) {
            (None, Some(rsc)) => {
                for first in first_actions(graph, rsc, ordering) {
                    relate(graph, Some(first), ordering);
                }
            }
            (first, _) => relate(graph, first, ordering),
        }
    }
}

/// The actions that come first. One that does not exist is made, optional and nowhere, so that it can block, unless
/// nothing would come of it.
fn first_actions(graph: &mut Graph<'_>, rsc: RscIdx, ordering: &Ordering) -> Vec<ActIdx> {
    let side = &ordering.first;
    let firsts = actions(graph, side);
    if !firsts.is_empty() || ordering.then.rsc == Some(rsc) {
        return firsts;
    }
    let role = graph.role(rsc);
    let pointless = match side.task {
        Task::Stop => role <= Role::Stopped,
        Task::Demote => role == Role::Unpromoted,
        _ => false,
    };
    if pointless {
        return firsts;
    }
    vec![graph.recurring_action(rsc, side.task, side.interval_ms, None, true)]
}

/// The actions that a side stands for.
fn actions(graph: &Graph<'_>, side: &Side) -> Vec<ActIdx> {
    match (side.action, side.rsc) {
        (Some(action), _) => vec![action],
        (None, Some(rsc)) => graph.actions_of(rsc, side.task, side.interval_ms),
        (None, None) => Vec::new(),
    }
}

/// Relates `first` to all actions that come then. Without `first` they cannot be done, if they follow from it.
fn relate(graph: &mut Graph<'_>, first: Option<ActIdx>, ordering: &Ordering) {
    let mut flags = ordering.flags;
    // A stop that only ends a migration is no reason to start anew.
    let ends_migration = first.is_some_and(|first| {
        let first = &graph.actions[first];
        first.migration_abort && first.rsc == ordering.then.rsc
    });
    if ends_migration {
        flags = flags.without(RelationFlags::FIRST_IMPLIES_THEN);
    }
    for then in actions(graph, &ordering.then) {
        match first {
            Some(first) => {
                graph.order(first, then, flags);
            }
            None if flags.has(RelationFlags::FIRST_IMPLIES_THEN) => graph.actions[then].runnable = false,
            None => {}
        }
    }
}
