//! See `hac_pacemaker::fuzzing::cib_xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_pacemaker::fuzzing::cib_xml(input));
