//! Operational: the token rotates, messages are numbered and delivered.

use std::time::Duration;

use hac_types::{RingId, Timestamp, mutant};

use crate::graph::Graph;
use crate::ring::Ring;
use crate::rotation::{HOLD_AFTER, HoldReason};
use crate::state::Phase;
use crate::store::Packet;
use crate::transport::Transport;
use crate::wire::{Data, Members, Message, Token};
use crate::{GatherReason, Guarantee, Notice};

/// First wait before the representative is asked again to let the token go.
const ASK_AGAIN: Duration = Duration::from_millis(15);

/// So many rotations before the representative would keep the token, it is asked not to.
const ASK_MARGIN: u32 = 5;

/// State of a ring in service.
#[derive(Debug, Default, Hash)]
pub(crate) struct Operational {
    /// A different membership that is possible, and when it is sought if it stays possible.
    growth: Option<(Members, Timestamp)>,
    /// When to ask again for the token, and the wait after that.
    ask: Option<(Timestamp, Duration)>,
}

impl Operational {
    /// When a larger membership is sought.
    pub(super) fn growth_at(&self) -> Option<Timestamp> {
        self.growth.as_ref().map(|(_, at)| *at)
    }

    /// When the token is asked for again.
    pub(super) fn ask_at(&self) -> Option<Timestamp> {
        self.ask.map(|(at, _)| at)
    }
}

impl Ring {
    /// The token has come.
    pub(crate) fn operational_token(&mut self, token: Token, net: &mut Transport) {
        let now = net.now;
        self.current.arrive(&token, now);
        if let Phase::Operational(operational) = &mut self.phase {
            operational.ask = None;
        }
        self.reassure(net);
        let idle = self.current.idle >= HOLD_AFTER && self.queue.is_empty();
        if idle && self.current.is_representative() {
            self.current.hold(token, now + self.settings.hold, HoldReason::Idle);
        } else if let Some(pause) = self.current.backoff() {
            self.current.hold(token, now + pause, HoldReason::Backoff);
        } else {
            self.operational_visit(token, net);
        }
        self.deliver(net);
    }

    /// After a pause, a token that comes after this node has passed one on shows that the others still take part in the
    /// ring with it. One that lay in the socket shows nothing; that another comes soon, none is to rest now.
    fn reassure(&mut self, net: &mut Transport) {
        let Some(since) = self.doubting else { return };
        if self.current.passed_at >= since {
            self.doubting = None;
            net.notice(Notice::PauseOver);
            return;
        }
        self.current.idle = 0;
        if !self.current.is_representative() {
            self.ask_for_token(ASK_AGAIN, net);
        }
    }

    /// Does what the token allows and passes it on. Alone, goes on until everything is delivered.
    pub(super) fn operational_visit(&mut self, mut token: Token, net: &mut Transport) {
        loop {
            let finished = self.send_messages(token, net);
            self.ask_for_small(net);
            if self.has_failed_to_receive(net.now) {
                return self.leave_to_others(net);
            }
            let Some(back) = self.current.pass(finished, self.settings.token_retransmit, net) else { break };
            self.current.arrive(&back, net.now);
            self.reassure(net);
            self.deliver(net);
            token = back;
            if self.queue.is_empty() && self.current.store.delivered() == self.current.store.high() {
                self.current.hold(token, net.now + self.settings.hold, HoldReason::Idle);
                break;
            }
        }
        self.deliver(net);
    }

    fn send_messages(&mut self, token: Token, net: &mut Transport) -> Token {
        let origin = self.me.node;
        let payload_max = net.payload_max(self.current.others());
        let mut visit = self.current.begin(token, self.settings.flow, self.queue.len(), net);
        while visit.allowance > 0
            && let Some((guarantee, payload)) = self.queue.next_packet(payload_max)
        {
            let safe = guarantee == Guarantee::Safe;
            let packet = |ring, seq| Packet::Data(Data { ring, seq, origin, safe, payload });
            self.current.send(&mut visit, packet, net);
        }
        self.current.finish(visit, self.queue.len(), net.now)
    }

    /// How long everybody has waited for packets that do not reach this node.
    fn stalled_for(&self, now: Timestamp) -> Duration {
        match &self.phase {
            Phase::Recovery(recovery) => recovery.rotation.stalled_for(now),
            _ => self.current.stalled_for(now),
        }
    }

