//! The memory of recent events, and those who follow them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hac_api::{Event, Level, Place};
use hac_model::OperationKey;
use hac_node::{Now, Told};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::journal::Journal;
use crate::said::Said;
use crate::states::States;

/// How many events are remembered.
const MEMORY: usize = 2000;
/// How many bytes of them, about: a decision or an agent may have much to say.
const MEMORY_BYTES: usize = 8 << 20;
/// How far a follower may fall behind before it misses events.
const BEHIND: usize = 1024;

/// An event on its way to followers, and its text as JSON, which the first of them writes for all.
pub(crate) type News = (Arc<Event>, Arc<OnceLock<Box<str>>>);

/// Distributes events.
#[derive(Debug)]
pub(crate) struct Hub {
    memory: Mutex<Memory>,
    followers: broadcast::Sender<News>,
    /// What agents said last.
    pub(crate) said: Said,
    teller: Teller,
    journal: Option<Journal>,
    states: Option<States>,
}

/// Who tells the events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Teller {
    /// The node's name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) node: u32,
    /// The counter of its lives.
    pub(crate) life: u64,
}

#[derive(Debug, Default)]
struct Memory {
    last: u64,
    /// Where the last event of the node stands.
    place: Place,
    /// Events that are the daemon's alone.
    own: u64,
    events: VecDeque<(usize, Arc<Event>)>,
    bytes: usize,
    counted: Counted,
}

/// How many events there were since the daemon started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// By kind.
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    /// Operations that ended, by what they were and whether that was as expected.
    pub(crate) actions: BTreeMap<(String, bool), u64>,
    /// Decisions that ended, by how: `complete`, `abandoned`, `stuck`.
    pub(crate) transitions: BTreeMap<String, u64>,
}

