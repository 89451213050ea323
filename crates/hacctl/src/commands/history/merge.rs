//! What several nodes told, as one sequence: sorted by the place in the ordered stream, so that no clock is asked; what more
//! than one node told of the same delivery is one entry.

use std::collections::BTreeMap;

use hac_api::Event;
use serde::Serialize;

/// Longest chain that is followed.
const CHAIN: usize = 1000;

/// An event, and who told it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    pub(super) event: Event,
    /// The nodes.
    pub(super) nodes: Vec<String>,
    /// The ids that it has on the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) also: Vec<String>,
}

/// The merged journals.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) entries: Vec<Entry>,
    /// Sentences about what is not in them.
    pub(super) missing: Vec<String>,
    by_id: BTreeMap<String, usize>,
}

impl Merged {
    /// Merges what the nodes told.
    pub(super) fn take(&mut self, mut events: Vec<Event>) {
        events.sort_by(|a, b| (a.place, &a.node, a.seq).cmp(&(b.place, &b.node, b.seq)));
        let mut folded: BTreeMap<(u64, u32, u64, String, String), usize> = BTreeMap::new();
        for event in events {
            let place = event.place.unwrap_or_default();
            let key = (place.ring, place.representative, place.delivery, event.kind.clone(), event.text.clone());
            let same = folded.get(&key).copied().filter(|index| {
                self.entries
                    .get(*index)
                    .is_some_and(|entry| place.representative > 0 && !entry.nodes.contains(&event.node))
            });
            let index = same.unwrap_or(self.entries.len());
            self.by_id.insert(event.id.clone(), index);
            match self.entries.get_mut(index) {
                Some(entry) => {
                    entry.nodes.push(event.node.clone());
                    // The one that knows why stands for all.
                    let (known, other) = match (&entry.event.cause, event.cause.is_some()) {
                        (None, true) => (event.clone(), entry.event.id.clone()),
                        _ => (entry.event.clone(), event.id.clone()),
                    };
                    entry.event = known;
                    entry.also.push(other);
                }
                None => {
                    let nodes = vec![event.node.clone()];
                    self.entries.push(Entry { event, nodes, also: Vec::new() });
                    folded.insert(key, index);
                }
            }
        }
    }

    fn of(&self, id: &str) -> Option<&Entry> {
        self.entries.get(*self.by_id.get(id)?)
    }

    /// The event of this id and what led to it, the latest first; `None` if nobody has it.
    pub(super) fn chain(&self, id: &str) -> Option<Vec<&Entry>> {
        let mut chain = vec![self.of(id)?];
        while chain.len() < CHAIN
            && let Some(before) = chain.last().and_then(|entry| self.of(entry.event.cause.as_deref()?))
            && !chain.iter().any(|entry| entry.event.id == before.event.id)
        {
            chain.push(before);
        }
        Some(chain)
    }

    /// The last transition of this number, what led to it and what followed from it, in order.
    pub(super) fn around(&self, number: u64) -> Option<Vec<&Entry>> {
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
            match at.event.cause.as_deref().and_then(|cause| self.of(cause)) {
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
    use hac_api::Place;

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
            place: Some(Place { ring: 8, representative: 1, delivery, nth: 0 }),
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
}
