//! Blocks of `NAME=VALUE`.

use std::collections::BTreeSet;

use hac_model::{NvPair, NvSet};

use super::rule::rule;
use super::{Score, Words};
use crate::crm_syntax::SyntaxError;

/// Words that begin another block and so end one.
pub(in crate::crm_syntax) const BLOCKS: [&str; 9] =
    ["params", "meta", "utilization", "operations", "op", "op_params", "op_meta", "attributes", "rule"];

/// Reads what stands before the pairs of a block: `[$id=ID] [SCORE:] [rule ...]`, or `$id-ref=ID`.
pub(super) fn block_head(words: &mut Words) -> Result<NvSet, SyntaxError> {
    let mut set = NvSet::default();
    let mut given = BTreeSet::new();
    while let Some((name, value)) = peek_pair(words) {
        if matches!(name.as_str(), "$id" | "$id-ref") {
            words.once(!given.insert(name.clone()), &name)?;
        }
        match name.as_str() {
            "$id" => set.id = id(words, value.unwrap_or_default())?,
            "$id-ref" => set.id_ref = value,
            _ => break,
        }
        words.skip();
    }
    if let Some(score) = words.score() {
        match score {
            Score::Number(number) => set.score = Some(number),
            Score::Attribute(name) => {
                return Err(
                    words.error(format!("'{name}' is no score"), "Write a number, inf or -inf before the colon.")
                );
            }
        }
    }
    if words.take("rule") {
        set.rule = Some(rule(words)?);
    }
    Ok(set)
}

/// An id that is given with `$id=`.
pub(super) fn id(words: &Words, id: String) -> Result<String, SyntaxError> {
    let begins_well = id.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if begins_well && id.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Ok(id);
    }
    let message = format!("'{}' is no id", crate::text::printable(&id));
    Err(words.error(message, "An id begins with a letter; letters, digits, '-', '_' and '.' may follow."))
}

/// Reads what stands in a block: `[$id=ID] [SCORE:] [rule ...] NAME=VALUE ...`, or `$id-ref=ID`.
pub(super) fn block(words: &mut Words) -> Result<NvSet, SyntaxError> {
    let mut set = block_head(words)?;
    set.pairs = pairs(words);
    // An empty block is what is left where the last value was deleted, and crm shows it so.
    if set.pairs.is_empty() && (set.score.is_some() || set.rule.is_some()) {
        return Err(words.error("a block has nothing in it", "Write NAME=VALUE, or leave the block out."));
    }
    Ok(set)
}

/// Reads pairs until another block begins.
pub(super) fn pairs(words: &mut Words) -> Vec<NvPair> {
    let mut pairs = Vec::new();
    while let Some((name, value)) = peek_pair(words) {
        words.skip();
        pairs.push(named_pair(name, value));
    }
    pairs
}

/// `@ID[:NAME]` and `$ID:NAME` stand for the pair of that id; `$ID:NAME=VALUE` gives a pair its id.
pub(super) fn named_pair(word: String, value: Option<String>) -> NvPair {
    let split = |text: &str| {
        let (id, name) = text.split_once(':').unwrap_or((text, ""));
        (id.to_owned(), name.to_owned())
    };
    match (word.strip_prefix('@'), word.strip_prefix('$'), value) {
        (Some(reference), _, None) | (None, Some(reference), None) if !reference.is_empty() => {
            let (id_ref, name) = split(reference);
            NvPair { id_ref: Some(id_ref), name, ..NvPair::default() }
        }
        (None, Some(named), Some(value)) if named.contains(':') => {
            let (id, name) = split(named);
            NvPair { id, name, value: Some(value), ..NvPair::default() }
        }
        (_, _, value) => NvPair { name: word, value, ..NvPair::default() },
    }
}

/// The next word as a name and a value, if it is a pair (or a name alone) and begins no other block.
pub(super) fn peek_pair(words: &Words) -> Option<(String, Option<String>)> {
    let text = words.peek()?;
    if BLOCKS.contains(&text) || text.ends_with(':') && !text.contains('=') {
        return None;
    }
    match text.split_once('=') {
        Some(("", _)) => None,
        Some((name, value)) => Some((name.to_owned(), Some(value.to_owned()))),
        None if text.is_empty() => None,
        None => Some((text.to_owned(), None)),
    }
}

/// The next word as `NAME=VALUE`.
pub(super) fn peek_assignment(words: &Words) -> Option<(String, String)> {
    match peek_pair(words)? {
        (name, Some(value)) => Some((name, value)),
        (_, None) => None,
    }
}

/// Takes `NAME=VALUE` if that is next, with this name.
pub(super) fn take_option(words: &mut Words, name: &str) -> Option<String> {
    match peek_assignment(words) {
        Some((found, value)) if found == name => {
            words.skip();
            Some(value)
        }
        _ => None,
    }
}