impl Counted {
    fn count(&mut self, event: &hac_node::Event) {
        *self.kinds.entry(event.kind()).or_default() += 1;
        match event {
            hac_node::Event::Result { operation, expected, .. } => {
                let task = OperationKey::parse(operation).map_or_else(String::new, |key| key.task.to_string());
                *self.actions.entry((task, *expected)).or_default() += 1;
            }
            hac_node::Event::TransitionEnded { end, .. } => {
                let word = end.split(' ').next().unwrap_or_default();
                *self.transitions.entry(word.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
}

impl Memory {
    fn add(&mut self, event: Arc<Event>) {
        let size = size_of::<Event>() + event.text.len() + event.kind.len() + weight(&event.details);
        self.bytes += size;
        self.events.push_back((size, event));
        while (self.events.len() > MEMORY || self.bytes > MEMORY_BYTES)
            && let Some((size, _)) = self.events.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    fn events(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.events.iter().map(|(_, event)| event)
    }
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight).sum(),
            Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

impl Hub {
    /// What is told is written to the journal too, if there is one.
    pub(crate) fn new(teller: Teller, journal: Option<Journal>, states: Option<States>) -> Self {
        let followers = broadcast::channel(BEHIND).0;
        Self { memory: Mutex::default(), followers, said: Said::default(), teller, journal, states }
    }

    /// Name of the node that tells.
    pub(crate) fn name(&self) -> &str {
        &self.teller.name
    }

    /// The journal.
    pub(crate) const fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Earlier states.
    pub(crate) const fn states(&self) -> Option<&States> {
        self.states.as_ref()
    }

    /// Has all written that journal and earlier states were given, and takes nothing more.
    pub(crate) fn finish(&self) {
        if let Some(journal) = &self.journal {
            journal.finish();
        }
        if let Some(states) = &self.states {
            states.finish();
        }
    }

    /// Remembers an event of the node, which `text` tells, and tells the followers.
    pub(crate) fn publish(&self, told: &Told, text: String, now: Now) -> Arc<Event> {
        self.tell(&told.event, text, now, Some(told))
    }

    /// The same with an event of the daemon alone: it stands after what the node told last.
    pub(crate) fn publish_own(&self, event: &hac_node::Event, now: Now) {
        drop(self.tell(event, event.to_string(), now, None));
    }

    fn tell(&self, event: &hac_node::Event, text: String, now: Now, told: Option<&Told>) -> Arc<Event> {
        let level = match event.level() {
            hac_node::Level::Debug => Level::Debug,
            hac_node::Level::Info => Level::Info,
            hac_node::Level::Notice => Level::Notice,
            hac_node::Level::Warning => Level::Warning,
            hac_node::Level::Error => Level::Error,
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.last += 1;
        memory.counted.count(event);
        let Teller { name, node, life: own } = &self.teller;
        let count = if let Some(told) = told {
            let hac_node::Place { ring, delivery, nth } = told.place;
            let life = ring.rep_incarnation.0 >> 32;
            memory.place = Place { ring: ring.seq, representative: ring.rep, life, delivery, nth };
            told.number.to_string()
        } else {
            memory.own += 1;
            format!("d{}", memory.own)
        };
        let event = Arc::new(Event {
            seq: memory.last,
            time_ms: now.wall.0,
            mono_ns: now.mono.as_nanos(),
            level,
            kind: event.kind().to_owned(),
            text,
            // An event is plain data; if one could not be written as JSON its sentence would still say it.
            details: serde_json::to_value(event).unwrap_or_default(),
            node: name.clone(),
            id: format!("{node}.{own:x}.{count}"),
            place: Some(memory.place),
            cause: told.and_then(|told| told.cause).map(|cause| format!("{node}.{own:x}.{cause}")),
        });
        if let Some(journal) = &self.journal {
            journal.put(&event);
        }
        memory.add(Arc::clone(&event));
        // No followers is no error.
        let _ = self.followers.send((Arc::clone(&event), Arc::default()));
        event
    }

    /// How many events there were since the daemon started.
    pub(crate) fn counted(&self) -> Counted {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).counted.clone()
    }

    /// The last remembered transition of this node, and how it ended if it has.
    pub(crate) fn last_transition(&self) -> Option<(Arc<Event>, Option<Arc<Event>>)> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = memory.events().rev().find(|event| event.kind == "transition")?;
        let ended = memory.events().rev().find(|event| event.kind == "transition_ended");
        Some((Arc::clone(begun), ended.filter(|ended| ended.seq > begun.seq).cloned()))
    }

    /// The remembered events after `since` (none if that is not given), and what comes from now on.
    pub(crate) fn follow(&self, since: Option<u64>) -> (Vec<Arc<Event>>, broadcast::Receiver<News>) {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let past = memory.events().filter(|event| since.is_some_and(|since| event.seq > since)).cloned();
        (past.collect(), self.followers.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_know_the_kinds_of_events() {
        let error = serde_json::from_value::<hac_node::Event>(serde_json::json!({ "kind": "nope" }));
        let error = error.expect_err("is no kind").to_string();
        let mut kinds: Vec<&str> = error.split('`').skip(1).step_by(2).filter(|word| *word != "nope").collect();
        kinds.sort_unstable();
        assert_eq!(kinds, hac_api::EVENT_KINDS, "{error}");
    }

    #[test]
    fn the_memory_is_bounded_by_number_and_by_size() {
        let hub = Hub::new(Teller::default(), None, None);
        let publish = |length: usize| {
            let event = hac_node::Event::Remark { level: hac_node::Level::Info, text: "x".repeat(length) };
            hub.publish_own(&event, Now::default());
        };
        (0..MEMORY + 5).for_each(|_| publish(10));
        assert_eq!(hub.follow(Some(0)).0.len(), MEMORY);
        (0..20).for_each(|_| publish(1 << 20));
        let (past, _) = hub.follow(Some(0));
        let bytes: usize = past.iter().map(|event| event.text.len() + weight(&event.details)).sum();
        assert!((MEMORY_BYTES / 2..=MEMORY_BYTES).contains(&bytes), "{bytes}");
        assert_eq!(past.last().map(|event| event.seq), Some(MEMORY as u64 + 25), "the newest stay");
    }
}
