//! Resources.

use hac_crm::model::{Agent, Clone as CloneResource, Configuration, Group, NvSet, Operation, Primitive, Resource};

use super::attributes::{Unspeakable, assignment, block, is_referred, value, word};
use super::paragraph;
use crate::crm_syntax::xml_form;

/// Writes a resource, as XML if the language has no words for it.
pub(super) fn resource(resource: &Resource, configuration: &Configuration) -> String {
    let lines = match resource {
        Resource::Primitive(r) => primitive("primitive", r, configuration),
        Resource::Template(r) => primitive("rsc_template", &r.0, configuration),
        Resource::Group(r) => group(r, configuration),
        Resource::Clone(r) => clone(r, configuration),
        Resource::Bundle(_) => Err(Unspeakable),
    };
    match lines {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::resource(resource),
    }
}

fn primitive(keyword: &str, primitive: &Primitive, all: &Configuration) -> Result<Vec<String>, Unspeakable> {
    if !primitive.attributes.is_empty() {
        return Err(Unspeakable);
    }
    let agent = match &primitive.template {
        Some(template) => format!("@{}", word(template)?),
        None => agent(&primitive.agent)?,
    };
    let mut lines = vec![format!("{keyword} {} {agent}", word(&primitive.id)?)];
    description(primitive.description.as_ref(), &mut lines)?;
    blocks("params", &primitive.params, all, &mut lines)?;
    blocks("meta", &primitive.meta, all, &mut lines)?;
    blocks("utilization", &primitive.utilization, all, &mut lines)?;
    let ids = [("$id", &primitive.operations_id), ("$id-ref", &primitive.operations_id_ref)];
    for (name, id) in ids {
        if let Some(id) = id {
            lines.push(format!("operations {}", assignment(name, id)?));
        }
    }
    for operation in &primitive.operations {
        self::operation(operation, &mut lines)?;
    }
    Ok(lines)
}

/// An agent without the parts that go without saying.
fn agent(agent: &Agent) -> Result<String, Unspeakable> {
    let text = match (agent.class.as_str(), agent.provider.as_deref()) {
        ("ocf", Some("heartbeat")) => agent.kind.clone(),
        _ => agent.to_string(),
    };
    if agent.kind.is_empty() || agent.kind.contains(':') {
        return Err(Unspeakable);
    }
    word(&text).map(str::to_owned)
}

fn description(text: Option<&String>, lines: &mut Vec<String>) -> Result<(), Unspeakable> {
    if let Some(text) = text {
        lines.push(format!("description={}", value(text)?));
    }
    Ok(())
}

fn blocks(keyword: &str, sets: &[NvSet], all: &Configuration, lines: &mut Vec<String>) -> Result<(), Unspeakable> {
    for set in sets {
        lines.push(block(keyword, set, |id| is_referred(all, id))?);
    }
    Ok(())
}

fn operation(operation: &Operation, lines: &mut Vec<String>) -> Result<(), Unspeakable> {
    let mut text = format!("op {}", word(&operation.name)?);
    if let Some(id) = &operation.id_ref {
        text.push_str(&format!(" {}", assignment("$id-ref", id)?));
    }
    if let Some(timeout) = operation.options.get("timeout") {
        text.push_str(&format!(" {}", assignment("timeout", timeout)?));
    }
    text.push_str(&format!(" {}", assignment("interval", &operation.interval)?));
    for (name, value) in operation.options.iter().filter(|(name, _)| *name != "timeout") {
        text.push_str(&format!(" {}", assignment(name, value)?));
    }
    lines.push(text);
    for (keyword, sets) in [("op_params", &operation.params), ("op_meta", &operation.meta)] {
        for set in sets {
            lines.push(block(keyword, set, |_| false)?);
        }
    }
    Ok(())
}

fn group(group: &Group, all: &Configuration) -> Result<Vec<String>, Unspeakable> {
    if !group.attributes.is_empty() || group.members.is_empty() {
        return Err(Unspeakable);
    }
    let members = group.members.iter().map(|m| word(&m.id)).collect::<Result<Vec<_>, _>>()?;
    let mut lines = vec![format!("group {} {}", word(&group.id)?, members.join(" "))];
    description(group.description.as_ref(), &mut lines)?;
    blocks("meta", &group.meta, all, &mut lines)?;
    blocks("params", &group.params, all, &mut lines)?;
    Ok(lines)
}

fn clone(clone: &CloneResource, all: &Configuration) -> Result<Vec<String>, Unspeakable> {
    if !clone.attributes.is_empty() {
        return Err(Unspeakable);
    }
    let keyword = if clone.legacy_master { "ms" } else { "clone" };
    let mut lines = vec![format!("{keyword} {} {}", word(&clone.id)?, word(clone.child.id())?)];
    description(clone.description.as_ref(), &mut lines)?;
    blocks("meta", &clone.meta, all, &mut lines)?;
    blocks("params", &clone.params, all, &mut lines)?;
    Ok(lines)
}
