//! Colocation constraints.

use crate::action::{Ordering, RelationFlags, Side, Task};
use crate::constraints::Unpacking;
use crate::ids::RscIdx;
use crate::rules::Colocation;
use hac_model::Role;
use hac_model::{INFINITY, ResourceSet, parse_bool};

use super::{expanded, implied_set, members, resource, set_resources};

/// Reads one colocation constraint.
pub(super) fn read(unpacking: &mut Unpacking<'_, '_>, colocation: &hac_model::Colocation) {
    let score = colocation.score.as_deref().map_or(0, |text| unpacking.options.score(text));
    if !colocation.sets.is_empty() {
        let sets: Vec<ResourceSet> = colocation.sets.iter().filter_map(|set| expanded(unpacking, set)).collect();
        read_sets(unpacking, colocation, &sets, score);
        return;
    }
    let id = &colocation.id;
    let (Some(dependents), Some(primaries)) =
        (members(unpacking, id, &colocation.rsc), members(unpacking, id, &colocation.with_rsc))
    else {
        return;
    };
    let is_set = |names: &[String], name: &str| names.len() != 1 || names.first().is_some_and(|only| only != name);
    let (left, right) = (is_set(&dependents, &colocation.rsc), is_set(&primaries, &colocation.with_rsc));
    if left && right {
        unpacking.warn(format!("constraint {id} is ignored: tags or templates on both sides"));
        return;
    }
    if left || right {
        let dependents = implied_set(&colocation.rsc, dependents, colocation.rsc_role.as_ref(), None);
        let primaries = implied_set(&colocation.with_rsc, primaries, colocation.with_rsc_role.as_ref(), None);
        between_sets(unpacking, colocation, &dependents, &primaries, score);
        return;
    }
    let (Some(dependent), Some(primary)) =
        (resource(unpacking, id, &colocation.rsc), resource(unpacking, id, &colocation.with_rsc))
    else {
        return;
    };
    let roles = (role(colocation.rsc_role.as_deref()), role(colocation.with_rsc_role.as_deref()));
    pair(unpacking, colocation, dependent, primary, roles, score);
}

/// A role that a colocation is bound to; started binds nothing.
fn role(text: Option<&str>) -> Role {
    match text.and_then(Role::parse) {
        None | Some(Role::Started) => Role::Unknown,
        Some(role) => role,
    }
}

fn pair(
    unpacking: &mut Unpacking<'_, '_>,
    colocation: &hac_model::Colocation,
    dependent: RscIdx,
    primary: RscIdx,
    roles: (Role, Role),
    score: i32,
) {
    let influence = colocation.influence.as_deref().and_then(parse_bool);
    let attribute = colocation.node_attribute.clone().filter(|name| name != "#uname");
    add_colocation(
        unpacking,
        Colocation {
            id: colocation.id.clone(),
            dependent,
            primary,
            dependent_role: roles.0,
            primary_role: roles.1,
            score,
            attribute,
            influence: influence.unwrap_or(unpacking.rsc[dependent].is.critical),
            explicit: true,
        },
    );
}

fn read_sets(unpacking: &mut Unpacking<'_, '_>, colocation: &hac_model::Colocation, sets: &[ResourceSet], score: i32) {
    for (at, set) in sets.iter().enumerate() {
        inside_set(unpacking, colocation, set, score);
        if let Some(previous) = at.checked_sub(1).and_then(|at| sets.get(at)) {
            between_sets(unpacking, colocation, previous, set, score);
        }
    }
}

/// Members of a set with each other.
fn inside_set(unpacking: &mut Unpacking<'_, '_>, colocation: &hac_model::Colocation, set: &ResourceSet, score: i32) {
    let score = set.score.as_deref().map_or(score, |text| unpacking.options.score(text));
    let sequential = set.sequential.as_deref().and_then(parse_bool).unwrap_or(true);
    if score == 0 || !sequential {
        return;
    }
    let role = role(set.role.as_deref());
    let resources = set_resources(unpacking, &colocation.id, set);
    let with_previous = set.ordering.as_deref().is_none_or(|ordering| ordering == "group");
    for (at, rsc) in resources.iter().enumerate() {
        let before = &resources[..at];
        if score > 0 {
            if let Some(other) = before.last() {
                let (dependent, primary) = if with_previous { (*rsc, *other) } else { (*other, *rsc) };
                pair(unpacking, colocation, dependent, primary, (role, role), score);
            }
        } else {
            for other in before {
                pair(unpacking, colocation, *rsc, *other, (role, role), score);
            }
        }
    }
}

/// Members of the first set with members of the second.
fn between_sets(
    unpacking: &mut Unpacking<'_, '_>,
    colocation: &hac_model::Colocation,
    first: &ResourceSet,
    second: &ResourceSet,
    score: i32,
) {
    if score == 0 {
        return;
    }
    let sequential = |set: &ResourceSet| set.sequential.as_deref().and_then(parse_bool).unwrap_or(true);
    let roles = (role(first.role.as_deref()), role(second.role.as_deref()));
    let mut dependents = set_resources(unpacking, &colocation.id, first);
    let mut primaries = set_resources(unpacking, &colocation.id, second);
    if sequential(first) {
        dependents.truncate(1);
    }
    if sequential(second) {
        primaries = primaries.split_off(primaries.len().saturating_sub(1));
    }
    for dependent in &dependents {
        for primary in &primaries {
            pair(unpacking, colocation, *dependent, *primary, roles, score);
        }
    }
}

/// Adds a colocation to both sides' sorted lists. One of score -INFINITY also keeps them from meeting in passing.
pub(super) fn add_colocation(unpacking: &mut Unpacking<'_, '_>, colocation: Colocation) {
    if colocation.score == 0 || colocation.dependent == colocation.primary {
        return;
    }
    let (dependent, primary) = (colocation.dependent, colocation.primary);
    let (dependent_role, primary_role, score) = (colocation.dependent_role, colocation.primary_role, colocation.score);
    unpacking.rules.add_colocation(unpacking.known, colocation);
    if score <= -INFINITY {
        keep_apart(unpacking, (dependent, dependent_role), (primary, primary_role));
        keep_apart(unpacking, (primary, primary_role), (dependent, dependent_role));
    }
}

/// What takes the first out of its role goes before what brings the second into its own, if on one node.
fn keep_apart(unpacking: &mut Unpacking<'_, '_>, first: (RscIdx, Role), then: (RscIdx, Role)) {
    let leave: &[Task] = match first.1 {
        Role::Promoted => &[Task::Demote],
        Role::Unpromoted => &[Task::Stop, Task::Promote],
        _ => &[Task::Stop],
    };
    let enter: &[Task] = match then.1 {
        Role::Promoted => &[Task::Promote],
        Role::Unpromoted => &[Task::Start, Task::Demote],
        _ => &[Task::Start],
    };
    for leave in leave {
        for enter in enter {
            unpacking.add_ordering(Ordering {
                first: Side::of(first.0, *leave),
                then: Side::of(then.0, *enter),
                flags: RelationFlags::IF_REQUIRED_ON_SAME_NODE,
            });
        }
    }
}
