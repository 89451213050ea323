//! What a node is told at its start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_crm::executor::Started;
use hac_model::Configuration;
use hac_types::{NodeId, Timestamp, WallTime};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The present, as the caller's clocks show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic, counting suspend; must not run backwards. All waiting is done by it.
    pub mono: Timestamp,
    /// Civil time; may jump. For people, date rules and the expiry of failures.
    pub wall: WallTime,
}

/// A configured node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
}

/// All that a node must know. The same on all nodes but for who it is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ring. Its `node` says who this node is.
    pub totem: hac_totem::Config,
    /// Votes. Its `node` must be the same.
    pub quorum: hac_quorum::Config,
    /// Name of this node.
    pub name: String,
    /// All nodes, this one included.
    pub nodes: Vec<NodeInfo>,
    /// Name of the cluster.
    pub cluster_name: String,
    /// Version of the daemon, for people.
    pub version: String,
    /// Resources of the configuration file, loaded into a cluster that has never had a configuration.
    pub seed: Option<Configuration>,
    /// How long a node that shuts down waits for its resources to be handed over before it leaves as it is;
    /// [`Config::SHUTDOWN_ESCALATION`] unless configured.
    pub shutdown_escalation: Duration,
    /// How long a request may wait for the cluster to agree; [`Config::REQUEST_TIMEOUT`] unless configured.
    pub request_timeout: Duration,
    /// Processors of this node: `node-action-limit` is twice as much unless configured. The coordinator takes its own for
    /// those of all nodes.
    pub cores: usize,
}

impl Config {
    /// Default of [`shutdown_escalation`](Self::shutdown_escalation): 20 minutes, as in Pacemaker.
    pub const SHUTDOWN_ESCALATION: Duration = Duration::from_secs(20 * 60);
    /// Default of [`request_timeout`](Self::request_timeout).
    pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
}

impl Config {
    /// Checks that the parts speak of the same nodes; the parts check themselves.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let ids: BTreeSet<NodeId> = self.nodes.iter().map(|n| n.id).collect();
        let ring: BTreeSet<NodeId> = self.totem.nodes.iter().map(|n| n.node).collect();
        let voters: BTreeSet<NodeId> = self.quorum.nodes.iter().map(|v| v.node).collect();
        let me = self.totem.node;
        let named = self.nodes.iter().any(|n| n.id == me && n.name == self.name);
        if ids == ring && ids == voters && self.quorum.node == me && named { Ok(()) } else { Err(ConfigError::Nodes) }
    }
}

/// What survived from earlier lives of this node.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Of the ring.
    pub totem: hac_totem::Stored,
    /// The newest committed generation of the configuration that is intact.
    pub cib: Option<Vec<u8>>,
    /// The highest number of any generation found, intact or not; new ones are numbered above it.
    pub cib_generation: u64,
    /// The newest generation that was prepared and neither committed nor discarded: its number and content. Whether it
    /// was agreed upon the others know, or nobody does.
    pub prepared: Option<(u64, Vec<u8>)>,
    /// Files of states that were given up and that nobody has looked at: name and content.
    pub lost: Vec<(String, Vec<u8>)>,
    /// What [`Persist::KeyStage`](crate::Persist::KeyStage) kept last, unless it was removed.
    pub next_key: Option<Vec<u8>>,
    /// What [`Output::Remember`](crate::Output::Remember) kept in this life of the kernel, by the ids of the histories.
    pub started: BTreeMap<String, Started>,
}

impl Stored {
    /// What a node finds that has kept nothing but the numbers of its ring.
    #[must_use]
    pub const fn blank(totem: hac_totem::Stored) -> Self {
        Self {
            totem,
            cib: None,
            cib_generation: 0,
            prepared: None,
            lost: Vec::new(),
            next_key: None,
            started: BTreeMap::new(),
        }
    }
}

/// Why a node cannot be made of a configuration. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Of the ring.
    #[error(transparent)]
    Totem(#[from] hac_totem::ConfigError),
    /// Of the votes.
    #[error(transparent)]
    Quorum(#[from] hac_quorum::ConfigError),
    /// The parts disagree about who this node is or which nodes there are.
    #[error("nodelist: the ring, the votes and the names do not speak of the same nodes")]
    Nodes,
    /// The stored configuration cannot be read, though it was written intact.
    #[error("the stored state {0}")]
    StoredCib(String),
    /// The same of what was prepared after it.
    #[error("the prepared state {0}")]
    PreparedCib(String),
}
