//! How often the API may be asked: one budget for all resources of this node, what the API itself allows, and bounds on every
//! number that comes from it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::look::lock;

/// Longest wait that the API can impose, whatever it says.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Longest wait because the API says that nothing is left, while it still answers.
const EMPTY_MAX: Duration = Duration::from_secs(60);

/// The time over which requests are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Most requests in a minute. The API allows 250 for each token, and the other nodes have the same one.
const URGENT_MAX: usize = 100;

/// Most requests in a minute up to which actions are looked at: what is above is left for those that begin one.
const LOOK_MAX: usize = 80;

/// Most requests in a minute up to which monitors ask: what is above is left for starts.
const CALM_MAX: usize = 40;

/// What the API must have left for a monitor to ask: the rest is left for starts.
const CALM_REMAINING: u64 = 50;

/// A `ratelimit-reset` below this, in seconds since 1970, is no time (it would be long ago) but seconds from now.
const LEAST_TIME: f64 = 1e9;

/// How much a request matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A start: an address is waited for.
    Urgent,
    /// How an action stands, which metadata tell as well.
    Look,
    /// A monitor, which can do without.
    Calm,
}

/// Lets requests through or says how long to wait.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    closed_until: Option<Instant>,
    /// What the API said to be left.
    remaining: Option<u64>,
    /// Requests of the last minute.
    sent: VecDeque<Instant>,
    /// When there was an answer last.
    answered: Option<Instant>,
}

impl Gate {
    /// Counts a request that may be sent at `now`.
    ///
    /// # Errors
    /// It may not; gives how long to wait.
    pub(crate) fn enter(&self, need: Need, now: Instant) -> Result<(), Duration> {
        let mut state = lock(&self.0);
        let closed = state.closed_until.map(|until| until.saturating_duration_since(now));
        if let Some(wait) = closed.filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        let passed = |at: &Instant| now.saturating_duration_since(*at) >= MINUTE;
        while state.sent.front().is_some_and(passed) {
            state.sent.pop_front();
        }
        let limit = match need {
            Need::Urgent => URGENT_MAX,
            Need::Look => LOOK_MAX,
            Need::Calm => CALM_MAX,
        };
        let scarce = need == Need::Calm && state.remaining.is_some_and(|left| left < CALM_REMAINING);
        if state.sent.len() >= limit || scarce {
            let oldest = state.sent.front().map_or(Duration::ZERO, |at| now.saturating_duration_since(*at));
            if scarce && state.sent.is_empty() {
                // What was left a minute ago says nothing any more.
                state.remaining = None;
            }
            return Err(MINUTE.saturating_sub(oldest));
        }
        state.sent.push_back(now);
        Ok(())
    }

    /// When there was an answer last.
    pub(crate) fn answered(&self) -> Option<Instant> {
        lock(&self.0).answered
    }

    /// Takes note of an answer: `refused` if it was one that asks to wait, `wait` how long, `remaining` what is left and
    /// `reset` when there is more.
    pub(crate) fn note(&self, now: Instant, refused: bool, answer: &Limits) {
        let mut state = lock(&self.0);
        state.answered = Some(now);
        if answer.remaining.is_some() {
            state.remaining = answer.remaining;
        }
        let wait = match (refused, answer.remaining) {
            (true, _) => answer.wait(),
            (false, Some(0)) => answer.reset.map(|reset| reset.min(EMPTY_MAX)),
            _ => None,
        };
        if let Some(until) = wait.and_then(|wait| now.checked_add(wait.min(WAIT_MAX))) {
            state.closed_until = state.closed_until.max(Some(until));
        }
    }
}

/// What an answer says about further requests, bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long to wait.
    pub(crate) retry_after: Option<Duration>,
    /// How many requests are left.
    pub(crate) remaining: Option<u64>,
    /// How long until there are more.
    pub(crate) reset: Option<Duration>,
}

impl Limits {
    /// How long to wait after a refusal, if it says so.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.retry_after.or_else(|| self.reset.filter(|_| self.remaining == Some(0)))
    }

    /// Reads them from the headers that `get` gives.
    pub(crate) fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Self {
        // The API's own clock, as far as it tells: that of this host may be wrong.
        let date = get("date").and_then(http_date).or_else(own_clock);
        // What stands in between may count by itself, under the name that most services use.
        let either = |name: &str| get(name).or_else(|| get(&format!("x-{name}"))).and_then(number);
        let reset = either("ratelimit-reset").map(|at| if at < LEAST_TIME { Some(at) } else { Some(at - date?) });
        Self {
            retry_after: get("retry-after").and_then(|text| wait(text, date)),
            remaining: either("ratelimit-remaining").map(|left| left.max(0.0) as u64),
            reset: reset.flatten().map(clamp),
        }
    }
}

/// A wait in seconds, or until a date.
fn wait(text: &str, now: Option<f64>) -> Option<Duration> {
    number(text).map(clamp).or_else(|| Some(clamp(http_date(text)? - now?)))
}

/// A number, whatever its form; none that is none.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| !number.is_nan())
}

