//! `hacctl upgrade`: the level of the cluster, who knows which, and going to the next one or back.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{Command, MemberState, Status};
use hac_crm::cib::{Change, Section};

use super::Context;
use crate::args::UpgradeCommand;
use crate::failure::Failure;
use crate::{progress, terminal};

/// Carries out a command about the level.
pub(crate) async fn run(context: &Context, command: UpgradeCommand) -> Result<ExitCode, Failure> {
    match command {
        UpgradeCommand::Status => status(context).await,
        UpgradeCommand::Check => check(context).await,
        UpgradeCommand::Finish => {
            let level = context.client.status().await?.cluster.level;
            set(context, level.saturating_add(1)).await
        }
        UpgradeCommand::Revert { to } => set(context, to).await,
        UpgradeCommand::Hold { duration } => hold(context, duration).await,
    }
}

async fn status(context: &Context) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    if context.json {
        terminal::print_json(&status.cluster)?;
    } else {
        terminal::print(&text(&status))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(context: &Context) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    let missing = missing(&status);
    if context.json {
        let level = status.cluster.level.saturating_add(1);
        terminal::print_json(&serde_json::json!({ "level": level, "missing": missing }))?;
        return Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) });
    }
    if missing.is_empty() {
        terminal::print(&format!("nothing is in the way of level {}\n", status.cluster.level.saturating_add(1)))?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(&lines(&missing))?;
    Ok(ExitCode::from(2))
}

async fn set(context: &Context, to: u16) -> Result<ExitCode, Failure> {
    let asked = context.client.command(Command::SetLevel { to }, context.wait);
    progress::show("waiting until every member has stored the level", asked).await?;
    eprintln!("INFO: the cluster is at level {to} now");
    Ok(ExitCode::SUCCESS)
}

async fn hold(context: &Context, duration: String) -> Result<ExitCode, Failure> {
    if duration != "never" && hac_model::parse_duration_ms(&duration).is_none() {
        let sentence = format!("'{}' is no time", terminal::harmless(&duration));
        return Err(Failure::usage(sentence).with_remedy("Write 24h, 30min, 0, or never."));
    }
    let pairs = vec![("upgrade-hold".to_owned(), Some(duration))];
    let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
    context.client.configure(&[change], None, context.wait).await?;
    Ok(ExitCode::SUCCESS)
}

/// What keeps the cluster from the next level, in sentences.
fn missing(status: &Status) -> Vec<String> {
    let next = status.cluster.level.saturating_add(1);
    let mut missing: Vec<String> = status
        .cluster
        .away
        .iter()
        .map(|name| format!("{} is away: the level is raised only while all nodes are here", terminal::harmless(name)))
        .collect();
    for node in status.members.nodes.iter().filter(|node| node.state == MemberState::Joined) {
        if let Some((_, max)) = node.levels.filter(|(_, max)| *max < next) {
            let (name, release) = (terminal::harmless(&node.name), node.version.as_deref().unwrap_or("?"));
            missing.push(format!("{name} runs hacd {release}, which knows levels up to {max}, not {next}"));
        }
    }
    missing
}

fn lines(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("{sentence}\n")).collect()
}

fn text(status: &Status) -> String {
    let uuid = if status.cluster.uuid.is_empty() { "not named yet" } else { status.cluster.uuid.as_str() };
    let mut text = format!("Cluster:          {uuid}\nLevel in force:   {}\n\n", status.cluster.level);
    for node in &status.members.nodes {
        let levels = match node.levels {
            Some((min, max)) => {
                format!("hacd {}, levels {min} to {max}", terminal::harmless(node.version.as_deref().unwrap_or("?")))
            }
            None => "not a member".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {} ({}): {levels}", terminal::harmless(&node.name), node.id);
    }
    let missing = missing(status);
    if !missing.is_empty() {
        let _ = write!(text, "\nThe next level waits:\n{}", lines(&missing));
    }
    text
}

#[cfg(test)]
mod tests {
    use hac_api::{ClusterInfo, Members, MembersEntry};

    use super::*;

    #[test]
    fn the_status_shows_who_knows_what_and_what_is_waited_for() {
        let node = |id: u32, state, levels| MembersEntry {
            id,
            name: format!("n{id}"),
            state,
            version: Some("0.1.0".to_owned()),
            levels,
            ..MembersEntry::default()
        };
        let nodes = vec![
            node(1, MemberState::Joined, Some((1, 2))),
            node(2, MemberState::Joined, Some((1, 1))),
            node(3, MemberState::Lost, None),
        ];
        let cluster = ClusterInfo { uuid: "ab".repeat(16), level: 1, version: 1, away: vec!["n3".to_owned()] };
        let status = Status { members: Members { nodes, ..Members::default() }, cluster, ..Status::default() };
        let expected = "Cluster:          abababababababababababababababab\nLevel in force:   1\n\n\
                        \x20 n1 (1): hacd 0.1.0, levels 1 to 2\n\
                        \x20 n2 (2): hacd 0.1.0, levels 1 to 1\n\
                        \x20 n3 (3): not a member\n\n\
                        The next level waits:\n\
                        n3 is away: the level is raised only while all nodes are here\n\
                        n2 runs hacd 0.1.0, which knows levels up to 1, not 2\n";
        assert_eq!(text(&status), expected);
    }
}
