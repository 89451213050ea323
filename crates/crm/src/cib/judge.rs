//! Judging a change before it is proposed.
//!
//! Judgement belongs to the program that proposes: the daemon that a client asks, the client that previews, the reader of
//! `hacd.toml`. It never travels and no other node repeats it, so two releases may judge differently and still keep one
//! state (decision 39).

use super::{Agents, Finding, verify};
use hac_model::Configuration;

/// What is wrong or doubtful in `after` and was not in `before`, in the order of the document. What was wrong before may
/// stay, so that a bad configuration can be mended bit by bit.
#[must_use]
pub fn judge(before: &Configuration, after: &Configuration, agents: &Agents) -> Vec<Finding> {
    let mut findings = verify(after, agents);
    if !findings.is_empty() {
        let old = verify(before, agents);
        findings.retain(|finding| !old.contains(finding));
    }
    findings
}
