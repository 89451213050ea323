//! Collecting orderings until all actions exist.

use crate::cluster::{ActIdx, Cluster, Ordering, RelationFlags, RscIdx, Side, Task};

impl Cluster<'_> {
    /// Adds an ordering. One between unrelated resources also orders their live migrations.
    pub(crate) fn add_ordering(&mut self, ordering: Ordering) {
        self.orderings.push(ordering);
        self.order_migrations(&ordering);
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

    /// The milestone of this name, which belongs to no resource.
    pub(crate) fn milestone(&mut self, name: &str) -> ActIdx {
        if let Some(action) = self.loose_actions.get(name).and_then(|actions| actions.first()) {
            return *action;
        }
        let action = self.keyed_action(name.to_owned(), Task::Milestone, 0, None, None, true);
        self.actions[action].pseudo = true;
        self.actions[action].runnable = true;
        action
    }

    /// Orderings for live migration that go with `ordering`.
    fn order_migrations(&mut self, ordering: &Ordering) {
        let (Some(first), Some(then)) = (ordering.first.rsc, ordering.then.rsc) else { return };
        if first == then || self.is_inside(first, then) || self.is_inside(then, first) {
            return;
        }
        let (from, to) = (self.rsc[first].is.migratable, self.rsc[then].is.migratable);
        if !to {
            return;
        }
        let partial = self.rsc[then].migration.is_some();
        let unless_it_migrates = RelationFlags::ORDERED | RelationFlags::IF_FIRST_UNMIGRATABLE;
        let mut add = |task: Task, then_task: Task, flags: RelationFlags| {
            self.orderings.push(Ordering { first: Side::of(first, task), then: Side::of(then, then_task), flags });
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
    }
}
