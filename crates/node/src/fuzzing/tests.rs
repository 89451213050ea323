//! Every input that the fuzzers found worth keeping.

use super::*;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::replay;

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
