//! Two links, and paths that carry only small datagrams.

use std::time::Duration;

use hac_totem::{Guarantee, Notice};
use hac_types::{LinkId, NodeId};

use crate::checks::check;
use crate::net::{Net, config, ms};

fn numbered(number: u64, size: usize) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(size.max(8), 1);
    payload
}

#[test]
fn losing_one_link_changes_no_membership_and_delays_no_message() {
    for link in 0..2 {
        let mut net = Net::formed(u64::from(link), 2, 2);
        net.run(ms(3000));
        net.cut_link(link);
        for number in 0..50 {
            let start = net.now;
            let before = net.deliveries(2).len();
            net.send(1, numbered(number, 200), Guarantee::Safe);
            let done = net.run_while(start + ms(100), |net| net.deliveries(2).len() == before);
            assert!(done, "message {number} after the cut of link {link}");
            net.run(ms(20));
        }
        net.run(ms(5000));
        assert_eq!((net.regular_views(1), net.regular_views(2)), (1, 1), "link {link}");
        let told = net.notices(1).iter().any(|n| matches!(n, Notice::LinkDown { link: l, .. } if l.0 == link));
        assert!(told, "link {link} is reported");
        net.air.heal();
        net.run(ms(2000));
        let up = net.hosts[&1].engine.as_ref().unwrap().links(net.now).iter().all(|status| status.connected);
        assert!(up, "link {link} comes back");
        check(&net);
    }
}

#[test]
fn links_cut_one_after_the_other_keep_the_ring() {
    let mut net = Net::formed(3, 3, 2);
    for round in 0..6 {
        net.cut_link(round % 2);
        net.run(ms(2000));
        net.air.heal();
        net.run(ms(2000));
    }
    for node in 1..=3 {
        assert_eq!(net.regular_views(node), 1);
    }
}

#[test]
fn every_message_twice_over_two_links_with_skew_is_delivered_once() {
    let mut net = Net::formed(4, 3, 2);
    net.air.weather.duplication = 1000;
    net.air.weather.jitter = ms(20);
    for number in 0..30 {
        net.send(1 + (number % 3) as u32, numbered(number, 300), Guarantee::Safe);
        net.run(ms(30));
    }
    net.run(ms(3000));
    for node in 1..=3 {
        assert_eq!(net.deliveries(node).len(), 30);
        assert_eq!(net.regular_views(node), 1);
    }
    check(&net);
}

#[test]
fn a_path_that_stops_carrying_large_datagrams_costs_no_membership() {
    for limit in [1400, 1250] {
        let mut net = Net::formed(5, 2, 1);
        net.run(ms(3000));
        assert_eq!(net.hosts[&1].engine.as_ref().unwrap().links(net.now)[0].datagram_max, 1452);
        net.air.weather.size_max = limit;
        for number in 0..20 {
            net.send(1, numbered(number, 10_000), Guarantee::Safe);
        }
        net.run(ms(6000));
        for node in 1..=2 {
            assert_eq!(net.deliveries(node).len(), 20, "limit {limit}");
            assert_eq!(net.regular_views(node), 1, "limit {limit}");
        }
        check(&net);
    }
}

#[test]
fn jumbo_frames_are_found_and_used() {
    let mut config = config(2, 1);
    config.netmtu = 9000;
    let mut net = Net::with_config(6, config);
    net.start_all();
    net.run_until_formed(ms(2000));
    net.run(ms(1000));
    assert_eq!(net.hosts[&2].engine.as_ref().unwrap().links(net.now)[0].datagram_max, 8952);
    net.air.record();
    net.send(1, numbered(1, 100_000), Guarantee::Safe);
    net.run(ms(200));
    let largest = net.air.recorded().iter().map(|d| d.bytes.len()).max().unwrap();
    assert!((8000..=8952).contains(&largest), "{largest}");
    assert_eq!(net.deliveries(2).len(), 1);
}

