//! What is found out before a session: other levels, other clusters, recordings, two machines with one id.

use std::time::Duration;

use hac_netsim::Datagram;
use hac_totem::{AuthKey, Config, Contract, Engine, Notice, Output, PeerProblem, Rejected, Stored};
use hac_types::{Incarnation, Level, LevelWindow, NodeId};

use crate::checks::check;
use crate::net::{Net, config, ms};

fn contract(min: u16, max: u16, level: u16, release: &str) -> Contract {
    let levels = LevelWindow { min: Level(min), max: Level(max) };
    Contract { levels, level: Level(level), release: release.to_owned(), ..Contract::default() }
}

/// A host for each contract, after ten seconds.
fn greeted(contracts: &[Contract]) -> Net {
    let mut net = Net::new(1, u32::try_from(contracts.len()).unwrap(), 1);
    for (node, contract) in (1..).zip(contracts) {
        let config = Config { node: NodeId(node), contract: contract.clone(), ..net.config.clone() };
        net.start_with(node, config);
    }
    net.run(ms(10_000));
    net
}

fn problems(net: &Net, node: u32) -> Vec<String> {
    let notices = net.notices(node).into_iter().filter(|notice| matches!(notice, Notice::Incompatible { .. }));
    notices.map(ToString::to_string).collect()
}

fn problem(net: &Net, node: u32) -> Option<PeerProblem> {
    net.hosts[&node].engine.as_ref().unwrap().links(net.now)[0].problem
}

#[test]
fn a_program_too_old_makes_no_session_and_both_sides_say_so_once() {
    let net = greeted(&[contract(1, 2, 2, "0.2.0"), contract(1, 1, 1, "0.1.0")]);
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    assert_eq!(
        problems(&net, 1),
        [
            "node 2 runs hacd 0.1.0, which knows levels up to 1; this cluster is at level 2: install 0.2.0 or newer there"
        ]
    );
    assert_eq!(
        problems(&net, 2),
        [
            "this node runs hacd 0.1.0, which knows levels up to 1; the cluster of node 1 is at level 2: install 0.2.0 or \
          newer here"
        ]
    );
    assert!(matches!(problem(&net, 1), Some(PeerProblem::TooOld(_))), "it is shown as long as it lasts");
    assert!(matches!(problem(&net, 2), Some(PeerProblem::TooOld(_))));
}

#[test]
fn a_program_too_new_makes_no_session_and_both_sides_say_so_once() {
    let net = greeted(&[contract(2, 3, 2, "0.3.0"), contract(3, 4, 0, "0.4.0")]);
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    assert_eq!(
        problems(&net, 1),
        [
            "node 2 runs hacd 0.4.0, which needs level 3; this cluster is at 2: 'hacctl upgrade finish' first, or install \
          0.3.0 there"
        ]
    );
    assert_eq!(problems(&net, 2).len(), 1);
}

#[test]
fn new_nodes_without_a_common_level_say_so() {
    let net = greeted(&[contract(1, 1, 0, "0.1.0"), contract(2, 3, 0, "0.3.0")]);
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    assert_eq!((problems(&net, 1).len(), problems(&net, 2).len()), (1, 1));
}

#[test]
fn another_cluster_of_the_same_name_and_key_makes_no_session() {
    let named = |byte| Contract { cluster_uuid: [byte; 16], ..Contract::default() };
    let net = greeted(&[named(1), named(2)]);
    assert_eq!((net.member_ids(1), net.member_ids(2)), (vec![1], vec![2]));
    for (node, other) in [(1, 2), (2, 1)] {
        let told = format!("node {other} belongs to another cluster of the same name and key: a cloned disk?");
        assert_eq!(problems(&net, node), [told]);
    }
    let net = greeted(&[named(1), Contract::default()]);
    assert!(net.is_formed(&[1, 2]), "a node that was in no cluster yet may join any");
    check(&net);
}

