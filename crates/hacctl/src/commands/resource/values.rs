//! Names and values of a resource: parameters, meta-attributes, utilization, secrets, traces, fail counts.

use std::fs;
use std::io::Read as _;

use hac_api::{Command, ErrorCode};
use hac_crm::cib::{Change, Object, PutMode};
use hac_model::{Cib, NvPair, NvSet, Primitive, Resource, is_secret, parse_duration_ms};

use super::{Kind, cleanup, find, look, must_exist};
use crate::commands::Context;
use crate::commands::reached::views;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// `resource param|meta|utilization RSC set|show|delete [NAME] [VALUE]`.
pub(super) async fn run(context: &Context, call: &Call, kind: Kind) -> Result<(), Failure> {
    let (resource, action) = (call.must("RSC")?.to_owned(), call.must("|")?);
    let (cib, _) = look(context).await?;
    must_exist(&cib, &resource)?;
    let sets = find(&cib, &resource).map_or(&[][..], |found| match kind {
        Kind::Param => found.params,
        Kind::Meta => found.meta,
        Kind::Utilization => found.utilization,
    });
    let Some(name) = call.owned("NAME") else {
        if action == "show" {
            return all(context, &resource, sets);
        }
        return Err(Failure::usage("missing argument: <NAME>").with_remedy(call.write()));
    };
    if action == "show" {
        return one(context, &resource, &name, sets);
    }
    let value = call.owned("VALUE");
    if action == "set" && value.is_none() {
        return Err(
            Failure::usage(format!("a value for {name} is missing")).with_remedy("Write NAME VALUE after 'set'.")
        );
    }
    if action == "delete" && !sets.iter().any(|set| set.pairs.iter().any(|pair| pair.name == name)) {
        return Err(not_set(&resource, &name));
    }
    let done = format!("{action} {name} of {resource}");
    let value = value.filter(|_| action == "set");
    let change = match kind {
        Kind::Param => Change::SetParam { resource, name, value },
        Kind::Meta => Change::SetMeta { resource, name, value },
        Kind::Utilization => utilization(&cib, &resource, &name, value)?,
    };
    context.change_typed(&[change], &done).await
}

fn all(context: &Context, resource: &str, sets: &[NvSet]) -> Result<(), Failure> {
    let pairs: Vec<(&str, &str)> = sets
        .iter()
        .flat_map(|set| &set.pairs)
        .filter_map(|pair| Some((pair.name.as_str(), pair.value.as_deref()?)))
        .collect();
    if context.json {
        return terminal::print_json(&serde_json::json!({ "resource": resource, "values": pairs }));
    }
    let lines: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", terminal::harmless(value))).collect();
    terminal::print(&lines.join("\n"))
}

fn one(context: &Context, resource: &str, name: &str, sets: &[NvSet]) -> Result<(), Failure> {
    let value = sets.iter().find_map(|set| set.get(name)).ok_or_else(|| not_set(resource, name))?;
    if context.json {
        return terminal::print_json(&serde_json::json!({ "resource": resource, "name": name, "value": value }));
    }
    terminal::print(&terminal::harmless(value))
}

fn not_set(resource: &str, name: &str) -> Failure {
    Failure::new(ErrorCode::NoSuch, format!("{name} of {resource} is not set"))
        .with_remedy(format!("'hacctl configure show {resource}' prints what is."))
}

/// A primitive at whatever depth.
fn primitive<'a>(cib: &'a Cib, id: &str) -> Option<&'a Primitive> {
    fn within<'a>(resource: &'a Resource, id: &str) -> Option<&'a Primitive> {
        match resource {
            Resource::Primitive(p) => (p.id == id).then_some(p),
            Resource::Group(group) => group.members.iter().find(|p| p.id == id),
            Resource::Clone(clone) => within(&clone.child, id),
            Resource::Bundle(_) | Resource::Template(_) => None,
        }
    }
    cib.configuration.resources.iter().find_map(|resource| within(resource, id))
}

/// Only primitives have utilization: the whole primitive is written again.
fn utilization(cib: &Cib, id: &str, name: &str, value: Option<String>) -> Result<Change, Failure> {
    let mut primitive = only_primitive(cib, id, "utilization")?;
    if let Some(value) = value.as_deref().filter(|value| value.parse::<i64>().is_err()) {
        let sentence = format!("'{}' is no capacity", terminal::harmless(value));
        return Err(Failure::new(ErrorCode::Invalid, sentence).with_remedy("Write a whole number."));
    }
    set_pair(&mut primitive.utilization, name, value);
    Ok(Change::Put { object: Object::Primitive(primitive), mode: PutMode::Replace })
}

