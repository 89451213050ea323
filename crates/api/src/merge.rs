//! What several nodes told, as one sequence: sorted by the place in the ordered stream, so that no clock is asked; what more
//! than one node told of the same delivery is one entry.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Event, Place};

/// Longest chain that is followed.
const CHAIN: usize = 1000;

/// An event, and who told it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The event, as one of them told it: one that knows why, if any does.
    #[serde(flatten)]
    pub event: Event,
    /// The nodes.
    pub nodes: Vec<String>,
    /// The ids that it has on the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The causes that they know.
    #[serde(skip)]
    causes: Vec<String>,
}

/// The merged journals.
#[derive(Debug, Default)]
pub struct Merged {
    /// In order.
    pub entries: Vec<Entry>,
    /// Sentences about what is not in them.
    pub missing: Vec<String>,
    by_id: BTreeMap<String, usize>,
}

impl Entry {
    fn of(event: Event) -> Self {
        let (nodes, causes) = (vec![event.node.clone()], event.cause.iter().cloned().collect());
        Self { event, nodes, also: Vec::new(), causes }
    }

    /// Somebody else told it too.
    fn join(&mut self, event: Event) {
        self.nodes.push(event.node.clone());
        self.causes.extend(event.cause.clone());
        // One that knows why stands for all.
        let other = if self.event.cause.is_none() && event.cause.is_some() {
            std::mem::replace(&mut self.event, event)
        } else {
            event
        };
        self.also.push(other.id);
    }
}

/// What was told of one delivery, in order: what several nodes told in the same words is one entry, behind all that any of them
/// told before it.
fn folded(told: Vec<Event>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    // For each what stands before it, and by node what it told last.
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    let mut known: BTreeMap<(String, String), usize> = BTreeMap::new();
    for event in told {
        let key = (event.kind.clone(), event.text.clone());
        let own = last.get(&event.node).copied();
        let same = known.get(&key).copied().filter(|&at| {
            let unsaid = entries.get(at).is_some_and(|entry| !entry.nodes.contains(&event.node));
            // Two that tell the same two things in another order told four things.
            unsaid && own.is_none_or(|own| own != at && !leads(&before, at, own))
        });
        let node = event.node.clone();
        let at = same.unwrap_or(entries.len());
        match entries.get_mut(at) {
            Some(entry) => entry.join(event),
            None => {
                entries.push(Entry::of(event));
                before.push(BTreeSet::new());
                known.insert(key, at);
            }
        }
        if let (Some(own), Some(before)) = (own, before.get_mut(at)) {
            before.insert(own);
        }
        last.insert(node, at);
    }
    let mut entries: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(entries.len());
    for at in 0..entries.len() {
        put(at, &before, &mut entries, &mut sorted);
    }
    sorted
}

/// Whether one stands before the other, by what stands before each.
fn leads(before: &[BTreeSet<usize>], one: usize, other: usize) -> bool {
    let (mut seen, mut rest) = (BTreeSet::new(), vec![other]);
    while let Some(at) = rest.pop() {
        if at == one {
            return true;
        }
        if seen.insert(at) {
            rest.extend(before.get(at).into_iter().flatten());
        }
    }
    false
}

/// Puts an entry behind those that stand before it.
fn put(at: usize, before: &[BTreeSet<usize>], entries: &mut [Option<Entry>], sorted: &mut Vec<Entry>) {
    // Deep is only what one delivery made a node tell; a stack of its own bounds it all the same.
    let mut stack = vec![at];
    while let Some(&top) = stack.last() {
        let waits =
            before.get(top).into_iter().flatten().find(|&&other| entries.get(other).is_some_and(Option::is_some));
        match waits {
            Some(&other) if entries.get(top).is_some_and(Option::is_some) => stack.push(other),
            _ => {
                sorted.extend(entries.get_mut(top).and_then(Option::take));
                stack.pop();
            }
        }
    }
}

/// The life of the node in which an event was told.
fn life(event: &Event) -> u64 {
    event.id.split('.').nth(1).and_then(|life| u64::from_str_radix(life, 16).ok()).unwrap_or(0)
}

