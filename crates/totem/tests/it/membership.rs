//! Who is in and who is out.

use std::time::Duration;

use hac_totem::{GatherReason, Guarantee, Notice};
use hac_types::{Departure, NodeId, ViewKind};

use crate::checks::check;
use crate::net::{Net, config, ms};

#[test]
fn two_nodes_form_one_ring_without_a_singleton_before() {
    let mut net = Net::new(1, 2, 1);
    net.start_all();
    let took = net.run_until_formed(ms(1000));
    assert!(took < ms(100), "{took:?}");
    assert_eq!(net.regular_views(1), 1);
    assert_eq!(net.regular_views(2), 1);
    check(&net);
}

#[test]
fn up_to_eight_nodes_form_one_ring() {
    for nodes in 3..=8 {
        let mut net = Net::new(u64::from(nodes), nodes, 1);
        net.start_all();
        let took = net.run_until_formed(ms(2000));
        assert!(took < ms(500), "{nodes} nodes: {took:?}");
        net.run(ms(2000));
        check(&net);
    }
}

#[test]
fn a_node_alone_is_a_ring_after_listening() {
    let mut net = Net::new(2, 2, 1);
    net.start(1);
    net.run(ms(150));
    assert!(net.view(1).is_none());
    net.run(ms(100));
    assert_eq!(net.member_ids(1), [1]);
}

#[test]
fn a_late_node_joins() {
    let mut net = Net::new(3, 3, 1);
    net.start(1);
    net.run(ms(1000));
    net.start(2);
    net.run_until_ring(&[1, 2], ms(1000));
    net.run(ms(1000));
    net.start(3);
    net.run_until_ring(&[1, 2, 3], ms(1000));
    let view = net.view(1).unwrap();
    assert_eq!(view.continuing, [NodeId(1), NodeId(2)]);
    assert_eq!(net.view(3).unwrap().continuing, [NodeId(3)]);
    check(&net);
}

#[test]
fn a_dead_peer_is_noticed_within_four_hundred_milliseconds() {
    let mut times = Vec::new();
    for seed in 0..40 {
        let mut net = Net::formed(seed, 2, 1);
        let phase = net.random.below(700);
        net.run(ms(3000 + phase));
        let victim = 1 + (seed % 2) as u32;
        net.crash(victim);
        times.push(net.run_until_ring(&[3 - victim], ms(2000)));
        let left = &net.view(3 - victim).unwrap().left;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].departure, Departure::Lost);
        check(&net);
    }
    times.sort_unstable();
    assert!(times[times.len() / 2] < ms(400), "median {:?}", times[times.len() / 2]);
    assert!(times[times.len() - 1] < ms(500), "worst {:?}", times[times.len() - 1]);
}

#[test]
fn a_pause_of_three_hundred_milliseconds_changes_nothing() {
    for seed in 0..40 {
        let mut net = Net::formed(seed, 2, 1);
        let phase = net.random.below(700);
        net.run(ms(3000 + phase));
        net.pause(1 + (seed % 2) as u32, ms(300));
        net.run(ms(3000));
        assert_eq!((net.regular_views(1), net.regular_views(2)), (1, 1), "seed {seed}");
    }
}

#[test]
fn one_of_five_dies_and_four_go_on() {
    for victim in 1..=5 {
        let mut net = Net::formed(u64::from(victim), 5, 1);
        net.run(ms(3000));
        net.crash(victim);
        let rest: Vec<u32> = (1..=5).filter(|n| *n != victim).collect();
        let took = net.run_until_ring(&rest, ms(3000));
        assert!(took < ms(1300), "{took:?}");
        net.run(ms(3000));
        for node in rest {
            assert_eq!(net.regular_views(node), 2, "victim {victim}: one change at {node}");
        }
        check(&net);
    }
}

#[test]
fn whichever_three_of_eight_die_at_once_there_is_one_new_view() {
    for victims in (0_u32..1 << 8).filter(|set| set.count_ones() == 3) {
        let (dead, left): (Vec<u32>, Vec<u32>) = (1..=8).partition(|node| victims & 1 << (node - 1) != 0);
        let mut net = Net::formed(u64::from(victims), 8, 1);
        net.run(ms(3000));
        dead.iter().for_each(|victim| net.crash(*victim));
        net.run_until_ring(&left, ms(3000));
        net.run(ms(3000));
        for node in left {
            assert_eq!(net.regular_views(node), 2, "{dead:?} died: node {node}");
        }
        check(&net);
    }
}

/// Lets a whole cluster run for so long on a machine that has too little processor: each host often waits for it.
fn run_starved(net: &mut Net, time: Duration) {
    let end = net.now + time;
    while net.now < end {
        for node in net.running() {
            if net.random.chance(100) {
                let wait = net.random.below(150);
                net.pause(node, ms(wait));
            }
        }
        net.run(ms(20));
    }
}

