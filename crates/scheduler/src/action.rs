//! Actions and the relations between them, as data. What makes them is in `actions`, what relates them in `ordering`.

use std::collections::BTreeMap;
use std::ops::{BitOr, BitOrAssign};
use std::rc::Rc;

use hac_model::{OcfCode, Role};
pub(super) use hac_model::{OnFail, Task};

use crate::plan::Reason;

use super::ids::{ActIdx, NodeIdx, RscIdx};

/// What an action waits for besides its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    /// Nothing.
    #[default]
    Nothing,
    /// That this partition may act.
    Quorum,
    /// That what is unclean was fenced.
    Fencing,
}

/// An action.
#[derive(Clone, Debug)]
pub(super) struct Action {
    /// `RSC_TASK_INTERVALms`, or the name of a milestone.
    pub(super) key: String,
    /// What it does.
    pub(super) task: Task,
    /// Interval, milliseconds.
    pub(super) interval_ms: u64,
    /// Whose it is.
    pub(super) rsc: Option<RscIdx>,
    /// Where it acts.
    pub(super) node: Option<NodeIdx>,
    /// Position of the configured operation in the resource's list.
    pub(super) op: Option<usize>,
    /// Not needed so far.
    pub(super) optional: bool,
    /// A milestone, done at once.
    pub(super) pseudo: bool,
    /// It can be carried out.
    pub(super) runnable: bool,
    /// In the graph even if optional.
    pub(super) always_in_graph: bool,
    /// Part of a live migration.
    pub(super) migratable: bool,
    /// A stop that ends a migration.
    pub(super) migration_abort: bool,
    /// It runs on the coordinator, whatever its node is.
    pub(super) on_dc: bool,
    /// A recurring operation to be scheduled again.
    pub(super) reschedule: bool,
    /// What it waits for.
    pub(super) needs: Needs,
    /// What follows from its failure.
    pub(super) on_fail: OnFail,
    /// Role after a failure.
    pub(super) fail_role: Role,
    /// Why it is as it is.
    pub(super) reason: Option<Reason>,
    /// Values for the graph; actions of one kind share them until one of them gets its own.
    pub(super) meta: Rc<BTreeMap<String, String>>,
    /// Exit code that means all is as expected, where that is not 0 by itself.
    pub(super) target_rc: Option<OcfCode>,
    /// What must be done before, in order of creation.
    pub(super) before: Vec<Relation>,
    /// What comes after, in order of creation.
    pub(super) after: Vec<Relation>,
    /// Runnable ones needed of those before it (0: no such rule).
    pub(super) required_runnable: usize,
    /// Runnable ones counted.
    pub(super) runnable_before: usize,
    /// Priority in the graph.
    pub(super) priority: i32,
    /// Fencing: what is done to the node. Cancel: the task that is cancelled. Clean-up: the history's id.
    pub(super) detail: Option<String>,
    /// Source and target of a live migration.
    pub(super) migration: Option<(NodeIdx, NodeIdx)>,
    /// Position in the graph, once it is there.
    pub(super) planned: Option<usize>,
    /// A walk through the graph is at it (cuts loops).
    pub(super) tracking: bool,
}

impl Action {
    /// Its values for the graph, to change them.
    pub(super) fn meta_mut(&mut self) -> &mut BTreeMap<String, String> {
        Rc::make_mut(&mut self.meta)
    }
}

/// A relation to another action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    /// The other action.
    pub(super) action: ActIdx,
    /// What it means. No flag: it does not count.
    pub(super) flags: RelationFlags,
}

/// What a relation between two actions, first and then, means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RelationFlags(u32);

