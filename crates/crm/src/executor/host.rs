//! A host: one node as its executor sees it, with the resources that run there, their queues and their histories. It is the
//! executor's own node, or another one that has no executor and for which this one acts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hac_types::{Timestamp, WallTime, mutant};

use super::Started;
use super::resource::{Deadlines, Job, Managed, Turn};
use super::{InvocationId, Outcome, Output, ProcessRef, WatchId, report};
use crate::cib::{OpCancelled, OpResult, StatusChange, history};
use hac_model::{Agent, OpHistory, ResourceHistory};
use hac_scheduler::plan::ResourceOp;

/// One node that is acted for.
#[derive(Debug)]
pub(super) struct Host {
    /// Its name.
    node: String,
    /// By id of history.
    resources: BTreeMap<String, Managed>,
    /// When something is due, for which of them.
    due: Due,
}

/// When something is due, kept in order: who asks for the next timeout must not look through all resources.
#[derive(Debug, Default)]
struct Due {
    /// By resource, as it is in the sets.
    of: BTreeMap<String, Deadlines>,
    /// Agents that are given up, and recurring operations.
    soon: BTreeSet<(Timestamp, String)>,
    /// Orders whose agent could not ask.
    tries: BTreeSet<(Timestamp, String)>,
}

impl Due {
    /// This is due for `id` from now on, and nothing else.
    fn put(&mut self, id: &str, deadlines: Deadlines) {
        let before = self.of.get(id).copied().unwrap_or_default();
        if before == deadlines {
            return;
        }
        let sets = [(&mut self.soon, before.soon, deadlines.soon), (&mut self.tries, before.again, deadlines.again)];
        for (set, before, after) in sets {
            if before != after {
                before.map(|at| set.remove(&(at, id.to_owned())));
                set.extend(after.map(|at| (at, id.to_owned())));
            }
        }
        if deadlines == Deadlines::default() {
            self.of.remove(id);
        } else {
            self.of.insert(id.to_owned(), deadlines);
        }
    }

    fn next(&self, held: bool) -> Option<Timestamp> {
        let tries = self.tries.first().filter(|_| !held);
        self.soon.first().into_iter().chain(tries).map(|(at, _)| *at).min()
    }

    /// The resources for which something is due, in the order of their ids.
    fn by(&self, now: Timestamp) -> BTreeSet<&String> {
        let until = |set: &'_ BTreeSet<(Timestamp, String)>| set.iter().take_while(move |(at, _)| *at <= now).count();
        let (soon, tries) = (until(&self.soon), until(&self.tries));
        self.soon.iter().take(soon).chain(self.tries.iter().take(tries)).map(|(_, id)| id).collect()
    }
}

/// For which resource of which host something goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) host: String,
    pub(super) resource: String,
}

impl Subject {
    fn new(host: &str, resource: &str) -> Self {
        Self { host: host.to_owned(), resource: resource.to_owned() }
    }
}

/// What the hosts of an executor share: the numbers of runs and watches, and the way out.
#[derive(Debug)]
pub(super) struct Shared {
    /// Nothing that was ordered begins; recurring operations go on.
    pub(super) held: bool,
    /// For what an agent is running.
    pub(super) invocations: BTreeMap<InvocationId, Subject>,
    /// For what a process is watched.
    pub(super) watches: BTreeMap<WatchId, Subject>,
    /// Agents that run because they were ordered to.
    pub(super) ordered: BTreeSet<InvocationId>,
    /// How many may at one time.
    limit: usize,
    /// Whose next order waits until one of them has ended, by the order's number.
    pub(super) line: BTreeMap<i64, Subject>,
    pub(super) outputs: VecDeque<Output>,
    last_call: i64,
    last_id: u64,
}

impl Shared {
    pub(super) const fn new() -> Self {
        Self {
            held: false,
            invocations: BTreeMap::new(),
            watches: BTreeMap::new(),
            ordered: BTreeSet::new(),
            limit: usize::MAX,
            line: BTreeMap::new(),
            outputs: VecDeque::new(),
            last_call: 0,
            last_id: 0,
        }
    }

    /// 0 is no limit.
    pub(super) const fn limit(&mut self, agents: usize) {
        self.limit = if agents == 0 { usize::MAX } else { agents };
    }

    fn is_full(&self) -> bool {
        self.ordered.len() >= self.limit
    }

