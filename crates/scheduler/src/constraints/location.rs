//! Location constraints.

use std::cell::Cell;

use crate::allowed::Discovery;
use crate::conditions::{self, Given};
use crate::constraints::Unpacking;
use crate::ids::{NodeIdx, RscIdx};
use crate::rules::Location;
use hac_model::Role;
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
pub(super) fn read(unpacking: &mut Unpacking<'_, '_>, location: &hac_model::Location) {
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
            for member in members(unpacking, &location.id, id).unwrap_or_default() {
                if let Some(rsc) = resource(unpacking, &location.id, &member) {
                    add(unpacking, &template, rsc, &[]);
                }
            }
        }
        LocationSubject::Sets(sets) => {
            for set in sets {
                let Some(set) = expanded(unpacking, set) else { continue };
                let template = Template { role: set.role.as_deref(), score: set.score.as_deref(), ..template };
                for rsc in set_resources(unpacking, &location.id, &set) {
                    add(unpacking, &template, rsc, &[]);
                }
            }
        }
        LocationSubject::Pattern(pattern, inverted) => match regex_lite::Regex::new(pattern) {
            Ok(regex) => by_pattern(unpacking, &template, &regex, *inverted),
            Err(_) => unpacking.warn(format!("constraint {} is ignored: bad pattern {pattern}", location.id)),
        },
    }
}

fn by_pattern(unpacking: &mut Unpacking<'_, '_>, template: &Template<'_>, regex: &regex_lite::Regex, inverted: bool) {
    for rsc in unpacking.top.clone() {
        let id = unpacking.rsc[rsc].id.clone();
        let captures = regex.captures(&id);
        if captures.is_some() == inverted {
            continue;
        }
        let captures: Vec<String> = captures
            .map(|found| found.iter().map(|part| part.map_or("", |part| part.as_str()).to_owned()).collect())
            .unwrap_or_default();
        add(unpacking, template, rsc, &captures);
    }
}

fn add(unpacking: &mut Unpacking<'_, '_>, template: &Template<'_>, rsc: RscIdx, captures: &[String]) {
    match template.target {
        LocationTarget::Node { node, score } => {
            let score = score.as_deref().or(template.score).map_or(0, |text| unpacking.options.score(text));
            let Some(node) = unpacking.find_node(node) else { return };
            let role = location_role(template.role);
            note_discovery(unpacking, template, rsc);
            push(unpacking, (template.id, None), rsc, role, template.discovery, vec![(node, score)]);
        }
        LocationTarget::Rules(rules) => {
            for rule in rules {
                add_rule(unpacking, template, rsc, rule, captures);
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

fn add_rule(unpacking: &mut Unpacking<'_, '_>, template: &Template<'_>, rsc: RscIdx, rule: &Rule, captures: &[String]) {
    let rule = unpacking.index.rule(rule, 0);
    let role = location_role(rule.role.as_deref().or(template.role));
    let score_attribute = rule.score_attribute.as_deref().map(|name| conditions::fill_in(name, captures));
    let fixed = rule.score.as_deref().or(template.score).map_or(0, |text| unpacking.options.score(text));
    let next = Cell::new(None);
    let mut nodes = Vec::new();
    note_discovery(unpacking, template, rsc);
    for node in &unpacking.node_order {
        let params = unpacking.params(rsc, Some(*node));
        let attributes = &unpacking.nodes[*node].attributes;
        let facts = Given {
            now: unpacking.now,
            attributes: Some(attributes),
            params: Some(&params),
            meta: Some(&unpacking.rsc[rsc].meta),
            captures,
            next_change: Some(&next),
            ..Given::default()
        };
        if !conditions::holds(&rule, &facts) {
            continue;
        }
        let score = match &score_attribute {
            Some(name) => attributes.get(name).map(|text| unpacking.options.score(text)),
            None => Some(fixed),
        };
        if let Some(score) = score {
            nodes.push((*node, score));
        }
    }
    if let Some(at) = next.get() {
        unpacking.recheck(at);
    }
    if !nodes.is_empty() {
        push(unpacking, (template.id, Some(&rule.id)), rsc, role, template.discovery, nodes);
    }
}

/// Exclusive discovery holds for the resource even where the constraint itself comes to nothing: no node fits it, or it
/// is about another role.
fn note_discovery(unpacking: &mut Unpacking<'_, '_>, template: &Template<'_>, rsc: RscIdx) {
    if template.discovery == Discovery::Exclusive {
        unpacking.rules.make_exclusive(rsc);
    }
}

fn push(
    unpacking: &mut Unpacking<'_, '_>,
    (id, rule): (&str, Option<&String>),
    rsc: RscIdx,
    role: Role,
    discovery: Discovery,
    nodes: Vec<(NodeIdx, i32)>,
) {
    // One about a role of a bundle is about what runs inside, too.
    let inner = unpacking.bundle_data(rsc).and_then(|data| data.child).filter(|_| role >= Role::Unpromoted);
    unpacking
        .rules
        .add_location(Location { id: id.to_owned(), rule: rule.cloned(), rsc, role, discovery, nodes }, inner);
}
