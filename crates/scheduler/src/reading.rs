//! The layer below all others: what the configuration says and what the status knows.
//!
//! [`config`] and [`status`] write it, and nobody after them: a fact stands in a [`Fact`], which only this module and
//! those below it can write. What stages decide or revise stands beside it, in fields of their own.

pub(crate) mod config;
pub(crate) mod status;

use std::ops::Deref;

/// Something that is written while configuration and status are read, and only read ever after.
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
