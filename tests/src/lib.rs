//! Tests of the whole, and what they share.

pub mod browser;
pub mod golden;
pub mod mixed;
#[cfg(test)]
mod notifications;
pub mod runner;
