//! A node's part in the cluster above the ring: views and deliveries in, messages and effects out.
//!
//! ```text
//!              regular view             all ready                LetGo, or out of patience
//!   JOINING ──────────────► SYNCING ──────────────► ACTIVE ───────────────────────────────► LEFT
//!                             ▲ │ view                 │ view
//!                             └─┘◄─────────────────────┘
//! ```
//!
//! The files below it have one subject each: [`barrier`] the way from a view to taking part, [`stream`] what is
//! delivered while active, [`acts`] the executor and the disk, [`coordination`] the coordinator's work, [`planning`] its
//! plans, [`versions`] levels, and states that were prepared or given up, [`requests`] what clients ask, [`rotation`] the
//! change of the key, [`leaving`] the way out, [`telling`] the report.

mod acts;
mod barrier;
mod coordination;
mod leaving;
pub(crate) mod planning;
mod requests;
mod rotation;
mod stream;
mod telling;
mod versions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hac_crm::cib::{Bootstrap, Replicated as _};
use hac_crm::executor::Executor;
use hac_model::Cib;
use hac_totem::{Delivery, LeaveReason, Notice};
use hac_types::{LevelWindow, Member, NodeId, RingId, Timestamp, View, ViewKind, WallTime, mutant};

use self::acts::Disk;
use self::coordination::Coordinator;
use self::leaving::Leaving;
pub(crate) use self::rotation::KeyOrder;
use self::rotation::Keys;
use self::telling::Acquaintance;
use self::versions::Offered;
use crate::durable::Durable;
use crate::halves::Down;
use crate::join::Join;
use crate::parts::{self, Parts, Taken};
use crate::proposals::Proposals;
use crate::replica::Replica;
use crate::wire::{self, Body, Lost, Message, StoredState};
use crate::{Config, ConfigError, Event, Level, Now, Output, Stored};

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

    phase: Phase,
    /// The last regular view.
    view: Option<View>,
    /// It is breaking up: what is delivered now is "maybe".
    transitional: bool,
    /// This process was not scheduled for a while and may no longer be a member.
    paused: bool,
    /// The ring has not confirmed that the membership still holds ([`doubt`](Self::doubt)).
    unsure: bool,
    since: RingId,
    /// Messages that are delivered in parts.
    parts: Parts,
    /// Members with which the last barriers came to no end, and why.
    left_out: BTreeMap<NodeId, String>,
    left_clean: BTreeSet<NodeId>,
    copied_from: Option<NodeId>,

    replica: Replica,
    quorum: hac_quorum::Engine,
    executor: Executor,
    proposals: Proposals,
    durable: Durable,
    coordinator: Option<Coordinator>,
    /// Counts the plans that were asked for.
    decisions: u64,
    leaving: Option<Leaving>,
    disk: Disk,
    keys: Keys,
    /// What the last life of this node had prepared, until the first barrier has compared it.
    offer: Option<Offered>,
    /// States of this node that were given up and that nobody has looked at.
    lost: Vec<Lost>,
    /// Those that other members told of, by name.
    lost_elsewhere: BTreeMap<String, Vec<String>>,
    /// Lowest and highest level of each member, and its release.
    releases: BTreeMap<NodeId, (String, LevelWindow)>,
    /// The levels that this program knows.
    levels: LevelWindow,
    /// Since when all nodes are members that know the next level.
    able: Option<Timestamp>,
    /// Orders for the ring about the contract.
    contract: VecDeque<Down>,

    acquaintances: BTreeMap<NodeId, Acquaintance>,
    /// The coordinator says that it is at work.
    busy: bool,
    started: WallTime,
    /// The time of the last call.
    now: Now,
    counters: BTreeMap<&'static str, u64>,
    outputs: VecDeque<Output>,
    outbox: VecDeque<Vec<u8>>,
    /// What the ring half is to do beside sending.
    ring_orders: VecDeque<Down>,
    leave: Option<LeaveReason>,
}

