//! A plan as Pacemaker's transition graph, and as a drawing for Graphviz.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hac_model::{Agent, BOOTSTRAP_OPTIONS, Cib, INFINITY, OcfCode, OperationKey, Task, parse_bool};
use hac_scheduler::Drawing;
use hac_scheduler::plan::{Action, ActionKind, Plan, ResourceOp};

use super::execute::is_locally_deleted;
use super::ids::{Names, without_number};
use crate::cib_xml::{Attributes, Writer};

/// Writes the graph. An action's id is its place in the plan.
pub(super) fn xml(plan: &Plan, cib: &Cib, names: &Names) -> String {
    let starts_are_fatal = property(cib, &["start-failure-is-fatal"]).and_then(parse_bool).unwrap_or(true);
    let attributes = Attributes::default()
        .with("cluster-delay", property(cib, &["cluster-delay"]).unwrap_or("60s"))
        .with("fencing-timeout", property(cib, &["fencing-timeout", "stonith-timeout"]).unwrap_or("60s"))
        .with("failed-stop-offset", "INFINITY")
        .with("failed-start-offset", if starts_are_fatal { "INFINITY" } else { "1" })
        .with("transition_id", 1)
        .opt("recheck-by", plan.recheck_by);
    let mut writer = Writer::default();
    writer.element("transition_graph", &attributes, |w| {
        for (index, action) in plan.actions.iter().enumerate() {
            synapse(w, plan, index, action, names);
        }
    });
    writer.finish()
}

/// A cluster property under the first of its names that is set.
fn property<'a>(cib: &'a Cib, names: &[&str]) -> Option<&'a str> {
    let sets = &cib.configuration.crm_config;
    let ruling = sets.iter().filter(|set| set.id == BOOTSTRAP_OPTIONS);
    let others = sets.iter().filter(|set| set.id != BOOTSTRAP_OPTIONS);
    let ordered: Vec<_> = ruling.chain(others).collect();
    names.iter().find_map(|name| ordered.iter().find_map(|set| set.get(name)))
}

fn synapse(w: &mut Writer, plan: &Plan, index: usize, action: &Action, names: &Names) {
    let mut attributes = Attributes::default().with("id", index);
    if action.priority > 0 {
        attributes = attributes.with("priority", action.priority.min(INFINITY));
    }
    w.element("synapse", &attributes, |w| {
        w.element("action_set", &Attributes::default(), |w| {
            w.element(element_name(action), &identity(index, action, names), |w| inside(w, action, names));
        });
        w.element("inputs", &Attributes::default(), |w| {
            for &input in &action.inputs {
                let Some(before) = plan.actions.get(input) else { continue };
                w.element("trigger", &Attributes::default(), |w| {
                    w.empty(element_name(before), &identity(input, before, names));
                });
            }
        });
    });
}

fn element_name(action: &Action) -> &'static str {
    match &action.kind {
        ActionKind::Resource(_) | ActionKind::Cancel(_) => "rsc_op",
        ActionKind::DeleteHistory { .. } if is_locally_deleted(action) => "rsc_op",
        ActionKind::Pseudo => "pseudo_event",
        ActionKind::Fence(_)
        | ActionKind::Shutdown
        | ActionKind::ClearFailCount { .. }
        | ActionKind::DeleteHistory { .. } => "crm_event",
    }
}

/// The attributes by which an action is known.
fn identity(index: usize, action: &Action, names: &Names) -> Attributes {
    let mut attributes = Attributes::default();
    if element_name(action) == "crm_event" && matches!(action.kind, ActionKind::DeleteHistory { .. }) {
        attributes = attributes.with("mode", "cib");
    }
    let (key, own) = names.key(action);
    attributes
        .with("id", index)
        .with("operation", operation(action))
        .with("operation_key", key)
        .opt("internal_operation_key", own)
        .opt("on_node", action.node.as_ref())
        .opt("on_node_uuid", action.node_id.as_ref())
        .opt("router_node", action.router_node.as_ref())
}

/// The task of an action.
fn operation(action: &Action) -> &str {
    match &action.kind {
        ActionKind::Resource(op) => op.task.name(),
        ActionKind::Cancel(_) => Task::Cancel.name(),
        ActionKind::Fence(_) => Task::Fence.name(),
        ActionKind::Shutdown => Task::Shutdown.name(),
        ActionKind::ClearFailCount { .. } => Task::ClearFailCount.name(),
        ActionKind::DeleteHistory { .. } if is_locally_deleted(action) => Task::CleanUp.name(),
        ActionKind::DeleteHistory { .. } => Task::Delete.name(),
        ActionKind::Pseudo => milestone(&action.key),
    }
}

/// The task in a milestone's key: `notify` for the ones before and after, `notified` for their confirmation.
fn milestone(key: &str) -> &str {
    if key.starts_with("stonith-") {
        return Task::Fence.name();
    }
    let Some(parts) = OperationKey::parse(key).filter(|parts| parts.interval_ms == 0) else { return key };
    if key.contains("_confirmed-pre_notify_") || key.contains("_confirmed-post_notify_") {
        return Task::Notified.name();
    }
    if key.contains("_pre_notify_") || key.contains("_post_notify_") {
        return Task::Notify.name();
    }
    parts.task
}

