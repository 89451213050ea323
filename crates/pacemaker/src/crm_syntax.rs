//! The language of `crm configure`, both ways.
//!
//! One object a line; `\` at the end of a line goes on with the next, `#` at its beginning is a comment, values with
//! blanks are quoted. Keywords may be abbreviated to any beginning, or any of their letters in order, that no other
//! keyword has (one that lacks a letter alone is a slip and is refused), and written large. What the language cannot
//! say (values with control characters, nested rules …) is shown as `xml <...>` and read back in that form, as crm does.
//!
//! Differences from crm: objects of a kind are shown in the order of the configuration, which decides ties, not sorted
//! by id; `ms` makes a clone with `promotable=true`; `property NAME=` removes a property.

mod parse;
mod show;
mod token;
mod xml_form;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use hac_crm::cib::{Change, Object};
use hac_model::{Configuration, Resource};
use thiserror::Error;

/// The words that begin an object.
pub const KEYWORDS: &[&str] = &[
    "primitive",
    "clone",
    "ms",
    "master",
    "group",
    "bundle",
    "colocation",
    "collocation",
    "order",
    "location",
    "property",
    "rsc_defaults",
    "op_defaults",
    "node",
    "rsc_template",
    "tag",
    "fencing_topology",
    "rsc_ticket",
    "alert",
    "notice",
    "monitor",
    "rename",
    "modgroup",
    "xml",
];

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Reads a text of any number of objects. Every object is to be created ([`Create`](hac_crm::cib::PutMode::Create)).
///
/// # Errors
/// [`SyntaxError`] with the place of the first mistake.
pub fn parse(text: &str) -> Result<Vec<Change>, SyntaxError> {
    let mut changes = Vec::new();
    let mut defined: BTreeMap<String, usize> = BTreeMap::new();
    for statement in token::statements(text)? {
        let at = statement.get(1).or_else(|| statement.first()).cloned();
        let before = changes.len();
        parse::statement(statement, &mut changes)?;
        let (Some(at), Some(new)) = (at, changes.get(before..)) else { continue };
        for id in new.iter().filter_map(defined_id) {
            if let Some(line) = defined.insert(id.to_owned(), at.line) {
                let message = format!("'{id}' is defined on line {line} too");
                return Err(at.error(message, "Give each object an id of its own, or remove one of the two."));
            }
        }
    }
    Ok(changes)
}

/// The id of an object that may be defined only once in a text.
fn defined_id(change: &Change) -> Option<&str> {
    match change {
        Change::Put { object: Object::Node(_) | Object::FencingLevel(_), .. } => None,
        Change::Put { object, .. } => Some(object.id()),
        _ => None,
    }
}

/// The objects of a stored CIB or configuration (XML), each to be created.
///
/// # Errors
/// What is wrong with the document, with its place.
pub fn from_xml(text: &str) -> Result<Vec<Change>, crate::cib_xml::XmlError> {
    Ok(xml_form::objects(crate::cib_xml::read_part(text)?.configuration.into_inner()))
}

/// The element of a resource, as it stands in a CIB.
#[must_use]
pub fn resource_xml(resource: &Resource) -> String {
    let text = xml_form::resource(resource);
    text.strip_prefix("xml ").unwrap_or(&text).replace(" \\\n", "\n")
}

/// The words of the first statement of a text, without quotes.
///
/// # Errors
/// [`SyntaxError`] where a quotation has no end.
pub fn words(text: &str) -> Result<Vec<String>, SyntaxError> {
    let first = token::statements(text)?.into_iter().next().unwrap_or_default();
    Ok(first.into_iter().map(|token| token.text).collect())
}

/// The statements of a text, each as its words without quotes, with the number of its line.
///
/// # Errors
/// [`SyntaxError`] where a quotation has no end.
pub fn lines(text: &str) -> Result<Vec<(usize, Vec<String>)>, SyntaxError> {
    let line = |tokens: Vec<token::Token>| {
        let number = tokens.first().map_or(1, |token| token.line);
        (number, tokens.into_iter().map(|token| token.text).collect())
    };
    Ok(token::statements(text)?.into_iter().map(line).collect())
}

/// Reads one object from words that a shell has already taken apart.
///
/// # Errors
/// [`SyntaxError`]; its column counts in the words joined by blanks.
pub fn parse_words(words: &[String]) -> Result<Vec<Change>, SyntaxError> {
    let mut changes = Vec::new();
    parse::statement(token::from_words(words), &mut changes)?;
    Ok(changes)
}

/// Ids of the objects that [`show`] would write for these selectors.
#[must_use]
pub fn chosen(configuration: &Configuration, wanted: &[&str]) -> Vec<String> {
    show::chosen(configuration, wanted)
}

/// Ids of an object and of all that mention it, or mention a set or collective that does.
#[must_use]
pub fn related(configuration: &Configuration, id: &str) -> Vec<String> {
    show::related(configuration, id)
}

/// Kind and id of every object, in the order in which [`show`] writes them.
#[must_use]
pub fn ids(configuration: &Configuration) -> Vec<(&'static str, String)> {
    show::ids(configuration)
}

/// Writes the objects called `ids`, or all if there are none. `type:KIND`, `tag:ID` and `related:ID` stand for all
/// objects of a kind, those under a tag, and those that refer to an object.
#[must_use]
pub fn show(configuration: &Configuration, ids: &[&str]) -> String {
    show::show(configuration, ids)
}
