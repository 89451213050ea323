//! See `hacd::fuzzing::corosync_conf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hacd::fuzzing::corosync_conf(input));
