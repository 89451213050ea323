//! Configured resources made ready for (repeated) use: templates merged, references followed.

use std::rc::Rc;
use std::sync::Arc;

use crate::facts::{Blocks, Prepared};
use crate::reading::Reading;
use hac_model::{Cib, NvSet, Operation, Primitive, Resource as Configured};

/// Prepares a primitive or group; `None` for anything else, and for a primitive without agent.
pub(super) fn prepare(reading: &mut Reading<'_>, configured: &Configured) -> Option<Prepared> {
    match configured {
        Configured::Primitive(primitive) => {
            Some(Prepared::Primitive(primitive.id.clone(), Rc::new(blocks(reading, primitive)?)))
        }
        Configured::Group(group) => {
            let own = Blocks {
                params: reading.index.sets(&group.params),
                meta: reading.index.sets(&group.meta),
                attributes: group.attributes.clone(),
                ..Blocks::default()
            };
            let mut members = Vec::new();
            for member in &group.members {
                if let Some(blocks) = blocks(reading, member) {
                    members.push((member.id.clone(), Rc::new(blocks)));
                }
            }
            if members.is_empty() {
                reading.warn(format!("group {} has no members", group.id));
                return None;
            }
            Some(Prepared::Group(group.id.clone(), Rc::new(own), members))
        }
        _ => None,
    }
}

/// A primitive's blocks, those of its template included.
fn blocks(reading: &mut Reading<'_>, primitive: &Primitive) -> Option<Blocks> {
    let mut blocks = own_blocks(reading, primitive);
    if let Some(name) = &primitive.template {
        let Some(template) = reading.index.primitive(name) else {
            reading.warn(format!("{}: template {name} does not exist", primitive.id));
            return None;
        };
        if template.id == primitive.id {
            reading.warn(format!("{}: is its own template", primitive.id));
            return None;
        }
        let base = own_blocks(reading, template);
        blocks = merge(base, blocks);
        let users = reading.facts.write().sets.entry(name.clone()).or_default();
        if !users.contains(&primitive.id) {
            users.push(primitive.id.clone());
        }
    }
    if blocks.agent.class.is_empty() {
        reading.warn(format!("{}: has no agent", primitive.id));
        return None;
    }
    Some(blocks)
}

fn own_blocks(reading: &Reading<'_>, primitive: &Primitive) -> Blocks {
    Blocks {
        agent: Arc::new(primitive.agent.clone()),
        params: reading.index.sets(&primitive.params),
        meta: reading.index.sets(&primitive.meta),
        utilization: reading.index.sets(&primitive.utilization),
        operations: reading.index.operations(primitive),
        attributes: primitive.attributes.clone(),
    }
}

/// A template's blocks with a primitive's added. The primitive's operation replaces the template's of the same name and
/// role.
fn merge(mut base: Blocks, own: Blocks) -> Blocks {
    let key = |operation: &Operation| {
        let role = operation.options.get("role").map_or("Started", String::as_str);
        let role = match role {
            "Unpromoted" | "Slave" => "Started",
            other => other,
        };
        (operation.name.clone(), role.to_owned())
    };
    let replaced: Vec<_> = own.operations.iter().map(key).collect();
    base.operations.retain(|operation| !replaced.contains(&key(operation)));
    base.operations.splice(0..0, own.operations);
    let append = |base: &mut Vec<NvSet>, own: Vec<NvSet>| base.splice(0..0, own).for_each(drop);
    append(&mut base.params, own.params);
    append(&mut base.meta, own.meta);
    append(&mut base.utilization, own.utilization);
    for (name, value) in own.attributes {
        base.attributes.insert(name, value);
    }
    if !own.agent.class.is_empty() {
        base.agent = own.agent;
    }
    base
}

/// Whether any resource, or the defaults, ask for unfencing in so many words.
pub(super) fn mentions_unfencing(cib: &Cib) -> bool {
    let asks = |sets: &[NvSet]| {
        sets.iter().flat_map(|set| &set.pairs).any(|pair| {
            matches!(pair.name.as_str(), "provides" | "requires")
                && pair.value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("unfencing"))
        })
    };
    fn primitive(asks: &dyn Fn(&[NvSet]) -> bool, p: &Primitive) -> bool {
        asks(&p.meta)
    }
    fn resource(asks: &dyn Fn(&[NvSet]) -> bool, configured: &hac_model::Resource) -> bool {
        asks(configured.meta())
            || match configured {
                Configured::Group(group) => group.members.iter().any(|member| primitive(asks, member)),
                Configured::Clone(clone) => match &*clone.child {
                    Configured::Group(group) => {
                        asks(&group.meta) || group.members.iter().any(|member| primitive(asks, member))
                    }
                    child => asks(child.meta()),
                },
                Configured::Bundle(bundle) => bundle.primitive.as_ref().is_some_and(|p| primitive(asks, p)),
                _ => false,
            }
    }
    asks(&cib.configuration.rsc_defaults) || cib.configuration.resources.iter().any(|r| resource(&asks, r))
}
