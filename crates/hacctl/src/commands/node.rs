//! `hacctl node`: nodes, and what may run on them.

mod attributes;

use std::process::ExitCode;

use hac_api::{Command, ErrorCode, MemberState, MembersEntry, Status};
use hac_crm::cib::{Change, Lifetime};
use hac_pacemaker::crm_commands;

use super::Context;
use super::reached::Goal;
use crate::failure::Failure;
use crate::grammar::Call;
use crate::terminal;

/// Carries out one of the node commands.
pub(crate) async fn run(context: &Context, call: &Call) -> Result<ExitCode, Failure> {
    match call.command.name() {
        "standby" => {
            let reboot = call.get("forever|reboot") == Some("reboot");
            let lifetime = if reboot { Lifetime::Reboot } else { Lifetime::Forever };
            set(context, call, true, |node| crm_commands::standby(node, lifetime), "standby node").await?;
        }
        "online" => set(context, call, false, crm_commands::online, "online node").await?,
        "maintenance" => {
            set(context, call, false, |node| crm_commands::maintenance(node, true), "maintenance of node").await?;
        }
        "ready" => set(context, call, false, |node| crm_commands::maintenance(node, false), "ready node").await?,
        "show" => show(context, call.get("NODE")).await?,
        "status" => attributes::status(context, call.get("NODE")).await?,
        "attribute" => attributes::permanent(context, call).await?,
        "status-attr" => attributes::transient(context, call).await?,
        "utilization" => attributes::utilization(context, call).await?,
        "server" => attributes::server(context, call.all("NODE")).await?,
        "remove" => {
            let (why, is_off) = (call.owned("WHY"), call.has("--node-is-off"));
            let why = match (is_off, why) {
                (true, Some(why)) => Some(why),
                (false, None) => None,
                _ => {
                    return Err(Failure::usage("--node-is-off and how you know it belong together")
                        .with_remedy("Write 'hacctl node remove NODE --node-is-off \"powered off in the panel\"'."));
                }
            };
            super::remove::run(context, call.must("NODE")?, why, call.has("--keep-key")).await?;
        }
        "fence" => fence(context, call.must("NODE")?).await?,
        "clearstate" => clearstate(context, call.must("NODE")?).await?,
        _ => delete(context, call.must("NODE")?).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `node fence`: by way of the attribute `terminate`, as agents ask for it.
async fn fence(context: &Context, name: &str) -> Result<(), Failure> {
    let (status, view) = context.client.view().await?;
    let name = find(&status, Some(name))?.name.clone();
    if !view.fencing_enabled {
        return Err(Failure::new(ErrorCode::Invalid, format!("{name} cannot be fenced: stonith-enabled is false"))
            .with_remedy(format!(
                "Switch {name} off by hand (at the provider), or 'hacctl node standby {name}' to empty it."
            )));
    }
    let cib = context.client.cib(false).await?;
    let off = cib.configuration.property("stonith-action") == Some("off");
    let action = if off { hac_model::FenceAction::Off } else { hac_model::FenceAction::Reboot };
    if !super::fence::agreed(context, &view, &name, action, None).await? {
        return Ok(());
    }
    let command = if is_to_be_fenced(&cib, &name) {
        // The attribute would change nothing, and after some attempts in vain nobody tries again by himself.
        super::fence::request(&name, action, None)
    } else {
        Command::Attribute {
            node: name.clone(),
            name: TERMINATE.to_owned(),
            value: Some("true".to_owned()),
            private: false,
            dampening_ms: None,
            utilization: false,
        }
    };
    let answer = context.client.command(command, context.wait).await?;
    context.done(&format!("{name} is to be fenced; 'hacctl events' shows how far it is"), answer.settled)
}

/// The attribute of a node that is to be fenced.
const TERMINATE: &str = "terminate";

/// Whether somebody has asked already that a node be fenced.
fn is_to_be_fenced(cib: &hac_model::Cib, name: &str) -> bool {
    let states = cib.status.nodes.iter().filter(|state| state.uname.as_deref() == Some(name));
    let mut pairs = states.flat_map(|state| &state.attributes).flat_map(|set| &set.pairs);
    pairs.any(|pair| pair.name == TERMINATE && pair.value.as_deref() == Some("true"))
}

/// `node clearstate`: a person says that a node is dead.
async fn clearstate(context: &Context, name: &str) -> Result<(), Failure> {
    let (status, view) = context.client.view().await?;
    let entry = find(&status, Some(name))?;
    if entry.state == MemberState::Joined {
        return Err(Failure::new(ErrorCode::Invalid, format!("{} is a member and alive", entry.name))
            .with_remedy(format!("Move everything away from it with 'hacctl node standby {}'.", entry.name)));
    }
    if status.quorum.waits_for_all {
        return Err(Failure::new(ErrorCode::Quorum, "this partition waits for all nodes")
            .with_remedy("Make sure that the missing nodes are down, then 'hacctl quorum unblock'."));
    }
    let unclean = view.nodes.iter().any(|node| node.name == entry.name && node.unclean);
    if !unclean {
        return context.done(&format!("nothing to do: {} is known to be down, nothing waits for it", entry.name), None);
    }
    super::fence::confirm(context, &entry.name).await
}

/// `node delete`: takes a node that is gone out of the configuration.
async fn delete(context: &Context, name: &str) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let entry = find(&status, Some(name));
    if let Ok(entry) = entry
        && entry.state == MemberState::Joined
    {
        return Err(Failure::new(ErrorCode::Unsafe, format!("{} is a member of the cluster", entry.name)).with_remedy(
            "Stop hacd there first ('systemctl disable --now hacd') and take it out of [[nodelist.node]] in hacd.toml on all nodes.",
        ));
    }
    if entry.is_ok() {
        return Err(Failure::new(ErrorCode::Invalid, format!("{name} still stands in hacd.toml")).with_remedy(
            "Take its [[nodelist.node]] out of hacd.toml on all nodes and restart hacd there, one after the other.",
        ));
    }
    let change = Change::Delete { id: name.to_owned(), force: context.consent.force };
    context.change(&[change], &format!("node {name} deleted")).await
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
        let near = hac_model::nearest(name, known.iter().copied()).map(|near| format!("Did you mean {near}? "));
        let near = near.unwrap_or_default();
        Failure::new(ErrorCode::NoSuch, format!("Node \"{}\" is not a cluster node", terminal::harmless(name)))
            .with_remedy(format!("{near}The cluster's nodes are: {}.", known.join(", ")))
    })
}

