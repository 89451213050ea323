//! Corosync's programs: `corosync-cmapctl`, `corosync-quorumtool`, `corosync-cfgtool`, `corosync-keygen`.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hac_api::{MemberState, MembersEntry, Status, route};

use crate::client;
use crate::options::{Given, Spec, Value};
use crate::{Ends, Said, exit};

/// The version of Corosync whose forms these are.
const VERSION: &str = "3.1.9";

/// Help and version, as each of these programs has them.
const COMMON: &[Spec] = &[Spec("h?", &["help"], Value::No), Spec("V", &["version"], Value::No)];

fn status(unreachable: &str) -> Ends<Status> {
    client::ask::<Status>(&client::Ask::Get(&format!("{}?view=true", route::STATUS)), None)
        .map_err(|_| Said::failed(exit::ERROR, unreachable.to_owned()))
}

fn version(program: &str) -> Said {
    Said::printed(format!("{program}, version '{VERSION}'\nWritten for hacd {}", env!("CARGO_PKG_VERSION")))
}

/// What is refused, and what to do instead.
fn instead(program: &str, what: &str, remedy: &str) -> Said {
    Said::failed(exit::ERROR, format!("{program}: hacd does not offer {what}: {remedy}"))
}

const CMAP: &[Spec] = &[
    Spec("g", &["get"], Value::Yes),
    Spec("q", &["quiet"], Value::No),
    Spec("b", &["binary"], Value::No),
    Spec("m", &["map"], Value::Yes),
    Spec("s", &["set"], Value::No),
    Spec("d", &["delete"], Value::No),
    Spec("D", &["delete-prefix"], Value::No),
    Spec("t", &["track"], Value::No),
    Spec("T", &["track-prefix"], Value::No),
    Spec("p", &["load"], Value::Yes),
    Spec("C", &["clear"], Value::No),
];

const CMAP_HELP: &str =
    "usage: corosync-cmapctl [-q] [-m icmap|stats] [PREFIX...]\n       corosync-cmapctl [-q] -g KEY";

/// `corosync-cmapctl [PREFIX...]`, `-g KEY`.
pub(crate) fn cmapctl(words: &[String]) -> Ends<Said> {
    const PROGRAM: &str = "corosync-cmapctl";
    let given = Given::read(PROGRAM, &[CMAP, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(CMAP_HELP));
    }
    if given.has("version") {
        return Ok(version(PROGRAM));
    }
    for option in ["set", "delete", "delete-prefix", "load", "clear"] {
        if given.has(option) {
            let key = given.words.first().map_or("KEY", String::as_str);
            let err = format!("Failed to set key {key}. Error CS_ERR_ACCESS (change /etc/hacd/hacd.toml instead)");
            return Err(Said::failed(exit::ERROR, err));
        }
    }
    if given.has("track") || given.has("track-prefix") {
        return Err(instead(PROGRAM, "-t and -T", "'hacctl events --follow' shows what happens"));
    }
    let status = status("Failed to initialize the cmap API. Error CS_ERR_LIBRARY")?;
    let mut keys = if given.value("map") == Some("stats") { stats(&status) } else { icmap(&status) };
    keys.sort();
    if let Some(key) = given.value("get") {
        let found = keys.iter().find(|(name, ..)| name == key);
        let Some((name, kind, value)) = found else {
            return Err(Said::failed(exit::ERROR, format!("Can't get key {key}. Error CS_ERR_NOT_EXIST")));
        };
        return Ok(Said::printed(if given.has("quiet") {
            value.clone()
        } else {
            format!("{name} ({kind}) = {value}")
        }));
    }
    let wanted =
        |name: &str| given.words.is_empty() || given.words.iter().any(|prefix| name.starts_with(prefix.as_str()));
    let text: String = keys
        .iter()
        .filter(|(name, ..)| wanted(name))
        .map(|(name, kind, value)| format!("{name} ({kind}) = {value}\n"))
        .collect();
    let code = if text.is_empty() { exit::ERROR } else { exit::OK };
    Ok(Said { code, ..Said::printed(text) })
}

