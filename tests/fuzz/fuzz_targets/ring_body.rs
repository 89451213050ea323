//! See `hac_totem::fuzzing::ring_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_totem::fuzzing::ring_body(input));
