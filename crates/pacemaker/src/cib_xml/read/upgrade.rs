//! What schemas before 3.0 said in another place.

use hac_model::{Cib, Configuration, NvPair, NvSet};

/// Cluster properties that became defaults of resources or operations: old name, new name, whether of operations.
const MOVED: [(&str, &str, bool); 3] = [
    ("default-resource-stickiness", "resource-stickiness", false),
    ("is-managed-default", "is-managed", false),
    ("default-action-timeout", "timeout", true),
];

/// Moves old constructs to where today's schema has them.
pub(super) fn upgrade(cib: &mut Cib) {
    if cib.info.validate_with.as_deref().is_some_and(before_3_0) {
        for (old, new, of_operations) in MOVED {
            move_property(&mut cib.configuration, old, new, of_operations);
        }
    }
}

/// Whether a schema's name is `pacemaker-` and a version below 3.0, or older still.
fn before_3_0(schema: &str) -> bool {
    match schema.strip_prefix("pacemaker-") {
        Some(version) => version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|m| m < 3),
        None => schema == "transitional-0.6",
    }
}

fn move_property(configuration: &mut Configuration, old: &str, new: &str, of_operations: bool) {
    let mut value = None;
    for set in &mut configuration.crm_config {
        if let Some(found) = set.get(old).map(str::to_owned) {
            value.get_or_insert(found);
        }
        set.pairs.retain(|pair| pair.name != old);
    }
    let Some(value) = value else { return };
    let (sets, section) = if of_operations {
        (&mut configuration.op_defaults, "op_defaults")
    } else {
        (&mut configuration.rsc_defaults, "rsc_defaults")
    };
    let set_id = format!("cib-bootstrap-options-{section}");
    let pair = NvPair { id: format!("{set_id}-{new}"), name: new.to_owned(), value: Some(value), ..NvPair::default() };
    match sets.iter_mut().find(|set| set.id == set_id) {
        Some(set) => set.pairs.push(pair),
        None => sets.push(NvSet { id: set_id, pairs: vec![pair], ..NvSet::default() }),
    }
}
