//! Live migration: a move without a stop, as long as nothing asks for one.

use crate::cluster::{Cluster, NodeIdx, Ordering, RelationFlags as F, Role, RscIdx, Side, Task};

/// Whether `rsc`, now on `current`, can migrate to where it is assigned.
pub(super) fn possible(cluster: &Cluster<'_>, rsc: RscIdx, current: Option<NodeIdx>) -> bool {
    let resource = &cluster.rsc[rsc];
    let (Some(from), Some(to)) = (current, resource.assigned) else { return false };
    let clean = |node: NodeIdx| !cluster.nodes[node].unclean;
    let is = &resource.is;
    is.migratable
        && is.managed
        && !is.failed
        && !is.start_pending
        && from != to
        && clean(from)
        && clean(to)
        && resource.next_role > Role::Stopped
}

/// Makes the actions of a migration from `current`. They become required by what they replace.
pub(super) fn create(cluster: &mut Cluster<'_>, rsc: RscIdx, current: Option<NodeIdx>) {
    let (Some(from), Some(to)) = (current, cluster.rsc[rsc].assigned) else { return };
    let start = cluster.action(rsc, Task::Start, Some(to), true);
    let stop = cluster.action(rsc, Task::Stop, Some(from), true);
    cluster.actions[start].pseudo = true;
    cluster.actions[start].migratable = true;
    cluster.actions[stop].migratable = true;
    let partial = cluster.rsc[rsc].migration.is_some();
    let arrive = cluster.action(rsc, Task::MigrateFrom, Some(to), true);
    cluster.actions[arrive].migratable = true;
    cluster.actions[arrive].migration = Some((from, to));
    let together = F::ORDERED | F::UNMIGRATABLE_THEN_BLOCKS;
    let mut order = |first: Task, then: Task, flags: F| {
        cluster.orderings.push(Ordering { first: Side::of(rsc, first), then: Side::of(rsc, then), flags });
    };
    order(Task::Monitor, if partial { Task::MigrateFrom } else { Task::MigrateTo }, F::ORDERED);
    if !partial {
        order(Task::MigrateTo, Task::MigrateFrom, together);
    }
    order(Task::MigrateFrom, Task::Stop, together);
    order(Task::MigrateFrom, Task::Start, together | F::FIRST_ELSE_THEN);
    // Whatever is left of the migration begins only after fencing.
    if partial {
        cluster.actions[arrive].needs = cluster.actions[start].needs;
    } else {
        let leave = cluster.action(rsc, Task::MigrateTo, Some(from), true);
        cluster.actions[leave].migratable = true;
        cluster.actions[leave].needs = cluster.actions[start].needs;
        cluster.actions[leave].migration = Some((from, to));
    }
}
