//! The time as `date` writes it by a format, in this host's zone.

use hac_types::WallTime;
use jiff::Timestamp;
use jiff::fmt::strtime::{BrokenDownTime, Config};
use jiff::tz::TimeZone;

/// The time by a format of `date` with `%N` and widths: `%H:%M:%S.%06N`. What is no directive stays as it is.
pub(super) fn written(format: &str, wall: WallTime) -> String {
    in_zone(format, wall, TimeZone::system())
}

fn in_zone(format: &str, wall: WallTime, zone: TimeZone) -> String {
    let Ok(moment) = Timestamp::from_millisecond(wall.0) else { return format.to_owned() };
    let nanos = wall.0.rem_euclid(1000) * 1_000_000;
    let format = with_fraction(format, &format!("{nanos:09}"));
    let moment = BrokenDownTime::from(&moment.to_zoned_datetime(zone));
    let mut text = String::new();
    let config = Config::new().lenient(true);
    let done = moment.format_with_config(&config, &format, &mut text);
    if done.is_ok() { text } else { format }
}

/// Puts digits in the place of `%N`, `%3N`, `%06N`: as many of the nine as the width says.
fn with_fraction(format: &str, digits: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (before, directive) = rest.split_at(at);
        text.push_str(before);
        let after = &directive[1..];
        let width = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &after[..after.len() - width.len()];
        if let Some(left) = width.strip_prefix('N') {
            let wanted = number.parse().unwrap_or(digits.len()).clamp(1, digits.len());
            text.push_str(digits.get(..wanted).unwrap_or(digits));
            rest = left;
            continue;
        }
        // A directive of two letters at least: `%%N` is a per cent sign and a letter.
        let length = after.chars().next().map_or(1, |c| 1 + c.len_utf8());
        let (directive, left) = directive.split_at(length);
        text.push_str(directive);
        rest = left;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_as_date_does() {
        // 2026-11-22 07:36:09.042 UTC
        let wall = WallTime(1_795_332_969_042);
        for (format, text) in [
            ("%H:%M:%S.%06N", "07:36:09.042000"),
            ("%H:%M:%S.%3N", "07:36:09.042"),
            ("%N", "042000000"),
            ("%1N", "0"),
            ("%%N %Y-%m-%d", "%N 2026-11-22"),
            ("%s", "1795332969"),
            ("%a %b %e %T %Z %Y", "Sun Nov 22 07:36:09 UTC 2026"),
            ("%y%j", "26326"),
            ("at %", "at %"),
            ("", ""),
        ] {
            assert_eq!(in_zone(format, wall, TimeZone::UTC), text, "{format}");
        }
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        assert_eq!(in_zone("%H:%M %z", wall, berlin), "08:36 +0100");
    }
}
