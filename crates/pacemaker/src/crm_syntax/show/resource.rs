//! Resources.

use std::collections::BTreeMap;

use hac_model::{Agent, Bundle, Clone as CloneResource, Group, NvSet, Operation, Primitive, Resource};

use super::attributes::{Referred, Unspeakable, assignment, block, value, word};
use super::paragraph;
use crate::crm_syntax::parse::{OPERATION_OPTIONS, TECHNOLOGIES};
use crate::crm_syntax::xml_form;

/// Writes a resource, as XML if the language has no words for it.
pub(super) fn resource(resource: &Resource, referred: &Referred) -> String {
    let lines = match resource {
        Resource::Primitive(r) => primitive("primitive", r, referred),
        Resource::Template(r) => primitive("rsc_template", &r.0, referred),
        Resource::Group(r) => group(r, referred),
        Resource::Clone(r) => clone(r, referred),
        Resource::Bundle(r) => bundle(r, referred),
    };
    match lines {
        Ok(lines) => paragraph(&lines),
        Err(Unspeakable) => xml_form::resource(resource),
    }
}

fn primitive(keyword: &str, primitive: &Primitive, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if !primitive.attributes.is_empty() {
        return Err(Unspeakable);
    }
    let agent = match &primitive.template {
        Some(template) => format!("@{}", word(template)?),
        None => agent(&primitive.agent)?,
    };
    let mut lines = vec![format!("{keyword} {} {agent}", word(&primitive.id)?)];
    description(primitive.description.as_ref(), &mut lines)?;
    blocks("params", &primitive.params, referred, &mut lines)?;
    blocks("meta", &primitive.meta, referred, &mut lines)?;
    blocks("utilization", &primitive.utilization, referred, &mut lines)?;
    let ids = [("$id", &primitive.operations_id), ("$id-ref", &primitive.operations_id_ref)];
    for (name, id) in ids {
        if let Some(id) = id {
            lines.push(format!("operations {}", assignment(name, id)?));
        }
    }
    for operation in &primitive.operations {
        self::operation(operation, referred, &mut lines)?;
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

fn blocks(keyword: &str, sets: &[NvSet], referred: &Referred, lines: &mut Vec<String>) -> Result<(), Unspeakable> {
    for set in sets {
        lines.push(block(keyword, set, referred)?);
    }
    Ok(())
}

fn operation(operation: &Operation, referred: &Referred, lines: &mut Vec<String>) -> Result<(), Unspeakable> {
    // Read again, any other would go to the agent.
    if operation.options.keys().any(|name| !OPERATION_OPTIONS.contains(&name.as_str())) {
        return Err(Unspeakable);
    }
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
            lines.push(block(keyword, set, referred)?);
        }
    }
    Ok(())
}

fn group(group: &Group, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if !group.attributes.is_empty() || group.members.is_empty() {
        return Err(Unspeakable);
    }
    let members = group.members.iter().map(|m| word(&m.id)).collect::<Result<Vec<_>, _>>()?;
    let mut lines = vec![format!("group {} {}", word(&group.id)?, members.join(" "))];
    description(group.description.as_ref(), &mut lines)?;
    blocks("meta", &group.meta, referred, &mut lines)?;
    blocks("params", &group.params, referred, &mut lines)?;
    Ok(lines)
}

/// A bundle whose primitive is shown by itself.
pub(super) fn bundle(bundle: &Bundle, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    let named = |inner: &Primitive| !inner.id.is_empty() && inner.attributes.is_empty();
    let speakable = bundle.attributes.is_empty()
        && bundle.params.is_empty()
        && bundle.container.contains_key("image")
        && TECHNOLOGIES.contains(&bundle.technology.as_str())
        && bundle.primitive.as_ref().is_none_or(named);
    if !speakable {
        return Err(Unspeakable);
    }
    let mut lines = vec![format!("bundle {}", word(&bundle.id)?)];
    description(bundle.description.as_ref(), &mut lines)?;
    lines.push(format!("{}{}", bundle.technology, assignments(&bundle.container)?));
    if !bundle.network.is_empty() || !bundle.ports.is_empty() {
        let mut line = format!("network{}", assignments(&bundle.network)?);
        for port in &bundle.ports {
            line.push_str(&format!(" port-mapping{}", assignments(port)?));
        }
        lines.push(line);
    }
    if !bundle.storage.is_empty() {
        let mut line = "storage".to_owned();
        for mapping in &bundle.storage {
            line.push_str(&format!(" storage-mapping{}", assignments(mapping)?));
        }
        lines.push(line);
    }
    blocks("meta", &bundle.meta, referred, &mut lines)?;
    if let Some(inner) = &bundle.primitive {
        lines.push(format!("primitive {}", word(&inner.id)?));
    }
    Ok(lines)
}

fn assignments(of: &BTreeMap<String, String>) -> Result<String, Unspeakable> {
    let mut text = String::new();
    for (name, value) in of {
        text.push_str(&format!(" {}", assignment(name, value)?));
    }
    Ok(text)
}

fn clone(clone: &CloneResource, referred: &Referred) -> Result<Vec<String>, Unspeakable> {
    if !clone.attributes.is_empty() {
        return Err(Unspeakable);
    }
    let keyword = if clone.legacy_master { "ms" } else { "clone" };
    let mut lines = vec![format!("{keyword} {} {}", word(&clone.id)?, word(clone.child.id())?)];
    description(clone.description.as_ref(), &mut lines)?;
    blocks("meta", &clone.meta, referred, &mut lines)?;
    blocks("params", &clone.params, referred, &mut lines)?;
    Ok(lines)
}
