//! What goes in comes out, whatever the packet size; what does not add up is dropped.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const ORIGIN: NodeId = NodeId(3);

fn queue(sizes: &[usize]) -> SendQueue {
    let mut queue = SendQueue::default();
    for (index, size) in sizes.iter().enumerate() {
        queue.push(vec![index.to_le_bytes()[0]; *size], Guarantee::Agreed).unwrap();
    }
    queue
}

#[test]
fn small_messages_share_a_packet() {
    let mut queue = queue(&[10, 20, 30]);
    let (_, packet) = queue.next_packet(1000).unwrap();
    assert!(queue.is_empty());
    let (messages, result) = Assembly::default().unpack(ORIGIN, &packet);
    assert_eq!(result, Ok(()));
    assert_eq!(messages, [vec![0; 10], vec![1; 20], vec![2; 30]]);
}

#[test]
fn messages_of_different_guarantees_do_not_share_a_packet() {
    let mut queue = SendQueue::default();
    queue.push(vec![1], Guarantee::Agreed).unwrap();
    queue.push(vec![2], Guarantee::Safe).unwrap();
    assert_eq!(queue.next_packet(1000).unwrap().0, Guarantee::Agreed);
    assert_eq!(queue.next_packet(1000).unwrap().0, Guarantee::Safe);
}

#[test]
fn an_empty_message_is_a_message() {
    let mut queue = queue(&[0]);
    let (_, packet) = queue.next_packet(1000).unwrap();
    assert_eq!(Assembly::default().unpack(ORIGIN, &packet).0, [Vec::<u8>::new()]);
    assert!(queue.next_packet(1000).is_none());
}

#[test]
fn a_message_begun_in_one_ring_starts_again_in_the_next() {
    let mut queue = queue(&[5000]);
    let (_, first) = queue.next_packet(1000).unwrap();
    assert!(Assembly::default().unpack(ORIGIN, &first).0.is_empty());
    queue.restart_partial();
    let mut assembly = Assembly::default();
    let mut delivered = Vec::new();
    while let Some((_, packet)) = queue.next_packet(1000) {
        delivered.extend(assembly.unpack(ORIGIN, &packet).0);
    }
    assert_eq!(delivered, [vec![0; 5000]]);
}

#[test]
fn a_piece_without_its_beginning_is_passed_over() {
    let mut queue = queue(&[3000, 10]);
    let mut assembly = Assembly::default();
    queue.next_packet(1000).unwrap();
    let mut delivered = Vec::new();
    while let Some((_, packet)) = queue.next_packet(1000) {
        let (messages, result) = assembly.unpack(ORIGIN, &packet);
        assert_eq!(result, Ok(()));
        delivered.extend(messages);
    }
    assert_eq!(delivered, [vec![1; 10]]);
}

#[test]
fn the_queue_is_bounded() {
    let mut queue = SendQueue::default();
    assert_eq!(queue.push(vec![0; MESSAGE_MAX + 1], Guarantee::Safe), Err(QueueFull));
    let accepted = (0..100).take_while(|_| queue.push(vec![0; MESSAGE_MAX], Guarantee::Safe).is_ok()).count();
    assert_eq!(accepted, 16);
    let mut queue = SendQueue::default();
    let accepted = (0..100_000).take_while(|_| queue.push(vec![], Guarantee::Safe).is_ok()).count();
    assert_eq!(accepted, QUEUE_MAX);
}

#[test]
fn sizes_that_lie_are_refused() {
    let piece = |offset: u32, total: u32, bytes: &[u8]| {
        let mut packet = vec![PIECE];
        packet.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
        packet.extend(7_u32.to_le_bytes());
        packet.extend(offset.to_le_bytes());
        packet.extend(total.to_le_bytes());
        packet.extend(bytes);
        packet
    };
    for bad in [piece(0, u32::MAX, b"x"), piece(u32::MAX, u32::MAX, b"x"), piece(0, 1, b"xy"), piece(0, 5, b"")] {
        assert_eq!(Assembly::default().unpack(ORIGIN, &bad).1, Err(BadPacking));
    }
    for bad in [&[9_u8, 0, 0][..], &[0], &[0, 5, 0, 1], &[1, 1, 0, 0]] {
        assert_eq!(Assembly::default().unpack(ORIGIN, bad).1, Err(BadPacking));
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(sizes in vec(0_usize..5000, 0..40), max in 100_usize..3000) {
        let mut queue = queue(&sizes);
        let mut assembly = Assembly::default();
        let mut delivered = Vec::new();
        while let Some((_, packet)) = queue.next_packet(max) {
            prop_assert!(packet.len() <= max);
            let (messages, result) = assembly.unpack(ORIGIN, &packet);
            prop_assert_eq!(result, Ok(()));
            delivered.extend(messages.into_iter().map(|m| m.len()));
        }
        prop_assert_eq!(delivered, sizes);
        prop_assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..300)) {
        let mut assembly = Assembly::default();
        let (messages, _) = assembly.unpack(ORIGIN, &noise);
        prop_assert!(messages.iter().map(Vec::len).sum::<usize>() <= noise.len());
    }
}
