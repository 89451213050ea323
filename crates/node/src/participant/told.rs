//! What was changed, in words for events. Values are not told: some are secret.

use hac_crm::cib::{Change, Configure, GroupEdit, StatusChange};
use hac_crm::work::FenceRun;
use hac_model::FenceAction;
use hac_model::fencing::Attempt;

/// Most steps of a change that are named.
const STEPS: usize = 20;

/// Who does what to whom with a fence device.
pub(super) fn shot(run: &FenceRun) -> String {
    let FenceRun { target, attempt, .. } = run;
    let Attempt { by, device, action, delay_ms, .. } = attempt;
    let does = match action {
        FenceAction::Reboot => "reboots",
        FenceAction::Off => "powers off",
        FenceAction::On => "lets in",
    };
    let after = if *delay_ms == 0 { String::new() } else { format!(", after waiting for {} s", delay_ms / 1000) };
    format!("{by} {does} {target} with {device}{after}")
}

/// The steps of a change of the configuration.
pub(super) fn steps(configure: &Configure) -> Vec<String> {
    let mut steps: Vec<String> = configure.changes.iter().take(STEPS).map(step).collect();
    match configure.changes.len().checked_sub(STEPS) {
        None | Some(0) => {}
        Some(more) => steps.push(format!("and {more} more")),
    }
    steps
}

fn step(change: &Change) -> String {
    let set_or_not = |value: &Option<String>| if value.is_some() { "set" } else { "removed" };
    match change {
        Change::Put { object, .. } => format!("{} written", object.id()),
        Change::Delete { id, .. } => format!("{id} deleted"),
        Change::SetProperties { pairs, .. } => {
            let names: Vec<String> =
                pairs.iter().take(STEPS).map(|(name, value)| format!("{name} {}", set_or_not(value))).collect();
            names.join(", ")
        }
        Change::PutSet { set, .. } => format!("the set {} written", set.id),
        Change::AddOperation { resource, operation } => format!("operation {} of {resource} added", operation.name),
        Change::SetMeta { resource, name, value } | Change::SetParam { resource, name, value } => {
            format!("{name} of {resource} {}", set_or_not(value))
        }
        Change::SetNodeAttribute { node, name, value, .. } => format!("{name} of node {node} {}", set_or_not(value)),
        Change::Rename { from, to } => format!("{from} renamed to {to}"),
        Change::ModGroup { group, edit: GroupEdit::Add { resource, .. } } => format!("{resource} taken into {group}"),
        Change::ModGroup { group, edit: GroupEdit::Remove { resource } } => format!("{resource} taken out of {group}"),
        Change::ReplaceConfiguration(_) => "all replaced".to_owned(),
        #[cfg(feature = "level2")]
        Change::SetWord(_) => "the word of the tests set".to_owned(),
    }
}

/// A change of what is known of the present, if a person or a program asked for it.
pub(super) fn status(change: &StatusChange) -> Option<String> {
    let of = |resource: &Option<String>| resource.as_deref().unwrap_or("all resources").to_owned();
    let on = |node: &Option<String>| node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default();
    match change {
        StatusChange::ClearFailures { resource, node, .. } => {
            Some(format!("failures of {}{} were forgotten", of(resource), on(node)))
        }
        StatusChange::ForgetHistory { resource, node } => {
            Some(format!("what was known of {}{} was forgotten", of(resource), on(node)))
        }
        StatusChange::SetAttribute { node, name, value, .. } => {
            let how = if value.is_some() { "set" } else { "removed" };
            Some(format!("the attribute {name} of {node} was {how}"))
        }
        _ => None,
    }
}
