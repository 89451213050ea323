//! Recovery: those who come from the same old ring exchange what one of them has and another lacks, in the order and with
//! the token of the new ring; when everybody has everything and everybody knows it, the ring is installed.
//!
//! The end is recognised as in the papers: nobody had anything more to send for two rotations, so the highest number is
//! final; then the token showed twice that all have received up to it. All install within one rotation of each other.

use std::collections::VecDeque;

use hac_types::{Departure, Left, Level, Member, NodeId, RingId, View, ViewKind, mutant};

use crate::ring::{Ring, Unpacking};
use crate::rotation::{Rotation, recovered};
use crate::state::Phase;
use crate::state::commit::Attempt;
use crate::state::operational::Operational;
use crate::store::Packet;
use crate::transport::Transport;
use crate::wire::{Data, Slot, Token};
use crate::{Notice, Output};

/// State of the exchange.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) attempt: Attempt,
    /// Our part in the ring to be.
    pub(crate) rotation: Rotation,
    /// Packets of the old ring that this node sends again.
    queue: VecDeque<Data>,
    /// This node set the token's flag "I have more".
    flag_is_ours: bool,
    /// Visits in a row without the flag.
    clear_visits: u32,
    /// The number that is final once nobody has more.
    install_seq: u64,
    /// Visits in a row in which all were known to have everything.
    complete_visits: u32,
    originated: bool,
}

impl Recovery {
    /// Packets of the old ring that this node still has to send.
    pub(crate) fn to_send(&self) -> usize {
        self.queue.len()
    }

    /// Whether this node has everything that will be in the exchange. From the visit in which it says so, others may
    /// install the ring, whatever becomes of this node.
    fn has_everything(&self) -> bool {
        self.clear_visits >= 2 && self.install_seq <= self.rotation.store.aru()
    }

    /// Notes what the token says about the end of the exchange; whether the ring can be installed.
    fn account(&mut self, token: &mut Token) -> bool {
        if !self.queue.is_empty() {
            if !token.retrans {
                token.retrans = true;
                self.flag_is_ours = true;
            }
        } else if token.retrans && self.flag_is_ours {
            token.retrans = false;
            self.flag_is_ours = false;
        }
        self.clear_visits = if token.retrans { 0 } else { self.clear_visits + 1 };
        if self.clear_visits == 2 {
            self.install_seq = token.seq;
        }
        let complete = self.clear_visits >= 3 && self.install_seq <= token.aru;
        self.complete_visits = if complete { self.complete_visits + 1 } else { 0 };
        self.complete_visits >= 2 || (mutant("recovery-cut-short") && self.queue.is_empty())
    }
}

impl Ring {
    /// The commit token is complete: exchange what is missing.
    pub(crate) fn enter_recovery(&mut self, attempt: Attempt, net: &mut Transport) {
        let before = self.first_before;
        let rotation = Rotation::new(attempt.ring, attempt.members.clone(), self.me.node, before, net.now);
        let queue = self.packets_to_send_again(&attempt);
        let alone = attempt.members.len() == 1;
        let recovery = Recovery {
            attempt,
            rotation,
            queue,
            flag_is_ours: false,
            clear_visits: 0,
            install_seq: 0,
            complete_visits: 0,
            originated: false,
        };
        if alone {
            self.phase = Phase::Operational(Operational::default());
            self.install(recovery, net);
            let token = self.current.first_token();
            self.operational_token(token, net);
            return;
        }
        net.notice(Notice::RecoveryEntered { ring: recovery.attempt.ring });
        self.phase = Phase::Recovery(Box::new(recovery));
    }

    /// Who comes along from our old ring: the members of the new one that were in the same old one.
    fn coming_along(&self, attempt: &Attempt) -> Vec<(Member, Slot)> {
        let old = &self.current;
        let pairs = attempt.members.iter().copied().zip(attempt.slots.iter().copied());
        pairs
            .filter(|(member, slot)| {
                *member == self.me
                    || mutant("all-come-along")
                    || (slot.old_ring == old.ring && old.ring != RingId::default() && old.members.contains(member))
            })
            .collect()
    }

