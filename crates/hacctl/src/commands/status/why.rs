//! Why something does not run, in one sentence, with the command to paste.

use hac_api::{ExplainQuery, SubjectKind};
use hac_model::Role;
use hac_scheduler::explain::{Candidate, Condition, Explanation, Influence, ResourceStory, Verdict};
use hac_scheduler::plan::Obstacle;
use hac_scheduler::view::{ClusterView, ResourceView};

use crate::commands::Context;
use hac_compat::not_running;

/// More resources than this are not explained: the list would be longer than the status.
const MOST: usize = 20;

/// Sentence and command for everything that does not run as it should, or was stopped by somebody.
pub(super) async fn all(context: &Context, view: &ClusterView) -> Vec<(String, String)> {
    let down = not_running(view);
    let told = |resource: &&ResourceView| {
        !resource.flags.removed
            && !under_way(resource)
            && (down.contains(&resource.name) || stopped(resource) || resource.flags.blocked || resource.flags.failed)
    };
    let mut found = Vec::new();
    for resource in view.resources.iter().filter(told).take(MOST) {
        let name = &resource.name;
        if stopped(resource) && !resource.flags.active {
            found.push((format!("{name} is stopped: target-role is Stopped"), format!("hacctl resource start {name}")));
            continue;
        }
        let query = ExplainQuery { name: Some(name.clone()), kind: Some(SubjectKind::Resource), at: None };
        // Without an explanation the list of resources says what there is to say.
        let Ok(answer) = context.client.explain(&query).await else { continue };
        let Ok(Explanation::Resource(story)) = serde_json::from_value(answer.explanation) else { continue };
        found.extend(reason(name, &story, view));
    }
    found
}

/// Whether something is being done about it right now.
fn under_way(resource: &ResourceView) -> bool {
    resource.pending.as_ref().is_some_and(|(task, _)| task != "monitor") || resource.children.iter().any(under_way)
}

fn stopped(resource: &ResourceView) -> bool {
    resource.target_role == Some(Role::Stopped)
}

/// The reason that weighs most, and what to type.
fn reason(name: &str, story: &ResourceStory, view: &ClusterView) -> Option<(String, String)> {
    let service = story.services.iter().find(|service| service.now.is_empty()).or_else(|| story.services.first())?;
    let of = |why: String, what: String| Some((format!("{name} {why}"), what));
    let explain = || format!("hacctl explain {name}");
    let cleanup = || format!("hacctl resource cleanup {name}");
    if service.conditions.contains(&Condition::Blocked) {
        let why = failure(&service.conditions).map(|why| format!(": {why}")).unwrap_or_default();
        return of(format!("is blocked by a failure{why}"), cleanup());
    }
    if !view.quorate && matches!(view.no_quorum_policy.as_str(), "stop" | "freeze" | "fence" | "suicide") {
        return of("waits for quorum".to_owned(), "hacctl quorum".to_owned());
    }
    if view.maintenance_mode {
        return of("is left alone: maintenance-mode is true".to_owned(), "hacctl maintenance off".to_owned());
    }
    match &service.verdict {
        Verdict::StopAll => of(
            "is stopped: stop-all-resources is true".to_owned(),
            "hacctl configure property stop-all-resources=false".to_owned(),
        ),
        Verdict::Disabled => {
            of("is stopped: its target-role says so".to_owned(), format!("hacctl resource start {name}"))
        }
        Verdict::Withheld { by } => {
            let by = by.as_deref().unwrap_or("what it goes with");
            of(format!("waits for {by}, which runs nowhere"), format!("hacctl explain {by}"))
        }
        Verdict::NothingCanFence => of(
            "is not started: fencing is wanted and there is no fence device".to_owned(),
            "hacctl configure primitive ID stonith:fence_... (or: property stonith-enabled=false)".to_owned(),
        ),
        Verdict::NoNode => {
            let whys: Vec<String> = service.nodes.iter().filter_map(against).collect();
            let what = service.nodes.iter().find_map(|node| remedy(name, node)).unwrap_or_else(explain);
            if whys.is_empty() {
                return of("may run on no node".to_owned(), explain());
            }
            let failed = failure(&service.conditions).map(|why| format!(" ({why})")).unwrap_or_default();
            of(format!("may run on no node: {}{failed}", whys.join("; ")), what)
        }
        _ => match failure(&service.conditions) {
            Some(why) => of(format!("failed: {why}"), cleanup()),
            None if service.now.is_empty() => of("is not running yet".to_owned(), explain()),
            None => None,
        },
    }
}

/// The failed operation in words.
fn failure(conditions: &[Condition]) -> Option<String> {
    conditions.iter().find_map(|condition| match condition {
        Condition::FailedOperation { task, node, outcome, reason, .. } => {
            let reason = reason.as_ref().filter(|reason| !reason.is_empty());
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            Some(format!("{task} on {node}: {outcome}{reason}"))
        }
        _ => None,
    })
}

/// What speaks against a node.
fn against(node: &Candidate) -> Option<String> {
    if let Some(obstacle) = &node.obstacle {
        return Some(format!("{} is {obstacle}", node.node));
    }
    let worst = node.parts.iter().min_by_key(|part| part.points).filter(|part| part.points < 0)?;
    let clause = match &worst.influence {
        Influence::Location { constraint } if constraint.starts_with("cli-ban-") => "banned".to_owned(),
        Influence::Failures { failures, .. } if *failures >= hac_model::INFINITY => "it failed there".to_owned(),
        other => other.to_string(),
    };
    Some(format!("{}: {clause}", node.node))
}

/// What to type so that a node can run it.
fn remedy(name: &str, node: &Candidate) -> Option<String> {
    match &node.obstacle {
        Some(Obstacle::Standby | Obstacle::StandbyOnFail) => return Some(format!("hacctl node online {}", node.node)),
        Some(Obstacle::Maintenance) => return Some(format!("hacctl node ready {}", node.node)),
        Some(_) => return None,
        None => {}
    }
    let worst = node.parts.iter().min_by_key(|part| part.points).filter(|part| part.points < 0)?;
    let text = worst.influence.remedy(name, &node.node)?;
    // The sentence names the command in quotes.
    text.split('\'').nth(1).map(str::to_owned)
}
