//! Dates of rules: ISO 8601 texts, durations and the proleptic Gregorian calendar, all in UTC.

use std::collections::BTreeMap;

/// A moment taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    /// Year.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
    /// 0 to 23.
    pub(super) hour: i64,
    /// 0 to 59.
    pub(super) minute: i64,
    /// 0 to 59.
    pub(super) second: i64,
}

/// Days since 1970-01-01 of a date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl Civil {
    /// The moment `secs` seconds after 1970.
    pub(super) fn from_secs(secs: i64) -> Self {
        let days = secs.div_euclid(86_400);
        let rest = secs.rem_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day, hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60 }
    }

    /// Seconds since 1970. Months beyond 12 carry into the year; a day beyond its month is taken as the last one.
    pub(super) fn secs(self) -> i64 {
        let months = self.year * 12 + self.month - 1;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let day = self.day.min(days_in_month(year, month));
        days_from_civil(year, month, day) * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// 1 to 366.
    pub(super) fn year_day(self) -> i64 {
        days_from_civil(self.year, self.month, self.day) - days_from_civil(self.year, 1, 1) + 1
    }

    /// ISO year, week (1 to 53) and day of the week (Monday is 1).
    pub(super) fn week(self) -> (i64, i64, i64) {
        let days = days_from_civil(self.year, self.month, self.day);
        let week_day = (days + 3).rem_euclid(7) + 1;
        let thursday = Self::from_secs((days - week_day + 4) * 86_400);
        (thursday.year, (thursday.year_day() - 1) / 7 + 1, week_day)
    }
}

/// Number of days of a month.
fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A number made of the first `count` bytes of `text`, and the rest.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let head = text.get(..count)?;
    if !head.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((head.parse().ok()?, &text[count..]))
}

/// Reads an ISO 8601 date with or without time, as seconds since 1970. `None` if it is none.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("epoch") {
        return Some(0);
    }
    if let Some(rest) = text.strip_prefix(['T', 't']) {
        return time_of_day(rest);
    }
    let split = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let (date, time) = (&text[..split], text[split..].trim_start_matches(['T', 't', ' ']));
    let day = parse_day(date)?;
    let time = if time.is_empty() { 0 } else { time_of_day(time)? };
    Some(day * 86_400 + time)
}

/// Days since 1970 of `2024-05-01`, `20240501`, `2024-122`, `2024-W18-3`.
fn parse_day(date: &str) -> Option<i64> {
    let (year, rest) = digits(date, 4)?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    if let Some(week) = rest.strip_prefix('W') {
        let (week, rest) = digits(week, 2)?;
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        let day = if rest.is_empty() { 1 } else { digits(rest, 1)?.0 };
        let fourth = days_from_civil(year, 1, 4);
        let monday = fourth - (fourth + 3).rem_euclid(7);
        return (week <= 53 && (1..=7).contains(&day)).then_some(monday + (week - 1) * 7 + day - 1);
    }
    if rest.len() == 3 && rest.bytes().all(|b| b.is_ascii_digit()) {
        return Some(days_from_civil(year, 1, 1) + digits(rest, 3)?.0 - 1);
    }
    let (month, rest) = digits(rest, 2)?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let (day, rest) = digits(rest, 2)?;
    let valid = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day) && rest.is_empty();
    valid.then(|| days_from_civil(year, month, day))
}

/// Seconds since midnight UTC of `12:30:00+02:00`.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..at], &text[at..]),
        None => (text, ""),
    };
    let seconds = clock_secs(clock.trim())?;
    let offset = match offset.as_bytes().first() {
        Some(b'+') => clock_secs(offset[1..].trim())?,
        Some(b'-') => -clock_secs(offset[1..].trim())?,
        _ => 0,
    };
    Some(seconds - offset)
}