/// The nodes that are meant: those named, all with `--all`, this one if none is.
fn meant(status: &Status, call: &Call) -> Result<Vec<String>, Failure> {
    if call.has("--all") {
        return Ok(status.members.nodes.iter().map(|node| node.name.clone()).collect());
    }
    match call.all("NODE") {
        [] => Ok(vec![find(status, None)?.name.clone()]),
        names => names.iter().map(|name| Ok(find(status, Some(name))?.name.clone())).collect(),
    }
}

/// The nodes of these names; all if there are none.
fn meant_or_all<'a>(status: &'a Status, names: &[String]) -> Result<Vec<&'a MembersEntry>, Failure> {
    if names.is_empty() {
        return Ok(status.members.nodes.iter().collect());
    }
    names.iter().map(|name| find(status, Some(name))).collect()
}

/// Makes the changes for each node that is meant; with `empties` they are to run nothing afterwards.
async fn set(
    context: &Context,
    call: &Call,
    empties: bool,
    changes: impl Fn(&str) -> Vec<Change>,
    done: &str,
) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let nodes = meant(&status, call)?;
    let changes: Vec<_> = nodes.iter().flat_map(|node| changes(node)).collect();
    let done = format!("{done} {}", nodes.join(", "));
    let goal = if empties { Goal::Empty(nodes) } else { Goal::Change };
    context.change_for(&goal, &changes, &done).await
}

async fn show(context: &Context, node: Option<&str>) -> Result<(), Failure> {
    let (status, view) = context.client.view().await?;
    let nodes: Vec<&MembersEntry> = match node {
        Some(_) => vec![find(&status, node)?],
        None => status.members.nodes.iter().collect(),
    };
    if context.json {
        let seen = |name: &str| view.nodes.iter().find(|n| n.name == name);
        let one = |node: &&MembersEntry| {
            let mut value = serde_json::to_value(node).unwrap_or_default();
            if let (Some(fields), Some(seen)) = (value.as_object_mut(), seen(&node.name)) {
                let flags = [("standby", seen.standby), ("maintenance", seen.maintenance), ("unclean", seen.unclean)];
                fields.extend(flags.map(|(name, value)| (name.to_owned(), serde_json::json!(value))));
            }
            value
        };
        return terminal::print_json(&nodes.iter().map(one).collect::<Vec<_>>());
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
