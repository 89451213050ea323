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
        lived: None,
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
        cluster: ClusterConfig::default(),
        few: false,
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

/// Nothing is prepared, and all know the same cluster.
fn same() -> Comparison {
    let (needy, open) = (nodes(&[]), nodes(&[]));
    Comparison { donor: NodeId(1), needy, offer: None, open, cluster: Some(ClusterConfig::default()) }
}

#[test]
fn equal_states_need_no_copy() {
    let comparison = compared([hello(1, 1, None), hello(1, 1, None), hello(1, 1, None)]);
    assert_eq!(comparison, Comparison { donor: NodeId(1), needy: nodes(&[]), ..same() });
}

#[test]
fn the_newest_configuration_wins_then_the_quorate_past_then_the_stream() {
    let comparison = compared([hello(1, 9, Some(9)), hello(2, 1, None), hello(1, 1, None)]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1, 3]), ..same() });
    let comparison = compared([hello(1, 9, Some(4)), hello(1, 1, Some(8)), hello(1, 3, None)]);
    assert_eq!(comparison.donor, NodeId(2));
    let comparison = compared([hello(1, 1, Some(4)), hello(1, 1, None), hello(1, 3, Some(4))]);
    assert_eq!(comparison, Comparison { donor: NodeId(3), needy: nodes(&[1, 2]), ..same() });
}

#[test]
fn who_has_only_what_is_on_its_disk_gives_nothing_to_who_has_followed_the_stream() {
    let started = Hello { digest: [99; 16], ..hello(1, 0, Some(4)) };
    let follows = Hello { since: ring(4), ..hello(1, 0, Some(4)) };
    let comparison = compared([started.clone(), follows, started]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1, 3]), ..same() });
}