    /// Who has waited longest, if another may begin.
    pub(super) fn next_in_line(&mut self) -> Option<Subject> {
        if self.held || self.is_full() {
            return None;
        }
        self.line.pop_first().map(|(_, next)| next)
    }

    /// The number of another run.
    pub(super) const fn next_id(&mut self) -> InvocationId {
        self.last_id += 1;
        InvocationId(self.last_id)
    }

    fn report(&mut self, change: StatusChange) {
        self.outputs.push_back(Output::Report(change));
    }
}

impl Host {
    /// A node of this name of which no resource is known.
    pub(super) fn new(node: String) -> Self {
        Self { node, resources: BTreeMap::new(), due: Due::default() }
    }

    fn managed(&mut self, id: &str, agent: &Agent) -> &mut Managed {
        self.resources.entry(id.to_owned()).or_insert_with(|| Managed::new(id, agent))
    }

    /// An operation was ordered.
    pub(super) fn run(&mut self, shared: &mut Shared, now: Timestamp, transition_key: &str, op: &ResourceOp) {
        let id = op.resource.as_str();
        let job = Job {
            at: self.node.clone(),
            transition_key: transition_key.to_owned(),
            op: op.clone(),
            call_id: shared.last_call + 1,
            queued: now,
        };
        if !self.managed(id, &op.agent).adopt(&job) {
            if op.interval_ms > 0 {
                self.cancel_recurring(shared, id, Some((op.task.name(), op.interval_ms)));
            }
            shared.last_call += 1;
            self.managed(id, &op.agent).enqueue(now, job);
        }
        self.advance(shared, now, id);
    }

    /// Drops what was ordered and has not begun, and stops what runs, each as it was started.
    pub(super) fn stop_everything(&mut self, shared: &mut Shared, now: Timestamp) {
        let running = |managed: &&Managed| managed.runs.is_some() || history::is_running(&managed.history);
        let stops: Vec<ResourceOp> = self.resources.values().filter(running).map(Managed::last_stop).collect();
        self.end_view();
        for stop in stops {
            self.run(shared, now, report::NO_TRANSITION, &stop);
        }
    }

    /// A recurring operation is no longer wanted.
    pub(super) fn cancel(&mut self, shared: &mut Shared, now: Timestamp, transition_key: &str, op: &ResourceOp) {
        let (id, task, interval_ms) = (op.resource.as_str(), op.task.to_string(), op.interval_ms);
        self.managed(id, &op.agent);
        self.cancel_recurring(shared, id, Some((&task, interval_ms)));
        let (node, resource, transition_key) = (self.node.clone(), id.to_owned(), transition_key.to_owned());
        shared.report(StatusChange::OpCancelled(OpCancelled { node, resource, task, interval_ms, transition_key }));
        self.advance(shared, now, id);
    }

    /// The view is over.
    pub(super) fn end_view(&mut self) {
        for (id, managed) in &mut self.resources {
            managed.end_view();
            self.due.put(id, managed.deadlines());
        }
    }

    /// The agent that runs for `resource` under this id has ended.
    pub(super) fn outcome(
        &mut self,
        shared: &mut Shared,
        (now, wall): (Timestamp, WallTime),
        (resource, id): (&str, InvocationId),
        outcome: &Outcome,
    ) {
        let Some(managed) = self.resources.get_mut(resource) else { return };
        let Some(active) = managed.active.take_if(|active| active.id == id) else { return };
        if outcome.retry_after.is_some() {
            let report = managed.wait(&self.node, now, wall, active, outcome);
            shared.outputs.extend(report);
            return self.advance(shared, now, resource);
        }
        let op = report::history((&active.job, &active.op), outcome, now, wall, active.started);
        managed.note_what_runs(&active.op, outcome);
        shared.outputs.extend(managed.remember());
        let wanted = managed.finish(now, &active.job, &op);
        let watched = managed.processes_after(&active.job, &op, outcome);
        if wanted && !mutant("result-unreported") {
            shared.report(report::result(&active.job, &active.op, op));
        }
        if let Some(processes) = watched {
            self.watch(shared, resource, &processes);
        }
        self.advance(shared, now, resource);
    }

    /// A watched process of `resource` has ended.
    pub(super) fn process_exited(&mut self, shared: &mut Shared, now: Timestamp, resource: &str, watch: WatchId) {
        let Some(managed) = self.resources.get_mut(resource) else { return };
        managed.process_ended(watch);
        managed.monitor_now(now);
        self.advance(shared, now, resource);
    }

