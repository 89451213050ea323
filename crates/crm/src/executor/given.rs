//! What an agent is given. What runs is stopped, demoted, watched and notified as it was started: by the same agent, with
//! the same parameters, whatever is configured since. Otherwise the stop would look for something that is not there, and
//! what was started would stay.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use hac_model::{Agent, MASK, Task, is_secret};
use hac_scheduler::plan::ResourceOp;

/// What a resource was started with. `Debug` masks the values of secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// By which agent.
    pub agent: Agent,
    /// With which parameters. Secrets among them.
    pub params: BTreeMap<String, String>,
    /// The digest of the parameters that the history has.
    #[serde(default)]
    pub digest: Option<String>,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut params = self.params.clone();
        for (_, value) in params.iter_mut().filter(|(name, _)| is_secret(name)) {
            MASK.clone_into(value);
        }
        f.debug_struct("Started").field("agent", &self.agent).field("params", &params).finish_non_exhaustive()
    }
}

impl Started {
    /// What `op` starts, or finds running.
    pub(super) fn by(op: &ResourceOp) -> Self {
        Self { agent: Agent::clone(&op.agent), params: BTreeMap::clone(&op.params), digest: op.digest.clone() }
    }

    /// `op` as it is to be carried out on what was started so. Parameters of the operation's own stay, and its meta
    /// attributes.
    pub(super) fn give(&self, op: &ResourceOp) -> ResourceOp {
        let mut given = op.clone();
        if !concerns_what_runs(op.task) || (self.agent == *op.agent && self.params == *op.params) {
            return given;
        }
        let own = op.own.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut params = self.params.clone();
        params.extend(own);
        given.agent = Arc::new(self.agent.clone());
        given.params = Arc::new(params);
        if op.interval_ms == 0 {
            // So that the history tells that something else runs than is configured.
            given.digest.clone_from(&self.digest);
        }
        given
    }
}

/// Whether an operation of this task is about what runs, and not about what shall run.
const fn concerns_what_runs(task: Task) -> bool {
    matches!(task, Task::Stop | Task::Demote | Task::Promote | Task::Monitor | Task::Notify | Task::MigrateTo)
}

/// Whether an operation of this task makes something run with its own parameters, whatever becomes of it.
pub(super) const fn brings_up(task: Task) -> bool {
    matches!(task, Task::Start | Task::MigrateFrom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(task: &str, value: &str) -> ResourceOp {
        let params =
            BTreeMap::from([("ip".to_owned(), value.to_owned()), ("api_token".to_owned(), "hunter2".to_owned())]);
        ResourceOp {
            task: task.parse().unwrap(),
            params: params.into(),
            digest: Some(value.into()),
            ..ResourceOp::default()
        }
    }

    #[test]
    fn what_runs_is_treated_as_it_was_started_and_what_shall_run_as_configured() {
        let started = Started::by(&op("start", "old"));
        for task in ["stop", "demote", "monitor", "notify", "promote", "migrate_to"] {
            assert_eq!(started.give(&op(task, "new")).params["ip"], "old", "{task}");
        }
        for task in ["start", "reload-agent", "migrate_from"] {
            assert_eq!(started.give(&op(task, "new")).params["ip"], "new", "{task}");
        }
    }

    #[test]
    fn parameters_of_the_operation_itself_stay() {
        let started = Started::by(&op("start", "old"));
        let own = BTreeMap::from([("OCF_CHECK_LEVEL".to_owned(), "10".to_owned())]);
        let mut monitor = op("monitor", "new");
        monitor.params = Arc::new(monitor.params.iter().chain(&own).map(|(k, v)| (k.clone(), v.clone())).collect());
        monitor.own = own.into();
        let given = started.give(&monitor);
        assert_eq!((given.params["ip"].as_str(), given.params["OCF_CHECK_LEVEL"].as_str()), ("old", "10"));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", Started::by(&op("start", "x"))).contains("hunter2"));
    }
}
