//! Golden bytes of every message, and that decoding refuses whatever is not canonical sense.

use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NOBODY: Members = Members(Vec::new());

fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(u64::from(node) << 32 | 5) }
}

fn ring() -> RingId {
    RingId { seq: 12, rep: 1, rep_incarnation: member(1).incarnation }
}

fn members() -> Members {
    Members(vec![member(1), member(2)])
}

fn said(member: Member, version: u64, heard: &Members, excluded: &Members) -> Said {
    Said { member, version, heard: heard.clone(), excluded: excluded.clone() }
}

fn parts(row: Row<'_>) -> (Member, u64, Members) {
    (row.member, row.version, row.heard())
}

fn knowledge() -> Knowledge {
    let (of_1, of_2) = (Members(vec![member(2)]), Members(vec![member(1)]));
    let without = Members(vec![member(3)]);
    Knowledge::new([said(member(2), 9, &of_2, &without), said(member(1), 7, &of_1, &NOBODY)].into_iter())
}

fn data() -> Data {
    Data { ring: ring(), seq: 300, origin: NodeId(2), safe: true, payload: vec![0xab; 3] }
}

fn slot() -> Slot {
    let levels = LevelWindow { min: Level(1), max: Level(3) };
    Slot { old_ring: RingId { seq: 8, ..ring() }, aru: 4, high: 6, round: 2, obliged: 2, level: Level(2), levels }
}

fn departed() -> Departed {
    Departed(vec![Left { member: member(3), departure: Departure::LeftClean }])
}

fn token() -> Token {
    Token {
        ring: ring(),
        token_seq: 99,
        seq: 300,
        aru: 297,
        aru_addr: 2,
        fcc: 17,
        backlog: 3,
        retrans: false,
        requests: vec![298, 300],
    }
}

fn stamp(round: u64, version: u64) -> Stamp {
    Stamp { round, version }
}

fn commit() -> Commit {
    Commit {
        ring: ring(),
        token_seq: 3,
        members: members(),
        stamps: vec![stamp(7, 2), stamp(3, 1)],
        slots: vec![slot()],
        departed: departed(),
    }
}

fn join() -> Join {
    Join { round: 3, version: 1, ring_seq: 12, proposal: members(), knowledge: knowledge(), departed: departed() }
}

fn all() -> Vec<Message> {
    let liveness = Liveness { sent_at: 1_000_000, ring: ring(), small_only: false, knowledge: knowledge() };
    let hello = crate::wire::hello::tests::hello();
    vec![
        Message::Token(token()),
        Message::Data(data()),
        Message::Recovered(Recovered { ring: RingId { seq: 16, ..ring() }, seq: 1, sender: NodeId(1), old: data() }),
        Message::Join(join()),
        Message::Leave(Leave { ring: ring(), resources_clean: true, restart: false }),
        Message::Commit(commit()),
        Message::HoldCancel(ring()),
        Message::Ping(liveness.clone()),
        Message::Pong(liveness),
        Message::Hello(hello),
        Message::MtuProbe(vec![0; 2]),
        Message::MtuAck(1452),
        Message::Segment(Segment { id: 1, index: 0, count: 2, bytes: vec![9; 2] }),
        Message::Doubled,
    ]
}

