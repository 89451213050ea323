//! What strangers, recordings and members turned bad can do: nothing but count.

use hac_netsim::Datagram;
use hac_totem::{AuthKey, Cipher, Guarantee, Notice, PeerProblem, Rejected};
use hac_types::{LinkId, NodeId};

use crate::checks::check;
use crate::net::{Net, config, ms};

/// Gives a datagram to a node and says what came of it; nothing may be sent in answer.
fn deliver(net: &mut Net, datagram: &Datagram) -> Result<(), Rejected> {
    let now = net.now;
    let before = net.hosts[&datagram.to].transmitted;
    let engine = net.hosts.get_mut(&datagram.to).unwrap().engine.as_mut().unwrap();
    let result = engine.handle_datagram(now, datagram.link, NodeId(datagram.from), &datagram.bytes);
    net.drain(datagram.to);
    if result.is_err() {
        assert_eq!(net.hosts[&datagram.to].transmitted, before, "a refused datagram is not answered");
    }
    result
}

/// Records two seconds of a working pair's traffic, hellos included.
fn recorded(cipher: Cipher) -> (Net, Vec<Datagram>) {
    let mut config = config(2, 1);
    config.cipher = cipher;
    let mut net = Net::with_config(1, config);
    net.air.record();
    net.start_all();
    net.run_until_formed(ms(1000));
    for number in 0..20_u64 {
        net.send(1 + (number % 2) as u32, number.to_le_bytes().to_vec(), Guarantee::Safe);
        net.run(ms(50));
    }
    let recording = net.air.recorded();
    (net, recording)
}

fn is_undisturbed(net: &mut Net) {
    net.run(ms(2000));
    assert_eq!((net.regular_views(1), net.regular_views(2)), (1, 1));
    net.send(1, b"still works".to_vec(), Guarantee::Safe);
    net.run(ms(100));
    assert_eq!(net.deliveries(2).last().unwrap().payload, b"still works");
    check(net);
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    for cipher in [Cipher::None, Cipher::Aes256Gcm] {
        let (mut net, recording) = recorded(cipher);
        for (index, datagram) in recording.iter().enumerate().step_by(5) {
            for bit in (index % 7..datagram.bytes.len() * 8).step_by(7) {
                let mut forged = datagram.clone();
                forged.bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(deliver(&mut net, &forged).is_err(), "bit {bit} of datagram {index}");
            }
        }
        is_undisturbed(&mut net);
    }
}

#[test]
fn a_truncated_or_extended_datagram_is_refused() {
    let (mut net, recording) = recorded(Cipher::Aes256Gcm);
    for datagram in recording.iter().step_by(9) {
        for length in 0..datagram.bytes.len() {
            let mut forged = datagram.clone();
            forged.bytes.truncate(length);
            assert_eq!(deliver(&mut net, &forged), Err(Rejected::Size));
        }
        let mut forged = datagram.clone();
        forged.bytes.push(0);
        assert_eq!(deliver(&mut net, &forged), Err(Rejected::Size));
    }
    is_undisturbed(&mut net);
}

#[test]
fn noise_is_refused() {
    let (mut net, _) = recorded(Cipher::Aes256Gcm);
    for round in 0..20_000_u64 {
        let length = if round % 50 == 0 { net.random.below(65_536) } else { net.random.below(300) };
        let mut bytes: Vec<u8> = (0..length).map(|_| net.random.bits().to_le_bytes()[0]).collect();
        if round % 2 == 0 && bytes.len() > 12 {
            bytes[..4].copy_from_slice(b"HCD1");
        }
        let noise = Datagram { from: 1, to: 2, link: LinkId(0), bytes };
        assert!(deliver(&mut net, &noise).is_err());
    }
    is_undisturbed(&mut net);
}

#[test]
fn a_recording_played_again_changes_nothing() {
    for cipher in [Cipher::None, Cipher::Aes256Gcm] {
        let (mut net, recording) = recorded(cipher);
        for datagram in &recording {
            match deliver(&mut net, datagram) {
                // A hello that belongs to the present session is known already.
                Ok(()) => assert_eq!(datagram.bytes[6], 0, "only a hello"),
                Err(reason) => assert!(
                    [Rejected::Replay, Rejected::NoSession, Rejected::RateLimit, Rejected::Incarnation]
                        .contains(&reason),
                    "{reason:?}"
                ),
            }
        }
        is_undisturbed(&mut net);
    }
}

#[test]
fn a_recording_of_an_earlier_life_changes_nothing_after_a_restart() {
    let (mut net, recording) = recorded(Cipher::None);
    net.crash(2);
    net.run(ms(2000));
    // The peer is gone: nothing recorded makes it appear alive.
    for datagram in recording.iter().filter(|d| d.to == 1) {
        let result = deliver(&mut net, datagram);
        assert!(result.is_err() || datagram.bytes[6] == 0);
        net.run(ms(5));
    }
    net.run(ms(1000));
    assert_eq!(net.member_ids(1), [1]);
    net.start(2);
    net.run_until_formed(ms(3000));
    let views = (net.regular_views(1), net.regular_views(2));
    for datagram in &recording {
        let result = deliver(&mut net, datagram);
        assert!(result.is_err() || datagram.bytes[6] == 0);
    }
    net.run(ms(3000));
    assert_eq!((net.regular_views(1), net.regular_views(2)), views);
    check(&net);
}

