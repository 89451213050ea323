//! What each check of the cluster says, and what it leaves out.

use hac_api::{Link, MemberState, Members, MembersEntry, Quorum};
use hac_model::{Agent, Configuration, NvPair, NvSet, Operation, Primitive, Resource, SECRETS};
use hac_scheduler::view::NodeView;

use std::path::Path;

use super::*;

/// A pair that is well, with an address and its service.
fn well() -> Cluster {
    let link = Link { connected: true, loss_permille: Some(0), datagram_max: Some(1452), ..Link::default() };
    let node = |id: u32, name: &str| MembersEntry {
        id,
        name: name.to_owned(),
        local: id == 1,
        state: MemberState::Joined,
        version: Some("0.1.0".to_owned()),
        links: if id == 1 { Vec::new() } else { vec![link.clone()] },
        ..MembersEntry::default()
    };
    let pair =
        |name: &str, value: &str| NvPair { name: name.to_owned(), value: Some(value.to_owned()), ..NvPair::default() };
    let set = |id: &str, pairs| NvSet { id: id.to_owned(), pairs, ..NvSet::default() };
    let monitor = Operation { name: "monitor".to_owned(), interval: "10s".to_owned(), ..Operation::default() };
    let primitive = |id: &str, agent: &str, pairs| {
        Resource::Primitive(Primitive {
            id: id.to_owned(),
            agent: agent.parse::<Agent>().expect("an agent"),
            params: vec![set("p", pairs)],
            operations: vec![monitor.clone()],
            ..Primitive::default()
        })
    };
    let crm_config = vec![
        set("cib-bootstrap-options", vec![pair("stonith-enabled", "false")]),
        set(SECRETS, vec![pair("secret-do_token", "gold")]),
    ];
    let constraints = match hac_pacemaker::crm_syntax::parse("colocation c inf: IP Web").expect("a rule").remove(0) {
        hac_crm::cib::Change::Put { object: hac_crm::cib::Object::Constraint(rule), .. } => vec![rule],
        other => panic!("{other:?}"),
    };
    let configuration = Configuration {
        crm_config,
        resources: vec![
            primitive("IP", "ocf:digitalocean:floatip", vec![pair("do_token", "secret:do_token")]),
            primitive("Web", "ocf:heartbeat:nginx", Vec::new()),
        ],
        constraints,
        ..Configuration::default()
    };
    let seen = |name: &str| NodeView { name: name.to_owned(), online: true, ..NodeView::default() };
    Cluster {
        status: Status {
            members: Members { nodes: vec![node(1, "n1"), node(2, "n2")], ..Members::default() },
            quorum: Quorum { quorate: true, ..Quorum::default() },
            node: "n1".to_owned(),
            ..Status::default()
        },
        view: ClusterView { nodes: vec![seen("n1"), seen("n2")], quorate: true, ..ClusterView::default() },
        cib: Cib { configuration: configuration.into(), ..Cib::default() },
        key: hac_api::KeyStatus { fingerprint: "9f3a".to_owned(), ..hac_api::KeyStatus::default() },
        missing_agents: Vec::new(),
        now: 1_000_000_000,
    }
}

fn findings(of: &Cluster) -> Vec<Finding> {
    let look = |check: &Check| match check.look {
        Look::Cluster(look) => look(of),
        Look::Host(_) | Look::Both(_) => Vec::new(),
    };
    CHECKS.iter().flat_map(look).collect()
}

#[test]
fn a_healthy_pair_has_nothing() {
    assert_eq!(findings(&well()), []);
}

type Break = fn(&mut Cluster);

