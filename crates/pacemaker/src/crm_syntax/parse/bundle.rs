//! Bundles.

use std::collections::BTreeMap;

use hac_model::{Bundle, NvSet, Primitive};

use super::Words;
use super::attributes::{block_head, named_pair, peek_assignment, peek_pair, take_option};
use crate::crm_syntax::SyntaxError;

/// What a container may be run by.
pub(in crate::crm_syntax) const TECHNOLOGIES: [&str; 3] = ["docker", "podman", "rkt"];

/// Reads a bundle after its keyword. What runs inside is named; it is a primitive of its own until the bundle takes it in.
pub(super) fn bundle(words: &mut Words) -> Result<Bundle, SyntaxError> {
    let mut bundle = Bundle { id: words.id("the id of the bundle")?, ..Bundle::default() };
    bundle.description = take_option(words, "description");
    let technology = words.expect("docker or podman")?;
    if !TECHNOLOGIES.contains(&technology.text.as_str()) {
        return Err(technology.error(
            format!("{} runs no containers", technology.quoted()),
            "Write 'bundle ID podman image=IMAGE ...' (or docker).",
        ));
    }
    bundle.technology = technology.text;
    bundle.container = assignments(words)?;
    if !bundle.container.contains_key("image") {
        return Err(words.error("a bundle needs an image", "Write 'bundle ID podman image=IMAGE ...'."));
    }
    while let Some(token) = words.next() {
        match token.text.as_str() {
            "network" => bundle.network = assignments(words)?,
            "port-mapping" => bundle.ports.push(mapping(words)?),
            "storage" => {}
            "storage-mapping" => bundle.storage.push(mapping(words)?),
            "meta" => bundle.meta.push(meta(words)?),
            "primitive" => {
                let id = words.id("the primitive that runs inside")?;
                bundle.primitive = Some(Primitive { id, ..Primitive::default() });
            }
            _ => {
                return Err(token.error(
                    format!("{} has no place here", token.quoted()),
                    "Parts of a bundle begin with network, port-mapping, storage, storage-mapping, meta or primitive.",
                ));
            }
        }
    }
    Ok(bundle)
}

/// Words that begin a part of a bundle.
const PARTS: [&str; 5] = ["network", "port-mapping", "storage", "storage-mapping", "primitive"];

/// Its meta-attributes, until another part begins.
fn meta(words: &mut Words) -> Result<NvSet, SyntaxError> {
    let mut set = block_head(words)?;
    while let Some((name, value)) = peek_pair(words) {
        if value.is_none() && PARTS.contains(&name.as_str()) {
            break;
        }
        words.skip();
        set.pairs.push(named_pair(name, value));
    }
    Ok(set)
}

fn assignments(words: &mut Words) -> Result<BTreeMap<String, String>, SyntaxError> {
    let mut found = BTreeMap::new();
    while let Some((name, value)) = peek_assignment(words) {
        words.once(found.contains_key(&name), &name)?;
        words.skip();
        found.insert(name, value);
    }
    Ok(found)
}

/// A mapping; its id may be written as crm's ids are.
fn mapping(words: &mut Words) -> Result<BTreeMap<String, String>, SyntaxError> {
    let mut mapping = assignments(words)?;
    if let Some(id) = mapping.remove("$id") {
        mapping.insert("id".to_owned(), id);
    }
    Ok(mapping)
}
