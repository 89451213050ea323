//! One node's side: it carries out the orders of the coordinator, one action at a time a resource, runs the recurring
//! monitors, watches processes, and keeps the history of its own resources.
//!
//! Orders ([`RunOp`]) come in as delivered in the ordered stream. What an agent shall do goes out as [`Output::Invoke`];
//! what became of it comes back through [`Executor::handle_outcome`] and goes out as [`Output::Report`], which is to be
//! broadcast as it is. It is kept in the history when it comes back in the stream ([`Executor::handle_delivered`]).
//!
//! The rules are those of Pacemaker's executor: further orders for a resource queue; a recurring operation runs again its
//! interval after it ended, so that runs never overlap; of its results only changes are reported; whatever changes the
//! state of a resource cancels its recurring operations first, and what a cancelled run finds is no result. On top of
//! that, a process that an agent named is watched: when it ends, the recurring monitors run at once, and what they find
//! is reported, not the end of the process.
//!
//! An order counts in the view in which it was delivered. While that is in doubt nothing ordered begins
//! ([`Executor::hold`], [`Executor::release`]), and when the view is over what has not begun never will
//! ([`Executor::end_view`]). An agent that runs goes on. The next coordinator does not order again what the CIB says is under
//! way; if it orders what the CIB does not tell (`record-pending=false`), the result of the agent that runs answers that
//! order, and it is not run twice.

mod given;
mod order;
mod report;
mod resource;
mod waiting;

pub use given::Started;
pub use hac_model::{ExecStatus, Invocation, InvocationId, Outcome, ProcessRef, WatchId, operation_key};
pub use order::{Order, Output, RunOp};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hac_types::{Timestamp, WallTime, mutant};

use crate::cib::{Applied, Changes, HistoryOf, OpCancelled, OpResult, StatusChange, history};
use hac_model::ResourceHistory;
use resource::{Job, Managed, Turn};

/// One node's side.
///
/// After each call of a `handle_` function, take all outputs ([`Executor::poll_output`]) and ask for the next timeout
/// ([`Executor::poll_timeout`]). Call [`Executor::handle_timeout`] when that is due.
#[derive(Debug)]
pub struct Executor {
    node: String,
    /// By id of history.
    resources: BTreeMap<String, Managed>,
    /// Which resource an agent is running for.
    invocations: BTreeMap<InvocationId, String>,
    /// Which resource a process is watched for.
    watches: BTreeMap<WatchId, String>,
    last_call: i64,
    last_id: u64,
    /// Nothing that was ordered begins; recurring operations go on.
    held: bool,
    /// Agents that run at one time because they were ordered to, at most.
    limit: usize,
    /// Which agents do.
    ordered: BTreeSet<InvocationId>,
    /// Resources whose next order waits until one of them has ended, by the order's number.
    line: BTreeMap<i64, String>,
    outputs: VecDeque<Output>,
}

impl Executor {
    /// A node of this name that knows of no resource.
    #[must_use]
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            resources: BTreeMap::new(),
            invocations: BTreeMap::new(),
            watches: BTreeMap::new(),
            last_call: 0,
            last_id: 0,
            held: false,
            limit: usize::MAX,
            ordered: BTreeSet::new(),
            line: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// An order was delivered. It begins at once, or when the resource and the node have nothing more urgent to do. One for another node is ignored.
    pub fn handle_run_op(&mut self, now: Timestamp, run: &RunOp) {
        if run.node != self.node {
            return;
        }
        let id = run.op.resource.clone();
        self.resources.entry(id.clone()).or_insert_with(|| Managed::new(&id, &run.op.agent));
        match run.order {
            Order::Cancel => self.cancel(&id, run),
            Order::Run => self.enqueue(now, &id, run),
        }
        self.advance(now, &id);
    }

    /// At most so many agents run at one time because they were ordered to; 0 is no limit. Others wait for their turn.
    /// Recurring operations do not count.
    pub fn limit(&mut self, agents: usize) {
        self.limit = if agents == 0 { usize::MAX } else { agents };
    }