#[test]
fn no_datagram_is_larger_than_the_path_even_with_many_nodes() {
    let mut net = Net::new(7, 24, 1);
    net.air.weather.size_max = 1200;
    net.air.record();
    net.start_all();
    net.run_until_formed(ms(10_000));
    for node in 1..=24 {
        net.send(node, numbered(u64::from(node), 3000), Guarantee::Safe);
    }
    net.run(ms(2000));
    assert_eq!(net.deliveries(24).len(), 24);
    let probes_aside = net.air.recorded().into_iter().filter(|d| d.class() != Some(5));
    assert!(probes_aside.map(|d| d.bytes.len()).max().unwrap() <= 1200);
}

#[test]
fn the_state_of_links_can_be_shown() {
    let mut net = Net::formed(8, 2, 2);
    net.air.weather.delay = Duration::from_millis(2);
    net.run(ms(20_000));
    let links = net.hosts[&1].engine.as_ref().unwrap().links(net.now);
    assert_eq!(links.len(), 2);
    for (index, status) in links.iter().enumerate() {
        assert_eq!((status.node, usize::from(status.link.0)), (NodeId(2), index));
        assert!(status.connected && status.peer_alive);
        let rtt = status.rtt.unwrap();
        assert!(rtt > ms(3) && rtt < ms(5), "{rtt:?}");
        assert!(status.loss < 0.01);
        assert!(net.now.since(status.last_heard.unwrap()) <= ms(110));
        assert_eq!(status.silence_limit, ms(350));
    }
    net.cut_link(1);
    net.run(ms(1000));
    let links = net.hosts[&1].engine.as_ref().unwrap().links(net.now);
    assert_eq!(
        links.iter().map(|l| (l.link, l.connected)).collect::<Vec<_>>(),
        [(LinkId(0), true), (LinkId(1), false)]
    );
}

#[test]
fn a_link_that_carries_only_small_datagrams_counts_as_cut() {
    let mut net = Net::formed(11, 3, 1);
    net.run(ms(3000));
    for (a, b) in [(1, 3), (3, 1)] {
        net.air.narrow(a, b, 800);
    }
    let views = net.regular_views(1);
    for number in 0..100_u8 {
        for node in [1, 3] {
            net.send(node, [vec![node as u8], vec![number; 1000]].concat(), Guarantee::Agreed);
        }
        net.run(ms(100));
    }
    assert!(net.is_formed(&[1, 2]), "{:?} {:?}", net.member_ids(1), net.member_ids(3));
    for node in 1..=3 {
        let told = net.notices(node);
        assert!(!told.iter().any(|notice| matches!(notice, Notice::FailedToReceive)), "{node}: {told:?}");
    }
    assert!(net.notices(1).iter().any(|notice| matches!(notice, Notice::LinkTooNarrow { node: NodeId(3), .. })));
    assert_eq!(net.regular_views(1), views + 1, "it settles");
    net.run(ms(60_000));
    assert_eq!(net.regular_views(1), views + 1, "and stays so");
    net.air.heal();
    net.run_until_formed(ms(10_000));
    net.run(ms(60_000));
    assert_eq!(net.regular_views(1), views + 2);
    check(&net);
}

#[test]
fn a_link_that_is_too_narrow_from_the_beginning_carries_no_ring() {
    let mut net = Net::new(12, 2, 1);
    for (a, b) in [(1, 2), (2, 1)] {
        net.air.narrow(a, b, 1100);
    }
    net.start_all();
    net.run(ms(20_000));
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    net.air.heal();
    net.run_until_formed(ms(10_000));
    check(&net);
}

#[test]
fn loss_alone_makes_no_link_too_narrow() {
    let mut net = Net::formed(13, 3, 1);
    net.air.weather.loss = 200;
    net.run(ms(300_000));
    for node in 1..=3 {
        assert!(!net.notices(node).iter().any(|notice| matches!(notice, Notice::LinkTooNarrow { .. })));
    }
}
