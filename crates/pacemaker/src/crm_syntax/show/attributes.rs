//! Blocks of `NAME=VALUE`, values, scores and rules.

use std::collections::{BTreeMap, BTreeSet};

use hac_model::{
    Configuration, Constraint, Expression, Location, LocationTarget, NvPair, NvSet, Primitive, Resource, Rule,
};

use crate::crm_syntax::parse::{BLOCKS, VALUE_SOURCES};

/// The language has no words for something.
pub(super) struct Unspeakable;

/// A value, quoted where needed.
pub(super) fn value(text: &str) -> Result<String, Unspeakable> {
    if text.chars().any(char::is_control) {
        return Err(Unspeakable);
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        return Ok(text.to_owned());
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A word that stands without quotes: an id, a node, a name.
pub(super) fn word(text: &str) -> Result<&str, Unspeakable> {
    let speakable = !text.is_empty()
        && !text.starts_with(['/', '{', '(', '[', '@'])
        && !text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '='));
    if speakable { Ok(text) } else { Err(Unspeakable) }
}

/// `NAME=VALUE`.
pub(super) fn assignment(name: &str, text: &str) -> Result<String, Unspeakable> {
    Ok(format!("{}={}", word(name)?, value(text)?))
}

/// A score and a colon.
pub(super) fn score(text: &str) -> Result<String, Unspeakable> {
    let word = word(text)?;
    Ok(format!("{}:", word.replace("INFINITY", "inf")))
}

/// Pairs in one line, each after a blank.
fn pairs(pairs: &[NvPair], referred: &Referred) -> Result<String, Unspeakable> {
    let mut text = String::new();
    for pair in pairs {
        text.push(' ');
        text.push_str(&self::pair(pair, referred)?);
    }
    Ok(text)
}

/// One pair, unless its name would be read as something else.
pub(super) fn pair(pair: &NvPair, referred: &Referred) -> Result<String, Unspeakable> {
    match (&pair.id_ref, &pair.value) {
        (Some(id), None) if pair.name.is_empty() => Ok(format!("@{}", word(id)?)),
        (Some(id), None) => Ok(format!("@{}:{}", word(id)?, word(&pair.name)?)),
        (Some(_), Some(_)) => Err(Unspeakable),
        _ if pair.name.starts_with(['$', '@']) => Err(Unspeakable),
        (None, None) if BLOCKS.contains(&pair.name.as_str()) || pair.name.ends_with(':') => Err(Unspeakable),
        (None, Some(text)) if referred.has(&pair.id) => {
            Ok(format!("${}:{}", word(&pair.id)?, assignment(&pair.name, text)?))
        }
        (None, Some(text)) => assignment(&pair.name, text),
        (None, None) => Ok(word(&pair.name)?.to_owned()),
    }
}

/// A block after its keyword.
pub(super) fn block(keyword: &str, set: &NvSet, referred: &Referred) -> Result<String, Unspeakable> {
    let mut text = keyword.to_owned();
    if let Some(id) = &set.id_ref {
        return Ok(format!("{keyword} {}", assignment("$id-ref", id)?));
    }
    if set.pairs.is_empty() && (set.score.is_some() || set.rule.is_some()) {
        return Err(Unspeakable);
    }
    if referred.has(&set.id) {
        text.push_str(&format!(" {}", assignment("$id", &set.id)?));
    }
    if let Some(score) = &set.score {
        text.push_str(&format!(" {}", self::score(score)?));
    }
    if let Some(rule) = &set.rule {
        text.push_str(&format!(" {}", self::rule(rule, referred)?));
    }
    text.push_str(&pairs(&set.pairs, referred)?);
    Ok(text)
}

/// Ids that something else stands for: their blocks, pairs and rules are shown with them.
#[derive(Default)]
pub(super) struct Referred(BTreeSet<String>);

impl Referred {
    /// All of a configuration.
    pub(super) fn of(configuration: &Configuration) -> Self {
        let mut referred = Self::default();
        configuration.resources.iter().for_each(|resource| referred.resource(resource));
        let defaults = [&configuration.crm_config, &configuration.rsc_defaults, &configuration.op_defaults];
        defaults.into_iter().for_each(|sets| referred.sets(sets));
        for node in &configuration.nodes {
            referred.sets(&node.attributes);
            referred.sets(&node.utilization);
        }
        for alert in &configuration.alerts {
            referred.sets(&alert.attributes);
            referred.sets(&alert.meta);
            for recipient in &alert.recipients {
                referred.sets(&recipient.attributes);
                referred.sets(&recipient.meta);
            }
        }
        for constraint in &configuration.constraints {
            if let Constraint::Location(Location { target: LocationTarget::Rules(rules), .. }) = constraint {
                referred.0.extend(rules.iter().filter_map(|rule| rule.id_ref.clone()));
            }
        }
        referred
    }

