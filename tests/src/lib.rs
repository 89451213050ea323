//! Tests of the whole, and what they share.

pub mod runner;
