//! Tests: two nodes that lose each other, each with a way to take the other's power.

use super::*;
use crate::options::Options;
use crate::power::Delays;

/// Two hosts that fence each other honestly, settled.
fn two(seed: u64, delays: Delays) -> World {
    let fencing = Some(Fencing::honest(delays));
    let mut world = World::new(Options { seed, fencing, ..Options::directed(2) }, false);
    world.start_after(1, Duration::ZERO);
    world.start_after(2, Duration::from_millis(seed));
    assert_eq!(world.run_until(Duration::from_secs(60), World::is_settled), Ok(true), "{}", world.standings());
    world
}

#[test]
fn of_two_nodes_that_lose_each_other_one_survives_if_their_delays_differ() {
    for seed in 1..=6 {
        for delays in [Delays::Base, Delays::Priority] {
            let mut world = two(seed, delays);
            let address = world.reality.places(ADDRESS);
            assert_eq!(world.lose_each_other(), Ok(()), "seed {seed}, {delays:?}");
            assert_eq!(world.powers.taken.len(), 1, "seed {seed}, {delays:?}: who comes back does not shoot");
            let survivor = 3 - world.powers.taken[0].0;
            assert_eq!(world.reality.places(ADDRESS), [survivor]);
            if delays == Delays::Priority {
                assert_eq!(address, [survivor], "who had more to do");
            }
        }
    }
}

#[test]
fn without_delays_both_may_be_shot_and_never_do_both_run_what_one_may_run() {
    let mut shot = 0;
    for seed in 1..=6 {
        let mut world = two(seed, Delays::None);
        // The checkers look at every start.
        assert_eq!(world.lose_each_other(), Ok(()), "seed {seed}");
        assert!(world.checks.executed.get("P-8").is_some_and(|times| *times > 0));
        shot = shot.max(world.powers.taken.len());
        assert_eq!(world.run_until(Duration::from_secs(120), World::is_settled), Ok(true), "{}", world.standings());
    }
    assert!(shot >= 1);
}
