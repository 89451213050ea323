//! What clients ask for and what they get.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of a CIB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Raised by administrators only.
    pub admin_epoch: u64,
    /// Raised by every change of the configuration.
    pub epoch: u64,
    /// Raised by every change of the status.
    pub num_updates: u64,
}

/// Query of `GET /v1/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusQuery {
    /// How nodes and resources stand ([`Status::view`](crate::Status::view)) instead of the CIB.
    #[serde(default)]
    pub view: bool,
}

/// Query of `GET /v1/cib`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CibQuery {
    /// With the values of secret parameters; only root gets them.
    #[serde(default)]
    pub secrets: bool,
}

/// Query of `GET /v1/agents`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentQuery {
    /// Only this agent, with what it knows of itself: `ocf:heartbeat:nginx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Query of `GET /v1/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// Begin after this event, as far as it is remembered; otherwise with what happens from now on. 0 is from the
    /// beginning of the memory. The header `Last-Event-ID` does the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// End the stream when the memory has been sent, instead of waiting for more.
    #[serde(default)]
    pub no_follow: bool,
    /// Without the kind as the name of the server-sent event: a browser listens to nameless ones all at once.
    #[serde(default)]
    pub unnamed: bool,
}

/// A change of the configuration: all of `changes` or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigureRequest {
    /// `hac_crm::cib::Change`, in order.
    pub changes: Vec<Value>,
    /// Refuse with [`Old`](crate::ErrorCode::Old) if the configuration's epoch is not this version's any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Version>,
    /// After the change is made, wait this long (milliseconds) until nothing is in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Name of the program that asks, kept as `update-client`.
    #[serde(default)]
    pub client: String,
}

/// Answer to [`ConfigureRequest`]: the cluster agreed and every member stored it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Configured {
    /// Version after the change.
    pub version: Version,
    /// What [verification](Finding) finds in the configuration as it is now.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// With `wait_ms`: whether nothing is in progress any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// Something remarkable about a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Id of the object.
    pub subject: String,
    /// What is the matter.
    pub sentence: String,
    /// What to do about it.
    #[serde(default)]
    pub remedy: String,
}

/// Asks for something that does not change the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// What.
    #[serde(flatten)]
    pub command: Command,
    /// As in [`ConfigureRequest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// What an operator may ask for besides changes of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Forget failures and probe again where there were some: `resource cleanup`.
    Cleanup {
        /// Only this resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Only on this node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// Only of this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// Only of the operation with this interval, milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval_ms: Option<u64>,
    },
    /// Change the level of the cluster: `upgrade finish`, `upgrade revert`.
    SetLevel {
        /// The next one, or a lower one.
        to: u16,
    },
    /// The states that were given up are no longer told of: `configure conflict clear`.
    ClearConflict,
    /// Forget everything known of resources and probe them again: `resource refresh`.
    Refresh {
        /// Only this resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Only on this node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// Set (or with `None` remove) an attribute of a node that lasts until it restarts. A value `value++` or `value+=N`
    /// counts up.
    Attribute {
        /// The node's name.
        node: String,
        /// The attribute's name.
        name: String,
        /// Its value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// If it is new: the daemons only tell each other, nothing is decided by it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        private: bool,
        /// If it is new: changes count together when there was none for so long, milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dampening_ms: Option<u64>,
        /// If it is new: it is a capacity of the node (`attrd_updater -z`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        utilization: bool,
    },
    /// Change for how long changes of an attribute are collected before they count: `attrd_updater -Y`.
    Dampening {
        /// The attribute's name; some node must have it.
        name: String,
        /// Milliseconds.
        dampening_ms: u64,
    },
    /// Change a ticket, or forget it: `crm_ticket`, `site ticket`.
    Ticket {
        /// Its id.
        id: String,
        /// Values to set, all at once, or with null to remove: `granted`, `standby`, and any others.
        #[serde(default)]
        values: Vec<(String, Option<String>)>,
        /// Nothing of it stays.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forget: bool,
    },
    /// Fence a node, whatever the configuration says of `stonith-enabled`. Answered when it is wanted, not when it is done: the
    /// state has what comes of it.
    Fence {
        /// The node's name.
        node: String,
        /// What is done to it.
        action: FenceAction,
        /// Who asks, for the history.
        client: String,
        /// To wait so many seconds first, on top of what the devices say; none is not to wait at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_s: Option<u64>,
        /// A success of the same kind within so many seconds before is enough.
        #[serde(default)]
        tolerance_s: u64,
        /// The only device that is to be used, whatever the topology says; none is what the configuration says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
    },
    /// A person says that a node is down: `stonith_admin -C`.
    ConfirmDown {
        /// The node's name.
        node: String,
        /// Who says so, for the history.
        client: String,
        /// Although it is a member: it stops everything when it learns of that.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// Forget what is known of fencing that is over: `stonith_admin -c`.
    ForgetFencing {
        /// Of this node, or of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// Changes of attributes that are collected count at once: `attrd_updater -R`.
    WriteAttributes,
    /// The operator declares that the nodes waited for are down: act without having seen them all (`wait_for_all`).
    CancelWaitForAll,
    /// What the arbiter's store has is to be believed from now on, whatever it is; while all nodes are members.
    TrustArbiter,
}

/// What fencing does to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FenceAction {
    /// Power off, and on again.
    Reboot,
    /// Power off.
    Off,
    /// Let it in again.
    On,
}

/// Answer to [`CommandRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Version after it.
    pub version: Version,
    /// With `wait_ms`: whether nothing is in progress any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// Wait until nothing is in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleRequest {
    /// Answer after this long, milliseconds, even if something is still in progress.
    pub timeout_ms: u64,
}

/// Whether the cluster has done all that it decided to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// It has.
    pub settled: bool,
    /// What it still waits for, in words.
    #[serde(default)]
    pub waiting_for: Vec<String>,
}
