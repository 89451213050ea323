//! Constraints.

use hac_model::{Colocation, Constraint, Location, LocationSubject, LocationTarget, Order, ResourceSet, Rule, Ticket};

use super::nvset::rule;
use super::xml::{Attributes, Writer};

/// Writes a constraint.
pub(super) fn constraint(w: &mut Writer, constraint: &Constraint) {
    match constraint {
        Constraint::Location(c) => location(w, c),
        Constraint::Colocation(c) => colocation(w, c),
        Constraint::Order(c) => order(w, c),
        Constraint::Ticket(c) => ticket(w, c),
    }
}

fn location(w: &mut Writer, location: &Location) {
    let mut attributes = Attributes::default().with("id", &location.id);
    let mut members: &[ResourceSet] = &[];
    match &location.subject {
        LocationSubject::Resource(id) => attributes = attributes.with("rsc", id),
        LocationSubject::Pattern(pattern, negated) => {
            attributes = attributes.with("rsc-pattern", format!("{}{pattern}", if *negated { "!" } else { "" }));
        }
        LocationSubject::Sets(sets) => members = sets,
    }
    attributes = attributes.opt("role", location.role.as_ref());
    let mut rules: &[Rule] = &[];
    match &location.target {
        LocationTarget::Node { node, score } => {
            attributes = attributes.opt("score", score.as_ref()).with("node", node);
        }
        LocationTarget::Rules(found) => rules = found,
    }
    attributes = attributes.opt("resource-discovery", location.resource_discovery.as_ref());
    w.element("rsc_location", &attributes, |w| {
        resource_sets(w, members);
        rules.iter().for_each(|r| rule(w, r));
        lifetime(w, &location.lifetime);
    });
}

fn colocation(w: &mut Writer, colocation: &Colocation) {
    let attributes = Attributes::default()
        .with("id", &colocation.id)
        .opt("score", colocation.score.as_ref())
        .nonempty("rsc", &colocation.rsc)
        .opt("rsc-role", colocation.rsc_role.as_ref())
        .opt("rsc-instance", colocation.rsc_instance.as_ref())
        .nonempty("with-rsc", &colocation.with_rsc)
        .opt("with-rsc-role", colocation.with_rsc_role.as_ref())
        .opt("with-rsc-instance", colocation.with_rsc_instance.as_ref())
        .opt("node-attribute", colocation.node_attribute.as_ref())
        .opt("influence", colocation.influence.as_ref());
    w.element("rsc_colocation", &attributes, |w| {
        resource_sets(w, &colocation.sets);
        lifetime(w, &colocation.lifetime);
    });
}

fn order(w: &mut Writer, order: &Order) {
    let attributes = Attributes::default()
        .with("id", &order.id)
        .opt("kind", order.kind.as_ref())
        .opt("score", order.score.as_ref())
        .nonempty("first", &order.first)
        .opt("first-action", order.first_action.as_ref())
        .opt("first-instance", order.first_instance.as_ref())
        .nonempty("then", &order.then)
        .opt("then-action", order.then_action.as_ref())
        .opt("then-instance", order.then_instance.as_ref())
        .opt("symmetrical", order.symmetrical.as_ref())
        .opt("require-all", order.require_all.as_ref());
    w.element("rsc_order", &attributes, |w| resource_sets(w, &order.sets));
}

fn ticket(w: &mut Writer, ticket: &Ticket) {
    let attributes = Attributes::default()
        .with("id", &ticket.id)
        .nonempty("rsc", &ticket.rsc)
        .opt("rsc-role", ticket.rsc_role.as_ref())
        .with("ticket", &ticket.ticket)
        .opt("loss-policy", ticket.loss_policy.as_ref());
    w.element("rsc_ticket", &attributes, |w| resource_sets(w, &ticket.sets));
}

fn lifetime(w: &mut Writer, rules: &[Rule]) {
    if !rules.is_empty() {
        w.element("lifetime", &Attributes::default(), |w| rules.iter().for_each(|r| rule(w, r)));
    }
}

fn resource_sets(w: &mut Writer, sets: &[ResourceSet]) {
    for set in sets {
        let attributes = Attributes::default()
            .nonempty("id", &set.id)
            .opt("id-ref", set.id_ref.as_ref())
            .opt("sequential", set.sequential.as_ref())
            .opt("require-all", set.require_all.as_ref())
            .opt("ordering", set.ordering.as_ref())
            .opt("action", set.action.as_ref())
            .opt("role", set.role.as_ref())
            .opt("score", set.score.as_ref())
            .opt("kind", set.kind.as_ref());
        w.element("resource_set", &attributes, |w| {
            for member in &set.members {
                w.empty("resource_ref", &Attributes::default().with("id", member));
            }
        });
    }
}
