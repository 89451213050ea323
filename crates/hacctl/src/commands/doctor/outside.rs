//! What is outside of the daemon and decides whether a failover is felt: peers whose host answers, the provider, where services
//! listen, how fast the disk is.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use hac_api::MemberState;
use hac_model::Primitive;

use super::host::{Host, said};
use super::more::port;
use super::{Cluster, Finding, Severity, cluster};

/// How long a host may take to say that nobody listens.
const REFUSAL: Duration = Duration::from_millis(500);

/// Storing may take so long in one of a hundred cases; longer, and each change of the configuration is felt, milliseconds.
const STORE_MS: u64 = 500;

/// Programs that serve what an address leads to.
const SERVERS: &[&str] = &["nginx", "apache2", "httpd", "haproxy"];

/// Hosts that answer although no hacd does there: the kernel of one tells that nobody has the ring's port.
pub(super) fn icmp(host: &Host, of: &Cluster) -> Vec<Finding> {
    let port = port(host);
    let away = of.status.members.nodes.iter().filter(|node| !node.local && node.state != MemberState::Joined);
    let mut findings = Vec::new();
    for node in away {
        let addresses = node.addresses.iter().filter_map(|address| address.ip.parse::<IpAddr>().ok());
        if let Some(ip) = addresses.take(2).find(|ip| refuses(SocketAddr::new(*ip, port))) {
            let sentence = format!("hacd does not run on {}, whose host answers ({ip})", node.name);
            let remedy =
                format!("Start it there: 'systemctl start hacd'; 'journalctl -u hacd' on {} says why not.", node.name);
            findings.push(Finding::new("icmp", Severity::Error, sentence, remedy));
        }
    }
    findings
}

/// Whether the host of this address says that nobody has the port. A byte is sent, which no daemon takes for more than that.
pub(super) fn refuses(at: SocketAddr) -> bool {
    let any: SocketAddr = if at.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let Ok(socket) = UdpSocket::bind(any) else { return false };
    let asked =
        socket.connect(at).and_then(|()| socket.set_read_timeout(Some(REFUSAL))).and_then(|()| socket.send(&[0]));
    let answered = asked.and_then(|_| socket.recv(&mut [0; 16]));
    answered.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// What the provider would refuse or does not tell, as the nodes found out (`readiness` of the status).
pub(super) fn api(of: &Cluster) -> Vec<Finding> {
    lacking(of, "api", |what| matches!(what, "api" | "droplet"))
}

/// What nodes lack of this kind.
pub(super) fn lacking(of: &Cluster, id: &'static str, wanted: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for told in &of.status.readiness {
        for lack in told.lacks.iter().filter(|lack| wanted(&lack.what)) {
            let what = match lack.resources.as_slice() {
                [] => String::new(),
                [one] => format!(", so it could not start {one}"),
                [one, rest @ ..] => format!(", so it could not start {one} and {} others", rest.len()),
            };
            let sentence = format!("{}: {}{what}", told.node, lack.sentence);
            findings.push(Finding::new(id, Severity::Error, sentence, lack.remedy.clone()));
        }
    }
    findings
}

/// Servers that listen on this host's own addresses alone, where an address of the provider arrives on another one.
pub(super) fn anchor(_: &Host, of: &Cluster) -> Vec<Finding> {
    let mut floats = false;
    let is_floating = |one: &Primitive| one.agent.kind == "floatip";
    cluster::each_primitive(&of.cib.configuration, &mut |one| floats |= is_floating(one));
    if !floats {
        return Vec::new();
    }
    let listed = said("ss", &["-H", "-l", "-t", "-n", "-p"]).unwrap_or_default();
    let narrow = SERVERS.iter().filter_map(|server| Some((server, narrow(&listed, server)?)));
    let finding = |(server, at): (&&str, String)| {
        let sentence = format!(
            "{server} listens on {at} alone: what comes for the floating address arrives at the anchor address, and is refused"
        );
        let remedy = "Let it listen on all addresses (0.0.0.0), or on the anchor address too: \
                      curl http://169.254.169.254/metadata/v1/interfaces/public/0/anchor_ipv4/address";
        Finding::new("anchor", Severity::Warning, sentence, remedy)
    };
    narrow.map(finding).collect()
}

/// Where a program listens, if that is on public addresses alone: what `ss -Hltnp` prints. An anchor address is private.
pub(super) fn narrow(listed: &str, program: &str) -> Option<String> {
    let mut found: Vec<IpAddr> = Vec::new();
    for line in listed.lines().filter(|line| line.contains(&format!("((\"{program}\""))) {
        let local = line.split_whitespace().nth(3)?;
        let (ip, _) = local.rsplit_once(':')?;
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        // All addresses, or those of one interface.
        let ip: IpAddr = ip.parse().ok()?;
        found.push(ip);
    }
    let public = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_private() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_unspecified(),
    };
    let serves = found.iter().any(|ip| !ip.is_loopback());
    let all = found.iter().filter(|ip| !ip.is_loopback()).all(public);
    (serves && all).then(|| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

/// How long this node takes to store what the others wait for.
pub(super) fn disk_speed(of: &Cluster) -> Vec<Finding> {
    let counter = |name: &str| of.status.counters.iter().find(|one| one.name == name).map_or(0, |one| one.value);
    let (stored, slow, longest) = (counter("storage.stored"), counter("storage.slow"), counter("storage.longest_us"));
    if slow.saturating_mul(100) <= stored {
        return Vec::new();
    }
    let sentence = format!(
        "{slow} of {stored} times storing took longer than {STORE_MS} ms here, {}.{} s at most: each change of the configuration \
         waits for it",
        longest / 1_000_000,
        longest / 100_000 % 10
    );
    let remedy = "Look at what else writes to the disk of /var/lib/hacd ('iostat -x 1'), or give it a faster one.";
    vec![Finding::new("disk-speed", Severity::Warning, sentence, remedy)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_on_which_nobody_has_the_port_says_so_and_one_that_listens_does_not() {
        let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let at = taken.local_addr().expect("bound");
        assert!(!refuses(at));
        drop(taken);
        assert!(refuses(at));
    }

    #[test]
    fn a_server_on_public_addresses_alone_is_found() {
        let line = |at: &str, program: &str| {
            format!("LISTEN 0 511 {at} 0.0.0.0:* users:((\"{program}\",pid=7,fd=6),(\"{program}\",pid=8,fd=6))\n")
        };
        let public = line("203.0.113.11:80", "nginx");
        assert_eq!(narrow(&public, "nginx").as_deref(), Some("203.0.113.11"));
        assert_eq!(narrow(&public, "haproxy"), None);
        for also in ["0.0.0.0:80", "10.19.0.5:80", "*:80", "[::]:80"] {
            assert_eq!(narrow(&(public.clone() + &line(also, "nginx")), "nginx"), None, "{also}");
        }
        assert_eq!(narrow(&line("127.0.0.1:80", "nginx"), "nginx"), None, "it is for this host alone");
        assert_eq!(narrow("", "nginx"), None);
    }
}
