//! Carries a plan out. Only the coordinator runs one; nothing of it is needed after the coordinator's death, because a
//! new coordinator decides again from the CIB.

mod action;

pub use action::{Abort, End, Output, Summary};
