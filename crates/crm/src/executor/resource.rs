//! One resource on this node: its queue, its recurring operations, its history.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hac_types::{Timestamp, WallTime, mutant};

use super::given::{self, Started};
use super::waiting::Waiting;
use super::{Invocation, InvocationId, Outcome, Output, ProcessRef, WatchId, report};
use crate::cib::{StatusChange, history};
use crate::work;
use hac_model::{Agent, ExecStatus, OcfCode, OpHistory, ResourceHistory, Task};
use hac_scheduler::plan::ResourceOp;

/// How long after its timeout an agent is given up. Whoever runs agents ends them at their timeout; this is for the case
/// that it does not.
const GUARD: Duration = Duration::from_secs(10);

/// A resource operation that was ordered: in the queue, or being carried out.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Name of the host.
    pub(super) at: String,
    pub(super) transition_key: String,
    pub(super) op: ResourceOp,
    pub(super) call_id: i64,
    pub(super) queued: Timestamp,
}

impl Job {
    fn key(&self) -> (String, u64) {
        (self.op.task.to_string(), self.op.interval_ms)
    }

    fn is_recurring(&self) -> bool {
        self.op.interval_ms > 0
    }

    fn changes_state(&self) -> bool {
        !self.is_recurring() && self.op.task.changes_state()
    }

    /// Whether `other` asks for what this one does.
    fn is_same_as(&self, other: &Self) -> bool {
        let (mine, other) = (&self.op, &other.op);
        work::is_told_by_parameters(mine.task)
            && (mine.task, mine.interval_ms) == (other.task, other.interval_ms)
            && (&mine.agent, &mine.params, &mine.migration) == (&other.agent, &other.params, &other.migration)
    }

    /// What is recorded when it begins, if anything is.
    fn started(&self) -> Option<StatusChange> {
        work::started(&self.at, &self.transition_key, &self.op)
    }

    /// Makes this the same run of an agent under another order.
    fn answer(&mut self, other: &Self) {
        self.transition_key.clone_from(&other.transition_key);
        self.op = other.op.clone();
    }
}

/// An agent that is running.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: InvocationId,
    pub(super) job: Job,
    /// What its agent was given.
    pub(super) op: ResourceOp,
    pub(super) started: Timestamp,
    /// When it is given up.
    pub(super) guard: Timestamp,
    /// Since when its agent could not ask, and how often that was tried.
    waits: Option<(WallTime, u32)>,
    /// It was ordered in a view that is over.
    inherited: bool,
}

/// A recurring operation.
#[derive(Debug)]
struct Recurring {
    job: Job,
    /// When it runs next. Not looked at while it runs.
    due: Timestamp,
    /// Exit code and status that were reported last.
    reported: Option<(OcfCode, i32)>,
    /// Run again as soon as the present run has ended.
    again: bool,
}

/// When something is due for a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deadlines {
    /// Its agent is given up, or a recurring operation runs.
    pub(super) soon: Option<Timestamp>,
    /// The order whose agent could not ask is tried again, unless orders are held.
    pub(super) again: Option<Timestamp>,
}

/// What keeps orders from beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// It is in doubt whether they still count.
    pub(super) held: bool,
    /// As many agents run on this node as may. Who was tried before and could not ask is not kept waiting by that.
    pub(super) full: bool,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) history: ResourceHistory,
    pub(super) active: Option<Active>,
    pub(super) watched: Vec<(WatchId, ProcessRef)>,
    /// What it was started with, from the start's begin until it is stopped.
    pub(super) runs: Option<Started>,
    /// What of that is kept for the next life of the daemon.
    kept: Option<Started>,
    /// It was started in an earlier life, and nothing was done with it since.
    from_earlier_life: bool,
    /// A migration to here was ordered, and nothing was done with it here since.
    may_be_here: bool,
    /// Processes that ended and are still named by the agent: watching them again would tell the same again.
    ended: Vec<ProcessRef>,
    queue: VecDeque<Job>,
    /// The order whose agent could not ask, until it can.
    waiting: Option<Waiting>,
    /// By task and interval.
    recurring: BTreeMap<(String, u64), Recurring>,
}