    /// What this node must send: all between the least and the most complete of those who come along if it is the lowest
    /// of the most complete, and whatever it has above that.
    fn packets_to_send_again(&self, attempt: &Attempt) -> VecDeque<Data> {
        let along = self.coming_along(attempt);
        let aru_min = along.iter().map(|(_, slot)| slot.aru).min().unwrap_or(0);
        let aru_max = along.iter().map(|(_, slot)| slot.aru).max().unwrap_or(0);
        let high = along.iter().map(|(_, slot)| slot.high).max().unwrap_or(0);
        if along.len() < 2 || aru_min == high || mutant("nothing-recovered") {
            return VecDeque::new();
        }
        let lowest = along.iter().find(|(_, slot)| slot.aru == aru_max).map(|(member, _)| *member);
        let low = if lowest == Some(self.me) { aru_min } else { aru_max };
        self.current.store.data_above(low).cloned().collect()
    }

    /// Others may now deliver, in a transitional view with this node, what those who come along have sent: so must this
    /// node, even if it comes to another ring than they.
    fn oblige(&mut self) {
        let Phase::Recovery(recovery) = &self.phase else { return };
        self.obliged = self.obligations(&recovery.attempt);
    }

    /// Members of the old ring whose messages are delivered even after a gap: those who come along, and those to whom
    /// one of these is obliged.
    fn obligations(&self, attempt: &Attempt) -> u64 {
        let along = self.coming_along(attempt);
        let told = along.iter().fold(self.obliged, |bits, (_, slot)| bits | slot.obliged);
        let is_along = |member: &Member| along.iter().any(|(other, _)| other == member);
        let members = self.current.members.iter().enumerate();
        members.filter(|(_, member)| is_along(member)).fold(told, |bits, (index, _)| bits | 1 << index)
    }

    /// The representative has seen the complete commit token come back: the ring's first token starts.
    pub(crate) fn originate_token(&mut self, net: &mut Transport) {
        let Phase::Recovery(recovery) = &mut self.phase else { return };
        if recovery.originated || !recovery.rotation.is_representative() {
            return;
        }
        recovery.originated = true;
        let token = recovery.rotation.first_token();
        self.recovery_token(token, net);
    }

    /// A visit of the token in the recovery state.
    pub(crate) fn recovery_token(&mut self, token: Token, net: &mut Transport) {
        let Phase::Recovery(recovery) = &mut self.phase else { return };
        recovery.attempt.progressed();
        recovery.attempt.deadline = net.now + self.settings.token;
        recovery.rotation.arrive(&token, net.now);
        if let Some(pause) = recovery.rotation.backoff() {
            recovery.rotation.hold(token, net.now + pause, crate::rotation::HoldReason::Backoff);
            return;
        }
        self.recovery_visit(token, net);
    }

    pub(super) fn recovery_visit(&mut self, token: Token, net: &mut Transport) {
        let Phase::Recovery(recovery) = &mut self.phase else { return };
        let me = self.me.node;
        let queued = recovery.queue.len();
        let mut visit = recovery.rotation.begin(token, self.settings.flow, queued, net);
        while visit.allowance > 0
            && let Some(old) = recovery.queue.pop_front()
        {
            recovery.rotation.send(&mut visit, |ring, seq| recovered(ring, seq, me, old), net);
        }
        let mut token = recovery.rotation.finish(visit, recovery.queue.len(), net.now);
        let done = recovery.account(&mut token);
        if recovery.has_everything() && !mutant("obligation-forgotten") {
            self.oblige();
        }
        if !done {
            self.ask_for_small(net);
            if self.has_failed_to_receive(net.now) {
                return self.leave_to_others(net);
            }
            let Phase::Recovery(recovery) = &mut self.phase else { return };
            recovery.rotation.pass(token, self.settings.token_retransmit, net);
            return;
        }
        if let Phase::Recovery(recovery) =
            std::mem::replace(&mut self.phase, Phase::Operational(Operational::default()))
        {
            self.install(*recovery, net);
            self.current.pass(token, self.settings.token_retransmit, net);
            self.operational_queued(true, net);
        }
    }

