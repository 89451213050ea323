//! See `hacd::fuzzing::state_files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hacd::fuzzing::state_files(input));
