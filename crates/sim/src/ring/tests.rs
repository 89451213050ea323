//! Flow control: what becomes of a ring one of whose members is slow.

use super::*;

/// The slow host.
const SLOW: u32 = 3;

/// A ring of three in service, each of whose members sends every two milliseconds on average.
fn busy() -> World {
    let mut world = World::new(Options::directed(3), false);
    for id in 1..=3 {
        world.start_after(id, Duration::ZERO);
    }
    world.run(Duration::from_secs(3)).expect("runs");
    world.pace = Duration::from_millis(2);
    world.run(Duration::from_secs(1)).expect("runs");
    world
}

fn views(world: &World) -> Vec<u64> {
    world.hosts.values().map(|host| host.stats().expect("runs").views).collect()
}

/// How many messages of `origin` were delivered at `host`.
fn delivered(world: &World, host: u32, origin: u32) -> usize {
    let lives = world.history.processes.iter().filter(|((id, _), _)| *id == host);
    let items = lives.flat_map(|(_, process)| &process.items);
    items.filter(|item| matches!(item, Item::Delivered { origin: from, .. } if *from == NodeId(origin))).count()
}

/// For ten seconds the slow host runs for only so long of every 100 ms.
fn slow_down(world: &mut World, runs: u64) {
    for _ in 0..100 {
        world.run(Duration::from_millis(runs)).expect("runs");
        world.pause_host(SLOW, Duration::from_millis(100 - runs));
        world.run(Duration::from_millis(100 - runs)).expect("runs");
    }
}

#[test]
fn a_member_that_runs_a_tenth_of_the_time_is_neither_evicted_nor_starved() {
    let mut world = busy();
    let before = views(&world);
    let sent: Vec<u64> = world.hosts.values().map(|host| host.sent).collect();
    let received: Vec<usize> = (1..=3).map(|origin| delivered(&world, 1, origin)).collect();
    slow_down(&mut world, 10);
    world.pace = Duration::from_secs(3600);
    world.run(Duration::from_secs(3)).expect("runs");
    assert_eq!(views(&world), before, "the membership is the same");
    for (index, origin) in (1..=3).enumerate() {
        let sent = world.hosts[&origin].sent - sent[index];
        let arrived = delivered(&world, 1, origin) - received[index];
        // What was on its way before the count began may have come after it.
        assert!(arrived as u64 >= sent, "of {sent} messages of {origin} {arrived} arrived");
        assert!(sent > 100, "{origin} sent {sent}");
    }
}

#[test]
fn what_a_slow_member_sends_passes_the_crowd_of_the_others() {
    let mut world = busy();
    slow_down(&mut world, 50);
    // Its queue does not grow: each visit of the token takes what waits, whatever the others have.
    let waiting = world.hosts[&SLOW].stats().expect("runs").queued;
    assert!(waiting < 100, "{waiting} messages wait");
}
