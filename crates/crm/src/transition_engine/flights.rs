//! Actions in flight: on which node each counts, and when it is given up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_types::Timestamp;

/// How many orders a node may have for each that it may carry out at one time: the next one is there when one ends, and
/// nobody waits for the way of a result to the coordinator and of an order back.
const QUEUED: usize = 8;

/// An action in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    /// When it was ordered, or last heard of.
    since: Timestamp,
    /// What it may take by itself.
    time: Duration,
    /// What was recorded of it in its node's place is on its way; until that is delivered its order may still arrive.
    given_up: bool,
}

/// What a node has to do.
#[derive(Debug, Default)]
struct Load {
    count: usize,
    /// When an action ended that another may have waited for.
    progress: Option<Timestamp>,
    /// Of those that are not given up, in order, so that who asks for the next timeout need not look through all: how long each
    /// may take, since when it is under way, and when it ends if nobody waits for another.
    times: BTreeSet<(Duration, usize)>,
    since: BTreeSet<(Timestamp, usize)>,
    ends: BTreeSet<(Timestamp, usize)>,
}

impl Load {
    fn add(&mut self, index: usize, flight: Flight) {
        if !flight.given_up {
            self.times.insert((flight.time, index));
            self.since.insert((flight.since, index));
            self.ends.insert((flight.since + flight.time, index));
        }
    }

    fn take(&mut self, index: usize, flight: Flight) {
        if !flight.given_up {
            self.times.remove(&(flight.time, index));
            self.since.remove(&(flight.since, index));
            self.ends.remove(&(flight.since + flight.time, index));
        }
    }

    /// When the next one should have ended, without the way there and back. Where they `queue`, each may have to wait for the one
    /// that takes longest until something ends there.
    fn timeout(&self, queue: bool) -> Option<Timestamp> {
        if !queue {
            return self.ends.first().map(|(at, _)| *at);
        }
        let (longest, since) = (self.times.last()?.0, self.since.first()?.0);
        Some(self.progress.unwrap_or(since).max(since) + longest)
    }
}

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Flights {
    all: BTreeMap<usize, (String, Flight)>,
    nodes: BTreeMap<String, Load>,
    /// What a node carries out at one time; 0 is no limit.
    node_action_limit: usize,
    /// Time for the way there and back, on top.
    delay: Duration,
}

impl Flights {
    pub(super) fn new(node_action_limit: usize, delay: Duration) -> Self {
        Self { all: BTreeMap::new(), nodes: BTreeMap::new(), node_action_limit, delay }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The actions, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = usize> {
        self.all.keys().copied()
    }

    /// The actions on this node.
    pub(super) fn on(&self, node: &str) -> impl Iterator<Item = usize> {
        self.all.iter().filter(move |(_, (at, _))| at == node).map(|(index, _)| *index)
    }

    /// Whether `node` has as many orders as it may have.
    pub(super) fn is_full(&self, node: &str) -> bool {
        self.node_action_limit > 0 && self.count(node) >= self.node_action_limit.saturating_mul(QUEUED)
    }

    /// How many are under way on `node`.
    pub(super) fn count(&self, node: &str) -> usize {
        self.nodes.get(node).map_or(0, |load| load.count)
    }

    /// The action begins; it may take `time` by itself.
    pub(super) fn begin(&mut self, now: Timestamp, index: usize, node: &str, time: Duration) {
        let flight = Flight { since: now, time, given_up: false };
        let before = self.all.insert(index, (node.to_owned(), flight));
        let fresh = before.is_none();
        if let Some((node, before)) = before
            && let Some(load) = self.nodes.get_mut(&node)
        {
            load.take(index, before);
        }
        let load = self.nodes.entry(node.to_owned()).or_default();
        load.count += usize::from(fresh);
        load.add(index, flight);
    }

    /// The action is otherwise from now on.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Flight)) {
        let Some((node, flight)) = self.all.get_mut(&index) else { return };
        let before = *flight;
        change(flight);
        if let Some(load) = self.nodes.get_mut(node) {
            load.take(index, before);
            load.add(index, *flight);
        }
    }

    /// The action was heard of, and may take `time` from now.
    pub(super) fn extend(&mut self, now: Timestamp, index: usize, time: Duration) {
        self.change(index, |flight| *flight = Flight { since: now, time, given_up: false });
    }

    /// The action is given up; it stays in flight until what is recorded of it has been delivered.
    pub(super) fn give_up(&mut self, index: usize) {
        self.change(index, |flight| flight.given_up = true);
    }

