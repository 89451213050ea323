//! Gather: agreeing on a membership.
//!
//! Every node proposes the membership that the connectivity it knows of makes possible ([`Graph::membership`]) and says so
//! in JOIN, with the row of the connectivity graph it is sure of. As the rows spread, the proposals become equal; when
//! everybody in a proposal proposes it, the lowest node sends the commit token. A node that answers but never agrees is
//! left out after the consensus timeout.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_types::{Member, NodeId, RingId, Timestamp, mutant};

use crate::graph::{Graph, Part};
use crate::ring::Ring;
use crate::state::Phase;
use crate::transport::Transport;
use crate::wire::{Join, Members, Message, Stamp};
use crate::{GatherReason, Notice};

/// The proposal a peer last made.
#[derive(Debug, Hash)]
pub(crate) struct Heard {
    member: Member,
    stamp: Stamp,
    proposal: Members,
}

/// State of the agreement.
#[derive(Debug, Hash)]
pub(crate) struct Gather {
    /// Grows with each change of the proposal.
    version: u64,
    proposal: Members,
    heard: BTreeMap<NodeId, Heard>,
    pub(super) join_at: Timestamp,
    pub(super) consensus_at: Timestamp,
    /// Until then nothing smaller than all configured nodes is agreed on: this node or a member has just started.
    pub(super) listen_until: Option<Timestamp>,
    /// Until then nothing is agreed on: the proposal leaves out somebody who is heard, so the rows may still change. Where
    /// those left out could be more than the proposal, they may just not have noticed yet who has died.
    pub(super) settle_until: Option<Timestamp>,
}

impl Gather {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            version: 0,
            proposal: Members::default(),
            heard: BTreeMap::new(),
            join_at: now,
            consensus_at: now,
            listen_until: None,
            settle_until: None,
        }
    }

    /// The members of the proposal that have not made the same one.
    fn missing(&self, me: NodeId) -> Vec<NodeId> {
        let agrees = |member: &Member| {
            if mutant("agreement-assumed") {
                return true;
            }
            self.heard.get(&member.node).is_some_and(|heard| heard.member == *member && heard.proposal == self.proposal)
        };
        self.proposal.iter().filter(|m| m.node != me && !agrees(m)).map(|m| m.node).collect()
    }

    /// The proposals with which all agreed; this node's own is of `round`.
    fn stamps(&self, me: NodeId, round: u64) -> Vec<Stamp> {
        let own = Stamp { round, version: self.version };
        let heard = |node: NodeId| self.heard.get(&node).map(|heard| heard.stamp).unwrap_or_default();
        self.proposal.iter().map(|member| if member.node == me { own } else { heard(member.node) }).collect()
    }

    pub(crate) fn proposal(&self) -> &Members {
        &self.proposal
    }
}

impl Ring {
    /// Gives up what was and looks for a new membership.
    pub(crate) fn enter_gather(&mut self, reason: GatherReason, net: &mut Transport) {
        net.count_gather(reason);
        net.notice(Notice::GatherEntered { reason });
        net.ring = RingId::default();
        net.stats.ring = None;
        self.current.stop();
        self.lower_at = None;
        self.round += 1;
        // A member in a new life is about to be connected: the next membership is to have it already.
        let starting = matches!(reason, GatherReason::Startup | GatherReason::Restart);
        let mut gather = Gather::new(net.now);
        gather.consensus_at = net.now + self.settings.consensus;
        gather.listen_until = starting.then(|| net.now + self.settings.startup_listen);
        self.phase = Phase::Gather(gather);
        let graph = net.graph();
        net.check_soon(&graph.doubtful());
        self.review_gather(&graph, net);
    }

    /// Proposes what is possible now, if that has changed.
    pub(crate) fn review_gather(&mut self, graph: &Graph, net: &mut Transport) {
        let Part { members: possible, is_minor } = graph.membership();
        let Phase::Gather(gather) = &mut self.phase else { return };
        let leaves_out = graph.hears_others_than(&possible);
        if !leaves_out {
            gather.settle_until = None;
        }
        if gather.proposal != possible {
            gather.proposal = possible;
            gather.version += 1;
            let settle = if is_minor { self.settings.others_notice } else { Duration::ZERO };
            gather.settle_until = leaves_out.then(|| net.now + settle.max(self.settings.join * 2));
            self.propose(net);
        }
        self.check_consensus(net);
    }

