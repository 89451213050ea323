//! What the scheduler decided: a graph of actions, and a summary of it for people.
//!
//! A plan leaves one choice to whoever carries it out: an action may run as soon as all its inputs are done, and a stop that can
//! wait lets some starts go first ([`Action::rather_after`]).

mod cause;
pub mod check;
mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use hac_model::{Agent, FenceAction, MASK, Migration, OcfCode, OnFail, Task, is_secret};

pub use cause::{Cause, Obstacle};

/// The decision about one cluster state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The graph, in the order in which it is stored and swept. An action's id is its index here.
    pub actions: Vec<Action>,
    /// What people are told, in the order of the report.
    pub summary: Vec<Decision>,
    /// Seconds since 1970 at which the same state may give another plan: a date rule changes, a failure expires.
    pub recheck_by: Option<i64>,
    /// Things wrong with the configuration that the scheduler worked around, for the log.
    pub warnings: Vec<String>,
    /// The fence devices that may be used, and where.
    #[serde(default)]
    pub fence_devices: Vec<UsableDevice>,
}

/// A fence device, and the nodes that may use it. Where it is started does not matter. `Debug` leaves the parameters out,
/// because there are secrets among them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsableDevice {
    /// Id of its resource.
    pub id: String,
    /// Its agent.
    pub agent: Agent,
    /// By the name of each node that may use it, its parameters there.
    pub nodes: BTreeMap<String, BTreeMap<String, String>>,
    /// A node that it cuts off is let in again by it, before anything starts there (`provides=unfencing`).
    #[serde(default)]
    pub unfences: bool,
}

impl std::fmt::Debug for UsableDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsableDevice")
            .field("id", &self.id)
            .field("agent", &format_args!("{}", self.agent))
            .field("nodes", &self.nodes.keys())
            .field("unfences", &self.unfences)
            .finish_non_exhaustive()
    }
}

/// One node of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Indexes of the actions that must be done before.
    pub inputs: Vec<usize>,
    /// For a stop that nothing waits for: indexes of the starts, elsewhere, of what was together with it. It goes after them
    /// if they can begin at all, so that nobody is left without service. No part of the order: none of them depends on it,
    /// and none has to succeed.
    #[serde(default)]
    pub rather_after: Vec<usize>,
    /// `RSC_TASK_INTERVALms` or the name of a milestone.
    pub key: String,
    /// Name of the node it acts on; none for milestones.
    pub node: Option<String>,
    /// Id of that node.
    pub node_id: Option<String>,
    /// Node that carries it out for a remote or guest node.
    pub router_node: Option<String>,
    /// Carried out earlier than actions of lower priority when the plan is abandoned; 0 is normal.
    pub priority: i32,
    /// What it is.
    pub kind: ActionKind,
    /// Nodes that it takes down.
    pub downed: Vec<String>,
    /// Values for the graph's `attributes` that belong to no resource operation (`CRM_meta_...`).
    pub meta: BTreeMap<String, String>,
}

/// Kinds of actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionKind {
    /// Run an agent.
    Resource(Box<ResourceOp>),
    /// Cancel the recurring operation `task` of `interval_ms`.
    Cancel(Box<ResourceOp>),
    /// A milestone: done at once.
    Pseudo,
    /// Power a node off or on.
    Fence(Fencing),
    /// Let a node go that asked to.
    Shutdown,
    /// Forget a resource's failures on the node.
    ClearFailCount {
        /// Id under which the node counts them: without instance number for an anonymous clone.
        resource: String,
        /// Id with the instance number where that differs.
        instance: Option<String>,
    },
    /// Forget a resource's history on the node.
    DeleteHistory {
        /// Id of that history, as the node has it.
        resource: String,
        /// Id of the resource where that differs.
        instance: Option<String>,
        /// Its agent.
        agent: Agent,
    },
}

/// What is to be fenced, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fencing {
    /// Name of the node that it is done to.
    pub target: String,
    /// What is done to it.
    pub action: FenceAction,
}

/// An order for an agent. `Debug` masks the values of secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceOp {
    /// Id under which the node keeps its history: without instance number for an anonymous clone.
    pub resource: String,
    /// Id with the instance number where that differs.
    pub instance: Option<String>,
    /// Its agent.
    #[serde(with = "shared")]
    pub agent: Arc<Agent>,
    /// What is done: a task that an agent carries out, or whose recurrence is cancelled.
    pub task: Task,
    /// 0 for once and for probes.
    pub interval_ms: u64,
    /// How long it may take.
    pub timeout_ms: u64,
    /// Delay before the first run of a recurring operation.
    pub start_delay_ms: u64,
    /// Exit code that means all is as expected: 7 for a probe of what should be stopped.
    pub expected_rc: OcfCode,
    /// What is configured to follow from a failure.
    pub on_fail: Option<OnFail>,
    /// Parameters for the agent.
    #[serde(with = "shared")]
    pub params: Arc<BTreeMap<String, String>>,
    /// Those of them that belong to the operation itself, not to the resource.
    #[serde(default, with = "shared")]
    pub own: Arc<BTreeMap<String, String>>,
    /// From where to where, for the two halves of a live migration.
    #[serde(default)]
    pub migration: Option<Migration>,
    /// That it was begun is not recorded (`record-pending=false`).
    #[serde(default)]
    pub unrecorded: bool,
    /// `CRM_meta_...` values for the agent and the graph.
    #[serde(with = "shared")]
    pub meta: Arc<BTreeMap<String, String>>,
    /// Digest over the parameters, kept in the history to notice a change.
    pub digest: Option<String>,
}

