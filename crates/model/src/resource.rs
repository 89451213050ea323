//! Configured resources.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::NvSet;

/// Which program runs a resource, `ocf:heartbeat:nginx`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Agent {
    /// `ocf`, `systemd`, `lsb`, `stonith`, `service`.
    pub class: String,
    /// Provider, for class `ocf`.
    pub provider: Option<String>,
    /// Type.
    pub kind: String,
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.provider {
            Some(provider) => write!(f, "{}:{provider}:{}", self.class, self.kind),
            None => write!(f, "{}:{}", self.class, self.kind),
        }
    }
}

impl Agent {
    /// Provider of agents of class `ocf` that are named without one.
    pub const DEFAULT_PROVIDER: &'static str = "heartbeat";

    /// Classes whose agents hacd can run. `hac-agents` has a type for each.
    pub const RUN_CLASSES: [&'static str; 5] = ["lsb", "ocf", "service", "stonith", "systemd"];

    /// Classes whose agents have no provider.
    pub const PLAIN_CLASSES: [&'static str; 6] = ["systemd", "lsb", "stonith", "service", "upstart", "nagios"];

    /// An agent of class `ocf`.
    #[must_use]
    pub fn ocf(provider: &str, kind: &str) -> Self {
        Self { class: "ocf".to_owned(), provider: Some(provider.to_owned()), kind: kind.to_owned() }
    }

    /// Whether hacd can run agents of its class.
    #[must_use]
    pub fn is_run(&self) -> bool {
        Self::RUN_CLASSES.contains(&self.class.as_str())
    }

    /// Whether it is a fence device: it powers nodes off and runs nothing itself.
    #[must_use]
    pub fn is_fence_device(&self) -> bool {
        self.class == "stonith"
    }

    /// Whether it is a connection to a host that has no daemon, which makes a remote node of it.
    #[must_use]
    pub fn is_remote_connection(&self) -> bool {
        self.class == "ocf" && self.provider.as_deref() == Some("pacemaker") && self.kind == "remote"
    }
}

/// What was written is no name of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAgent;

impl fmt::Display for NoAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an agent is named CLASS:PROVIDER:TYPE, CLASS:TYPE or TYPE")
    }
}

impl std::error::Error for NoAgent {}

impl FromStr for Agent {
    type Err = NoAgent;

    /// Reads `[CLASS:[PROVIDER:]]TYPE`: `ocf:heartbeat:nginx`, `heartbeat:nginx`, `ocf:nginx`, `nginx`, `systemd:nginx`.
    fn from_str(text: &str) -> Result<Self, NoAgent> {
        let parts: Vec<&str> = text.split(':').collect();
        if let ["stonith", kind] = parts[..]
            && let Some(name) = kind.strip_prefix("external/")
            && Self::from_str(name).is_ok()
        {
            // The one family of agents with a folder in their names.
            return Ok(Self { class: "stonith".to_owned(), provider: None, kind: kind.to_owned() });
        }
        // Parts become names of files and units.
        let wrong =
            |part: &&str| part.is_empty() || part.starts_with('.') || part.contains(['/', '=', ' ', '\t', '\n']);
        if parts.iter().any(wrong) {
            return Err(NoAgent);
        }
        match parts[..] {
            [kind] | ["ocf", kind] => Ok(Self::ocf(Self::DEFAULT_PROVIDER, kind)),
            ["ocf", provider, kind] => Ok(Self::ocf(provider, kind)),
            [class, kind] if Self::PLAIN_CLASSES.contains(&class) => {
                Ok(Self { class: class.to_owned(), provider: None, kind: kind.to_owned() })
            }
            [provider, kind] => Ok(Self::ocf(provider, kind)),
            _ => Err(NoAgent),
        }
    }
}

/// A resource at top level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// One service.
    Primitive(Primitive),
    /// Several, one after the other on one node.
    Group(Group),
    /// Copies on several nodes.
    Clone(Clone),
    /// Containers.
    Bundle(Bundle),
    /// Not a resource: defaults for primitives that name it.
    Template(Template),
}

