//! See `hac_pacemaker::fuzzing::simulate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_pacemaker::fuzzing::simulate(input));
