//! The ring protocol of one node: state, dispatch, and what all states share.
//!
//! ```text
//!             agreement reached            all have seen the commit token
//!   Gather ───────────────────────► Commit ───────────────────────────► Recovery
//!     ▲  ▲                            │                                    │
//!     │  └─ token lost, somebody gone ┴────────────────────────────────────┤
//!     │                                                                    │ everybody has everything
//!     └───────── silence, leave, join, merge, token lost ── Operational ◄──┘
//! ```
//!
//! Deviations from the papers and from corosync: agreement is on the largest set of nodes that all hear each other
//! (`graph`), so there are no sets of failed nodes and nobody waits for a dead node to agree; a proposal carries its
//! round, so that proposals of the past are recognised; LEAVE is a message of its own; delivery in the transitional view
//! follows the papers, not corosync.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_types::{Departure, Incarnation, Left, Level, Member, NodeId, RingId, Timestamp, mutant};

use crate::graph::Graph;
use crate::pack::{Assembly, SendQueue};
use crate::rotation::{Flow, Rotation};
use crate::state::Phase;
use crate::store::Packet;
use crate::transport::Transport;
use crate::wire::{Data, Departed, Leave, Members, Message};
use crate::{
    Config, Delivery, GatherReason, Guarantee, LeaveReason, Misbehaviour, Notice, Output, QueueFull, Stored, Timers,
};

/// Ring numbers are made durable in blocks of this size, so that a new ring seldom waits for the disk.
const RESERVE: u64 = 256;
/// The number of a new ring is so much above the highest known.
const RING_STEP: u64 = 4;
/// A peer that claims a ring number further ahead is not believed: it would use up the numbers.
const RING_JUMP_MAX: u64 = 1 << 32;
/// After so many attempts in a row without a membership the operator is told.
const ATTEMPTS_MAX: u32 = 4;
/// Copies of LEAVE on each link.
const LEAVE_COPIES: u32 = 3;

/// The timeouts in effect, and the limits.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Configured nodes.
    pub(crate) nodes: usize,
    pub(crate) token: Duration,
    pub(crate) token_retransmit: Duration,
    pub(crate) hold: Duration,
    pub(crate) join: Duration,
    pub(crate) consensus: Duration,
    pub(crate) merge: Duration,
    pub(crate) startup_listen: Duration,
    /// How much later than this node others may notice a death: their silence limits grow with how late they are woken.
    pub(crate) others_notice: Duration,
    pub(crate) rejoin_hold: Duration,
    pub(crate) flow: Flow,
}

impl Settings {
    /// For so many nodes.
    pub(crate) fn new(timers: &Timers, nodes: usize, flow: Flow) -> Self {
        Self {
            nodes,
            token: timers.token_for(nodes),
            token_retransmit: timers.token_retransmit_for(nodes),
            hold: timers.hold_for(nodes),
            join: timers.join,
            consensus: timers.consensus_for(nodes),
            merge: timers.merge,
            startup_listen: timers.startup_listen,
            others_notice: timers.others_notice_for(nodes),
            rejoin_hold: timers.rejoin_hold,
            flow,
        }
    }
}

/// How the packets of the present ring become messages.
#[derive(Debug, Default)]
pub(crate) struct Unpacking {
    assembly: Assembly,
    /// Messages delivered in the present ring.
    pub(crate) delivered: u64,
}

impl Unpacking {
    /// Delivers the messages that are complete with this packet.
    pub(crate) fn deliver(&mut self, data: &Data, transitional: bool, net: &mut Transport) {
        let (mut messages, result) = self.assembly.unpack(data.origin, &data.payload);
        if mutant("delivered-twice") {
            messages.extend(messages.first().cloned());
        }
        for payload in messages {
            self.delivered += 1;
            net.stats.delivered += 1;
            net.outputs.push_back(Output::Delivery(Delivery {
                ring: data.ring,
                seq: self.delivered,
                origin: data.origin,
                guarantee: if data.safe { Guarantee::Safe } else { Guarantee::Agreed },
                transitional,
                payload,
            }));
        }
        if result.is_err() {
            net.report_misbehaving(data.origin, Misbehaviour::Packing);
        }
    }
}

