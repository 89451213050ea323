//! Configured constraints.

use serde::{Deserialize, Serialize};

use super::Rule;

/// A constraint, in document order among the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constraint {
    /// Where a resource may run.
    Location(Location),
    /// What runs where something else runs.
    Colocation(Colocation),
    /// What is done before something else.
    Order(Order),
    /// What needs a ticket.
    Ticket(Ticket),
}

impl Constraint {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Location(c) => &c.id,
            Self::Colocation(c) => &c.id,
            Self::Order(c) => &c.id,
            Self::Ticket(c) => &c.id,
        }
    }
}

/// Where a resource may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Its id.
    pub id: String,
    /// Which resources.
    pub subject: LocationSubject,
    /// Applies to this role only.
    pub role: Option<String>,
    /// `always`, `never`, `exclusive`.
    pub resource_discovery: Option<String>,
    /// One node, or rules.
    pub target: LocationTarget,
    /// Rules inside `lifetime`: the constraint counts while one holds.
    pub lifetime: Vec<Rule>,
}

/// The resources of a location constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocationSubject {
    /// A resource, or a tag, by id.
    Resource(String),
    /// Resources whose ids match; with `true` those whose ids do not.
    Pattern(String, bool),
    /// Sets.
    Sets(Vec<ResourceSet>),
}

/// The nodes of a location constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocationTarget {
    /// This node with this score.
    Node {
        /// Its name.
        node: String,
        /// The score as written.
        score: Option<String>,
    },
    /// Every node for which a rule holds, with the rule's score.
    Rules(Vec<Rule>),
}

/// `rsc` is placed relative to `with_rsc`, which is placed first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colocation {
    /// Its id.
    pub id: String,
    /// Score as written.
    pub score: Option<String>,
    /// The dependent; empty if there are sets.
    pub rsc: String,
    /// Its role, if it matters.
    pub rsc_role: Option<String>,
    /// Its instance number (old syntax).
    pub rsc_instance: Option<String>,
    /// The primary; empty if there are sets.
    pub with_rsc: String,
    /// Its role, if it matters.
    pub with_rsc_role: Option<String>,
    /// Its instance number (old syntax).
    pub with_rsc_instance: Option<String>,
    /// Same value of this node attribute instead of same node.
    pub node_attribute: Option<String>,
    /// Whether the dependent's wishes influence the primary's placement.
    pub influence: Option<String>,
    /// Sets instead of a pair.
    pub sets: Vec<ResourceSet>,
    /// Rules inside `lifetime`.
    pub lifetime: Vec<Rule>,
}

/// `first` happens before `then`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// `Mandatory`, `Optional`, `Serialize`.
    pub kind: Option<String>,
    /// Score as written (old way of saying the kind: zero is optional).
    pub score: Option<String>,
    /// What comes first; empty if there are sets.
    pub first: String,
    /// Its action, `start` if absent.
    pub first_action: Option<String>,
    /// Its instance number (old syntax).
    pub first_instance: Option<String>,
    /// What comes then; empty if there are sets.
    pub then: String,
    /// Its action; that of `first` if absent.
    pub then_action: Option<String>,
    /// Its instance number (old syntax).
    pub then_instance: Option<String>,
    /// Whether the reverse holds for stopping.
    pub symmetrical: Option<String>,
    /// Whether all instances of `first` are needed.
    pub require_all: Option<String>,
    /// Sets instead of a pair.
    pub sets: Vec<ResourceSet>,
}

/// A resource needs a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// The ticket.
    pub ticket: String,
    /// `stop`, `demote`, `fence`, `freeze`.
    pub loss_policy: Option<String>,
    /// The resource; empty if there are sets.
    pub rsc: String,
    /// Its role, if it matters.
    pub rsc_role: Option<String>,
    /// Sets instead of one resource.
    pub sets: Vec<ResourceSet>,
}

/// Several resources in a constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSet {
    /// Its id.
    pub id: String,
    /// Stands for the set with this id.
    pub id_ref: Option<String>,
    /// Ids of resources, in order.
    pub members: Vec<String>,
    /// One after the other, or all at once.
    pub sequential: Option<String>,
    /// All, or any.
    pub require_all: Option<String>,
    /// `group` or `listed` (colocation, old syntax).
    pub ordering: Option<String>,
    /// Action (order).
    pub action: Option<String>,
    /// Role.
    pub role: Option<String>,
    /// Score.
    pub score: Option<String>,
    /// Kind (order).
    pub kind: Option<String>,
}
