//! The whole loop on two nodes: plan, orders, agents, results, CIB, plan again; with a stand-in for the scheduler that
//! wants one resource to run and be monitored on one node.

use std::time::Duration;

use proptest::prelude::*;

use super::chaos::any_step;
use super::op;
use super::world::World;
use crate::cib::{StatusChange, history};
use hac_model::{Cib, parse_score};
use hac_scheduler::plan::{Action, Plan};

/// Probes, then one place to run, the first node on which no start failed for ever; monitored there. Nothing while a
/// result is awaited.
fn decide(cib: &Cib) -> Plan {
    let place = |mut action: Action, node: &str| {
        action.node = Some(node.to_owned());
        action
    };
    let nodes = ["primary", "secondary"];
    let of = |node: &str| {
        let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node))?;
        state.resources.iter().find(|of| of.id == "FloatIP")
    };
    if nodes.iter().filter_map(|node| of(node)).flat_map(|of| &of.ops).any(hac_model::OpHistory::is_pending) {
        return Plan::default();
    }
    let mut actions: Vec<Action> = Vec::new();
    for node in nodes.iter().filter(|node| of(node).is_none()) {
        actions.push(place(op("FloatIP_monitor_0", &[]), node));
    }
    let probes: Vec<usize> = (0..actions.len()).collect();
    let failed_start = |node: &str| cib.transient(node, "fail-count-FloatIP#start_0").and_then(parse_score).is_some();
    let target = nodes.iter().find(|node| !failed_start(node)).copied();
    let mut stops = probes.clone();
    let (mut runs, mut monitored) = (false, false);
    for node in nodes {
        let Some(of) = of(node) else { continue };
        let entry = |id: &str| of.ops.iter().find(|op| op.id == id);
        let last = entry("FloatIP_last_0");
        let failed = history::has_failure(of) && !last.is_some_and(|last| after_failure(of, last));
        if history::is_running(of) && !failed && Some(node) == target {
            runs = true;
            monitored = entry("FloatIP_monitor_10000").map(|op| op.call_id) > last.map(|op| op.call_id);
        } else if history::is_running(of) || failed {
            stops.push(actions.len());
            actions.push(place(op("FloatIP_stop_0", &probes), node));
        }
    }
    if let Some(node) = target {
        let mut before = probes;
        if !runs {
            before = vec![actions.len()];
            actions.push(place(op("FloatIP_start_0", &stops), node));
        }
        if !monitored {
            actions.push(place(op("FloatIP_monitor_10000", &before), node));
        }
    }
    Plan { actions, ..Plan::default() }
}

/// Whether the last good start or stop is later than the last failure.
fn after_failure(of: &hac_model::ResourceHistory, last: &hac_model::OpHistory) -> bool {
    let failure = of.ops.iter().find(|op| op.id == "FloatIP_last_failure_0");
    let stopped_since = |failure: &hac_model::OpHistory| last.call_id > failure.call_id && !history::is_failure(last);
    failure.is_none_or(stopped_since)
}

#[test]
fn a_resource_is_probed_started_and_recovered_when_it_dies() {
    let mut world = World::new(decide);
    world.pass(Duration::from_secs(12));
    world.kill("primary", "FloatIP");
    world.settle();
    world.pass(Duration::from_secs(12));
    expect_test::expect![[r#"
        0     primary: FloatIP monitor -> 7
        0     secondary: FloatIP monitor -> 7
        0     primary: FloatIP start -> 0
        0     primary: FloatIP monitor -> 0
        0     transition 1: Complete
        10000 primary: FloatIP monitor -> 0
        12000 primary: the process of FloatIP dies
        12000 primary: FloatIP monitor -> 7
        12000 primary: FloatIP stop -> 0
        12000 primary: FloatIP start -> 0
        12000 primary: FloatIP monitor -> 0
        12000 transition 2: Complete
        22000 primary: FloatIP monitor -> 0
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.cib.transient("primary", "fail-count-FloatIP#monitor_10000"), Some("1"));
    assert!(world.engine.is_idle());
}

#[test]
fn a_start_that_fails_moves_the_resource() {
    let mut world = World::new(decide);
    world.broken.push(("primary".into(), "FloatIP".into()));
    world.kill("primary", "FloatIP");
    world.settle();
    expect_test::expect![[r#"
        0     primary: FloatIP monitor -> 7
        0     secondary: FloatIP monitor -> 7
        0     primary: FloatIP start -> 0
        0     primary: FloatIP monitor -> 0
        0     transition 1: Complete
        0     primary: the process of FloatIP dies
        0     primary: FloatIP monitor -> 7
        0     primary: FloatIP stop -> 0
        0     primary: FloatIP start -> 1
        0     transition 2: Aborted(UnexpectedResult("FloatIP_start_0", "primary"))
        0     primary: FloatIP stop -> 0
        0     secondary: FloatIP start -> 0
        0     secondary: FloatIP monitor -> 0
        0     transition 3: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.cib.transient("primary", "fail-count-FloatIP#start_0"), Some("INFINITY"));
    // Cleanup forgets it everywhere, also on the node itself, and the resource comes back.
    world.broken.clear();
    world.story.clear();
    let cleanup = StatusChange::ClearFailures { resource: Some("FloatIP".into()), node: None, operation: None };
    world.status(cleanup);
    world.settle();
    expect_test::expect![[r#"
        0     primary: FloatIP monitor -> 7
        0     secondary: FloatIP stop -> 0
        0     primary: FloatIP start -> 0
        0     primary: FloatIP monitor -> 0
        0     transition 4: Complete
    "#]]
    .assert_eq(&world.story);
    world.assert_agreed();
}

#[test]
fn the_loop_survives_a_new_coordinator() {
    let mut world = World::new(decide);
    world.new_coordinator("v".into());
    world.story.clear();
    world.settle();
    assert_eq!(world.story.trim(), "0     transition 1: Complete", "all is as wanted");
}

proptest! {
    #[test]
    fn whatever_happens_it_ends_with_the_service_up_once_and_everybody_agreed(
        steps in prop::collection::vec(any_step(), 0..120),
    ) {
        let mut world = World::new(decide);
        for (count, step) in (0..).zip(steps) {
            world.step(step, count, &["FloatIP"]);
            world.assert_one_at_a_time();
        }
        world.calm_down();
        prop_assert!(world.engine.is_idle(), "{:?}", world.engine.awaited());
        prop_assert_eq!(world.running(), ["FloatIP@primary"], "{}", world.story);
        world.assert_agreed();
    }
}
