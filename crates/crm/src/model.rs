//! The cluster information base as types: a mirror of Pacemaker's CIB, so that what is decided live can be exported and
//! decided again by other tools.
//!
//! Values stay the text that the user wrote (`timeout=40s` prints back as `40s`); what a text means is read by the
//! [`scheduler`](crate::scheduler) and checked by [`cib`](crate::cib) when it is written. Lists keep document order,
//! because order decides ties.

mod constraint;
mod nvset;
mod resource;
mod secret;
mod status;
mod value;

pub use constraint::{Colocation, Constraint, Location, LocationSubject, LocationTarget, Order, ResourceSet, Ticket};
pub use nvset::{Expression, NvPair, NvSet, Rule};
pub use resource::{
    Agent, Bundle, Clone, FencingLevel, FencingTarget, Group, Operation, Primitive, Resource, Tag, Template,
};
pub use secret::{MASK, is_secret, mask, mask_configuration};
pub use status::{NodeState, OpHistory, ResourceHistory, Status, TicketState};
pub use value::{INFINITY, parse_bool, parse_duration_ms, parse_score};

use serde::{Deserialize, Serialize};

/// Version of a CIB, compared from left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Raised by administrators only.
    pub admin_epoch: u64,
    /// Raised by every change of the configuration, which sets `num_updates` to zero.
    pub epoch: u64,
    /// Raised by every change of the status.
    pub num_updates: u64,
}

/// Configuration and status of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cib {
    /// Its version.
    pub version: Version,
    /// What stands at the root besides.
    pub info: CibInfo,
    /// What people asked for.
    pub configuration: Configuration,
    /// What is known of nodes and resources.
    pub status: Status,
}

/// The attributes of the root element.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CibInfo {
    /// Whether this partition may act. In a stored case absent means no.
    pub have_quorum: bool,
    /// Id of the designated coordinator.
    pub dc_uuid: Option<String>,
    /// Schema that the configuration follows, such as `pacemaker-3.9`.
    pub validate_with: Option<String>,
    /// Feature set of the writer.
    pub crm_feature_set: Option<String>,
    /// Evaluate as if it were this time, in seconds since 1970.
    pub execution_date: Option<i64>,
    /// This partition lost quorum at a time when policy `fence` was in force.
    pub no_quorum_panic: Option<bool>,
    /// When the configuration was last changed, milliseconds since 1970.
    pub last_changed_ms: Option<i64>,
    /// Name of the node through which it was changed.
    pub update_origin: Option<String>,
    /// Program that changed it.
    pub update_client: Option<String>,
    /// User who changed it.
    pub update_user: Option<String>,
}

/// What people asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Cluster properties; the set `cib-bootstrap-options` rules.
    pub crm_config: Vec<NvSet>,
    /// Meta-attributes of all resources.
    pub rsc_defaults: Vec<NvSet>,
    /// Options of all operations.
    pub op_defaults: Vec<NvSet>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Resources at top level, templates among them.
    pub resources: Vec<Resource>,
    /// Constraints.
    pub constraints: Vec<Constraint>,
    /// Which fence devices for which node, in which order.
    pub fencing_topology: Vec<FencingLevel>,
    /// Names for sets of objects.
    pub tags: Vec<Tag>,
}

/// A configured node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id: the decimal node id on a live cluster, any text in a stored case.
    pub id: String,
    /// Its name.
    pub uname: String,
    /// `member` (also when absent), `remote` or `ping`.
    pub kind: Option<String>,
    /// Score that it adds for every resource.
    pub score: Option<String>,
    /// Permanent attributes, `standby` and `maintenance` among them.
    pub attributes: Vec<NvSet>,
    /// Capacity.
    pub utilization: Vec<NvSet>,
}

/// Name of the property set that rules over others.
pub const BOOTSTRAP_OPTIONS: &str = "cib-bootstrap-options";
