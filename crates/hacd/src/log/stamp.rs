//! Time in front of a line.

use time::OffsetDateTime;

use crate::config::Stamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time as the log file has it, in UTC and with a blank behind, or nothing: `2026-11-22T15:09:35Z `.
pub(super) fn stamp(stamp: Stamp, wall_ms: i64) -> String {
    let time = at(wall_ms);
    let date = (time.year(), u8::from(time.month()), time.day());
    let clock = (time.hour(), time.minute(), time.second());
    let seconds = format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.0, date.1, date.2, clock.0, clock.1, clock.2);
    match stamp {
        Stamp::Off => String::new(),
        Stamp::Seconds => format!("{seconds}Z "),
        Stamp::Millis => format!("{seconds}.{:03}Z ", time.millisecond()),
    }
}

/// The time as syslog has it (RFC 3164), in UTC: `Nov  2 15:09:35`.
pub(super) fn syslog(wall_ms: i64) -> String {
    let time = at(wall_ms);
    let month = MONTHS[usize::from(u8::from(time.month())) - 1];
    format!("{month} {:>2} {:02}:{:02}:{:02}", time.day(), time.hour(), time.minute(), time.second())
}

fn at(wall_ms: i64) -> OffsetDateTime {
    let nanos = i128::from(wall_ms) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let ms = 1_793_613_775_042;
        assert_eq!(stamp(Stamp::Millis, ms), "2026-11-02T10:02:55.042Z ");
        assert_eq!(stamp(Stamp::Seconds, ms), "2026-11-02T10:02:55Z ");
        assert_eq!(stamp(Stamp::Off, ms), "");
        assert_eq!(syslog(ms), "Nov  2 10:02:55");
    }
}
