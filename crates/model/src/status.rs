//! What is known of nodes and resources.

use serde::{Deserialize, Serialize};

use super::fencing::Requests;
use super::{Agent, ExecStatus, Histories, NvSet, OcfCode, Task, TransitionKey};

/// The status section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// One entry a node.
    pub nodes: Vec<NodeState>,
    /// Tickets.
    pub tickets: Vec<TicketState>,
    /// Attributes of which more is known than the nodes' entries say. They are no part of Pacemaker's document.
    pub held: Vec<HeldAttribute>,
    /// Requests to fence nodes, and what came of earlier ones. They are no part of Pacemaker's document.
    pub fencing: Requests,
    /// What was sent to whom, by notice. They are no part of Pacemaker's document.
    pub noticed: Vec<Noticed>,
    /// What each member could not start, as it found out itself. It is no part of Pacemaker's document.
    pub readiness: Vec<Readiness>,
}

/// What a node found out about what it could start if it had to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Name of the node.
    pub node: String,
    /// Of how many resources it found out.
    pub proved: u64,
    /// What keeps it from starting some of them, at most [`Readiness::LACKS_MAX`].
    pub lacks: Vec<Lack>,
    /// Which agents it has for them, at most [`Readiness::AGENTS_MAX`].
    pub agents: Vec<AgentRelease>,
}

impl Readiness {
    /// Most lacks that a node tells.
    pub const LACKS_MAX: usize = 200;
    /// Most agents that a node tells.
    pub const AGENTS_MAX: usize = 200;

    /// What keeps the node from starting this resource.
    pub fn against<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a Lack> {
        self.lacks.iter().filter(move |lack| lack.resources.iter().any(|of| of == resource))
    }
}

/// Something without which a node cannot start resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// Ids of those resources; none where it is the node as such that lacks something.
    pub resources: Vec<String>,
    /// What kind it is, for programs: `agent`, `validate`, `parameters`, `droplet`, `api`, `disk`.
    pub what: String,
    /// What is the matter, a clause.
    pub sentence: String,
    /// What to do about it, a sentence.
    pub remedy: String,
}

/// An agent as a node has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRelease {
    /// Its name.
    pub agent: String,
    /// What tells it from others of that name.
    pub release: String,
}

/// What a notice was sent for, so that a coordinator that follows does not send it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// Id of the notice.
    pub notice: String,
    /// Names of the events, the newest last.
    pub events: Vec<String>,
}

/// An attribute that is private, or whose changes are collected for a while before they count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAttribute {
    /// Its name.
    pub name: String,
    /// For so long changes are collected, milliseconds, from the last one; then all of them count at once.
    pub dampening_ms: u64,
    /// Its values are never in the nodes' entries, and nothing is decided by them.
    pub private: bool,
    /// It becomes a capacity of the node when it counts.
    pub utilization: bool,
    /// Values, by node: all of a private attribute, of another one those that do not count yet.
    pub values: Vec<HeldValue>,
}

/// A value of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldValue {
    /// Name of the node.
    pub node: String,
    /// The value; `None` removes what counts so far.
    pub value: Option<String>,
}

impl Status {
    /// What is held of the attribute of this name.
    #[must_use]
    pub fn held(&self, name: &str) -> Option<&HeldAttribute> {
        self.held.iter().find(|held| held.name == name)
    }

    /// What a node found out about what it could start.
    #[must_use]
    pub fn readiness(&self, node: &str) -> Option<&Readiness> {
        self.readiness.iter().find(|of| of.node == node)
    }
}

impl HeldAttribute {
    /// What is held of a node.
    #[must_use]
    pub fn of(&self, node: &str) -> Option<&HeldValue> {
        self.values.iter().find(|value| value.node == node)
    }

    /// Whether changes wait until they count.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.private && !self.values.is_empty()
    }
}

/// What is known of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Id of the node.
    pub id: String,
    /// Its name.
    pub uname: Option<String>,
    /// Entry of a remote or guest node.
    pub remote_node: bool,
    /// In the membership: `true`/`false`, or seconds since 1970 when it joined (0: not).
    pub in_ccm: Option<String>,
    /// Its resource manager answers: `online`/`offline`, or seconds since 1970 since when (0: not).
    pub crmd: Option<String>,
    /// `down`, `pending`, `member`, `nack`.
    pub join: Option<String>,
    /// What it should be: `member` or `down`.
    pub expected: Option<String>,
    /// Remote nodes: in maintenance when last seen.
    pub in_maintenance: Option<String>,
    /// Remote nodes: when last fenced.
    pub node_fenced: Option<String>,
    /// Transient attributes: fail counts, `shutdown`, promotion scores …
    pub attributes: Vec<NvSet>,
    /// Transient capacity.
    pub utilization: Vec<NvSet>,
    /// History of its resources.
    pub resources: Histories,
}