impl RelationFlags {
    /// No relation.
    pub(super) const NONE: Self = Self(0);
    /// First before then, if both happen.
    pub(super) const ORDERED: Self = Self(1);
    /// If first is required, so is then.
    pub(super) const FIRST_IMPLIES_THEN: Self = Self(1 << 1);
    /// If then is required, so is first.
    pub(super) const THEN_IMPLIES_FIRST: Self = Self(1 << 2);
    /// If then is required and its resource promoted, so is first.
    pub(super) const PROMOTED_THEN_IMPLIES_FIRST: Self = Self(1 << 3);
    /// If first cannot run, neither can then.
    pub(super) const UNRUNNABLE_FIRST_BLOCKS: Self = Self(1 << 4);
    /// First is the stop between two starts.
    pub(super) const INTERMEDIATE_STOP: Self = Self(1 << 5);
    /// If first happens, then is shown too.
    pub(super) const FIRST_IMPLIES_THEN_GRAPHED: Self = Self(1 << 6);
    /// If then happens, first is shown too.
    pub(super) const THEN_IMPLIES_FIRST_GRAPHED: Self = Self(1 << 7);
    /// Written as one-way.
    pub(super) const ASYMMETRIC: Self = Self(1 << 8);
    /// Not at the same time.
    pub(super) const SERIALIZE: Self = Self(1 << 9);
    /// Then needs several runnable firsts.
    pub(super) const MIN_RUNNABLE: Self = Self(1 << 10);
    /// Only between actions on one node.
    pub(super) const IF_ON_SAME_NODE: Self = Self(1 << 11);
    /// Only between actions on one node, or where one of them migrates to.
    pub(super) const IF_ON_SAME_NODE_OR_TARGET: Self = Self(1 << 12);
    /// Only between actions on one node, and if first is required.
    pub(super) const IF_REQUIRED_ON_SAME_NODE: Self = Self(1 << 13);
    /// Only if first does not migrate.
    pub(super) const IF_FIRST_UNMIGRATABLE: Self = Self(1 << 14);
    /// If then is required, first is not needed.
    pub(super) const THEN_CANCELS_FIRST: Self = Self(1 << 15);
    /// If then does not migrate, first cannot run.
    pub(super) const UNMIGRATABLE_THEN_BLOCKS: Self = Self(1 << 16);
    /// If first cannot run, then is done the ordinary way.
    pub(super) const FIRST_ELSE_THEN: Self = Self(1 << 17);
    /// If first is required, so is then on the same node.
    pub(super) const FIRST_IMPLIES_SAME_NODE_THEN: Self = Self(1 << 18);
    /// A probe inside a remote connection.
    pub(super) const NESTED_REMOTE_PROBE: Self = Self(1 << 19);
    /// Allowed between a guest's container and what runs inside.
    pub(super) const GUEST_ALLOWED: Self = Self(1 << 20);

    /// All of `flags` are set.
    pub(super) fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Any of `flags` is set.
    pub(super) fn any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// No flag is set.
    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Without `flags`.
    #[must_use]
    pub(super) fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// Nothing but (some of) `flags`.
    pub(super) fn only(self, flags: Self) -> bool {
        self.0 & !flags.0 == 0
    }
}

impl BitOr for RelationFlags {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl BitOrAssign for RelationFlags {
    fn bitor_assign(&mut self, rhs: Self) {
        self.0 |= rhs.0;
    }
}

/// One side of an ordering: an action, or whatever actions of a kind a resource will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side<A = ActIdx> {
    /// Whose action.
    pub(super) rsc: Option<RscIdx>,
    /// Which kind of action.
    pub(super) task: Task,
    /// Its interval, milliseconds.
    pub(super) interval_ms: u64,
    /// This very action; in a constraint, the one that answers this request.
    pub(super) action: Option<A>,
}

impl<A> Side<A> {
    /// Actions of kind `task` of `rsc`.
    pub(super) fn of(rsc: RscIdx, task: Task) -> Self {
        Self { rsc: Some(rsc), task, interval_ms: 0, action: None }
    }

    /// This very action, of that resource.
    pub(super) fn action(action: A, task: Task, rsc: Option<RscIdx>) -> Self {
        Self { rsc, task, interval_ms: 0, action: Some(action) }
    }
}

/// An ordering that waits until all actions exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordering<A = ActIdx> {
    /// What comes first.
    pub(super) first: Side<A>,
    /// What comes then.
    pub(super) then: Side<A>,
    /// What it means.
    pub(super) flags: RelationFlags,
}

impl<A: Copy> Ordering<A> {
    /// The same ordering of actions that go by other numbers, as far as they have one.
    pub(super) fn map<B>(&self, number: impl Fn(A) -> Option<B>) -> Ordering<B> {
        let side = |side: &Side<A>| Side {
            rsc: side.rsc,
            task: side.task,
            interval_ms: side.interval_ms,
            action: side.action.and_then(&number),
        };
        Ordering { first: side(&self.first), then: side(&self.then), flags: self.flags }
    }
}