#[test]
fn three_of_eight_die_on_a_busy_machine_and_there_is_one_new_view() {
    for seed in 0..20 {
        let mut net = Net::formed(seed, 8, 1);
        run_starved(&mut net, ms(3000));
        let before: Vec<usize> = (1..=8).map(|node| net.regular_views(node)).collect();
        for victim in [1, 4, 8] {
            net.crash(victim);
        }
        run_starved(&mut net, ms(8000));
        for node in [2, 3, 5, 6, 7] {
            assert_eq!(net.member_ids(node), [2, 3, 5, 6, 7], "seed {seed}");
            let new = net.regular_views(node) - before[node as usize - 1];
            assert_eq!(new, 1, "seed {seed}: node {node} saw {new} new views");
        }
        check(&net);
    }
}

#[test]
fn who_leaves_is_out_at_once_and_its_reason_is_known_to_all() {
    for (nodes, clean) in [(2, true), (3, false), (5, true)] {
        let mut net = Net::formed(u64::from(nodes), nodes, 1);
        net.run(ms(2000));
        net.leave(nodes, clean);
        let rest: Vec<u32> = (1..nodes).collect();
        let took = net.run_until_ring(&rest, ms(1000));
        assert!(took < ms(50), "{took:?}");
        for node in &rest {
            let left = &net.view(*node).unwrap().left;
            let expected = if clean { Departure::LeftClean } else { Departure::LeftUnclean };
            assert_eq!((left[0].member.node, left[0].departure), (NodeId(nodes), expected));
            let reasons = net.notices(*node);
            assert!(
                reasons
                    .iter()
                    .any(|n| matches!(n, Notice::GatherEntered { reason } if *reason != GatherReason::Silence))
            );
        }
        check(&net);
    }
}

#[test]
fn a_restarted_node_is_a_new_participant() {
    for (node, down) in [(1, 0), (1, 50), (2, 50), (2, 5000)] {
        let mut net = Net::formed(down, 2, 1);
        net.run(ms(2000));
        net.crash(node);
        net.run(ms(down));
        net.start(node);
        net.run_until_formed(ms(2000));
        let survivor = 3 - node;
        assert_eq!(net.view(survivor).unwrap().continuing, [NodeId(survivor)]);
        assert_eq!(net.view(node).unwrap().continuing, [NodeId(node)]);
        net.run(ms(2000));
        check(&net);
    }
}

#[test]
fn a_node_that_lost_its_disk_is_taken_back() {
    let mut net = Net::formed(9, 2, 1);
    net.run(ms(2000));
    net.crash(2);
    net.lose_disk(2);
    net.run(ms(50));
    net.start(2);
    net.run_until_formed(ms(5000));
    check(&net);
}

#[test]
fn a_partition_makes_two_rings_and_healing_makes_one() {
    let mut net = Net::formed(4, 4, 1);
    net.run(ms(2000));
    net.partition(&[1, 2]);
    net.run(ms(3000));
    assert!(net.is_formed(&[1, 2]) && net.is_formed(&[3, 4]));
    net.air.heal();
    let took = net.run_until_formed(ms(5000));
    assert!(took < ms(1500), "{took:?}");
    check(&net);
}

#[test]
fn a_resumed_node_sees_itself_away() {
    let mut net = Net::formed(6, 2, 1);
    net.run(ms(2000));
    net.pause(1, ms(10_000));
    net.run(ms(11_000));
    net.run_until_formed(ms(3000));
    let views = net.views(1);
    let transitional = views.iter().rev().find(|v| v.kind == ViewKind::Transitional).unwrap();
    assert_eq!(transitional.members.len(), 1);
    assert_eq!(transitional.left.len(), 1);
    assert!(net.notices(1).iter().any(|n| matches!(n, Notice::PauseDetected { .. })));
    assert_eq!(net.regular_views(2), 3, "one leave, one rejoin");
    check(&net);
}

#[test]
fn what_lay_in_the_socket_does_not_end_the_doubt_after_a_pause() {
    // Shorter than what makes a node drop all that waits in its socket, longer than the others wait.
    for phase in (0..600).step_by(100) {
        for node in 1..=2 {
            let mut net = Net::formed(12, 2, 1);
            net.run(ms(2000 + phase));
            net.pause(node, ms(1200));
            net.run(ms(4000));
            assert!(net.regular_views(3 - node) > 1, "the other went on");
            let told = net.notices(node);
            assert!(told.iter().any(|n| matches!(n, Notice::PauseDetected { .. })));
            assert!(!told.iter().any(|n| matches!(n, Notice::PauseOver)), "phase {phase}: node {node} was left out");
            check(&net);
        }
    }
}

#[test]
fn a_pause_for_which_the_others_waited_is_over_soon() {
    let mut config = config(3, 1);
    config.timers.adaptive = false;
    for node in 1..=3 {
        let mut net = Net::with_config(13, config.clone());
        net.start_all();
        net.run_until_formed(ms(2000));
        net.run(ms(3000));
        net.pause(node, ms(1000));
        net.run(ms(1000));
        let over = |net: &Net| net.notices(node).iter().any(|n| matches!(n, Notice::PauseOver));
        let end = net.now + ms(900);
        assert!(net.run_while(end, |net| !over(net)), "node {node} doubts without end");
        for other in 1..=3 {
            assert_eq!(net.regular_views(other), 1);
        }
    }
}

