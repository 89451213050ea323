//! Tests of the whole, and what they share.

pub mod golden;
pub mod mixed;
pub mod runner;
