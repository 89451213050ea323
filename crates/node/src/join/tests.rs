//! Tests of the module `join`.

use hac_model::Version;
use hac_types::Incarnation;

use super::*;
use crate::wire::Votes;

fn ring(seq: u64) -> RingId {
    RingId { seq, ..RingId::default() }
}

fn hello(epoch: u64, updates: u64, lineage: Option<u64>) -> Hello {
    Hello {
        version: Version { admin_epoch: 0, epoch, num_updates: updates },
        digest: [u8::try_from(epoch * 16 + updates).unwrap(); 16],
        processed: Vec::new(),
        lineage: lineage.map(ring),
        lives: BTreeMap::new(),
        since: RingId::default(),
        dc: None,
        left_clean: BTreeSet::new(),
        votes: Votes { votes: 1, expected_votes: 3, quorate: false, waiting: false, last_quorate: None },
        wall: WallTime(i64::try_from(updates).unwrap()),
        name: String::new(),
        software: String::new(),
        keys: crate::wire::KeyStanding { own: [0; 8], next: None },
        undurable: None,
        levels: hac_types::LevelWindow::KNOWN,
        cluster: crate::ClusterConfig::default(),
        trail: Vec::new(),
        offer: None,
    }
}

fn join() -> Join {
    let member = |id| Member { node: NodeId(id), incarnation: Incarnation(1) };
    Join::new(ring(8), vec![member(1), member(2), member(3)], Timestamp::ZERO)
}

fn compared(hellos: [Hello; 3]) -> Comparison {
    let mut join = join();
    let [a, b, c] = hellos;
    assert_eq!(join.hello(NodeId(3), c), None);
    assert_eq!(join.hello(NodeId(1), a), None);
    join.hello(NodeId(2), b).expect("that was the last one")
}

fn nodes(ids: &[u32]) -> BTreeSet<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

#[test]
fn equal_states_need_no_copy() {
    let comparison = compared([hello(1, 1, None), hello(1, 1, None), hello(1, 1, None)]);
    assert_eq!(comparison, Comparison { donor: NodeId(1), needy: nodes(&[]), offer: None });
}

#[test]
fn the_newest_configuration_wins_then_the_quorate_past_then_the_stream() {
    let comparison = compared([hello(1, 9, Some(9)), hello(2, 1, None), hello(1, 1, None)]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1, 3]), offer: None });
    let comparison = compared([hello(1, 9, Some(4)), hello(1, 1, Some(8)), hello(1, 3, None)]);
    assert_eq!(comparison.donor, NodeId(2));
    let comparison = compared([hello(1, 1, Some(4)), hello(1, 1, None), hello(1, 3, Some(4))]);
    assert_eq!(comparison, Comparison { donor: NodeId(3), needy: nodes(&[1, 2]), offer: None });
}

#[test]
fn who_has_only_what_is_on_its_disk_gives_nothing_to_who_has_followed_the_stream() {
    let started = Hello { digest: [99; 16], ..hello(1, 0, Some(4)) };
    let follows = Hello { since: ring(4), ..hello(1, 0, Some(4)) };
    let comparison = compared([started.clone(), follows, started]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1, 3]), offer: None });
}

#[test]
fn among_equal_versions_the_coordinator_wins() {
    let other = Hello { digest: [99; 16], ..hello(1, 1, None) };
    let dc = Some(Member { node: NodeId(2), incarnation: Incarnation(1) });
    let two = Hello { dc, ..other.clone() };
    let comparison = compared([hello(1, 1, None), two, other]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1]), offer: None });
}

#[test]
fn a_state_comes_only_from_the_donor() {
    let mut join = join();
    for (id, epoch) in [(1, 1), (2, 2), (3, 1)] {
        join.hello(NodeId(id), hello(epoch, 0, None));
    }
    assert_eq!(join.missing(), [NodeId(2)]);
    assert_eq!(join.ready(NodeId(1), ready()), None, "not before the state is there");
    assert!(!join.copied(NodeId(1), 10), "forged");
    assert!(join.copied(NodeId(2), 10));
    assert!(!join.copied(NodeId(2), 10), "twice");

    assert_eq!(join.missing(), [NodeId(1), NodeId(2), NodeId(3)]);
    assert_eq!(join.ready(NodeId(1), ready()), None);
    assert_eq!(join.ready(NodeId(1), ready()), None, "twice is once");
    assert_eq!(join.ready(NodeId(9), ready()), None, "a stranger");
    assert_eq!(join.ready(NodeId(2), ready()), None);
    assert!(join.ready(NodeId(3), ready()).is_some());
}

