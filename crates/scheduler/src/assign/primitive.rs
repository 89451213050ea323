//! Primitives: colocations first, then the best node.

use crate::Role;
use crate::ids::{ColIdx, NodeIdx, RscIdx};
use crate::influence::{Influence, TieBreak};
use crate::options::{NoQuorum, Strategy};
use crate::placement::Placement;
use crate::viewing::target_role;
use crate::witness::Choice;
use hac_model::INFINITY;

use super::{colocation, lists, place, sort, utilization, wishes};

/// Assigns a primitive.
pub(super) fn assign(
    cluster: &mut Placement<'_>,
    rsc: RscIdx,
    prefer: Option<NodeIdx>,
    stop_if_fail: bool,
) -> Option<NodeIdx> {
    if let Some(parent) = cluster.rsc[rsc].parent
        && !cluster.placed[parent].assigning
    {
        super::assign(cluster, parent, prefer, stop_if_fail);
    }
    if !cluster.placed[rsc].unassigned {
        return cluster.placed[rsc].assigned;
    }
    if cluster.placed[rsc].assigning {
        return None;
    }
    cluster.placed[rsc].assigning = true;
    apply_colocations(cluster, rsc);
    restrict_role(cluster, rsc);
    cluster.note_scores(rsc);
    if cluster.options.fencing && !cluster.fencing_configured {
        cluster.rsc[rsc].is.managed = false;
    }
    if !cluster.rsc[rsc].is.managed {
        cluster.rsc[rsc].next_role = cluster.rsc[rsc].role;
        let current = cluster.current_node(rsc);
        place(cluster, rsc, current, true, stop_if_fail);
    } else if cluster.options.stop_all {
        place(cluster, rsc, None, true, stop_if_fail);
    } else {
        assign_best(cluster, rsc, prefer, stop_if_fail);
    }
    cluster.placed[rsc].assigning = false;
    if cluster.is_connection(rsc) {
        connection_assigned(cluster, rsc);
    }
    cluster.placed[rsc].assigned
}

/// Mandatory colocations first, so that as many as possible can be met.
fn apply_colocations(cluster: &mut Placement<'_>, rsc: RscIdx) {
    let this_with = lists::this_with(cluster, rsc);
    let with_this = lists::with_this(cluster, rsc);
    for mandatory in [true, false] {
        let wanted =
            |cluster: &Placement<'_>, idx: ColIdx| (cluster.colocation(idx).score.abs() >= INFINITY) == mandatory;
        for idx in &this_with {
            if wanted(cluster, *idx) {
                apply_this_with(cluster, *idx, rsc);
            }
        }
        for idx in &with_this {
            if wanted(cluster, *idx) {
                wishes::add_dependent(cluster, *idx, rsc);
            }
        }
    }
}

/// What a colocation with something placed before is, as an influence.
fn placed_with(cluster: &Placement<'_>, idx: ColIdx) -> Influence {
    let constraint = cluster.colocation(idx);
    let role = constraint.primary_role;
    let parts = cluster.primitives(constraint.primary).into_iter();
    let fits = |part: &RscIdx| role == Role::Unknown || cluster.rsc[*part].next_role == role;
    let mut nodes: Vec<NodeIdx> = parts.filter(fits).filter_map(|part| cluster.placed[part].assigned).collect();
    nodes.sort_unstable();
    nodes.dedup();
    Influence::Colocation {
        constraint: constraint.explicit.then(|| constraint.id.clone()),
        with: cluster.rsc[constraint.primary].id.clone(),
        role: (role != Role::Unknown).then_some(role),
        nodes: nodes.into_iter().map(|node| cluster.nodes[node].name.clone()).collect(),
        score: constraint.score,
    }
}

/// What a colocation with something placed later is, as an influence.
pub(super) fn company(cluster: &Placement<'_>, idx: ColIdx) -> Influence {
    let constraint = cluster.colocation(idx);
    Influence::Company {
        constraint: constraint.explicit.then(|| constraint.id.clone()),
        dependent: cluster.rsc[constraint.dependent].id.clone(),
    }
}

/// Applies a colocation with something that is placed first.
fn apply_this_with(cluster: &mut Placement<'_>, idx: ColIdx, rsc: RscIdx) {
    let constraint = cluster.colocation(idx);
    let (primary, score) = (constraint.primary, constraint.score);
    let can_be_dropped = constraint.dependent_role >= Role::Promoted || (score < 0 && score > -INFINITY);
    let saved = can_be_dropped.then(|| cluster.scores.of(rsc).clone());
    if cluster.placed[primary].unassigned {
        if !cluster.limits.enter_chain() {
            return beyond_the_chain(cluster, rsc);
        }
        super::assign(cluster, primary, None, true);
        cluster.limits.leave_chain();
    }
    let why = cluster.because(|cluster| placed_with(cluster, idx));
    colocation::apply(cluster, rsc, primary, idx, true, &why);
    if let Some(saved) = saved
        && !wishes::any_available(cluster, cluster.scores.of(rsc))
    {
        cluster.scores.replace(rsc, saved, &why);
    }
}

