//! What is said twice: a name with two values of which one counts, a member that is in already.

use std::collections::BTreeSet;

use super::super::tree::{self, Kind};
use super::Findings;
use hac_model::{Alert, Configuration, Constraint, LocationSubject, NvSet, Operation, ResourceSet};

pub(super) fn check(configuration: &Configuration, findings: &mut Findings) {
    for set in configuration.crm_config.iter().chain(&configuration.rsc_defaults).chain(&configuration.op_defaults) {
        names(&set.id, std::slice::from_ref(set), findings);
    }
    for node in &configuration.nodes {
        names(&node.uname, &node.attributes, findings);
        names(&node.uname, &node.utilization, findings);
    }
    for item in tree::walk(&configuration.resources) {
        names(item.id, item.meta, findings);
        names(item.id, item.params, findings);
        if let Kind::Primitive(primitive) | Kind::Template(primitive) = item.kind {
            names(item.id, &primitive.utilization, findings);
            primitive.operations.iter().for_each(|operation| options(item.id, operation, findings));
        }
    }
    for constraint in &configuration.constraints {
        match constraint {
            Constraint::Location(c) => {
                if let LocationSubject::Sets(sets) = &c.subject {
                    members(&c.id, sets, findings);
                }
            }
            Constraint::Colocation(c) => members(&c.id, &c.sets, findings),
            Constraint::Order(c) => members(&c.id, &c.sets, findings),
            Constraint::Ticket(c) => members(&c.id, &c.sets, findings),
        }
    }
    for level in &configuration.fencing_topology {
        for device in doubles(level.devices.iter().map(String::as_str)) {
            findings.warning(
                &level.id,
                format!("{device} is named twice in level {}", level.index),
                "name each device of a level once",
            );
        }
    }
    for tag in &configuration.tags {
        for member in doubles(tag.members.iter().map(String::as_str)) {
            findings.warning(&tag.id, format!("{member} is named twice in it"), "name each object once");
        }
    }
    configuration.alerts.iter().for_each(|alert| told(alert, findings));
    configuration.notices.iter().for_each(|notice| names(&notice.id, &notice.params, findings));
}

/// Warns of a name that has two values: only one of them counts.
fn names(subject: &str, sets: &[NvSet], findings: &mut Findings) {
    let of = |set: &NvSet| -> Vec<String> {
        set.pairs.iter().map(|pair| pair.name.clone()).filter(|name| !name.is_empty()).collect()
    };
    // Sets with rules or scores of their own are there to give a name several values.
    let is_plain = |set: &NvSet| set.rule.is_none() && set.score.is_none() && set.id_ref.is_none();
    let plain = sets.iter().filter(|set| is_plain(set)).flat_map(of).collect();
    let others = sets.iter().filter(|set| !is_plain(set)).map(of);
    for name in std::iter::once(plain).chain(others).flat_map(doubles) {
        findings.warning(subject, format!("{name} is given twice, and only one of them counts"), "give it once");
    }
}

fn options(subject: &str, operation: &Operation, findings: &mut Findings) {
    names(subject, &operation.params, findings);
    names(subject, &operation.meta, findings);
    let outside = operation.options.keys().cloned();
    let inside = operation.meta.iter().filter(|set| set.rule.is_none()).flat_map(|set| &set.pairs);
    for name in doubles(outside.chain(inside.map(|pair| pair.name.clone()).collect::<BTreeSet<_>>())) {
        let sentence = format!("{name} of op {} is given twice, and only one of them counts", operation.name);
        findings.warning(subject, sentence, "give it once");
    }
}

/// Warns of a resource that stands more than once in the sets of a constraint, as the same: it would be bound to itself.
fn members(id: &str, sets: &[ResourceSet], findings: &mut Findings) {
    let of = |set: &ResourceSet| -> Vec<(String, Option<String>, Option<String>)> {
        set.members.iter().map(|member| (member.clone(), set.action.clone(), set.role.clone())).collect()
    };
    for (member, ..) in doubles(sets.iter().flat_map(of)) {
        findings.warning(id, format!("{member} is named twice in it"), "name each resource once");
    }
}

fn told(alert: &Alert, findings: &mut Findings) {
    names(&alert.id, &alert.attributes, findings);
    names(&alert.id, &alert.meta, findings);
    for recipient in &alert.recipients {
        names(&alert.id, &recipient.attributes, findings);
        names(&alert.id, &recipient.meta, findings);
    }
    for name in doubles(alert.recipients.iter().map(|recipient| recipient.value.as_str())) {
        findings.warning(&alert.id, format!("{name} is told everything twice"), "name each recipient once");
    }
    for name in doubles(alert.select.names.iter().map(|selected| selected.name.as_str())) {
        findings.warning(&alert.id, format!("{name} is named twice in it"), "name each attribute once");
    }
}

/// What occurs more than once, each once.
fn doubles<T: Ord + Clone>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for item in items {
        if !seen.insert(item.clone()) && !found.contains(&item) {
            found.push(item);
        }
    }
    found
}
