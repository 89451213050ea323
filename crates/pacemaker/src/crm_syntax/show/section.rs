//! Nodes, tags, fencing levels, properties and defaults.

use hac_crm::model::{FencingLevel, FencingTarget, Node, NvSet, Tag};

use super::attributes::{block, pair, rule, score};
use super::paragraph;
use crate::text::printable;

/// Writes a node.
pub(super) fn node(node: &Node) -> String {
    let id = if node.id == node.uname { String::new() } else { format!("{}: ", printable(&node.id)) };
    let kind = node.kind.as_ref().map(|kind| format!(":{}", printable(kind))).unwrap_or_default();
    let mut lines = vec![format!("node {id}{}{kind}", printable(&node.uname))];
    for (keyword, sets) in [("attributes", &node.attributes), ("utilization", &node.utilization)] {
        for set in sets {
            lines.extend(block(keyword, set, |_| false).ok());
        }
    }
    paragraph(&lines)
}

/// Writes a tag.
pub(super) fn tag(tag: &Tag) -> String {
    paragraph(&[format!("tag {} {}", printable(&tag.id), printable(&tag.members.join(" ")))])
}

/// Writes all fencing levels; `None` if there are none.
pub(super) fn fencing_topology(levels: &[FencingLevel]) -> Option<String> {
    if levels.is_empty() {
        return None;
    }
    let mut targets: Vec<&FencingTarget> = Vec::new();
    for level in levels {
        if !targets.contains(&&level.target) {
            targets.push(&level.target);
        }
    }
    let mut lines = vec!["fencing_topology".to_owned()];
    for target in targets {
        let mut own: Vec<&FencingLevel> = levels.iter().filter(|level| level.target == *target).collect();
        own.sort_by_key(|level| level.index);
        let devices: Vec<String> = own.iter().map(|level| level.devices.join(",")).collect();
        let name = match target {
            FencingTarget::Node(node) => format!("{node}:"),
            FencingTarget::Pattern(pattern) => format!("pattern:{pattern}"),
            FencingTarget::Attribute(name, value) => format!("attr:{name}={value}"),
        };
        lines.push(printable(&format!("{name} {}", devices.join(" "))).into_owned());
    }
    Some(paragraph(&lines))
}

/// Writes a set of properties or defaults.
pub(super) fn properties(keyword: &str, set: &NvSet) -> String {
    let mut lines = vec![format!("{keyword} {}:", printable(&set.id))];
    if let Some(text) = set.score.as_ref().and_then(|text| score(text).ok()) {
        lines.push(text);
    }
    if let Some(text) = set.rule.as_ref().and_then(|r| rule(r).ok()) {
        lines.push(text);
    }
    lines.extend(set.pairs.iter().filter_map(|p| pair(p).ok()));
    paragraph(&lines)
}
