//! The sockets of the ring.
//!
//! | link | receives on | sends from |
//! |---|---|---|
//! | 0 | `ring0_addr`:5405 | `ring0_addr`:5404 |
//! | 1 | `ring1_addr`:5406 | `ring1_addr`:5405 |
//!
//! `mcastport` moves the receiving port, and the sending one with it. Each peer has its own, connected sending socket:
//! that is how the kernel tells that a peer's port is closed (ICMP port unreachable), which is a hint for the ring. What
//! comes from an address that is no node's is dropped and counted. An address that is not there (any more) is waited
//! for; nothing is ever bound to another one.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hac_types::{LinkId, NodeId};
use rustix::net::sockopt;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use crate::config::Config;
use crate::driver::Input;
use crate::storage;

/// Receive buffer asked for, bytes: some hundred full datagrams, a burst after a pause.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Largest datagram that can come.
const DATAGRAM_MAX: usize = 65_536;
/// How often a missing address is looked for again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Datagrams from addresses of no node.
    pub(crate) unlisted: u64,
    /// Datagrams that the kernel did not take.
    pub(crate) unsent: u64,
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Datagrams received.
    pub(crate) received: u64,
}

/// Why a link cannot be opened.
#[derive(Debug)]
pub(crate) struct OpenError {
    /// Which link.
    pub(crate) link: u8,
    /// Which of its addresses and ports.
    pub(crate) address: SocketAddr,
    /// Why.
    pub(crate) source: io::Error,
}

/// A datagram from a node.
pub(crate) struct Datagram<'b> {
    /// On which link.
    pub(crate) link: LinkId,
    /// Whose address it came from.
    pub(crate) from: NodeId,
    /// What it says.
    pub(crate) bytes: &'b [u8],
}

/// What became of a datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Gone, or lost on the way as any may be.
    Gone,
    /// Nobody listens there.
    Refused,
    /// Too large for the path.
    TooBig,
}

/// All sockets of this node.
pub(crate) struct Udp {
    links: Vec<Link>,
    buffer: Vec<u8>,
    inputs: UnboundedSender<Input>,
    counters: Counters,
}

struct Link {
    id: LinkId,
    own: SocketAddr,
    peers: BTreeMap<NodeId, SocketAddr>,
    open: Option<Open>,
}

/// The sockets of a link whose address is there.
struct Open {
    receive: UdpSocket,
    send: BTreeMap<NodeId, Sender>,
}

struct Sender {
    socket: Arc<UdpSocket>,
    /// Why the last datagram could not be sent, other than for want of a listener.
    failing: Option<io::ErrorKind>,
    /// The task that waits for the hints.
    hints: AbortHandle,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.hints.abort();
    }
}

impl Udp {
    /// Opens the sockets of all links whose address is there. Hints go to `inputs`.
    ///
    /// # Errors
    /// The link and why its sockets cannot be opened, other than for want of the address.
    pub(crate) fn open(config: &Config, inputs: UnboundedSender<Input>) -> Result<Self, OpenError> {
        let own = config.nodes.iter().find(|node| node.id == config.node);
        let own: Vec<IpAddr> = own.map(|node| node.addresses.clone()).unwrap_or_default();
        let mut links = Vec::new();
        for ((id, ip), port) in (0_u8..).zip(own).zip(config.ports.iter().map(|port| port.number)) {
            let others = config.nodes.iter().filter(|node| node.id != config.node);
            let peers = others.filter_map(|node| {
                let address = node.addresses.get(usize::from(id))?;
                Some((node.id, SocketAddr::new(*address, port)))
            });
            links.push(Link { id: LinkId(id), own: SocketAddr::new(ip, port), peers: peers.collect(), open: None });
        }
        let mut udp = Self { links, buffer: vec![0; DATAGRAM_MAX], inputs, counters: Counters::default() };
        udp.retry()?;
        Ok(udp)
    }

    /// Opens what could not be opened before; `true` if everything is open.
    ///
    /// # Errors
    /// As [`Udp::open`].
    pub(crate) fn retry(&mut self) -> Result<bool, OpenError> {
        let mut complete = true;
        for link in self.links.iter_mut().filter(|link| link.open.is_none()) {
            match link.open(&self.inputs) {
                Ok(open) => {
                    tracing::info!(target: "hacd::udp", "link {} receives on {}", link.id, link.own);
                    link.open = Some(open);
                }
                Err(error) if error.source.kind() == io::ErrorKind::AddrNotAvailable => complete = false,
                Err(error) => return Err(error),
            }
        }
        Ok(complete)
    }

    /// Addresses that are not there.
    pub(crate) fn missing(&self) -> impl Iterator<Item = SocketAddr> {
        self.links.iter().filter(|link| link.open.is_none()).map(|link| link.own)
    }

