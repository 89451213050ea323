//! The configured operation behind an action: timeouts, what follows from failure, what it waits for.

use std::collections::BTreeMap;

use crate::action::OnFail;
use crate::conditions::{Given, parse_interval_ms, read_blocks};
use crate::ids::RscIdx;
use crate::known::Known;
use hac_model::Role;
use hac_model::{Operation, parse_bool};

/// How long an operation may take unless told otherwise.
const DEFAULT_TIMEOUT_MS: u64 = 20_000;

/// Position of the configured operation of this name and interval.
pub(crate) fn find_operation(
    known: &Known<'_>,
    rsc: RscIdx,
    name: &str,
    interval_ms: u64,
    with_disabled: bool,
) -> Option<usize> {
    let operations = &known.rsc[rsc].blocks.operations;
    let exact = |name: &str, interval_ms: u64| {
        operations.iter().position(|operation| {
            operation.name == name && interval_of(operation) == interval_ms && (with_disabled || is_enabled(operation))
        })
    };
    exact(name, interval_ms).or_else(|| match name {
        "migrate_to" | "migrate_from" => exact("migrate", 0),
        "notify" | "notified" => exact("notify", 0),
        _ => None,
    })
}

/// Interval of a configured operation, milliseconds.
pub(crate) fn interval_of(operation: &Operation) -> u64 {
    parse_interval_ms(&operation.interval).unwrap_or(0)
}

/// Whether a configured operation is in force.
pub(crate) fn is_enabled(operation: &Operation) -> bool {
    operation.options.get("enabled").is_none_or(|enabled| parse_bool(enabled).unwrap_or(true))
}

/// Values of an operation: the operation's own, then the defaults. `timeout` is in milliseconds.
pub(crate) fn read_meta(
    known: &Known<'_>,
    rsc: RscIdx,
    task: &str,
    interval_ms: u64,
    op: Option<usize>,
) -> BTreeMap<String, String> {
    let resource = &known.rsc[rsc];
    let agent = resource.is_primitive().then(|| resource.blocks.agent.as_ref());
    let facts = Given { now: known.now, agent, operation: Some((task, interval_ms)), ..Given::default() };
    let mut meta = BTreeMap::new();
    if let Some(operation) = op.and_then(|op| resource.blocks.operations.get(op)) {
        meta.clone_from(&operation.options);
        meta.insert("name".into(), operation.name.clone());
        meta.insert("interval".into(), operation.interval.clone());
        read_blocks(&operation.meta, None, &facts, &mut meta);
    }
    if task == "monitor"
        && interval_ms == 0
        && !meta.contains_key("timeout")
        && let Some(timeout) = most_frequent_monitor(known, rsc).and_then(|op| op.options.get("timeout"))
    {
        meta.insert("timeout".into(), timeout.clone());
    }
    read_blocks(&known.op_defaults, None, &facts, &mut meta);
    if resource.is.fence_device
        && (task == "start" || (task == "monitor" && interval_ms == 0))
        && let Some(timeout) = known.params(rsc, None).remove("pcmk_monitor_timeout")
    {
        meta.insert("timeout".into(), timeout);
    }
    let timeout = meta.get("timeout").and_then(|timeout| parse_interval_ms(timeout)).unwrap_or(DEFAULT_TIMEOUT_MS);
    meta.insert("timeout".into(), timeout.to_string());
    if interval_ms > 0 {
        meta.insert("interval".into(), interval_ms.to_string());
    } else {
        meta.remove("interval");
    }
    if let Some(delay) = start_delay(known, &meta, interval_ms) {
        meta.insert("start-delay".into(), delay.to_string());
    }
    meta.remove("interval-origin");
    meta
}

/// Delay before the first run of a recurring operation, milliseconds.
fn start_delay(known: &Known<'_>, meta: &BTreeMap<String, String>, interval_ms: u64) -> Option<u64> {
    if let Some(delay) = meta.get("start-delay") {
        return parse_interval_ms(delay);
    }
    let origin = crate::conditions::parse_date(meta.get("interval-origin")?)?;
    let interval = i64::try_from(interval_ms / 1000).ok().filter(|secs| *secs > 0)?;
    let since = (known.now - origin).rem_euclid(interval);
    let wait = if since == 0 { 0 } else { interval - since };
    u64::try_from(wait).ok().map(|secs| secs * 1000)
}

