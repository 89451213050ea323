//! Who is told of what happens: alerts, which run a program on every node as Pacemaker does, and notices, which the
//! coordinator sends once for the whole cluster.

use serde::{Deserialize, Serialize};

use crate::NvSet;

/// A program that each node runs for what it sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// The program, an absolute path.
    pub path: String,
    /// Variables for the program.
    pub attributes: Vec<NvSet>,
    /// `enabled`, `timeout`, `timestamp-format`.
    pub meta: Vec<NvSet>,
    /// What is told; empty means nodes, fencing and resources.
    pub select: Select,
    /// Who is told; nobody means one run without a recipient.
    pub recipients: Vec<Recipient>,
}

/// Which kinds of event an alert is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// Nodes that come and go.
    pub nodes: bool,
    /// Results of fencing.
    pub fencing: bool,
    /// Results of operations.
    pub resources: bool,
    /// Node attributes that change.
    pub attributes: bool,
    /// Of these attributes alone, if there are any.
    pub names: Vec<SelectedAttribute>,
}

/// A node attribute that an alert is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedAttribute {
    /// Id of the element.
    pub id: String,
    /// Name of the attribute.
    pub name: String,
}

/// One for whom an alert's program is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// What the program is given as the recipient.
    pub value: String,
    /// Variables for the program, over those of the alert.
    pub attributes: Vec<NvSet>,
    /// As the alert's, and over them.
    pub meta: Vec<NvSet>,
}

/// Where the coordinator sends what happens, once for the whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// What people wrote about it.
    pub description: Option<String>,
    /// `webhook`, `slack`, `ntfy` or `mail`.
    pub form: String,
    /// `url`, `token`, `to` …
    pub params: Vec<NvSet>,
}

/// What a notice can be sent as, with the parameters of each: those that must be there, and those that may.
pub const NOTICE_FORMS: &[(&str, &[&str], &[&str])] = &[
    ("webhook", &["url"], &["token", "events"]),
    ("slack", &["url"], &["events"]),
    ("ntfy", &["url"], &["token", "events"]),
    ("mail", &["to"], &["from", "events"]),
];

/// What a notice can be about (parameter `events`).
pub const NOTICE_EVENTS: &[&str] = &["node", "quorum", "fencing", "failure", "recovery"];

impl Select {
    /// Whether nothing is selected, which means the usual kinds.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether changes of this node attribute are told.
    #[must_use]
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes && (self.names.is_empty() || self.names.iter().any(|selected| selected.name == name))
    }
}

impl Notice {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find_map(|set| set.get(name))
    }

    /// Whether the value of a parameter is secret: whoever knows an address can often write there.
    #[must_use]
    pub fn is_secret(name: &str) -> bool {
        name == "url" || crate::is_secret(name)
    }

    /// Whether it is sent for events of this kind. One that says nothing about it is sent for all.
    #[must_use]
    pub fn is_for(&self, kind: &str) -> bool {
        self.get("events").is_none_or(|list| list.split([',', ' ']).any(|word| word == kind))
    }
}
