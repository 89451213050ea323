//! Properties, meta-attributes, parameters, node attributes.

use super::super::ids::{self, pair_id};
use super::super::machine::FACTS;
use super::super::observed;
use super::super::tree::{self, Which};
use super::super::{Lifetime, Refusal, Section};
use super::put::unknown_node;
use super::{Draft, Step, unknown};
use crate::fencer::watchdog;
use hac_model::{BOOTSTRAP_OPTIONS, Configuration, NvPair, NvSet, Operation, parse_bool};

/// [`Change::SetProperties`](super::Change::SetProperties).
pub(super) fn set_properties(
    draft: &mut Draft,
    section: Section,
    set: Option<&str>,
    pairs: &[(String, Option<String>)],
) {
    // What the cluster has written itself stays; where no cluster was yet it is taken as it stands.
    let written = |name: &str| draft.cib.configuration.property(name).is_some();
    // Whether there is a watchdog follows from what the nodes have told: that may be written down, and nothing else.
    let is_true = |name: &str, value: Option<&str>| {
        name == "have-watchdog" && value.and_then(parse_bool) == Some(watchdog::is_there(&draft.cib))
    };
    let told: Vec<bool> = pairs.iter().map(|(name, value)| is_true(name, value.as_deref())).collect();
    let facts: Vec<&str> = FACTS.into_iter().filter(|name| section == Section::CrmConfig && written(name)).collect();
    let (sets, default) = sets_of(&mut draft.cib.configuration, section);
    let free = || {
        let names = std::iter::once(default.to_owned()).chain((1_u32..).map(|number| format!("{default}-{number}")));
        // Not one with a rule: what is set one by one must not come under it.
        names.into_iter().find(|id| sets.iter().all(|set| set.id != *id || set.rule.is_none())).unwrap_or_default()
    };
    let id = &set.map_or_else(free, str::to_owned);
    if pairs.is_empty() && set.is_some() && !sets.iter().any(|set| set.id == *id) {
        sets.push(NvSet { id: id.clone(), ..NvSet::default() });
    }
    let mut kept = Vec::new();
    for ((name, value), is_told) in pairs.iter().zip(told) {
        if facts.contains(&name.as_str()) && !is_told {
            kept.push((name, value));
        } else {
            set_in(sets, id, name, value.as_deref());
        }
    }
    for (name, value) in kept {
        if draft.cib.configuration.property(name) != value.as_deref() {
            draft.warn(format!("{name} is set by the cluster itself, it stays as it is"));
        }
    }
}

/// Sets the properties that the cluster itself writes.
pub(super) fn set_facts(draft: &mut Draft, facts: &[(String, Option<String>)]) {
    let (sets, id) = sets_of(&mut draft.cib.configuration, Section::CrmConfig);
    for (name, value) in facts {
        set_in(sets, id, name, value.as_deref());
    }
}

/// The sets of a section, and the id of the one that rules.
fn sets_of(configuration: &mut Configuration, section: Section) -> (&mut Vec<NvSet>, &'static str) {
    match section {
        Section::CrmConfig => (&mut configuration.crm_config, BOOTSTRAP_OPTIONS),
        Section::RscDefaults => (&mut configuration.rsc_defaults, "rsc-options"),
        Section::OpDefaults => (&mut configuration.op_defaults, "op-options"),
    }
}

/// [`Change::PutSet`](super::Change::PutSet).
pub(super) fn put_set(draft: &mut Draft, section: Section, mut set: NvSet) {
    let (sets, default) = sets_of(&mut draft.cib.configuration, section);
    if set.id.is_empty() {
        let taken = |id: &str| sets.iter().any(|known| known.id == id);
        let mut names =
            std::iter::once(default.to_owned()).chain((1_u32..).map(|number| format!("{default}-{number}")));
        set.id = names.find(|id| !taken(id)).unwrap_or_default();
    }
    ids::fill_set(&mut set);
    match sets.iter_mut().find(|known| known.id == set.id) {
        Some(known) => *known = set,
        None => sets.push(set),
    }
}

