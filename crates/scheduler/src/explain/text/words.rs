//! Words that several texts share.

use std::fmt::{self, Write as _};

use crate::explain::{Circumstance, Place, Step, TieBreak, Wait};
use crate::plan::{Decision, Reason, Verb};
use hac_model::Role;

/// A score as people write it.
pub(super) fn score(score: i32) -> String {
    crate::score::text(score)
}

/// Points with their sign.
pub(super) fn points(points: i32) -> String {
    let sign = if points > 0 { "+" } else { "" };
    format!("{sign}{}", score(points))
}

/// `n1`, or `n1 (Promoted)` where roles matter.
pub(super) fn place(place: &Place) -> String {
    match place.role {
        Role::Promoted | Role::Unpromoted => format!("{} ({})", place.node, place.role),
        Role::Unknown | Role::Stopped | Role::Started => place.node.clone(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What decided among equals.
pub(super) fn tie(by: TieBreak) -> &'static str {
    match by {
        TieBreak::Active => "it is active there already",
        TieBreak::Preferred => "what it belongs to wants it there",
        TieBreak::FewerResources => "the node has fewer resources",
        TieBreak::MoreRoom => "the node has more room left",
        TieBreak::Order => "the first by name is taken",
    }
}

/// What holds for the whole cluster, a sentence a line.
pub(super) fn circumstances(f: &mut fmt::Formatter<'_>, found: &[Circumstance]) -> fmt::Result {
    for circumstance in found {
        match circumstance {
            Circumstance::NoQuorum { policy } => {
                writeln!(f, "This partition has no quorum (no-quorum-policy={policy}).")?;
            }
            Circumstance::NoFenceDevices => f.write_str(
                "Fencing is wanted and no fence device is configured: nothing is started, stopped or moved. Configure one, \
                 or set stonith-enabled=false.\n",
            )?,
            Circumstance::Maintenance => f.write_str("The cluster is in maintenance: nothing is touched.\n")?,
            Circumstance::StopAll => f.write_str("Everything is to be stopped (stop-all-resources).\n")?,
            Circumstance::OptIn => f.write_str(
                "A resource runs only where a location constraint allows it (symmetric-cluster=false).\n",
            )?,
            Circumstance::Unclean { node, fenced: true } => writeln!(f, "Node {node} is unclean and is to be fenced.")?,
            Circumstance::Unclean { node, fenced: false } => {
                writeln!(f, "Node {node} is unclean and cannot be fenced: what it ran stays where it may still be.")?;
            }
        }
    }
    Ok(())
}

/// A decision as a sentence.
pub(super) fn decision(decision: &Decision) -> String {
    let Decision { subject, detail, .. } = decision;
    let mut text = match decision.verb {
        Verb::Fence => format!("Node {subject} is fenced ({detail})"),
        Verb::Start => format!("{subject} starts on {detail}"),
        Verb::Stop => format!("{subject} stops on {detail}"),
        Verb::Restart => format!("{subject} restarts on {detail}"),
        Verb::Recover => format!("{subject} is recovered ({detail})"),
        Verb::Move => format!("{subject} moves ({detail})"),
        Verb::Migrate => format!("{subject} moves live ({detail})"),
        Verb::Reload => format!("{subject} takes new parameters on {detail}"),
        Verb::Promote => format!("{subject} is promoted ({detail})"),
        Verb::Demote => format!("{subject} is demoted ({detail})"),
        Verb::RePromote => format!("{subject} is demoted and promoted again ({detail})"),
    };
    if decision.blocked {
        text.push_str(", but cannot");
    }
    let why = decision.why();
    if !why.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {why}");
    }
    text.push('.');
    text
}

/// The actions under a title; those that cannot be carried out under another.
pub(super) fn steps(f: &mut fmt::Formatter<'_>, steps: &[Step]) -> fmt::Result {
    let (blocked, planned): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.blocked);
    if !planned.is_empty() {
        f.write_str("\nActions of the next transition:\n")?;
    }
    for step in planned {
        write!(f, "  * {}", action(&step.task, step.interval_ms, step.resource.as_deref(), step.node.as_deref()))?;
        reason(f, step)?;
        after(f, &step.after)?;
    }
    if !blocked.is_empty() {
        f.write_str("\nNeeded, but cannot be carried out:\n")?;
    }
    for step in blocked {
        write!(f, "  * {}", action(&step.task, step.interval_ms, step.resource.as_deref(), step.node.as_deref()))?;
        match (&step.reason, step.obstacle, &step.node) {
            (None, Some(obstacle), Some(node)) => writeln!(f, ": {node} is {obstacle}")?,
            _ => reason(f, step)?,
        }
        after(f, &step.after)?;
        if let Some(Reason::Unrunnable(other, _) | Reason::Colocation(other)) = &step.reason
            && !other.is_empty()
        {
            writeln!(f, "      'hacctl explain {other}' tells why that is")?;
        }
    }
    Ok(())
}

fn reason(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    match &step.reason {
        Some(reason) => {
            let constraint = step.constraint.as_deref().map_or_else(String::new, |id| format!(" (order {id})"));
            writeln!(f, ": {}{constraint}", reason.clause())
        }
        None => writeln!(f),
    }
}

fn after(f: &mut fmt::Formatter<'_>, after: &[Wait]) -> fmt::Result {
    for wait in after {
        write!(f, "      after {}", action(&wait.task, 0, wait.resource.as_deref(), wait.node.as_deref()))?;
        if wait.blocked {
            f.write_str(", which cannot be carried out")?;
        }
        if let Some(constraint) = &wait.constraint {
            write!(f, " (order {constraint})")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

/// `start of web on n1`, `monitor of web on n1, every 10 s`.
fn action(task: &str, interval_ms: u64, resource: Option<&str>, node: Option<&str>) -> String {
    let mut text = match task {
        "clear_failcount" => "forget the failures".to_owned(),
        "lrm_delete" | "delete" => "forget the history".to_owned(),
        "do_shutdown" => "let the node go".to_owned(),
        "monitor" if interval_ms == 0 => "probe".to_owned(),
        other => other.to_owned(),
    };
    // Writing to a string cannot fail.
    if let Some(resource) = resource {
        let _ = write!(text, " of {resource}");
    }
    if let Some(node) = node {
        let _ = write!(text, " on {node}");
    }
    if interval_ms > 0 {
        let _ = write!(text, ", every {}", interval(interval_ms));
    }
    text
}

fn interval(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}