/// The ring protocol of one node.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) me: Member,
    pub(crate) settings: Settings,
    pub(crate) phase: Phase,
    /// In every ring the first packet has the number after this one.
    pub(crate) first_before: u64,
    /// The ring last installed here. It has ended unless the phase is operational.
    pub(crate) current: Rotation,
    /// The level of that ring; none before the first.
    pub(crate) level: Level,
    /// When this ring is given up for one of a lower level.
    pub(crate) lower_at: Option<Timestamp>,
    pub(crate) queue: SendQueue,
    pub(crate) unpacking: Unpacking,
    /// See [`Slot::obliged`](crate::wire::Slot): this node's own obligations in the present ring.
    pub(crate) obliged: u64,
    /// Highest ring number heard of.
    pub(crate) ring_seq_high: u64,
    /// Highest ring number committed to.
    pub(crate) ring_seq_used: u64,
    reserved: u64,
    /// How often the gather state was entered.
    pub(crate) round: u64,
    /// Rounds that led to a ring installed here: proposals up to them are of the past.
    pub(crate) settled: BTreeMap<NodeId, (Incarnation, u64)>,
    pub(crate) departed: BTreeMap<NodeId, Left>,
    /// Attempts in a row that led to no membership.
    pub(crate) attempts: u32,
    /// Since when nothing has confirmed the membership after a pause.
    pub(crate) doubting: Option<Timestamp>,
}

impl Ring {
    pub(crate) fn new(config: &Config, stored: Stored, now: Timestamp) -> Self {
        let me = Member { node: config.node, incarnation: stored.incarnation };
        Self {
            me,
            settings: Settings::new(
                &config.timers,
                config.nodes.len(),
                Flow { window_size: config.window_size, max_messages: config.max_messages },
            ),
            phase: Phase::starting(now),
            lower_at: None,
            first_before: 0,
            current: Rotation::new(RingId::default(), Members(vec![me]), me.node, 0, now),
            level: Level::NONE,
            queue: SendQueue::default(),
            unpacking: Unpacking::default(),
            obliged: 0,
            ring_seq_high: stored.ring_seq,
            ring_seq_used: stored.ring_seq,
            reserved: stored.ring_seq,
            round: 0,
            settled: BTreeMap::new(),
            departed: BTreeMap::new(),
            attempts: 0,
            doubting: None,
        }
    }

    /// Takes an authenticated message.
    pub(crate) fn handle(&mut self, from: Member, message: Message, net: &mut Transport) {
        match message {
            Message::Token(token) => self.handle_token(from, token, net),
            Message::Data(data) => self.handle_packet(from, Packet::Data(data), net),
            Message::Recovered(recovered) => self.handle_packet(from, Packet::Recovered(recovered), net),
            Message::Join(join) => self.handle_join(from, join, net),
            Message::Leave(leave) => self.handle_leave(from, &leave, net),
            Message::Commit(commit) => self.handle_commit(from, commit, net),
            Message::HoldCancel(ring) => self.handle_hold_cancel(ring, net),
            // Dealt with below the ring.
            Message::Ping(_)
            | Message::Pong(_)
            | Message::Hello(_)
            | Message::MtuProbe(_)
            | Message::MtuAck(_)
            | Message::Segment(_)
            | Message::Doubled => {}
        }
    }

    fn handle_token(&mut self, from: Member, token: crate::wire::Token, net: &mut Transport) {
        let rotation = match &self.phase {
            Phase::Operational(_) => &self.current,
            Phase::Recovery(recovery) => &recovery.rotation,
            Phase::Gather(_) | Phase::Commit(_) if mutant("token-of-the-past") => &self.current,
            // Tokens are of the past from the moment a new membership is sought.
            Phase::Gather(_) | Phase::Commit(_) => return,
        };
        if token.ring != rotation.ring || !rotation.is_member(from.node) || !rotation.accepts(&token) {
            return;
        }
        if rotation.is_impossible(&token) {
            net.report_misbehaving(from.node, Misbehaviour::Token);
            return;
        }
        net.stats.tokens += 1;
        match self.phase {
            Phase::Recovery(_) => self.recovery_token(token, net),
            _ => self.operational_token(token, net),
        }
    }

