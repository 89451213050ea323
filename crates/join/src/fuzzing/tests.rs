//! Every input that is worth keeping.

use super::*;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::{kept, replay};

#[test]
fn kept_inputs_of_join_frames_do_no_harm() {
    replay("join_frames", join_frames);
}

/// A frame from which the fuzzer cannot start is one that it may never find.
#[test]
fn every_frame_is_among_the_kept_inputs() {
    let inputs: Vec<Vec<u8>> = kept("join_frames").into_iter().map(|(_, input)| input).collect();
    let guests = inputs.iter().filter(|input| decode::<FromGuest>(input).is_ok()).count();
    let hosts = inputs.iter().filter(|input| decode::<FromHost>(input).is_ok()).count();
    assert_eq!((guests, hosts), (4, 5));
}
