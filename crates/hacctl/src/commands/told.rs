//! `hacctl alert`: who is told of what happens.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{AlertEntry, AlertList};

use super::Context;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// What the exit code says when somebody could not be told.
const FAILED: u8 = 1;

/// Carries out `alert list` and `alert test ID`.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "test" => test(context, call.must("ID")?).await,
        _ => list(context).await,
    }
}

async fn list(context: &Context) -> Result<ExitCode, Failure> {
    let list = context.client.alerts().await?;
    if context.json {
        terminal::print_json(&list)?;
    } else if list.alerts.is_empty() {
        terminal::print(
            "Nobody is told of anything: 'hacctl configure alert' and 'hacctl configure notice' change that.",
        )?;
    } else {
        let lines = list.alerts.iter().map(|entry| format!("{}\n", line(entry, &list)));
        terminal::print(&lines.collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &AlertEntry, list: &AlertList) -> String {
    let AlertEntry { id, form, target, recipients, problem, runs, failures, last_failure, waiting, .. } = entry;
    let kind = if form.is_empty() { "alert" } else { "notice" };
    let mut line = format!("{kind} {id}: {}{target}", if form.is_empty() { String::new() } else { format!("{form} ") });
    if !recipients.is_empty() {
        let _ = write!(line, " to {}", recipients.join(", "));
    }
    let done = if form.is_empty() { "run" } else { "sent" };
    let _ = write!(line, "; {done} {runs} times by {}, {failures} of them failed", list.node);
    if *waiting > 0 {
        let _ = write!(line, "; {waiting} wait");
    }
    if !form.is_empty() && list.sender.as_ref() != Some(&list.node) {
        let _ = write!(line, "; {} sends it", list.sender.as_deref().unwrap_or("nobody"));
    }
    if let Some(why) = problem.as_ref().or(last_failure.as_ref()) {
        let _ = write!(line, ": {why}");
    }
    terminal::harmless(&line)
}

async fn test(context: &Context, id: &str) -> Result<ExitCode, Failure> {
    let tested = context.client.test_alert(id).await?;
    let failed = !tested.enabled || tested.results.iter().any(|result| result.error.is_some());
    if context.json {
        terminal::print_json(&tested)?;
    } else if !tested.enabled {
        terminal::print(&terminal::harmless(&format!("{id} is not enabled: nothing was run")))?;
    } else {
        let mut text = String::new();
        for result in &tested.results {
            let to = if result.recipient.is_empty() { String::new() } else { format!(" to {}", result.recipient) };
            let how = result.error.as_ref().map_or_else(|| "told".to_owned(), |why| format!("failed: {why}"));
            let line = format!("{id}{to}: {how} after {} ms", result.took_ms);
            let _ = writeln!(text, "{}", terminal::harmless(&line));
        }
        terminal::print(&text)?;
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}
