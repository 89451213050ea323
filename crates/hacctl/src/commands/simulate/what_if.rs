//! What if: a state in which a node is down or on standby, or an operation failed.

use std::process::ExitCode;

use clap::Args;
use hac_api::ErrorCode;
use hac_crm::cib::{Change, Lifetime, Replicated as _};
use hac_model::{Agent, Cib, OcfCode, OpHistory, Primitive, Resource, ResourceHistory, Shared};

use crate::commands::{Context, impact};
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Operations that every agent may have.
const OPERATIONS: [&str; 8] = ["start", "stop", "monitor", "promote", "demote", "migrate_to", "migrate_from", "reload"];

/// What is changed in the state before it is decided about.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WhatIf {
    /// What if this node were gone (repeatable)
    #[arg(long, value_name = "NODE")]
    pub(super) node_down: Vec<String>,
    /// What if this node were back (repeatable)
    #[arg(long, value_name = "NODE")]
    pub(super) node_up: Vec<String>,
    /// What if this node were on standby (repeatable)
    #[arg(long, value_name = "NODE")]
    pub(super) standby: Vec<String>,
    /// What if an operation failed: `RSC:OPERATION[:INTERVAL][=EXITCODE]@NODE`, such as Nginx:monitor:10s=7@primary
    /// (repeatable)
    #[arg(long, value_name = "FAILURE")]
    pub(super) op_fail: Vec<String>,
}

impl WhatIf {
    /// Makes the state so.
    pub(super) fn apply(&self, cib: &mut Cib) -> Result<(), Failure> {
        for (names, up) in [(&self.node_down, false), (&self.node_up, true)] {
            for name in names {
                node(cib, name, up)?;
            }
        }
        for name in &self.standby {
            known(cib, name)?;
            let change = Change::SetNodeAttribute {
                node: name.clone(),
                name: "standby".to_owned(),
                value: Some("on".to_owned()),
                lifetime: Lifetime::Forever,
            };
            *cib = cib.with_unverified(&[change]).map_err(|refusal| {
                Failure::new(ErrorCode::Invalid, terminal::harmless(&refusal.sentence))
                    .with_remedy(terminal::harmless(&refusal.remedy))
            })?;
        }
        self.op_fail.iter().try_for_each(|text| failed(cib, &Failed::read(text)?))
    }
}

fn known(cib: &Cib, name: &str) -> Result<(), Failure> {
    let names: Vec<&str> = cib.configuration.nodes.iter().map(|node| node.uname.as_str()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::NoSuch, format!("Node \"{}\" is not a cluster node", terminal::harmless(name)))
        .with_remedy(format!("The cluster's nodes are: {}.", names.join(", "))))
}

/// A node comes or goes.
fn node(cib: &mut Cib, name: &str, up: bool) -> Result<(), Failure> {
    known(cib, name)?;
    *cib = hac_pacemaker::impact::with_node(cib, name, up);
    Ok(())
}

/// An operation that failed.
#[derive(Debug, PartialEq, Eq)]
struct Failed {
    resource: String,
    operation: String,
    interval_ms: u64,
    rc: i32,
    node: String,
}

impl Failed {
    /// Reads `RSC:OPERATION[:INTERVAL][=EXITCODE]@NODE`.
    fn read(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!("'{}' names no operation", terminal::harmless(text)))
                .with_remedy("Write RSC:OPERATION[:INTERVAL][=EXITCODE]@NODE, such as Nginx:monitor:10s=7@primary.")
        };
        let (what, node) = text.rsplit_once('@').ok_or_else(wrong)?;
        let (what, rc) = match what.split_once('=') {
            Some((what, rc)) => (what, rc.parse().map_err(|_| wrong())?),
            None => (what, 1),
        };
        let parts: Vec<&str> = what.split(':').collect();
        let (resource, operation, interval) = match parts.as_slice() {
            [resource, operation] => (resource, operation, "0"),
            [resource, operation, interval] => (resource, operation, *interval),
            _ => return Err(wrong()),
        };
        if resource.is_empty() || operation.is_empty() || node.is_empty() {
            return Err(wrong());
        }
        let interval_ms = hac_model::parse_duration_ms(interval).ok_or_else(wrong)?;
        let (resource, operation) = ((*resource).to_owned(), (*operation).to_owned());
        Ok(Self { resource, operation, interval_ms, rc, node: node.to_owned() })
    }
}

/// Refuses an operation that no agent has and that is not configured.
fn known_operation(cib: &Cib, what: &Failed) -> Result<(), Failure> {
    let all = hac_crm::cib::primitives(&cib.configuration);
    let own = all.into_iter().filter(|primitive| primitive.id == what.resource);
    let own = own.flat_map(|primitive| primitive.operations.iter().map(|operation| operation.name.as_str()));
    let known: Vec<&str> = OPERATIONS.iter().copied().chain(own).collect();
    if known.contains(&what.operation.as_str()) {
        return Ok(());
    }
    let near = hac_model::nearest(&what.operation, known).map(|near| format!("Did you mean {near}? "));
    let sentence = format!("{} has no operation {}", what.resource, terminal::harmless(&what.operation));
    let remedy = format!("{}Name one of {}.", near.unwrap_or_default(), OPERATIONS.join(", "));
    Err(Failure::new(ErrorCode::NoSuch, terminal::harmless(&sentence)).with_remedy(remedy))
}

/// The state as it would be if a node were down and known to be.
pub(crate) fn without(cib: &Cib, name: &str) -> Result<Cib, Failure> {
    let mut cib = cib.clone();
    node(&mut cib, name, false)?;
    Ok(cib)
}

