//! What every command that talks to the daemon is given.

use std::time::Duration;

use hac_api::{Finding, Settled, Version};
use hac_crm::cib::Change;
use hac_scheduler::view::ClusterView;

use super::draft::Shared;
use super::impact::{self, Impact};
use super::reached::{self, Goal};
use crate::args::Arguments;
use crate::client::Client;
use crate::failure::Failure;
use crate::grammar::Options;
use crate::{progress, terminal};

/// The daemon, and how the user wants to be served.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The daemon.
    pub(crate) client: Client,
    /// Print JSON instead of text.
    pub(crate) json: bool,
    /// Wait until all that follows is done, at most this long; `None` is not to wait.
    pub(crate) wait: Option<Duration>,
    /// How long to wait where a command waits by nature.
    pub(crate) timeout: Duration,
    /// What is asked before something is done.
    pub(crate) consent: Consent,
    /// Where changes are collected instead of made: the transaction of a shell, a shadow configuration.
    pub(crate) draft: Option<Shared>,
    /// Somebody typed what is made now: a name that looks like a slip is refused.
    pub(super) typed: bool,
}

/// Who is asked before something that runs is stopped, moved or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Consent {
    /// Nothing is done at all, only told.
    pub(crate) dry_run: bool,
    /// Nobody is asked: `--yes`.
    pub(crate) yes: bool,
    /// Nobody is asked, and the answer is no: `--no`.
    pub(crate) no: bool,
    /// In spite of a warning: `--force`.
    pub(crate) force: bool,
    /// Called by the name of a program that does not ask: `crm`.
    pub(crate) as_crm: bool,
}

