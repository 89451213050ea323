//! See `hac_join::fuzzing::join_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_join::fuzzing::join_frames(input));