    /// What was counted so far.
    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// Sends a datagram.
    pub(crate) fn send(&mut self, link: LinkId, to: NodeId, datagram: &[u8]) -> Sent {
        let open = self.links.get_mut(usize::from(link.0)).and_then(|link| link.open.as_mut());
        let Some(sender) = open.and_then(|open| open.send.get_mut(&to)) else {
            self.counters.unsent += 1;
            return Sent::Gone;
        };
        let socket = SockRef::from(&*sender.socket);
        let mut refused = false;
        for _ in 0..2 {
            match socket.send(datagram) {
                Ok(_) => {
                    self.counters.sent += 1;
                    sender.failing = None;
                    return if refused { Sent::Refused } else { Sent::Gone };
                }
                // The answer to an earlier datagram; this one has not been sent yet.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => refused = true,
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) => {
                    self.counters.unsent += 1;
                    return Sent::TooBig;
                }
                // The buffer of the socket is full: as good as lost on the way.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    if sender.failing.replace(error.kind()) != Some(error.kind()) {
                        let why = storage::words(&error);
                        tracing::warn!(target: "hacd::udp", "nothing can be sent to node {to} on link {link}: {why}");
                    }
                    break;
                }
            }
        }
        self.counters.unsent += 1;
        if refused { Sent::Refused } else { Sent::Gone }
    }

    /// Waits until something may have come. Safe to be dropped.
    pub(crate) async fn readable(&self) {
        std::future::poll_fn(|context| self.poll_readable(context)).await;
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut any = Poll::Pending;
        for open in self.links.iter().filter_map(|link| link.open.as_ref()) {
            // An error is found when the socket is read.
            if open.receive.poll_recv_ready(context).is_ready() {
                any = Poll::Ready(());
            }
        }
        any
    }

    /// The next datagram of a node, if one has come.
    pub(crate) fn receive(&mut self) -> Option<Datagram<'_>> {
        for link in &self.links {
            let Some(open) = &link.open else { continue };
            loop {
                match open.receive.try_recv_from(&mut self.buffer) {
                    Ok((length, from)) => {
                        let node = link.peers.iter().find(|(_, address)| address.ip() == from.ip());
                        let Some((node, _)) = node else {
                            self.counters.unlisted += 1;
                            continue;
                        };
                        self.counters.received += 1;
                        // Bounded by the buffer it was read into.
                        let bytes = self.buffer.get(..length).unwrap_or_default();
                        return Some(Datagram { link: link.id, from: *node, bytes });
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Errors of a receiving socket are about one datagram.
                    Err(_) => {}
                }
            }
        }
        None
    }
}

impl Link {
    fn open(&self, inputs: &UnboundedSender<Input>) -> Result<Open, OpenError> {
        let about = |address| move |source| OpenError { link: self.id.0, address, source };
        let receive = bind(self.own, false).map_err(about(self.own))?;
        // The kernel may give less; that is no reason not to start.
        let _ = SockRef::from(&receive).set_recv_buffer_size(RECEIVE_BUFFER);
        let from = SocketAddr::new(self.own.ip(), self.own.port().saturating_sub(1));
        let mut send = BTreeMap::new();
        for (node, address) in &self.peers {
            let socket = bind(from, true).map_err(about(from))?;
            never_fragment(&socket, from).map_err(about(from))?;
            // Without a route to the peer there is nothing to connect to yet: as if the address were missing.
            SockRef::from(&socket).connect(&(*address).into()).map_err(|error| match error.kind() {
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                    about(from)(io::ErrorKind::AddrNotAvailable.into())
                }
                _ => about(from)(error),
            })?;
            let socket = Arc::new(socket);
            let task = hints(Arc::clone(&socket), self.id, *node, inputs.clone());
            send.insert(*node, Sender { hints: tokio::spawn(task).abort_handle(), failing: None, socket });
        }
        Ok(Open { receive, send })
    }
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

/// The ring finds out which datagrams pass and takes a refusal as a hint; fragments would only hide it.
fn never_fragment(socket: &UdpSocket, address: SocketAddr) -> io::Result<()> {
    match address {
        SocketAddr::V4(_) => sockopt::set_ip_mtu_discover(socket, sockopt::Ipv4PathMtuDiscovery::DO)?,
        SocketAddr::V6(_) => sockopt::set_ipv6_mtu_discover(socket, sockopt::Ipv6PathMtuDiscovery::DO)?,
    }
    Ok(())
}

/// Waits for hints that nobody listens at the peer. Ends with the socket.
async fn hints(socket: Arc<UdpSocket>, link: LinkId, node: NodeId, inputs: UnboundedSender<Input>) {
    let mut nothing = [0; 16];
    loop {
        if socket.ready(Interest::READABLE | Interest::ERROR).await.is_err() {
            return;
        }
        // Nobody has a reason to send to this port; what comes is thrown away.
        let received = socket.try_recv(&mut nothing);
        let pending = socket.try_io(Interest::ERROR, || match SockRef::from(&*socket).take_error()? {
            Some(error) => Err(error),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
        let refused = |result: &io::Result<usize>| {
            result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if (refused(&received) || refused(&pending)) && inputs.send(Input::Unreachable(link, node)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
