//! Carries a plan out. Only the coordinator runs one; nothing of it is needed after the coordinator's death, because a
//! new coordinator decides again from the CIB.
//!
//! An action begins when all its inputs are done. What it began comes back in the ordered stream, like everything else:
//! the engine is shown each command after it was applied ([`TransitionEngine::handle_delivered`]). Whatever was not part of
//! the plan makes it stop beginning actions; when those that are on their way have ended, it asks for a new decision.
//!
//! What an earlier coordinator began goes on when it is gone. The new one plans it again, as Pacemaker does, but does not
//! order it again: it waits for the result of what is under way ([`Output::TakenUp`]). Nor does it order anything else of a
//! resource at a node from which, or to which, that is being migrated.
//!
//! What goes wrong with an action:
//! * its agent could not ask: its node says so and tries again. It is waited for, but it keeps nothing else waiting: when the
//!   plan is abandoned, it is taken up by the next one. A new coordinator orders it again, because nobody tries what was
//!   ordered in a view that is over; when it hears of that only after it has decided, it decides again,
//! * another result than expected: the rest is abandoned, and a new decision is asked for,
//! * no result within its own timeout and [`Limits::cluster_delay`]: recorded as failed, likewise,
//! * a node could not be fenced: what waits for that stays undone, and a new decision is asked for, which tries it again. Where
//!   there is no device, or it was in vain [too often](Limits::fencing_max_attempts), none is asked for: something else has
//!   to happen first.

mod action;
mod flights;
mod transition;

pub use action::{Abort, End, Limits, Output, Summary};

use std::collections::VecDeque;
use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use hac_types::{Timestamp, mutant};

use crate::cib::{Applied, Changes, Command, OpResult, OpStarted, StatusChange, history};
use crate::fencer::requests::Consequence;
use crate::work::Order;
use hac_model::{Cib, FenceAction};
use hac_scheduler::plan::Plan;
use transition::{Confirmed, Transition};

