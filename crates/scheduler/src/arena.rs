//! Dense tables with typed indexes: nodes, resources, actions and constraints refer to each other by number.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A typed index.
pub(crate) trait Key: Copy {
    /// From a position.
    fn new(at: usize) -> Self;
    /// Its position.
    fn at(self) -> usize;
}

/// Defines a typed index.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl $crate::arena::Key for $name {
            fn new(at: usize) -> Self {
                // More than four thousand million of anything do not fit into memory.
                Self(u32::try_from(at).unwrap_or(u32::MAX))
            }

            fn at(self) -> usize {
                self.0 as usize
            }
        }
    };
}
pub(crate) use key;

/// A table that only grows, addressed by `K`.
#[derive(Clone, Debug)]
pub(crate) struct Arena<K, T> {
    items: Vec<T>,
    key: PhantomData<K>,
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Self { items: Vec::new(), key: PhantomData }
    }
}

impl<K: Key, T> Arena<K, T> {
    /// Adds an entry and returns its index.
    pub(crate) fn push(&mut self, item: T) -> K {
        self.items.push(item);
        K::new(self.items.len() - 1)
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// All indexes, in order of creation.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator + use<K, T> {
        (0..self.items.len()).map(K::new)
    }

    /// All entries, in order of creation.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<K: Key, T> Index<K> for Arena<K, T> {
    type Output = T;

    fn index(&self, key: K) -> &T {
        &self.items[key.at()]
    }
}

impl<K: Key, T> IndexMut<K> for Arena<K, T> {
    fn index_mut(&mut self, key: K) -> &mut T {
        &mut self.items[key.at()]
    }
}
