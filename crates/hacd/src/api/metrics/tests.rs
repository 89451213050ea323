//! Numbers that follow from a state, and the text that Prometheus reads.

use hac_api::{Address, Counter, Link, Members, MembersEntry};
use hac_model::{Configuration, Constraint, Location, LocationSubject, LocationTarget};
use hac_scheduler::view::{NodeView, OperationView, ResourceFlags, ResourceKind, ResourceView};

use super::*;

fn status() -> Status {
    let member = |id: u32, name: &str, local: bool, connected: bool| MembersEntry {
        id,
        name: name.to_owned(),
        local,
        state: hac_api::MemberState::Joined,
        votes: 1,
        addresses: vec![Address { link: 0, ip: format!("10.0.0.{id}") }],
        links: if local {
            Vec::new()
        } else {
            vec![Link { link: 0, connected, rtt_us: Some(250), loss_permille: Some(20), ..Link::default() }]
        },
        ..MembersEntry::default()
    };
    let mut status = Status {
        hacd_version: "0.1.0".to_owned(),
        node: "one".to_owned(),
        node_id: 1,
        dc: Some("one".to_owned()),
        members: Members {
            ring: "1.2c".to_owned(),
            nodes: vec![member(1, "one", true, true), member(2, "two", false, false)],
        },
        counters: [("totem.tokens", 7), ("totem.rejected.mac", 3), ("node.too_large", 2), ("what.is.new", 5)]
            .map(|(name, value)| Counter { name: name.to_owned(), value })
            .to_vec(),
        ..Status::default()
    };
    status.quorum.quorate = true;
    status.last_change.time_ms = Some(1_764_400_000_123);
    status
}

fn primitive(id: &str, nodes: &[&str]) -> ResourceView {
    let agent = "ocf:heartbeat:nginx".parse().expect("an agent");
    let active = !nodes.is_empty();
    ResourceView {
        id: id.to_owned(),
        name: id.split(':').next().unwrap_or_default().to_owned(),
        kind: ResourceKind::Primitive { agent },
        role: if active { Role::Started } else { Role::Stopped },
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        flags: ResourceFlags { active, managed: true, ..ResourceFlags::default() },
        ..ResourceView::default()
    }
}

use hac_model::Role;

fn view() -> ClusterView {
    let node = |name: &str, online, is_dc| NodeView {
        name: name.to_owned(),
        online,
        is_dc,
        attributes: [("site".to_owned(), "a".to_owned()), ("db_password".to_owned(), "hunter2".to_owned())].into(),
        ..NodeView::default()
    };
    let mut address = primitive("FloatIP", &["one"]);
    address.fail_counts = vec![("one".to_owned(), 2, None), ("two".to_owned(), 1_000_000, None)];
    let operation = |node: &str| OperationView { node: node.to_owned(), ..OperationView::default() };
    address.operations = vec![operation("one"), operation("one"), operation("two")];
    address.migration_threshold = Some(3);
    let stopped = || primitive("Nginx:1", &[]);
    let clone = ResourceView {
        id: "Nginx-clone".to_owned(),
        name: "Nginx-clone".to_owned(),
        kind: ResourceKind::Clone {
            child: "Nginx".to_owned(),
            clone_max: 3,
            clone_node_max: 1,
            promoted_max: 0,
            allowed: Vec::new(),
        },
        children: vec![primitive("Nginx:0", &["one"]), stopped(), stopped()],
        ..ResourceView::default()
    };
    ClusterView {
        nodes: vec![node("one", true, true), node("two", false, false)],
        resources: vec![address, clone],
        dc: Some("one".to_owned()),
        ..ClusterView::default()
    }
}

fn cib() -> Cib {
    let location = |id: &str, score: &str| {
        Constraint::Location(Location {
            id: id.to_owned(),
            subject: LocationSubject::Resource("FloatIP".to_owned()),
            role: None,
            resource_discovery: None,
            target: LocationTarget::Node { node: "two".to_owned(), score: Some(score.to_owned()) },
            lifetime: Vec::new(),
        })
    };
    let constraints = vec![location("cli-ban-FloatIP-on-two", "-INFINITY"), location("rather-two", "50")];
    Cib { configuration: Configuration { constraints, ..Configuration::default() }.into(), ..Cib::default() }
}

