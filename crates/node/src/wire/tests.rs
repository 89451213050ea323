//! Tests of the module `wire`.

use hac_crm::cib::Section;

use super::*;

fn ring() -> RingId {
    RingId { seq: 8, rep: 1, rep_incarnation: Incarnation(5) }
}

fn proposal() -> Message {
    let change = hac_crm::cib::Change::SetProperties {
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
    let id = ProposalId { node: NodeId(1), incarnation: Incarnation(5), lane: Lane::Configure, seq: 3 };
    let what = Proposed::Command(Command::Configure(configure));
    Message { ring: ring(), body: Body::Propose(Proposal { id, wall: WallTime(1000), what }) }
}

/// The bytes of version 1. If this fails, nodes of different versions no longer understand each other: raise
/// [`VERSION`] and say in the change log that a rolling upgrade is not possible.
#[test]
fn version_one_is_these_bytes() {
    let vote = Vote {
        proposal: ProposalId { node: NodeId(2), incarnation: Incarnation(7), lane: Lane::Status, seq: 300 },
        error: Some("full".to_owned()),
    };
    let golden = [
        (Body::Progress { busy: true }, "01080105 0801"),
        (Body::Vote(vote), "01080105 04 0207 00 fb2c01 01 04 66756c6c"),
    ];
    for (body, expected) in golden {
        let bytes = encode(&Message { ring: ring(), body }).unwrap();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, expected.replace(' ', ""));
    }
    let bytes = encode(&proposal()).unwrap();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        hex,
        "0108010503010501 03fbd007 00 00 01 02 00 00 01 01 61 01 01 62 01 6e 01 63 01 75 00".replace(' ', "")
    );
}

#[test]
fn what_is_encoded_is_decoded() {
    let message = proposal();
    assert_eq!(decode(&encode(&message).unwrap()), Ok(message));
}

#[test]
fn every_truncation_and_every_flipped_bit_is_survived() {
    let bytes = encode(&proposal()).unwrap();
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err());
    }
    let mut understood = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        understood += u32::from(decode(&bytes).is_ok());
    }
    assert!(understood > 0, "a flipped letter is still a message");
}

#[test]
fn what_claims_to_be_larger_than_it_is_does_not_cost_memory() {
    // A list of 2^60 changes.
    let mut bytes = encode(&proposal()).unwrap();
    let at = 14;
    assert_eq!(bytes[at], 1, "the number of changes");
    bytes.splice(at..=at, [253, 0, 0, 0, 0, 0, 0, 0, 16]);
    assert_eq!(decode(&bytes), Err(Undecodable::Malformed));
}

#[test]
fn nothing_may_follow_a_message() {
    let mut bytes = encode(&proposal()).unwrap();
    bytes.push(0);
    assert_eq!(decode(&bytes), Err(Undecodable::Malformed));
}

#[test]
fn another_version_is_refused() {
    let mut bytes = encode(&proposal()).unwrap();
    bytes[0] = 2;
    assert_eq!(decode(&bytes), Err(Undecodable::Version));
    assert_eq!(decode(&[]), Err(Undecodable::Malformed));
}

#[test]
fn a_stored_configuration_is_known_by_its_first_bytes() {
    let state = StoredState { cib: Cib::default(), lineage: Some(ring()) };
    let bytes = encode_stored(&state).unwrap();
    assert_eq!(decode_stored(&bytes), Ok(state));
    assert_eq!(decode_stored(&bytes[1..]), Err(Undecodable::Malformed));
    assert_eq!(decode_stored(b"hacd-cib\x09"), Err(Undecodable::Version));
}
