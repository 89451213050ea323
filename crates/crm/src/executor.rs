//! One node's side: it carries out the orders of the coordinator, one action at a time a resource, runs the recurring
//! monitors, watches processes, and keeps the history of its own resources.
//!
//! Orders ([`Order`]) come in as delivered in the ordered stream. What an agent is to do goes out as [`Output::Invoke`];
//! what became of it comes back through [`Executor::handle_outcome`] and goes out as [`Output::Report`], which is to be
//! broadcast as it is. It is kept in the history when it comes back in the stream ([`Executor::handle_delivered`]).
//!
//! What is known and queued belongs to a host: one for each node for which this one acts. Its own is always there.
//! Another one is added when there is a connection to a node that has no executor ([`Executor::add_host`]); nothing in this
//! release makes one.
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
mod host;
mod output;
mod report;
mod resource;
mod shots;
mod waiting;

pub use given::Started;
pub use hac_model::{ExecStatus, Invocation, InvocationId, Outcome, ProcessRef, WatchId, operation_key};
pub use output::Output;

use std::collections::BTreeMap;

use hac_types::{Timestamp, WallTime, mutant};

use crate::cib::{Applied, Changes, StatusChange, history};
use crate::work::{Order, Work};
use hac_model::ResourceHistory;
use hac_scheduler::plan::ResourceOp;
use host::{Host, Shared};
use shots::Shots;

/// One node's side.
///
/// After each call of a `handle_` function, take all outputs ([`Executor::poll_output`]) and ask for the next timeout
/// ([`Executor::poll_timeout`]). Call [`Executor::handle_timeout`] when that is due.
#[derive(Debug)]
pub struct Executor {
    /// Whose executor this is.
    node: String,
    /// The nodes for which it acts, by name; its own among them.
    hosts: BTreeMap<String, Host>,
    shared: Shared,
    shots: Shots,
}

impl Executor {
    /// A node of this name that knows of no resource, and acts for itself alone.
    #[must_use]
    pub fn new(node: impl Into<String>) -> Self {
        let node = node.into();
        let hosts = BTreeMap::from([(node.clone(), Host::new(node.clone()))]);
        Self { node, hosts, shared: Shared::new(), shots: Shots::default() }
    }

    /// From now on this node acts for the node `at` too. One that it acts for already stays as it is.
    pub fn add_host(&mut self, at: impl Into<String>) {
        let at = at.into();
        self.hosts.entry(at.clone()).or_insert_with(|| Host::new(at));
    }

    /// At most so many agents run at one time because they were ordered to, for all hosts together; 0 is no limit. Others
    /// wait for their turn. Recurring operations do not count.
    pub fn limit(&mut self, agents: usize) {
        self.shared.limit(agents);
    }

    /// What an earlier life of the daemon had begun to start here and not stopped ([`Output::Remember`]), by the ids of the
    /// histories. Whether it still runs the probes tell.
    pub fn restore(&mut self, started: BTreeMap<String, Started>) {
        if let Some(host) = self.hosts.get_mut(&self.node) {
            host.restore(started);
        }
    }

    /// What an earlier life started and is no longer configured nobody would probe: it counts as running, so that it is
    /// stopped. Called before this node tells its history.
    pub fn expose_unconfigured(&mut self, is_configured: impl Fn(&str) -> bool) {
        if let Some(host) = self.hosts.get_mut(&self.node) {
            host.expose_unconfigured(is_configured);
        }
    }

    /// An order was delivered. It begins at once, or when the resource and this node have nothing more urgent to do. One for
    /// another node is ignored; one at a node for which this one does not act has failed
    /// for want of a connection.
    pub fn handle_order(&mut self, now: Timestamp, order: &Order) {
        if order.by != self.node {
            return;
        }
        match &order.work {
            Work::Operation(op) | Work::Migration(op) | Work::Notify(op) => match self.hosts.get_mut(&order.at) {
                Some(host) => host.run(&mut self.shared, now, &order.transition_key, op),
                None => self.not_connected(order, op),
            },
            Work::Cancel(op) => match self.hosts.get_mut(&order.at) {
                Some(host) => host.cancel(&mut self.shared, now, &order.transition_key, op),
                None => self.not_connected(order, op),
            },
            Work::Fence(run) => {
                self.shots.order(run.clone());
                self.shoot(now);
            }
        }
    }

