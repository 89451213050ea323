//! The wires of a lab: bridges, links, the route of the floating IP, and the faults of all these.

use crate::Error;
use crate::netns;
use crate::plan::{CLIENT, CLIENT_GATEWAY, CLOUD, FLOATING_IP, METADATA, Plan};
use crate::run::{run, run_with_input};

/// A link-layer address that no interface has: frames to it are lost without an error.
const NOWHERE: &str = "02:00:00:00:ff:ff";
/// The place at which a classic BPF program finds a random number (`SKF_AD_OFF + SKF_AD_RANDOM`).
const RANDOM: u32 = 0xffff_f000 + 56;
/// A host's interface on the public network.
const PUBLIC_INTERFACE: &str = "eth0";
/// A host's interface on the private network.
const PRIVATE_INTERFACE: &str = "eth1";

/// The networks of a lab. All operations take effect before they return.
#[derive(Debug, Clone)]
pub struct Network {
    plan: Plan,
}

impl Network {
    /// Makes all namespaces, bridges, links, addresses and routes of a plan.
    pub(crate) fn new(plan: Plan) -> Result<Self, Error> {
        for name in plan.namespaces() {
            netns::create(&name)?;
        }
        let network = Self { plan };
        network.build_cloud()?;
        for host in network.plan.hosts() {
            network.build_host(host)?;
        }
        Ok(network)
    }

    /// The network of a lab that exists.
    pub(crate) fn of(plan: Plan) -> Self {
        Self { plan }
    }

    fn build_cloud(&self) -> Result<(), Error> {
        let cloud = self.plan.cloud_namespace();
        let client = self.plan.client_namespace();
        batch(
            &cloud,
            &format!(
                "address add {METADATA}/32 dev lo\n\
                 link add name brpub type bridge mcast_snooping 0\n\
                 link add name brpriv type bridge mcast_snooping 0\n\
                 address add {CLOUD}/24 dev brpub\n\
                 link set brpub up\n\
                 link set brpriv up\n\
                 link add name client type veth peer name eth0 netns {client}\n\
                 address add {CLIENT_GATEWAY}/24 dev client\n\
                 link set client up\n"
            ),
        )?;
        batch(
            &client,
            &format!(
                "address add {CLIENT}/24 dev eth0\n\
                 link set eth0 up\n\
                 route add default via {CLIENT_GATEWAY}\n"
            ),
        )?;
        run("ip", &["netns", "exec", &cloud, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]).map(drop)
    }

    fn build_host(&self, host: usize) -> Result<(), Error> {
        let cloud = self.plan.cloud_namespace();
        let namespace = self.plan.host_namespace(host);
        batch(
            &cloud,
            &format!(
                "link add name pub{host} type veth peer name {PUBLIC_INTERFACE} netns {namespace}\n\
                 link add name priv{host} type veth peer name {PRIVATE_INTERFACE} netns {namespace}\n\
                 link set pub{host} master brpub up\n\
                 link set priv{host} master brpriv up\n"
            ),
        )?;
        let (public, private) = (Plan::public(host), Plan::private(host));
        let anchor = Plan::anchor(host);
        batch(
            &namespace,
            &format!(
                "link set {PUBLIC_INTERFACE} address 02:00:00:00:00:{host:02x}\n\
                 link set {PRIVATE_INTERFACE} address 02:00:00:00:01:{host:02x}\n\
                 address add {public}/24 dev {PUBLIC_INTERFACE}\n\
                 address add {anchor}/16 dev {PUBLIC_INTERFACE}\n\
                 address add {private}/16 dev {PRIVATE_INTERFACE}\n\
                 address add {FLOATING_IP}/32 dev lo\n\
                 link set {PUBLIC_INTERFACE} up\n\
                 link set {PRIVATE_INTERFACE} up\n\
                 route add default via {CLOUD}\n"
            ),
        )
    }

    /// Points the floating IP at a host, or at nobody.
    pub(crate) fn point(&self, holder: Option<usize>) -> Result<(), Error> {
        let route = holder.map_or_else(
            || format!("route replace unreachable {FLOATING_IP}/32\n"),
            |host| format!("route replace {FLOATING_IP}/32 via {}\n", Plan::public(host)),
        );
        self.cloud(&route)
    }

