//! What is interesting when it happens, and must happen in a run of many seeds: otherwise the world is too kind to prove
//! anything.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_totem::{Delivery, GatherReason, Guarantee, Inspection, Notice, Stage};
use hac_types::{View, ViewKind};

/// Datagrams of this size pass everywhere.
const FLOOR: u16 = 1200;

/// What must happen in a run of many seeds.
pub const COVERAGE: &[&str] = &[
    "gather: a member fell silent",
    "gather: a member left",
    "gather: a member restarted",
    "gather: a proposal",
    "gather: consensus expired",
    "gather: merge",
    "gather: token lost in commit",
    "gather: token lost in recovery",
    "gather: token lost in service",
    "messages recovered from an old ring",
    "more messages recovered than one rotation carries",
    "a transitional view",
    "a transitional view without everybody",
    "a message delivered in a transitional view",
    "a safe message delivered in a transitional view",
    "a message cut by a view change",
    "a message too large for a packet",
    "flow control held messages back",
    "a pause noticed",
    "a pause longer than the token timeout",
    "a pause that changed nothing",
    "a link down while the node is up",
    "a path became narrow",
    "a false suspicion",
    "one-way cut",
    "numbers beyond 2^32",
    "more than eight nodes",
];

/// Counts what happens.
#[derive(Clone, Debug, Default)]
pub struct Sometimes {
    /// How often each thing happened.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Sometimes {
    /// It happened.
    pub fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    pub(super) fn notice(&mut self, notice: &Notice, token: Duration) {
        match notice {
            Notice::GatherEntered { reason } => self.count(reason_name(*reason)),
            Notice::PauseDetected { paused } => {
                self.count("a pause noticed");
                if *paused > token {
                    self.count("a pause longer than the token timeout");
                }
            }
            Notice::PauseOver => self.count("a pause that changed nothing"),
            Notice::LinkDown { .. } => self.count("a link down while the node is up"),
            Notice::PathMtu { datagram_max, .. } if *datagram_max <= FLOOR => self.count("a path became narrow"),
            Notice::Returned { .. } => self.count("a false suspicion"),
            Notice::NoStableMembership { .. } => self.count("an attempt failed several times"),
            _ => {}
        }
    }

    pub(super) fn view(&mut self, view: &View) {
        if view.kind == ViewKind::Transitional {
            self.count("a transitional view");
            if !view.left.is_empty() {
                self.count("a transitional view without everybody");
            }
        } else if view.members.len() > 8 {
            self.count("more than eight nodes");
        }
    }

    pub(super) fn delivery(&mut self, delivery: &Delivery) {
        if delivery.transitional {
            self.count("a message delivered in a transitional view");
            if delivery.guarantee == Guarantee::Safe {
                self.count("a safe message delivered in a transitional view");
            }
        }
        if delivery.payload.len() > 1500 {
            self.count("a message too large for a packet");
        }
    }

    /// Before and after an event in an engine.
    pub(super) fn step(&mut self, before: &Inspection, after: &Inspection, window: usize) {
        if before.stage != Stage::Recovery && after.stage == Stage::Recovery && after.to_recover > 0 {
            self.count("messages recovered from an old ring");
            if after.to_recover > window {
                self.count("more messages recovered than one rotation carries");
            }
        }
        if before.installed.ring != after.installed.ring {
            if before.cut {
                self.count("a message cut by a view change");
            }
            if after.installed.token_seq >> 32 > 0 {
                self.count("numbers beyond 2^32");
            }
        }
        if after.sent > before.sent && after.queued > 0 && after.stage == Stage::Operational {
            self.count("flow control held messages back");
        }
    }
}

/// A name to count a reason by.
const fn reason_name(reason: GatherReason) -> &'static str {
    match reason {
        GatherReason::Startup => "gather at the start",
        GatherReason::TokenLostOperational => "gather: token lost in service",
        GatherReason::TokenLostCommit => "gather: token lost in commit",
        GatherReason::TokenLostRecovery => "gather: token lost in recovery",
        GatherReason::ConsensusExpired => "gather: consensus expired",
        GatherReason::Silence => "gather: a member fell silent",
        GatherReason::Leave => "gather: a member left",
        GatherReason::Restart => "gather: a member restarted",
        GatherReason::Merge => "gather: merge",
        GatherReason::Join => "gather: a proposal",
        GatherReason::FailedToReceive => "gather: failed to receive",
        GatherReason::Excluded => "gather: going on without a member",
        GatherReason::Level => "gather: another level",
    }
}