/// `12:30:00`, `1230`, `12` in seconds.
fn clock_secs(text: &str) -> Option<i64> {
    let (hour, rest) = digits(text, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minute, rest) = if rest.is_empty() { (0, "") } else { digits(rest, 2)? };
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let second = if rest.is_empty() { 0 } else { digits(rest, 2)?.0 };
    (hour <= 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// `secs` plus a `duration` element's attributes.
pub(super) fn add_duration(secs: i64, duration: &BTreeMap<String, String>) -> i64 {
    let part = |name: &str| -> i64 {
        let value = duration.get(name).and_then(|v| v.trim().parse::<i64>().ok()).unwrap_or(0);
        value.clamp(-1_000_000_000, 1_000_000_000)
    };
    let mut civil = Civil::from_secs(secs);
    civil.year += part("years").clamp(-100_000, 100_000);
    civil.month += part("months").clamp(-1_200_000, 1_200_000);
    let days = part("days") + part("weeks") * 7;
    civil.secs() + days * 86_400 + part("hours") * 3600 + part("minutes") * 60 + part("seconds")
}

/// Whether `secs` matches all ranges of a `date_spec`.
pub(super) fn matches_spec(secs: i64, spec: &BTreeMap<String, String>) -> bool {
    let civil = Civil::from_secs(secs);
    let (week_year, week, week_day) = civil.week();
    spec.iter().all(|(name, range)| {
        let value = match name.as_str() {
            "seconds" => civil.second,
            "minutes" => civil.minute,
            "hours" => civil.hour,
            "monthdays" => civil.day,
            "weekdays" => week_day,
            "yeardays" => civil.year_day(),
            "weeks" => week,
            "months" => civil.month,
            "weekyears" => week_year,
            "years" => civil.year,
            _ => return true,
        };
        in_range(value, range)
    })
}

/// Whether `value` lies in `5`, `5-7`, `5-` or `-7`.
fn in_range(value: i64, range: &str) -> bool {
    let (low, high) = match range.split_once('-') {
        Some((low, high)) => (low.trim(), high.trim()),
        None => (range.trim(), range.trim()),
    };
    let at_least = low.is_empty() || low.parse().is_ok_and(|low: i64| value >= low);
    let at_most = high.is_empty() || high.parse().is_ok_and(|high: i64| value <= high);
    at_least && at_most
}

/// Reads an ISO 8601 duration such as `PT5M` or `P1DT2H`, in milliseconds. `None` if it is none.
pub(crate) fn parse_iso_duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim().strip_prefix('P')?;
    let mut total: u64 = 0;
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            in_time = true;
            rest = time;
            continue;
        }
        let end = rest.bytes().position(|b| !b.is_ascii_digit())?;
        let number: u64 = rest.get(..end)?.parse().ok()?;
        let seconds = match (rest.as_bytes()[end], in_time) {
            (b'Y', false) => 365 * 86_400,
            (b'M', false) => 30 * 86_400,
            (b'W', false) => 7 * 86_400,
            (b'D', false) => 86_400,
            (b'H', _) => 3600,
            (b'M', true) => 60,
            (b'S', _) => 1,
            _ => return None,
        };
        total = total.saturating_add(number.saturating_mul(seconds * 1000));
        rest = rest.get(end + 1..)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_all_their_forms_are_read() {
        assert_eq!(parse("1970-01-02"), Some(86_400));
        assert_eq!(parse("2005-10-01 00:00:00Z"), parse("20051001T000000"));
        assert_eq!(parse("2005-001"), parse("2005-01-01"));
        assert_eq!(parse("2009-W53-7"), parse("2010-01-03"));
        assert_eq!(parse("2020-01-01T12:00+02:00"), parse("2020-01-01T10:00Z"));
        assert_eq!(parse("2021-02-29"), None);
        assert_eq!(parse("tomorrow"), None);
    }

    #[test]
    fn weeks_follow_iso_8601() {
        let civil = Civil::from_secs(parse("2010-01-03").unwrap());
        assert_eq!(civil.week(), (2009, 53, 7));
    }

    #[test]
    fn a_duration_of_a_month_ends_with_the_month() {
        let months = BTreeMap::from([("months".to_owned(), "1".to_owned())]);
        assert_eq!(Some(add_duration(parse("2024-01-31").unwrap(), &months)), parse("2024-02-29"));
    }

    #[test]
    fn ranges_may_be_open() {
        assert!(in_range(9, "9-16"));
        assert!(in_range(3, "-7"));
        assert!(!in_range(3, "5-"));
        assert!(!in_range(3, "x"));
    }

    #[test]
    fn iso_durations_are_read() {
        assert_eq!(parse_iso_duration_ms("PT5M"), Some(300_000));
        assert_eq!(parse_iso_duration_ms("P1DT2H"), Some(93_600_000));
        assert_eq!(parse_iso_duration_ms("PT"), Some(0));
        assert_eq!(parse_iso_duration_ms("5m"), None);
    }
}
