//! `hacctl history`: what happened, from the journals of all members, which survive restarts; with options, or in the words of
//! crm's level `history`.

use std::process::ExitCode;

use clap::Args;
use hac_api::{Entry, Event, EventFilter, ExplainQuery, JournalQuery, MemberState, Merged};

use super::Context;
use super::events;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// How far `latest` looks back, milliseconds.
const LATEST_MS: i64 = 10 * 60 * 1000;

/// How far `--at` looks to both sides, milliseconds.
const AROUND_MS: i64 = 30_000;

/// Most pages of 64 KiB that are read of a node.
const PAGES: usize = 64;

/// Options of `history`; without any the rest are words of crm's level.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    filters: events::Filters,
    /// Half a minute before and after that time, or the event of that id
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "until"])]
    at: Option<String>,
    /// A decision of that number, what led to it and what followed from it
    #[arg(long, value_name = "NUMBER")]
    transition: Option<u64>,
    /// What led to the event of this id, back to what came from outside
    #[arg(long, value_name = "ID", conflicts_with = "transition")]
    causes: Option<String>,
    /// Only what this node told; no other one is asked
    #[arg(long)]
    here: bool,
    /// The rest of the line, in crm's words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    pub(crate) words: Vec<String>,
}

impl HistoryArgs {
    /// Whether it is a line in crm's words.
    pub(crate) fn is_words(&self) -> bool {
        let Self { filters, at, transition, causes, here, words: _ } = self;
        !here && *filters == events::Filters::default() && at.is_none() && causes.is_none() && transition.is_none()
    }
}

