//! The cluster daemon.
mod agents;
mod clock;
mod config;
mod log;
mod storage;
#[cfg(test)]
mod testing;
fn main() {}
