//! Constraints.

use hac_model::{
    Colocation, Constraint, Location, LocationSubject, LocationTarget, Order, ResourceSet, Rule, Ticket, parse_score,
};

use super::attributes::{Referred, Unspeakable, assignment, rule, score, word};
use super::paragraph;
use crate::crm_syntax::xml_form;

/// Writes a constraint, as XML if the language has no words for it.
pub(super) fn constraint(constraint: &Constraint, referred: &Referred) -> String {
    let lines = match constraint {
        Constraint::Location(c) => location(c, referred),
        Constraint::Colocation(c) => colocation(c).map(|line| vec![line]),
        Constraint::Order(c) => order(c).map(|line| vec![line]),
        Constraint::Ticket(c) => ticket(c).map(|line| vec![line]),
    };
    match lines {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::constraint(constraint),
    }
}

/// The resources that a constraint is about.
pub(super) fn mentions(constraint: &Constraint) -> Vec<String> {
    let in_sets = |sets: &[ResourceSet]| sets.iter().flat_map(|set| set.members.clone()).collect::<Vec<_>>();
    let (mut found, plain) = match constraint {
        Constraint::Location(c) => match &c.subject {
            LocationSubject::Resource(id) => (Vec::new(), vec![id]),
            LocationSubject::Pattern(..) => (Vec::new(), Vec::new()),
            LocationSubject::Sets(sets) => (in_sets(sets), Vec::new()),
        },
        Constraint::Colocation(c) => (in_sets(&c.sets), vec![&c.rsc, &c.with_rsc]),
        Constraint::Order(c) => (in_sets(&c.sets), vec![&c.first, &c.then]),
        Constraint::Ticket(c) => (in_sets(&c.sets), vec![&c.rsc]),
    };
    found.extend(plain.into_iter().cloned());
    found
}

fn location(location: &Location, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if !location.lifetime.is_empty() {
        return Err(Unspeakable);
    }
    let subject = match &location.subject {
        LocationSubject::Resource(id) => word(id)?.to_owned(),
        LocationSubject::Pattern(pattern, negated) => {
            let speakable =
                !pattern.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
            if !speakable {
                return Err(Unspeakable);
            }
            format!("/{}{pattern}/", if *negated { "!" } else { "" })
        }
        LocationSubject::Sets(sets) => format!("{{ {} }}", self::sets(sets)?),
    };
    let mut first = format!("location {} {subject}", word(&location.id)?);
    for (name, text) in [("role", &location.role), ("resource-discovery", &location.resource_discovery)] {
        if let Some(text) = text {
            first.push_str(&format!(" {}", assignment(name, text)?));
        }
    }
    match &location.target {
        LocationTarget::Node { node, score } => {
            let score = self::score(score.as_deref().unwrap_or("0"))?;
            Ok(vec![format!("{first} {score} {}", word(node)?)])
        }
        LocationTarget::Rules(rules) if rules.is_empty() => Err(Unspeakable),
        LocationTarget::Rules(rules) => {
            let mut lines = vec![first];
            for r in rules {
                let scored = r.score.is_some() || r.score_attribute.is_some() || r.id_ref.is_some();
                // Without a score it counts 0; in these words it would count INFINITY.
                let zero = Rule { score: Some("0".to_owned()), ..r.clone() };
                lines.push(rule(if scored { r } else { &zero }, referred)?);
            }
            Ok(lines)
        }
    }
}

fn colocation(c: &Colocation) -> Result<String, Unspeakable> {
    if !c.lifetime.is_empty() || c.rsc_instance.is_some() || c.with_rsc_instance.is_some() {
        return Err(Unspeakable);
    }
    let score = score(c.score.as_deref().unwrap_or("0"))?;
    let resources = if c.sets.is_empty() {
        format!("{} {}", item(&c.rsc, c.rsc_role.as_ref())?, item(&c.with_rsc, c.with_rsc_role.as_ref())?)
    } else {
        several(&c.sets)?
    };
    let options = options(&[("node-attribute", &c.node_attribute), ("influence", &c.influence)])?;
    Ok(format!("colocation {} {score} {resources}{options}", word(&c.id)?))
}

