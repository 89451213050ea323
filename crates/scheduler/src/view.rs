//! How things stand: nodes and the resource tree with roles, places, flags and failures, as people are told.
//!
//! Made from configuration and status alone, before any decision. All lists have the order in which they are printed:
//! nodes by name (digits as numbers, letters without case), resources as configured after sorting by priority.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use hac_model::Role;
use hac_model::{Agent, OcfCode};

/// How a cluster stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// Resources at top level, instances and members inside; removed ones that are still active or known too.
    pub resources: Vec<ResourceView>,
    /// Operations that failed, in order of node and history, for `Failed Resource Actions`.
    pub failed: Vec<FailedOperation>,
    /// Tickets.
    pub tickets: Vec<TicketView>,
    /// Location constraints that forbid a node (score -INFINITY).
    pub bans: Vec<Ban>,
    /// This partition may act.
    pub quorate: bool,
    /// Name of the designated coordinator.
    pub dc: Option<String>,
    /// What is done without quorum: `stop`, `freeze`, `ignore`, `demote`, `fence`.
    pub no_quorum_policy: String,
    /// Fencing is enabled.
    pub fencing_enabled: bool,
    /// The whole cluster is in maintenance.
    pub maintenance_mode: bool,
    /// All resources are to be stopped.
    pub stop_all_resources: bool,
    /// A node health strategy is in force.
    pub health_in_force: bool,
    /// Number of resource instances (primitives).
    pub instances: usize,
    /// How many of them are to be stopped by configuration.
    pub disabled: usize,
    /// How many of them are blocked by a failure.
    pub blocked: usize,
}

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeKind {
    /// A full member of the cluster.
    #[default]
    Member,
    /// Managed over a remote connection.
    Remote,
    /// A guest, or the inside of a bundle's container.
    Guest,
}

/// Health of a node by its `#health` attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Health {
    /// Healthy.
    #[default]
    Green,
    /// Something is wrong.
    Yellow,
    /// Unhealthy.
    Red,
}

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: NodeKind,
    /// In the membership, resource manager up.
    pub online: bool,
    /// Its state is not known; it must be fenced.
    pub unclean: bool,
    /// It is joining.
    pub pending: bool,
    /// It may not run resources.
    pub standby: bool,
    /// That is the consequence of a failure there.
    pub standby_on_fail: bool,
    /// Its resources are left alone.
    pub maintenance: bool,
    /// It asked to leave.
    pub shutdown: bool,
    /// It should be up.
    pub expected_up: bool,
    /// It is the designated coordinator.
    pub is_dc: bool,
    /// Health, only with a health strategy in force.
    pub health: Health,
    /// Its attributes, permanent and transient ones, the latter winning. Without `#...` and fail counts.
    pub attributes: BTreeMap<String, String>,
    /// Its capacity.
    pub utilization: BTreeMap<String, i64>,
    /// Ids (as displayed) of primitives active on it.
    pub running: Vec<String>,
    /// Guest nodes: the resource that contains it.
    pub container: Option<String>,
    /// It has an entry in the status.
    pub seen: bool,
}

/// How a resource stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceView {
    /// Its id, with instance number for an instance (`Nginx:0`, `Group:1`).
    pub id: String,
    /// The id as displayed: without instance number for an instance of an anonymous clone.
    pub name: String,
    /// Name under which histories know it, where that is not `id`: `rsc` or `rsc:1` for instance `rsc:0`.
    pub history_name: Option<String>,
    /// What it is.
    pub kind: ResourceKind,
    /// Its role: for a collective the highest of its children's.
    pub role: Role,
    /// Names of nodes on which it is active, in order of discovery.
    pub nodes: Vec<String>,
    /// Members, instances, or a bundle's parts.
    pub children: Vec<Self>,
    /// Flags.
    pub flags: ResourceFlags,
    /// `target-role` as far as it restricts: `Stopped` or `Unpromoted` (`Started` and none do not).
    pub target_role: Option<Role>,
    /// Operation under way: (task, node), `start`, `monitor`, …
    pub pending: Option<(String, String)>,
    /// Node that it is locked to while that shuts down.
    pub locked_to: Option<String>,
    /// Nodes where a failed probe counts as not running, with the words for it: (node, `Not installed`).
    pub probe_failures: Vec<(String, String)>,
    /// Fail counts by node: (node, count, seconds since 1970 of the last failure).
    pub fail_counts: Vec<(String, i32, Option<i64>)>,
    /// Operations in the history, for `crm_mon -o`.
    pub operations: Vec<OperationView>,
    /// Meta-attributes as they hold.
    pub meta: BTreeMap<String, String>,
    /// Failures on one node until it is banned there; `None` if never.
    pub migration_threshold: Option<i32>,
}