fn agent<'a>(resource: &'a Resource, id: &str) -> Option<&'a Agent> {
    let of = |primitive: &'a Primitive| (primitive.id == id).then_some(&primitive.agent);
    match resource {
        Resource::Primitive(primitive) => of(primitive),
        Resource::Group(group) => group.members.iter().find_map(of),
        Resource::Clone(clone) => agent(&clone.child, id),
        Resource::Bundle(bundle) => bundle.primitive.as_ref().and_then(of),
        Resource::Template(_) => None,
    }
}

/// The result of it stands last in the node's history, and is counted.
fn failed(cib: &mut Cib, what: &Failed) -> Result<(), Failure> {
    known(cib, &what.node)?;
    let found = cib.configuration.resources.iter().find_map(|resource| agent(resource, &what.resource)).cloned();
    let agent = found.ok_or_else(|| {
        Failure::new(ErrorCode::NoSuch, format!("resource {} does not exist", terminal::harmless(&what.resource)))
            .with_remedy("Name a primitive; 'hacctl status' lists them.")
    })?;
    known_operation(cib, what)?;
    let Some(state) = cib.status.nodes.iter_mut().find(|state| state.uname.as_deref() == Some(what.node.as_str()))
    else {
        return Err(Failure::new(ErrorCode::Invalid, format!("{} is not up: nothing fails there", what.node))
            .with_remedy("Name a node that is online."));
    };
    let call_id = state.resources.iter().flat_map(|r| &r.ops).map(|op| op.call_id).max().unwrap_or(0) + 1;
    // An instance of a clone may be known with its number.
    let own = |history: &Shared<ResourceHistory>| {
        history.id == what.resource || history.id.split_once(':').is_some_and(|(id, _)| id == what.resource)
    };
    let at = state.resources.iter().position(own).unwrap_or_else(|| {
        let history = ResourceHistory { id: what.resource.clone(), agent, ..ResourceHistory::default() };
        state.resources.push(history.into());
        state.resources.len() - 1
    });
    let Some(history) = state.resources.get_mut(at).map(|of| &mut **of) else { return Ok(()) };
    let key = format!("{}_{}_{}", history.id, what.operation, what.interval_ms);
    let transition = format!("1:1:0:{}", "00000000-0000-0000-0000-000000000000");
    history.ops.push(OpHistory {
        id: format!("{}_last_failure_0", history.id),
        operation_key: key,
        operation: what.operation.clone(),
        transition_magic: format!("0:{};{transition}", what.rc),
        transition_key: transition,
        rc_code: OcfCode(what.rc),
        call_id,
        interval_ms: what.interval_ms,
        on_node: Some(what.node.clone()),
        ..OpHistory::default()
    });
    let id = history.id.clone();
    let counted = format!("fail-count-{}#{}_{}", what.resource, what.operation, what.interval_ms);
    let before = state.attributes.iter().find_map(|set| set.get(&counted)).and_then(|count| count.parse::<i64>().ok());
    // As the cluster counts: one that does not start is not tried again there.
    let value = match what.operation.as_str() {
        "start" | "stop" => "INFINITY".to_owned(),
        _ => (before.unwrap_or(0) + 1).to_string(),
    };
    let _ = id;
    crate::commands::resource::set_pair(&mut state.attributes, &counted, Some(value));
    Ok(())
}

/// `cibstatus node NODE STATE`, `cibstatus op ...`, `cibstatus simulate`: crm's way to ask the same.
pub(crate) async fn crm(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    let mut what = WhatIf::default();
    match call.command.name() {
        "node" => {
            let node = call.must("NODE")?.to_owned();
            match call.must("|")? {
                "online" => what.node_up.push(node),
                "standby" => what.standby.push(node),
                _ => what.node_down.push(node),
            }
        }
        "op" => {
            let (operation, resource, result) = (call.must("OPERATION")?, call.must("RSC")?, call.must("RESULT")?);
            let rc = result_code(result)?;
            let node = match call.get("NODE") {
                Some(node) => node.to_owned(),
                None => context.client.status().await?.node,
            };
            what.op_fail.push(format!("{resource}:{operation}={rc}@{node}"));
        }
        _ => {}
    }
    let mut cib = impact::state(context).await?;
    what.apply(&mut cib)?;
    let simulation = impact::decide(&cib);
    if context.json {
        terminal::print_json(&super::as_json(&simulation))?;
    } else {
        terminal::print(&simulation.report())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An exit code by its number or by crm's word.
fn result_code(word: &str) -> Result<i32, Failure> {
    let known = [
        "success",
        "unknown",
        "insufficient_priv",
        "args",
        "unimplemented",
        "perm",
        "installed",
        "configured",
        "not_running",
        "master",
        "failed_master",
    ];
    let codes = [0, 1, 4, 2, 3, 4, 5, 6, 7, 8, 9];
    let by_name = known.iter().position(|name| *name == word).and_then(|at| codes.get(at).copied());
    by_name.or_else(|| word.parse().ok()).ok_or_else(|| {
        Failure::usage(format!("'{}' is no result of an operation", terminal::harmless(word)))
            .with_remedy("Write an exit code such as 7, or unknown, installed, configured, not_running.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_named_by_resource_operation_and_node() {
        let read = |text: &str| Failed::read(text);
        let full = read("Nginx:monitor:10s=7@primary").expect("is right");
        assert_eq!(
            (full.resource.as_str(), full.interval_ms, full.rc, full.node.as_str()),
            ("Nginx", 10_000, 7, "primary")
        );
        assert_eq!(read("a:start@n").expect("is right").rc, 1);
        for wrong in ["a", "a@n", "a:b", "a:b:x@n", "a:b=x@n", ":b@n", "a:b:1:2@n", "a:b@"] {
            assert_eq!(read(wrong).expect_err(wrong).exit_code, 64, "{wrong}");
        }
    }
}
