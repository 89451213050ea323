//! Which sockets the configuration asks for.
//!
//! | link | receives on | sends from |
//! |---|---|---|
//! | 0 | `ring0_addr`:5405 | `ring0_addr`:5404 |
//! | 1 | `ring1_addr`:5406 | `ring1_addr`:5405 |
//!
//! `mcastport` moves the receiving port, and the sending one with it. The sockets themselves are `hac-udp`'s.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hac_types::{LinkId, NodeId};
use hac_udp::{LinkAddresses, OpenError, Udp};
use tokio::sync::mpsc::Sender;

use crate::config::Config;

/// How often a port that is taken is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// How often a missing address is looked for again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Opens the sockets of all links whose address is there. Hints go to `hints`; those that find no place are lost, as the
/// datagrams might have been that they are about.
///
/// # Errors
/// The link and why its sockets cannot be opened, other than for want of the address.
pub(crate) fn open(config: &Config, hints: Sender<(LinkId, NodeId)>) -> Result<Udp, OpenError> {
    let hint = Arc::new(move |link, node| {
        let _ = hints.try_send((link, node));
    });
    Udp::open(links(config), hint)
}

/// The same, but a port that is taken is waited for: any program may have it for a moment, just between the end of one
/// daemon and the start of the next.
///
/// # Errors
/// As [`open`], at once or after `patience`.
pub(crate) async fn open_patiently(
    config: &Config,
    hints: &Sender<(LinkId, NodeId)>,
    patience: Duration,
) -> Result<Udp, OpenError> {
    let begin = Instant::now();
    let mut told = false;
    loop {
        let error = match open(config, hints.clone()) {
            Ok(udp) => return Ok(udp),
            Err(error) => error,
        };
        if error.source.kind() != io::ErrorKind::AddrInUse || begin.elapsed() >= patience {
            return Err(error);
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(target: "hacd::udp", "UDP port {} is taken by another program; waiting for it", error.address);
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// The addresses of all links that this node has.
fn links(config: &Config) -> Vec<LinkAddresses> {
    let own = config.nodes.iter().find(|node| node.id == config.node);
    let own: Vec<IpAddr> = own.map(|node| node.addresses.clone()).unwrap_or_default();
    let numbered = own.into_iter().enumerate().zip(config.ports.iter().map(|port| port.number));
    let link = |((index, ip), port): ((usize, IpAddr), u16)| {
        let others = config.nodes.iter().filter(|node| node.id != config.node);
        let peers = others.filter_map(|node| Some((node.id, SocketAddr::new(*node.addresses.get(index)?, port))));
        LinkAddresses { own: SocketAddr::new(ip, port), peers: peers.collect() }
    };
    numbered.map(link).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Identity;
    use crate::testing::TempDir;

    #[test]
    fn every_link_has_its_port_and_the_peers_that_are_on_it() {
        let dir = TempDir::new();
        let key = dir.path().join("authkey");
        std::fs::write(&key, [1; 64]).expect("writes");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).expect("sets the mode");
        let file = dir.path().join("hacd.toml");
        let node = |id: u8, second: bool| {
            let ring1 = if second { format!("ring1_addr = \"127.0.87.{id}\"\n") } else { String::new() };
            format!("[[nodelist.node]]\nring0_addr = \"127.0.86.{id}\"\n{ring1}name = \"n{id}\"\nnodeid = {id}\n")
        };
        std::fs::write(&file, node(1, true) + &node(2, true)).expect("writes");
        let identity = Identity { node: Some("n1".to_owned()), hostname: String::new() };
        let config = crate::config::load(&file, &identity).expect("right");
        let text = |link: &LinkAddresses| {
            let peers = link.peers.iter().map(|(node, address)| format!(" {node}={address}"));
            format!("{}{}", link.own, peers.collect::<String>())
        };
        let links: Vec<String> = links(&config).iter().map(text).collect();
        assert_eq!(links, ["127.0.86.1:5405 2=127.0.86.2:5405", "127.0.87.1:5406 2=127.0.87.2:5406"]);
    }
}
