//! The cluster daemon.
mod config;
#[cfg(test)]
mod testing;
fn main() {}
