//! The numbers by which nodes, resources, constraints and actions refer to each other.

use crate::arena::key;

key!(
    /// A node.
    NodeIdx
);
key!(
    /// A resource.
    RscIdx
);
key!(
    /// A location.
    LocIdx
);
key!(
    /// A colocation.
    ColIdx
);
key!(
    /// Something that the graph is asked for.
    ReqIdx
);
key!(
    /// An action.
    ActIdx
);
