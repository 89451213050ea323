//! The working data of one run: nodes, resources, constraints and actions in dense tables.
//!
//! Every stage works on a [`Cluster`]. What configuration and status say stands in a [`Fact`] and is read through it
//! (`cluster.options`, `cluster.nodes[node].name`, `resource.is.unique`); only [`reading`](super::reading) can write it.
//! Which of the other fields a stage reads and writes stands in the head of its file. Lists that Pacemaker builds by
//! prepending are kept in order of creation here and read backwards.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use hac_model::{Agent, Cib};

pub(super) use super::action::{Action, Needs, Ordering, RelationFlags, Side, Task};
pub(super) use super::allowed::{Allowed, AllowedTable, Discovery};
pub(super) use super::arena::{Arena, Key};
pub(super) use super::ids::{ActIdx, ColIdx, LocIdx, NodeIdx, ReqIdx, RscIdx};
use super::options::Options;
use super::reading::Fact;
pub(super) use super::requests::Requests;
pub(super) use super::scores::{Scores, Why};
pub(super) use super::view::Role;

/// Everything that one run knows: facts, and what stages make of them.
pub(super) struct Cluster<'a> {
    /// What configuration and status say of the whole.
    pub(super) facts: Fact<Facts<'a>>,
    /// When another answer may be right, seconds since 1970.
    pub(super) recheck_by: Cell<Option<i64>>,
    /// What was wrong with the input.
    pub(super) warnings: RefCell<Vec<String>>,
    /// What this run may still cost.
    pub(super) limits: super::limits::Limits,
    /// Nodes, in order of creation.
    pub(super) nodes: Arena<NodeIdx, Node>,
    /// Resources, instances and members.
    pub(super) rsc: Arena<RscIdx, Resource>,
    /// Resources at top level, by priority.
    pub(super) top: Vec<RscIdx>,
    /// Locations.
    pub(super) locations: Arena<LocIdx, Location>,
    /// Colocations.
    pub(super) colocations: Arena<ColIdx, Colocation>,
    /// Orderings that constraints ask for, in order of creation.
    pub(super) orderings: Vec<Ordering<ReqIdx>>,
    /// What the graph is asked for, in order.
    pub(super) requests: Requests,
    /// What turned out to have no node: whatever is to start it cannot.
    pub(super) given_up: Vec<RscIdx>,
    /// Which nodes each resource may run on, and how much it wants to.
    pub(super) scores: Scores,
}

/// What configuration and status say of the cluster as a whole.
pub(super) struct Facts<'a> {
    /// What it is about.
    pub(super) cib: &'a Cib,
    /// Blocks, rules and operations by id, for references.
    pub(super) index: super::index::Index<'a>,
    /// The time, seconds since 1970.
    pub(super) now: i64,
    /// Cluster properties.
    pub(super) options: Options,
    /// Meta-attributes of all resources.
    pub(super) defaults: Vec<hac_model::NvSet>,
    /// Options of all operations.
    pub(super) op_defaults: Vec<hac_model::NvSet>,
    /// This partition may act.
    pub(super) quorate: bool,
    /// The designated coordinator.
    pub(super) dc: Option<NodeIdx>,
    /// The nodes by name.
    pub(super) node_order: Vec<NodeIdx>,
    /// First resource with an id; anonymous instances also by the id without number.
    pub(super) rsc_by_id: BTreeMap<String, RscIdx>,
    /// Resources by the name that their history goes by.
    pub(super) renamed: BTreeMap<String, RscIdx>,
    /// Names of templates and what uses them, and of tags and what they stand for.
    pub(super) sets: BTreeMap<String, Vec<String>>,
    /// Tickets.
    pub(super) tickets: BTreeMap<String, Ticket>,
    /// Failed operations, for people.
    pub(super) failed: Vec<super::view::FailedOperation>,
    /// There are remote or guest nodes.
    pub(super) has_remote_nodes: bool,
    /// Something requires unfencing.
    pub(super) unfencing_in_use: bool,
    /// Fence devices, or a watchdog, are configured.
    pub(super) fencing_configured: bool,
}

impl<'a> Deref for Cluster<'a> {
    type Target = Facts<'a>;

    fn deref(&self) -> &Facts<'a> {
        &self.facts
    }
}

/// A node: what is known of it, and what stages make of that.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// What is known.
    pub(super) facts: Fact<NodeFacts>,
    /// Capacity left.
    pub(super) utilization: BTreeMap<String, i64>,
    /// In the membership, resource manager up.
    pub(super) online: bool,
    /// To be fenced.
    pub(super) unclean: bool,
    /// It asked to leave.
    pub(super) shutdown: bool,
    /// Its connection must be reset.
    pub(super) remote_requires_reset: bool,
    /// Number of resources assigned to it in this run.
    pub(super) assigned: usize,
}

