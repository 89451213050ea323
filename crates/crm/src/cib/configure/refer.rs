//! What refers to resources: constraints, tags and fencing levels.

use std::collections::BTreeSet;

use super::super::{Refusal, RefusalKind, ids, tree};
use super::{Draft, Step, unknown};
use hac_model::{Configuration, Constraint, LocationSubject, Resource, ResourceSet, Template};

/// The ids in a constraint that name resources (or tags).
pub(super) fn names_mut(constraint: &mut Constraint) -> Vec<&mut String> {
    let (mut names, sets): (Vec<&mut String>, Option<&mut Vec<ResourceSet>>) = match constraint {
        Constraint::Location(location) => match &mut location.subject {
            LocationSubject::Resource(id) => (vec![id], None),
            LocationSubject::Pattern(..) => (vec![], None),
            LocationSubject::Sets(sets) => (vec![], Some(sets)),
        },
        Constraint::Colocation(c) => (vec![&mut c.rsc, &mut c.with_rsc], Some(&mut c.sets)),
        Constraint::Order(c) => (vec![&mut c.first, &mut c.then], Some(&mut c.sets)),
        Constraint::Ticket(c) => (vec![&mut c.rsc], Some(&mut c.sets)),
    };
    names.extend(sets.into_iter().flatten().flat_map(|set| &mut set.members));
    names
}

fn sets_mut(constraint: &mut Constraint) -> Option<&mut Vec<ResourceSet>> {
    match constraint {
        Constraint::Location(c) => match &mut c.subject {
            LocationSubject::Sets(sets) => Some(sets),
            LocationSubject::Resource(_) | LocationSubject::Pattern(..) => None,
        },
        Constraint::Colocation(c) => Some(&mut c.sets),
        Constraint::Order(c) => Some(&mut c.sets),
        Constraint::Ticket(c) => Some(&mut c.sets),
    }
}

/// Lets every constraint that names `from` name `to`. Gives the ids of those changed.
pub(super) fn redirect(constraints: &mut [Constraint], from: &str, to: &str) -> Vec<String> {
    let mut changed = Vec::new();
    for constraint in constraints {
        let mut hit = false;
        for name in names_mut(constraint) {
            if name == from {
                to.clone_into(name);
                hit = true;
            }
        }
        if hit {
            changed.push(constraint.id().to_owned());
        }
    }
    changed
}

/// A new group takes the constraints of its members along, as crm does. What related members to each other is said by the
/// group itself, and goes.
pub(super) fn grouped(draft: &mut Draft, members: &[String], group: &str) {
    let constraints = &mut draft.cib.configuration.constraints;
    let mut changed: Vec<(String, String)> = Vec::new();
    for member in members {
        let ids = redirect(constraints, member, group);
        changed.extend(ids.into_iter().map(|id| (id, member.clone())));
    }
    let mut gone = Vec::new();
    constraints.retain_mut(|constraint| {
        let is_changed = changed.iter().any(|(id, _)| id == constraint.id());
        let keep = !is_changed || still_relates(constraint, group);
        if !keep {
            gone.push(constraint.id().to_owned());
        }
        keep
    });
    for (id, member) in changed.iter().filter(|(id, _)| !gone.contains(id)) {
        draft.warn(format!("constraint {id} now applies to {group} instead of {member}"));
    }
    for id in gone {
        draft.warn(format!("constraint {id} is removed: all of its resources are in {group} now, in that order"));
    }
}

