//! `hacctl explain`: why things are as they are, from the daemon or from a stored state.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hac_api::{ErrorCode, ExplainQuery, Explained, SubjectKind};
use hac_crm::fencer;
use hac_model::Cib;
use hac_scheduler::explain::{Question, explain};

use super::{Context, events, history, simulate};
use crate::failure::Failure;
use crate::terminal;

/// Options of `explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A resource or a node; `node NAME` or `resource NAME` says which. Nothing: what would be done now
    #[arg(value_name = "NAME", num_args = 0..=2)]
    words: Vec<String>,
    /// What may run twice when nodes lose each other, and what protects from that
    #[arg(long, conflicts_with_all = ["words", "now"])]
    safety: bool,
    /// As of an earlier moment: a time such as '2026-01-31 12:00:00', so long ago (10m), or the id of an event; `list` prints the
    /// moments of which this node kept a state
    #[arg(long, value_name = "WHEN", conflicts_with_all = ["safety", "xml_file"])]
    pub(crate) at: Option<String>,
    /// About a stored state, as CIB XML, without a daemon; `-` is standard input
    #[arg(short = 'x', long, value_name = "FILE")]
    pub(crate) xml_file: Option<PathBuf>,
    /// With --xml-file: as if it were this time, @ and seconds since 1970 or a date such as 2026-01-31 12:00:00
    #[arg(short = 't', long, value_name = "TIME", requires = "xml_file")]
    now: Option<String>,
}

