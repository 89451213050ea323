//! Clones and their instances.

use std::rc::Rc;

use crate::facts::{Blocks, CloneData, Variant};
use crate::ids::RscIdx;
use crate::influence::Influence;
use crate::reading::Reading;
use hac_model::{Clone as ConfiguredClone, INFINITY, parse_bool};

use super::resource::{self, count, create};
use super::{Prepared, prepare};

/// More instances than this are not made of one clone, whatever `clone-max` says.
const INSTANCE_LIMIT: usize = 1_000;

/// Adds a clone with its instances.
pub(super) fn add_clone(reading: &mut Reading<'_>, clone: &ConfiguredClone) -> Option<RscIdx> {
    let Some(prepared) = prepare::prepare(reading, &clone.child) else {
        reading.warn(format!("clone {} has nothing to copy", clone.id));
        return None;
    };
    let blocks = Blocks {
        params: reading.index.sets(&clone.params),
        meta: reading.index.sets(&clone.meta),
        attributes: clone.attributes.clone(),
        ..Blocks::default()
    };
    Some(build(reading, &clone.id, blocks, Rc::new(prepared), None, clone.legacy_master))
}

/// Builds a clone of `prepared` as part of `parent`.
pub(super) fn build(
    reading: &mut Reading<'_>,
    id: &str,
    blocks: Blocks,
    prepared: Rc<Prepared>,
    parent: Option<RscIdx>,
    legacy_master: bool,
) -> RscIdx {
    let variant = Variant::Clone(CloneData {
        child_id: prepared.id().to_owned(),
        template: Some(Rc::clone(&prepared)),
        ..CloneData::default()
    });
    let rsc = create(reading, id, &Rc::new(blocks), variant, parent, None);
    let flag = |name: &str| reading.rsc[rsc].meta.get(name).and_then(|v| parse_bool(v));
    let promotable = flag("promotable").unwrap_or(legacy_master);
    let node_max = count(reading, rsc, &["clone-node-max"]).unwrap_or(1);
    let nodes = reading.nodes.len();
    let mut unique = flag("globally-unique").unwrap_or(node_max > 1);
    let mut max = count(reading, rsc, &["clone-max"]).unwrap_or_else(|| nodes.max(1)).min(INSTANCE_LIMIT);
    if unique && !supports_unique(&prepared) {
        reading.warn(format!("clone {id}: instances of this agent cannot be told apart"));
        unique = false;
        max = max.min(nodes);
    }
    let (interleave, ordered) = (flag("interleave").unwrap_or(false), flag("ordered").unwrap_or(false));
    let promoted_max = count(reading, rsc, &["promoted-max", "master-max"]).unwrap_or(1);
    let promoted_node_max = count(reading, rsc, &["promoted-node-max", "master-node-max"]).unwrap_or(1);
    let entry = &mut reading.rsc[rsc];
    entry.is.facts.write().unique = unique;
    entry.is.facts.write().promotable = promotable;
    if let Variant::Clone(data) = &mut entry.facts.write().variant {
        data.max = max;
        data.node_max = if unique { node_max } else { 1 };
        data.promoted_max = promoted_max;
        data.promoted_node_max = promoted_node_max;
        data.interleave = interleave;
        data.ordered = ordered;
    }
    // Target roles read before it was known that the clone is promotable are read again.
    let role = entry.meta.get("target-role").map(String::as_str);
    entry.next_role = resource::target_role(role, promotable);
    if !entry.meta.contains_key("resource-stickiness") {
        entry.facts.write().meta.insert("resource-stickiness".into(), "1".into());
        entry.facts.write().stickiness = 1;
    }
    for _ in 0..max {
        add_instance(reading, rsc, false);
    }
    if max == 0 {
        add_instance(reading, rsc, true);
    }
    resource::allow_nodes(reading, rsc);
    rsc
}

/// Whether instances of this can be told apart by number.
fn supports_unique(prepared: &Prepared) -> bool {
    let supports = |blocks: &Blocks| matches!(blocks.agent.class.as_str(), "ocf" | "stonith");
    match prepared {
        Prepared::Primitive(_, blocks) => supports(blocks),
        Prepared::Group(_, _, members) => members.iter().all(|(_, blocks)| supports(blocks)),
    }
}

/// Adds one more instance to a clone; a removed one if it is one too many.
pub(crate) fn add_instance(reading: &mut Reading<'_>, clone: RscIdx, removed: bool) -> RscIdx {
    let (prepared, number) = match &mut reading.rsc[clone].facts.write().variant {
        Variant::Clone(data) => {
            data.made += 1;
            (data.template.clone(), data.made - 1)
        }
        _ => (None, 0),
    };
    // Only clones are asked for instances, and every clone knows what it copies.
    let prepared = prepared.unwrap_or_else(|| Rc::new(Prepared::Primitive(String::new(), Rc::default())));
    let instance = resource::add(reading, &prepared, Some(clone), Some(number));
    reading.rsc[clone].children.push(instance);
    if removed {
        mark_removed(reading, instance);
        let why = reading.because(|_| Influence::Removed);
        reading.add_score(instance, None, -INFINITY, &why);
    }
    instance
}

/// Marks a resource and its members as no longer configured.
pub(crate) fn mark_removed(reading: &mut Reading<'_>, rsc: RscIdx) {
    reading.rsc[rsc].is.facts.write().removed = true;
    for at in 0..reading.rsc[rsc].children.len() {
        let child = reading.rsc[rsc].children[at];
        mark_removed(reading, child);
    }
}
