//! From orderings between kinds of actions to relations between actions.

use crate::cluster::{ActIdx, Cluster, Ordering, RelationFlags, Role, RscIdx, Side, Task};

/// Applies the orderings in order of creation.
pub(super) fn all(cluster: &mut Cluster<'_>, orderings: &[Ordering]) {
    for ordering in orderings {
        match (ordering.first.action, ordering.first.rsc) {
            (None, Some(rsc)) => {
                for first in first_actions(cluster, rsc, ordering) {
                    relate(cluster, Some(first), ordering);
                }
            }
            (first, _) => relate(cluster, first, ordering),
        }
    }
}

/// The actions that come first. One that does not exist is made, optional and nowhere, so that it can block, unless
/// nothing would come of it.
fn first_actions(cluster: &mut Cluster<'_>, rsc: RscIdx, ordering: &Ordering) -> Vec<ActIdx> {
    let side = &ordering.first;
    let firsts = actions(cluster, side);
    if !firsts.is_empty() || ordering.then.rsc == Some(rsc) {
        return firsts;
    }
    let role = cluster.role(rsc);
    let pointless = match side.task {
        Task::Stop => role <= Role::Stopped,
        Task::Demote => role == Role::Unpromoted,
        _ => false,
    };
    if pointless {
        return firsts;
    }
    vec![cluster.recurring_action(rsc, side.task, side.interval_ms, None, true)]
}

/// The actions that a side stands for.
fn actions(cluster: &Cluster<'_>, side: &Side) -> Vec<ActIdx> {
    match (side.action, side.rsc) {
        (Some(action), _) => vec![action],
        (None, Some(rsc)) => cluster.actions_of(rsc, side.task, side.interval_ms),
        (None, None) => Vec::new(),
    }
}

/// Relates `first` to all actions that come then. Without `first` they cannot be done, if they follow from it.
fn relate(cluster: &mut Cluster<'_>, first: Option<ActIdx>, ordering: &Ordering) {
    let mut flags = ordering.flags;
    // A stop that only ends a migration is no reason to start anew.
    let ends_migration = first.is_some_and(|first| {
        let first = &cluster.actions[first];
        first.migration_abort && first.rsc == ordering.then.rsc
    });
    if ends_migration {
        flags = flags.without(RelationFlags::FIRST_IMPLIES_THEN);
    }
    for then in actions(cluster, &ordering.then) {
        match first {
            Some(first) => {
                cluster.order(first, then, flags);
            }
            None if flags.has(RelationFlags::FIRST_IMPLIES_THEN) => cluster.actions[then].runnable = false,
            None => {}
        }
    }
}