/// How long the agent may take for a stop that nobody ordered, milliseconds.
const LAST_STOP_MS: u64 = 50_000;

impl Managed {
    pub(super) fn new(id: &str, agent: &Agent) -> Self {
        Self {
            history: ResourceHistory { id: id.to_owned(), agent: agent.clone(), ..ResourceHistory::default() },
            active: None,
            watched: Vec::new(),
            runs: None,
            kept: None,
            from_earlier_life: false,
            may_be_here: false,
            ended: Vec::new(),
            queue: VecDeque::new(),
            waiting: None,
            recurring: BTreeMap::new(),
        }
    }

    /// A resource that an earlier life of the daemon started so.
    pub(super) fn restored(id: &str, started: Started) -> Self {
        let new = Self::new(id, &started.agent);
        Self { runs: Some(started.clone()), kept: Some(started), from_earlier_life: true, ..new }
    }

    /// Whether nobody has looked at it since the daemon started.
    fn is_untouched(&self) -> bool {
        self.from_earlier_life && self.history.ops.is_empty() && self.active.is_none()
    }

    /// Whether an earlier life of the daemon started it, and nobody has looked since whether it runs.
    pub(super) fn may_have_been_left(&self) -> bool {
        self.is_untouched() && self.runs.as_ref().is_some_and(|runs| !runs.agent.is_fence_device())
    }

    /// Puts into the history that it runs, if that is all that is known of it.
    pub(super) fn expose(&mut self, node: &str, id: &str) {
        if let Some(runs) = self.runs.as_ref().filter(|_| self.is_untouched() && self.queue.is_empty()) {
            self.history.agent = runs.agent.clone();
            history::record(&mut self.history, &report::inherited(node, id, runs));
        }
    }

    /// What is to be kept of what it runs with, if that is something else than before.
    pub(super) fn remember(&mut self) -> Option<Output> {
        if self.kept == self.runs {
            return None;
        }
        self.kept.clone_from(&self.runs);
        Some(Output::Remember(self.history.id.clone(), self.runs.clone()))
    }

    /// The stop of what runs, when there is nobody who orders one.
    pub(super) fn last_stop(&self) -> ResourceOp {
        let agent = self.runs.as_ref().map_or(&self.history.agent, |runs| &runs.agent).clone();
        let params = self.runs.as_ref().map(|runs| runs.params.clone()).unwrap_or_default();
        ResourceOp {
            resource: self.history.id.clone(),
            agent: Arc::new(agent),
            task: Task::Stop,
            timeout_ms: LAST_STOP_MS,
            params: Arc::new(params),
            ..ResourceOp::default()
        }
    }

    /// Takes an order in: a recurring operation is due after its start delay, others queue.
    pub(super) fn enqueue(&mut self, now: Timestamp, job: Job) {
        if job.is_recurring() {
            self.record_pending(&job);
            let due = now + Duration::from_millis(job.op.start_delay_ms);
            self.recurring.insert(job.key(), Recurring { job, due, reported: None, again: false });
        } else {
            // Whoever orders more no longer wants what waits.
            self.waiting = None;
            self.queue.push_back(job);
        }
    }

    /// Whether `order` is the one that is being carried out since an earlier view: a new coordinator orders what it does
    /// not know to be under way. Its result then answers the new order.
    pub(super) fn adopt(&mut self, order: &Job) -> bool {
        let alone = self.queue.is_empty();
        if let Some(waiting) = self.waiting.as_mut().filter(|w| alone && w.inherited && w.job.is_same_as(order)) {
            waiting.job.answer(order);
            waiting.inherited = false;
            self.record_pending(order);
            return true;
        }
        let is_same = |job: &Job| job.is_same_as(order) || mutant("taken-up-blindly");
        let Some(active) = self.active.as_mut().filter(|a| alone && a.inherited && is_same(&a.job)) else {
            return false;
        };
        active.job.answer(order);
        active.inherited = false;
        self.record_pending(order);
        true
    }

