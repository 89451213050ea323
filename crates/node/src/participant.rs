//! A node's part in the cluster above the ring: one way in, [`Participant::handle`], and one way out,
//! [`Participant::poll_effect`].
//!
//! ```text
//!              regular view             all ready                LetGo, or out of patience
//!   JOINING ──────────────► SYNCING ──────────────► ACTIVE ───────────────────────────────► LEFT
//!                             ▲ │ view                 │ transitional view
//!                             └─┤                      ▼
//!                               └─────────────────► BREAKING
//! ```
//!
//! After everything that comes in, what is inside comes to rest ([`Participant::settle`]); what follows from a command
//! of the stream does so before anything is said of it.
//!
//! The files below it have one subject each: [`barrier`] the way from a view to taking part, [`stream`] what is
//! delivered while active, [`disk`] what is stored, [`coordinator`] the coordinator's work, [`planning`] its plans,
//! [`causes`] what events follow from, [`alerts`] what is told to whom asked for it, [`told`] what was changed in words, [`readiness`] what nodes could not start, [`nodes`] nodes that come and go for good,
//! [`versions`] levels, and what was prepared before all went down, [`lost`] states that were given up, [`arbiter`] the vote of a store outside, [`requests`] what clients ask, [`fencing`] nodes that are fenced, [`rotation`] the change
//! of the key, [`leaving`] the way out, [`phase`] how far the node is, [`waits`] all that is waited for, [`watchdog`] what resets this host, [`effects`] what is to be done, [`report`] the
//! report.

mod alerts;
mod arbiter;
mod barrier;
mod causes;
mod collecting;
mod coordinator;
mod disk;
mod effects;
mod fencing;
mod leaving;
mod lost;
mod nodes;
mod phase;
pub(crate) mod planning;
mod readiness;
mod report;
mod requests;
mod rotation;
mod sign_of_life;
mod stream;
mod told;
mod versions;
mod waits;
mod watchdog;

pub(crate) use readiness::could_not;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hac_crm::cib::{Applied, Bootstrap, Command, Replicated as _};
use hac_crm::executor::{Executor, InvocationId, Outcome, WatchId};
use hac_model::Cib;
use hac_scheduler::plan::Plan;
use hac_totem::{Delivery, Notice};
use hac_types::{LevelWindow, Member, NodeId, RingId, Timestamp, View, ViewKind, WallTime, mutant};

use self::arbiter::ThirdVote;
use self::coordinator::{Coordinator, Seat};
use self::disk::Disk;
use self::effects::Effects;
use self::leaving::Leaving;
use self::lost::Kept;
use self::nodes::Learner;
use self::phase::{Active, Doubts, Phase};
use self::planning::{DecideId, Unplannable};
use self::report::Acquaintance;
use self::rotation::Keys;
use self::versions::{Offered, Raising};
use self::watchdog::Own;
use crate::durable::Durable;
use crate::halves::Effect;
use crate::parts::{Parts, Taken};
use crate::proposals::Proposals;
use crate::replica::{Entry, Replica};
use crate::wire::{self, Body, Message, Proposed, StoredState};
use crate::{
    Armed, Config, ConfigError, Level, Now, Output, PersistId, QuestionId, Request, RequestId, Stored, limits,
};

/// Everything that a participant is given.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The membership changed.
    View(View),
    /// A message.
    Delivery(Delivery),
    /// A remark of the ring.
    Notice(Notice),
    /// The ring half refused an order, and why.
    Refused(String),
    /// The ring's number could not be stored, and why; or it could again.
    RingNumber(Result<(), String>),
    /// This half of the node stood still for so long that the ring fell silent.
    StoodStill(Duration),
    /// Nobody knows whether the membership still holds: nothing that reaches outside begins.
    Doubt,
    /// The ring has confirmed that the membership holds.
    Sure,
    /// It is as late as [`Participant::poll_timeout`] said, or earlier.
    Time,
    /// A client asks.
    Request(RequestId, Request),
    /// An agent has finished.
    Outcome(InvocationId, Outcome),
    /// A watched process has ended.
    ProcessExited(WatchId),
    /// What became of something that was to be stored.
    Persisted(PersistId, Result<(), String>),
    /// The answer to an [`Output::Decide`].
    Decided(DecideId, Result<Plan, Unplannable>),
    /// The answer to an [`Output::Ask`].
    Answered(QuestionId, String),
    /// The answer to an [`Output::Arbiter`].
    Arbiter(u64, Result<hac_quorum::Answer, String>),
    /// The watchdog of this host was armed, or why it is not.
    Watchdog(Result<Armed, String>),
    /// Hand resources over and leave; a second time, leave at once.
    Shutdown,
}

