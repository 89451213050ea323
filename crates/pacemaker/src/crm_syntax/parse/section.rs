//! Properties, defaults, nodes, tags, and fencing levels.

use hac_crm::cib::{Change, Section};
use hac_model::{FencingLevel, FencingTarget, Node, NvSet, Operation, Tag, parse_duration_ms};

use super::attributes::{block, pairs, peek_assignment, take_option};
use super::rule::rule;
use super::{Score, Words};
use crate::crm_syntax::SyntaxError;

/// Reads `[ID:] NAME=VALUE ...`; an empty value removes. A set that is named may be left empty, as crm has it.
pub(super) fn properties(words: &mut Words, section: Section) -> Result<Change, SyntaxError> {
    let mut set = take_option(words, "$id");
    if set.is_none()
        && let Some(id) = words.peek().and_then(|word| word.strip_suffix(':'))
    {
        set = Some(id.to_owned());
        words.skip();
    }
    let score = match words.score() {
        Some(Score::Number(score)) => Some(score),
        Some(Score::Attribute(name)) => {
            return Err(
                words.error(format!("'{name}' is not a score"), "Write a number, inf or -inf before the colon.")
            );
        }
        None => None,
    };
    if score.is_some() || words.peek() == Some("rule") {
        let rule = if words.take("rule") { Some(rule(words)?) } else { None };
        let set = NvSet { id: set.unwrap_or_default(), score, rule, pairs: pairs(words), ..NvSet::default() };
        if set.pairs.is_empty() {
            return Err(words.error("nothing is said to be set", "Write NAME=VALUE."));
        }
        return Ok(Change::PutSet { section, set });
    }
    let mut changed: Vec<(String, Option<String>)> = Vec::new();
    while let Some((name, value)) = peek_assignment(words) {
        words.once(name == "$id" || changed.iter().any(|(known, _)| *known == name), &name)?;
        words.skip();
        changed.push((name, Some(value).filter(|value| !value.is_empty())));
    }
    if changed.is_empty() && set.is_none() {
        return Err(words.error("nothing is said to be set", "Write NAME=VALUE, or NAME= to remove it."));
    }
    Ok(Change::SetProperties { section, set, pairs: changed })
}

/// Reads `RSC[:ROLE] INTERVAL[:TIMEOUT]`: an operation that is added to a resource.
pub(super) fn monitor(words: &mut Words) -> Result<Change, SyntaxError> {
    let subject = words.expect("a resource")?;
    let (resource, role) = match subject.text.split_once(':') {
        Some((resource, role)) => (resource.to_owned(), Some(role.to_owned())),
        None => (subject.text.clone(), None),
    };
    let times = words.expect("an interval such as 10s, perhaps with a timeout: 10s:30s")?;
    let (interval, timeout) = match times.text.split_once(':') {
        Some((interval, timeout)) => (interval, Some(timeout)),
        None => (times.text.as_str(), None),
    };
    for time in [Some(interval), timeout].into_iter().flatten() {
        if parse_duration_ms(time).is_none() {
            return Err(times.error(
                format!("{} is not a time", times.quoted()),
                "Write INTERVAL or INTERVAL:TIMEOUT, such as 10s:30s.",
            ));
        }
    }
    let mut operation = Operation { name: "monitor".to_owned(), interval: interval.to_owned(), ..Operation::default() };
    operation.options.extend(role.map(|role| ("role".to_owned(), role)));
    operation.options.extend(timeout.map(|timeout| ("timeout".to_owned(), timeout.to_owned())));
    Ok(Change::AddOperation { resource, operation })
}

/// Reads `[$id=ID | ID:] NAME[:KIND] [attributes ...] [utilization ...]`.
pub(super) fn node(words: &mut Words) -> Result<Node, SyntaxError> {
    let mut node = Node { id: take_option(words, "$id").unwrap_or_default(), ..Node::default() };
    if let Some(id) = words.peek().and_then(|word| word.strip_suffix(':')) {
        node.id = id.to_owned();
        words.skip();
    }
    let name = words.expect("the name of the node")?;
    match name.text.split_once(':') {
        Some((uname, kind @ ("member" | "normal" | "ping" | "remote"))) => {
            node.uname = uname.to_owned();
            node.kind = Some(kind.to_owned());
        }
        Some(_) => {
            return Err(
                name.error(format!("{} is no node", name.quoted()), "Write NAME, or NAME:member or NAME:remote.")
            );
        }
        None => node.uname.clone_from(&name.text),
    }
    take_option(words, "description");
    if peek_assignment(words).is_some() {
        node.attributes.push(NvSet { pairs: pairs(words), ..NvSet::default() });
    }
    while let Some(token) = words.next() {
        match token.text.as_str() {
            "attributes" => node.attributes.push(block(words)?),
            "utilization" => node.utilization.push(block(words)?),
            _ => {
                return Err(token.error(
                    format!("{} has no place here", token.quoted()),
                    "Blocks of a node begin with attributes or utilization.",
                ));
            }
        }
    }
    Ok(node)
}

/// Reads `ID[:] OBJECT OBJECT...`.
pub(super) fn tag(words: &mut Words) -> Result<Tag, SyntaxError> {
    let id = words.id("the id of the tag")?;
    let id = id.strip_suffix(':').map_or_else(|| id.clone(), str::to_owned);
    let mut members = Vec::new();
    while !words.is_done() {
        members.push(words.id("an object")?);
    }
    if members.is_empty() {
        return Err(words.error("a tag needs members", "Write 'tag ID OBJECT OBJECT...'."));
    }
    Ok(Tag { id, members })
}

/// Reads `[NODE:] DEVICE[,DEVICE] ...`, a level a word, for one node after the other. Levels get their ids where they are put.
pub(super) fn fencing_topology(words: &mut Words) -> Result<Vec<FencingLevel>, SyntaxError> {
    let mut levels: Vec<FencingLevel> = Vec::new();
    // Until a target is named, the levels are for every node there is.
    let mut target = FencingTarget::Node(String::new());
    while let Some(token) = words.next() {
        if let Some(pattern) = token.text.strip_prefix("pattern:") {
            target = FencingTarget::Pattern(pattern.to_owned());
            continue;
        }
        if let Some((name, value)) = token.text.strip_prefix("attr:").and_then(|attribute| attribute.split_once('=')) {
            target = FencingTarget::Attribute(name.to_owned(), value.to_owned());
            continue;
        }
        if let Some(node) = token.text.strip_suffix(':') {
            target = FencingTarget::Node(node.to_owned());
            continue;
        }
        // Values of one attribute are counted together, as crm does.
        let same = |other: &FencingTarget| match (other, &target) {
            (FencingTarget::Attribute(one, _), FencingTarget::Attribute(other, _)) => one == other,
            _ => *other == target,
        };
        let index = levels.iter().filter(|level| same(&level.target)).count() + 1;
        let Some(index) = u8::try_from(index).ok().filter(|&index| index <= 9) else {
            return Err(token.error("a node has at most nine levels", "Join devices of one level with commas."));
        };
        let devices = token.text.split(',').filter(|device| !device.is_empty()).map(str::to_owned).collect();
        levels.push(FencingLevel { id: String::new(), target: target.clone(), index, devices });
    }
    if levels.is_empty() {
        return Err(words.error("a topology needs levels", "Write 'fencing_topology NODE: DEVICE DEVICE'."));
    }
    Ok(levels)
}
