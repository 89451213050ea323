//! Tests: the designated coordinator: one member that plans for all.

use hac_types::{Incarnation, NodeId};

use super::*;

fn candidate(node: u32, life: u64, since: u64, synced: bool) -> Candidate {
    Candidate {
        member: Member { node: NodeId(node), incarnation: Incarnation(life) },
        since: RingId { seq: since, ..RingId::default() },
        synced,
    }
}

#[test]
fn it_stays_while_it_lives() {
    let previous = candidate(3, 1, 8, true);
    let all = [candidate(1, 1, 4, true), candidate(2, 1, 4, true), previous];
    assert_eq!(coordinator(&all, Some(previous.member)), Some(previous.member));
}

#[test]
fn another_life_of_it_is_another_node() {
    let all = [candidate(1, 2, 12, false), candidate(2, 1, 4, true)];
    let dead = candidate(1, 1, 4, true).member;
    assert_eq!(coordinator(&all, Some(dead)), Some(all[1].member));
}

#[test]
fn the_one_longest_with_us_comes_first_and_then_the_lowest_id() {
    let all = [candidate(1, 1, 8, true), candidate(2, 1, 4, true), candidate(3, 1, 4, true)];
    assert_eq!(coordinator(&all, None), Some(all[1].member));
}

#[test]
fn who_has_the_state_comes_before_who_does_not() {
    let all = [candidate(1, 1, 4, false), candidate(2, 1, 8, true)];
    assert_eq!(coordinator(&all, None), Some(all[1].member));
}

#[test]
fn a_coordinator_that_lost_the_state_is_replaced() {
    let all = [candidate(1, 1, 4, false), candidate(2, 1, 8, true)];
    assert_eq!(coordinator(&all, Some(all[0].member)), Some(all[1].member));
}

#[test]
fn nobody_is_chosen_from_nobody() {
    assert_eq!(coordinator(&[], None), None);
}
