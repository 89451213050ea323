//! Tests: changes of the configuration, made durable before they count.

use hac_types::{Incarnation, WallTime};

use super::*;
use crate::wire::{Lane, Proposed};

fn proposal(seq: u64) -> Proposal {
    let id = ProposalId { node: NodeId(1), incarnation: Incarnation(1), lane: Lane::Configure, seq };
    Proposal { id, wall: WallTime(0), what: Proposed::Settle }
}

#[test]
fn all_must_have_stored_it() {
    let voters = vec![NodeId(1), NodeId(2)];
    let mut prepare = Prepare::new(proposal(1), 5, voters, Timestamp::ZERO);
    let id = prepare.proposal.id;
    assert_eq!(prepare.vote(NodeId(1), id, None), Tally::Open);
    assert_eq!(prepare.vote(NodeId(1), id, None), Tally::Open, "twice is once");
    assert_eq!(prepare.vote(NodeId(3), id, None), Tally::Open, "who was not asked");
    assert_eq!(prepare.vote(NodeId(2), proposal(2).id, None), Tally::Open, "on another change");
    assert_eq!(prepare.missing().collect::<Vec<_>>(), [NodeId(2)]);
    assert_eq!(prepare.vote(NodeId(2), id, None), Tally::Stored);
}

#[test]
fn when_one_cannot_the_coordinator_judges_at_once_and_when_one_is_silent_after_a_while() {
    let mut prepare = Prepare::new(proposal(1), 5, vec![NodeId(1), NodeId(2)], Timestamp::ZERO);
    let id = prepare.proposal.id;
    let (soon, late) = (Timestamp::ZERO + DISK_PATIENCE, Timestamp::ZERO + STORING_PATIENCE);
    assert_eq!(prepare.judge(Timestamp::ZERO, false), Judgement::Later(late));
    assert_eq!(prepare.vote(NodeId(1), id, None), Tally::Open);
    assert_eq!(prepare.judge(Timestamp::ZERO, true), Judgement::Later(soon));
    assert_eq!(prepare.judge(soon, true), Judgement::Counts);
    assert_eq!(prepare.judge(soon, false), Judgement::Later(late), "the disk may be slow");
    assert_eq!(prepare.judge(late, false), Judgement::Fails);
    assert_eq!(prepare.without().collect::<Vec<_>>(), [(NodeId(2), NO_ANSWER)]);

    assert_eq!(prepare.vote(NodeId(2), id, Some("full".to_owned())), Tally::Divided);
    assert_eq!(prepare.judge(Timestamp::ZERO, true), Judgement::Counts);
    assert_eq!(prepare.judge(Timestamp::ZERO, false), Judgement::Fails);
    assert_eq!(prepare.without().collect::<Vec<_>>(), [(NodeId(2), "full")]);
}

#[test]
fn who_had_not_stored_what_counts_is_behind() {
    let mut durable = Durable::default();
    let mut prepare = Prepare::new(proposal(1), 5, vec![NodeId(1), NodeId(2)], Timestamp::ZERO);
    let id = prepare.proposal.id;
    prepare.vote(NodeId(1), id, None);
    prepare.vote(NodeId(2), id, Some("full".to_owned()));
    durable.behind.insert(NodeId(3), "broken".to_owned());
    durable.counts(&prepare, [1, 2, 3, 4].map(NodeId).into_iter());
    let behind: Vec<(u32, &str)> = durable.behind.iter().map(|(node, why)| (node.0, why.as_str())).collect();
    assert_eq!(behind, [(2, "full"), (3, "broken"), (4, NO_ANSWER)]);
}

#[test]
fn a_new_view_drops_everything() {
    let mut durable = Durable::default();
    assert!(durable.is_idle());
    durable.queue.push_back(proposal(2));
    durable.current = Some(Prepare::new(proposal(1), 5, vec![NodeId(1)], Timestamp::ZERO));
    assert!(!durable.is_idle());
    assert_eq!(durable.reset(), Some(5));
    assert!(durable.is_idle());
    assert_eq!(durable.reset(), None);
}
