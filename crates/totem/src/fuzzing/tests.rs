//! Every input that the fuzzers found worth keeping, and what the targets themselves rest on.

use std::collections::BTreeSet;

use super::*;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::{kept, replay};

#[test]
fn kept_inputs_of_ring_envelope_do_no_harm() {
    replay("ring_envelope", ring_envelope);
}

#[test]
fn kept_inputs_of_ring_body_do_no_harm() {
    replay("ring_body", ring_body);
}

#[test]
fn kept_inputs_of_authkey_do_no_harm() {
    replay("authkey", authkey);
}

#[test]
fn kept_inputs_of_ring_peer_do_no_harm() {
    replay("ring_peer", ring_peer);
}

/// Otherwise the targets would only find that nothing is believed.
#[test]
fn the_pair_forms_a_ring_and_believes_what_is_genuine() {
    for cipher in [Cipher::None, Cipher::Aes256Gcm] {
        let mut pair = Pair::formed(cipher);
        assert!(pair.honest.stats().tokens > 0, "they are in one ring");
        let genuine = pair.genuine();
        let now = pair.now;
        assert_eq!(pair.honest.handle_datagram(now, LinkId(0), NodeId(Pair::TURNED), &genuine), Ok(()));
    }
}

#[test]
fn a_hello_of_the_next_life_is_answered_under_the_key_and_the_next_one() {
    for change_key in [false, true] {
        let mut pair = Pair::formed(Cipher::Aes256Gcm);
        let key = if change_key { pair.next_key() } else { Pair::key() };
        let hello = pair.genuine_hello(key, Cipher::Aes256Gcm);
        let now = pair.now;
        assert_eq!(pair.honest.handle_datagram(now, LinkId(0), NodeId(Pair::TURNED), &hello), Ok(()));
        assert!(pair.answers(), "a session begins");
    }
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Token(_) => "token",
        Message::Data(_) => "data",
        Message::Recovered(_) => "recovered",
        Message::Join(_) => "join",
        Message::Leave(_) => "leave",
        Message::Commit(_) => "commit",
        Message::HoldCancel(_) => "hold cancel",
        Message::Ping(_) => "ping",
        Message::Pong(_) => "pong",
        Message::Hello(_) => "hello",
        Message::MtuProbe(_) => "MTU probe",
        Message::MtuAck(_) => "MTU ack",
        Message::Segment(_) => "segment",
        Message::Doubled => "doubled",
    }
}

/// A kind from which the fuzzer cannot start is one that it may never find.
#[test]
fn every_kind_of_message_is_among_the_kept_inputs() {
    let bodies: Vec<Vec<u8>> = kept("ring_body").into_iter().map(|(_, input)| input).collect();
    let mut said = Vec::new();
    for (_, input) in kept("ring_peer") {
        let mut rest = input.as_slice();
        while let Some(step) = next_step(&mut rest) {
            if let Step::Say(body) = step {
                said.push(body.to_vec());
            }
        }
    }
    for inputs in [bodies, said] {
        let messages = inputs.iter().filter_map(|input| Message::decode(input).ok());
        let kinds: BTreeSet<&str> = messages.map(|message| kind(&message)).collect();
        assert_eq!(kinds.len(), 14, "{kinds:?}");
    }
}
