//! What `hacd` and its clients say to each other: HTTP with JSON on a unix socket, version 1.
//!
//! `curl --unix-socket /run/hacd/hacd.sock http://hacd/v1/status` works too. Types of the cluster information base
//! travel as JSON values, because this crate knows nothing of the resource manager: a client that wants them typed reads
//! the value as `hac_model::Cib` (or `hac_crm::cib::Change` when it writes one).
//!
//! Rules of the version: fields may be added, so readers ignore what they do not know and fill in what is missing;
//! nothing is renamed or given another meaning within `/v1`.

// Numbers from outside come in here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod agents;
mod alerts;
mod attributes;
mod error;
mod event;
mod explain;
mod invite;
mod key;
mod merge;
mod past;
mod request;
mod status;
mod web;

pub use agents::{AgentAction, AgentDetail, AgentList, AgentParameter, AgentSummary, Implementation};
pub use alerts::{AlertEntry, AlertList, AlertTest, AlertTestRequest, AlertTested};
pub use attributes::{AttributePair, AttributeSet, Attributes, AttributesQuery, NodeAttributes};
pub use error::{ErrorBody, ErrorCode};
pub use event::{EVENT_KINDS, Event, EventFilter, History, HistoryQuery, JournalPage, JournalQuery, Level, Place};
pub use explain::{AgentRun, ExplainQuery, Explained, LastTransition, SubjectKind};
pub use invite::{Invitation, InviteRequest, Invited, NodeRemoved, RemoveNodeRequest};
pub use key::{KeyNode, KeyStatus, RotateRequest, Rotated};
pub use merge::{Entry, Merged};
pub use past::{Moment, Moments, Past, PastQuery};
pub use request::{
    AgentQuery, CibQuery, Command, CommandRequest, ConfigureRequest, Configured, Done, EventsQuery, FenceAction,
    Finding, SettleRequest, Settled, StatusQuery, Version,
};
pub use status::{
    Address, Arbiter, CibResponse, ClusterInfo, Conflict, Counter, Lack, LastChange, Link, MemberState, Members,
    MembersEntry, Problem, Quorum, Readiness, Severity, Status, StepClass, Steps, Sync,
};

pub use web::WebLink;

/// Where the daemon listens unless it was told otherwise.
pub const SOCKET: &str = "/run/hacd/hacd.sock";

/// The host to put into URLs; the socket decides whom one talks to.
pub const HOST: &str = "hacd";

/// Version of this API, the first part of every path.
pub const VERSION: u32 = 1;

/// Largest body of a request, bytes: room for the largest change (4 MiB as nodes tell it to each other), however it is
/// written.
pub const MAX_REQUEST: usize = 16 << 20;

/// The paths.
pub mod route {
    /// `GET`: [`Status`](crate::Status).
    pub const STATUS: &str = "/v1/status";
    /// `GET`, query [`CibQuery`](crate::CibQuery): [`CibResponse`](crate::CibResponse).
    pub const CIB: &str = "/v1/cib";
    /// `GET`, query [`AttributesQuery`](crate::AttributesQuery): [`Attributes`](crate::Attributes).
    pub const ATTRIBUTES: &str = "/v1/attributes";
    /// `GET`: [`AlertList`](crate::AlertList).
    pub const ALERTS: &str = "/v1/alerts";
    /// `POST` [`AlertTestRequest`](crate::AlertTestRequest): [`AlertTested`](crate::AlertTested).
    pub const ALERT_TEST: &str = "/v1/alerts/test";
    /// `POST` [`ConfigureRequest`](crate::ConfigureRequest): [`Configured`](crate::Configured).
    pub const CONFIGURE: &str = "/v1/configure";
    /// `POST` [`CommandRequest`](crate::CommandRequest): [`Done`](crate::Done).
    pub const COMMAND: &str = "/v1/command";
    /// `POST` [`SettleRequest`](crate::SettleRequest): [`Settled`](crate::Settled).
    pub const SETTLE: &str = "/v1/settle";
    /// `GET`: a list of [`Conflict`](crate::Conflict).
    pub const CONFLICT: &str = "/v1/conflict";
    /// `GET`: [`Members`](crate::Members).
    pub const MEMBERS: &str = "/v1/members";
    /// `GET`: [`Quorum`](crate::Quorum).
    pub const QUORUM: &str = "/v1/quorum";
    /// `GET`: [`AgentList`](crate::AgentList), or with query [`AgentQuery`](crate::AgentQuery) one
    /// [`AgentDetail`](crate::AgentDetail).
    pub const AGENTS: &str = "/v1/agents";
    /// `GET`: [`KeyStatus`](crate::KeyStatus).
    pub const KEY: &str = "/v1/key";
    /// `POST` [`RotateRequest`](crate::RotateRequest): [`Rotated`](crate::Rotated).
    pub const KEY_ROTATE: &str = "/v1/key/rotate";
    /// `POST` [`InviteRequest`](crate::InviteRequest): [`Invited`](crate::Invited); `GET` and `DELETE`:
    /// [`Invitation`](crate::Invitation).
    pub const INVITE: &str = "/v1/invite";
    /// `POST` [`RemoveNodeRequest`](crate::RemoveNodeRequest): [`NodeRemoved`](crate::NodeRemoved).
    pub const NODE_REMOVE: &str = "/v1/node/remove";
    /// `GET`, query [`ExplainQuery`](crate::ExplainQuery): [`Explained`](crate::Explained).
    pub const EXPLAIN: &str = "/v1/explain";
    /// `GET`, query [`PastQuery`](crate::PastQuery): [`Moments`](crate::Moments), or [`Past`](crate::Past) of one.
    pub const PAST: &str = "/v1/past";
    /// `GET`, query [`EventsQuery`](crate::EventsQuery): a stream (`text/event-stream`) of [`Event`](crate::Event).
    pub const EVENTS: &str = "/v1/events";
    /// `GET`: [`WebLink`](crate::WebLink).
    pub const WEB: &str = "/v1/web";
    /// `POST` [`JournalQuery`](crate::JournalQuery): [`JournalPage`](crate::JournalPage).
    pub const JOURNAL: &str = "/v1/journal";
    /// `GET`, query [`HistoryQuery`](crate::HistoryQuery): [`History`](crate::History).
    pub const HISTORY: &str = "/v1/history";
}

#[cfg(test)]
mod tests;
