//! Wishes: what is colocated with a resource wants it to be where it could run itself.

use crate::allowed::AllowedTable;
use crate::ids::{ColIdx, NodeIdx, RscIdx};
use crate::placement::Placement;
use crate::score;
use hac_model::INFINITY;

use super::{colocation, lists};

/// Marks a node whose score would have turned negative.
const MARKED: i32 = INFINITY * -100;

/// How wishes are added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// If no node is left, the change is dropped.
    pub(super) optional: bool,
    /// Scores do not turn negative.
    pub(super) nonnegative: bool,
    /// Follow "this with" instead of "with this".
    pub(super) this_with: bool,
}

/// Whether a node of the table may run resources.
pub(super) fn any_available(placement: &Placement<'_>, table: &AllowedTable) -> bool {
    table.nodes().any(|node| table.score(node) >= 0 && placement.node_available(node))
}

/// Adds the wishes of a colocation's dependent to the table of its primary (or the part of it that is being assigned).
pub(super) fn add_dependent(placement: &mut Placement<'_>, idx: ColIdx, target: RscIdx) {
    if !has_influence(placement, idx, None) {
        return;
    }
    let constraint = placement.colocation(idx);
    let (dependent, factor) = (constraint.dependent, factor(constraint.score));
    let mode = Mode { optional: true, nonnegative: placement.rsc[target].is_clone(), this_with: false };
    let mut table = placement.scores.of(target).clone();
    add(placement, dependent, target, &mut table, Some(idx), factor, mode);
    let why = placement.because(|placement| super::primitive::company(placement, idx));
    placement.scores.replace(target, table, &why);
}

/// How much of a dependent's score counts.
pub(super) fn factor(score: i32) -> f32 {
    // Scores are below 2^24, so nothing is lost.
    score as f32 / INFINITY as f32
}

/// Whether the dependent's wishes count for the primary (or `rsc` instead).
pub(super) fn has_influence(placement: &Placement<'_>, idx: ColIdx, rsc: Option<RscIdx>) -> bool {
    let constraint = placement.colocation(idx);
    let rsc = &placement.rsc[rsc.unwrap_or(constraint.primary)];
    let light = placement.rsc[constraint.dependent].is.allow_remote_remotes;
    if light && !rsc.is.failed && rsc.active.len() == 1 {
        // A connection is moved easily, a container is not.
        return false;
    }
    constraint.influence || rsc.active.is_empty()
}

/// Adds to `table` (of `target`) the scores of `source`, and of what is colocated with that in turn. An empty table is
/// filled with the source's own.
pub(super) fn add(
    placement: &mut Placement<'_>,
    source: RscIdx,
    target: RscIdx,
    table: &mut AllowedTable,
    idx: Option<ColIdx>,
    factor: f32,
    mode: Mode,
) {
    if placement.placed[source].updating_nodes || !placement.limits.enter_wish() {
        return;
    }
    placement.placed[source].updating_nodes = true;
    if placement.rsc[source].is_group() {
        let members = &placement.rsc[source].children;
        let member = if mode.this_with { members.last() } else { members.first() };
        if let Some(member) = member.copied() {
            add(placement, member, target, table, idx, factor, mode);
        }
    } else {
        add_scores_of(placement, source, target, table, idx, factor, mode);
    }
    placement.placed[source].updating_nodes = false;
    placement.limits.leave_wish();
}

fn add_scores_of(
    placement: &mut Placement<'_>,
    source: RscIdx,
    target: RscIdx,
    table: &mut AllowedTable,
    idx: Option<ColIdx>,
    factor: f32,
    mode: Mode,
) {
    let mut work = table.clone();
    let mut target = target;
    match idx {
        None if work.is_empty() => {
            work = placement.scores.of(source).clone();
            target = source;
        }
        _ => add_matching(placement, &mut work, source, target, idx, factor, mode.nonnegative),
    }
    if any_available(placement, &work) {
        let next =
            if mode.this_with { lists::this_with(placement, source) } else { lists::with_this(placement, source) };
        let deeper = Mode { optional: true, ..mode };
        for idx in next {
            if !mode.this_with && !has_influence(placement, idx, None) {
                continue;
            }
            let constraint = placement.colocation(idx);
            let other = if mode.this_with { constraint.primary } else { constraint.dependent };
            let factor = factor * self::factor(constraint.score);
            add(placement, other, target, &mut work, Some(idx), factor, deeper);
        }
    } else if mode.optional {
        return;
    }
    if mode.nonnegative {
        let nodes: Vec<NodeIdx> = work.nodes().collect();
        for node in nodes {
            if let Some(allowed) = work.get_mut(node)
                && allowed.score == MARKED
            {
                allowed.score = 1;
            }
        }
    }
    *table = work;
}

