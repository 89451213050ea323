//! `hacctl key`: which key the cluster uses, and another one without stopping anything.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::KeyStatus;

use super::Context;
use crate::args::KeyCommand;
use crate::failure::Failure;
use crate::{progress, terminal};

/// Carries out a command about the key.
pub(crate) async fn run(context: &Context, command: KeyCommand) -> Result<ExitCode, Failure> {
    match command {
        KeyCommand::Status => status(context).await,
        KeyCommand::Rotate { force } => rotate(context, force).await,
    }
}

async fn status(context: &Context) -> Result<ExitCode, Failure> {
    let status = context.client.key().await?;
    if context.json {
        terminal::print_json(&status)?;
    } else {
        terminal::print(&text(&status))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn rotate(context: &Context, force: bool) -> Result<ExitCode, Failure> {
    let rotated = progress::show("waiting until every member has stored the key", context.client.rotate(force)).await?;
    if context.json {
        terminal::print_json(&rotated)?;
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &rotated.findings {
        eprintln!("WARNING: {}", terminal::harmless(&finding.sentence));
    }
    eprintln!("INFO: every member uses the key {} now", rotated.fingerprint);
    if !rotated.left_behind.is_empty() {
        let them = terminal::harmless(&rotated.left_behind.join(" and "));
        eprintln!("WARNING: {them} still has the key before");
        eprintln!("  Copy /etc/hacd/authkey of this node to {them} before hacd is started there.");
    }
    Ok(ExitCode::SUCCESS)
}

fn text(status: &KeyStatus) -> String {
    let mut text = format!("Key in use:  {}\n", status.fingerprint);
    if let Some(next) = &status.next {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "Next key:    {next}");
        let _ = writeln!(text, "Waiting for: {}", terminal::harmless(&status.waiting_for.join(" ")));
    }
    text.push('\n');
    for node in &status.nodes {
        let fingerprint = node.fingerprint.as_deref().unwrap_or("unknown: not a member");
        let next = node.next.as_ref().map(|next| format!(", has stored {next}")).unwrap_or_default();
        let _ = writeln!(text, "  {} ({}): {fingerprint}{next}", terminal::harmless(&node.name), node.id);
    }
    text
}

#[cfg(test)]
mod tests {
    use hac_api::KeyNode;

    use super::*;

    #[test]
    fn the_status_shows_who_has_which_key_and_who_is_waited_for() {
        let node = |id: u32, fingerprint: Option<&str>, next: Option<&str>| KeyNode {
            id,
            name: format!("node{id}"),
            fingerprint: fingerprint.map(str::to_owned),
            next: next.map(str::to_owned),
        };
        let status = KeyStatus {
            fingerprint: "00112233aabbccdd".to_owned(),
            next: Some("8899aabb00112233".to_owned()),
            waiting_for: vec!["node2".to_owned()],
            nodes: vec![node(1, Some("00112233aabbccdd"), Some("8899aabb00112233")), node(2, None, None)],
        };
        let expected = "Key in use:  00112233aabbccdd\nNext key:    8899aabb00112233\nWaiting for: node2\n\n\
                        \x20 node1 (1): 00112233aabbccdd, has stored 8899aabb00112233\n\
                        \x20 node2 (2): unknown: not a member\n";
        assert_eq!(text(&status), expected);
    }
}
