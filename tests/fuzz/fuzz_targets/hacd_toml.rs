//! See `hacd::fuzzing::hacd_toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hacd::fuzzing::hacd_toml(input));
