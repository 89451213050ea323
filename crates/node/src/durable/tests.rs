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
    let mut prepare = Prepare::new(proposal(1), 5, voters);
    let id = prepare.proposal.id;
    assert_eq!(prepare.vote(NodeId(1), id, None), Tally::Open);
    assert_eq!(prepare.vote(NodeId(1), id, None), Tally::Open, "twice is once");
    assert_eq!(prepare.vote(NodeId(3), id, None), Tally::Open, "who was not asked");
    assert_eq!(prepare.vote(NodeId(2), proposal(2).id, None), Tally::Open, "on another change");
    assert_eq!(prepare.missing().collect::<Vec<_>>(), [NodeId(2)]);
    assert_eq!(prepare.vote(NodeId(2), id, None), Tally::Stored);
}

#[test]
fn one_failure_is_enough() {
    let mut prepare = Prepare::new(proposal(1), 5, vec![NodeId(1), NodeId(2)]);
    let id = prepare.proposal.id;
    let tally = prepare.vote(NodeId(2), id, Some("full".to_owned()));
    assert_eq!(tally, Tally::Failed(NodeId(2), "full".to_owned()));
}

#[test]
fn a_new_view_drops_everything() {
    let mut durable = Durable::default();
    assert!(durable.is_idle());
    durable.queue.push_back(proposal(2));
    durable.current = Some(Prepare::new(proposal(1), 5, vec![NodeId(1)]));
    assert!(!durable.is_idle());
    assert_eq!(durable.reset(), Some(5));
    assert!(durable.is_idle());
    assert_eq!(durable.reset(), None);
}
