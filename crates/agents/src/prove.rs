//! Proving that a resource could be started on this node, without starting it: its agent is there, and takes its parameters.
//!
//! What is found out costs little, changes nothing that an agent's own `validate-all` does not change, and is kept apart from the
//! resource: nothing that is really to be done waits for it ([`key`]).

use std::time::Duration;

use hac_model::{Agent, ExecStatus, OcfCode};

use crate::Finished;

/// How far a resource is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What it needs is not here while it is elsewhere (a file system): its files are not looked at and no program is run.
    Shallow,
    /// It runs here: what is inside looks whether it could be started again, no program of an agent is run.
    Running,
    /// All there is to look at.
    Deep,
}

/// What a resource lacks on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What kind it is: `agent`, `validate`, `parameters`, `droplet`, `api`.
    pub what: &'static str,
    /// What is the matter, a clause.
    pub sentence: String,
    /// What to do about it, a sentence.
    pub remedy: String,
}

impl Missing {
    pub(crate) fn new(what: &'static str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what, sentence: sentence.into(), remedy: remedy.into() }
    }

    /// The agent is not there.
    pub(crate) fn agent(agent: &Agent) -> Self {
        let remedy = "Install there the package that has it, as on the nodes where it runs.";
        Self::new("agent", format!("the agent {agent} is not installed"), remedy)
    }

    /// What `validate-all` says, if that is no success. An agent that does not know the action says nothing.
    pub(crate) fn validated(finished: Finished) -> Option<Self> {
        let Finished { rc, status, exit_reason, .. } = finished;
        let unknown = rc == OcfCode::UNIMPLEMENTED.0 || status == ExecStatus::NotSupported;
        if unknown || (rc == OcfCode::OK.0 && status == ExecStatus::Done) {
            return None;
        }
        let what = if status == ExecStatus::NotInstalled { "agent" } else { "validate" };
        let why = exit_reason.filter(|reason| !reason.trim().is_empty());
        let why = why.unwrap_or_else(|| format!("validate-all ended with exit code {rc} ({})", OcfCode(rc).words()));
        let remedy = "Put it right on that node, or change the resource; it is looked at again by itself.";
        Some(Self::new(what, why.trim(), remedy))
    }
}

/// What was found out about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// What it lacks; nothing if it could be started, as far as can be told.
    pub missing: Vec<Missing>,
    /// What tells its agent from others of that name, where it is a program.
    pub release: Option<String>,
    /// Its agent was asked, not only looked for.
    pub deep: bool,
}

impl Proof {
    pub(crate) fn of(missing: impl IntoIterator<Item = Missing>) -> Self {
        Self { missing: missing.into_iter().collect(), ..Self::default() }
    }
}

/// Under which name what is done to prove a resource is run: not that of the resource, so that its operations do not wait for it.
pub(crate) fn key(resource: &str) -> String {
    format!("{resource} (readiness)")
}

/// How long an operation of a resource waits for a proof of it that was just given up.
pub(crate) const GIVE_WAY: Duration = Duration::from_millis(100);
