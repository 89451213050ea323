//! `hacctl ticket`, in crm's words `site ticket`: what a cluster of several sites was granted.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{Command, ErrorCode};
use hac_model::{TicketState, parse_bool};

use super::Context;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Carries out `ticket grant|revoke|standby|activate|show|time|delete [TICKET]`.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let action = call.must("|")?;
    if matches!(action, "show" | "time") {
        return show(context, action, call.get("TICKET")).await;
    }
    let id = call.must("TICKET")?.to_owned();
    if !is_name(&id) {
        let sentence = format!("'{}' cannot be the name of a ticket", terminal::harmless(&id));
        return Err(Failure::usage(sentence).with_remedy("Use letters, digits, '-', '_' and '.'."));
    }
    if matches!(action, "grant" | "revoke") && !context.consent.force {
        let sentence =
            format!("'{}' may be managed by booth, which decides which site has it", terminal::harmless(&id));
        let remedy = format!("If it is not, and no other site has it: 'hacctl ticket {action} TICKET --force'.");
        return Err(Failure::usage(sentence).with_remedy(remedy));
    }
    let known = context.client.cib(false).await?.status.tickets.into_iter().find(|ticket| ticket.id == id);
    let granted = known.as_ref().is_some_and(is_granted);
    if action != "grant" && known.is_none() {
        return Err(unknown(&id));
    }
    if action == "delete" && granted && !context.consent.force {
        let sentence = format!("ticket {} is granted", terminal::harmless(&id));
        return Err(Failure::usage(sentence).with_remedy("Revoke it first, or write --force."));
    }
    let value = |name: &str, value: &str| vec![(name.to_owned(), Some(value.to_owned()))];
    let (values, done) = match action {
        "grant" => (value("granted", "true"), "granted"),
        "revoke" => (value("granted", "false"), "revoked"),
        "standby" => (value("standby", "true"), "on standby"),
        "activate" => (value("standby", "false"), "active"),
        _ => (Vec::new(), "forgotten"),
    };
    let done = format!("ticket {} is {done}", terminal::harmless(&id));
    if context.consent.dry_run {
        terminal::print(&format!("Would be done: {done}\nNothing was changed (--dry-run)."))?;
        return Ok(ExitCode::SUCCESS);
    }
    let command = Command::Ticket { id, values, forget: action == "delete" };
    let answer = context.client.command(command, context.wait).await?;
    context.done(&done, answer.settled)?;
    Ok(ExitCode::SUCCESS)
}

async fn show(context: &Context, action: &str, only: Option<&str>) -> Result<ExitCode, Failure> {
    let mut tickets = context.client.cib(false).await?.status.tickets;
    if let Some(id) = only {
        tickets.retain(|ticket| ticket.id == id);
        if tickets.is_empty() {
            return Err(unknown(id));
        }
    }
    if context.json {
        terminal::print_json(&tickets)?;
    } else if tickets.is_empty() {
        terminal::print("No ticket is known.")?;
    } else if action == "time" {
        terminal::print(&tickets.iter().map(|ticket| format!("{}\n", since(ticket))).collect::<String>())?;
    } else {
        terminal::print(&tickets.iter().map(|ticket| format!("{}\n", line(ticket))).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether booth could have a ticket of this name.
fn is_name(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_granted(ticket: &TicketState) -> bool {
    ticket.granted.as_deref().and_then(parse_bool) == Some(true)
}

/// When it was last granted.
fn since(ticket: &TicketState) -> String {
    let secs = ticket.last_granted.as_deref().and_then(|text| text.parse::<i64>().ok());
    secs.map_or_else(|| "never granted".to_owned(), |secs| hac_pacemaker::mon::plain_date(secs.saturating_mul(1000)))
}

fn line(ticket: &TicketState) -> String {
    let mut line = format!("{}: {}", ticket.id, if is_granted(ticket) { "granted" } else { "revoked" });
    if ticket.standby.as_deref().and_then(parse_bool) == Some(true) {
        line.push_str(", on standby");
    }
    // Writing to a string cannot fail.
    let _ = write!(line, ", last granted: {}", since(ticket));
    for (name, value) in &ticket.attributes {
        let _ = write!(line, ", {name}={value}");
    }
    terminal::harmless(&line)
}

fn unknown(id: &str) -> Failure {
    Failure::new(ErrorCode::NoSuch, format!("no ticket {} is known", terminal::harmless(id)))
        .with_remedy("'hacctl ticket show' lists those that are; a ticket is known when it was granted once.")
}
