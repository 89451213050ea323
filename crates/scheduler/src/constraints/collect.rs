//! Collecting orderings until all actions exist.

use super::Unpacking;
use crate::action::{Ordering, RelationFlags, Side, Task};
use crate::ids::{ReqIdx, RscIdx};
use crate::known::Known;

impl Unpacking<'_, '_> {
    /// Adds an ordering. One between unrelated resources also orders their live migrations.
    pub(crate) fn add_ordering(&mut self, ordering: Ordering<ReqIdx>) {
        self.rules.add_ordering(ordering);
        for more in self.known.for_migrations(&ordering) {
            self.rules.add_ordering(more);
        }
    }

    /// Orders kinds of actions of resources.
    pub(crate) fn order_tasks(
        &mut self,
        first: RscIdx,
        task: Task,
        then: RscIdx,
        then_task: Task,
        flags: RelationFlags,
    ) {
        self.add_ordering(Ordering { first: Side::of(first, task), then: Side::of(then, then_task), flags });
    }
}

impl Known<'_> {
    /// Orderings for live migration that go with `ordering`.
    pub(crate) fn for_migrations<A>(&self, ordering: &Ordering<A>) -> Vec<Ordering<A>> {
        let (Some(first), Some(then)) = (ordering.first.rsc, ordering.then.rsc) else { return Vec::new() };
        if first == then || self.is_inside(first, then) || self.is_inside(then, first) {
            return Vec::new();
        }
        let (from, to) = (self.rsc[first].is.migratable, self.rsc[then].is.migratable);
        if !to {
            return Vec::new();
        }
        let partial = self.rsc[then].migration.is_some();
        let unless_it_migrates = RelationFlags::ORDERED | RelationFlags::IF_FIRST_UNMIGRATABLE;
        let mut more = Vec::new();
        let mut add = |task: Task, then_task: Task, flags: RelationFlags| {
            more.push(Ordering { first: Side::of(first, task), then: Side::of(then, then_task), flags });
        };
        match (ordering.first.task, ordering.then.task) {
            (Task::Start, Task::Start) => {
                if from {
                    add(Task::MigrateFrom, Task::MigrateTo, RelationFlags::ORDERED);
                }
                add(Task::Start, Task::MigrateTo, unless_it_migrates);
            }
            (Task::Stop, Task::Stop) => {
                add(Task::Stop, Task::MigrateTo, unless_it_migrates);
                if partial {
                    add(Task::Stop, Task::MigrateFrom, unless_it_migrates);
                }
            }
            (Task::Promote, Task::Start) => add(Task::Promote, Task::MigrateTo, RelationFlags::ORDERED),
            (Task::Demote, Task::Stop) => {
                add(Task::Demote, Task::MigrateTo, RelationFlags::ORDERED);
                if partial {
                    add(Task::Demote, Task::MigrateFrom, RelationFlags::ORDERED);
                }
            }
            _ => {}
        }
        more
    }
}
