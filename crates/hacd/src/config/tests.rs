//! Wrong files, each with the one line that it must give, and right ones.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hac_model::Resource;

use super::*;
use crate::testing::TempDir;

const TUTORIAL: &str = r#"[totem]
version = 2
cluster_name = "lbcluster"
transport = "udpu"
[[totem.interface]]
ringnumber = 0
mcastport = 5405
[quorum]
provider = "corosync_votequorum"
two_node = 1
[[nodelist.node]]
ring0_addr = "10.132.0.11"
name = "primary"
nodeid = 1
[[nodelist.node]]
ring0_addr = "10.132.0.12"
name = "secondary"
nodeid = 2
[logging]
to_logfile = "yes"
logfile = "/var/log/hacd/hacd.log"
to_syslog = "yes"
timestamp = "on"
[digitalocean]
api_url = "https://api.digitalocean.com"
metadata_url = "http://169.254.169.254"
"#;

/// Reads `text` on the host that has the address 10.132.0.11.
fn read_on(text: &str, own: &[&str], node: Option<&str>) -> Result<Config, Vec<String>> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new();
    let file = dir.path().join("hacd.toml");
    let key = dir.path().join("authkey");
    std::fs::write(&key, [1; 64]).expect("writes");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).expect("sets the mode");
    let own: Vec<IpAddr> = own.iter().map(|address| address.parse().expect("an address")).collect();
    let identity = Identity { node: node.map(str::to_owned), hostname: "somewhere".into() };
    let shorten = |mistake: Mistake| {
        let file = PathBuf::from(mistake.file.file_name().expect("has a name"));
        Mistake { file, ..mistake }.to_string()
    };
    check(&file, text, &identity, &|address| own.contains(&address))
        .map_err(|mistakes| mistakes.into_iter().map(shorten).collect())
}

fn first_mistake(text: &str) -> String {
    read_on(text, &["10.132.0.11"], None).expect_err("wrong").remove(0)
}

/// The tutorial's file with one piece of text replaced by another.
fn with(from: &str, to: &str) -> String {
    assert!(TUTORIAL.contains(from), "{from}");
    TUTORIAL.replacen(from, to, 1)
}

#[test]
fn the_tutorials_file_is_right() {
    let config = read_on(TUTORIAL, &["10.132.0.12"], None).expect("right");
    assert_eq!((config.node, config.name.as_str()), (NodeId(2), "secondary"));
    assert_eq!(config.cluster_name, "lbcluster");
    assert_eq!(config.ports, [Port { number: 5405, line: 7 }]);
    assert!(config.quorum.two_node && config.quorum.waits_for_all());
    assert_eq!(config.logging.file, Some(PathBuf::from("/var/log/hacd/hacd.log")));
    assert_eq!(config.logging.syslog, Some(3));
    assert_eq!(config.ring.timers.token, Duration::from_secs(3));
    assert!(config.seed.is_none() && config.warnings.is_empty());
}

#[test]
fn truth_may_be_written_in_any_of_corosyncs_ways_and_numbers_in_quotes() {
    for truth in ["1", "true", "\"yes\"", "\"on\"", "\"1\""] {
        let config = read_on(&with("two_node = 1", &format!("two_node = {truth}")), &["10.132.0.11"], None);
        assert!(config.expect("right").quorum.two_node, "{truth}");
    }
    let config = read_on(&with("version = 2", "version = \"2\"\ntoken = \"5000\""), &["10.132.0.11"], None);
    assert_eq!(config.expect("right").ring.timers.token, Duration::from_secs(5));
}

#[test]
fn what_editors_put_into_a_file_is_no_mistake() {
    for text in [
        TUTORIAL.replace('\n', "\r\n"),
        format!("\u{feff}{TUTORIAL}"),
        TUTORIAL.replace(" = ", "\t=\t"),
        format!("{TUTORIAL}\n\n# the end"),
    ] {
        assert_eq!(read_on(&text, &["10.132.0.11"], None).expect("right").cluster_name, "lbcluster");
    }
    assert!(first_mistake(&with("version = 2", "version = 2\0")).starts_with("hacd.toml:2: "));
}