/// The enabled recurring monitor with the shortest interval.
fn most_frequent_monitor<'c>(known: &'c Known<'_>, rsc: RscIdx) -> Option<&'c Operation> {
    let monitors = known.rsc[rsc]
        .blocks
        .operations
        .iter()
        .filter(|operation| operation.name == "monitor" && interval_of(operation) > 0 && is_enabled(operation));
    monitors.min_by_key(|operation| interval_of(operation))
}

/// What follows when this operation fails.
pub(crate) fn on_fail(
    known: &Known<'_>,
    rsc: RscIdx,
    task: &str,
    interval_ms: u64,
    meta: &BTreeMap<String, String>,
) -> OnFail {
    let is_stop = task == "stop";
    let configured = match meta.get("on-fail").and_then(|text| OnFail::parse(text)) {
        Some(OnFail::FenceNode) if known.options.fencing => Some(OnFail::FenceNode),
        Some(OnFail::FenceNode) if is_stop => Some(OnFail::Block),
        Some(OnFail::FenceNode) => Some(OnFail::Stop),
        Some(OnFail::StandbyNode | OnFail::Stop) if is_stop => None,
        Some(OnFail::RestartContainer) if known.rsc[rsc].launcher.is_none() => None,
        Some(OnFail::Demote) if !may_demote(task, interval_ms, meta) => None,
        // A consequence that only the scheduler draws.
        Some(OnFail::ResetRemote) => None,
        configured => configured,
    };
    configured.unwrap_or_else(|| default_on_fail(known, rsc, task, interval_ms))
}

/// Demoting is an answer only to failures of the promoted role.
fn may_demote(task: &str, interval_ms: u64, meta: &BTreeMap<String, String>) -> bool {
    let promoted = meta.get("role").and_then(|role| Role::parse(role)) == Some(Role::Promoted);
    task == "promote" || (task == "monitor" && interval_ms > 0 && promoted)
}

fn default_on_fail(known: &Known<'_>, rsc: RscIdx, task: &str, interval_ms: u64) -> OnFail {
    let resource = &known.rsc[rsc];
    let probe = task == "monitor" && interval_ms == 0;
    if resource.launcher.is_some() && known.is_connection(rsc) || resource.launcher.is_some() {
        OnFail::RestartContainer
    } else if known.is_remote_connection(rsc) && !probe && task != "start" {
        if resource.is.managed { OnFail::ResetRemote } else { OnFail::Stop }
    } else if task == "stop" {
        if known.options.fencing { OnFail::FenceNode } else { OnFail::Block }
    } else if task == "demote" {
        demote_on_fail(known, rsc)
    } else {
        OnFail::Restart
    }
}

/// A failed demote is treated as the promoted role's monitor would be.
fn demote_on_fail(known: &Known<'_>, rsc: RscIdx) -> OnFail {
    let resource = &known.rsc[rsc];
    for (at, operation) in resource.blocks.operations.iter().enumerate() {
        let interval_ms = interval_of(operation);
        if operation.name != "monitor" || interval_ms == 0 || !is_enabled(operation) {
            continue;
        }
        let meta = read_meta(known, rsc, "monitor", interval_ms, Some(at));
        let promoted = meta.get("role").and_then(|role| Role::parse(role)) == Some(Role::Promoted);
        let demote = meta.get("on-fail").and_then(|text| OnFail::parse(text)) == Some(OnFail::Demote);
        if promoted && meta.contains_key("on-fail") && !demote {
            return on_fail(known, rsc, "monitor", interval_ms, &meta);
        }
    }
    OnFail::Restart
}

/// The role that a resource takes after a failure.
pub(crate) fn role_after_failure(known: &Known<'_>, rsc: RscIdx, task: &str, on_fail: OnFail) -> Role {
    match on_fail {
        OnFail::Stop => Role::Stopped,
        OnFail::ResetRemote if known.rsc[rsc].reconnect_ms != 0 => Role::Stopped,
        _ if task == "promote" => Role::Unpromoted,
        _ => Role::Started,
    }
}
