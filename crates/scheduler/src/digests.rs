//! Digests over the parameters of an operation, and what follows when they differ from what was recorded.
//!
//! Reads parameters and histories; writes nothing. The stage that acts on differences is in `params`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest, Md5};

use crate::ids::{NodeIdx, RscIdx};
use crate::known::Known;
use hac_model::{OpHistory, Task};

use super::configured as meta;
use crate::conditions::{Given, compare_versions, read_blocks};

/// How an operation's parameters compare with the configured ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Nothing was recorded. Of what runs that counts as a change, of a failure not.
    Unknown,
    /// They are the same.
    Same,
    /// They differ.
    Different,
    /// They differ in one that needs a restart.
    NeedsRestart,
}

impl Comparison {
    /// They differ.
    pub(super) fn changed(self) -> bool {
        matches!(self, Self::Different | Self::NeedsRestart)
    }
}

/// What digests are worked out on: before the assignment, or after it.
pub(crate) trait Places<'a> {
    /// What is known.
    fn known(&self) -> &Known<'a>;
    /// Where a resource will be, as far as that is decided.
    fn place(&self, rsc: RscIdx) -> Option<NodeIdx>;
}

/// Names that never enter a digest.
const LEFT_OUT: [&str; 6] = ["id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip"];

/// Whether the parameters depend on where a bundle's container will be.
pub(super) fn needs_assignment(known: &Known<'_>, rsc: RscIdx) -> bool {
    let is_bundled_connection = known.is_connection(rsc) && known.rsc[rsc].launcher.is_some();
    is_bundled_connection && known.params(rsc, None).get("addr").is_some_and(|addr| addr == "#uname")
}

/// The host to connect to for a bundle's connection: where the container will be, else where it is.
pub(super) fn connection_host<'a>(on: &impl Places<'a>, rsc: RscIdx) -> Option<String> {
    let known = on.known();
    let container = known.rsc[rsc].launcher?;
    let node = on.place(container).or_else(|| known.rsc[container].active.first().copied())?;
    Some(known.nodes[node].name.clone())
}

/// Parameters of the operation's own.
pub(super) fn own_params(
    known: &Known<'_>,
    rsc: RscIdx,
    task: &str,
    interval_ms: u64,
    node: Option<NodeIdx>,
) -> BTreeMap<String, String> {
    let resource = &known.rsc[rsc];
    let mut params = BTreeMap::new();
    let op = meta::find_operation(known, rsc, task, interval_ms, interval_ms == 0);
    if let Some(operation) = op.and_then(|op| resource.blocks.operations.get(op)) {
        let facts = Given {
            now: known.now,
            attributes: node.map(|node| &known.nodes[node].attributes),
            agent: Some(&resource.blocks.agent),
            operation: Some((task, interval_ms)),
            ..Given::default()
        };
        read_blocks(&operation.params, None, &facts, &mut params);
    }
    params
}

/// Parameters of an operation: the operation's own win over the resource's.
pub(super) fn operation_params<'a>(
    on: &impl Places<'a>,
    rsc: RscIdx,
    task: &str,
    interval_ms: u64,
    node: Option<NodeIdx>,
) -> BTreeMap<String, String> {
    let known = on.known();
    let mut params = own_params(known, rsc, task, interval_ms, node);
    for (name, value) in known.params(rsc, node) {
        params.entry(name).or_insert(value);
    }
    if params.get("addr").is_some_and(|addr| addr == "#uname")
        && known.rsc[rsc].launcher.is_some()
        && let Some(host) = connection_host(on, rsc)
    {
        params.insert("addr".into(), host);
    }
    params
}

/// Digest over parameters, byte for byte as it is recorded in histories.
#[must_use]
pub fn digest(params: &BTreeMap<String, String>) -> String {
    let mut text = String::from(" <parameters");
    for (name, value) in params {
        // Writing into a string does not fail.
        let _ = write!(text, " {name}=\"");
        escape(value, &mut text);
        text.push('"');
    }
    text.push_str("/>\n");
    hex(&Md5::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from(if number < 10 { b'0' + number } else { b'a' + number - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            other => out.push(other),
        }
    }
}

/// The parameters that enter the digest of an operation.
pub(super) fn digest_params<'a>(
    on: &impl Places<'a>,
    rsc: RscIdx,
    task: &str,
    interval_ms: u64,
    node: Option<NodeIdx>,
) -> BTreeMap<String, String> {
    let known = on.known();
    let mut params = operation_params(on, rsc, task, interval_ms, node);
    params.retain(|name, _| is_digested(name));
    if interval_ms > 0 {
        let op = meta::find_operation(known, rsc, task, interval_ms, false);
        let values = meta::read_meta(known, rsc, task, interval_ms, op);
        if let Some(timeout) = values.get("timeout") {
            params.insert("CRM_meta_timeout".into(), timeout.clone());
        }
    }
    params
}

