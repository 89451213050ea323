//! Constraints.

use std::collections::BTreeSet;

use hac_model::{
    Colocation, Constraint, Location, LocationSubject, LocationTarget, Order, ResourceSet, Ticket, parse_bool,
    parse_score,
};

use super::attributes::peek_assignment;
use super::rule::rule;
use super::{Score, Words};
use crate::crm_syntax::SyntaxError;
use crate::crm_syntax::token::Token;

const ROLES: [&str; 6] = ["Started", "Stopped", "Promoted", "Unpromoted", "Master", "Slave"];
const ACTIONS: [&str; 4] = ["start", "stop", "promote", "demote"];
/// Options that stand in the brackets of a set.
pub(super) const SET_OPTIONS: [&str; 6] = ["sequential", "require-all", "role", "action", "score", "kind"];
const LOSS_POLICIES: [&str; 4] = ["stop", "demote", "fence", "freeze"];
const DISCOVERIES: [&str; 3] = ["always", "never", "exclusive"];
const KINDS: [&str; 3] = ["Mandatory", "Optional", "Serialize"];

/// What stands after the colon of a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suffix {
    Role,
    Action,
}

/// Reads a colocation after its keyword.
pub(super) fn colocation(words: &mut Words) -> Result<Constraint, SyntaxError> {
    let id = words.id("the id of the colocation")?;
    let score = match words.score() {
        Some(Score::Number(score)) => Some(score),
        // crm's older words.
        Some(Score::Attribute(name)) if name.eq_ignore_ascii_case("mandatory") => Some("INFINITY".to_owned()),
        Some(Score::Attribute(name)) if name.eq_ignore_ascii_case("advisory") => Some("0".to_owned()),
        Some(Score::Attribute(name)) => {
            return Err(words.error(format!("'{name}' is no score"), "Write a number, inf or -inf before the colon."));
        }
        None => return Err(words.error("a colocation needs a score", "Write 'colocation ID inf: RSC WITH'.")),
    };
    let mut colocation = Colocation { id, score, ..Colocation::default() };
    match items(words, Suffix::Role)? {
        Items::Pair(first, second) => {
            (colocation.rsc, colocation.rsc_role) = first;
            (colocation.with_rsc, colocation.with_rsc_role) = second;
        }
        Items::Sets(sets) => colocation.sets = sets,
    }
    while let Some((name, value)) = peek_assignment(words) {
        let option = match name.as_str() {
            "node-attribute" => &mut colocation.node_attribute,
            "influence" => &mut colocation.influence,
            _ => break,
        };
        words.once(option.is_some(), &name)?;
        *option = Some(value);
        words.skip();
    }
    Ok(Constraint::Colocation(colocation))
}

/// Reads an order after its keyword.
pub(super) fn order(words: &mut Words) -> Result<Constraint, SyntaxError> {
    let mut order = Order { id: words.id("the id of the order")?, ..Order::default() };
    if let Some(text) = words.peek().and_then(|word| word.strip_suffix(':')) {
        let known = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(text));
        order.kind = match (known, parse_score(text)) {
            (Some(kind), _) => Some((*kind).to_owned()),
            (None, Some(0)) => Some("Optional".to_owned()),
            (None, Some(_)) => Some("Mandatory".to_owned()),
            (None, None) => {
                return Err(words.error(
                    format!("'{}' is no kind of order", crate::text::printable(text)),
                    "Write Mandatory:, Optional: or Serialize: (or nothing for Mandatory).",
                ));
            }
        };
        words.skip();
    } else if let Some(word) = words.peek()
        && KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(word))
    {
        let message = format!("'{}' has no colon", crate::text::printable(word));
        return Err(words.error(message, format!("Write '{word}:' before the resources.")));
    }
    match items(words, Suffix::Action)? {
        Items::Pair(first, then) => {
            (order.first, order.first_action) = first;
            (order.then, order.then_action) = then;
        }
        Items::Sets(sets) => order.sets = sets,
    }
    while let Some((name, value)) = peek_assignment(words) {
        match name.as_str() {
            // crm writes either of the two.
            "symmetrical" => match parse_bool(&value) {
                Some(symmetrical) => {
                    words.once(order.symmetrical.is_some(), &name)?;
                    order.symmetrical = Some(symmetrical.to_string());
                }
                None => return Err(words.error("symmetrical is true or false", "Write symmetrical=false.")),
            },
            "require-all" => {
                words.once(order.require_all.is_some(), &name)?;
                order.require_all = Some(value);
            }
            _ => break,
        }
        words.skip();
    }
    Ok(Constraint::Order(order))
}

