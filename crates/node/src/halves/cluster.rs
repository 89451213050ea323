//! The half of a node that decides: quorum, the cluster's state, the coordinator's work, this node's resources.

use std::collections::VecDeque;
use std::sync::Arc;

use hac_crm::executor::{InvocationId, Outcome, WatchId};
use hac_model::Cib;
use hac_quorum::Answer as ArbiterAnswer;
use hac_scheduler::plan::Plan;
use hac_totem::{LinkStatus, Notice, Stats};
use hac_types::{Level, Timestamp, ViewKind, mutant};

use super::{Assurance, Condition, Down, Up};
use crate::participant::planning::{DecideId, Unplannable};
use crate::participant::{Incoming, Participant};
use crate::{
    Armed, Config, ConfigError, Duty, Entry, Now, Output, PersistId, QuestionId, Report, Request, RequestId, Standing,
    Stored,
};

/// Most broadcasts that may be on their way down without the ring having taken them: a burst of results, and little
/// enough to be dropped when the membership changes.
pub(crate) const IN_FLIGHT: usize = 64;

/// One thing that the cluster half wants done. Perform them in the order in which they are given.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Give this to the ring half.
    Down(Down),
    /// Do this. It is never a transmission, and never the storing of a ring's number.
    Do(Output),
}

/// See the head of `halves.rs`.
pub struct ClusterHalf {
    participant: Participant,
    outputs: VecDeque<Effect>,
    /// Broadcasts that wait until the ring half has room. They are for the present membership.
    unsent: VecDeque<Vec<u8>>,
    /// Broadcasts on their way down.
    in_flight: usize,
    /// Events handled, and how many of them the ring half was told of.
    seen: u64,
    acknowledged: u64,
    /// Changes of the membership that were handled.
    changes: u64,
    assurance: Assurance,
    /// The membership is known to hold.
    sure: bool,
    /// The ring half was asked whether it does.
    asked: bool,
    condition: Condition,
    stopped: bool,
}

