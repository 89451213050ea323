//! Location constraints.

use std::cell::Cell;

use crate::Role;
use crate::allowed::Discovery;
use crate::conditions::{self, Given};
use crate::constraints::Unpacking;
use crate::ids::{NodeIdx, RscIdx};
use crate::rules::Location;
use hac_model::{LocationSubject, LocationTarget, Rule};

use super::{expanded, members, resource, set_resources};

/// What a location constraint says, apart from whom it is about.
struct Template<'l> {
    id: &'l str,
    role: Option<&'l str>,
    discovery: Discovery,
    target: &'l LocationTarget,
    score: Option<&'l str>,
}

/// Reads one location constraint.
pub(super) fn read(cluster: &mut Unpacking<'_, '_>, location: &hac_model::Location) {
    let template = Template {
        id: &location.id,
        role: location.role.as_deref(),
        discovery: match location.resource_discovery.as_deref() {
            Some("never") => Discovery::Never,
            Some("exclusive") => Discovery::Exclusive,
            _ => Discovery::Always,
        },
        target: &location.target,
        score: None,
    };
    match &location.subject {
        LocationSubject::Resource(id) => {
            for member in members(cluster, &location.id, id).unwrap_or_default() {
                if let Some(rsc) = resource(cluster, &location.id, &member) {
                    add(cluster, &template, rsc, &[]);
                }
            }
        }
        LocationSubject::Sets(sets) => {
            for set in sets {
                let Some(set) = expanded(cluster, set) else { continue };
                let template = Template { role: set.role.as_deref(), score: set.score.as_deref(), ..template };
                for rsc in set_resources(cluster, &location.id, &set) {
                    add(cluster, &template, rsc, &[]);
                }
            }
        }
        LocationSubject::Pattern(pattern, inverted) => match regex_lite::Regex::new(pattern) {
            Ok(regex) => by_pattern(cluster, &template, &regex, *inverted),
            Err(_) => cluster.warn(format!("constraint {} is ignored: bad pattern {pattern}", location.id)),
        },
    }
}

fn by_pattern(cluster: &mut Unpacking<'_, '_>, template: &Template<'_>, regex: &regex_lite::Regex, inverted: bool) {
    for rsc in cluster.top.clone() {
        let id = cluster.rsc[rsc].id.clone();
        let captures = regex.captures(&id);
        if captures.is_some() == inverted {
            continue;
        }
        let captures: Vec<String> = captures
            .map(|found| found.iter().map(|part| part.map_or("", |part| part.as_str()).to_owned()).collect())
            .unwrap_or_default();
        add(cluster, template, rsc, &captures);
    }
}

fn add(cluster: &mut Unpacking<'_, '_>, template: &Template<'_>, rsc: RscIdx, captures: &[String]) {
    match template.target {
        LocationTarget::Node { node, score } => {
            let score = score.as_deref().or(template.score).map_or(0, |text| cluster.options.score(text));
            let Some(node) = cluster.find_node(node) else { return };
            let role = location_role(template.role);
            note_discovery(cluster, template, rsc);
            push(cluster, template.id, rsc, role, template.discovery, vec![(node, score)]);
        }
        LocationTarget::Rules(rules) => {
            for rule in rules {
                add_rule(cluster, template, rsc, rule, captures);
            }
        }
    }
}

/// The role that a location is bound to: only the promoted one makes a difference.
fn location_role(text: Option<&str>) -> Role {
    match text.and_then(Role::parse) {
        Some(role @ (Role::Promoted | Role::Stopped)) => role,
        _ => Role::Unknown,
    }
}

fn add_rule(cluster: &mut Unpacking<'_, '_>, template: &Template<'_>, rsc: RscIdx, rule: &Rule, captures: &[String]) {
    let rule = cluster.index.rule(rule, 0);
    let role = location_role(rule.role.as_deref().or(template.role));
    let score_attribute = rule.score_attribute.as_deref().map(|name| conditions::fill_in(name, captures));
    let fixed = rule.score.as_deref().or(template.score).map_or(0, |text| cluster.options.score(text));
    let next = Cell::new(None);
    let mut nodes = Vec::new();
    note_discovery(cluster, template, rsc);
    for node in &cluster.node_order {
        let params = cluster.params(rsc, Some(*node));
        let attributes = &cluster.nodes[*node].attributes;
        let facts = Given {
            now: cluster.now,
            attributes: Some(attributes),
            params: Some(&params),
            meta: Some(&cluster.rsc[rsc].meta),
            captures,
            next_change: Some(&next),
            ..Given::default()
        };
        if !conditions::holds(&rule, &facts) {
            continue;
        }
        let score = match &score_attribute {
            Some(name) => attributes.get(name).map(|text| cluster.options.score(text)),
            None => Some(fixed),
        };
        if let Some(score) = score {
            nodes.push((*node, score));
        }
    }
    if let Some(at) = next.get() {
        cluster.recheck(at);
    }
    if !nodes.is_empty() {
        push(cluster, template.id, rsc, role, template.discovery, nodes);
    }
}

/// Exclusive discovery holds for the resource even where the constraint itself comes to nothing: no node fits it, or it
/// is about another role.
fn note_discovery(cluster: &mut Unpacking<'_, '_>, template: &Template<'_>, rsc: RscIdx) {
    if template.discovery == Discovery::Exclusive {
        cluster.rules.make_exclusive(rsc);
    }
}

fn push(
    cluster: &mut Unpacking<'_, '_>,
    id: &str,
    rsc: RscIdx,
    role: Role,
    discovery: Discovery,
    nodes: Vec<(NodeIdx, i32)>,
) {
    // One about a role of a bundle is about what runs inside, too.
    let inner = cluster.bundle_data(rsc).and_then(|data| data.child).filter(|_| role >= Role::Unpromoted);
    cluster.rules.add_location(Location { id: id.to_owned(), rsc, role, discovery, nodes }, inner);
}
