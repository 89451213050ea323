//! What the node knows, in the words of the API.

use hac_api as api;
use hac_crm::cib::RefusalKind;
use hac_crm::model;
use hac_node::{LinkReport, MemberReport, MemberState, QuorumReport, Report, Severity, SyncState};
use serde::Serialize;
use serde_json::Value;

use super::refusal::Refused;
use crate::config::Node;
use crate::driver::Look;

pub(super) fn version(version: model::Version) -> api::Version {
    let model::Version { admin_epoch, epoch, num_updates } = version;
    api::Version { admin_epoch, epoch, num_updates }
}

pub(super) fn version_back(version: api::Version) -> model::Version {
    let api::Version { admin_epoch, epoch, num_updates } = version;
    model::Version { admin_epoch, epoch, num_updates }
}

pub(super) fn json(value: &impl Serialize) -> Result<Value, Refused> {
    serde_json::to_value(value)
        .map_err(|error| Refused::new(api::ErrorCode::Internal, format!("the answer cannot be written: {error}")))
}

/// What a refusal of this kind is called.
pub(super) const fn refusal(kind: RefusalKind) -> api::ErrorCode {
    match kind {
        RefusalKind::Invalid => api::ErrorCode::Invalid,
        RefusalKind::NoSuch => api::ErrorCode::NoSuch,
        RefusalKind::Exists => api::ErrorCode::Exists,
        RefusalKind::Old => api::ErrorCode::Old,
        RefusalKind::Unsafe => api::ErrorCode::Unsafe,
    }
}

pub(super) fn key(report: hac_node::KeyReport) -> api::KeyStatus {
    let node = |member: hac_node::KeyMember| api::KeyNode {
        id: member.node.0,
        name: member.name,
        fingerprint: member.fingerprint,
        next: member.next,
    };
    api::KeyStatus {
        fingerprint: report.fingerprint,
        next: report.next,
        waiting_for: report.waiting_for,
        nodes: report.members.into_iter().map(node).collect(),
    }
}

pub(super) fn status(look: Look, nodes: &[Node]) -> Result<api::Status, Refused> {
    let cib = json(&look.cib)?;
    let members = members(&look.report, nodes);
    let Report { counters, problems, quorum: votes, .. } = look.report;
    let mut counters: Vec<api::Counter> =
        counters.into_iter().map(|counter| api::Counter { name: counter.name, value: counter.value }).collect();
    for (name, value) in [
        ("udp.received", look.udp.received),
        ("udp.sent", look.udp.sent),
        ("udp.unsent", look.udp.unsent),
        ("udp.unlisted", look.udp.unlisted),
    ] {
        counters.push(api::Counter { name: name.to_owned(), value });
    }
    let problem = |problem: hac_node::Problem| api::Problem {
        severity: match problem.severity {
            Severity::Error => api::Severity::Error,
            Severity::Warning => api::Severity::Warning,
            Severity::Info => api::Severity::Info,
        },
        sentence: problem.sentence,
        remedy: problem.remedy,
    };
    Ok(api::Status {
        cluster_name: look.report.cluster_name,
        hacd_version: look.report.version,
        node: look.report.name,
        node_id: look.report.node.0,
        now_ms: look.report.now.0,
        started_ms: look.report.started.0,
        dc: look.report.dc,
        dc_version: look.report.dc_version,
        sync: match look.report.sync {
            SyncState::Joining => api::Sync::Joining,
            SyncState::Syncing => api::Sync::Syncing,
            SyncState::Active => api::Sync::Active,
            SyncState::Leaving | SyncState::Stopped => api::Sync::Leaving,
        },
        settled: look.report.settled,
        waiting_for: look.report.waiting_for,
        problems: problems.into_iter().map(problem).collect(),
        members,
        quorum: quorum(votes),
        cib,
        counters,
    })
}

/// A transition as its events tell of it.
pub(super) fn transition((begun, ended): (api::Event, Option<api::Event>)) -> api::LastTransition {
    let lines = |event: &api::Event, name: &str| {
        let lines = event.details[name].as_array().into_iter().flatten();
        lines.filter_map(|line| line.as_str().map(str::to_owned)).collect()
    };
    api::LastTransition {
        number: begun.details["number"].as_u64().unwrap_or_default(),
        time_ms: begun.time_ms,
        decisions: lines(&begun, "decisions"),
        end: ended.as_ref().and_then(|event| event.details["end"].as_str().map(str::to_owned)),
        problems: ended.as_ref().map(|event| lines(event, "problems")).unwrap_or_default(),
    }
}

pub(super) fn members(report: &Report, nodes: &[Node]) -> api::Members {
    let entry = |member: &MemberReport| {
        let configured = nodes.iter().find(|node| node.id == member.node);
        let addresses = configured.map(|node| node.addresses.as_slice()).unwrap_or_default();
        let address = |(link, ip): (u8, &std::net::IpAddr)| api::Address { link, ip: ip.to_string() };
        api::MembersEntry {
            id: member.node.0,
            name: member.name.clone(),
            local: member.local,
            state: match member.state {
                MemberState::Joined => api::MemberState::Joined,
                MemberState::Left => api::MemberState::Left,
                MemberState::Lost => api::MemberState::Lost,
                MemberState::Unseen => api::MemberState::Unseen,
            },
            incarnation: member.incarnation.map(|incarnation| incarnation.to_string()),
            version: member.version.clone(),
            join_count: member.joins,
            votes: member.votes,
            addresses: (0_u8..).zip(addresses).map(address).collect(),
            links: member.links.iter().map(link).collect(),
        }
    };
    api::Members {
        ring: report.ring.map(|ring| ring.to_string()).unwrap_or_default(),
        nodes: report.members.iter().map(entry).collect(),
    }
}

fn link(link: &LinkReport) -> api::Link {
    api::Link {
        link: link.link,
        connected: link.connected,
        rtt_us: link.rtt_us,
        jitter_us: link.jitter_us,
        loss_permille: Some(link.loss_permille),
        silence_limit_ms: Some(link.silence_limit_ms),
        last_heard_ms: link.last_heard_ms,
        datagram_max: Some(link.datagram_max),
    }
}

pub(super) fn quorum(report: QuorumReport) -> api::Quorum {
    let QuorumReport { quorate, expected_votes, highest_expected, total_votes, quorum, flags, waiting_for } = report;
    api::Quorum { quorate, expected_votes, highest_expected, total_votes, quorum, flags, waiting_for }
}