    /// Before this node gives up, it asks for datagrams that may pass where larger ones do not.
    pub(crate) fn ask_for_small(&self, net: &mut Transport) {
        net.small_only = self.stalled_for(net.now) >= self.settings.token / 4;
    }

    /// Whether this node is to leave the ring to the others, because what they send does not reach it.
    pub(crate) fn has_failed_to_receive(&self, now: Timestamp) -> bool {
        self.stalled_for(now) >= self.settings.token
    }

    /// Leaves the ring to the others.
    pub(crate) fn leave_to_others(&mut self, net: &mut Transport) {
        net.notice(Notice::FailedToReceive);
        let rotation = match &self.phase {
            Phase::Recovery(recovery) => &recovery.rotation,
            _ => &self.current,
        };
        for node in rotation.others() {
            net.withhold(node, self.settings.rejoin_hold);
        }
        self.enter_gather(GatherReason::FailedToReceive, net);
    }

    /// There are messages to send: get the token going.
    pub(crate) fn operational_queued(&mut self, was_empty: bool, net: &mut Transport) {
        if self.queue.is_empty() {
            return;
        }
        if let Some(held) = self.current.held.take_if(|held| held.reason == HoldReason::Idle) {
            self.current.idle = 0;
            self.operational_visit(held.token, net);
            return;
        }
        if !was_empty || self.current.is_representative() {
            return;
        }
        // The representative may count a few rotations more than we do.
        if self.current.idle + ASK_MARGIN >= HOLD_AFTER {
            self.ask_for_token(ASK_AGAIN, net);
        } else if let Phase::Operational(operational) = &mut self.phase {
            operational.ask = operational.ask.or_else(|| Some((net.now + ASK_AGAIN, ASK_AGAIN * 2)));
        }
    }

    fn ask_for_token(&mut self, wait: Duration, net: &mut Transport) {
        net.send_all(self.current.others(), &Message::HoldCancel(self.current.ring));
        if let Phase::Operational(operational) = &mut self.phase {
            operational.ask = Some((net.now + wait, (wait * 2).min(self.settings.token_retransmit)));
        }
    }

    /// Somebody waits for the token.
    pub(crate) fn handle_hold_cancel(&mut self, ring: RingId, net: &mut Transport) {
        if ring != self.current.ring || !matches!(self.phase, Phase::Operational(_)) {
            return;
        }
        self.current.idle = 0;
        if let Some(held) = self.current.held.take_if(|held| held.reason == HoldReason::Idle) {
            self.operational_visit(held.token, net);
        } else if net.now.since(self.current.last_visit) >= ASK_AGAIN {
            // If the token was lost, ours may be the last copy.
            self.current.resend(self.settings.token_retransmit, true, net);
        }
    }

    /// Who is heard has changed.
    pub(crate) fn review_operational(&mut self, graph: &Graph, net: &mut Transport) {
        let members = self.current.members.clone();
        if !graph.is_connected(&members) {
            let reason = self.why_lost(&members, net);
            self.enter_gather(reason, net);
            return;
        }
        let possible = graph.membership().members;
        let Phase::Operational(operational) = &mut self.phase else { return };
        if possible == members || mutant("never-merges") {
            operational.growth = None;
        } else if possible.len() == self.settings.nodes {
            self.enter_gather(GatherReason::Merge, net);
        } else if operational.growth.as_ref().is_none_or(|(known, _)| *known != possible) {
            operational.growth = Some((possible, net.now + self.settings.merge));
        }
    }

    /// A larger membership has been possible for long enough.
    pub(super) fn merge(&mut self, net: &mut Transport) {
        self.enter_gather(GatherReason::Merge, net);
    }

    /// The token was asked for and has not come.
    pub(super) fn ask_again(&mut self, net: &mut Transport) {
        if let Phase::Operational(Operational { ask: Some((_, wait)), .. }) = self.phase {
            self.ask_for_token(wait, net);
        }
    }

    /// When the token of the ring in service is taken for lost. Alone a node has it always.
    pub(super) fn token_lost_at(&self) -> Option<Timestamp> {
        let waits = matches!(self.phase, Phase::Operational(_)) && self.current.members.len() > 1;
        waits.then(|| self.current.last_visit + self.settings.token)
    }

    pub(super) fn lose_token(&mut self, net: &mut Transport) {
        self.enter_gather(GatherReason::TokenLostOperational, net);
    }
}
