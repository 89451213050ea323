//! What every command that talks to the daemon is given.

use std::time::Duration;

use hac_api::{Finding, Settled, Version};
use hac_crm::cib::Change;
use hac_scheduler::view::ClusterView;

use super::reached::{self, Goal};
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
        self.make(&Goal::Change, changes, None, done).await
    }

    /// The same, refused if the configuration is no longer of version `base`.
    pub(crate) async fn change_since(
        &self,
        changes: &[Change],
        base: Option<Version>,
        done: &str,
    ) -> Result<(), Failure> {
        self.make(&Goal::Change, changes, base, done).await
    }

    /// The same for `goal`: where the user waits, it fails if that is not reached.
    pub(crate) async fn change_for(&self, goal: &Goal, changes: &[Change], done: &str) -> Result<(), Failure> {
        self.make(goal, changes, None, done).await
    }

    async fn make(&self, goal: &Goal, changes: &[Change], base: Option<Version>, done: &str) -> Result<(), Failure> {
        let mut changes = changes.to_vec();
        super::secret::fill_in(&mut changes)?;
        let changes = changes.as_slice();
        // Whatever the way, a change is judged with what the agents say of themselves before it is made.
        let mut findings = super::verify::preview(self, changes).await?;
        let before = match self.wait {
            Some(_) => self.client.view().await?.1,
            None => ClusterView::default(),
        };
        let work = self.client.configure(changes, base, self.wait);
        let answer = progress::show("waiting for the cluster", work).await?;
        findings.extend(answer.findings);
        self.report(done, &findings, answer.settled)?;
        if self.wait.is_none() {
            return Ok(());
        }
        let (_, after) = self.client.view().await?;
        reached::judge(goal, &before, &after)
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
        settled.as_ref().map_or(Ok(()), reached::settled)
    }
}