/// Asks the daemon.
pub(crate) async fn live(context: &Context, arguments: &ExplainArgs) -> Result<ExitCode, Failure> {
    if arguments.safety {
        return safety(&context.client.cib(false).await?, context.json);
    }
    let at = match arguments.at.as_deref() {
        Some("list") => return moments(context).await,
        Some(word) => Some(moment(context, word).await?),
        None => None,
    };
    let (name, kind) = subject(&arguments.words)?;
    let answer = context.client.explain(&ExplainQuery { name: name.clone(), kind, at }).await?;
    if context.json {
        terminal::print_json(&answer)?;
    } else {
        terminal::print(&terminal::harmless(&text(&answer, name.is_none())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The moments of which this node kept a state.
async fn moments(context: &Context) -> Result<ExitCode, Failure> {
    let kept = context.client.moments().await?;
    if context.json {
        terminal::print_json(&kept)?;
    } else if kept.moments.is_empty() {
        context.done(&format!("{} has kept no state yet", kept.node), None)?;
    } else {
        let line = |moment: &hac_api::Moment| {
            let text = format!("{} {} ({})", events::clock(moment.time_ms), moment.text, moment.id);
            terminal::harmless(&text)
        };
        terminal::print(&kept.moments.iter().map(line).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--at` means to the daemon: a time, or the place of the event of that id.
async fn moment(context: &Context, word: &str) -> Result<String, Failure> {
    if !history::is_id(word) {
        let now = context.client.status().await?.now_ms;
        return Ok(events::since("--at", word, now)?.to_string());
    }
    let place = history::event(context, word).await?.place.unwrap_or_default();
    let hac_api::Place { ring, representative, life, delivery, nth } = place;
    Ok(format!("{ring}.{representative}.{life}.{delivery}.{nth}"))
}

/// Decides about a stored state.
pub(crate) fn stored(arguments: &ExplainArgs, file: &Path, json: bool) -> Result<ExitCode, Failure> {
    if arguments.safety {
        return safety(&simulate::load(file)?, json);
    }
    let question = match subject(&arguments.words)? {
        (None, _) => Question::Cluster,
        (Some(name), None) => Question::Named(name),
        (Some(name), Some(SubjectKind::Resource)) => Question::Resource(name),
        (Some(name), Some(SubjectKind::Node)) => Question::Node(name),
    };
    let cib = simulate::load(file)?;
    let now = simulate::clock(arguments.now.as_deref())?.time_for(&cib);
    let explanation = explain(&cib, now, &question).map_err(|unknown| {
        Failure::new(ErrorCode::NoSuch, terminal::harmless(&unknown.to_string()))
            .with_remedy(terminal::harmless(&unknown.remedy()))
    })?;
    let text = explanation.to_string();
    if json {
        terminal::print_json(&serde_json::json!({ "explanation": explanation, "text": text }))?;
    } else {
        terminal::print(&terminal::harmless(&text))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What may run twice, and what protects from that.
fn safety(cib: &Cib, json: bool) -> Result<ExitCode, Failure> {
    let (protection, resources) = fencer::safety(cib);
    if json {
        let missing =
            protection.missing.as_ref().map(|(what, remedy)| serde_json::json!({"what": what, "remedy": remedy}));
        let value = serde_json::json!({
            "protected_by": protection.to_string(), "missing": missing, "resources": resources,
        });
        terminal::print_json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("Protected by: {protection}\n");
    if let Some((what, remedy)) = &protection.missing {
        text.push_str(&format!("  {what}\n  {remedy}\n"));
    }
    for of in &resources {
        let verdict = if of.safe { "safe" } else { "NOT SAFE" };
        text.push_str(&format!("{} ({}): {verdict}, {}\n", of.resource, of.class.words(), of.why));
        if let Some(remedy) = &of.remedy {
            text.push_str(&format!("  {remedy}\n"));
        }
    }
    terminal::print(terminal::harmless(&text).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// What the words ask for.
fn subject(words: &[String]) -> Result<(Option<String>, Option<SubjectKind>), Failure> {
    let wrong = |what: String| {
        Failure::usage(what)
            .with_remedy("Write 'hacctl explain', 'explain NAME', 'explain resource NAME' or 'explain node NAME'.")
    };
    match words {
        [] => Ok((None, None)),
        [name] => Ok((Some(name.clone()), None)),
        [kind, name] => {
            let kind = match kind.as_str() {
                "resource" => SubjectKind::Resource,
                "node" => SubjectKind::Node,
                other => return Err(wrong(format!("explain does not know the word '{}'", terminal::harmless(other)))),
            };
            Ok((Some(name.clone()), Some(kind)))
        }
        _ => Err(wrong("explain takes one name".to_owned())),
    }
}

/// The sentences; what is under way; and, if the whole cluster was asked for, the last transition.
fn text(answer: &Explained, whole: bool) -> String {
    if let Some(moment) = &answer.moment {
        let (time, node) = (events::clock(moment.time_ms), &answer.node);
        return format!("As {node} saw it at {time} UTC, after '{}' ({}):\n\n{}", moment.text, moment.id, answer.text);
    }
    let mut text = answer.text.clone();
    if !answer.waiting_for.is_empty() {
        text.push_str("\nUnder way or waited for:\n");
        answer.waiting_for.iter().for_each(|what| text.push_str(&format!("  * {what}\n")));
    }
    for run in &answer.failed_runs {
        let every = if run.interval_ms > 0 { "recurring " } else { "" };
        text.push_str(&format!(
            "\nWhat its agent wrote on {} when the {every}{} ended with {}, at {} UTC:\n",
            answer.node,
            run.action,
            run.rc,
            events::clock(run.time_ms)
        ));
        run.output.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    if !whole {
        return text;
    }
    if let Some(last) = &answer.last_transition {
        let end = last.end.as_deref().unwrap_or("under way");
        text.push_str(&format!("\nThe last transition here was number {}, {end}:\n", last.number));
        last.decisions.iter().chain(&last.problems).for_each(|line| text.push_str(&format!("  * {line}\n")));
    }
    match &answer.dc {
        Some(dc) if *dc != answer.node => {
            text.push_str(&format!(
                "\nTransitions are carried out by the coordinator (DC), {dc}: ask there for the last one.\n"
            ));
        }
        Some(_) => {}
        None => text.push_str("\nThere is no coordinator (DC) yet: nothing is carried out.\n"),
    }
    text
}

#[cfg(test)]
mod tests;