fn ready() -> Ready {
    Ready { quorate: true, history: None, lost: None }
}

#[test]
fn all_agree_on_the_latest_time() {
    let mut join = join();
    for (id, updates) in [(1, 5), (2, 9), (3, 1)] {
        join.hello(NodeId(id), hello(1, updates, None));
    }
    assert!(join.copied(NodeId(2), 0));
    let agreement =
        [1, 2, 3].into_iter().find_map(|id| join.ready(NodeId(id), ready())).expect("that was the last one");
    assert_eq!(agreement.wall(), WallTime(9));
}

#[test]
fn each_step_has_an_end_that_progress_puts_off() {
    let second = |s: u64| Timestamp::from_millis(s * 1000);
    let mut join = join();
    assert_eq!(join.deadline(), second(5));
    join.progress(second(3));
    assert_eq!(join.deadline(), second(8));
    for (id, epoch) in [(1, 1), (2, 2), (3, 1)] {
        join.hello(NodeId(id), hello(epoch, 0, None));
    }
    assert_eq!(join.deadline(), second(13), "a state takes longer to write");
    join.copied(NodeId(2), 100 << 20);
    assert_eq!(join.deadline(), second(3 + 10 + 25), "a large one takes long to read");
}

#[test]
fn what_all_had_prepared_survives_the_disk_of_the_one_that_committed_it() {
    let version = Version { admin_epoch: 0, epoch: 2, num_updates: 0 };
    let offer = Some(Offer { version, digest: [77; 16] });
    let offers = |hello: Hello| Hello { offer, ..hello };
    // Node 1 had committed it, acknowledged it, and lost its disk.
    let wiped = hello(0, 0, None);
    let kept = offers(hello(1, 0, Some(4)));
    let comparison = compared([wiped.clone(), kept.clone(), kept.clone()]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1]), offer });
    // Who went on without it, or could not store it, knows better.
    let without = hello(1, 0, Some(4));
    let comparison = compared([wiped.clone(), kept.clone(), without]);
    assert_eq!((comparison.offer, comparison.donor), (None, NodeId(2)));
    // Who was away when it was prepared has an older configuration and does not count.
    let comparison = compared([hello(0, 5, Some(3)), kept.clone(), kept.clone()]);
    assert_eq!(comparison.offer, offer);
    // It was committed somewhere: then it comes from there.
    let comparison = compared([hello(2, 0, Some(4)), kept.clone(), kept]);
    assert_eq!((comparison.offer, comparison.donor), (None, NodeId(1)));
    // Two that prepared different things cannot both be right.
    let other = Hello { offer: Some(Offer { version, digest: [78; 16] }), ..hello(1, 0, Some(4)) };
    assert_eq!(compared([wiped, offers(hello(1, 0, Some(4))), other]).offer, None);
}

#[test]
fn what_was_prepared_counts_in_a_new_cluster_too() {
    let version = Version { admin_epoch: 0, epoch: 2, num_updates: 0 };
    let offer = Some(Offer { version, digest: [77; 16] });
    // Nobody has stored anything before the first change. Node 1 had committed and acknowledged it, and lost its disk.
    let wiped = hello(1, 0, None);
    let kept = Hello { offer, ..hello(1, 0, None) };
    let comparison = compared([wiped.clone(), kept.clone(), kept.clone()]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1]), offer });
    // Who went on without it knows better, and two that prepared different things cannot both be right.
    assert_eq!(compared([hello(1, 0, Some(4)), kept.clone(), kept.clone()]).offer, None);
    let other = Hello { offer: Some(Offer { version, digest: [78; 16] }), ..kept.clone() };
    assert_eq!(compared([wiped, kept, other]).offer, None);
}
