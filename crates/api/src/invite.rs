//! Letting nodes in and taking them out for good.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Asks for a code with which a host can become a node.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteRequest {
    /// How long it may be used, seconds; at most a day.
    pub seconds: u64,
    /// How many nodes may use it; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The name that the node must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A code that was made beforehand, instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl fmt::Debug for InviteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, count, name, .. } = self;
        f.debug_struct("InviteRequest").field("seconds", seconds).field("count", count).field("name", name).finish()
    }
}

/// Answer to [`InviteRequest`]: the door is open.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// The code. Whoever has it can become a node.
    pub code: String,
    /// Where this node listens: an address.
    pub address: String,
    /// The TCP port there.
    pub port: u16,
    /// How long, seconds.
    pub seconds: u64,
    /// For how many nodes.
    pub count: u32,
}

impl fmt::Debug for Invited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invited").field("address", &self.address).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Answer to `GET /v1/invite` and `DELETE /v1/invite`: whether the door of this node is (was) open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// It is open (was, before it was closed by `DELETE`).
    pub open: bool,
    /// For how many seconds more.
    #[serde(default)]
    pub seconds_left: u64,
    /// How many nodes have used it.
    #[serde(default)]
    pub used: u32,
    /// How many may.
    #[serde(default)]
    pub count: u32,
    /// Connections that did not prove to have the code.
    #[serde(default)]
    pub strangers: u32,
}

/// Takes a node out for good. Its id is never given again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveNodeRequest {
    /// Its name.
    pub node: String,
    /// Why it cannot be running any more, if it is away: the words of whoever knows.
    #[serde(default)]
    pub statement: String,
}

/// Answer to [`RemoveNodeRequest`]: it is no node any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRemoved {
    /// Version of the cluster's configuration from which on it is gone.
    pub version: u64,
    /// The nodes that stay.
    pub nodes: Vec<String>,
    /// One of two nodes alone has quorum from now on.
    pub two_node: bool,
}
