//! What the texts of the CIB mean.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

/// The largest score; adding to it leaves it, and its negative wins over everything.
pub const INFINITY: i32 = 1_000_000;

/// Reads a score: an integer, `INFINITY`, `+INFINITY`, `-INFINITY` (crm's `inf` too), clipped to ±[`INFINITY`]. `None`
/// if it is neither.
#[must_use]
pub fn parse_score(text: &str) -> Option<i32> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = if digits.eq_ignore_ascii_case("infinity") || digits.eq_ignore_ascii_case("inf") {
        INFINITY
    } else if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    } else {
        digits.parse::<i64>().map_or(INFINITY, |n| i32::try_from(n).unwrap_or(INFINITY).min(INFINITY))
    };
    Some(if negative { magnitude.saturating_neg() } else { magnitude })
}

/// What an attribute becomes that is set to `new`: `value++` and `value+=N` (the word `value`) add to the score that it has
/// (`old`; what is not a score counts as 0), within the infinities; everything else is taken as it is.
#[must_use]
pub fn computed(old: Option<&str>, new: &str) -> String {
    let added = match new {
        "value++" => Some(1),
        _ => new.strip_prefix("value+=").and_then(parse_score),
    };
    let Some(added) = added else { return new.to_owned() };
    let old = old.and_then(parse_score).unwrap_or(0);
    match old.saturating_add(added) {
        INFINITY.. => "INFINITY".to_owned(),
        sum if sum <= -INFINITY => "-INFINITY".to_owned(),
        sum => sum.to_string(),
    }
}

/// Reads a truth value as Pacemaker does: `true`, `on`, `yes`, `y`, `1` and their opposites, without regard to case.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim();
    if ["true", "on", "yes", "y", "1"].iter().any(|t| text.eq_ignore_ascii_case(t)) {
        Some(true)
    } else if ["false", "off", "no", "n", "0"].iter().any(|t| text.eq_ignore_ascii_case(t)) {
        Some(false)
    } else {
        None
    }
}

/// Reads a time such as `20`, `40s`, `500ms`, `2min`, `1h`, in milliseconds; a bare number is seconds. ISO 8601
/// durations (`PT5M`) are read by the rules. `None` if it is no time.
#[must_use]
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().ok()?;
    let per_unit_us: u64 = match unit.trim() {
        "" | "s" | "sec" => 1_000_000,
        "ms" | "msec" => 1_000,
        "us" | "usec" => 1,
        "m" | "min" => 60_000_000,
        "h" | "hr" => 3_600_000_000,
        _ => return None,
    };
    Some(number.saturating_mul(per_unit_us) / 1_000)
}

/// Reads how long something holds, `PT5M`, `P1DT12H` or `10m`, in seconds. Months and years have no fixed length and are
/// no such time.
#[must_use]
pub fn parse_lifetime_s(text: &str) -> Option<i64> {
    let Some(mut rest) = text.strip_prefix('P') else {
        return i64::try_from(parse_duration_ms(text)? / 1000).ok();
    };
    let (mut seconds, mut in_time, mut any) = (0_i64, false, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, in_time) = (after, true);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest.get(..end)?.parse().ok()?;
        let unit = match (rest.as_bytes().get(end)?, in_time) {
            (b'W', false) => 604_800,
            (b'D', false) => 86_400,
            (b'H', true) => 3600,
            (b'M', true) => 60,
            (b'S', true) => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(end..)?.get(1..)?;
        any = true;
    }
    any.then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_clipped_and_infinity_has_a_name() {
        assert_eq!(parse_score("100"), Some(100));
        assert_eq!(parse_score("-inf"), Some(-INFINITY));
        assert_eq!(parse_score("+INFINITY"), Some(INFINITY));
        assert_eq!(parse_score("99999999999999999999"), Some(INFINITY));
        assert_eq!(parse_score("ten"), None);
        assert_eq!(parse_score("-"), None);
    }

    #[test]
    fn a_bare_number_is_seconds() {
        assert_eq!(parse_duration_ms("20"), Some(20_000));
        assert_eq!(parse_duration_ms("1500ms"), Some(1_500));
        assert_eq!(parse_duration_ms("2min"), Some(120_000));
        assert_eq!(parse_duration_ms("soon"), None);
    }

    #[test]
    fn truth_has_many_spellings() {
        assert_eq!(parse_bool("Yes"), Some(true));
        assert_eq!(parse_bool("0"), Some(false));
        assert_eq!(parse_bool("maybe"), None);
    }

    #[test]
    fn attributes_can_be_counted_up() {
        for (old, new, expected) in [
            (Some("1"), "value++", "2"),
            (None, "value++", "1"),
            (Some("text"), "value+=5", "5"),
            (Some("-3"), "value+=5", "2"),
            (Some("10"), "value+=-4", "6"),
            (Some("INFINITY"), "value++", "INFINITY"),
            (Some("999999"), "value++", "INFINITY"),
            (Some("-INFINITY"), "value+=-1", "-INFINITY"),
            (Some("1"), "NAME++", "NAME++"),
            (Some("1"), "value+=x", "value+=x"),
            (Some("1"), "", ""),
        ] {
            assert_eq!(computed(old, new), expected, "{old:?} {new}");
        }
    }
}
