//! The memory of recent events, and those who follow them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hac_api::{Event, Level};
use hac_node::Now;
use tokio::sync::broadcast;

/// How many events are remembered.
const MEMORY: usize = 2000;
/// How far a follower may fall behind before it misses events.
const BEHIND: usize = 256;

/// Distributes events.
#[derive(Debug)]
pub(crate) struct Hub {
    memory: Mutex<Memory>,
    followers: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Memory {
    last: u64,
    events: VecDeque<Event>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { memory: Mutex::default(), followers: broadcast::channel(BEHIND).0 }
    }

    /// Remembers an event and tells the followers.
    pub(crate) fn publish(&self, event: &hac_node::Event, now: Now) {
        let level = match event.level() {
            hac_node::Level::Debug => Level::Debug,
            hac_node::Level::Info => Level::Info,
            hac_node::Level::Notice => Level::Notice,
            hac_node::Level::Warning => Level::Warning,
            hac_node::Level::Error => Level::Error,
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.last += 1;
        let event = Event {
            seq: memory.last,
            time_ms: now.wall.0,
            mono_ns: now.mono.as_nanos(),
            level,
            kind: event.kind().to_owned(),
            text: event.to_string(),
            // An event is plain data; if one could not be written as JSON its sentence would still say it.
            details: serde_json::to_value(event).unwrap_or_default(),
        };
        if memory.events.len() == MEMORY {
            memory.events.pop_front();
        }
        memory.events.push_back(event.clone());
        // No followers is no error.
        let _ = self.followers.send(event);
    }

    /// The last remembered transition of this node, and how it ended if it has.
    pub(crate) fn last_transition(&self) -> Option<(Event, Option<Event>)> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = memory.events.iter().rev().find(|event| event.kind == "transition")?;
        let ended = memory.events.iter().rev().find(|event| event.kind == "transition_ended");
        Some((begun.clone(), ended.filter(|ended| ended.seq > begun.seq).cloned()))
    }

    /// The remembered events after `since` (none if that is not given), and what comes from now on.
    pub(crate) fn follow(&self, since: Option<u64>) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let past = memory.events.iter().filter(|event| since.is_some_and(|since| event.seq > since)).cloned();
        (past.collect(), self.followers.subscribe())
    }
}
