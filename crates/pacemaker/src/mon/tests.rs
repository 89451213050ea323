//! The text for states made by hand.

mod schema;

use expect_test::{Expect, expect};
use hac_model::Agent;
use hac_scheduler::Role;
use hac_scheduler::view::{FailedOperation, OperationView, ResourceFlags};

use super::*;

fn node(name: &str, online: bool) -> NodeView {
    NodeView { name: name.to_owned(), online, running: vec!["x".to_owned()], ..NodeView::default() }
}

fn primitive(id: &str, agent: &str, nodes: &[&str]) -> ResourceView {
    let parts: Vec<&str> = agent.split(':').collect();
    let agent = Agent { class: parts[0].into(), provider: Some(parts[1].into()), kind: parts[2].into() };
    ResourceView {
        id: id.to_owned(),
        name: id.split(':').next().unwrap_or(id).to_owned(),
        kind: ResourceKind::Primitive { agent },
        role: if nodes.is_empty() { Role::Stopped } else { Role::Started },
        nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
        flags: ResourceFlags {
            managed: true,
            active: !nodes.is_empty(),
            fully_active: !nodes.is_empty(),
            ..ResourceFlags::default()
        },
        ..ResourceView::default()
    }
}

/// The tutorial's cluster.
fn tutorial() -> ClusterView {
    let nginx = |n: usize, on: &str| primitive(&format!("Nginx:{n}"), "ocf:heartbeat:nginx", &[on]);
    let clone = ResourceView {
        id: "Nginx-clone".to_owned(),
        name: "Nginx-clone".to_owned(),
        kind: ResourceKind::Clone {
            child: "Nginx".to_owned(),
            clone_max: 2,
            clone_node_max: 1,
            promoted_max: 1,
            allowed: vec!["primary".to_owned(), "secondary".to_owned()],
        },
        role: Role::Started,
        nodes: vec!["secondary".to_owned(), "primary".to_owned()],
        children: vec![nginx(0, "secondary"), nginx(1, "primary")],
        flags: ResourceFlags { managed: true, active: true, fully_active: true, ..ResourceFlags::default() },
        ..ResourceView::default()
    };
    ClusterView {
        nodes: vec![node("primary", true), node("secondary", true)],
        resources: vec![primitive("FloatIP", "ocf:digitalocean:floatip", &["primary"]), clone],
        quorate: true,
        instances: 3,
        ..ClusterView::default()
    }
}

fn facts() -> Facts {
    Facts {
        cluster_name: "lbcluster".to_owned(),
        node: "primary".to_owned(),
        dc: Some("primary".to_owned()),
        dc_version: "0.1.0".to_owned(),
        mixed_version: false,
        quorate: true,
        now: WallTime::from_secs(1_795_332_969),
        stack: String::new(),
        from_file: false,
    }
}

fn cib() -> Cib {
    let mut cib = Cib::default();
    cib.info.last_changed_ms = Some(1_793_432_967_000);
    cib.info.update_user = Some("root".to_owned());
    cib.info.update_client = Some("hacctl".to_owned());
    cib.info.update_origin = Some("primary".to_owned());
    cib
}

/// Everything that is shown without being asked for, and what is not active.
fn all() -> Options {
    Options { inactive: true, ..Options::default() }
}

fn check(facts: &Facts, view: &ClusterView, options: &Options, expected: &Expect) {
    expected.assert_eq(&render(facts, view, &cib(), options));
}

#[test]
fn the_tutorials_end_state_reads_as_people_know_it() {
    check(
        &facts(),
        &tutorial(),
        &all(),
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition with quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured

        Node List:
          * Online: [ primary secondary ]

        Full List of Resources:
          * FloatIP	(ocf:digitalocean:floatip):	 Started primary
          * Clone Set: Nginx-clone [Nginx]:
            * Started: [ primary secondary ]
    "#]],
    );
}

