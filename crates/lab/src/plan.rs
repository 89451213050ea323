//! The address plan of a lab: who is called what, and where.

use std::net::Ipv4Addr;

/// The floating IP of every lab.
pub(crate) const FLOATING_IP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
/// The cloud's address on the public network: gateway of the hosts, and the control API.
pub(crate) const CLOUD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The metadata service.
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The client's side of the link between client and cloud.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// The cloud's side of that link.
pub(crate) const CLIENT_GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Most hosts that a lab can have.
pub(crate) const HOSTS_MAX: usize = 8;
/// Droplet ids are this plus the host's number.
pub(crate) const DROPLET_BASE: u64 = 1_000_000;

const NAMES: [&str; HOSTS_MAX] = ["primary", "secondary", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

/// Names and addresses of one lab. Hosts are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    prefix: String,
    hosts: usize,
}

impl Plan {
    /// A plan for `hosts` hosts (clamped to 1 to 8) whose namespaces begin with `prefix`.
    pub fn new(prefix: impl Into<String>, hosts: usize) -> Self {
        Self { prefix: prefix.into(), hosts: hosts.clamp(1, HOSTS_MAX) }
    }

    /// What the names of all namespaces of this lab begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The numbers of the hosts.
    pub fn hosts(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.hosts
    }

    /// Number of the host called `name`, or written as a number.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.hosts().find(|&host| Self::name(host) == name || host.to_string() == name)
    }

    /// Name of host `host`: `primary`, `secondary`, `third` and so on.
    pub fn name(host: usize) -> &'static str {
        NAMES.get(host.wrapping_sub(1)).copied().unwrap_or("nobody")
    }

    /// Address on the private network, where the cluster speaks.
    pub fn private(host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 132, 0, last_octet(host))
    }

    /// Address on the public network.
    pub fn public(host: usize) -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, last_octet(host))
    }

    /// Anchor address, on the public interface; nothing is routed to it.
    pub fn anchor(host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 17, 0, last_octet(host))
    }

    /// The floating IP.
    pub fn floating_ip() -> Ipv4Addr {
        FLOATING_IP
    }

    /// Droplet id of a host.
    pub fn droplet(host: usize) -> u64 {
        DROPLET_BASE + host as u64
    }

    /// Network namespace of a host.
    pub(crate) fn host_namespace(&self, host: usize) -> String {
        format!("{}-h{host}", self.prefix)
    }

    /// Network namespace with the bridges, the API and the metadata service.
    pub(crate) fn cloud_namespace(&self) -> String {
        format!("{}-cloud", self.prefix)
    }

    /// Network namespace of the prober.
    pub(crate) fn client_namespace(&self) -> String {
        format!("{}-client", self.prefix)
    }

    /// All namespaces of the lab.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let mut all = vec![self.cloud_namespace(), self.client_namespace()];
        all.extend(self.hosts().map(|host| self.host_namespace(host)));
        all
    }
}

fn last_octet(host: usize) -> u8 {
    u8::try_from(10 + host).unwrap_or(u8::MAX)
}