    /// Whether something stands for `id`.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    fn resource(&mut self, resource: &Resource) {
        match resource {
            Resource::Primitive(primitive) => self.primitive(primitive),
            Resource::Template(template) => self.primitive(&template.0),
            Resource::Group(group) => {
                self.sets(&group.params);
                self.sets(&group.meta);
                group.members.iter().for_each(|member| self.primitive(member));
            }
            Resource::Clone(clone) => {
                self.sets(&clone.params);
                self.sets(&clone.meta);
                self.resource(&clone.child);
            }
            Resource::Bundle(bundle) => {
                self.sets(&bundle.params);
                self.sets(&bundle.meta);
            }
        }
    }

    fn primitive(&mut self, primitive: &Primitive) {
        let Primitive { params, meta, utilization, operations, .. } = primitive;
        [params, meta, utilization].into_iter().for_each(|sets| self.sets(sets));
        for operation in operations {
            self.sets(&operation.params);
            self.sets(&operation.meta);
        }
    }

    fn sets(&mut self, sets: &[NvSet]) {
        for set in sets {
            self.0.extend(set.id_ref.clone());
            self.0.extend(set.rule.iter().filter_map(|rule| rule.id_ref.clone()));
            self.0.extend(set.pairs.iter().filter_map(|pair| pair.id_ref.clone()));
        }
    }
}

/// A rule with its keyword.
pub(super) fn rule(rule: &Rule, referred: &Referred) -> Result<String, Unspeakable> {
    if let Some(id) = &rule.id_ref {
        return Ok(format!("rule {}", assignment("$id-ref", id)?));
    }
    let mut text = "rule".to_owned();
    if referred.has(&rule.id) {
        text.push_str(&format!(" {}", assignment("$id", &rule.id)?));
    }
    if let Some(role) = &rule.role {
        text.push_str(&format!(" {}", assignment("$role", role)?));
    }
    // One without a score is read as one of INFINITY.
    let always = |score: &&String| *score == "INFINITY";
    if let Some(score) = rule.score.as_ref().or(rule.score_attribute.as_ref()).filter(|score| !always(score)) {
        text.push_str(&format!(" {}", self::score(score)?));
    }
    if rule.expressions.is_empty() {
        return Err(Unspeakable);
    }
    let parts = rule.expressions.iter().map(expression).collect::<Result<Vec<_>, _>>()?;
    let operator = if rule.boolean_op.as_deref() == Some("or") { " or " } else { " and " };
    Ok(format!("{text} {}", parts.join(operator)))
}

fn expression(expression: &Expression) -> Result<String, Unspeakable> {
    match expression {
        Expression::Attribute {
            attribute,
            operation,
            value: Some(name),
            value_type,
            value_source: Some(source),
            ..
        } if VALUE_SOURCES.contains(&source.as_str()) => {
            let kind = value_type.as_ref().map(|kind| format!("{kind}:")).unwrap_or_default();
            Ok(format!("{} {kind}{} {source}{{{}}}", word(attribute)?, word(operation)?, word(name)?))
        }
        Expression::Attribute { value_source: Some(_), .. } => Err(Unspeakable),
        Expression::Attribute { attribute, operation, value: None, .. } => {
            Ok(format!("{} {}", word(operation)?, word(attribute)?))
        }
        Expression::Attribute { attribute, operation, value: Some(text), value_type, .. } => {
            let kind = value_type.as_ref().map(|kind| format!("{kind}:")).unwrap_or_default();
            Ok(format!("{} {kind}{} {}", word(attribute)?, word(operation)?, spoken(text)?))
        }
        Expression::Date { operation, start, end, duration, spec, .. } => {
            date(operation.as_deref(), [start.as_deref(), end.as_deref()], duration.as_ref(), spec.as_ref())
        }
        Expression::Resource { .. } | Expression::Operation { .. } | Expression::Rule(_) => Err(Unspeakable),
    }
}

/// A word, in quotes only where it needs them.
fn spoken(text: &str) -> Result<String, Unspeakable> {
    word(text).map(str::to_owned).or_else(|Unspeakable| value(text))
}

fn date(
    operation: Option<&str>,
    [start, end]: [Option<&str>; 2],
    duration: Option<&BTreeMap<String, String>>,
    spec: Option<&BTreeMap<String, String>>,
) -> Result<String, Unspeakable> {
    let parts = |text: &mut String, parts: &BTreeMap<String, String>| -> Result<(), Unspeakable> {
        for (name, value) in parts.iter().filter(|(name, _)| *name != "id") {
            text.push_str(&format!(" {}", assignment(name, value)?));
        }
        Ok(())
    };
    match (operation.unwrap_or("in_range"), start, end, spec) {
        ("lt", None, Some(end), None) => Ok(format!("date lt {}", spoken(end)?)),
        ("gt", Some(start), None, None) => Ok(format!("date gt {}", spoken(start)?)),
        ("in_range", start, end, None) if start.is_some() || end.is_some() => {
            let mut text = "date in".to_owned();
            for (name, time) in [("start", start), ("end", end)] {
                if let Some(time) = time {
                    text.push_str(&format!(" {}", assignment(name, time)?));
                }
            }
            if let Some(duration) = duration {
                parts(&mut text, duration)?;
            }
            Ok(text)
        }
        ("date_spec", None, None, Some(spec)) if spec.keys().any(|name| name != "id") => {
            let mut text = "date spec".to_owned();
            parts(&mut text, spec)?;
            Ok(text)
        }
        _ => Err(Unspeakable),
    }
}
