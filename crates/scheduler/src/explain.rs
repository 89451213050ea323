//! Why: what the scheduler decides about a resource, a node or the whole cluster, with every reason as a value.
//!
//! [`explain`] runs the one scheduler on a CIB, with a witness of how the scores come about. The answer is data (for
//! programs, as JSON) and `Display` tells it in plain sentences; all names in it come from the CIB.

mod answer;
mod text;

use serde::{Deserialize, Serialize};

use hac_types::WallTime;

use crate::plan::{Decision, Obstacle, Reason};
use hac_model::Cib;
use hac_model::Role;

pub use crate::influence::{Influence, Part, TieBreak};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What would be done now, and what each action is for.
    Cluster,
    /// About a resource, or else a node, of this name.
    Named(String),
    /// About the resource with this id.
    Resource(String),
    /// About the node of this name.
    Node(String),
}

/// Nothing has the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {name}")]
pub struct Unknown {
    /// What it was to be: `resource`, `node`, `resource or node`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The known name that is most like it.
    pub nearest: Option<String>,
    /// The known names, in order.
    pub known: Vec<String>,
}

impl Unknown {
    /// What to do about it, in one sentence.
    #[must_use]
    pub fn remedy(&self) -> String {
        /// More names than this are not told.
        const MOST: usize = 20;
        let nearest = self.nearest.as_ref().map_or_else(String::new, |nearest| format!("Did you mean {nearest}? "));
        match self.known.len() {
            0 => "Nothing of that kind is configured.".to_owned(),
            1..=MOST => format!("{nearest}There are: {}.", self.known.join(", ")),
            _ => format!("{nearest}'hacctl status' lists what there is."),
        }
    }
}

/// Explains what the scheduler decides about `cib` at `now`.
///
/// # Errors
/// A name that nothing has.
pub fn explain(cib: &Cib, now: WallTime, question: &Question) -> Result<Explanation, Unknown> {
    answer::explain(cib, now, question)
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Explanation {
    /// What would be done now.
    Cluster(ClusterStory),
    /// A resource.
    Resource(ResourceStory),
    /// A node.
    Node(NodeStory),
}

/// What would be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStory {
    /// What holds for the whole cluster.
    pub circumstances: Vec<Circumstance>,
    /// What happens to resources and nodes.
    pub decisions: Vec<Decision>,
    /// The actions for that, in an order in which they can be carried out; at the end those that cannot be.
    pub steps: Vec<Step>,
}

/// A resource, and what it consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStory {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// What holds for the whole cluster.
    pub circumstances: Vec<Circumstance>,
    /// The services that it consists of: itself, members, instances.
    pub services: Vec<Service>,
    /// What happens to them.
    pub decisions: Vec<Decision>,
    /// The actions for that.
    pub steps: Vec<Step>,
}

/// What a resource is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One service.
    #[default]
    Primitive,
    /// Members in order.
    Group,
    /// Instances.
    Clone,
    /// Containers.
    Bundle,
}

/// One service: a primitive, an instance or a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its id, with instance number.
    pub id: String,
    /// Its agent: `ocf:heartbeat:nginx`.
    pub agent: String,
    /// Where it is active now.
    pub now: Vec<Place>,
    /// Where it belongs.
    pub next: Option<Place>,
    /// Why there, or why nowhere.
    pub verdict: Verdict,
    /// What else is to be known of it.
    pub conditions: Vec<Condition>,
    /// What speaks for and against each node, by name.
    pub nodes: Vec<Candidate>,
}

/// A node, and the role there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The node.
    pub node: String,
    /// The role.
    pub role: Role,
}

/// Why a service belongs where it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// No other node may run it.
    OnlyNode,
    /// Of those that may run it, this node has the best score.
    BestScore,
    /// Others have the same score.
    Tie {
        /// Those.
        with: Vec<String>,
        /// What decided.
        by: TieBreak,
    },
    /// It is not managed: it stays where it is.
    Unmanaged,
    /// Fencing is wanted and nothing can fence: it stays where it is.
    NothingCanFence,
    /// It is to be stopped: `target-role`.
    Disabled,
    /// Everything is to be stopped: `stop-all-resources`.
    StopAll,
    /// No node may run it.
    #[default]
    NoNode,
    /// There are as many instances as there may be.
    Surplus,
    /// What it goes with is nowhere where it could be.
    Withheld {
        /// What that is, if one thing is to blame.
        by: Option<String>,
    },
}

