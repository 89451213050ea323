//! Rules and blocks of names and values: what holds now, here, for this agent and operation.
//!
//! Reads the configuration and the [`Given`] it is given; writes nothing but the time of the next change.

mod date;

use std::cell::Cell;
use std::collections::BTreeMap;

use hac_model::{Agent, Expression, NvSet, Rule, parse_duration_ms, parse_score};

pub(super) use date::{parse as parse_date, parse_iso_duration_ms};

/// Rules inside rules deeper than this do not hold.
const DEPTH_LIMIT: usize = 64;

/// What a rule is judged by.
#[derive(Clone, Copy, Default)]
pub(super) struct Given<'f> {
    /// Seconds since 1970.
    pub(super) now: i64,
    /// Attributes of the node in question.
    pub(super) attributes: Option<&'f BTreeMap<String, String>>,
    /// Parameters of the resource in question.
    pub(super) params: Option<&'f BTreeMap<String, String>>,
    /// Meta-attributes of the resource in question.
    pub(super) meta: Option<&'f BTreeMap<String, String>>,
    /// Agent of the resource in question.
    pub(super) agent: Option<&'f Agent>,
    /// Operation in question: name and interval.
    pub(super) operation: Option<(&'f str, u64)>,
    /// Parts of a resource id that a pattern matched, for `%0` to `%9` in attribute names.
    pub(super) captures: &'f [String],
    /// Where the earliest moment is noted at which the answer changes.
    pub(super) next_change: Option<&'f Cell<Option<i64>>>,
}

impl Given<'_> {
    /// Notes that the answer changes at `at`.
    fn changes_at(&self, at: i64) {
        if let Some(cell) = self.next_change
            && at > self.now
        {
            cell.set(Some(cell.get().map_or(at, |before| before.min(at))));
        }
    }
}

/// Whether `rule` holds.
pub(super) fn holds(rule: &Rule, facts: &Given<'_>) -> bool {
    holds_at(rule, facts, 0)
}

fn holds_at(rule: &Rule, facts: &Given<'_>, depth: usize) -> bool {
    if depth > DEPTH_LIMIT {
        return false;
    }
    let or = rule.boolean_op.as_deref().is_some_and(|op| op.trim().eq_ignore_ascii_case("or"));
    if rule.expressions.is_empty() {
        return true;
    }
    let mut parts = rule.expressions.iter().map(|part| expression(part, facts, depth));
    if or { parts.any(|held| held) } else { parts.all(|held| held) }
}

fn expression(part: &Expression, facts: &Given<'_>, depth: usize) -> bool {
    match part {
        Expression::Attribute { attribute, operation, value, value_type, value_source, .. } => {
            let name = fill_in(attribute, facts.captures);
            let left = facts.attributes.and_then(|a| a.get(&name)).map(String::as_str);
            let right = match (value_source.as_deref(), value.as_deref()) {
                (Some("param"), Some(name)) => facts.params.and_then(|p| p.get(name)).map(String::as_str),
                (Some("meta"), Some(name)) => facts.meta.and_then(|m| m.get(name)).map(String::as_str),
                (_, value) => value,
            };
            attribute_holds(operation, left, right, value_type.as_deref())
        }
        Expression::Date { operation, start, end, duration, spec, .. } => {
            let start = start.as_deref().and_then(date::parse);
            let end = end.as_deref().and_then(date::parse).or_else(|| {
                let duration = duration.as_ref()?;
                Some(date::add_duration(start?, duration))
            });
            date_holds(operation.as_deref(), start, end, spec.as_ref(), facts)
        }
        Expression::Resource { class, provider, kind, .. } => facts.agent.is_some_and(|agent| {
            class.as_ref().is_none_or(|c| *c == agent.class)
                && provider.as_ref().is_none_or(|p| Some(p) == agent.provider.as_ref())
                && kind.as_ref().is_none_or(|k| *k == agent.kind)
        }),
        Expression::Operation { name, interval, .. } => facts.operation.is_some_and(|(task, every)| {
            name == task && interval.as_deref().is_none_or(|text| parse_interval_ms(text) == Some(every))
        }),
        Expression::Rule(rule) => holds_at(rule, facts, depth + 1),
    }
}

/// Replaces `%0` to `%9` by what a pattern matched.
pub(super) fn fill_in(name: &str, captures: &[String]) -> String {
    if captures.is_empty() || !name.contains('%') {
        return name.to_owned();
    }
    let mut filled = String::new();
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().and_then(|d| d.to_digit(10))) {
            ('%', Some(number)) => {
                chars.next();
                filled.push_str(captures.get(number as usize).map_or("", String::as_str));
            }
            _ => filled.push(c),
        }
    }
    filled
}

/// An interval or other time, milliseconds; ISO 8601 durations too.
pub(super) fn parse_interval_ms(text: &str) -> Option<u64> {
    if text.trim_start().starts_with('P') { parse_iso_duration_ms(text) } else { parse_duration_ms(text) }
}

fn date_holds(
    operation: Option<&str>,
    start: Option<i64>,
    end: Option<i64>,
    spec: Option<&BTreeMap<String, String>>,
    facts: &Given<'_>,
) -> bool {
    let now = facts.now;
    match operation.unwrap_or("in_range") {
        "gt" => start.is_some_and(|start| {
            facts.changes_at(start + 1);
            now > start
        }),
        "lt" => end.is_some_and(|end| {
            facts.changes_at(end);
            now < end
        }),
        "date_spec" => spec.is_some_and(|spec| date::matches_spec(now, spec)),
        _ => {
            if start.is_none() && end.is_none() {
                return false;
            }
            if let Some(start) = start
                && now < start
            {
                facts.changes_at(start);
                return false;
            }
            if let Some(end) = end {
                facts.changes_at(end + 1);
                return now <= end;
            }
            true
        }
    }
}

