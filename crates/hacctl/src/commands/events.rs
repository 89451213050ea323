//! `hacctl events`: what happened on this node, as the daemon remembers it.

use std::collections::VecDeque;
use std::process::ExitCode;

use clap::Args;
use hac_api::{ErrorCode, Event, Level};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// The longest line of the stream that is taken, bytes.
const LINE_MAX: usize = 1 << 20;

/// Options of `events`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct EventsArgs {
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// Since then: a duration back from now such as 10m or PT2H, or a time in UTC such as 2026-01-31 12:00:00
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what is about this resource (repeatable)
    #[arg(long, value_name = "RSC")]
    resource: Vec<String>,
    /// Only what is about this node (repeatable)
    #[arg(long, value_name = "NODE")]
    node: Vec<String>,
    /// Only events of this kind, such as view, quorum, configuration (repeatable)
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only events at least as bad: debug, info, notice, warning, error
    #[arg(long, value_name = "LEVEL", value_parser = ["debug", "info", "notice", "warning", "error"])]
    level: Option<String>,
    /// Only the last so many (without --follow)
    #[arg(short = 'n', long, value_name = "COUNT")]
    last: Option<usize>,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// From this time on, milliseconds since 1970.
    pub(crate) since_ms: Option<i64>,
    /// About one of these resources; all if there are none.
    pub(crate) resources: Vec<String>,
    /// About one of these nodes.
    pub(crate) nodes: Vec<String>,
    /// Of a kind that begins with one of these.
    pub(crate) kinds: Vec<String>,
    /// At least as bad.
    pub(crate) level: Option<Level>,
}

impl Filter {
    /// Whether an event is wanted.
    pub(crate) fn takes(&self, event: &Event) -> bool {
        let about = |names: &[String]| names.is_empty() || names.iter().any(|name| mentions(event, name));
        self.since_ms.is_none_or(|since| event.time_ms >= since)
            && self.level.is_none_or(|level| event.level >= level)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| event.kind.starts_with(kind.as_str())))
            && about(&self.resources)
            && about(&self.nodes)
    }
}

/// Whether a name stands in an event: as a value of its fields, or as a word of its sentence.
fn mentions(event: &Event, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    value_mentions(&event.details, name)
        || event.text.split(|c: char| !part(c)).any(|word| word.trim_end_matches('.') == name)
}

fn value_mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name || text.split_once(':').is_some_and(|(id, _)| id == name),
        Value::Array(list) => list.iter().any(|value| value_mentions(value, name)),
        Value::Object(fields) => fields.values().any(|value| value_mentions(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Prints the remembered events, and with `--follow` goes on.
pub(crate) async fn run(context: &Context, what: &EventsArgs) -> Result<ExitCode, Failure> {
    let since_ms = match &what.since {
        Some(word) => Some(since(word, context.client.status().await?.now_ms)?),
        None => None,
    };
    let filter = Filter {
        since_ms,
        resources: what.resource.clone(),
        nodes: what.node.clone(),
        kinds: what.kind.clone(),
        level: what.level.as_deref().map(level),
    };
    if let (Some(count), false) = (what.last, what.follow) {
        let mut kept: VecDeque<Event> = VecDeque::new();
        each(context, false, |event| {
            if filter.takes(&event) {
                kept.push_back(event);
            }
            while kept.len() > count {
                kept.pop_front();
            }
            Ok(())
        })
        .await?;
        kept.iter().try_for_each(|event| print(context, event))?;
        return Ok(ExitCode::SUCCESS);
    }
    let show = |event: Event| if filter.takes(&event) { print(context, &event) } else { Ok(()) };
    each(context, what.follow, show).await?;
    Ok(ExitCode::SUCCESS)
}

/// Calls `take` for every event, as they come.
pub(crate) async fn each(
    context: &Context,
    follow: bool,
    mut take: impl FnMut(Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut response = context.client.events(follow).await?;
    let mut rest = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|error| broken(&error))? {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            // Lines that are no `data:` say nothing more.
            let event = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice::<Event>(data).ok());
            event.map_or(Ok(()), &mut take)?;
        }
        if rest.len() > LINE_MAX {
            return Err(Failure::new(ErrorCode::Internal, "hacd sent an event too long to be one"));
        }
    }
    Ok(())
}

fn print(context: &Context, event: &Event) -> Result<(), Failure> {
    if context.json {
        let text = serde_json::to_string(event).map_err(|error| Failure::system("could not write JSON", &error))?;
        return terminal::print(&text);
    }
    terminal::print(&line(event))
}

/// An event in one line.
pub(crate) fn line(event: &Event) -> String {
    format!("{} {} {}", clock(event.time_ms), event.level, terminal::harmless(&event.text))
}

fn level(word: &str) -> Level {
    match word {
        "debug" => Level::Debug,
        "info" => Level::Info,
        "notice" => Level::Notice,
        "warning" => Level::Warning,
        _ => Level::Error,
    }
}

/// A time, or how long ago it was.
fn since(word: &str, now_ms: i64) -> Result<i64, Failure> {
    if let Some(ms) = hac_model::parse_duration_ms(word).and_then(|ms| i64::try_from(ms).ok()) {
        return Ok(now_ms.saturating_sub(ms));
    }
    if let Some(seconds) = super::resource::duration_s(word) {
        return Ok(now_ms.saturating_sub(seconds.saturating_mul(1000)));
    }
    let time = hac_pacemaker::simulate::Clock::given(word).map(|clock| clock.time_for(&hac_model::Cib::default()).0);
    time.ok_or_else(|| {
        Failure::usage(format!("--since: '{}' is no time", terminal::harmless(word)))
            .with_remedy("Write a duration such as 10m or PT2H, or a time in UTC such as '2026-01-31 12:00:00'.")
    })
}

/// The time of an event, in UTC to the millisecond.
pub(crate) fn clock(time_ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time_ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| time_ms.to_string())
}

fn broken(error: &reqwest::Error) -> Failure {
    Failure::disconnected(format!("the stream of events ended: {error}"))
        .with_remedy("If hacd was stopped that is right; otherwise see 'journalctl -u hacd'.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_chosen_by_what_they_are_about() {
        let event = |text: &str, level, kind: &str, details| Event {
            seq: 1,
            time_ms: 1000,
            mono_ns: 0,
            level,
            kind: kind.to_owned(),
            text: text.to_owned(),
            details,
        };
        let started =
            event("Nginx start on primary ended", Level::Info, "op_result", serde_json::json!({"resource": "Nginx:0"}));
        let view = event("secondary left.", Level::Notice, "view", Value::Null);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |resources: &[&str]| Filter { resources: names(resources), ..Filter::default() };
        assert!(of(&["Nginx"]).takes(&started) && !of(&["Ngin"]).takes(&started) && !of(&["Nginx"]).takes(&view));
        let node = Filter { nodes: names(&["secondary"]), ..Filter::default() };
        assert!(node.takes(&view) && !node.takes(&started));
        let bad = Filter { level: Some(Level::Notice), ..Filter::default() };
        assert!(bad.takes(&view) && !bad.takes(&started));
        let late = Filter { since_ms: Some(1001), ..Filter::default() };
        assert!(!late.takes(&view));
        assert_eq!(since("10m", 700_000), Ok(100_000));
        assert_eq!(since("PT1M", 700_000), Ok(640_000));
        assert_eq!(since("soon", 0).expect_err("is no time").exit_code, 64);
    }

    #[test]
    fn times_are_civil_times() {
        assert_eq!(clock(0), "1970-01-01 00:00:00.000");
        assert_eq!(clock(1_795_332_957_042), "2026-11-22 07:35:57.042");
    }
}