#[test]
fn an_address_of_this_host_is_told_from_one_that_it_only_binds() {
    assert!(nodes::is_local("127.0.0.1".parse().expect("an address")));
    for elsewhere in ["192.0.2.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "2001:db8::1", "fe80::1"] {
        let address = elsewhere.parse().expect("an address");
        assert!(!nodes::is_local(address), "{elsewhere}");
        assert!(nodes::leads_away(address), "{elsewhere}");
    }
    assert!(!nodes::leads_away("127.0.0.2".parse().expect("an address")));
}

#[test]
fn every_wrong_file_gives_one_line_with_file_line_key_and_remedy() {
    let table = [
        ("version = 2", "tokn = 1000", "hacd.toml:2: totem.tokn: unknown key, did you mean \"token\"?"),
        ("[logging]", "[loging]", "hacd.toml:19: loging: unknown key, did you mean \"logging\"?"),
        ("version = 2", "colour = 1", "hacd.toml:2: totem.colour: unknown key; hacd --print-keys lists the known ones"),
        ("two_node = 1", "two_node = \"maybe\"", "hacd.toml:10: quorum.two_node: must be yes or no, not \"maybe\""),
        (
            "mcastport = 5405",
            "mcastport = 80",
            "hacd.toml:7: totem.interface.mcastport: must be a number from 1024 to 65535, not 80",
        ),
        ("\"udpu\"", "\"knet\"", "hacd.toml:4: totem.transport: must be one of udpu, not \"knet\""),
        (
            "\"10.132.0.12\"",
            "\"secondary.example\"",
            "hacd.toml:16: nodelist.node.ring0_addr: must be an IPv4 or IPv6 address, not \"secondary.example\"",
        ),
        (
            "\"10.132.0.12\"",
            "\"10.132.0.11\"",
            "hacd.toml:16: nodelist.node.ring0_addr: 10.132.0.11 is an address of node \"primary\" (line 11) too",
        ),
        (
            "\"10.132.0.12\"",
            "\"fd00::12\"",
            "hacd.toml:16: nodelist.node.ring0_addr: fd00::12 and 10.132.0.11 (line 11) are not of one family: \
             use IPv4 or IPv6 for all",
        ),
        (
            "\"10.132.0.12\"",
            "\"255.255.255.255\"",
            "hacd.toml:16: nodelist.node.ring0_addr: 255.255.255.255 is not the address of a host",
        ),
        (
            "\"10.132.0.12\"",
            "\"fe80::12\"",
            "hacd.toml:16: nodelist.node.ring0_addr: fe80::12 is link-local: it says nothing without a network card; write a \
             global or unique local address",
        ),
        (
            "\"10.132.0.12\"",
            "\"::ffff:10.132.0.12\"",
            "hacd.toml:16: nodelist.node.ring0_addr: ::ffff:10.132.0.12 is an IPv4 address in the form of IPv6: write it \
             as IPv4",
        ),
        (
            "\"10.132.0.11\"",
            "\"10.132.0.11\"\nring1_addr = \"10.132.0.11\"",
            "hacd.toml:13: nodelist.node.ring1_addr: 10.132.0.11 is ring0_addr too: write the address on the second \
             network, or leave ring1_addr away",
        ),
        (
            "\"secondary\"",
            "\"primary\"",
            "hacd.toml:17: nodelist.node.name: \"primary\" is the name of another node (line 11) too",
        ),
        (
            "nodeid = 2",
            "nodeid = 1",
            "hacd.toml:18: nodelist.node.nodeid: 1 is the id of node \"primary\" (line 11) too",
        ),
        (
            "nodeid = 2",
            "",
            "hacd.toml:15: nodelist.node.nodeid: is missing: write a number from 1, different for every node",
        ),
        (
            "\"10.132.0.11\"",
            "\"10.132.0.13\"",
            "hacd.toml:11: nodelist.node.ring0_addr: none of 10.132.0.13, 10.132.0.12 is an address of this host, \
             and no node has its name; correct the address, or bring the interface up",
        ),
        ("version = 2", "token = 20", "hacd.toml:2: totem.token: must be milliseconds from 30 to 300000, not 20"),
        ("version = 2", "consensus = 40", "hacd.toml:2: totem.consensus: must not be less than join"),
        ("version = 2", "silence_max = 4000", "hacd.toml:2: totem.silence_max: must not be more than token"),
        ("version = 2", "version = ", "hacd.toml:2: string values must be quoted, expected literal string"),
        (
            "[quorum]",
            "[quorum]\nauto_tie_breaker = 1",
            "hacd.toml:11: quorum.two_node: cannot be used with auto_tie_breaker; remove one of them",
        ),
        (
            "[[totem.interface]]",
            "[totem.interface]",
            "hacd.toml:5: totem.interface: comes as often as needed: write [[totem.interface]]",
        ),
        (
            "\"https://api.digitalocean.com\"",
            "\"api.digitalocean.com\"",
            "hacd.toml:25: digitalocean.api_url: must be an http:// or https:// URL, not \"api.digitalocean.com\"",
        ),
    ];
    for (from, to, line) in table {
        assert_eq!(first_mistake(&with(from, to)), line, "{from} -> {to}");
    }
}