/// See the [module documentation](self).
pub(crate) struct Participant {
    me: Member,
    name: String,
    names: BTreeMap<NodeId, String>,
    cluster_name: String,
    version: String,
    shutdown_escalation: Duration,
    request_timeout: Duration,
    cores: usize,
    started: WallTime,
    /// When this life began.
    begin: Timestamp,
    /// The levels that this program knows.
    levels: LevelWindow,

    phase: Phase,
    doubts: Doubts,
    /// This node wants to go.
    leaving: Option<Leaving>,
    /// It learned that it was fenced: it stops everything and goes.
    fenced: bool,
    /// It was ordered to be reset by its own watchdog.
    condemned: bool,
    /// The watchdog of this host.
    watchdog: Own,
    /// By which it is known how long a ring may take to notice that it is over.
    timers: hac_totem::Timers,
    /// What protects what must not run twice, as it was last told.
    protected: Option<String>,
    /// The last regular view.
    view: Option<View>,
    since: RingId,
    /// Messages that are delivered in parts.
    parts: Parts,

    replica: Replica,
    quorum: hac_quorum::Engine,
    /// The vote of a store outside, if this node was told of one.
    arbiter: Option<ThirdVote>,
    executor: Executor,
    proposals: Proposals,
    durable: Durable,
    disk: Disk,
    keys: Keys,
    /// Counts the plans that were asked for.
    decisions: u64,
    /// What the last life of this node had prepared, until a barrier has judged it.
    offer: Option<Offered>,
    /// The newest quorate view in which this node took part in its present life.
    lived: Option<RingId>,
    /// Its state was compared with that of most of the votes in its present life: nothing that counted is missing in it.
    compared: bool,
    /// It took a configuration over that is on too few disks: after a fall of power an older one may be shown.
    unkept: bool,
    /// What people were shown before the membership broke up, while a change that was made since may be taken back.
    shown: Option<Arc<Cib>>,
    /// All nodes are members that know the next level.
    raising: Option<Raising>,
    /// A node that was added and is not yet counted, as the coordinator sees it.
    learner: Option<Learner>,
    /// When changes of attributes are to count that are collected, by name.
    collected: BTreeMap<String, Timestamp>,

    acquaintances: BTreeMap<NodeId, Acquaintance>,
    /// Lowest and highest level of each member, and its release.
    releases: BTreeMap<NodeId, (String, LevelWindow)>,
    /// Members with which the last barriers came to no end, and why.
    left_out: BTreeMap<NodeId, String>,
    /// States of this node that were given up and that nobody has looked at.
    lost: Vec<Kept>,
    /// Those that other members told of, by name.
    lost_elsewhere: BTreeMap<String, Vec<String>>,

    effects: Effects,
}

