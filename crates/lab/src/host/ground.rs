//! What hosts stand on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::Error;
use crate::cloud::loopback;
use crate::network::Network;
use crate::plan::Plan;

/// What the hosts of a lab are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Namespaces of the kernel: each host has a network, files and processes of its own. For root.
    Namespaces,
    /// As [`Self::Namespaces`], with a root of its own for each host, in which packages can be installed, and systemd as its
    /// first process.
    Systemd,
    /// Processes of this machine on addresses 127.0.0.11 and up, with directories of their own.
    /// Cables cannot be cut, files in `/etc` and `/usr` are shared, packaged agents cannot be used.
    Loopback,
}

/// Where one host stands.
#[derive(Debug, Clone)]
pub(crate) enum Footing {
    Namespaces {
        namespace: String,
        network: Network,
        /// Whether systemd is the host's first process.
        systemd: bool,
    },
    Loopback {
        /// Where its web server listens.
        web: SocketAddr,
        /// Where API and metadata service listen for this host alone.
        cloud: SocketAddr,
        /// Where its ring receives.
        ring_port: u16,
    },
}

impl Footing {
    /// The host's address in the cluster.
    pub(crate) fn private(&self, host: usize) -> Ipv4Addr {
        match self {
            Self::Namespaces { .. } => Plan::private(host),
            Self::Loopback { .. } => loopback(host),
        }
    }

    /// The host's address on its page.
    pub(crate) fn public(&self, host: usize) -> Ipv4Addr {
        match self {
            Self::Namespaces { .. } => Plan::public(host),
            Self::Loopback { .. } => loopback(host),
        }
    }
}

/// A TCP port of an address that nobody uses at this moment.
pub(crate) fn free_tcp_port(address: Ipv4Addr) -> Result<SocketAddr, Error> {
    let socket = TcpListener::bind((address, 0)).and_then(|socket| socket.local_addr());
    socket.map_err(Error::system(format!("no free TCP port on {address}")))
}

/// A UDP port that nobody uses on the loopback addresses of `hosts` hosts, the one below it free
/// as well.
pub(crate) fn free_ring_port(hosts: usize) -> Result<u16, Error> {
    let free = |host: usize, port: u16| UdpSocket::bind((loopback(host), port)).is_ok();
    let candidates = (0..50).filter_map(|_| {
        let socket = UdpSocket::bind((loopback(1), 0)).ok()?;
        Some(socket.local_addr().ok()?.port())
    });
    let fits = |port: &u16| (1..=hosts).all(|host| free(host, *port) && free(host, port - 1));
    candidates
        .filter(|port| *port > 1024)
        .find(fits)
        .ok_or_else(|| Error::Missing("no two free UDP ports in a row".to_owned()))
}
