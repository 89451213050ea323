//! The files and command lines of the tutorial's cluster, with the lab's addresses and places.

use super::Links;
use crate::host::{Daemon, Footing};
use crate::{Agents, Error, Host, Plan, nginx};

/// The daemon's configuration on a host.
pub(crate) const CONFIGURATION: &str = "/etc/hacd/hacd.toml";
/// The cluster's key on a host.
pub(crate) const KEY: &str = "/etc/hacd/authkey";
/// The daemon's log on a host.
pub(crate) const LOG: &str = "/var/log/hacd/hacd.log";
/// The daemon's state on a host.
const STATE: &str = "/var/lib/hacd";
/// The daemon's socket on a host without a `/run` of its own.
const SOCKET: &str = "/run/hacd.sock";

/// What a path of the host is called by the programs on it.
pub(crate) fn place(host: &Host, path: &str) -> Result<String, Error> {
    match host.footing() {
        Footing::Namespaces { .. } => Ok(path.to_owned()),
        Footing::Loopback { .. } => host.outside(path).map(|path| path.display().to_string()),
    }
}

/// The daemon as the lab runs it on a host.
pub(crate) fn daemon(host: &Host) -> Result<Daemon, Error> {
    let mut command = vec!["hacd".to_owned()];
    if let Footing::Loopback { .. } = host.footing() {
        for (option, path) in [("--config", CONFIGURATION), ("--state", STATE), ("--socket", SOCKET)] {
            command.extend([option.to_owned(), place(host, path)?]);
        }
        // All loopback addresses are addresses of this machine: the daemon must be told which it is.
        command.extend(["--node", host.name()].map(str::to_owned));
    }
    Ok(Daemon { name: "hacd", command })
}

/// The tutorial's configuration for `hosts` hosts; with a second link over the public network if there are to be two.
pub(crate) fn configuration(host: &Host, hosts: usize, agents: Agents, links: Links) -> Result<String, Error> {
    let two_node = if hosts == 2 { "two_node = 1\n" } else { "" };
    let (key, port, cloud) = match host.footing() {
        Footing::Namespaces { .. } => {
            let urls = ("http://203.0.113.1".to_owned(), "http://169.254.169.254".to_owned());
            (String::new(), 5405, urls)
        }
        Footing::Loopback { cloud, ring_port, .. } => {
            let url = format!("http://{cloud}");
            (format!("authkey = \"{}\"\n", place(host, KEY)?), *ring_port, (url.clone(), url))
        }
    };
    let nodes: String = (1..=hosts)
        .map(|number| {
            let (address, name) = (host.footing().private(number), Plan::name(number));
            let second = match links {
                Links::One => String::new(),
                Links::Two => format!("ring1_addr = \"{}\"\n", host.footing().public(number)),
            };
            format!("[[nodelist.node]]\nring0_addr = \"{address}\"\n{second}name = \"{name}\"\nnodeid = {number}\n")
        })
        .collect();
    let scripts = match agents {
        Agents::Native => "",
        Agents::Packaged => "[agents]\nscript = [\"ocf:heartbeat:nginx\"]\n",
    };
    let second = match links {
        Links::One => "",
        Links::Two => "[[totem.interface]]\nlinknumber = 1\n",
    };
    let (log, (api, metadata)) = (place(host, LOG)?, cloud);
    Ok(format!(
        r#"[totem]
version = 2
cluster_name = "lbcluster"
transport = "udpu"
{key}[[totem.interface]]
ringnumber = 0
mcastport = {port}
{second}[quorum]
provider = "corosync_votequorum"
{two_node}{nodes}[logging]
to_logfile = "yes"
logfile = "{log}"
to_syslog = "yes"
timestamp = "on"
[digitalocean]
api_url = "{api}"
metadata_url = "{metadata}"
{scripts}"#
    ))
}

/// The tutorial's `crm` lines, word by word, without the `crm`.
pub(crate) fn tutorial_lines(hosts: &[Host], token: &str) -> Result<Vec<Vec<String>>, Error> {
    let address = Plan::floating_ip();
    // On shared ground the file of each host has a place of its own.
    let mut configfile = String::new();
    for host in hosts.iter().filter(|host| matches!(host.footing(), Footing::Loopback { .. })) {
        let file = place(host, nginx::CONFIGURATION)?;
        configfile.push_str(&format!(" params rule #uname eq {} configfile={file}", host.name()));
    }
    let lines = [
        "configure property stonith-enabled=false".to_owned(),
        "configure property no-quorum-policy=ignore".to_owned(),
        format!(
            "configure primitive FloatIP ocf:digitalocean:floatip \
             params do_token={token} floating_ip={address}"
        ),
        format!(
            "configure primitive Nginx ocf:heartbeat:nginx params httpd=/usr/sbin/nginx{configfile} \
             op start timeout=40s interval=0 \
             op monitor timeout=30s interval=10s on-fail=restart \
             op stop timeout=60s interval=0"
        ),
        "configure clone Nginx-clone Nginx".to_owned(),
        "configure colocation FloatIP-Nginx inf: FloatIP Nginx-clone".to_owned(),
    ];
    Ok(lines.iter().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect())
}
