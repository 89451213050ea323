//! Commands that change the configuration.

use serde::{Deserialize, Serialize};

use super::StatusChange;
use hac_model::{
    Alert, Bundle, Configuration, Constraint, FencingLevel, Node, Notice, NvSet, Operation, Primitive, Tag, Template,
    Version,
};

/// What travels in the ordered stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// People want something else.
    Configure(Configure),
    /// More is known.
    Status(StatusChange),
}

impl Command {
    /// The lowest level at which every member of a cluster understands it. Whatever is added here or to what is in it
    /// says so here; nothing above the level in force is proposed.
    #[must_use]
    pub fn level(&self) -> u16 {
        match self {
            Self::Configure(configure) if configure.changes.iter().any(|change| change.above(1).is_some()) => 2,
            Self::Configure(_) | Self::Status(_) => 1,
        }
    }
}

/// A change of the configuration: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configure {
    /// The steps, in order. What is checked is the configuration after the last of them.
    pub changes: Vec<Change>,
    /// Name of the node through which it came.
    pub origin: String,
    /// Program that asked for it.
    pub client: String,
    /// User who asked for it.
    pub user: String,
    /// Refuse if the configuration is no longer the one of this version; `num_updates` does not count.
    pub base: Option<Version>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Create or replace an object. Ids of blocks, pairs and operations that are empty are made as crm makes them.
    Put {
        /// The object, with its id.
        object: Object,
        /// What to do if there is one of that id, or none.
        mode: PutMode,
    },
    /// Delete an object and what refers to it: constraints, and groups and clones that would be empty. The members of
    /// a deleted group, and the child of a deleted clone, stay.
    Delete {
        /// Its id; for a node its name.
        id: String,
        /// Also if it is running.
        force: bool,
    },
    /// Set or remove properties or defaults.
    SetProperties {
        /// Which.
        section: Section,
        /// Id of the set; `None` is the one that rules (`cib-bootstrap-options`, `rsc-options`, `op-options`).
        set: Option<String>,
        /// Names and values; `None` removes. If there are none, a set that is named is there afterwards.
        pairs: Vec<(String, Option<String>)>,
    },
    /// Create or replace a whole set of properties or defaults, with its score and its rule.
    PutSet {
        /// Which.
        section: Section,
        /// The set; one without an id gets one that is free.
        set: NvSet,
    },
    /// Add an operation to a primitive or template.
    AddOperation {
        /// Its id.
        resource: String,
        /// The operation.
        operation: Operation,
    },
    /// Set or remove a meta-attribute.
    SetMeta {
        /// Of this resource.
        resource: String,
        /// Its name.
        name: String,
        /// Its value; `None` removes.
        value: Option<String>,
    },
    /// Set or remove a parameter of the agent.
    SetParam {
        /// Of this resource.
        resource: String,
        /// Its name.
        name: String,
        /// Its value; `None` removes.
        value: Option<String>,
    },
    /// Set or remove a node attribute, `standby` and `maintenance` among them.
    SetNodeAttribute {
        /// Name of the node.
        node: String,
        /// Its name.
        name: String,
        /// Its value; `None` removes.
        value: Option<String>,
        /// How long it lasts.
        lifetime: Lifetime,
    },
    /// Give an object another id, wherever it is mentioned.
    Rename {
        /// What it is called.
        from: String,
        /// What it shall be called.
        to: String,
    },
    /// Change the members of a group.
    ModGroup {
        /// Its id.
        group: String,
        /// How.
        edit: GroupEdit,
    },
    /// Everything anew, except that nodes are not removed and keep their ids, and that properties which the cluster
    /// writes itself stay.
    ReplaceConfiguration(Box<Configuration>),
    /// Set or remove the word that the level of the tests has.
    #[cfg(feature = "level2")]
    SetWord(hac_model::level_two::NewWord),
}

impl Change {
    /// What of it needs more than `level`, by name; `None` if nothing does.
    #[must_use]
    pub fn above(&self, level: u16) -> Option<String> {
        match self {
            Self::ReplaceConfiguration(configuration) => above(configuration, level).into_iter().next(),
            #[cfg(feature = "level2")]
            Self::SetWord(_) if level < 2 && !hac_model::level_two::is_careless() => Some("the word".to_owned()),
            _ => None,
        }
    }
}

/// What in the configuration `level` cannot say, by name; nothing if all of it can be said there.
#[must_use]
pub fn above(configuration: &Configuration, level: u16) -> Vec<String> {
    #[cfg(feature = "level2")]
    if level < 2 && !configuration.word.0.is_empty() {
        return vec!["the word".to_owned()];
    }
    // Level 1 is the first: it says everything that this program knows.
    let _ = (configuration, level);
    Vec::new()
}

/// What [`Change::Put`] does about what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutMode {
    /// Refuse if there is an object of that id.
    Create,
    /// Refuse if there is none.
    Replace,
    /// Take it as it comes.
    Upsert,
}

/// An object of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    /// One service. Replacing one that is in a group or clone leaves it there.
    Primitive(Primitive),
    /// Defaults for primitives.
    Template(Template),
    /// Primitives, one after the other on one node.
    Group(GroupDef),
    /// Copies of a primitive or group.
    Clone(CloneDef),
    /// Containers.
    Bundle(Bundle),
    /// A constraint.
    Constraint(Constraint),
    /// A node.
    Node(Node),
    /// A name for a set of objects.
    Tag(Tag),
    /// Which fence devices are tried for a node at which step.
    FencingLevel(FencingLevel),
    /// A program that nodes run for what they see.
    Alert(Alert),
    /// Where the coordinator sends what happens.
    Notice(Notice),
}

impl Object {
    /// Its id; for a node its name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Primitive(o) => &o.id,
            Self::Template(o) => &o.0.id,
            Self::Group(o) => &o.id,
            Self::Clone(o) => &o.id,
            Self::Bundle(o) => &o.id,
            Self::Constraint(o) => o.id(),
            Self::Node(o) => &o.uname,
            Self::Tag(o) => &o.id,
            Self::FencingLevel(o) => &o.id,
            Self::Alert(o) => &o.id,
            Self::Notice(o) => &o.id,
        }
    }
}

/// A group by the ids of its members, which exist at top level (or in this group).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDef {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// Ids of the primitives in start order.
    pub members: Vec<String>,
    /// Parameters that the members inherit.
    pub params: Vec<NvSet>,
    /// Meta-attributes.
    pub meta: Vec<NvSet>,
}

/// A clone by the id of its child, which exists at top level (or in this clone).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneDef {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// Id of the primitive or group that is copied.
    pub child: String,
    /// Parameters that the child inherits.
    pub params: Vec<NvSet>,
    /// Meta-attributes.
    pub meta: Vec<NvSet>,
}

/// Where [`Change::SetProperties`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Section {
    /// Cluster properties.
    CrmConfig,
    /// Meta-attributes of all resources.
    RscDefaults,
    /// Options of all operations.
    OpDefaults,
}

/// How long a node attribute lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// Until it is removed.
    Forever,
    /// Until the node leaves the cluster.
    Reboot,
}

/// A change of a group's members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupEdit {
    /// Take a primitive in.
    Add {
        /// Its id.
        resource: String,
        /// Where.
        place: Place,
    },
    /// Let a primitive go; it stays, at top level.
    Remove {
        /// Its id.
        resource: String,
    },
}

/// A place among the members of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// As the last.
    Last,
    /// Before this member.
    Before(String),
    /// After this member.
    After(String),
}
