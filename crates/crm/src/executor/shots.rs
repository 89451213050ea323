//! Runs of fence devices against nodes. They belong to no resource's queue: a node that is to be fenced does not wait for
//! what else goes on.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hac_types::{Timestamp, mutant};

use super::{ExecStatus, Invocation, InvocationId, Outcome, Output};
use crate::cib::StatusChange;
use crate::fencer;
use crate::fencer::requests::{How, Step};
use crate::work::FenceRun;
use hac_model::{FenceOrder, OcfCode};

/// How much longer than its limit an agent is waited for.
const GUARD: Duration = Duration::from_secs(10);

/// What this node does to others.
#[derive(Debug, Default)]
pub(super) struct Shots {
    /// Ordered, and not begun while it is in doubt whether that counts.
    waiting: VecDeque<FenceRun>,
    /// Under way, until when each waits before anything is done, and when it is given up.
    running: BTreeMap<InvocationId, (FenceRun, Timestamp, Timestamp)>,
}

impl Shots {
    /// A run was ordered.
    pub(super) fn order(&mut self, run: FenceRun) {
        self.waiting.push_back(run);
    }

    /// The next run that was ordered begins under this number.
    pub(super) fn begin(&mut self, now: Timestamp, node: &str, id: InvocationId) -> Option<Output> {
        let run = self.waiting.pop_front()?;
        let invocation = invocation(id, node, &run);
        let waits = now + Duration::from_millis(run.attempt.delay_ms);
        self.running.insert(id, (run, waits, now + invocation.timeout + GUARD));
        Some(Output::Invoke(invocation))
    }

    /// Whether any waits to begin.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The view is over: what has not begun never will.
    pub(super) fn end_view(&mut self) {
        self.waiting.clear();
    }

    /// Whether the attempt with this key is waiting or under way.
    pub(super) fn has(&self, key: &str) -> bool {
        let is = |run: &FenceRun| run.attempt.key == key;
        self.waiting.iter().any(is) || self.running.values().any(|(run, ..)| is(run))
    }

    /// An agent ended; what is to be told, if it was one of these.
    pub(super) fn outcome(&mut self, id: InvocationId, outcome: &Outcome) -> Option<Output> {
        let (run, ..) = self.running.remove(&id)?;
        if mutant("attempt-without-end") && outcome.status == ExecStatus::Timeout {
            return None;
        }
        let (turn, key) = (run.turn.saturating_add(1), run.attempt.key.clone());
        let step = Step::Ended { request: run.request, turn, key, how: how(outcome) };
        Some(Output::Report(StatusChange::Fencing(step)))
    }

    /// The attempt with this key is not to be made any more: its number, if it waits and nothing has been done.
    pub(super) fn withdraw(&self, now: Timestamp, key: &str) -> Option<InvocationId> {
        let mut running = self.running.iter();
        let found = running.find(|(_, (run, waits, _))| run.attempt.key == key && now < *waits);
        found.map(|(id, _)| *id)
    }

    /// The keys of those that wait and have done nothing.
    pub(super) fn that_wait(&self, now: Timestamp) -> Vec<String> {
        let waits = |(run, until, _): &&(FenceRun, Timestamp, Timestamp)| now < *until && !run.attempt.key.is_empty();
        self.running.values().filter(waits).map(|(run, ..)| run.attempt.key.clone()).collect()
    }

    /// Those that should have ended long ago.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<InvocationId> {
        self.running.iter().filter(|(_, (.., guard))| *guard <= now).map(|(id, _)| *id).collect()
    }

    pub(super) fn timeout(&self) -> Option<Timestamp> {
        self.running.values().map(|(.., guard)| *guard).min()
    }
}

/// The run of the device's agent.
fn invocation(id: InvocationId, node: &str, run: &FenceRun) -> Invocation {
    let delay = Duration::from_millis(run.attempt.delay_ms);
    let order = FenceOrder { target: run.target.clone(), delay, base: Duration::from_millis(run.timeout_ms) };
    Invocation {
        id,
        node: node.to_owned(),
        resource: run.attempt.device.clone(),
        instance: run.attempt.device.clone(),
        agent: run.agent.clone(),
        action: run.attempt.action.to_string(),
        interval_ms: 0,
        timeout: fencer::longest(run),
        expected_rc: OcfCode::OK.0,
        migration: None,
        fencing: Some(order),
        params: run.params.clone(),
        meta: BTreeMap::new(),
    }
}

fn how(outcome: &Outcome) -> How {
    let why = || outcome.exit_reason.clone().unwrap_or_else(|| format!("its agent gave {}", outcome.rc));
    match outcome.status {
        ExecStatus::Done if outcome.rc == OcfCode::OK.0 => How::Done,
        ExecStatus::Timeout => How::TimedOut,
        ExecStatus::NotSupported | ExecStatus::NoFenceDevice => How::Unable,
        _ => How::Failed(why()),
    }
}
