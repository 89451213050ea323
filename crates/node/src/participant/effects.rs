//! The one way out of a participant: whatever it wants done comes to lie in one queue, in order.

use std::collections::{BTreeMap, VecDeque};

use hac_types::{RingId, mutant};

use super::causes::Causes;
use crate::event::Place;
use crate::halves::{Down, Effect};
use crate::wire::{self, Message};
use crate::{Event, Level, Output, Persist, PersistId, Reply, RequestId, Told, parts};

/// See the [module documentation](self).
#[derive(Debug, Default)]
pub(super) struct Effects {
    queue: VecDeque<Effect>,
    counters: BTreeMap<&'static str, u64>,
    /// How many events were told.
    told: u64,
    /// Where the next one stands.
    place: Place,
    causes: Causes,
}

impl Effects {
    /// The next one.
    pub(super) fn next(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    /// Something for the ring half.
    pub(super) fn order(&mut self, order: Down) {
        self.queue.push_back(Effect::Down(order));
    }

    /// Something for the world.
    pub(super) fn output(&mut self, output: Output) {
        self.queue.push_back(Effect::Do(output));
    }

    /// Broadcasts, in parts if need be; what is too large for the ring is dropped and an error is logged.
    pub(super) fn broadcast(&mut self, message: &Message, level: hac_types::Level) {
        if let Some(pieces) = parts::cut(message, level) {
            pieces.into_iter().for_each(|piece| self.order(Down::Broadcast(piece)));
            return;
        }
        self.count("node.too_large");
        let limit = wire::WHOLE_MAX >> 20;
        self.remark(Level::Error, format!("a message above {limit} MiB is too large for the ring and is dropped"));
    }

    /// Answers a client.
    pub(super) fn reply(&mut self, id: RequestId, reply: Reply) {
        self.output(Output::Reply { id, reply });
    }

    /// Has something stored.
    pub(super) fn persist(&mut self, id: PersistId, what: Persist) {
        self.output(Output::Persist { id, what });
    }

    /// Something happened.
    pub(super) fn event(&mut self, event: Event) {
        self.told += 1;
        let cause = self.causes.of(&event, self.told);
        let place = self.place;
        self.place.nth += 1;
        self.output(Output::Event(Told { event, number: self.told, place, cause }));
    }

    /// What is told from now on follows this delivery of this ring; 0 is none yet.
    pub(super) fn follow(&mut self, ring: RingId, delivery: u64) {
        if delivery > 0 && mutant("place-kept") {
            return;
        }
        self.place = Place { ring, delivery, nth: 0 };
    }

    /// Something happened that is told in one sentence.
    pub(super) fn remark(&mut self, level: Level, text: impl Into<String>) {
        self.event(Event::Remark { level, text: text.into() });
    }

    /// Something happened that is only counted.
    pub(super) fn count(&mut self, name: &'static str) {
        let counter = self.counters.entry(name).or_default();
        *counter = counter.saturating_add(1);
    }

    /// What was counted, by name.
    pub(super) const fn counters(&self) -> &BTreeMap<&'static str, u64> {
        &self.counters
    }
}
