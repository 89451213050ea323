//! The designated coordinator's work: decide, order, decide again when the world has changed.
//!
//! Only the coordinator has a [`Coordinator`], from the moment a view is active until it breaks up. Nothing of it needs
//! to survive: its successor decides again from the replicated state.
//!
//! ```text
//!            something changed                 plan                    last action done
//!   SETTLED ───────────────────► DECIDING ───────────► AT WORK ─────────────────────────► DECIDING
//!      ▲                            │                     │ something changed: no more orders,
//!      └──── nothing to do ─────────┘                     └ what runs is waited for ────► DECIDING
//! ```

use std::time::Duration;

use hac_crm::cib::{Applied, Command, StatusChange};
use hac_crm::executor::operation_key;
use hac_crm::transition_engine::{Abort, End, Output as Ordered, Summary, TransitionEngine};
use hac_model::parse_duration_ms;
use hac_types::{RingId, Timestamp};

use super::Participant;
use super::planning::Planning;
use crate::wire::{Body, Dated, Order, ProposalId};
use crate::{Event, Level};

/// After this many decisions in a row that nothing from outside caused, the next ones wait.
pub(super) const RESTLESS: u32 = 20;

/// How long they wait.
pub(super) const REST: Duration = Duration::from_secs(1);

/// How often it is decided again although nothing happened, unless `cluster-recheck-interval` says otherwise.
const RECHECK: Duration = Duration::from_secs(15 * 60);

/// See the [module documentation](self).
pub(super) struct Coordinator {
    pub(super) engine: TransitionEngine,
    /// The state changed since the last decision.
    pub(super) dirty: bool,
    /// The next decision.
    pub(super) planning: Planning,
    /// Number of the last transition.
    pub(super) transition: u64,
    /// Decisions since the last cause from outside.
    pub(super) restless: u32,
    /// Not to decide before this.
    pub(super) not_before: Option<Timestamp>,
    /// To decide at this time in any case.
    pub(super) recheck: Option<Timestamp>,
    /// Who asked to be told when all is done.
    settles: Vec<ProposalId>,
    /// What the members were told last.
    told_busy: Option<bool>,
}

impl Coordinator {
    /// The coordinator of the view of `ring` on the node `name`.
    pub(super) fn new(name: &str, ring: RingId) -> Self {
        Self {
            engine: TransitionEngine::new(format!("{name}-{ring}")),
            dirty: true,
            planning: Planning::default(),
            transition: 0,
            restless: 0,
            not_before: None,
            recheck: None,
            settles: Vec::new(),
            told_busy: None,
        }
    }

    /// There is work, or there would be if it could be planned.
    pub(super) fn is_busy(&self) -> bool {
        !self.engine.is_idle() || self.dirty || self.planning.is_under_way() || self.planning.failure().is_some()
    }

    /// Somebody wants to be told when all is done.
    pub(super) fn settle(&mut self, id: ProposalId) {
        self.settles.push(id);
    }

    /// The transition engine asks for a decision. What comes from outside is decided at once; a coordinator that only answers
    /// itself rests now and then.
    fn asked(&mut self, reason: &Abort) {
        self.dirty = true;
        let own = matches!(reason, Abort::UnexpectedResult(..) | Abort::Lost(..) | Abort::News(..) | Abort::Other(_));
        if !own {
            self.restless = 0;
            self.not_before = None;
        }
    }
}

impl Participant {
    /// When there is coordinator's work to do.
    pub(super) fn coordination_timeout(&self) -> Option<Timestamp> {
        let coordinator = self.coordinator.as_ref().filter(|_| self.acting())?;
        let decides = coordinator.dirty && !coordinator.planning.is_under_way();
        let decide = decides.then(|| coordinator.not_before.unwrap_or(self.now.mono));
        let quiet = !coordinator.is_busy();
        let news = !coordinator.settles.is_empty() || coordinator.told_busy != Some(false);
        let settle = (quiet && news).then_some(self.now.mono);
        let planned = coordinator.planning.timeout();
        [decide, settle, planned, coordinator.recheck, coordinator.engine.poll_timeout()].into_iter().flatten().min()
    }