    fn join_message(&self, net: &mut Transport) -> Option<Message> {
        let Phase::Gather(gather) = &self.phase else { return None };
        Some(Message::Join(Join {
            round: self.round,
            version: gather.version,
            ring_seq: self.ring_seq_high,
            proposal: gather.proposal.clone(),
            knowledge: net.own_knowledge(),
            departed: self.departed_list(),
        }))
    }

    /// Sends the proposal to everybody who can be reached.
    pub(super) fn propose(&mut self, net: &mut Transport) {
        let Some(message) = self.join_message(net) else { return };
        net.send_all(net.connected(), &message);
        if let Phase::Gather(gather) = &mut self.phase {
            gather.join_at = net.now + self.settings.join;
        }
    }

    pub(crate) fn handle_join(&mut self, from: Member, join: Join, net: &mut Transport) {
        self.hear_ring_seq(join.ring_seq);
        self.hear_of_departed(from, &join, net);
        net.learn_rows(from, &join.knowledge);
        let settled = self.settled.get(&from.node);
        if settled.is_some_and(|(life, round)| *life == from.incarnation && join.round <= *round) {
            return;
        }
        match &self.phase {
            Phase::Operational(_) if self.current.members.contains(&from) => {
                self.enter_gather(GatherReason::Join, net);
            }
            Phase::Commit(attempt) if attempt.is_abandoned_by(from, &join) => {
                self.enter_gather(GatherReason::Join, net);
            }
            Phase::Recovery(recovery) if recovery.attempt.is_abandoned_by(from, &join) => {
                self.enter_gather(GatherReason::Join, net);
            }
            _ => {}
        }
        self.record_join(from, join, net);
    }

    /// Takes what a peer says of who has left. Of one that answers nobody but itself is believed, but it is looked for.
    fn hear_of_departed(&mut self, from: Member, join: &Join, net: &mut Transport) {
        for left in &join.departed.0 {
            if left.member == from || net.alive(left.member.node) != Some(left.member) {
                self.note_departed(*left, net);
            } else {
                net.check_soon(&[left.member.node]);
            }
        }
    }

    fn record_join(&mut self, from: Member, join: Join, net: &mut Transport) {
        let Phase::Gather(gather) = &mut self.phase else { return };
        let stamp = join.stamp();
        let known = gather.heard.get(&from.node).filter(|known| known.member == from);
        if known.is_some_and(|known| known.stamp >= stamp) {
            return;
        }
        let heard = Heard { member: from, stamp, proposal: join.proposal };
        gather.heard.insert(from.node, heard);
        // It may not know of ours yet.
        if let Some(message) = self.join_message(net) {
            net.send(from.node, &message);
        }
        self.check_consensus(net);
    }

    /// Goes on if everybody in the proposal has made it.
    fn check_consensus(&mut self, net: &mut Transport) {
        let Phase::Gather(gather) = &self.phase else { return };
        let complete = gather.proposal.len() == self.settings.nodes;
        let listening = gather.listen_until.is_some_and(|until| until > net.now) && !complete;
        if listening || gather.settle_until.is_some_and(|until| until > net.now) {
            return;
        }
        if !gather.missing(self.me.node).is_empty() {
            return;
        }
        if gather.proposal.first().is_some_and(|lowest| *lowest == self.me) {
            let (members, stamps) = (gather.proposal.clone(), gather.stamps(self.me.node, self.round));
            self.start_commit(members, stamps, net);
        }
    }

    /// Who has just started has had time to be heard.
    pub(super) fn stop_listening(&mut self, net: &mut Transport) {
        if let Phase::Gather(gather) = &mut self.phase {
            gather.listen_until = None;
            self.check_consensus(net);
        }
    }

    /// The rows of those who are heard have had time to change.
    pub(super) fn stop_settling(&mut self, net: &mut Transport) {
        if let Phase::Gather(gather) = &mut self.phase {
            gather.settle_until = None;
            self.check_consensus(net);
        }
    }

    /// Who is in the proposal and has not agreed is left out for a while.
    pub(super) fn give_up_consensus(&mut self, net: &mut Transport) {
        let Phase::Gather(gather) = &self.phase else { return };
        for node in gather.missing(self.me.node) {
            net.withhold(node, self.settings.rejoin_hold);
        }
        self.note_failed_attempt(net);
        self.enter_gather(GatherReason::ConsensusExpired, net);
    }
}

#[cfg(test)]
mod tests;
