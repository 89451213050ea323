//! A resource: where it is and belongs, why, and what happens to it.

use std::fmt;

use super::words;
use crate::explain::{Candidate, Condition, Kind, ResourceStory, Service, Verdict};
use crate::plan::{Decision, Verb};
use hac_model::INFINITY;

/// A list of nodes longer than this, in characters, has a line of its own.
const NAMES_MAX: usize = 32;

pub(super) fn write(f: &mut fmt::Formatter<'_>, story: &ResourceStory) -> fmt::Result {
    words::circumstances(f, &story.circumstances)?;
    match story.kind {
        Kind::Primitive => {}
        Kind::Group => writeln!(f, "{} is a group.", story.id)?,
        Kind::Clone => writeln!(f, "{} is a clone.", story.id)?,
        Kind::Bundle => writeln!(f, "{} is a bundle.", story.id)?,
    }
    for (at, service) in story.services.iter().enumerate() {
        if at > 0 || !story.circumstances.is_empty() || story.kind != Kind::Primitive {
            writeln!(f)?;
        }
        let decisions: Vec<&Decision> = story.decisions.iter().filter(|d| d.subject == service.id).collect();
        self::service(f, service, &decisions)?;
    }
    words::steps(f, &story.steps)
}

fn service(f: &mut fmt::Formatter<'_>, service: &Service, decisions: &[&Decision]) -> fmt::Result {
    headline(f, service, decisions)?;
    verdict(f, service)?;
    conditions(f, service)?;
    candidates(f, service)
}

/// One sentence: where it is, and what becomes of it.
pub(super) fn headline(f: &mut fmt::Formatter<'_>, service: &Service, decisions: &[&Decision]) -> fmt::Result {
    write!(f, "{} ({}) ", service.id, service.agent)?;
    let nodes: Vec<String> = service.now.iter().map(words::place).collect();
    if nodes.is_empty() {
        f.write_str("is stopped")?;
    } else {
        write!(f, "runs on {}", words::list(&nodes))?;
    }
    let Some(decision) = decisions.first() else {
        return match (&service.next, nodes.is_empty()) {
            (Some(next), true) => writeln!(f, " and is not started on {}, where it belongs.", words::place(next)),
            (_, false) if matches!(service.verdict, Verdict::Unmanaged | Verdict::NothingCanFence) => {
                writeln!(f, " and is left alone.")
            }
            (Some(_), false) => writeln!(f, " and stays as it is."),
            (None, true) => writeln!(f, " and stays so."),
            (None, false) => writeln!(f, " and should be stopped, but is not."),
        };
    };
    let next = service.next.as_ref().map_or_else(String::new, words::place);
    let detail = &decision.detail;
    let (what, blocked) = match decision.verb {
        Verb::Start => (format!("starts on {next}"), format!("should start on {next}, but cannot")),
        Verb::Stop => ("is to stop".to_owned(), "should stop, but cannot".to_owned()),
        Verb::Restart => ("restarts there".to_owned(), "should restart there, but cannot".to_owned()),
        Verb::Recover if service.now.iter().any(|now| Some(&now.node) != service.next.as_ref().map(|n| &n.node)) => {
            (format!("is recovered on {next}"), format!("should be recovered on {next}, but cannot"))
        }
        Verb::Recover => ("is recovered there".to_owned(), "should be recovered there, but cannot".to_owned()),
        Verb::Move => (format!("moves to {next}"), format!("should move to {next}, but cannot")),
        Verb::Migrate => (format!("moves live to {next}"), format!("should move live to {next}, but cannot")),
        Verb::Reload => ("takes new parameters".to_owned(), "should take new parameters, but cannot".to_owned()),
        Verb::Promote => (format!("is promoted on {next}"), format!("should be promoted on {next}, but cannot")),
        Verb::Demote => (format!("is demoted on {next}"), format!("should be demoted on {next}, but cannot")),
        Verb::RePromote => (
            format!("is demoted and promoted again on {next}"),
            "should be demoted and promoted again, but cannot".into(),
        ),
        Verb::Fence => (format!("fenced ({detail})"), format!("not fenced ({detail})")),
    };
    write!(f, " and {}", if decision.blocked { blocked } else { what })?;
    let why = decision.why();
    if why.is_empty() { writeln!(f, ".") } else { writeln!(f, ": {why}.") }
}

/// Why there, or why nowhere.
fn verdict(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    let next = service.next.as_ref().map_or("", |place| place.node.as_str());
    match &service.verdict {
        Verdict::OnlyNode => writeln!(f, "  It belongs on {next}: no other node may run it."),
        Verdict::BestScore => writeln!(f, "  It belongs on {next}, which has the best score."),
        Verdict::Tie { with, by } => {
            writeln!(f, "  It belongs on {next}: {} would do as well, but {}.", words::list(with), words::tie(*by))
        }
        Verdict::Unmanaged => Ok(()),
        Verdict::NothingCanFence => f.write_str("  Without a fence device the cluster may not act on it.\n"),
        Verdict::Disabled => {
            writeln!(f, "  target-role=Stopped; 'hacctl resource start {}' changes that.", plain(&service.id))
        }
        Verdict::StopAll => f.write_str("  stop-all-resources is set.\n"),
        Verdict::NoNode => f.write_str("  No node may run it.\n"),
        Verdict::Surplus => f.write_str("  There are as many instances as there may be (clone-max).\n"),
        Verdict::Withheld { by: Some(by) } => {
            writeln!(
                f,
                "  It goes with {by}, of which nothing will be where it could run; 'hacctl explain {}' tells why.",
                plain(by)
            )
        }
        Verdict::Withheld { by: None } => {
            f.write_str("  A node could run it, but what it goes with keeps it from running.\n")
        }
    }
}