    fn handle_packet(&mut self, from: Member, packet: Packet, net: &mut Transport) {
        let ring = match &packet {
            Packet::Data(data) => data.ring,
            Packet::Recovered(recovered) => recovered.ring,
        };
        if let Phase::Recovery(recovery) = &mut self.phase
            && recovery.rotation.ring == ring
        {
            if recovery.rotation.is_member(from.node) && is_of_ring(&packet, &recovery.rotation) {
                recovery.rotation.receive(packet.clone());
                self.unwrap(packet);
            }
            return;
        }
        // Once this node has told what it brings, nothing may be added to it but what all of the new ring receive.
        let open = matches!(self.phase, Phase::Gather(_) | Phase::Operational(_)) || mutant("packet-after-account");
        let ours = self.current.ring == ring || mutant("packet-of-another-ring");
        if open && ours && self.current.is_member(from.node) && is_of_ring(&packet, &self.current) {
            self.current.receive(packet);
            if matches!(self.phase, Phase::Operational(_)) {
                self.deliver(net);
            }
        }
    }

    /// A recovered packet of our own old ring goes where it would have gone then.
    fn unwrap(&mut self, packet: Packet) {
        if let Packet::Recovered(recovered) = packet
            && recovered.old.ring == self.current.ring
            && self.current.is_member(recovered.old.origin)
        {
            self.current.store.insert(Packet::Data(recovered.old));
        }
    }

    fn handle_leave(&mut self, from: Member, leave: &Leave, net: &mut Transport) {
        if mutant("leave-unheard") {
            return;
        }
        let departure = if leave.resources_clean { Departure::LeftClean } else { Departure::LeftUnclean };
        self.note_departed(Left { member: from, departure }, net);
    }

    /// Somebody said, or says of another, that it has left.
    pub(crate) fn note_departed(&mut self, left: Left, net: &mut Transport) {
        if left.member.node != self.me.node && net.mark_left(left.member, left.departure == Departure::LeftClean) {
            self.departed.insert(left.member.node, left);
        }
    }

    pub(crate) fn departed_list(&self) -> Departed {
        Departed(self.departed.values().copied().collect())
    }

    /// Who is heard, or who others say to hear, has changed.
    pub(crate) fn review(&mut self, net: &mut Transport) {
        let graph = net.graph();
        if !matches!(self.phase, Phase::Operational(_)) {
            net.check_soon(&graph.doubtful());
        }
        match &self.phase {
            Phase::Gather(_) => self.review_gather(&graph, net),
            Phase::Commit(attempt) => self.review_attempt(&graph, attempt.members.clone(), net),
            Phase::Recovery(recovery) => self.review_attempt(&graph, recovery.attempt.members.clone(), net),
            Phase::Operational(_) => self.review_operational(&graph, net),
        }
    }

    fn review_attempt(&mut self, graph: &Graph, members: Members, net: &mut Transport) {
        if !graph.is_connected(&members) {
            let reason = self.why_lost(&members, net);
            self.enter_gather(reason, net);
        }
    }

    /// Why these members cannot go on together.
    pub(crate) fn why_lost(&self, members: &Members, net: &Transport) -> GatherReason {
        let gone = members.iter().filter(|m| m.node != self.me.node && net.alive(m.node) != Some(**m));
        let mut reason = GatherReason::Silence;
        if members.iter().all(|m| m.node == self.me.node || net.alive(m.node) == Some(*m)) && net.is_someone_excluded()
        {
            return GatherReason::Excluded;
        }
        for member in gone {
            if self.departed.get(&member.node).is_some_and(|left| left.member == *member) {
                return GatherReason::Leave;
            }
            if net.has_restarted(*member) {
                reason = GatherReason::Restart;
            }
        }
        reason
    }

    /// Delivers what may be delivered in the regular view.
    pub(crate) fn deliver(&mut self, net: &mut Transport) {
        let safe = self.current.safe;
        while let Some(packet) = self.current.store.next_deliverable(safe) {
            if let Packet::Data(data) = packet {
                self.unpacking.deliver(data, false, net);
            }
        }
    }