impl Participant {
    /// A node that has just started. The configuration was checked.
    pub(crate) fn new(config: &Config, stored: Stored, now: Now) -> Result<Self, ConfigError> {
        let me = Member { node: config.totem.node, incarnation: stored.totem.incarnation };
        let names: BTreeMap<NodeId, String> = config.nodes.iter().map(|n| (n.id, n.name.clone())).collect();
        let stored_before = stored.cib.is_some();
        let known = config.totem.contract.levels;
        let state = match &stored.cib {
            Some(bytes) => wire::decode_stored(bytes, known).map_err(|why| ConfigError::StoredCib(why.to_string()))?,
            None => StoredState { cib: initial(config), ..StoredState::default() },
        };
        let register = state.register.clone();
        let replica = Replica::new(without_tickets(state));
        let offer = match &stored.prepared {
            Some((generation, bytes)) => {
                let state =
                    wire::decode_stored(bytes, known).map_err(|why| ConfigError::PreparedCib(why.to_string()))?;
                Some(Offered::new(*generation, without_tickets(state)))
            }
            None => None,
        };
        let lost = lost::read_lost(&stored.lost, &replica, known);
        let (keys, stale) = Keys::new(config.totem.authkey.clone(), stored.next_key);
        let mut executor = Executor::new(config.name.clone());
        executor.restore(stored.started);
        let mut participant = Self {
            me,
            name: config.name.clone(),
            names,
            cluster_name: config.cluster_name.clone(),
            version: config.version.clone(),
            shutdown_escalation: config.shutdown_escalation,
            request_timeout: config.request_timeout,
            cores: config.cores,
            started: now.wall,
            begin: now.mono,
            levels: known,
            phase: Phase::Joining,
            doubts: Doubts::default(),
            leaving: None,
            fenced: false,
            condemned: false,
            watchdog: Own::None,
            timers: config.totem.timers.clone(),
            protected: None,
            view: None,
            since: RingId::default(),
            parts: Parts::default(),
            replica,
            quorum: hac_quorum::Engine::new(config.quorum.clone())?,
            arbiter: config.quorum.arbiter.then(|| ThirdVote::new(me, config.quorum.arbiter_model, register)),
            executor,
            proposals: Proposals::new(me),
            durable: Durable::default(),
            disk: Disk::new(stored.cib_generation),
            keys,
            decisions: 0,
            offer,
            lived: None,
            compared: mutant("uncompared-unsaid"),
            unkept: false,
            shown: None,
            raising: None,
            learner: None,
            collected: BTreeMap::new(),
            acquaintances: BTreeMap::new(),
            releases: BTreeMap::new(),
            left_out: BTreeMap::new(),
            lost,
            lost_elsewhere: BTreeMap::new(),
            effects: Effects::default(),
        };
        // Later than whatever an earlier life told.
        let before = RingId { seq: stored.totem.ring_seq, ..RingId::default() };
        participant.effects.follow(before, 0);
        if stale {
            participant.discard_next_key(now);
        }
        if stored_before {
            participant.announce_contract();
        }
        participant.accept_next_key();
        Ok(participant)
    }

