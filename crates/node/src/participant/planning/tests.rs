//! Plans that come late, or never.

use super::super::tests::cluster::Cluster;
use super::super::tests::set_property;
use super::*;
use crate::{Reply, SyncState};

fn count(cluster: &Cluster, name: &str) -> u64 {
    cluster.report(1).counters.iter().find(|counter| counter.name == name).map_or(0, |counter| counter.value)
}

fn problem(cluster: &Cluster) -> Option<String> {
    let problems = cluster.report(1).problems;
    problems.into_iter().map(|problem| problem.sentence).find(|text| text.contains("decides nothing"))
}

/// Node 1 coordinates, and is to make a plan that nobody has made yet.
fn deciding() -> Cluster {
    let mut cluster = Cluster::new(2);
    cluster.slow_planner(1);
    cluster.view(&[1, 2]);
    assert_eq!(cluster.unplanned(1), 1);
    cluster
}

#[test]
fn the_cluster_goes_on_while_a_plan_is_made() {
    let mut cluster = deciding();
    let reply = cluster.ask(2, set_property("cluster-delay", "70s"));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_eq!(cluster.report(1).sync, SyncState::Active);
    assert!(!cluster.report(1).settled);
    assert_eq!(cluster.unplanned(1), 1, "one plan at a time");
    cluster.planned(1, None);
    assert_eq!(count(&cluster, "node.outdated_plans"), 1, "it was made of the state before the change");
    assert_eq!(cluster.unplanned(1), 1, "so another one is made");
    cluster.planned(1, None);
    assert!(cluster.report(1).settled, "{:?}", cluster.report(1).waiting_for);
}

#[test]
fn a_state_that_never_rests_is_planned_all_the_same() {
    let mut cluster = deciding();
    for round in 0..OUTDATED_MAX {
        cluster.ask(2, set_property("cluster-delay", &format!("{}s", 70 + round)));
        cluster.planned(1, None);
    }
    assert_eq!(count(&cluster, "node.outdated_plans"), u64::from(OUTDATED_MAX));
    cluster.ask(2, set_property("cluster-delay", "90s"));
    cluster.planned(1, None);
    assert_eq!(count(&cluster, "node.outdated_plans"), u64::from(OUTDATED_MAX), "this one was carried out");
    assert_eq!(cluster.unplanned(1), 1, "and abandoned, because the state has changed");
}

#[test]
fn a_plan_that_never_comes_is_a_problem_and_is_asked_for_again_after_a_change() {
    let mut cluster = deciding();
    cluster.advance(BUDGET);
    assert!(problem(&cluster).is_some_and(|text| text.contains("no plan was ready within 30 s")));
    assert!(!cluster.report(1).settled);
    // The first one comes after all: nobody waits for it.
    cluster.planned(1, None);
    assert!(problem(&cluster).is_some());
    assert_eq!(cluster.unplanned(1), 0, "not at once again");
    cluster.ask(2, set_property("cluster-delay", "70s"));
    assert_eq!(cluster.unplanned(1), 1, "the state is another one");
    cluster.planned(1, None);
    assert_eq!(problem(&cluster), None);
    assert!(cluster.report(1).settled, "{:?}", cluster.report(1).waiting_for);
}

#[test]
fn a_fault_of_the_scheduler_is_tried_again_with_growing_pauses() {
    let mut cluster = deciding();
    let fault = || Some(Unplannable::Fault("index out of bounds".to_owned()));
    cluster.planned(1, fault());
    assert!(problem(&cluster).is_some_and(|text| text.contains("index out of bounds")));
    for pause in [PAUSE, PAUSE * 2, PAUSE * 4] {
        cluster.advance(pause - Duration::from_secs(1));
        assert_eq!(cluster.unplanned(1), 0);
        cluster.advance(Duration::from_secs(1));
        assert_eq!(cluster.unplanned(1), 1);
        cluster.planned(1, fault());
    }
    cluster.advance(PAUSE_MAX);
    cluster.planned(1, None);
    assert_eq!(problem(&cluster), None);
}

#[test]
fn a_plan_of_an_earlier_membership_means_nothing() {
    let mut cluster = deciding();
    cluster.view(&[1, 2]);
    assert_eq!(cluster.unplanned(1), 2, "one of each membership");
    cluster.planned(1, None);
    assert!(cluster.report(1).settled, "{:?}", cluster.report(1).waiting_for);
}

/// Seed 3666 of the simulator: a start that had succeeded meanwhile was ordered again.
#[test]
fn nothing_is_ordered_of_what_is_otherwise_since_the_plan_was_made() {
    use hac_model::{OpHistory, ResourceHistory, Task};
    use hac_scheduler::plan::ResourceOp;
    let mut then = Cib::default();
    let state = |id: &str, name: &str| NodeState {
        id: id.to_owned(),
        uname: Some(name.to_owned()),
        in_ccm: Some("true".to_owned()),
        ..NodeState::default()
    };
    then.status.nodes = vec![state("1", "one"), state("2", "two"), state("3", "three")];
    let mut now = then.clone();
    let ops = vec![OpHistory { id: "A_last_0".to_owned(), ..OpHistory::default() }];
    now.status.nodes[1].resources.put(ResourceHistory { id: "A:1".to_owned(), ops, ..ResourceHistory::default() });
    now.status.nodes[2].in_ccm = Some("false".to_owned());
    let op = |resource: &str, node: &str| Action {
        inputs: Vec::new(),
        rather_after: Vec::new(),
        key: format!("{resource}_start_0"),
        node: Some(node.to_owned()),
        node_id: None,
        router_node: None,
        priority: 0,
        downed: Vec::new(),
        meta: Default::default(),
        kind: ActionKind::Resource(Box::new(ResourceOp {
            resource: resource.to_owned(),
            task: Task::Start,
            ..ResourceOp::default()
        })),
    };
    let left = |then: &Cib, now: &Cib| {
        let actions = vec![op("A:0", "one"), op("B", "one"), op("B", "three"), op("A", "two")];
        let mut plan = Plan { actions, ..Plan::default() };
        leave_changed(&mut plan, then, now);
        plan.actions.iter().map(|action| !action.inputs.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(left(&then, &now), [true, false, true, true]);
    assert_eq!(left(&now, &then), [true, false, true, true], "what is gone counts as well");
    assert_eq!(left(&now, &now.clone()), [false; 4]);
}
