//! Every input that the fuzzers found worth keeping, and what the targets themselves rest on.

use super::*;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn kept_inputs_of_ring_envelope_do_no_harm() {
    replay("ring_envelope", ring_envelope);
}

#[test]
fn kept_inputs_of_ring_body_do_no_harm() {
    replay("ring_body", ring_body);
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