type Key = (String, &'static str, String);

/// The keys of the main map, as far as there is something behind them.
fn icmap(status: &Status) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut add = |name: String, kind, value: String| keys.push((name, kind, value));
    add("totem.cluster_name".into(), "str", status.cluster_name.clone());
    add("totem.transport".into(), "str", "udpu".into());
    add("totem.version".into(), "u32", "2".into());
    add("quorum.provider".into(), "str", "corosync_votequorum".into());
    let flag = |name: &str| status.quorum.flags.iter().any(|flag| flag == name);
    add("quorum.two_node".into(), "u8", u8::from(flag("2Node")).to_string());
    add("quorum.wait_for_all".into(), "u8", u8::from(flag("WaitForAll")).to_string());
    add("quorum.expected_votes".into(), "u32", status.quorum.expected_votes.to_string());
    add("runtime.votequorum.this_node_id".into(), "u32", status.node_id.to_string());
    add("runtime.votequorum.two_node".into(), "u8", u8::from(flag("2Node")).to_string());
    let ids = || status.members.nodes.iter().map(|node| node.id);
    add("runtime.votequorum.highest_node_id".into(), "u32", ids().max().unwrap_or(0).to_string());
    add("runtime.votequorum.lowest_node_id".into(), "u32", ids().min().unwrap_or(0).to_string());
    add("runtime.votequorum.ev_barrier".into(), "u32", status.quorum.highest_expected.to_string());
    add("runtime.votequorum.wait_for_all_status".into(), "u8", u8::from(status.quorum.waits_for_all).to_string());
    for (at, node) in status.members.nodes.iter().enumerate() {
        let key = format!("nodelist.node.{at}");
        add(format!("{key}.name"), "str", node.name.clone());
        add(format!("{key}.nodeid"), "u32", node.id.to_string());
        add(format!("{key}.quorum_votes"), "u32", node.votes.to_string());
        for address in &node.addresses {
            add(format!("{key}.ring{}_addr", address.link), "str", address.ip.clone());
        }
        if node.local {
            add("nodelist.local_node_pos".into(), "u32", at.to_string());
        }
        // A node that was never seen is no member, past or present.
        if node.state == MemberState::Unseen {
            continue;
        }
        let key = format!("runtime.members.{}", node.id);
        let ip: String = node.addresses.iter().map(|a| format!("r({}) ip({}) ", a.link, a.ip)).collect();
        add(format!("{key}.config_version"), "u64", "0".into());
        add(format!("{key}.ip"), "str", ip);
        add(format!("{key}.join_count"), "u32", node.join_count.to_string());
        add(format!("{key}.status"), "str", node.state.word().to_owned());
    }
    keys
}

/// The keys of the map of statistics: the links.
fn stats(status: &Status) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for node in &status.members.nodes {
        for link in &node.links {
            let key = format!("stats.knet.node{}.link{}", node.id, link.link);
            let mut add = |name: &str, kind, value: u64| keys.push((format!("{key}.{name}"), kind, value.to_string()));
            add("connected", "u8", u64::from(link.connected));
            add("enabled", "u8", 1);
            add("latency_ave", "u32", link.rtt_us.unwrap_or(0));
            add("mtu", "u32", u64::from(link.datagram_max.unwrap_or(0)));
        }
    }
    for counter in &status.counters {
        keys.push((format!("stats.hacd.{}", counter.name), "u64", counter.value.to_string()));
    }
    keys
}

const QUORUM: &[Spec] = &[
    Spec("s", &["status"], Value::No),
    Spec("m", &["monitor"], Value::No),
    Spec("l", &["list"], Value::No),
    Spec("p", &["device"], Value::No),
    Spec("i", &["ip"], Value::No),
    Spec("a", &["all"], Value::No),
    Spec("o", &["order"], Value::Yes),
    Spec("e", &["expected"], Value::Yes),
    Spec("v", &["votes"], Value::Yes),
    Spec("n", &["node"], Value::Yes),
    Spec("f", &["force"], Value::No),
];

