//! The histories of a node's resources. With thousands of them each result would be a search through all; where each is, is
//! therefore kept beside them, as long as nobody else takes hold of the list.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ResourceHistory, Shared};

/// Up to so many are looked through: that costs no more than to look up where one is.
const FEW: usize = 16;

/// The list, in the order in which its entries came about, with one entry for a resource at most. It is read, changed and
/// written as the list itself; only [`Self::place`], [`Self::at_mut`] and [`Self::put`] are cheap however long it is.
#[derive(Default)]
pub struct Histories {
    list: Vec<Shared<ResourceHistory>>,
    /// Where each is; nothing until it was asked for since the list was last taken hold of.
    places: OnceLock<BTreeMap<String, usize>>,
}

impl Histories {
    /// Where the history of `resource` is.
    #[must_use]
    pub fn place(&self, resource: &str) -> Option<usize> {
        if self.list.len() <= FEW {
            return self.search(resource);
        }
        let place = self.places.get_or_init(|| self.all()).get(resource).copied();
        debug_assert_eq!(place, self.search(resource), "{resource}");
        place
    }

    /// The history at `place`, to be changed, but for its id.
    pub fn at_mut(&mut self, place: usize) -> Option<&mut ResourceHistory> {
        self.list.get_mut(place).map(|of| &mut **of)
    }

    /// Adds a history and gives its place. There must be none of that resource.
    pub fn put(&mut self, history: ResourceHistory) -> usize {
        let place = self.list.len();
        if let Some(places) = self.places.get_mut() {
            places.insert(history.id.clone(), place);
        }
        self.list.push(history.into());
        place
    }

    fn search(&self, resource: &str) -> Option<usize> {
        self.list.iter().position(|of| of.id == resource)
    }

    fn all(&self) -> BTreeMap<String, usize> {
        // Where there are two, which nothing here makes, the first counts.
        self.list.iter().enumerate().rev().map(|(place, of)| (of.id.clone(), place)).collect()
    }
}

impl Deref for Histories {
    type Target = Vec<Shared<ResourceHistory>>;

    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl DerefMut for Histories {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.places.take();
        &mut self.list
    }
}

impl From<Vec<Shared<ResourceHistory>>> for Histories {
    fn from(list: Vec<Shared<ResourceHistory>>) -> Self {
        Self { list, places: OnceLock::new() }
    }
}

impl FromIterator<Shared<ResourceHistory>> for Histories {
    fn from_iter<I: IntoIterator<Item = Shared<ResourceHistory>>>(all: I) -> Self {
        all.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Histories {
    type Item = &'a Shared<ResourceHistory>;
    type IntoIter = std::slice::Iter<'a, Shared<ResourceHistory>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// Copies are for readers, most of which ask for no place.
impl Clone for Histories {
    fn clone(&self) -> Self {
        self.list.clone().into()
    }
}

impl PartialEq for Histories {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Histories {}

impl fmt::Debug for Histories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

impl Serialize for Histories {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histories {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(number: usize) -> ResourceHistory {
        ResourceHistory { id: format!("r{number}"), ..ResourceHistory::default() }
    }

    /// Every place is right, and nothing else is found.
    fn check(all: &Histories) {
        for (place, of) in all.iter().enumerate() {
            assert_eq!(all.place(&of.id), Some(place));
        }
        assert_eq!(all.place("none"), None);
    }

    #[test]
    fn each_is_found_where_it_is_whatever_was_done_with_the_list() {
        let mut all = Histories::default();
        for number in 0..3 * FEW {
            assert_eq!(all.put(history(number)), number);
            check(&all);
        }
        all.remove(2);
        check(&all);
        all.at_mut(FEW).expect("there").shutdown_lock = Some(1);
        check(&all);
        all.retain(|of| !of.id.ends_with('7'));
        all.push(history(99).into());
        check(&all);
        for of in all.iter_mut() {
            of.id.push('x');
        }
        check(&all);
        let mut copy = all.clone();
        assert!(all == copy && copy.place("r0x") == Some(0));
        copy.clear();
        check(&copy);
        check(&all);
    }

    #[test]
    fn it_is_written_and_read_as_a_list() {
        let all: Histories = (0..2).map(|number| history(number).into()).collect();
        let text = serde_json::to_string(&all).expect("written");
        assert_eq!(text, serde_json::to_string(&*all).expect("written"));
        assert_eq!(serde_json::from_str::<Histories>(&text).expect("read"), all);
    }
}
