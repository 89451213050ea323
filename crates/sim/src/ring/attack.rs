//! Hostile datagrams. REPLAY-1: what was recorded, in this session or an earlier one, and comes again, on its link or on
//! another, to its receiver or to another node, changes no state. FORGE-1: nor does what was changed on the way, or made
//! without the key.

use hac_totem::{AuthKey, Engine, Output, Stored};
use hac_types::{Incarnation, LinkId, NodeId, Timestamp};

use crate::check::Violation;
use crate::rng::Rng;

/// Recorded datagrams that are kept, hellos and others.
const KEPT: usize = 64;
/// One of so many datagrams that are no hellos is recorded.
const RECORD: u64 = 20;
/// One of so many arrivals is the occasion for an attack.
const OCCASION: u64 = 150;
/// Where the header has its class, and the class of hello.
const CLASS: usize = 6;
const HELLO: u8 = 0;
/// Where the header names the cluster.
const CLUSTER: std::ops::Range<usize> = 8..12;
/// Bytes of the header.
const HEADER: usize = 38;

/// A datagram as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) to: u32,
    pub(super) link: LinkId,
    pub(super) from: NodeId,
    pub(super) datagram: Vec<u8>,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Replay,
    Forgery,
}

impl Kind {
    pub(super) const fn property(self) -> &'static str {
        match self {
            Self::Replay => "REPLAY-1",
            Self::Forgery => "FORGE-1",
        }
    }
}

/// Somebody who reads and writes everything on the network but has no key.
#[derive(Debug)]
pub(super) struct Attacker {
    rng: Rng,
    recorded: Vec<Arrival>,
    /// Hellos, which are rare, and could make a session of the past present again long after it.
    hellos: Vec<Arrival>,
    /// Datagrams of a node with another key.
    foreign: Vec<Vec<u8>>,
}

impl Attacker {
    pub(super) fn new(seed: u64, config: hac_totem::Config) -> Self {
        Self { rng: Rng::new(seed, 10), recorded: Vec::new(), hellos: Vec::new(), foreign: foreign(config) }
    }

    /// Remembers some of what a node has accepted.
    pub(super) fn record(&mut self, arrival: &Arrival) {
        let hello = arrival.datagram.get(CLASS) == Some(&HELLO);
        if !hello && self.rng.below(RECORD) > 0 {
            return;
        }
        let kept = if hello { &mut self.hellos } else { &mut self.recorded };
        if kept.len() < KEPT {
            kept.push(arrival.clone());
        } else if let Some(old) = usize::try_from(self.rng.below(KEPT as u64)).ok().and_then(|n| kept.get_mut(n)) {
            *old = arrival.clone();
        }
    }

    /// What is tried on the occasion of an arrival, before it is handed over.
    pub(super) fn attack(&mut self, arrival: &Arrival) -> Option<(Kind, Arrival)> {
        if self.rng.below(OCCASION) > 0 {
            return None;
        }
        if self.rng.chance(500) {
            return Some((Kind::Forgery, self.forge(arrival)));
        }
        let kept = if self.rng.chance(500) { &self.hellos } else { &self.recorded };
        let mut replayed = self.rng.pick(kept)?.clone();
        match self.rng.below(4) {
            0 => replayed.to = arrival.to,
            1 => replayed.link = LinkId(1 - replayed.link.0.min(1)),
            _ => {}
        }
        Some((Kind::Replay, replayed))
    }

    fn forge(&mut self, arrival: &Arrival) -> Arrival {
        let mut forged = arrival.clone();
        let bytes = &mut forged.datagram;
        match self.rng.below(6) {
            0 => bytes.truncate(usize::try_from(self.rng.below(bytes.len() as u64)).unwrap_or(0)),
            1 => bytes.push(0),
            2 => {
                // The body of another datagram behind this header, of the same length.
                if let Some(other) = self.rng.pick(&self.recorded)
                    && other.datagram.len() == bytes.len()
                    && other.datagram.get(HEADER..) != bytes.get(HEADER..)
                {
                    bytes.splice(HEADER.., other.datagram.iter().skip(HEADER).copied());
                } else {
                    self.flip(bytes);
                }
            }
            3 => {
                // A node without the key, which has seen how the cluster is named.
                if let (Some(foreign), Some(name)) = (self.rng.pick(&self.foreign), bytes.get(CLUSTER)) {
                    let mut made = foreign.clone();
                    made.splice(CLUSTER, name.iter().copied());
                    made.splice(12..20, bytes.iter().skip(12).take(8).copied().collect::<Vec<_>>());
                    *bytes = made;
                } else {
                    self.flip(bytes);
                }
            }
            _ => self.flip(bytes),
        }
        forged
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let at = usize::try_from(self.rng.below(bytes.len() as u64)).unwrap_or(0);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.rng.below(8);
        }
    }
}

/// What a node says that has the same configuration and another key.
fn foreign(mut config: hac_totem::Config) -> Vec<Vec<u8>> {
    let (Ok(key), now) = (AuthKey::new(vec![0x66; 64]), Timestamp::from_millis(1)) else { return Vec::new() };
    config.authkey = key;
    let stored = Stored { ring_seq: 0, incarnation: Incarnation(1) };
    let Ok(mut engine) = Engine::new(config, stored, [9; 32], now) else { return Vec::new() };
    let mut datagrams = Vec::new();
    while let Some(output) = engine.poll_output() {
        if let Output::Transmit { datagram, .. } = output {
            datagrams.push(datagram);
        }
    }
    datagrams
}

/// Tries it on an engine that has nothing else to do at this moment. Gives back what it sends in answer. What it did is
/// judged if it is `checking`.
pub(super) fn attempt(
    engine: &mut Engine,
    now: Timestamp,
    kind: Kind,
    hostile: &Arrival,
    checking: bool,
) -> Result<Vec<Output>, Violation> {
    let before = checking.then(|| engine.digest());
    let result = engine.handle_datagram(now, hostile.link, hostile.from, &hostile.datagram);
    let outputs: Vec<Output> = std::iter::from_fn(|| engine.poll_output()).collect();
    let broken = |text: String| Err(Violation::new(kind.property(), text));
    let (to, from, length) = (hostile.to, hostile.from, hostile.datagram.len());
    let what = format!("{kind:?} of {length} bytes from node{from} to node{to}");
    if before.is_some_and(|before| engine.digest() != before) {
        return broken(format!("{what} changed the state; the answer was {result:?}"));
    }
    let hello = hostile.datagram.get(CLASS) == Some(&HELLO);
    if result.is_ok() && (kind == Kind::Forgery || !hello) {
        return broken(format!("{what} was accepted"));
    }
    let harmless = |output: &Output| match output {
        // A hello that was heard before is answered by another hello, which is no larger.
        Output::Transmit { datagram, .. } => {
            kind == Kind::Replay && datagram.get(CLASS) == Some(&HELLO) && datagram.len() <= length
        }
        Output::Notice(_) => true,
        _ => false,
    };
    if outputs.iter().all(harmless) { Ok(outputs) } else { broken(format!("{what} caused {outputs:?}")) }
}
