//! `hacctl node remove`: takes a node out of the cluster for good.

use hac_api::{ErrorCode, MemberState, RemoveNodeRequest};
use hac_crm::cib::{Change, Lifetime};

use super::reached::Goal;
use super::{Context, node};
use crate::failure::Failure;
use crate::{progress, terminal};

/// Empties the node, takes it out, and changes the key.
pub(crate) async fn run(
    context: &Context,
    name: &str,
    node_is_off: Option<String>,
    keep_key: bool,
) -> Result<(), Failure> {
    let status = context.client.status().await?;
    let entry = node::find(&status, Some(name))?;
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
    if is_here {
        let standby = Change::SetNodeAttribute {
            node: name.to_owned(),
            name: "standby".to_owned(),
            value: Some("on".to_owned()),
            lifetime: Lifetime::Forever,
        };
        let waiting = context.waiting();
        waiting
            .change_for(&Goal::Empty(vec![name.to_owned()]), &[standby], &format!("nothing runs on {name} any more"))
            .await?;
    }
    let request = RemoveNodeRequest { node: name.to_owned(), statement: node_is_off.unwrap_or_default() };
    let removed =
        progress::show("waiting until every member has stored it", context.client.remove_node(&request)).await?;
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
    let rotated = progress::show("waiting until every member has stored the key", context.client.rotate(false)).await?;
    eprintln!("INFO: every member uses the key {} now, which {name} does not know", rotated.fingerprint);
    Ok(())
}