fn conditions(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    let id = plain(&service.id);
    for condition in &service.conditions {
        match condition {
            Condition::Unmanaged => writeln!(f, "  It is not managed; 'hacctl resource manage {id}' changes that.")?,
            Condition::Maintenance => f.write_str("  It, its node or the cluster is in maintenance.\n")?,
            Condition::Blocked => {
                writeln!(f, "  A failure blocks it until 'hacctl resource cleanup {id}' forgets that failure.")?;
            }
            Condition::Failed => f.write_str("  It failed.\n")?,
            Condition::FailedOperation { task, interval_ms, node, outcome, reason } => {
                let task = if (task.as_str(), *interval_ms) == ("monitor", 0) { "probe" } else { task };
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                writeln!(f, "  Its {task} on {node} failed: {outcome}{reason}.")?;
            }
            Condition::FailureIgnored => f.write_str("  It failed, which is ignored (on-fail).\n")?,
            Condition::Removed => f.write_str("  It is no longer configured.\n")?,
            Condition::Pending { task, node } => writeln!(f, "  Its {task} on {node} is under way.")?,
            Condition::MultiplyActive => f.write_str("  It is active on more than one node.\n")?,
            Condition::FailCount { node, failures, threshold } => {
                let count = words::score(*failures);
                match threshold.map(words::score) {
                    Some(threshold) => {
                        writeln!(f, "  Its fail count on {node} is {count} (migration-threshold={threshold}).")?;
                    }
                    None => writeln!(f, "  Its fail count on {node} is {count}; it is never banned for that.")?,
                }
            }
            Condition::NotReady { node, sentence, remedy } => {
                writeln!(f, "  If it had to, {node} could not start it: {sentence}.")?;
                if !remedy.is_empty() {
                    writeln!(f, "    {remedy}")?;
                }
            }
            Condition::PromotionScore { score, max } => {
                writeln!(f, "  Its promotion score is {} (promoted-max={max}).", words::score(*score))?;
            }
        }
    }
    Ok(())
}

/// The nodes with what speaks for and against each; those of which the same is said stand together.
fn candidates(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    let mut groups: Vec<(&Candidate, Vec<&str>)> = Vec::new();
    for candidate in &service.nodes {
        match groups.iter_mut().find(|(first, _)| same(service, first, candidate)) {
            Some((_, names)) => names.push(&candidate.node),
            None => groups.push((candidate, vec![&candidate.node])),
        }
    }
    let groups: Vec<(&Candidate, String)> =
        groups.into_iter().map(|(first, names)| (first, names.join(", "))).collect();
    let fitting = groups.iter().map(|(_, names)| names.chars().count()).filter(|width| *width <= NAMES_MAX);
    let width = fitting.max().unwrap_or(0);
    for (first, names) in &groups {
        candidate(f, service, first, names, width)?;
    }
    Ok(())
}

/// Whether the same is to be said of both nodes.
fn same(service: &Service, a: &Candidate, b: &Candidate) -> bool {
    let remedies = |candidate: &Candidate| -> Vec<Option<String>> {
        candidate.parts.iter().map(|part| part.influence.remedy(plain(&service.id), &candidate.node)).collect()
    };
    let apart = a.active || a.chosen || b.active || b.chosen;
    !apart && (a.score, a.obstacle) == (b.score, b.obstacle) && a.parts == b.parts && remedies(a) == remedies(b)
}

/// A line for a node (or several of which the same is said), and one for each part of the score.
fn candidate(
    f: &mut fmt::Formatter<'_>,
    service: &Service,
    candidate: &Candidate,
    names: &str,
    width: usize,
) -> fmt::Result {
    let score = candidate.score.map_or_else(|| "-".to_owned(), words::score);
    if names.chars().count() > width {
        write!(f, "    {names}\n    {:width$}  {score:>9}", "")?;
    } else {
        write!(f, "    {names:width$}  {score:>9}")?;
    }
    let mut remarks = Vec::new();
    if candidate.chosen {
        remarks.push("it belongs here".to_owned());
    }
    if candidate.active {
        remarks.push("it is active here".to_owned());
    }
    if let Some(obstacle) = candidate.obstacle {
        remarks.push(format!("the node is {obstacle}"));
    }
    if candidate.score.is_none() {
        remarks.push("nothing allows it here".to_owned());
    }
    if !remarks.is_empty() {
        write!(f, "  {}", remarks.join("; "))?;
    }
    writeln!(f)?;
    for part in &candidate.parts {
        writeln!(f, "    {:width$}  {:>9}  {}", "", words::points(part.points), part.influence)?;
        let remedy = part.influence.remedy(plain(&service.id), &candidate.node);
        if let Some(remedy) = remedy.filter(|_| part.points <= -INFINITY) {
            writeln!(f, "    {:width$}             {remedy}", "")?;
        }
    }
    Ok(())
}

/// An id without instance number, as commands take it.
fn plain(id: &str) -> &str {
    id.split_once(':').map_or(id, |(name, _)| name)
}
