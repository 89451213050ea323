//! Resource agents as the answering node finds them.

use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/agents`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentList {
    /// Sorted by name.
    pub agents: Vec<AgentSummary>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSummary {
    /// `CLASS:PROVIDER:TYPE`, such as `ocf:heartbeat:nginx`.
    pub name: String,
    /// Which implementation this node would use.
    pub implementation: Implementation,
    /// Where its script is, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Whether hacd has it inside.
    #[serde(default)]
    pub native: bool,
}

/// Implementations of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Implementation {
    /// Inside hacd.
    Native,
    /// A program run for every action.
    Script,
}

/// Answer to `GET /v1/agents?agent=NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// Which.
    pub agent: AgentSummary,
    /// One line.
    #[serde(default)]
    pub shortdesc: String,
    /// Paragraphs.
    #[serde(default)]
    pub longdesc: String,
    /// What it can be told, in its own order.
    #[serde(default)]
    pub parameters: Vec<AgentParameter>,
    /// What it can do.
    #[serde(default)]
    pub actions: Vec<AgentAction>,
    /// Its meta-data as it printed it (scripts) or would print it (native).
    #[serde(default)]
    pub xml: String,
}

/// A parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentParameter {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// Whether two resources must not share a value.
    pub unique: bool,
    /// `string`, `integer`, `boolean`, `select` …
    pub kind: String,
    /// Used when it is not given.
    pub default: Option<String>,
    /// One line.
    pub shortdesc: String,
    /// Paragraphs.
    pub longdesc: String,
}

/// An action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentAction {
    /// Its name.
    pub name: String,
    /// Advised timeout, as written: `20s`.
    pub timeout: Option<String>,
    /// Advised interval.
    pub interval: Option<String>,
    /// Level of a monitor.
    pub depth: Option<String>,
    /// Role of a monitor.
    pub role: Option<String>,
    /// Of a fence agent's `on`: a node is to be let in by it before anything starts there.
    pub automatic: bool,
}
