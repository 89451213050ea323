//! A sign of life of the coordinator. It keeps its place in the ring by what is below it; if nothing above goes on, or nothing
//! that it says arrives, nothing is decided any more, and nobody would take its place.
//!
//! Whoever hears a proposal and then nothing of the coordinator for a while asks it (`Impatient`, which means the same in the
//! barrier: I have waited long enough). The coordinator answers with how far it is. A member that has asked twice, with not a
//! word of the coordinator between, has proved to all who follow the stream that it is silent: they go on without it, as
//! they do in the barrier. Where nothing is proposed nobody asks.

use std::collections::BTreeSet;
use std::time::Duration;

use hac_types::{NodeId, Timestamp};

use super::{Participant, Phase};
use crate::Now;
use crate::wire::Body;

/// How long the coordinator may say nothing before it is asked, and again before it is asked a second time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of the coordinator of a view.
#[derive(Debug, Default)]
pub(super) struct SignOfLife {
    /// Since when it has been expected to say something, or was asked here.
    owed: Option<Timestamp>,
    /// Who has asked since it last said something: the same on all members.
    asked: BTreeSet<NodeId>,
}

impl Participant {
    /// Something was delivered while this node takes part: it may be a sign of life, or call for one.
    pub(super) fn note_sign_of_life(&mut self, now: Now, from: NodeId, body: &Body) {
        let Phase::Active(active) = &mut self.phase else { return };
        if self.replica.dc.is_none_or(|dc| dc.node == from) {
            active.sign = SignOfLife::default();
        } else if matches!(body, Body::Propose(_)) {
            active.sign.owed.get_or_insert(now.mono);
        }
    }

    /// A member asks the coordinator for a sign of life.
    pub(super) fn sign_of_life_wanted(&mut self, from: NodeId) {
        let Phase::Active(active) = &mut self.phase else { return };
        let Some(dc) = self.replica.dc.map(|dc| dc.node).filter(|dc| *dc != from) else { return };
        if let Some(coordinator) = &active.coordinator {
            let busy = coordinator.last_told();
            self.broadcast(Body::Progress { busy });
        } else if !active.sign.asked.insert(from) {
            self.exclude(from, vec![dc], "gives no sign of life as the coordinator");
        }
    }

    /// When the coordinator is to be asked.
    pub(super) fn sign_of_life_timeout(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Active(active) if self.acting() && !self.is_dc() => Some(active.sign.owed? + PATIENCE),
            _ => None,
        }
    }

    /// Asks the coordinator, if that is due.
    pub(super) fn ask_for_sign_of_life(&mut self, now: Now) {
        if self.sign_of_life_timeout().is_none_or(|at| now.mono < at) {
            return;
        }
        if let Phase::Active(active) = &mut self.phase {
            active.sign.owed = Some(now.mono);
        }
        self.broadcast(Body::Impatient);
    }
}