impl Resource {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Primitive(r) => &r.id,
            Self::Group(r) => &r.id,
            Self::Clone(r) => &r.id,
            Self::Bundle(r) => &r.id,
            Self::Template(r) => &r.0.id,
        }
    }

    /// Its own meta-attributes.
    #[must_use]
    pub fn meta(&self) -> &[NvSet] {
        match self {
            Self::Primitive(r) => &r.meta,
            Self::Group(r) => &r.meta,
            Self::Clone(r) => &r.meta,
            Self::Bundle(r) => &r.meta,
            Self::Template(r) => &r.0.meta,
        }
    }
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Primitive {
    /// Its id.
    pub id: String,
    /// Its agent; empty where `template` gives it.
    pub agent: Agent,
    /// Id of the template it takes defaults from.
    pub template: Option<String>,
    /// What people wrote about it.
    pub description: Option<String>,
    /// Parameters of the agent.
    pub params: Vec<NvSet>,
    /// Meta-attributes.
    pub meta: Vec<NvSet>,
    /// What it takes of a node's capacity.
    pub utilization: Vec<NvSet>,
    /// Operations.
    pub operations: Vec<Operation>,
    /// Id of its operations block, by which other resources may take it over.
    pub operations_id: Option<String>,
    /// Takes over the operations block with this id.
    pub operations_id_ref: Option<String>,
    /// Other XML attributes of the element (which count as meta-attributes).
    pub attributes: BTreeMap<String, String>,
}

impl Primitive {
    /// The parameters as they stand there, whatever rules say and templates add.
    #[must_use]
    pub fn plain_params(&self) -> BTreeMap<String, String> {
        let pairs = self.params.iter().flat_map(|set| &set.pairs);
        pairs.filter_map(|pair| Some((pair.name.clone(), pair.value.clone()?))).collect()
    }
}

/// Defaults for primitives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub Primitive);

/// A configured operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// Stands for the operation with this id.
    pub id_ref: Option<String>,
    /// `start`, `stop`, `monitor`, `promote` …
    pub name: String,
    /// Interval as written; `0` for once.
    pub interval: String,
    /// Everything else: `timeout`, `on-fail`, `role`, `enabled`, `start-delay`, `interval-origin`, `requires`,
    /// `record-pending`, `OCF_CHECK_LEVEL` …
    pub options: BTreeMap<String, String>,
    /// Meta-attribute blocks.
    pub meta: Vec<NvSet>,
    /// Parameter blocks.
    pub params: Vec<NvSet>,
}

/// Several primitives, one after the other on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// Its members in start order.
    pub members: Vec<Primitive>,
    /// Parameters that the members inherit.
    pub params: Vec<NvSet>,
    /// Meta-attributes.
    pub meta: Vec<NvSet>,
    /// Other XML attributes of the element.
    pub attributes: BTreeMap<String, String>,
}

/// Copies of a primitive or group on several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clone {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// What is copied: [`Resource::Primitive`] or [`Resource::Group`]; nothing else is read.
    #[serde(deserialize_with = "child")]
    pub child: Box<Resource>,
    /// Parameters that the child inherits.
    pub params: Vec<NvSet>,
    /// Meta-attributes.
    pub meta: Vec<NvSet>,
    /// Written as the old element `master`: promotable.
    pub legacy_master: bool,
    /// Other XML attributes of the element.
    pub attributes: BTreeMap<String, String>,
}

/// What can be in a clone, in the order of [`Resource`]. Reading nothing else keeps what a peer sends from nesting
/// without end.
#[derive(Deserialize)]
enum Child {
    Primitive(Primitive),
    Group(Group),
}

fn child<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Resource>, D::Error> {
    Ok(Box::new(match Child::deserialize(deserializer)? {
        Child::Primitive(primitive) => Resource::Primitive(primitive),
        Child::Group(group) => Resource::Group(group),
    }))
}

/// Containers, each with an address, a connection and a primitive inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// `docker`, `podman` (or the old `rkt`).
    pub technology: String,
    /// Attributes of that element: `image`, `replicas`, `replicas-per-host`, `promoted-max`, `network`, `options`,
    /// `run-command` …
    pub container: BTreeMap<String, String>,
    /// Attributes of `network`.
    pub network: BTreeMap<String, String>,
    /// Attributes of each `port-mapping`.
    pub ports: Vec<BTreeMap<String, String>>,
    /// Attributes of each `storage-mapping`.
    pub storage: Vec<BTreeMap<String, String>>,
    /// What runs inside.
    pub primitive: Option<Primitive>,
    /// Meta-attributes.
    pub meta: Vec<NvSet>,
    /// Parameters.
    pub params: Vec<NvSet>,
    /// Other XML attributes of the element.
    pub attributes: BTreeMap<String, String>,
}

/// Which fence devices are tried for a node at which step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencingLevel {
    /// Its id.
    pub id: String,
    /// For which nodes.
    pub target: FencingTarget,
    /// 1 to 9, tried in this order.
    pub index: u8,
    /// Devices that must all succeed.
    pub devices: Vec<String>,
}

/// The nodes that a fencing level is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FencingTarget {
    /// One node by name.
    Node(String),
    /// Nodes whose names match.
    Pattern(String),
    /// Nodes with this attribute value.
    Attribute(String, String),
}

/// A name for a set of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: String,
    /// Ids of the objects.
    pub members: Vec<String>,
}

#[cfg(test)]
mod tests;
