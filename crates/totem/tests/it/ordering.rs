//! Messages: order, guarantees, loss, size.

use std::time::Duration;

use hac_totem::{Guarantee, Notice};
use hac_types::NodeId;

use crate::checks::check;
use crate::net::{Net, ms};

fn payload(node: u32, number: u64, size: usize) -> Vec<u8> {
    let mut payload = vec![number.to_le_bytes()[0]; size.max(12)];
    payload[..4].copy_from_slice(&node.to_le_bytes());
    payload[4..12].copy_from_slice(&number.to_le_bytes());
    payload
}

#[test]
fn everybody_delivers_everything_in_one_order() {
    for nodes in [1, 2, 3, 5] {
        let mut net = Net::formed(u64::from(nodes), nodes, 1);
        for number in 0..200 {
            for node in 1..=nodes {
                let guarantee = if number % 3 == 0 { Guarantee::Safe } else { Guarantee::Agreed };
                assert!(net.send(node, payload(node, number, 50), guarantee));
            }
            net.run(Duration::from_micros(300));
        }
        net.run(ms(1000));
        for node in 1..=nodes {
            assert_eq!(net.deliveries(node).len(), 200 * nodes as usize, "{nodes} nodes, node {node}");
        }
        assert_eq!(net.regular_views(1), 1);
        check(&net);
    }
}

#[test]
fn the_first_safe_message_on_an_idle_ring_takes_about_two_round_trips() {
    for sender in 1..=2 {
        let mut net = Net::formed(1, 2, 1);
        net.run(ms(3000));
        let start = net.now;
        net.send(sender, payload(sender, 1, 100), Guarantee::Safe);
        let done = net.run_while(start + ms(100), |net| (1..=2).any(|n| net.deliveries(n).is_empty()));
        assert!(done);
        let took = net.now.since(start);
        assert!(took <= Duration::from_micros(500), "from {sender}: {took:?} at 200 us a round trip");
    }
}

#[test]
fn a_megabyte_arrives_whole_between_small_messages() {
    let mut net = Net::formed(1, 3, 1);
    net.send(1, payload(1, 1, 10), Guarantee::Safe);
    net.send(1, payload(1, 2, 1 << 20), Guarantee::Safe);
    net.send(2, payload(2, 3, 900_000), Guarantee::Agreed);
    net.send(1, payload(1, 4, 10), Guarantee::Agreed);
    net.run(ms(3000));
    for node in 1..=3 {
        assert_eq!(net.deliveries(node).len(), 4, "node {node}");
    }
    check(&net);
}

#[test]
fn loss_duplication_and_reordering_are_repaired() {
    for seed in 0..10 {
        let mut net = Net::formed(seed, 3, 1);
        net.air.weather.loss = 50;
        net.air.weather.duplication = 50;
        net.air.weather.jitter = Duration::from_micros(500);
        for number in 0..100 {
            for node in 1..=3 {
                net.send(node, payload(node, number, 400), Guarantee::Safe);
            }
            net.run(ms(2));
        }
        net.run(ms(3000));
        for node in 1..=3 {
            assert_eq!(net.deliveries(node).len(), 300, "seed {seed}, node {node}");
            assert_eq!(net.regular_views(node), 1, "seed {seed}, node {node}");
        }
        check(&net);
    }
}

#[test]
fn what_was_in_flight_when_the_sender_died_is_the_same_for_all_survivors() {
    for seed in 0..30 {
        let mut net = Net::formed(seed, 3, 1);
        net.air.weather.loss = 100;
        for number in 0..50 {
            for node in 1..=3 {
                net.send(node, payload(node, number, 300), Guarantee::Safe);
            }
        }
        let outputs = net.random.below(200);
        net.crash_after_outputs(1, outputs);
        net.run(ms(500));
        net.crash(1);
        net.air.weather.loss = 0;
        net.run_until_ring(&[2, 3], ms(5000));
        net.run(ms(1000));
        for node in 2..=3 {
            let own = net.deliveries(node).iter().filter(|d| d.origin.0 == node).count();
            assert_eq!(own, 50, "seed {seed}: node {node} delivers its own");
        }
        check(&net);
    }
}

#[test]
fn an_idle_ring_is_quiet() {
    let mut net = Net::formed(1, 2, 1);
    net.run(ms(5000));
    let before = net.hosts[&1].transmitted;
    net.run(ms(10_000));
    let per_second = (net.hosts[&1].transmitted - before) / 10;
    assert!(per_second <= 25, "{per_second} datagrams a second");
}

#[test]
fn members_with_different_windows_stay_together_and_say_so() {
    let mut net = Net::new(31, 2, 1);
    let mut wide = net.config.clone();
    wide.node = NodeId(1);
    (wide.window_size, wide.max_messages) = (1000, 1000);
    net.start_with(1, wide);
    net.start(2);
    net.run_until_formed(ms(2000));
    for number in 0..3000 {
        assert!(net.send(1, payload(1, number, 1000), Guarantee::Agreed));
    }
    net.run(ms(8000));
    for node in 1..=2 {
        assert_eq!(net.deliveries(node).len(), 3000);
        assert_eq!(net.regular_views(node), 1);
        assert!(net.notices(node).iter().any(|notice| matches!(notice, Notice::ConfigDiffers { .. })));
    }
    check(&net);
}