#[test]
fn a_datagram_sent_back_or_elsewhere_is_refused() {
    let mut net = Net::new(1, 3, 2);
    net.air.record();
    net.start_all();
    net.run_until_formed(ms(1000));
    net.run(ms(300));
    for datagram in net.air.recorded() {
        let back = Datagram { from: datagram.to, to: datagram.from, ..datagram.clone() };
        assert!(deliver(&mut net, &back).is_err());
        let third = 6 - datagram.from - datagram.to;
        let elsewhere = Datagram { to: third, ..datagram.clone() };
        assert_eq!(deliver(&mut net, &elsewhere), Err(Rejected::Destination));
        let other_source = Datagram { from: third, ..datagram.clone() };
        assert_eq!(deliver(&mut net, &other_source), Err(Rejected::Source));
        let other_link = Datagram { link: LinkId(1 - datagram.link.0), ..datagram.clone() };
        assert_eq!(deliver(&mut net, &other_link), Err(Rejected::Link));
    }
}

#[test]
fn another_key_makes_no_cluster_and_both_sides_say_so() {
    for what in ["key", "name"] {
        let mut net = Net::new(1, 2, 1);
        net.start(1);
        let mut other = net.config.clone();
        other.node = NodeId(2);
        match what {
            "key" => other.authkey = AuthKey::new(vec![8; 64]).unwrap(),
            _ => other.cluster_name = "another".into(),
        }
        net.start_with(2, other);
        net.run(ms(5000));
        for node in 1..=2 {
            assert_eq!(net.member_ids(node), [node]);
            let told: Vec<_> = net.notices(node).into_iter().filter(|n| matches!(n, Notice::WrongKey { .. })).collect();
            assert_eq!(told.len(), 1, "once, not for every datagram");
            assert!(told[0].to_string().contains("authkey"), "{}", told[0]);
            let links = net.hosts[&node].engine.as_ref().unwrap().links(net.now);
            assert_eq!(links[0].problem, Some(PeerProblem::WrongKey));
        }
        net.crash(2);
        net.run(ms(10_000));
        let links = net.hosts[&1].engine.as_ref().unwrap().links(net.now);
        assert_eq!(links[0].problem, None, "the remark goes when its cause does");
    }
}

#[test]
fn what_a_stranger_says_in_the_name_of_a_living_member_is_told_nobody() {
    let mut net = Net::formed(1, 2, 1);
    net.run(ms(1000));
    let mut stranger = Net::new(99, 2, 1);
    stranger.config.authkey = AuthKey::new(vec![8; 64]).unwrap();
    stranger.air.record();
    stranger.start(2);
    for datagram in stranger.air.recorded() {
        assert_eq!(deliver(&mut net, &datagram), Err(Rejected::ForeignCluster));
    }
    assert!(!net.notices(1).iter().any(|notice| matches!(notice, Notice::WrongKey { .. })));
    assert_eq!(net.hosts[&1].engine.as_ref().unwrap().links(net.now)[0].problem, None);
    is_undisturbed(&mut net);
}

#[test]
fn another_cipher_makes_no_cluster_and_both_sides_say_so() {
    let mut net = Net::new(1, 2, 1);
    net.start(1);
    let mut other = net.config.clone();
    other.node = NodeId(2);
    other.cipher = Cipher::Aes256Gcm;
    net.start_with(2, other);
    net.run(ms(3000));
    for node in 1..=2 {
        assert_eq!(net.member_ids(node), [node]);
        let problem = net.hosts[&node].engine.as_ref().unwrap().links(net.now)[0].problem;
        assert_eq!(problem, Some(PeerProblem::CipherDiffers));
    }
}

#[test]
fn a_second_process_with_the_same_id_does_not_displace_the_first() {
    let mut net = Net::formed(1, 2, 1);
    net.run(ms(1000));
    // A clone of node 2 without its disk: its own world, its datagrams given to node 1.
    let mut clone = Net::new(99, 2, 1);
    clone.air.record();
    clone.start(2);
    clone.run(ms(3000));
    for datagram in clone.air.recorded() {
        assert!(deliver(&mut net, &datagram).is_err() || datagram.bytes[6] == 0);
        net.run(ms(20));
    }
    assert_eq!(net.regular_views(1), 1);
    check(&net);
}

#[test]
fn a_flood_of_hellos_is_answered_slowly() {
    let mut net = Net::formed(1, 2, 1);
    net.run(ms(1000));
    let mut stranger = Net::new(99, 2, 1);
    stranger.air.record();
    stranger.start(2);
    let offer = stranger.air.recorded().remove(0);
    net.crash(2);
    net.run(ms(1000));
    let before = net.hosts[&1].transmitted;
    for _ in 0..1000 {
        let now = net.now;
        let engine = net.hosts.get_mut(&1).unwrap().engine.as_mut().unwrap();
        let _ = engine.handle_datagram(now, LinkId(0), NodeId(2), &offer.bytes);
        net.drain(1);
    }
    assert!(net.hosts[&1].transmitted - before <= 10);
    let rejected = net.hosts[&1].engine.as_ref().unwrap().stats().rejected;
    assert!(rejected[&Rejected::RateLimit] >= 900);
}
