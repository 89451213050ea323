//! The facts: what configuration and status say.
//!
//! They stand in a [`Fact`](crate::reading::fact::Fact), which only [`reading`](crate::reading) can write. What is
//! revised later stands beside them, in [`known`](crate::known).

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use hac_model::{Agent, Cib};

use crate::allowed::Allowed;
use crate::ids::{NodeIdx, RscIdx};
use crate::options::Options;

/// What configuration and status say of the cluster as a whole.
pub(crate) struct Facts<'a> {
    /// What it is about.
    pub(crate) cib: &'a Cib,
    /// Blocks, rules and operations by id, for references.
    pub(crate) index: crate::index::Index<'a>,
    /// The time, seconds since 1970.
    pub(crate) now: i64,
    /// Cluster properties.
    pub(crate) options: Options,
    /// Meta-attributes of all resources.
    pub(crate) defaults: Vec<hac_model::NvSet>,
    /// Options of all operations.
    pub(crate) op_defaults: Vec<hac_model::NvSet>,
    /// This partition may act.
    pub(crate) quorate: bool,
    /// The designated coordinator.
    pub(crate) dc: Option<NodeIdx>,
    /// The nodes by name.
    pub(crate) node_order: Vec<NodeIdx>,
    /// First resource with an id; anonymous instances also by the id without number.
    pub(crate) rsc_by_id: BTreeMap<String, RscIdx>,
    /// Resources by the name that their history goes by.
    pub(crate) renamed: BTreeMap<String, RscIdx>,
    /// Names of templates and what uses them, and of tags and what they stand for.
    pub(crate) sets: BTreeMap<String, Vec<String>>,
    /// Tickets.
    pub(crate) tickets: BTreeMap<String, Ticket>,
    /// Failed operations, for people.
    pub(crate) failed: Vec<crate::view::FailedOperation>,
    /// There are remote or guest nodes.
    pub(crate) has_remote_nodes: bool,
    /// Something requires unfencing.
    pub(crate) unfencing_in_use: bool,
    /// Fence devices, or a watchdog, are configured.
    pub(crate) fencing_configured: bool,
}

/// What configuration and status say of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFacts {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: Kind,
    /// Permanent and transient attributes.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Capacity configured.
    pub(crate) capacity: BTreeMap<String, i64>,
    /// Score that it adds for every resource.
    pub(crate) score: i32,
    /// What a resource's table says of it at first.
    pub(crate) table_entry: Allowed,
    /// It has an entry in the status.
    pub(crate) seen: bool,
    /// It is joining.
    pub(crate) pending: bool,
    /// May not run resources.
    pub(crate) standby: bool,
    /// ... because of a failure.
    pub(crate) fail_standby: bool,
    /// Its resources are left alone.
    pub(crate) maintenance: bool,
    /// It should be up.
    pub(crate) expected_up: bool,
    /// It is the designated coordinator.
    pub(crate) is_dc: bool,
    /// Its history was read.
    pub(crate) unpacked: bool,
    /// Resources may be discovered on it (guest and remote nodes).
    pub(crate) discovery: bool,
    /// It was fenced (remote nodes).
    pub(crate) remote_was_fenced: bool,
    /// It was in maintenance when last seen (remote nodes).
    pub(crate) remote_maintenance: bool,
    /// Its fencing waits for priority-fencing-delay.
    pub(crate) priority: i32,
    /// Its connection, for remote and guest nodes.
    pub(crate) connection: Option<RscIdx>,
    /// Primitives active on it, in order of discovery.
    pub(crate) running: Vec<RscIdx>,
    /// Position of its entry in the status.
    pub(crate) state: Option<usize>,
}

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A full member.
    #[default]
    Member,
    /// Behind a remote connection.
    Remote,
    /// Inside a container or virtual machine.
    Guest,
    /// Inside a bundle's container.
    Bundle,
}

impl NodeFacts {
    /// Behind a connection.
    pub(crate) fn is_pacemaker_remote(&self) -> bool {
        self.kind != Kind::Member
    }

    /// Inside something that is itself a resource.
    pub(crate) fn is_guest(&self) -> bool {
        matches!(self.kind, Kind::Guest | Kind::Bundle)
    }

    /// Its own host behind a remote connection.
    pub(crate) fn is_remote(&self) -> bool {
        self.kind == Kind::Remote
    }
}

/// What a resource is.
#[derive(Clone, Debug)]
pub(crate) enum Variant {
    /// One service.
    Primitive,
    /// Members in order.
    Group {
        /// Each starts after the one before it.
        ordered: bool,
        /// All on one node.
        colocated: bool,
    },
    /// Instances.
    Clone(CloneData),
    /// Containers.
    Bundle(BundleData),
}

/// What only clones have.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloneData {
    /// How many instances there may be.
    pub(crate) max: usize,
    /// How many on one node.
    pub(crate) node_max: usize,
    /// How many promoted.
    pub(crate) promoted_max: usize,
    /// How many promoted on one node.
    pub(crate) promoted_node_max: usize,
    /// Instances wait for their counterpart, not for the whole.
    pub(crate) interleave: bool,
    /// Instances start one after the other.
    pub(crate) ordered: bool,
    /// Id of what is copied.
    pub(crate) child_id: String,
    /// What instances are made of (for surplus ones).
    pub(crate) template: Option<Rc<Prepared>>,
    /// Instances made so far, surplus ones too.
    pub(crate) made: usize,
}

