//! The list of nodes that counts: the one that the cluster has agreed on, or that of the file while there is none. The file
//! follows the cluster: after each change its list is written anew, so that it says what is so.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hac_node::{ClusterConfig, ClusterNode, Report};
use hac_quorum::Voter;
use hac_types::NodeId;
use tokio::sync::watch;

use crate::config::{self, Config, Identity, Node};
use crate::driver::Snapshot;
use crate::storage::words;

/// Where this node's own things are.
#[derive(Debug)]
pub(crate) struct Place {
    /// This node.
    pub(crate) node: NodeId,
    /// Its name.
    pub(crate) name: String,
    /// The nodes of the file.
    pub(crate) nodes: Vec<Node>,
    /// Its addresses, by link.
    pub(crate) addresses: Vec<IpAddr>,
    /// The port of each link.
    pub(crate) ports: Vec<u16>,
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// The key file.
    pub(crate) authkey: PathBuf,
    /// The state directory.
    pub(crate) state: PathBuf,
    /// The votes, as the file has them.
    pub(crate) quorum: hac_quorum::Config,
}

impl Place {
    /// Of this configuration.
    pub(crate) fn new(config: &Config, file: &Path, state: &Path) -> Self {
        let own = config.nodes.iter().find(|node| node.id == config.node);
        Self {
            node: config.node,
            name: config.name.clone(),
            nodes: config.nodes.clone(),
            addresses: own.map(|node| node.addresses.clone()).unwrap_or_default(),
            ports: config.ports.iter().map(|port| port.number).collect(),
            config: file.to_owned(),
            authkey: config.authkey_file.clone(),
            state: state.to_owned(),
            quorum: config.quorum.clone(),
        }
    }

    /// The nodes that count.
    pub(crate) fn current(&self, report: &Report) -> Vec<ClusterNode> {
        if !report.cluster.nodes.is_empty() {
            return report.cluster.nodes.clone();
        }
        let row = |node: &Node| ClusterNode {
            id: node.id,
            name: node.name.clone(),
            addresses: node.addresses.clone(),
            votes: node.votes,
            learner: false,
        };
        self.nodes.iter().map(row).collect()
    }

    /// Whether one of two alone has quorum with these nodes, and the file can say so.
    fn is_two_node(&self, nodes: &[ClusterNode]) -> bool {
        let mut quorum = self.quorum.clone();
        quorum.set_nodes(nodes.iter().map(voter).collect());
        quorum.two_node && nodes.len() == 2
    }

    /// The text of the configuration file with these nodes.
    ///
    /// # Errors
    /// The file cannot be read, in words.
    pub(crate) fn text_with(&self, nodes: &[ClusterNode]) -> Result<String, String> {
        let text = fs::read_to_string(&self.config).map_err(|error| words(&error))?;
        Ok(config::with_nodes(&text, nodes, self.is_two_node(nodes)))
    }
}

fn voter(node: &ClusterNode) -> Voter {
    Voter { node: node.id, name: node.name.clone(), votes: node.votes }
}

/// Puts the cluster's own list in the place of the file's. What is wrong, in words, if this node is not in it.
pub(crate) fn adopt(config: &mut Config, cluster: &ClusterConfig) -> Result<(), String> {
    if cluster.nodes.is_empty() {
        return Ok(());
    }
    let Some(own) = cluster.nodes.iter().find(|node| node.id == config.node) else {
        return Err(format!(
            "{} was removed from {} at configuration {} or before; 'hacctl join --force' makes it a new member",
            config.name, config.cluster_name, cluster.version
        ));
    };
    let row = |node: &ClusterNode| Node {
        id: node.id,
        name: node.name.clone(),
        addresses: node.addresses.clone(),
        votes: node.votes,
    };
    let nodes: Vec<Node> = cluster.nodes.iter().map(row).collect();
    if nodes != config.nodes {
        let line = "the list of nodes is not the one that the cluster has agreed on, and that one counts";
        config.warnings.push(format!("{line} (configuration {})", cluster.version));
    }
    config.name.clone_from(&own.name);
    let links = |node: &Node| u8::try_from(node.addresses.len()).unwrap_or(1);
    config.ring.nodes = nodes.iter().map(|n| hac_totem::NodeConfig { node: n.id, links: links(n) }).collect();
    config.quorum.set_nodes(cluster.nodes.iter().map(voter).collect());
    config.nodes = nodes;
    Ok(())
}

/// Writes the file anew whenever the cluster's list is another one than the file's, until the daemon ends.
pub(crate) async fn keep_file(place: Arc<Place>, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
    let mut seen = 0;
    loop {
        let cluster = snapshots.borrow_and_update().facts().cluster.clone();
        if !cluster.nodes.is_empty() && cluster.version != seen {
            seen = cluster.version;
            let place = Arc::clone(&place);
            let written = tokio::task::spawn_blocking(move || renew(&place, &cluster.nodes)).await;
            match written {
                Ok(Ok(true)) => tracing::info!(
                    target: "hacd::config",
                    notice = true,
                    "the list of nodes of configuration {seen} was written to the configuration file; the one before is kept as .old"
                ),
                Ok(Err(why)) => tracing::error!(
                    target: "hacd::config",
                    "the list of nodes of configuration {seen} was not written to the configuration file: {why}; it counts all the same"
                ),
                _ => {}
            }
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Writes the file with these nodes, if it has others; whether it did.
fn renew(place: &Place, nodes: &[ClusterNode]) -> Result<bool, String> {
    let file = fs::canonicalize(&place.config).map_err(|error| words(&error))?;
    let before = fs::read_to_string(&file).map_err(|error| words(&error))?;
    let text = place.text_with(nodes)?;
    let identity = Identity { node: Some(place.name.clone()), hostname: String::new() };
    let check = |text: &str| config::check(&file, text, &identity, &|_| false);
    let listed =
        |config: &Config| config.nodes.iter().map(|n| (n.id, n.addresses.clone(), n.votes)).collect::<Vec<_>>();
    let wanted: Vec<_> = nodes.iter().map(|n| (n.id, n.addresses.clone(), n.votes)).collect();
    if check(&before)
        .is_ok_and(|config| listed(&config) == wanted && config.quorum.two_node == place.is_two_node(nodes))
    {
        return Ok(false);
    }
    // What would not be understood at the next start must not take the place of what is.
    let right = check(&text).map_err(|mistakes| mistakes.first().map(ToString::to_string).unwrap_or_default())?;
    if listed(&right) != wanted {
        return Err("it could not be changed by itself".to_owned());
    }
    let mode = fs::metadata(&file).map(|about| about.permissions().mode() & 0o777).unwrap_or(0o644);
    let (fresh, old) = (beside(&file, "new"), beside(&file, "old"));
    let write = || {
        let _ = fs::remove_file(&fresh);
        let mut out = fs::File::options().write(true).create_new(true).mode(mode).open(&fresh)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::copy(&file, &old)?;
        fs::rename(&fresh, &file)
    };
    write().map_err(|error: std::io::Error| words(&error))?;
    Ok(true)
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