#[test]
fn who_cannot_be_given_what_it_lacks_keeps_nobody_from_a_new_ring() {
    let mut net = Net::formed(8, 3, 1);
    net.run(ms(2000));
    // Messages alone: where no large datagram passes, the link is down.
    net.air.keep_from(3, &[4]);
    for number in 0..20 {
        assert!(net.send(1, vec![number; 500], Guarantee::Agreed));
    }
    net.run(ms(20));
    net.crash(2);
    net.run_until_ring(&[1], ms(10_000));
    assert!(net.notices(3).iter().any(|n| matches!(n, Notice::FailedToReceive)));
    assert!(net.notices(3).iter().any(|n| matches!(n, Notice::RecoveryEntered { .. })));
    net.air.keep_from(3, &[]);
    net.run_until_formed(ms(20_000));
    check(&net);
}

#[test]
fn a_cut_in_one_direction_settles_without_flapping() {
    let mut net = Net::formed(7, 2, 1);
    net.run(ms(2000));
    net.air.cut_way(1, 2);
    net.run(ms(10_000));
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    assert_eq!((net.regular_views(1), net.regular_views(2)), (2, 2));
    net.air.heal();
    net.run_until_formed(ms(3000));
    check(&net);
}

#[test]
fn connectivity_that_is_not_transitive_settles() {
    for (nodes, cuts) in [(3, vec![(1, 3)]), (4, vec![(1, 2)]), (5, vec![(1, 5), (2, 4)])] {
        let mut net = Net::formed(u64::from(nodes), nodes, 1);
        net.run(ms(2000));
        for (a, b) in &cuts {
            net.air.cut_pair(*a, *b);
        }
        net.run(ms(10_000));
        let before: Vec<usize> = (1..=nodes).map(|n| net.regular_views(n)).collect();
        net.run(ms(60_000));
        let after: Vec<usize> = (1..=nodes).map(|n| net.regular_views(n)).collect();
        assert_eq!(before, after, "{nodes} nodes keep changing");
        assert!(after.iter().all(|views| *views <= 4), "{after:?}");
        net.air.heal();
        net.run_until_formed(ms(15_000));
        check(&net);
    }
}

#[test]
fn a_hint_that_nobody_listens_shortens_the_wait_and_cannot_remove_the_living() {
    let mut net = Net::formed(8, 2, 1);
    net.run(ms(2000));
    net.unreachable_hints = true;
    net.crash(2);
    let before = net.hosts[&1].transmitted;
    let took = net.run_until_ring(&[1], ms(1000));
    assert!(took < ms(300), "{took:?}");
    let sent = net.hosts[&1].transmitted - before;
    assert!(sent < 60, "{sent} datagrams were sent to a port where nobody listens");

    let mut net = Net::formed(8, 2, 1);
    net.run(ms(2000));
    for _ in 0..100 {
        let now = net.now;
        net.hosts.get_mut(&1).unwrap().engine.as_mut().unwrap().handle_unreachable(
            now,
            hac_types::LinkId(0),
            NodeId(2),
        );
        net.drain(1);
        net.run(ms(20));
    }
    assert_eq!(net.regular_views(1), 1);
}

#[test]
fn a_flood_of_hints_does_not_make_a_pause_a_death() {
    let mut net = Net::formed(9, 2, 1);
    net.run(ms(2000));
    for round in 0..100_u64 {
        if round.is_multiple_of(5) {
            net.pause(2, ms(250));
        }
        for _ in 0..30 {
            let now = net.now;
            let engine = net.hosts.get_mut(&1).unwrap().engine.as_mut().unwrap();
            engine.handle_unreachable(now, hac_types::LinkId(0), NodeId(2));
            engine.handle_too_big(now, hac_types::LinkId(0), NodeId(2));
            net.drain(1);
            net.run(ms(10));
        }
    }
    // The first hint may meet a pause; from then on they are ignored for a minute.
    assert!(net.regular_views(1) <= 3, "{} views", net.regular_views(1));
    assert!(net.is_formed(&[1, 2]));
    check(&net);
}

#[test]
fn a_node_that_slept_through_the_restart_of_another_is_taken_back_by_all() {
    for phase in (0..4000).step_by(500) {
        let mut net = Net::formed(phase, 5, 2);
        net.run(ms(2000));
        net.pause(3, ms(8000));
        net.run(ms(phase));
        net.crash(5);
        net.run(ms(phase / 2));
        net.start(5);
        net.run(ms(8000 - phase - phase / 2));
        let took = net.run_until_formed(ms(10_000));
        assert!(took < ms(5000), "restart after {phase} ms of sleep: {took:?}");
        net.run(ms(2000));
        check(&net);
    }
}
