//! Deliberate bugs, to see whether the simulator's checkers find them.
//!
//! A place in a core where a bug could be asks [`mutant`] whether it is switched on. Only the simulator can be built
//! with the feature that makes that possible, and switches one on at a time; in everything else the answer is a
//! constant, and the bug is not in the program.

/// Whether the deliberate bug of this name is switched on.
#[cfg(not(feature = "mutants"))]
#[inline]
#[must_use]
pub const fn mutant(_name: &str) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use self::switch::{mutant, switch_mutant};

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    thread_local! {
        static ON: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Whether the deliberate bug of this name is switched on in this thread.
    #[must_use]
    pub fn mutant(name: &str) -> bool {
        ON.get().is_some_and(|on| on == name)
    }

    /// Switches a deliberate bug on in this thread, instead of the one that was; or all off.
    pub fn switch_mutant(name: Option<&'static str>) {
        ON.set(name);
    }
}