    /// A view is over: what it ordered and is not begun is dropped, what is begun may be ordered again. What waits until its
    /// agent can ask is not tried before that: to try is to begin, for which a view may not have the quorum. A resource that
    /// was on its way here runs here by now: what was known of it before is forgotten, so that it is looked at anew.
    pub(super) fn end_view(&mut self) {
        if self.may_be_here {
            self.history.ops.retain(OpHistory::is_pending);
        }
        self.queue.clear();
        if let Some(active) = &mut self.active {
            active.inherited = true;
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.inherited = true;
            // Whether that was told or not: the next coordinator must know that nobody tries it.
            if let Some(started) = waiting.standing_still() {
                history::record(&mut self.history, &started.op);
            }
        }
    }

    /// It is on its way to this node while it runs: what was found here before is old, and says nothing any more as soon
    /// as the others of this view are not there to tell of the migration.
    pub(super) fn may_arrive(&mut self) {
        history::date_back(&mut self.history);
        self.may_be_here = true;
    }

    /// This was done with it here.
    pub(super) fn looked_at(&mut self, op: &OpHistory) {
        self.may_be_here &= !matches!(op.task(), Some(Task::Start | Task::Stop | Task::MigrateFrom));
    }

    /// Notes in the history that the order is being carried out.
    fn record_pending(&mut self, job: &Job) {
        if let Some(StatusChange::OpStarted(started)) = job.started() {
            if self.history.ops.is_empty() {
                self.history.agent = started.agent;
            }
            history::record(&mut self.history, &started.op);
        }
    }

    /// Notes a result in `history`, which is this resource's or a copy of it. What was begun after it stays pending.
    pub(super) fn record_result(&self, history: &mut ResourceHistory, op: &OpHistory) {
        history::record(history, op);
        let later = self.active.as_ref().filter(|active| active.job.transition_key != op.transition_key);
        let later = later.filter(|active| !active.job.is_recurring()).and_then(|active| active.job.started());
        if let Some(StatusChange::OpStarted(started)) = later {
            history::record(history, &started.op);
        }
    }

    /// Whether recurring operations must end because the next order changes what they look at.
    pub(super) fn ends_recurring(&self) -> bool {
        let free = self.active.as_ref().is_none_or(|active| active.job.is_recurring());
        free && self.queue.front().is_some_and(Job::changes_state)
    }

    /// Ends recurring operations, all of them or one. Gives the run that is to be stopped.
    pub(super) fn cancel_recurring(&mut self, which: Option<(&str, u64)>) -> Option<InvocationId> {
        let hit = |(task, interval): &(String, u64)| which.is_none_or(|w| w == (task.as_str(), *interval));
        self.recurring.retain(|key, _| !hit(key));
        let active = self.active.take_if(|active| active.job.is_recurring() && hit(&active.job.key()))?;
        Some(active.id)
    }

    /// The number of the order that is next, if no agent keeps it from beginning.
    pub(super) fn next_order(&self) -> Option<i64> {
        let free = self.active.as_ref().is_none_or(|active| active.job.is_recurring());
        self.queue.front().filter(|_| free).map(|job| job.call_id)
    }

    /// Whether an agent runs here because it was ordered to.
    pub(super) fn carries_out_an_order(&self) -> bool {
        self.active.as_ref().is_some_and(|active| !active.job.is_recurring())
    }