#[test]
fn a_node_in_standby_and_one_that_is_gone() {
    let mut view = tutorial();
    view.nodes[1].standby = true;
    view.nodes[1].running.clear();
    view.resources[1].children.remove(0);
    view.resources[1].nodes.remove(0);
    check(
        &facts(),
        &view,
        &all(),
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition with quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured

        Node List:
          * Node secondary: standby
          * Online: [ primary ]

        Full List of Resources:
          * FloatIP	(ocf:digitalocean:floatip):	 Started primary
          * Clone Set: Nginx-clone [Nginx]:
            * Started: [ primary ]
            * Stopped: [ secondary ]
    "#]],
    );
    view.nodes[1] = node("secondary", false);
    let mixed = Facts { mixed_version: true, ..facts() };
    let text = render(&mixed, &view, &cib(), &Options::default());
    assert!(text.contains("  * Current DC: primary (version 0.1.0) - MIXED-VERSION partition with quorum\n"), "{text}");
    let alone = Facts { quorate: false, ..facts() };
    check(
        &alone,
        &view,
        &Options { inactive: false, ..all() },
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition WITHOUT quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured

        Node List:
          * Online: [ primary ]
          * OFFLINE: [ secondary ]

        Active Resources:
          * FloatIP	(ocf:digitalocean:floatip):	 Started primary
          * Clone Set: Nginx-clone [Nginx]:
            * Started: [ primary ]
    "#]],
    );
}

