//! Every input that the fuzzers found worth keeping.

use super::*;

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn kept_inputs_of_state_files_do_no_harm() {
    replay("state_files", state_files);
}

#[test]
fn kept_inputs_of_hacd_toml_do_no_harm() {
    replay("hacd_toml", hacd_toml);
}

#[test]
fn kept_inputs_of_corosync_conf_do_no_harm() {
    replay("corosync_conf", corosync_conf);
}

#[test]
fn kept_inputs_of_api_request_do_no_harm() {
    replay("api_request", api_request);
}
