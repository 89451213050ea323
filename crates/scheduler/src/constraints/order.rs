//! Ordering constraints.

use crate::action::{Ordering, RelationFlags, Side, Task};
use crate::constraints::Unpacking;
use crate::ids::{ReqIdx, RscIdx};
use hac_model::{ResourceSet, parse_bool};

use super::{expanded, implied_set, members, resource, set_resources};

/// How binding an ordering is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Optional,
    Serialize,
    Mandatory,
}

/// Which half of an ordering is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symmetry {
    /// There is only one.
    Asymmetric,
    /// The one that was written.
    Forward,
    /// Its reverse.
    Inverse,
}

/// Reads one ordering constraint.
pub(super) fn read(unpacking: &mut Unpacking<'_, '_>, order: &hac_model::Order) {
    let kind = kind(order.kind.as_deref(), order.score.as_deref());
    let symmetry = symmetry(kind, order.symmetrical.as_deref());
    if !order.sets.is_empty() {
        let sets: Vec<ResourceSet> = order.sets.iter().filter_map(|set| expanded(unpacking, set)).collect();
        read_sets(unpacking, order, &sets, kind, symmetry);
        return;
    }
    let id = &order.id;
    let (Some(firsts), Some(thens)) = (members(unpacking, id, &order.first), members(unpacking, id, &order.then))
    else {
        return;
    };
    let is_set = |names: &[String], name: &str| names.len() != 1 || names.first().is_some_and(|only| only != name);
    let (left, right) = (is_set(&firsts, &order.first), is_set(&thens, &order.then));
    if left || right {
        let then_action = order.then_action.as_ref().or(order.first_action.as_ref());
        let firsts = implied_set(&order.first, firsts, None, order.first_action.as_ref());
        let thens = implied_set(&order.then, thens, None, then_action);
        between_both_ways(unpacking, id, (&firsts, &thens), kind, symmetry);
        return;
    }
    simple(unpacking, order, kind, symmetry);
}

fn kind(kind: Option<&str>, score: Option<&str>) -> Kind {
    match kind {
        Some(kind) if kind.eq_ignore_ascii_case("Optional") => Kind::Optional,
        Some(kind) if kind.eq_ignore_ascii_case("Serialize") => Kind::Serialize,
        None if score.is_some_and(|score| crate::options::lenient_score(score) == 0) => Kind::Optional,
        _ => Kind::Mandatory,
    }
}

fn symmetry(kind: Kind, symmetrical: Option<&str>) -> Symmetry {
    match symmetrical.and_then(parse_bool) {
        _ if kind == Kind::Serialize => Symmetry::Asymmetric,
        Some(false) => Symmetry::Asymmetric,
        _ => Symmetry::Forward,
    }
}

/// What an ordering means for the actions of both sides.
fn flags(kind: Kind, first: Task, symmetry: Symmetry) -> RelationFlags {
    match (kind, symmetry) {
        (Kind::Optional, _) => RelationFlags::ORDERED,
        (Kind::Serialize, _) => RelationFlags::SERIALIZE,
        (Kind::Mandatory, Symmetry::Asymmetric) => RelationFlags::ORDERED | RelationFlags::ASYMMETRIC,
        (Kind::Mandatory, Symmetry::Forward) => {
            let flags = RelationFlags::ORDERED | RelationFlags::FIRST_IMPLIES_THEN;
            if matches!(first, Task::Start | Task::Promote) {
                flags | RelationFlags::UNRUNNABLE_FIRST_BLOCKS
            } else {
                flags
            }
        }
        (Kind::Mandatory, Symmetry::Inverse) => RelationFlags::ORDERED | RelationFlags::THEN_IMPLIES_FIRST,
    }
}

/// An action that a constraint names; start if it names none.
fn task(unpacking: &mut Unpacking<'_, '_>, constraint: &str, name: Option<&str>) -> Option<Task> {
    let task = name.map_or(Some(Task::Start), Task::parse);
    if task.is_none() {
        let name = name.unwrap_or_default();
        unpacking.warn(format!("constraint {constraint} is ignored: there is no action {name}"));
    }
    task
}

fn simple(unpacking: &mut Unpacking<'_, '_>, order: &hac_model::Order, kind: Kind, symmetry: Symmetry) {
    let id = &order.id;
    let then_action = order.then_action.as_deref().or(order.first_action.as_deref());
    let (Some(first_task), Some(then_task)) =
        (task(unpacking, id, order.first_action.as_deref()), task(unpacking, id, then_action))
    else {
        return;
    };
    let (Some(first), Some(then)) = (resource(unpacking, id, &order.first), resource(unpacking, id, &order.then))
    else {
        return;
    };
    let forward = flags(kind, first_task, symmetry);
    match instances_needed(unpacking, first, order.require_all.as_deref()) {
        Some(needed) => {
            let met = unpacking.requests.milestone(format!("clone-one-or-more:{id}"), needed);
            for instance in unpacking.rsc[first].children.clone() {
                before_milestone(unpacking, Side::of(instance, first_task), met);
            }
            unpacking.add_ordering(Ordering {
                first: Side::action(met, Task::Milestone, None),
                then: Side::of(then, then_task),
                flags: forward | RelationFlags::UNRUNNABLE_FIRST_BLOCKS,
            });
        }
        None => unpacking.add_ordering(Ordering {
            first: Side::of(first, first_task),
            then: Side::of(then, then_task),
            flags: forward,
        }),
    }
    if symmetry == Symmetry::Forward
        && let (Some(undo_first), Some(undo_then)) = (first_task.inverse(), then_task.inverse())
    {
        unpacking.add_ordering(Ordering {
            first: Side::of(then, undo_then),
            then: Side::of(first, undo_first),
            flags: flags(kind, undo_then, Symmetry::Inverse),
        });
    }
}