/// A UUID made of a name (version 3 of RFC 9562): the same for the same name, on every node.
#[must_use]
pub fn uuid_of(name: &str) -> String {
    let mut bytes: [u8; 16] = Md5::digest(name).into();
    bytes[6] = bytes[6] & 0x0f | 0x30;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Carries plans out, one after the other.
///
/// Answer [`Output::Replan`] with [`TransitionEngine::start`], even if the new plan is empty; until then it is not asked again.
/// After each call of a `handle_` function, of [`TransitionEngine::start`] and of [`TransitionEngine::abort`], take all outputs
/// ([`TransitionEngine::poll_output`]) and ask for the next timeout ([`TransitionEngine::poll_timeout`]).
#[derive(Debug)]
pub struct TransitionEngine {
    /// Distinguishes the orders of this coordinator in this life from all others.
    uuid: String,
    /// Number of the last transition.
    number: u64,
    current: Option<Transition>,
    /// Since when what recurs has been giving way, if it did in the last plan and that was abandoned.
    giving_way: Option<Timestamp>,
    /// A new decision is needed and was asked for.
    asked: bool,
    outputs: VecDeque<Output>,
}

impl TransitionEngine {
    /// An engine without a plan. `uuid` must be unique to this life of this node; it ends every transition key.
    #[must_use]
    pub fn new(uuid: impl Into<String>) -> Self {
        Self { uuid: uuid.into(), number: 0, current: None, giving_way: None, asked: false, outputs: VecDeque::new() }
    }

    /// Begins to carry a plan out. If another is not over yet, that one is abandoned and a new decision asked for when
    /// it is; the plan given is then outdated and dropped.
    pub fn start(&mut self, now: Timestamp, plan: Plan, limits: Limits) {
        if self.current.is_some() {
            return self.abort(now, Abort::Other("a newer plan was made".to_owned()));
        }
        self.asked = false;
        self.number += 1;
        self.current = Some(Transition::new(self.number, self.uuid.clone(), plan, limits, self.giving_way.take()));
        self.advance(now);
    }

    /// The decision that was asked for is being made, of the state as it is now: whatever changes from here on asks for
    /// another one.
    pub fn decision_begun(&mut self) {
        self.asked = false;
    }

    /// A command was delivered and applied.
    pub fn handle_delivered(&mut self, now: Timestamp, command: &Command, applied: &Applied) {
        let Applied::Changed(changes) = applied else {
            // Nothing new; but what was waited for may be among what changes nothing.
            if let Command::Status(change) = command {
                self.confirm(now, change);
                self.advance(now);
            }
            return;
        };
        match command {
            Command::Configure(_) if changes.configuration => self.abort(now, Abort::Configuration),
            Command::Configure(_) => self.abort(now, Abort::Other("a node attribute changed".to_owned())),
            Command::Status(change) => self.status_changed(now, change, changes),
        }
    }

    /// Abandons the plan, or asks for a decision if there is none.
    pub fn abort(&mut self, now: Timestamp, reason: Abort) {
        match &mut self.current {
            Some(transition) => transition.abort(reason),
            None => self.ask(reason),
        }
        self.advance(now);
    }

    /// Forgets everything: this node no longer coordinates. Nothing is output.
    pub fn reset(&mut self) {
        self.current = None;
        self.giving_way = None;
        self.asked = false;
        self.outputs.clear();
    }

    /// Orders without an answer are given up when that is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Some(transition) = &mut self.current {
            self.outputs.extend(transition.give_up_overdue(now));
        }
        self.advance(now);
    }

    /// When [`TransitionEngine::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.current.as_ref().and_then(Transition::timeout)
    }

    /// The next thing to do, with the CIB of this moment. An order for what is under way there already, as far as its
    /// nodes have told, comes out as [`Output::TakenUp`]. The moment counts: when the result of what is under way has been
    /// delivered, nothing is under way any more.
    pub fn poll_output(&mut self, cib: &Cib) -> Option<Output> {
        Some(match self.outputs.pop_front()? {
            Output::Run(run) if self.take_up(&run, cib) || self.hold_back(&run, cib) => Output::TakenUp(run),
            output => output,
        })
    }

    /// Lets what an earlier coordinator ordered answer this order, if it is the same and still under way. What waits there
    /// until its agent can ask is not tried any more when its view is over: it is ordered again.
    fn take_up(&mut self, order: &Order, cib: &Cib) -> bool {
        let Some(earlier) = order.under_way(cib).filter(|_| !mutant("ordered-again")) else { return false };
        if earlier.exit_reason.is_some() && earlier.ordered_by().is_none_or(|key| key.uuid != self.uuid) {
            return false;
        }
        self.current.as_mut().is_some_and(|transition| transition.take_up(&order.transition_key, earlier))
    }

    /// Keeps an order back while a migration of its resource that an earlier coordinator began is under way where it is to be carried
    /// out: when that ends, in whatever way, it is decided anew.
    fn hold_back(&mut self, order: &Order, cib: &Cib) -> bool {
        let Some(migration) = order.amid_migration(cib).filter(|_| !mutant("ordered-amid-a-migration")) else {
            return false;
        };
        self.current.as_mut().is_some_and(|transition| transition.hold_back(&order.transition_key, migration))
    }

    /// Number of the last transition; they are numbered from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether no plan is being carried out and no decision was asked for.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && !self.asked
    }

    /// Keys and nodes of the actions that are on their way, for people.
    #[must_use]
    pub fn awaited(&self) -> Vec<(String, String)> {
        self.current.as_ref().map(Transition::awaited).unwrap_or_default()
    }

    fn status_changed(&mut self, now: Timestamp, change: &StatusChange, changes: &Changes) {
        let expected = self.confirm(now, change);
        let reason = match change {
            StatusChange::OpStarted(started) => {
                started.op.exit_reason.as_ref().and_then(|_| self.put_off(now, started))
            }
            StatusChange::LetGo { .. }
            | StatusChange::Dc { .. }
            | StatusChange::Noticed { .. }
            | StatusChange::Readiness(_) => None,
            StatusChange::Watchdog { node, .. } => Some(Abort::Other(format!("{node} told of its watchdog"))),
            StatusChange::NodeStates(nodes) => {
                for node in nodes.iter().filter(|node| !node.member || !node.online) {
                    if let Some(transition) = &mut self.current {
                        transition.node_lost(&node.name);
                    }
                }
                Some(Abort::Membership)
            }
            StatusChange::NodeHistory { node, .. } => Some(Abort::History(node.clone())),
            StatusChange::OpResult(result) => (!expected).then(|| unexpected(result)),
            // Nothing is decided by what is private or collected.
            StatusChange::SetAttribute { .. } | StatusChange::SetDampening { .. } if changes.held => None,
            StatusChange::SetDampening { name, .. } | StatusChange::WriteAttributes { name: Some(name) } => {
                Some(Abort::Other(format!("changes of the attribute {name} count now")))
            }
            StatusChange::Ticket { id, .. } => Some(Abort::Other(format!("the ticket {id} changed"))),
            StatusChange::WriteAttributes { name: None } => {
                Some(Abort::Other("changes of attributes count now".to_owned()))
            }
            StatusChange::SetAttribute { node, name, .. } => Some(Abort::Attribute(node.clone(), name.clone())),
            StatusChange::Quorum(_) => Some(Abort::Quorum),
            StatusChange::Shutdown { node, .. } => Some(Abort::Shutdown(node.clone())),
            StatusChange::Fenced { .. } => (!expected).then_some(Abort::Membership),
            StatusChange::Fencing(_) => self.fencing_changed(changes.fencing.as_ref()),
            // The plan was made with these failures in mind: without them the resource may be started.
            StatusChange::ClearFailCount { .. } => Some(Abort::Cleanup),
            // Nor did it know what is there when the history of a resource is gone, though it had it removed: first
            // that is asked.
            StatusChange::ForgetHistory { .. } => Some(Abort::Cleanup),
            StatusChange::OpCancelled(_) | StatusChange::ClearFailures { .. } => (!expected).then_some(Abort::Cleanup),
        };
        match reason {
            Some(reason) => self.abort(now, reason),
            None => self.advance(now),
        }
    }

    /// The agent of what was begun could not ask. Its node tries again what this coordinator ordered; what an earlier one ordered
    /// nobody tries before it is ordered again. A plan may wait for that, or may have left it alone because it was under way.
    fn put_off(&mut self, now: Timestamp, started: &OpStarted) -> Option<Abort> {
        let own = started.op.ordered_by().is_some_and(|key| key.uuid == self.uuid);
        if let Some(transition) = &mut self.current {
            transition.waits(now, &started.op.transition_key, own);
        }
        (!own).then(|| Abort::Other(format!("{} on {} could not ask", started.op.operation_key, started.node)))
    }

    /// What follows from a step of fencing for the plan, if anything does.
    fn fencing_changed(&mut self, follows: Option<&Consequence>) -> Option<Abort> {
        let transition = self.current.as_mut();
        match follows? {
            Consequence::UnderWay(_) | Consequence::Alive(_) => None,
            Consequence::Down(target) => {
                let awaited = transition.is_some_and(|it| it.fenced(target, FenceAction::takes_down));
                (!awaited).then(|| Abort::Fenced(target.clone()))
            }
            Consequence::LetIn(target) => {
                transition.map(|it| it.fenced(target, |action| action == FenceAction::On));
                None
            }
            // It lives again, or still: what is known of it now decides.
            Consequence::Outlived(target) => {
                transition.map(|it| it.not_fenced(target, |_| true));
                Some(Abort::NotFenced(target.clone()))
            }
            Consequence::Failed { target, action, failures, nobody } => {
                let attempts = transition.as_ref().map(|it| it.limits().fencing_max_attempts);
                let awaited = transition
                    .is_some_and(|it| it.not_fenced(target, |wanted| wanted.takes_down() == action.takes_down()));
                let again = awaited && !nobody && attempts.is_some_and(|attempts| *failures < attempts);
                again.then(|| Abort::NotFenced(target.clone()))
            }
        }
    }

    /// Takes what the plan waited for. Whether all is as planned.
    fn confirm(&mut self, now: Timestamp, change: &StatusChange) -> bool {
        let Some(transition) = &mut self.current else { return false };
        match transition.confirm(now, change) {
            Confirmed::Done => true,
            Confirmed::Failed | Confirmed::NotAwaited => false,
        }
    }

    /// Begins what can begin, and ends what is over.
    fn advance(&mut self, now: Timestamp) {
        let Some(transition) = &mut self.current else { return };
        self.outputs.extend(transition.fire(now));
        if let Some(summary) = transition.ended() {
            self.giving_way = transition.giving_way().filter(|_| matches!(summary.end, End::Aborted(_)));
            self.current = None;
            let reason = match &summary.end {
                End::Aborted(reason) => Some(reason.clone()),
                End::Complete | End::Stuck => None,
            };
            self.outputs.push_back(Output::Ended(summary));
            if let Some(reason) = reason {
                self.ask(reason);
            }
        }
    }

    fn ask(&mut self, reason: Abort) {
        if !std::mem::replace(&mut self.asked, true) {
            self.outputs.push_back(Output::Replan(reason));
        }
    }
}

fn unexpected(result: &OpResult) -> Abort {
    let key = crate::executor::operation_key(&result.resource, &result.op.operation, result.op.interval_ms);
    let reason = if history::is_unexpected(&result.op) { Abort::UnexpectedResult } else { Abort::News };
    reason(key, result.node.clone())
}

#[cfg(test)]
mod tests;