#[test]
fn among_equal_versions_the_coordinator_wins() {
    let other = Hello { digest: [99; 16], ..hello(1, 1, None) };
    let dc = Some(Member { node: NodeId(2), incarnation: Incarnation(1) });
    let two = Hello { dc, ..other.clone() };
    let comparison = compared([hello(1, 1, None), two, other]);
    assert_eq!(comparison, Comparison { donor: NodeId(2), needy: nodes(&[1]), ..same() });
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
    Ready { quorate: true, history: None, lost: None, register: None, arbiter: false, watchdog: None }
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

const fn offer(epoch: u64, lineage: u64) -> Offer {
    Offer {
        version: Version { admin_epoch: 0, epoch, num_updates: 0 },
        digest: [200; 16],
        lineage: Some(RingId { seq: lineage, ..NOWHERE }),
        cluster: cluster(0),
    }
}

const NOWHERE: RingId = RingId { seq: 0, rep: 0, rep_incarnation: Incarnation(0) };

const fn cluster(version: u64) -> ClusterConfig {
    ClusterConfig {
        uuid: String::new(),
        level: hac_types::Level::FIRST,
        version,
        nodes: Vec::new(),
        retired: Vec::new(),
    }
}

/// It comes from its disk, with a configuration of this epoch that was stored in this view, and this prepared in another.
fn prepared(epoch: u64, lineage: Option<u64>, offer: Offer) -> Hello {
    Hello { offer: Some(offer), ..hello(epoch, 0, lineage) }
}

/// What counts of what these have prepared, whose state is taken over, and who has something that stays open.
fn judged(hellos: &[(u32, Hello)]) -> (Option<Offer>, u32, BTreeSet<NodeId>) {
    let all = hellos.iter().map(|(id, hello)| (NodeId(*id), hello.clone())).collect();
    let comparison = compare(&all).expect("somebody is there");
    (comparison.offer, comparison.donor.0, comparison.open)
}

#[test]
fn what_was_prepared_survives_the_disk_of_the_one_that_committed_it() {
    // Node 1 had committed it, acknowledged it, and lost its disk.
    let wiped = hello(0, 0, None);
    let kept = prepared(1, Some(4), offer(2, 4));
    let comparison = compared([wiped.clone(), kept.clone(), kept.clone()]);
    let (donor, needy) = (NodeId(2), nodes(&[1]));
    let (open, cluster) = (nodes(&[]), Some(cluster(0)));
    assert_eq!(comparison, Comparison { donor, needy, offer: Some(offer(2, 4)), open, cluster });
    // Who was away when it was prepared, or could not store it, does not know whether it counted.
    for without in [hello(0, 5, Some(3)), hello(1, 0, Some(4)), hello(1, 0, Some(3))] {
        assert_eq!(judged(&[(2, kept.clone()), (3, without)]), (Some(offer(2, 4)), 2, nodes(&[])));
    }
    // It was committed somewhere: then it comes from there.
    assert_eq!(judged(&[(1, hello(2, 0, Some(4))), (2, kept)]), (None, 1, nodes(&[])));
    // Before the first change of a cluster nobody has stored anything.
    let first = prepared(1, None, offer(2, 4));
    assert_eq!(judged(&[(1, wiped), (2, first.clone()), (3, first)]), (Some(offer(2, 4)), 2, nodes(&[])));
}

#[test]
fn who_went_on_without_what_was_prepared_knows_better() {
    let kept = prepared(1, Some(4), offer(2, 4));
    let lived = Hello { lived: Some(ring(4)), since: ring(2), ..hello(1, 7, Some(4)) };
    assert_eq!(judged(&[(1, lived), (2, kept.clone())]), (None, 1, nodes(&[])));
    let later = hello(1, 0, Some(8));
    assert_eq!(judged(&[(1, later), (2, kept.clone())]), (None, 1, nodes(&[])));
    // Who has lived on since before it knows nothing.
    let away = Hello { lived: Some(ring(2)), since: ring(2), ..hello(1, 7, Some(2)) };
    let (counts, donor, _) = judged(&[(1, away.clone()), (2, kept.clone())]);
    assert_eq!((counts, donor), (Some(offer(2, 4)), 2));
    // What it knows of the present is not in what was prepared.
    assert_eq!(compare(&[(NodeId(1), away), (NodeId(2), kept)].into()).unwrap().needy, nodes(&[1]));
}

/// Seed 22845 of the simulator lost a change that three nodes had agreed upon.
#[test]
fn without_most_of_the_votes_what_was_prepared_is_neither_in_force_nor_forgotten() {
    let kept = prepared(1, Some(4), offer(2, 4));
    assert_eq!(judged(&[(2, kept.clone())]), (None, 2, nodes(&[2])));
    // Unless the others need not be asked.
    let few = Hello { few: true, ..kept.clone() };
    assert_eq!(judged(&[(2, few)]), (Some(offer(2, 4)), 2, nodes(&[])));
    // What is known for certain is known without quorum.
    let ended = Hello { lineage: Some(ring(8)), ..kept };
    assert_eq!(judged(&[(2, ended)]), (None, 2, nodes(&[])));
}

/// Two of three nodes agreed on a change each, one after the other, and all went down.
#[test]
fn of_what_was_prepared_the_later_counts_whatever_else_was_stored_at_the_same_version() {
    let (early, late) = (offer(2, 4), Offer { digest: [201; 16], ..offer(2, 8) });
    let (two, three) = (prepared(1, Some(4), early), prepared(1, Some(4), late.clone()));
    assert_eq!(judged(&[(2, two.clone()), (3, three.clone())]), (Some(late.clone()), 3, nodes(&[])));
    // The earlier one was taken for one that counts, by a node that was alone or went down in a view that broke up.
    let adopted = hello(2, 0, Some(4));
    assert_eq!(judged(&[(2, adopted), (3, three)]), (Some(late), 3, nodes(&[])));
    // Nobody knows yet.
    let five = Votes { expected_votes: 5, ..two.votes.clone() };
    let (two, three) = (Hello { votes: five.clone(), ..two }, Hello { votes: five, ..hello(1, 0, Some(4)) });
    assert_eq!(judged(&[(2, two), (3, three)]), (None, 2, nodes(&[2])));
}

#[test]
fn a_prepared_change_of_nodes_or_level_counts_like_any_other() {
    let base = |lineage| Hello { cluster: cluster(3), ..hello(1, 0, lineage) };
    let grown = Offer { cluster: cluster(4), digest: base(None).digest, ..offer(1, 4) };
    let kept = Hello { offer: Some(grown.clone()), ..base(Some(4)) };
    let wiped = hello(0, 0, None);
    let comparison = compared([wiped, kept.clone(), kept.clone()]);
    assert_eq!((comparison.offer, comparison.cluster), (Some(grown), Some(cluster(4))));
    let lived = Hello { lived: Some(ring(4)), since: ring(4), ..base(Some(4)) };
    let all = [(NodeId(1), lived), (NodeId(2), kept.clone())].into();
    let comparison = compare(&all).unwrap();
    assert_eq!((comparison.offer, comparison.cluster), (None, Some(cluster(3))));
    let alone = compare(&[(NodeId(2), kept)].into()).unwrap();
    assert_eq!((alone.offer, alone.open, alone.cluster), (None, nodes(&[2]), Some(cluster(3))));
}