/// How many instances of a clone must be able to start before what comes then, if not all.
fn instances_needed(unpacking: &Unpacking<'_, '_>, first: RscIdx, require_all: Option<&str>) -> Option<usize> {
    if !unpacking.rsc[first].is_clone() {
        return None;
    }
    let minimum = unpacking.rsc[first].meta.get("clone-min").map(|text| crate::options::lenient_score(text));
    match minimum.and_then(|minimum| usize::try_from(minimum).ok()) {
        Some(minimum) if minimum > 0 => Some(minimum),
        _ if require_all.and_then(parse_bool) == Some(false) => Some(1),
        _ => None,
    }
}

/// One of several actions that a milestone counts.
fn before_milestone(unpacking: &mut Unpacking<'_, '_>, first: Side<ReqIdx>, milestone: ReqIdx) {
    unpacking.add_ordering(Ordering {
        first,
        then: Side::action(milestone, Task::Milestone, None),
        flags: RelationFlags::MIN_RUNNABLE | RelationFlags::FIRST_IMPLIES_THEN_GRAPHED,
    });
}

fn read_sets(
    unpacking: &mut Unpacking<'_, '_>,
    order: &hac_model::Order,
    sets: &[ResourceSet],
    kind: Kind,
    symmetry: Symmetry,
) {
    for (at, set) in sets.iter().enumerate() {
        inside_set(unpacking, order, set, kind);
        if let Some(previous) = at.checked_sub(1).and_then(|at| sets.get(at)) {
            between_both_ways(unpacking, &order.id, (previous, set), kind, symmetry);
        }
    }
}

/// Members of a set, each before the next.
fn inside_set(unpacking: &mut Unpacking<'_, '_>, order: &hac_model::Order, set: &ResourceSet, parent: Kind) {
    let kind = set.kind.as_deref().map_or(parent, |text| kind(Some(text), None));
    let symmetry = symmetry(kind, order.symmetrical.as_deref());
    let sequential = set.sequential.as_deref().and_then(parse_bool).unwrap_or(true);
    let Some(action) = task(unpacking, &order.id, set.action.as_deref()) else { return };
    let resources = set_resources(unpacking, &order.id, set);
    let forward = flags(kind, action, symmetry);
    for (at, rsc) in resources.iter().enumerate() {
        let before = &resources[..at];
        let firsts: &[RscIdx] = match kind {
            Kind::Serialize => before,
            _ if sequential => &before[at.saturating_sub(1)..],
            _ => &[],
        };
        for first in firsts {
            unpacking.add_ordering(Ordering {
                first: Side::of(*first, action),
                then: Side::of(*rsc, action),
                flags: forward,
            });
        }
    }
    let Some(undo) = action.inverse().filter(|_| symmetry == Symmetry::Forward && sequential) else { return };
    let backward = flags(kind, undo, Symmetry::Inverse);
    for pair in resources.windows(2) {
        if let [first, then] = pair {
            unpacking.add_ordering(Ordering {
                first: Side::of(*then, undo),
                then: Side::of(*first, undo),
                flags: backward,
            });
        }
    }
}

fn between_both_ways(
    unpacking: &mut Unpacking<'_, '_>,
    id: &str,
    sets: (&ResourceSet, &ResourceSet),
    kind: Kind,
    symmetry: Symmetry,
) {
    between_sets(unpacking, id, sets, kind, symmetry);
    if symmetry == Symmetry::Forward {
        between_sets(unpacking, id, (sets.1, sets.0), kind, Symmetry::Inverse);
    }
}

/// Members of the first set before members of the second.
fn between_sets(
    unpacking: &mut Unpacking<'_, '_>,
    id: &str,
    (first, second): (&ResourceSet, &ResourceSet),
    kind: Kind,
    symmetry: Symmetry,
) {
    let inverse = symmetry == Symmetry::Inverse;
    let undo = |task: Task| if inverse { task.inverse().unwrap_or(task) } else { task };
    let (Some(first_task), Some(then_task)) =
        (task(unpacking, id, first.action.as_deref()), task(unpacking, id, second.action.as_deref()))
    else {
        return;
    };
    let (first_task, then_task) = (undo(first_task), undo(then_task));
    let flags = flags(kind, first_task, symmetry);
    let mut firsts = set_resources(unpacking, id, first);
    let mut thens = set_resources(unpacking, id, second);
    let any = first.require_all.as_deref().and_then(parse_bool) == Some(false);
    if any && !matches!(first_task, Task::Stop | Task::Demote) {
        let met = unpacking.requests.milestone(format!("one-or-more:{}", first.id), 1);
        for rsc in firsts {
            before_milestone(unpacking, Side::of(rsc, first_task), met);
        }
        for rsc in thens {
            unpacking.add_ordering(Ordering {
                first: Side::action(met, Task::Milestone, None),
                then: Side::of(rsc, then_task),
                flags: flags | RelationFlags::UNRUNNABLE_FIRST_BLOCKS,
            });
        }
        return;
    }
    // Between sets, a set counts as sequential only if it says so.
    let sequential = |set: &ResourceSet| set.sequential.as_deref().and_then(parse_bool).unwrap_or(false);
    if sequential(first) {
        firsts = if inverse {
            firsts.into_iter().take(1).collect()
        } else {
            firsts.into_iter().last().into_iter().collect()
        };
    }
    if sequential(second) {
        thens =
            if inverse { thens.into_iter().last().into_iter().collect() } else { thens.into_iter().take(1).collect() };
    }
    for first in &firsts {
        for then in &thens {
            unpacking.add_ordering(Ordering {
                first: Side::of(*first, first_task),
                then: Side::of(*then, then_task),
                flags,
            });
        }
    }
}
