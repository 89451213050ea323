//! What is known of the cluster: the facts, and how nodes and resources stand.
//!
//! Facts are written by [`reading`](crate::reading) alone. How something stands is read from the status too, but revised
//! later: a connection that will be up brings its node up, a role that cannot be had is given up.

use std::cell::{Cell, RefCell};
use std::ops::Deref;

use crate::arena::Arena;
use crate::facts::{BundleData, CloneData, Facts, FlagFacts, NodeFacts, ResourceFacts, Variant};
use crate::ids::{NodeIdx, RscIdx};
use crate::reading::fact::Fact;
use hac_model::Role;

/// Facts, and how things stand.
pub(crate) struct Known<'a> {
    /// What configuration and status say of the whole.
    pub(crate) facts: Fact<Facts<'a>>,
    /// When another answer may be right, seconds since 1970.
    pub(crate) recheck_by: Cell<Option<i64>>,
    /// What was wrong with the input.
    pub(crate) warnings: RefCell<Vec<String>>,
    /// Nodes, in order of creation.
    pub(crate) nodes: Arena<NodeIdx, Node>,
    /// Resources, instances and members.
    pub(crate) rsc: Arena<RscIdx, Resource>,
    /// Resources at top level, by priority.
    pub(crate) top: Vec<RscIdx>,
}

impl<'a> Deref for Known<'a> {
    type Target = Facts<'a>;

    fn deref(&self) -> &Facts<'a> {
        &self.facts
    }
}

/// A node: what is known of it, and what stages make of that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// What is known.
    pub(crate) facts: Fact<NodeFacts>,
    /// In the membership, resource manager up.
    pub(crate) online: bool,
    /// To be fenced.
    pub(crate) unclean: bool,
    /// It asked to leave.
    pub(crate) shutdown: bool,
    /// Its connection must be reset.
    pub(crate) remote_requires_reset: bool,
}

impl Deref for Node {
    type Target = NodeFacts;

    fn deref(&self) -> &NodeFacts {
        &self.facts
    }
}

/// A resource, instance or member: what is known of it, and what stages make of that.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// What is known.
    pub(crate) facts: Fact<ResourceFacts>,
    /// Its parts.
    pub(crate) children: Vec<RscIdx>,
    /// Flags.
    pub(crate) is: Flags,
    /// Importance.
    pub(crate) priority: i32,
    /// After how long failures are forgotten, milliseconds; 0 is never.
    pub(crate) failure_expiry_ms: Cell<u64>,
    /// The node it is locked to, and since when.
    pub(crate) lock: Option<(NodeIdx, i64)>,
    /// Role now.
    pub(crate) role: Role,
    /// Role to reach.
    pub(crate) next_role: Role,
    /// A live migration that is half done: source and target.
    pub(crate) migration: Option<(NodeIdx, NodeIdx)>,
}

impl Deref for Resource {
    type Target = ResourceFacts;

    fn deref(&self) -> &ResourceFacts {
        &self.facts
    }
}

/// Flags of a resource that stages revise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    /// Those that they do not.
    pub(crate) facts: Fact<FlagFacts>,
    /// The cluster may act on it.
    pub(crate) managed: bool,
    /// Waits for a person.
    pub(crate) blocked: bool,
    /// A failure needs recovery.
    pub(crate) failed: bool,
    /// ... by stopping it.
    pub(crate) stop_if_failed: bool,
    /// Can be moved live.
    pub(crate) migratable: bool,
    /// A start is under way.
    pub(crate) start_pending: bool,
}

impl Deref for Flags {
    type Target = FlagFacts;

    fn deref(&self) -> &FlagFacts {
        &self.facts
    }
}

impl Resource {
    /// One service.
    pub(crate) fn is_primitive(&self) -> bool {
        matches!(self.variant, Variant::Primitive)
    }

    /// Members in order.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self.variant, Variant::Group { .. })
    }

    /// Instances.
    pub(crate) fn is_clone(&self) -> bool {
        matches!(self.variant, Variant::Clone(_))
    }

    /// Containers.
    pub(crate) fn is_bundle(&self) -> bool {
        matches!(self.variant, Variant::Bundle(_))
    }

    /// What only clones have.
    pub(crate) fn clone_data(&self) -> Option<&CloneData> {
        match &self.variant {
            Variant::Clone(data) => Some(data),
            _ => None,
        }
    }

    /// What only bundles have.
    pub(crate) fn bundle_data(&self) -> Option<&BundleData> {
        match &self.variant {
            Variant::Bundle(data) => Some(data),
            _ => None,
        }
    }

    /// Its id in histories.
    pub(crate) fn known_as(&self) -> &str {
        self.history_id.as_deref().unwrap_or(&self.id)
    }
}
