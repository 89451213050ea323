//! Primitives, templates, groups and clones.

use std::collections::BTreeSet;

use hac_crm::cib::{CloneDef, GroupDef};
use hac_model::{Agent, NvPair, NvSet, Operation, Primitive, Template};

use super::Words;
use super::attributes::{BLOCKS, block, peek_assignment, peek_pair, take_option};
use crate::crm_syntax::SyntaxError;
use crate::crm_syntax::token::Token;

/// What stands beside name and interval in an operation; all else goes to the agent.
pub(in crate::crm_syntax) const OPERATION_OPTIONS: [&str; 8] =
    ["timeout", "role", "on-fail", "start-delay", "enabled", "interval-origin", "record-pending", "description"];

/// Reads a primitive after its keyword.
pub(super) fn primitive(words: &mut Words) -> Result<Primitive, SyntaxError> {
    let id = id_before_agent(words, "primitive")?;
    let agent = words.expect("an agent such as ocf:heartbeat:nginx, or @TEMPLATE")?;
    let mut primitive = Primitive { id, ..Primitive::default() };
    match agent.text.strip_prefix('@') {
        Some(template) => primitive.template = Some(template.to_owned()),
        None => primitive.agent = self::agent(&agent)?,
    }
    body(words, &mut primitive)?;
    Ok(primitive)
}

/// An id, unless an agent stands in its place.
fn id_before_agent(words: &mut Words, keyword: &str) -> Result<String, SyntaxError> {
    let first = words.peek().unwrap_or_default().to_owned();
    let known = ["ocf:", "systemd:", "lsb:", "service:", "stonith:"];
    if known.iter().any(|class| first.starts_with(class)) {
        let agent = crate::text::printable(&first);
        return Err(words
            .error(format!("the id is missing before the agent '{agent}'"), format!("Write '{keyword} ID {agent}'.")));
    }
    words.id(if keyword == "primitive" { "the id of the primitive" } else { "the id of the template" })
}

/// Reads a template after its keyword.
pub(super) fn template(words: &mut Words) -> Result<Template, SyntaxError> {
    let id = id_before_agent(words, "rsc_template")?;
    let agent = words.expect("an agent such as ocf:heartbeat:nginx")?;
    let mut template = Primitive { id, agent: self::agent(&agent)?, ..Primitive::default() };
    body(words, &mut template)?;
    Ok(Template(template))
}

/// Reads `[CLASS:[PROVIDER:]]TYPE`.
fn agent(token: &Token) -> Result<Agent, SyntaxError> {
    token.text.parse().map_err(|_| {
        token.error(
            format!("invalid agent name {}", token.quoted()),
            "Write CLASS:PROVIDER:TYPE such as ocf:heartbeat:nginx, CLASS:TYPE such as systemd:nginx, or a type alone.",
        )
    })
}

fn body(words: &mut Words, primitive: &mut Primitive) -> Result<(), SyntaxError> {
    primitive.description = take_option(words, "description");
    if peek_assignment(words).is_some() {
        // The word `params` may be left out at first.
        primitive.params.push(block(words)?);
    }
    while let Some(token) = words.next() {
        match token.text.as_str() {
            "params" => primitive.params.push(block(words)?),
            "meta" => primitive.meta.push(block(words)?),
            "utilization" => primitive.utilization.push(block(words)?),
            "operations" => {
                primitive.operations_id = take_option(words, "$id");
                primitive.operations_id_ref = take_option(words, "$id-ref");
            }
            "op" => {
                let operation = operation(words)?;
                let same = |o: &Operation| {
                    o.name == operation.name
                        && o.interval == operation.interval
                        && o.options.get("role") == operation.options.get("role")
                };
                if primitive.operations.iter().any(same) {
                    return Err(token.error(
                        format!(
                            "{} already has a {} op with interval {}",
                            primitive.id, operation.name, operation.interval
                        ),
                        "Give each its own interval.",
                    ));
                }
                primitive.operations.push(operation);
            }
            "op_params" | "op_meta" => {
                let Some(operation) = primitive.operations.last_mut() else {
                    return Err(token.error(format!("{} follows no op", token.quoted()), "Write it after an op."));
                };
                let set = block(words)?;
                if token.text == "op_params" { operation.params.push(set) } else { operation.meta.push(set) }
            }
            _ => return Err(unexpected(&token)),
        }
    }
    Ok(())
}

