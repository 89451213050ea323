//! Primitives: colocations first, then the best node.

use crate::ids::{ColIdx, NodeIdx, RscIdx};
use crate::influence::{Influence, TieBreak};
use crate::options::{NoQuorum, Strategy};
use crate::placement::Placement;
use crate::viewing::target_role;
use crate::witness::Choice;
use hac_model::INFINITY;
use hac_model::Role;

use super::{colocation, lists, place, sort, utilization, wishes};

/// Assigns a primitive.
pub(super) fn assign(
    placement: &mut Placement<'_>,
    rsc: RscIdx,
    prefer: Option<NodeIdx>,
    stop_if_fail: bool,
) -> Option<NodeIdx> {
    if let Some(parent) = placement.rsc[rsc].parent
        && !placement.placed[parent].assigning
    {
        super::assign(placement, parent, prefer, stop_if_fail);
    }
    if !placement.placed[rsc].unassigned {
        return placement.placed[rsc].assigned;
    }
    if placement.placed[rsc].assigning {
        return None;
    }
    placement.placed[rsc].assigning = true;
    apply_colocations(placement, rsc);
    restrict_role(placement, rsc);
    placement.note_scores(rsc);
    if placement.options.fencing && !placement.fencing_configured {
        placement.rsc[rsc].is.managed = false;
    }
    if !placement.rsc[rsc].is.managed {
        placement.rsc[rsc].next_role = placement.rsc[rsc].role;
        let current = placement.current_node(rsc);
        place(placement, rsc, current, true, stop_if_fail);
    } else if placement.options.stop_all {
        place(placement, rsc, None, true, stop_if_fail);
    } else {
        assign_best(placement, rsc, prefer, stop_if_fail);
    }
    placement.placed[rsc].assigning = false;
    if placement.is_connection(rsc) {
        connection_assigned(placement, rsc);
    }
    placement.placed[rsc].assigned
}

/// Mandatory colocations first, so that as many as possible can be met.
fn apply_colocations(placement: &mut Placement<'_>, rsc: RscIdx) {
    let this_with = lists::this_with(placement, rsc);
    let with_this = lists::with_this(placement, rsc);
    for mandatory in [true, false] {
        let wanted =
            |placement: &Placement<'_>, idx: ColIdx| (placement.colocation(idx).score.abs() >= INFINITY) == mandatory;
        for idx in &this_with {
            if wanted(placement, *idx) {
                apply_this_with(placement, *idx, rsc);
            }
        }
        for idx in &with_this {
            if wanted(placement, *idx) {
                wishes::add_dependent(placement, *idx, rsc);
            }
        }
    }
}

/// What a colocation with something placed before is, as an influence.
fn placed_with(placement: &Placement<'_>, idx: ColIdx) -> Influence {
    let constraint = placement.colocation(idx);
    let role = constraint.primary_role;
    let parts = placement.primitives(constraint.primary).into_iter();
    let fits = |part: &RscIdx| role == Role::Unknown || placement.rsc[*part].next_role == role;
    let mut nodes: Vec<NodeIdx> = parts.filter(fits).filter_map(|part| placement.placed[part].assigned).collect();
    nodes.sort_unstable();
    nodes.dedup();
    Influence::Colocation {
        constraint: constraint.explicit.then(|| constraint.id.clone()),
        with: placement.rsc[constraint.primary].id.clone(),
        role: (role != Role::Unknown).then_some(role),
        nodes: nodes.into_iter().map(|node| placement.nodes[node].name.clone()).collect(),
        score: constraint.score,
    }
}

/// What a colocation with something placed later is, as an influence.
pub(super) fn company(placement: &Placement<'_>, idx: ColIdx) -> Influence {
    let constraint = placement.colocation(idx);
    Influence::Company {
        constraint: constraint.explicit.then(|| constraint.id.clone()),
        dependent: placement.rsc[constraint.dependent].id.clone(),
    }
}

