//! The key is changed while the ring goes on.

use hac_netsim::Datagram;
use hac_totem::{AuthKey, Config, Guarantee, Notice, PeerProblem, Rejected};
use hac_types::NodeId;

use crate::checks::check;
use crate::net::{Net, ms};

fn key(byte: u8) -> AuthKey {
    AuthKey::new(vec![byte; 64]).unwrap()
}

fn accept(net: &mut Net, node: u32, next: &AuthKey) {
    let now = net.now;
    if let Some(engine) = net.hosts.get_mut(&node).unwrap().engine.as_mut() {
        engine.accept_key(now, Some(next));
    }
    net.drain(node);
}

fn switch(net: &mut Net, node: u32) {
    let now = net.now;
    if let Some(engine) = net.hosts.get_mut(&node).unwrap().engine.as_mut() {
        engine.use_key(now);
    }
    net.drain(node);
}

/// Names of the keys in the headers of what is sent for a while.
fn keys_in_use(net: &mut Net) -> Vec<[u8; 4]> {
    net.air.record();
    net.run(ms(1000));
    let sent = net.air.recorded();
    let mut names: Vec<[u8; 4]> = sent.iter().map(|d| d.bytes[8..12].try_into().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn retired(net: &Net, node: u32) -> bool {
    net.notices(node).iter().any(|notice| matches!(notice, Notice::FormerKeyRetired))
}

fn problem(net: &Net, node: u32, about: u32) -> Option<PeerProblem> {
    let links = net.hosts[&node].engine.as_ref().unwrap().links(net.now);
    links.iter().find(|link| link.node == NodeId(about)).and_then(|link| link.problem)
}

fn with_key(net: &Net, node: u32, authkey: AuthKey) -> Config {
    Config { node: NodeId(node), authkey, ..net.config.clone() }
}

#[test]
fn a_ring_changes_its_key_without_a_new_view_and_without_losing_a_message() {
    for (nodes, links, loss) in [(2, 1, 0), (2, 2, 0), (5, 2, 0), (5, 2, 50)] {
        let mut net = Net::formed(1, nodes, links);
        net.air.weather.loss = loss;
        let before = keys_in_use(&mut net);
        assert_eq!(before.len(), 1);
        let views: Vec<usize> = net.nodes().iter().map(|node| net.regular_views(*node)).collect();
        for node in net.nodes() {
            accept(&mut net, node, &key(8));
        }
        // Nobody switches at the moment at which another does.
        for node in net.nodes() {
            assert!(net.send(node, vec![u8::try_from(node).unwrap(); 20_000], Guarantee::Safe));
            switch(&mut net, node);
            net.run(ms(3));
            assert!(net.send(node, vec![0x80 | u8::try_from(node).unwrap(); 20_000], Guarantee::Safe));
        }
        net.run(ms(2000));
        for node in net.nodes() {
            assert_eq!(net.deliveries(node).len(), 2 * usize::try_from(nodes).unwrap(), "{nodes} nodes, loss {loss}");
        }
        let after = keys_in_use(&mut net);
        assert!(after.len() == 1 && after != before, "{before:?}, then {after:?}");
        net.run(ms(15_000));
        let now: Vec<usize> = net.nodes().iter().map(|node| net.regular_views(*node)).collect();
        assert_eq!(now, views, "{nodes} nodes, {links} links, loss {loss}");
        assert!(net.nodes().iter().all(|node| retired(&net, *node)));
        check(&net);
    }
}

#[test]
fn the_key_changes_twice_in_a_row() {
    let mut net = Net::formed(3, 3, 1);
    let views = net.regular_views(1);
    for next in [key(8), key(9)] {
        net.nodes().into_iter().for_each(|node| accept(&mut net, node, &next));
        net.nodes().into_iter().for_each(|node| switch(&mut net, node));
        net.run(ms(300));
    }
    net.run(ms(20_000));
    assert_eq!(net.regular_views(1), views);
    net.crash(3);
    let config = with_key(&net, 3, key(9));
    net.start_with(3, config);
    net.run_until_ring(&[1, 2, 3], ms(5000));
    check(&net);
}

#[test]
fn a_node_that_was_away_with_the_former_key_is_named_by_those_who_know_it() {
    let mut net = Net::formed(1, 3, 1);
    net.leave(3, true);
    net.run(ms(1000));
    for node in [1, 2] {
        accept(&mut net, node, &key(8));
    }
    for node in [1, 2] {
        switch(&mut net, node);
    }
    net.run(ms(10_000));
    net.start(3);
    net.run(ms(3000));
    assert_eq!((net.member_ids(1), net.member_ids(3)), (vec![1, 2], vec![3]));
    assert_eq!(problem(&net, 1, 3), Some(PeerProblem::FormerKey));
    assert_eq!(problem(&net, 2, 3), Some(PeerProblem::FormerKey));
    assert_eq!(problem(&net, 3, 1), Some(PeerProblem::WrongKey));
    net.crash(3);
    let config = with_key(&net, 3, key(8));
    net.start_with(3, config);
    net.run_until_ring(&[1, 2, 3], ms(5000));
    check(&net);
}

#[test]
fn a_node_that_died_between_the_steps_comes_back_with_both_keys() {
    // It accepts the next key and uses the former; the others have gone on, or have not.
    for gone_on in [true, false] {
        let mut net = Net::formed(1, 3, 1);
        for node in net.nodes() {
            accept(&mut net, node, &key(8));
        }
        net.crash(3);
        if gone_on {
            for node in [1, 2] {
                switch(&mut net, node);
            }
            net.run(ms(10_000));
        }
        net.run(ms(2000));
        net.start(3);
        accept(&mut net, 3, &key(8));
        net.run_until_ring(&[1, 2, 3], ms(5000));
        // It follows when it learns how far the others are.
        for node in net.nodes() {
            switch(&mut net, node);
        }
        let views = net.regular_views(1);
        net.run(ms(20_000));
        assert_eq!(net.regular_views(1), views, "gone on: {gone_on}");
        assert_eq!(keys_in_use(&mut net).len(), 1);
        check(&net);
    }
}

#[test]
fn one_that_lags_behind_with_the_switch_stays_a_member() {
    let mut net = Net::formed(1, 2, 1);
    let views = net.regular_views(1);
    accept(&mut net, 1, &key(8));
    accept(&mut net, 2, &key(8));
    switch(&mut net, 1);
    net.run(ms(20_000));
    assert!(retired(&net, 1) && !retired(&net, 2));
    switch(&mut net, 2);
    net.run(ms(20_000));
    assert!(retired(&net, 2));
    assert_eq!((net.regular_views(1), net.regular_views(2)), (views, views));
    check(&net);
}

#[test]
fn what_was_recorded_under_the_former_key_opens_nothing() {
    let mut net = Net::new(1, 2, 1);
    net.air.record();
    net.start_all();
    net.run_until_formed(ms(1000));
    net.run(ms(500));
    let recorded = net.air.recorded();
    accept(&mut net, 1, &key(8));
    accept(&mut net, 2, &key(8));
    switch(&mut net, 1);
    switch(&mut net, 2);
    net.run(ms(10_000));
    let views = net.regular_views(1);
    for Datagram { from, to, link, bytes } in recorded {
        let now = net.now;
        let engine = net.hosts.get_mut(&to).unwrap().engine.as_mut().unwrap();
        let result = engine.handle_datagram(now, link, NodeId(from), &bytes);
        assert_eq!(result, Err(Rejected::ForeignCluster));
    }
    net.run(ms(5000));
    assert_eq!(net.regular_views(1), views);
}

#[test]
fn a_key_that_is_no_longer_wanted_is_not_answered() {
    let mut net = Net::new(1, 2, 1);
    net.start(1);
    accept(&mut net, 1, &key(8));
    let now = net.now;
    net.hosts.get_mut(&1).unwrap().engine.as_mut().unwrap().accept_key(now, None);
    let config = with_key(&net, 2, key(8));
    net.start_with(2, config);
    net.run(ms(3000));
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    switch(&mut net, 1);
    net.run(ms(3000));
    assert_eq!(net.member_ids(1), [1], "without an accepted key nothing is switched");
}

#[test]
fn one_that_died_before_it_had_replaced_its_key_file_is_taken_back_by_those_who_stayed() {
    let mut net = Net::formed(1, 3, 1);
    for node in 1..=3 {
        accept(&mut net, node, &key(8));
    }
    for node in 1..=3 {
        switch(&mut net, node);
    }
    net.run(ms(20_000));
    net.crash(3);
    net.run(ms(5000));
    assert_eq!(net.member_ids(1), [1, 2]);
    // It finds the former key in its file, and the next one beside it.
    net.start(3);
    accept(&mut net, 3, &key(8));
    net.run(ms(5000));
    assert_eq!(net.member_ids(1), [1, 2, 3]);
}