fn only_primitive(cib: &Cib, id: &str, what: &str) -> Result<Primitive, Failure> {
    primitive(cib, id).cloned().ok_or_else(|| {
        Failure::new(ErrorCode::Invalid, format!("{id} is no primitive: it has no {what} of its own"))
            .with_remedy("Name the primitive inside it.")
    })
}

/// Sets or removes a pair in the first block that may have it.
pub(crate) fn set_pair(sets: &mut Vec<NvSet>, name: &str, value: Option<String>) {
    let Some(value) = value else {
        sets.iter_mut().for_each(|set| set.pairs.retain(|pair| pair.name != name));
        sets.retain(|set| !set.pairs.is_empty() || set.id_ref.is_some());
        return;
    };
    if let Some(pair) = sets.iter_mut().flat_map(|set| &mut set.pairs).find(|pair| pair.name == name) {
        pair.value = Some(value);
        return;
    }
    let pair = NvPair { name: name.to_owned(), value: Some(value), ..NvPair::default() };
    match sets.iter_mut().find(|set| set.rule.is_none() && set.id_ref.is_none()) {
        Some(set) => set.pairs.push(pair),
        None => sets.push(NvSet { pairs: vec![pair], ..NvSet::default() }),
    }
}

/// `resource failcount RSC set|show|delete NODE [VALUE] [OPERATION] [INTERVAL]`.
pub(super) async fn failcount(context: &Context, call: &Call) -> Result<(), Failure> {
    let (resource, node) = (call.must("RSC")?, call.must("NODE")?);
    let (cib, view) = look(context).await?;
    must_exist(&cib, resource)?;
    if !view.nodes.iter().any(|n| n.name == node) {
        crate::commands::node::find(&context.client.status().await?, Some(node))?;
    }
    match call.must("|")? {
        "delete" => cleanup(context, Some(resource.to_owned()), Some(node.to_owned())).await,
        "set" => {
            let value = call.must("VALUE")?;
            if hac_model::parse_score(value).is_none_or(|count| count < 0) {
                let sentence = format!("'{}' is no fail count", terminal::harmless(value));
                return Err(Failure::usage(sentence).with_remedy("Write a number, or INFINITY."));
            }
            let operation = call.get("OPERATION").unwrap_or("start");
            let interval = call.get("INTERVAL").unwrap_or("0");
            let interval_ms = parse_duration_ms(interval).ok_or_else(|| {
                Failure::usage(format!("'{}' is no interval", terminal::harmless(interval)))
                    .with_remedy("Write a time such as 10s, or 0.")
            })?;
            let done = format!("fail count of {resource} on {node} is {value}");
            if context.consent.dry_run {
                return terminal::print(&format!("Would be done: {done}\nNothing was changed (--dry-run)."));
            }
            let command = Command::Attribute {
                node: node.to_owned(),
                name: format!("fail-count-{resource}#{operation}_{interval_ms}"),
                value: Some(value.to_owned()),
                private: false,
                dampening_ms: None,
                utilization: false,
            };
            let answer = context.client.command(command, context.wait).await?;
            context.done(&done, answer.settled)
        }
        _ => {
            let counts = views(&view.resources, resource).into_iter().flat_map(|v| &v.fail_counts);
            let count = counts.filter(|(on, _, _)| on == node).map(|(_, count, _)| *count).max().unwrap_or(0);
            if context.json {
                let value = serde_json::json!({ "resource": resource, "node": node, "fail_count": count });
                return terminal::print_json(&value);
            }
            let count = if count >= hac_model::INFINITY { "INFINITY".to_owned() } else { count.to_string() };
            terminal::print(&format!("scope=status  name=fail-count-{resource} value={count}"))
        }
    }
}

/// Longest secret, bytes.
const SECRET_MAX: u64 = 64 << 10;