/// What is done to the healthy pair, the check that then finds something, and how bad it is.
const BROKEN: &[(&str, Severity, Break)] = &[
    ("members", Severity::Error, |of| of.status.members.nodes[1].state = MemberState::Lost),
    ("key-same", Severity::Warning, |of| of.key.next = Some("77b0".to_owned())),
    ("key-same", Severity::Error, |of| {
        of.key.nodes.push(hac_api::KeyNode { fingerprint: Some("77b0".to_owned()), ..hac_api::KeyNode::default() });
    }),
    ("quorum", Severity::Error, |of| of.status.quorum.quorate = false),
    ("path", Severity::Error, |of| of.status.members.nodes[1].links[0].connected = false),
    ("loss", Severity::Warning, |of| of.status.members.nodes[1].links[0].loss_permille = Some(25)),
    ("mtu", Severity::Note, |of| of.status.members.nodes[1].links[0].datagram_max = Some(1200)),
    ("releases", Severity::Note, |of| of.status.members.nodes[1].version = Some("0.2.0".to_owned())),
    ("problems", Severity::Error, |of| {
        of.status.problems.push(hac_api::Problem {
            severity: hac_api::Severity::Error,
            sentence: "the disk is full".to_owned(),
            remedy: "Make room.".to_owned(),
        });
    }),
    ("stonith", Severity::Error, |of| of.cib.configuration.crm_config[0].pairs.clear()),
    ("maintenance", Severity::Warning, |of| of.view.maintenance_mode = true),
    ("maintenance", Severity::Warning, |of| of.view.nodes[1].standby = true),
    ("failed", Severity::Warning, |of| of.view.failed.push(hac_scheduler::view::FailedOperation::default())),
    ("agents", Severity::Error, |of| of.missing_agents.push("ocf:heartbeat:nginx".to_owned())),
    ("no-monitor", Severity::Warning, |of| {
        if let Resource::Primitive(primitive) = &mut of.cib.configuration.resources[1] {
            primitive.operations.clear();
        }
    }),
    ("jitter", Severity::Warning, |of| of.status.members.nodes[1].links[0].silence_limit_ms = Some(1500)),
    ("wait", Severity::Note, |of| of.status.quorum.waits_for_all = true),
    ("halves", Severity::Warning, |of| {
        of.status.quorum.flags.push("2Node".to_owned());
        if let Resource::Primitive(primitive) = &mut of.cib.configuration.resources[1] {
            primitive.agent = "ocf:heartbeat:Filesystem".parse().expect("an agent");
        }
    }),
    ("timeouts", Severity::Warning, |of| {
        let start = hac_model::OpHistory {
            operation: "start".to_owned(),
            exec_time_ms: Some(17_000),
            ..hac_model::OpHistory::default()
        };
        let history = hac_model::ResourceHistory {
            id: "Web".to_owned(),
            ops: vec![start],
            ..hac_model::ResourceHistory::default()
        };
        of.cib
            .status
            .nodes
            .push(hac_model::NodeState { resources: vec![history.into()].into(), ..hac_model::NodeState::default() });
    }),
    ("placement", Severity::Warning, |of| of.cib.configuration.constraints.clear()),
    ("secrets", Severity::Error, |of| of.cib.configuration.crm_config[1].pairs[0].name = "secret-other".to_owned()),
    ("stale-bans", Severity::Warning, |of| {
        let text = "location cli-ban-IP-on-n1 IP -inf: n1";
        let mut changes = hac_pacemaker::crm_syntax::parse(text).expect("a rule");
        if let hac_crm::cib::Change::Put { object: hac_crm::cib::Object::Constraint(rule), .. } = changes.remove(0) {
            of.cib.configuration.constraints.push(rule);
        }
    }),
];

#[test]
fn each_check_finds_what_it_is_for() {
    for (id, severity, harm) in BROKEN {
        let mut cluster = well();
        harm(&mut cluster);
        let found = findings(&cluster);
        let worst = found.iter().filter(|finding| finding.id == *id).map(|finding| finding.severity).max();
        assert_eq!(worst, Some(*severity), "{id}: {found:?}");
        for finding in &found {
            assert!(!finding.sentence.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        }
    }
}

#[test]
fn secrets_are_never_in_a_finding() {
    for (_, _, harm) in BROKEN {
        let mut cluster = well();
        harm(&mut cluster);
        assert!(!format!("{:?}", findings(&cluster)).contains("gold"));
    }
}

fn host(name: &str) -> (PathBuf, host::Host) {
    let folder = std::env::temp_dir().join(format!("hacctl-doctor-{name}-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("state")).expect("a folder for the test");
    let host = host::Host::new(&folder.join("hacd.toml"), &folder.join("state"));
    (folder, host)
}

#[test]
fn a_key_that_is_missing_open_or_no_file_is_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, host) = host("key");
    let key = folder.join("authkey");
    let sentence = || host::key_mode(&host).first().map(|finding| finding.sentence.clone()).unwrap_or_default();
    assert!(sentence().contains("cannot be looked at"));
    std::fs::write(&key, [7; 256]).expect("written");
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("set");
    mode(0o644);
    assert!(sentence().contains("can be read by others (mode 644)"));
    mode(0o600);
    assert_eq!(sentence(), "");
    std::fs::write(&key, [7; 5]).expect("written");
    assert!(sentence().contains("has 5 bytes"));
    std::fs::remove_file(&key).expect("removed");
    std::fs::create_dir(&key).expect("made");
    assert!(sentence().contains("is no regular file"));
    std::fs::remove_dir_all(folder).expect("removed");
}

/// The well pair, whose service names a file.
fn with_file(name: &str, path: &Path) -> Cluster {
    let mut cluster = well();
    if let Resource::Primitive(primitive) = &mut cluster.cib.configuration.resources[1] {
        let value = path.to_str().expect("is UTF-8").to_owned();
        primitive.params[0].pairs.push(NvPair { name: name.to_owned(), value: Some(value), ..NvPair::default() });
    }
    cluster
}

#[test]
fn files_that_resources_name_are_there_and_not_open_to_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, host) = host("files");
    let file = folder.join("nginx.conf");
    let found = |cluster: &Cluster| more::binaries(&host, cluster).len();
    assert_eq!(found(&with_file("configfile", &file)), 1);
    std::fs::write(&file, "").expect("written");
    assert_eq!(found(&with_file("configfile", &file)), 0);
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
    mode(0o644);
    assert_eq!(more::secret_files(&host, &with_file("password", &file)).len(), 1);
    mode(0o600);
    assert_eq!(more::secret_files(&host, &with_file("password", &file)).len(), 0);
    assert!(more::socket_at(&file)[0].sentence.contains("is not a socket"));
    let socket = folder.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).expect("set");
    assert!(more::socket_at(&socket)[0].sentence.contains("mode 666"));
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o660)).expect("set");
    assert_eq!(more::socket_at(&socket), []);
    assert_eq!(more::state(&host), []);
    std::fs::write(folder.join("state/cib.corrupt-1790000000"), "").expect("written");
    assert!(more::state(&host)[0].sentence.contains("cib.corrupt-1790000000"));
    assert_eq!(more::key_age(&host), []);
    let key = std::fs::File::create(folder.join("authkey")).expect("made");
    key.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(400 * 86_400)).expect("set");
    assert!(more::key_age(&host)[0].sentence.contains("400 days"));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_other_programs_print_is_read() {
    let addresses = "1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet 203.0.113.7/20 brd x scope global eth0\n\
                     3: eth1    inet 10.132.0.11/16 brd x scope global eth1\n4: docker0    inet 172.17.0.1/16 scope global docker0\n";
    assert_eq!(more::spare(addresses, &["10.132.0.11"]), None);
    assert_eq!(more::spare(addresses, &["203.0.113.7"]), Some(("eth1".to_owned(), "10.132.0.11".to_owned())));
    assert!(more::is_unwatched("LoadState=loaded\nWatchdogUSec=0\n"));
    assert!(!more::is_unwatched("LoadState=loaded\nWatchdogUSec=10s\n"));
    assert!(!more::is_unwatched("LoadState=not-found\nWatchdogUSec=0\n"));
    let nft = "table inet filter {\n chain input {\n type filter hook input priority filter; policy drop;\n tcp dport 22 accept\n }\n}\n";
    assert!(more::shuts_out(nft));
    assert!(!more::shuts_out(&nft.replace("tcp dport 22", "udp dport 5404-5406")));
    assert!(!more::shuts_out(&nft.replace("hook input", "hook forward")));
    assert!(more::shuts_out("*filter\n:INPUT DROP [0:0]\nCOMMIT\n") && !more::shuts_out(""));
    let listed = "UNCONN 0 0 10.0.0.1:5405 0.0.0.0:* users:((\"corosync\",pid=812,fd=9))\n";
    assert_eq!(more::holder(listed, 5405).as_deref(), Some("corosync (process 812)"));
    assert_eq!(more::holder(listed, 5406), None);
    assert_eq!(more::holder(&listed.replace("corosync", "hacd"), 5405), None);
}

