//! Commit: the commit token goes round once to collect what everybody brings, and once more to show it to all.

use std::time::Duration;

use hac_types::{Level, Member, NodeId, RingId, Timestamp, mutant};

use crate::ring::Ring;
use crate::state::Phase;
use crate::transport::Transport;
use crate::wire::{Commit, Departed, Join, Members, Message, Slot, Stamp};
use crate::{GatherReason, Misbehaviour};

/// First wait before a commit token is sent again.
const RESEND_FIRST: Duration = Duration::from_millis(20);

/// One attempt at a ring, from the commit token to the installation. Dropped whole when it fails.
#[derive(Debug, Hash)]
pub(crate) struct Attempt {
    pub(crate) ring: RingId,
    pub(crate) members: Members,
    /// What each member brings; complete after the first rotation.
    pub(crate) slots: Vec<Slot>,
    pub(crate) departed: Departed,
    /// The proposals this attempt is built on, one for each member.
    stamps: Vec<Stamp>,
    pub(crate) token_seen: u64,
    sent: Option<SentCommit>,
    /// When the attempt is given up.
    pub(crate) deadline: Timestamp,
}

#[derive(Debug, Hash)]
struct SentCommit {
    commit: Commit,
    to: NodeId,
    resend_at: Timestamp,
    wait: Duration,
}

impl Attempt {
    /// Whether a member's proposal shows that it has given this attempt up.
    pub(crate) fn is_abandoned_by(&self, from: Member, join: &Join) -> bool {
        let Some(incarnation) = self.members.incarnation_of(from.node) else { return false };
        let known = self.position(from.node).and_then(|index| self.stamps.get(index)).copied().unwrap_or_default();
        let newer = join.stamp() > known && join.proposal != self.members;
        incarnation != from.incarnation || join.round > known.round || newer
    }

    fn position(&self, node: NodeId) -> Option<usize> {
        self.members.iter().position(|member| member.node == node)
    }

    fn successor(&self, me: NodeId) -> Option<NodeId> {
        let next = (self.position(me)? + 1) % self.members.len();
        self.members.get(next).map(|member| member.node)
    }

    fn predecessor(&self, me: NodeId) -> Option<NodeId> {
        let previous = (self.position(me)? + self.members.len() - 1) % self.members.len();
        self.members.get(previous).map(|member| member.node)
    }

    /// Whether the token comes from the member before us, once passed on by each of the others since it left here, with
    /// what we put in unchanged.
    fn continues(&self, me: NodeId, from: Member, commit: &Commit) -> bool {
        let position = self.position(me).unwrap_or(usize::MAX);
        let others = u64::try_from(self.members.len()).unwrap_or(u64::MAX).saturating_sub(1);
        commit.ring == self.ring
            && Some(commit.token_seq) == self.token_seen.checked_add(others)
            && self.predecessor(me) == Some(from.node)
            && commit.members == self.members
            && commit.slots.len() == self.members.len()
            && commit.slots.get(position) == self.slots.get(position)
    }

    fn is_full(&self) -> bool {
        self.slots.len() == self.members.len()
    }

    /// The level of the ring: the highest active one that a member brings. Where nobody has been in a cluster it is the
    /// highest that all know. `own` is what this node brings.
    pub(crate) fn level(&self, own: Level) -> Level {
        if mutant("level-raised-alone") && !own.is_none() {
            return own;
        }
        let active = self.slots.iter().map(|slot| slot.level).max().filter(|level| !level.is_none());
        let known = self.slots.iter().map(|slot| slot.levels.max).min();
        active.or(known).unwrap_or(own)
    }

    /// A member that brings the level of the ring.
    pub(crate) fn level_from(&self, level: Level) -> Option<NodeId> {
        let pairs = self.members.iter().zip(&self.slots);
        pairs.into_iter().find(|(_, slot)| slot.level == level).map(|(member, _)| member.node)
    }

    /// When the commit token is sent again.
    pub(super) fn resend_at(&self) -> Option<Timestamp> {
        self.sent.as_ref().map(|sent| sent.resend_at)
    }

    /// Stops repeating the commit token: a successor was seen.
    pub(crate) fn progressed(&mut self) {
        self.sent = None;
    }

    /// Passes the commit token on.
    pub(crate) fn pass(&mut self, me: NodeId, net: &mut Transport) {
        let Some(to) = self.successor(me) else { return };
        self.token_seen += 1;
        let commit = Commit {
            ring: self.ring,
            token_seq: self.token_seen,
            members: self.members.clone(),
            stamps: self.stamps.clone(),
            slots: self.slots.clone(),
            departed: self.departed.clone(),
        };
        net.send(to, &Message::Commit(commit.clone()));
        let wait = RESEND_FIRST.max(net.rtt_bound([to]) * 2);
        self.sent = Some(SentCommit { commit, to, resend_at: net.now + wait, wait });
    }

