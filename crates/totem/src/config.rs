//! What the ring is told at its start, checked once.

use std::time::Duration;

use hac_types::{Incarnation, Level, LevelWindow, NodeId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::AuthKey;

/// Most nodes a configuration may name. Every list a peer can send is bounded by it.
pub(crate) const NODES_MAX: usize = 64;

/// Most links (redundant networks) between two nodes: ports 5405 and 5406.
pub(crate) const LINKS_MAX: u8 = 2;

/// Largest `window_size`.
pub(crate) const WINDOW_MAX: u32 = 10_000;

/// Shortest time any `[totem]` timeout may be set to.
pub(crate) const TIMEOUT_MIN: Duration = Duration::from_millis(30);

/// Smallest `netmtu`: every path that carries IPv6 carries this much.
pub(crate) const NETMTU_MIN: u16 = 1280;

/// Everything the ring must know before it starts. The same on all nodes but for `node`.
#[derive(Clone, Debug)]
pub struct Config {
    /// `totem.cluster_name`; part of the key derivation, so that clusters sharing a key still cannot talk.
    pub cluster_name: String,
    /// This node.
    pub node: NodeId,
    /// All nodes of the cluster, this one included, in any order.
    pub nodes: Vec<NodeConfig>,
    /// Links this node has, 1 to 2.
    pub links: u8,
    /// The cluster's shared secret.
    pub authkey: AuthKey,
    /// Whether bodies are encrypted. Every datagram is authenticated in any case.
    pub cipher: Cipher,
    /// Timeouts.
    pub timers: Timers,
    /// Messages all members together may send in one rotation of the token (`window_size`, default 50).
    pub window_size: u32,
    /// Messages one member may send in one visit of the token (`max_messages`, default 17).
    pub max_messages: u32,
    /// Largest IP packet to try, bytes (`netmtu`, default 1500). Smaller paths are found by probing.
    pub netmtu: u16,
    /// Of which release and cluster this node is.
    pub contract: Contract,
}

/// What nodes tell each other before anything else, to find out whether they can be in one ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The levels that this program knows.
    pub levels: LevelWindow,
    /// The active level as last stored here; [`Level::NONE`] if this node has never been in a cluster.
    pub level: Level,
    /// Names the cluster for ever; zeros if this node has never been in one.
    pub cluster_uuid: [u8; 16],
    /// Which version of the replicated cluster configuration is stored here; 0 if none.
    pub config_version: u64,
    /// The release of this program, for people; what is beyond 16 bytes is not told.
    pub release: String,
}

/// A node of the `nodelist`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeConfig {
    /// Its id, 1 to 65535.
    pub node: NodeId,
    /// How many links it has, 1 to 2.
    pub links: u8,
}

/// What survived from the previous life of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The highest `ring_seq` ever made durable by [`crate::Output::Persist`]; 0 on the first start.
    pub ring_seq: u64,
    /// This life, allocated and made durable by the caller before the start: boot counter in the upper half.
    pub incarnation: Incarnation,
}

/// Whether bodies are encrypted (`crypto_cipher`). Must be equal on all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cipher {
    /// AES-256-GCM, then HMAC-SHA256 over everything.
    #[default]
    Aes256Gcm,
    /// HMAC-SHA256 only: contents can be read on the network, not changed.
    None,
}

/// Timeouts under the names of `corosync.conf(5)`. `None` means "derived", see the method of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// Time without a token after which the ring is given up, and the upper bound of every silence limit (default
    /// 3000 ms). The value in effect is [`Timers::token_for`].
    pub token: Duration,
    /// Added to `token` for every configured node above two (default 650 ms).
    pub token_coefficient: Duration,
    /// How often a lost token is sent again before it counts as lost (default 4).
    pub token_retransmits_before_loss_const: u32,
    /// Longest wait before a token without successor is sent again; derived: token / (const + 0.2),
    /// at least 30 ms.
    pub token_retransmit: Option<Duration>,
    /// How long the representative keeps the token of an idle ring; derived: 0.8 token_retransmit - 10 ms.
    pub hold: Option<Duration>,
    /// How often a proposal (JOIN) is repeated (default 50 ms).
    pub join: Duration,
    /// How long to wait for a node that answers but does not agree; derived: 1.2 token.
    pub consensus: Option<Duration>,
    /// How long a larger membership must be possible before a ring in service is given up for it (default 200 ms).
    pub merge: Duration,
    /// How often each peer is pinged on each link; derived: 100 ms up to four nodes, 250 ms above, but
    /// at most a quarter of `silence_max`.
    pub ping: Option<Duration>,
    /// Silence of a peer that is always tolerated (default 350 ms; unless `ping` is given, raised to 3.5 ping
    /// and lowered to `silence_max`).
    pub silence_min: Duration,
    /// Silence of a peer that is never tolerated; derived: token.
    pub silence_max: Option<Duration>,
    /// Whether the silence limit follows round trip, jitter and loss. If not, it is `silence_max`.
    pub adaptive: bool,
    /// How long a starting node listens before it forms a ring without those it has not heard (default 200 ms).
    pub startup_listen: Duration,
    /// Longest time after its suspicion before a peer that came and went is admitted again (default 5 s); the first
    /// return is immediate, later ones wait 500 ms, doubling up to this.
    pub rejoin_hold: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            token: Duration::from_millis(3000),
            token_coefficient: Duration::from_millis(650),
            token_retransmits_before_loss_const: 4,
            token_retransmit: None,
            hold: None,
            join: Duration::from_millis(50),
            consensus: None,
            merge: Duration::from_millis(200),
            ping: None,
            silence_min: Duration::from_millis(350),
            silence_max: None,
            adaptive: true,
            startup_listen: Duration::from_millis(200),
            rejoin_hold: Duration::from_secs(5),
        }
    }
}

