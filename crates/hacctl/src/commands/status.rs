//! `hacctl status` and `hacctl mon`: how the cluster stands.

mod why;

use std::process::ExitCode;
use std::time::Duration;

use hac_api::{Severity, Status};
use hac_pacemaker::mon;
use hac_scheduler::view::ClusterView;

use super::Context;
use crate::args::{MonArgs, Sections, StatusArgs};
use crate::failure::Failure;
use crate::grammar::abbreviated;
use crate::terminal;

/// How long a check may take, as monitoring systems have it.
const CHECK_LIMIT: Duration = Duration::from_secs(8);

/// `hacctl status`.
pub(crate) async fn once(context: &Context, what: &StatusArgs) -> Result<ExitCode, Failure> {
    let (sections, form) = words(&what.sections, &what.words)?;
    if what.simple || form == Form::Simple {
        return check(context).await;
    }
    let report = Report::get(context).await?;
    let options = mon::Options { inactive: true, ..sections };
    match form {
        Form::Xml => terminal::print(&mon::xml(
            &report.facts(),
            &report.view,
            &report.cib,
            &options,
            Some("crm_mon -1 --output-as=xml"),
        ))?,
        Form::Html => {
            terminal::print(&mon::html(&report.facts(), &report.view, &report.cib, &options, &mon::Page::default()))?
        }
        Form::Text | Form::Simple => report.print(context, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of `hacctl status`.
pub(super) async fn text(context: &Context) -> Result<String, Failure> {
    let report = Report::get(context).await?;
    Ok(report.text(&mon::Options { inactive: true, failcounts: true, operations: true, ..mon::Options::default() }))
}

/// How a status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Xml,
    Html,
    Simple,
}

/// `hacctl mon` as text or JSON: once, or again and again until Ctrl-C. While there is no connection, that is what it shows.
pub(crate) async fn mon(context: &Context, what: &MonArgs) -> Result<ExitCode, Failure> {
    loop {
        let report = Report::get(context).await;
        if what.once {
            report?.print(context, &options(&what.sections))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !context.json {
            // Home, and clear to the end of the screen.
            terminal::print("\x1b[H\x1b[2J")?;
        }
        match report {
            Ok(report) => report.print(context, &options(&what.sections))?,
            Err(failure) => failure.print(context.json),
        }
        if terminal::is_closed() {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(Duration::from_secs(what.interval)).await;
    }
}

/// crm's words after `status`, as options.
fn words(sections: &Sections, words: &[String]) -> Result<(mon::Options, Form), Failure> {
    let mut options = options(sections);
    let mut form = Form::Text;
    const KNOWN: &[&str] = &[
        "full",
        "bynode",
        "inactive",
        "ops",
        "timing",
        "failcounts",
        "verbose",
        "quiet",
        "html",
        "xml",
        "simple",
        "tickets",
        "noheaders",
        "detail",
        "brief",
    ];
    for word in words {
        let [meant] = abbreviated(word, KNOWN)[..] else {
            let failure = Failure::usage(format!("status does not know the word '{}'", terminal::harmless(word)));
            return Err(failure.with_remedy(format!("It knows {}.", KNOWN.join(", "))));
        };
        match meant {
            "full" => (options.failcounts, options.operations, options.attributes) = (true, true, true),
            "bynode" => options.by_node = true,
            "ops" => options.operations = true,
            "timing" => options.timing = true,
            "failcounts" => options.failcounts = true,
            "verbose" => (options.failcounts, options.operations, options.detail) = (true, true, true),
            "quiet" => options.without.push(mon::Section::Times),
            "tickets" => options.tickets = true,
            "noheaders" => options.without.extend(SUMMARY),
            "detail" => options.detail = true,
            "brief" => options.brief = true,
            "html" => form = Form::Html,
            "xml" => form = Form::Xml,
            "simple" => form = Form::Simple,
            // Status shows what is not active in any case.
            _ => {}
        }
    }
    Ok((options, form))
}

/// The parts of the summary.
pub(super) const SUMMARY: [mon::Section; 4] =
    [mon::Section::Stack, mon::Section::Dc, mon::Section::Times, mon::Section::Counts];

pub(super) fn options(sections: &Sections) -> mon::Options {
    mon::Options {
        inactive: sections.inactive,
        by_node: sections.by_node,
        failcounts: sections.failcounts,
        operations: sections.operations,
        ..mon::Options::default()
    }
}

/// What the daemon says.
pub(super) struct Report {
    pub(super) status: Status,
    /// Nothing of it but the last change.
    cib: hac_model::Cib,
    view: ClusterView,
    /// What should run and does not, with the reason and what to type.
    why: Vec<(String, String)>,
}

impl Report {
    pub(super) async fn get(context: &Context) -> Result<Self, Failure> {
        let (status, view) = context.client.view().await?;
        let why = why::all(context, &view).await;
        Ok(Self { why, ..Self::of(status, view) })
    }

    /// Without reasons.
    pub(super) fn of(status: Status, view: ClusterView) -> Self {
        let mut cib = hac_model::Cib::default();
        let change = status.last_change.clone();
        cib.info.last_changed_ms = change.time_ms;
        cib.info.update_user = change.user;
        cib.info.update_client = change.client;
        cib.info.update_origin = change.origin;
        Self { status, cib, view, why: Vec::new() }
    }

    fn print(&self, context: &Context, options: &mon::Options) -> Result<(), Failure> {
        if context.json {
            let mut value =
                serde_json::to_value(&self.status).map_err(|error| Failure::system("could not write JSON", &error))?;
            if let Some(fields) = value.as_object_mut() {
                fields.remove("cib");
                fields.remove("view");
                let why: Vec<_> =
                    self.why.iter().map(|(s, r)| serde_json::json!({ "sentence": s, "remedy": r })).collect();
                fields.insert("not_running".to_owned(), serde_json::json!(why));
                // The name under which the view has been from the beginning.
                let info = fields.insert("cluster".to_owned(), serde_json::json!(self.view));
                fields.insert("cluster_info".to_owned(), info.unwrap_or_default());
            }
            return terminal::print_json(&value);
        }
        terminal::print(&self.text(options))
    }

    /// For people.
    pub(super) fn text(&self, options: &mon::Options) -> String {
        let mut text = mon::render(&self.facts(), &self.view, &self.cib, options);
        text.push_str(self.kept_stopped());
        if !self.why.is_empty() {
            text.push_str("\nNot running:\n");
            for (sentence, remedy) in &self.why {
                text.push_str(&format!("  * {}\n    {}\n", terminal::harmless(sentence), terminal::harmless(remedy)));
            }
        }
        if !self.status.protected_by.is_empty() {
            text.push_str(&format!("\nProtected by: {}\n", terminal::harmless(&self.status.protected_by)));
        }
        text.push_str(&self.problems());
        text
    }

    /// What keeps all resources from running, which no single one shows.
    fn kept_stopped(&self) -> &'static str {
        if self.view.stop_all_resources {
            "\n  * All resources are kept stopped (stop-all-resources=true)\n    Start them with 'hacctl configure property stop-all-resources=false'.\n"
        } else {
            ""
        }
    }

    fn facts(&self) -> mon::Facts {
        let stack = if crate::names::is_crm() { "corosync (hacd)".to_owned() } else { String::new() };
        mon::Facts { stack, ..hac_compat::facts(&self.status) }
    }

    /// One line a problem, and one what to do about it.
    fn problems(&self) -> String {
        let mut text = String::new();
        for problem in &self.status.problems {
            if text.is_empty() {
                text.push_str("\nAttention:\n");
            }
            let word = match problem.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
                Severity::Info => "NOTE",
            };
            text.push_str(&format!("  * {word}: {}\n", terminal::harmless(&problem.sentence)));
            if !problem.remedy.is_empty() {
                text.push_str(&format!("    {}\n", terminal::harmless(&problem.remedy)));
            }
        }
        text
    }
}

/// `status --simple`: one line and the exit code of a monitoring plugin: 0 well, 1 warning, 2 critical.
async fn check(context: &Context) -> Result<ExitCode, Failure> {
    // What calls this gives it some ten seconds, and learns nothing from a program that it has to kill.
    let report = tokio::time::timeout(CHECK_LIMIT, Report::get(context)).await.map_err(|_| {
        let seconds = CHECK_LIMIT.as_secs();
        format!("hacd did not answer on {} within {seconds} s", context.client.socket().display())
    });
    let report = match report.and_then(|report| report.map_err(|failure| failure.message)) {
        Ok(report) => report,
        Err(message) => {
            terminal::print(&format!("CLUSTER CRIT: {message}"))?;
            return Ok(ExitCode::from(2));
        }
    };
    let verdict = hac_compat::verdict(&report.status, &report.view);
    if context.json {
        terminal::print_json(&serde_json::json!({ "code": verdict.code, "line": verdict.line }))?;
    } else {
        terminal::print(&terminal::harmless(&format!("{} | {}", verdict.line, verdict.figures)))?;
    }
    Ok(ExitCode::from(verdict.code))
}

#[cfg(test)]
mod tests {
    use hac_api::{MemberState, MembersEntry};

    use super::*;

    #[test]
    fn releases_that_differ_among_members_are_a_mixed_version() {
        let node =
            |version: &str, state| MembersEntry { version: Some(version.to_owned()), state, ..MembersEntry::default() };
        let mut status = Status::default();
        status.members.nodes = vec![node("0.1.0", MemberState::Joined), node("0.1.0", MemberState::Joined)];
        assert!(!hac_compat::facts(&status).mixed_version);
        status.members.nodes.push(node("0.2.0", MemberState::Lost));
        assert!(!hac_compat::facts(&status).mixed_version, "a node that is away does not count");
        status.members.nodes.push(node("0.2.0", MemberState::Joined));
        assert!(hac_compat::facts(&status).mixed_version);
    }
}