    /// Begins what is its turn: orders in their order, if they may begin, then the recurring operation that is longest
    /// due.
    pub(super) fn begin(&mut self, now: Timestamp, id: InvocationId, turn: Turn) -> Option<Invocation> {
        if self.active.is_some() && !mutant("runs-overlap") {
            return None;
        }
        let mut tried = None;
        let job = match self.queue.pop_front_if(|_| !turn.held && !turn.full) {
            Some(job) => {
                self.record_pending(&job);
                job
            }
            None if self.waiting.as_ref().and_then(Waiting::due).is_some_and(|due| due <= now && !turn.held) => {
                let waiting = self.waiting.take()?;
                tried = Some((waiting.standing(), waiting.inherited));
                waiting.job
            }
            None => {
                let next = self.recurring.values().filter(|r| r.due <= now).min_by_key(|r| r.due)?;
                Job { queued: next.due, ..next.job.clone() }
            }
        };
        self.from_earlier_life = false;
        let op = self.given(&job);
        let invocation = report::invocation(id, &job, &op);
        let guard = now + invocation.timeout + GUARD;
        let (waits, inherited) = tried.map_or((None, false), |(standing, inherited)| (Some(standing), inherited));
        self.active = Some(Active { id, job, op, started: now, guard, waits, inherited });
        Some(invocation)
    }

    /// What the agent is given to carry `job` out.
    fn given(&mut self, job: &Job) -> ResourceOp {
        let op = &job.op;
        if given::brings_up(op.task) {
            // Also if it fails: what a failed start leaves behind is what this one made.
            self.runs = Some(Started::by(op));
        }
        match &self.runs {
            Some(runs) => runs.give(op),
            _ => op.clone(),
        }
    }

    /// Remembers what runs after `op` ended so.
    pub(super) fn note_what_runs(&mut self, op: &ResourceOp, outcome: &Outcome) {
        let rc = (outcome.status == ExecStatus::Done).then_some(OcfCode(outcome.rc));
        match (op.task, rc) {
            (Task::Stop, Some(OcfCode::OK)) => self.runs = None,
            (Task::Monitor, Some(OcfCode::NOT_RUNNING)) if op.interval_ms == 0 => self.runs = None,
            (Task::Monitor, Some(OcfCode::OK | OcfCode::PROMOTED)) if self.runs.is_none() => {
                self.runs = Some(Started::by(op))
            }
            (Task::Reload, Some(OcfCode::OK)) => self.runs = Some(Started::by(op)),
            _ => {}
        }
    }

    /// The agent of `active` could not ask. What is to be told of that; a recurring operation only runs again.
    pub(super) fn wait(
        &mut self,
        node: &str,
        now: Timestamp,
        wall: WallTime,
        active: Active,
        outcome: &Outcome,
    ) -> Option<Output> {
        let Active { job, waits, inherited, .. } = active;
        if job.is_recurring() {
            let asked = outcome.retry_after.unwrap_or_default();
            let recurring = self.recurring.get_mut(&job.key())?;
            recurring.again = false;
            recurring.due = now + Duration::from_millis(job.op.interval_ms).max(asked.min(GUARD));
            return None;
        }
        if !self.queue.is_empty() {
            return None;
        }
        let (since, tries) = waits.unwrap_or((wall, 0));
        let waiting = Waiting::new(node, job, (since, tries.saturating_add(1)), now, outcome, inherited);
        let report = waiting.report();
        self.waiting = Some(waiting);
        report
    }

    /// The coordinator gave this order up: what has not begun never will.
    pub(super) fn give_up(&mut self, transition_key: &str) {
        self.queue.retain(|job| job.transition_key != transition_key);
        self.waiting.take_if(|waiting| waiting.job.transition_key == transition_key);
    }

    /// What this node told of an order that waits is in the CIB, and goes into its own history. What has ended since
    /// stays as it is.
    pub(super) fn keep_waiting(&mut self, op: &OpHistory) {
        let here = |job: &Job| job.transition_key == op.transition_key;
        let waits = self.waiting.as_ref().is_some_and(|waiting| here(&waiting.job));
        if waits || self.active.as_ref().is_some_and(|active| here(&active.job)) {
            history::record(&mut self.history, op);
        }
    }

