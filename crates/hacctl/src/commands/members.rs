//! `hacctl members`: what `corosync-cmapctl | grep members` prints, and with `-v` how the links do.

use std::fmt::Write as _;
use std::process::ExitCode;

use hac_api::{Link, MembersEntry, Status};

use super::Context;
use crate::failure::Failure;
use crate::terminal;

/// Prints the membership.
pub(crate) async fn run(context: &Context, verbose: bool) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    if context.json {
        terminal::print_json(&status.members)?;
    } else if verbose {
        terminal::print(&links(&status))?;
    } else {
        terminal::print(&cmap(&status))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One key a line, as people grep it.
fn cmap(status: &Status) -> String {
    let mut text = String::new();
    for node in &status.members.nodes {
        let key = format!("runtime.members.{}", node.id);
        let ip: String = node.addresses.iter().map(|a| format!("r({}) ip({}) ", a.link, a.ip)).collect();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{key}.name (str) = {}\n{key}.ip (str) = {ip}\n{key}.join_count (u32) = {}\n{key}.status (str) = {}\n",
            terminal::harmless(&node.name),
            node.join_count,
            node.state.word(),
        );
        if let Some(release) = &node.version {
            let _ = writeln!(text, "{key}.release (str) = {}", terminal::harmless(release));
        }
        if let Some((min, max)) = node.levels {
            let _ = writeln!(text, "{key}.level_min (u16) = {min}\n{key}.level_max (u16) = {max}");
        }
    }
    text
}

/// What a member runs: `hacd 0.1.0, levels 1 to 2`. Nothing of a node that is not a member.
fn program(node: &MembersEntry) -> String {
    let release = node.version.as_ref().map(|release| format!(", hacd {}", terminal::harmless(release)));
    let levels = node.levels.map(|(min, max)| match min == max {
        true => format!(", level {max}"),
        false => format!(", levels {min} to {max}"),
    });
    release.into_iter().chain(levels).collect()
}

/// A table of links.
pub(super) fn links(status: &Status) -> String {
    let mut text = format!("Ring {}\n", status.members.ring);
    for node in &status.members.nodes {
        let local = if node.local { ", this node" } else { "" };
        let _ = writeln!(
            text,
            "{} ({}): {}{}{local}",
            terminal::harmless(&node.name),
            node.id,
            node.state.word(),
            program(node)
        );
        for link in &node.links {
            let _ = writeln!(text, "  {}", line(node, link));
        }
    }
    text
}

fn line(node: &MembersEntry, link: &Link) -> String {
    let ip = node.addresses.iter().find(|a| a.link == link.link).map_or("?", |a| a.ip.as_str());
    let micros =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |us| format!("{}.{:03} ms", us / 1000, us % 1000));
    let millis = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    let loss = link.loss_permille.map_or_else(|| "-".to_owned(), |p| format!("{}.{} %", p / 10, p % 10));
    format!(
        "link {} {ip}: {}, round trip {}, jitter {}, loss {loss}, silence limit {}, last heard {} ago",
        link.link,
        if link.connected { "connected" } else { "disconnected" },
        micros(link.rtt_us),
        micros(link.jitter_us),
        millis(link.silence_limit_ms),
        millis(link.last_heard_ms),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hac_api::{Address, MemberState, Members};

    use super::*;

    fn status() -> Status {
        let node = |id: u32, name: &str, state| MembersEntry {
            id,
            name: name.into(),
            local: id == 1,
            state,
            join_count: 1,
            version: (state == MemberState::Joined).then(|| format!("0.{id}.0")),
            levels: (state == MemberState::Joined).then_some((1, if id == 1 { 1 } else { 2 })),
            addresses: vec![Address { link: 0, ip: format!("10.132.0.{}", 10 + id) }],
            links: if id == 1 {
                vec![]
            } else {
                vec![Link {
                    link: 0,
                    connected: true,
                    rtt_us: Some(212),
                    jitter_us: Some(40),
                    loss_permille: Some(5),
                    silence_limit_ms: Some(350),
                    last_heard_ms: Some(12),
                    ..Link::default()
                }]
            },
            ..MembersEntry::default()
        };
        Status {
            members: Members {
                ring: "1.9".into(),
                nodes: vec![
                    node(1, "primary", MemberState::Joined),
                    node(2, "secondary", MemberState::Joined),
                    node(3, "third", MemberState::Lost),
                ],
            },
            ..Status::default()
        }
    }

    #[test]
    fn members_are_printed_as_the_tutorial_greps_them() {
        expect![[r#"
            runtime.members.1.name (str) = primary
            runtime.members.1.ip (str) = r(0) ip(10.132.0.11) 
            runtime.members.1.join_count (u32) = 1
            runtime.members.1.status (str) = joined
            runtime.members.1.release (str) = 0.1.0
            runtime.members.1.level_min (u16) = 1
            runtime.members.1.level_max (u16) = 1
            runtime.members.2.name (str) = secondary
            runtime.members.2.ip (str) = r(0) ip(10.132.0.12) 
            runtime.members.2.join_count (u32) = 1
            runtime.members.2.status (str) = joined
            runtime.members.2.release (str) = 0.2.0
            runtime.members.2.level_min (u16) = 1
            runtime.members.2.level_max (u16) = 2
            runtime.members.3.name (str) = third
            runtime.members.3.ip (str) = r(0) ip(10.132.0.13) 
            runtime.members.3.join_count (u32) = 1
            runtime.members.3.status (str) = left
        "#]]
        .assert_eq(&cmap(&status()));
    }

    #[test]
    fn links_tell_what_the_detector_knows() {
        let text = links(&status());
        assert!(text.contains("\nprimary (1): joined, hacd 0.1.0, level 1, this node\n"), "{text}");
        assert!(text.contains("\nsecondary (2): joined, hacd 0.2.0, levels 1 to 2\n"), "{text}");
        assert!(text.contains("\nthird (3): left\n"), "{text}");
        assert!(text.contains(
            "link 0 10.132.0.12: connected, round trip 0.212 ms, jitter 0.040 ms, loss 0.5 %, silence limit 350 ms, last heard 12 ms ago"
        ), "{text}");
    }
}
