//! What the timeline says of replies and events.

use hac_node::Reply;

/// What came of a request.
pub(super) fn reply_text(reply: &Reply) -> String {
    match reply {
        Reply::Done { version, .. } => {
            format!("done, version {}.{}.{}", version.admin_epoch, version.epoch, version.num_updates)
        }
        Reply::Answered(text) => text.clone(),
        Reply::Settled { settled: true, .. } => "settled".to_owned(),
        Reply::Settled { waiting_for, .. } => format!("not settled: {}", waiting_for.join("; ")),
        Reply::Refused(why)
        | Reply::TooLarge(why)
        | Reply::NotStored(why)
        | Reply::NoQuorum(why)
        | Reply::Unavailable(why)
        | Reply::TimedOut(why) => why.sentence.clone(),
    }
}

/// What a scenario shows of an event: what does not depend on timing to the microsecond.
pub(super) fn log_line(event: &hac_node::Event) -> Option<String> {
    use hac_node::Event as E;
    Some(match event {
        E::View { members, left, lost, .. } => {
            let mut line = format!("sees {}", members.join(" "));
            for (word, names) in [("left", left), ("lost", lost)] {
                if !names.is_empty() {
                    line.push_str(&format!(", {word}: {}", names.join(" ")));
                }
            }
            line
        }
        E::Active { dc, quorate, copied_from, .. } => {
            let quorum = if *quorate { "with" } else { "without" };
            let mut line = format!("takes part {quorum} quorum, DC {}", dc.as_deref().unwrap_or("NONE"));
            if let Some(donor) = copied_from {
                line.push_str(&format!(", state of {donor}"));
            }
            line
        }
        E::Transition { decisions, .. } if decisions.is_empty() => return None,
        E::Transition { decisions, .. } => format!("decides: {}", decisions.join("; ")),
        E::TransitionEnded { problems, .. } if !problems.is_empty() => {
            format!("has problems: {}", problems.join("; "))
        }
        E::Configuration { .. } => "has a new configuration".to_owned(),
        E::Remark { level, text } if *level >= hac_node::Level::Warning => text.clone(),
        E::Ring { what, .. } if what == "pause_detected" => "notices that it was paused".to_owned(),
        _ => return None,
    })
}