/// Names a group once where its members stood; whether the constraint still says something.
fn still_relates(constraint: &mut Constraint, group: &str) -> bool {
    let once = |sets: &mut Vec<ResourceSet>| {
        let mut seen = false;
        for set in sets.iter_mut() {
            set.members.retain(|member| member != group || !std::mem::replace(&mut seen, true));
        }
        sets.retain(|set| !set.members.is_empty());
        sets.iter().map(|set| set.members.len()).sum::<usize>()
    };
    match constraint {
        Constraint::Colocation(it) if it.sets.is_empty() => it.rsc != it.with_rsc,
        Constraint::Order(it) if it.sets.is_empty() => it.first != it.then,
        Constraint::Colocation(it) => {
            let left = once(&mut it.sets);
            if let [one, other] = it.sets.as_slice()
                && left == 2
            {
                (it.rsc, it.rsc_role) = (one.members.concat(), one.role.clone());
                (it.with_rsc, it.with_rsc_role) = (other.members.concat(), other.role.clone());
                it.sets.clear();
            }
            left > 1
        }
        Constraint::Order(it) => {
            let left = once(&mut it.sets);
            if let [one, other] = it.sets.as_slice()
                && left == 2
            {
                (it.first, it.first_action) = (one.members.concat(), one.action.clone());
                (it.then, it.then_action) = (other.members.concat(), other.action.clone());
                it.sets.clear();
            }
            left > 1
        }
        Constraint::Location(it) => {
            if let LocationSubject::Sets(sets) = &mut it.subject {
                once(sets);
            }
            true
        }
        Constraint::Ticket(it) => {
            once(&mut it.sets);
            true
        }
    }
}

/// Takes every mention of the resource `id` away: out of sets; constraints of which nothing is left go.
pub(super) fn forget(draft: &mut Draft, id: &str) {
    let configuration = &mut *draft.cib.configuration;
    let mut removed = Vec::new();
    configuration.constraints.retain_mut(|constraint| {
        let keep = without(constraint, id);
        if !keep {
            removed.push(constraint.id().to_owned());
        }
        keep
    });
    for tag in &mut configuration.tags {
        tag.members.retain(|member| member != id && !removed.contains(member));
    }
    configuration.tags.retain(|tag| !tag.members.is_empty());
    for level in &mut configuration.fencing_topology {
        level.devices.retain(|device| device != id);
    }
    configuration.fencing_topology.retain(|level| !level.devices.is_empty());
    for constraint in removed {
        draft.warn(format!("constraint {constraint} was deleted with {id}"));
    }
}

/// Takes `id` out of the constraint; whether anything is left that makes sense.
fn without(constraint: &mut Constraint, id: &str) -> bool {
    let mut in_sets = false;
    if let Some(sets) = sets_mut(constraint).filter(|sets| !sets.is_empty()) {
        for set in sets.iter_mut() {
            let before = set.members.len();
            set.members.retain(|member| member != id);
            in_sets |= set.members.len() != before;
        }
        sets.retain(|set| !set.members.is_empty() || set.id_ref.is_some());
        let one = matches!(sets.as_slice(), [set] if set.id_ref.is_none() && set.members.len() < 2);
        let empty = sets.is_empty();
        let needs_two = matches!(constraint, Constraint::Colocation(_) | Constraint::Order(_));
        if in_sets && (empty || (one && needs_two)) {
            return false;
        }
    }
    names_mut(constraint).into_iter().all(|name| name != id)
}

/// [`Change::Rename`](super::Change::Rename).
pub(super) fn rename(draft: &mut Draft, from: &str, to: &str) -> Step {
    if !ids::is_id(to) {
        return Err(not_an_id(to));
    }
    if exists(draft, to) {
        return Err(Refusal::new(format!("Cannot rename {from} to {to}: {to} exists"), "choose another name")
            .of(RefusalKind::Exists));
    }
    let configuration = &mut *draft.cib.configuration;
    if let Some(constraint) = configuration.constraints.iter_mut().find(|c| c.id() == from) {
        let id = match constraint {
            Constraint::Location(c) => &mut c.id,
            Constraint::Colocation(c) => &mut c.id,
            Constraint::Order(c) => &mut c.id,
            Constraint::Ticket(c) => &mut c.id,
        };
        to.clone_into(id);
    } else if let Some(tag) = configuration.tags.iter_mut().find(|tag| tag.id == from) {
        to.clone_into(&mut tag.id);
        redirect(&mut configuration.constraints, from, to);
    } else if let Some(alert) = configuration.alerts.iter_mut().find(|alert| alert.id == from) {
        to.clone_into(&mut alert.id);
    } else if let Some(notice) = configuration.notices.iter_mut().find(|notice| notice.id == from) {
        to.clone_into(&mut notice.id);
    } else if tree::find(configuration, from).is_some() {
        return rename_resource(draft, from, to);
    } else {
        return Err(unknown(from));
    }
    rename_members(draft, from, to);
    Ok(())
}

