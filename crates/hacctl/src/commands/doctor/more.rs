//! What hurts later, or shows only under load: times, files, votes, what protects the ring's port.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use hac_model::{Primitive, is_secret, parse_duration_ms};

use super::host::{Host, said};
use super::{Cluster, Finding, Severity, cluster};
use crate::terminal;

/// A peer that may be silent for longer than this is missed late, milliseconds.
const SILENCE_MAX_MS: u64 = 900;

/// A key that is older is due, seconds.
const KEY_AGE: u64 = 365 * 24 * 3600;

/// Most of a time limit that an operation may have taken, percent.
const TIME_USED: u64 = 80;

/// Time limit of an operation without one, milliseconds.
const TIMEOUT_MS: u64 = 20_000;

/// Agents whose data two halves would destroy.
const EXCLUSIVE: &[&str] = &[
    "Filesystem",
    "LVM",
    "LVM-activate",
    "drbd",
    "mysql",
    "mariadb",
    "pgsql",
    "galera",
    "ZFS",
    "iscsi",
    "db2",
    "oracle",
];

/// Parameters that name a program or a file which has to be there.
const FILES: &[&str] = &["httpd", "configfile", "config", "conffile", "binary", "binfile", "client", "statusconf"];

pub(super) fn jitter(of: &Cluster) -> Vec<Finding> {
    let late = cluster::links(of).filter(|(.., link)| link.silence_limit_ms.is_some_and(|ms| ms > SILENCE_MAX_MS));
    late.map(|(name, ip, link)| {
        let ms = link.silence_limit_ms.unwrap_or_default();
        let sentence = format!("answers of {name} ({ip}) are so uneven that its death would be noticed after {ms} ms");
        let remedy =
            "'hacctl members -v' shows round trip and jitter; look at the load of both hosts and of that network.";
        Finding::new("jitter", Severity::Warning, sentence, remedy)
    })
    .collect()
}

pub(super) fn wait(of: &Cluster) -> Vec<Finding> {
    let quorum = &of.status.quorum;
    if !quorum.waits_for_all {
        return Vec::new();
    }
    let whom = quorum.waiting_for.clone().unwrap_or_else(|| "all nodes".to_owned());
    let sentence = format!("nothing is started before all nodes were seen once: {whom}");
    let remedy = "Start them; if they are off for certain, 'hacctl quorum unblock' ends the waiting.";
    vec![Finding::new("wait", Severity::Note, sentence, remedy)]
}

pub(super) fn halves(of: &Cluster) -> Vec<Finding> {
    let configuration = &of.cib.configuration;
    let protected = configuration.property("stonith-enabled").is_none_or(|value| value != "false");
    let ignored = configuration.property("no-quorum-policy").is_some_and(|value| value == "ignore");
    let two = of.status.quorum.flags.iter().any(|flag| flag == "2Node");
    if protected || !(two || ignored) {
        return Vec::new();
    }
    let mut exclusive = BTreeSet::new();
    cluster::each_primitive(configuration, &mut |primitive: &Primitive| {
        if EXCLUSIVE.contains(&primitive.agent.kind.as_str()) {
            exclusive.insert(primitive.id.clone());
        }
    });
    if exclusive.is_empty() {
        return Vec::new();
    }
    let list = exclusive.into_iter().collect::<Vec<_>>().join(", ");
    let sentence = format!("when the nodes do not see each other, both run {list}, and its data may be lost");
    let remedy = "Add a third node that votes, or a way to switch a node off (fencing).";
    vec![Finding::new("halves", Severity::Warning, sentence, remedy)]
}

pub(super) fn timeouts(of: &Cluster) -> Vec<Finding> {
    let mut limits: Vec<(String, String, u64)> = Vec::new();
    let default =
        of.cib.configuration.op_defaults.iter().find_map(|set| set.get("timeout")).and_then(parse_duration_ms);
    cluster::each_primitive(&of.cib.configuration, &mut |primitive: &Primitive| {
        for action in ["start", "stop", "monitor", "promote", "demote"] {
            let own = primitive.operations.iter().filter(|operation| operation.name == action);
            let own =
                own.filter_map(|operation| operation.options.get("timeout")).find_map(|text| parse_duration_ms(text));
            limits.push((primitive.id.clone(), action.to_owned(), own.or(default).unwrap_or(TIMEOUT_MS)));
        }
    });
    let mut findings = Vec::new();
    for state in &of.cib.status.nodes {
        for history in &state.resources {
            let id = history.id.split(':').next().unwrap_or_default();
            for operation in history.ops.iter().filter(|operation| operation.op_status == 0) {
                let Some(took) = operation.exec_time_ms else { continue };
                let limit = limits.iter().find(|(of, action, _)| of == id && *action == operation.operation);
                let Some((.., limit)) = limit.filter(|(.., limit)| took.saturating_mul(100) >= limit * TIME_USED)
                else {
                    continue;
                };
                let node = state.uname.as_deref().unwrap_or(&state.id);
                let (action, took, limit) = (&operation.operation, took.div_ceil(1000), limit / 1000);
                let sentence = format!("the {action} of {id} on {node} took {took} s, and {limit} s are allowed");
                let remedy =
                    format!("hacctl configure set {id}.{action}.timeout {}s", limit.saturating_mul(2).max(took * 2));
                findings.push(Finding::new("timeouts", Severity::Warning, sentence, remedy));
            }
        }
    }
    findings
}

