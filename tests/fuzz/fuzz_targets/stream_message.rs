//! See `hac_node::fuzzing::stream_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_node::fuzzing::stream_message(input));