/// `history` with options.
pub(crate) async fn with_options(context: &Context, what: &HistoryArgs) -> Result<ExitCode, Failure> {
    if let Some(word) = what.words.first() {
        return Err(Failure::usage(format!("history: '{}' cannot stand beside options", terminal::harmless(word)))
            .with_remedy("Write what is meant as an option too: --resource RSC, --node NODE, --transition NUMBER."));
    }
    let now = context.client.status().await?.now_ms;
    let at = match what.at.as_deref() {
        Some(word) if is_id(word) => Some(event(context, word).await?.time_ms),
        Some(word) => Some(events::since("--at", word, now)?),
        None => None,
    };
    let read = what.filters.read(now)?;
    let filter = EventFilter {
        since_ms: at.map(|at| at.saturating_sub(AROUND_MS)).or(read.since_ms),
        until_ms: at.map(|at| at.saturating_add(AROUND_MS)).or(read.until_ms),
        ..read
    };
    let asked_for = filter.clone();
    let chained = what.causes.is_some() || what.transition.is_some();
    // What led to an event may be older, and about something else.
    let asked = if chained { EventFilter { until_ms: filter.until_ms, ..EventFilter::default() } } else { filter };
    let merged = gather(context, &asked, what.here, if chained { None } else { what.filters.last }).await?;
    let mut entries: Vec<&Entry> = match (&what.causes, what.transition) {
        (Some(id), _) => merged.chain(id).ok_or_else(|| {
            Failure::new(hac_api::ErrorCode::NoSuch, format!("no journal has the event {}", terminal::harmless(id)))
                .with_remedy("'hacctl history --last 50' shows events with their ids.")
        })?,
        (None, Some(number)) => around(&merged, number)?,
        (None, None) => merged.entries.iter().collect(),
    };
    if let Some(last) = what.filters.last {
        let surplus = entries.len().saturating_sub(last);
        entries.drain(..surplus);
    }
    if entries.is_empty() {
        events::refuse_unknown(context, &asked_for).await?;
    }
    print(context, &merged, &entries)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a word is the id of an event, and no time.
pub(super) fn is_id(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// The event of this id, from the journals of all members.
pub(super) async fn event(context: &Context, id: &str) -> Result<Event, Failure> {
    let merged = gather(context, &EventFilter::default(), false, None).await?;
    let found = merged.chain(id).and_then(|chain| chain.first().map(|entry| entry.event.clone()));
    found.ok_or_else(|| {
        Failure::new(hac_api::ErrorCode::NoSuch, format!("no journal has the event {}", terminal::harmless(id)))
            .with_remedy("'hacctl history --last 50' shows events with their ids.")
    })
}

/// The transition of that number, with what led to it and what followed.
fn around(merged: &Merged, number: u64) -> Result<Vec<&Entry>, Failure> {
    merged.around(number).ok_or_else(|| {
        Failure::new(hac_api::ErrorCode::NoSuch, format!("no journal has a transition {number}"))
            .with_remedy("'hacctl history transitions' lists those that are known.")
    })
}

/// Carries out one of crm's commands.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "info" => info(context).await?,
        "latest" => {
            let now = context.client.status().await?.now_ms;
            show(context, &EventFilter { since_ms: Some(now - LATEST_MS), ..EventFilter::default() }).await?;
        }
        "resource" => {
            show(context, &EventFilter { resources: call.all("RSC").to_vec(), ..EventFilter::default() }).await?;
        }
        "transitions" => {
            show(context, &EventFilter { kinds: vec!["transition".to_owned()], ..EventFilter::default() }).await?;
        }
        "transition" => match call.all("WORD") {
            [] => transition(context).await?,
            [word] => numbered(context, word).await?,
            [_, more, ..] => return Err(call.too_many(more)),
        },
        _ => show(context, &EventFilter { nodes: call.all("NODE").to_vec(), ..EventFilter::default() }).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What all members wrote that is asked for. Who cannot be asked is named.
async fn gather(context: &Context, filter: &EventFilter, here: bool, last: Option<usize>) -> Result<Merged, Failure> {
    let members = context.client.status().await?.members;
    let mut merged = Merged::default();
    let mut all: Vec<Event> = Vec::new();
    for member in members.nodes.iter().filter(|member| member.local || !here) {
        if !member.local && member.state != MemberState::Joined {
            merged.missing.push(format!("{} is away: what it alone knows is missing", member.name));
            continue;
        }
        let mut query = JournalQuery { node: Some(member.name.clone()), before: None, filter: filter.clone() };
        let (mut pages, mut count) = (0, 0);
        loop {
            let page = match context.client.journal(&query).await {
                Ok(page) => page,
                // The own one must be there.
                Err(failure) if member.local => return Err(failure),
                Err(failure) => {
                    merged.missing.push(format!("{}: {}", member.name, failure.message));
                    break;
                }
            };
            merged.missing.extend(page.gaps.iter().map(|gap| format!("{}: {gap}", member.name)));
            count += page.events.len();
            all.extend(page.events);
            pages += 1;
            query.before = page.before;
            if query.before.is_none() || last.is_some_and(|last| count >= last) {
                break;
            }
            if pages == PAGES {
                merged.missing.push(format!("{}: there is more, further back; --until TIME shows it", member.name));
                break;
            }
        }
    }
    merged.take(all);
    Ok(merged)
}

async fn show(context: &Context, filter: &EventFilter) -> Result<(), Failure> {
    let merged = gather(context, filter, false, None).await?;
    if merged.entries.is_empty() {
        events::refuse_unknown(context, filter).await?;
    }
    print(context, &merged, &merged.entries.iter().collect::<Vec<_>>())
}

/// `history transition NUMBER`.
async fn numbered(context: &Context, word: &str) -> Result<(), Failure> {
    let number = word.parse().map_err(|_| {
        Failure::usage(format!("'{}' is no number of a transition", terminal::harmless(word)))
            .with_remedy("'hacctl history transitions' lists those that are known.")
    })?;
    let merged = gather(context, &EventFilter::default(), false, None).await?;
    print(context, &merged, &around(&merged, number)?)
}

fn print(context: &Context, merged: &Merged, entries: &[&Entry]) -> Result<(), Failure> {
    if context.json {
        return terminal::print_json(&serde_json::json!({ "events": entries, "missing": merged.missing }));
    }
    for missing in &merged.missing {
        eprintln!("WARNING: {}", terminal::harmless(missing));
    }
    if entries.is_empty() {
        return context.done("the journals have nothing of that kind", None);
    }
    terminal::print(&entries.iter().map(|entry| line(entry)).collect::<Vec<_>>().join("\n"))
}

/// `TIME LEVEL TEXT (ID, NODES)`.
fn line(entry: &Entry) -> String {
    let mut text = events::line(&entry.event);
    text.push_str(&format!(" ({}, {})", entry.event.id, entry.nodes.join(" ")));
    terminal::harmless(&text)
}

async fn info(context: &Context) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let merged = gather(context, &EventFilter::default(), true, None).await?;
    let (Some(first), Some(last)) = (merged.entries.first(), merged.entries.last()) else {
        return context.done("nothing is remembered on this node yet", None);
    };
    let (from, to, count) = (first.event.time_ms, last.event.time_ms, merged.entries.len());
    if context.json {
        return terminal::print_json(
            &serde_json::json!({ "node": status.node, "from_ms": from, "to_ms": to, "events": count }),
        );
    }
    let nodes: Vec<&str> = status.members.nodes.iter().map(|node| node.name.as_str()).collect();
    terminal::print(&format!(
        "Source: the journal of hacd on {}\nPeriod: {} - {} UTC\nEvents: {count}\nNodes: {}",
        status.node,
        events::clock(from),
        events::clock(to),
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
