//! Why the cluster does what it does.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Query of `GET /v1/explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainQuery {
    /// The resource, or else the node, of this name; without it, what would be done now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SubjectKind>,
    /// As of an earlier moment: as in [`PastQuery`](crate::PastQuery).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A resource.
    Resource,
    /// A node.
    Node,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// `hac_scheduler::explain::Explanation`.
    pub explanation: Value,
    /// The same in sentences.
    #[serde(default)]
    pub text: String,
    /// When this was decided, milliseconds since 1970.
    #[serde(default)]
    pub now_ms: i64,
    /// The node that answers.
    #[serde(default)]
    pub node: String,
    /// If an earlier moment was asked for, the one of which the state is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<crate::Moment>,
    /// Name of the designated coordinator.
    #[serde(default)]
    pub dc: Option<String>,
    /// What quorum waits for, and which actions are on their way, in words.
    #[serde(default)]
    pub waiting_for: Vec<String>,
    /// The last transition that this node carried out as coordinator, as far as it remembers one.
    #[serde(default)]
    pub last_transition: Option<LastTransition>,
    /// Of the resource that was asked for: what its agent wrote on the answering node when it failed, oldest first.
    #[serde(default)]
    pub failed_runs: Vec<AgentRun>,
}

/// A run of an agent that wrote something on its standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRun {
    /// `start`, `monitor` …
    pub action: String,
    /// Interval, milliseconds; 0 once.
    pub interval_ms: u64,
    /// When it ended, milliseconds since 1970.
    pub time_ms: i64,
    /// Its exit code.
    pub rc: i32,
    /// Whether that is a failure.
    pub failed: bool,
    /// The end of what it wrote; secrets are masked.
    pub output: String,
}

/// A transition that was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTransition {
    /// Its number.
    pub number: u64,
    /// When it began, milliseconds since 1970.
    pub time_ms: i64,
    /// What it was for, one line a decision.
    pub decisions: Vec<String>,
    /// How it ended, in words; none while it is under way.
    pub end: Option<String>,
    /// What went wrong, in sentences.
    pub problems: Vec<String>,
}