/// Reads a ticket constraint after its keyword.
pub(super) fn ticket(words: &mut Words) -> Result<Constraint, SyntaxError> {
    let id = words.id("the id of the ticket constraint")?;
    let name = words.expect("a ticket and a colon")?;
    let Some(ticket_name) = name.text.strip_suffix(':').filter(|name| !name.is_empty()) else {
        return Err(name.error(format!("{} is no ticket", name.quoted()), "Write 'rsc_ticket ID TICKET: RSC'."));
    };
    let mut ticket = Ticket { id, ticket: ticket_name.to_owned(), ..Ticket::default() };
    let (mut sets, mut plain) = sets_and_rest(words, Suffix::Role)?;
    match (sets.is_empty(), plain.len()) {
        (true, 0) => {
            return Err(words.error("a ticket constraint needs a resource", "Write 'rsc_ticket ID TICKET: RSC'."));
        }
        (true, 1) => (ticket.rsc, ticket.rsc_role) = plain.swap_remove(0),
        _ => {
            sets.append(&mut runs(plain, Suffix::Role));
            ticket.sets = sets;
        }
    }
    if let Some(policy) = one_of(words, "loss-policy", &LOSS_POLICIES)? {
        ticket.loss_policy = Some(policy);
    }
    Ok(Constraint::Ticket(ticket))
}

/// Reads a location after its keyword.
pub(super) fn location(words: &mut Words) -> Result<Constraint, SyntaxError> {
    let id = words.id("the id of the location")?;
    let subject = subject(words)?;
    let (mut role, mut resource_discovery) = (None, None);
    while let Some((name, _)) = peek_assignment(words) {
        match name.as_str() {
            "role" | "$role" => {
                words.once(role.is_some(), "role")?;
                role = one_of(words, &name, &ROLES)?;
            }
            "resource-discovery" => {
                words.once(resource_discovery.is_some(), &name)?;
                resource_discovery = one_of(words, &name, &DISCOVERIES)?;
            }
            _ => break,
        }
    }
    let target = if words.peek() == Some("rule") {
        let mut rules = Vec::new();
        while words.take("rule") {
            rules.push(rule(words)?);
        }
        LocationTarget::Rules(rules)
    } else {
        let written = words.peek().unwrap_or_default().to_owned();
        if parse_score(&written).is_some() {
            return Err(words.error(
                format!("a colon is missing after the score '{}'", crate::text::printable(&written)),
                format!("Write '{}: NODE'.", crate::text::printable(&written)),
            ));
        }
        let Some(Score::Number(score)) = words.score() else {
            if let Some(score) = written.strip_suffix(':').filter(|score| !score.is_empty()) {
                return Err(words.error(
                    format!("'{}' is not a score", crate::text::printable(score)),
                    "Write a whole number, inf or -inf before the colon.",
                ));
            }
            return Err(words.error(
                "a location needs a score and a node, or rules",
                "Write 'location ID RSC inf: NODE' or 'location ID RSC rule -inf: not_defined ATTRIBUTE'.",
            ));
        };
        LocationTarget::Node { node: words.expect("a node")?.text, score: Some(score) }
    };
    Ok(Constraint::Location(Location { id, subject, role, resource_discovery, target, lifetime: Vec::new() }))
}