    /// Notes the highest ring number a peer knows.
    pub(crate) fn hear_ring_seq(&mut self, ring_seq: u64) {
        if self.is_credible(ring_seq) {
            self.ring_seq_high = self.ring_seq_high.max(ring_seq);
        }
    }

    /// Whether a ring may have this number: one far ahead of all that are known would use up the numbers.
    pub(crate) fn is_credible(&self, ring_seq: u64) -> bool {
        ring_seq.saturating_sub(self.ring_seq_high) < RING_JUMP_MAX
    }

    /// A number for a new ring of ours.
    pub(crate) fn next_ring(&mut self, net: &mut Transport) -> RingId {
        let step = if mutant("ring-number-again") { 0 } else { RING_STEP };
        self.ring_seq_high = self.ring_seq_high.saturating_add(step);
        let ring = RingId { seq: self.ring_seq_high, rep: self.me.node.0, rep_incarnation: self.me.incarnation };
        self.use_ring(ring, net);
        ring
    }

    /// Commits to a ring: its number is made durable before anything of it leaves this node.
    pub(crate) fn use_ring(&mut self, ring: RingId, net: &mut Transport) {
        self.ring_seq_high = self.ring_seq_high.max(ring.seq);
        self.ring_seq_used = ring.seq;
        // Half a block ahead, so that the disk is seldom waited for.
        if ring.seq.saturating_add(RESERVE / 2) > self.reserved {
            self.reserved = ring.seq.saturating_add(RESERVE);
            if !mutant("ring-number-not-kept") {
                net.outputs.push_back(Output::Persist { ring_seq: self.reserved });
            }
        }
    }

    /// An attempt at a membership failed.
    pub(crate) fn note_failed_attempt(&mut self, net: &mut Transport) {
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts.is_multiple_of(ATTEMPTS_MAX) {
            net.notice(Notice::NoStableMembership { attempts: self.attempts });
        }
    }

    pub(crate) fn broadcast(
        &mut self,
        payload: Vec<u8>,
        guarantee: Guarantee,
        net: &mut Transport,
    ) -> Result<(), QueueFull> {
        let was_empty = self.queue.is_empty();
        self.queue.push(payload, guarantee)?;
        if matches!(self.phase, Phase::Operational(_)) {
            self.operational_queued(was_empty, net);
        }
        Ok(())
    }

    /// The active level has changed: the next ring is to have it. As the next ring has the highest level that a member
    /// brings, a ring is given up for a lower one only when all of its members have had the time to hear of that: until
    /// then one that has not would bring the higher one again.
    pub(crate) fn level_changed(&mut self, net: &mut Transport) {
        net.level_changed();
        let next = net.contract.level;
        match self.phase {
            Phase::Operational(_) if next == self.level => {}
            Phase::Operational(_) if next < self.level && !mutant("level-lowered-at-once") => {
                self.lower_at.get_or_insert(net.now + self.settings.token);
            }
            Phase::Gather(_) => {}
            _ => self.enter_gather(GatherReason::Level, net),
        }
    }

    /// All have had the time to hear of the lower level.
    pub(crate) fn leave_level(&mut self, net: &mut Transport) {
        self.lower_at = None;
        if self.level != net.contract.level {
            self.enter_gather(GatherReason::Level, net);
        }
    }

    /// Says goodbye.
    pub(crate) fn leave(&mut self, reason: LeaveReason, net: &mut Transport) {
        let (resources_clean, restart) = match reason {
            LeaveReason::Shutdown { resources_clean } => (resources_clean, false),
            LeaveReason::Restart { resources_clean } => (resources_clean, true),
        };
        let message = Message::Leave(Leave { ring: self.current.ring, resources_clean, restart });
        for _ in 0..LEAVE_COPIES {
            net.send_all(net.connected(), &message);
        }
        self.queue.clear();
        self.current.stop();
    }
}

/// Whether a packet was numbered by a member of the ring.
fn is_of_ring(packet: &Packet, rotation: &Rotation) -> bool {
    match packet {
        Packet::Data(data) => rotation.is_member(data.origin),
        Packet::Recovered(recovered) => rotation.is_member(recovered.sender),
    }
}