/// Seconds, at least none and at most [`WAIT_MAX`].
fn clamp(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, WAIT_MAX.as_secs_f64()))
}

fn own_clock() -> Option<f64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
}

/// `Wed, 21 Oct 2015 07:28:00 GMT` in seconds since 1970.
#[cfg_attr(not(test), expect(clippy::arithmetic_side_effects, reason = "each part is bounded where it is read"))]
fn http_date(text: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(',')?.1.split_whitespace();
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()?.saturating_add(1);
    let year: i64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // Days of the proleptic Gregorian calendar, counted from March so that the leap day is the last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719_469;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(text: &str) -> Option<Duration> {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        Limits::read(|name| match name {
            "retry-after" => Some(text),
            "date" => Some(date),
            _ => None,
        })
        .retry_after
    }

    #[test]
    fn whatever_the_api_says_is_a_wait_between_none_and_an_hour() {
        for (text, seconds) in [
            ("30", Some(30.0)),
            (" 2.5 ", Some(2.5)),
            ("0", Some(0.0)),
            ("-1", Some(0.0)),
            ("-9223372036854775808", Some(0.0)),
            ("18446744073709551615", Some(3600.0)),
            ("99999999999999999999999999999999", Some(3600.0)),
            ("1e999", Some(3600.0)),
            ("inf", Some(3600.0)),
            ("NaN", None),
            ("", None),
            ("soon", None),
            ("Wed, 21 Oct 2015 07:28:45 GMT", Some(45.0)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0.0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3600.0)),
            ("Wed, 99 Oct 2015 07:28:45 GMT", None),
            ("Wed, 21 Oct 99999999999999999999 07:28:45 GMT", None),
        ] {
            assert_eq!(retry_after(text), seconds.map(Duration::from_secs_f64), "{text}");
        }
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0.0));
        assert_eq!(http_date("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600.0));
    }

    #[test]
    fn what_is_left_is_bounded_whatever_its_name_and_form() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let read = |left: &'static str, reset: &'static str, prefix: &'static str| {
            Limits::read(|name| match name.strip_prefix(prefix)? {
                "ratelimit-remaining" => Some(left),
                "ratelimit-reset" => Some(reset),
                "date" => Some(date),
                _ => None,
            })
        };
        for (left, reset, remaining, seconds) in [
            ("0", "1445412540", Some(0), Some(60)),
            ("-5", "1445412000", Some(0), Some(0)),
            ("1e300", "18446744073709551616", Some(u64::MAX), Some(3600)),
            ("none", "-1", None, Some(0)),
            ("4.9", "30", Some(4), Some(30)),
            ("NaN", "NaN", None, None),
        ] {
            let limits = read(left, reset, "");
            assert_eq!(
                (limits.remaining, limits.reset),
                (remaining, seconds.map(Duration::from_secs)),
                "{left} {reset}"
            );
        }
        let other = read("7", "12", "x-");
        assert_eq!((other.remaining, other.reset), (Some(7), Some(Duration::from_secs(12))));
    }

    #[test]
    fn what_the_api_asks_for_holds_for_all() {
        let (gate, now) = (Gate::default(), Instant::now());
        assert_eq!(gate.enter(Need::Urgent, now), Ok(()));
        let limits = Limits { retry_after: Some(Duration::MAX), ..Limits::default() };
        gate.note(now, true, &limits);
        assert_eq!(gate.enter(Need::Urgent, now), Err(WAIT_MAX));
        assert_eq!(gate.enter(Need::Urgent, now + WAIT_MAX), Ok(()));
        // No wait in it: the reset says when the next is allowed.
        let limits = Limits { remaining: Some(0), reset: Some(Duration::from_secs(90)), ..Limits::default() };
        gate.note(now + WAIT_MAX, true, &limits);
        assert_eq!(gate.enter(Need::Urgent, now + WAIT_MAX), Err(Duration::from_secs(90)));
    }

    #[test]
    fn monitors_leave_something_for_starts() {
        let (gate, now) = (Gate::default(), Instant::now());
        for _ in 0..CALM_MAX {
            assert_eq!(gate.enter(Need::Calm, now), Ok(()));
        }
        assert_eq!(gate.enter(Need::Calm, now), Err(MINUTE));
        for _ in CALM_MAX..LOOK_MAX {
            assert_eq!(gate.enter(Need::Look, now), Ok(()));
        }
        assert_eq!(gate.enter(Need::Look, now), Err(MINUTE));
        for _ in LOOK_MAX..URGENT_MAX {
            assert_eq!(gate.enter(Need::Urgent, now), Ok(()));
        }
        assert_eq!(gate.enter(Need::Urgent, now + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(gate.enter(Need::Calm, now + MINUTE), Ok(()));
        gate.note(now, false, &Limits { remaining: Some(CALM_REMAINING - 1), ..Limits::default() });
        assert!(gate.enter(Need::Calm, now + MINUTE).is_err());
        assert_eq!(gate.enter(Need::Urgent, now + MINUTE), Ok(()));
    }
}