/// Flags of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceFlags {
    /// No longer configured.
    pub removed: bool,
    /// The cluster may act on it.
    pub managed: bool,
    /// In maintenance.
    pub maintenance: bool,
    /// Nothing may be done until someone cleans up.
    pub blocked: bool,
    /// A failure needs recovery.
    pub failed: bool,
    /// A failure happened and is ignored by configuration.
    pub failure_ignored: bool,
    /// Instances of its clone (or itself) are told apart by number.
    pub unique: bool,
    /// It can be promoted.
    pub promotable: bool,
    /// Active on a node that is unclean and offline.
    pub unclean: bool,
    /// Active anywhere. For a group or bundle replica: any part.
    pub active: bool,
    /// Active on all nodes or with all parts that it should: a group all of whose members are active.
    pub fully_active: bool,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceKind {
    /// One service.
    Primitive {
        /// Its agent.
        agent: Agent,
    },
    /// Members in order.
    Group,
    /// Instances.
    Clone {
        /// Id of what is copied.
        child: String,
        /// How many instances there may be.
        clone_max: usize,
        /// How many on one node.
        clone_node_max: usize,
        /// How many of them promoted.
        promoted_max: usize,
        /// Names of the nodes that the `Stopped` list may name, sorted.
        allowed: Vec<String>,
    },
    /// Containers.
    Bundle {
        /// The image.
        image: String,
        /// One a replica.
        replicas: Vec<ReplicaView>,
    },
}

impl Default for ResourceKind {
    fn default() -> Self {
        Self::Primitive { agent: Agent::default() }
    }
}

/// One replica of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaView {
    /// Its number.
    pub offset: usize,
    /// The container.
    pub container: Box<ResourceView>,
    /// Its address resource.
    pub ip: Option<Box<ResourceView>>,
    /// The connection to it.
    pub remote: Option<Box<ResourceView>>,
    /// What runs inside.
    pub child: Option<Box<ResourceView>>,
    /// Name of the bundle node, if there is one.
    pub node: Option<String>,
    /// The address.
    pub address: Option<String>,
}

/// An operation in the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationView {
    /// Node.
    pub node: String,
    /// Call id.
    pub call_id: i64,
    /// Task.
    pub task: String,
    /// Interval, milliseconds.
    pub interval_ms: u64,
    /// Exit code.
    pub rc: OcfCode,
    /// Execution status.
    pub status: i32,
    /// When the result last changed, seconds since 1970.
    pub last_rc_change: Option<i64>,
    /// How long it took, milliseconds.
    pub exec_time_ms: Option<u64>,
    /// How long it waited, milliseconds.
    pub queue_time_ms: Option<u64>,
    /// What the agent said.
    pub exit_reason: Option<String>,
}

/// An operation that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedOperation {
    /// The resource as displayed.
    pub resource: String,
    /// `RSC_TASK_INTERVALms`.
    pub operation_key: String,
    /// The operation.
    pub operation: OperationView,
}

/// A ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketView {
    /// Its id.
    pub id: String,
    /// Granted here.
    pub granted: bool,
    /// On standby.
    pub standby: bool,
}

/// A location constraint that forbids a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Id of the constraint.
    pub id: String,
    /// The resource.
    pub resource: String,
    /// The node.
    pub node: String,
    /// Score.
    pub score: i32,
    /// Only for the promoted role.
    pub promoted_only: bool,
}
