//! `hacctl events`: what happened on this node, as the daemon remembers it.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hac_api::{EVENT_KINDS, ErrorCode, Event, EventFilter, Level};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// The longest line of the stream that is taken, bytes.
const LINE_MAX: usize = 1 << 20;

/// How often it is looked whether somebody still reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which events are wanted, for `events` and `history` alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Filters {
    /// Since then: a duration back from now such as 10m or PT2H, or a time in UTC such as '2026-01-31 12:00:00'
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only the last so many (without --follow)
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(crate) last: Option<usize>,
    /// Only what is about this resource (repeatable)
    #[arg(long, value_name = "RSC")]
    resource: Vec<String>,
    /// Only what is about this node (repeatable)
    #[arg(long, value_name = "NODE")]
    node: Vec<String>,
    /// Only events of this kind, such as view, transition, configuration (repeatable)
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only events at least as bad: debug, info, notice, warning, error
    #[arg(long, value_name = "LEVEL", value_parser = ["debug", "info", "notice", "warning", "error"])]
    level: Option<String>,
}

impl Filters {
    /// What they say; durations count back from `now_ms`.
    ///
    /// # Errors
    /// One of the times cannot be read, or there is no such kind.
    pub(crate) fn read(&self, now_ms: i64) -> Result<EventFilter, Failure> {
        self.kind.iter().try_for_each(|word| known_kind(word))?;
        let time =
            |option: &str, word: &Option<String>| word.as_ref().map(|word| since(option, word, now_ms)).transpose();
        let (since_ms, until_ms) = (time("--since", &self.since)?, time("--until", &self.until)?);
        if since_ms.zip(until_ms).is_some_and(|(since, until)| until < since) {
            return Err(Failure::usage("--until is before --since, so that nothing lies between them").with_remedy(
                "A duration counts back from now: '--since 2h --until 1h' is the hour before the last one.",
            ));
        }
        Ok(EventFilter {
            since_ms,
            until_ms,
            resources: self.resource.clone(),
            nodes: self.node.clone(),
            kinds: self.kind.clone(),
            level: self.level.as_deref().map(level),
        })
    }

    /// Whether a time counts back from now.
    fn asks_for_now(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }
}

/// Refuses a word with which the name of no kind begins.
fn known_kind(word: &str) -> Result<(), Failure> {
    if !word.is_empty() && EVENT_KINDS.iter().any(|kind| kind.starts_with(word)) {
        return Ok(());
    }
    let near = hac_model::nearest(word, EVENT_KINDS).map(|near| format!("Did you mean {near}? "));
    Err(Failure::usage(format!("--kind: there is no kind of events '{}'", terminal::harmless(word)))
        .with_remedy(format!("{}The kinds are: {}.", near.unwrap_or_default(), EVENT_KINDS.join(", "))))
}

/// Refuses the name of a resource or node that is not in the cluster. What was in it once may still be asked for: this is for
/// names of which nothing was found.
pub(crate) async fn refuse_unknown(context: &Context, filter: &EventFilter) -> Result<(), Failure> {
    if filter.resources.is_empty() && filter.nodes.is_empty() {
        return Ok(());
    }
    let (status, cib) = (context.client.status().await?, context.client.cib(false).await?);
    for name in &filter.nodes {
        super::node::find(&status, Some(name))?;
    }
    for name in &filter.resources {
        let (name, _) = name.split_once(':').unwrap_or((name, ""));
        super::resource::must_exist(&cib, name)?;
    }
    Ok(())
}

/// Options of `events`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct EventsArgs {
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    filters: Filters,
}

/// Prints the remembered events, and with `--follow` goes on.
pub(crate) async fn run(context: &Context, what: &EventsArgs) -> Result<ExitCode, Failure> {
    let now_ms = if what.filters.asks_for_now() { context.client.status().await?.now_ms } else { 0 };
    let filter = what.filters.read(now_ms)?;
    if let (Some(count), false) = (what.filters.last, what.follow) {
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
        return ended(context, &filter, kept.len()).await;
    }
    if what.follow {
        // It may be made while it is waited for.
        refuse_unknown(context, &filter).await.or_else(warned)?;
    }
    let mut found = 0;
    let show = |event: Event| {
        if !filter.takes(&event) {
            return Ok(());
        }
        found += 1;
        print(context, &event)
    };
    each(context, what.follow, show).await?;
    ended(context, &filter, found).await
}

