//! One service: where it is and belongs, and what speaks for and against each node.

use crate::convert::obstacle;
use crate::explain::{Candidate, Condition, Place, Service, Verdict};
use crate::graph::Graph;
use crate::ids::{NodeIdx, RscIdx};
use crate::reading::status::failcount;
use crate::viewing::target_role;
use hac_model::{ExecStatus, Role};

/// All of it.
pub(super) fn story(graph: &Graph<'_>, rsc: RscIdx) -> Service {
    let resource = &graph.rsc[rsc];
    let place = |node: &NodeIdx, role| Place { node: graph.nodes[*node].name.clone(), role };
    let next = graph.placed[rsc].assigned.filter(|_| resource.next_role != Role::Stopped);
    Service {
        id: resource.id.clone(),
        agent: resource.blocks.agent.to_string(),
        now: resource.active.iter().map(|node| place(node, role(graph, rsc, resource.role))).collect(),
        next: next.map(|node| place(&node, role(graph, rsc, resource.next_role))),
        verdict: verdict(graph, rsc, next),
        conditions: conditions(graph, rsc),
        nodes: graph.node_order.iter().filter_map(|node| candidate(graph, rsc, *node, next)).collect(),
    }
}

/// A role as people know it: what runs without roles is started.
fn role(graph: &Graph<'_>, rsc: RscIdx, role: Role) -> Role {
    let promotable = graph.rsc[graph.top(rsc, false)].is.promotable;
    match role {
        Role::Unknown | Role::Started | Role::Unpromoted if !promotable => Role::Started,
        Role::Unknown | Role::Started => Role::Unpromoted,
        other => other,
    }
}

fn verdict(graph: &Graph<'_>, rsc: RscIdx, next: Option<NodeIdx>) -> Verdict {
    let resource = &graph.rsc[rsc];
    let may = |node: &NodeIdx| graph.is_allowed(rsc, *node) && graph.node_available(*node);
    if cannot_fence(graph) {
        return Verdict::NothingCanFence;
    }
    if !resource.is.managed {
        return Verdict::Unmanaged;
    }
    let seen = graph.scores.seen(rsc);
    match next {
        Some(node) => match seen.and_then(|seen| seen.choice.as_ref()) {
            Some(choice) if !choice.equals.is_empty() => Verdict::Tie {
                with: choice.equals.iter().map(|node| graph.nodes[*node].name.clone()).collect(),
                by: choice.by.unwrap_or(crate::explain::TieBreak::Order),
            },
            _ if graph.node_order.iter().any(|other| *other != node && may(other)) => Verdict::BestScore,
            _ => Verdict::OnlyNode,
        },
        None if graph.options.stop_all => Verdict::StopAll,
        None if target_role(graph, rsc) == Some(Role::Stopped) => Verdict::Disabled,
        None if is_surplus(seen) => Verdict::Surplus,
        None if !graph.node_order.iter().any(may) => Verdict::NoNode,
        None => {
            let by = seen.and_then(|seen| seen.withheld_by);
            Verdict::Withheld { by: by.map(|by| graph.rsc[by].id.clone()) }
        }
    }
}

/// Whether fencing is wanted and nothing can fence: then nothing is managed.
pub(super) fn cannot_fence(graph: &Graph<'_>) -> bool {
    graph.options.fencing && !graph.fencing_configured
}

/// Whether there were enough instances without it.
fn is_surplus(seen: Option<&crate::witness::Seen>) -> bool {
    seen.is_some_and(|seen| seen.has(|influence| matches!(influence, crate::influence::Influence::Surplus { .. })))
}

fn candidate(graph: &Graph<'_>, rsc: RscIdx, node: NodeIdx, next: Option<NodeIdx>) -> Option<Candidate> {
    let resource = &graph.rsc[rsc];
    let active = resource.active.contains(&node);
    let allowed = graph.scores.of(rsc).get(node).map(|allowed| allowed.score);
    // Inside of containers only what is made for them may be, which goes without saying.
    if graph.nodes[node].is_guest() && allowed.is_none_or(|score| score < 0) && !active {
        return None;
    }
    let seen = graph.scores.seen(rsc);
    let parts = seen.into_iter().flat_map(|seen| seen.parts()).filter(|(at, _)| *at == node);
    Some(Candidate {
        node: graph.nodes[node].name.clone(),
        score: allowed,
        active,
        chosen: next == Some(node),
        obstacle: obstacle(graph, node),
        parts: parts.map(|(_, part)| part).collect(),
    })
}

fn conditions(graph: &Graph<'_>, rsc: RscIdx) -> Vec<Condition> {
    let resource = &graph.rsc[rsc];
    let is = &resource.is;
    let mut found = Vec::new();
    let flags = [
        (is.removed, Condition::Removed),
        (is.blocked, Condition::Blocked),
        (is.maintenance && !is.blocked, Condition::Maintenance),
        (!is.managed && !is.blocked && !is.maintenance && !cannot_fence(graph), Condition::Unmanaged),
        (is.failed, Condition::Failed),
        (is.failure_ignored, Condition::FailureIgnored),
        (resource.active.len() > 1 && resource.migration.is_none(), Condition::MultiplyActive),
    ];
    found.extend(flags.into_iter().filter(|(holds, _)| *holds).map(|(_, condition)| condition));
    if let Some((task, node)) = &resource.pending {
        found.push(Condition::Pending { task: task.clone(), node: graph.nodes[*node].name.clone() });
    }
    found.extend(failed_operations(graph, rsc));
    for node in &graph.node_order {
        let (failures, _) = failcount::recorded(graph, rsc, *node);
        if failures > 0 {
            found.push(Condition::FailCount {
                node: graph.nodes[*node].name.clone(),
                failures,
                threshold: (resource.ban_after > 0).then_some(resource.ban_after),
            });
        }
    }
    let clone = graph.top(rsc, false);
    if let Some(data) = graph.clone_data(clone).filter(|_| graph.rsc[clone].is.promotable)
        && graph.placed[rsc].assigned.is_some()
    {
        let instance = instance_of(graph, rsc, clone);
        let score = graph.placed[instance].promotion_priority;
        found.push(Condition::PromotionScore { score, max: data.promoted_max });
    }
    found
}

/// What failed of it, and why.
fn failed_operations<'a>(graph: &'a Graph<'_>, rsc: RscIdx) -> impl Iterator<Item = Condition> + 'a {
    let name = graph.rsc[rsc].known_as();
    graph.failed.iter().filter(move |failed| failed.resource == name).map(|failed| {
        let op = &failed.operation;
        let timed_out = op.status == ExecStatus::Timeout.code();
        Condition::FailedOperation {
            task: op.task.clone(),
            interval_ms: op.interval_ms,
            node: op.node.clone(),
            outcome: if timed_out { "timed out" } else { op.rc.words() }.to_owned(),
            reason: op.exit_reason.clone().filter(|reason| !reason.is_empty()),
        }
    })
}

/// The instance of `clone` that `rsc` is, or is a member of.
fn instance_of(graph: &Graph<'_>, rsc: RscIdx, clone: RscIdx) -> RscIdx {
    let mut at = rsc;
    while let Some(parent) = graph.rsc[at].parent.filter(|parent| *parent != clone) {
        at = parent;
    }
    at
}