/// What a node did with a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceHistory {
    /// Id, with the instance number for a clone that has one in its history (`Nginx:0`).
    pub id: String,
    /// Agent that ran it.
    pub agent: Agent,
    /// Container it runs in.
    pub container: Option<String>,
    /// Kept for the node while that is shut down, since this time (seconds since 1970).
    pub shutdown_lock: Option<i64>,
    /// The last operation of each kind.
    pub ops: Vec<OpHistory>,
}

/// The last result of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpHistory {
    /// Id of the entry: `RSC_last_0`, `RSC_last_failure_0`, `RSC_monitor_10000`.
    pub id: String,
    /// `RSC_TASK_INTERVALms`.
    pub operation_key: String,
    /// Task.
    pub operation: String,
    /// `ACTION:TRANSITION:EXPECTED_RC:UUID` of the order that it carried out.
    pub transition_key: String,
    /// The key with result and status in front, `STATUS:RC;KEY`, as written.
    pub transition_magic: String,
    /// Exit code.
    pub rc_code: OcfCode,
    /// Execution status: -1 pending, 0 done, 1 cancelled, 2 timed out, 3 unsupported, 4 error, 5 hard error, 6 fatal,
    /// 7 not installed, 8 not connected, 9 invalid.
    pub op_status: i32,
    /// Counts a node's operations; larger is later.
    pub call_id: i64,
    /// Interval in milliseconds.
    pub interval_ms: u64,
    /// When the result last changed, seconds since 1970.
    pub last_rc_change: Option<i64>,
    /// When it last ran, seconds since 1970 (old histories).
    pub last_run: Option<i64>,
    /// How long it took, milliseconds.
    pub exec_time_ms: Option<u64>,
    /// How long it waited, milliseconds.
    pub queue_time_ms: Option<u64>,
    /// Digest of the parameters it ran with.
    pub op_digest: Option<String>,
    /// Names of parameters whose change forces a restart (or, with `op_restart_reloadable`, does not).
    pub op_force_restart: Option<String>,
    /// Digest over those.
    pub op_restart_digest: Option<String>,
    /// Names of secret parameters.
    pub op_secure_params: Option<String>,
    /// Digest without those.
    pub op_secure_digest: Option<String>,
    /// Feature set of the node that ran it.
    pub crm_feature_set: Option<String>,
    /// What the agent said.
    pub exit_reason: Option<String>,
    /// Name of the node that ran it.
    pub on_node: Option<String>,
    /// Source of a migration.
    pub migrate_source: Option<String>,
    /// Target of a migration.
    pub migrate_target: Option<String>,
}

impl OpHistory {
    /// What was done; `None` if it is no task of the cluster.
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        Task::parse(&self.operation)
    }

    /// How it ended, aside from its exit code; `None` if the number has no meaning.
    #[must_use]
    pub const fn status(&self) -> Option<ExecStatus> {
        ExecStatus::from_code(self.op_status)
    }

    /// Whether it ended in this way.
    #[must_use]
    pub const fn ended(&self, status: ExecStatus) -> bool {
        self.op_status == status.code()
    }

    /// Whether it is still on its way.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.ended(ExecStatus::Pending)
    }

    /// Whether it asks what is there before anything is done.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.task() == Some(Task::Monitor) && self.interval_ms == 0
    }

    /// The order that it carried out; `None` if nobody ordered it.
    #[must_use]
    pub fn ordered_by(&self) -> Option<TransitionKey<'_>> {
        TransitionKey::parse(&self.transition_key)
    }

    /// The exit code that the order expected.
    #[must_use]
    pub fn expected_rc(&self) -> Option<OcfCode> {
        self.ordered_by().map(|key| key.expected_rc)
    }
}

/// What is known of a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketState {
    /// Its id.
    pub id: String,
    /// Whether it is granted.
    pub granted: Option<String>,
    /// Whether it is on standby.
    pub standby: Option<String>,
    /// When it was last granted, seconds since 1970.
    pub last_granted: Option<String>,
    /// Other attributes.
    pub attributes: Vec<(String, String)>,
}