impl Context {
    /// What the options before the command say.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let timeout = Duration::from_secs(arguments.timeout);
        let shadow = arguments.cib.as_deref().filter(|name| !name.is_empty() && *name != "live");
        let draft = shadow.map(super::cib::load).transpose()?.map(Shared::new);
        let consent = Consent {
            dry_run: arguments.dry_run,
            yes: arguments.yes,
            no: arguments.no,
            force: arguments.force,
            as_crm: crate::names::is_crm(),
        };
        let wait = arguments.wait.then_some(timeout);
        Ok(Self {
            client: Client::new(&arguments.socket)?,
            json: arguments.json,
            wait,
            timeout,
            consent,
            draft,
            typed: false,
        })
    }

    /// The same with the options that stood in the line.
    #[must_use]
    pub(crate) fn with(&self, options: &Options) -> Self {
        let timeout = options.timeout.map_or(self.timeout, Duration::from_secs);
        let wait = if options.wait { Some(timeout) } else { self.wait.map(|_| timeout) };
        let consent = Consent {
            dry_run: self.consent.dry_run || options.dry_run,
            yes: self.consent.yes || options.yes,
            force: self.consent.force || options.force,
            ..self.consent
        };
        Self { json: self.json || options.json, wait, timeout, consent, ..self.clone() }
    }

    /// The same, waiting for what follows from a change although the user did not say so, who was asked already.
    #[must_use]
    pub(crate) fn waiting(&self) -> Self {
        let consent = Consent { yes: true, ..self.consent };
        Self { wait: Some(self.timeout), consent, ..self.clone() }
    }

    /// Makes `changes`, waits if the user asked for it, and says what was `done`.
    pub(crate) async fn change(&self, changes: &[Change], done: &str) -> Result<(), Failure> {
        self.make(&Goal::Change, changes, None, done).await
    }

    /// The same for what somebody typed: unless it is collected, a name that looks like a slip is refused.
    pub(crate) async fn change_typed(&self, changes: &[Change], done: &str) -> Result<(), Failure> {
        Self { typed: true, ..self.clone() }.change(changes, done).await
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

    /// The same with both.
    pub(crate) async fn change_for_base(
        &self,
        goal: &Goal,
        changes: &[Change],
        base: Option<Version>,
        done: &str,
    ) -> Result<(), Failure> {
        self.make(goal, changes, base, done).await
    }

    async fn make(&self, goal: &Goal, changes: &[Change], base: Option<Version>, done: &str) -> Result<(), Failure> {
        let mut changes = changes.to_vec();
        super::secret::fill_in(&mut changes)?;
        let mut moved = Vec::new();
        // A draft is a text that people read: what is typed there becomes a secret when it is committed.
        if self.draft.is_none() && !self.consent.dry_run && super::secret::has_typed(&changes) {
            let known = self.client.cib(true).await?.configuration;
            moved = super::secrets::move_typed(&mut changes, &known);
        }
        let changes = changes.as_slice();
        // Whatever the way, a change is judged with what the agents say of themselves before it is made.
        let mut findings = super::verify::preview(self, changes).await?;
        if let Some(draft) = self.draft.as_ref().filter(|_| !self.consent.dry_run) {
            if !self.json {
                findings.iter().for_each(print_finding);
            }
            return self.collect(draft, changes, done);
        }
        let impact = impact::of(self, changes).await?;
        if self.consent.dry_run {
            return self.report_plan(&impact, &findings);
        }
        self.ask(goal, &impact)?;
        let before = match self.wait {
            Some(_) => self.client.view().await?.1,
            None => ClusterView::default(),
        };
        let begun = std::time::Instant::now();
        let work = self.client.configure(changes, base, self.wait);
        let mut answer = progress::show("waiting for the cluster", work).await?;
        if let Some(settled) = answer.settled.as_mut().filter(|settled| !settled.settled) {
            let (_, view) = self.client.view().await?;
            reached::name_work(settled, &view);
        }
        super::undo::remember(&impact, answer.version);
        // Of what was refused nothing is said.
        moved.iter().for_each(|told| inform(told));
        findings.extend(answer.findings);
        self.report(done, &findings, answer.settled)?;
        if self.wait.is_none() {
            return Ok(());
        }
        let (_, after) = self.client.view().await?;
        reached::judge(goal, &before, &after)?;
        if !self.json {
            reached::differences(&before, &after, begun.elapsed()).iter().for_each(|line| inform(line));
        }
        Ok(())
    }

    /// What would be done, for `--dry-run`.
    fn report_plan(&self, impact: &Impact, findings: &[Finding]) -> Result<(), Failure> {
        if self.json {
            return terminal::print_json(&serde_json::json!({
                "dry_run": true, "plan": impact.decisions, "difference": impact.difference, "findings": findings,
            }));
        }
        findings.iter().for_each(print_finding);
        terminal::print(&terminal::harmless(&impact.text()))
    }

    /// Says what stops, moves or restarts, and asks where a person can be asked.
    fn ask(&self, goal: &Goal, impact: &Impact) -> Result<(), Failure> {
        if impact.harm.is_empty() {
            return Ok(());
        }
        let agreed = self.consent.yes || self.consent.force;
        let can_ask = terminal::is_interactive() && !self.json && !self.consent.as_crm;
        if agreed || (!can_ask && !self.consent.no) {
            // What was asked for by name is what was meant; what follows from something else may be a surprise.
            let surprise = !agreed && !self.consent.as_crm && *goal == Goal::Change && !impact.down.is_empty();
            if surprise {
                impact.warnings.iter().for_each(|line| eprintln!("WARNING: {}", terminal::harmless(line)));
                let sentence = format!("this stops {}, and nothing starts it elsewhere", impact.down.join(", "));
                return Err(Failure::new(hac_api::ErrorCode::Unsafe, terminal::harmless(&sentence)).with_remedy(
                    "Add --yes if that is what you want; --dry-run shows the whole plan. Nothing was changed.",
                ));
            }
            if !self.json {
                impact.harm.iter().for_each(|line| inform(&format!("this will {line}")));
            }
            return Ok(());
        }
        impact.warnings.iter().for_each(|line| eprintln!("WARNING: {}", terminal::harmless(line)));
        eprintln!("This would:");
        impact.harm.iter().for_each(|line| eprintln!("  * {}", terminal::harmless(line)));
        if self.consent.no {
            return Err(Failure::new(hac_api::ErrorCode::Unsafe, "nothing was changed").with_remedy("Leave --no out."));
        }
        terminal::confirm("something that runs is affected", "Add --yes if that is what you want.")
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
            findings.iter().for_each(print_finding);
            if !done.is_empty() {
                inform(done);
            }
        }
        settled.as_ref().map_or(Ok(()), reached::settled)
    }
}

fn print_finding(finding: &Finding) {
    let word = finding.severity.to_uppercase();
    eprintln!("{word}: {}", terminal::harmless(&finding.sentence));
    if !finding.remedy.is_empty() {
        eprintln!("  {}", terminal::harmless(&finding.remedy));
    }
}

/// A line for the user that is no result.
pub(crate) fn inform(line: &str) {
    eprintln!("INFO: {}", terminal::harmless(line));
}
