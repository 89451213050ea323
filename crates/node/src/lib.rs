//! One node as one state machine: the ring ([`hac_totem`]), quorum ([`hac_quorum`]) and the resource manager
//! ([`hac_crm`]) wired together, without input or output.
//!
//! [`Node`] takes datagrams, time, requests, results of agents and of the disk, and gives back, in order, what must be
//! done ([`Output`]). The daemon performs outputs on a real machine, the simulator on a simulated one.
//!
//! What holds, and where it is made to hold:
//! * Everything that changes the cluster's state goes through the ordered stream and is applied there by every member
//!   (`replica`); a client's request is a proposal like any other and is answered when the cluster agreed
//!   (`proposals`).
//! * After each change of the membership the members compare their states, take over the best one, tell their own
//!   resources' truth, and only then act again (`join`).
//! * A change of the configuration is on the disk of every member before it is acknowledged (`durable`).
//! * A key is on the disk of every member before anybody sends with it (`rotation`).
//! * What a node is given can be recorded and given again to another one, which then does the same (`recording`).
//! * Outside effects follow only from safe messages delivered in a regular, active membership (`node`).

mod alert;
mod cluster;
mod config;
mod differences;
mod durable;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod halves;
mod join;
mod limits;
mod node;
mod nodes;
mod output;
mod participant;
mod parts;
pub mod planner;
mod proposals;
mod recording;
mod replica;
mod report;
mod request;
mod watchdog;
mod wire;

pub use alert::{Ended, Seen};
pub use cluster::{ClusterConfig, ClusterNode, Retired};
pub use config::{Config, ConfigError, NodeInfo, Now, Stored};
pub use differences::differences;
pub use event::{Event, Level, Place, Told};
pub use halves::{Assurance, ClusterHalf, Condition, Down, Effect, RingHalf, RingOutput, Transmit, Up};
pub use node::Node;
pub use output::{Output, Persist, PersistId, QuestionId};
pub use participant::planning::{DecideId, Unplannable};
pub use recording::{Given, Input, Note, Played, Recorder, Replay, ReplayError, Step};
pub use replica::Entry;
pub use report::{
    ArbiterReport, Counter, KeyMember, KeyReport, LinkReport, MemberReport, MemberState, Problem, QuorumReport, Report,
    Severity, Standing, SyncState,
};
pub use request::{Reply, Request, RequestId, Rotate};
pub use watchdog::{Armed, Deed, Duty, Petting, Times};
pub use wire::{stored_cib, stored_cluster};

pub use hac_quorum::{
    Answer as ArbiterAnswer, ArbiterRequest, Found as ArbiterFound, Mark as ArbiterMark, Outcome as ArbiterOutcome,
};

pub use hac_crm::executor::{ExecStatus, Invocation, InvocationId, Outcome, ProcessRef, WatchId};
