//! How a cluster stands, as the lists of nodes and resources that `crm_mon` and `crm_simulate` print.

mod clone;
mod nodes;
mod resources;

use hac_scheduler::view::ClusterView;

pub(crate) use nodes::{label, node_list, state};
pub(crate) use resources::{group_head, is_active, is_shown, primitive_line, resource, resource_list};

/// What is shown of a cluster's resources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show<'a> {
    /// How the cluster stands.
    pub(crate) view: &'a ClusterView,
    /// Operations under way instead of the role that holds until they are done.
    pub(crate) pending: bool,
    /// Resources that are not active, too.
    pub(crate) inactive: bool,
    /// Says of a resource by itself on which node it is.
    pub(crate) places: bool,
}

impl Show<'_> {
    /// Whether a node is up.
    fn is_online(&self, name: &str) -> bool {
        self.view.nodes.iter().any(|node| node.name == name && node.online)
    }
}
