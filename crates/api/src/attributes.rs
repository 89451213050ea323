//! Attributes of nodes and of the cluster, for the programs that agents call.

use serde::{Deserialize, Serialize};

/// Query of `GET /v1/attributes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributesQuery {
    /// Only the attribute of this name; an empty name is none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Answer to `GET /v1/attributes`. Values are in clear: agents keep their own among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// Name of the answering node.
    pub node: String,
    /// Its id.
    pub node_id: u32,
    /// Whether this partition may act.
    pub quorate: bool,
    /// All nodes, by name.
    pub nodes: Vec<NodeAttributes>,
    /// Names of attributes whose changes are collected before they count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dampened: Vec<String>,
    /// Cluster properties.
    pub crm_config: Vec<AttributeSet>,
    /// Defaults of resources.
    pub rsc_defaults: Vec<AttributeSet>,
    /// Defaults of operations.
    pub op_defaults: Vec<AttributeSet>,
}

/// A node with its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeAttributes {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// It is in the membership.
    pub member: bool,
    /// What was set for good.
    pub permanent: Vec<AttributeSet>,
    /// Its capacity.
    pub utilization: Vec<AttributeSet>,
    /// What lasts until it restarts, with changes that do not count yet.
    pub transient: Vec<AttributeSet>,
    /// What the daemons tell each other, until the node restarts: nothing is decided by it.
    pub private: Vec<AttributeSet>,
}

/// Attributes under one id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttributeSet {
    /// The id.
    pub id: String,
    /// The attributes.
    pub pairs: Vec<AttributePair>,
}

/// An attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttributePair {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}
