//! What happens, as it happens.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event of the stream: a sentence for people, fields for programs.
///
/// On the wire it is one server-sent event: `id:` is [`seq`](Self::seq), `event:` is [`kind`](Self::kind), `data:` is
/// this as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number in this life of the daemon, from 1, without gaps.
    pub seq: u64,
    /// Wall clock, milliseconds since 1970.
    pub time_ms: i64,
    /// Monotonic clock (`CLOCK_BOOTTIME`) in nanoseconds: for differences between events of one host.
    pub mono_ns: u64,
    /// How bad it is.
    pub level: Level,
    /// What kind, in snake case: one of [`EVENT_KINDS`].
    pub kind: String,
    /// One sentence.
    pub text: String,
    /// The event's fields.
    #[serde(default)]
    pub details: Value,
    /// Name of the node that tells it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// Its name for ever: the node's number, its life in hexadecimal, a count: `1.66f3a01c.812`. What the daemon tells that
    /// is no event of the cluster has a `d` before the count.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Where it stands among the events of all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The id of the event of the same node that it follows from. What comes from outside has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// The kinds that a node tells.
pub const EVENT_KINDS: [&str; 13] = [
    "active",
    "configuration",
    "key_changed",
    "operation",
    "quorum",
    "remark",
    "result",
    "ring",
    "shutdown_requested",
    "status",
    "transition",
    "transition_ended",
    "view",
];

/// After which delivery an event was told. Nodes that are handed the same have the same places, so that sorting by place, node
/// and `seq` merges what several nodes tell, causes before what follows from them, without a look at their clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The number of the ring.
    pub ring: u64,
    /// The node that made it; 0 before the first ring of a life.
    pub representative: u32,
    /// In which of its lives: a node that lost its disk may make one of the same number again.
    #[serde(default, skip_serializing_if = "is_none")]
    pub life: u64,
    /// The number of the last delivery in it.
    pub delivery: u64,
    /// Counts what the node told after that delivery.
    pub nth: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(life: &u64) -> bool {
    *life == 0
}

/// Which events are wanted. What is empty leaves none out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// From this time on, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Up to this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// About one of these resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// About one of these nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Of a kind that begins with one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// At least as bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
}

impl EventFilter {
    /// Whether an event is wanted.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let about = |names: &[String]| names.is_empty() || names.iter().any(|name| mentions(event, name));
        self.since_ms.is_none_or(|since| event.time_ms >= since)
            && self.until_ms.is_none_or(|until| event.time_ms <= until)
            && self.level.is_none_or(|level| event.level >= level)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| event.kind.starts_with(kind.as_str())))
            && about(&self.resources)
            && about(&self.nodes)
    }
}

/// Whether a name stands in an event: as a value of its fields, or as a word of its sentence.
fn mentions(event: &Event, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    value_mentions(&event.details, name)
        || event
            .text
            .split(|c: char| !part(c))
            .any(|word| word.trim_end_matches('.') == name || is_operation_of(word, name))
}

fn value_mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => {
            text == name || text.split_once(':').is_some_and(|(id, _)| id == name) || is_operation_of(text, name)
        }
        Value::Array(list) => list.iter().any(|value| value_mentions(value, name)),
        Value::Object(fields) => fields.values().any(|value| value_mentions(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a word is the key of an operation of this resource: `RSC_TASK_INTERVAL`.
fn is_operation_of(word: &str, name: &str) -> bool {
    let Some(rest) = word.strip_prefix(name) else { return false };
    let rest = rest.split_once('_').filter(|(instance, _)| instance.is_empty() || instance.starts_with(':'));
    rest.and_then(|(_, rest)| rest.rsplit_once('_')).is_some_and(|(task, interval)| {
        !task.is_empty()
            && task.split('_').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
            && !interval.is_empty()
            && interval.chars().all(|c| c.is_ascii_digit())
    })
}

/// What is asked of a journal, with `POST /v1/journal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalQuery {
    /// Of which node; the answering one if that is not given. Only members of the present membership can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Go on where a page began, further back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Which events.
    #[serde(skip_serializing_if = "is_whole")]
    pub filter: EventFilter,
}

fn is_whole(filter: &EventFilter) -> bool {
    *filter == EventFilter::default()
}

/// A page of a journal, at most 64 KiB: the newest events that are asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalPage {
    /// Of which node.
    pub node: String,
    /// The oldest first.
    pub events: Vec<Event>,
    /// Where the next page back ends, if there may be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// What is missing in it, in sentences: lines that a crash tore or that were not written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// Query of `GET /v1/history`. What is not given leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    /// From this time on, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Up to this time.
    pub until_ms: Option<i64>,
    /// About this resource.
    pub resource: Option<String>,
    /// About this node.
    pub node: Option<String>,
    /// Of a kind that begins with this.
    pub kind: Option<String>,
    /// At least as bad.
    pub level: Option<Level>,
    /// What led to the event of this id, the latest first, and nothing else.
    pub causes: Option<String>,
    /// At most so many, the newest.
    pub last: Option<usize>,
}

impl HistoryQuery {
    /// As the journals are asked.
    #[must_use]
    pub fn filter(&self) -> EventFilter {
        let Self { since_ms, until_ms, resource, node, kind, level, causes, last: _ } = self.clone();
        if causes.is_some() {
            // What led to an event may be about something else.
            return EventFilter { since_ms, until_ms, ..EventFilter::default() };
        }
        let list = |name: Option<String>| name.into_iter().collect();
        EventFilter { since_ms, until_ms, level, resources: list(resource), nodes: list(node), kinds: list(kind) }
    }
}

/// What all members wrote into their journals, merged.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    /// In order; of a chain of causes the latest first.
    pub entries: Vec<crate::Entry>,
    /// Sentences about what is not in them.
    pub missing: Vec<String>,
    /// There is more, further back.
    pub more: bool,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For those who look for a fault in hacd.
    Debug,
    /// Normal.
    #[default]
    Info,
    /// Normal and worth knowing.
    Notice,
    /// Something is not as it should be; the cluster goes on.
    Warning,
    /// Something failed.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Debug => "Debug",
            Self::Info => "Info",
            Self::Notice => "Notice",
            Self::Warning => "Warning",
            Self::Error => "Error",
        })
    }
}
