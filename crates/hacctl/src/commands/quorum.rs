//! `hacctl quorum`: what `corosync-quorumtool -s` prints, and the way out of waiting for all nodes.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{Command, ErrorCode, MemberState, Status};

use super::Context;
use crate::args::QuorumCommand;
use crate::failure::Failure;
use crate::terminal;

/// Prints votes and quorum (exit code 0 with quorum, 2 without), or ends the waiting for all nodes.
pub(crate) async fn run(context: &Context, command: Option<QuorumCommand>) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    match command {
        Some(QuorumCommand::Unblock { yes }) => return unblock(context, &status, yes).await,
        Some(QuorumCommand::Trust { yes }) => return trust(context, &status, yes).await,
        None => {}
    }
    if context.json {
        terminal::print_json(&serde_json::json!({
            "node": status.node, "ring": status.members.ring, "quorum": status.quorum, "nodes": status.members.nodes,
        }))?;
    } else {
        terminal::print(&text(&status))?;
    }
    Ok(if status.quorum.quorate { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Declares the missing nodes to be down.
async fn unblock(context: &Context, status: &Status, yes: bool) -> Result<ExitCode, Failure> {
    if !status.quorum.waits_for_all {
        let why = if status.quorum.quorate { "it has quorum" } else { "it lacks votes, which only other nodes have" };
        return Err(Failure::new(ErrorCode::Invalid, format!("this partition does not wait for all nodes: {why}"))
            .with_remedy("'hacctl quorum' shows the votes."));
    }
    let missing: Vec<_> = status.members.nodes.iter().filter(|node| node.state != MemberState::Joined).collect();
    let names = missing.iter().map(|node| terminal::harmless(&node.name)).collect::<Vec<_>>().join(", ");
    let question = format!("this partition would act without {names}; if they run resources, those run twice");
    if !yes {
        let go_on = "Make sure that they are down. Then add --yes. Nothing was changed.";
        terminal::confirm(&question, go_on)?;
    }
    context.client.command(Command::CancelWaitForAll, None).await?;
    let quorum = context.client.status().await?.quorum;
    if let Some(waiting) = quorum.waiting_for.filter(|_| !quorum.quorate) {
        let sentence = format!("the waiting for all nodes is over, and there is no quorum: {waiting}");
        return Err(Failure::new(ErrorCode::Quorum, terminal::harmless(&sentence))
            .with_remedy("Start enough of the other nodes."));
    }
    context.done("the waiting for all nodes is over; this partition has quorum", None)?;
    Ok(ExitCode::SUCCESS)
}

/// Takes what the arbiter has for what this cluster knows.
async fn trust(context: &Context, status: &Status, yes: bool) -> Result<ExitCode, Failure> {
    let Some(arbiter) = &status.quorum.arbiter else {
        return Err(Failure::new(ErrorCode::NoSuch, "this cluster has no arbiter")
            .with_remedy("'arbiter.model' in hacd.toml names one."));
    };
    if !yes {
        let sentence = terminal::harmless(&arbiter.sentence);
        let question =
            format!("what the arbiter has is replaced, whatever it is, and believed from then on ({sentence})");
        terminal::confirm(&question, "Look why it is another one. Then add --yes. Nothing was changed.")?;
    }
    context.client.command(Command::TrustArbiter, None).await?;
    context.done("the arbiter has what this cluster knows, and is believed", None)?;
    Ok(ExitCode::SUCCESS)
}

fn text(status: &Status) -> String {
    let quorum = &status.quorum;
    let mut text = terminal::harmless(&hac_compat::quorum_text(status));
    if let Some(waiting) = &quorum.waiting_for {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\nNo quorum: {}", terminal::harmless(waiting));
    }
    if let Some(arbiter) = &quorum.arbiter {
        let (state, sentence) = (terminal::harmless(&arbiter.state), terminal::harmless(&arbiter.sentence));
        let _ = writeln!(text, "\nArbiter: {state}: {sentence} (epoch {})", arbiter.epoch);
    }
    if quorum.waits_for_all {
        let _ = writeln!(text, "If those nodes are down for certain: 'hacctl quorum unblock' ends the waiting.");
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hac_api::{Members, MembersEntry, Quorum};

    use super::*;

    #[test]
    fn a_two_node_cluster_looks_as_people_know_it() {
        let node = |id, name: &str, local| MembersEntry {
            id,
            name: name.into(),
            local,
            state: MemberState::Joined,
            votes: 1,
            ..MembersEntry::default()
        };
        let status = Status {
            node_id: 1,
            members: Members { ring: "1.9".into(), nodes: vec![node(1, "primary", true), node(2, "secondary", false)] },
            quorum: Quorum {
                quorate: true,
                expected_votes: 2,
                highest_expected: 2,
                total_votes: 2,
                quorum: 1,
                flags: vec!["2Node".into(), "Quorate".into(), "WaitForAll".into()],
                waiting_for: None,
                waits_for_all: false,
                arbiter: None,
            },
            ..Status::default()
        };
        expect![[r#"
            Quorum information
            ------------------
            Date:             Thu Jan  1 00:00:00 1970
            Quorum provider:  corosync_votequorum
            Nodes:            2
            Node ID:          1
            Ring ID:          1.9
            Quorate:          Yes

            Votequorum information
            ----------------------
            Expected votes:   2
            Highest expected: 2
            Total votes:      2
            Quorum:           1  
            Flags:            2Node Quorate WaitForAll 

            Membership information
            ----------------------
                Nodeid      Votes Name
                     1          1 primary (local)
                     2          1 secondary
        "#]]
        .assert_eq(&text(&status));
    }
}
