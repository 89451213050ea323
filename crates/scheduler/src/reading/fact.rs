//! A fact: written while configuration and status are read, and only read ever after.

use std::ops::Deref;

/// Something that only [`reading`](crate::reading) can write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fact<T>(T);

impl<T> Fact<T> {
    /// A fact that is found out.
    pub(in crate::reading) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The fact, to write it.
    pub(in crate::reading) const fn write(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Deref for Fact<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
