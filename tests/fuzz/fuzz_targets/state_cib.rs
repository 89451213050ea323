//! See `hac_node::fuzzing::state_cib`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_node::fuzzing::state_cib(input));
