//! Attributes of nodes, their capacity, and where they are.

use hac_api::{Command, ErrorCode};
use hac_crm::cib::{Change, Lifetime, Object, PutMode};
use hac_model::{Cib, NvSet};

use super::{find, meant_or_all};
use crate::commands::Context;
use crate::commands::resource::set_pair;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Whether it may be the name of an attribute.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '=')
}

/// What is looked at or changed.
struct Wanted<'a> {
    node: String,
    name: Option<&'a str>,
    value: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    async fn of(context: &Context, call: &'a Call) -> Result<Self, Failure> {
        let status = context.client.status().await?;
        let node = find(&status, Some(call.must("NODE")?))?.name.clone();
        let (name, value) = (call.get("NAME"), call.get("VALUE"));
        let action = call.must("|")?;
        if action != "show" && name.is_none() {
            return Err(Failure::usage("missing argument: <NAME>").with_remedy(call.write()));
        }
        if let Some(name) = name.filter(|name| !is_name(name)) {
            let sentence = format!("'{}' is no name of an attribute", terminal::harmless(name));
            return Err(Failure::usage(sentence).with_remedy("A name has neither blanks nor '='."));
        }
        if action == "set" && value.is_none() {
            let name = name.unwrap_or("NAME");
            return Err(Failure::usage(format!("a value for {name} is missing"))
                .with_remedy(format!("Write 'hacctl node {} {node} set {name} VALUE'.", call.command.name())));
        }
        Ok(Self { node, name, value })
    }
}

