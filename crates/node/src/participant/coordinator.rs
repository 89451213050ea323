//! The designated coordinator: decide, order, decide again when the world has changed.
//!
//! A node has a [`Coordinator`] only while it coordinates, from the moment a view is active until it breaks up. Nothing
//! of it needs to survive: its successor decides again from the replicated state. It sees the cluster and speaks through
//! a [`Seat`], which is lent to it for one call.
//!
//! ```text
//!            something changed                 plan                    last action done
//!   SETTLED ───────────────────► DECIDING ───────────► AT WORK ─────────────────────────► DECIDING
//!      ▲                            │                     │ something changed: no more orders,
//!      └──── nothing to do ─────────┘                     └ what runs is waited for ────► DECIDING
//! ```

use std::time::Duration;

use hac_crm::cib::{Applied, Command, StatusChange};
use hac_crm::transition_engine::{Abort, End, Output as Ordered, Summary, TransitionEngine, uuid_of};
use hac_model::parse_duration_ms;
use hac_types::{RingId, Timestamp};

use super::effects::Effects;
use super::fencing::Fencing;
use super::planning::Planning;
use crate::replica::Replica;
use crate::wire::{Body, Dated, DatedOrder, Message, ProposalId};
use crate::{Event, Level, Now};

/// After this many decisions in a row that nothing from outside caused, the next ones wait.
pub(super) const RESTLESS: u32 = 20;

/// How long they wait.
pub(super) const REST: Duration = Duration::from_secs(1);

/// So long after its start a node that is alone, or with others that have no quorum either, decides nothing: others that hear it need
/// some time to take it in, and to stop what an earlier life left running is of no use to anybody if they have quorum.
pub(super) const ARRIVAL: Duration = Duration::from_secs(2);

/// How often it is decided again although nothing happened, unless `cluster-recheck-interval` says otherwise.
const RECHECK: Duration = Duration::from_secs(15 * 60);

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) engine: TransitionEngine,
    /// The state changed since the last decision.
    pub(super) dirty: bool,
    /// The next decision.
    pub(super) planning: Planning,
    /// Decisions since the last cause from outside.
    pub(super) restless: u32,
    /// Not to decide before this.
    pub(super) not_before: Option<Timestamp>,
    /// Not to decide before this as long as there is no quorum ([`ARRIVAL`]).
    arrives_until: Option<Timestamp>,
    /// To decide at this time in any case.
    pub(super) recheck: Option<Timestamp>,
    /// Who asked to be told when all is done.
    settles: Vec<ProposalId>,
    /// What the members were told last.
    told_busy: Option<bool>,
    /// The fencing that is under way.
    pub(super) fencing: Fencing,
}

/// What a coordinator sees and may do in one call.
pub(super) struct Seat<'a> {
    pub(super) now: Now,
    pub(super) replica: &'a Replica,
    /// The ring for which it speaks, and in which form.
    pub(super) ring: RingId,
    pub(super) level: hac_types::Level,
    /// The level of the view.
    pub(super) view_level: hac_types::Level,
    /// Outside effects may follow.
    pub(super) acting: bool,
    /// Cores of a node.
    pub(super) cores: usize,
    /// Counts the plans that were asked for in this life of the node.
    pub(super) decisions: &'a mut u64,
    pub(super) effects: &'a mut Effects,
}

impl Seat<'_> {
    pub(super) fn broadcast(&mut self, body: Body) {
        self.effects.broadcast(&Message { ring: self.ring, body }, self.level);
    }

    /// Whether nodes may be fenced from here: the partition is quorate, or was told not to care.
    pub(super) fn may_fence(&self) -> bool {
        let cib = &self.replica.cib;
        cib.info.have_quorum || cib.configuration.property("no-quorum-policy") == Some("ignore")
    }

    /// `cluster-recheck-interval`.
    pub(super) fn recheck_interval(&self) -> Duration {
        let configured = self.replica.cib.configuration.property("cluster-recheck-interval");
        configured.and_then(parse_duration_ms).map_or(RECHECK, Duration::from_millis)
    }
}

impl Coordinator {
    /// The coordinator of the view of `ring` on the node `name`, which may have to wait for others to take it in.
    pub(super) fn new(name: &str, ring: RingId, arrives_until: Option<Timestamp>) -> Self {
        Self {
            engine: TransitionEngine::new(uuid_of(&format!("{name}-{ring}"))),
            dirty: true,
            planning: Planning::default(),
            restless: 0,
            not_before: None,
            arrives_until,
            recheck: None,
            settles: Vec::new(),
            told_busy: None,
            fencing: Fencing::new(name, ring),
        }
    }

    /// There is work, or there would be if it could be planned.
    pub(super) fn is_busy(&self) -> bool {
        !self.engine.is_idle() || self.dirty || self.planning.is_under_way() || self.planning.failure().is_some()
    }

    /// Not to decide before this; [`Timestamp::ZERO`] is at any time.
    fn decides_from(&self) -> Timestamp {
        self.not_before.max(self.arrives_until).unwrap_or(Timestamp::ZERO)
    }