/// What configuration and status say of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeFacts {
    /// Its id.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
    /// Its kind.
    pub(super) kind: Kind,
    /// Permanent and transient attributes.
    pub(super) attributes: BTreeMap<String, String>,
    /// Capacity configured.
    pub(super) capacity: BTreeMap<String, i64>,
    /// Score that it adds for every resource.
    pub(super) score: i32,
    /// What a resource's table says of it at first.
    pub(super) table_entry: Allowed,
    /// It has an entry in the status.
    pub(super) seen: bool,
    /// It is joining.
    pub(super) pending: bool,
    /// May not run resources.
    pub(super) standby: bool,
    /// ... because of a failure.
    pub(super) fail_standby: bool,
    /// Its resources are left alone.
    pub(super) maintenance: bool,
    /// It should be up.
    pub(super) expected_up: bool,
    /// It is the designated coordinator.
    pub(super) is_dc: bool,
    /// Its history was read.
    pub(super) unpacked: bool,
    /// Resources may be discovered on it (guest and remote nodes).
    pub(super) discovery: bool,
    /// It was fenced (remote nodes).
    pub(super) remote_was_fenced: bool,
    /// It was in maintenance when last seen (remote nodes).
    pub(super) remote_maintenance: bool,
    /// Its fencing waits for priority-fencing-delay.
    pub(super) priority: i32,
    /// Its connection, for remote and guest nodes.
    pub(super) connection: Option<RscIdx>,
    /// Primitives active on it, in order of discovery.
    pub(super) running: Vec<RscIdx>,
    /// Position of its entry in the status.
    pub(super) state: Option<usize>,
}

impl Deref for Node {
    type Target = NodeFacts;

    fn deref(&self) -> &NodeFacts {
        &self.facts
    }
}

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
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
    pub(super) fn is_pacemaker_remote(&self) -> bool {
        self.kind != Kind::Member
    }

    /// Inside something that is itself a resource.
    pub(super) fn is_guest(&self) -> bool {
        matches!(self.kind, Kind::Guest | Kind::Bundle)
    }

    /// Its own host behind a remote connection.
    pub(super) fn is_remote(&self) -> bool {
        self.kind == Kind::Remote
    }
}

/// What a resource is.
#[derive(Clone, Debug)]
pub(super) enum Variant {
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
pub(super) struct CloneData {
    /// How many instances there may be.
    pub(super) max: usize,
    /// How many on one node.
    pub(super) node_max: usize,
    /// How many promoted.
    pub(super) promoted_max: usize,
    /// How many promoted on one node.
    pub(super) promoted_node_max: usize,
    /// Instances wait for their counterpart, not for the whole.
    pub(super) interleave: bool,
    /// Instances start one after the other.
    pub(super) ordered: bool,
    /// Id of what is copied.
    pub(super) child_id: String,
    /// What instances are made of (for surplus ones).
    pub(super) template: Option<Rc<Prepared>>,
    /// Instances made so far, surplus ones too.
    pub(super) made: usize,
    /// Promotion scores were added to the instances' tables.
    pub(super) promotion_added: bool,
    /// Roles are being, or were, chosen.
    pub(super) choosing_roles: bool,
}

/// What only bundles have.
#[derive(Clone, Debug, Default)]
pub(super) struct BundleData {
    /// The replicas.
    pub(super) replicas: Vec<Replica>,
    /// The clone of what runs inside.
    pub(super) child: Option<RscIdx>,
    /// How many on one host.
    pub(super) per_host: usize,
    /// The image.
    pub(super) image: String,
}

/// One replica of a bundle.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    /// Its number.
    pub(super) offset: usize,
    /// The container.
    pub(super) container: RscIdx,
    /// Its address.
    pub(super) ip: Option<RscIdx>,
    /// The connection to it.
    pub(super) remote: Option<RscIdx>,
    /// What runs inside.
    pub(super) child: Option<RscIdx>,
    /// The node inside.
    pub(super) node: Option<NodeIdx>,
    /// The address as text.
    pub(super) address: Option<String>,
}

