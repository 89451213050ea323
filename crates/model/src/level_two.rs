//! What the second level brings, which test builds alone have (feature `level2`): a word in the configuration.
//!
//! It is as small as an addition to the model can be, and all that an addition has: a field that older programs do not
//! know, and a change that sets it. So that one process can run nodes of two releases, each thread says which release
//! its code is at the moment: the older one writes no such field, and refuses to read one.

use std::cell::Cell;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A release, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// It knows the word.
    pub knows: bool,
    /// It forgets to look at the level before it proposes something: a fault that releases of other programs had.
    pub careless: bool,
}

thread_local! {
    static RELEASE: Cell<Release> = const { Cell::new(Release { knows: true, careless: false }) };
}

/// What runs in this thread from now on is code of this release.
pub fn run_as(release: Release) {
    RELEASE.set(release);
}

/// Whether the release that runs in this thread proposes whatever it is asked for.
#[must_use]
pub fn is_careless() -> bool {
    RELEASE.get().careless
}

/// A word that only the second level has. Empty, it is as if it were not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub String);

impl Word {
    /// Whether the release that runs in this thread has no such field.
    pub(crate) fn is_no_field(&self) -> bool {
        !RELEASE.get().knows
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        if word.is_empty() || RELEASE.get().knows {
            return Ok(Self(word));
        }
        Err(D::Error::custom("the word of level 2 is not known"))
    }
}

/// What the word becomes. A release that does not know it cannot read this, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWord(pub String);

impl Serialize for NewWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NewWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        if RELEASE.get().knows { Ok(Self(word)) } else { Err(D::Error::custom("the change of level 2 is not known")) }
    }
}
