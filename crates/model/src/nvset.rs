//! Blocks of names and values, and the rules that switch them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::{MASK, is_secret};

/// A block of name/value pairs: `instance_attributes`, `meta_attributes`, `utilization`, `cluster_property_set` …
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvSet {
    /// Its id.
    pub id: String,
    /// Stands for the block with this id.
    pub id_ref: Option<String>,
    /// Blocks are read from the highest score down; the first value found for a name stays.
    pub score: Option<String>,
    /// The block counts only if this holds.
    pub rule: Option<Rule>,
    /// The pairs, in document order. Of two of one name the first counts.
    pub pairs: Vec<NvPair>,
}

impl NvSet {
    /// The value of `name` in this block, `None` if it is not there or has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|p| p.name == name)?.value.as_deref()
    }
}

/// One pair. `Debug` masks the values of secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvPair {
    /// Its id.
    pub id: String,
    /// Stands for the pair with this id, under `name` if that is not empty.
    pub id_ref: Option<String>,
    /// The name.
    pub name: String,
    /// The value; a pair without one is ignored.
    pub value: Option<String>,
}

impl fmt::Debug for NvPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, id_ref, name, value } = self;
        let value = value.as_deref().map(|value| if is_secret(name) { MASK } else { value });
        f.debug_struct("NvPair")
            .field("id", id)
            .field("id_ref", id_ref)
            .field("name", name)
            .field("value", &value)
            .finish()
    }
}

/// A condition, with the score it gives where it is used for placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Stands for the rule with this id.
    pub id_ref: Option<String>,
    /// `and` (also when absent) or `or`.
    pub boolean_op: Option<String>,
    /// Score where it holds.
    pub score: Option<String>,
    /// Node attribute that has the score.
    pub score_attribute: Option<String>,
    /// Applies to this role only.
    pub role: Option<String>,
    /// The parts.
    pub expressions: Vec<Expression>,
}

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expression {
    /// About a node attribute.
    Attribute {
        /// Its id.
        id: String,
        /// Name of the attribute.
        attribute: String,
        /// `defined`, `not_defined`, `eq`, `ne`, `lt`, `gt`, `lte`, `gte`.
        operation: String,
        /// What it is compared with.
        value: Option<String>,
        /// `string`, `integer`, `number`, `version`.
        value_type: Option<String>,
        /// `literal`, `param`, `meta`.
        value_source: Option<String>,
    },
    /// About the time.
    Date {
        /// Its id.
        id: String,
        /// `in_range` (also when absent), `gt`, `lt`, `date_spec`.
        operation: Option<String>,
        /// Begin.
        start: Option<String>,
        /// End.
        end: Option<String>,
        /// Attributes of `duration`, which gives the end.
        duration: Option<BTreeMap<String, String>>,
        /// Attributes of `date_spec`.
        spec: Option<BTreeMap<String, String>>,
    },
    /// About the resource's agent.
    Resource {
        /// Its id.
        id: String,
        /// Class, if it matters.
        class: Option<String>,
        /// Provider, if it matters.
        provider: Option<String>,
        /// Type, if it matters.
        kind: Option<String>,
    },
    /// About the operation.
    Operation {
        /// Its id.
        id: String,
        /// Name.
        name: String,
        /// Interval, if it matters.
        interval: Option<String>,
    },
    /// A rule inside.
    Rule(#[serde(deserialize_with = "inner_rule")] Box<Rule>),
}

/// Deepest nesting of rules that is read. People write two levels; a peer that sends thousands would exhaust the stack.
const MAX_DEPTH: u8 = 16;

thread_local! {
    /// How deep in a rule the reader is. A reader has no other way to know.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

fn inner_rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Rule>, D::Error> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(serde::de::Error::custom("rules are nested too deeply"));
    }
    DEPTH.set(depth + 1);
    let rule = Rule::deserialize(deserializer);
    DEPTH.set(depth);
    rule.map(Box::new)
}

#[cfg(test)]
mod tests;