    /// When there is work to do; [`Timestamp::ZERO`] is now.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        let decides = self.dirty && !self.planning.is_under_way();
        let decide = decides.then(|| self.decides_from());
        let news = !self.settles.is_empty() || self.told_busy != Some(false);
        let settle = (!self.is_busy() && news).then_some(Timestamp::ZERO);
        let planned = self.planning.timeout();
        [decide, settle, planned, self.recheck, self.engine.poll_timeout(), self.fencing.timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Somebody wants to be told when all is done.
    pub(super) fn settle(&mut self, id: ProposalId) {
        self.settles.push(id);
    }

    /// A command was applied: the transition engine looks whether it was an answer or a disturbance.
    pub(super) fn applied(&mut self, now: Timestamp, command: &Command, applied: &Applied) {
        if matches!(command, Command::Status(StatusChange::Quorum(true))) {
            self.arrives_until = None;
        }
        self.engine.handle_delivered(now, command, applied);
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, seat: &mut Seat<'_>) {
        let now = seat.now.mono;
        if self.recheck.is_some_and(|at| at <= now) {
            self.recheck = None;
            self.engine.abort(now, Abort::Other("it is time to look again".to_owned()));
        }
        self.engine.handle_timeout(now);
        self.take_from_engine(seat);
        self.fencing.handle_timeout(seat);
        self.expire_planning(seat);
        let waits = now < self.decides_from() || self.planning.is_under_way();
        if self.dirty && !waits {
            self.decide(seat);
        }
        self.announce_progress(seat);
    }

    /// Does what the transition engine wants.
    pub(super) fn take_from_engine(&mut self, seat: &mut Seat<'_>) {
        let wall = seat.now.wall;
        while let Some(output) = self.engine.poll_output(&seat.replica.cib) {
            match output {
                Ordered::Run(order) => seat.broadcast(Body::Order(DatedOrder { wall, order })),
                Ordered::TakenUp(order) => {
                    let text = format!("{} is under way on {} and is not ordered again", order.name(), order.at);
                    seat.effects.remark(Level::Info, text);
                }
                Ordered::Status(change) => seat.broadcast(Body::Change(Dated { wall, change })),
                Ordered::Fence { target, action, delay_s } => {
                    if let Some(change) = self.fencing.wanted(seat, (target, action), delay_s) {
                        seat.broadcast(Body::Change(Dated { wall, change }));
                    }
                }
                Ordered::Ended(summary) if summary.actions == 0 => {}
                Ordered::Ended(summary) => seat.effects.event(ended(summary)),
                Ordered::Replan(reason) => self.asked(&reason),
            }
        }
    }

    /// Goes on with what is to be fenced.
    pub(super) fn advance_fencing(&mut self, seat: &mut Seat<'_>) {
        let deciding = self.dirty || self.planning.is_under_way();
        self.fencing.advance(seat, deciding && self.planning.failure().is_none());
    }

    /// The transition engine asks for a decision. What comes from outside is decided at once; a coordinator that only
    /// answers itself rests now and then.
    fn asked(&mut self, reason: &Abort) {
        self.dirty = true;
        let own = matches!(
            reason,
            Abort::UnexpectedResult(..) | Abort::Lost(..) | Abort::News(..) | Abort::NotFenced(_) | Abort::Other(_)
        );
        if !own {
            self.restless = 0;
            self.not_before = None;
        }
    }

    /// Tells the members, when it changes, whether there is work; and those who asked, when there is none. What the
    /// transition engine wants comes first: there may be work in it.
    pub(super) fn announce_progress(&mut self, seat: &mut Seat<'_>) {
        self.take_from_engine(seat);
        if self.planning.is_under_way() {
            // Whether there is work is known when the plan is there.
            return;
        }
        let busy = self.is_busy();
        if self.told_busy.replace(busy) != Some(busy) {
            seat.broadcast(Body::Progress { busy });
        }
        if !busy {
            self.settles.drain(..).for_each(|id| seat.broadcast(Body::SettleDone(id)));
        }
    }

    /// What the members were told last; until then there is work.
    pub(super) fn last_told(&self) -> bool {
        self.told_busy.unwrap_or(true)
    }

    /// Quorum was judged anew, between two views: the members are told.
    pub(super) fn announce_quorum(&self, seat: &mut Seat<'_>, quorate: bool) {
        if seat.replica.cib.info.have_quorum != quorate {
            let wall = seat.now.wall;
            seat.broadcast(Body::Change(Dated { wall, change: StatusChange::Quorum(quorate) }));
        }
    }
}

fn ended(summary: Summary) -> Event {
    let Summary { transition: number, problems, done, actions, end, .. } = summary;
    let end = match end {
        End::Complete => format!("complete ({done} actions)"),
        End::Aborted(why) => format!("abandoned after {done} of {actions} actions, because {why}"),
        End::Stuck => format!("stuck after {done} of {actions} actions"),
    };
    Event::TransitionEnded { number, end, problems }
}
