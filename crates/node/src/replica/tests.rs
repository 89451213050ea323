//! Tests: what every member has in common: the CIB and up to where the stream has been followed.

use super::*;

fn id(incarnation: u64, lane: Lane, seq: u64) -> ProposalId {
    ProposalId { node: NodeId(1), incarnation: Incarnation(incarnation), lane, seq }
}

#[test]
fn a_proposal_is_processed_once() {
    let mut replica = Replica::new(StoredState::default());
    assert!(!replica.is_processed(id(1, Lane::Status, 1)));
    replica.mark_processed(id(1, Lane::Status, 2));
    assert!(replica.is_processed(id(1, Lane::Status, 1)));
    assert!(replica.is_processed(id(1, Lane::Status, 2)));
    assert!(!replica.is_processed(id(1, Lane::Status, 3)));
    assert!(!replica.is_processed(id(1, Lane::Configure, 1)), "the lanes are apart");
    assert!(!replica.is_processed(id(2, Lane::Status, 1)), "a later life begins anew");
    replica.mark_processed(id(2, Lane::Status, 1));
    assert!(replica.is_processed(id(2, Lane::Status, 1)));
    // A node that lost its disk may come back with a lower number.
    assert!(!replica.is_processed(id(1, Lane::Status, 1)), "any other life begins anew");
    replica.mark_processed(id(1, Lane::Status, 1));
    assert!(replica.is_processed(id(1, Lane::Status, 1)) && !replica.is_processed(id(1, Lane::Status, 2)));
}

#[test]
fn a_state_that_is_handed_over_is_the_same() {
    let mut replica =
        Replica::new(StoredState { lineage: Some(RingId { seq: 4, ..RingId::default() }), ..StoredState::default() });
    replica.mark_processed(id(1, Lane::Status, 2));
    Arc::make_mut(&mut replica.cib).version.epoch = 3;
    let snapshot = wire::decode_snapshot(&replica.snapshot().unwrap()).unwrap();
    let mut other = Replica::new(StoredState::default());
    other.replace(snapshot);
    assert_eq!(other.cib, replica.cib);
    assert_eq!(other.processed(), replica.processed());
    assert_eq!(other.lineage, replica.lineage);
}

#[test]
fn the_disk_gets_what_people_asked_for_and_nothing_of_the_present() {
    let mut cib = Cib::default();
    cib.version.epoch = 3;
    cib.version.num_updates = 7;
    cib.info.have_quorum = true;
    cib.status.nodes.push(hac_model::NodeState::default());
    let replica = Replica::new(StoredState { cib, ..StoredState::default() });
    let stored = wire::decode_stored(&replica.durable().unwrap(), hac_types::LevelWindow::KNOWN).unwrap();
    assert_eq!(stored.cib.version.epoch, 3);
    assert_eq!(stored.cib.version.num_updates, 0);
    assert!(!stored.cib.info.have_quorum);
    assert!(stored.cib.status.nodes.is_empty());
}

#[test]
fn a_state_that_went_its_own_way_is_told_from_one_that_only_missed_something() {
    let mut ours = Replica::new(StoredState::default());
    let change = |replica: &mut Replica, node: u32, seq: u64| {
        Arc::make_mut(&mut replica.cib).version.epoch += 1;
        replica.note(NodeId(node), Incarnation(1), seq);
    };
    let lacks = |replica: &Replica, other: &Replica| not_in(&replica.trail, &other.trail).count();
    assert_eq!(not_in(&ours.trail, &[]).count(), 0, "nothing was changed here");
    change(&mut ours, 1, 1);
    let mut theirs = ours.clone();
    change(&mut theirs, 2, 1);
    assert_eq!(lacks(&ours, &theirs), 0, "they went on from here");
    change(&mut ours, 1, 2);
    assert_eq!((lacks(&ours, &theirs), lacks(&theirs, &ours)), (1, 1));
    for seq in 2..200 {
        change(&mut theirs, 2, seq);
    }
    assert_eq!(theirs.trail.len(), TRAIL);
    assert_eq!(lacks(&ours, &theirs), 0, "nobody remembers that long");
    ours.qualify(id(1, Lane::Configure, 2), false, true);
    assert_eq!(lacks(&ours, &theirs), 1, "nobody else can have heard of it");
}

#[test]
fn a_change_with_another_number_is_the_same_change() {
    let mut ours = Replica::new(StoredState::default());
    let mut theirs = ours.clone();
    for (replica, order) in [(&mut ours, [1, 2]), (&mut theirs, [2, 1])] {
        for node in order {
            Arc::make_mut(&mut replica.cib).version.epoch += 1;
            replica.note(NodeId(node), Incarnation(1), 1);
        }
    }
    assert_ne!(ours.trail, theirs.trail);
    assert_eq!(not_in(&ours.trail, &theirs.trail).count(), 0);
}

#[test]
fn a_change_counts_where_a_membership_of_the_right_size_has_it() {
    let mut replica = Replica::new(StoredState::default());
    replica.note(NodeId(1), Incarnation(1), 1);
    assert!(!replica.counts(true) && !replica.counts(false), "nothing is new");
    replica.qualify(id(1, Lane::Configure, 1), true, false);
    assert!(replica.counts(false));
    assert!(replica.trail[0].apart && !replica.trail[0].passing);
    assert!(!replica.counts(false), "that is known");
    assert!(replica.counts(true));
    assert!(!replica.trail[0].apart);
    assert_eq!(not_in(&replica.trail, &[]).count(), 1);
}