/// Who is too far from the end of a chain of colocations is nowhere.
fn beyond_the_chain(cluster: &mut Placement<'_>, rsc: RscIdx) {
    let id = &cluster.rsc[rsc].id;
    cluster.warn(format!("{id} is not placed: the chain of colocations that it begins is too long"));
    let why = cluster.because(|_| Influence::ChainTooLong);
    cluster.add_score(rsc, None, -INFINITY, &why);
}

fn restrict_role(cluster: &mut Placement<'_>, rsc: RscIdx) {
    if cluster.rsc[rsc].next_role == Role::Stopped {
        let why = cluster.because(|cluster| match target_role(cluster, rsc) {
            Some(Role::Stopped) => Influence::Disabled,
            _ => Influence::StoppedByFailure,
        });
        cluster.add_score(rsc, None, -INFINITY, &why);
    } else if cluster.rsc[rsc].next_role > cluster.rsc[rsc].role
        && !cluster.quorate
        && cluster.options.no_quorum == NoQuorum::Freeze
    {
        cluster.rsc[rsc].next_role = cluster.rsc[rsc].role;
    }
}

fn assign_best(cluster: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>, stop_if_fail: bool) {
    let roomiest = utilization::ban_full_nodes(cluster, rsc);
    let prefer = prefer.or(roomiest);
    let current = cluster.current_node(rsc);
    let nodes = sort::nodes(cluster, rsc, current);
    let score = |node: NodeIdx| cluster.scores.of(rsc).score(node);
    let best = nodes.first().copied();
    let mut chosen = None;
    if let (Some(prefer), Some(best)) = (prefer, best)
        && cluster.scores.of(rsc).has(prefer)
        && score(prefer) >= score(best)
        && score(prefer) >= 0
        && cluster.node_available(prefer)
    {
        chosen = Some(prefer);
    }
    if chosen.is_none()
        && let Some(best) = best
    {
        chosen = Some(best);
        let unique_instance = cluster.rsc[rsc]
            .parent
            .is_some_and(|parent| cluster.rsc[parent].is_clone() && cluster.rsc[parent].is.unique);
        if !unique_instance
            && score(best) > 0
            && cluster.node_available(best)
            && let Some(current) = current.filter(|current| cluster.node_available(*current))
            && nodes.contains(&current)
            && score(current) == score(best)
        {
            chosen = Some(current);
        }
    }
    if cluster.scores.is_explained() {
        let choice = chosen.map(|chosen| choice(cluster, rsc, chosen, prefer));
        cluster.scores.note_choice(rsc, choice);
    }
    place(cluster, rsc, chosen, false, stop_if_fail);
}

/// Between which nodes the choice for `rsc` was, and what decided.
fn choice(cluster: &Placement<'_>, rsc: RscIdx, chosen: NodeIdx, prefer: Option<NodeIdx>) -> Choice {
    let table = cluster.scores.of(rsc);
    let equal = |node: &NodeIdx| {
        *node != chosen
            && cluster.node_available(*node)
            && table.has(*node)
            && table.score(*node) == table.score(chosen)
    };
    let equals: Vec<NodeIdx> = cluster.node_order.iter().copied().filter(equal).collect();
    let load = |node: NodeIdx| cluster.load[node].resources;
    let strategy = cluster.options.strategy;
    let by = if equals.is_empty() {
        None
    } else if cluster.rsc[rsc].active.contains(&chosen) {
        Some(TieBreak::Active)
    } else if prefer == Some(chosen) {
        Some(TieBreak::Preferred)
    } else if strategy != Strategy::Minimal && equals.iter().all(|node| load(*node) > load(chosen)) {
        Some(TieBreak::FewerResources)
    } else if strategy == Strategy::Balanced {
        Some(TieBreak::MoreRoom)
    } else {
        Some(TieBreak::Order)
    };
    Choice { equals, by }
}

/// A connection that will be up brings its node up; one that will not takes it down.
fn connection_assigned(cluster: &mut Placement<'_>, rsc: RscIdx) {
    let Some(node) = cluster.rsc[rsc].remote_node else { return };
    if cluster.placed[rsc].assigned.is_some() && cluster.rsc[rsc].next_role != Role::Stopped {
        cluster.nodes[node].online = true;
        if !cluster.nodes[node].seen {
            cluster.nodes[node].unclean = false;
        }
    } else {
        cluster.nodes[node].shutdown = true;
    }
}
