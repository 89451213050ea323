//! Collecting orderings until all actions exist, and the milestones that belong to no resource.

use crate::action::{Ordering, RelationFlags, Side, Task};
use crate::ids::{ActIdx, RscIdx};

use super::Graph;

impl<M> Graph<'_, M> {
    /// Adds an ordering. One between unrelated resources also orders their live migrations.
    pub(crate) fn add_ordering(&mut self, ordering: Ordering) {
        self.orderings.push(ordering);
        let more = self.placement.for_migrations(&ordering);
        self.orderings.extend(more);
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
    pub(super) fn milestone(&mut self, name: &str) -> ActIdx {
        if let Some(action) = self.loose.get(name).and_then(|actions| actions.first()) {
            return *action;
        }
        let action = self.keyed_action(name.to_owned(), Task::Milestone, 0, None, None, true);
        self.actions[action].pseudo = true;
        self.actions[action].runnable = true;
        action
    }
}
