//! What every command that talks to the daemon is given.

use std::time::Duration;

use hac_api::{ErrorCode, Finding, Settled, Version};
use hac_crm::cib::Change;

use crate::client::Client;
use crate::failure::Failure;
use crate::{progress, terminal};

/// The daemon, and how the user wants to be served.
#[derive(Debug)]
pub(crate) struct Context {
    /// The daemon.
    pub(crate) client: Client,
    /// Print JSON instead of text.
    pub(crate) json: bool,
    /// Wait until all that follows is done, at most this long; `None` is not to wait.
    pub(crate) wait: Option<Duration>,
    /// How long to wait where a command waits by nature.
    pub(crate) timeout: Duration,
}

impl Context {
    /// Makes `changes`, waits if the user asked for it, and says what was `done`.
    pub(crate) async fn change(&self, changes: &[Change], done: &str) -> Result<(), Failure> {
        self.change_since(changes, None, done).await
    }

    /// The same, refused if the configuration is no longer of version `base`.
    pub(crate) async fn change_since(
        &self,
        changes: &[Change],
        base: Option<Version>,
        done: &str,
    ) -> Result<(), Failure> {
        // Whatever the way, a change is judged with what the agents say of themselves before it is made.
        let mut findings = super::verify::preview(self, changes).await?;
        let work = self.client.configure(changes, base, self.wait);
        let answer = progress::show("waiting for the cluster", work).await?;
        findings.extend(answer.findings);
        self.report(done, &findings, answer.settled)
    }

    /// Says what was done; fails if the user wanted to wait and the cluster is still at it.
    pub(crate) fn done(&self, done: &str, settled: Option<Settled>) -> Result<(), Failure> {
        self.report(done, &[], settled)
    }

    fn report(&self, done: &str, findings: &[Finding], settled: Option<Settled>) -> Result<(), Failure> {
        if self.json {
            let settled = settled.as_ref().map(|s| s.settled);
            terminal::print_json(&serde_json::json!({ "done": done, "settled": settled, "findings": findings }))?;
        } else {
            for finding in findings {
                let word = finding.severity.to_uppercase();
                eprintln!("{word}: {}", terminal::harmless(&finding.sentence));
                if !finding.remedy.is_empty() {
                    eprintln!("  {}", terminal::harmless(&finding.remedy));
                }
            }
            if !done.is_empty() {
                eprintln!("INFO: {}", terminal::harmless(done));
            }
        }
        match settled {
            Some(settled) if !settled.settled => Err(Failure::new(
                ErrorCode::Timeout,
                format!("it is agreed, but the cluster is still at work: {}", settled.waiting_for.join("; ")),
            )
            .with_remedy("See 'hacctl status'; wait longer with --timeout SECONDS.")),
            _ => Ok(()),
        }
    }
}
