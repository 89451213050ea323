//! Actions and the relations between them, as data. What makes them is in `actions`, what relates them in `ordering`.

use std::collections::BTreeMap;
use std::ops::{BitOr, BitOrAssign};
use std::rc::Rc;

use crate::plan::Reason;

use super::arena::key;
use super::cluster::{NodeIdx, RscIdx};
use super::view::Role;

key!(
    /// An action.
    ActIdx
);

/// What an action does. Finished forms are milestones of collectives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// `monitor`, once (a probe) or recurring.
    Monitor,
    /// `start`.
    Start,
    /// `running`: all of a collective are started.
    Started,
    /// `stop`.
    Stop,
    /// `stopped`.
    Stopped,
    /// `promote`.
    Promote,
    /// `promoted`.
    Promoted,
    /// `demote`.
    Demote,
    /// `demoted`.
    Demoted,
    /// `notify`.
    Notify,
    /// `notified`.
    Notified,
    /// `migrate_to`, on the source.
    MigrateTo,
    /// `migrate_from`, on the target.
    MigrateFrom,
    /// `reload-agent`.
    Reload,
    /// `cancel` of a recurring operation.
    Cancel,
    /// `lrm_delete`: forget the history of a resource on an absent node.
    Delete,
    /// `delete`: let the node forget a resource that is no longer configured or changed its agent.
    CleanUp,
    /// `clear_failcount`.
    ClearFailCount,
    /// `stonith`: power a node off or on.
    Fence,
    /// `do_shutdown`: let a node go.
    Shutdown,
    /// A milestone that only its key names.
    Milestone,
}

impl Task {
    /// Its name in keys.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Start => "start",
            Self::Started => "running",
            Self::Stop => "stop",
            Self::Stopped => "stopped",
            Self::Promote => "promote",
            Self::Promoted => "promoted",
            Self::Demote => "demote",
            Self::Demoted => "demoted",
            Self::Notify => "notify",
            Self::Notified => "notified",
            Self::MigrateTo => "migrate_to",
            Self::MigrateFrom => "migrate_from",
            Self::Reload => "reload-agent",
            Self::Cancel => "cancel",
            Self::Delete => "lrm_delete",
            Self::CleanUp => "delete",
            Self::ClearFailCount => "clear_failcount",
            Self::Fence => "stonith",
            Self::Shutdown => "do_shutdown",
            Self::Milestone => "",
        }
    }

    /// From the name in a configuration or history; `None` if it is no task that can be ordered.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "monitor" => Self::Monitor,
            "start" => Self::Start,
            "running" | "started" => Self::Started,
            "stop" => Self::Stop,
            "stopped" => Self::Stopped,
            "promote" => Self::Promote,
            "promoted" => Self::Promoted,
            "demote" => Self::Demote,
            "demoted" => Self::Demoted,
            "notify" => Self::Notify,
            "notified" => Self::Notified,
            "migrate_to" => Self::MigrateTo,
            "migrate_from" => Self::MigrateFrom,
            "reload" | "reload-agent" => Self::Reload,
            "cancel" => Self::Cancel,
            "lrm_delete" => Self::Delete,
            "delete" => Self::CleanUp,
            "clear_failcount" => Self::ClearFailCount,
            "stonith" => Self::Fence,
            "do_shutdown" => Self::Shutdown,
            _ => return None,
        })
    }

    /// What is reached when a collective has finished this.
    pub(super) fn finished(self) -> Option<Self> {
        Some(match self {
            Self::Start => Self::Started,
            Self::Stop => Self::Stopped,
            Self::Promote => Self::Promoted,
            Self::Demote => Self::Demoted,
            Self::Notify => Self::Notified,
            _ => return None,
        })
    }

    /// What leads there: the opposite of [`finished`](Self::finished), itself for what is no milestone.
    pub(super) fn begun(self) -> Self {
        match self {
            Self::Started => Self::Start,
            Self::Stopped => Self::Stop,
            Self::Promoted => Self::Promote,
            Self::Demoted => Self::Demote,
            Self::Notified => Self::Notify,
            other => other,
        }
    }

    /// What undoes it.
    pub(super) fn inverse(self) -> Option<Self> {
        Some(match self {
            Self::Start => Self::Stop,
            Self::Stop => Self::Start,
            Self::Promote => Self::Demote,
            Self::Demote => Self::Promote,
            Self::Promoted => Self::Demoted,
            Self::Demoted => Self::Promoted,
            Self::Started => Self::Stopped,
            Self::Stopped => Self::Started,
            _ => return None,
        })
    }
}

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

/// What is done when an operation fails, from mildest to severest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OnFail {
    /// Nothing.
    #[default]
    Ignore,
    /// Demote.
    Demote,
    /// Stop and start, perhaps elsewhere.
    Restart,
    /// Reset the remote node.
    ResetRemote,
    /// Restart the container.
    RestartContainer,
    /// Not here any more.
    Ban,
    /// Wait for a person.
    Block,
    /// Stop and stay stopped.
    Stop,
    /// The node goes on standby.
    StandbyNode,
    /// The node is fenced.
    FenceNode,
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
    pub(super) target_rc: Option<i32>,
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
    /// Fencing: what is done to the node. Cancel: the task that is cancelled.
    pub(super) detail: Option<String>,
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
pub(super) struct Side {
    /// Whose action.
    pub(super) rsc: Option<RscIdx>,
    /// Which kind of action.
    pub(super) task: Task,
    /// Its interval, milliseconds.
    pub(super) interval_ms: u64,
    /// This very action.
    pub(super) action: Option<ActIdx>,
}

impl Side {
    /// Actions of kind `task` of `rsc`.
    pub(super) fn of(rsc: RscIdx, task: Task) -> Self {
        Self { rsc: Some(rsc), task, interval_ms: 0, action: None }
    }

    /// This very action, of that resource.
    pub(super) fn action(action: ActIdx, task: Task, rsc: Option<RscIdx>) -> Self {
        Self { rsc, task, interval_ms: 0, action: Some(action) }
    }
}

/// An ordering that waits until all actions exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordering {
    /// What comes first.
    pub(super) first: Side,
    /// What comes then.
    pub(super) then: Side,
    /// What it means.
    pub(super) flags: RelationFlags,
}