fn rename_resource(draft: &mut Draft, from: &str, to: &str) -> Step {
    let running = super::delete::running_on(&draft.cib, from);
    if !running.is_empty() {
        return Err(Refusal::new(
            format!("resource {from} is running on {}, can't rename it", running.join(" ")),
            format!("stop it first: 'hacctl resource stop {from}'"),
        )
        .of(RefusalKind::Unsafe));
    }
    for resource in &mut draft.cib.configuration.resources {
        rename_in(resource, from, to);
    }
    redirect(&mut draft.cib.configuration.constraints, from, to);
    rename_members(draft, from, to);
    Ok(())
}

fn rename_in(resource: &mut Resource, from: &str, to: &str) {
    let set = |id: &mut String| {
        if id == from {
            to.clone_into(id);
        }
    };
    let set_primitive = |primitive: &mut hac_model::Primitive| {
        set(&mut primitive.id);
        primitive.template.iter_mut().for_each(set);
    };
    match resource {
        Resource::Primitive(r) | Resource::Template(Template(r)) => set_primitive(r),
        Resource::Group(r) => {
            set(&mut r.id);
            r.members.iter_mut().for_each(set_primitive);
        }
        Resource::Clone(r) => {
            set(&mut r.id);
            rename_in(&mut r.child, from, to);
        }
        Resource::Bundle(r) => {
            set(&mut r.id);
            r.primitive.iter_mut().for_each(set_primitive);
        }
    }
}

fn rename_members(draft: &mut Draft, from: &str, to: &str) {
    let configuration = &mut *draft.cib.configuration;
    let members = configuration.tags.iter_mut().flat_map(|tag| &mut tag.members);
    let devices = configuration.fencing_topology.iter_mut().flat_map(|level| &mut level.devices);
    for name in members.chain(devices).filter(|name| *name == from) {
        to.clone_into(name);
    }
}

/// Whether any object has this id.
pub(super) fn exists(draft: &Draft, id: &str) -> bool {
    let configuration = &draft.cib.configuration;
    tree::find(configuration, id).is_some()
        || configuration.constraints.iter().any(|c| c.id() == id)
        || configuration.tags.iter().any(|tag| tag.id == id)
        || configuration.fencing_topology.iter().any(|level| level.id == id)
        || configuration.alerts.iter().any(|alert| alert.id == id)
        || configuration.notices.iter().any(|notice| notice.id == id)
}

/// The ids of all objects: of those for which there is something by [`exists`].
pub(super) fn ids(configuration: &Configuration) -> BTreeSet<String> {
    let resources = tree::walk(&configuration.resources).into_iter().map(|item| item.id);
    let constraints = configuration.constraints.iter().map(Constraint::id);
    let tags = configuration.tags.iter().map(|tag| tag.id.as_str());
    let levels = configuration.fencing_topology.iter().map(|level| level.id.as_str());
    let alerts = configuration.alerts.iter().map(|alert| alert.id.as_str());
    let notices = configuration.notices.iter().map(|notice| notice.id.as_str());
    resources.chain(constraints).chain(tags).chain(levels).chain(alerts).chain(notices).map(str::to_owned).collect()
}

/// Not a name for an object.
pub(super) fn not_an_id(id: &str) -> Refusal {
    Refusal::new(
        format!("\"{id}\" is not a name for an object"),
        "begin with a letter or underscore, go on with letters, digits, '-', '_' and '.'",
    )
}
