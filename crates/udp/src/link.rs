//! Opening the sockets of a link.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use hac_types::{LinkId, NodeId};
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::receive::Receiver;
use crate::send::Sender;
use crate::{Hint, LinkAddresses, OpenError};

/// One link: its addresses, and its sockets if its own address is there.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) addresses: LinkAddresses,
    pub(crate) open: Option<Open>,
}

/// The sockets of a link.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) receiver: Receiver,
    pub(crate) senders: BTreeMap<NodeId, Sender>,
}

impl Link {
    pub(crate) const fn new(id: LinkId, addresses: LinkAddresses) -> Self {
        Self { id, addresses, open: None }
    }

    /// Opens the sockets; `false` if the address is not there.
    pub(crate) fn open(&mut self, hint: &Hint) -> Result<bool, OpenError> {
        if self.open.is_some() {
            return self.complete(hint);
        }
        match self.sockets(hint) {
            Ok(open) => {
                tracing::info!(target: "hacd::udp", "link {} receives on {}", self.id, self.addresses.own);
                self.open = Some(open);
                Ok(true)
            }
            Err(error) if error.source.kind() == io::ErrorKind::AddrNotAvailable => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Other nodes, or the same ones at other addresses.
    pub(crate) fn set_peers(&mut self, peers: BTreeMap<NodeId, SocketAddr>) {
        if let Some(open) = &mut self.open {
            let before = &self.addresses.peers;
            open.senders.retain(|node, _| peers.contains_key(node) && peers.get(node) == before.get(node));
        }
        self.addresses.peers = peers;
    }

    /// Opens what is missing of an open link; `false` if there is no route to a peer yet.
    fn complete(&mut self, hint: &Hint) -> Result<bool, OpenError> {
        let Some(open) = &mut self.open else { return Ok(false) };
        let own = self.addresses.own;
        let from = SocketAddr::new(own.ip(), own.port().saturating_sub(1));
        let mut complete = true;
        for (node, address) in &self.addresses.peers {
            if open.senders.contains_key(node) {
                continue;
            }
            let sender = bind(from, true).and_then(|socket| Sender::new(socket, self.id, *node, *address, hint));
            match sender {
                Ok(sender) => {
                    open.senders.insert(*node, sender);
                }
                Err(error) if is_unreachable(&error) => complete = false,
                Err(source) => return Err(OpenError { link: self.id.0, address: from, source }),
            }
        }
        Ok(complete)
    }

    fn sockets(&self, hint: &Hint) -> Result<Open, OpenError> {
        let about = |address| move |source| OpenError { link: self.id.0, address, source };
        let own = self.addresses.own;
        let receiver = bind(own, false).and_then(Receiver::new).map_err(about(own))?;
        let from = SocketAddr::new(own.ip(), own.port().saturating_sub(1));
        let mut senders = BTreeMap::new();
        for (node, address) in &self.addresses.peers {
            let sender = bind(from, true).and_then(|socket| Sender::new(socket, self.id, *node, *address, hint));
            // Without a route to the peer there is nothing to connect to yet: as if the address were missing.
            let sender = sender.map_err(|error| match is_unreachable(&error) {
                true => about(from)(io::ErrorKind::AddrNotAvailable.into()),
                false => about(from)(error),
            })?;
            senders.insert(*node, sender);
        }
        Ok(Open { receiver, senders })
    }
}

/// Whether there is no route to a peer, which may come later.
fn is_unreachable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)
}

/// A socket on this address; `shared` lets several have the same one.
fn bind(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Nothing is cut, and what the kernel was told of the path is not consulted: anybody can send it a "fragmentation needed".
/// The ring finds out by itself which datagrams pass.
pub(crate) fn never_fragment(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(socket, sockopt::Ipv4PathMtuDiscovery::PROBE)?,
        SocketAddr::V6(_) => sockopt::set_ipv6_mtu_discover(socket, sockopt::Ipv6PathMtuDiscovery::PROBE)?,
    }
    Ok(())
}