#[test]
fn values_are_those_of_the_exporter_that_boards_are_made_for() {
    let page = page(&status(), &view(), &cib());
    let node = |name, status| {
        page.get("ha_cluster_pacemaker_nodes", &[("node", name), ("type", "member"), ("status", status)])
    };
    assert_eq!((node("one", "dc"), node("two", "dc")), (Some(1.0), Some(0.0)));
    assert_eq!((node("one", "online"), node("two", "online")), (Some(1.0), Some(0.0)));
    let resource = |name, node, role, status, clone| {
        let labels = [
            ("node", node),
            ("resource", name),
            ("role", role),
            ("managed", "true"),
            ("status", status),
            ("agent", "ocf:heartbeat:nginx"),
            ("group", ""),
            ("clone", clone),
        ];
        page.get("ha_cluster_pacemaker_resources", &labels)
    };
    assert_eq!(resource("FloatIP", "one", "started", "active", ""), Some(1.0));
    assert_eq!(resource("FloatIP", "one", "started", "failed", ""), Some(0.0));
    assert_eq!(resource("Nginx", "one", "started", "active", "Nginx-clone"), Some(1.0));
    assert_eq!(resource("Nginx", "", "stopped", "active", "Nginx-clone"), Some(0.0), "two of them, one number");
    let of = |name, node| page.get(name, &[("node", node), ("resource", "FloatIP")]);
    assert_eq!(of("ha_cluster_pacemaker_fail_count", "one"), Some(2.0));
    assert_eq!(of("ha_cluster_pacemaker_fail_count", "two"), Some(f64::INFINITY));
    assert_eq!(of("ha_cluster_pacemaker_migration_threshold", "two"), Some(3.0));
    let location = |id| {
        let labels = [("constraint", id), ("node", "two"), ("resource", "FloatIP"), ("role", "")];
        page.get("ha_cluster_pacemaker_location_constraints", &labels)
    };
    assert_eq!(location("cli-ban-FloatIP-on-two"), Some(f64::NEG_INFINITY));
    assert_eq!(location("rather-two"), Some(50.0));
    assert_eq!(page.get("ha_cluster_pacemaker_config_last_change", &[]), Some(1_764_400_000.0));
    let ring = [("ring_id", "1.2c"), ("node_id", "1"), ("number", "0"), ("address", "10.0.0.1")];
    assert_eq!(page.get("ha_cluster_corosync_rings", &ring), Some(0.0), "nothing comes from two");
    assert_eq!(page.get("ha_cluster_corosync_ring_errors", &[]), Some(1.0));
    let votes = |id, node, local| {
        page.get("ha_cluster_corosync_member_votes", &[("node_id", id), ("node", node), ("local", local)])
    };
    assert_eq!((votes("1", "one", "true"), votes("2", "two", "false")), (Some(1.0), Some(1.0)));
}

#[test]
fn every_counter_of_the_status_is_in_a_series() {
    let page = page(&status(), &view(), &cib());
    assert_eq!(page.get("hacd_ring_tokens", &[]), Some(7.0));
    assert_eq!(page.get("hacd_rejected", &[("reason", "mac")]), Some(3.0));
    assert_eq!(page.get("hacd_node", &[("what", "too_large")]), Some(2.0));
    assert_eq!(page.get("hacd_node", &[("what", "what.is.new")]), Some(5.0));
}

#[test]
fn secrets_are_masked() {
    let text = page(&status(), &view(), &cib()).text().expect("text");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains(r#"name="db_password",value="********""#), "{text}");
}

/// The form is read strictly: each line is a comment of a family or a number of the family before it, and no number is
/// there twice.
#[test]
fn the_text_is_what_prometheus_reads() {
    let text = page(&status(), &view(), &cib()).text().expect("text");
    let (mut family, mut seen, mut numbers) = (String::new(), std::collections::BTreeSet::new(), 0);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.last(), Some(&"# EOF"));
    for line in &lines[..lines.len() - 1] {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(rest.ends_with(" gauge") || rest.ends_with(" counter"), "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("help");
            assert!(help.len() > 10 && help.ends_with('.') && !help.ends_with(".."), "{line}");
            family = name.to_owned();
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a number");
            assert!(name.starts_with(&family), "{line} is in {family}");
            value.parse::<f64>().expect("a number");
            assert!(seen.insert(name.to_owned()), "{line} is there twice");
            numbers += 1;
        }
    }
    assert!(numbers > 60, "{numbers}");
    assert!(text.contains("hacd_ring_tokens_total 7"), "{text}");
    assert!(text.contains(r#"ha_cluster_pacemaker_fail_count{node="two",resource="FloatIP"} +Inf"#), "{text}");
}

#[test]
fn too_many_numbers_are_those_of_the_cluster_alone_and_say_so() {
    let mut view = view();
    view.resources = (0..1000).map(|number| primitive(&format!("r{number}"), &["one"])).collect();
    let many = page(&status(), &view, &cib());
    assert!(many.len() < 500, "{}", many.len());
    assert_eq!(many.get("hacd_series_dropped", &[]), Some(1.0));
    assert_eq!(many.get("ha_cluster_corosync_quorate", &[]), Some(1.0));
    assert!(!many.text().expect("text").contains("r17"));
    view.resources.truncate(600);
    let fewer = page(&status(), &view, &cib());
    assert_eq!(fewer.get("hacd_series_dropped", &[]), Some(0.0));
    assert!(fewer.text().expect("text").contains("r17"));
}

#[test]
fn the_documentation_names_every_series() {
    let document = include_str!("../../../../../docs/metrics.md");
    for series in compatible::ALL.into_iter().chain(own::all()) {
        let name = if series.counts { format!("`{}_total`", series.name) } else { format!("`{}`", series.name) };
        let row = document.lines().find(|line| line.starts_with(&format!("| {name}")));
        let help = series.help.trim_end_matches('.');
        assert!(row.is_some_and(|row| row.contains(help)), "docs/metrics.md has no row | {name} | … | {help} |");
    }
}

#[test]
fn alarms_and_board_ask_for_series_that_there_are() {
    let declared: Vec<String> = compatible::ALL
        .into_iter()
        .chain(own::all())
        .map(|series| if series.counts { format!("{}_total", series.name) } else { series.name.to_owned() })
        .collect();
    for text in [
        include_str!("../../../../../config/prometheus/alerts.yml"),
        include_str!("../../../../../config/prometheus/grafana.json"),
    ] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: Vec<&str> =
            words.filter(|word| word.starts_with("hacd_") || word.starts_with("ha_cluster_")).collect();
        assert!(asked.len() > 5, "{asked:?}");
        for word in asked {
            assert!(
                declared.iter().any(|name| name == word) || ["ha_cluster_", "ha_cluster_exporter"].contains(&word),
                "no series {word}"
            );
        }
    }
}