#[test]
fn what_is_served_keeps_off_the_ports_of_the_ring_and_of_each_other() {
    let listens = |metrics: &str, web: &str| {
        read_on(
            &format!("{TUTORIAL}[metrics]\nlisten = \"{metrics}\"\n[web]\nlisten = \"{web}\"\n"),
            &["10.132.0.11"],
            None,
        )
    };
    assert!(listens("127.0.0.1:9664", "127.0.0.1:9665").is_ok());
    for port in [5404, 5405, 5406] {
        let mistakes = listens(&format!("127.0.0.1:{port}"), "127.0.0.1:9665").expect_err("is the ring's");
        let line = "hacd.toml:28: metrics.listen: ports 5404 to 5406 are the ring's; choose another, such as 9664";
        assert_eq!(mistakes, [line]);
        let mistakes = listens("127.0.0.1:9664", &format!("10.132.0.11:{port}")).expect_err("is the ring's");
        assert!(mistakes[0].starts_with("hacd.toml:30: web.listen: ports 5404 to 5406"), "{mistakes:?}");
    }
    let mistakes = listens("127.0.0.1:9664", "0.0.0.0:9664").expect_err("is taken");
    assert_eq!(mistakes, ["hacd.toml:30: web.listen: metrics.listen has port 9664 too; choose another"]);
}

#[test]
fn two_nodes_on_one_host_need_to_be_told_apart() {
    let own = ["10.132.0.11", "10.132.0.12"];
    let mistakes = read_on(TUTORIAL, &own, None).expect_err("ambiguous");
    assert!(mistakes[0].contains("start hacd with --node NAME"), "{mistakes:?}");
    assert_eq!(read_on(TUTORIAL, &own, Some("secondary")).expect("right").node, NodeId(2));
    assert_eq!(read_on(TUTORIAL, &own, Some("1")).expect("right").node, NodeId(1));
    assert!(read_on(TUTORIAL, &own, Some("third")).is_err());
}

#[test]
fn plain_http_to_the_api_is_a_warning() {
    let text = with("https://api.digitalocean.com", "http://203.0.113.1");
    let config = read_on(&text, &["10.132.0.11"], None).expect("right");
    assert_eq!(config.warnings.len(), 1);
    assert!(
        config.warnings[0].ends_with("hacd.toml:25: digitalocean.api_url: plain http: the API token travels in clear")
    );
}

