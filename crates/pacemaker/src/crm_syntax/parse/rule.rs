//! Rules: `rule [$id=ID] [$role=ROLE] [SCORE:] EXPRESSION [and|or EXPRESSION]...`.

use std::collections::BTreeMap;

use hac_model::{Expression, Rule};

use super::attributes::{id, peek_assignment, take_option};
use super::{Score, Words};
use crate::crm_syntax::SyntaxError;

const COMPARISONS: [&str; 6] = ["lt", "gt", "lte", "gte", "eq", "ne"];
/// Where the value of a comparison may come from instead of standing there.
pub(in crate::crm_syntax) const VALUE_SOURCES: [&str; 2] = ["param", "meta"];
const TYPES: [&str; 4] = ["string", "number", "integer", "version"];
/// Units of durations and parts of date specifications.
const DATE_PARTS: [&str; 12] = [
    "hours",
    "minutes",
    "seconds",
    "days",
    "monthdays",
    "weekdays",
    "yeardays",
    "moon",
    "months",
    "weeks",
    "years",
    "weekyears",
];

/// As crm spells `yeardays`.
const YEARSDAYS: &str = "yearsdays";

/// Reads a rule after the word `rule`. One without a score means always, as for crm.
pub(super) fn rule(words: &mut Words) -> Result<Rule, SyntaxError> {
    let mut rule = Rule::default();
    loop {
        if let Some(id) = take_option(words, "$id") {
            rule.id = self::id(words, id)?;
        } else if let Some(id) = take_option(words, "$id-ref") {
            rule.id_ref = Some(id);
            return Ok(rule);
        } else if let Some(role) = take_option(words, "$role").or_else(|| take_option(words, "role")) {
            rule.role = Some(role);
        } else {
            break;
        }
    }
    match words.score() {
        Some(Score::Number(score)) => rule.score = Some(score),
        Some(Score::Attribute(name)) => rule.score_attribute = Some(name),
        None => rule.score = Some("INFINITY".to_owned()),
    }
    rule.expressions.push(expression(words)?);
    while let Some(word @ ("and" | "or")) = words.peek() {
        let word = word.to_owned();
        if rule.boolean_op.as_ref().is_some_and(|before| *before != word) {
            return Err(words.error(
                "a rule has either 'and' or 'or' between its parts",
                "Use two rules, or write the constraint as xml.",
            ));
        }
        rule.boolean_op = Some(word);
        words.skip();
        rule.expressions.push(expression(words)?);
    }
    // The default is not written, as crm does.
    rule.boolean_op = rule.boolean_op.filter(|op| op == "or");
    Ok(rule)
}

fn expression(words: &mut Words) -> Result<Expression, SyntaxError> {
    match words.peek() {
        Some("defined" | "not_defined") => {
            let operation = words.expect("a comparison")?.text;
            let attribute = words.expect("the name of an attribute")?.text;
            Ok(Expression::Attribute {
                id: String::new(),
                attribute,
                operation,
                value: None,
                value_type: None,
                value_source: None,
            })
        }
        Some("date") => {
            words.skip();
            date(words)
        }
        _ => comparison(words),
    }
}

fn comparison(words: &mut Words) -> Result<Expression, SyntaxError> {
    let attribute = words.expect("the name of an attribute")?.text;
    let operator = words.expect("a comparison such as eq")?;
    let (kind, operation) = match operator.text.split_once(':') {
        Some((kind, operation)) => (Some(kind), operation),
        None => (None, operator.text.as_str()),
    };
    if !COMPARISONS.contains(&operation) || kind.is_some_and(|kind| !TYPES.contains(&kind)) {
        return Err(operator.error(
            format!("{} is no comparison", operator.quoted()),
            "Write 'ATTRIBUTE eq VALUE' with lt, gt, lte, gte, eq or ne (before it perhaps string:, number: or version:), \
             'defined ATTRIBUTE', 'not_defined ATTRIBUTE' or 'date ...'.",
        ));
    }
    let value = words.expect("a value to compare with")?.text;
    let (value, value_source) = sourced(value);
    Ok(Expression::Attribute {
        id: String::new(),
        attribute,
        operation: operation.to_owned(),
        value: Some(value),
        value_type: kind.map(str::to_owned),
        value_source,
    })
}

/// `param{NAME}` and `meta{NAME}` are compared with what the resource has under that name.
fn sourced(value: String) -> (String, Option<String>) {
    let named = |source: &str| value.strip_prefix(source)?.strip_prefix('{')?.strip_suffix('}').map(str::to_owned);
    for source in VALUE_SOURCES {
        if let Some(name) = named(source).filter(|name| !name.is_empty()) {
            return (name, Some(source.to_owned()));
        }
    }
    (value, None)
}

fn date(words: &mut Words) -> Result<Expression, SyntaxError> {
    let kind = words.expect("lt, gt, in or spec")?;
    let (mut start, mut end, mut duration, mut spec) = (None, None, None, None);
    let operation = match kind.text.as_str() {
        "lt" => {
            end = Some(words.expect("a time")?.text);
            "lt"
        }
        "gt" => {
            start = Some(words.expect("a time")?.text);
            "gt"
        }
        "in" | "in_range" => {
            let mut parts = date_parts(words, &["start", "end"])?;
            start = parts.remove("start");
            end = parts.remove("end");
            if !parts.is_empty() {
                duration = Some(parts);
            }
            "in_range"
        }
        "spec" | "date_spec" => {
            spec = Some(date_parts(words, &[])?);
            "date_spec"
        }
        _ => {
            return Err(kind.error(
                format!("{} says nothing about a date", kind.quoted()),
                "Write 'date lt TIME', 'date gt TIME', 'date in start=TIME end=TIME' or 'date spec hours=9-17'.",
            ));
        }
    };
    let nothing = start.is_none() && end.is_none() && spec.as_ref().is_none_or(BTreeMap::is_empty);
    if nothing {
        return Err(kind.error("this date has no times", "Write start= and end=, or what a spec compares: hours=9-17."));
    }
    Ok(Expression::Date { id: String::new(), operation: Some(operation.to_owned()), start, end, duration, spec })
}

fn date_parts(words: &mut Words, besides: &[&str]) -> Result<BTreeMap<String, String>, SyntaxError> {
    let mut parts = BTreeMap::new();
    while let Some((name, value)) = peek_assignment(words) {
        if !DATE_PARTS.contains(&name.as_str()) && name != YEARSDAYS && !besides.contains(&name.as_str()) {
            break;
        }
        // crm's word for it.
        let name = if name == YEARSDAYS { "yeardays".to_owned() } else { name };
        words.once(parts.contains_key(&name), &name)?;
        words.skip();
        parts.insert(name, value);
    }
    Ok(parts)
}
