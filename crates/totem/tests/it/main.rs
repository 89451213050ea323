//! The ring under a simulated network: whole engines, virtual time, seeded faults.

mod checks;
mod membership;
mod net;
mod ordering;
mod random;
