//! What every engine did and was given, in its own order: the evidence for the checkers.

use std::collections::BTreeMap;

use hac_totem::{Delivery, Guarantee};
use hac_types::{Incarnation, NodeId, RingId, View, ViewKind};

/// A message of an application: who sent it, in which life, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The host that sent it.
    pub host: u32,
    /// In which life.
    pub life: u64,
    /// Counts from 1.
    pub number: u64,
}

impl Message {
    /// The message as bytes, with so much that only fills, and a sum over all of it.
    #[must_use]
    pub fn encode(self, filling: u64) -> Vec<u8> {
        let filling = usize::try_from(filling).unwrap_or(0);
        let mut bytes = Vec::with_capacity(filling + 32);
        for part in [u64::from(self.host), self.life, self.number] {
            bytes.extend_from_slice(&part.to_le_bytes());
        }
        let end = bytes.len() + filling;
        while bytes.len() < end {
            let rest = FILLING.len().min(end - bytes.len());
            bytes.extend_from_slice(&FILLING[..rest]);
        }
        bytes.extend_from_slice(&sum(&bytes).to_le_bytes());
        bytes
    }

    /// The bytes as a message, if they are one to the last.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, tail) = bytes.split_last_chunk::<8>()?;
        if u64::from_le_bytes(*tail) != sum(body) {
            return None;
        }
        let part = |n: usize| {
            let bytes = body.get(n * 8..n * 8 + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        Some(Self { host: u32::try_from(part(0)?).ok()?, life: part(1)?, number: part(2)? })
    }
}

/// What fills messages; its length is prime, so that pieces of a message differ.
const FILLING: [u8; 251] = {
    let mut filling = [0; 251];
    let mut at = 1;
    while at < filling.len() {
        filling[at] = filling[at - 1] + 1;
        at += 1;
    }
    filling
};

fn sum(bytes: &[u8]) -> u64 {
    let absorb = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(7, |sum, word| absorb(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| absorb(sum, u64::from(*byte)))
}

/// Something an engine did or was given.
#[derive(Clone, Debug)]
pub enum Item {
    /// Its application sent this.
    Sent {
        /// What.
        message: Message,
        /// With which promise.
        guarantee: Guarantee,
    },
    /// A membership.
    View(View),
    /// A message; `None` if it is not one that anybody sent.
    Delivered {
        /// In which ring.
        ring: RingId,
        /// At which position.
        seq: u64,
        /// From whom, as the ring says.
        origin: NodeId,
        /// With which promise.
        guarantee: Guarantee,
        /// In a transitional view.
        transitional: bool,
        /// What.
        message: Option<Message>,
    },
    /// It died, or left.
    Died,
}

impl Item {
    /// A delivery.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        Self::Delivered {
            ring: delivery.ring,
            seq: delivery.seq,
            origin: delivery.origin,
            guarantee: delivery.guarantee,
            transitional: delivery.transitional,
            message: Message::decode(&delivery.payload),
        }
    }
}

/// One life of one engine.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// What it did and was given, in order.
    pub items: Vec<Item>,
}

/// All lives of all engines, by host and life.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// See [`Process`].
    pub processes: BTreeMap<(u32, u64), Process>,
}

impl History {
    /// A life begins.
    pub fn begin(&mut self, host: u32, life: u64, incarnation: Incarnation) {
        self.processes.insert((host, life), Process { incarnation, items: Vec::new() });
    }

    /// The view that a life is in.
    #[must_use]
    pub fn view_of(&self, host: u32, life: u64) -> Option<&View> {
        let process = self.processes.get(&(host, life))?;
        process.items.iter().rev().find_map(|item| match item {
            Item::View(view) if view.kind == ViewKind::Regular => Some(view),
            _ => None,
        })
    }

    /// How many views a life has been in.
    #[must_use]
    pub fn views(&self, host: u32, life: u64) -> usize {
        let regular = |item: &&Item| matches!(item, Item::View(view) if view.kind == ViewKind::Regular);
        self.processes.get(&(host, life)).map_or(0, |process| process.items.iter().filter(regular).count())
    }

    /// Something happened in a life.
    pub fn record(&mut self, host: u32, life: u64, item: Item) {
        if let Some(process) = self.processes.get_mut(&(host, life)) {
            process.items.push(item);
        }
    }
}
