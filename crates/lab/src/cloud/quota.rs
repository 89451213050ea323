//! Rate limits of the control API: a sliding hour and a sliding minute for each token.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Settings;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// The requests of the last hour, by token.
#[derive(Debug, Default)]
pub(super) struct Quota {
    used: BTreeMap<String, VecDeque<Instant>>,
}

/// What a token has left, as the response headers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// Requests allowed in an hour.
    pub(super) limit: usize,
    /// Requests left of them.
    pub(super) remaining: usize,
    /// Unix time at which the oldest counted request expires.
    pub(super) reset: u64,
    /// Whether the next request is refused, and after how many seconds to retry: known only when
    /// the minute is used up.
    pub(super) refused: Option<Option<u64>>,
}

impl Quota {
    /// Counts a request of `token` unless it is one too many.
    pub(super) fn spend(&mut self, token: &str, settings: &Settings, now: Instant) -> Left {
        let used = self.used.entry(token.to_owned()).or_default();
        while used.front().is_some_and(|&at| now.saturating_duration_since(at) >= HOUR) {
            used.pop_front();
        }
        let in_minute: Vec<Instant> =
            used.iter().copied().filter(|&at| now.saturating_duration_since(at) < MINUTE).collect();
        let burst = settings.rate_minute > 0 && in_minute.len() >= settings.rate_minute;
        let full = settings.rate_hour > 0 && used.len() >= settings.rate_hour;
        let refused = (burst || full).then(|| {
            let oldest = in_minute.first().filter(|_| burst)?;
            let age = now.saturating_duration_since(*oldest);
            Some(MINUTE.saturating_sub(age).as_secs().saturating_add(1))
        });
        if refused.is_none() {
            used.push_back(now);
        }
        let remaining = match refused {
            Some(_) => 0,
            None => settings.rate_hour.saturating_sub(used.len()),
        };
        let oldest_age = used.front().map_or(Duration::ZERO, |&at| now.saturating_duration_since(at));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Left {
            limit: settings.rate_hour,
            remaining,
            reset: (wall + HOUR).saturating_sub(oldest_age).as_secs(),
            refused,
        }
    }

    /// Forgets all requests.
    pub(super) fn clear(&mut self) {
        self.used.clear();
    }
}
