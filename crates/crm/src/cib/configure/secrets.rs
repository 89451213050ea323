//! What people are shown instead of a secret means "as it was" when it comes back.

use super::super::Refusal;
use super::super::tree::{self, Kind};
use super::Step;
use hac_model::{Configuration, MASK, Notice, NvSet, Primitive, is_secret};

/// Puts the old value wherever a secret is masked. Refuses if there is none.
pub(super) fn keep_masked(old: &Configuration, new: &mut Configuration) -> Step {
    let owners: Vec<String> = tree::walk(&new.resources)
        .into_iter()
        .filter(|item| matches!(item.kind, Kind::Primitive(_) | Kind::Template(_)))
        .map(|item| item.id.to_owned())
        .collect();
    let before = tree::walk(&old.resources);
    for owner in owners {
        let Some(primitive) = tree::primitive_mut(&mut new.resources, &owner) else { continue };
        let same = before.iter().find(|item| item.id == owner).and_then(|item| match item.kind {
            Kind::Primitive(primitive) | Kind::Template(primitive) => Some(primitive),
            Kind::Group | Kind::Clone | Kind::Bundle => None,
        });
        restore(&owner, primitive, same)?;
    }
    for (owner, sets, old) in [
        ("property", &mut new.crm_config, &old.crm_config),
        ("rsc_defaults", &mut new.rsc_defaults, &old.rsc_defaults),
        ("op_defaults", &mut new.op_defaults, &old.op_defaults),
    ] {
        restore_sets(owner, sets, |name| old.iter().find_map(|set| set.get(name)))?;
    }
    for node in &mut new.nodes {
        let same = old.nodes.iter().find(|other| other.uname == node.uname);
        let value = |name: &str| same.and_then(|node| node.attributes.iter().find_map(|set| set.get(name)));
        restore_sets(&node.uname, &mut node.attributes, value)?;
    }
    restore_alerts(old, new)?;
    for notice in &mut new.notices {
        let same = old.notices.iter().find(|other| other.id == notice.id);
        let value = |name: &str| same.and_then(|notice| notice.get(name));
        restore_where(&notice.id, &mut notice.params, Notice::is_secret, value)?;
    }
    Ok(())
}

fn restore_alerts(old: &Configuration, new: &mut Configuration) -> Step {
    for alert in &mut new.alerts {
        let same = old.alerts.iter().find(|other| other.id == alert.id);
        let value = |name: &str| same.and_then(|alert| alert.attributes.iter().find_map(|set| set.get(name)));
        restore_sets(&alert.id, &mut alert.attributes, value)?;
        for recipient in &mut alert.recipients {
            let same = same.and_then(|alert| alert.recipients.iter().find(|other| other.id == recipient.id));
            let value = |name: &str| same.and_then(|other| other.attributes.iter().find_map(|set| set.get(name)));
            restore_sets(&alert.id, &mut recipient.attributes, value)?;
        }
    }
    Ok(())
}

fn restore(owner: &str, primitive: &mut Primitive, old: Option<&Primitive>) -> Step {
    let value = |name: &str| old.and_then(|old| value_of(old, name));
    restore_sets(owner, &mut primitive.params, value)?;
    for operation in &mut primitive.operations {
        restore_sets(owner, &mut operation.params, value)?;
    }
    Ok(())
}

fn restore_sets<'a>(owner: &str, sets: &mut [NvSet], old: impl Fn(&str) -> Option<&'a str>) -> Step {
    restore_where(owner, sets, is_secret, old)
}

fn restore_where<'a>(
    owner: &str,
    sets: &mut [NvSet],
    secret: impl Fn(&str) -> bool,
    old: impl Fn(&str) -> Option<&'a str>,
) -> Step {
    for pair in sets.iter_mut().flat_map(|set| &mut set.pairs) {
        if pair.value.as_deref() != Some(MASK) || !secret(&pair.name) {
            continue;
        }
        let Some(value) = old(&pair.name) else {
            return Err(Refusal::new(
                format!("{owner}: {MASK} is no value for {}, it only stands for one that is there", pair.name),
                format!("give the value: params {}=...", pair.name),
            ));
        };
        pair.value = Some(value.to_owned());
    }
    Ok(())
}

fn value_of<'a>(primitive: &'a Primitive, name: &str) -> Option<&'a str> {
    let of_operations = primitive.operations.iter().flat_map(|operation| &operation.params);
    let find = |set: &'a NvSet| set.get(name);
    primitive.params.iter().chain(of_operations).find_map(find)
}
