//! What agents write on their standard error: logged at the levels that they name, and kept, of each operation the last
//! runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hac_api::AgentRun;
use hac_model::{ExecStatus, Invocation, Outcome};

/// Runs kept of each operation.
const RUNS: usize = 3;

/// Bytes kept of all together, about.
const BYTES: usize = 8 << 20;

/// Names an operation: resource, action, interval in milliseconds.
type Operation = (String, String, u64);

/// What was said last.
#[derive(Debug, Default)]
pub(crate) struct Said(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    runs: BTreeMap<Operation, VecDeque<AgentRun>>,
    /// Whose runs were kept, oldest first; each as often as it has runs.
    order: VecDeque<Operation>,
    bytes: usize,
}

impl Said {
    /// Keeps and logs what a run wrote; secrets are masked in it already.
    pub(crate) fn keep(&self, invocation: &Invocation, outcome: &Outcome, time_ms: i64) {
        let failed = is_failure(outcome);
        for line in outcome.output.lines().filter(|line| !line.trim().is_empty()) {
            log(invocation, line, failed);
        }
        if outcome.output.trim().is_empty() {
            return;
        }
        let run = AgentRun {
            action: invocation.action.clone(),
            interval_ms: invocation.interval_ms,
            time_ms,
            rc: outcome.rc,
            failed,
            output: outcome.output.clone(),
        };
        self.lock().add((invocation.resource.clone(), invocation.action.clone(), invocation.interval_ms), run);
    }

