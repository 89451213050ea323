//! How a cluster stands, as the lists of nodes and resources that `crm_mon` and `crm_simulate` print.

mod clone;
mod nodes;
mod resources;

pub(crate) use nodes::{label, node_list, state};
pub(crate) use resources::{is_active, is_shown, primitive_line, resource_list};

/// What is shown of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Show {
    /// Operations under way instead of the role that holds until they are done.
    pub(crate) pending: bool,
    /// Resources that are not active, too.
    pub(crate) inactive: bool,
    /// Instances of clones one by one instead of summed up by node.
    pub(crate) in_full: bool,
}
