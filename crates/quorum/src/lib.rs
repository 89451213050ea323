//! Who may act: votes, quorum, and the choice of the designated coordinator (DC).
//!
//! * [`Engine`] is votequorum of Corosync as a machine without input and output: the same options, the same formula, the
//!   same order of decisions. It is told of memberships and of what the members say about themselves
//!   ([`NodeInfo`]), and says whether this partition is quorate, with which flags, and what it waits for.
//! * [`Arbiter`] is the claim of one of two nodes to the vote of a store outside, which lets one of them go on alone.
//! * [`coordinator`] chooses the DC as a function of a membership and of replicated facts, without a vote.
//!
//! Differences from votequorum, and why:
//! * The members' [`NodeInfo`]s are handed over all at once for a membership instead of one by one, so that every member
//!   computes from the same facts and no answer is given in between.
//! * `auto_tie_breaker` acts on a half only if all that is elsewhere, taken together, cannot be quorate. Votequorum looks
//!   at the members lost with the last change alone; three changes in a row then make two sides act. For the same
//!   reason the members of the last quorate membership decide, not those of the last one.
//! * `allow_downscale` is refused: upstream calls it unsupported, and a cluster that forgets its members by and by can
//!   split. Expected votes are lowered by changing the node list.
//! * `two_node` together with `auto_tie_breaker` is refused instead of being repaired silently.
//!
//! `last_man_standing` believes, as in Corosync, that nodes missing for a whole window are down: who uses it must fence.

mod action_log;
mod arbiter;
mod config;
mod coordinator;
mod engine;

pub use action_log::{Action, ActionLog, Progress};
pub use arbiter::{
    Answer, Arbiter, Found, Health, Mark, Model, Moving, Outcome, Output as ArbiterOutput, Register,
    Request as ArbiterRequest,
};
pub use config::{Config, ConfigError, TieBreaker, Voter};
pub use coordinator::{Candidate, coordinator};
pub use engine::{Decision, Engine, Flags, LastQuorate, NodeInfo, Refused, Status};