/// Takes the option `name` if it is next. It has one of these words, in whatever case.
fn one_of(words: &mut Words, name: &str, known: &[&str]) -> Result<Option<String>, SyntaxError> {
    let Some((found, value)) = peek_assignment(words).filter(|(found, _)| found == name) else { return Ok(None) };
    let Some(word) = known.iter().find(|word| word.eq_ignore_ascii_case(&value)) else {
        let message = format!("{found} is not '{}'", crate::text::printable(&value));
        return Err(words.error(message, format!("Write one of {}.", known.join(", "))));
    };
    words.skip();
    // As it was written: crm keeps it so.
    Ok(Some(if *word == value { (*word).to_owned() } else { value }))
}

fn subject(words: &mut Words) -> Result<LocationSubject, SyntaxError> {
    let token = words.expect("a resource")?;
    if token.text == "{" {
        let mut sets = Vec::new();
        let (mut plain, mut options) = (Vec::new(), Vec::new());
        loop {
            match words.expect("} at the end of the resources")? {
                end if end.text == "}" => break,
                open if open.text == "(" || open.text == "[" => {
                    sets.append(&mut runs(std::mem::take(&mut plain), Suffix::Role));
                    sets.append(&mut bracketed(words, &open, Suffix::Role)?);
                }
                option if option.text.contains('=') => options.push(option),
                member => plain.push(split(&member, Suffix::Role)?),
            }
        }
        sets.append(&mut runs(plain, Suffix::Role));
        for option in options {
            match option.text.split_once('=') {
                Some(("sequential", "true")) => {}
                Some(("sequential", value)) => {
                    sets.iter_mut().for_each(|set| set.sequential = Some(value.to_owned()));
                }
                _ => return Err(option.error(format!("{} is no option of a set", option.quoted()), "Remove it.")),
            }
        }
        return Ok(LocationSubject::Sets(sets));
    }
    if let Some(pattern) = token.text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        return Ok(match pattern.strip_prefix('!') {
            Some(rest) => LocationSubject::Pattern(rest.to_owned(), true),
            None => LocationSubject::Pattern(pattern.to_owned(), false),
        });
    }
    if token.text.contains('=') {
        return Err(token.error(
            format!("{} is no resource", token.quoted()),
            "Name a resource, a tag, '/PATTERN/' for all that match, or '{ RSC RSC }'.",
        ));
    }
    Ok(LocationSubject::Resource(token.text))
}

type Item = (String, Option<String>);

/// The resources of a constraint.
enum Items {
    Pair(Item, Item),
    Sets(Vec<ResourceSet>),
}

/// Reads resources and sets until an option follows: sets, and plain resources after the last of them.
fn sets_and_rest(words: &mut Words, suffix: Suffix) -> Result<(Vec<ResourceSet>, Vec<Item>), SyntaxError> {
    let mut sets = Vec::new();
    let mut plain: Vec<Item> = Vec::new();
    while let Some(word) = words.peek()
        && !word.contains('=')
    {
        let token = words.expect("a resource")?;
        if token.text == "(" || token.text == "[" {
            sets.append(&mut runs(std::mem::take(&mut plain), suffix));
            sets.append(&mut bracketed(words, &token, suffix)?);
        } else {
            plain.push(split(&token, suffix)?);
        }
    }
    Ok((sets, plain))
}

/// Reads the resources of a colocation or an order.
fn items(words: &mut Words, suffix: Suffix) -> Result<Items, SyntaxError> {
    let (mut sets, mut plain) = sets_and_rest(words, suffix)?;
    if sets.is_empty() && plain.len() == 2 {
        let (second, first) = (plain.pop(), plain.pop());
        if let (Some(first), Some(second)) = (first, second) {
            return Ok(Items::Pair(first, second));
        }
    }
    if sets.is_empty() && plain.len() < 2 {
        return Err(
            words.error("a constraint is between two resources or more", "Name the resources one after the other.")
        );
    }
    sets.append(&mut runs(plain, suffix));
    Ok(Items::Sets(sets))
}