    /// Sends the commit token again if no successor was seen in time.
    pub(crate) fn resend(&mut self, wait_max: Duration, net: &mut Transport) {
        let Some(sent) = &mut self.sent else { return };
        if sent.resend_at <= net.now {
            sent.wait = (sent.wait * 2).min(wait_max);
            sent.resend_at = net.now + sent.wait;
            net.stats.token_retransmits += 1;
            let message = Message::Commit(sent.commit.clone());
            net.send(sent.to, &message);
        }
    }
}

impl Ring {
    /// Everybody agrees and this node is the lowest: creates the ring.
    pub(crate) fn start_commit(&mut self, members: Members, stamps: Vec<Stamp>, net: &mut Transport) {
        let ring = self.next_ring(net);
        let mut attempt = Attempt {
            ring,
            members,
            slots: vec![self.own_slot(net)],
            departed: self.departed_list(),
            stamps,
            token_seen: 0,
            sent: None,
            deadline: net.now + self.settings.token,
        };
        if attempt.is_full() {
            // Alone: there is nobody to ask.
            self.enter_recovery(attempt, net);
            return;
        }
        attempt.pass(self.me.node, net);
        self.phase = Phase::Commit(attempt);
    }

    fn own_slot(&self, net: &Transport) -> Slot {
        let store = &self.current.store;
        Slot {
            old_ring: self.current.ring,
            aru: store.aru(),
            high: store.high().max(store.aru()),
            round: self.round,
            obliged: self.obliged,
            level: net.contract.level,
            levels: net.contract.levels,
        }
    }

    pub(crate) fn handle_commit(&mut self, from: Member, commit: Commit, net: &mut Transport) {
        match &mut self.phase {
            Phase::Gather(_) => self.join_commit(from, commit, net),
            Phase::Commit(attempt) if attempt.continues(self.me.node, from, &commit) => {
                attempt.token_seen = commit.token_seq;
                attempt.slots = commit.slots;
                attempt.departed = commit.departed;
                if !net.contract.levels.contains(attempt.level(net.contract.level)) {
                    // Nobody connects who could bring it; whoever says so breaks the protocol.
                    net.report_misbehaving(from.node, Misbehaviour::Level);
                    self.note_failed_attempt(net);
                    self.enter_gather(GatherReason::TokenLostCommit, net);
                    return;
                }
                let Phase::Commit(mut attempt) = std::mem::replace(&mut self.phase, Phase::starting(net.now)) else {
                    return;
                };
                attempt.pass(self.me.node, net);
                self.enter_recovery(attempt, net);
            }
            Phase::Recovery(recovery) if recovery.attempt.continues(self.me.node, from, &commit) => {
                recovery.attempt.token_seen = commit.token_seq;
                self.originate_token(net);
            }
            _ => {}
        }
    }

    /// The commit token has come while we agree with it: put in what we bring. One that is built on a proposal of an
    /// earlier round of ours is refused: whoever made it gives it up as soon as it hears of the present one.
    fn join_commit(&mut self, from: Member, commit: Commit, net: &mut Transport) {
        let Phase::Gather(gather) = &self.phase else { return };
        let round = self.round;
        let mut attempt = Attempt {
            ring: commit.ring,
            members: commit.members,
            slots: commit.slots,
            departed: commit.departed,
            stamps: commit.stamps,
            token_seen: commit.token_seq,
            sent: None,
            deadline: net.now + self.settings.token,
        };
        let position = attempt.position(self.me.node);
        // Each member before this one has put in what it brings and passed the token on.
        let passed = usize::try_from(attempt.token_seen).ok();
        let in_turn = position.is_some_and(|index| index > 0 && attempt.slots.len() == index && passed == position);
        let expected = attempt.members == *gather.proposal() && attempt.predecessor(self.me.node) == Some(from.node);
        let present = position.and_then(|index| attempt.stamps.get(index)).is_some_and(|stamp| stamp.round == round);
        if !in_turn || !expected || !present || attempt.ring.seq <= self.ring_seq_used {
            return;
        }
        if !self.is_credible(attempt.ring.seq) {
            net.report_misbehaving(from.node, Misbehaviour::Token);
            return;
        }
        self.use_ring(attempt.ring, net);
        attempt.slots.push(self.own_slot(net));
        let own =
            self.departed.values().filter(|left| attempt.departed.0.iter().all(|l| l.member.node != left.member.node));
        attempt.departed.0.extend(own.copied().collect::<Vec<_>>());
        attempt.departed.0.sort_unstable_by_key(|left| left.member.node);
        attempt.pass(self.me.node, net);
        self.phase = Phase::Commit(attempt);
    }

    /// No token has come in time: the attempt has failed.
    pub(super) fn give_up_attempt(&mut self, net: &mut Transport) {
        let reason = match self.phase {
            Phase::Recovery(_) => GatherReason::TokenLostRecovery,
            _ => GatherReason::TokenLostCommit,
        };
        self.note_failed_attempt(net);
        self.enter_gather(reason, net);
    }
}
