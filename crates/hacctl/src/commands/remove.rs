//! `hacctl node remove`: takes a node out of the cluster for good.

use hac_api::{ErrorCode, MemberState, RemoveNodeRequest, Status};
use hac_crm::cib::{Change, Lifetime};
use hac_model::Cib;

use super::reached::Goal;
use super::{Context, node};
use crate::failure::Failure;
use crate::{progress, terminal};

/// The attribute by which a node is emptied.
const STANDBY: &str = "standby";

/// Empties the node, takes it out, and changes the key.
pub(crate) async fn run(
    context: &Context,
    name: &str,
    node_is_off: Option<String>,
    keep_key: bool,
) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let entry = node::find(&status, Some(name))?;
    refuse_all(&status, &[name])?;
    let is_here = entry.state == MemberState::Joined;
    if is_here && node_is_off.is_some() {
        return Err(Failure::new(ErrorCode::Unsafe, format!("{name} is a member: it is not off")).with_remedy(
            format!("Without --node-is-off its resources are moved away first: hacctl node remove {name}."),
        ));
    }
    if !is_here && node_is_off.is_none() {
        return Err(Failure::new(ErrorCode::Unsafe, format!("{name} is away; what runs there would run twice"))
            .with_remedy(format!(
                "See that it is off, and say how you know: hacctl node remove {name} --node-is-off \"WHY\"."
            )));
    }
    if context.consent.dry_run {
        return terminal::print(&format!("{name} would be taken out for good; nothing was changed (--dry-run)"));
    }
    if !context.consent.yes {
        let what = format!("{name} is taken out for good; its id is never used again");
        terminal::confirm(&what, &format!("'hacctl node remove {name} --yes' does it without asking."))?;
    }
    let emptied = if is_here { Some(empty(context, name).await?) } else { None };
    let request = RemoveNodeRequest { node: name.to_owned(), statement: node_is_off.unwrap_or_default() };
    let removed =
        progress::show("waiting until every member has stored it", context.client.remove_node(&request)).await;
    let removed = match (removed, emptied) {
        (Ok(removed), _) => removed,
        (Err(failure), Some(Emptied { before })) if !is_on(before.as_deref()) => {
            return Err(take_back(context, name, before, failure).await);
        }
        (Err(failure), _) => return Err(failure),
    };
    let nodes = terminal::harmless(&removed.nodes.join(" "));
    eprintln!("INFO: {name} is no node any more; the nodes are {nodes} (configuration {})", removed.version);
    if removed.two_node {
        eprintln!("INFO: one of the two nodes alone has quorum from now on (two_node)");
    }
    if keep_key {
        eprintln!("WARNING: {name} still knows the key");
        eprintln!("  'hacctl key rotate' gives the others another one.");
        return Ok(());
    }
    let rotated = progress::show("waiting until every member has stored the key", context.client.rotate(false)).await;
    let rotated = rotated.map_err(|failure| {
        failure.and(&format!("{name} is no node any more, but still knows the key: run 'hacctl key rotate' again."))
    })?;
    eprintln!("INFO: every member uses the key {} now, which {name} does not know", rotated.fingerprint);
    Ok(())
}

/// Refuses, before anything is changed, to take out all the nodes that there are.
pub(crate) fn refuse_all(status: &Status, names: &[&str]) -> Result<(), Failure> {
    let nodes = &status.members.nodes;
    if nodes.is_empty() || nodes.iter().any(|node| !names.contains(&node.name.as_str())) {
        return Ok(());
    }
    let sentence = match nodes.as_slice() {
        [only] => format!("{} is the only node; nothing was changed", terminal::harmless(&only.name)),
        _ => "these are all the nodes; nothing was changed".to_owned(),
    };
    let remedy = "'systemctl disable --now hacd' on each node ends the cluster.";
    Err(Failure::new(ErrorCode::Unsafe, sentence).with_remedy(remedy))
}

/// A node on which nothing runs any more.
struct Emptied {
    /// Its standby before that.
    before: Option<String>,
}

/// Empties the node.
async fn empty(context: &Context, name: &str) -> Result<Emptied, Failure> {
    let before = standby(&context.client.cib(false).await?, name);
    // Taking a node out is nothing that could be collected, and so this is not either.
    let waiting = Context { draft: None, ..context.waiting() };
    let goal = Goal::Empty(vec![name.to_owned()]);
    let done = format!("nothing runs on {name} any more");
    let Err(failure) = waiting.change_for(&goal, &[set(name, Some("on"))], &done).await else {
        return Ok(Emptied { before });
    };
    if is_on(before.as_deref()) {
        return Err(failure);
    }
    Err(match context.client.cib(false).await {
        Ok(cib) if is_on(standby(&cib, name).as_deref()) => failure.and(&stays(name)),
        Ok(_) => failure,
        Err(_) => failure.and(&may_stay(name)),
    })
}

/// The node was emptied and is not taken out: it may run something again, unless nobody knows what became of the request.
async fn take_back(context: &Context, name: &str, before: Option<String>, failure: Failure) -> Failure {
    if failure.exit_code == ErrorCode::NoSuch.exit_code() {
        return failure;
    }
    if !is_refusal(&failure) {
        return failure.and(&may_stay(name));
    }
    match context.client.configure(&[set(name, before.as_deref())], None, None).await {
        Ok(_) => failure.and(&format!("{name} was on standby for this and is no longer.")),
        Err(_) => failure.and(&stays(name)),
    }
}

/// Whether it is certain that what was asked for is not done later either.
fn is_refusal(failure: &Failure) -> bool {
    use ErrorCode::{Busy, Invalid, Level, NotPermitted, Old, Quorum, Unsafe, Usage};
    let certain = [Busy, Invalid, Level, NotPermitted, Old, Quorum, Unsafe, Usage];
    certain.iter().any(|code| code.exit_code() == failure.exit_code)
}

fn stays(name: &str) -> String {
    format!("{name} stays on standby: 'hacctl node online {name}' ends that.")
}

fn may_stay(name: &str) -> String {
    format!("If {name} is still a node ('hacctl status'), it stays on standby: 'hacctl node online {name}' ends that.")
}

fn set(name: &str, value: Option<&str>) -> Change {
    let value = value.map(str::to_owned);
    Change::SetNodeAttribute { node: name.to_owned(), name: STANDBY.to_owned(), value, lifetime: Lifetime::Forever }
}

/// The standby of a node that lasts.
fn standby(cib: &Cib, name: &str) -> Option<String> {
    let node = cib.configuration.nodes.iter().find(|node| node.uname == name)?;
    node.attributes.iter().find_map(|set| set.get(STANDBY)).map(str::to_owned)
}

fn is_on(standby: Option<&str>) -> bool {
    standby.and_then(hac_model::parse_bool) == Some(true)
}

#[cfg(test)]
mod tests;