const QUORUM_HELP: &str = "usage: corosync-quorumtool [-s] [-l] [-p] [-i] [-o a|n|i] [-H]\n\n  -s  votes and quorum   -l  the members   -p  with the column for a device   -i  addresses instead of names\n  -o  order by address, name or id\n\nExit code 0 with quorum, 2 without, 1 for an error.";

/// `corosync-quorumtool`: exit code 0 with quorum, 2 without.
pub(crate) fn quorumtool(words: &[String]) -> Ends<Said> {
    const PROGRAM: &str = "corosync-quorumtool";
    let given = Given::read(PROGRAM, &[QUORUM, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed(QUORUM_HELP));
    }
    if given.has("version") {
        return Ok(version(PROGRAM));
    }
    for (option, remedy) in [
        ("expected", "change quorum.expected_votes in hacd.toml on all nodes"),
        ("votes", "change quorum_votes in hacd.toml on all nodes"),
        ("monitor", "'hacctl mon' shows it again and again"),
    ] {
        if given.has(option) {
            return Err(instead(PROGRAM, &format!("--{option}"), remedy));
        }
    }
    let status = status("Cannot initialize CMAP service")?;
    let mut text = String::new();
    if !given.has("list") {
        text = votes(&status);
    }
    text.push_str(&table(&status, &given));
    let code = if status.quorum.quorate { exit::OK } else { 2 };
    Ok(Said { code, ..Said::printed(text) })
}

/// What `corosync-quorumtool -s` prints of this cluster.
#[must_use]
pub fn quorum_text(status: &Status) -> String {
    format!("{}{}", votes(status), table(status, &Given::default()))
}

fn votes(status: &Status) -> String {
    let quorum = &status.quorum;
    let joined = status.members.nodes.iter().filter(|node| node.state == MemberState::Joined).count();
    // The flags end in a blank, the needed votes in two or in what does not go on.
    format!(
        "Quorum information\n------------------\n\
         Date:             {}\n\
         Quorum provider:  corosync_votequorum\n\
         Nodes:            {joined}\n\
         Node ID:          {}\n\
         Ring ID:          {}\n\
         Quorate:          {}\n\n\
         Votequorum information\n----------------------\n\
         Expected votes:   {}\n\
         Highest expected: {}\n\
         Total votes:      {}\n\
         Quorum:           {} {}\n\
         Flags:            {} \n\n",
        hac_pacemaker::mon::plain_date(status.now_ms),
        status.node_id,
        status.members.ring,
        if quorum.quorate { "Yes" } else { "No" },
        quorum.expected_votes,
        quorum.highest_expected,
        quorum.total_votes,
        quorum.quorum,
        if quorum.quorate { " " } else { "Activity blocked" },
        quorum.flags.join(" "),
    )
}

fn table(status: &Status, given: &Given) -> String {
    let mut members: Vec<&MembersEntry> =
        status.members.nodes.iter().filter(|node| node.state == MemberState::Joined).collect();
    let address = |node: &MembersEntry| node.addresses.first().map_or_else(String::new, |address| address.ip.clone());
    match given.value("order") {
        Some("n") => members.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("a") => members.sort_by_key(|node| address(node)),
        _ => members.sort_by_key(|node| node.id),
    }
    let device = given.has("device");
    let mut text = "Membership information\n----------------------\n".to_owned();
    text.push_str(if device { "    Nodeid      Votes    Qdevice Name\n" } else { "    Nodeid      Votes Name\n" });
    for node in members {
        let name = if given.has("ip") { address(node) } else { node.name.clone() };
        let local = if node.local { " (local)" } else { "" };
        let column = if device { "        NR " } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>10} {:>10} {column}{name}{local}", node.id, node.votes);
    }
    text
}

const CFG: &[Spec] = &[
    Spec("s", &["status"], Value::No),
    Spec("b", &["brief"], Value::No),
    Spec("n", &["nodes"], Value::No),
    Spec("i", &["interface"], Value::Yes),
    Spec("a", &["addresses"], Value::Yes),
    Spec("R", &["reload"], Value::No),
    Spec("L", &["reopen-logs"], Value::No),
    Spec("k", &["kill"], Value::Yes),
    Spec("H", &["shutdown"], Value::No),
    Spec("", &["force"], Value::No),
    Spec("", &["rings"], Value::No),
];

