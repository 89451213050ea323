//! Stage: constraints, in document order.
//!
//! Reads constraints, tags and templates; writes lists of locations, colocations and orderings. Tickets act at once: they
//! write tables of allowed nodes and flags.

mod collect;
mod colocation;
mod location;
mod order;
mod ticket;

use hac_model::{Constraint, ResourceSet, Rule};

use super::cluster::{Cluster, RscIdx};
use super::rules::{self, Given};

pub(super) use colocation::{Sort, add_colocation, insert};

/// Reads all constraints.
pub(super) fn read(cluster: &mut Cluster<'_>) {
    for constraint in &cluster.cib.configuration.constraints {
        match constraint {
            Constraint::Location(location) if in_force(cluster, &location.lifetime) => {
                location::read(cluster, location);
            }
            Constraint::Colocation(colocation) if in_force(cluster, &colocation.lifetime) => {
                colocation::read(cluster, colocation);
            }
            Constraint::Location(_) | Constraint::Colocation(_) => {}
            Constraint::Order(order) => order::read(cluster, order),
            Constraint::Ticket(ticket) => ticket::read(cluster, ticket),
        }
    }
}

/// Whether a constraint with these lifetime rules counts now.
fn in_force(cluster: &mut Cluster<'_>, lifetime: &[Rule]) -> bool {
    if lifetime.is_empty() {
        return true;
    }
    let next = std::cell::Cell::new(None);
    let facts = Given { now: cluster.now, next_change: Some(&next), ..Given::default() };
    let holds = lifetime.iter().any(|rule| rules::holds(&cluster.index.rule(rule, 0), &facts));
    if let Some(at) = next.get() {
        cluster.recheck(at);
    }
    holds
}

/// The resource that a constraint names; for the name of what a clone copies, the clone.
fn resource(cluster: &mut Cluster<'_>, constraint: &str, id: &str) -> Option<RscIdx> {
    if let Some(rsc) = cluster.find(id) {
        return Some(rsc);
    }
    if let Some(rsc) = cluster.renamed.get(id).copied() {
        return Some(cluster.top(rsc, false));
    }
    cluster.warn(format!("constraint {constraint} is ignored: there is no resource {id}"));
    None
}

/// What a name in a constraint stands for: itself, or the members of a tag, or the users of a template. `None` if it is
/// the id of nothing.
fn members(cluster: &mut Cluster<'_>, constraint: &str, name: &str) -> Option<Vec<String>> {
    if cluster.find_or_renamed(name).is_some() {
        return Some(vec![name.to_owned()]);
    }
    if let Some(members) = cluster.sets.get(name) {
        return Some(members.clone());
    }
    cluster.warn(format!("constraint {constraint} is ignored: there is no resource or tag {name}"));
    None
}

/// A set with tags and templates in it replaced by their members.
fn expanded(cluster: &Cluster<'_>, set: &ResourceSet) -> Option<ResourceSet> {
    let mut copy = cluster.index.resource_set(set)?.clone();
    let members = std::mem::take(&mut copy.members);
    for member in members {
        match cluster.sets.get(&member) {
            Some(others) if cluster.find_or_renamed(&member).is_none() => copy.members.extend(others.iter().cloned()),
            _ => copy.members.push(member),
        }
    }
    Some(copy)
}

/// Members of a set as resources; those that do not exist are left out with a warning.
fn set_resources(cluster: &mut Cluster<'_>, constraint: &str, set: &ResourceSet) -> Vec<RscIdx> {
    set.members.iter().filter_map(|member| resource(cluster, constraint, member)).collect()
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