/// Each event with its place. What a node told later stands later: a life that begins with the number of a ring that the
/// one before was in does so behind it.
fn placed(mut events: Vec<Event>) -> Vec<(Place, Event)> {
    events.sort_by(|a, b| (&a.node, life(a), a.seq).cmp(&(&b.node, life(b), b.seq)));
    let mut placed: Vec<(Place, Event)> = Vec::with_capacity(events.len());
    for event in events {
        let own = event.place.unwrap_or_default();
        let before = placed.last().filter(|(_, before)| before.node == event.node).map(|(place, _)| *place);
        placed.push((before.map_or(own, |before| before.max(own)), event));
    }
    // Stable: what one node told at one place stays in its order.
    placed.sort_by(|(one, a), (other, b)| (one, &a.node).cmp(&(other, &b.node)));
    placed
}

impl Merged {
    /// Merges what the nodes told. What they could not tell is said by the caller, in `missing`.
    pub fn take(&mut self, events: Vec<Event>) {
        let of = |place: &Place| (place.ring, place.representative, place.life, place.delivery);
        let mut rest = placed(events).into_iter().peekable();
        while let Some((place, first)) = rest.next() {
            let mut told = vec![first];
            while let Some((_, event)) = rest.next_if(|(next, _)| of(next) == of(&place)) {
                told.push(event);
            }
            // Before the first ring of a life nothing is delivered to several.
            let entries =
                if place.representative > 0 { folded(told) } else { told.into_iter().map(Entry::of).collect() };
            for entry in entries {
                let index = self.entries.len();
                let ids = entry.also.iter().chain([&entry.event.id]).cloned();
                self.by_id.extend(ids.map(|id| (id, index)));
                self.entries.push(entry);
            }
        }
    }

    /// Where the event of this id stands in `entries`.
    #[must_use]
    pub fn index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// What an entry follows from. A decision is a better answer than what it was made because of, which is all that members
    /// know that did not make it.
    #[must_use]
    pub fn cause(&self, entry: &Entry) -> Option<&Entry> {
        let mut known = entry.causes.iter().filter_map(|id| self.of(id));
        let first = known.next()?;
        let decision = |entry: &&Entry| entry.event.kind == "transition";
        Some(if decision(&first) { first } else { known.find(decision).unwrap_or(first) })
    }

    fn of(&self, id: &str) -> Option<&Entry> {
        self.entries.get(*self.by_id.get(id)?)
    }

    /// The event of this id and what led to it, the latest first; `None` if nobody has it.
    #[must_use]
    pub fn chain(&self, id: &str) -> Option<Vec<&Entry>> {
        let mut chain = vec![self.of(id)?];
        while chain.len() < CHAIN
            && let Some(before) = chain.last().and_then(|entry| self.cause(entry))
            && !chain.iter().any(|entry| entry.event.id == before.event.id)
        {
            chain.push(before);
        }
        Some(chain)
    }

    /// The last transition of this number, what led to it and what followed from it, in order.
    #[must_use]
    pub fn around(&self, number: u64) -> Option<Vec<&Entry>> {
        let is_it = |entry: &&Entry| {
            entry.event.kind == "transition"
                && entry.event.details.get("number").and_then(serde_json::Value::as_u64) == Some(number)
        };
        let it = self.entries.iter().rev().find(is_it)?;
        let before = self.chain(&it.event.id)?;
        let concerns = |entry: &&Entry| {
            before.iter().any(|other| other.event.id == entry.event.id) || self.follows(entry, &it.event.id)
        };
        Some(self.entries.iter().filter(concerns).collect())
    }

