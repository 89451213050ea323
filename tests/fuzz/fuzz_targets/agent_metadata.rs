//! See `hac_pacemaker::fuzzing::agent_metadata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_pacemaker::fuzzing::agent_metadata(input));