    /// Agents that never ended.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = InvocationId> {
        let due = self.due.by(now).into_iter().filter_map(|id| self.resources.get(id)?.active.as_ref());
        due.filter(move |active| active.guard <= now).map(|active| active.id)
    }

    pub(super) fn timeout(&self, held: bool) -> Option<Timestamp> {
        self.due.next(held)
    }

    /// What is due for a resource may have changed.
    fn note_due(&mut self, id: &str) {
        self.due.put(id, self.resources.get(id).map(Managed::deadlines).unwrap_or_default());
    }

    /// Keeps a result of this node's, also one that the coordinator told in its place.
    pub(super) fn keep(&mut self, shared: &mut Shared, result: &OpResult, wall: WallTime) {
        if result.op.operation == "notify" {
            return;
        }
        let id = &result.resource;
        let managed = self.resources.entry(id.clone()).or_insert_with(|| Managed::new(id, &result.agent));
        if history::is_only_given_up(&result.op) {
            managed.give_up(&result.op.transition_key);
            self.due.put(id, managed.deadlines());
        }
        managed.history.agent.clone_from(&result.agent);
        let mut history = std::mem::take(&mut managed.history);
        managed.record_result(&mut history, &history::dated(&result.op, wall));
        managed.history = history;
        managed.looked_at(&result.op);
        if managed.tells_too_much(&result.op) {
            // It was on its way when the history was forgotten, and its monitor ended. Nobody may think that it goes on.
            let (node, resource, task) = (self.node.clone(), id.clone(), result.op.operation.clone());
            let (interval_ms, transition_key) = (result.op.interval_ms, String::new());
            shared.report(StatusChange::OpCancelled(OpCancelled { node, resource, task, interval_ms, transition_key }));
        }
    }

    /// What was told of an order that waits is in the CIB.
    pub(super) fn keep_waiting(&mut self, resource: &str, op: &OpHistory) {
        if let Some(managed) = self.resources.get_mut(resource) {
            managed.keep_waiting(op);
        }
    }

    /// A recurring operation is gone from the CIB.
    pub(super) fn keep_cancelled(&mut self, shared: &mut Shared, now: Timestamp, cancelled: &OpCancelled) {
        if let Some(managed) = self.resources.get_mut(&cancelled.resource) {
            history::forget_operation(&mut managed.history, &cancelled.task, cancelled.interval_ms);
        }
        self.advance(shared, now, &cancelled.resource);
    }

    /// The cluster forgot what `id` did here.
    pub(super) fn forget(&mut self, shared: &mut Shared, now: Timestamp, id: &str) {
        self.cancel_recurring(shared, id, None);
        self.watch(shared, id, &[]);
        if let Some(managed) = self.resources.get_mut(id) {
            managed.history.ops.clear();
        }
        self.advance(shared, now, id);
    }

    /// `id` may be here from now on, whatever was found before.
    pub(super) fn may_arrive(&mut self, id: &str) {
        if let Some(managed) = self.resources.get_mut(id) {
            managed.may_arrive();
        }
    }

    /// The cluster forgot that `id` failed here.
    pub(super) fn forget_failure(&mut self, shared: &mut Shared, now: Timestamp, id: &str) {
        if let Some(managed) = self.resources.get_mut(id) {
            history::forget_failure(&mut managed.history, None);
        }
        self.advance(shared, now, id);
    }

    /// All histories, in the order of their ids, with those of `reported` that are good results of this node's orders.
    pub(super) fn history_with<'a>(&self, reported: impl Iterator<Item = &'a StatusChange>) -> Vec<ResourceHistory> {
        let mut histories: BTreeMap<&String, ResourceHistory> =
            self.resources.iter().map(|(id, managed)| (id, managed.history.clone())).collect();
        for change in reported {
            let StatusChange::OpResult(OpResult { node, resource, op, .. }) = change else { continue };
            let told = *node == self.node && op.operation != "notify" && op.interval_ms == 0;
            if let (true, Some(managed), Some(history)) =
                (told && !history::is_failure(op), self.resources.get(resource), histories.get_mut(resource))
            {
                managed.record_result(history, op);
            }
        }
        histories.into_values().filter(|history| !history.ops.is_empty()).collect()
    }

    pub(super) fn in_progress(&self) -> usize {
        self.resources.values().map(Managed::in_progress).sum()
    }

    /// What may run here, or is being started, by id of history.
    pub(super) fn held(&self) -> impl Iterator<Item = &str> {
        let holds = |managed: &Managed| managed.runs.is_some() || history::is_running(&managed.history);
        let held = self.resources.iter().filter(move |(_, of)| !of.history.agent.is_fence_device() && holds(of));
        held.map(|(id, _)| id.as_str())
    }

    pub(super) fn is_active(&self) -> bool {
        self.resources.values().any(|managed| history::is_running(&managed.history) || managed.may_have_been_left())
    }

    /// Ends recurring operations, all of them or one, and their run in progress.
    fn cancel_recurring(&mut self, shared: &mut Shared, id: &str, which: Option<(&str, u64)>) {
        let Some(managed) = self.resources.get_mut(id) else { return };
        if let Some(invocation) = managed.cancel_recurring(which) {
            shared.invocations.remove(&invocation);
            shared.outputs.push_back(Output::CancelInvocation(invocation));
        }
    }

    /// What an earlier life of the daemon started.
    pub(super) fn restore(&mut self, started: BTreeMap<String, Started>) {
        for (id, started) in started {
            let managed = Managed::restored(&id, started);
            self.resources.insert(id, managed);
        }
    }

    /// What of that is not configured counts as running.
    pub(super) fn expose_unconfigured(&mut self, is_configured: impl Fn(&str) -> bool) {
        for (id, managed) in self.resources.iter_mut().filter(|(id, _)| !is_configured(id)) {
            managed.expose(&self.node, id);
        }
    }

    /// Lets those resources go on for which something is due.
    pub(super) fn advance_due(&mut self, shared: &mut Shared, now: Timestamp) {
        let ids: Vec<String> = self.due.by(now).into_iter().cloned().collect();
        for id in ids {
            self.advance(shared, now, &id);
        }
    }

    pub(super) fn advance_all(&mut self, shared: &mut Shared, now: Timestamp) {
        let next = self.resources.iter().filter(|(_, managed)| managed.has_a_next_step(now));
        let ids: Vec<String> = next.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.advance(shared, now, &id);
        }
    }

    /// Lets the resource begin what is its turn, and forgets it when there is nothing left of it.
    pub(super) fn advance(&mut self, shared: &mut Shared, now: Timestamp, id: &str) {
        let turn = Turn { held: shared.held, full: shared.is_full() };
        if !turn.held && !turn.full && self.resources.get(id).is_some_and(Managed::ends_recurring) {
            self.cancel_recurring(shared, id, None);
        }
        self.begin_next(shared, now, id, turn);
        self.note_due(id);
    }

    fn begin_next(&mut self, shared: &mut Shared, now: Timestamp, id: &str, turn: Turn) {
        let Some(managed) = self.resources.get_mut(id) else { return };
        if let Some(call_id) = managed.next_order().filter(|_| turn.full && !turn.held) {
            shared.line.insert(call_id, Subject::new(&self.node, id));
        }
        if let Some(invocation) = managed.begin(now, InvocationId(shared.last_id + 1), turn) {
            shared.outputs.extend(managed.remember());
            shared.last_id += 1;
            if managed.carries_out_an_order() {
                shared.ordered.insert(invocation.id);
            }
            shared.invocations.insert(invocation.id, Subject::new(&self.node, id));
            shared.outputs.push_back(Output::Invoke(invocation));
        } else if managed.is_forgettable() {
            self.resources.remove(id);
        }
    }

    /// Watches these processes for the resource, and no others.
    fn watch(&mut self, shared: &mut Shared, id: &str, processes: &[ProcessRef]) {
        let Some(managed) = self.resources.get_mut(id) else { return };
        let (keep, drop): (Vec<_>, Vec<_>) =
            managed.watched.drain(..).partition(|(_, process)| processes.contains(process));
        managed.watched = keep;
        for (watch, _) in drop {
            shared.watches.remove(&watch);
            shared.outputs.push_back(Output::Unwatch(watch));
        }
        for process in processes {
            if managed.watched.iter().any(|(_, known)| known == process) {
                continue;
            }
            shared.last_id += 1;
            let watch = WatchId(shared.last_id);
            managed.watched.push((watch, *process));
            shared.watches.insert(watch, Subject::new(&self.node, id));
            shared.outputs.push_back(Output::Watch(watch, *process));
        }
    }
}
