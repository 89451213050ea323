//! Alerts and notices.

use serde::{Deserialize, Serialize};

/// All alerts and notices of the cluster, and how they stand on the node that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertList {
    /// Name of the node that answers.
    pub node: String,
    /// Name of the node that sends the notices, the coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// In the order of the configuration, alerts first.
    pub alerts: Vec<AlertEntry>,
}

/// An alert or a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEntry {
    /// Its id.
    pub id: String,
    /// Of a notice, what it is sent as; empty for an alert.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub form: String,
    /// The program, or where it is sent to, as far as that is no secret.
    pub target: String,
    /// Who is told.
    pub recipients: Vec<String>,
    /// Why it cannot work on this node, as a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How often it was run, or sent, by this node since its daemon began.
    pub runs: u64,
    /// How often that failed.
    pub failures: u64,
    /// When it failed last, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_ms: Option<i64>,
    /// Why it failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Of a notice: how many events this node has still to send, or keeps for the one that sends them.
    #[serde(default)]
    pub waiting: usize,
}

/// Which alert or notice is to be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTestRequest {
    /// Its id.
    pub id: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTested {
    /// Its id.
    pub id: String,
    /// Nothing is run for one that is not enabled.
    pub enabled: bool,
    /// One a recipient.
    pub results: Vec<AlertTest>,
}

/// One run, or one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTest {
    /// For whom; empty if nobody is named.
    pub recipient: String,
    /// Why it failed, as a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}
