//! Somebody who reads and writes everything on the network but has no key: what was recorded comes again, on its link or
//! on another, to its receiver or to another host, in its session or in a later one; and what was never said is made up.

use hac_types::LinkId;

use crate::{Datagram, Rng};

/// Recorded datagrams that are kept, hellos and others.
const KEPT: usize = 64;
/// One of so many datagrams that are no hellos is recorded.
const RECORD: u64 = 20;
/// One of so many arrivals is the occasion for an attack.
const OCCASION: u64 = 150;

/// The stream of the seed's random numbers that the attacker draws from.
const STREAM: u64 = 10;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostility {
    /// What was said once comes again.
    Replay,
    /// A datagram that no holder of the key has made.
    Forgery,
}

/// See the module.
#[derive(Debug)]
pub struct Attacker {
    rng: Rng,
    recorded: Vec<Datagram>,
    /// Hellos, which are rare, and could make a session of the past present again long after it.
    hellos: Vec<Datagram>,
    /// Datagrams of a node with another key.
    foreign: Vec<Vec<u8>>,
}

impl Attacker {
    /// Somebody who also has these datagrams of a node with another key.
    #[must_use]
    pub fn new(seed: u64, foreign: Vec<Vec<u8>>) -> Self {
        Self { rng: Rng::new(seed, STREAM), recorded: Vec::new(), hellos: Vec::new(), foreign }
    }

    /// Remembers some of what was accepted.
    pub fn record(&mut self, datagram: &Datagram) {
        let hello = datagram.is_hello();
        if !hello && self.rng.below(RECORD) > 0 {
            return;
        }
        let kept = if hello { &mut self.hellos } else { &mut self.recorded };
        if kept.len() < KEPT {
            kept.push(datagram.clone());
        } else if let Some(old) = usize::try_from(self.rng.below(KEPT as u64)).ok().and_then(|n| kept.get_mut(n)) {
            *old = datagram.clone();
        }
    }

    /// What is tried on the occasion of an arrival, before it is handed over.
    pub fn attack(&mut self, arrival: &Datagram) -> Option<(Hostility, Datagram)> {
        if self.rng.below(OCCASION) > 0 {
            return None;
        }
        if self.rng.chance(500) {
            return Some((Hostility::Forgery, self.forge(arrival)));
        }
        let kept = if self.rng.chance(500) { &self.hellos } else { &self.recorded };
        let mut replayed = self.rng.pick(kept)?.clone();
        match self.rng.below(4) {
            0 => replayed.to = arrival.to,
            1 => replayed.link = LinkId(1 - replayed.link.0.min(1)),
            _ => {}
        }
        Some((Hostility::Replay, replayed))
    }

    fn forge(&mut self, arrival: &Datagram) -> Datagram {
        let mut forged = arrival.clone();
        let bytes = &mut forged.bytes;
        match self.rng.below(6) {
            0 => bytes.truncate(usize::try_from(self.rng.below(bytes.len() as u64)).unwrap_or(0)),
            1 => bytes.push(0),
            2 => {
                // The body of another datagram behind this header, of the same length.
                if let Some(other) = self.rng.pick(&self.recorded)
                    && other.bytes.len() == bytes.len()
                    && other.bytes.get(Datagram::HEADER..) != bytes.get(Datagram::HEADER..)
                {
                    bytes.splice(Datagram::HEADER.., other.bytes.iter().skip(Datagram::HEADER).copied());
                } else {
                    self.flip(bytes);
                }
            }
            3 => {
                // A node without the key, which has seen how the cluster and its nodes are named.
                if let (Some(foreign), Some(name), Some(addresses)) =
                    (self.rng.pick(&self.foreign), bytes.get(Datagram::CLUSTER), bytes.get(Datagram::ADDRESSES))
                {
                    let mut made = foreign.clone();
                    made.splice(Datagram::CLUSTER, name.iter().copied());
                    made.splice(Datagram::ADDRESSES, addresses.iter().copied());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replayed_was_recorded_and_what_is_forged_was_never_sent() {
        let mut attacker = Attacker::new(1, vec![vec![0x66; 100]]);
        let sent: Vec<Datagram> = (0..200_u8)
            .map(|n| Datagram { from: 1, to: 2, link: LinkId(0), bytes: vec![n % 5; 100 + usize::from(n % 3)] })
            .collect();
        let (mut replays, mut forgeries) = (0, 0);
        for round in 0..100 {
            for datagram in &sent {
                attacker.record(datagram);
                match attacker.attack(datagram) {
                    Some((Hostility::Replay, replayed)) => {
                        replays += 1;
                        assert!(sent.iter().any(|known| known.bytes == replayed.bytes), "round {round}");
                    }
                    Some((Hostility::Forgery, forged)) => {
                        forgeries += 1;
                        assert_ne!(forged.bytes, datagram.bytes, "round {round}");
                    }
                    None => {}
                }
            }
        }
        assert!(replays > 20 && forgeries > 20, "{replays} {forgeries}");
    }
}