    /// The failed runs of a resource, or of its instances, oldest first.
    pub(crate) fn failures(&self, resource: &str) -> Vec<AgentRun> {
        let own = |id: &str| id == resource || id.strip_prefix(resource).is_some_and(|rest| rest.starts_with(':'));
        let kept = self.lock();
        let runs = kept.runs.iter().filter(|((of, ..), _)| own(of)).flat_map(|(_, runs)| runs);
        let mut failed: Vec<AgentRun> = runs.filter(|run| run.failed).cloned().collect();
        failed.sort_by_key(|run| run.time_ms);
        failed
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn add(&mut self, operation: Operation, run: AgentRun) {
        self.bytes = self.bytes.saturating_add(run.output.len());
        self.order.push_back(operation.clone());
        let runs = self.runs.entry(operation.clone()).or_default();
        runs.push_back(run);
        if runs.len() > RUNS {
            self.forget_first(&operation);
            let oldest = self.order.iter().position(|of| *of == operation);
            oldest.map(|at| self.order.remove(at));
        }
        while self.bytes > BYTES
            && let Some(operation) = self.order.pop_front()
        {
            self.forget_first(&operation);
        }
    }

    fn forget_first(&mut self, operation: &Operation) {
        let Some(runs) = self.runs.get_mut(operation) else { return };
        let gone = runs.pop_front().map_or(0, |run| run.output.len());
        self.bytes = self.bytes.saturating_sub(gone);
        if runs.is_empty() {
            self.runs.remove(operation);
        }
    }
}

/// Whether a run ended as no operation should: to say that nothing runs is no failure.
fn is_failure(outcome: &Outcome) -> bool {
    outcome.status != ExecStatus::Done || !matches!(outcome.rc, 0 | 7 | 8)
}

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Importance {
    Error,
    Warning,
    Info,
    Debug,
}

/// What agents write in front of their lines, perhaps after a time and their name.
const MARKS: &[(&str, Importance)] = &[
    ("CRIT:", Importance::Error),
    ("ERROR:", Importance::Error),
    ("ocf-exit-reason:", Importance::Error),
    ("WARNING:", Importance::Warning),
    ("WARN:", Importance::Warning),
    ("NOTICE:", Importance::Info),
    ("INFO:", Importance::Info),
    ("DEBUG:", Importance::Debug),
];

/// How far into a line a mark may stand, bytes: a time and the name of an agent fit before it.
const MARK_WITHIN: usize = 80;

fn importance(line: &str, failed: bool) -> Importance {
    let begins_word =
        |at: usize| at == 0 || line.as_bytes().get(at - 1).is_some_and(|byte| !byte.is_ascii_alphanumeric());
    let found = MARKS.iter().filter_map(|(mark, importance)| Some((line.find(mark)?, importance)));
    let first = found.filter(|(at, _)| *at <= MARK_WITHIN && begins_word(*at)).min_by_key(|(at, _)| *at);
    match first {
        Some((_, importance)) => *importance,
        // What made it fail is among it.
        None if failed => Importance::Warning,
        None => Importance::Info,
    }
}

fn log(invocation: &Invocation, line: &str, failed: bool) {
    let (action, instance) = (&invocation.action, &invocation.instance);
    match importance(line, failed) {
        Importance::Error => tracing::error!(target: "hacd::agents", "{action} of {instance}: {line}"),
        Importance::Warning => tracing::warn!(target: "hacd::agents", "{action} of {instance}: {line}"),
        Importance::Info => tracing::info!(target: "hacd::agents", "{action} of {instance}: {line}"),
        Importance::Debug => tracing::debug!(target: "hacd::agents", "{action} of {instance}: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use hac_model::{Agent, InvocationId};

    use super::*;

    fn run(resource: &str, action: &str) -> Invocation {
        Invocation {
            id: InvocationId(1),
            resource: resource.into(),
            instance: resource.into(),
            agent: Agent::default(),
            action: action.into(),
            interval_ms: 0,
            timeout: Duration::from_secs(20),
            expected_rc: 0,
            params: BTreeMap::new(),
            meta: BTreeMap::new(),
            node: "n1".into(),
            migration: None,
            fencing: None,
        }
    }

    fn wrote(rc: i32, output: &str) -> Outcome {
        Outcome { rc, output: output.into(), ..Outcome::default() }
    }

    #[test]
    fn lines_have_the_level_that_agents_give_them() {
        for (line, failed, expected) in [
            ("ERROR: no disk", false, Importance::Error),
            ("ocf-exit-reason:no disk", false, Importance::Error),
            ("Nov 02 07:36:07 WARNING: slow", false, Importance::Warning),
            ("nginx(Web)[12]: INFO: up", true, Importance::Info),
            ("DEBUG: ERROR: quoted", false, Importance::Debug),
            ("TERROR: is no mark", false, Importance::Info),
            ("sed: no such file", false, Importance::Info),
            ("sed: no such file", true, Importance::Warning),
        ] {
            assert_eq!(importance(line, failed), expected, "{line}");
        }
    }

    #[test]
    fn of_each_operation_the_last_runs_are_kept_and_failures_can_be_asked_for() {
        let said = Said::default();
        for time in 0..5 {
            said.keep(&run("web", "start"), &wrote(1, &format!("try {time}")), time);
        }
        said.keep(&run("web", "monitor"), &wrote(7, "is down"), 9);
        said.keep(&run("web:1", "stop"), &wrote(1, "stuck"), 1);
        said.keep(&run("webs", "stop"), &wrote(1, "another"), 1);
        said.keep(&run("web", "stop"), &wrote(1, " \n"), 1);
        let told: Vec<String> = said.failures("web").into_iter().map(|run| run.output).collect();
        assert_eq!(told, ["stuck", "try 2", "try 3", "try 4"]);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let said = Said::default();
        let much = "x".repeat(1 << 20);
        for number in 0..20 {
            said.keep(&run(&format!("r{number}"), "start"), &wrote(1, &much), number);
        }
        let kept = said.lock();
        assert!(kept.bytes <= BYTES && kept.order.len() == kept.runs.len(), "{} bytes", kept.bytes);
        drop(kept);
        assert!(said.failures("r0").is_empty() && !said.failures("r19").is_empty());
    }
}