    /// Whether an event follows from a decision, before another one was made because of it.
    fn follows(&self, entry: &Entry, decision: &str) -> bool {
        let mut at = entry;
        for _ in 0..CHAIN {
            if at.event.kind == "transition" {
                return false;
            }
            match self.cause(at) {
                Some(before) if before.event.id == decision => return true,
                Some(before) => at = before,
                None => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Told by a node at a place of ring 8, with a cause.
    fn told(node: &str, seq: u64, delivery: u64, kind: &str, text: &str, cause: Option<u64>) -> Event {
        let id = |seq: u64| format!("{node}.1.{seq}");
        Event {
            seq,
            id: id(seq),
            node: node.to_owned(),
            kind: kind.to_owned(),
            text: text.to_owned(),
            // Clocks that say the opposite of what happened.
            time_ms: if node == "a" { 1000 } else { 0 },
            place: Some(Place { ring: 8, representative: 1, delivery, ..Place::default() }),
            cause: cause.map(id),
            details: serde_json::json!({ "number": 7 }),
            ..Event::default()
        }
    }

    fn merged() -> Merged {
        let mut merged = Merged::default();
        merged.take(vec![
            told("b", 1, 0, "view", "new membership", None),
            told("b", 2, 3, "operation", "IP_start_0 begins on b", None),
            told("b", 3, 4, "result", "IP_start_0 on b ended", Some(2)),
            told("a", 1, 0, "view", "new membership", None),
            told("a", 2, 2, "transition", "transition 7", Some(1)),
            told("a", 3, 3, "operation", "IP_start_0 begins on b", Some(2)),
            told("a", 4, 4, "result", "IP_start_0 on b ended", Some(3)),
            told("a", 5, 4, "remark", "something else", None),
        ]);
        merged
    }

    fn texts(entries: &[&Entry]) -> Vec<String> {
        entries.iter().map(|entry| format!("{} {}", entry.event.kind, entry.nodes.join(" "))).collect()
    }

    #[test]
    fn places_order_what_nodes_told_and_one_delivery_is_told_once() {
        let merged = merged();
        let all: Vec<&Entry> = merged.entries.iter().collect();
        assert_eq!(texts(&all), ["view a b", "transition a", "operation a b", "result a b", "remark a"]);
    }

    #[test]
    fn a_chain_goes_on_where_another_node_knows_more() {
        let merged = merged();
        let chain = merged.chain("b.1.3").expect("is there");
        assert_eq!(texts(&chain), ["result a b", "operation a b", "transition a", "view a b"]);
        assert!(merged.chain("b.1.9").is_none());
    }

    #[test]
    fn a_transition_is_told_with_what_led_to_it_and_what_followed() {
        let merged = merged();
        let around = merged.around(7).expect("is there");
        assert_eq!(texts(&around), ["view a b", "transition a", "operation a b", "result a b"]);
        assert!(merged.around(8).is_none());
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        let mut merged = Merged::default();
        merged.take(vec![told("a", 1, 1, "x", "one", Some(2)), told("a", 2, 2, "x", "two", Some(1))]);
        assert_eq!(merged.chain("a.1.1").expect("is there").len(), 2);
    }

    #[test]
    fn a_life_stands_behind_the_one_before_though_it_begins_with_the_number_of_its_ring() {
        let mut later = told("a", 1, 0, "remark", "starts again", None);
        later.id = "a.2.1".to_owned();
        later.place = Some(Place { ring: 8, ..Place::default() });
        let mut merged = Merged::default();
        merged.take(vec![later, told("a", 1, 3, "remark", "in the life before", None)]);
        let texts: Vec<&str> = merged.entries.iter().map(|entry| entry.event.text.as_str()).collect();
        assert_eq!(texts, ["in the life before", "starts again"]);
    }

    #[test]
    fn a_decision_is_a_better_cause_than_what_it_was_made_because_of() {
        let mut merged = Merged::default();
        merged.take(vec![
            told("a", 1, 1, "active", "membership is active", None),
            told("b", 1, 1, "active", "membership is active", None),
            told("b", 2, 2, "transition", "transition 7", Some(1)),
            told("a", 2, 3, "operation", "IP_start_0 begins on a", Some(1)),
            told("b", 3, 3, "operation", "IP_start_0 begins on a", Some(2)),
        ]);
        let chain = merged.chain("a.1.2").expect("is there");
        assert_eq!(texts(&chain), ["operation a b", "transition b", "active a b"]);
    }

    #[test]
    fn what_two_told_stands_behind_what_either_told_before() {
        let mut merged = Merged::default();
        merged.take(vec![
            told("a", 1, 1, "ring", "c is silent", None),
            told("b", 1, 1, "ring", "gathers", None),
            told("b", 2, 1, "ring", "c is silent", Some(1)),
            // The other way round: these are four things.
            told("a", 2, 2, "x", "one", None),
            told("a", 3, 2, "x", "two", None),
            told("b", 3, 2, "x", "two", None),
            told("b", 4, 2, "x", "one", None),
        ]);
        let texts: Vec<String> =
            merged.entries.iter().map(|entry| format!("{} {}", entry.event.text, entry.nodes.join(""))).collect();
        assert_eq!(texts, ["gathers b", "c is silent ab", "one a", "two ab", "one b"]);
        assert_eq!(merged.index("b.1.2"), Some(1));
    }
}
