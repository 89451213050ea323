//! Who may act: votes, quorum, and the choice of the designated coordinator (DC).
//!
//! * [`Engine`] is votequorum of Corosync as a machine without input and output: the same options, the same formula, the
//!   same order of decisions. It is told of memberships and of what the members say about themselves
//!   ([`NodeInfo`]), and says whether this partition is quorate, with which flags, and what it waits for.
//! * [`coordinator`] chooses the DC as a function of a membership and of replicated facts, without a vote.
//!
//! Differences from votequorum, and why:
//! * The members' [`NodeInfo`]s are handed over all at once for a membership instead of one by one, so that every member
//!   computes from the same facts and no answer is given in between.
//! * `allow_downscale` is refused: upstream calls it unsupported, and a cluster that forgets its members by and by can
//!   split. Expected votes are lowered by changing the node list.
//! * `auto_tie_breaker` overrides `two_node` as it does in Corosync, but is refused together with it instead of being
//!   repaired silently.

mod config;
mod coordinator;
mod engine;

pub use config::{Config, ConfigError, TieBreaker, Voter};
pub use coordinator::{Candidate, coordinator};
pub use engine::{Decision, Engine, Flags, NodeInfo, Refused, Status};
