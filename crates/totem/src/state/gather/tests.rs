//! Gathering, by hand: what proposals, stamps and old commit tokens do.

use hac_types::{Incarnation, Level, LevelWindow};

use super::*;
use crate::wire::{Commit, Departed, Knowledge, Slot};
use crate::{AuthKey, Cipher, Config, NodeConfig, Stored, Timers};

fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(1) }
}

/// Node 2 of two, in its fifth round, proposing both.
fn gathering() -> (Ring, Transport) {
    let config = Config {
        cluster_name: "test".to_owned(),
        node: NodeId(2),
        nodes: [1, 2].map(|id| NodeConfig { node: NodeId(id), links: 1 }).to_vec(),
        links: 1,
        authkey: AuthKey::new(vec![7; 32]).unwrap(),
        cipher: Cipher::None,
        timers: Timers::default(),
        window_size: 50,
        max_messages: 17,
        netmtu: 1500,
        contract: crate::Contract::default(),
    };
    let now = Timestamp::from_millis(1000);
    let stored = Stored { ring_seq: 0, incarnation: Incarnation(1) };
    let net = Transport::new(&config, stored.incarnation, [3; 32], now);
    let mut ring = Ring::new(&config, stored, now);
    ring.round = 5;
    let mut gather = Gather::new(now);
    gather.version = 2;
    gather.proposal = Members(vec![member(1), member(2)]);
    ring.phase = Phase::Gather(gather);
    (ring, net)
}

/// The commit token of node 1, built on a proposal of ours of this round.
fn commit(round: u64) -> Commit {
    let ring = RingId { seq: 4, rep: 1, rep_incarnation: Incarnation(1) };
    Commit {
        ring,
        token_seq: 1,
        members: Members(vec![member(1), member(2)]),
        stamps: vec![Stamp { round: 9, version: 1 }, Stamp { round, version: 2 }],
        slots: vec![Slot {
            old_ring: RingId::default(),
            aru: 0,
            high: 0,
            round: 9,
            obliged: 0,
            level: Level::FIRST,
            levels: LevelWindow::KNOWN,
        }],
        departed: Departed::default(),
    }
}

#[test]
fn a_commit_token_is_taken_only_if_it_is_built_on_the_present_proposal() {
    let (mut ring, mut net) = gathering();
    ring.handle_commit(member(1), commit(4), &mut net);
    assert!(matches!(ring.phase, Phase::Gather(_)), "round 4 is of the past");
    ring.handle_commit(member(1), commit(5), &mut net);
    assert!(matches!(ring.phase, Phase::Commit(_)));
}

#[test]
fn the_proposal_that_a_commit_token_is_built_on_does_not_end_the_attempt_when_it_comes_late() {
    let (mut ring, mut net) = gathering();
    ring.handle_commit(member(1), commit(5), &mut net);
    let join = |round, version| Join {
        round,
        version,
        ring_seq: 0,
        proposal: Members(vec![member(1), member(2)]),
        knowledge: Knowledge::default(),
        departed: Departed::default(),
    };
    ring.handle_join(member(1), join(9, 1), &mut net);
    assert!(matches!(ring.phase, Phase::Commit(_)), "it is the one that the token names");
    ring.handle_join(member(1), join(10, 1), &mut net);
    assert_eq!(ring.round, 6, "node 1 has begun anew, so this node does");
}

#[test]
fn a_commit_token_that_would_use_up_the_numbers_of_rings_is_refused() {
    for seq in [1 << 40, u64::MAX - 1, u64::MAX] {
        let (mut ring, mut net) = gathering();
        let mut poisoned = commit(5);
        poisoned.ring.seq = seq;
        ring.handle_commit(member(1), poisoned, &mut net);
        assert!(matches!(ring.phase, Phase::Gather(_)), "ring number {seq}");
        assert!(ring.ring_seq_high < 100, "the number is not remembered");
        assert!(!net.outputs.iter().any(|output| matches!(output, crate::Output::Persist { .. })));
    }
}

#[test]
fn a_commit_token_with_a_number_that_its_way_does_not_explain_is_refused() {
    for number in [0, 2, u64::MAX] {
        let (mut ring, mut net) = gathering();
        let mut strange = commit(5);
        strange.token_seq = number;
        ring.handle_commit(member(1), strange, &mut net);
        assert!(matches!(ring.phase, Phase::Gather(_)), "token number {number}");
    }
    // The second rotation: it was number 2 when it left here.
    for (number, taken) in [(2, false), (3, true), (4, false), (u64::MAX, false)] {
        let (mut ring, mut net) = gathering();
        ring.handle_commit(member(1), commit(5), &mut net);
        let Phase::Commit(attempt) = &ring.phase else { panic!("the first rotation is right") };
        let mut full = commit(5);
        full.slots.clone_from(&attempt.slots);
        full.token_seq = number;
        ring.handle_commit(member(1), full, &mut net);
        assert_eq!(matches!(ring.phase, Phase::Recovery(_)), taken, "token number {number}");
    }
}