impl ClusterHalf {
    /// Starts. The ring half must be made of the same configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration, or with what was stored.
    pub fn new(config: &Config, stored: Stored, now: Now) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut half = Self {
            participant: Participant::new(config, stored, now)?,
            outputs: VecDeque::new(),
            unsent: VecDeque::new(),
            in_flight: 0,
            seen: 0,
            acknowledged: 0,
            changes: 0,
            assurance: Assurance::default(),
            sure: true,
            asked: false,
            condition: Condition::default(),
            stopped: false,
        };
        half.take_effects();
        Ok(half)
    }

    /// What the ring half publishes. To be called before each other call, with what is published at that time.
    pub fn assure(&mut self, now: Now, assurance: Assurance) {
        self.assurance = assurance;
        self.judge(now);
        self.take_effects();
    }

    /// Takes an event of the ring half.
    pub fn handle_event(&mut self, now: Now, event: Up) {
        self.seen += 1;
        match event {
            Up::View(view) => {
                self.changes += 1;
                if view.kind == ViewKind::Regular {
                    // What is left was for the membership that is over.
                    self.unsent.clear();
                }
                self.participant.handle(now, Incoming::View(view));
            }
            Up::Delivery(delivery) => self.participant.handle(now, Incoming::Delivery(delivery)),
            Up::Notice(notice) => {
                self.changes += u64::from(matches!(notice, Notice::PauseDetected { .. }));
                self.participant.handle(now, Incoming::Notice(notice));
            }
            Up::Room(taken) => self.in_flight = self.in_flight.saturating_sub(taken),
            Up::Confirmed => self.asked = false,
            Up::RingNumber(result) => self.participant.handle(now, Incoming::RingNumber(result)),
            Up::Refused(why) => self.participant.handle(now, Incoming::Refused(why)),
            Up::Beat => {}
            Up::Condition(condition) => self.condition = *condition,
            Up::Returned(time) => self.participant.handle(now, Incoming::StoodStill(time)),
            Up::Left => {
                self.stopped = true;
                self.take_effects();
                return self.outputs.push_back(Effect::Do(Output::Stopped));
            }
        }
        self.judge(now);
        self.take_effects();
    }

    /// Asks the ring half how it does, for the next report.
    pub fn look(&mut self) {
        self.outputs.push_back(Effect::Down(Down::Look));
    }

    /// Does what is due. Calling it early is harmless. Decisions are made here, so that one is made for all that came in
    /// together.
    pub fn handle_timeout(&mut self, now: Now) {
        self.give(now, Incoming::Time);
    }

    /// Takes a client's request; [`Output::Reply`] with the same `id` follows sooner or later.
    pub fn handle_request(&mut self, now: Now, id: RequestId, request: Request) {
        self.give(now, Incoming::Request(id, request));
    }

    /// An agent has finished.
    pub fn handle_outcome(&mut self, now: Now, invocation: InvocationId, outcome: Outcome) {
        self.give(now, Incoming::Outcome(invocation, outcome));
    }

    /// A watched process has ended.
    pub fn handle_process_exited(&mut self, now: Now, watch: WatchId) {
        self.give(now, Incoming::ProcessExited(watch));
    }

    /// What became of an [`Output::Persist`]; the error in words, such as `no space left on device`.
    pub fn handle_persisted(&mut self, now: Now, id: PersistId, result: Result<(), String>) {
        self.give(now, Incoming::Persisted(id, result));
    }

    /// What came of an [`Output::Decide`].
    pub fn handle_decided(&mut self, now: Now, id: DecideId, result: Result<Plan, Unplannable>) {
        self.give(now, Incoming::Decided(id, result));
    }

    /// What came of an [`Output::Ask`].
    pub fn handle_answered(&mut self, now: Now, id: QuestionId, text: String) {
        self.give(now, Incoming::Answered(id, text));
    }

    /// What the arbiter's store said to an [`Output::Arbiter`], or why it said nothing.
    pub fn handle_arbiter(&mut self, now: Now, id: u64, answer: Result<ArbiterAnswer, String>) {
        self.give(now, Incoming::Arbiter(id, answer));
    }

    /// The watchdog of this host was armed, or why it is not.
    pub fn handle_watchdog(&mut self, now: Now, told: Result<Armed, String>) {
        self.give(now, Incoming::Watchdog(told));
    }

    /// How this node is, for its watchdog, with what the ring half publishes at this moment. Nothing is changed by it.
    #[must_use]
    pub fn duty(&self, now: Now, assurance: Assurance) -> Duty {
        let handled = assurance.changes == self.changes && now.mono <= assurance.until;
        self.participant.duty(handled && assurance.serves)
    }

    /// Whether nothing runs here that others may start when this node is gone: what is left is not managed by the cluster.
    #[must_use]
    pub fn leaves_nothing(&self, now: Now) -> bool {
        self.participant.leaves_nothing(now)
    }

    /// Hands resources over, leaves, and gives [`Output::Stopped`]. A second call leaves at once.
    pub fn shutdown(&mut self, now: Now) {
        self.give(now, Incoming::Shutdown);
    }

    /// When [`ClusterHalf::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.stopped { None } else { self.participant.poll_timeout() }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Effect> {
        if self.outputs.is_empty() && self.acknowledged < self.seen && !self.stopped {
            self.acknowledged = self.seen;
            return Some(Effect::Down(Down::Seen(self.seen)));
        }
        self.outputs.pop_front()
    }

    /// How things stand, with what the ring half said last of itself ([`Down::Look`]).
    #[must_use]
    pub fn report(&self, now: Now) -> Report {
        self.report_with(now, &self.condition.stats, &self.condition.links)
    }

    /// How things stand, with the ring in this condition.
    #[must_use]
    pub fn report_with(&self, now: Now, stats: &Stats, links: &[LinkStatus]) -> Report {
        self.participant.report(now, stats, links)
    }

    /// The level of the cluster as this node has it.
    pub(crate) const fn active_level(&self) -> Level {
        self.participant.active_level()
    }

    /// The most important facts of [`ClusterHalf::report`], at no cost.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.participant.standing()
    }

    /// From now on what is applied to the state is kept for [`ClusterHalf::take_journal`].
    pub fn keep_journal(&mut self) {
        self.participant.keep_journal();
    }

    /// What was applied to the state since the last call.
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.participant.take_journal()
    }

    /// The cluster's state as people are to see it: without what was carried out while a membership broke up and may be
    /// taken back.
    #[must_use]
    pub fn shown(&self) -> Arc<Cib> {
        self.participant.shown()
    }

    /// The cluster's state as this node has it.
    #[must_use]
    pub const fn cib(&self) -> &Arc<Cib> {
        self.participant.cib()
    }

    /// Whether outside effects may follow now.
    fn is_sure(&self, now: Now) -> bool {
        if mutant("doubt-ignored") {
            return true;
        }
        self.assurance.changes == self.changes && now.mono <= self.assurance.until
    }

    /// Holds effects back and asks the ring half to look at the clock, or lets them go.
    fn judge(&mut self, now: Now) {
        let sure = self.is_sure(now);
        if sure && !self.sure {
            self.participant.handle(now, Incoming::Sure);
        } else if !sure {
            // Again each time: what was handled meanwhile may have ended an earlier doubt.
            self.participant.handle(now, Incoming::Doubt);
            if !std::mem::replace(&mut self.asked, true) && !self.stopped {
                self.outputs.push_back(Effect::Down(Down::Confirm));
            }
        }
        self.sure = sure;
    }

    fn give(&mut self, now: Now, incoming: Incoming) {
        self.participant.handle(now, incoming);
        self.take_effects();
    }

    /// Takes over what the participant wants done: the one place in which its effects leave it. Broadcasts come after
    /// everything else, keys among it with which they are sent, and only while the ring half has room; nothing is sent
    /// by a node that leaves.
    fn take_effects(&mut self) {
        while let Some(effect) = self.participant.poll_effect() {
            match effect {
                Effect::Down(Down::Broadcast(message)) => self.unsent.push_back(message),
                effect => {
                    if matches!(effect, Effect::Down(Down::Leave(_))) {
                        self.unsent.clear();
                    }
                    self.outputs.push_back(effect);
                }
            }
        }
        while self.in_flight < IN_FLIGHT
            && let Some(message) = self.unsent.pop_front()
        {
            self.outputs.push_back(Effect::Down(Down::Broadcast(message)));
            self.in_flight += 1;
        }
    }
}
