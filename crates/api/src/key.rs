//! The cluster's key: which one is in use, and its rotation. A key itself never travels here.

use serde::{Deserialize, Serialize};

use crate::Finding;

/// Which keys are in use. A fingerprint (16 hexadecimal digits) names a key and tells nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStatus {
    /// The key that this node uses.
    pub fingerprint: String,
    /// The key to which the cluster is changing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Names of the nodes that have not stored it.
    #[serde(default)]
    pub waiting_for: Vec<String>,
    /// All configured nodes.
    #[serde(default)]
    pub nodes: Vec<KeyNode>,
}

/// The keys of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyNode {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The key it uses; none if it is not a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The next key, if it has stored one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Asks for another key, or for the end of a rotation that was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateRequest {
    /// Leave nodes that are away with the present key.
    #[serde(default)]
    pub force: bool,
}

/// Answer to [`RotateRequest`]: every member has the key on its disk and uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// The key in use now.
    pub fingerprint: String,
    /// Names of the nodes that were away and need the key file of a member.
    #[serde(default)]
    pub left_behind: Vec<String>,
    /// What should be known although it was done.
    #[serde(default)]
    pub findings: Vec<Finding>,
}
