//! Tests of the module `parts`.

use hac_types::RingId;

use super::*;

fn message(size: usize) -> Message {
    Message { ring: RingId::default(), body: Body::Snapshot(vec![7; size]) }
}

fn parts_of(size: usize) -> Vec<Part> {
    let cut = cut(&message(size), Level::FIRST).unwrap();
    let part = |bytes: Vec<u8>| match wire::decode(&bytes, Level::FIRST).unwrap().body {
        Body::Part(part) => part,
        other => panic!("{other:?}"),
    };
    cut.into_iter().map(part).collect()
}

#[test]
fn what_the_ring_takes_goes_whole_and_one_byte_more_goes_in_parts() {
    let frame = wire::encode(&message(1_000), Level::FIRST).unwrap().len() - 1_000 + 2;
    let most = MESSAGE_MAX - frame;
    let whole = cut(&message(most), Level::FIRST).unwrap();
    assert_eq!((whole.len(), whole[0].len()), (1, MESSAGE_MAX));
    let cut = cut(&message(most + 1), Level::FIRST).unwrap();
    assert_eq!(cut.len(), 4);
    assert!(cut.iter().all(|part| part.len() <= MESSAGE_MAX));
}

#[test]
fn parts_of_several_members_are_put_together_in_any_mixture() {
    let (mut ones, mut twos) = (parts_of(2_000_000).into_iter(), parts_of(3_000_000).into_iter());
    let mut parts = Parts::default();
    let mut whole = Vec::new();
    for _ in 0..20 {
        for (node, part) in [(1, ones.next()), (2, twos.next())] {
            if let Some(part) = part
                && let Taken::Whole(bytes) = parts.take(NodeId(node), part)
            {
                whole.push((node, wire::decode(&bytes, Level::FIRST).unwrap()));
            }
        }
    }
    assert_eq!(whole, [(1, message(2_000_000)), (2, message(3_000_000))]);
}

#[test]
fn what_does_not_follow_is_dropped_with_what_came_before() {
    let mut parts = Parts::default();
    let all = parts_of(2_000_000);
    assert_eq!(parts.take(NodeId(1), all[0].clone()), Taken::More);
    assert_eq!(parts.take(NodeId(1), all[2].clone()), Taken::Astray);
    assert_eq!(parts.take(NodeId(1), all[1].clone()), Taken::Astray, "nothing is left of it");
    for part in &all[..all.len() - 1] {
        assert_eq!(parts.take(NodeId(1), part.clone()), Taken::More);
    }
    assert!(matches!(parts.take(NodeId(1), all[all.len() - 1].clone()), Taken::Whole(_)));
}

#[test]
fn the_largest_state_can_be_told_and_one_byte_more_cannot() {
    let frame = wire::encode(&message(100_000), Level::FIRST).unwrap().len() - 100_000;
    let most = WHOLE_MAX - frame;
    assert!(most >= wire::SNAPSHOT_MAX);
    assert!(cut(&message(most), Level::FIRST).is_some());
    assert_eq!(cut(&message(most + 1), Level::FIRST), None);
}