/// Compares an attribute with a value.
fn attribute_holds(operation: &str, left: Option<&str>, right: Option<&str>, value_type: Option<&str>) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match operation {
        "defined" => return left.is_some(),
        "not_defined" => return left.is_none(),
        _ => {}
    }
    let ordered = matches!(operation, "lt" | "gt" | "lte" | "gte");
    let (Some(l), Some(r)) = (left, right) else {
        let equal = left.is_none() && right.is_none();
        return match operation {
            "eq" => equal,
            "ne" => !equal,
            _ => false,
        };
    };
    let kind = value_type.unwrap_or_else(|| match ordered {
        true if l.contains('.') || r.contains('.') => "number",
        true => "integer",
        false => "string",
    });
    let order = compare(l, r, kind);
    match operation {
        "eq" => order == Equal,
        "ne" => order != Equal,
        "lt" => order == Less,
        "gt" => order == Greater,
        "lte" => order != Greater,
        "gte" => order != Less,
        _ => false,
    }
}

/// Compares two values as `kind`; as strings if one of them is not of it.
fn compare(left: &str, right: &str, kind: &str) -> std::cmp::Ordering {
    let as_text = || left.to_ascii_lowercase().cmp(&right.to_ascii_lowercase());
    match kind {
        "integer" => match (leading_integer(left), leading_integer(right)) {
            (Some(l), Some(r)) => l.cmp(&r),
            _ => as_text(),
        },
        "number" => match (left.trim().parse::<f64>(), right.trim().parse::<f64>()) {
            (Ok(l), Ok(r)) => l.partial_cmp(&r).unwrap_or(std::cmp::Ordering::Equal),
            _ => as_text(),
        },
        "version" => compare_versions(left, right),
        _ => as_text(),
    }
}

/// The integer that a text begins with.
fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    let number: i64 = digits.get(..end)?.parse().ok()?;
    Some(sign * number)
}

/// Compares dotted versions number by number.
pub(super) fn compare_versions(left: &str, right: &str) -> std::cmp::Ordering {
    let part = |text: Option<&str>| text.and_then(leading_integer).unwrap_or(-1);
    let (mut l, mut r) = (left.split('.'), right.split('.'));
    loop {
        match (l.next(), r.next()) {
            (None, None) => return std::cmp::Ordering::Equal,
            (a, b) => match part(a).cmp(&part(b)) {
                std::cmp::Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

/// Takes the values of `blocks` that hold into `values`; what is there already stays. Blocks of higher score go first,
/// the one with id `first` before all.
pub(super) fn read_blocks(
    blocks: &[NvSet],
    first: Option<&str>,
    facts: &Given<'_>,
    values: &mut BTreeMap<String, String>,
) {
    let mut sorted: Vec<&NvSet> = blocks.iter().collect();
    if sorted.len() > 1 {
        let score = |set: &NvSet| set.score.as_deref().and_then(parse_score).unwrap_or(0);
        sorted.sort_by_key(|set| (first != Some(set.id.as_str()), -i64::from(score(set))));
    }
    for set in sorted {
        if set.rule.as_ref().is_some_and(|rule| !holds(rule, facts)) {
            continue;
        }
        for pair in &set.pairs {
            let Some(value) = &pair.value else { continue };
            if value.eq_ignore_ascii_case("#default") {
                values.remove(&pair.name);
            } else if !values.contains_key(&pair.name) {
                values.insert(pair.name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_needs_both_sides_and_numbers_compare_as_numbers() {
        assert!(attribute_holds("lt", Some("9"), Some("10"), None));
        assert!(!attribute_holds("lt", None, Some("10"), None));
        assert!(attribute_holds("eq", None, None, None));
        assert!(attribute_holds("ne", None, Some("x"), None));
        assert!(attribute_holds("gt", Some("1.5"), Some("1.25"), None));
        assert!(attribute_holds("eq", Some("ON"), Some("on"), None));
        assert!(attribute_holds("gt", Some("1.10"), Some("1.9"), Some("version")));
    }

    #[test]
    fn a_block_of_higher_score_wins_and_default_unsets() {
        let block = |id: &str, score: &str, value: &str| NvSet {
            id: id.into(),
            score: Some(score.into()),
            pairs: vec![hac_model::NvPair { name: "a".into(), value: Some(value.into()), ..Default::default() }],
            ..Default::default()
        };
        let mut values = BTreeMap::new();
        read_blocks(&[block("x", "1", "low"), block("y", "2", "high")], None, &Given::default(), &mut values);
        assert_eq!(values["a"], "high");
        let mut values = BTreeMap::new();
        read_blocks(&[block("x", "1", "#default"), block("y", "2", "high")], None, &Given::default(), &mut values);
        assert!(values.is_empty());
    }

    #[test]
    fn a_range_notes_when_it_ends() {
        let next = Cell::new(None);
        let facts = Given { now: 100, next_change: Some(&next), ..Default::default() };
        assert!(date_holds(None, Some(50), Some(200), None, &facts));
        assert_eq!(next.get(), Some(201));
    }

    #[test]
    fn captured_parts_fill_attribute_names() {
        assert_eq!(fill_in("has-%1", &["rsc-a".into(), "a".into()]), "has-a");
    }
}
