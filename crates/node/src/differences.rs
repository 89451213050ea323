//! What one configuration has that another one has not, by name. Values are not told: some are secret.

use std::collections::BTreeMap;

use hac_model::{Configuration, NvSet};
use serde::Serialize;

use crate::cluster::ClusterConfig;

/// The objects and values of `of` that are not in `than`, or are something else there: one name each, in order.
#[must_use]
pub fn differences(of: &Configuration, than: &Configuration) -> Vec<String> {
    let (of, than) = (parts(of), parts(than));
    of.into_iter().filter(|(name, form)| than.get(name) != Some(form)).map(|(name, _)| name).collect()
}

/// What a state that is given up for another has that the other has not, and what it does not have. Of the latter nobody knows
/// any more whether it was deleted in the one or is new in the other.
pub(crate) fn given_up(state: &Configuration, other: &Configuration) -> Vec<String> {
    let own = parts(state);
    let only_there = parts(other).into_keys().filter(|name| !own.contains_key(name));
    let mut all = differences(state, other);
    all.extend(only_there.map(|name| format!("{name} (deleted here, or new there)")));
    all
}

/// What the cluster as such has in one state that it has not in another with this configuration, by name.
pub(crate) fn of_clusters(of: &ClusterConfig, than: &ClusterConfig, configuration: &Configuration) -> Vec<String> {
    let mut all = Vec::new();
    for node in &of.nodes {
        let there = than.nodes.iter().find(|other| other.id == node.id);
        let was_there = than.nodes.is_empty() && configuration.nodes.iter().any(|known| known.uname == node.name);
        let is_gone = than.retired.iter().any(|gone| gone.id == node.id);
        if there.is_none() && !was_there && !is_gone {
            all.push(format!("node {} (added)", node.name));
        } else if there.is_some_and(|there| there != node) {
            all.push(format!("node {} (changed)", node.name));
        }
    }
    let removed = of.retired.iter().filter(|gone| than.retired.iter().all(|other| other.id != gone.id));
    all.extend(removed.map(|gone| format!("node {} (removed)", gone.name)));
    if of.level != than.level {
        all.push(format!("level {}", of.level));
    }
    all
}

/// Every part by its name, with its form.
fn parts(configuration: &Configuration) -> BTreeMap<String, Vec<u8>> {
    let mut parts = BTreeMap::new();
    let mut add = |name: String, form: Vec<u8>| {
        parts.insert(name, form);
    };
    let c = configuration;
    for (kind, sets) in
        [("property", &c.crm_config), ("rsc_defaults", &c.rsc_defaults), ("op_defaults", &c.op_defaults)]
    {
        values(kind, sets, &mut add);
    }
    c.nodes.iter().for_each(|o| add(format!("node {}", o.uname), form(o)));
    c.resources.iter().for_each(|o| add(o.id().to_owned(), form(o)));
    c.constraints.iter().for_each(|o| add(o.id().to_owned(), form(o)));
    c.fencing_topology.iter().for_each(|o| add(format!("fencing level {}", o.id), form(o)));
    c.tags.iter().for_each(|o| add(format!("tag {}", o.id), form(o)));
    c.alerts.iter().for_each(|o| add(format!("alert {}", o.id), form(o)));
    c.notices.iter().for_each(|o| add(format!("notice {}", o.id), form(o)));
    parts
}

fn values(kind: &str, sets: &[NvSet], add: &mut impl FnMut(String, Vec<u8>)) {
    for set in sets {
        for pair in &set.pairs {
            add(format!("{kind} {}", pair.name), form(&(&set.id, &set.rule, &pair.value)));
        }
    }
}

fn form<T: Serialize>(value: &T) -> Vec<u8> {
    hac_wire::to_vec(value).unwrap_or_default()
}
