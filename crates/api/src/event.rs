//! What happens, as it happens.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event of the stream: a sentence for people, fields for programs.
///
/// On the wire it is one server-sent event: `id:` is [`seq`](Self::seq), `event:` is [`kind`](Self::kind), `data:` is
/// this as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number in this life of the daemon, from 1, without gaps.
    pub seq: u64,
    /// Wall clock, milliseconds since 1970.
    pub time_ms: i64,
    /// Monotonic clock (`CLOCK_BOOTTIME`) in nanoseconds: for differences between events of one host.
    pub mono_ns: u64,
    /// How bad it is.
    pub level: Level,
    /// What kind, in snake case: `view`, `quorum`, `suspected`, `op_result` …
    pub kind: String,
    /// One sentence.
    pub text: String,
    /// The event's fields.
    #[serde(default)]
    pub details: Value,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For those who look for a fault in hacd.
    Debug,
    /// Normal.
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
