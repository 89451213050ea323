//! The two queues between the halves, and what both threads publish beside them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hac_node::{Assurance, Down, Up};
use hac_types::Timestamp;
use hac_udp::Counters;
use tokio::sync::mpsc;

use super::steps::Steps;
use crate::storage::Times;

/// Places of either queue, each for what is put in at one time. What does not fit stays with its sender, which has its own bound.
const PLACES: usize = 1024;

/// The cluster half's end.
pub(super) struct Above {
    /// Events of the ring half.
    pub(super) events: Arrivals<Up>,
    /// Orders for it.
    pub(super) orders: Way<Down>,
}

/// The ring half's end.
pub(super) struct Below {
    /// Orders of the cluster half.
    pub(super) orders: Arrivals<Down>,
    /// Events for it.
    pub(super) events: Way<Up>,
}

/// Both ends of both queues.
pub(super) fn channel() -> (Above, Below) {
    let (up, events) = mpsc::channel(PLACES);
    let (down, orders) = mpsc::channel(PLACES);
    let above = Above { events: Arrivals::of(events), orders: Way::of(down) };
    (above, Below { orders: Arrivals::of(orders), events: Way::of(up) })
}

/// The end of a queue at which its content arrives, in order.
pub(super) struct Arrivals<T> {
    places: mpsc::Receiver<Vec<T>>,
    /// What came together with what was taken.
    arrived: VecDeque<T>,
}

impl<T> Arrivals<T> {
    fn of(places: mpsc::Receiver<Vec<T>>) -> Self {
        Self { places, arrived: VecDeque::new() }
    }

    /// The next one; nothing if there will be none. Safe to be dropped.
    pub(super) async fn recv(&mut self) -> Option<T> {
        while self.arrived.is_empty() {
            self.arrived = self.places.recv().await?.into();
        }
        self.arrived.pop_front()
    }

    /// The next one, if it has arrived.
    pub(super) fn try_recv(&mut self) -> Option<T> {
        while self.arrived.is_empty() {
            self.arrived = self.places.try_recv().ok()?.into();
        }
        self.arrived.pop_front()
    }
}

/// A queue into which is put without waiting.
pub(super) struct Way<T> {
    places: mpsc::Sender<Vec<T>>,
    /// What has found no place yet, in order.
    rest: VecDeque<T>,
}

impl<T> Way<T> {
    fn of(places: mpsc::Sender<Vec<T>>) -> Self {
        Self { places, rest: VecDeque::new() }
    }

    /// Puts one in, behind all others, of which the other end hears by [`Self::push`]: it is woken once for several.
    pub(super) fn put(&mut self, value: T) {
        self.rest.push_back(value);
    }

    /// Puts in what waits, if there is room: all of it takes one place. One by one, the other end would run as soon as the first
    /// is there, find no more, and have to be woken anew.
    pub(super) fn push(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        match self.places.try_send(self.rest.drain(..).collect()) {
            // If nobody is at the other end any more, nothing has to be told.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(values)) => self.rest = values.into(),
        }
    }

    /// Waits until more can be put in; for ever if nothing waits. Safe to be dropped.
    pub(super) async fn room(&self) {
        if self.rest.is_empty() {
            return std::future::pending().await;
        }
        drop(self.places.reserve().await);
    }

    /// Whether something waits for room.
    pub(super) fn waits(&self) -> bool {
        !self.rest.is_empty() && !self.places.is_closed()
    }

    /// Goes on after [`Way::room`].
    pub(super) fn go_on(&mut self) {
        self.push();
    }
}

/// What the threads publish.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    changes: AtomicU64,
    until: AtomicU64,
    serves: AtomicBool,
    udp: Mutex<Counters>,
    shortcomings: Mutex<Vec<String>>,
    /// The ring's thread, step by step.
    pub(crate) ring: Steps,
    /// The cluster's thread, step by step.
    pub(crate) cluster: Steps,
    /// The longest plan, microseconds.
    pub(crate) longest_plan_us: AtomicU64,
    /// How long storing takes.
    pub(crate) storage: Arc<Times>,
}

impl Shared {
    /// Publishes an assurance. The count goes first, so that whoever reads the new time has the new count as well.
    pub(super) fn assure(&self, assurance: Assurance) {
        self.changes.store(assurance.changes, Ordering::SeqCst);
        self.until.store(assurance.until.as_nanos(), Ordering::SeqCst);
        self.serves.store(assurance.serves, Ordering::SeqCst);
    }

    /// What was published last.
    pub(super) fn assurance(&self) -> Assurance {
        let until = Timestamp::from_nanos(self.until.load(Ordering::SeqCst));
        let serves = self.serves.load(Ordering::SeqCst);
        Assurance { changes: self.changes.load(Ordering::SeqCst), until, serves }
    }

    /// Publishes what the sockets counted, unless somebody is just reading it.
    pub(crate) fn count(&self, counters: Counters) {
        if let Ok(mut udp) = self.udp.try_lock() {
            *udp = counters;
        }
    }

    /// What the sockets counted.
    pub(crate) fn udp(&self) -> Counters {
        *self.udp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This host does not allow something that was asked for. Not to be called when the threads are at work.
    pub(super) fn falls_short(&self, sentence: String) {
        tracing::warn!(target: "hacd::start", "{sentence}");
        self.shortcomings.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
    }

    /// What this host does not allow.
    pub(crate) fn shortcomings(&self) -> Vec<String> {
        self.shortcomings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_place_keeps_its_order() {
        let (mut above, mut below) = channel();
        for number in 0..2 * PLACES as u64 + 10 {
            above.orders.put(Down::Seen(number));
            if number % 2 == 1 {
                above.orders.push();
            }
        }
        assert!(above.orders.waits(), "what found no place");
        let mut taken = Vec::new();
        while taken.len() < 2 * PLACES + 10 {
            match below.orders.try_recv() {
                Some(Down::Seen(number)) => taken.push(number),
                _ => {
                    above.orders.room().await;
                    above.orders.go_on();
                }
            }
        }
        assert!(taken.is_sorted(), "{taken:?}");
    }

    #[test]
    fn an_assurance_is_read_as_it_was_published() {
        let shared = Shared::default();
        let assurance = Assurance { changes: 3, until: Timestamp::from_millis(5), serves: true };
        shared.assure(assurance);
        assert_eq!(shared.assurance(), assurance);
    }
}