/// What only bundles have.
#[derive(Clone, Debug, Default)]
pub(crate) struct BundleData {
    /// The replicas.
    pub(crate) replicas: Vec<Replica>,
    /// The clone of what runs inside.
    pub(crate) child: Option<RscIdx>,
    /// How many on one host.
    pub(crate) per_host: usize,
    /// The image.
    pub(crate) image: String,
}

/// One replica of a bundle.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    /// Its number.
    pub(crate) offset: usize,
    /// The container.
    pub(crate) container: RscIdx,
    /// Its address.
    pub(crate) ip: Option<RscIdx>,
    /// The connection to it.
    pub(crate) remote: Option<RscIdx>,
    /// What runs inside.
    pub(crate) child: Option<RscIdx>,
    /// The node inside.
    pub(crate) node: Option<NodeIdx>,
    /// The address as text.
    pub(crate) address: Option<String>,
}

/// What is done when a resource is active on several nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MultiplyActive {
    /// Stop all, start one.
    #[default]
    StopStart,
    /// Stop all.
    StopOnly,
    /// Wait for a person.
    Block,
    /// Stop those that are not where it should be.
    StopUnexpected,
}

/// A configured resource's blocks, shared by its instances, references and templates resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    /// Its agent.
    pub(crate) agent: Arc<Agent>,
    /// Parameters.
    pub(crate) params: Vec<hac_model::NvSet>,
    /// Meta-attributes.
    pub(crate) meta: Vec<hac_model::NvSet>,
    /// Utilization.
    pub(crate) utilization: Vec<hac_model::NvSet>,
    /// Operations.
    pub(crate) operations: Vec<hac_model::Operation>,
    /// Other XML attributes.
    pub(crate) attributes: BTreeMap<String, String>,
}

/// What instances are made of.
#[derive(Clone, Debug)]
pub(crate) enum Prepared {
    /// One service.
    Primitive(String, Rc<Blocks>),
    /// Members in order.
    Group(String, Rc<Blocks>, Vec<(String, Rc<Blocks>)>),
}

impl Prepared {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Primitive(id, _) | Self::Group(id, ..) => id,
        }
    }
}

/// What configuration and status say of a resource.
#[derive(Clone, Debug)]
pub(crate) struct ResourceFacts {
    /// Its id, with instance number.
    pub(crate) id: String,
    /// The name its history goes by, where that differs.
    pub(crate) history_id: Option<String>,
    /// What it is.
    pub(crate) variant: Variant,
    /// What it is part of.
    pub(crate) parent: Option<RscIdx>,
    /// Its configuration.
    pub(crate) blocks: Rc<Blocks>,
    /// Meta-attributes as they hold.
    pub(crate) meta: BTreeMap<String, String>,
    /// How much it wants to stay.
    pub(crate) stickiness: i32,
    /// Failures on one node until it is banned there; 0 is never.
    pub(crate) ban_after: i32,
    /// Connections: interval of attempts after a failure.
    pub(crate) reconnect_ms: u64,
    /// What is done when it is active on several nodes.
    pub(crate) multiply_active: MultiplyActive,
    /// What contains it (guest nodes, bundles).
    pub(crate) launcher: Option<RscIdx>,
    /// What it contains.
    pub(crate) launched: Vec<RscIdx>,
    /// Connections: the node behind it.
    pub(crate) remote_node: Option<NodeIdx>,
    /// What it takes of a node.
    pub(crate) utilization: BTreeMap<String, i64>,
    /// Nodes it is active on, in order of discovery.
    pub(crate) active: Vec<NodeIdx>,
    /// Nodes where its state is known.
    pub(crate) known: Vec<NodeIdx>,
    /// Operation under way and its node.
    pub(crate) pending: Option<(String, NodeIdx)>,
    /// Sources that a migration left active.
    pub(crate) dangling: Vec<NodeIdx>,
    /// Probe failures that count as not running: (node, words).
    pub(crate) probe_failures: Vec<(NodeIdx, String)>,
    /// Histories: (node, position in the node's list).
    pub(crate) histories: Vec<(NodeIdx, usize)>,
}

/// Flags of a resource that configuration and status set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlagFacts {
    /// No longer configured.
    pub(crate) removed: bool,
    /// A removed resource's own history made it a filler for one instance too many.
    pub(crate) removed_filler: bool,
    /// In maintenance.
    pub(crate) maintenance: bool,
    /// A failure is ignored.
    pub(crate) failure_ignored: bool,
    /// Told apart by number.
    pub(crate) unique: bool,
    /// Agents are told of what happens to the others.
    pub(crate) notify: bool,
    /// Can be promoted (clones and what is inside).
    pub(crate) promotable: bool,
    /// Its placement matters to what it depends on.
    pub(crate) critical: bool,
    /// Waits for quorum.
    pub(crate) needs_quorum: bool,
    /// Waits for fencing.
    pub(crate) needs_fencing: bool,
    /// Waits for unfencing.
    pub(crate) needs_unfencing: bool,
    /// A fence device.
    pub(crate) fence_device: bool,
    /// Made by a bundle.
    pub(crate) internal: bool,
    /// Containers may contain connections that run elsewhere.
    pub(crate) allow_remote_remotes: bool,
}

/// A ticket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket {
    /// Granted here.
    pub(crate) granted: bool,
    /// On standby.
    pub(crate) standby: bool,
}
