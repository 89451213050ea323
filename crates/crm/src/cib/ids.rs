//! Ids of what is inside objects, made as crm makes them: `FloatIP-instance_attributes-do_token`, `Nginx-monitor-10s`.

use std::collections::{BTreeMap, BTreeSet};

use super::Object;
use hac_model::{
    Alert, Bundle, Configuration, Constraint, Expression, LocationSubject, LocationTarget, Node, Notice, NvSet,
    Operation, Primitive, Resource, ResourceSet, Rule,
};

/// Gives every part of the configuration that has no id one.
pub(super) fn fill_configuration(configuration: &mut Configuration) {
    let Configuration { crm_config, rsc_defaults, op_defaults, nodes, resources, constraints, alerts, notices, .. } =
        configuration;
    for (sets, id) in
        [(crm_config, hac_model::BOOTSTRAP_OPTIONS), (rsc_defaults, "rsc-options"), (op_defaults, "op-options")]
    {
        fill_sets(sets, id);
    }
    for node in nodes {
        fill_node(node);
    }
    resources.iter_mut().for_each(fill_resource);
    constraints.iter_mut().for_each(fill_constraint);
    alerts.iter_mut().for_each(fill_alert);
    notices.iter_mut().for_each(fill_notice);
}

/// Gives every part of `object` that has no id one.
pub(super) fn fill_object(object: &mut Object) {
    match object {
        Object::Primitive(primitive) => fill_primitive(primitive),
        Object::Template(template) => fill_primitive(&mut template.0),
        Object::Group(group) => fill_attributes(&group.id, &mut group.params, &mut group.meta),
        Object::Clone(clone) => fill_attributes(&clone.id, &mut clone.params, &mut clone.meta),
        Object::Bundle(bundle) => {
            fill_attributes(&bundle.id, &mut bundle.params, &mut bundle.meta);
            fill_mappings(bundle);
            bundle.primitive.iter_mut().for_each(fill_primitive);
        }
        Object::Constraint(constraint) => fill_constraint(constraint),
        // A node's id may have to be looked up first.
        Object::Alert(alert) => fill_alert(alert),
        Object::Notice(notice) => fill_notice(notice),
        Object::Node(_) | Object::Tag(_) | Object::FencingLevel(_) => {}
    }
}

fn fill_alert(alert: &mut Alert) {
    let Alert { id, attributes, meta, select, recipients, .. } = alert;
    fill_attributes(id, attributes, meta);
    let mut used: BTreeSet<String> = select.names.iter().map(|selected| selected.id.clone()).collect();
    for selected in select.names.iter_mut().filter(|selected| selected.id.is_empty()) {
        selected.id = (0..).map(|number| format!("{id}-{number}")).find(|id| !used.contains(id)).unwrap_or_default();
        used.insert(selected.id.clone());
    }
    let mut used: BTreeSet<String> = recipients.iter().map(|recipient| recipient.id.clone()).collect();
    for recipient in recipients {
        if recipient.id.is_empty() {
            recipient.id = (1..)
                .map(|number| format!("{id}-recipient-{number}"))
                .find(|id| !used.contains(id))
                .unwrap_or_default();
            used.insert(recipient.id.clone());
        }
        fill_attributes(&recipient.id, &mut recipient.attributes, &mut recipient.meta);
    }
}

fn fill_notice(notice: &mut Notice) {
    fill_attributes(&notice.id, &mut notice.params, &mut []);
}

fn fill_resource(resource: &mut Resource) {
    match resource {
        Resource::Primitive(primitive) => fill_primitive(primitive),
        Resource::Template(template) => fill_primitive(&mut template.0),
        Resource::Group(group) => {
            fill_attributes(&group.id, &mut group.params, &mut group.meta);
            group.members.iter_mut().for_each(fill_primitive);
        }
        Resource::Clone(clone) => {
            fill_attributes(&clone.id, &mut clone.params, &mut clone.meta);
            fill_resource(&mut clone.child);
        }
        Resource::Bundle(bundle) => {
            fill_attributes(&bundle.id, &mut bundle.params, &mut bundle.meta);
            fill_mappings(bundle);
            bundle.primitive.iter_mut().for_each(fill_primitive);
        }
    }
}

/// Gives the mappings of a bundle ids, one after the other.
fn fill_mappings(bundle: &mut Bundle) {
    let of = |mapping: &BTreeMap<String, String>| mapping.get("id").cloned();
    let mut used: BTreeSet<String> = bundle.ports.iter().chain(&bundle.storage).filter_map(of).collect();
    for mapping in bundle.ports.iter_mut().chain(&mut bundle.storage).filter(|mapping| !mapping.contains_key("id")) {
        let free = (0..).map(|number| format!("{}-{number}", bundle.id)).find(|id| !used.contains(id));
        let id = free.unwrap_or_default();
        used.insert(id.clone());
        mapping.insert("id".to_owned(), id);
    }
}

/// Gives the pairs and the rule of a set that has an id ids of their own.
pub(super) fn fill_set(set: &mut NvSet) {
    fill_sets(std::slice::from_mut(set), "");
}

/// Gives the blocks and operations of a primitive that have no id one.
pub(super) fn fill_primitive(primitive: &mut Primitive) {
    let Primitive { id, params, meta, utilization, operations, operations_id, .. } = primitive;
    fill_attributes(id, params, meta);
    fill_sets(utilization, &format!("{id}-utilization"));
    let mut used: BTreeSet<String> = operations.iter().map(|op| op.id.clone()).collect();
    let owner = operations_id.as_ref().unwrap_or(id);
    for operation in operations {
        if operation.id.is_empty() {
            operation.id = operation_id(owner, operation, &used);
            used.insert(operation.id.clone());
        }
        fill_attributes(&operation.id, &mut operation.params, &mut operation.meta);
    }
}

