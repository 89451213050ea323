//! Arithmetic of scores: integers clipped to ±[`INFINITY`], where negative infinity wins over everything.

use hac_model::INFINITY;

/// The sum of two scores.
pub(super) fn add(a: i32, b: i32) -> i32 {
    if a <= -INFINITY || b <= -INFINITY {
        -INFINITY
    } else if a >= INFINITY || b >= INFINITY {
        INFINITY
    } else {
        (a + b).clamp(-INFINITY, INFINITY)
    }
}

/// A score as people write it.
pub(crate) fn text(score: i32) -> String {
    if score >= INFINITY {
        "INFINITY".into()
    } else if score <= -INFINITY {
        "-INFINITY".into()
    } else {
        score.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_infinity_wins() {
        assert_eq!(add(INFINITY, -INFINITY), -INFINITY);
        assert_eq!(add(INFINITY, -5), INFINITY);
        assert_eq!(add(900_000, 900_000), INFINITY);
        assert_eq!(add(3, -5), -2);
    }

    #[test]
    fn infinity_is_written_out() {
        assert_eq!(text(-INFINITY), "-INFINITY");
        assert_eq!(text(17), "17");
    }
}
