//! A node's history, one operation a line.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use hac_model::{Agent, Bundle, Cib, OpHistory, Primitive, Resource, ResourceHistory, parse_duration_ms};
use hac_scheduler::plan::{Action, ActionKind};
use hac_types::WallTime;

/// The coordinator that gave all orders.
const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";
/// How long ago operations ended unless the file says, in milliseconds.
const AGO_MS: u64 = 3_600_000;
/// How long an operation may take unless its configuration says, in milliseconds.
const TIMEOUT_MS: u64 = 20_000;
/// Exit code and status of an operation that has not ended.
const PENDING: (i32, i32) = (193, -1);
/// A probe finds nothing.
const NOT_RUNNING: i32 = 7;

/// Digests by key of the operation.
pub(super) type Digests = BTreeMap<String, String>;

/// With which parameters a cluster that knows nothing would start what its configuration merely implies: the parts of
/// bundles, connections to guests.
pub(super) fn implied_digests(cib: &Cib) -> Digests {
    let now = WallTime::from_secs(cib.info.execution_date.unwrap_or_default());
    let plan = hac_scheduler::schedule(cib, now);
    let digest = |action: Action| match action.kind {
        ActionKind::Resource(op) => Some((action.key, op.digest?)),
        _ => None,
    };
    plan.actions.into_iter().filter_map(digest).collect()
}

/// Reads the lines of one node.
pub(super) fn read(cib: &Cib, implied: &Digests, node: &str, lines: &[&str]) -> anyhow::Result<Vec<ResourceHistory>> {
    let mut histories: Vec<ResourceHistory> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let call = i64::try_from(index)? + 1;
        let (resource, agent, op) = operation(cib, implied, node, line, call).with_context(|| (*line).to_owned())?;
        let position = histories.iter().position(|history| history.id == resource).unwrap_or_else(|| {
            histories.push(ResourceHistory { id: resource, agent, ..ResourceHistory::default() });
            histories.len() - 1
        });
        record(&mut histories[position], op);
    }
    Ok(histories)
}

/// Reads a line: the name in the history, its agent, the operation.
fn operation(
    cib: &Cib,
    implied: &Digests,
    node: &str,
    line: &str,
    call: i64,
) -> anyhow::Result<(String, Agent, OpHistory)> {
    let mut words = line.split_whitespace();
    let resource = words.next().context("which resource?")?.to_owned();
    let task = words.next().context("which operation?")?;
    let (task, interval) = task.split_once('/').unwrap_or((task, "0"));
    let interval_ms = parse_duration_ms(interval).with_context(|| format!("{interval} is no interval"))?;
    let mut expected = if task == "monitor" && interval_ms == 0 { NOT_RUNNING } else { 0 };
    let (mut rc, mut status, mut ago) = (None, 0, AGO_MS);
    let primitive = configured(cib, &resource);
    let mut agent = primitive.map(|primitive| agent_of(cib, primitive)).or_else(|| implied_agent(cib, &resource));
    let op_digest = match primitive {
        Some(primitive) => Some(current_digest(cib, primitive, task, interval_ms)),
        None => implied.get(&format!("{resource}_{task}_{interval_ms}")).cloned(),
    };
    let mut op = OpHistory { exit_reason: Some(String::new()), op_digest, ..OpHistory::default() };
    for word in words {
        if let Ok(number) = word.parse() {
            rc = Some(number);
            continue;
        }
        match word.split_once('=') {
            None if word == "pending" => (rc, status) = (Some(PENDING.0), PENDING.1),
            Some(("expected", value)) => expected = value.parse().context("expected= takes an exit code")?,
            Some(("status", value)) => status = value.parse().context("status= takes a number")?,
            Some(("ago", value)) => ago = parse_duration_ms(value).context("ago= takes a time")?,
            Some(("to", value)) => {
                op.migrate_source = Some(node.to_owned());
                op.migrate_target = Some(value.to_owned());
            }
            Some(("from", value)) => {
                op.migrate_source = Some(value.to_owned());
                op.migrate_target = Some(node.to_owned());
            }
            Some(("reason", value)) => op.exit_reason = Some(value.to_owned()),
            Some(("digest", "none")) => op.op_digest = None,
            Some(("digest", value)) => op.op_digest = Some(value.to_owned()),
            Some(("force-restart", value)) => {
                let (names, digest) = value.split_once(':').context("force-restart=NAME,NAME:DIGEST")?;
                op.op_force_restart = Some(format!(" {} ", names.replace(',', " ")));
                op.op_restart_digest = Some(digest.to_owned());
            }
            Some(("restart-digest", value)) => op.op_restart_digest = Some(value.to_owned()),
            Some(("agent", value)) => agent = Some(parse_agent(value)?),
            _ => bail!("{word} is nothing that an operation has"),
        }
    }
    let rc = rc.unwrap_or(expected);
    let now = cib.info.execution_date.unwrap_or_default();
    op.operation_key = format!("{resource}_{task}_{interval_ms}");
    op.operation = task.to_owned();
    op.transition_key = format!("{call}:1:{expected}:{ORIGIN}");
    op.transition_magic = format!("{status}:{rc};{}", op.transition_key);
    op.rc_code = hac_model::OcfCode(rc);
    op.op_status = status;
    op.call_id = if status == PENDING.1 { -1 } else { call };
    op.interval_ms = interval_ms;
    op.last_rc_change = Some(now - i64::try_from(ago / 1000)?);
    op.on_node = Some(node.to_owned());
    let agent = agent.context("it is not configured: say agent=CLASS:PROVIDER:TYPE")?;
    Ok((resource, agent, op))
}