fn order(o: &Order) -> Result<String, Unspeakable> {
    if o.first_instance.is_some() || o.then_instance.is_some() {
        return Err(Unspeakable);
    }
    let kind = match (&o.kind, &o.score) {
        (Some(kind), _) => format!("{}: ", word(kind)?),
        // The old way of saying the kind.
        (None, Some(score)) if parse_score(score) == Some(0) => "Optional: ".to_owned(),
        (None, Some(_)) => "Mandatory: ".to_owned(),
        (None, None) => String::new(),
    };
    let resources = if o.sets.is_empty() {
        format!("{} {}", item(&o.first, o.first_action.as_ref())?, item(&o.then, o.then_action.as_ref())?)
    } else {
        several(&o.sets)?
    };
    let options = options(&[("symmetrical", &o.symmetrical), ("require-all", &o.require_all)])?;
    Ok(format!("order {} {kind}{resources}{options}", word(&o.id)?))
}

fn ticket(t: &Ticket) -> Result<String, Unspeakable> {
    let resources = if t.sets.is_empty() { item(&t.rsc, t.rsc_role.as_ref())? } else { sets(&t.sets)? };
    let options = options(&[("loss-policy", &t.loss_policy)])?;
    Ok(format!("rsc_ticket {} {}: {resources}{options}", word(&t.id)?, word(&t.ticket)?))
}

fn options(options: &[(&str, &Option<String>)]) -> Result<String, Unspeakable> {
    let mut text = String::new();
    for (name, value) in options {
        if let Some(value) = value {
            text.push_str(&format!(" {}", assignment(name, value)?));
        }
    }
    Ok(text)
}

fn item(resource: &str, suffix: Option<&String>) -> Result<String, Unspeakable> {
    let resource = word(resource)?;
    if resource.contains(':') {
        return Err(Unspeakable);
    }
    match suffix {
        Some(suffix) => Ok(format!("{resource}:{}", word(suffix)?)),
        None => Ok(resource.to_owned()),
    }
}

/// Sets that read back as sets: two plain resources in all would be a pair.
fn several(sets: &[ResourceSet]) -> Result<String, Unspeakable> {
    let plain: usize = sets.iter().filter(|set| is_plain(set)).map(|set| set.members.len()).sum();
    if plain <= 2 && sets.iter().all(is_plain) {
        return sets.iter().map(|set| bracketed(set, true)).collect::<Result<Vec<_>, _>>().map(|parts| parts.join(" "));
    }
    self::sets(sets)
}

/// Sets one after the other. A plain one after another of the same role or action would flow into it, so it is put in
/// brackets.
fn sets(sets: &[ResourceSet]) -> Result<String, Unspeakable> {
    let mut parts = Vec::new();
    let mut before: Option<&ResourceSet> = None;
    for set in sets {
        let flows = before.is_some_and(|b| is_plain(b) && b.role == set.role && b.action == set.action);
        parts.push(bracketed(set, flows || !is_plain(set))?);
        before = Some(set);
    }
    Ok(parts.join(" "))
}

fn is_plain(set: &ResourceSet) -> bool {
    set.sequential.is_none() && set.require_all.is_none() && set.score.is_none() && set.kind.is_none()
}

fn bracketed(set: &ResourceSet, in_brackets: bool) -> Result<String, Unspeakable> {
    if set.id_ref.is_some() || set.members.is_empty() || set.ordering.is_some() {
        return Err(Unspeakable);
    }
    let suffix = set.role.as_ref().or(set.action.as_ref());
    if set.role.is_some() && set.action.is_some() {
        return Err(Unspeakable);
    }
    let members = set.members.iter().map(|member| item(member, suffix)).collect::<Result<Vec<_>, _>>()?.join(" ");
    if !in_brackets {
        return Ok(members);
    }
    let any = set.require_all.as_deref() == Some("false") && set.sequential.as_deref() == Some("false");
    let (open, close) = if any { ('[', ']') } else { ('(', ')') };
    let mut options = String::new();
    match set.sequential.as_deref() {
        Some("false") => {}
        other => options.push_str(&format!(" {}", assignment("sequential", other.unwrap_or("true"))?)),
    }
    if !any && let Some(require_all) = &set.require_all {
        options.push_str(&format!(" {}", assignment("require-all", require_all)?));
    }
    for (name, value) in [("score", &set.score), ("kind", &set.kind)] {
        if let Some(value) = value {
            options.push_str(&format!(" {}", assignment(name, value)?));
        }
    }
    Ok(format!("{open} {members}{options} {close}"))
}