/// `resource secret RSC set|stash|unstash|show|delete|check NAME [VALUE]`.
pub(super) async fn secret(context: &Context, call: &Call) -> Result<(), Failure> {
    let (resource, name) = (call.must("RSC")?.to_owned(), call.must("NAME")?.to_owned());
    let (cib, _) = look(context).await?;
    must_exist(&cib, &resource)?;
    if !is_secret(&name) {
        return Err(Failure::new(ErrorCode::Invalid, format!("{name} is no secret: it is shown to everybody"))
            .with_remedy(format!("Use 'hacctl resource param {resource} set {name} VALUE'.")));
    }
    match call.must("|")? {
        "set" => {
            let value = match call.get("VALUE") {
                Some(value) => value.to_owned(),
                None => typed_secret(&name)?,
            };
            let done = format!("set {name} of {resource}; it is masked wherever it is shown");
            context.change(&[Change::SetParam { resource, name, value: Some(value) }], &done).await
        }
        "delete" => {
            let done = format!("deleted {name} of {resource}");
            context.change(&[Change::SetParam { resource, name, value: None }], &done).await
        }
        "stash" | "unstash" => context.done(
            &format!("nothing to do: {name} is masked wherever it is shown, and stored for root alone on every node"),
            None,
        ),
        action => {
            let is_set =
                find(&cib, &resource).is_some_and(|found| found.params.iter().any(|set| set.get(&name).is_some()));
            if !is_set {
                return Err(not_set(&resource, &name));
            }
            let text = if action == "check" {
                format!("{name} of {resource} is set, the same on all nodes")
            } else {
                format!("{} ('hacctl configure show --show-secrets {resource}' prints it in clear)", hac_model::MASK)
            };
            terminal::print(&text)
        }
    }
}

/// A secret from the terminal, without showing it, or from standard input.
fn typed_secret(name: &str) -> Result<String, Failure> {
    let value = if terminal::is_interactive() {
        terminal::typed(&format!("{name}: "), false)?.to_string()
    } else {
        let mut text = String::new();
        let read = std::io::stdin().take(SECRET_MAX).read_to_string(&mut text);
        read.map_err(|error| Failure::system("could not read standard input", &error))?;
        text
    };
    let value = value.trim_end_matches(['\r', '\n']).to_owned();
    if value.is_empty() {
        return Err(Failure::usage(format!("no value for {name} was typed"))
            .with_remedy("Type it, or give it by standard input: 'hacctl resource secret RSC set NAME < FILE'."));
    }
    Ok(value)
}

/// Where agents write their traces.
const TRACES: &str = "/var/lib/heartbeat/trace_ra";

/// `resource trace|untrace RSC [OPERATION] [INTERVAL]`: the parameter `trace_ra` of the resource or of one operation.
pub(super) async fn trace(context: &Context, call: &Call, on: bool) -> Result<(), Failure> {
    let resource = call.must("RSC")?;
    let (cib, _) = look(context).await?;
    must_exist(&cib, resource)?;
    let mut primitive = only_primitive(&cib, resource, "agent")?;
    let value = || on.then(|| "1".to_owned());
    let what = match call.get("OPERATION") {
        None => {
            set_pair(&mut primitive.params, "trace_ra", value());
            if let Some(folder) = call.get("FOLDER").filter(|_| on) {
                set_pair(&mut primitive.params, "trace_dir", Some(folder.to_owned()));
            }
            if !on {
                for operation in &mut primitive.operations {
                    set_pair(&mut operation.params, "trace_ra", None);
                }
                set_pair(&mut primitive.params, "trace_dir", None);
            }
            String::new()
        }
        Some(name) => {
            let wanted = call.get("INTERVAL").map(parse_duration_ms);
            let operation = primitive.operations.iter_mut().find(|operation| {
                operation.name == name && wanted.is_none_or(|ms| parse_duration_ms(&operation.interval) == ms)
            });
            let Some(operation) = operation else {
                let sentence = format!("{resource} has no operation {} configured", terminal::harmless(name));
                return Err(Failure::new(ErrorCode::NoSuch, sentence)
                    .with_remedy(format!("'hacctl configure show {resource}' prints those it has.")));
            };
            set_pair(&mut operation.params, "trace_ra", value());
            format!(", {name}")
        }
    };
    let done = if on {
        let folder = call.get("FOLDER").unwrap_or(TRACES);
        format!(
            "Trace for {resource}{what} is written to {folder}/ on the node that runs it; the resource is restarted"
        )
    } else {
        format!("Stop tracing {resource}{what}")
    };
    if on && fs::metadata("/usr/lib/ocf/lib/heartbeat/ocf-shellfuncs").is_err() {
        eprintln!(
            "WARNING: the agents' shell library is not installed on this node: only agents that use it write traces"
        );
    }
    let change = Change::Put { object: Object::Primitive(primitive), mode: PutMode::Replace };
    context.change(&[change], &done).await
}
