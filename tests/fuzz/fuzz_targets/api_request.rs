//! See `hacd::fuzzing::api_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hacd::fuzzing::api_request(input));
