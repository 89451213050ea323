//! See `hac_node::fuzzing::stream_peer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_node::fuzzing::stream_peer(input));