    pub(super) fn is_given_up(&self, index: usize) -> bool {
        self.all.get(&index).is_some_and(|(_, flight)| flight.given_up)
    }

    /// The result of an action arrived: another of its node may begin.
    pub(super) fn heard(&mut self, now: Timestamp, index: usize) {
        let Some((node, _)) = self.all.get(&index) else { return };
        if let Some(load) = self.nodes.get_mut(node).filter(|_| self.node_action_limit > 0) {
            load.progress = Some(now);
        }
    }

    /// The action ended.
    pub(super) fn end(&mut self, index: usize) {
        let Some((node, flight)) = self.all.remove(&index) else { return };
        if let Some(load) = self.nodes.get_mut(&node) {
            load.take(index, flight);
            load.count = load.count.saturating_sub(1);
            if load.count == 0 {
                self.nodes.remove(&node);
            }
        }
    }

    /// Those that should have ended by now.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<usize> {
        if self.timeout().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.deadlines().filter(|(_, at)| *at <= now).map(|(index, _)| index).collect()
    }

    /// When the next one should have ended.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        let next = self.nodes.values().filter_map(|load| load.timeout(self.node_action_limit > 0));
        next.min().map(|at| at + self.delay)
    }

    /// When each is given up. A node has more orders than it carries out at one time, how many of them is its own affair:
    /// until something ends there, each may have to wait for the one that takes longest.
    fn deadlines(&self) -> impl Iterator<Item = (usize, Timestamp)> {
        self.all.iter().filter(|(_, (_, flight))| !flight.given_up).map(|(index, (node, flight))| {
            let load = self.nodes.get(node);
            let queued = load.filter(|_| self.node_action_limit > 0);
            let time = queued.and_then(|load| load.times.last()).map_or(flight.time, |(time, _)| *time);
            let since = load.and_then(|load| load.progress).unwrap_or(flight.since).max(flight.since);
            (*index, since + time + self.delay)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_node_has_more_orders_than_it_carries_out_and_not_without_end() {
        let mut flights = Flights::new(2, DELAY);
        for index in 0..2 * QUEUED {
            assert!(!flights.is_full("a"));
            flights.begin(at(0), index, "a", Duration::from_secs(20));
        }
        assert!(flights.is_full("a") && !flights.is_full("b"));
        flights.end(0);
        assert!(!flights.is_full("a"));
    }

    #[test]
    fn who_waits_for_others_is_not_given_up_before_them() {
        let mut flights = Flights::new(1, DELAY);
        flights.begin(at(0), 0, "a", Duration::from_secs(300));
        flights.begin(at(0), 1, "a", Duration::from_secs(20));
        flights.begin(at(0), 2, "b", Duration::from_secs(20));
        assert_eq!(flights.overdue(at(80)), [2], "alone on its node");
        flights.give_up(2);
        assert!(flights.is_given_up(2) && flights.timeout() == Some(at(360)));
        flights.heard(at(300), 0);
        flights.end(0);
        assert_eq!((flights.overdue(at(379)), flights.overdue(at(380))), (vec![], vec![1]));
    }

    #[test]
    fn where_nobody_waits_the_end_of_another_gives_no_more_time() {
        let mut flights = Flights::new(0, DELAY);
        flights.begin(at(0), 0, "a", Duration::from_secs(300));
        flights.begin(at(0), 1, "a", Duration::from_secs(20));
        flights.heard(at(70), 0);
        flights.end(0);
        assert_eq!(flights.timeout(), Some(at(80)));
        flights.extend(at(75), 1, Duration::from_secs(20));
        assert_eq!(flights.timeout(), Some(at(155)));
    }

    #[test]
    fn the_next_timeout_is_the_first_of_all_whatever_happened_before() {
        let mut drawn = 7_u64;
        let mut draw = |below: u64| {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (drawn >> 33) % below
        };
        for limit in [0, 1, 3] {
            let mut flights = Flights::new(limit, DELAY);
            let mut timeouts = 0;
            for step in 0..3000 {
                let (index, time) = (draw(12) as usize, Duration::from_secs(draw(300)));
                match draw(6) {
                    0 | 1 => flights.begin(at(step), index, ["a", "b"][index % 2], time),
                    2 => flights.extend(at(step), index, time),
                    3 => flights.give_up(index),
                    4 => flights.heard(at(step), index),
                    _ => flights.end(index),
                }
                let first = flights.deadlines().map(|(_, at)| at).min();
                assert_eq!(flights.timeout(), first, "limit {limit}, step {step}");
                timeouts += usize::from(first.is_some());
            }
            assert!(timeouts > 1000, "nothing was under way");
        }
    }
}
