//! Every input that the fuzzers found worth keeping.

#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn kept_inputs_of_cib_xml_do_no_harm() {
    replay("cib_xml", super::cib_xml);
}

#[test]
fn kept_inputs_of_simulate_do_no_harm() {
    replay("simulate", super::simulate);
}

#[test]
fn kept_inputs_of_crm_syntax_do_no_harm() {
    replay("crm_syntax", super::crm_syntax);
}

#[test]
fn kept_inputs_of_agent_metadata_do_no_harm() {
    replay("agent_metadata", super::agent_metadata);
}