fn operation_id(owner: &str, operation: &Operation, used: &BTreeSet<String>) -> String {
    let interval = if operation.interval.is_empty() { "0" } else { &operation.interval };
    unused(&format!("{owner}-{}-{interval}", operation.name), used)
}

fn fill_attributes(owner: &str, params: &mut [NvSet], meta: &mut [NvSet]) {
    fill_sets(params, &format!("{owner}-instance_attributes"));
    fill_sets(meta, &format!("{owner}-meta_attributes"));
}

/// Gives the blocks and pairs of a node ids.
pub(super) fn fill_node(node: &mut Node) {
    let Node { id, uname, attributes, utilization, .. } = node;
    let owner = if is_id(uname) { uname.clone() } else { format!("nodes-{id}") };
    fill_sets(attributes, &format!("{owner}-instance_attributes"));
    fill_sets(utilization, &format!("{owner}-utilization"));
}

/// Ids for blocks and pairs that have none: the first of a kind has the plain `id`.
fn fill_sets(sets: &mut [NvSet], id: &str) {
    let mut used: BTreeSet<String> = sets.iter().map(|set| set.id.clone()).collect();
    for set in sets {
        if set.id.is_empty() && set.id_ref.is_none() {
            set.id = unused(id, &used);
            used.insert(set.id.clone());
        }
        if let Some(rule) = &mut set.rule {
            fill_rule(&set.id, &mut BTreeSet::new(), rule);
        }
        let mut used: BTreeSet<String> = set.pairs.iter().map(|pair| pair.id.clone()).collect();
        for pair in &mut set.pairs {
            if pair.id.is_empty() && pair.id_ref.is_none() {
                pair.id = unused(&pair_id(&set.id, &pair.name), &used);
                used.insert(pair.id.clone());
            }
        }
    }
}

/// Id of the pair `name` in the block `set`; what may not stand in an id becomes a dot.
pub(super) fn pair_id(set: &str, name: &str) -> String {
    let name: String = name.chars().map(|c| if is_id_char(c) { c } else { '.' }).collect();
    format!("{set}-{name}")
}

fn fill_constraint(constraint: &mut Constraint) {
    match constraint {
        Constraint::Location(location) => {
            if let LocationTarget::Rules(rules) = &mut location.target {
                fill_rules(&location.id, rules);
            }
            fill_rules(&location.id, &mut location.lifetime);
            if let LocationSubject::Sets(sets) = &mut location.subject {
                fill_resource_sets(&location.id, sets);
            }
        }
        Constraint::Colocation(colocation) => {
            fill_rules(&colocation.id, &mut colocation.lifetime);
            fill_resource_sets(&colocation.id, &mut colocation.sets);
        }
        Constraint::Order(order) => fill_resource_sets(&order.id, &mut order.sets),
        Constraint::Ticket(ticket) => fill_resource_sets(&ticket.id, &mut ticket.sets),
    }
}

fn fill_resource_sets(owner: &str, sets: &mut [ResourceSet]) {
    for (index, set) in sets.iter_mut().enumerate() {
        if set.id.is_empty() && set.id_ref.is_none() {
            set.id = format!("{owner}-{index}");
        }
    }
}

fn fill_rules(owner: &str, rules: &mut [Rule]) {
    let mut used = rules.iter().map(|rule| rule.id.clone()).collect();
    rules.iter_mut().for_each(|rule| fill_rule(owner, &mut used, rule));
}

fn fill_rule(owner: &str, used: &mut BTreeSet<String>, rule: &mut Rule) {
    if rule.id.is_empty() && rule.id_ref.is_none() {
        rule.id = unused(&format!("{owner}-rule"), used);
        used.insert(rule.id.clone());
    }
    let mut inside = BTreeSet::new();
    for (index, expression) in rule.expressions.iter_mut().enumerate() {
        match expression {
            Expression::Rule(inner) => fill_rule(&rule.id, &mut inside, inner),
            Expression::Attribute { id, .. }
            | Expression::Date { id, .. }
            | Expression::Resource { id, .. }
            | Expression::Operation { id, .. } => {
                if id.is_empty() {
                    *id = numbered(&format!("{}-expression", rule.id), index);
                }
            }
        }
        if let Expression::Date { id, duration, spec, .. } = expression {
            for (part, name) in [(duration, "duration"), (spec, "date_spec")] {
                if let Some(part) = part {
                    part.entry("id".to_owned()).or_insert_with(|| format!("{id}-{name}"));
                }
            }
        }
    }
}

/// The first of a kind has the plain id.
fn numbered(id: &str, index: usize) -> String {
    if index == 0 { id.to_owned() } else { format!("{id}-{}", index - 1) }
}

pub(super) fn unused(id: &str, used: &BTreeSet<String>) -> String {
    if !used.contains(id) {
        return id.to_owned();
    }
    let mut number = 0_u32;
    loop {
        let candidate = format!("{id}-{number}");
        if !used.contains(&candidate) {
            return candidate;
        }
        number += 1;
    }
}

/// Whether `id` may be the id of an object: a letter or underscore, then letters, digits, `-`, `_`, `.`.
pub(super) fn is_id(id: &str) -> bool {
    id.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') && id.chars().all(is_id_char)
}

fn is_id_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}
