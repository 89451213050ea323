//! `hacctl quorum`: what `corosync-quorumtool -s` prints.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{MemberState, Status};

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Prints votes and quorum; exit code 0 with quorum, 2 without.
pub(crate) async fn run(context: &Context) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    if context.json {
        terminal::print_json(&serde_json::json!({
            "node": status.node, "ring": status.members.ring, "quorum": status.quorum, "nodes": status.members.nodes,
        }))?;
    } else {
        terminal::print(&text(&status))?;
    }
    Ok(if status.quorum.quorate { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn text(status: &Status) -> String {
    let quorum = &status.quorum;
    let members: Vec<_> = status.members.nodes.iter().filter(|n| n.state == MemberState::Joined).collect();
    let blocked = if quorum.quorate { "" } else { " Activity blocked" };
    let mut text = format!(
        "Quorum information\n------------------\n\
         Quorum provider:  corosync_votequorum\n\
         Nodes:            {}\n\
         Node ID:          {}\n\
         Ring ID:          {}\n\
         Quorate:          {}\n\n\
         Votequorum information\n----------------------\n\
         Expected votes:   {}\n\
         Highest expected: {}\n\
         Total votes:      {}\n\
         Quorum:           {}{blocked}\n\
         Flags:            {}\n\n\
         Membership information\n----------------------\n    Nodeid      Votes Name\n",
        members.len(),
        status.node_id,
        status.members.ring,
        if quorum.quorate { "Yes" } else { "No" },
        quorum.expected_votes,
        quorum.highest_expected,
        quorum.total_votes,
        quorum.quorum,
        quorum.flags.join(" "),
    );
    for node in members {
        let local = if node.local { " (local)" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>10} {:>10} {}{local}", node.id, node.votes, terminal::harmless(&node.name));
    }
    if let Some(waiting) = &quorum.waiting_for {
        let _ = writeln!(text, "\nNo quorum: {}", terminal::harmless(waiting));
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
            },
            ..Status::default()
        };
        expect![[r#"
            Quorum information
            ------------------
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