#[test]
fn stolen_time_is_a_share_of_all() {
    assert_eq!(host::steal("cpu  50 0 30 10 0 0 0 10 0 0\ncpu0 1 1\n"), Some(10));
    assert_eq!(host::steal("cpu  0 0 0 0 0 0 0 0\n"), None);
    assert_eq!(host::steal("nothing"), None);
}

#[test]
fn ids_of_checks_are_unique() {
    let mut ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn what_nodes_lack_is_said_once_and_by_the_check_that_it_belongs_to() {
    let mut of = well();
    let lack = |what: &str, sentence: &str| hac_api::Lack {
        resources: vec!["IP".to_owned()],
        what: what.to_owned(),
        sentence: sentence.to_owned(),
        remedy: "Do.".to_owned(),
    };
    let lacks = vec![lack("api", "the API refuses the token (401)"), lack("validate", "it is broken")];
    let problem = |sentence: &str| hac_api::Problem {
        severity: hac_api::Severity::Warning,
        sentence: format!("n2 could not start IP if it had to: {sentence}"),
        remedy: "Do.".to_owned(),
    };
    of.status.problems = lacks.iter().map(|lack| problem(&lack.sentence)).collect();
    of.status.readiness = vec![hac_api::Readiness { node: "n2".to_owned(), lacks, ..hac_api::Readiness::default() }];
    let sentences = |findings: Vec<Finding>| findings.into_iter().map(|one| one.sentence).collect::<Vec<_>>();
    assert_eq!(sentences(outside::api(&of)), ["n2: the API refuses the token (401), so it could not start IP"]);
    assert!(sentences(cluster::standby_fit(&of)).contains(&"n2: it is broken, so it could not start IP".to_owned()));
    assert_eq!(sentences(cluster::problems(&of)), [""; 0]);
    assert_eq!(sentences(outside::api(&well())), [""; 0]);
}

#[test]
fn a_disk_that_is_often_slow_is_told() {
    let mut of = well();
    let mut with = |stored: u64, slow: u64| {
        let counter = |name: &str, value| hac_api::Counter { name: name.to_owned(), value };
        of.status.counters = vec![
            counter("storage.stored", stored),
            counter("storage.slow", slow),
            counter("storage.longest_us", 1_420_000),
        ];
        outside::disk_speed(&of).into_iter().map(|one| one.sentence).collect::<Vec<_>>()
    };
    assert_eq!(with(0, 0), [""; 0]);
    assert_eq!(with(1000, 10), [""; 0]);
    assert!(with(1000, 11)[0].starts_with("11 of 1000 times storing took longer than 500 ms here, 1.4 s at most"));
}