    /// A command was applied: the transition engine looks whether it was an answer or a disturbance.
    pub(super) fn world_changed(&mut self, command: &Command, applied: &Applied) {
        let now = self.now;
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.engine.handle_delivered(now.mono, command, applied);
            self.drain_engine();
        }
    }

    /// Tells all members that quorum was judged anew, between two views.
    pub(super) fn tell_quorum(&mut self) {
        let quorate = self.quorum.is_quorate();
        if self.coordinator.is_some() && self.replica.cib.info.have_quorum != quorate {
            self.say(Body::Change(Dated { wall: self.now.wall, change: StatusChange::Quorum(quorate) }));
        }
    }

    /// Does what the coordinator has to do now.
    pub(super) fn coordinate(&mut self) {
        if !self.acting() {
            return;
        }
        let now = self.now;
        let Some(coordinator) = &mut self.coordinator else { return };
        if coordinator.recheck.is_some_and(|at| at <= now.mono) {
            coordinator.recheck = None;
            let reason = Abort::Other("it is time to look again".to_owned());
            coordinator.engine.abort(now.mono, reason);
        }
        coordinator.engine.handle_timeout(now.mono);
        self.drain_engine();
        self.expire_planning();
        let Some(coordinator) = &mut self.coordinator else { return };
        let waits = coordinator.not_before.is_some_and(|at| now.mono < at) || coordinator.planning.is_under_way();
        if coordinator.dirty && !waits {
            self.decide();
        }
        self.tell_progress();
    }

    /// `cluster-recheck-interval`.
    pub(super) fn recheck_interval(&self) -> Duration {
        let configured = self.replica.cib.configuration.property("cluster-recheck-interval");
        configured.and_then(parse_duration_ms).map_or(RECHECK, Duration::from_millis)
    }

    pub(super) fn drain_engine(&mut self) {
        loop {
            let Some(coordinator) = &mut self.coordinator else { return };
            let Some(output) = coordinator.engine.poll_output(&self.replica.cib) else { return };
            let wall = self.now.wall;
            match output {
                Ordered::TakenUp(run) => {
                    let operation = operation_key(&run.op.resource, run.op.task, run.op.interval_ms);
                    let text = format!("{operation} is under way on {} and is not ordered again", run.node);
                    self.remark(Level::Info, text);
                }
                Ordered::Run(run) => self.say(Body::Order(Order { wall, run })),
                Ordered::Status(change) => self.say(Body::Change(Dated { wall, change })),
                Ordered::Ended(summary) if summary.actions == 0 => {}
                Ordered::Ended(summary) => self.transition_ended(summary),
                Ordered::Replan(reason) => coordinator.asked(&reason),
            }
        }
    }

    fn transition_ended(&mut self, summary: Summary) {
        let end = match &summary.end {
            End::Complete => format!("complete ({} actions)", summary.done),
            End::Aborted(why) => {
                format!("abandoned after {} of {} actions, because {why}", summary.done, summary.actions)
            }
            End::Stuck => {
                format!("stuck after {} of {} actions", summary.done, summary.actions)
            }
        };
        let Summary { transition: number, problems, .. } = summary;
        self.event(Event::TransitionEnded { number, end, problems });
    }

    /// Tells the members, when it changes, whether there is work; and those who asked, when there is none.
    pub(super) fn tell_progress(&mut self) {
        let Some(coordinator) = &mut self.coordinator else { return };
        if coordinator.planning.is_under_way() {
            // Whether there is work is known when the plan is there.
            return;
        }
        let busy = coordinator.is_busy();
        let news = coordinator.told_busy != Some(busy);
        coordinator.told_busy = Some(busy);
        let settled = if busy { Vec::new() } else { std::mem::take(&mut coordinator.settles) };
        if news {
            self.say(Body::Progress { busy });
        }
        for id in settled {
            self.say(Body::SettleDone(id));
        }
    }
}
