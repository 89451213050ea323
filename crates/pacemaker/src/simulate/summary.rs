//! The decisions as lines.

use hac_scheduler::Outcome;
use hac_scheduler::plan::{Decision, Verb};

use super::ids::Names;
use crate::text::Lines;

/// Prints a line for each decision, in columns.
pub(super) fn summary(lines: &mut Lines, outcome: &Outcome) {
    let names = Names::of(&outcome.view);
    let resources = || outcome.plan.summary.iter().filter(|d| d.verb != Verb::Fence);
    let subjects = resources().map(|d| d.subject.chars().count()).max().unwrap_or(0);
    let subjects = if subjects > 5 { subjects + 2 } else { 5 };
    let details = resources().map(|d| d.detail.chars().count()).max().unwrap_or(0);
    for decision in &outcome.plan.summary {
        let line = if decision.verb == Verb::Fence {
            fencing(decision, &names)
        } else {
            format!(
                "{:<8}   {:<subjects$}   ( {:>details$} ){}",
                word(decision.verb),
                decision.subject,
                decision.detail,
                because(decision)
            )
        };
        lines.item(1, &line);
    }
}

fn fencing(decision: &Decision, names: &Names) -> String {
    let container =
        names.container(&decision.subject).map(|resource| format!(" (resource: {resource})")).unwrap_or_default();
    let reason = decision.reason.as_ref().map(|reason| format!(" '{reason}'")).unwrap_or_default();
    format!("Fence ({}) {}{container}{reason}", decision.detail, decision.subject)
}

fn because(decision: &Decision) -> String {
    match (&decision.reason, decision.blocked) {
        (Some(reason), true) => format!("  due to {reason} (blocked)"),
        (Some(reason), false) => format!("  due to {reason}"),
        (None, true) => "  blocked".to_owned(),
        (None, false) => String::new(),
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Fence => "Fence",
        Verb::Start => "Start",
        Verb::Stop => "Stop",
        Verb::Restart => "Restart",
        Verb::Recover => "Recover",
        Verb::Move => "Move",
        Verb::Migrate => "Migrate",
        Verb::Reload => "Reload",
        Verb::Promote => "Promote",
        Verb::Demote => "Demote",
        Verb::RePromote => "Re-promote",
    }
}