/// Applies a colocation with something that is placed first.
fn apply_this_with(placement: &mut Placement<'_>, idx: ColIdx, rsc: RscIdx) {
    let constraint = placement.colocation(idx);
    let (primary, score) = (constraint.primary, constraint.score);
    let can_be_dropped = constraint.dependent_role >= Role::Promoted || (score < 0 && score > -INFINITY);
    let saved = can_be_dropped.then(|| placement.scores.of(rsc).clone());
    if placement.placed[primary].unassigned {
        if !placement.limits.enter_chain() {
            return beyond_the_chain(placement, rsc);
        }
        super::assign(placement, primary, None, true);
        placement.limits.leave_chain();
    }
    let why = placement.because(|placement| placed_with(placement, idx));
    colocation::apply(placement, rsc, primary, idx, true, &why);
    if let Some(saved) = saved
        && !wishes::any_available(placement, placement.scores.of(rsc))
    {
        placement.scores.replace(rsc, saved, &why);
    }
}

/// Who is too far from the end of a chain of colocations is nowhere.
fn beyond_the_chain(placement: &mut Placement<'_>, rsc: RscIdx) {
    let id = &placement.rsc[rsc].id;
    placement.warn(format!("{id} is not placed: the chain of colocations that it begins is too long"));
    let why = placement.because(|_| Influence::ChainTooLong);
    placement.add_score(rsc, None, -INFINITY, &why);
}

fn restrict_role(placement: &mut Placement<'_>, rsc: RscIdx) {
    if placement.rsc[rsc].next_role == Role::Stopped {
        let why = placement.because(|placement| match target_role(placement, rsc) {
            Some(Role::Stopped) => Influence::Disabled,
            _ => Influence::StoppedByFailure,
        });
        placement.add_score(rsc, None, -INFINITY, &why);
    } else if placement.rsc[rsc].next_role > placement.rsc[rsc].role
        && !placement.quorate
        && placement.options.no_quorum == NoQuorum::Freeze
    {
        placement.rsc[rsc].next_role = placement.rsc[rsc].role;
    }
}

fn assign_best(placement: &mut Placement<'_>, rsc: RscIdx, prefer: Option<NodeIdx>, stop_if_fail: bool) {
    let roomiest = utilization::ban_full_nodes(placement, rsc);
    let prefer = prefer.or(roomiest);
    let current = placement.current_node(rsc);
    let nodes = sort::nodes(placement, rsc, current);
    let score = |node: NodeIdx| placement.scores.of(rsc).score(node);
    let best = nodes.first().copied();
    let mut chosen = None;
    if let (Some(prefer), Some(best)) = (prefer, best)
        && placement.scores.of(rsc).has(prefer)
        && score(prefer) >= score(best)
        && score(prefer) >= 0
        && placement.node_available(prefer)
    {
        chosen = Some(prefer);
    }
    if chosen.is_none()
        && let Some(best) = best
    {
        chosen = Some(best);
        let unique_instance = placement.rsc[rsc]
            .parent
            .is_some_and(|parent| placement.rsc[parent].is_clone() && placement.rsc[parent].is.unique);
        if !unique_instance
            && score(best) > 0
            && placement.node_available(best)
            && let Some(current) = current.filter(|current| placement.node_available(*current))
            && nodes.contains(&current)
            && score(current) == score(best)
        {
            chosen = Some(current);
        }
    }
    if placement.scores.is_explained() {
        let choice = chosen.map(|chosen| choice(placement, rsc, chosen, prefer));
        placement.scores.note_choice(rsc, choice);
    }
    place(placement, rsc, chosen, false, stop_if_fail);
}

/// Between which nodes the choice for `rsc` was, and what decided.
fn choice(placement: &Placement<'_>, rsc: RscIdx, chosen: NodeIdx, prefer: Option<NodeIdx>) -> Choice {
    let table = placement.scores.of(rsc);
    let equal = |node: &NodeIdx| {
        *node != chosen
            && placement.node_available(*node)
            && table.has(*node)
            && table.score(*node) == table.score(chosen)
    };
    let equals: Vec<NodeIdx> = placement.node_order.iter().copied().filter(equal).collect();
    let load = |node: NodeIdx| placement.load[node].resources;
    let strategy = placement.options.strategy;
    let by = if equals.is_empty() {
        None
    } else if placement.rsc[rsc].active.contains(&chosen) {
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
fn connection_assigned(placement: &mut Placement<'_>, rsc: RscIdx) {
    let Some(node) = placement.rsc[rsc].remote_node else { return };
    if placement.placed[rsc].assigned.is_some() && placement.rsc[rsc].next_role != Role::Stopped {
        placement.nodes[node].online = true;
        if !placement.nodes[node].seen {
            placement.nodes[node].unclean = false;
        }
    } else {
        placement.nodes[node].shutdown = true;
    }
}