/// How far the node is.
#[derive(Debug)]
enum Phase {
    /// No regular view yet.
    Joining,
    /// Comparing states.
    Syncing(Join),
    /// Has the cluster's state and takes part.
    Active,
    /// Has left.
    Left,
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
        let replica = Replica::new(state);
        let offer = match &stored.prepared {
            Some((generation, bytes)) => {
                let state =
                    wire::decode_stored(bytes, known).map_err(|why| ConfigError::PreparedCib(why.to_string()))?;
                Some(Offered::new(*generation, state))
            }
            None => None,
        };
        let lost = versions::read_lost(&stored.lost, &replica.cib, known);
        let (keys, stale) = Keys::new(config.totem.authkey.clone(), stored.next_key);
        let mut participant = Self {
            me,
            name: config.name.clone(),
            names,
            cluster_name: config.cluster_name.clone(),
            version: config.version.clone(),
            shutdown_escalation: config.shutdown_escalation,
            request_timeout: config.request_timeout,
            cores: config.cores,
            phase: Phase::Joining,
            view: None,
            transitional: false,
            paused: false,
            unsure: false,
            since: RingId::default(),
            parts: Parts::default(),
            left_out: BTreeMap::new(),
            left_clean: BTreeSet::new(),
            copied_from: None,
            replica,
            quorum: hac_quorum::Engine::new(config.quorum.clone())?,
            executor: Executor::new(config.name.clone()),
            proposals: Proposals::new(me),
            durable: Durable::default(),
            coordinator: None,
            decisions: 0,
            leaving: None,
            disk: Disk::new(stored.cib_generation),
            keys,
            offer,
            lost,
            lost_elsewhere: BTreeMap::new(),
            releases: BTreeMap::new(),
            levels: known,
            able: None,
            contract: VecDeque::new(),
            acquaintances: BTreeMap::new(),
            busy: false,
            started: now.wall,
            now,
            counters: BTreeMap::new(),
            outputs: VecDeque::new(),
            outbox: VecDeque::new(),
            ring_orders: VecDeque::new(),
            leave: None,
        };
        if stale {
            participant.discard_next_key();
        }
        if stored_before {
            participant.tell_contract();
        }
        Ok(participant)
    }

    /// Takes a view.
    pub(crate) fn handle_view(&mut self, now: Now, view: View) {
        self.now = now;
        match view.kind {
            ViewKind::Transitional => self.break_up(),
            ViewKind::Regular => self.begin_view(view),
        }
    }

    /// Takes a message.
    pub(crate) fn handle_delivery(&mut self, now: Now, delivery: &Delivery) {
        self.now = now;
        if !self.takes_part() {
            return self.count("node.stale_messages");
        }
        let Some(body) = self.decode(delivery, &delivery.payload) else { return };
        if let Body::Part(part) = body {
            self.handle_part(delivery, part);
        } else {
            self.handle_body(delivery, body);
        }
    }

    /// Whether what is delivered means something to this node.
    const fn takes_part(&self) -> bool {
        match self.phase {
            Phase::Syncing(_) => !self.transitional,
            Phase::Active => true,
            Phase::Joining | Phase::Left => false,
        }
    }

    /// What a member said, if it belongs to the ring in which it was delivered. A node that cannot read what does ends.
    fn decode(&mut self, delivery: &Delivery, bytes: &[u8]) -> Option<Body> {
        let frame = wire::open(bytes);
        let ring = frame.as_ref().map_or(delivery.ring, |frame| frame.ring);
        if self.ring() != Some(ring) || delivery.ring != ring {
            self.count("node.stale_messages");
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
    fn handle_part(&mut self, delivery: &Delivery, part: wire::Part) {
        if let Phase::Syncing(join) = &mut self.phase {
            join.progress(self.now.mono);
        }
        match self.parts.take(delivery.origin, part) {
            Taken::More => {}
            Taken::Whole(bytes) => {
                if let Some(body) = self.decode(delivery, &bytes) {
                    self.handle_body(delivery, body);
                }
            }
            Taken::Astray => self.count("node.astray_parts"),
        }
    }

    fn handle_body(&mut self, delivery: &Delivery, body: Body) {
        if matches!(self.phase, Phase::Active) {
            self.handle_stream(delivery.origin, body);
        } else {
            self.handle_barrier(delivery.origin, body);
        }
    }

    /// Takes a remark of the ring.
    pub(crate) fn handle_notice(&mut self, now: Now, notice: &Notice) {
        self.now = now;
        match notice {
            Notice::PauseDetected { .. } => {
                self.paused = true;
                self.executor.hold();
            }
            Notice::PauseOver => self.resume(),
            _ => {}
        }
        let event = telling::ring_event(notice, |node| self.name_of(node));
        self.outputs.push_back(Output::Event(event));
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        if matches!(self.phase, Phase::Left) {
            return None;
        }
        [
            self.executor.poll_timeout(),
            self.quorum.poll_timeout(),
            self.proposals.poll_timeout(),
            self.leaving.as_ref().map(Leaving::deadline),
            self.coordination_timeout(),
            self.barrier_timeout(),
            self.vote_timeout(),
            self.disk_timeout(),
            self.raising_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        if matches!(self.phase, Phase::Left) {
            return;
        }
        self.executor.handle_timeout(now.mono, now.wall);
        self.drain_executor();
        if self.quorum.handle_timeout(now.mono).is_some() {
            self.tell_quorum();
        }
        self.lose_patience();
        self.judge();
        self.expire_writes();
        self.expire_requests();
        self.expire_leaving();
        self.coordinate();
        self.raise_level();
    }

    /// The next thing to do.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next message for the ring. It is given again until [`sent`](Self::sent).
    pub(crate) fn next_message(&self) -> Option<&Vec<u8>> {
        self.outbox.front()
    }

    /// The ring took the message.
    pub(crate) fn sent(&mut self) {
        self.outbox.pop_front();
    }

    /// The next thing the ring is to do with its keys.
    pub(crate) fn next_key_order(&mut self) -> Option<KeyOrder> {
        self.keys.next_order()
    }

    /// The next thing that the ring half is to do beside sending: exclude a member, change its level.
    pub(crate) fn next_ring_order(&mut self) -> Option<Down> {
        self.ring_orders.pop_front()
    }

    /// The ring half refused an order.
    pub(crate) fn ring_refused(&mut self, now: Now, why: String) {
        self.now = now;
        self.remark(Level::Error, why);
    }

    /// The next thing the ring is to know about the cluster.
    pub(crate) fn next_contract(&mut self) -> Option<Down> {
        self.contract.pop_front()
    }

    /// Whether the node wants to leave the ring now; given once.
    pub(crate) fn take_leave(&mut self) -> Option<LeaveReason> {
        self.leave.take()
    }

    /// The state as this node has it.
    pub(crate) const fn cib(&self) -> &Arc<Cib> {
        &self.replica.cib
    }

    fn ring(&self) -> Option<RingId> {
        self.view.as_ref().map(|view| view.ring)
    }

    /// Whether outside effects may follow from what is delivered now.
    fn acting(&self) -> bool {
        matches!(self.phase, Phase::Active) && !self.transitional && !self.paused && !self.unsure
    }

    fn is_dc(&self) -> bool {
        self.replica.dc == Some(self.me)
    }

    fn name_of(&self, node: NodeId) -> String {
        self.names.get(&node).cloned().unwrap_or_else(|| node.to_string())
    }

    /// Broadcasts for the present view, in parts if need be.
    fn say(&mut self, body: Body) {
        let Some(ring) = self.ring() else { return };
        match parts::cut(&Message { ring, body }, self.level()) {
            Some(messages) => self.outbox.extend(messages),
            None => {
                self.count("node.too_large");
                let limit = wire::WHOLE_MAX >> 20;
                self.remark(
                    Level::Error,
                    format!("a message above {limit} MiB is too large for the ring and is dropped"),
                );
            }
        }
    }

    fn remark(&mut self, level: Level, text: impl Into<String>) {
        self.event(Event::Remark { level, text: text.into() });
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn count(&mut self, name: &'static str) {
        let counter = self.counters.entry(name).or_default();
        *counter = counter.saturating_add(1);
    }

    /// The pause is over and this node is still a member: what was held back is done.
    fn resume(&mut self) {
        self.paused = false;
        self.release();
    }

    /// Nobody knows whether the membership still holds: nothing that reaches outside begins.
    pub(crate) fn doubt(&mut self) {
        self.unsure = true;
        self.executor.hold();
    }

    /// The ring has confirmed that the membership holds.
    pub(crate) fn be_sure(&mut self, now: Now) {
        self.now = now;
        self.unsure = false;
        self.release();
    }

    /// This half of the node stood still for so long that the ring fell silent.
    pub(crate) fn stood_still(&mut self, now: Now, time: Duration) {
        self.now = now;
        self.count("node.stood_still");
        let millis = time.as_millis();
        let text = format!("nothing above the ring went on for {millis} ms: this node fell silent, and joins again");
        self.remark(Level::Error, text);
    }

    /// What is held back is done, unless there is another reason to hold it.
    fn release(&mut self) {
        if !self.transitional && !self.paused && !self.unsure {
            self.executor.release(self.now.mono);
            self.drain_executor();
        }
    }
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
