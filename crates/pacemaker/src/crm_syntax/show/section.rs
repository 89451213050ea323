//! Nodes, tags, fencing levels, properties and defaults.

use hac_crm::cib::Section;
use hac_model::{FencingLevel, FencingTarget, Node, NvSet, Tag};

use super::attributes::{Referred, Unspeakable, block, pair, rule, score, word};
use super::paragraph;
use crate::crm_syntax::xml_form;
use crate::text::printable;

/// Writes a node, as XML if the language has no words for it.
pub(super) fn node(node: &Node, referred: &Referred) -> String {
    match node_in_words(node, referred) {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::node(node),
    }
}

fn node_in_words(node: &Node, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    let id = if node.id == node.uname { String::new() } else { format!("{}: ", word(&node.id)?) };
    let kind = node.kind.as_ref().map(|kind| format!(":{}", printable(kind))).unwrap_or_default();
    let mut lines = vec![format!("node {id}{}{kind}", word(&node.uname)?)];
    for (keyword, sets) in [("attributes", &node.attributes), ("utilization", &node.utilization)] {
        for set in sets.iter().filter(|set| !set.pairs.is_empty() || set.id_ref.is_some()) {
            lines.push(block(keyword, set, referred)?);
        }
    }
    Ok(lines)
}

/// Writes a tag.
pub(super) fn tag(tag: &Tag) -> String {
    paragraph(&[format!("tag {} {}", printable(&tag.id), printable(&tag.members.join(" ")))])
}

/// Writes all fencing levels; `None` if there are none. What is the same for every node is written once, without them.
pub(super) fn fencing_topology(levels: &[FencingLevel], nodes: &[Node]) -> Option<String> {
    if levels.is_empty() {
        return None;
    }
    let mut targets: Vec<&FencingTarget> = Vec::new();
    for level in levels {
        if !targets.contains(&&level.target) {
            targets.push(&level.target);
        }
    }
    let of = |target: &FencingTarget| {
        let mut own: Vec<&FencingLevel> = levels.iter().filter(|level| level.target == *target).collect();
        own.sort_by_key(|level| level.index);
        let numbered = own.iter().zip(1_u8..).all(|(level, index)| level.index == index);
        (own.iter().map(|level| level.devices.join(",")).collect::<Vec<_>>().join(" "), numbered)
    };
    let is_known = |target: &&FencingTarget| {
        nodes.iter().any(|node| matches!(target, FencingTarget::Node(name) if *name == node.uname))
    };
    let (first, numbered) = of(targets.first()?);
    let everywhere =
        targets.len() == nodes.len() && targets.iter().all(|target| is_known(target) && of(target).0 == first);
    if everywhere && numbered {
        return Some(paragraph(&[printable(&format!("fencing_topology {first}")).into_owned()]));
    }
    let mut lines = vec!["fencing_topology".to_owned()];
    for target in targets {
        let name = match target {
            FencingTarget::Node(node) => format!("{node}:"),
            FencingTarget::Pattern(pattern) => format!("pattern:{pattern}"),
            FencingTarget::Attribute(name, value) => format!("attr:{name}={value}"),
        };
        lines.push(printable(&format!("{name} {}", of(target).0)).into_owned());
    }
    Some(paragraph(&lines))
}

/// Writes a set of properties or defaults, as XML if the language has no words for it.
pub(super) fn properties(keyword: &str, section: Section, set: &NvSet, referred: &Referred) -> String {
    match set_in_words(keyword, set, referred) {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::properties(section, set),
    }
}

fn set_in_words(keyword: &str, set: &NvSet, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if set.id_ref.is_some() {
        return Err(Unspeakable);
    }
    let mut lines = vec![format!("{keyword} {}:", word(&set.id)?)];
    if let Some(text) = &set.score {
        lines.push(score(text)?);
    }
    if let Some(r) = &set.rule {
        lines.push(rule(r, referred)?);
    }
    for p in &set.pairs {
        if p.value.is_none() {
            return Err(Unspeakable);
        }
        lines.push(pair(p, referred)?);
    }
    Ok(lines)
}
