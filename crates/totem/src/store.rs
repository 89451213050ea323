//! The packets of one ring that this node has: numbered, possibly with gaps.

use std::collections::BTreeMap;

use hac_types::{NodeId, mutant};

use crate::wire::{Data, Recovered};

/// How far ahead of the first gap packets are kept. Bounds the memory a member can make us use.
pub(crate) const STORE_MAX: u64 = 16_384;

/// A packet with a number in this ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Messages sent in this ring.
    Data(Data),
    /// A packet of an earlier ring, sent again for those who lacked it.
    Recovered(Recovered),
}

impl Packet {
    /// Its number in the ring that carries it.
    pub(crate) fn seq(&self) -> u64 {
        match self {
            Self::Data(data) => data.seq,
            Self::Recovered(recovered) => recovered.seq,
        }
    }
}

/// Packets by number.
#[derive(Debug)]
pub(crate) struct Store {
    packets: BTreeMap<u64, Packet>,
    aru: u64,
    high: u64,
    delivered: u64,
    released: u64,
}

impl Store {
    /// An empty store in which the first packet has the number after `before`.
    pub(crate) fn after(before: u64) -> Self {
        Self { packets: BTreeMap::new(), aru: before, high: before, delivered: before, released: before }
    }

    /// Everything up to here was received.
    pub(crate) fn aru(&self) -> u64 {
        self.aru
    }

    /// The highest number received.
    pub(crate) fn high(&self) -> u64 {
        self.high
    }

    /// Everything up to here was delivered, or passed over.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Everything up to here was forgotten.
    pub(crate) fn released(&self) -> u64 {
        self.released
    }

    /// Packets kept.
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether a number was received, forgotten ones included.
    pub(crate) fn has(&self, seq: u64) -> bool {
        seq <= self.aru || self.packets.contains_key(&seq)
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Packet> {
        self.packets.get(&seq)
    }

    /// Takes a packet; whether it was new. Numbers too far ahead are refused.
    pub(crate) fn insert(&mut self, packet: Packet) -> bool {
        let seq = packet.seq();
        if self.has(seq) || seq > self.aru.saturating_add(STORE_MAX) {
            return false;
        }
        self.packets.insert(seq, packet);
        self.high = self.high.max(seq);
        while self.packets.contains_key(&(self.aru + 1)) {
            self.aru += 1;
        }
        true
    }

    /// Forgets delivered packets up to `seq`: every member has them.
    pub(crate) fn release(&mut self, seq: u64) {
        if mutant("nothing-forgotten") {
            return;
        }
        let seq = if mutant("released-too-early") { self.aru } else { seq };
        let seq = seq.min(self.delivered).min(self.aru);
        while self.released < seq {
            self.released += 1;
            self.packets.remove(&self.released);
        }
    }

    /// The next packet to deliver if it is there and, being safe, is known to be received by all up to `safe`.
    pub(crate) fn next_deliverable(&mut self, safe: u64) -> Option<&Packet> {
        let mut next = self.delivered + 1;
        if mutant("gap-delivered") {
            next = self.packets.range(next..).next().map_or(next, |(seq, _)| *seq);
        }
        match self.packets.get(&next)? {
            Packet::Data(data) if data.safe && next > safe && !mutant("safe-too-early") => None,
            packet => {
                self.delivered = next;
                Some(packet)
            }
        }
    }

    /// The next packet for the transitional view: in order without gap from anybody, after the first gap only from those
    /// who come along, because what others sent may depend on what is missing.
    pub(crate) fn next_remaining(&mut self, comes_along: impl Fn(NodeId) -> bool) -> Option<&Packet> {
        loop {
            let (seq, _) = self.packets.range(self.delivered + 1..).next()?;
            let seq = *seq;
            let gap = seq > self.aru;
            self.delivered = seq;
            match self.packets.get(&seq)? {
                Packet::Data(data) if gap && !comes_along(data.origin) && !mutant("gap-in-transition") => {}
                _ => break,
            }
        }
        self.packets.get(&self.delivered)
    }

    /// Packets of messages in `low < seq <= high` and above, for those who lack them.
    pub(crate) fn data_above(&self, low: u64) -> impl Iterator<Item = &Data> {
        self.packets.range(low.saturating_add(1)..).filter_map(|(_, packet)| match packet {
            Packet::Data(data) => Some(data),
            Packet::Recovered(_) => None,
        })
    }

    /// Numbers up to `limit` that are missing, lowest first.
    pub(crate) fn missing(&self, limit: u64) -> impl Iterator<Item = u64> {
        let end = limit.min(self.aru.saturating_add(STORE_MAX));
        (self.aru + 1..=end).filter(|seq| !self.packets.contains_key(seq))
    }
}

#[cfg(test)]
mod tests;