    /// The interfaces of a host as they are after a boot: with its own addresses, and none that a program gave it before.
    pub(crate) fn fresh(&self, host: usize) -> Result<(), Error> {
        let (public, private, anchor) = (Plan::public(host), Plan::private(host), Plan::anchor(host));
        batch(
            &self.plan.host_namespace(host),
            &format!(
                "address flush dev {PUBLIC_INTERFACE}\n\
                 address flush dev {PRIVATE_INTERFACE}\n\
                 address add {public}/24 dev {PUBLIC_INTERFACE}\n\
                 address add {anchor}/16 dev {PUBLIC_INTERFACE}\n\
                 address add {private}/16 dev {PRIVATE_INTERFACE}\n\
                 route replace default via {CLOUD}\n"
            ),
        )
    }

    /// Pulls out (`false`) or plugs in (`true`) both cables of a host.
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn link(&self, host: usize, up: bool) -> Result<(), Error> {
        let state = if up { "up" } else { "down" };
        self.cloud(&format!("link set pub{host} {state}\nlink set priv{host} {state}\n"))
    }

    /// Pulls out or plugs in the cable of a host to the private network; the host sees it go.
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn private_link(&self, host: usize, up: bool) -> Result<(), Error> {
        let state = if up { "up" } else { "down" };
        self.cloud(&format!("link set priv{host} {state}\n"))
    }

    /// Cuts the private network between all hosts. Their cables keep carrier, the public network
    /// works on: each host sees only that the others fell silent.
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn cut(&self) -> Result<(), Error> {
        self.isolate("priv", "on")
    }

    /// Cuts the public network between all hosts, which carries the second link where there is one. Client and cloud
    /// still reach every host.
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn cut_public(&self) -> Result<(), Error> {
        self.isolate("pub", "on")
    }

    /// Ends a [cut of the public network](Self::cut_public).
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn heal_public(&self) -> Result<(), Error> {
        self.isolate("pub", "off")
    }

