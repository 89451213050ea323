//! Tests of the module `wire`.

use hac_crm::cib::{Change, Section};

use hac_types::LevelWindow;

use super::*;
use crate::cluster::ClusterConfig;

pub(super) const RING: RingId = RingId { seq: 8, rep: 1, rep_incarnation: Incarnation(5) };

pub(super) fn id(lane: Lane, seq: u64) -> ProposalId {
    ProposalId { node: NodeId(1), incarnation: Incarnation(5), lane, seq }
}

pub(super) fn proposal() -> Message {
    let change = Change::SetProperties {
        section: Section::CrmConfig,
        set: None,
        pairs: vec![("a".to_owned(), Some("b".to_owned()))],
    };
    let configure = hac_crm::cib::Configure {
        changes: vec![change],
        origin: "n".to_owned(),
        client: "c".to_owned(),
        user: "u".to_owned(),
        base: None,
    };
    let what = Proposed::Command(Command::Configure(configure));
    Message { ring: RING, body: Body::Propose(Proposal { id: id(Lane::Configure, 3), wall: WallTime(1000), what }) }
}

#[test]
fn what_is_encoded_is_decoded() {
    let message = proposal();
    assert_eq!(decode(&encode(&message, Level::FIRST).unwrap(), Level::FIRST), Ok(message));
}

#[test]
fn every_truncation_and_every_flipped_bit_is_survived() {
    let bytes = encode(&proposal(), Level::FIRST).unwrap();
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end], Level::FIRST).is_err());
    }
    let mut understood = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        understood += u32::from(decode(&bytes, Level::FIRST).is_ok());
    }
    assert!(understood > 0, "a flipped letter is still a message");
}

#[test]
fn what_claims_to_be_larger_than_it_is_does_not_cost_memory() {
    // A body of 2^60 bytes.
    let frame = Frame { ring: RING, kind: kind::PROGRESS, level: Level(1), bytes: vec![1] };
    let mut bytes = plain(&frame).unwrap();
    let at = bytes.len() - 2;
    assert_eq!(bytes[at], 1, "the length of the body");
    bytes.splice(at..=at, [253, 0, 0, 0, 0, 0, 0, 0, 16]);
    assert_eq!(open(&bytes), Err(Undecodable::Malformed));
}

#[test]
fn nothing_may_follow_a_message() {
    let mut bytes = encode(&proposal(), Level::FIRST).unwrap();
    bytes.push(0);
    assert_eq!(open(&bytes), Err(Undecodable::Malformed));
    let Some(mut frame) = proposal().frame(Level(1)) else { panic!("it has a frame") };
    frame.bytes.push(b'x');
    assert!(matches!(frame.body(Level(1)), Err(Undecodable::Unreadable(Unreadable::Malformed(_)))));
}

/// Deliberate bug `unknown-skipped`: whoever skipped one of these would have another state than the others.
#[test]
fn the_form_of_another_level_an_unknown_kind_and_an_unknown_name_are_refused() {
    let Some(frame) = proposal().frame(Level(1)) else { panic!("it has a frame") };
    assert!(frame.body(Level(1)).is_ok());
    assert_eq!(Frame { level: Level(2), ..frame.clone() }.body(Level(1)), Err(Undecodable::Level(Level(2))));
    assert_eq!(frame.body(Level(2)), Err(Undecodable::Level(Level(1))), "nor is an old form taken for a new one");
    assert_eq!(Frame { kind: 77, ..frame.clone() }.body(Level(1)), Err(Undecodable::Kind(77)));
    let text = String::from_utf8(frame.bytes.clone()).unwrap();
    for (old, new) in [("SetProperties", "SetEverything"), ("\"pairs\"", "\"peers\""), ("\"wall\"", "\"well\"")] {
        let bytes = text.replace(old, new).into_bytes();
        let said = Frame { bytes, ..frame.clone() }.body(Level(1));
        assert!(matches!(said, Err(Undecodable::Unreadable(Unreadable::Unknown(_)))), "{new}: {said:?}");
    }
}