/// Where nothing was found, a name that nobody knows was most likely mistyped.
async fn ended(context: &Context, filter: &EventFilter, found: usize) -> Result<ExitCode, Failure> {
    if found == 0 {
        refuse_unknown(context, filter).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An unknown name is told of; everything else is a failure.
fn warned(failure: Failure) -> Result<(), Failure> {
    if failure.exit_code != ErrorCode::NoSuch.exit_code() {
        return Err(failure);
    }
    eprintln!("WARNING: {}\n  {}", failure.message, failure.remedy.unwrap_or_default());
    Ok(())
}

/// Calls `take` for every event, as they come.
pub(crate) async fn each(
    context: &Context,
    follow: bool,
    mut take: impl FnMut(Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut response = context.client.events(follow).await?;
    let mut rest = Vec::new();
    loop {
        // Who follows may have seen enough long before the next event.
        let chunk = match tokio::time::timeout(LOOK_EVERY, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| broken(&error))?,
            Err(_) if terminal::is_closed() => return Ok(()),
            Err(_) => continue,
        };
        let Some(bytes) = chunk else { break };
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
        if follow && terminal::is_closed() {
            return Ok(());
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
    format!("{} UTC {} {}", clock(event.time_ms), event.level, terminal::harmless(&event.text))
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
pub(crate) fn since(option: &str, word: &str, now_ms: i64) -> Result<i64, Failure> {
    if let Some(ms) = hac_model::parse_duration_ms(word).and_then(|ms| i64::try_from(ms).ok()) {
        return Ok(now_ms.saturating_sub(ms));
    }
    if let Some(seconds) = hac_model::parse_lifetime_s(word) {
        return Ok(now_ms.saturating_sub(seconds.saturating_mul(1000)));
    }
    let time = hac_pacemaker::simulate::Clock::given(word).map(|clock| clock.time_for(&hac_model::Cib::default()).0);
    time.ok_or_else(|| {
        Failure::usage(format!("{option}: '{}' is no time", terminal::harmless(word)))
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
            level,
            kind: kind.to_owned(),
            text: text.to_owned(),
            details,
            ..Event::default()
        };
        let started =
            event("Nginx start on primary ended", Level::Info, "op_result", serde_json::json!({"resource": "Nginx:0"}));
        let view = event("secondary left.", Level::Notice, "view", serde_json::Value::Null);
        let keyed =
            event("IP_start_0 on n1 ended", Level::Info, "result", serde_json::json!({"operation": "IP_migrate_to_0"}));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |resources: &[&str]| EventFilter { resources: names(resources), ..EventFilter::default() };
        assert!(of(&["Nginx"]).takes(&started) && !of(&["Ngin"]).takes(&started) && !of(&["Nginx"]).takes(&view));
        assert!(of(&["IP"]).takes(&keyed) && !of(&["I"]).takes(&keyed));
        let node = EventFilter { nodes: names(&["secondary"]), ..EventFilter::default() };
        assert!(node.takes(&view) && !node.takes(&started));
        let bad = EventFilter { level: Some(Level::Notice), ..EventFilter::default() };
        assert!(bad.takes(&view) && !bad.takes(&started));
        let late = EventFilter { since_ms: Some(1001), ..EventFilter::default() };
        assert!(!late.takes(&view));
        assert_eq!(since("--since", "10m", 700_000), Ok(100_000));
        assert_eq!(since("--since", "PT1M", 700_000), Ok(640_000));
        assert_eq!(since("--since", "soon", 0).expect_err("is no time").exit_code, 64);
        assert_eq!(line(&view), "1970-01-01 00:00:01.000 UTC Notice secondary left.");
        let kinds = |kind: &str| Filters { kind: vec![kind.to_owned()], ..Filters::default() }.read(0);
        assert!(kinds("transition").is_ok() && kinds("trans").is_ok());
        let failure = kinds("veiw").expect_err("is no kind");
        assert_eq!((failure.exit_code, failure.message.as_str()), (64, "--kind: there is no kind of events 'veiw'"));
        assert!(failure.remedy.expect("a remedy").starts_with("Did you mean view? The kinds are: active, "));
    }

    #[test]
    fn times_are_civil_times() {
        assert_eq!(clock(0), "1970-01-01 00:00:00.000");
        assert_eq!(clock(1_795_332_957_042), "2026-11-22 07:35:57.042");
    }
}