/// Values of parameters that are absolute paths, with the resource and the parameter.
fn paths(of: &Cluster, wanted: impl Fn(&str) -> bool) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    cluster::each_primitive(&of.cib.configuration, &mut |primitive: &Primitive| {
        for pair in primitive.params.iter().flat_map(|set| &set.pairs).filter(|pair| wanted(&pair.name)) {
            let value = pair.value.clone().unwrap_or_default();
            if value.starts_with('/') && !value.contains(char::is_whitespace) {
                found.push((primitive.id.clone(), pair.name.clone(), value));
            }
        }
    });
    found
}

pub(super) fn binaries(_: &Host, of: &Cluster) -> Vec<Finding> {
    let missing = paths(of, |name| FILES.contains(&name)).into_iter().filter(|(.., path)| !Path::new(path).exists());
    missing
        .map(|(id, name, path)| {
            let path = terminal::harmless(&path);
            let sentence = format!("{path}, which {id} names as its {name}, is missing on {}", of.status.node);
            let remedy = format!(
                "Install what brings it on every node, or correct it: hacctl resource param {id} set {name} FILE"
            );
            Finding::new("binaries", Severity::Error, sentence, remedy)
        })
        .collect()
}

pub(super) fn secret_files(_: &Host, of: &Cluster) -> Vec<Finding> {
    let open =
        |path: &str| fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o004 != 0);
    let found =
        paths(of, |name| is_secret(name) || name.ends_with("_file") && is_secret(name.trim_end_matches("_file")));
    found
        .into_iter()
        .filter(|(.., path)| open(path))
        .map(|(id, name, path)| {
            let path = terminal::harmless(&path);
            let sentence = format!("everybody on this host can read {path}, the {name} of {id}");
            Finding::new("secret-files", Severity::Warning, sentence, format!("chmod 600 {path}"))
        })
        .collect()
}

pub(super) fn one_link(_: &Host, of: &Cluster) -> Vec<Finding> {
    let addresses = said("ip", &["-o", "-4", "addr", "show", "up"]).unwrap_or_default();
    let own = of.status.members.nodes.iter().find(|node| node.local);
    let links = own.map_or(0, |node| node.addresses.len());
    let used: Vec<&str> = own.into_iter().flat_map(|node| &node.addresses).map(|address| address.ip.as_str()).collect();
    match spare(&addresses, &used) {
        Some((interface, ip)) if links == 1 => {
            let sentence = format!("the ring has one link, and {interface} ({ip}) could be a second one");
            let remedy = "Give every node its ring1_addr in hacd.toml; one network that fails is no failure then.";
            vec![Finding::new("one-link", Severity::Note, sentence, remedy)]
        }
        _ => Vec::new(),
    }
}

/// An interface with a private address that is not used: what `ip -o -4 addr` prints.
pub(super) fn spare(text: &str, used: &[&str]) -> Option<(String, String)> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let interface = words.next()?;
        let ip = words.nth(1)?.split('/').next()?;
        let address: std::net::Ipv4Addr = ip.parse().ok()?;
        let virtual_one =
            ["docker", "br-", "veth", "virbr", "cni", "tun", "wg"].iter().any(|kind| interface.starts_with(kind));
        (address.is_private() && !virtual_one && !used.contains(&ip)).then(|| (interface.to_owned(), ip.to_owned()))
    })
}

pub(super) fn clock(_: &Host) -> Vec<Finding> {
    if said("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref() != Some("no") {
        return Vec::new();
    }
    let sentence =
        "this host's clock is not synchronized: nothing breaks, but logs and lifetimes of constraints mislead";
    vec![Finding::new("clock", Severity::Warning, sentence, "timedatectl set-ntp true")]
}

pub(super) fn watchdog(_: &Host) -> Vec<Finding> {
    let shown = said("systemctl", &["show", "--property=LoadState,WatchdogUSec", "hacd"]).unwrap_or_default();
    if !is_unwatched(&shown) {
        return Vec::new();
    }
    let sentence = "systemd does not watch hacd: one that hangs is not restarted";
    vec![Finding::new("watchdog", Severity::Warning, sentence, "Use the unit that comes with hacd: WatchdogSec=10.")]
}

