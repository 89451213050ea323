//! A digest over a value that is the same on every platform and in every release that knows what the value uses.
//!
//! It is taken over the named form, so a field at its default changes nothing: members of two releases that have the
//! same state see that they have the same.

use std::io::{self, Write};

use hac_types::mutant;
use md5::{Digest as _, Md5};
use serde::Serialize;

/// Digest over the named form of `value`.
pub(super) fn digest<T: Serialize>(value: &T) -> [u8; 16] {
    let mut sum = Sum(Md5::new());
    // A value that cannot be written (a map key that refuses) is not part of the model.
    let written = if mutant("digest-with-defaults") {
        serde_json::to_writer(&mut sum, value)
    } else {
        hac_wire::to_writer(&mut sum, value)
    };
    debug_assert!(written.is_ok(), "the model has a named form");
    sum.0.finalize().into()
}

/// Writes into a digest.
struct Sum(Md5);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
