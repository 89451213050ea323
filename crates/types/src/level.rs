//! The level: one number that names everything on which nodes must agree.
//!
//! Ring bodies, messages of the ordered stream, the rules of `apply` and of the scheduler, the form of what is stored:
//! all of it belongs to a level. A release knows a window of levels. A cluster has one active level, and every gate reads
//! that one, never the version of the program. [`LEVELS`] is the whole list: a change of anything that nodes must agree on
//! is a new line at its end, never a change of a line that was released.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a level is and which release brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelInfo {
    /// Its number.
    pub level: Level,
    /// The first release that knows it.
    pub release: &'static str,
    /// What it changes, in one line.
    pub brings: &'static str,
}

/// Every level that this program knows, ascending and without gaps.
pub const LEVELS: &[LevelInfo] = &[
    LevelInfo { level: Level(1), release: "0.1.0", brings: "the first form of everything" },
    #[cfg(feature = "level2")]
    LevelInfo { level: Level(2), release: "0.2.0", brings: "a word in the configuration, for tests" },
];

/// The release that this program is.
pub const RELEASE: &str = if cfg!(feature = "level2") { "0.2.0" } else { env!("CARGO_PKG_VERSION") };

/// The number of a level. Zero means that there is none yet: a node that has never been in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(pub u16);

impl Level {
    /// There is no active level yet.
    pub const NONE: Self = Self(0);
    /// The first.
    pub const FIRST: Self = Self(1);

    /// Whether there is none yet.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The next higher one; the highest of all numbers has none.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// What this program knows of it; `None` if it does not know the level.
    #[must_use]
    pub fn info(self) -> Option<&'static LevelInfo> {
        LEVELS.iter().find(|info| info.level == self)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The levels that a program knows, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LevelWindow {
    /// The lowest.
    pub min: Level,
    /// The highest.
    pub max: Level,
}

impl LevelWindow {
    /// What this program knows.
    pub const KNOWN: Self = Self { min: LEVELS[0].level, max: LEVELS[LEVELS.len() - 1].level };

    /// Whether the level is in the window. [`Level::NONE`] is in none.
    #[must_use]
    pub fn contains(self, level: Level) -> bool {
        !level.is_none() && self.min <= level && level <= self.max
    }

    /// Whether some level is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    /// Whether it is one: not empty, and without [`Level::NONE`].
    #[must_use]
    pub fn is_valid(self) -> bool {
        !self.min.is_none() && self.min <= self.max
    }
}

impl Default for LevelWindow {
    fn default() -> Self {
        Self::KNOWN
    }
}

impl fmt::Display for LevelWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{} to {}", self.min, self.max) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends_without_gaps_from_the_first() {
        let numbers: Vec<u16> = LEVELS.iter().map(|info| info.level.0).collect();
        let expected: Vec<u16> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected);
        assert!(LevelWindow::KNOWN.is_valid());
        assert_eq!(LevelWindow::KNOWN.max.info().unwrap().level, LevelWindow::KNOWN.max);
        assert_eq!(Level(u16::MAX).info(), None);
    }

    #[test]
    fn a_window_has_its_ends_and_never_the_level_that_is_none() {
        let window = LevelWindow { min: Level(2), max: Level(3) };
        assert_eq!([0, 1, 2, 3, 4].map(|level| window.contains(Level(level))), [false, false, true, true, false]);
        assert!(window.overlaps(LevelWindow { min: Level(3), max: Level(9) }));
        assert!(!window.overlaps(LevelWindow { min: Level(4), max: Level(9) }));
        assert!(!LevelWindow { min: Level(0), max: Level(9) }.is_valid());
        assert!(!LevelWindow { min: Level(2), max: Level(1) }.is_valid());
        assert_eq!((window.to_string(), Level(u16::MAX).next()), ("2 to 3".to_owned(), None));
    }
}
