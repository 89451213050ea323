//! What is wrong or doubtful in a configuration, in sentences.
//!
//! A change that brings in an error is refused by the node that would propose it ([`judge`](super::judge)); a warning lets it pass.
//! Nothing found means that the scheduler reads every value as the user meant it. What depends on the agents (parameters,
//! advised timeouts) is checked against the meta-data that the caller has.

mod agents;
mod operations;
mod references;
mod told;
mod twice;
mod unsupported;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::contradictions;
use hac_model::Configuration;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// It is taken, but may not be what was meant.
    Warning,
    /// It cannot be taken.
    Error,
}

/// Something wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The object or property it is about.
    pub subject: String,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
    /// It follows from what an agent says of itself, so only a caller that asks the agents finds it.
    #[serde(skip)]
    pub of_agent: bool,
    /// A name that nobody knows is close to one that is known: most likely a slip of the one who typed it.
    #[serde(skip)]
    pub misspelt: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.sentence)
    }
}

/// What is known of the agents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agents {
    /// Meta-data by name, such as `ocf:heartbeat:nginx`.
    pub known: BTreeMap<String, AgentInfo>,
    /// Agents that were looked for and are not there.
    pub missing: BTreeSet<String>,
}

/// What the checks need of an agent's meta-data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Its parameters.
    pub parameters: Vec<ParameterInfo>,
    /// Advised least timeouts in milliseconds, by action.
    pub timeouts: BTreeMap<String, u64>,
    /// It is a fence agent that cuts nodes off, and has to let each in.
    pub unfences: bool,
}

/// A parameter of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterInfo {
    /// Its name.
    pub name: String,
    /// Nothing works without it.
    pub required: bool,
}

/// Everything wrong or doubtful in `configuration`, in the order of the document.
#[must_use]
pub fn verify(configuration: &Configuration, agents: &Agents) -> Vec<Finding> {
    let mut findings = Findings::default();
    contradictions::check(configuration, &mut findings);
    references::check(configuration, &mut findings);
    values::check(configuration, &mut findings);
    operations::check(configuration, &mut findings);
    told::check(configuration, &mut findings);
    twice::check(configuration, &mut findings);
    let before = findings.0.len();
    agents::check(configuration, agents, &mut findings);
    findings.0.iter_mut().skip(before).for_each(|finding| finding.of_agent = true);
    unsupported::check(configuration, &mut findings);
    findings.0
}

/// What the names of [`known_names`] are names of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesOf {
    /// Cluster properties that an administrator sets.
    Properties,
    /// Meta-attributes of resources.
    Meta,
    /// Options of operations.
    Operation,
}

/// Names that mean something to the cluster, in the order of the alphabet: to complete and to suggest.
#[must_use]
pub fn known_names(of: NamesOf) -> Vec<&'static str> {
    let table = match of {
        NamesOf::Properties => values::PROPERTIES,
        NamesOf::Meta => values::META,
        NamesOf::Operation => operations::OPTIONS,
    };
    let mut names: Vec<&'static str> = table.iter().map(|(name, _)| *name).collect();
    names.retain(|name| of != NamesOf::Properties || !super::FACTS.contains(name));
    names.sort_unstable();
    names
}

/// Collects findings.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    pub(super) fn error(&mut self, subject: &str, sentence: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Error, subject, sentence.into(), remedy.into(), false);
    }

    /// Warns of a name that nobody knows where another one is close to it.
    fn slip(&mut self, subject: &str, sentence: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Warning, subject, sentence.into(), remedy.into(), true);
    }

    pub(super) fn warning(&mut self, subject: &str, sentence: impl Into<String>, remedy: impl Into<String>) {
        self.push(Severity::Warning, subject, sentence.into(), remedy.into(), false);
    }

    fn push(&mut self, severity: Severity, subject: &str, sentence: String, remedy: String, misspelt: bool) {
        let (subject, remedy) = (subject.to_owned(), super::whole(remedy));
        self.0.push(Finding { severity, subject, sentence, remedy, of_agent: false, misspelt });
    }
}

#[cfg(test)]
mod tests;
