//! Names that mean nothing yet, and constraints that lead nowhere. What names nothing at all is a
//! [contradiction](super::super::contradictions).

use std::collections::{BTreeMap, BTreeSet};

use super::super::tree;
use super::Findings;
use hac_model::{Configuration, Constraint, FencingTarget, LocationTarget, Order, parse_score};

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    let nodes: BTreeSet<&str> = configuration.nodes.iter().map(|node| node.uname.as_str()).collect();
    for constraint in &configuration.constraints {
        match constraint {
            Constraint::Location(c) => {
                if let LocationTarget::Node { node, .. } = &c.target {
                    expect_node(&nodes, &c.id, node, findings);
                }
            }
            Constraint::Colocation(c) if c.sets.is_empty() => two_sides(&c.id, &c.rsc, &c.with_rsc, findings),
            Constraint::Order(c) if c.sets.is_empty() => two_sides(&c.id, &c.first, &c.then, findings),
            Constraint::Colocation(_) | Constraint::Order(_) | Constraint::Ticket(_) => {}
        }
    }
    bound_to_the_whole(configuration, findings);
    loops(&configuration.constraints, findings);
    company_in_a_circle(&configuration.constraints, findings);
    for level in &configuration.fencing_topology {
        if let FencingTarget::Node(node) = &level.target {
            expect_node(&nodes, &level.id, node, findings);
        }
    }
}

fn expect_node(nodes: &BTreeSet<&str>, subject: &str, name: &str, findings: &mut Findings) {
    if name.is_empty() {
        findings.error(subject, "it names no node", "write the node after the colon; 'hacctl node show' lists them");
    } else if !nodes.contains(name) {
        let near = hac_model::nearest(name, nodes.iter().copied());
        let near = near.map_or_else(|| "check the spelling;".to_owned(), |near| format!("did you mean {near}?"));
        findings.warning(
            subject,
            format!("Node \"{name}\" is not a cluster node"),
            format!("{near} 'hacctl node show' lists the nodes"),
        );
    }
}

fn two_sides(id: &str, one: &str, other: &str, findings: &mut Findings) {
    if one == other {
        findings.error(id, format!("{one} stands on both sides"), "name two different resources");
    }
}

/// Warns of what is to come before or behind what it is a part of, or to be apart from it: nobody can carry that out.
fn bound_to_the_whole(configuration: &Configuration, findings: &mut Findings) {
    let tree = tree::walk(&configuration.resources);
    let parents: BTreeMap<&str, &str> = tree.iter().filter_map(|item| Some((item.id, item.parent?))).collect();
    let parent = |id: &str| parents.get(id).copied();
    let is_in = |part: &str, whole: &str| std::iter::successors(parent(part), |id| parent(id)).any(|id| id == whole);
    let (mut orders, mut apart) = (Vec::new(), Vec::new());
    for constraint in &configuration.constraints {
        match constraint {
            Constraint::Order(it) if is_mandatory_start(it) => orders.push((&it.id, &it.first, &it.then)),
            Constraint::Colocation(it) if it.score.as_deref().and_then(parse_score) == Some(-hac_model::INFINITY) => {
                apart.push((&it.id, &it.rsc, &it.with_rsc));
            }
            _ => {}
        }
    }
    let whole = |one: &str, other: &str| is_in(one, other) || is_in(other, one);
    for (id, first, then) in orders.into_iter().filter(|(_, first, then)| whole(first, then)) {
        let sentence =
            format!("{first} before {then}: one is in the other and would wait for itself, nothing in it starts");
        findings.warning(id, sentence, "remove the order; a group says who comes first");
    }
    for (id, rsc, with) in apart.into_iter().filter(|(_, rsc, with)| whole(rsc, with)) {
        let sentence = format!("{rsc} apart from {with}: one is in the other, it will run nowhere");
        findings.warning(id, sentence, "remove the colocation");
    }
}

/// Warns of mandatory orders that go round in a circle: what is in it never starts.
fn loops(constraints: &[Constraint], findings: &mut Findings) {
    let mut after: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let orders = constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Order(order) if is_mandatory_start(order) => Some(order),
        _ => None,
    });
    for order in orders {
        if leads_to(&after, &order.then, &order.first) {
            findings.warning(
                &order.id,
                format!("{} before {} closes a circle of orders, nothing in it will start", order.first, order.then),
                format!("remove one of the orders: 'hacctl configure delete {}'", order.id),
            );
            continue;
        }
        after.entry(&order.first).or_default().push((&order.then, &order.id));
    }
}

/// Warns of colocations with INFINITY that go round in a circle: which of them is placed first is then no one's decision.
fn company_in_a_circle(constraints: &[Constraint], findings: &mut Findings) {
    let mut with: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for constraint in constraints {
        let Constraint::Colocation(colocation) = constraint else { continue };
        let score = colocation.score.as_deref().and_then(parse_score);
        if colocation.rsc.is_empty() || score != Some(hac_model::INFINITY) || colocation.rsc == colocation.with_rsc {
            continue;
        }
        if leads_to(&with, &colocation.with_rsc, &colocation.rsc) {
            let sentence = format!(
                "{} with {} closes a circle of colocations, none of them is placed first",
                colocation.rsc, colocation.with_rsc
            );
            let remedy = format!("remove one of the colocations: 'hacctl configure delete {}'", colocation.id);
            findings.warning(&colocation.id, sentence, remedy);
            continue;
        }
        with.entry(&colocation.rsc).or_default().push((&colocation.with_rsc, &colocation.id));
    }
}

/// Whether an order makes one start wait for another.
fn is_mandatory_start(order: &Order) -> bool {
    let starts = |action: &Option<String>| action.as_deref().is_none_or(|action| action == "start");
    let optional = matches!(order.kind.as_deref(), Some("Optional" | "Serialize"));
    let zero = order.kind.is_none() && order.score.as_deref().and_then(parse_score) == Some(0);
    !order.first.is_empty() && !optional && !zero && starts(&order.first_action) && starts(&order.then_action)
}

/// Whether `from` is followed by `to`, at whatever distance.
fn leads_to(after: &BTreeMap<&str, Vec<(&str, &str)>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(after.get(at).into_iter().flatten().map(|(then, _)| *then));
        }
    }
    false
}
