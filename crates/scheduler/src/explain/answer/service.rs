//! One service: where it is and belongs, and what speaks for and against each node.

use crate::cluster::{Cluster, NodeIdx, Role, RscIdx};
use crate::explain::{Candidate, Condition, Place, Service, Verdict};
use crate::graph::obstacle;
use crate::reading::status::failcount;
use crate::viewing::target_role;

/// All of it.
pub(super) fn story(cluster: &Cluster<'_>, rsc: RscIdx) -> Service {
    let resource = &cluster.rsc[rsc];
    let place = |node: &NodeIdx, role| Place { node: cluster.nodes[*node].name.clone(), role };
    let next = resource.assigned.filter(|_| resource.next_role != Role::Stopped);
    Service {
        id: resource.id.clone(),
        agent: resource.blocks.agent.to_string(),
        now: resource.active.iter().map(|node| place(node, role(cluster, rsc, resource.role))).collect(),
        next: next.map(|node| place(&node, role(cluster, rsc, resource.next_role))),
        verdict: verdict(cluster, rsc, next),
        conditions: conditions(cluster, rsc),
        nodes: cluster.node_order.iter().filter_map(|node| candidate(cluster, rsc, *node, next)).collect(),
    }
}

/// A role as people know it: what runs without roles is started.
fn role(cluster: &Cluster<'_>, rsc: RscIdx, role: Role) -> Role {
    let promotable = cluster.rsc[cluster.top(rsc, false)].is.promotable;
    match role {
        Role::Unknown | Role::Started | Role::Unpromoted if !promotable => Role::Started,
        Role::Unknown | Role::Started => Role::Unpromoted,
        other => other,
    }
}

fn verdict(cluster: &Cluster<'_>, rsc: RscIdx, next: Option<NodeIdx>) -> Verdict {
    let resource = &cluster.rsc[rsc];
    let may = |node: &NodeIdx| cluster.is_allowed(rsc, *node) && cluster.node_available(*node);
    if cannot_fence(cluster) {
        return Verdict::NothingCanFence;
    }
    if !resource.is.managed {
        return Verdict::Unmanaged;
    }
    let seen = cluster.scores.seen(rsc);
    match next {
        Some(node) => match seen.and_then(|seen| seen.choice.as_ref()) {
            Some(choice) if !choice.equals.is_empty() => Verdict::Tie {
                with: choice.equals.iter().map(|node| cluster.nodes[*node].name.clone()).collect(),
                by: choice.by.unwrap_or(crate::explain::TieBreak::Order),
            },
            _ if cluster.node_order.iter().any(|other| *other != node && may(other)) => Verdict::BestScore,
            _ => Verdict::OnlyNode,
        },
        None if cluster.options.stop_all => Verdict::StopAll,
        None if target_role(cluster, rsc) == Some(Role::Stopped) => Verdict::Disabled,
        None if is_surplus(seen) => Verdict::Surplus,
        None if !cluster.node_order.iter().any(may) => Verdict::NoNode,
        None => {
            let by = seen.and_then(|seen| seen.withheld_by);
            Verdict::Withheld { by: by.map(|by| cluster.rsc[by].id.clone()) }
        }
    }
}

/// Whether fencing is wanted and nothing can fence: then nothing is managed.
pub(super) fn cannot_fence(cluster: &Cluster<'_>) -> bool {
    cluster.options.fencing && !cluster.fencing_configured
}

/// Whether there were enough instances without it.
fn is_surplus(seen: Option<&crate::witness::Seen>) -> bool {
    seen.is_some_and(|seen| seen.has(|influence| matches!(influence, crate::influence::Influence::Surplus { .. })))
}

fn candidate(cluster: &Cluster<'_>, rsc: RscIdx, node: NodeIdx, next: Option<NodeIdx>) -> Option<Candidate> {
    let resource = &cluster.rsc[rsc];
    let active = resource.active.contains(&node);
    let allowed = cluster.scores.of(rsc).get(node).map(|allowed| allowed.score);
    // Inside of containers only what is made for them may be, which goes without saying.
    if cluster.nodes[node].is_guest() && allowed.is_none_or(|score| score < 0) && !active {
        return None;
    }
    let seen = cluster.scores.seen(rsc);
    let parts = seen.into_iter().flat_map(|seen| seen.parts()).filter(|(at, _)| *at == node);
    Some(Candidate {
        node: cluster.nodes[node].name.clone(),
        score: allowed,
        active,
        chosen: next == Some(node),
        obstacle: obstacle(cluster, node),
        parts: parts.map(|(_, part)| part).collect(),
    })
}

fn conditions(cluster: &Cluster<'_>, rsc: RscIdx) -> Vec<Condition> {
    let resource = &cluster.rsc[rsc];
    let is = &resource.is;
    let mut found = Vec::new();
    let flags = [
        (is.removed, Condition::Removed),
        (is.blocked, Condition::Blocked),
        (is.maintenance && !is.blocked, Condition::Maintenance),
        (!is.managed && !is.blocked && !is.maintenance && !cannot_fence(cluster), Condition::Unmanaged),
        (is.failed, Condition::Failed),
        (is.failure_ignored, Condition::FailureIgnored),
        (resource.active.len() > 1 && resource.migration.is_none(), Condition::MultiplyActive),
    ];
    found.extend(flags.into_iter().filter(|(holds, _)| *holds).map(|(_, condition)| condition));
    if let Some((task, node)) = &resource.pending {
        found.push(Condition::Pending { task: task.clone(), node: cluster.nodes[*node].name.clone() });
    }
    for node in &cluster.node_order {
        let (failures, _) = failcount::recorded(cluster, rsc, *node);
        if failures > 0 {
            found.push(Condition::FailCount {
                node: cluster.nodes[*node].name.clone(),
                failures,
                threshold: (resource.ban_after > 0).then_some(resource.ban_after),
            });
        }
    }
    let clone = cluster.top(rsc, false);
    if let Some(data) = cluster.clone_data(clone).filter(|_| cluster.rsc[clone].is.promotable)
        && resource.assigned.is_some()
    {
        let instance = instance_of(cluster, rsc, clone);
        let score = cluster.rsc[instance].promotion_priority;
        found.push(Condition::PromotionScore { score, max: data.promoted_max });
    }
    found
}

/// The instance of `clone` that `rsc` is, or is a member of.
fn instance_of(cluster: &Cluster<'_>, rsc: RscIdx, clone: RscIdx) -> RscIdx {
    let mut at = rsc;
    while let Some(parent) = cluster.rsc[at].parent.filter(|parent| *parent != clone) {
        at = parent;
    }
    at
}
