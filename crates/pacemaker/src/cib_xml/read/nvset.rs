//! Blocks of names and values, and rules.

use std::collections::BTreeMap;

use hac_model::{Expression, NvPair, NvSet, Rule};

use crate::cib_xml::document::{Element, Fault};

/// All blocks called `name` inside `element`.
pub(super) fn sets(element: &Element<'_>, name: &str) -> Result<Vec<NvSet>, Fault> {
    element.all(name).map(set).collect()
}

fn set(element: &Element<'_>) -> Result<NvSet, Fault> {
    Ok(NvSet {
        id: element.or_empty("id"),
        id_ref: element.opt("id-ref"),
        score: element.opt("score"),
        rule: element.child("rule").map(rule).transpose()?,
        pairs: element.all("nvpair").map(pair).collect(),
    })
}

fn pair(element: &Element<'_>) -> NvPair {
    NvPair {
        id: element.or_empty("id"),
        id_ref: element.opt("id-ref"),
        name: element.or_empty("name"),
        value: element.opt("value"),
    }
}

/// All rules inside `element`.
pub(super) fn rules(element: &Element<'_>) -> Result<Vec<Rule>, Fault> {
    element.all("rule").map(rule).collect()
}

fn rule(element: &Element<'_>) -> Result<Rule, Fault> {
    let mut expressions = Vec::new();
    for child in &element.children {
        if let Some(found) = expression(child)? {
            expressions.push(found);
        }
    }
    Ok(Rule {
        id: element.or_empty("id"),
        id_ref: element.opt("id-ref"),
        boolean_op: element.opt("boolean-op"),
        score: element.opt("score"),
        score_attribute: element.opt("score-attribute"),
        role: element.opt("role"),
        expressions,
    })
}

fn expression(element: &Element<'_>) -> Result<Option<Expression>, Fault> {
    let id = element.or_empty("id");
    Ok(Some(match element.name {
        "expression" => Expression::Attribute {
            id,
            attribute: element.required("attribute")?,
            operation: element.required("operation")?,
            value: element.opt("value"),
            value_type: element.opt("type"),
            value_source: element.opt("value-source"),
        },
        "date_expression" => Expression::Date {
            id,
            operation: element.opt("operation"),
            start: element.opt("start"),
            end: element.opt("end"),
            duration: element.child("duration").map(|child| all_attributes(child, &[])),
            spec: element.child("date_spec").map(|child| all_attributes(child, &[])),
        },
        "rsc_expression" => Expression::Resource {
            id,
            class: element.opt("class"),
            provider: element.opt("provider"),
            kind: element.opt("type"),
        },
        "op_expression" => {
            Expression::Operation { id, name: element.required("name")?, interval: element.opt("interval") }
        }
        "rule" => Expression::Rule(Box::new(rule(element)?)),
        _ => return Ok(None),
    }))
}

/// The attributes of `element` but those in `except`.
pub(super) fn all_attributes(element: &Element<'_>, except: &[&str]) -> BTreeMap<String, String> {
    element
        .attributes
        .iter()
        .filter(|(name, _)| !except.contains(name))
        .map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()))
        .collect()
}