    /// Lets begin what was ordered against other nodes, unless that is in doubt.
    fn shoot(&mut self, now: Timestamp) {
        while self.shots.waits() && !self.shared.held {
            let id = self.shared.next_id();
            self.shared.outputs.extend(self.shots.begin(now, &self.node, id));
        }
    }

    /// Whether this node carries out the attempt of this key against another node. What it was not told in time, or began in
    /// another life, it does not.
    #[must_use]
    pub fn is_fencing(&self, key: &str) -> bool {
        self.shots.has(key)
    }

    /// The keys of attempts against other nodes that have begun here and still wait: nothing has been done yet.
    #[must_use]
    pub fn fencing_that_waits(&self, now: Timestamp) -> Vec<String> {
        self.shots.that_wait(now)
    }

    /// The attempt of this key against another node has no reason any more: it is ended if it still waits, and told as failed.
    pub fn withdraw_fencing(&mut self, now: Timestamp, wall: WallTime, key: &str, why: &str) {
        let Some(id) = self.shots.withdraw(now, key) else { return };
        self.shared.outputs.push_back(Output::CancelInvocation(id));
        let outcome = Outcome { rc: 1, exit_reason: Some(why.to_owned()), ..Outcome::default() };
        self.handle_outcome(now, wall, id, outcome);
    }

    /// All that runs here is stopped, and nothing else is done: others take this node for down.
    pub fn stop_everything(&mut self, now: Timestamp) {
        self.shots.end_view();
        self.shared.line.clear();
        if let Some(host) = self.hosts.get_mut(&self.node) {
            host.stop_everything(&mut self.shared, now);
        }
    }

    fn not_connected(&mut self, order: &Order, op: &ResourceOp) {
        let result = report::not_connected(&self.node, order, op);
        self.shared.outputs.push_back(Output::Report(result));
    }

    /// It is in doubt whether what was ordered still counts: no order begins until [`Executor::release`].
    pub fn hold(&mut self) {
        self.shared.held = true;
    }