/// What is done when a resource is active on several nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum MultiplyActive {
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
pub(super) struct Blocks {
    /// Its agent.
    pub(super) agent: Arc<Agent>,
    /// Parameters.
    pub(super) params: Vec<hac_model::NvSet>,
    /// Meta-attributes.
    pub(super) meta: Vec<hac_model::NvSet>,
    /// Utilization.
    pub(super) utilization: Vec<hac_model::NvSet>,
    /// Operations.
    pub(super) operations: Vec<hac_model::Operation>,
    /// Other XML attributes.
    pub(super) attributes: BTreeMap<String, String>,
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

/// A resource, instance or member: what is known of it, and what stages make of that.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// What is known.
    pub(super) facts: Fact<ResourceFacts>,
    /// What it is.
    pub(super) variant: Variant,
    /// Its parts.
    pub(super) children: Vec<RscIdx>,
    /// Flags.
    pub(super) is: Flags,
    /// Importance.
    pub(super) priority: i32,
    /// After how long failures are forgotten, milliseconds; 0 is never.
    pub(super) failure_expiry_ms: Cell<u64>,
    /// The node it is locked to, and since when.
    pub(super) lock: Option<(NodeIdx, i64)>,
    /// Where it will be.
    pub(super) assigned: Option<NodeIdx>,
    /// Its score there when that was decided.
    pub(super) assigned_score: i32,
    /// Role now.
    pub(super) role: Role,
    /// Role to reach.
    pub(super) next_role: Role,
    /// A live migration that is half done: source and target.
    pub(super) migration: Option<(NodeIdx, NodeIdx)>,
    /// Colocations in which it is the dependent, sorted.
    pub(super) this_with: Vec<ColIdx>,
    /// Colocations in which it is the primary, sorted.
    pub(super) with_this: Vec<ColIdx>,
    /// Location constraints.
    pub(super) locations: Vec<LocIdx>,
    /// Role-bound tickets: (ticket, role).
    pub(super) tickets: Vec<(String, Role)>,
    /// How much it wants to be promoted (instances), or the priority borrowed for it.
    pub(super) promotion_priority: i32,
}

/// What configuration and status say of a resource.
#[derive(Clone, Debug)]
pub(super) struct ResourceFacts {
    /// Its id, with instance number.
    pub(super) id: String,
    /// The name its history goes by, where that differs.
    pub(super) history_id: Option<String>,
    /// What it is part of.
    pub(super) parent: Option<RscIdx>,
    /// Its configuration.
    pub(super) blocks: Rc<Blocks>,
    /// Meta-attributes as they hold.
    pub(super) meta: BTreeMap<String, String>,
    /// How much it wants to stay.
    pub(super) stickiness: i32,
    /// Failures on one node until it is banned there; 0 is never.
    pub(super) ban_after: i32,
    /// Connections: interval of attempts after a failure.
    pub(super) reconnect_ms: u64,
    /// What is done when it is active on several nodes.
    pub(super) multiply_active: MultiplyActive,
    /// What contains it (guest nodes, bundles).
    pub(super) launcher: Option<RscIdx>,
    /// What it contains.
    pub(super) launched: Vec<RscIdx>,
    /// Connections: the node behind it.
    pub(super) remote_node: Option<NodeIdx>,
    /// What it takes of a node.
    pub(super) utilization: BTreeMap<String, i64>,
    /// Nodes it is active on, in order of discovery.
    pub(super) active: Vec<NodeIdx>,
    /// Nodes where its state is known.
    pub(super) known: Vec<NodeIdx>,
    /// Operation under way and its node.
    pub(super) pending: Option<(String, NodeIdx)>,
    /// Sources that a migration left active.
    pub(super) dangling: Vec<NodeIdx>,
    /// Probe failures that count as not running: (node, words).
    pub(super) probe_failures: Vec<(NodeIdx, String)>,
    /// Histories: (node, position in the node's list).
    pub(super) histories: Vec<(NodeIdx, usize)>,
}

impl Deref for Resource {
    type Target = ResourceFacts;

    fn deref(&self) -> &ResourceFacts {
        &self.facts
    }
}

/// Flags of a resource that stages revise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// Those that they do not.
    pub(super) facts: Fact<FlagFacts>,
    /// The cluster may act on it.
    pub(super) managed: bool,
    /// Waits for a person.
    pub(super) blocked: bool,
    /// A failure needs recovery.
    pub(super) failed: bool,
    /// ... by stopping it.
    pub(super) stop_if_failed: bool,
    /// Can be moved live.
    pub(super) migratable: bool,
    /// A start is under way.
    pub(super) start_pending: bool,
    /// Not yet assigned.
    pub(super) unassigned: bool,
    /// Being assigned.
    pub(super) assigning: bool,
    /// Its scores are being added somewhere (cuts recursion).
    pub(super) updating_nodes: bool,
}

/// Flags of a resource that configuration and status set.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlagFacts {
    /// No longer configured.
    pub(super) removed: bool,
    /// A removed resource's own history made it a filler for one instance too many.
    pub(super) removed_filler: bool,
    /// In maintenance.
    pub(super) maintenance: bool,
    /// A failure is ignored.
    pub(super) failure_ignored: bool,
    /// Told apart by number.
    pub(super) unique: bool,
    /// Agents are told of what happens to the others.
    pub(super) notify: bool,
    /// Can be promoted (clones and what is inside).
    pub(super) promotable: bool,
    /// Its placement matters to what it depends on.
    pub(super) critical: bool,
    /// Waits for quorum.
    pub(super) needs_quorum: bool,
    /// Waits for fencing.
    pub(super) needs_fencing: bool,
    /// Waits for unfencing.
    pub(super) needs_unfencing: bool,
    /// A fence device.
    pub(super) fence_device: bool,
    /// Made by a bundle.
    pub(super) internal: bool,
    /// Containers may contain connections that run elsewhere.
    pub(super) allow_remote_remotes: bool,
}

