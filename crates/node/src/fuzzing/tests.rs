//! Every input that the fuzzers found worth keeping.

use std::collections::BTreeSet;

use super::*;
use crate::wire::Body;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::{kept, replay};

#[test]
fn kept_inputs_of_stream_message_do_no_harm() {
    replay("stream_message", stream_message);
}

#[test]
fn kept_inputs_of_stream_peer_do_no_harm() {
    replay("stream_peer", stream_peer);
}

#[test]
fn kept_inputs_of_state_cib_do_no_harm() {
    replay("state_cib", state_cib);
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::Hello(_) => "hello",
        Body::Part(_) => "part",
        Body::Snapshot(_) => "snapshot",
        Body::NoSnapshot(_) => "no snapshot",
        Body::Impatient => "impatient",
        Body::Close(_) => "close",
        Body::Stored(_) => "stored",
        Body::Answer(_) => "answer",
        Body::Ready(_) => "ready",
        Body::Propose(_) => "propose",
        Body::Vote(_) => "vote",
        Body::Order(_) => "order",
        Body::Change(_) => "change",
        Body::SettleDone(_) => "settle done",
        Body::Progress { .. } => "progress",
        Body::KeyStored(_) => "key stored",
    }
}

/// A kind from which the fuzzer cannot start is one that it may never find.
#[test]
fn every_kind_of_message_is_among_the_kept_inputs() {
    let messages: Vec<Vec<u8>> = kept("stream_message").into_iter().map(|(_, input)| input).collect();
    let mut said = Vec::new();
    for (_, input) in kept("stream_peer") {
        let mut rest = input.get(1..).unwrap_or_default();
        while let Some(step) = next_step(&mut rest) {
            if let Step::Say(bytes) = step {
                said.push(bytes.to_vec());
            }
        }
    }
    for inputs in [messages, said] {
        let decoded = inputs.iter().filter_map(|input| wire::decode(input, hac_types::Level::FIRST).ok());
        let kinds: BTreeSet<&str> = decoded.map(|message| kind(&message.body)).collect();
        assert_eq!(kinds.len(), 15, "{kinds:?}");
    }
}