    /// Whether nothing that was ordered begins.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.shared.held
    }

    /// What was ordered counts after all.
    pub fn release(&mut self, now: Timestamp) {
        self.shared.held = false;
        self.shoot(now);
        self.advance_all(now);
    }

    /// The view is over: orders that have not begun are dropped and leave no trace.
    pub fn end_view(&mut self, now: Timestamp) {
        for host in self.hosts.values_mut().filter(|_| !mutant("orders-outlive-view")) {
            host.end_view();
        }
        self.shots.end_view();
        self.shared.line.clear();
        self.release(now);
    }

    /// An agent ended. An outcome that is not awaited (any more) is ignored.
    pub fn handle_outcome(&mut self, now: Timestamp, wall: WallTime, id: InvocationId, outcome: Outcome) {
        if let Some(told) = self.shots.outcome(id, &outcome) {
            return self.shared.outputs.push_back(told);
        }
        let Some(of) = self.shared.invocations.remove(&id) else { return };
        if let Some(host) = self.hosts.get_mut(&of.host) {
            host.outcome(&mut self.shared, (now, wall), (&of.resource, id), &outcome);
        }
        if self.shared.ordered.remove(&id) {
            self.next_in_line(now);
        }
    }

    /// An agent ended: who waits for that has its turn, in the order of the orders.
    fn next_in_line(&mut self, now: Timestamp) {
        while let Some(next) = self.shared.next_in_line() {
            if let Some(host) = self.hosts.get_mut(&next.host) {
                host.advance(&mut self.shared, now, &next.resource);
            }
        }
    }

    /// A watched process ended: the recurring monitors of its resource run at once.
    pub fn handle_process_exited(&mut self, now: Timestamp, watch: WatchId) {
        let Some(of) = self.shared.watches.remove(&watch) else { return };
        if let Some(host) = self.hosts.get_mut(&of.host) {
            host.process_exited(&mut self.shared, now, &of.resource, watch);
        }
    }

    /// A change of the status was delivered and applied. What it says of nodes for which this one acts is kept here as the
    /// CIB keeps it: results when they are delivered, not when they are found, so that both always tell the same.
    ///
    /// `wall` is the time that travelled with the change.
    pub fn handle_delivered(&mut self, now: Timestamp, wall: WallTime, change: &StatusChange, applied: &Applied) {
        match change {
            StatusChange::OpResult(result) => {
                if let Some(host) = self.hosts.get_mut(&result.node) {
                    host.keep(&mut self.shared, result, wall);
                }
            }
            StatusChange::OpStarted(started) if started.op.exit_reason.is_some() => {
                if let Some(host) = self.hosts.get_mut(&started.node) {
                    host.keep_waiting(&started.resource, &started.op);
                }
            }
            StatusChange::OpCancelled(cancelled) => {
                if let Some(host) = self.hosts.get_mut(&cancelled.node) {
                    host.keep_cancelled(&mut self.shared, now, cancelled);
                }
            }
            _ => {}
        }
        if let Applied::Changed(changes) = applied {
            self.handle_changes(now, changes);
        }
    }

    /// Histories that were forgotten by the cluster, or are old since a resource is on its way, those of this executor's
    /// hosts among them, are so here too.
    pub fn handle_changes(&mut self, now: Timestamp, changes: &Changes) {
        for of in &changes.forgotten {
            if let Some(host) = self.hosts.get_mut(&of.node) {
                host.forget(&mut self.shared, now, &of.resource);
            }
        }
        for of in &changes.arriving {
            if let Some(host) = self.hosts.get_mut(&of.node) {
                host.may_arrive(&of.resource);
            }
        }
        for of in &changes.cleared {
            if let Some(host) = self.hosts.get_mut(&of.node) {
                host.forget_failure(&mut self.shared, now, &of.resource);
            }
        }
    }

    /// Recurring operations that are due begin; agents that never ended are given up.
    pub fn handle_timeout(&mut self, now: Timestamp, wall: WallTime) {
        let mut overdue: Vec<InvocationId> = self.hosts.values().flat_map(|host| host.overdue(now)).collect();
        overdue.extend(self.shots.overdue(now));
        for id in overdue {
            self.shared.outputs.push_back(Output::CancelInvocation(id));
            self.handle_outcome(now, wall, id, report::never_ended());
        }
        for host in self.hosts.values_mut() {
            host.advance_due(&mut self.shared, now);
        }
    }

    /// When [`Executor::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let hosts = self.hosts.values().filter_map(|host| host.timeout(self.shared.held));
        hosts.chain(self.shots.timeout()).min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.shared.outputs.pop_front()
    }

    /// What this node knows of its own resources, in the order of their ids.
    #[must_use]
    pub fn history(&self) -> Vec<ResourceHistory> {
        self.history_with(std::iter::empty())
    }

    /// The same, with those of `reported` in it that are not delivered yet and are good results of this node's orders:
    /// for a coordinator that would otherwise order again what is done. (A failure is told when it is counted, which is
    /// at its delivery.)
    #[must_use]
    pub fn history_with<'a>(&self, reported: impl Iterator<Item = &'a StatusChange>) -> Vec<ResourceHistory> {
        self.hosts.get(&self.node).map(|host| host.history_with(reported)).unwrap_or_default()
    }

    /// What is known of the resources at the node `at`; nothing if this one does not act for it.
    #[must_use]
    pub fn history_at(&self, at: &str) -> Vec<ResourceHistory> {
        self.hosts.get(at).map(|host| host.history_with(std::iter::empty())).unwrap_or_default()
    }

    /// Orders that are not carried out yet, recurring operations aside.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.hosts.values().map(Host::in_progress).sum()
    }

    /// Whether anything may run here that was started here or found running, or is being started: whatever could do harm where it
    /// must not run. Fence devices have nothing that runs.
    #[must_use]
    pub fn holds_anything(&self) -> bool {
        self.hosts.values().any(|host| host.held().next().is_some())
    }

    /// The same, by the ids of the histories.
    #[must_use]
    pub fn held_resources(&self) -> Vec<&str> {
        self.hosts.values().flat_map(Host::held).collect()
    }

    /// Whether any resource may be running on this node itself, as far as its history tells.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.hosts.get(&self.node).is_some_and(Host::is_active)
    }

    /// The same, with what it has told and nobody has heard yet ([`Executor::history_with`]).
    #[must_use]
    pub fn is_active_with<'a>(&self, reported: impl Iterator<Item = &'a StatusChange>) -> bool {
        self.history_with(reported).iter().any(history::is_running)
    }

    fn advance_all(&mut self, now: Timestamp) {
        for host in self.hosts.values_mut() {
            host.advance_all(&mut self.shared, now);
        }
    }
}

#[cfg(test)]
mod tests;
