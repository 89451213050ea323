//! Gaps, delivery order and bounds of the store.

use hac_types::RingId;

use super::*;

fn packet(seq: u64, origin: u32, safe: bool) -> Packet {
    Packet::Data(Data { ring: RingId::default(), seq, origin: NodeId(origin), safe, payload: vec![] })
}

#[test]
fn aru_stops_at_the_first_gap() {
    let mut store = Store::after(0);
    assert!(store.insert(packet(1, 1, false)));
    assert!(store.insert(packet(3, 1, false)));
    assert!(!store.insert(packet(3, 1, false)), "twice");
    assert_eq!((store.aru(), store.high()), (1, 3));
    assert_eq!(store.missing(5).collect::<Vec<_>>(), [2, 4, 5]);
    assert!(store.insert(packet(2, 1, false)));
    assert_eq!(store.aru(), 3);
}

#[test]
fn a_safe_packet_waits_and_makes_later_ones_wait() {
    let mut store = Store::after(0);
    store.insert(packet(1, 1, false));
    store.insert(packet(2, 1, true));
    store.insert(packet(3, 1, false));
    assert_eq!(store.next_deliverable(0).map(Packet::seq), Some(1));
    assert_eq!(store.next_deliverable(1).map(Packet::seq), None);
    assert_eq!(store.next_deliverable(2).map(Packet::seq), Some(2));
    assert_eq!(store.next_deliverable(2).map(Packet::seq), Some(3));
}

#[test]
fn after_a_gap_only_those_who_come_along_are_delivered() {
    let mut store = Store::after(0);
    for (seq, origin) in [(1, 9), (3, 9), (4, 1), (6, 1)] {
        store.insert(packet(seq, origin, true));
    }
    let mut order = Vec::new();
    while let Some(packet) = store.next_remaining(|node| node == NodeId(1)) {
        order.push(packet.seq());
    }
    assert_eq!(order, [1, 4, 6]);
}

#[test]
fn nothing_undelivered_is_forgotten() {
    let mut store = Store::after(0);
    for seq in 1..=4 {
        store.insert(packet(seq, 1, false));
    }
    store.next_deliverable(0);
    store.next_deliverable(0);
    store.release(4);
    assert_eq!(store.released, 2);
    assert!(store.get(2).is_none() && store.get(3).is_some());
    assert!(store.has(1), "forgotten, yet received");
}

#[test]
fn numbers_far_ahead_are_refused() {
    let mut store = Store::after(0);
    assert!(!store.insert(packet(STORE_MAX + 1, 1, false)));
    assert!(store.insert(packet(STORE_MAX, 1, false)));
    assert!(!store.insert(packet(u64::MAX, 1, false)));
}