/// Plain resources as sets: one for each run of the same role or action.
fn runs(plain: Vec<Item>, suffix: Suffix) -> Vec<ResourceSet> {
    let mut sets: Vec<ResourceSet> = Vec::new();
    let mut last: Option<Option<String>> = None;
    for (member, word) in plain {
        match sets.last_mut() {
            Some(set) if last.as_ref() == Some(&word) => set.members.push(member),
            _ => {
                let mut set = ResourceSet { members: vec![member], ..ResourceSet::default() };
                assign(&mut set, word.clone(), suffix);
                sets.push(set);
            }
        }
        last = Some(word);
    }
    sets
}

fn assign(set: &mut ResourceSet, word: Option<String>, suffix: Suffix) {
    match suffix {
        Suffix::Role => set.role = word,
        Suffix::Action => set.action = word,
    }
}

/// Reads `A B )` or `A B ]`, perhaps with options. Where role or action change another set begins, as for crm.
fn bracketed(words: &mut Words, open: &Token, suffix: Suffix) -> Result<Vec<ResourceSet>, SyntaxError> {
    let close = if open.text == "(" { ")" } else { "]" };
    let mut options = ResourceSet { sequential: Some("false".to_owned()), ..ResourceSet::default() };
    if close == "]" {
        options.require_all = Some("false".to_owned());
    }
    let (mut members, mut given) = (Vec::<Item>::new(), BTreeSet::new());
    loop {
        let token = words.expect(&format!("{close} at the end of the set"))?;
        if token.text == close {
            break;
        }
        let Some((name, value)) = token.text.split_once('=') else {
            members.push(split(&token, suffix)?);
            continue;
        };
        if !given.insert(name.to_owned()) {
            return Err(token.twice(name));
        }
        let field = match name {
            "sequential" => &mut options.sequential,
            "require-all" => &mut options.require_all,
            "role" => &mut options.role,
            "action" => &mut options.action,
            "score" => &mut options.score,
            "kind" => &mut options.kind,
            _ => return Err(token.error(format!("{} is no option of a set", token.quoted()), "Remove it.")),
        };
        *field = Some(value.to_owned());
    }
    // That is what a set is anyway, and crm does not write it.
    options.sequential = options.sequential.filter(|sequential| sequential != "true");
    options.require_all = options.require_all.filter(|require_all| require_all != "true");
    if members.is_empty() {
        return Err(open.error("a set needs members", "Name at least one resource between the brackets."));
    }
    let with_options = |run: ResourceSet| ResourceSet {
        members: run.members,
        role: run.role.or_else(|| options.role.clone()),
        action: run.action.or_else(|| options.action.clone()),
        ..options.clone()
    };
    Ok(runs(members, suffix).into_iter().map(with_options).collect())
}

/// Takes a resource and its role or action apart.
fn split(token: &Token, suffix: Suffix) -> Result<Item, SyntaxError> {
    let Some((resource, word)) = token.text.split_once(':') else {
        if matches!(token.text.as_str(), ")" | "]" | "}" | "{") {
            return Err(token.error(format!("{} closes nothing", token.quoted()), "Remove it."));
        }
        return Ok((token.text.clone(), None));
    };
    let (known, what): (&[&str], _) = match suffix {
        Suffix::Role => (&ROLES, "a role"),
        Suffix::Action => (&ACTIONS, "an action"),
    };
    match known.iter().find(|k| k.eq_ignore_ascii_case(word)) {
        Some(known) if !resource.is_empty() => Ok((resource.to_owned(), Some((*known).to_owned()))),
        _ => Err(token.error(
            format!("{} does not end in {what}", token.quoted()),
            format!("After the colon stands one of {}.", known.join(", ")),
        )),
    }
}