    /// Ends a [cut](Self::cut) and every [one-way loss](Self::lose).
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn heal(&self) -> Result<(), Error> {
        self.isolate("priv", "off")?;
        for from in self.plan.hosts() {
            for to in self.plan.hosts().filter(|&to| to != from) {
                let namespace = self.plan.host_namespace(from);
                let peer = Plan::private(to).to_string();
                let marked = ["-n", &namespace, "neigh", "show", &peer, "nud", "permanent"];
                let is_marked = || run("ip", &marked).map(|shown| !shown.is_empty());
                if is_marked()? {
                    let deleted = batch(&namespace, &format!("neigh delete {peer} dev {PRIVATE_INTERFACE}\n"));
                    // A host that boots just now has lost the mark with its addresses.
                    if is_marked()? {
                        deleted?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Loses everything that `from` sends to `to` over the private network; the other direction
    /// works on.
    ///
    /// # Errors
    /// When iproute2 refuses.
    pub fn lose(&self, from: usize, to: usize) -> Result<(), Error> {
        let peer = Plan::private(to);
        batch(
            &self.plan.host_namespace(from),
            &format!("neigh replace {peer} lladdr {NOWHERE} dev {PRIVATE_INTERFACE} nud permanent\n"),
        )
    }

    /// Delays and loses what a host sends over the private network, `rule` in the words of
    /// tc-netem(8): `delay 20ms loss 2%`. An empty rule ends it.
    ///
    /// # Errors
    /// When the kernel has no netem, or does not understand the rule.
    pub fn netem(&self, host: usize, rule: &str) -> Result<(), Error> {
        let namespace = self.plan.host_namespace(host);
        let mut arguments = vec!["-n", &namespace, "qdisc"];
        if rule.is_empty() {
            arguments.extend(["del", "dev", PRIVATE_INTERFACE, "root"]);
        } else {
            arguments.extend(["replace", "dev", PRIVATE_INTERFACE, "root", "netem"]);
            arguments.extend(rule.split_whitespace());
        }
        run("tc", &arguments).map(drop)
    }

    /// Loses, at random, so many of a hundred packets that a host sends over the private network, from now on.
    ///
    /// A classic BPF program draws a number for each packet; what it picks goes to an interface at which nobody listens.
    /// That needs neither netem nor a packet filter, which small kernels lack.
    ///
    /// # Errors
    /// When the kernel has no BPF classifier or cannot redirect packets.
    pub fn lose_some(&self, host: usize, percent: u8) -> Result<(), Error> {
        let namespace = self.plan.host_namespace(host);
        batch(&namespace, "link add name lost type veth peer name nobody\nlink set lost up\nlink set nobody up\n")?;
        let picked = u64::from(percent.min(100)) * u64::from(u32::MAX) / 100;
        // Load a random number; is it less than the share? then match (all ones), else do not (zero).
        let program = format!("4,32 0 0 {RANDOM},53 1 0 {picked},6 0 0 {},6 0 0 0", u32::MAX);
        run("tc", &["-n", &namespace, "qdisc", "add", "dev", PRIVATE_INTERFACE, "clsact"])?;
        let filter = ["-n", &namespace, "filter", "add", "dev", PRIVATE_INTERFACE, "egress", "protocol", "ip"];
        let action = ["bpf", "bytecode", &program, "action", "mirred", "egress", "redirect", "dev", "lost"];
        run("tc", &[&filter[..], &action].concat()).map(drop)
    }

    /// Ends [`Self::lose_some`].
    ///
    /// # Errors
    /// When it had not begun.
    pub fn lose_none(&self, host: usize) -> Result<(), Error> {
        let namespace = self.plan.host_namespace(host);
        run("tc", &["-n", &namespace, "qdisc", "del", "dev", PRIVATE_INTERFACE, "clsact"])?;
        batch(&namespace, "link del lost\n")
    }

    /// Bytes and packets that a host received and sent on the private network since it exists:
    /// `[rx_bytes, rx_packets, tx_bytes, tx_packets]`.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn private_counters(&self, host: usize) -> Result<[u64; 4], Error> {
        let namespace = self.plan.host_namespace(host);
        let text = run("ip", &["netns", "exec", &namespace, "cat", "/proc/net/dev"])?;
        counters(&text, PRIVATE_INTERFACE)
            .ok_or_else(|| Error::Invalid(format!("no counters of {PRIVATE_INTERFACE} in {text}")))
    }

    fn isolate(&self, cable: &str, state: &str) -> Result<(), Error> {
        let hosts = self.plan.hosts();
        let commands: String =
            hosts.map(|host| format!("link set {cable}{host} type bridge_slave isolated {state}\n")).collect();
        self.cloud(&commands)
    }

    fn cloud(&self, commands: &str) -> Result<(), Error> {
        batch(&self.plan.cloud_namespace(), commands)
    }
}

/// Runs several `ip` commands, one a line, in a namespace.
fn batch(namespace: &str, commands: &str) -> Result<(), Error> {
    run_with_input("ip", &["-n", namespace, "-batch", "-"], commands).map(drop)
}

/// Reads one interface's line of `/proc/net/dev`.
fn counters(text: &str, interface: &str) -> Option<[u64; 4]> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{interface}:")))?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some([*numbers.first()?, *numbers.get(1)?, *numbers.get(8)?, *numbers.get(9)?])
}

#[cfg(test)]
mod tests {
    use super::counters;

    #[test]
    fn the_counters_of_one_interface_are_read() {
        let text = "Inter-|   Receive                            |  Transmit\n\
                     face |bytes    packets errs drop fifo frame compressed multicast|bytes\n\
                    lo:      10       1    0    0    0     0          0         0       10       1    0    0    0     0       0          0\n\
                    eth1: 1500      12    0    0    0     0          0         0     2500      20    0    0    0     0       0          0\n";
        assert_eq!(counters(text, "eth1"), Some([1500, 12, 2500, 20]));
        assert_eq!(counters(text, "eth9"), None);
    }
}