    /// It is in doubt whether what was ordered still counts: no order begins until [`Executor::release`].
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Whether nothing that was ordered begins.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.held
    }

    /// What was ordered counts after all.
    pub fn release(&mut self, now: Timestamp) {
        self.held = false;
        self.advance_all(now);
    }

    /// The view is over: orders that have not begun are dropped and leave no trace.
    pub fn end_view(&mut self, now: Timestamp) {
        for managed in self.resources.values_mut().filter(|_| !mutant("orders-outlive-view")) {
            managed.end_view();
        }
        self.line.clear();
        self.release(now);
    }

    /// An agent ended. An outcome that is not awaited (any more) is ignored.
    pub fn handle_outcome(&mut self, now: Timestamp, wall: WallTime, id: InvocationId, outcome: Outcome) {
        let Some(resource) = self.invocations.remove(&id) else { return };
        self.handle_end(now, wall, id, &resource, outcome);
        if self.ordered.remove(&id) {
            self.next_in_line(now);
        }
    }

    /// A watched process ended: the recurring monitors of its resource run at once.
    pub fn handle_process_exited(&mut self, now: Timestamp, watch: WatchId) {
        let Some(resource) = self.watches.remove(&watch) else { return };
        let Some(managed) = self.resources.get_mut(&resource) else { return };
        managed.process_ended(watch);
        managed.monitor_now(now);
        self.advance(now, &resource);
    }

    /// A change of the status was delivered and applied. What it says of this node is kept here as the CIB keeps it:
    /// results when they are delivered, not when they are found, so that both always tell the same.
    ///
    /// `wall` is the time that travelled with the change.
    pub fn handle_delivered(&mut self, now: Timestamp, wall: WallTime, change: &StatusChange, applied: &Applied) {
        match change {
            StatusChange::OpResult(result) if result.node == self.node => self.keep(result, wall),
            StatusChange::OpStarted(started) if started.node == self.node && started.op.exit_reason.is_some() => {
                if let Some(managed) = self.resources.get_mut(&started.resource) {
                    managed.keep_waiting(&started.op);
                }
            }
            StatusChange::OpCancelled(cancelled) if cancelled.node == self.node => {
                if let Some(managed) = self.resources.get_mut(&cancelled.resource) {
                    history::forget_operation(&mut managed.history, &cancelled.task, cancelled.interval_ms);
                }
                self.advance(now, &cancelled.resource);
            }
            _ => {}
        }
        if let Applied::Changed(changes) = applied {
            self.handle_changes(now, changes);
        }
    }

    /// Histories that were forgotten by the cluster, those of this node among them, go here too.
    pub fn handle_changes(&mut self, now: Timestamp, changes: &Changes) {
        let own = |of: &&HistoryOf| of.node == self.node;
        let forgotten: Vec<String> = changes.forgotten.iter().filter(own).map(|of| of.resource.clone()).collect();
        let cleared: Vec<String> = changes.cleared.iter().filter(own).map(|of| of.resource.clone()).collect();
        for id in forgotten {
            self.cancel_recurring(&id, None);
            self.watch(&id, &[]);
            if let Some(managed) = self.resources.get_mut(&id) {
                managed.history.ops.clear();
            }
            self.advance(now, &id);
        }
        for id in cleared {
            if let Some(managed) = self.resources.get_mut(&id) {
                history::forget_failure(&mut managed.history, None);
            }
            self.advance(now, &id);
        }
    }

    /// Recurring operations that are due begin; agents that never ended are given up.
    pub fn handle_timeout(&mut self, now: Timestamp, wall: WallTime) {
        let overdue: Vec<InvocationId> = self
            .resources
            .values()
            .filter_map(|managed| managed.active.as_ref())
            .filter(|active| active.guard <= now)
            .map(|active| active.id)
            .collect();
        for id in overdue {
            self.outputs.push_back(Output::CancelInvocation(id));
            self.handle_outcome(now, wall, id, report::never_ended());
        }
        self.advance_all(now);
    }

    /// When [`Executor::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.resources.values().filter_map(|managed| managed.timeout(self.held)).min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What this node knows of its resources, in the order of their ids.
    #[must_use]
    pub fn history(&self) -> Vec<ResourceHistory> {
        self.history_with(std::iter::empty())
    }

    /// The same, with those of `reported` in it that are not delivered yet and are good results of this node's orders:
    /// for a coordinator that would otherwise order again what is done. (A failure is told when it is counted, which is
    /// at its delivery.)
    #[must_use]
    pub fn history_with<'a>(&self, reported: impl Iterator<Item = &'a StatusChange>) -> Vec<ResourceHistory> {
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

    /// Orders that are not carried out yet, recurring operations aside.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.resources.values().map(Managed::in_progress).sum()
    }

    /// Whether any resource may be running here, as far as its history tells.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.resources.values().any(|managed| history::is_running(&managed.history))
    }

    fn enqueue(&mut self, now: Timestamp, id: &str, run: &RunOp) {
        if self.resources.get_mut(id).is_some_and(|managed| managed.adopt(run)) {
            return;
        }
        if run.op.interval_ms > 0 {
            self.cancel_recurring(id, Some((run.op.task.name(), run.op.interval_ms)));
        }
        self.last_call += 1;
        let job = Job { run: run.clone(), call_id: self.last_call, queued: now };
        if let Some(managed) = self.resources.get_mut(id) {
            managed.enqueue(now, job);
        }
    }

    /// Keeps a result of this node's, also one that the coordinator told in its place.
    fn keep(&mut self, result: &OpResult, wall: WallTime) {
        if result.op.operation == "notify" {
            return;
        }
        let id = &result.resource;
        let managed = self.resources.entry(id.clone()).or_insert_with(|| Managed::new(id, &result.agent));
        if history::is_only_given_up(&result.op) {
            managed.give_up(&result.op.transition_key);
        }
        managed.history.agent.clone_from(&result.agent);
        let mut history = std::mem::take(&mut managed.history);
        managed.record_result(&mut history, &history::dated(&result.op, wall));
        managed.history = history;
        if managed.tells_too_much(&result.op) {
            // It was on its way when the history was forgotten, and its monitor ended. Nobody may think that it goes on.
            let (node, resource, task) = (self.node.clone(), id.clone(), result.op.operation.clone());
            let (interval_ms, transition_key) = (result.op.interval_ms, String::new());
            let cancelled = OpCancelled { node, resource, task, interval_ms, transition_key };
            self.outputs.push_back(Output::Report(StatusChange::OpCancelled(cancelled)));
        }
    }

    fn cancel(&mut self, id: &str, run: &RunOp) {
        let (task, interval_ms) = (run.op.task.to_string(), run.op.interval_ms);
        self.cancel_recurring(id, Some((&task, interval_ms)));
        let (node, resource, transition_key) = (self.node.clone(), id.to_owned(), run.transition_key.clone());
        let cancelled = OpCancelled { node, resource, task, interval_ms, transition_key };
        self.outputs.push_back(Output::Report(StatusChange::OpCancelled(cancelled)));
    }

    /// Ends recurring operations, all of them or one, and their run in progress.
    fn cancel_recurring(&mut self, id: &str, which: Option<(&str, u64)>) {
        let Some(managed) = self.resources.get_mut(id) else { return };
        if let Some(invocation) = managed.cancel_recurring(which) {
            self.invocations.remove(&invocation);
            self.outputs.push_back(Output::CancelInvocation(invocation));
        }
    }

    fn advance_all(&mut self, now: Timestamp) {
        let ids: Vec<String> = self.resources.keys().cloned().collect();
        for id in ids {
            self.advance(now, &id);
        }
    }

    /// Lets the resource begin what is its turn, and forgets it when there is nothing left of it.
    fn advance(&mut self, now: Timestamp, id: &str) {
        let full = self.ordered.len() >= self.limit;
        if !self.held && !full && self.resources.get(id).is_some_and(Managed::ends_recurring) {
            self.cancel_recurring(id, None);
        }
        let Some(managed) = self.resources.get_mut(id) else { return };
        if let Some(call_id) = managed.next_order().filter(|_| full && !self.held) {
            self.line.insert(call_id, id.to_owned());
        }
        let turn = Turn { held: self.held, full };
        if let Some(invocation) = managed.begin(now, InvocationId(self.last_id + 1), turn) {
            self.last_id += 1;
            self.invocations.insert(invocation.id, id.to_owned());
            if managed.carries_out_an_order() {
                self.ordered.insert(invocation.id);
            }
            self.outputs.push_back(Output::Invoke(invocation));
        } else if managed.is_forgettable() {
            self.resources.remove(id);
        }
    }

    /// An agent ended: who waits for that has its turn, in the order of the orders.
    fn next_in_line(&mut self, now: Timestamp) {
        while !self.held && self.ordered.len() < self.limit {
            let Some((_, id)) = self.line.pop_first() else { return };
            self.advance(now, &id);
        }
    }

    fn handle_end(&mut self, now: Timestamp, wall: WallTime, id: InvocationId, resource: &str, outcome: Outcome) {
        let Some(managed) = self.resources.get_mut(resource) else { return };
        let Some(active) = managed.active.take_if(|active| active.id == id) else { return };
        if outcome.retry_after.is_some() {
            let report = managed.wait(&self.node, now, wall, active, &outcome);
            self.outputs.extend(report);
            return self.advance(now, resource);
        }
        let op = report::history(&self.node, (&active.job, &active.op), &outcome, now, wall, active.started);
        managed.note_what_runs(&active.op, &outcome);
        let wanted = managed.finish(now, &active.job, &op);
        let watched = managed.processes_after(&active.job, &op, &outcome);
        if wanted && !mutant("result-unreported") {
            self.outputs.push_back(Output::Report(report::result(&self.node, &active.job, &active.op, op)));
        }
        if let Some(processes) = watched {
            self.watch(resource, &processes);
        }
        self.advance(now, resource);
    }

    /// Watches these processes for the resource, and no others.
    fn watch(&mut self, id: &str, processes: &[ProcessRef]) {
        let Some(managed) = self.resources.get_mut(id) else { return };
        let (keep, drop): (Vec<_>, Vec<_>) =
            managed.watched.drain(..).partition(|(_, process)| processes.contains(process));
        managed.watched = keep;
        for (watch, _) in drop {
            self.watches.remove(&watch);
            self.outputs.push_back(Output::Unwatch(watch));
        }
        for process in processes {
            if managed.watched.iter().any(|(_, known)| known == process) {
                continue;
            }
            self.last_id += 1;
            let watch = WatchId(self.last_id);
            managed.watched.push((watch, *process));
            self.watches.insert(watch, id.to_owned());
            self.outputs.push_back(Output::Watch(watch, *process));
        }
    }
}

#[cfg(test)]
mod tests;