#[test]
fn a_level_that_a_member_does_not_know_ends_the_session_with_it() {
    let mut net = greeted(&[contract(1, 2, 1, "0.2.0"), contract(1, 2, 1, "0.2.0"), contract(1, 1, 1, "0.1.0")]);
    assert!(net.is_formed(&[1, 2, 3]));
    for node in 1..=2 {
        let now = net.now;
        net.hosts.get_mut(&node).unwrap().engine.as_mut().unwrap().set_level(now, Level(2)).unwrap();
        net.drain(node);
    }
    net.run_until_ring(&[1, 2], ms(5000));
    assert_eq!(net.view(1).unwrap().level, Level(2));
    assert_eq!(problems(&net, 1).len(), 1);
    net.run(ms(10_000));
    assert!(net.is_formed(&[1, 2]));
    assert_eq!(problems(&net, 3).len(), 2, "{:?}", problems(&net, 3));
    check(&net);
}

/// The hellos of a life of node 2 that is over.
fn replayed_hellos(net: &mut Net) -> Vec<Datagram> {
    net.air.record();
    net.start_all();
    net.run_until_formed(ms(1000));
    let hellos: Vec<Datagram> =
        net.air.recorded().into_iter().filter(|datagram| datagram.to == 1 && datagram.bytes[6] == 0).collect();
    assert!(hellos.len() >= 2, "an offer, and an answer or a confirm");
    hellos
}

#[test]
fn a_replayed_hello_of_an_earlier_life_raises_nothing() {
    for other in [
        contract(1, 1, 0, "0.1.0"),
        // What it says would be told, if it were said now.
        Contract { cluster_uuid: [9; 16], ..Contract::default() },
    ] {
        let mut net = Net::new(3, 2, 1);
        net.config.contract = other;
        let hellos = replayed_hellos(&mut net);
        net.crash(2);
        net.run(ms(2000));
        net.config.contract = Contract { cluster_uuid: [8; 16], ..Contract::default() };
        net.crash(1);
        net.start_all();
        net.run_until_formed(ms(2000));
        net.run(ms(1000));
        let (before, views) = (net.notices(1).len(), net.regular_views(1));
        for _ in 0..200 {
            for hello in &hellos {
                net.inject(Duration::ZERO, hello.clone());
            }
            net.run(ms(20));
        }
        assert_eq!(net.notices(1).len(), before, "{:?}", &net.notices(1)[before..]);
        assert_eq!((net.regular_views(1), problem(&net, 1)), (views, None));
        check(&net);
    }
}

#[test]
fn what_was_recorded_of_a_node_that_is_down_now_raises_nothing() {
    let mut net = Net::new(4, 2, 1);
    let hellos = replayed_hellos(&mut net);
    net.crash(2);
    net.run(ms(2000));
    let before = net.notices(1).len();
    for _ in 0..50 {
        for hello in &hellos {
            net.inject(Duration::ZERO, hello.clone());
        }
        net.run(ms(20));
    }
    assert_eq!(net.notices(1).len(), before);
    net.start(2);
    let took = net.run_until_formed(ms(3000));
    assert!(took < ms(1500), "{took:?}: nor does it keep the living out");
    check(&net);
}

/// A second machine with the id of node 2. What node 1 sends to node 2 it hears, too.
struct Clone {
    engine: Engine,
    notices: Vec<Notice>,
}

impl Clone {
    fn new(net: &Net, boots: u64) -> Self {
        let config = Config { node: NodeId(2), ..net.config.clone() };
        let stored = Stored { ring_seq: 0, incarnation: Incarnation(boots << 32 | 77) };
        Self { engine: Engine::new(config, stored, [0x5a; 32], net.now).unwrap(), notices: Vec::new() }
    }