/// Adds the best score that `source` has on nodes like each node of the table.
fn add_matching(
    placement: &Placement<'_>,
    table: &mut AllowedTable,
    source: RscIdx,
    target: RscIdx,
    idx: Option<ColIdx>,
    factor: f32,
    nonnegative: bool,
) {
    let attribute = idx.and_then(|idx| placement.colocation(idx).attribute.clone());
    let attribute = attribute.as_deref();
    let scores = best_scores(placement, source, idx, attribute);
    let nodes: Vec<NodeIdx> = table.nodes().collect();
    for node in nodes {
        let value = colocation::attribute_value(placement, node, attribute, target);
        let found = scores.iter().filter(|(other, _)| match (other, &value) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, None) => true,
            _ => false,
        });
        let best = found.map(|(_, points)| *points).max().unwrap_or(-INFINITY);
        if factor < 0.0 && best < 0 && !pushes(placement, source, target, idx, best) {
            continue;
        }
        let Some(allowed) = table.get_mut(node) else { continue };
        if allowed.score == MARKED {
            continue;
        }
        let new = score::add(weigh(factor, best), allowed.score);
        if nonnegative && new < 0 && allowed.score > 0 {
            allowed.score = MARKED;
        } else if !(nonnegative && new < 0 && allowed.score == 0) {
            allowed.score = new;
        }
    }
}

/// A part of a score, rounded half away from zero, but never to zero.
fn weigh(factor: f32, points: i32) -> i32 {
    let exact = factor * points as f32;
    let rounded = if exact < 0.0 { exact - 0.5 } else { exact + 0.5 } as i32;
    if rounded == 0 && points != 0 {
        if factor > 0.0 {
            1
        } else if factor < 0.0 {
            -1
        } else {
            0
        }
    } else {
        rounded
    }
}

/// Whether a dependent that must stay away may push the primary from its only node.
fn pushes(placement: &Placement<'_>, source: RscIdx, target: RscIdx, idx: Option<ColIdx>, best: i32) -> bool {
    let table = placement.scores.of(source);
    let allowed = table.nodes().filter(|node| table.score(*node) >= 0).count();
    allowed == 1
        && idx.is_some_and(|idx| has_influence(placement, idx, None))
        && placement.rsc[target].stickiness < -best
}

/// Scores of a resource on its available nodes, by the value that must agree.
fn best_scores(
    placement: &Placement<'_>,
    source: RscIdx,
    idx: Option<ColIdx>,
    attribute: Option<&str>,
) -> Vec<(Option<String>, i32)> {
    let group = placement.rsc[source].parent.filter(|parent| placement.rsc[*parent].is_group());
    let later_member = group.filter(|group| placement.rsc[*group].children.first() != Some(&source));
    let explicit =
        idx.is_some_and(|idx| placement.colocation(idx).explicit && placement.colocation(idx).dependent == source);
    // A later member did not get its group's location scores; someone asks for it in person, so they count.
    let with_group = later_member
        .filter(|_| explicit)
        .map(|group| placement.with_locations(source, placement.rules().locations_of(group)));
    let table = with_group.as_ref().unwrap_or_else(|| placement.scores.of(source));
    table
        .nodes()
        .filter(|node| placement.node_available(*node))
        .map(|node| (colocation::attribute_value(placement, node, attribute, source), table.score(node)))
        .collect()
}

/// Adds the wishes of all colocations of `rsc` in either direction to a table, for comparing instances.
pub(super) fn add_all(placement: &mut Placement<'_>, rsc: RscIdx, table: &mut AllowedTable) {
    for idx in lists::this_with(placement, rsc) {
        let (other, factor) = (placement.colocation(idx).primary, factor(placement.colocation(idx).score));
        add(placement, other, rsc, table, Some(idx), factor, Mode::default());
    }
    for idx in lists::with_this(placement, rsc) {
        if !has_influence(placement, idx, Some(rsc)) {
            continue;
        }
        let (other, factor) = (placement.colocation(idx).dependent, factor(placement.colocation(idx).score));
        add(placement, other, rsc, table, Some(idx), factor, Mode { nonnegative: true, ..Mode::default() });
    }
}