/// Whether a parameter enters digests.
fn is_digested(name: &str) -> bool {
    !LEFT_OUT.contains(&name) && !name.starts_with("CRM_meta_")
}

/// Digest over those of a start's or probe's parameters that are `listed`: as it is recorded of an agent that takes
/// changes of others in place.
#[must_use]
pub fn restart_digest(params: &BTreeMap<String, String>, listed: &[&str]) -> String {
    let counts = |name: &str| is_digested(name) && listed.contains(&name);
    digest(&params.iter().filter(|(name, _)| counts(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
}

/// Digest over all of an operation's parameters but those that are `secret`: what can still be compared where secrets are
/// masked.
#[must_use]
pub fn secure_digest(params: &BTreeMap<String, String>, secret: &[&str]) -> String {
    let counts = |name: &str| is_digested(name) && !secret.contains(&name);
    digest(&params.iter().filter(|(name, _)| counts(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
}

/// The name of the task as which an operation is compared: what makes a resource run, as its start.
pub(super) fn compared_as(task: &str, interval_ms: u64) -> &str {
    match Task::parse(task) {
        Some(Task::Monitor) if interval_ms == 0 => Task::Start.name(),
        Some(Task::Promote | Task::MigrateFrom) => Task::Start.name(),
        _ => task,
    }
}

/// Compares what an operation ran with and what is configured.
pub(super) fn compare<'a>(on: &impl Places<'a>, rsc: RscIdx, node: NodeIdx, op: &OpHistory) -> Comparison {
    let task = compared_as(&op.operation, op.interval_ms);
    let params = digest_params(on, rsc, task, op.interval_ms, Some(node));
    if let Some(recorded) = &op.op_restart_digest {
        let mut restart = params.clone();
        // Without a list any parameter may be the one.
        if let Some(listed) = op.op_force_restart.as_deref() {
            restart.retain(|name, _| listed.split_ascii_whitespace().any(|listed| listed == name));
        }
        if digest(&restart) != *recorded && !same_but_for_masked(on.known(), rsc, op, params.clone()) {
            return Comparison::NeedsRestart;
        }
    }
    match &op.op_digest {
        None => Comparison::Unknown,
        Some(recorded) if *recorded == digest(&params) => Comparison::Same,
        Some(_) if same_but_for_masked(on.known(), rsc, op, params) => Comparison::Same,
        Some(_) => Comparison::Different,
    }
}

/// Whether nothing but secrets differ, and these are masked: then nobody can tell, and nothing is done. Reports are
/// written with secrets masked.
fn same_but_for_masked(known: &Known<'_>, rsc: RscIdx, op: &OpHistory, mut params: BTreeMap<String, String>) -> bool {
    let (Some(recorded), Some(names)) = (&op.op_secure_digest, &op.op_secure_params) else { return false };
    let is_masked = |value: &String| !value.is_empty() && value.bytes().all(|b| b == b'*');
    if !names.split_ascii_whitespace().any(|name| params.get(name).is_some_and(is_masked)) {
        return false;
    }
    let is_old = op.crm_feature_set.as_deref().is_none_or(|version| compare_versions(version, "3.16.0").is_lt());
    let device = known.rsc[rsc].is.fence_device;
    params.retain(|name, _| {
        let secret = names.split_ascii_whitespace().any(|secret| secret == name);
        // Older versions hashed only what the agent itself declares.
        let undeclared = name == "CRM_meta_timeout" || (device && is_fencing_param(name));
        !(secret || is_old && undeclared)
    });
    digest(&params) == *recorded
}

/// Parameters of fence devices that the cluster reads and the agent does not know.
fn is_fencing_param(name: &str) -> bool {
    name.starts_with("pcmk_") || name == "provides" || name == "stonith-timeout"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_no_parameters_is_well_known() {
        assert_eq!(digest(&BTreeMap::new()), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
    }
}