/// Prints one attribute, or all, as crm_attribute does.
fn show(context: &Context, wanted: &Wanted<'_>, scope: &str, sets: &[NvSet], level: &str) -> Result<(), Failure> {
    let pairs: Vec<(&str, &str)> = sets
        .iter()
        .flat_map(|set| &set.pairs)
        .filter_map(|pair| Some((pair.name.as_str(), pair.value.as_deref()?)))
        .filter(|(name, _)| wanted.name.is_none_or(|wanted| wanted == *name))
        .collect();
    let node = &wanted.node;
    if let (Some(name), true) = (wanted.name, pairs.is_empty()) {
        return Err(Failure::new(ErrorCode::NoSuch, format!("node {node} has no attribute {name}"))
            .with_remedy(format!("Set it with 'hacctl node {level} {node} set {name} VALUE'.")));
    }
    if context.json {
        return match (wanted.name, pairs.as_slice()) {
            (Some(_), [(name, value), ..]) => {
                terminal::print_json(&serde_json::json!({ "node": node, "name": name, "value": value }))
            }
            _ => terminal::print_json(&serde_json::json!({ "node": node, "values": pairs })),
        };
    }
    let line = |(name, value): &(&str, &str)| format!("scope={scope}  name={name} value={}", terminal::harmless(value));
    terminal::print(&pairs.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Refuses to delete what is not there, with what is. To `crm` that is no failure.
fn deletable(context: &Context, wanted: &Wanted<'_>, sets: &[NvSet], level: &str) -> Result<(), Failure> {
    let names: Vec<&str> = sets.iter().flat_map(|set| &set.pairs).map(|pair| pair.name.as_str()).collect();
    let (node, name) = (&wanted.node, wanted.name.unwrap_or_default());
    if context.consent.as_crm || names.contains(&name) {
        return Ok(());
    }
    let near = hac_model::nearest(name, names.iter().copied()).map(|near| format!("Did you mean {near}? "));
    let remedy = format!("{}'hacctl node {level} {node} show' prints all there are.", near.unwrap_or_default());
    Err(Failure::new(ErrorCode::NoSuch, format!("node {node} has no attribute {name}")).with_remedy(remedy))
}

/// `node attribute NODE set|show|delete [NAME] [VALUE]`.
pub(super) async fn permanent(context: &Context, call: &Call) -> Result<(), Failure> {
    let wanted = Wanted::of(context, call).await?;
    let cib = context.cib(false).await?;
    let action = call.must("|")?;
    let configured = cib.configuration.nodes.iter().find(|node| node.uname == wanted.node);
    let sets = configured.map_or(&[][..], |node| &node.attributes);
    match action {
        "show" => return show(context, &wanted, "nodes", sets, "attribute"),
        "delete" => deletable(context, &wanted, sets, "attribute")?,
        _ => {}
    }
    let name = wanted.name.unwrap_or_default().to_owned();
    let value = wanted.value.filter(|_| action == "set").map(str::to_owned);
    let done = format!("{action} attribute {name} of node {}", wanted.node);
    let change = Change::SetNodeAttribute { node: wanted.node, name, value, lifetime: Lifetime::Forever };
    context.change(&[change], &done).await
}

/// `node status-attr NODE set|show|delete [NAME] [VALUE]`: until the node restarts.
pub(super) async fn transient(context: &Context, call: &Call) -> Result<(), Failure> {
    let wanted = Wanted::of(context, call).await?;
    let action = call.must("|")?;
    if action != "set" {
        let cib = context.client.cib(false).await?;
        let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(wanted.node.as_str()));
        let sets = state.map_or(&[][..], |state| &state.attributes);
        if action == "show" {
            return show(context, &wanted, "status", sets, "status-attr");
        }
        deletable(context, &wanted, sets, "status-attr")?;
    }
    let name = wanted.name.unwrap_or_default().to_owned();
    let value = wanted.value.filter(|_| action == "set").map(str::to_owned);
    let done = format!("{action} attribute {name} of node {}, until it restarts", wanted.node);
    if context.consent.dry_run {
        return terminal::print(&format!("Would be done: {done}\nNothing was changed (--dry-run)."));
    }
    let (node, private, dampening_ms, utilization) = (wanted.node, false, None, false);
    let command = Command::Attribute { node, name, value, private, dampening_ms, utilization };
    let answer = context.client.command(command, context.wait).await?;
    context.done(&done, answer.settled)
}

/// `node utilization NODE set|show|delete [NAME] [VALUE]`: the node is written again with another capacity.
pub(super) async fn utilization(context: &Context, call: &Call) -> Result<(), Failure> {
    let wanted = Wanted::of(context, call).await?;
    let action = call.must("|")?;
    let cib = context.cib(false).await?;
    let mut node = configured(&cib, &wanted.node)?;
    match action {
        "show" => return show(context, &wanted, "nodes", &node.utilization, "utilization"),
        "delete" => deletable(context, &wanted, &node.utilization, "utilization")?,
        _ => {}
    }
    let name = wanted.name.unwrap_or_default();
    let value = wanted.value.filter(|_| action == "set");
    if value.is_some_and(|value| value.parse::<i64>().is_err()) {
        let sentence = format!("'{}' is no capacity", terminal::harmless(value.unwrap_or_default()));
        return Err(Failure::new(ErrorCode::Invalid, sentence).with_remedy("Write a whole number."));
    }
    set_pair(&mut node.utilization, name, value.map(str::to_owned));
    let done = format!("{action} utilization {name} of node {}", wanted.node);
    context.change(&[Change::Put { object: Object::Node(node), mode: PutMode::Upsert }], &done).await
}

fn configured(cib: &Cib, name: &str) -> Result<hac_model::Node, Failure> {
    let found = cib.configuration.nodes.iter().find(|node| node.uname == name);
    found.cloned().ok_or_else(|| {
        Failure::new(ErrorCode::NoSuch, format!("node {name} is not in the configuration yet"))
            .with_remedy("Try again when it has joined the cluster.")
    })
}

/// `node server [NODE...]`: the addresses.
pub(super) async fn server(context: &Context, names: &[String]) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let nodes = meant_or_all(&status, names)?;
    if context.json {
        let one = |node: &&hac_api::MembersEntry| serde_json::json!({ "node": node.name, "addresses": node.addresses });
        return terminal::print_json(&nodes.iter().map(one).collect::<Vec<_>>());
    }
    let line = |node: &&hac_api::MembersEntry| {
        let addresses: Vec<&str> = node.addresses.iter().map(|address| address.ip.as_str()).collect();
        format!("{}: {}", terminal::harmless(&node.name), addresses.join(" "))
    };
    terminal::print(&nodes.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// `node status [NODE]`: the part of the CIB's status.
pub(super) async fn status(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let mut cib = context.client.cib(false).await?;
    if let Some(name) = name {
        let status = context.client.status().await?;
        let name = find(&status, Some(name))?.name.clone();
        cib.status.nodes.retain(|state| state.uname.as_deref() == Some(name.as_str()));
    }
    if context.json {
        return terminal::print_json(&cib.status);
    }
    let xml = hac_pacemaker::cib_xml::write(&Cib { status: cib.status, ..Cib::default() });
    let begin = xml.find("  <status").unwrap_or(0);
    let end = xml.rfind("</cib>").unwrap_or(xml.len());
    terminal::print(xml.get(begin..end).unwrap_or(&xml))
}