const CFG_HELP: &str = "usage: corosync-cfgtool [-s [-b]] [-i LINK] [-n] [-a NODEID] [--rings]\n\n  -s  the links of this node   -b  in short   -n  the links to other nodes   -a  addresses of a node\n  --rings  the form of Corosync 2 (also with HACCTL_CFGTOOL=rings), which checks look for";

/// `corosync-cfgtool`.
pub(crate) fn cfgtool(words: &[String]) -> Ends<Said> {
    const PROGRAM: &str = "corosync-cfgtool";
    let Ok(given) = Given::read(PROGRAM, &[CFG, COMMON], words) else { return Ok(Said::printed(CFG_HELP)) };
    if given.has("help") {
        return Ok(Said::printed(CFG_HELP));
    }
    if given.has("version") {
        return Ok(version(PROGRAM));
    }
    for (option, remedy) in [
        ("reload", "restart hacd on one node after the other ('systemctl restart hacd')"),
        ("kill", "'hacctl node standby NODE' empties a node, 'hacctl node fence NODE' has it shot"),
        ("shutdown", "'systemctl stop hacd'"),
    ] {
        if given.has(option) {
            return Err(instead(PROGRAM, &format!("--{option}"), remedy));
        }
    }
    if given.has("reopen-logs") {
        return Ok(Said::nothing());
    }
    if !given.has("status") && !given.has("nodes") && given.value("addresses").is_none() && !given.has("rings") {
        return Ok(Said::printed(CFG_HELP));
    }
    let status = status("Could not initialize corosync configuration API error 2")?;
    if let Some(id) = given.value("addresses") {
        let node = status.members.nodes.iter().find(|node| node.id.to_string() == id || node.name == id);
        let node = node.ok_or_else(|| Said::failed(exit::ERROR, format!("there is no node {id}")))?;
        let addresses: Vec<&str> = node.addresses.iter().map(|address| address.ip.as_str()).collect();
        return Ok(Said::printed(addresses.join(" ")));
    }
    let rings = given.has("rings") || std::env::var("HACCTL_CFGTOOL").is_ok_and(|form| form == "rings");
    let only = given.value("interface").and_then(|link| link.parse::<u8>().ok());
    Ok(Said::printed(match (given.has("nodes"), rings) {
        (true, _) => nodes(&status),
        (false, true) => old_rings(&status),
        (false, false) => links(&status, given.has("brief"), only),
    }))
}

fn own(status: &Status) -> Option<&MembersEntry> {
    status.members.nodes.iter().find(|node| node.local)
}

fn connected(node: &MembersEntry, link: u8) -> bool {
    node.links.iter().any(|seen| seen.link == link && seen.connected)
}

fn links(status: &Status, brief: bool, only: Option<u8>) -> String {
    let mut text = format!("Local node ID {}, transport udpu\n", status.node_id);
    let own = own(status).map(|node| node.addresses.as_slice()).unwrap_or_default();
    for address in own.iter().filter(|address| only.is_none_or(|link| link == address.link)) {
        let _ = write!(text, "LINK ID {} udp\n\taddr\t= {}\n", address.link, address.ip);
        if brief {
            let digit = |node: &MembersEntry| match (node.local, connected(node, address.link)) {
                (true, _) => 'n',
                (false, true) => '3',
                (false, false) => '1',
            };
            let states: String = status.members.nodes.iter().map(digit).collect();
            let _ = writeln!(text, "\tstatus\t= {states}");
            continue;
        }
        text.push_str("\tstatus:\n");
        for node in &status.members.nodes {
            let state = match (node.local, connected(node, address.link)) {
                (true, _) => "localhost",
                (false, true) => "connected",
                (false, false) => "disconnected",
            };
            let _ = writeln!(text, "\t\tnodeid:{:>11}:\t{state}", node.id);
        }
    }
    text
}