#[test]
fn without_coordinator_and_resources() {
    let view =
        ClusterView { nodes: vec![NodeView { pending: true, ..node("primary", false) }], ..ClusterView::default() };
    let nobody = Facts { dc: None, quorate: false, cluster_name: String::new(), ..facts() };
    check(
        &nobody,
        &view,
        &all(),
        &expect![[r#"
        Cluster Summary:
          * Stack: hacd
          * Current DC: NONE
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 1 node configured
          * 0 resource instances configured

        Node List:
          * Node primary: pending

        Full List of Resources:
          * No resources
    "#]],
    );
}

#[test]
fn what_is_no_longer_configured_is_shown_until_its_stop_has_ended() {
    let mut view = tutorial();
    let mut stopping = primitive("big", "ocf:heartbeat:Dummy", &[]);
    stopping.flags.removed = true;
    stopping.pending = Some(("stop".to_owned(), "secondary".to_owned()));
    view.resources.push(stopping.clone());
    let shown = |view: &ClusterView| render(&facts(), view, &cib(), &all());
    assert!(
        shown(&view).contains("  * big\t(ocf:heartbeat:Dummy):\t ORPHANED Stopping secondary\n"),
        "{}",
        shown(&view)
    );
    // What was probed and is nowhere has no line.
    for nothing in [None, Some(("probe".to_owned(), "secondary".to_owned()))] {
        view.resources.pop();
        view.resources.push(ResourceView { pending: nothing, ..stopping.clone() });
        assert!(!shown(&view).contains("big"), "{}", shown(&view));
    }
}

#[test]
fn by_node_with_what_is_inactive() {
    let mut view = tutorial();
    let by_node = Options { by_node: true, ..all() };
    check(
        &facts(),
        &view,
        &by_node,
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition with quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured

        Node List:
          * Node primary: online:
            * Resources:
              * FloatIP	(ocf:digitalocean:floatip):	 Started
              * Nginx	(ocf:heartbeat:nginx):	 Started
          * Node secondary: online:
            * Resources:
              * Nginx	(ocf:heartbeat:nginx):	 Started

        Inactive Resources:
          * No inactive resources
    "#]],
    );
    view.resources[0] = primitive("FloatIP", "ocf:digitalocean:floatip", &[]);
    view.resources[0].target_role = Some(Role::Stopped);
    view.disabled = 1;
    view.maintenance_mode = true;
    check(
        &facts(),
        &view,
        &by_node,
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition with quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured (1 DISABLED)

                      *** Resource management is DISABLED ***
          The cluster will not attempt to start, stop or recover services

        Node List:
          * Node primary: online:
            * Resources:
              * Nginx	(ocf:heartbeat:nginx):	 Started
          * Node secondary: online:
            * Resources:
              * Nginx	(ocf:heartbeat:nginx):	 Started

        Inactive Resources:
          * FloatIP	(ocf:digitalocean:floatip):	 Stopped (disabled)
    "#]],
    );
}

#[test]
fn failures_operations_and_counts() {
    let mut view = tutorial();
    let operation = |task: &str, interval_ms, call_id, rc| OperationView {
        node: "secondary".to_owned(),
        call_id,
        task: task.to_owned(),
        interval_ms,
        rc: hac_model::OcfCode(rc),
        last_rc_change: Some(1_795_332_490),
        exec_time_ms: Some(2698),
        ..OperationView::default()
    };
    let instance = &mut view.resources[1].children[0];
    instance.operations =
        vec![operation("monitor", 10_000, 11, 0), operation("start", 0, 10, 0), operation("monitor", 0, 5, 7)];
    instance.fail_counts = vec![("secondary".to_owned(), 1_000_000, Some(1_795_332_493))];
    let failed = |operation| FailedOperation { resource: "Nginx".to_owned(), operation_key: String::new(), operation };
    let said =
        |reason: &str, status, op: OperationView| OperationView { exit_reason: Some(reason.to_owned()), status, ..op };
    view.failed = vec![
        failed(operation("start", 0, 10, 1)),
        failed(said("", 0, OperationView { exec_time_ms: None, ..operation("monitor", 90_000, 10, 7) })),
        failed(said("the API refused the token (401)", 0, operation("start", 0, 10, 6))),
        failed(said(
            "no end within 40s\u{1b}[2J",
            2,
            OperationView { exec_time_ms: Some(40_002), ..operation("stop", 0, 9, 1) },
        )),
        failed(operation("monitor", 0, 3, 5)),
    ];
    let more = Options { operations: true, failcounts: true, ..Options::default() };
    check(
        &facts(),
        &view,
        &more,
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition with quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured

        Node List:
          * Online: [ primary secondary ]

        Active Resources:
          * FloatIP	(ocf:digitalocean:floatip):	 Started primary
          * Clone Set: Nginx-clone [Nginx]:
            * Started: [ primary secondary ]

        Operations:
          * Node: secondary:
            * Nginx: migration-threshold=1000000 fail-count=1000000 last-failure='Sun Nov 22 07:28:13 2026 UTC':
              * (10) start
              * (11) monitor: interval="10000ms"

        Failed Resource Actions:
          * Nginx start on secondary returned 'error' at Sun Nov 22 07:28:10 2026 UTC after 2.698s
          * Nginx 1m30s-interval monitor on secondary returned 'not running' at Sun Nov 22 07:28:10 2026 UTC
          * Nginx start on secondary returned 'not configured' (the API refused the token (401)) at Sun Nov 22 07:28:10 2026 UTC after 2.698s
          * Nginx stop on secondary could not be executed (Timed Out: no end within 40s\u{1b}[2J) at Sun Nov 22 07:28:10 2026 UTC after 40.002s
          * Nginx probe on secondary returned 'not installed' at Sun Nov 22 07:28:10 2026 UTC after 2.698s
    "#]],
    );
    check(
        &facts(),
        &view,
        &Options { operations: false, ..more },
        &expect![[r#"
        Cluster name: lbcluster
        Cluster Summary:
          * Stack: hacd
          * Current DC: primary (version 0.1.0) - partition with quorum
          * Last updated: Sun Nov 22 07:36:09 2026 UTC on primary
          * Last change:  Sat Oct 31 07:49:27 2026 UTC by root via hacctl on primary
          * 2 nodes configured
          * 3 resource instances configured

        Node List:
          * Online: [ primary secondary ]

        Active Resources:
          * FloatIP	(ocf:digitalocean:floatip):	 Started primary
          * Clone Set: Nginx-clone [Nginx]:
            * Started: [ primary secondary ]

        Migration Summary:
          * Node: secondary:
            * Nginx: migration-threshold=1000000 fail-count=1000000 last-failure='Sun Nov 22 07:28:13 2026 UTC'

        Failed Resource Actions:
          * Nginx start on secondary returned 'error' at Sun Nov 22 07:28:10 2026 UTC after 2.698s
          * Nginx 1m30s-interval monitor on secondary returned 'not running' at Sun Nov 22 07:28:10 2026 UTC
          * Nginx start on secondary returned 'not configured' (the API refused the token (401)) at Sun Nov 22 07:28:10 2026 UTC after 2.698s
          * Nginx stop on secondary could not be executed (Timed Out: no end within 40s\u{1b}[2J) at Sun Nov 22 07:28:10 2026 UTC after 40.002s
          * Nginx probe on secondary returned 'not installed' at Sun Nov 22 07:28:10 2026 UTC after 2.698s
    "#]],
    );
}

/// All instances of a clone are one resource where failures are counted, and one that is not promoted has a role of its own.
#[test]
fn instances_of_a_promotable_clone() {
    let mut view = tutorial();
    for instance in &mut view.resources[1].children {
        instance.flags.promotable = true;
        instance.fail_counts = vec![("primary".to_owned(), 1, None)];
    }
    let options = Options { operations: false, failcounts: true, ..Options::default() };
    let text = render(&facts(), &view, &cib(), &options);
    assert_eq!(text.matches("* Nginx: migration-threshold=1000000 fail-count=1\n").count(), 1, "{text}");
    let instance = &mut view.resources[1].children[0];
    assert_eq!(role(instance), "Unpromoted");
    instance.role = Role::Promoted;
    assert_eq!(role(instance), "Promoted");
    assert_eq!(role(&view.resources[0]), "Started");
}
