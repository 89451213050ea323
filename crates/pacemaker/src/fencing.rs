//! What was done to nodes and what is being done, in lines as `stonith_admin -H` prints them.

use hac_model::FenceAction;
use hac_model::fencing::{End, How, Record, Request, Requests, Wanted};

/// The history in lines; `zone` stands behind each time, which is UTC.
#[must_use]
pub fn text(fencing: &Requests, zone: &str) -> String {
    let mut text: String = fencing.running.iter().map(|request| format!("{}\n", pending(request))).collect();
    text.extend(fencing.history.iter().rev().map(|record| format!("{}{zone}\n", over(record))));
    if text.is_empty() {
        text.push_str("No node was fenced.\n");
    }
    text
}

/// What is under way, in one line as `crm_mon` has it.
pub(crate) fn under_way(request: &Request) -> String {
    let Wanted { target, action, client, origin, .. } = &request.wanted;
    format!("{} of {target} pending: client={client}, origin={origin}", words(*action))
}

/// What is over, in one line as `crm_mon` has it; `last` where others of its kind are left out.
pub(crate) fn last(record: &Record, last: bool) -> String {
    let by = record.delegate.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let (word, why) = match &record.end {
        End::Succeeded => ("successful", String::new()),
        End::Failed { reason, .. } => ("failed", format!(" ({reason})")),
    };
    let last = if last { "last " } else { "" };
    let (what, when) = (words(record.action), iso(record.completed));
    let Record { target, client, origin, .. } = record;
    format!("{what} of {target}{by} for {client}@{origin} {last}{word} at {when}{why}")
}

/// A time in seconds since 1970 as `2026-01-04 10:00:00Z`.
#[must_use]
pub fn iso(secs: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let time = time::OffsetDateTime::from_unix_timestamp(secs).ok().and_then(|time| time.format(&format).ok());
    time.unwrap_or_default()
}

fn pending(request: &Request) -> String {
    let mut line = under_way(request);
    if let Some(attempt) = &request.attempt {
        line.push_str(&format!("; {} runs {}", attempt.by, attempt.device));
    }
    for (attempt, how) in &request.tried {
        let how = match how {
            How::Done => "done".to_owned(),
            How::Failed(why) => format!("failed: {why}"),
            How::TimedOut => "did not answer in time".to_owned(),
            How::Unable => "cannot do that".to_owned(),
            How::Lost => "was lost".to_owned(),
        };
        line.push_str(&format!("\n  {} on {} {how}", attempt.device, attempt.by));
    }
    line
}

/// A request that is over, in one line.
#[must_use]
pub fn over(record: &Record) -> String {
    let by = record.delegate.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let when = crate::mon::plain_date(record.completed.saturating_mul(1000));
    let (word, why) = match &record.end {
        End::Succeeded => ("successful", String::new()),
        End::Failed { reason, .. } => ("failed", format!(" ({reason})")),
    };
    format!(
        "{} of {}{by} for {}@{} {word}{why} at {when}",
        words(record.action),
        record.target,
        record.client,
        record.origin
    )
}

/// The action as the history calls it.
const fn words(action: FenceAction) -> &'static str {
    match action {
        FenceAction::Reboot => "reboot",
        FenceAction::Off => "turning off",
        FenceAction::On => "unfencing",
    }
}

#[cfg(test)]
mod tests {
    use hac_model::fencing::Attempt;

    use super::*;

    #[test]
    fn the_history_says_what_is_under_way_first_and_the_newest_of_what_is_over() {
        let record = |id, end| Record {
            id,
            target: "db2".to_owned(),
            action: FenceAction::Reboot,
            client: "hacd".to_owned(),
            origin: "db1".to_owned(),
            delegate: Some("db1".to_owned()),
            completed: 1_700_000_000,
            end,
        };
        let wanted = Wanted {
            target: "db3".to_owned(),
            action: FenceAction::Off,
            client: "hacctl".to_owned(),
            origin: "db1".to_owned(),
            ..Wanted::default()
        };
        let attempt = |device: &str| Attempt { device: device.to_owned(), by: "db1".to_owned(), ..Attempt::default() };
        let fencing = Requests {
            running: vec![Request {
                wanted,
                attempt: Some(attempt("B")),
                tried: vec![(attempt("A"), How::Failed("no route".to_owned()))],
                ..Request::default()
            }],
            history: vec![
                record(1, End::Failed { reason: "401".to_owned(), nobody: false }),
                record(2, End::Succeeded),
            ],
            ..Requests::default()
        };
        assert_eq!(
            text(&fencing, ""),
            "turning off of db3 pending: client=hacctl, origin=db1; db1 runs B\n  A on db1 failed: no route\n\
             reboot of db2 by db1 for hacd@db1 successful at Tue Nov 14 22:13:20 2023\n\
             reboot of db2 by db1 for hacd@db1 failed (401) at Tue Nov 14 22:13:20 2023\n"
        );
        assert_eq!(text(&Requests::default(), ""), "No node was fenced.\n");
    }
}
