//! Golden plans: a small state of a cluster as text, and what the scheduler decides about it.
//!
//! ```text
//! # Prose.
//! nodes n1 n2
//! property stonith-enabled=false
//! primitive web ocf:pacemaker:Dummy op monitor interval=10s
//!
//! on n1 lost
//!   web start
//! on n2
//!   web monitor
//! ----
//! Transition Summary:
//!   * Start      web     ( n2 )
//! …
//! ```
//!
//! Before `----` stands the state, after it what `run` prints; so a file holds when nothing changed. The configuration
//! is written in the language of `crm configure`. Besides there are these lines:
//!
//! | line | what it says |
//! |---|---|
//! | `nodes NAME…` | members, with ids 1, 2 … |
//! | `now TIME` | when it is decided; 2026-01-01 12:00:00 unless said |
//! | `no-quorum` | this partition has no quorum |
//! | `dc NODE` | who coordinates; nobody unless said |
//! | `ticket NAME granted\|revoked\|standby` | what is known of a ticket |
//! | `unlike Pacemaker: WHY` | the installed Pacemaker decides otherwise, and why that is right |
//! | `on NODE [STATE] [NAME=VALUE…]` | how a node stands, and its transient attributes |
//!
//! A member that no `on` names is up and knows nothing. STATE is `up` (unless said), `lost` (gone without a word),
//! `down` (left in good order), `pending` (joining), `banned` (turned away), `unseen` (no entry), `remote` (behind a
//! connection), `fenced-remote` (the same, and was fenced), `maintained-remote` (the same, and was told of maintenance).
//! Indented lines after `on` are the node's history, one operation a line, oldest first:
//!
//! `RESOURCE TASK[/INTERVAL] [RC] [pending] [status=N] [expected=RC] [ago=TIME] [to=NODE] [from=NODE] [digest=TEXT]
//! [reason=WORD] [force-restart=NAME,NAME:DIGEST] [restart-digest=TEXT] [agent=CLASS:PROVIDER:TYPE]`
//!
//! The exit code is as expected unless said: 7 for a `monitor` without interval, else 0. Operations ended an hour ago
//! unless said, and ran with the parameters that are configured; `digest=none` is one without a digest.

mod history;
mod read;

use hac_model::Cib;
use hac_pacemaker::cib_xml;
use hac_pacemaker::simulate::{Clock, Simulation, simulate};
use hac_types::WallTime;

/// Between state and plan.
const MARK: &str = "----\n";

/// A state, and what stands in its file besides.
#[derive(Debug)]
pub struct Golden {
    /// The state.
    pub cib: Cib,
    /// Why the installed Pacemaker decides otherwise, if it does.
    pub unlike: Option<String>,
    /// The text of the state, to write it back.
    state: String,
}

/// The sections of a report that a golden plan keeps.
const FIRST_SECTION: &str = "Transition Summary:\n";
/// The first section that it does not keep.
const LAST_SECTION: &str = "\nRevised Cluster Status:\n";

impl Golden {
    /// Reads a file.
    ///
    /// # Errors
    /// A line that is not understood.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let state = text.split_once(MARK).map_or(text, |(state, _)| state);
        read::golden(state)
    }

    /// What would happen.
    #[must_use]
    pub fn simulate(&self) -> Simulation {
        simulate(&self.cib, &Clock::Present(WallTime(0)), false)
    }

    /// The file as it should be.
    #[must_use]
    pub fn rendered(&self, simulation: &Simulation) -> String {
        format!("{}{MARK}{}", self.state, plan_of(&simulation.report()))
    }

    /// The state as Pacemaker's tools read it.
    #[must_use]
    pub fn xml(&self) -> String {
        cib_xml::write(&self.cib)
    }
}

/// The part of a report that says what is done: the summary and the execution.
#[must_use]
pub fn plan_of(report: &str) -> String {
    let from = report.find(FIRST_SECTION).unwrap_or(0);
    let plan = &report[from..];
    let plan = &plan[..plan.find(LAST_SECTION).unwrap_or(plan.len())];
    let lines = plan.lines().filter(|line| !line.starts_with("Using the original execution date"));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests;
