//! Live migration: a move without a stop, as long as nothing asks for one.

use crate::action::{Ordering, RelationFlags as F, Side, Task};
use crate::graph::Graph;
use crate::ids::{NodeIdx, RscIdx};
use hac_model::Role;

/// Whether `rsc`, now on `current`, can migrate to where it is assigned.
pub(super) fn possible(graph: &Graph<'_>, rsc: RscIdx, current: Option<NodeIdx>) -> bool {
    let resource = &graph.rsc[rsc];
    let (Some(from), Some(to)) = (current, graph.placed[rsc].assigned) else { return false };
    let clean = |node: NodeIdx| !graph.nodes[node].unclean;
    let is = &resource.is;
    is.migratable
        && is.managed
        && !is.failed
        && !graph.starts(rsc)
        && from != to
        && clean(from)
        && clean(to)
        && resource.next_role > Role::Stopped
}

/// Makes the actions of a migration from `current`. They become required by what they replace.
pub(super) fn create(graph: &mut Graph<'_>, rsc: RscIdx, current: Option<NodeIdx>) {
    let (Some(from), Some(to)) = (current, graph.placed[rsc].assigned) else { return };
    let start = graph.action(rsc, Task::Start, Some(to), true);
    let stop = graph.action(rsc, Task::Stop, Some(from), true);
    graph.actions[start].pseudo = true;
    graph.actions[start].migratable = true;
    graph.actions[stop].migratable = true;
    let partial = graph.rsc[rsc].migration.is_some();
    let arrive = graph.action(rsc, Task::MigrateFrom, Some(to), true);
    graph.actions[arrive].migratable = true;
    graph.actions[arrive].migration = Some((from, to));
    let together = F::ORDERED | F::UNMIGRATABLE_THEN_BLOCKS;
    let mut order = |first: Task, then: Task, flags: F| {
        graph.orderings.push(Ordering { first: Side::of(rsc, first), then: Side::of(rsc, then), flags });
    };
    order(Task::Monitor, if partial { Task::MigrateFrom } else { Task::MigrateTo }, F::ORDERED);
    if !partial {
        order(Task::MigrateTo, Task::MigrateFrom, together);
    }
    order(Task::MigrateFrom, Task::Stop, together);
    order(Task::MigrateFrom, Task::Start, together | F::FIRST_ELSE_THEN);
    // Whatever is left of the migration begins only after fencing.
    if partial {
        graph.actions[arrive].needs = graph.actions[start].needs;
    } else {
        let leave = graph.action(rsc, Task::MigrateTo, Some(from), true);
        graph.actions[leave].migratable = true;
        graph.actions[leave].needs = graph.actions[start].needs;
        graph.actions[leave].migration = Some((from, to));
    }
}