/// What is inside an action's element.
fn inside(w: &mut Writer, action: &Action, names: &Names) {
    match &action.kind {
        ActionKind::Resource(op) | ActionKind::Cancel(op) => {
            primitive(w, op.instance.as_deref().unwrap_or(&op.resource), Some(&op.agent), names);
        }
        ActionKind::DeleteHistory { resource, instance, agent } => {
            primitive(w, instance.as_deref().unwrap_or(resource), Some(agent), names);
        }
        ActionKind::ClearFailCount { resource, instance } => {
            let id = instance.as_deref().unwrap_or(resource);
            primitive(w, id, names.agent(id), names);
        }
        ActionKind::Pseudo | ActionKind::Fence(_) | ActionKind::Shutdown => {}
    }
    let (attributes, params): (BTreeMap<_, _>, BTreeMap<_, _>) =
        graph_attributes(action).into_iter().partition(|(name, _)| is_attribute_name(name));
    let attributes = Attributes::default().all(&attributes);
    if params.is_empty() {
        w.empty("attributes", &attributes);
    } else {
        w.element("attributes", &attributes, |w| {
            for (name, value) in &params {
                w.empty("param", &Attributes::default().with("name", name).with("value", value));
            }
        });
    }
    if !action.downed.is_empty() {
        w.element("downed", &Attributes::default(), |w| {
            for node in &action.downed {
                w.empty("node", &Attributes::default().with("id", node));
            }
        });
    }
}

fn primitive(w: &mut Writer, id: &str, agent: Option<&Agent>, names: &Names) {
    let short = if names.is_unique(id) { id } else { without_number(id) };
    let mut attributes = Attributes::default().with("id", short);
    if short != id {
        attributes = attributes.with("long-id", names.long(id));
    }
    if let Some(agent) = agent {
        attributes =
            attributes.with("class", &agent.class).opt("provider", agent.provider.as_ref()).with("type", &agent.kind);
    }
    w.empty("primitive", &attributes);
}

/// Whether an XML attribute can have this name. Parameters may be called anything, and some old agents number theirs.
fn is_attribute_name(name: &str) -> bool {
    let begins = |first: char| first.is_ascii_alphabetic() || first == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(begins) && name.chars().all(goes_on)
}

/// Parameters and meta values in one map.
fn graph_attributes(action: &Action) -> BTreeMap<String, String> {
    let mut all = action.meta.clone();
    if let ActionKind::Resource(op) | ActionKind::Cancel(op) = &action.kind {
        all.extend(operation_attributes(op));
    }
    if let ActionKind::Fence(fencing) = &action.kind {
        all.entry("CRM_meta_stonith_action".to_owned()).or_insert_with(|| fencing.action.to_string());
    }
    for (name, value) in [("CRM_meta_on_node", &action.node), ("CRM_meta_on_node_uuid", &action.node_id)] {
        if let Some(value) = value {
            all.insert(name.to_owned(), value.clone());
        }
    }
    all
}

fn operation_attributes(op: &ResourceOp) -> BTreeMap<String, String> {
    let mut all = BTreeMap::clone(&op.params);
    all.extend(op.meta.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut add = |name: &str, value: String| {
        all.entry(name.to_owned()).or_insert(value);
    };
    add("CRM_meta_timeout", op.timeout_ms.to_string());
    if let Some(ends) = &op.migration {
        add("CRM_meta_migrate_source", ends.source.clone());
        add("CRM_meta_migrate_target", ends.target.clone());
    }
    if op.interval_ms > 0 {
        add("CRM_meta_interval", op.interval_ms.to_string());
        add("CRM_meta_name", op.task.to_string());
    }
    if op.start_delay_ms > 0 {
        add("CRM_meta_start_delay", op.start_delay_ms.to_string());
    }
    if op.expected_rc != OcfCode::OK {
        add("CRM_meta_op_target_rc", op.expected_rc.to_string());
    }
    if let Some(on_fail) = op.on_fail {
        add("CRM_meta_on_fail", on_fail.to_string());
    }
    all
}

/// Draws planned actions green (milestones in orange letters), blocked ones red, the others blue, and unmet
/// dependencies dashed.
pub(super) fn dot(drawing: &Drawing) -> String {
    let mut lines = Vec::with_capacity(drawing.actions.len() + drawing.edges.len());
    let quoted = |name: &str| crate::text::printable(name).replace('\\', "\\\\").replace('"', "\\\"");
    for action in &drawing.actions {
        let (style, color) = match (action.planned, action.blocked) {
            (true, _) => ("bold", "green"),
            (false, true) => ("dashed", "red"),
            (false, false) => ("dashed", "blue"),
        };
        let font = if action.pseudo { "orange" } else { "black" };
        let name = quoted(&action.name);
        lines.push(format!("\"{name}\" [ style={style} color=\"{color}\" fontcolor=\"{font}\"]"));
    }
    for &(before, after, planned) in &drawing.edges {
        if let (Some(before), Some(after)) = (drawing.actions.get(before), drawing.actions.get(after)) {
            let style = if planned { "bold" } else { "dashed" };
            let (before, after) = (quoted(&before.name), quoted(&after.name));
            lines.push(format!("\"{before}\" -> \"{after}\" [ style = {style}]"));
        }
    }
    lines.sort();
    let mut text = String::from(" digraph \"g\" {\n");
    for line in lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    }
    text.push_str("}\n");
    text
}