/// What speaks for and against one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub node: String,
    /// The score of the service there, ±1 000 000 is infinite; none if nothing allows the service to be there.
    pub score: Option<i32>,
    /// The service is active there.
    pub active: bool,
    /// The service belongs there.
    pub chosen: bool,
    /// Why the node may not run anything, if it may not.
    pub obstacle: Option<Obstacle>,
    /// How the score comes about.
    pub parts: Vec<Part>,
}

/// Something that holds for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "condition", rename_all = "snake_case")]
pub enum Condition {
    /// It is not managed.
    Unmanaged,
    /// It, its node or the cluster is in maintenance.
    Maintenance,
    /// A failure blocks it until a person cleans up.
    Blocked,
    /// It failed.
    Failed,
    /// This operation failed.
    FailedOperation {
        /// `start`, `monitor` …
        task: String,
        /// Interval, milliseconds; 0 once.
        interval_ms: u64,
        /// Where.
        node: String,
        /// What the exit code or the missing of one means.
        outcome: String,
        /// What the agent gave as the reason.
        reason: Option<String>,
    },
    /// A failure of it is ignored.
    FailureIgnored,
    /// It is no longer configured.
    Removed,
    /// An operation is under way.
    Pending {
        /// Which.
        task: String,
        /// Where.
        node: String,
    },
    /// It is active on more than one node.
    MultiplyActive,
    /// It failed so often on a node.
    FailCount {
        /// The node.
        node: String,
        /// How often.
        failures: i32,
        /// After how many it is banned there; none if never.
        threshold: Option<i32>,
    },
    /// A node found out that it could not start it if it had to.
    NotReady {
        /// The node.
        node: String,
        /// What it lacks, a clause.
        sentence: String,
        /// What to do about it, a sentence.
        remedy: String,
    },
    /// How much it is wanted promoted where it will be.
    PromotionScore {
        /// The score.
        score: i32,
        /// How many instances are promoted at most.
        max: usize,
    },
}

/// Something that holds for the whole cluster and bears on decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "circumstance", rename_all = "snake_case")]
pub enum Circumstance {
    /// This partition has no quorum.
    NoQuorum {
        /// `no-quorum-policy`.
        policy: String,
    },
    /// Fencing is wanted and nothing can fence: nothing is started.
    NoFenceDevices,
    /// `maintenance-mode`.
    Maintenance,
    /// `stop-all-resources`.
    StopAll,
    /// `symmetric-cluster=false`.
    OptIn,
    /// A node must be fenced before what it ran can run elsewhere.
    Unclean {
        /// The node.
        node: String,
        /// It can and will be fenced.
        fenced: bool,
    },
}

/// One action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `RSC_TASK_INTERVALms`.
    pub key: String,
    /// The resource, if it is one's.
    pub resource: Option<String>,
    /// What is done: `start`, `stop`, `monitor` …
    pub task: String,
    /// Interval, milliseconds; 0 once.
    pub interval_ms: u64,
    /// Where.
    pub node: Option<String>,
    /// It is needed and cannot be carried out.
    pub blocked: bool,
    /// Why it is needed, or cannot be carried out.
    pub reason: Option<Reason>,
    /// The ordering constraint with the resource that the reason names.
    pub constraint: Option<String>,
    /// Its node may not run anything.
    pub obstacle: Option<Obstacle>,
    /// What must be done before.
    pub after: Vec<Wait>,
}

/// Something that must be done before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// `RSC_TASK_INTERVALms`.
    pub key: String,
    /// The resource, if it is one's.
    pub resource: Option<String>,
    /// What is done.
    pub task: String,
    /// Where.
    pub node: Option<String>,
    /// It cannot be carried out.
    pub blocked: bool,
    /// The ordering constraint between the two, if one names both.
    pub constraint: Option<String>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStory {
    /// Its name.
    pub name: String,
    /// It is the designated coordinator.
    pub dc: bool,
    /// Why it may not run anything, if it may not.
    pub obstacle: Option<Obstacle>,
    /// What holds for the whole cluster.
    pub circumstances: Vec<Circumstance>,
    /// Every service that is active or belongs there.
    pub here: Vec<Service>,
    /// Every service that belongs elsewhere or nowhere, with what speaks for and against this node.
    pub elsewhere: Vec<Service>,
    /// What happens there.
    pub steps: Vec<Step>,
}

#[cfg(test)]
mod tests;
