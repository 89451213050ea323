//! Live migrations under the real scheduler, and coordinators that change on the way.

use std::time::Duration;

use proptest::prelude::*;

use super::chaos::any_step;
use super::world::World;
use crate::cib::StatusChange;
use crate::cib::fixtures::{NOW, operation, pairs, primitive};
use crate::transition_engine::Abort;
use hac_model::{Primitive, Resource};
use hac_scheduler::schedule;

/// The tutorial's cluster, and a machine that can migrate, on `primary`. It is configured as a stored state may have it:
/// a person is not allowed to yet.
fn machine() -> World {
    let mut world = World::new(|cib| schedule(cib, NOW));
    world.barriers = true;
    let machine = Primitive {
        meta: pairs(&[("allow-migrate", "true"), ("resource-stickiness", "1")]),
        operations: vec![operation("monitor", "10s", "20s")],
        ..primitive("vm")
    };
    world.cib.configuration.resources.insert(0, Resource::Primitive(machine));
    world.engine.abort(world.now, Abort::Configuration);
    world.settle();
    if world.running().contains(&"vm@secondary".to_owned()) {
        world.standby("secondary", true);
        world.settle();
        world.standby("secondary", false);
        world.settle();
    }
    assert!(world.running().contains(&"vm@primary".to_owned()), "{}", world.story);
    world.story.clear();
    world
}

/// What was done with the machine, in order.
fn of_machine(world: &World) -> Vec<String> {
    let lines = world.story.lines().filter_map(|line| line.get(6..));
    lines.filter(|line| line.contains(": vm ") && !line.contains("monitor")).map(str::to_owned).collect()
}

/// Whether an agent of the machine is at this.
fn is_at(world: &World, action: &str) -> bool {
    world.agents.iter().any(|(_, of)| of.resource == "vm" && of.action == action)
}

/// The machine's agent ends.
fn end(world: &mut World) {
    let index = world.agents.iter().position(|(_, of)| of.resource == "vm").expect("it runs");
    world.answer(index);
}

/// The machine leaves `primary`, until its agent is at `action`.
fn migrating(action: &str) -> World {
    let mut world = machine();
    world.standby("primary", true);
    while !is_at(&world, action) {
        assert!(world.deliver() || world.answer(0), "it migrates:\n{}", world.story);
    }
    while world.deliver() {}
    world
}

const MIGRATED: [&str; 3] = ["primary: vm migrate_to -> 0", "secondary: vm migrate_from -> 0", "primary: vm stop -> 0"];

#[test]
fn a_machine_moves_without_a_start() {
    let mut world = machine();
    world.standby("primary", true);
    world.settle();
    assert_eq!(of_machine(&world), MIGRATED, "{}", world.story);
    assert!(world.running().contains(&"vm@secondary".to_owned()), "{:?}", world.running());
    world.assert_agreed();
}

#[test]
fn the_next_coordinator_takes_up_a_half_that_is_under_way() {
    for action in ["migrate_to", "migrate_from"] {
        for ends_first in [false, true] {
            let mut world = migrating(action);
            if ends_first {
                end(&mut world);
            }
            world.new_coordinator("v".into());
            world.drain();
            if !ends_first {
                end(&mut world);
            }
            world.settle();
            assert_eq!(of_machine(&world), MIGRATED, "{action}, ended first: {ends_first}\n{}", world.story);
            assert!(world.engine.is_idle() && world.running().contains(&"vm@secondary".to_owned()));
            world.assert_agreed();
        }
    }
}

/// Seed 4026 of the simulator: what another order's result said took the place of what told where the machine is.
#[test]
fn the_next_coordinator_orders_nothing_else_of_a_machine_before_a_half_that_is_under_way_has_ended() {
    for ends_well in [true, false] {
        let mut world = migrating("migrate_to");
        if !ends_well {
            world.broken.push(("primary".into(), "vm".into()));
        }
        // It is to be stopped now, and stay so.
        let resources = &mut world.cib.configuration.resources;
        let machine = resources.iter_mut().find_map(|resource| match resource {
            Resource::Primitive(primitive) if primitive.id == "vm" => Some(primitive),
            _ => None,
        });
        machine.expect("it is configured").meta =
            pairs(&[("allow-migrate", "true"), ("resource-stickiness", "1"), ("target-role", "Stopped")]);
        world.new_coordinator("v".into());
        world.drain();
        assert!(of_machine(&world).is_empty() && is_at(&world, "migrate_to"), "{}", world.story);
        end(&mut world);
        world.settle();
        assert!(!world.running().iter().any(|up| up.starts_with("vm")), "{:?}\n{}", world.running(), world.story);
        assert!(world.engine.is_idle(), "{:?}", world.engine.awaited());
        world.assert_agreed();
    }
}

/// To the scheduler, as to Pacemaker's, a stop under way on the source is news that is later than the migration: it takes the
/// machine to be on both nodes.
#[test]
fn the_next_coordinator_does_not_migrate_again_what_has_only_to_be_stopped_on_the_source() {
    for ends_first in [false, true] {
        let mut world = migrating("stop");
        if ends_first {
            end(&mut world);
        }
        world.new_coordinator("v".into());
        world.drain();
        if !ends_first {
            end(&mut world);
        }
        world.settle();
        let halves = of_machine(&world).iter().filter(|line| line.contains("migrate")).count();
        assert_eq!(halves, 2, "{}", world.story);
        assert!(world.running().contains(&"vm@secondary".to_owned()), "{}", world.story);
        world.assert_agreed();
    }
}

#[test]
fn a_half_that_fails_as_the_coordinator_changes_is_followed_by_a_stop_on_both_sides_and_a_start() {
    let mut world = migrating("migrate_to");
    world.broken.push(("primary".into(), "vm".into()));
    world.new_coordinator("v".into());
    world.drain();
    end(&mut world);
    world.settle();
    let done = of_machine(&world);
    assert_eq!(done.first().map(String::as_str), Some("primary: vm migrate_to -> 1"));
    assert_eq!(done.last().map(String::as_str), Some("secondary: vm start -> 0"));
    let mut stops: Vec<&str> = done[1..done.len() - 1].iter().map(String::as_str).collect();
    stops.sort_unstable();
    assert_eq!(stops, ["primary: vm stop -> 0", "secondary: vm stop -> 0"], "{}", world.story);
    world.assert_agreed();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_machine_is_never_twice_and_in_the_end_it_is_up(
        steps in prop::collection::vec(any_step(), 0..120),
    ) {
        let mut world = machine();
        for (count, step) in (0..).zip(steps) {
            world.step(step, count, &["vm"]);
            world.assert_one_at_a_time();
            prop_assert!(world.started_again.is_empty(), "{:?}\n{}", world.started_again, world.story);
            let machines = world.running().iter().filter(|up| up.starts_with("vm")).count();
            prop_assert!(machines <= 1, "{}", world.story);
        }
        world.calm_down();
        world.pass(Duration::from_secs(100));
        prop_assert!(world.engine.is_idle(), "{:?}", world.engine.awaited());
        world.status(StatusChange::ForgetHistory { resource: None, node: None });
        world.settle();
        prop_assert_eq!(world.running().iter().filter(|up| up.starts_with("vm")).count(), 1, "{}", world.story);
        world.assert_agreed();
    }
}