/// Keeps an operation under the ids that Pacemaker gives it.
fn record(history: &mut ResourceHistory, op: OpHistory) {
    let expected = op.transition_key.split(':').nth(2).and_then(|rc| rc.parse().ok());
    let failed = op.op_status != PENDING.1 && (op.op_status != 0 || expected != Some(op.rc_code));
    let last = format!("{}_last_0", history.id);
    let failure = format!("{}_last_failure_0", history.id);
    let ids = match (op.operation.as_str(), failed, op.interval_ms) {
        ("migrate_to" | "migrate_from", ..) => vec![op.operation_key.clone()],
        (_, true, 0) => vec![failure, last],
        (_, true, _) => vec![failure],
        (_, false, 0) => vec![last],
        (_, false, _) => vec![op.operation_key.clone()],
    };
    for id in ids {
        let entry = OpHistory { id, ..op.clone() };
        match history.ops.iter_mut().find(|old| old.id == entry.id) {
            Some(old) => *old = entry,
            None => history.ops.push(entry),
        }
    }
}

fn parse_agent(text: &str) -> anyhow::Result<Agent> {
    let parts: Vec<&str> = text.split(':').collect();
    let (class, provider, kind) = match parts[..] {
        [class, kind] => (class, None, kind),
        [class, provider, kind] => (class, Some(provider.to_owned()), kind),
        _ => bail!("{text} is no agent"),
    };
    ensure!(!class.is_empty() && !kind.is_empty(), "{text} is no agent");
    Ok(Agent { class: class.to_owned(), provider, kind: kind.to_owned() })
}

/// The configured primitive of this name, or whose instance this is.
fn configured<'a>(cib: &'a Cib, name: &str) -> Option<&'a Primitive> {
    let base = name.rsplit_once(':').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(name, |(base, _)| base);
    primitives(cib).into_iter().find(|primitive| primitive.id == base)
}

fn agent_of(cib: &Cib, primitive: &Primitive) -> Agent {
    template(cib, primitive).map_or_else(|| primitive.agent.clone(), |template| template.agent.clone())
}

/// The digest that an operation with the configured parameters has. Blocks with rules do not count.
fn current_digest(cib: &Cib, primitive: &Primitive, task: &str, interval_ms: u64) -> String {
    let sources = [Some(primitive), template(cib, primitive)];
    let sets = sources.iter().flatten().flat_map(|source| &source.params).filter(|set| set.rule.is_none());
    let mut params = BTreeMap::new();
    for pair in sets.flat_map(|set| &set.pairs) {
        params.entry(pair.name.clone()).or_insert_with(|| pair.value.clone().unwrap_or_default());
    }
    if interval_ms > 0 {
        let operation = primitive
            .operations
            .iter()
            .find(|op| op.name == task && parse_duration_ms(&op.interval) == Some(interval_ms));
        let timeout = operation.and_then(|op| parse_duration_ms(op.options.get("timeout")?));
        params.insert("CRM_meta_timeout".to_owned(), timeout.unwrap_or(TIMEOUT_MS).to_string());
    }
    hac_scheduler::digest(&params)
}

/// The agent of a part of a bundle, or of the connection to a guest node.
fn implied_agent(cib: &Cib, name: &str) -> Option<Agent> {
    let hosts = |primitive: &&Primitive| primitive.meta.iter().any(|set| set.get("remote-node") == Some(name));
    if primitives(cib).iter().any(hosts) {
        return Some(ocf("pacemaker", "remote"));
    }
    cib.configuration.resources.iter().find_map(|resource| match resource {
        Resource::Bundle(bundle) => implied(bundle, name),
        _ => None,
    })
}

fn template<'a>(cib: &'a Cib, primitive: &Primitive) -> Option<&'a Primitive> {
    cib.configuration.resources.iter().find_map(|resource| match resource {
        Resource::Template(template) if Some(&template.0.id) == primitive.template.as_ref() => Some(&template.0),
        _ => None,
    })
}

/// The agents of what a bundle implies.
fn implied(bundle: &Bundle, name: &str) -> Option<Agent> {
    let part = name.strip_prefix(bundle.id.as_str())?.strip_prefix('-')?;
    if part.parse::<u32>().is_ok() {
        Some(ocf("pacemaker", "remote"))
    } else if part.starts_with("ip-") {
        Some(ocf("heartbeat", "IPaddr2"))
    } else {
        let (engine, number) = part.rsplit_once('-')?;
        number.parse::<u32>().ok().map(|_| ocf("heartbeat", engine))
    }
}

fn ocf(provider: &str, kind: &str) -> Agent {
    Agent { class: "ocf".to_owned(), provider: Some(provider.to_owned()), kind: kind.to_owned() }
}

fn primitives(cib: &Cib) -> Vec<&Primitive> {
    let mut found = Vec::new();
    cib.configuration.resources.iter().for_each(|resource| collect(resource, &mut found));
    found
}

fn collect<'a>(resource: &'a Resource, found: &mut Vec<&'a Primitive>) {
    match resource {
        Resource::Primitive(primitive) => found.push(primitive),
        Resource::Group(group) => found.extend(&group.members),
        Resource::Clone(clone) => collect(&clone.child, found),
        Resource::Bundle(bundle) => found.extend(&bundle.primitive),
        Resource::Template(_) => {}
    }
}