fn state() -> StoredState {
    let cib = Cib { version: Version { epoch: 3, ..Default::default() }, ..Cib::default() };
    let cluster = ClusterConfig { uuid: "ab".repeat(16), level: Level::FIRST, version: 2, ..ClusterConfig::default() };
    let mark = Mark {
        admin_epoch: 0,
        epoch: 3,
        node: NodeId(1),
        incarnation: Incarnation(5),
        seq: 1,
        passing: true,
        apart: false,
    };
    let (level, release) = (Level::FIRST, stored::RELEASE.to_owned());
    StoredState { level, release, cluster, cib, lineage: Some(RING), trail: vec![mark], register: None }
}

fn stored(state: &StoredState) -> Vec<u8> {
    encode_stored(&state.cib, &state.cluster, state.lineage, &state.trail, state.register.as_ref()).unwrap()
}

#[test]
fn a_state_is_read_back_and_says_at_first_sight_who_wrote_it() {
    let bytes = stored(&state());
    assert_eq!(decode_stored(&bytes, LevelWindow::KNOWN), Ok(state()));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(&format!("hacd-state 2\n{{\"level\":1,\"release\":\"{}\"", stored::RELEASE)), "{text}");
}

#[test]
fn a_newer_state_is_told_from_a_broken_one() {
    let text = String::from_utf8(stored(&state())).unwrap();
    let read = |from: &str, to: &str| {
        decode_stored(text.replacen(from, to, 1).as_bytes(), LevelWindow::KNOWN).unwrap_err().to_string()
    };
    let why = read("hacd-state 2", "hacd-state 250");
    assert!(why.contains("in form 250 by a newer release"), "{why}");
    let why = read("\"level\":1,\"release\":\"0.1.0\"", "\"level\":3,\"release\":\"0.4.0\",\"new\":[]");
    assert!(why.contains("at level 3 by hacd 0.4.0, which is newer"), "{why}");
    let why = read("\"lineage\"", "\"linkage\"");
    assert!(why.contains("newer (it uses `linkage`)"), "{why}");
    let why = read("\"epoch\":3", "\"epoch\":\"x\"");
    assert!(why.contains("is intact, but"), "{why}");
    assert!(
        decode_stored(b"", LevelWindow::KNOWN).is_err()
            && decode_stored(b"hacd-cib\x09", LevelWindow::KNOWN).unwrap_err().to_string().contains("newer")
    );
}

/// What the release before the first wrote: everything that its model had, and what it wrote for a real configuration.
/// Everything in it is there, and the same as if it had been written today.
#[test]
fn a_state_of_level_0_is_read_with_all_that_is_in_it() {
    let everything = include_bytes!("../../../../tests/golden/state/l0/everything.bin");
    let state = decode_stored(everything, LevelWindow::KNOWN).unwrap();
    assert_eq!(state.lineage, Some(RingId { seq: 9, rep: 2, rep_incarnation: Incarnation(1 << 40) }));
    assert_eq!(state.cluster, ClusterConfig::default());
    let named = String::from_utf8(named(&state.cib).unwrap()).unwrap();
    assert_eq!(named, include_str!("../../../../tests/golden/state/l0/everything.json"));

    let file = include_bytes!("../../../../tests/golden/state/l0/cib.2");
    let state = decode_stored(&file[56..], LevelWindow::KNOWN).unwrap();
    let json = hac_wire::to_vec(&state.cib).unwrap();
    for word in ["dop_v1_secret", "hunter2", "StateClone", "web-tmpl", "not_defined", "resource-stickiness"] {
        assert!(json.windows(word.len()).any(|at| at == word.as_bytes()), "{word}");
    }
    expect_test::expect_file!["../../../../tests/golden/state/l0/cib.2.json"]
        .assert_eq(std::str::from_utf8(&json).unwrap());
    for end in 0..everything.len() {
        assert!(decode_stored(&everything[..end], LevelWindow::KNOWN).is_err(), "{end}");
    }
}
