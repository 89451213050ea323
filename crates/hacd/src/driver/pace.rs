//! How often the ring's thread wakes up. While messages are on their way the token goes round as fast as it can be passed,
//! some thousand times a second, each time for a message or two; with real-time priority that takes the processor from the
//! agents that the messages are about. A thread that has woken up often in a short time rests a moment before it looks
//! again: what came meanwhile goes out with one token. Single commands and failovers never come that far.

use std::time::Duration;

use hac_types::Timestamp;

/// So many wakings in a row cost nothing: more than a change of the configuration, or a failover, needs.
const BURST: u32 = 200;

/// One more for each of these.
const EACH: Duration = Duration::from_micros(2400);

/// A budget of wakings that fills with time.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
    /// Until when the budget was filled.
    filled: Timestamp,
}

impl Pace {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { left: BURST, filled: now }
    }

    /// The thread woke up at `now` because datagrams came. How long it rests when it is done, at most [`EACH`].
    pub(super) fn woken(&mut self, now: Timestamp) -> Option<Duration> {
        let passed = now.since(self.filled).as_micros() / EACH.as_micros();
        match u32::try_from(passed) {
            Ok(passed) if self.left.saturating_add(passed) < BURST => {
                self.left += passed;
                self.filled += EACH * passed;
            }
            _ => (self.left, self.filled) = (BURST, now),
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                None
            }
            None => {
                // The next one that comes in is spent already.
                self.filled += EACH;
                Some(self.filled.since(now).min(EACH))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wakings in a time, when each finds the next message `gap` later.
    fn wakings(pace: &mut Pace, from: Timestamp, length: Duration, gap: Duration) -> (u32, Timestamp) {
        let (mut now, mut count) = (from, 0);
        while now < from + length {
            count += 1;
            let rest = pace.woken(now).unwrap_or_default();
            assert!(rest <= EACH);
            now = now + rest + gap;
        }
        (count, now)
    }

    #[test]
    fn a_burst_is_free_and_what_goes_on_is_paced() {
        let (start, gap) = (Timestamp::from_millis(1000), Duration::from_micros(80));
        let mut pace = Pace::new(start);
        for number in 0..BURST {
            assert_eq!(pace.woken(start + gap * number / 10), None);
        }
        let (count, now) = wakings(&mut pace, start + gap * BURST / 10, Duration::from_secs(1), gap);
        assert!((350..450).contains(&count), "{count} in a second instead of 12 500");
        let calm = now + Duration::from_secs(1);
        assert_eq!(pace.woken(calm), None, "after a calm stretch all is as at the beginning");
        assert_eq!(pace.left, BURST - 1);
    }

    #[test]
    fn what_comes_seldom_is_never_kept_waiting() {
        let mut pace = Pace::new(Timestamp::ZERO);
        for number in 0..10_000 {
            assert_eq!(pace.woken(Timestamp::ZERO + EACH * number), None);
        }
    }
}