#[test]
fn the_bytes_of_every_message_are_those_agreed_on() {
    let expected: Expect = expect![[r#"
        Token: 010c01fd050000000100000063fb2c01fb29010211030002fb2a01fb2c01
        Data: 020c01fd0500000001000000fb2c01020103ababab
        Recovered: 031001fd050000000100000001010c01fd0500000001000000fb2c01020103ababab
        Join: 0503010c0201fd050000000100000002fd05000000020000000301fd050000000100000002fd050000000200000003fd05000000030000000200070200010901040103fd050000000300000001
        Leave: 060c01fd05000000010000000100
        Commit: 070c01fd0500000001000000030201fd050000000100000002fd05000000020000000207020301010801fd0500000001000000040602020201030103fd050000000300000001
        HoldCancel: 080c01fd0500000001000000
        Ping: 09fc40420f000c01fd0500000001000000000301fd050000000100000002fd050000000200000003fd0500000003000000020007020001090104
        Pong: 0afc40420f000c01fd0500000001000000000301fd050000000100000002fd050000000200000003fd0500000003000000020007020001090104
        Hello: 0b01020101010101010101010101010101010102020202020202020202020202020202010002010200030303030303030303030303030303030b0a0000000000000404040404040404302e312e300000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
        MtuProbe: 0c020000
        MtuAck: 0dfbac05
        Segment: 0e010002020909
        Doubled: 0f
    "#]];
    let lines = all().into_iter().map(|message| {
        let hex: String = message.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{message:?}");
        format!("{}: {hex}\n", name.split('(').next().unwrap())
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn every_message_comes_back_as_it_went() {
    for message in all() {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn a_body_cut_short_or_with_something_after_it_is_refused() {
    for message in all() {
        let body = message.encode();
        for length in 0..body.len() {
            assert_eq!(Message::decode(&body[..length]), Err(Rejected::Malformed), "{message:?}");
        }
        let longer = [&body[..], &[0]].concat();
        assert_eq!(Message::decode(&longer), Err(Rejected::Malformed), "{message:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let bad = [
        Message::Token(Token { requests: vec![300, 298], ..token() }),
        Message::Token(Token { requests: vec![301], ..token() }),
        Message::Token(Token { requests: vec![0], ..token() }),
        Message::Token(Token { requests: (1..=65).collect(), ..token() }),
        Message::Token(Token { aru: 301, ..token() }),
        Message::Data(Data { seq: 0, ..data() }),
        Message::Recovered(Recovered { ring: ring(), seq: 1, sender: NodeId(1), old: data() }),
        Message::Join(Join { proposal: Members(vec![member(2), member(1)]), ..join() }),
        Message::Join(Join { proposal: Members(vec![member(1), member(1)]), ..join() }),
        Message::Join(Join { proposal: Members(vec![member(0)]), ..join() }),
        Message::Join(Join { proposal: Members::default(), ..join() }),
        Message::Commit(Commit { members: Members(vec![member(2)]), ..commit() }),
        Message::Commit(Commit { slots: vec![slot(); 3], ..commit() }),
        Message::Commit(Commit { stamps: vec![stamp(7, 2)], ..commit() }),
        Message::Commit(Commit { slots: vec![Slot { aru: 7, ..slot() }], ..commit() }),
        Message::Commit(Commit { slots: vec![Slot { old_ring: ring(), ..slot() }], ..commit() }),
        Message::Segment(Segment { id: 1, index: 2, count: 2, bytes: vec![1] }),
        Message::Segment(Segment { id: 1, index: 0, count: 65, bytes: vec![1] }),
        Message::Segment(Segment { id: 1, index: 0, count: 2, bytes: vec![] }),
    ];
    for message in bad {
        assert_eq!(Message::decode(&message.encode()), Err(Rejected::Malformed), "{message:?}");
    }
}

#[test]
fn rows_that_point_nowhere_are_refused() {
    let mut beyond = knowledge();
    beyond.rows[0].heard = 1 << 3;
    let mut beyond_excluded = knowledge();
    beyond_excluded.rows[1].excluded = 1 << 3;
    let mut nobody = knowledge();
    nobody.rows[1].node = 3;
    let mut unsorted = knowledge();
    unsorted.rows.swap(0, 1);
    for knowledge in [beyond, beyond_excluded, nobody, unsorted] {
        assert_eq!(Message::decode(&Message::Join(Join { knowledge, ..join() }).encode()), Err(Rejected::Malformed));
    }
}

#[test]
fn rows_come_back_in_order_whatever_order_they_were_given_in() {
    let rows: Vec<_> = knowledge().rows().map(parts).collect();
    assert_eq!(rows, [(member(1), 7, Members(vec![member(2)])), (member(2), 9, Members(vec![member(1)]))]);
}

#[test]
fn rows_are_exact_or_left_out() {
    let old = Member { incarnation: Incarnation(1), ..member(2) };
    let (ours, theirs) = (Members(vec![member(2)]), Members(vec![old]));
    let knowledge =
        Knowledge::new([said(member(1), 1, &ours, &NOBODY), said(member(3), 1, &theirs, &NOBODY)].into_iter());
    let rows: Vec<_> = knowledge.rows().map(parts).collect();
    assert_eq!(rows, [(member(1), 1, ours), (member(3), 1, theirs)], "two lives of a node are told apart");
    let many = Members((1..=60).map(member).collect());
    let more = Members((61..=70).map(member).collect());
    let knowledge =
        Knowledge::new([said(member(1), 1, &many, &NOBODY), said(member(2), 1, &more, &NOBODY)].into_iter());
    assert_eq!(knowledge.rows().map(parts).collect::<Vec<_>>(), [(member(1), 1, many)]);
}

#[test]
fn a_list_may_have_as_many_entries_as_a_cluster_nodes_and_no_more() {
    let many = |count: u32| Members((1..=count).map(member).collect());
    let join = |count| Message::Join(Join { proposal: many(count), ..join() });
    assert!(Message::decode(&join(64).encode()).is_ok());
    assert_eq!(Message::decode(&join(65).encode()), Err(Rejected::Malformed));
}

#[test]
fn a_length_that_lies_costs_no_memory() {
    // DATA whose payload claims 2^60 bytes.
    let mut body = Message::Data(Data { payload: vec![], ..data() }).encode();
    body.pop();
    body.extend([253, 0, 0, 0, 0, 0, 0, 0, 16]);
    assert_eq!(Message::decode(&body), Err(Rejected::Malformed));
}

proptest! {
    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..200), kind in 0_u8..17) {
        let body = [&[kind][..], &noise].concat();
        if let Ok(message) = Message::decode(&body) {
            // What is accepted means the same when it is said again.
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn a_changed_byte_never_panics(which in 0_usize..14, at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut body = all()[which].encode();
        let at = at.index(body.len());
        body[at] = to;
        let _ = Message::decode(&body);
    }
}
