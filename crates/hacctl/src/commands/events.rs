//! `hacctl events`: what happened on this node, as the daemon remembers it.

use std::process::ExitCode;

use hac_api::{ErrorCode, Event};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// The longest line of the stream that is taken, bytes.
const LINE_MAX: usize = 1 << 20;

/// Prints the remembered events, and with `follow` goes on.
pub(crate) async fn run(context: &Context, follow: bool) -> Result<ExitCode, Failure> {
    let mut response = context.client.events(follow).await?;
    let mut rest = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|error| broken(&error))? {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            print(context, &line)?;
        }
        if rest.len() > LINE_MAX {
            return Err(Failure::new(ErrorCode::Internal, "hacd sent an event too long to be one"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the event in a `data:` line of the stream; other lines say nothing more.
fn print(context: &Context, line: &[u8]) -> Result<(), Failure> {
    let Some(data) = line.strip_prefix(b"data:") else { return Ok(()) };
    let Ok(event) = serde_json::from_slice::<Event>(data) else { return Ok(()) };
    if context.json {
        let text = serde_json::to_string(&event).map_err(|error| Failure::system("could not write JSON", &error))?;
        return terminal::print(&text);
    }
    terminal::print(&format!("{} {} {}", clock(event.time_ms), event.level, terminal::harmless(&event.text)))
}

/// The time of an event, in UTC to the millisecond.
pub(super) fn clock(time_ms: i64) -> String {
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
    fn times_are_civil_times() {
        assert_eq!(clock(0), "1970-01-01 00:00:00.000");
        assert_eq!(clock(1_795_332_957_042), "2026-11-22 07:35:57.042");
    }
}
