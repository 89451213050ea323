//! Faults at chosen moments.

use std::time::Duration;

use hac_totem::{Guarantee, Notice};
use hac_types::Departure;

use crate::checks::check;
use crate::net::{Net, ms};

const MEMBERSHIP: u8 = 2;
const TOKEN: u8 = 3;
const DATA: u8 = 4;

#[test]
fn any_single_datagram_may_be_lost_while_a_ring_forms() {
    for nodes in [2, 3] {
        for class in [MEMBERSHIP, TOKEN] {
            for which in 0..40 {
                let mut net = Net::new(which, nodes, 1);
                net.air.lose_one(class, which);
                net.start_all();
                let took = net.run_until_formed(ms(2000));
                assert!(took < ms(600), "{nodes} nodes, class {class}, {which}: {took:?}");
                net.run(ms(1000));
                assert_eq!(net.regular_views(1), 1, "{nodes} nodes, class {class}, {which}");
                check(&net);
            }
        }
    }
}

#[test]
fn any_single_token_or_packet_may_be_lost_while_messages_flow() {
    for class in [TOKEN, DATA] {
        for which in 0..30 {
            let mut net = Net::formed(which, 3, 1);
            net.run(ms(1000));
            net.air.lose_one(class, which);
            for number in 0..20_u64 {
                net.send(1 + (number % 3) as u32, number.to_le_bytes().to_vec(), Guarantee::Safe);
                net.run(Duration::from_micros(250));
            }
            net.run(ms(300));
            for node in 1..=3 {
                assert_eq!(net.deliveries(node).len(), 20, "class {class}, {which}, node {node}");
                assert_eq!(net.regular_views(node), 1);
            }
            check(&net);
        }
    }
}

#[test]
fn any_single_datagram_may_be_lost_while_a_dead_members_messages_are_recovered() {
    for class in [MEMBERSHIP, TOKEN, DATA] {
        for which in 0..25 {
            let mut net = Net::formed(which, 3, 1);
            net.run(ms(1000));
            net.air.cut_way(1, 3);
            for number in 0..8_u64 {
                net.send(1, number.to_le_bytes().to_vec(), Guarantee::Agreed);
            }
            net.run(ms(1));
            net.crash(1);
            net.air.lose_one(class, which);
            net.run_until_ring(&[2, 3], ms(6000));
            net.run(ms(500));
            assert_eq!(net.deliveries(2).len(), net.deliveries(3).len(), "class {class}, {which}");
            check(&net);
        }
    }
}

#[test]
fn a_late_packet_of_the_old_ring_reaches_all_who_go_on_or_none() {
    for step in 0..60 {
        let mut net = Net::formed(step, 3, 1);
        net.run(ms(2000));
        net.partition(&[1]);
        net.air.record();
        net.send(1, b"late".to_vec(), Guarantee::Agreed);
        let sent = net.air.recorded();
        let late = sent.into_iter().find(|d| d.bytes[6] == DATA && d.to == 2).unwrap();
        let searching = |net: &Net| net.notices(2).iter().filter(|n| matches!(n, Notice::GatherEntered { .. })).count();
        let end = net.now + ms(2000);
        assert!(net.run_while(end, |net| searching(net) == 1));
        net.run(Duration::from_micros(step * 50));
        net.inject(Duration::ZERO, late);
        net.run_until_ring(&[2, 3], ms(3000));
        net.run(ms(500));
        assert_eq!(net.deliveries(2).len(), net.deliveries(3).len(), "step {step}");
        check(&net);
    }
}

#[test]
fn leave_works_with_loss_and_falls_back_to_silence_without_any_copy() {
    for seed in 0..20 {
        for loss in [500, 1000] {
            let mut net = Net::formed(seed, 3, 1);
            net.run(ms(1000));
            net.air.weather.loss = loss;
            net.leave(3, true);
            net.air.weather.loss = 0;
            let took = net.run_until_ring(&[1, 2], ms(2000));
            let how = net.view(1).unwrap().left[0].departure;
            assert_eq!(how, net.view(2).unwrap().left[0].departure, "both know the same");
            match loss {
                1000 => assert_eq!(how, Departure::Lost),
                // One of the two may hear of it only from the other, and does not believe that at once.
                _ => assert!(how == Departure::Lost || took < ms(150), "{took:?}"),
            }
            check(&net);
        }
    }
}

#[test]
fn leaving_while_a_membership_is_sought_ends_well() {
    for delay in 0..40 {
        let mut net = Net::new(delay, 4, 1);
        net.start_all();
        net.run(Duration::from_micros(delay * 100));
        net.leave(2, true);
        net.run_until_ring(&[1, 3, 4], ms(3000));
        net.run(ms(500));
        check(&net);
    }
}

#[test]
fn four_of_eight_stop_at_once_and_come_back_at_once() {
    for seed in 0..4 {
        let mut net = Net::formed(seed, 8, 1);
        net.run(ms(1000));
        for node in [1, 3, 5, 7] {
            net.leave(node, true);
        }
        let took = net.run_until_ring(&[2, 4, 6, 8], ms(3000));
        assert!(took < ms(300), "{took:?}");
        for node in [1, 3, 5, 7] {
            net.start(node);
        }
        net.run_until_formed(ms(3000));
        check(&net);
    }
}

#[test]
fn a_node_that_dies_while_recovering_is_left_behind() {
    for outputs in 0..60 {
        let mut net = Net::formed(outputs, 4, 1);
        net.run(ms(1000));
        for number in 0..5_u64 {
            net.send(4, number.to_le_bytes().to_vec(), Guarantee::Safe);
        }
        net.crash(4);
        net.crash_after_outputs(1, outputs);
        net.run(ms(3000));
        net.crash(1);
        net.run_until_ring(&[2, 3], ms(5000));
        net.run(ms(500));
        check(&net);
    }
}

#[test]
fn a_restart_at_any_moment_of_a_formation_ends_in_one_ring() {
    for delay in 0..30 {
        let mut net = Net::new(delay, 3, 1);
        net.start_all();
        net.run(Duration::from_micros(delay * 100));
        net.crash(1);
        net.start(1);
        net.run_until_formed(ms(3000));
        net.run(ms(500));
        check(&net);
    }
}