#[test]
fn resources_seed_the_cluster_whatever_their_order_in_the_file() {
    let text = format!(
        "{TUTORIAL}{}",
        r#"
[properties]
stonith-enabled = false
[[clone]]
id = "Nginx-clone"
resource = "Nginx"
[[primitive]]
id = "Nginx"
agent = "nginx"
params = { httpd = "/usr/sbin/nginx" }
[[primitive.op]]
name = "monitor"
interval = "10s"
on-fail = "restart"
[[primitive]]
id = "FloatIP"
agent = "ocf:digitalocean:floatip"
[[colocation]]
id = "FloatIP-Nginx"
score = "inf"
resource = "FloatIP"
with = "Nginx-clone"
"#
    );
    let seed = read_on(&text, &["10.132.0.11"], None).expect("right").seed.expect("there is something");
    assert_eq!(seed.property("stonith-enabled"), Some("false"));
    let [Resource::Primitive(_), Resource::Clone(clone)] = &seed.resources[..] else { panic!("{:?}", seed.resources) };
    let Resource::Primitive(nginx) = &*clone.child else { panic!("{clone:?}") };
    assert_eq!(nginx.agent.to_string(), "ocf:heartbeat:nginx");
    assert_eq!(nginx.operations[0].options.get("on-fail").map(String::as_str), Some("restart"));
    assert_eq!(seed.constraints.len(), 1);

    let text = format!("{TUTORIAL}[[primitive]]\nid = \"X\"\nagent = \"a:b:c:d\"\n");
    assert!(first_mistake(&text).starts_with("hacd.toml:29: primitive.agent: \"a:b:c:d\" is not an agent"));
}

#[test]
fn the_table_of_keys_has_no_key_twice_and_its_defaults_are_accepted() {
    let mut seen = std::collections::BTreeSet::new();
    for key in keys::KEYS {
        assert!(seen.insert((key.table, key.name)), "{} twice", key.name);
        if key.default.is_empty() {
            continue;
        }
        let path = key.table.path();
        let head = if key.table.repeats() { format!("[[{path}]]") } else { format!("[{path}]") };
        let text = format!("{head}\n{} = \"{}\"\n", key.name, key.default);
        let (_, mistakes) = read::read(Path::new("x"), &text);
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }
}

