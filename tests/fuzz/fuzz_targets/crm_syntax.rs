//! See `hac_pacemaker::fuzzing::crm_syntax`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hac_pacemaker::fuzzing::crm_syntax(input));
