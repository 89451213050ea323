//! `hacctl node`: nodes, and what may run on them.

use std::process::ExitCode;

use hac_api::{ErrorCode, MemberState, MembersEntry, Status};
use hac_crm::cib::{Change, Lifetime};

use super::Context;
use super::reached::Goal;
use crate::args::NodeCommand;
use crate::client::read_cib;
use crate::failure::Failure;
use crate::terminal;

/// Carries out one of the node commands.
pub(crate) async fn run(context: &Context, command: NodeCommand) -> Result<ExitCode, Failure> {
    match command {
        NodeCommand::Standby { node, lifetime } => {
            let (node, lifetime) = match node.as_deref() {
                // `node standby reboot` means this node.
                Some(word @ ("reboot" | "forever")) => (None, word.to_owned()),
                _ => (node, lifetime),
            };
            let lifetime = if lifetime == "reboot" { Lifetime::Reboot } else { Lifetime::Forever };
            set(context, node, "standby", &[(Some("on"), lifetime)], "standby node").await?;
        }
        NodeCommand::Online { node } => {
            // Whichever way standby was said, it ends.
            let values = [(None, Lifetime::Reboot), (Some("off"), Lifetime::Forever)];
            set(context, node, "standby", &values, "online node").await?;
        }
        NodeCommand::Maintenance { node } => {
            set(context, node, "maintenance", &[(Some("on"), Lifetime::Forever)], "maintenance of node").await?;
        }
        NodeCommand::Ready { node } => {
            set(context, node, "maintenance", &[(Some("off"), Lifetime::Forever)], "ready node").await?;
        }
        NodeCommand::Show { node } => show(context, node.as_deref()).await?,
        NodeCommand::Attribute { node, action, name, value } => {
            attribute(context, &node, &action, &name, value).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The configured node called `name`, or this node.
pub(crate) fn find<'a>(status: &'a Status, name: Option<&str>) -> Result<&'a MembersEntry, Failure> {
    let nodes = &status.members.nodes;
    let found = match name {
        Some(name) => nodes.iter().find(|n| n.name == name),
        None => nodes.iter().find(|n| n.local),
    };
    found.ok_or_else(|| {
        let name = name.unwrap_or(&status.node);
        let known: Vec<_> = nodes.iter().map(|n| n.name.as_str()).collect();
        Failure::new(ErrorCode::NoSuch, format!("Node \"{}\" is not a cluster node", terminal::harmless(name)))
            .with_remedy(format!("The cluster's nodes are: {}.", known.join(", ")))
    })
}

async fn set(
    context: &Context,
    node: Option<String>,
    name: &str,
    values: &[(Option<&str>, Lifetime)],
    done: &str,
) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let node = find(&status, node.as_deref())?.name.clone();
    let changes: Vec<_> = values
        .iter()
        .map(|(value, lifetime)| Change::SetNodeAttribute {
            node: node.clone(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
            lifetime: *lifetime,
        })
        .collect();
    let done = format!("{done} {node}");
    let goal = if values.iter().any(|(value, _)| name == "standby" && *value == Some("on")) {
        Goal::Empty(node)
    } else {
        Goal::Change
    };
    context.change_for(&goal, &changes, &done).await
}

async fn show(context: &Context, node: Option<&str>) -> Result<(), Failure> {
    let (status, view) = context.client.view().await?;
    let nodes: Vec<&MembersEntry> = match node {
        Some(_) => vec![find(&status, node)?],
        None => status.members.nodes.iter().collect(),
    };
    if context.json {
        return terminal::print_json(&nodes);
    }
    let mut text = String::new();
    for node in nodes {
        let state = match node.state {
            MemberState::Joined => "member",
            MemberState::Left | MemberState::Lost | MemberState::Unseen => "offline",
        };
        text.push_str(&format!("{}({}): {state}", terminal::harmless(&node.name), node.id));
        if let Some(seen) = view.nodes.iter().find(|n| n.name == node.name) {
            let flags = [(seen.standby, "standby"), (seen.maintenance, "maintenance"), (seen.unclean, "unclean")];
            for (_, word) in flags.iter().filter(|(on, _)| *on) {
                text.push_str(&format!(", {word}"));
            }
        }
        text.push('\n');
    }
    terminal::print(&text)
}

async fn attribute(
    context: &Context,
    node: &str,
    action: &str,
    name: &str,
    value: Option<String>,
) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let entry = find(&status, Some(node))?;
    if action == "show" {
        let cib = read_cib(status.cib.clone())?;
        let configured = cib.configuration.nodes.iter().find(|n| n.uname == entry.name);
        let found = configured.and_then(|n| n.attributes.iter().find_map(|set| set.get(name)));
        let value = found.ok_or_else(|| {
            Failure::new(ErrorCode::NoSuch, format!("node {node} has no attribute {name}"))
                .with_remedy(format!("Set it with 'hacctl node attribute {node} set {name} VALUE'."))
        })?;
        if context.json {
            return terminal::print_json(&serde_json::json!({ "node": node, "name": name, "value": value }));
        }
        return terminal::print(&format!("scope=nodes  name={name} value={}", terminal::harmless(value)));
    }
    if action == "set" && value.is_none() {
        return Err(Failure::usage(format!("a value for {name} is missing"))
            .with_remedy(format!("Write 'hacctl node attribute {node} set {name} VALUE'.")));
    }
    let value = value.filter(|_| action == "set");
    let (node, name) = (node.to_owned(), name.to_owned());
    let done = format!("{action} attribute {name} of node {node}");
    context.change(&[Change::SetNodeAttribute { node, name, value, lifetime: Lifetime::Forever }], &done).await
}