    /// Takes what comes in, and lets all that it causes happen.
    pub(crate) fn handle(&mut self, now: Now, incoming: Incoming) {
        match incoming {
            Incoming::View(view) => self.handle_view(now, view),
            Incoming::Delivery(delivery) => self.handle_delivery(now, &delivery),
            Incoming::Notice(notice) => self.handle_notice(&notice),
            Incoming::Refused(why) => self.effects.remark(Level::Error, why),
            Incoming::RingNumber(result) => self.handle_ring_number(result),
            Incoming::StoodStill(time) => self.handle_stood_still(time),
            Incoming::Doubt => self.doubts.unsure = true,
            Incoming::Sure => self.doubts.unsure = false,
            Incoming::Time => self.end_waits(now),
            Incoming::Request(id, request) => self.handle_request(now, id, request),
            Incoming::Outcome(id, outcome) => {
                self.executor.handle_outcome(now.mono, now.wall, id, limits::cut(outcome));
            }
            Incoming::ProcessExited(watch) => self.executor.handle_process_exited(now.mono, watch),
            Incoming::Persisted(id, result) => self.handle_persisted(now, id, result),
            Incoming::Decided(id, result) => {
                if let Some((coordinator, mut seat)) = self.coordinating(now) {
                    coordinator.handle_decided(&mut seat, id, result);
                }
            }
            Incoming::Answered(id, text) => self.handle_answered(id, text),
            Incoming::Arbiter(id, answer) => self.handle_arbiter(now, id, answer),
            Incoming::Watchdog(told) => self.handle_watchdog(now, told),
            Incoming::Shutdown => self.handle_shutdown(now),
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.next()
    }

    /// Lets what is inside come to rest, in this order: the executor is held or goes on, what it wants is done, and then
    /// what the transition engine wants. All of that goes out, and comes back through the stream if at all: neither wants
    /// more because of it, so one round is enough.
    fn settle(&mut self, now: Now) {
        self.follow_arbiter(now);
        self.compared |= self.is_active() && self.quorum.is_majority();
        self.unkept = self.unkept && !self.is_kept();
        if !self.may_begin() {
            self.executor.hold();
        } else if self.executor.is_held() {
            self.executor.release(now.mono);
        }
        while let Some(output) = self.executor.poll_output() {
            self.take_from_executor(now, output);
        }
        self.leave_if_fenced();
        self.watch_leaving(now);
        if let Some((coordinator, mut seat)) = self.coordinating(now) {
            coordinator.take_from_engine(&mut seat);
            coordinator.advance_fencing(&mut seat);
        }
    }

    fn take_from_executor(&mut self, now: Now, output: hac_crm::executor::Output) {
        use hac_crm::executor::Output as Wanted;
        match output {
            Wanted::Invoke(invocation) => match self.refuses(&invocation) {
                Some(instead) => self.executor.handle_outcome(now.mono, now.wall, invocation.id, instead),
                None => self.effects.output(Output::Invoke(invocation)),
            },
            Wanted::CancelInvocation(id) => self.effects.output(Output::CancelInvocation(id)),
            Wanted::Watch(id, process) => self.effects.output(Output::Watch(id, process)),
            Wanted::Unwatch(id) => self.effects.output(Output::Unwatch(id)),
            Wanted::Remember(resource, started) => self.effects.output(Output::Remember(resource, started)),
            Wanted::Report(change) => self.propose(now, Proposed::Command(Command::Status(change)), None, None),
        }
    }

    /// The coordinator and where it sits, if this node coordinates.
    fn coordinating(&mut self, now: Now) -> Option<(&mut Coordinator, Seat<'_>)> {
        let (acting, level) = (self.acting(), self.level());
        let view = self.view.as_ref()?;
        let Phase::Active(Active { coordinator: Some(coordinator), .. }) = &mut self.phase else { return None };
        let seat = Seat {
            now,
            replica: &self.replica,
            ring: view.ring,
            level,
            view_level: view.level,
            acting,
            cores: self.cores,
            decisions: &mut self.decisions,
            effects: &mut self.effects,
        };
        Some((coordinator, seat))
    }

    /// The coordinator, if this node coordinates.
    const fn coordinator(&self) -> Option<&Coordinator> {
        match &self.phase {
            Phase::Active(active) => active.coordinator.as_ref(),
            _ => None,
        }
    }

    /// Does the coordinator's work that is due.
    fn coordinate(&mut self, now: Now) {
        if let Some((coordinator, mut seat)) = self.coordinating(now).filter(|(_, seat)| seat.acting) {
            coordinator.handle_timeout(&mut seat);
        }
    }

    /// When there is coordinator's work to do.
    fn coordination_timeout(&self) -> Option<Timestamp> {
        self.coordinator().filter(|_| self.acting())?.timeout()
    }

    /// Votes are counted anew when the time of a smaller partition has come.
    fn judge_quorum(&mut self, now: Now) {
        if self.quorum.handle_timeout(now.mono).is_some() {
            self.announce_quorum(now);
        }
    }

    /// Quorum was judged anew, between two views.
    fn announce_quorum(&mut self, now: Now) {
        let quorate = self.quorum.is_quorate();
        if let Some((coordinator, mut seat)) = self.coordinating(now) {
            coordinator.announce_quorum(&mut seat, quorate);
        }
    }

    /// Applies a command of the stream, and lets everything happen that follows from it.
    fn apply(&mut self, now: Now, command: &Command, wall: WallTime) -> Applied {
        let before = self.before(command);
        let ready = readiness::before(&self.replica.cib, command);
        let applied = self.replica.apply(command, wall);
        self.tell_of(command, &applied, &before);
        self.tell_readiness(command, &applied, ready.as_ref());
        if let Command::Status(change) = command {
            self.executor.handle_delivered(now.mono, wall, change, &applied);
        }
        self.collect(now, command, &applied);
        self.applied(now, command, &applied);
        applied
    }

    /// What follows from a command that was applied.
    fn applied(&mut self, now: Now, command: &Command, applied: &Applied) {
        if let (Command::Configure(_), Applied::Changed(changes)) = (command, applied) {
            self.executor.handle_changes(now.mono, changes);
        }
        if let Some((coordinator, _)) = self.coordinating(now) {
            coordinator.applied(now.mono, command, applied);
        }
        self.tell_protection(command, applied);
        self.follow_watchdogs(now, command, applied);
        self.settle(now);
    }

    fn handle_view(&mut self, now: Now, view: View) {
        match view.kind {
            _ if matches!(self.phase, Phase::Left) => {}
            ViewKind::Transitional => self.break_up(),
            ViewKind::Regular => {
                self.effects.follow(view.ring, 0);
                self.end_view(now, &view);
                self.settle(now);
                self.begin_view(now, view);
            }
        }
    }

    fn handle_delivery(&mut self, now: Now, delivery: &Delivery) {
        if !self.takes_part() {
            return self.effects.count("node.stale_messages");
        }
        self.effects.follow(delivery.ring, delivery.seq);
        let Some(body) = self.decode(delivery, &delivery.payload) else { return };
        if let Body::Part(part) = body {
            self.handle_part(now, delivery, part);
        } else {
            self.handle_body(now, delivery, body);
        }
    }

    /// What a member said, if it belongs to the ring in which it was delivered. A node that cannot read what does ends.
    fn decode(&mut self, delivery: &Delivery, bytes: &[u8]) -> Option<Body> {
        let frame = wire::open(bytes);
        let ring = frame.as_ref().map_or(delivery.ring, |frame| frame.ring);
        if self.ring() != Some(ring) || delivery.ring != ring {
            self.effects.count("node.stale_messages");
            return None;
        }
        match frame.and_then(|frame| frame.body(self.level())) {
            Ok(body) => Some(body),
            Err(_) if mutant("unknown-skipped") => None,
            Err(why) => {
                self.cannot_follow(delivery, &why);
                None
            }
        }
    }

    /// A part of a large message: progress for those who wait for it, and the message itself when it was the last one.
    fn handle_part(&mut self, now: Now, delivery: &Delivery, part: wire::Part) {
        if let Phase::Syncing(barrier) = &mut self.phase {
            barrier.join.progress(now.mono);
        }
        match self.parts.take(delivery.origin, part) {
            Taken::More => {}
            Taken::Whole(bytes) => {
                if let Some(body) = self.decode(delivery, &bytes) {
                    self.handle_body(now, delivery, body);
                }
            }
            Taken::Astray => self.effects.count("node.astray_parts"),
        }
    }

    fn handle_body(&mut self, now: Now, delivery: &Delivery, body: Body) {
        if matches!(self.phase, Phase::Syncing(_)) {
            self.handle_barrier(now, delivery.origin, body);
        } else {
            self.handle_stream(now, delivery.origin, body);
        }
    }

    fn handle_notice(&mut self, notice: &Notice) {
        match notice {
            Notice::PauseDetected { .. } => self.doubts.paused = true,
            // This node is still a member.
            Notice::PauseOver => self.doubts.paused = false,
            _ => {}
        }
        self.effects.event(report::ring_event(notice, |node| self.name_of(node)));
    }

    fn handle_stood_still(&mut self, time: Duration) {
        self.effects.count("node.stood_still");
        let millis = time.as_millis();
        let text = format!("nothing above the ring went on for {millis} ms: this node fell silent, and joins again");
        self.effects.remark(Level::Error, text);
    }

    /// From now on what is applied to the state is kept.
    pub(crate) fn keep_journal(&mut self) {
        self.replica.journal = Some(Box::default());
    }

    /// What was applied since the last call.
    pub(crate) fn take_journal(&mut self) -> Vec<Entry> {
        self.replica.journal.as_mut().map(|journal| std::mem::take(&mut journal.entries)).unwrap_or_default()
    }

    /// The level of the cluster: that of the next ring.
    pub(crate) const fn active_level(&self) -> hac_types::Level {
        self.replica.cluster.level
    }

    /// The state as this node has it.
    pub(crate) const fn cib(&self) -> &Arc<Cib> {
        &self.replica.cib
    }

    fn ring(&self) -> Option<RingId> {
        self.view.as_ref().map(|view| view.ring)
    }

    fn is_dc(&self) -> bool {
        self.replica.dc == Some(self.me)
    }

    fn name_of(&self, node: NodeId) -> String {
        self.names.get(&node).cloned().unwrap_or_else(|| node.to_string())
    }

    /// Broadcasts for the present view.
    fn broadcast(&mut self, body: Body) {
        if let Some(ring) = self.ring() {
            let level = self.level();
            self.effects.broadcast(&Message { ring, body }, level);
        }
    }
}

/// What was stored, in another life of the node: tickets last as long as a member runs. Who runs on tells the others.
fn without_tickets(mut state: StoredState) -> StoredState {
    state.cib.status.tickets.clear();
    state
}

/// The state of a cluster that never ran, as this node's file has it.
fn initial(config: &Config) -> Cib {
    Cib::initial(Bootstrap {
        cluster_name: config.cluster_name.clone(),
        version: config.version.clone(),
        nodes: config.nodes.iter().map(|n| (n.id.to_string(), n.name.clone())).collect(),
        seed: config.seed.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
