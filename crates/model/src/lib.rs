//! The cluster information base as types: a mirror of Pacemaker's CIB, so that what is decided live can be exported and
//! decided again by other tools.
//!
//! Values stay the text that the user wrote (`timeout=40s` prints back as `40s`); what a text means is read by the
//! scheduler and checked by whoever proposes a change. Lists keep document order, because order decides ties.
//!
//! Beside it the words of work that more than one crate needs, each with its one parser and one printer.

mod alert;
mod constraint;
mod fence_device;
pub mod fencing;
mod histories;
mod invocation;
#[cfg(feature = "level2")]
pub mod level_two;
mod nearest;
mod nvset;
mod operation;
mod plain;
mod resource;
mod secret;
mod shared;
mod status;
mod value;
mod work;

pub use alert::{Alert, NOTICE_EVENTS, NOTICE_FORMS, Notice, Recipient, Select, SelectedAttribute};
pub use constraint::{Colocation, Constraint, Location, LocationSubject, LocationTarget, Order, ResourceSet, Ticket};
pub use fence_device::{FenceAbilities, FenceDevice, HostCheck, RETRY_PAUSE, is_tried_again};
pub use histories::Histories;
pub use invocation::{FenceOrder, Invocation, InvocationId, OUTPUT_MAX, Outcome, ProcessRef, WatchId};
pub use nearest::{abbreviated, is_spread, nearest};
pub use nvset::{Expression, NvPair, NvSet, Rule};
pub use operation::{ExecStatus, OcfCode, OperationKey, TransitionKey, operation_key};
pub use plain::plain;
pub use resource::{
    Agent, Bundle, Clone, FencingLevel, FencingTarget, Group, NoAgent, Operation, Primitive, Resource, Tag, Template,
};
pub use secret::{MASK, SECRETS, is_secret, mask, mask_configuration, secret_behind, secret_property};
pub use shared::Shared;
pub use status::{
    AgentRelease, HeldAttribute, HeldValue, Lack, NodeState, Noticed, OpHistory, Readiness, ResourceHistory, Status,
    TicketState,
};
pub use value::{INFINITY, computed, parse_bool, parse_duration_ms, parse_lifetime_s, parse_score};
pub use work::{FenceAction, Migration, NoSuch, OnFail, Role, Task};

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
    pub configuration: Shared<Configuration>,
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
    /// Programs that nodes run for what they see.
    pub alerts: Vec<Alert>,
    /// Where the coordinator sends what happens.
    pub notices: Vec<Notice>,
    /// What the level of the tests brings.
    #[cfg(feature = "level2")]
    #[serde(skip_serializing_if = "level_two::Word::is_no_field")]
    pub word: level_two::Word,
}

impl Version {
    /// The configuration changed.
    pub fn configuration_changed(&mut self) {
        let Self { admin_epoch, epoch, .. } = *self;
        *self = Self { admin_epoch, epoch: epoch.saturating_add(1), num_updates: 0 };
    }

    /// The status changed.
    pub fn status_changed(&mut self) {
        self.num_updates = self.num_updates.saturating_add(1);
    }
}

impl Cib {
    /// Id of the configured node of this name.
    #[must_use]
    pub fn node_id(&self, name: &str) -> Option<&str> {
        self.configuration.nodes.iter().find(|node| node.uname == name).map(|node| node.id.as_str())
    }

    /// Value of a transient attribute of a node.
    #[must_use]
    pub fn transient(&self, node: &str, name: &str) -> Option<&str> {
        let id = self.node_id(node)?;
        let state = self.status.nodes.iter().find(|state| state.id == id)?;
        state.attributes.iter().find_map(|set| set.get(name))
    }
}

impl Configuration {
    /// Value of a cluster property: from the set that rules, then from the others in document order. Sets with a rule
    /// are left out.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        let plain = |set: &&NvSet| set.rule.is_none();
        let ruling = self.crm_config.iter().filter(plain).find(|set| set.id == BOOTSTRAP_OPTIONS);
        ruling
            .and_then(|set| set.get(name))
            .or_else(|| self.crm_config.iter().filter(plain).find_map(|set| set.get(name)))
    }
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

/// Feature set whose rules are followed, in the CIB and towards agents.
pub const FEATURE_SET: &str = "3.20.0";

/// Name of the property set that rules over others.
pub const BOOTSTRAP_OPTIONS: &str = "cib-bootstrap-options";
