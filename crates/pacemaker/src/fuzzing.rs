//! What the fuzz targets of `tests/fuzz` do with their input. Compiled for them and for the tests, never into a program.
//!
//! Each function takes any bytes and must return: a panic is a finding, and so is a broken promise that it asserts.

#[cfg(test)]
mod tests;

use hac_crm::cib::{Applied, Command, Configure, Replicated as _};
use hac_model::Cib;
use hac_types::WallTime;

use crate::simulate::Clock;
use crate::{agent_metadata, cib_xml, crm_syntax, simulate};

const NOW: WallTime = WallTime(1_700_000_000_000);

/// The XML of a CIB. What is read is written as something that reads as the same.
pub fn cib_xml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(cib) = cib_xml::read(text) else { return };
    let written = cib_xml::write(&cib);
    let again = cib_xml::read(&written).expect("what was written here reads");
    assert_eq!(cib_xml::write(&again), written, "another CIB comes back");
}

/// The whole way of `hacctl simulate`: any CIB is decided about, and every report of it can be written.
pub fn simulate(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(cib) = cib_xml::read(text) else { return };
    let extras = simulate::Extras { scores: true, drawing: true };
    let simulation = simulate::simulate_with(&cib, &Clock::Present(NOW), false, extras);
    assert!(!simulation.report().is_empty());
    let _ = simulation.graph_xml(&cib);
    let _ = simulation.dot();
}

/// The language of `crm configure`. What it makes of an empty cluster is shown in words that read again.
pub fn crm_syntax(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(changes) = crm_syntax::parse(text) else { return };
    let mut cib = Cib::default();
    let configure =
        Configure { changes, origin: String::new(), client: String::new(), user: String::new(), base: None };
    if let Applied::Changed(_) = cib.apply(&Command::Configure(configure), NOW) {
        let shown = crm_syntax::show(&cib.configuration, &[]);
        if let Err(error) = crm_syntax::parse(&shown) {
            panic!("what is shown does not read: {error}\n{shown}");
        }
    }
}

/// What a resource agent says of itself.
pub fn agent_metadata(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = agent_metadata::read(text);
}