/// [`Change::AddOperation`](super::Change::AddOperation).
pub(super) fn add_operation(draft: &mut Draft, resource: &str, operation: Operation) -> Step {
    let found = tree::primitive_mut(&mut draft.cib.configuration.resources, resource);
    let Some(primitive) = found else { return Err(unknown(resource)) };
    let role = |operation: &Operation| operation.options.get("role").cloned();
    let same = |other: &Operation| {
        other.name == operation.name && other.interval == operation.interval && role(other) == role(&operation)
    };
    if primitive.operations.iter().any(same) {
        let (name, interval) = (&operation.name, &operation.interval);
        return Err(Refusal::new(
            format!("{resource} already has a {name} op with interval {interval}"),
            "give each its own interval",
        ));
    }
    primitive.operations.push(operation);
    ids::fill_primitive(primitive);
    Ok(())
}

/// [`Change::SetMeta`](super::Change::SetMeta).
pub(super) fn set_meta(draft: &mut Draft, resource: &str, name: &str, value: Option<&str>) -> Step {
    set_of_resource(draft, resource, Which::Meta, name, value)
}

/// [`Change::SetParam`](super::Change::SetParam).
pub(super) fn set_param(draft: &mut Draft, resource: &str, name: &str, value: Option<&str>) -> Step {
    set_of_resource(draft, resource, Which::Params, name, value)
}

fn set_of_resource(draft: &mut Draft, resource: &str, which: Which, name: &str, value: Option<&str>) -> Step {
    if let Some(other) = super::super::contradictions::kind_of(&draft.cib.configuration, resource) {
        return Err(Refusal::new(format!("{resource} is a {other}, and no resource"), "name a resource"));
    }
    let resources = &mut draft.cib.configuration.resources;
    let Some(sets) = tree::sets_mut(resources, resource, which) else { return Err(unknown(resource)) };
    // The block that is there, whatever its id, unless a rule may switch it off.
    let existing = sets.iter().find(|set| set.rule.is_none() && set.id_ref.is_none()).map(|set| set.id.clone());
    let id = existing.unwrap_or_else(|| format!("{resource}-{}", which.suffix()));
    set_in(sets, &id, name, value);
    Ok(())
}

/// [`Change::SetNodeAttribute`](super::Change::SetNodeAttribute).
pub(super) fn set_node_attribute(
    draft: &mut Draft,
    node: &str,
    name: &str,
    value: Option<&str>,
    lifetime: Lifetime,
) -> Step {
    if lifetime == Lifetime::Reboot {
        let changed = observed::set_transient(&mut draft.cib, node, name, value).ok_or_else(|| unknown_node(node))?;
        draft.status |= changed;
        return Ok(());
    }
    let found = draft.cib.configuration.nodes.iter_mut().find(|n| n.uname == node);
    let Some(found) = found else { return Err(unknown_node(node)) };
    let id = format!("nodes-{}", found.id);
    let id = found.attributes.first().map_or(id, |set| set.id.clone());
    set_in(&mut found.attributes, &id, name, value);
    Ok(())
}

/// Sets or removes a pair in the block `id`, which is made if it is not there, and removed when it is empty.
fn set_in(sets: &mut Vec<NvSet>, id: &str, name: &str, value: Option<&str>) {
    let Some(value) = value else {
        if let Some(set) = sets.iter_mut().find(|set| set.id == id) {
            set.pairs.retain(|pair| pair.name != name);
        }
        sets.retain(|set| set.id != id || !set.pairs.is_empty() || set.id_ref.is_some());
        return;
    };
    let index = sets.iter().position(|set| set.id == id).unwrap_or_else(|| {
        sets.push(NvSet { id: id.to_owned(), ..NvSet::default() });
        sets.len() - 1
    });
    let Some(set) = sets.get_mut(index) else { return };
    match set.pairs.iter_mut().find(|pair| pair.name == name) {
        Some(pair) => pair.value = Some(value.to_owned()),
        None => set.pairs.push(NvPair {
            id: pair_id(id, name),
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..NvPair::default()
        }),
    }
}
