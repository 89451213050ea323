//! See `hac_totem::fuzzing::authkey`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_totem::fuzzing::authkey(input));