impl Timers {
    /// Token timeout in effect with `nodes` configured: `token + (nodes - 2) * token_coefficient`.
    #[must_use]
    pub fn token_for(&self, nodes: usize) -> Duration {
        let above_two = u32::try_from(nodes.saturating_sub(2)).unwrap_or(u32::MAX);
        self.token.saturating_add(self.token_coefficient.saturating_mul(above_two))
    }

    /// Longest wait before a token is sent again.
    #[must_use]
    pub fn token_retransmit_for(&self, nodes: usize) -> Duration {
        let tenths = self.token_retransmits_before_loss_const.saturating_mul(10).saturating_add(2);
        let derived = self.token_for(nodes).saturating_mul(10) / tenths;
        self.token_retransmit.unwrap_or_else(|| derived.max(TIMEOUT_MIN))
    }

    /// How long the representative keeps the token of an idle ring.
    #[must_use]
    pub fn hold_for(&self, nodes: usize) -> Duration {
        let derived = (self.token_retransmit_for(nodes) * 8 / 10).saturating_sub(Duration::from_millis(10));
        self.hold.unwrap_or(derived).max(Duration::from_millis(10))
    }

    /// How long to wait for a node that answers but does not agree.
    #[must_use]
    pub fn consensus_for(&self, nodes: usize) -> Duration {
        self.consensus.unwrap_or_else(|| self.token_for(nodes).saturating_mul(12) / 10)
    }

    /// How often each peer is pinged on each link.
    #[must_use]
    pub fn ping_for(&self, nodes: usize) -> Duration {
        let usual = Duration::from_millis(if nodes <= 4 { 100 } else { 250 });
        self.ping.unwrap_or_else(|| usual.min(self.silence_max_for(nodes) / 4))
    }

    /// Silence that is always tolerated.
    #[must_use]
    pub fn silence_min_for(&self, nodes: usize) -> Duration {
        if self.ping.is_some() {
            return self.silence_min;
        }
        self.silence_min.max(self.ping_for(nodes) * 7 / 2).min(self.silence_max_for(nodes))
    }

    /// Silence that is never tolerated.
    #[must_use]
    pub fn silence_max_for(&self, nodes: usize) -> Duration {
        self.silence_max.unwrap_or_else(|| self.token_for(nodes))
    }

    /// How long a node that is about to form a smaller ring than others could waits for them to notice what it has noticed.
    /// A silence limit is larger than `silence_min` chiefly by how late its node is woken, of which up to `token / 4`
    /// counts; at most half of `consensus`.
    #[must_use]
    pub fn others_notice_for(&self, nodes: usize) -> Duration {
        (self.silence_min_for(nodes) + self.token_for(nodes) / 4).min(self.consensus_for(nodes) / 2)
    }

