//! A ring has one level.

use hac_totem::{Contract, GatherReason, Notice};
use hac_types::{Level, LevelWindow, NodeId};

use crate::checks::check;
use crate::net::{Net, ms};

/// Hosts that know levels 1 to `max` and have `level` stored; a host for each.
fn started(seed: u64, hosts: &[(u16, u16)]) -> Net {
    let mut net = Net::new(seed, u32::try_from(hosts.len()).unwrap(), 1);
    for (node, (max, level)) in (1..).zip(hosts) {
        let mut config = net.config.clone();
        config.node = NodeId(node);
        let levels = LevelWindow { min: Level(1), max: Level(*max) };
        config.contract = Contract { levels, level: Level(*level), ..Contract::default() };
        net.start_with(node, config);
    }
    net
}

fn levels(net: &Net) -> Vec<u16> {
    net.nodes().iter().map(|node| net.view(*node).map_or(0, |view| view.level.0)).collect()
}

fn set_level(net: &mut Net, node: u32, level: u16) -> bool {
    let now = net.now;
    let set = net.hosts.get_mut(&node).unwrap().engine.as_mut().unwrap().set_level(now, Level(level));
    net.drain(node);
    set.is_ok()
}

#[test]
fn a_new_cluster_begins_at_the_highest_level_that_all_know() {
    let mut net = started(1, &[(3, 0), (2, 0), (3, 0)]);
    net.run_until_formed(ms(2000));
    assert_eq!(levels(&net), [2, 2, 2]);
    assert!(set_level(&mut net, 1, 2));
    net.run(ms(1000));
    assert_eq!(net.regular_views(1), 1, "it is the level of the ring already");
    net.crash(2);
    net.run_until_ring(&[1, 3], ms(3000));
    assert_eq!(levels(&net), [2, 0, 2], "from now on it stays, though both know more");
    check(&net);
}

#[test]
fn the_highest_active_level_is_that_of_the_ring_and_active_from_then_on() {
    let mut net = started(2, &[(3, 1), (3, 2), (3, 0)]);
    net.run_until_formed(ms(2000));
    assert_eq!(levels(&net), [2, 2, 2]);
    let told = Notice::LevelTakenOver { level: Level(2), from: NodeId(2) };
    assert!(net.notices(1).contains(&&told), "{:?}", net.notices(1));
    assert!(!net.notices(3).contains(&&told), "it had none");
    net.crash(2);
    net.run_until_ring(&[1, 3], ms(5000));
    assert_eq!(net.view(1).unwrap().level, Level(2));
    check(&net);
}

#[test]
fn a_level_that_one_raised_is_that_of_all_in_the_next_ring() {
    let mut net = started(3, &[(2, 1), (2, 1), (2, 1)]);
    net.run_until_formed(ms(2000));
    net.run(ms(500));
    let ring = net.view(1).unwrap().ring;
    assert!(set_level(&mut net, 3, 2));
    net.run_while(net.now + ms(3000), |net| !(net.is_formed(&[1, 2, 3]) && net.view(1).unwrap().ring != ring));
    assert_eq!(levels(&net), [2, 2, 2]);
    let why = |notice: &&Notice| matches!(notice, Notice::GatherEntered { reason: GatherReason::Level });
    assert!(net.notices(3).iter().any(why));
    assert_eq!(net.regular_views(1), 2, "one change of view");
    let ring = net.view(1).unwrap().ring;
    assert!((1..=3).all(|node| set_level(&mut net, node, 2)));
    net.run(ms(2000));
    assert_eq!(net.view(1).unwrap().ring, ring, "it is the level of the ring already");
    check(&net);
}

#[test]
fn a_level_that_all_lower_one_after_the_other_is_that_of_the_next_ring() {
    let mut net = started(5, &[(2, 2), (2, 2), (2, 2)]);
    net.run_until_formed(ms(2000));
    net.run(ms(500));
    for node in 1..=3 {
        assert!(set_level(&mut net, node, 1));
        net.run(ms(20));
    }
    net.run(ms(4000));
    assert_eq!(levels(&net), [1, 1, 1]);
    assert_eq!(net.regular_views(1), 2, "one change of view");
    // What one alone wants to lower stays as it is.
    assert!(set_level(&mut net, 1, 2));
    net.run(ms(4000));
    assert!(set_level(&mut net, 1, 1));
    net.run(ms(4000));
    assert_eq!(levels(&net), [2, 2, 2]);
    check(&net);
}

#[test]
fn a_level_that_is_not_known_is_refused() {
    let mut net = started(4, &[(2, 1), (2, 1)]);
    net.run_until_formed(ms(2000));
    assert!(!set_level(&mut net, 1, 3) && !set_level(&mut net, 1, 0));
    net.run(ms(2000));
    assert_eq!((levels(&net), net.regular_views(1)), (vec![1, 1], 1));
}
