//! How a recorded node was made: everything but the cluster's key.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_crm::executor::Started;
use hac_model::Configuration;
use hac_totem::{AuthKey, Cipher, Contract, NodeConfig, Timers};
use hac_types::NodeId;
use serde::{Deserialize, Serialize};

use crate::{Config, NodeInfo, Now, Stored};

/// The arguments of [`Node::new`](crate::Node::new).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Start {
    ring: Ring,
    quorum: hac_quorum::Config,
    name: String,
    nodes: Vec<(NodeId, String)>,
    cluster_name: String,
    version: String,
    seed: Option<Configuration>,
    shutdown_escalation: Duration,
    request_timeout: Duration,
    cores: usize,
    totem: hac_totem::Stored,
    cib: Option<Vec<u8>>,
    cib_generation: u64,
    prepared: Option<(u64, Vec<u8>)>,
    lost: Vec<(String, Vec<u8>)>,
    /// Sealed under the cluster's key.
    next_key: Option<Vec<u8>>,
    started: BTreeMap<String, Started>,
    entropy: [u8; 32],
    now: Now,
    /// Its halves ran on two threads.
    apart: bool,
}

/// [`hac_totem::Config`] without the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ring {
    cluster_name: String,
    node: NodeId,
    nodes: Vec<NodeConfig>,
    links: u8,
    cipher: Cipher,
    timers: Timers,
    window_size: u32,
    max_messages: u32,
    netmtu: u16,
    contract: Contract,
}

/// What a node is made of.
pub(super) struct Made {
    pub(super) config: Config,
    pub(super) stored: Stored,
    pub(super) entropy: [u8; 32],
    pub(super) now: Now,
    pub(super) apart: bool,
}

impl Start {
    pub(super) fn new(config: &Config, stored: &Stored, entropy: [u8; 32], now: Now, apart: bool) -> Self {
        let totem = &config.totem;
        Self {
            ring: Ring {
                cluster_name: totem.cluster_name.clone(),
                node: totem.node,
                nodes: totem.nodes.clone(),
                links: totem.links,
                cipher: totem.cipher,
                timers: totem.timers.clone(),
                window_size: totem.window_size,
                max_messages: totem.max_messages,
                netmtu: totem.netmtu,
                contract: totem.contract.clone(),
            },
            quorum: config.quorum.clone(),
            name: config.name.clone(),
            nodes: config.nodes.iter().map(|node| (node.id, node.name.clone())).collect(),
            cluster_name: config.cluster_name.clone(),
            version: config.version.clone(),
            seed: config.seed.clone(),
            shutdown_escalation: config.shutdown_escalation,
            request_timeout: config.request_timeout,
            cores: config.cores,
            totem: stored.totem,
            cib: stored.cib.clone(),
            cib_generation: stored.cib_generation,
            prepared: stored.prepared.clone(),
            lost: stored.lost.clone(),
            next_key: stored.next_key.clone(),
            started: stored.started.clone(),
            entropy,
            now,
            apart,
        }
    }

    /// The arguments again, with the key.
    pub(super) fn with(self, authkey: AuthKey) -> Made {
        let Ring { cluster_name, node, nodes, links, cipher, timers, window_size, max_messages, netmtu, contract } =
            self.ring;
        let totem = hac_totem::Config {
            cluster_name,
            node,
            nodes,
            links,
            authkey,
            cipher,
            timers,
            window_size,
            max_messages,
            netmtu,
            contract,
        };
        let config = Config {
            totem,
            quorum: self.quorum,
            name: self.name,
            nodes: self.nodes.into_iter().map(|(id, name)| NodeInfo { id, name }).collect(),
            cluster_name: self.cluster_name,
            version: self.version,
            seed: self.seed,
            shutdown_escalation: self.shutdown_escalation,
            request_timeout: self.request_timeout,
            cores: self.cores,
        };
        let Self { totem, cib, cib_generation, prepared, lost, next_key, started, .. } = self;
        let stored = Stored { totem, cib, cib_generation, prepared, lost, next_key, started };
        Made { config, stored, entropy: self.entropy, now: self.now, apart: self.apart }
    }
}