    /// An operation ended. Returns whether its result is to be reported: always, but for a recurring operation only if
    /// it differs from the one before.
    pub(super) fn finish(&mut self, now: Timestamp, job: &Job, op: &OpHistory) -> bool {
        if job.is_recurring() {
            let Some(recurring) = self.recurring.get_mut(&job.key()) else { return false };
            let interval = Duration::from_millis(job.op.interval_ms);
            recurring.due = if std::mem::take(&mut recurring.again) { now } else { now + interval };
            let result = Some((op.rc_code, op.op_status));
            let before = std::mem::replace(&mut recurring.reported, result);
            if before == result || (before.is_some() && mutant("change-unreported")) {
                return false;
            }
        }
        true
    }

    /// Whether the history says that a recurring operation goes on that does not.
    pub(super) fn tells_too_much(&self, op: &OpHistory) -> bool {
        if op.interval_ms == 0 || self.recurring.contains_key(&(op.operation.clone(), op.interval_ms)) {
            return false;
        }
        // What changed the state since, or is about to, says so itself.
        if self.queue.iter().any(Job::changes_state) {
            return false;
        }
        let last = self.history.ops.iter().find(|entry| entry.id == format!("{}_last_0", self.history.id));
        last.is_none_or(|last| !last.is_pending() && last.call_id < op.call_id)
    }

    /// The processes to be watched from now on; `None` leaves things as they are.
    pub(super) fn processes_after(&mut self, job: &Job, op: &OpHistory, outcome: &Outcome) -> Option<Vec<ProcessRef>> {
        let up = op.rc_code.is_up() && op.ended(ExecStatus::Done);
        let named = match job.op.task {
            Task::Start | Task::Promote | Task::Demote | Task::Monitor | Task::MigrateFrom if up => {
                outcome.watch.as_slice()
            }
            Task::Monitor if op.rc_code == OcfCode::NOT_RUNNING => &[],
            Task::Stop | Task::MigrateTo if up => &[],
            _ => return None,
        };
        self.ended.retain(|process| named.contains(process));
        Some(named.iter().filter(|process| !self.ended.contains(process)).copied().collect())
    }

    /// A watched process ended. Its watch is over.
    pub(super) fn process_ended(&mut self, watch: WatchId) {
        let ended = self.watched.iter().filter(|(id, _)| *id == watch).map(|(_, process)| *process);
        self.ended.extend(ended);
        self.watched.retain(|(id, _)| *id != watch);
    }

    /// Recurring monitors are due now; one that is running may have looked too early and runs once more.
    pub(super) fn monitor_now(&mut self, now: Timestamp) {
        let running = self.active.as_ref().map(|active| active.job.key());
        for (key, recurring) in self.recurring.iter_mut().filter(|((task, _), _)| task == Task::Monitor.name()) {
            if running.as_ref() == Some(key) {
                recurring.again = true;
            } else {
                recurring.due = recurring.due.min(now);
            }
        }
    }

    /// When something is due.
    pub(super) fn deadlines(&self) -> Deadlines {
        match &self.active {
            Some(active) => Deadlines { soon: Some(active.guard), again: None },
            None => Deadlines {
                soon: self.recurring.values().map(|recurring| recurring.due).min(),
                again: self.waiting.as_ref().and_then(Waiting::due),
            },
        }
    }

    /// Whether anything may come of letting it go on.
    pub(super) fn has_a_next_step(&self, now: Timestamp) -> bool {
        let due = self.deadlines().soon.is_some_and(|at| at <= now);
        due || !self.queue.is_empty() || self.waiting.is_some() || self.is_forgettable()
    }

    pub(super) fn in_progress(&self) -> usize {
        let active = self.active.as_ref().is_some_and(|active| !active.job.is_recurring());
        self.queue.len() + usize::from(active) + usize::from(self.waiting.is_some())
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_forgettable(&self) -> bool {
        self.active.is_none()
            && self.queue.is_empty()
            && self.waiting.is_none()
            && self.recurring.is_empty()
            && self.watched.is_empty()
            && self.history.ops.is_empty()
            && self.runs.is_none()
    }
}
