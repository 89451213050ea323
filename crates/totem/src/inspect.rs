//! What an observer from outside can see of an engine: for checkers and tests, never for decisions.

use std::hash::{Hash, Hasher};
use std::mem;

use hac_types::{Member, RingId};

use crate::engine::Engine;
use crate::pack;
use crate::rotation::Rotation;
use crate::state::Phase;
use crate::store::STORE_MAX;

/// Where an engine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Agreeing on a membership.
    Gather,
    /// The commit token goes round.
    Commit,
    /// Exchanging what is missing from the old rings.
    Recovery,
    /// In service.
    Operational,
}

/// One ring as one member sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingInspection {
    /// Which.
    pub ring: RingId,
    /// Number of the last token acted upon; 0 before the first.
    pub token_seq: u64,
    /// All packets up to this one were received.
    pub received: u64,
    /// The highest packet received.
    pub high: u64,
    /// All packets up to this one are known to be received by all members.
    pub safe: u64,
    /// All packets up to this one were forgotten.
    pub released: u64,
    /// Packets kept.
    pub stored: usize,
}

/// An engine at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Where it stands.
    pub stage: Stage,
    /// The ring last installed; default before the first.
    pub installed: RingInspection,
    /// The ring about to be installed, in [`Stage::Recovery`].
    pub coming: Option<RingInspection>,
    /// Packets of the old ring that this node still has to send again.
    pub to_recover: usize,
    /// Messages waiting to be sent.
    pub queued: usize,
    /// Bytes waiting to be sent.
    pub queued_bytes: usize,
    /// A part of the first of them has been sent in the present ring.
    pub cut: bool,
    /// Packets sent in token visits since the start, those sent again included.
    pub sent: u64,
    /// Outputs not taken yet.
    pub outputs: usize,
}

impl Inspection {
    /// Most packets that may be kept of one ring.
    pub const STORED_MAX: u64 = 2 * STORE_MAX;
    /// Most messages that may wait.
    pub const QUEUED_MAX: usize = pack::QUEUE_MAX;
    /// Most bytes that may wait.
    pub const QUEUED_BYTES_MAX: usize = pack::QUEUE_BYTES_MAX;
}

impl RingInspection {
    fn of(rotation: &Rotation) -> Self {
        Self {
            ring: rotation.ring,
            token_seq: rotation.token_seen(),
            received: rotation.store.aru(),
            high: rotation.store.high(),
            safe: rotation.safe,
            released: rotation.store.released(),
            stored: rotation.store.len(),
        }
    }
}

impl Engine {
    /// What can be seen from outside.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let ring = &self.ring;
        let (stage, coming, to_recover) = match &ring.phase {
            Phase::Gather(_) => (Stage::Gather, None, 0),
            Phase::Commit(_) => (Stage::Commit, None, 0),
            Phase::Recovery(recovery) => {
                (Stage::Recovery, Some(RingInspection::of(&recovery.rotation)), recovery.to_send())
            }
            Phase::Operational(_) => (Stage::Operational, None, 0),
        };
        Inspection {
            stage,
            installed: RingInspection::of(&ring.current),
            coming,
            to_recover,
            queued: ring.queue.len(),
            queued_bytes: ring.queue.bytes(),
            cut: ring.queue.is_cut(),
            sent: self.net.stats.packets_sent + self.net.stats.retransmissions,
            outputs: self.net.outputs.len(),
        }
    }

    /// The ring for which this node has taken part in the commit rotation, and its members, until it is installed or
    /// given up.
    #[must_use]
    pub fn attempt(&self) -> Option<(RingId, &[Member])> {
        let attempt = match &self.ring.phase {
            Phase::Commit(attempt) => attempt,
            Phase::Recovery(recovery) => &recovery.attempt,
            Phase::Gather(_) | Phase::Operational(_) => return None,
        };
        Some((attempt.ring, &attempt.members))
    }

    /// A number that changes when the state of the protocol does: rings, sessions, who is heard. Counters of what was
    /// refused, and offers of sessions that nobody has proven, are not part of it.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = Digest(0xcbf2_9ce4_8422_2325);
        self.ring.outline(&mut digest);
        self.net.outline(&mut digest);
        digest.finish()
    }
}

/// A hash that is the same on all machines, of what is written in words of eight bytes.
struct Digest(u64);

impl Hasher for Digest {
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl crate::ring::Ring {
    fn outline(&self, out: &mut Digest) {
        (self.ring_seq_high, self.ring_seq_used, self.round, self.attempts, self.doubting).hash(out);
        (self.queue.len(), self.queue.bytes(), self.unpacking.delivered).hash(out);
        (&self.settled, &self.departed).hash(out);
        self.current.outline(out);
        mem::discriminant(&self.phase).hash(out);
        match &self.phase {
            Phase::Gather(gather) => gather.hash(out),
            Phase::Commit(attempt) => attempt.hash(out),
            Phase::Operational(operational) => operational.hash(out),
            Phase::Recovery(recovery) => {
                (&recovery.attempt, recovery.to_send()).hash(out);
                recovery.rotation.outline(out);
            }
        }
    }
}