/// The shipped file with every option switched on, but for those that contradict another one there or name a file.
fn switched_on(text: &str) -> String {
    let others = ["#authkey", "#linknumber", "#ring1_addr", "#model"];
    let switch = |line: &str| match line.strip_prefix('#') {
        Some(option) if others.iter().any(|other| line.starts_with(other)) || option.starts_with(' ') => String::new(),
        Some(option) => option.to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(switch).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_files_are_right_also_with_every_option_switched_on() {
    let shipped = include_str!("../../../../config/hacd.toml");
    let own = ["10.0.0.11", "10.1.0.11"];
    let plain = read_on(shipped, &own, None).expect("right");
    let full = read_on(&switched_on(shipped), &own, None).expect("right");
    let seeded = full.seed.expect("resources");
    assert!(plain.seed.is_none() && seeded.resources.len() + seeded.constraints.len() >= 4, "{seeded:?}");
    assert_eq!(plain.ring.timers.validate(2), Ok(()));
    let tutorial = include_str!("../../../../config/examples/tutorial.toml");
    assert!(read_on(tutorial, &["10.132.0.11"], None).expect("right").quorum.two_node);
    let three = include_str!("../../../../config/examples/three-nodes.toml");
    let ports = read_on(three, &own, None).expect("right").ports;
    assert_eq!(ports.iter().map(|port| port.number).collect::<Vec<_>>(), [5405, 5406]);
}

#[test]
fn no_damage_to_the_file_makes_more_than_lines_of_complaint() {
    let resources = "[properties]\na = 1\n[[primitive]]\nid = \"P\"\nagent = \"nginx\"\nparams = { a = \"b\" }\n[[primitive.op]]\nname = \"monitor\"\n";
    let text = format!("{TUTORIAL}{resources}");
    let mut damaged = 0;
    for at in (0..text.len()).step_by(5) {
        for replacement in ["", "[", "\"", "\n", "=", "{", "\u{1b}"] {
            let broken = format!("{}{replacement}{}", &text[..at], &text[at + 1..]);
            for line in read_on(&broken, &["10.132.0.11"], None).err().unwrap_or_default() {
                damaged += 1;
                assert!(!line.contains(char::is_control) && line.starts_with("hacd.toml:"), "{line:?}");
            }
        }
    }
    assert!(damaged > 200, "{damaged}");
}

#[test]
fn an_arbiter_takes_the_place_of_two_node_and_says_what_is_missing() {
    let without = TUTORIAL.replace("two_node = 1\n", "");
    assert_ne!(without, TUTORIAL, "the tutorial has two_node");
    let own = ["10.132.0.11"];
    let with = |text: &str, lines: &str| read_on(&format!("{text}[arbiter]\n{lines}"), &own, None);
    let etcd = "model = \"etcd\"\nendpoints = [\"https://10.9.0.1:2379/\"]\n";
    let config = with(&without, etcd).expect("right");
    let Some(crate::arbiter::Place::Etcd(place)) = config.arbiter else { panic!("{:?}", config.arbiter) };
    assert_eq!((place.endpoints, place.prefix.as_str()), (vec!["https://10.9.0.1:2379".to_owned()], "/hacd/"));
    assert!(config.quorum.arbiter && config.quorum.expected() == 3);
    let list = "model = \"digitalocean\"\naddress = \"203.0.113.25\"\ntoken_file = \"/etc/hacd/token\"\n";
    let config = with(&without, list).expect("right");
    assert!(
        config.quorum.arbiter && config.quorum.expected() == 3 && config.warnings.is_empty(),
        "{:?}",
        config.warnings
    );
    assert_eq!(config.quorum.arbiter_model, hac_quorum::Model::ActionLog);
    let unused = with(&without, &format!("{etcd}address = \"203.0.113.25\"\n")).expect("right").warnings.join("\n");
    assert!(unused.contains("arbiter.address: is not used: set arbiter.model to \"digitalocean\""), "{unused}");
    assert!(!with(&without, "model = \"none\"\n").expect("right").quorum.arbiter);
    for (text, lines, part) in [
        (TUTORIAL, etcd, "quorum.two_node: cannot be used with an arbiter"),
        (&without, "model = \"etcd\"\n", "arbiter.endpoints: names no member"),
        (&without, "model = \"etcd\"\nendpoints = [\"10.9.0.1\"]\n", "arbiter.endpoints: \"10.9.0.1\" is no URL"),
        (&without, "model = \"digitalocean\"\n", "arbiter.address: names no address"),
        (
            &without,
            &list.replace("203.0.113.25", "2001:db8::1"),
            "is an IPv6 address, of which the provider keeps no list",
        ),
        (&without, &list.replace("203.0.113.25", "here"), "arbiter.address: \"here\" is no IPv4 address"),
        (&without, &list.replace("token_file", "#token_file"), "arbiter.token_file: is missing"),
        (&without, &format!("{etcd}cert_file = \"/c\"\n"), "arbiter.key_file is missing"),
        (&without, &format!("{etcd}user = \"hacd\"\n"), "arbiter.password_file is missing"),
    ] {
        let mistakes = with(text, lines).expect_err(part);
        assert!(mistakes.iter().any(|mistake| mistake.contains(part)), "{part}: {mistakes:?}");
    }
}

#[test]
fn a_watchdog_is_off_by_default_and_times_that_do_not_fit_together_are_refused() {
    let own = ["10.132.0.11"];
    let with = |lines: &str| read_on(&format!("{TUTORIAL}[watchdog]\n{lines}"), &own, None);
    assert_eq!(with("").expect("right").watchdog, None);
    let seconds = Duration::from_secs;
    let watchdog = with("device = \"/dev/watchdog\"\n").expect("right").watchdog.expect("one");
    let times = hac_node::Times { timeout: seconds(10), stop: seconds(15) };
    assert_eq!(watchdog, Watchdog { device: "/dev/watchdog".into(), times });
    for (lines, part) in [
        ("timeout = 3000\n", "watchdog.timeout: must be more than the 3 s that the ring may take"),
        ("timeout = 10500\n", "watchdog.timeout: must be whole seconds"),
        ("timeout = 60000\n", "watchdog.stop: must be at least half of watchdog.timeout (60 s)"),
        ("stop = 4000\n", "watchdog.stop: must be at least half"),
    ] {
        let mistakes = with(&format!("device = \"/dev/watchdog\"\n{lines}")).expect_err(part);
        assert!(mistakes.iter().any(|mistake| mistake.contains(part)), "{part}: {mistakes:?}");
    }
    let warnings = |lines: &str| with(lines).expect("right").warnings.join("\n");
    assert!(warnings("device = \"/dev/null\"\n").contains("is no watchdog of the kernel"));
    assert!(warnings("timeout = 20000\n").contains("means nothing without watchdog.device"));
}
