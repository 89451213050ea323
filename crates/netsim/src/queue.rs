//! What is going to happen, in order of time; what happens at the same time, in the order in which it was arranged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hac_types::Timestamp;

/// Events to come.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    /// When, which in order, and where it lies.
    order: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    slots: Vec<Option<E>>,
    free: Vec<usize>,
    next: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Arranges an event.
    pub fn push(&mut self, at: Timestamp, event: E) {
        self.next += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(event);
        }
        self.order.push(Reverse((at, self.next, slot)));
    }

    /// When the next event is.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.order.peek().map(|&Reverse((at, ..))| at)
    }

    /// The next event, if it is not later than `until`.
    pub fn pop(&mut self, until: Timestamp) -> Option<(Timestamp, E)> {
        let &Reverse((at, _, slot)) = self.order.peek()?;
        if at > until {
            return None;
        }
        self.order.pop();
        self.free.push(slot);
        let event = self.slots.get_mut(slot)?.take()?;
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_then_of_arrangement() {
        let mut queue = Queue::default();
        let at = Timestamp::from_millis;
        for (time, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')] {
            queue.push(at(time), name);
        }
        assert_eq!(queue.pop(at(0)), None);
        let mut order = String::new();
        while let Some((_, name)) = queue.pop(at(4)) {
            order.push(name);
        }
        queue.push(at(5), 'e');
        while let Some((_, name)) = queue.pop(at(9)) {
            order.push(name);
        }
        assert_eq!(order, "abcde");
    }
}