impl std::fmt::Debug for ResourceOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            resource, instance, agent, task, interval_ms, timeout_ms, start_delay_ms, expected_rc, on_fail, ..
        } = self;
        let mut params = BTreeMap::clone(&self.params);
        for (_, value) in params.iter_mut().filter(|(name, _)| is_secret(name)) {
            MASK.clone_into(value);
        }
        f.debug_struct("ResourceOp")
            .field("resource", resource)
            .field("instance", instance)
            .field("agent", agent)
            .field("task", task)
            .field("interval_ms", interval_ms)
            .field("timeout_ms", timeout_ms)
            .field("start_delay_ms", start_delay_ms)
            .field("expected_rc", expected_rc)
            .field("on_fail", on_fail)
            .field("params", &params)
            .field("migration", &self.migration)
            .field("meta", &self.meta)
            .field("digest", &self.digest)
            .finish()
    }
}

/// One line of the transition summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What is done.
    pub verb: Verb,
    /// The resource (with instance number), or the node that is fenced.
    pub subject: String,
    /// The part in parentheses: `node1 -> node2`, `Stopped -> Promoted node1`; for fencing the action.
    pub detail: String,
    /// Why, if Pacemaker's report would say so.
    pub reason: Option<Reason>,
    /// What it answers to, if there is no reason.
    pub cause: Option<Cause>,
    /// It cannot be carried out.
    pub blocked: bool,
}

impl Decision {
    /// Why, as a clause for people; empty if nothing is known.
    #[must_use]
    pub fn why(&self) -> String {
        match (&self.reason, &self.cause) {
            (Some(reason), _) => reason.clause(),
            (None, Some(cause)) => cause.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// What is done about a resource or node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verb {
    /// Power a node off or on.
    Fence,
    /// Was stopped.
    Start,
    /// Stays stopped, or cannot be started again.
    Stop,
    /// Stop and start on the same node.
    Restart,
    /// The same because it failed.
    Recover,
    /// Stop here, start there.
    Move,
    /// Move by live migration.
    Migrate,
    /// Parameters changed and the agent takes them in place.
    Reload,
    /// Rise to promoted.
    Promote,
    /// Fall to unpromoted.
    Demote,
    /// Demote and promote again.
    RePromote,
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fence => "Fence",
            Self::Start => "Start",
            Self::Stop => "Stop",
            Self::Restart => "Restart",
            Self::Recover => "Recover",
            Self::Move => "Move",
            Self::Migrate => "Migrate",
            Self::Reload => "Reload",
            Self::Promote => "Promote",
            Self::Demote => "Demote",
            Self::RePromote => "RePromote",
        })
    }
}

/// Why something is done. `Display` gives Pacemaker's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// No node may run it.
    NodeAvailability,
    /// The partition may not act.
    NoQuorum,
    /// The partition may only keep what runs.
    QuorumFreeze,
    /// Its parameters or agent changed.
    DefinitionChange,
    /// It ran on several nodes.
    MultiplyActive,
    /// It belongs with something that cannot be there.
    Colocation(String),
    /// Something before it cannot be done: resource (may be empty) and action.
    Unrunnable(String, String),
    /// Something before it cannot migrate.
    Unmigrateable(String, String),
    /// Something needs it.
    Required(String, String),
    /// Any other cause, in words.
    Other(String),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NodeAvailability => f.write_str("node availability"),
            Self::NoQuorum => f.write_str("no quorum"),
            Self::QuorumFreeze => f.write_str("quorum freeze"),
            Self::DefinitionChange => f.write_str("resource definition change"),
            Self::MultiplyActive => f.write_str("being multiply active"),
            Self::Colocation(with) => write!(f, "colocation with {with}"),
            Self::Unrunnable(resource, action) => write!(f, "unrunnable {}", Pair(resource, action)),
            Self::Unmigrateable(resource, action) => write!(f, "unmigrateable {}", Pair(resource, action)),
            Self::Required(resource, action) => write!(f, "required {}", Pair(resource, action)),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// A resource that may be empty, and an action.
struct Pair<'a>(&'a str, &'a str);

impl std::fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { f.write_str(self.1) } else { write!(f, "{} {}", self.0, self.1) }
    }
}
