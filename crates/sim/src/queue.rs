//! What is going to happen, in order of time; what happens at the same time, in the order in which it was arranged.

use std::collections::BTreeMap;

use hac_types::Timestamp;

/// Events to come.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    events: BTreeMap<(Timestamp, u64), E>,
    next: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Arranges an event.
    pub fn push(&mut self, at: Timestamp, event: E) {
        self.next += 1;
        self.events.insert((at, self.next), event);
    }

    /// The next event, if it is not later than `until`.
    pub fn pop(&mut self, until: Timestamp) -> Option<(Timestamp, E)> {
        let entry = self.events.first_entry()?;
        if entry.key().0 > until {
            return None;
        }
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
