//! Stage: constraints, in document order.
//!
//! Reads constraints, tags, templates and what is known; makes [`Rules`], and asks the graph for the milestones that they
//! name.

mod builtin;
mod collect;
mod colocation;
pub(super) mod health;
mod location;
mod order;
mod ticket;

use std::ops::Deref;

use crate::ids::RscIdx;
use crate::known::Known;
use crate::requests::Requests;
use crate::rules::Rules;
use crate::scores::Scores;
use hac_model::{Constraint, ResourceSet, Rule};

use crate::conditions::{self, Given};

/// Rules in the making.
pub(crate) struct Unpacking<'u, 'a> {
    known: &'u Known<'a>,
    scores: &'u Scores,
    requests: &'u mut Requests,
    rules: Rules,
}

impl<'a> Deref for Unpacking<'_, 'a> {
    type Target = Known<'a>;

    fn deref(&self) -> &Known<'a> {
        self.known
    }
}

/// Reads all constraints of the configuration, and those that the health of nodes makes.
pub(super) fn unpack(known: &Known<'_>, scores: &Scores, requests: &mut Requests) -> Rules {
    let mut unpacking = Unpacking { known, scores, requests, rules: Rules::default() };
    health::constrain(&mut unpacking);
    for constraint in &known.cib.configuration.constraints {
        read(&mut unpacking, constraint);
    }
    unpacking.rules
}

/// The rules that follow from what resources are. Some are about nodes on which a resource may run.
pub(super) fn imply(known: &Known<'_>, scores: &Scores, requests: &mut Requests) -> Rules {
    let mut unpacking = Unpacking { known, scores, requests, rules: Rules::default() };
    builtin::run(&mut unpacking);
    unpacking.rules
}

fn read(unpacking: &mut Unpacking<'_, '_>, constraint: &Constraint) {
    match constraint {
        Constraint::Location(location) if in_force(unpacking, &location.lifetime) => {
            location::read(unpacking, location);
        }
        Constraint::Colocation(colocation) if in_force(unpacking, &colocation.lifetime) => {
            colocation::read(unpacking, colocation);
        }
        Constraint::Location(_) | Constraint::Colocation(_) => {}
        Constraint::Order(order) => order::read(unpacking, order),
        Constraint::Ticket(ticket) => ticket::read(unpacking, ticket),
    }
}

/// Whether a constraint with these lifetime rules counts now.
fn in_force(unpacking: &mut Unpacking<'_, '_>, lifetime: &[Rule]) -> bool {
    if lifetime.is_empty() {
        return true;
    }
    let next = std::cell::Cell::new(None);
    let facts = Given { now: unpacking.now, next_change: Some(&next), ..Given::default() };
    let holds = lifetime.iter().any(|rule| conditions::holds(&unpacking.index.rule(rule, 0), &facts));
    if let Some(at) = next.get() {
        unpacking.recheck(at);
    }
    holds
}

/// The resource that a constraint names; for the name of what a clone copies, the clone.
fn resource(unpacking: &mut Unpacking<'_, '_>, constraint: &str, id: &str) -> Option<RscIdx> {
    if let Some(rsc) = unpacking.find(id) {
        return Some(rsc);
    }
    if let Some(rsc) = unpacking.renamed.get(id).copied() {
        return Some(unpacking.top(rsc, false));
    }
    unpacking.warn(format!("constraint {constraint} is ignored: there is no resource {id}"));
    None
}

/// What a name in a constraint stands for: itself, or the members of a tag, or the users of a template. `None` if it is
/// the id of nothing.
fn members(unpacking: &mut Unpacking<'_, '_>, constraint: &str, name: &str) -> Option<Vec<String>> {
    if unpacking.find_or_renamed(name).is_some() {
        return Some(vec![name.to_owned()]);
    }
    if let Some(members) = unpacking.sets.get(name) {
        return Some(members.clone());
    }
    unpacking.warn(format!("constraint {constraint} is ignored: there is no resource or tag {name}"));
    None
}

/// A set with tags and templates in it replaced by their members.
fn expanded(unpacking: &Unpacking<'_, '_>, set: &ResourceSet) -> Option<ResourceSet> {
    let mut copy = unpacking.index.resource_set(set)?.clone();
    let members = std::mem::take(&mut copy.members);
    for member in members {
        match unpacking.sets.get(&member) {
            Some(others) if unpacking.find_or_renamed(&member).is_none() => copy.members.extend(others.iter().cloned()),
            _ => copy.members.push(member),
        }
    }
    Some(copy)
}

/// Members of a set as resources; those that do not exist are left out with a warning.
fn set_resources(unpacking: &mut Unpacking<'_, '_>, constraint: &str, set: &ResourceSet) -> Vec<RscIdx> {
    set.members.iter().filter_map(|member| resource(unpacking, constraint, member)).collect()
}

/// A set that stands for a tag or template on one side of a simple constraint.
fn implied_set(id: &str, members: Vec<String>, role: Option<&String>, action: Option<&String>) -> ResourceSet {
    ResourceSet {
        id: id.to_owned(),
        members,
        role: role.cloned(),
        action: action.cloned(),
        sequential: Some("false".into()),
        ..ResourceSet::default()
    }
}