fn unexpected(token: &Token) -> SyntaxError {
    let near = hac_model::nearest(&token.text, BLOCKS[..7].iter().copied());
    let near = near.map(|near| format!("Did you mean '{near}'? ")).unwrap_or_default();
    token.error(
        format!("{} has no place here", token.quoted()),
        format!("{near}Blocks begin with {}; values with blanks are written in quotes.", BLOCKS[..7].join(", ")),
    )
}

fn operation(words: &mut Words) -> Result<Operation, SyntaxError> {
    let name = words.expect("the name of an operation, such as monitor")?;
    if name.text.contains('=') {
        return Err(name.error("an op begins with its name", "Write 'op monitor interval=10s timeout=20s'."));
    }
    if !name.text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Err(
            name.error(format!("{} is no operation", name.quoted()), "Write 'op monitor interval=10s timeout=20s'.")
        );
    }
    let mut operation = Operation { name: name.text, interval: "0".to_owned(), ..Operation::default() };
    let mut params = Vec::new();
    let mut given = BTreeSet::new();
    while let Some((name, value)) = peek_assignment(words) {
        let ours = name.starts_with('$') || ["interval", "name"].contains(&name.as_str());
        if ours || OPERATION_OPTIONS.contains(&name.as_str()) {
            words.once(!given.insert(name.clone()), &name)?;
        }
        words.skip();
        match name.as_str() {
            "$id" => operation.id = value,
            "$id-ref" => operation.id_ref = Some(value),
            "interval" => operation.interval = value,
            "name" => operation.name = value,
            option if OPERATION_OPTIONS.contains(&option) => {
                operation.options.insert(name, value);
            }
            _ => params.push(NvPair { name, value: Some(value), ..NvPair::default() }),
        }
    }
    if !params.is_empty() {
        operation.params.push(NvSet { pairs: params, ..NvSet::default() });
    }
    Ok(operation)
}

/// Reads a group after its keyword.
pub(super) fn group(words: &mut Words) -> Result<GroupDef, SyntaxError> {
    let mut group = GroupDef { id: words.id("the id of the group")?, ..GroupDef::default() };
    while peek_pair(words).is_some_and(|(_, value)| value.is_none()) {
        let twice = words.peek().is_some_and(|word| group.members.iter().any(|member| member == word));
        if twice {
            let message = format!("member '{}' is named twice in group {}", words.peek().unwrap_or_default(), group.id);
            return Err(words.error(message, "Name each member once."));
        }
        group.members.push(words.id("a member")?);
    }
    if group.members.is_empty() {
        return Err(words.error("a group needs members", "Write 'group ID RSC RSC...'."));
    }
    group.description = take_option(words, "description");
    collective(words, &mut group.params, &mut group.meta)?;
    Ok(group)
}

/// Reads a clone after its keyword; `promotable` if that was `ms`.
pub(super) fn clone(words: &mut Words, promotable: bool) -> Result<CloneDef, SyntaxError> {
    let id = words.id("the id of the clone")?;
    let child = words.id("the resource that is cloned")?;
    let mut clone = CloneDef { id, child, description: take_option(words, "description"), ..CloneDef::default() };
    collective(words, &mut clone.params, &mut clone.meta)?;
    if promotable && !clone.meta.iter().any(|set| set.get("promotable").is_some()) {
        let pair = NvPair { name: "promotable".to_owned(), value: Some("true".to_owned()), ..NvPair::default() };
        match clone.meta.iter_mut().find(|set| set.rule.is_none() && set.id_ref.is_none()) {
            Some(set) => set.pairs.push(pair),
            None => clone.meta.push(NvSet { pairs: vec![pair], ..NvSet::default() }),
        }
    }
    Ok(clone)
}

/// Reads the blocks of a group or clone. Values before the first are parameters, to crm too: the configuration's check tells of
/// those that were meant otherwise.
fn collective(words: &mut Words, params: &mut Vec<NvSet>, meta: &mut Vec<NvSet>) -> Result<(), SyntaxError> {
    if peek_assignment(words).is_some() {
        params.push(block(words)?);
    }
    while let Some(token) = words.next() {
        match token.text.as_str() {
            "params" => params.push(block(words)?),
            "meta" => meta.push(block(words)?),
            _ => {
                return Err(token.error(
                    format!("{} has no place here", token.quoted()),
                    "Write options after 'meta': meta interleave=true.",
                ));
            }
        }
    }
    Ok(())
}
