//! What each check of the cluster says, and what it leaves out.

use hac_api::{Link, MemberState, Members, MembersEntry, Quorum};
use hac_model::{Agent, Configuration, NvPair, NvSet, Operation, Primitive, Resource, SECRETS};
use hac_scheduler::view::NodeView;

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
        cib: Cib { configuration, ..Cib::default() },
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
