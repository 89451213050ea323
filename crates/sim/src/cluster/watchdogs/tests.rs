//! Tests: three hosts with watchdogs and no other fence device.

use super::*;
use crate::cluster::{Chaos, Power};
use crate::options::Options;
use crate::power::Fencing;
use crate::tutorial::ADDRESS;

/// Three hosts whose watchdogs are armed, settled.
fn three() -> World {
    let fencing = Some(Fencing::watchdogs_alone());
    let mut world = World::new(Options { fencing, ..Options::directed(3) }, false);
    (1..=3).for_each(|id| world.start_after(id, Duration::from_millis(u64::from(id))));
    assert_eq!(world.run_until(Duration::from_secs(60), World::is_settled), Ok(true), "{}", world.standings());
    assert!(world.hosts.values().all(|host| host.dog.counts), "all watchdogs are armed");
    world
}

fn holder(world: &World) -> u32 {
    world.reality.places(ADDRESS)[0]
}

/// All are together in the end.
fn is_whole(world: &World) -> bool {
    world.is_settled() && world.hosts.values().all(|host| host.node.is_some())
}

#[test]
fn a_host_that_does_not_run_for_longer_than_its_watchdog_waits_is_reset_before_others_start_anything() {
    let mut world = three();
    let lost = holder(&world);
    world.pause_host(lost, Duration::from_secs(40));
    assert_eq!(world.run(TIMES.timeout + Duration::from_millis(10)), Ok(()));
    assert!(world.reality.is_off(lost), "it has no power any more");
    assert_eq!(world.reality.places(ADDRESS), [0; 0], "nobody has started it before");
    assert_eq!(world.run_until(Duration::from_secs(120), is_whole), Ok(true), "{}", world.standings());
    assert_eq!(world.reality.places(ADDRESS).len(), 1);
}

#[test]
fn what_ran_on_a_host_that_stays_away_starts_elsewhere_when_its_watchdog_was_waited_for() {
    let mut world = three();
    let lost = holder(&world);
    world.kill(lost, Power::Off);
    assert_eq!(world.run(TIMES.stop + TIMES.timeout), Ok(()));
    assert_eq!(world.reality.places(ADDRESS), [0; 0], "it may live");
    let elsewhere = |world: &World| world.reality.places(ADDRESS).first().is_some_and(|place| *place != lost);
    assert_eq!(world.run_until(Duration::from_secs(60), elsewhere), Ok(true), "{}", world.standings());
    assert!(world.checks.executed.get("DOG-1").is_some_and(|times| *times > 0), "it was waited for");
    world.start_after(lost, Duration::from_secs(1));
    assert_eq!(world.run_until(Duration::from_secs(90), is_whole), Ok(true), "{}", world.standings());
}

#[test]
fn a_pause_that_is_shorter_resets_nobody() {
    let mut world = three();
    let lost = holder(&world);
    world.pause_host(lost, Duration::from_secs(4));
    assert_eq!(world.run(Duration::from_secs(40)), Ok(()));
    assert!(world.powers.taken.is_empty());
    assert_eq!(world.run_until(Duration::from_secs(60), World::is_settled), Ok(true), "{}", world.standings());
}

#[test]
fn a_daemon_that_dies_is_followed_by_one_in_time_or_by_a_reset() {
    for (after, resets) in [(2, 0), (20, 1)] {
        let mut world = three();
        let lost = holder(&world);
        world.kill(lost, Power::Stays);
        world.start_after(lost, Duration::from_secs(after));
        assert_eq!(world.run(Duration::from_secs(15)), Ok(()));
        assert_eq!(world.powers.taken.len(), resets, "back after {after} s");
        assert_eq!(world.run_until(Duration::from_secs(120), is_whole), Ok(true), "{}", world.standings());
    }
}

#[test]
fn who_is_cut_off_stops_in_time_and_is_not_reset() {
    let mut world = three();
    let lost = holder(&world);
    let others: Vec<u32> = (1..=3).filter(|id| *id != lost).collect();
    world.net.partition(&[vec![lost], others]);
    assert_eq!(world.run(Duration::from_secs(60)), Ok(()));
    assert!(world.powers.taken.is_empty(), "nobody was reset");
    assert_ne!(world.reality.places(ADDRESS), [lost]);
    world.net.heal();
    assert_eq!(world.run_until(Duration::from_secs(60), World::is_settled), Ok(true), "{}", world.standings());
}

#[test]
fn whatever_happens_nothing_runs_on_a_host_that_counts_as_gone() {
    let mut waited = 0;
    for seed in 1..=24 {
        let nodes = 3 + u32::try_from(seed % 2).expect("small");
        let options = Options { fencing: Some(Fencing::watchdogs_alone()), ..Options::of(seed, Some(nodes)) };
        let mut world = World::new(options, false);
        let ended = Chaos::new(seed).run(&mut world);
        assert_eq!(ended, Ok(()), "seed {seed} with {nodes} hosts: {}", world.standings());
        waited += world.checks.executed.get("DOG-1").copied().unwrap_or_default();
    }
    assert!(waited > 0, "no watchdog was ever waited for");
}
