//! A lawful plan, and the ways to break it, one each.

use super::*;
use crate::plan::{Action, ActionKind, Decision, Fencing, Reason, ResourceOp};
use crate::view::{NodeView, OperationView, ResourceFlags, ResourceKind, ResourceView};
use hac_model::Role;
use hac_model::{Colocation, Constraint, FenceAction, Order};

/// Two nodes; `db` runs on n1 and is to move to n2, and with it `web`, which needs it.
struct Scene {
    cib: Cib,
    view: ClusterView,
    plan: Plan,
}

fn node(name: &str) -> NodeView {
    NodeView { name: name.to_owned(), id: name.to_owned(), online: true, ..NodeView::default() }
}

fn running(id: &str, nodes: &[&str]) -> ResourceView {
    ResourceView {
        id: id.to_owned(),
        role: if nodes.is_empty() { Role::Stopped } else { Role::Started },
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        flags: ResourceFlags { managed: true, ..ResourceFlags::default() },
        ..ResourceView::default()
    }
}

/// One instance of `child`, which does not run yet.
fn clone(id: &str, child: &str) -> ResourceView {
    let kind = ResourceKind::Clone {
        child: child.to_owned(),
        clone_max: 1,
        clone_node_max: 1,
        promoted_max: 0,
        allowed: Vec::new(),
    };
    ResourceView { kind, children: vec![running(&format!("{child}:0"), &[])], ..running(id, &[]) }
}

fn act(resource: &str, task: &str, node: &str, inputs: &[usize]) -> Action {
    let op = ResourceOp { resource: resource.to_owned(), task: task.parse().unwrap(), ..ResourceOp::default() };
    Action { kind: ActionKind::Resource(Box::new(op)), ..milestone(&format!("{resource}_{task}_0"), node, inputs) }
}

fn milestone(key: &str, node: &str, inputs: &[usize]) -> Action {
    Action {
        inputs: inputs.to_vec(),
        rather_after: vec![],
        key: key.to_owned(),
        node: Some(node.to_owned()),
        node_id: Some(node.to_owned()),
        router_node: None,
        priority: 0,
        kind: ActionKind::Pseudo,
        downed: Vec::new(),
        meta: std::collections::BTreeMap::new(),
    }
}

/// web stop, db stop, db start, web start.
fn scene() -> Scene {
    let order = Order { id: "db-first".into(), first: "db".into(), then: "web".into(), ..Order::default() };
    let colocation = Colocation {
        id: "web-with-db".into(),
        score: Some("INFINITY".into()),
        rsc: "web".into(),
        with_rsc: "db".into(),
        ..Colocation::default()
    };
    let mut cib = Cib::default();
    cib.configuration.constraints = vec![Constraint::Order(order), Constraint::Colocation(colocation)];
    let view = ClusterView {
        nodes: vec![node("n1"), node("n2")],
        resources: vec![running("db", &["n1"]), running("web", &["n1"])],
        quorate: true,
        no_quorum_policy: "stop".into(),
        ..ClusterView::default()
    };
    let actions = vec![
        act("web", "stop", "n1", &[]),
        act("db", "stop", "n1", &[0]),
        act("db", "start", "n2", &[1]),
        act("web", "start", "n2", &[0, 2]),
    ];
    Scene { cib, view, plan: Plan { actions, ..Plan::default() } }
}

impl Scene {
    fn check(&self) -> Vec<Violation> {
        check(&self.cib, &self.view, &self.plan)
    }

