//! Constraints.

use hac_model::{Colocation, Constraint, Location, LocationSubject, LocationTarget, Order, ResourceSet, Rule, Ticket};

use super::nvset::rules;
use crate::cib_xml::Problem;
use crate::cib_xml::document::{Element, Fault, quotable};

/// Reads `constraints`.
pub(super) fn constraints(section: &Element<'_>) -> Result<Vec<Constraint>, Fault> {
    let mut constraints = Vec::new();
    for element in &section.children {
        constraints.push(match element.name {
            "rsc_location" => Constraint::Location(location(element)?),
            "rsc_colocation" => Constraint::Colocation(colocation(element)?),
            "rsc_order" => Constraint::Order(order(element)?),
            "rsc_ticket" => Constraint::Ticket(ticket(element)?),
            _ => continue,
        });
    }
    Ok(constraints)
}

fn location(element: &Element<'_>) -> Result<Location, Fault> {
    let sets = resource_sets(element)?;
    let subject = if !sets.is_empty() {
        LocationSubject::Sets(sets)
    } else if let Some(pattern) = element.get("rsc-pattern") {
        match pattern.strip_prefix('!') {
            Some(rest) => LocationSubject::Pattern(rest.to_owned(), true),
            None => LocationSubject::Pattern(pattern.to_owned(), false),
        }
    } else if let Some(resource) = element.opt("rsc") {
        LocationSubject::Resource(resource)
    } else {
        return Err(element.fault(Problem::Lacks { element: quotable(element.name), attribute: "rsc" }));
    };
    let target = match element.opt("node") {
        Some(node) => LocationTarget::Node { node, score: element.opt("score") },
        None => LocationTarget::Rules(rules(element)?),
    };
    Ok(Location {
        id: element.required("id")?,
        subject,
        role: element.opt("role"),
        resource_discovery: element.opt("resource-discovery"),
        target,
        lifetime: lifetime(element)?,
    })
}

fn colocation(element: &Element<'_>) -> Result<Colocation, Fault> {
    Ok(Colocation {
        id: element.required("id")?,
        score: element.opt("score"),
        rsc: element.or_empty("rsc"),
        rsc_role: element.opt("rsc-role"),
        rsc_instance: element.opt("rsc-instance"),
        with_rsc: element.or_empty("with-rsc"),
        with_rsc_role: element.opt("with-rsc-role"),
        with_rsc_instance: element.opt("with-rsc-instance"),
        node_attribute: element.opt("node-attribute"),
        influence: element.opt("influence"),
        sets: resource_sets(element)?,
        lifetime: lifetime(element)?,
    })
}

fn order(element: &Element<'_>) -> Result<Order, Fault> {
    Ok(Order {
        id: element.required("id")?,
        kind: element.opt("kind"),
        score: element.opt("score"),
        first: element.or_empty("first"),
        first_action: element.opt("first-action"),
        first_instance: element.opt("first-instance"),
        then: element.or_empty("then"),
        then_action: element.opt("then-action"),
        then_instance: element.opt("then-instance"),
        symmetrical: element.opt("symmetrical"),
        require_all: element.opt("require-all"),
        sets: resource_sets(element)?,
    })
}

fn ticket(element: &Element<'_>) -> Result<Ticket, Fault> {
    Ok(Ticket {
        id: element.required("id")?,
        ticket: element.or_empty("ticket"),
        loss_policy: element.opt("loss-policy"),
        rsc: element.or_empty("rsc"),
        rsc_role: element.opt("rsc-role"),
        sets: resource_sets(element)?,
    })
}

fn lifetime(element: &Element<'_>) -> Result<Vec<Rule>, Fault> {
    element.child("lifetime").map_or_else(|| Ok(Vec::new()), rules)
}

fn resource_sets(element: &Element<'_>) -> Result<Vec<ResourceSet>, Fault> {
    element.all("resource_set").map(resource_set).collect()
}

fn resource_set(element: &Element<'_>) -> Result<ResourceSet, Fault> {
    Ok(ResourceSet {
        id: element.or_empty("id"),
        id_ref: element.opt("id-ref"),
        members: element.all("resource_ref").map(|child| child.required("id")).collect::<Result<_, _>>()?,
        sequential: element.opt("sequential"),
        require_all: element.opt("require-all"),
        ordering: element.opt("ordering"),
        action: element.opt("action"),
        role: element.opt("role"),
        score: element.opt("score"),
        kind: element.opt("kind"),
    })
}