    /// Checks the relations that must hold between the timeouts with `nodes` configured.
    ///
    /// # Errors
    /// [`ConfigError::Timer`] names the key and what it must be.
    pub fn validate(&self, nodes: usize) -> Result<(), ConfigError> {
        let token = self.token_for(nodes);
        let floors = [
            ("totem.token", self.token),
            ("totem.token_retransmit", self.token_retransmit_for(nodes)),
            ("totem.join", self.join),
            ("totem.consensus", self.consensus_for(nodes)),
            ("totem.merge", self.merge),
        ];
        for (key, value) in floors {
            require(key, value >= TIMEOUT_MIN, "must be at least 30 ms")?;
        }
        require("totem.token", token <= Duration::from_secs(300), "must be at most 300000 ms")?;
        require(
            "totem.token_retransmits_before_loss_const",
            (1..=1000).contains(&self.token_retransmits_before_loss_const),
            "must be 1 to 1000",
        )?;
        require("totem.token_retransmit", self.token_retransmit_for(nodes) < token, "must be less than token")?;
        require("totem.hold", self.hold_for(nodes) < token, "must be less than token")?;
        require("totem.consensus", self.consensus_for(nodes) >= self.join, "must not be less than join")?;
        let ping = self.ping_for(nodes);
        require("totem.ping", ping >= Duration::from_millis(10), "must be at least 10 ms")?;
        require("totem.silence_min", self.silence_min_for(nodes) >= ping * 3, "must be at least three times ping")?;
        let silence_max = self.silence_max_for(nodes);
        require("totem.silence_max", silence_max <= token, "must not be more than token")?;
        require("totem.silence_max", silence_max >= self.silence_min_for(nodes), "must not be less than silence_min")?;
        require("totem.startup_listen", self.startup_listen <= Duration::from_secs(60), "must be at most 60000 ms")
    }
}

fn require(key: &'static str, holds: bool, rule: &'static str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Timer { key, rule }) }
}

/// What is wrong with a configuration; nothing has been started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Key material of the wrong size.
    #[error("authkey has {0} bytes; it must have 32 to 4096")]
    AuthKeyLength(usize),
    /// A `[totem]` value breaks a rule.
    #[error("{key} {rule}")]
    Timer {
        /// The key as written in the configuration.
        key: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// `cluster_name` is empty or too long.
    #[error("totem.cluster_name must have 1 to 255 bytes")]
    ClusterName,
    /// No nodes or too many.
    #[error("nodelist has {0} nodes; it must have 1 to 64")]
    NodeCount(usize),
    /// A node id outside 1 to 65535.
    #[error("nodelist.node.nodeid {0} is not in 1 to 65535")]
    NodeId(NodeId),
    /// Two nodes share an id.
    #[error("nodelist.node.nodeid {0} is given twice")]
    DuplicateNode(NodeId),
    /// This node is not in the list.
    #[error("this node, {0}, is not in the nodelist")]
    NotListed(NodeId),
    /// The levels that this program knows are none, or the active one is not among them.
    #[error("the active level is {level}, and this program knows levels {levels}")]
    Level {
        /// The active level.
        level: Level,
        /// What this program knows.
        levels: LevelWindow,
    },
    /// A node has no link or more than two.
    #[error("node {0} must have 1 or 2 links")]
    Links(NodeId),
}

impl Config {
    /// Checks everything the types do not.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=255).contains(&self.cluster_name.len()) {
            return Err(ConfigError::ClusterName);
        }
        validate_nodes(&self.nodes, self.node)?;
        if !(1..=LINKS_MAX).contains(&self.links) {
            return Err(ConfigError::Links(self.node));
        }
        require("totem.window_size", (1..=WINDOW_MAX).contains(&self.window_size), "must be 1 to 10000")?;
        require("totem.max_messages", (1..=self.window_size).contains(&self.max_messages), "must be 1 to window_size")?;
        let Contract { level, levels, .. } = self.contract;
        if !levels.is_valid() || !(level.is_none() || levels.contains(level)) {
            return Err(ConfigError::Level { level, levels });
        }
        require("totem.netmtu", self.netmtu >= NETMTU_MIN, "must be at least 1280")?;
        self.timers.validate(self.nodes.len())
    }
}

/// Checks a list of nodes, one of which is `own`.
pub(crate) fn validate_nodes(nodes: &[NodeConfig], own: NodeId) -> Result<(), ConfigError> {
    if !(1..=NODES_MAX).contains(&nodes.len()) {
        return Err(ConfigError::NodeCount(nodes.len()));
    }
    let mut ids: Vec<NodeId> = nodes.iter().map(|n| n.node).collect();
    ids.sort_unstable();
    if let Some(id) = ids.iter().find(|id| !(1..=65535).contains(&id.0)) {
        return Err(ConfigError::NodeId(*id));
    }
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(ConfigError::DuplicateNode(pair[0]));
    }
    if !ids.contains(&own) {
        return Err(ConfigError::NotListed(own));
    }
    match nodes.iter().find(|n| !(1..=LINKS_MAX).contains(&n.links)) {
        Some(node) => Err(ConfigError::Links(node.node)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