    /// Ends the old ring and begins the new one, in which this node is operational already. The order is that of extended virtual synchrony: what the old regular
    /// view still may deliver, the transitional view, the rest among those who come along, the new regular view.
    fn install(&mut self, recovery: Recovery, net: &mut Transport) {
        let Recovery { attempt, rotation, .. } = recovery;
        let along: Vec<Member> = self.coming_along(&attempt).into_iter().map(|(member, _)| member).collect();
        self.deliver(net);
        if mutant("pieces-forgotten") {
            self.unpacking = Unpacking::default();
        }
        if self.current.ring != RingId::default() {
            self.install_transitional(&along, &attempt, net);
        }
        self.unpacking = Unpacking::default();
        self.queue.restart_partial();
        self.obliged = 0;
        let old = std::mem::replace(&mut self.current, rotation);
        let left = old.members.iter().filter(|m| !attempt.members.contains(m));
        let left = left.map(|member| left_how(*member, &attempt)).collect();
        for (member, slot) in attempt.members.iter().zip(&attempt.slots) {
            self.settled.insert(member.node, (member.incarnation, slot.round));
        }
        let level = self.take_level(&attempt, net);
        self.departed.clear();
        self.attempts = 0;
        self.doubting = None;
        net.small_only = false;
        net.ring = attempt.ring;
        net.stats.views += 1;
        net.stats.ring = Some(attempt.ring);
        net.changed = true;
        net.outputs.push_back(Output::View(View {
            ring: attempt.ring,
            kind: ViewKind::Regular,
            level,
            members: attempt.members.0.clone(),
            continuing: along.iter().map(|member| member.node).collect(),
            left,
        }));
        // Recovered packets of the new ring need no delivery.
        self.deliver(net);
    }

    /// The level of the new ring, if a member brought it, is the active one here from now on. Where nobody has been in a
    /// cluster none is active before the layer above says so: the next to come may know less.
    fn take_level(&mut self, attempt: &Attempt, net: &mut Transport) -> Level {
        let level = attempt.level(net.contract.level);
        if let Some(from) = attempt.level_from(level) {
            let before = std::mem::replace(&mut net.contract.level, level);
            if !before.is_none() && before != level {
                net.notice(Notice::LevelTakenOver { level, from });
            }
            if before != level {
                // Who does not know it cannot be in the next ring either.
                net.level_changed();
            }
        }
        self.level = level;
        level
    }

    fn install_transitional(&mut self, along: &[Member], attempt: &Attempt, net: &mut Transport) {
        let old = &self.current;
        let left = old.members.iter().filter(|member| !along.contains(member));
        net.outputs.push_back(Output::View(View {
            ring: old.ring,
            kind: ViewKind::Transitional,
            level: self.level,
            members: along.to_vec(),
            continuing: along.iter().map(|member| member.node).collect(),
            left: left.map(|member| left_how(*member, attempt)).collect(),
        }));
        if mutant("rest-dropped") {
            return;
        }
        let obliged = self.obligations(attempt);
        let members = self.current.members.clone();
        let comes_along = |node: NodeId| {
            let index = members.iter().position(|member| member.node == node);
            index.is_some_and(|index| obliged & 1 << index != 0)
        };
        let mut late = Vec::new();
        while let Some(packet) = self.current.store.next_remaining(comes_along) {
            match packet {
                Packet::Data(data) if mutant("rest-disordered") && data.origin == self.me.node => {
                    late.push(data.clone())
                }
                Packet::Data(data) => self.unpacking.deliver(data, true, net),
                Packet::Recovered(_) => {}
            }
        }
        late.iter().for_each(|data| self.unpacking.deliver(data, true, net));
    }
}

fn left_how(member: Member, attempt: &Attempt) -> Left {
    let told = attempt.departed.0.iter().find(|left| left.member == member);
    told.copied().unwrap_or(Left { member, departure: Departure::Lost })
}
