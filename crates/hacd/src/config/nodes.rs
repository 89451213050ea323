//! The list of nodes, and which of them this one is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use hac_types::NodeId;

use super::keys::Table;
use super::read::Section;
use super::{Checker, Identity, Node, Port};

/// Whether `address` belongs to this host: a socket can be bound to it, and that is not so for every address.
pub(super) fn is_local(address: IpAddr) -> bool {
    let bound = || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok();
    no_host(address).is_none() && bound() && !(binds_any(address) && leads_away(address))
}

/// Whether this host binds addresses that are not its own, as is common beside keepalived and HAProxy.
fn binds_any(address: IpAddr) -> bool {
    let version = if address.is_ipv4() { "ipv4" } else { "ipv6" };
    let switch = std::fs::read_to_string(format!("/proc/sys/net/{version}/ip_nonlocal_bind"));
    switch.is_ok_and(|text| text.trim() != "0")
}

/// Whether what is sent to `address` leaves this host: it is sent from another one.
pub(super) fn leads_away(address: IpAddr) -> bool {
    let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = UdpSocket::bind(SocketAddr::new(any, 0)).and_then(|socket| {
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    !address.is_loopback() && from.map(|from| from.ip()).ok() != Some(address)
}

/// Why this can be the address of no node, if it can not.
fn no_host(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_unspecified() || address.is_multicast() => Some("is not the address of a host"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some("is not the address of a host"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Some("is link-local: it says nothing without a network card; write a global or unique local address")
        }
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Some("is an IPv4 address in the form of IPv6: write it as IPv4")
        }
        _ => None,
    }
}

impl Checker<'_> {
    /// All nodes that are described well, ascending by id.
    pub(super) fn nodes(&mut self) -> Vec<Node> {
        let sections = self.document.sections(Table::Node);
        if sections.is_empty() {
            self.report(0, "nodelist.node", "there are no nodes: write one [[nodelist.node]] for each");
        }
        let mut nodes: Vec<(usize, Node)> = Vec::new();
        for section in sections {
            if let Some(node) = self.node(section) {
                self.compare(&node, section, &nodes);
                nodes.push((section.line, node));
            }
        }
        if nodes.len() > 64 {
            self.report(nodes[64].0, "nodelist.node", "there are more than 64 nodes");
        }
        let mut nodes: Vec<Node> = nodes.into_iter().map(|(_, node)| node).collect();
        nodes.sort_by_key(|node| node.id);
        nodes
    }

    fn node(&mut self, section: &Section) -> Option<Node> {
        let mut missing = |key: &str, what: &str| {
            if !section.has(key) {
                self.report(section.line, &format!("nodelist.node.{key}"), format!("is missing: {what}"));
            }
        };
        missing("ring0_addr", "write the node's private address");
        missing("name", "write the name by which commands call it, usually the host name");
        missing("nodeid", "write a number from 1, different for every node");
        let name = section.text("name")?.to_owned();
        let id = NodeId(u32::try_from(section.number("nodeid")?).ok()?);
        let mut addresses = vec![section.address("ring0_addr")?];
        addresses.extend(section.address("ring1_addr"));
        for (key, address) in ["ring0_addr", "ring1_addr"].iter().zip(&addresses) {
            if let Some(why) = no_host(*address) {
                let what = format!("{address} {why}");
                self.report(section.line_of(key), &format!("nodelist.node.{key}"), what);
            }
        }
        if addresses.get(1) == addresses.first() {
            let what = format!(
                "{} is ring0_addr too: write the address on the second network, or leave ring1_addr away",
                addresses[0]
            );
            self.report(section.line_of("ring1_addr"), "nodelist.node.ring1_addr", what);
        }
        if name.chars().any(|c| c.is_whitespace() || "[]{}()\"'\\,;".contains(c)) || name.starts_with('-') {
            self.report(
                section.line_of("name"),
                "nodelist.node.name",
                format!("\"{name}\" is not a name: use letters, digits, dots and dashes"),
            );
        }
        let votes = section.number("quorum_votes").and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        Some(Node { id, name, addresses, votes })
    }

    /// What must differ between nodes, and what must not.
    fn compare(&mut self, node: &Node, section: &Section, before: &[(usize, Node)]) {
        for (line, other) in before {
            let at = |key: &str| (section.line_of(key), format!("nodelist.node.{key}"));
            if other.id == node.id {
                let (line_of, key) = at("nodeid");
                self.report(
                    line_of,
                    &key,
                    format!("{} is the id of node \"{}\" (line {line}) too", node.id, other.name),
                );
            }
            if other.name == node.name {
                let (line_of, key) = at("name");
                self.report(line_of, &key, format!("\"{}\" is the name of another node (line {line}) too", node.name));
            }
            for (link, address) in node.addresses.iter().enumerate() {
                let (line_of, key) = at(&format!("ring{link}_addr"));
                if other.addresses.contains(address) {
                    self.report(
                        line_of,
                        &key,
                        format!("{address} is an address of node \"{}\" (line {line}) too", other.name),
                    );
                }
                match other.addresses.get(link) {
                    Some(peer) if peer.is_ipv4() != address.is_ipv4() => {
                        let what = format!(
                            "{address} and {peer} (line {line}) are not of one family: use IPv4 or IPv6 for all"
                        );
                        self.report(line_of, &key, what);
                    }
                    _ => {}
                }
            }
            if other.addresses.len() != node.addresses.len() {
                let (_, key) = at("ring1_addr");
                let what =
                    format!("all nodes need the same number of addresses; see node \"{}\" (line {line})", other.name);
                self.report(section.line, &key, what);
            }
        }
    }

    /// The port of each link.
    pub(super) fn ports(&mut self, nodes: &[Node]) -> Vec<Port> {
        let links = nodes.iter().map(|node| node.addresses.len()).max().unwrap_or(1);
        let default = |number| Port { number, line: 0 };
        let mut ports: Vec<Port> = [5405, 5406].into_iter().take(links).map(default).collect();
        let mut seen = Vec::new();
        for section in self.document.sections(Table::Interface) {
            let link = section.number("ringnumber").or_else(|| section.number("linknumber")).unwrap_or(0);
            if seen.contains(&link) {
                self.report(section.line, "totem.interface.ringnumber", format!("link {link} is described twice"));
            }
            seen.push(link);
            let port = section.number("mcastport").and_then(|port| u16::try_from(port).ok());
            match (ports.get_mut(usize::try_from(link).unwrap_or(usize::MAX)), port) {
                (Some(own), Some(number)) => *own = Port { number, line: section.line_of("mcastport") },
                (Some(_), None) => {}
                (None, _) => {
                    let what = format!("link {link} is described but no node has ring{link}_addr");
                    self.report(section.line, "totem.interface.ringnumber", what);
                }
            }
        }
        ports
    }

    /// Which node this is: the one with an address of this host. Where several are (tests on one host), or none yet (a
    /// network that comes late), the command line or the host's name decides.
    pub(super) fn own_node<'n>(
        &mut self,
        nodes: &'n [Node],
        identity: &Identity,
        local: &dyn Fn(IpAddr) -> bool,
    ) -> Option<&'n Node> {
        if let Some(wanted) = &identity.node {
            let found = nodes.iter().find(|node| node.name == *wanted || node.id.to_string() == *wanted);
            if found.is_none() && !nodes.is_empty() {
                self.report(0, "nodelist.node.name", format!("there is no node \"{wanted}\", which --node names"));
            }
            return found;
        }
        let own: Vec<&Node> =
            nodes.iter().filter(|node| node.addresses.iter().any(|address| local(*address))).collect();
        match own.as_slice() {
            [node] => Some(node),
            [] if nodes.is_empty() => None,
            [] => {
                if let Some(named) = nodes.iter().find(|node| identity.is_named(&node.name)) {
                    // Its address is waited for.
                    return Some(named);
                }
                let listed: Vec<String> = nodes.iter().map(|node| node.addresses[0].to_string()).collect();
                let what = format!(
                    "none of {} is an address of this host, and no node has its name; correct the address, or bring \
                     the interface up",
                    listed.join(", ")
                );
                let line = self.document.sections(Table::Node).first().map_or(0, |section| section.line);
                self.report_passing(line, "nodelist.node.ring0_addr", what);
                None
            }
            several => {
                let by_name = several.iter().find(|node| identity.is_named(&node.name)).copied();
                if by_name.is_none() {
                    let names: Vec<&str> = several.iter().map(|node| node.name.as_str()).collect();
                    let what = format!(
                        "the addresses of {} are all on this host; start hacd with --node NAME",
                        names.join(", ")
                    );
                    self.report(0, "nodelist.node.ring0_addr", what);
                }
                by_name
            }
        }
    }
}