fn nodes(status: &Status) -> String {
    let mut text = format!("Local node ID {}, transport udpu\n", status.node_id);
    for node in status.members.nodes.iter().filter(|node| !node.local) {
        let reachable = if node.links.iter().any(|link| link.connected) { "reachable" } else { "unreachable" };
        let _ = writeln!(text, "nodeid: {} {reachable}", node.id);
        for link in &node.links {
            let ip = node.addresses.iter().find(|address| address.link == link.link).map_or("?", |a| a.ip.as_str());
            let state = if link.connected { "connected" } else { "disconnected" };
            let mtu = link.datagram_max.unwrap_or(0);
            let _ = writeln!(text, "   LINK: {}  ({ip}) enabled {state} mtu: {mtu}", link.link);
        }
        text.push('\n');
    }
    text
}

/// The form of Corosync 2: a ring is without faults if all other members are heard over it.
fn old_rings(status: &Status) -> String {
    let mut text = format!("Printing ring status.\nLocal node ID {}\n", status.node_id);
    for address in own(status).map(|node| node.addresses.as_slice()).unwrap_or_default() {
        let others = status.members.nodes.iter().filter(|node| !node.local && node.state == MemberState::Joined);
        let faulty = others.filter(|node| !node.links.is_empty()).any(|node| !connected(node, address.link));
        let _ = write!(text, "RING ID {}\n\tid\t= {}\n", address.link, address.ip);
        if faulty {
            let _ = writeln!(text, "\tstatus\t= Marking ringid {} interface {} FAULTY", address.link, address.ip);
        } else {
            let _ = writeln!(text, "\tstatus\t= ring {} active with no faults", address.link);
        }
    }
    text
}

const KEYGEN: &[Spec] = &[
    Spec("k", &["key-file"], Value::Yes),
    Spec("s", &["size"], Value::Yes),
    Spec("l", &["less-secure"], Value::No),
    Spec("r", &["random-file"], Value::Yes),
    Spec("m", &["mode"], Value::Yes),
];

/// Where hacd looks for its key.
const KEY: &str = "/etc/hacd/authkey";

/// `corosync-keygen`: the key of hacd, where hacd looks for it. One that is there is not overwritten.
pub(crate) fn keygen(words: &[String]) -> Ends<Said> {
    const PROGRAM: &str = "corosync-keygen";
    let given = Given::read(PROGRAM, &[KEYGEN, COMMON], words)?;
    if given.has("help") {
        return Ok(Said::printed("usage: corosync-keygen [-k FILE] [-s BYTES] [-r RANDOM] [-m MODE] [-l]"));
    }
    if given.has("version") {
        return Ok(version(PROGRAM));
    }
    let bytes: usize = match given.value("size").unwrap_or("256").parse() {
        Ok(bytes) if (128..=4096).contains(&bytes) => bytes,
        _ => {
            let err = format!("{PROGRAM}: Unsupported key size (supported <128,4096>)");
            return Err(Said::failed(exit::ERROR, err));
        }
    };
    let file = given.value("key-file").unwrap_or(KEY);
    let source = given.value("random-file").unwrap_or("/dev/urandom");
    if Path::new(file).exists() {
        let err = format!(
            "{PROGRAM}: {file} exists already and was not touched; copy it to the other nodes, or make another one with 'hacctl keygen --force'"
        );
        return Err(Said::failed(2, err));
    }
    let mode = given.value("mode").map_or(Ok(0o400), |mode| u32::from_str_radix(mode, 8));
    let mode =
        mode.map_err(|_| Said::failed(exit::ERROR, format!("{PROGRAM}: the mode is written in octal, such as 0400")))?;
    if file == KEY
        && let Some(folder) = Path::new(KEY).parent()
    {
        // Where it cannot be made the key cannot be written, and that is said.
        let _ = fs::create_dir_all(folder);
    }
    let written = write(Path::new(file), source, bytes, mode);
    written.map_err(|error| Said::failed(2, format!("{PROGRAM}: Could not create {file}: {error}")))?;
    let out = format!(
        "Corosync Cluster Engine Authentication key generator.\nGathering {} bits for key from {source}.\nWriting corosync key to {file}.",
        bytes * 8
    );
    let err = format!("INFO: copy it to the same place on every other node: scp -p {file} NODE:{file}");
    Ok(Said { err, ..Said::printed(out) })
}

