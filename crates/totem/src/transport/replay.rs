//! The window that lets every counter value of a session and link through once.

use hac_types::mutant;

const WINDOW_BITS: u64 = 2048;
const WORDS: usize = 32;

/// Remembers the highest counter and which of the 2048 values below it were seen.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ReplayWindow {
    highest: u64,
    seen: [u64; WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { highest: 0, seen: [0; WORDS] }
    }
}

impl ReplayWindow {
    /// Whether a frame with this counter may still be accepted; does not mark it.
    pub(crate) fn is_fresh(&self, counter: u64) -> bool {
        if counter == 0 || self.highest.saturating_sub(counter) >= WINDOW_BITS {
            return false;
        }
        counter > self.highest || !self.bit(counter) || mutant("replay-accepted")
    }

    /// Marks a counter whose frame was authenticated.
    pub(crate) fn mark(&mut self, counter: u64) {
        if counter > self.highest {
            let ahead = counter - self.highest;
            if ahead >= WINDOW_BITS {
                self.seen = [0; WORDS];
            } else {
                (self.highest + 1..counter).for_each(|skipped| self.set(skipped, false));
            }
            self.highest = counter;
        }
        self.set(counter, true);
    }

    fn position(counter: u64) -> (usize, u64) {
        let bit = counter % WINDOW_BITS;
        // At most 31: the remainder is below 2048.
        (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
    }

    fn bit(&self, counter: u64) -> bool {
        let (word, mask) = Self::position(counter);
        self.seen[word] & mask != 0
    }

    fn set(&mut self, counter: u64, value: bool) {
        let (word, mask) = Self::position(counter);
        if value {
            self.seen[word] |= mask;
        } else {
            self.seen[word] &= !mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_passes_once_in_any_order() {
        let mut window = ReplayWindow::default();
        for counter in [5, 1, 4, 2, 3, 100, 50, 2000, 1999] {
            assert!(window.is_fresh(counter), "{counter}");
            window.mark(counter);
            assert!(!window.is_fresh(counter), "{counter}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_is_refused() {
        let mut window = ReplayWindow::default();
        window.mark(10_000);
        assert!(!window.is_fresh(10_000 - WINDOW_BITS));
        assert!(window.is_fresh(10_001 - WINDOW_BITS));
        assert!(!window.is_fresh(0));
    }

    #[test]
    fn a_bit_of_the_past_does_not_hide_a_new_counter() {
        let mut window = ReplayWindow::default();
        window.mark(7);
        window.mark(7 + WINDOW_BITS - 1);
        assert!(window.is_fresh(7 + WINDOW_BITS));
        window.mark(7 + WINDOW_BITS + 5);
        assert!(window.is_fresh(7 + WINDOW_BITS), "skipped, so not seen");
    }

    #[test]
    fn the_end_of_the_number_range_does_not_wrap() {
        let mut window = ReplayWindow::default();
        window.mark(u64::MAX);
        assert!(!window.is_fresh(u64::MAX));
        assert!(!window.is_fresh(1));
        assert!(window.is_fresh(u64::MAX - 1));
    }
}
