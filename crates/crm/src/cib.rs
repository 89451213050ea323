//! The cluster information base as a replicated machine: `Cib::apply` takes the commands of
//! the ordered stream, and every node that applied the same commands has the same CIB, byte for byte.
//!
//! * [`command`](Command): what travels in the stream. A [`Configure`] changes what people asked for, all or nothing; a
//!   [`StatusChange`] changes what is known.
//! * What contradicts itself is refused with a sentence and a remedy ([`Refusal`]), by every node alike. What is wrong or
//!   doubtful is found by [`verify`], which `apply` never asks: [`judge`] does, before a change is proposed.
//! * Versions move as Pacemaker's do: a change of the configuration raises `epoch` and sets `num_updates` to zero, a
//!   change of the status raises `num_updates`.
//! * Results of operations are written down as Pacemaker's controller does, fail counts included, so that the scheduler
//!   reads a live CIB and a stored one alike.

mod canonical;
mod command;
mod configure;
mod contradictions;
mod failures;
#[cfg(test)]
pub(crate) mod fixtures;
mod held;
pub(crate) mod history;
mod ids;
mod judge;
mod locks;
mod machine;
pub(crate) mod observed;
mod status;
mod tickets;
mod tree;
mod verify;

pub use command::{
    Change, CloneDef, Command, Configure, GroupDef, GroupEdit, Lifetime, Object, Place, PutMode, Section, above,
};
pub use judge::judge;
pub use machine::{Bootstrap, FACTS, Replicated};
pub use status::{Join, NodePresence, OpCancelled, OpResult, OpStarted, StatusChange};
pub use tree::{has_primitive, primitives};
pub use verify::{AgentInfo, Agents, Finding, NamesOf, ParameterInfo, Severity, known_names, verify};

use serde::{Deserialize, Serialize};

use crate::fencer::requests::Consequence;

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// The CIB has a new version.
    Changed(Changes),
    /// All was so already; the version stays.
    Unchanged,
    /// Nothing was changed.
    Refused(Refusal),
}

/// What changed, for those who act on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The configuration changed (and must be stored), not only the status.
    pub configuration: bool,
    /// Resources that may be at a node from now on, because they are leaving another one while they run.
    pub arriving: Vec<HistoryOf>,
    /// Histories that were forgotten, failures and all: the node concerned forgets them too and stops their monitors.
    pub forgotten: Vec<HistoryOf>,
    /// Histories whose recorded failure was forgotten: the node concerned does so too.
    pub cleared: Vec<HistoryOf>,
    /// Only what is [held](hac_model::Status::held) changed: nothing by which is decided.
    pub held: bool,
    /// What follows from a step of fencing.
    pub fencing: Option<Consequence>,
    /// What people should know although it was done: sentences.
    pub warnings: Vec<String>,
}

/// One node's history of one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryOf {
    /// Name of the node.
    pub node: String,
    /// Id under which the node keeps its history.
    pub resource: String,
}

/// What kind of refusal, for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// It would make no sense, or break a rule.
    #[default]
    Invalid,
    /// There is nothing of that name.
    NoSuch,
    /// There is something of that name already.
    Exists,
    /// The configuration is newer than the one that the change was made from.
    Old,
    /// It would harm something that is in use, unless it is forced or that is stopped first.
    Unsafe,
    /// Not every member would understand it.
    Level,
}

/// A remedy as a sentence, no matter who wrote it: it begins with a capital, unless that is a word of a command or a
/// configuration, and has an end.
fn whole(remedy: String) -> String {
    let first = remedy.split(' ').next().unwrap_or_default();
    let is_plain = first != "hacctl" && first.trim_end_matches([',', ':', ';']).bytes().all(|b| b.is_ascii_lowercase());
    let mut letters = remedy.chars();
    let begun = match letters.next() {
        None => return remedy,
        Some(letter) if is_plain => format!("{}{}", letter.to_ascii_uppercase(), letters.as_str()),
        Some(_) => remedy,
    };
    if begun.ends_with(['.', '?', '!']) { begun } else { format!("{begun}.") }
}

/// Why a command was not carried out, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// What is wrong. Never has the value of a parameter in it.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
    /// What kind it is.
    pub kind: RefusalKind,
}

impl Refusal {
    /// A refusal of these two sentences, [`Invalid`](RefusalKind::Invalid).
    #[must_use]
    pub fn new(sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), remedy: whole(remedy.into()), kind: RefusalKind::Invalid }
    }

    /// The same of this kind.
    #[must_use]
    pub fn of(self, kind: RefusalKind) -> Self {
        Self { kind, ..self }
    }
}

impl From<Finding> for Refusal {
    fn from(finding: Finding) -> Self {
        Self::new(finding.to_string(), finding.remedy)
    }
}
