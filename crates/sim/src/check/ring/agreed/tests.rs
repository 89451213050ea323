//! Three members of one ring, of whom two go on together.

use hac_types::{Incarnation, NodeId, View, ViewKind};

use super::*;

const RING: RingId = RingId { seq: 4, rep: 1, rep_incarnation: Incarnation(11) };

fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(u64::from(node) + 10) }
}

fn view(kind: ViewKind, nodes: &[u32]) -> View {
    let members: Vec<Member> = nodes.iter().copied().map(member).collect();
    View {
        ring: RING,
        kind,
        level: hac_types::Level::FIRST,
        continuing: members.iter().map(|m| m.node).collect(),
        members,
        left: Vec::new(),
    }
}

/// The `number`-th message of a host.
fn sent(host: u32, number: u64) -> Message {
    Message { host, life: 1, number }
}

/// What comes of a ring of three, of whom 1 and 2 go on together, when the first two are given this: in the regular view,
/// and in the transitional one.
fn judged(first: (&[Message], &[Message]), second: (&[Message], &[Message])) -> Option<&'static str> {
    let (regular, transitional) = (view(ViewKind::Regular, &[1, 2, 3]), view(ViewKind::Transitional, &[1, 2]));
    let life = |node: u32, (before, after): (&[Message], &[Message])| {
        let mut stay = Stay::begin(&regular);
        stay.end = Some(&transitional);
        stay.order = [before, after].concat();
        stay.regular = before.len();
        Life { id: (node, 1), member: member(node), stays: vec![stay] }
    };
    let third = Life { id: (3, 1), member: member(3), stays: vec![Stay::begin(&regular)] };
    let mut executed = Executed::new();
    let result = check(&[life(1, first), life(2, second), third], &mut executed);
    assert!(result.is_err() || executed.get("EVS-9") == Some(&3));
    result.err().map(|violation| violation.property)
}

#[test]
fn the_same_and_less_of_the_same_are_in_order() {
    let all = [sent(1, 1), sent(2, 1), sent(3, 1)];
    assert_eq!(judged((&all, &[]), (&all[..2], &[])), None);
    assert_eq!(judged((&all[..1], &all[1..]), (&all[..2], &all[2..])), None, "one view ended earlier here than there");
}

#[test]
fn another_order_is_found_in_either_view() {
    let (a, b) = (sent(1, 1), sent(2, 1));
    assert_eq!(judged((&[a, b], &[]), (&[b, a], &[])), Some("EVS-8"));
    assert_eq!(judged((&[], &[a, b]), (&[], &[b, a])), Some("EVS-8"));
    assert_eq!(judged((&[a], &[b]), (&[], &[b, a])), Some("EVS-8"));
}

#[test]
fn a_gap_in_the_regular_view_is_found() {
    let (a, b, c) = (sent(1, 1), sent(3, 1), sent(2, 1));
    assert_eq!(judged((&[a, b, c], &[]), (&[a, c], &[])), Some("EVS-9"), "no matter which node sent what is missing");
}

#[test]
fn a_gap_in_the_transitional_view_is_forgiven_for_those_who_do_not_come_along() {
    let (a, gone, along, last) = (sent(1, 1), sent(3, 1), sent(1, 2), sent(2, 1));
    assert_eq!(judged((&[a, gone, last], &[]), (&[a], &[last])), None);
    assert_eq!(judged((&[a, along, last], &[]), (&[a], &[last])), Some("EVS-9"));
    assert_eq!(judged((&[a, gone, along, last], &[]), (&[a], &[last])), Some("EVS-9"), "both are missing");
}
