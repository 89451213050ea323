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
    /// What lasts until it restarts.
    pub transient: Vec<AttributeSet>,
    /// What only the daemon knows on which it was set, until that restarts.
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
