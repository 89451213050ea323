//! The time at which a state is judged, and how people write it.

use hac_model::Cib;
use hac_types::WallTime;
use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset, Weekday};

/// By which clock a state is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The present.
    Present(WallTime),
    /// A time that someone gave, and how it was written.
    Given(WallTime, String),
}

impl Clock {
    /// Reads an ISO 8601 time: a calendar date (`2026-11-22`), a day of the year (`2005-020`) or a day of a week
    /// (`2026-W47-7`), then perhaps `T` or a blank and hours, minutes and perhaps seconds, then perhaps `Z` or an offset
    /// (`+01:00`). Without offset it is UTC. Also `@` and seconds since 1970. `None` if it is none of these.
    #[must_use]
    pub fn given(text: &str) -> Option<Self> {
        Some(Self::Given(WallTime::from_secs(seconds(text.trim())?), text.trim().to_owned()))
    }

    /// The time at which `cib` is judged: the given one, else the one it carries, else the present.
    #[must_use]
    pub fn time_for(&self, cib: &Cib) -> WallTime {
        match (self, cib.info.execution_date) {
            (Self::Given(time, _), _) => *time,
            (Self::Present(_), Some(recorded)) => WallTime::from_secs(recorded),
            (Self::Present(time), None) => *time,
        }
    }
}

fn seconds(text: &str) -> Option<i64> {
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok();
    }
    let (day, rest) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let clock_end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(clock_end);
    let moment = PrimitiveDateTime::new(date(day)?, time_of_day(clock.trim())?);
    Some(moment.assume_offset(utc_offset(offset)?).unix_timestamp())
}

fn date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [year, week, day] if week.starts_with('W') => {
            let weekday = Weekday::Monday.nth_next(number(day)?.checked_sub(1)?);
            Date::from_iso_week_date(year.parse().ok()?, number(&week[1..])?, weekday).ok()
        }
        [year, month, day] => {
            Date::from_calendar_date(year.parse().ok()?, Month::try_from(number(month)?).ok()?, number(day)?).ok()
        }
        [year, day] if day.len() == 3 => Date::from_ordinal_date(year.parse().ok()?, day.parse().ok()?).ok(),
        _ => None,
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    if text.is_empty() {
        return Some(Time::MIDNIGHT);
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second.split('.').next()?),
        _ => return None,
    };
    Time::from_hms(number(hour)?, number(minute)?, number(second)?).ok()
}

fn utc_offset(text: &str) -> Option<UtcOffset> {
    let (sign, digits) = match text.as_bytes().first() {
        None | Some(b'Z') => return (text.len() <= 1).then_some(UtcOffset::UTC),
        Some(b'+') => (1, &text[1..]),
        Some(_) => (-1, &text[1..]),
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hours, minutes) = (i8::try_from(number(hours)?).ok()?, i8::try_from(number(minutes)?).ok()?);
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// Digits only: no sign.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}