fn write(file: &Path, source: &str, bytes: usize, mode: u32) -> io::Result<()> {
    let mut key = vec![0; bytes];
    fs::File::open(source)?.read_exact(&mut key)?;
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    out.write_all(&key)?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use hac_api::{Address, Link, Members, Quorum};

    use super::*;

    fn status() -> Status {
        let node = |id: u32, name: &str, local| MembersEntry {
            id,
            name: name.into(),
            local,
            state: MemberState::Joined,
            votes: 1,
            join_count: 1,
            addresses: vec![Address { link: 0, ip: format!("10.132.0.{}", 10 + id) }],
            links: if local {
                vec![]
            } else {
                vec![Link { link: 0, connected: true, datagram_max: Some(1410), ..Link::default() }]
            },
            ..MembersEntry::default()
        };
        Status {
            node_id: 1,
            cluster_name: "lbcluster".into(),
            members: Members { ring: "1.9".into(), nodes: vec![node(1, "primary", true), node(2, "secondary", false)] },
            quorum: Quorum {
                quorate: true,
                expected_votes: 2,
                total_votes: 2,
                quorum: 1,
                flags: vec!["2Node".into()],
                ..Quorum::default()
            },
            ..Status::default()
        }
    }

    #[test]
    fn members_are_the_lines_that_the_tutorial_shows() {
        let mut keys = icmap(&status());
        keys.sort();
        let lines: Vec<String> = keys
            .iter()
            .filter(|(name, ..)| name.contains("members"))
            .map(|(name, kind, value)| format!("{name} ({kind}) = {value}"))
            .collect();
        assert_eq!(
            lines[..4],
            [
                "runtime.members.1.config_version (u64) = 0",
                "runtime.members.1.ip (str) = r(0) ip(10.132.0.11) ",
                "runtime.members.1.join_count (u32) = 1",
                "runtime.members.1.status (str) = joined",
            ]
        );
    }

    #[test]
    fn links_are_shown_in_the_new_form_and_in_the_old_one() {
        assert_eq!(
            links(&status(), false, None),
            "Local node ID 1, transport udpu\nLINK ID 0 udp\n\taddr\t= 10.132.0.11\n\tstatus:\n\t\tnodeid:          1:\tlocalhost\n\t\tnodeid:          2:\tconnected\n"
        );
        assert!(links(&status(), true, None).ends_with("\tstatus\t= n3\n"));
        assert!(nodes(&status()).contains("   LINK: 0  (10.132.0.12) enabled connected mtu: 1410\n"));
        assert!(
            old_rings(&status())
                .ends_with("RING ID 0\n\tid\t= 10.132.0.11\n\tstatus\t= ring 0 active with no faults\n")
        );
        let mut broken = status();
        broken.members.nodes[1].links[0].connected = false;
        assert!(old_rings(&broken).contains("FAULTY"));
    }

    #[test]
    fn quorum_has_the_lines_that_exporters_read() {
        let text = votes(&status());
        for line in [
            "Node ID:          1\n",
            "Ring ID:          1.9\n",
            "Quorate:          Yes\n",
            "Quorum:           1  \n",
            "Flags:            2Node \n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let given = Given::read("x", &[QUORUM, COMMON], &["-p".to_owned()]).expect("is right");
        assert!(table(&status(), &given).ends_with(
            "         1          1         NR primary (local)\n         2          1         NR secondary\n"
        ));
    }

    #[test]
    fn a_key_is_not_overwritten() {
        let file = std::env::temp_dir().join(format!("hac-compat-key-{}", std::process::id()));
        let _ = fs::remove_file(&file);
        let name = file.to_str().expect("is UTF-8").to_owned();
        let said = keygen(&["-k".to_owned(), name.clone()]).expect("is written");
        assert!(said.out.contains("Gathering 2048 bits") && fs::read(&file).expect("is there").len() == 256);
        assert_eq!(keygen(&["-k".to_owned(), name]).expect_err("is there").code, 2);
        assert_eq!(keygen(&["-s".to_owned(), "5".to_owned()]).expect_err("is too short").code, 1);
        fs::remove_file(&file).expect("can be removed");
    }
}