    fn told(&self) -> Vec<String> {
        self.check().iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_lawful_plan_breaks_nothing() {
    assert_eq!(scene().check(), []);
}

#[test]
fn a_circle_is_found_and_so_is_an_input_that_is_not_there() {
    let mut scene = scene();
    scene.plan.actions[0].inputs = vec![3];
    assert_eq!(scene.check(), [Violation::Cycle("web_stop_0 n1".into())]);
    scene.plan.actions[0].inputs = vec![9];
    assert_eq!(scene.check(), [Violation::DanglingInput("web_stop_0 n1".into())]);
}

#[test]
fn nothing_runs_on_a_node_that_is_gone_in_doubt_or_to_be_left_alone() {
    let mut scene = scene();
    scene.view.nodes[1].online = false;
    let absent = ["db_start_0 n2", "web_start_0 n2"].map(|key| Violation::AbsentNode(key.into()));
    assert_eq!(scene.check(), absent);
    scene.view.nodes[1] = NodeView { unclean: true, ..node("n2") };
    assert_eq!(scene.check(), absent);
    for unwilling in [
        NodeView { standby: true, ..node("n2") },
        NodeView { maintenance: true, ..node("n2") },
        NodeView { shutdown: true, ..node("n2") },
    ] {
        scene.view.nodes[1] = unwilling;
        let expected = ["db_start_0 n2", "web_start_0 n2"].map(|key| Violation::UnwillingNode(key.into()));
        assert_eq!(scene.check(), expected);
    }
    scene.view.nodes.pop();
    assert_eq!(scene.check(), absent);
}

#[test]
fn what_runs_elsewhere_stops_first() {
    let mut scene = scene();
    scene.plan.actions[2].inputs.clear();
    assert_eq!(scene.check(), [Violation::ActiveTwice { start: "db_start_0 n2".into(), node: "n1".into() }]);
}

#[test]
fn a_start_under_way_is_ordered_once_more_without_a_stop_whatever_else_is_under_way_elsewhere() {
    let pending = |task: &str, node: &str| OperationView {
        node: node.to_owned(),
        task: task.to_owned(),
        status: -1,
        ..OperationView::default()
    };
    let mut scene = scene();
    scene.view.resources = vec![running("db", &["n2"])];
    scene.plan.actions = vec![act("db", "start", "n2", &[])];
    let twice = "db_start_0 n2 does not wait until it has stopped on n2";
    assert_eq!(scene.told(), [twice]);
    scene.view.resources[0].operations = vec![pending("stop", "n1"), pending("start", "n2")];
    scene.view.resources[0].pending = Some(("stop".into(), "n1".into()));
    assert_eq!(scene.check(), []);
    // Neither a start under way elsewhere nor one that has ended is an excuse.
    scene.view.resources[0].operations[1].node = "n1".into();
    assert_eq!(scene.told(), [twice]);
    scene.view.resources[0].operations[1] = OperationView { status: 0, ..pending("start", "n2") };
    assert_eq!(scene.told(), [twice]);
}

#[test]
fn a_start_under_way_is_ordered_once_more_without_waiting_for_a_probe_on_another_node() {
    let mut scene = scene();
    scene.view.resources = vec![running("db", &["n2"])];
    let start = OperationView { node: "n2".into(), task: "start".into(), status: -1, ..OperationView::default() };
    scene.view.resources[0].operations = vec![start];
    scene.plan.actions = vec![act("db", "start", "n2", &[]), act("db", "monitor", "n1", &[])];
    assert_eq!(scene.check(), []);
    // On its own node it must be known first, and a new start waits for all.
    scene.plan.actions.push(act("db", "monitor", "n2", &[]));
    assert_eq!(scene.told(), ["db_start_0 n2 does not wait for db_monitor_0 n2 (db)"]);
    scene.plan.actions.pop();
    scene.view.resources = vec![running("db", &[])];
    assert_eq!(scene.told(), ["db_start_0 n2 does not wait for db_monitor_0 n1 (db)"]);
}

#[test]
fn a_node_in_doubt_is_powered_off_before_what_it_had_is_started() {
    let mut scene = scene();
    scene.view.nodes[0] = NodeView { unclean: true, online: false, ..node("n1") };
    // Its stops are milestones: they stand for the fencing.
    scene.plan.actions[0].kind = ActionKind::Pseudo;
    scene.plan.actions[1].kind = ActionKind::Pseudo;
    let told = scene.told();
    assert_eq!(told.len(), 2, "{told:?}");
    let fencing = ActionKind::Fence(Fencing { target: "n1".into(), action: FenceAction::Off });
    scene.plan.actions.push(Action { kind: fencing, ..milestone("stonith-n1-off", "n1", &[]) });
    scene.plan.actions[0].inputs = vec![4];
    assert_eq!(scene.check(), []);
}

#[test]
fn nothing_is_started_twice() {
    let mut scene = scene();
    scene.plan.actions.push(act("db", "start", "n1", &[1]));
    assert!(scene.check().contains(&Violation::StartedTwice("db".into())));
}

#[test]
fn a_node_gets_no_more_instances_than_may_share_it() {
    let mut scene = scene();
    let kind = ResourceKind::Clone {
        child: "cache".into(),
        clone_max: 2,
        clone_node_max: 1,
        promoted_max: 0,
        allowed: Vec::new(),
    };
    let children = vec![running("cache:0", &["n1"]), running("cache:1", &[])];
    scene.view.resources.push(ResourceView { kind, children, ..running("caches", &["n1"]) });
    scene.plan.actions.push(act("cache:1", "start", "n2", &[]));
    assert_eq!(scene.check(), []);
    scene.plan.actions[4].node = Some("n1".into());
    let expected = Violation::TooManyInstances { clone: "caches".into(), node: "n1".into(), count: 2, most: 1 };
    assert_eq!(scene.check(), [expected]);
}

#[test]
fn an_order_holds_for_starts_and_the_other_way_round_for_stops() {
    let mut scene = scene();
    scene.plan.actions[3].inputs = vec![0];
    assert_eq!(scene.told(), ["web_start_0 n2 does not wait for db_start_0 n2 (db-first)"]);
    let mut scene = self::scene();
    scene.plan.actions[1].inputs.clear();
    assert_eq!(scene.told(), ["db_stop_0 n1 does not wait for web_stop_0 n1 (db-first)"]);
}

#[test]
fn what_is_needed_will_run_and_in_the_same_place() {
    let mut scene = scene();
    scene.plan.actions[2] = milestone("nothing", "n2", &[1]);
    assert_eq!(
        scene.told(),
        [
            "web_start_0 n2 needs db, which will not run (db-first)",
            "web_start_0 n2 is not where db will be (web-with-db)"
        ]
    );
    let mut scene = self::scene();
    scene.plan.actions[2].node = Some("n1".into());
    assert_eq!(scene.told(), ["web_start_0 n2 is not where db will be (web-with-db)"]);
}

#[test]
fn what_must_not_meet_does_not() {
    let mut scene = scene();
    if let Some(Constraint::Colocation(colocation)) = scene.cib.configuration.constraints.last_mut() {
        colocation.score = Some("-INFINITY".into());
    }
    assert_eq!(scene.told(), ["web_start_0 n2 is where db will be, against web-with-db"]);
}

#[test]
fn what_is_left_alone_in_two_places_keeps_others_from_one_of_them() {
    let mut scene = scene();
    if let Some(Constraint::Colocation(colocation)) = scene.cib.configuration.constraints.last_mut() {
        colocation.score = Some("-INFINITY".into());
    }
    scene.view.resources[1] = running("web", &[]);
    scene.plan.actions = vec![act("web", "start", "n2", &[])];
    for (nodes, managed, expected) in [
        (&["n1", "n2"][..], false, None),
        (&["n2"], false, Some("web_start_0 n2 is where db will be, against web-with-db")),
        (&["n1", "n2"], true, Some("web_start_0 n2 is where db will be, against web-with-db")),
    ] {
        scene.view.resources[0] = running("db", nodes);
        scene.view.resources[0].flags.managed = managed;
        assert_eq!(scene.told().first().map(String::as_str), expected, "on {nodes:?}, managed: {managed}");
    }
}

#[test]
fn members_of_a_group_are_together_and_in_order() {
    let mut scene = scene();
    scene.cib.configuration.constraints.clear();
    let children = std::mem::take(&mut scene.view.resources);
    scene.view.resources = vec![ResourceView { kind: ResourceKind::Group, children, ..running("site", &["n1"]) }];
    assert_eq!(scene.check(), []);
    scene.plan.actions[3].inputs = vec![0];
    assert_eq!(scene.told(), ["web_start_0 n2 does not wait for db_start_0 n2 (site)"]);
}

#[test]
fn a_group_and_a_part_of_it_cannot_be_told_to_be_apart() {
    let mut scene = scene();
    let children = std::mem::take(&mut scene.view.resources);
    scene.view.resources = vec![ResourceView { kind: ResourceKind::Group, children, ..running("site", &["n1"]) }];
    let apart = |rsc: &str, with_rsc: &str| {
        let (rsc, with_rsc, score) = (rsc.into(), with_rsc.into(), Some("-INFINITY".into()));
        Constraint::Colocation(Colocation { id: "torn".into(), score, rsc, with_rsc, ..Colocation::default() })
    };
    for constraint in [apart("site", "db"), apart("web", "site")] {
        scene.cib.configuration.constraints = vec![constraint];
        assert_eq!(scene.check(), []);
    }
    // Pacemaker tears such a group.
    scene.plan.actions[3].node = Some("n1".into());
    assert_eq!(scene.check(), []);
    scene.cib.configuration.constraints = vec![apart("web", "db")];
    assert_eq!(scene.told(), ["web_start_0 n1 is not where db will be (site)"]);
}

#[test]
fn an_instance_that_is_being_started_already_is_not_waited_for() {
    let mut scene = scene();
    let web = scene.view.resources.pop().into_iter();
    scene.view.resources = vec![clone("dbs", "db")];
    scene.view.resources.extend(web.map(|web| ResourceView { nodes: Vec::new(), role: Role::Stopped, ..web }));
    let order = Order { id: "db-first".into(), first: "dbs".into(), then: "web".into(), ..Order::default() };
    scene.cib.configuration.constraints = vec![Constraint::Order(order)];
    scene.plan.actions = vec![act("db:0", "start", "n2", &[]), act("web", "start", "n2", &[])];
    assert_eq!(scene.told(), ["web_start_0 n2 does not wait for db:0_start_0 n2 (db-first)"]);
    for (status, broken) in [(-1, 0), (0, 1)] {
        let start = OperationView { node: "n2".into(), task: "start".into(), status, ..OperationView::default() };
        scene.view.resources[0].children[0].operations = vec![start];
        assert_eq!(scene.told().len(), broken);
    }
}

/// Seed 93002239 of the simulator.
#[test]
fn of_a_constraint_that_names_what_a_clone_copies_nothing_follows() {
    let scene = |then: &str| {
        let mut scene = scene();
        let order = Order { id: "o".into(), first: "db".into(), then: then.into(), ..Order::default() };
        scene.cib.configuration.constraints = vec![Constraint::Order(order)];
        scene.view.resources = vec![running("db", &[]), clone("all", "web")];
        scene.plan.actions = vec![act("db", "start", "n1", &[]), act("web:0", "start", "n1", &[])];
        scene
    };
    assert_eq!(scene("all").told(), ["web:0_start_0 n1 does not wait for db_start_0 n1 (o)"]);
    assert!(scene("web").check().is_empty());
}

#[test]
fn what_is_not_managed_is_not_touched() {
    let mut scene = scene();
    scene.view.resources[1].flags.managed = false;
    assert_eq!(
        scene.told(),
        ["web_stop_0 n1 touches what is not managed", "web_start_0 n2 touches what is not managed"]
    );
    scene.view.resources[1].flags = ResourceFlags { managed: true, blocked: true, ..ResourceFlags::default() };
    assert_eq!(scene.told().len(), 2);
}

#[test]
fn nothing_is_started_without_quorum() {
    let mut scene = scene();
    scene.view.quorate = false;
    assert_eq!(
        scene.told(),
        ["db_start_0 n2 starts something without quorum", "web_start_0 n2 starts something without quorum"]
    );
    scene.view.no_quorum_policy = "ignore".into();
    assert_eq!(scene.check(), []);
    // What ran may go on running, elsewhere if need be.
    scene.view.no_quorum_policy = "freeze".into();
    assert_eq!(scene.check(), []);
}

#[test]
fn on_a_node_probes_come_before_starts_and_demotions_before_stops() {
    let mut scene = scene();
    scene.plan.actions.push(act("db", "monitor", "n2", &[]));
    assert_eq!(scene.told(), ["db_start_0 n2 does not wait for db_monitor_0 n2 (db)"]);
    let mut scene = self::scene();
    scene.plan.actions.push(act("db", "demote", "n1", &[]));
    assert_eq!(scene.told(), ["db_stop_0 n1 does not wait for db_demote_0 n1 (db)"]);
}

#[test]
fn a_fencing_is_told_with_its_reason() {
    let mut scene = scene();
    let fence = |reason| Decision {
        verb: Verb::Fence,
        subject: "n1".into(),
        detail: "off".into(),
        reason,
        cause: None,
        blocked: false,
    };
    scene.plan.summary.push(fence(Some(Reason::NoQuorum)));
    assert_eq!(scene.check(), []);
    scene.plan.summary.push(fence(None));
    assert_eq!(scene.told(), ["Fence n1 has no reason"]);
}