impl Deref for Flags {
    type Target = FlagFacts;

    fn deref(&self) -> &FlagFacts {
        &self.facts
    }
}

/// A ticket.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticket {
    /// Granted here.
    pub(super) granted: bool,
    /// On standby.
    pub(super) standby: bool,
}

/// A location constraint as scores for nodes.
#[derive(Clone, Debug)]
pub(super) struct Location {
    /// Its id.
    pub(super) id: String,
    /// The resource.
    pub(super) rsc: RscIdx,
    /// Applies to this role (`Unknown`: any).
    pub(super) role: Role,
    /// Its discovery mode.
    pub(super) discovery: Discovery,
    /// Scores.
    pub(super) nodes: Vec<(NodeIdx, i32)>,
}

/// A colocation of a pair.
#[derive(Clone, Debug)]
pub(super) struct Colocation {
    /// Its id.
    pub(super) id: String,
    /// Placed after ...
    pub(super) dependent: RscIdx,
    /// ... this.
    pub(super) primary: RscIdx,
    /// Role of the dependent that it is about (`Unknown`: any).
    pub(super) dependent_role: Role,
    /// Role of the primary that it is about (`Unknown`: any).
    pub(super) primary_role: Role,
    /// How much.
    pub(super) score: i32,
    /// Node attribute that must agree; `None` is the node itself.
    pub(super) attribute: Option<String>,
    /// The dependent's wishes count for an active primary.
    pub(super) influence: bool,
    /// Written by a person, not built in.
    pub(super) explicit: bool,
}

impl Resource {
    /// One service.
    pub(super) fn is_primitive(&self) -> bool {
        matches!(self.variant, Variant::Primitive)
    }

    /// Members in order.
    pub(super) fn is_group(&self) -> bool {
        matches!(self.variant, Variant::Group { .. })
    }

    /// Instances.
    pub(super) fn is_clone(&self) -> bool {
        matches!(self.variant, Variant::Clone(_))
    }

    /// Containers.
    pub(super) fn is_bundle(&self) -> bool {
        matches!(self.variant, Variant::Bundle(_))
    }

    /// What only clones have.
    pub(super) fn clone_data(&self) -> Option<&CloneData> {
        match &self.variant {
            Variant::Clone(data) => Some(data),
            _ => None,
        }
    }

    /// What only bundles have.
    pub(super) fn bundle_data(&self) -> Option<&BundleData> {
        match &self.variant {
            Variant::Bundle(data) => Some(data),
            _ => None,
        }
    }

    /// Its id in histories.
    pub(super) fn known_as(&self) -> &str {
        self.history_id.as_deref().unwrap_or(&self.id)
    }
}

/// A resource id without its instance number.
pub(super) fn base_name(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, number))
            if !base.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            base
        }
        _ => id,
    }
}

/// Compares names as people sort them: digits as numbers, letters without case.
pub(super) fn compare_names(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return std::cmp::Ordering::Equal,
            (None, _) => return std::cmp::Ordering::Less,
            (_, None) => return std::cmp::Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let digits = |s: &[u8]| s.iter().take_while(|b| b.is_ascii_digit()).count();
                let (n, m) = (digits(a), digits(b));
                let number =
                    |s: &[u8]| s.iter().fold(0_u128, |n, d| n.saturating_mul(10).saturating_add(u128::from(d - b'0')));
                match number(&a[..n]).cmp(&number(&b[..m])) {
                    std::cmp::Ordering::Equal => (a, b) = (&a[n..], &b[m..]),
                    unequal => return unequal,
                }
            }
            (Some(x), Some(y)) => match x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase()) {
                std::cmp::Ordering::Equal => (a, b) = (&a[1..], &b[1..]),
                unequal => return unequal,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_would() {
        let mut names = vec!["node10", "Node2", "node1", "a"];
        names.sort_by(|a, b| compare_names(a, b));
        assert_eq!(names, ["a", "node1", "Node2", "node10"]);
    }

    #[test]
    fn only_a_number_after_the_colon_is_an_instance() {
        assert_eq!(base_name("rsc:12"), "rsc");
        assert_eq!(base_name("rsc:x"), "rsc:x");
        assert_eq!(base_name(":1"), ":1");
    }
}
