//! What a planner owes the node that asks it: a place for each run, and an answer instead of a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Unplannable;

/// How many plans may be made at a time: one that is waited for, and one that is not any more. A run cannot be stopped
/// from outside: one that is late keeps its place until it ends, and while all places are taken nothing more is begun.
pub const PLACES: usize = 2;

/// Makes a plan, or something else of a state; a panic is an answer too.
///
/// # Errors
///
/// What the panic said.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Unplannable> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        Unplannable::Fault(words.unwrap_or_else(|| "it gave no reason".to_owned()))
    })
}