/// Whether the unit is there without a watchdog: what `systemctl show` prints.
pub(super) fn is_unwatched(shown: &str) -> bool {
    let has = |line: &str| shown.lines().any(|shown| shown == line);
    has("LoadState=loaded") && (has("WatchdogUSec=0") || has("WatchdogUSec=infinity"))
}

pub(super) fn state(host: &Host) -> Vec<Finding> {
    let entries = fs::read_dir(&host.state).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.contains(".corrupt-"));
    names.sort();
    let Some(name) = names.last() else { return Vec::new() };
    let (folder, name) = (host.state.display(), terminal::harmless(name));
    let sentence = format!("a damaged file was set aside as {name} in {folder}: the disk may be failing");
    let remedy = format!("Look at the disk ('dmesg', 'smartctl -a'); then remove {folder}/{name}.");
    vec![Finding::new("state", Severity::Warning, sentence, remedy)]
}

pub(super) fn key_age(host: &Host) -> Vec<Finding> {
    let written = fs::metadata(host.key()).and_then(|about| about.modified());
    let age = written.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    match age.map(|age| age.as_secs()).filter(|age| *age > KEY_AGE) {
        Some(age) => {
            let sentence = format!("the key of the cluster is {} days old", age / 86_400);
            vec![Finding::new("key-age", Severity::Note, sentence, "hacctl key rotate")]
        }
        None => Vec::new(),
    }
}

pub(super) fn socket(_: &Host) -> Vec<Finding> {
    socket_at(Path::new(hac_api::SOCKET))
}

pub(super) fn socket_at(path: &Path) -> Vec<Finding> {
    let Ok(about) = fs::symlink_metadata(path) else { return Vec::new() };
    let name = path.display();
    if !about.file_type().is_socket() {
        let sentence = format!("{name} is not a socket: no command reaches hacd");
        return vec![Finding::new("socket", Severity::Error, sentence, "Remove it, and restart hacd.")];
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o007 == 0 {
        return Vec::new();
    }
    let sentence = format!("every user of this host may command the cluster: {name} has mode {mode:03o}");
    vec![Finding::new("socket", Severity::Error, sentence, format!("chmod o= {name}"))]
}

pub(super) fn firewall(_: &Host) -> Vec<Finding> {
    let rules = said("nft", &["list", "ruleset"]).filter(|rules| !rules.is_empty());
    let rules = rules.or_else(|| said("iptables-save", &[])).unwrap_or_default();
    if !shuts_out(&rules) {
        return Vec::new();
    }
    let sentence =
        "the firewall of this host drops what it does not know, and no rule names the ring's port (UDP 5405)";
    let remedy = "Let it in from the other nodes, such as: ufw allow from OTHER_NODE to any port 5404:5406 proto udp";
    vec![Finding::new("firewall", Severity::Warning, sentence, remedy)]
}

/// Whether rules drop by default what comes in and name no port of a ring.
pub(super) fn shuts_out(rules: &str) -> bool {
    let mut in_input = false;
    let mut drops = false;
    for line in rules.lines().map(str::trim) {
        if line.starts_with("chain ") {
            in_input = false;
        }
        in_input |= line.contains("hook input");
        drops |= in_input && (line.contains("policy drop") || line.contains("policy reject"));
        drops |= line.starts_with(":INPUT DROP") || line.starts_with(":INPUT REJECT");
    }
    let named = ["5404", "5405", "5406"].iter().any(|port| rules.contains(port));
    drops && !named
}

/// The port of the ring, as the configuration has it.
pub(super) fn port(host: &Host) -> u16 {
    let text = fs::read_to_string(&host.config).unwrap_or_default();
    let set = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("mcastport")?.trim().strip_prefix('=')?.trim().parse().ok());
    set.unwrap_or(5405)
}

pub(super) fn ports(host: &Host) -> Vec<Finding> {
    let port = port(host);
    let listed = said("ss", &["-H", "-u", "-l", "-n", "-p"]).unwrap_or_default();
    match holder(&listed, port) {
        Some(who) => {
            let sentence = format!("UDP {port}, the port of the ring, is held by {}", terminal::harmless(&who));
            let remedy = "Stop that program, or give the ring another mcastport in hacd.toml on all nodes.";
            vec![Finding::new("ports", Severity::Error, sentence, remedy)]
        }
        None => Vec::new(),
    }
}

/// The program other than hacd that holds a UDP port: what `ss -Hulnp` prints.
pub(super) fn holder(listed: &str, port: u16) -> Option<String> {
    listed.lines().find_map(|line| {
        let local = line.split_whitespace().nth(3)?;
        let held: u16 = local.rsplit_once(':')?.1.parse().ok()?;
        let (name, rest) = line.split_once("((\"")?.1.split_once('"')?;
        let pid: String = rest.split_once("pid=")?.1.chars().take_while(char::is_ascii_digit).collect();
        (held == port && name != "hacd").then(|| format!("{name} (process {pid})"))
    })
}