    fn run(&mut self, net: &mut Net, time: Duration) {
        let end = net.now + time;
        while net.now < end {
            net.air.record();
            net.run(ms(2));
            for datagram in net.air.recorded().into_iter().filter(|datagram| datagram.to == 2) {
                let from = NodeId(datagram.from);
                // What is not for this machine is refused.
                let _ = self.engine.handle_datagram(net.now, datagram.link, from, &datagram.bytes);
            }
            self.engine.handle_timeout(net.now);
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Transmit { link, to, datagram } => {
                        net.inject(ms(0), Datagram { from: 2, to: to.0, link, bytes: datagram });
                    }
                    Output::Notice(notice) => self.notices.push(notice),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn of_two_machines_with_one_id_the_established_one_stays_and_all_are_told() {
    // Whether the copy boots later or earlier.
    for boots in [9, 0] {
        let mut net = Net::formed(5, 2, 1);
        net.run(ms(1000));
        let mut clone = Clone::new(&net, boots);
        clone.run(&mut net, ms(20_000));
        assert!(net.is_formed(&[1, 2]));
        assert_eq!((net.regular_views(1), net.regular_views(2)), (1, 1), "boots {boots}");
        let alarms = net.notices(1).into_iter().filter(|n| matches!(n, Notice::DuplicateNode { .. })).count();
        assert_eq!(alarms, 1, "boots {boots}: {:?}", net.notices(1));
        assert_eq!(problem(&net, 1), Some(PeerProblem::DuplicateNode));
        assert_eq!(problem(&net, 2), Some(PeerProblem::OwnDuplicate { stays: true }));
        let own = Notice::Incompatible { node: NodeId(1), problem: PeerProblem::OwnDuplicate { stays: false } };
        assert!(clone.notices.contains(&own), "boots {boots}: {:?}", clone.notices);
        // The other one is stopped: now this one is the node.
        net.crash(2);
        clone.run(&mut net, ms(3000));
        assert_eq!(net.member_ids(1), [1, 2]);
        let life = net.view(1).unwrap().members[1].incarnation;
        assert_eq!(life, Incarnation(boots << 32 | 77));
    }
}

#[test]
fn a_daemon_killed_and_started_again_is_back_as_soon_as_its_former_life_falls_silent() {
    for wait in [0, 5, 50, 200, 340, 500] {
        let mut net = Net::formed(6, 3, 1);
        net.run(ms(3000));
        net.crash(3);
        net.run(ms(wait));
        net.start(3);
        let took = net.run_until_formed(ms(3000));
        assert!(took < ms(800), "started {wait} ms after its death: {took:?}");
        for node in 1..=2 {
            assert!(!net.notices(node).iter().any(|notice| matches!(notice, Notice::DuplicateNode { .. })), "{wait}");
        }
        check(&net);
    }
}

#[test]
fn a_node_that_was_set_back_gets_a_new_session() {
    let mut net = Net::formed(7, 2, 1);
    net.run(ms(2000));
    for node in [1, 2] {
        net.air.record();
        net.run(ms(500));
        let recorded = net.air.recorded();
        // Nothing that the node says arrives but what it has said before: as if its memory were of an hour ago.
        net.air.cut_way(node, 3 - node);
        for _ in 0..4 {
            for datagram in recorded.iter().filter(|datagram| datagram.from == node && datagram.bytes[6] != 0) {
                net.inject(ms(0), datagram.clone());
            }
            net.run(ms(300));
        }
        let offers = {
            net.air.record();
            net.run(ms(1000));
            let sent = net.air.recorded();
            sent.iter().filter(|datagram| datagram.from == 3 - node && datagram.bytes[6] == 0).count()
        };
        assert!(offers >= 1, "node {} offers a new session", 3 - node);
        net.air.heal();
        net.run_until_formed(ms(10_000));
        net.run(ms(1000));
    }
    check(&net);
}

#[test]
fn what_is_compared_of_two_configurations_is_what_is_in_effect() {
    let differs = |change: fn(&mut Config)| {
        let mut net = Net::new(8, 2, 1);
        net.start(1);
        let mut other = Config { node: NodeId(2), ..net.config.clone() };
        change(&mut other);
        net.start_with(2, other);
        net.run_until_formed(ms(2000));
        net.notices(1).iter().any(|notice| matches!(notice, Notice::ConfigDiffers { .. }))
    };
    assert!(!differs(|_| {}));
    assert!(!differs(|config| config.timers.ping = Some(ms(100))), "it is the default");
    assert!(!differs(|config| config.nodes.reverse()), "the order of the list is nobody's business");
    assert!(differs(|config| config.timers.merge = ms(201)));
    assert!(differs(|config| config.window_size = 51));
    assert!(differs(|config| config.timers.adaptive = false));
}

#[test]
fn an_offer_under_another_key_is_no_proof() {
    let mut net = Net::formed(9, 2, 1);
    let mut stranger = Net::with_config(9, Config { authkey: AuthKey::new(vec![8; 64]).unwrap(), ..config(2, 1) });
    stranger.air.record();
    stranger.start(2);
    for datagram in stranger.air.recorded() {
        let now = net.now;
        let engine = net.hosts.get_mut(&1).unwrap().engine.as_mut().unwrap();
        let result = engine.handle_datagram(now, datagram.link, NodeId(2), &datagram.bytes);
        assert_eq!(result, Err(Rejected::ForeignCluster));
    }
}
