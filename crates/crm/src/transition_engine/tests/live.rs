//! The tutorial's cluster under the real scheduler: what a person sees happen.

use std::time::Duration;

use proptest::prelude::*;

use super::chaos::any_step;
use super::world::World;
use crate::cib::fixtures::{NOW, agent, configure, lost, nginx, property, up};
use crate::cib::{Change, Object, PutMode, StatusChange};
use hac_model::{Cib, Primitive};
use hac_scheduler::plan::Plan;
use hac_scheduler::schedule;

fn decide(cib: &Cib) -> Plan {
    schedule(cib, NOW)
}

fn standby(world: &mut World, node: &str, on: bool) {
    world.standby(node, on);
    world.settle();
}

fn meta(world: &mut World, resource: &str, name: &str, value: &str) {
    let (resource, name, value) = (resource.to_owned(), name.to_owned(), Some(value.to_owned()));
    world.command(configure(vec![Change::SetMeta { resource, name, value }]));
    world.settle();
}

const BOTH: [&str; 3] = ["FloatIP@primary", "Nginx@primary", "Nginx@secondary"];

#[test]
fn the_tutorials_resources_start() {
    let world = World::new(decide);
    expect_test::expect![[r#"
        0     secondary: FloatIP monitor -> 7
        0     primary: FloatIP monitor -> 7
        0     primary: Nginx monitor -> 7
        0     secondary: Nginx monitor -> 7
        0     primary: FloatIP start -> 0
        0     primary: Nginx start -> 0
        0     secondary: Nginx start -> 0
        0     primary: Nginx monitor -> 0
        0     secondary: Nginx monitor -> 0
        0     transition 1: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.running(), BOTH);
    assert!(world.engine.is_idle());
    world.assert_agreed();
}

#[test]
fn a_dead_service_is_started_again_where_it_was() {
    let mut world = World::new(decide);
    world.story.clear();
    world.kill("secondary", "Nginx");
    world.settle();
    expect_test::expect![[r#"
        0     secondary: the process of Nginx dies
        0     secondary: Nginx monitor -> 7
        0     secondary: Nginx stop -> 0
        0     secondary: Nginx start -> 0
        0     secondary: Nginx monitor -> 0
        0     transition 2: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.running(), BOTH);
    assert_eq!(world.cib.transient("secondary", "fail-count-Nginx#monitor_10000"), Some("1"));
}

#[test]
fn a_service_that_cannot_start_again_lets_the_address_go_to_the_other_node_until_cleanup() {
    let mut world = World::new(decide);
    world.broken.push(("primary".into(), "Nginx".into()));
    world.story.clear();
    world.kill("primary", "Nginx");
    world.settle();
    expect_test::expect![[r#"
        0     primary: the process of Nginx dies
        0     primary: Nginx monitor -> 7
        0     primary: Nginx stop -> 0
        0     primary: Nginx start -> 1
        0     transition 2: Aborted(UnexpectedResult("Nginx:0_start_0", "primary"))
        0     primary: FloatIP stop -> 0
        0     secondary: FloatIP start -> 0
        0     primary: Nginx stop -> 0
        0     transition 3: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.running(), ["FloatIP@secondary", "Nginx@secondary"]);
    world.broken.clear();
    world.status(StatusChange::ClearFailures { resource: Some("Nginx-clone".into()), node: None, operation: None });
    world.settle();
    assert_eq!(world.running(), ["Nginx@primary", "FloatIP@secondary", "Nginx@secondary"]);
    world.assert_agreed();
}

#[test]
fn migration_threshold_moves_the_address_although_each_restart_works() {
    let mut world = World::new(decide);
    meta(&mut world, "Nginx-clone", "migration-threshold", "2");
    for _ in 0..2 {
        world.kill("primary", "Nginx");
        world.settle();
        world.pass(Duration::from_secs(30));
    }
    assert_eq!(world.running(), ["FloatIP@secondary", "Nginx@secondary"]);
}

#[test]
fn standby_hands_over_and_online_takes_part_again() {
    let mut world = World::new(decide);
    world.story.clear();
    standby(&mut world, "primary", true);
    expect_test::expect![[r#"
        0     primary: FloatIP stop -> 0
        0     secondary: FloatIP start -> 0
        0     primary: Nginx stop -> 0
        0     transition 2: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.running(), ["FloatIP@secondary", "Nginx@secondary"]);
    standby(&mut world, "primary", false);
    assert_eq!(world.running(), ["Nginx@primary", "FloatIP@secondary", "Nginx@secondary"]);
}

#[test]
fn a_lost_nodes_address_follows_at_once() {
    let mut world = World::new(decide);
    world.story.clear();
    world.status(StatusChange::NodeStates(vec![lost("1", "primary"), up("2", "secondary")]));
    world.settle();
    expect_test::expect![[r#"
        0     secondary: FloatIP start -> 0
        0     transition 2: Complete
    "#]]
    .assert_eq(&world.story);
    assert!(world.running().contains(&"FloatIP@secondary".to_owned()), "{:?}", world.running());
}

#[test]
fn a_leaving_node_is_let_go_when_it_has_nothing_left() {
    let mut world = World::new(decide);
    world.story.clear();
    world.status(StatusChange::Shutdown { node: "primary".into(), wanted: true });
    world.settle();
    expect_test::expect![[r#"
        0     primary: FloatIP stop -> 0
        0     secondary: FloatIP start -> 0
        0     primary: Nginx stop -> 0
        0     primary: may go
        0     transition 2: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.running(), ["FloatIP@secondary", "Nginx@secondary"]);
    let state = world.cib.status.nodes.iter().find(|state| state.id == "1").expect("known");
    assert_eq!(state.expected.as_deref(), Some("down"));
    // The last one has nobody to hand anything to.
    world.status(StatusChange::NodeStates(vec![lost("1", "primary")]));
    world.status(StatusChange::Shutdown { node: "secondary".into(), wanted: true });
    world.settle();
    assert_eq!(world.running(), [""; 0]);
    assert!(world.story.contains("secondary: may go"), "{}", world.story);
}

#[test]
fn target_role_and_maintenance_are_obeyed() {
    let mut world = World::new(decide);
    meta(&mut world, "FloatIP", "target-role", "Stopped");
    assert_eq!(world.running(), ["Nginx@primary", "Nginx@secondary"]);
    meta(&mut world, "FloatIP", "target-role", "Started");
    assert_eq!(world.running(), BOTH);
    world.command(configure(vec![property("maintenance-mode", "true")]));
    world.settle();
    world.kill("primary", "Nginx");
    world.settle();
    world.pass(Duration::from_secs(60));
    assert_eq!(world.running(), ["FloatIP@primary", "Nginx@secondary"], "nobody acts");
    world.command(configure(vec![property("maintenance-mode", "false")]));
    world.settle();
    world.status(StatusChange::ForgetHistory { resource: None, node: None });
    world.settle();
    assert_eq!(world.running(), BOTH);
}

#[test]
fn without_quorum_nothing_stays_unless_it_is_to_be_ignored() {
    let mut world = World::new(decide);
    world.status(StatusChange::Quorum(false));
    world.settle();
    assert_eq!(world.running(), BOTH, "the tutorial ignores it");
    world.command(configure(vec![property("no-quorum-policy", "stop")]));
    world.settle();
    assert_eq!(world.running(), [""; 0]);
    world.status(StatusChange::Quorum(true));
    world.settle();
    assert_eq!(world.running(), BOTH);
}

#[test]
fn what_another_agent_did_is_forgotten_under_the_name_that_the_nodes_have_for_an_instance() {
    let mut world = World::new(decide);
    let other = Primitive { agent: agent("heartbeat", "apache"), ..nginx() };
    world.command(configure(vec![Change::Put { object: Object::Primitive(other), mode: PutMode::Upsert }]));
    world.settle();
    assert_eq!(world.running(), BOTH, "{}", world.story);
    assert!(world.engine.is_idle());
    let histories = world.cib.status.nodes.iter().flat_map(|state| &state.resources);
    let of_server: Vec<_> = histories.filter(|of| of.id == "Nginx").map(|of| of.agent.kind.as_str()).collect();
    assert_eq!(of_server, ["apache", "apache"], "{}", world.story);
    assert!(decide(&world.cib).actions.is_empty(), "{}", world.story);
    world.assert_agreed();
}

#[test]
fn fencing_without_a_device_starts_nothing() {
    let mut world = World::new(decide);
    standby(&mut world, "primary", true);
    standby(&mut world, "secondary", true);
    assert_eq!(world.running(), [""; 0]);
    world.command(configure(vec![property("stonith-enabled", "true")]));
    standby(&mut world, "primary", false);
    assert_eq!(world.running(), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_address_is_never_twice_and_in_the_end_all_is_up(
        steps in prop::collection::vec(any_step(), 0..120),
    ) {
        let mut world = World::new(decide);
        for (count, step) in (0..).zip(steps) {
            world.step(step, count, &["FloatIP", "Nginx"]);
            world.assert_one_at_a_time();
            prop_assert!(world.started_again.is_empty(), "{:?}\n{}", world.started_again, world.story);
            let addresses = world.running().iter().filter(|up| up.starts_with("FloatIP")).count();
            prop_assert!(addresses <= 1, "{}", world.story);
        }
        world.calm_down();
        prop_assert!(world.engine.is_idle(), "{:?}", world.engine.awaited());
        let running = world.running();
        let addresses = running.iter().filter(|up| up.starts_with("FloatIP")).count();
        // Nobody monitors the tutorial's address, so one that died stays away until it is looked for.
        prop_assert!(addresses <= 1 && running.len() == addresses + 2, "{running:?}\n{}", world.story);
        world.status(StatusChange::ForgetHistory { resource: None, node: None });
        world.settle();
        prop_assert_eq!(world.running().len(), 3, "{}", world.story);
        world.assert_agreed();
    }
}
