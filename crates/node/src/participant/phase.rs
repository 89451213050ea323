//! How far a node is: its phase, which owns what belongs to it, and the doubts that hold its effects back meanwhile.

use std::sync::Arc;

use hac_model::{Cib, Version};

use super::Participant;
use super::barrier::Barrier;
use super::coordinator::Coordinator;
use super::sign_of_life::SignOfLife;

/// How far the node is. What belongs to a phase is gone with it.
#[derive(Debug)]
pub(super) enum Phase {
    /// No regular view yet.
    Joining,
    /// Comparing states.
    Syncing(Barrier),
    /// Has the cluster's state and takes part.
    Active(Active),
    /// The membership is breaking up. What is delivered now is "maybe", if the node was active; if it was not, it means
    /// nothing.
    Breaking { was_active: bool },
    /// Has left.
    Left,
}

/// What a node that takes part has.
#[derive(Debug)]
pub(super) struct Active {
    /// If this node coordinates.
    pub(super) coordinator: Option<Coordinator>,
    /// The coordinator says that it is at work.
    pub(super) busy: bool,
    /// Whether the coordinator gives a sign of life.
    pub(super) sign: SignOfLife,
}

/// Why nothing that reaches outside begins, though the node is active.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubts {
    /// This process was not scheduled for a while and may no longer be a member.
    pub(super) paused: bool,
    /// The ring has not confirmed that the membership still holds.
    pub(super) unsure: bool,
    /// The arbiter has not said which of two nodes goes on.
    pub(super) undecided: bool,
}

impl Doubts {
    const fn any(self) -> bool {
        self.paused || self.unsure || self.undecided
    }
}

impl Participant {
    /// The state as people are to see it. What is carried out while a membership breaks up is "maybe": it is shown when it
    /// counts, and not before, so that nobody sees something that is taken back without a word.
    pub(crate) fn shown(&self) -> Arc<Cib> {
        match &self.shown {
            Some(before) if self.is_active() => {
                let present = &self.replica.cib;
                let version = Version { num_updates: present.version.num_updates, ..before.version };
                let configuration = before.configuration.clone();
                Arc::new(Cib { version, configuration, info: present.info.clone(), status: present.status.clone() })
            }
            Some(before) => Arc::clone(before),
            None => Arc::clone(&self.replica.cib),
        }
    }

    /// A membership is active: what was made while one broke up counts in it, or does so nowhere yet.
    pub(super) fn show_what_counts(&mut self) {
        if !self.replica.trail.iter().any(|mark| mark.passing) {
            self.shown = None;
        }
    }

    /// Whether this node has the cluster's state and its membership holds, as far as is known.
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// Whether this node has the cluster's state: it is active, or was until its membership began to break up.
    pub(super) const fn has_state(&self) -> bool {
        matches!(self.phase, Phase::Active(_) | Phase::Breaking { was_active: true })
    }

    /// Whether the membership is breaking up.
    pub(super) const fn is_breaking(&self) -> bool {
        matches!(self.phase, Phase::Breaking { .. })
    }

    /// Whether outside effects may follow from what is delivered now.
    pub(super) const fn acting(&self) -> bool {
        self.is_active() && !self.doubts.any() && !self.fenced
    }

    /// Whether the executor may begin what was ordered.
    pub(super) const fn may_begin(&self) -> bool {
        matches!(self.phase, Phase::Syncing(_) | Phase::Active(_)) && !self.doubts.any()
    }

    /// Whether what is delivered means something to this node.
    pub(super) const fn takes_part(&self) -> bool {
        matches!(self.phase, Phase::Syncing(_)) || self.has_state()
    }
}
