//! `hacctl history`: what happened, in the words of crm's level `history`. The daemon of this node remembers.

use std::process::ExitCode;

use hac_api::{Event, ExplainQuery};

use super::Context;
use super::events::{self, Filter};
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// How far `latest` looks back, milliseconds.
const LATEST_MS: i64 = 10 * 60 * 1000;

/// Carries out one of the commands.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "info" => info(context).await?,
        "latest" => {
            let now = context.client.status().await?.now_ms;
            show(context, &Filter { since_ms: Some(now - LATEST_MS), ..Filter::default() }).await?;
        }
        "resource" => show(context, &Filter { resources: call.all("RSC").to_vec(), ..Filter::default() }).await?,
        "node" => show(context, &Filter { nodes: call.all("NODE").to_vec(), ..Filter::default() }).await?,
        "transitions" => {
            show(context, &Filter { kinds: vec!["transition".to_owned()], ..Filter::default() }).await?;
        }
        "transition" => transition(context).await?,
        _ => show(context, &Filter { nodes: call.all("NODE").to_vec(), ..Filter::default() }).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn remembered(context: &Context, filter: &Filter) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    events::each(context, false, |event| {
        if filter.takes(&event) {
            events.push(event);
        }
        Ok(())
    })
    .await?;
    Ok(events)
}

async fn show(context: &Context, filter: &Filter) -> Result<(), Failure> {
    let events = remembered(context, filter).await?;
    if context.json {
        return terminal::print_json(&events);
    }
    if events.is_empty() {
        return context.done("nothing of that kind is remembered on this node", None);
    }
    terminal::print(&events.iter().map(events::line).collect::<Vec<_>>().join("\n"))
}

async fn info(context: &Context) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let events = remembered(context, &Filter::default()).await?;
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return context.done("nothing is remembered on this node yet", None);
    };
    if context.json {
        let (from, to) = (first.time_ms, last.time_ms);
        return terminal::print_json(
            &serde_json::json!({ "node": status.node, "from_ms": from, "to_ms": to, "events": events.len() }),
        );
    }
    let nodes: Vec<&str> = status.members.nodes.iter().map(|node| node.name.as_str()).collect();
    terminal::print(&format!(
        "Source: hacd on {}\nPeriod: {} - {} UTC\nEvents: {}\nNodes: {}",
        status.node,
        events::clock(first.time_ms),
        events::clock(last.time_ms),
        events.len(),
        nodes.join(" ")
    ))
}

async fn transition(context: &Context) -> Result<(), Failure> {
    let answer = context.client.explain(&ExplainQuery::default()).await?;
    let Some(last) = answer.last_transition else {
        let dc = answer.dc.unwrap_or_else(|| "the coordinator".to_owned());
        return context.done(&format!("no transition was carried out here; ask on {dc}"), None);
    };
    if context.json {
        return terminal::print_json(&last);
    }
    let end = last.end.as_deref().unwrap_or("under way");
    let mut text = format!("Transition {} of {} UTC, {end}:\n", last.number, events::clock(last.time_ms));
    last.decisions.iter().chain(&last.problems).for_each(|line| text.push_str(&format!("  * {line}\n")));
    terminal::print(&terminal::harmless(&text))
}
