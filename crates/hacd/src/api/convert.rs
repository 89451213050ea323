//! What the node knows, in the words of the API.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hac_api as api;
use hac_crm::cib::RefusalKind;
use hac_node::{LinkReport, MemberReport, MemberState, QuorumReport, Report, Severity, SyncState};
use serde::Serialize;
use serde_json::Value;

use super::refusal::Refused;
use super::server::Api;
use crate::driver::Snapshot;
use crate::driver::steps::{CLASSES, Cause, Steps};
use crate::nodes::Place;

pub(super) fn version(version: hac_model::Version) -> api::Version {
    let hac_model::Version { admin_epoch, epoch, num_updates } = version;
    api::Version { admin_epoch, epoch, num_updates }
}

pub(super) fn version_back(version: api::Version) -> hac_model::Version {
    let api::Version { admin_epoch, epoch, num_updates } = version;
    hac_model::Version { admin_epoch, epoch, num_updates }
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
        RefusalKind::Level => api::ErrorCode::Level,
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

/// How the node stands; with the CIB, or without.
pub(super) fn status(look: &Snapshot, of: &Api, cib: bool) -> api::Status {
    let report = look.report();
    let members = members(&report, &of.place);
    let (problems, votes, cluster) = (report.problems, report.quorum, report.cluster);
    let cluster =
        api::ClusterInfo { uuid: cluster.uuid, level: cluster.level.0, version: cluster.version, away: report.away };
    let counters = report.counters;
    let mut counters: Vec<api::Counter> =
        counters.into_iter().map(|counter| api::Counter { name: counter.name, value: counter.value }).collect();
    let udp = of.shared.udp();
    for (name, value) in [
        ("udp.received", udp.received),
        ("udp.sent", udp.sent),
        ("udp.unsent", udp.unsent),
        ("udp.unlisted", udp.unlisted),
        ("log.lost", of.log.lost()),
        ("planner.longest_us", of.shared.longest_plan_us.load(Ordering::Relaxed)),
    ] {
        counters.push(api::Counter { name: name.to_owned(), value });
    }
    for (name, value) in of.shared.storage.counters() {
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
    let own = own_problems(of, &look.cib);
    api::Status {
        cluster_name: report.cluster_name,
        hacd_version: report.version,
        node: report.name,
        node_id: report.node.0,
        now_ms: crate::clock::wall().0,
        started_ms: report.started.0,
        dc: report.dc,
        dc_version: report.dc_version,
        sync: match report.sync {
            SyncState::Joining => api::Sync::Joining,
            SyncState::Syncing => api::Sync::Syncing,
            SyncState::Active => api::Sync::Active,
            SyncState::Leaving | SyncState::Stopped => api::Sync::Leaving,
        },
        uncompared: !report.compared,
        settled: report.settled,
        waiting_for: report.waiting_for,
        problems: problems.into_iter().map(problem).chain(own).collect(),
        protected_by: hac_crm::fencer::protection(&look.cib).to_string(),
        members,
        quorum: quorum(votes),
        cib: if cib { look.masked() } else { Value::Null },
        view: Value::Null,
        readiness: look.cib.status.readiness.iter().map(readiness).collect(),
        last_change: api::LastChange {
            time_ms: look.cib.info.last_changed_ms,
            user: look.cib.info.update_user.clone(),
            client: look.cib.info.update_client.clone(),
            origin: look.cib.info.update_origin.clone(),
        },
        counters,
        steps: steps(of),
        cluster,
    }
}

pub(super) fn readiness(told: &hac_model::Readiness) -> api::Readiness {
    let lack = |lack: &hac_model::Lack| {
        let hac_model::Lack { resources, what, sentence, remedy } = lack.clone();
        api::Lack { resources, what, sentence, remedy }
    };
    api::Readiness {
        node: told.node.clone(),
        ready: told.lacks.is_empty(),
        proved: told.proved,
        lacks: told.lacks.iter().map(lack).collect(),
        agents: told.agents.iter().map(|of| (of.agent.clone(), of.release.clone())).collect(),
    }
}

/// A status as text, with a view that is text already: it may be large, and many ask for the same.
pub(super) fn text(status: &api::Status, view: Option<&str>) -> Result<String, Refused> {
    const PLACE: &str = r#""view":null"#;
    let failed = |error| Refused::new(api::ErrorCode::Internal, format!("the answer cannot be written: {error}"));
    let text = serde_json::to_string(status).map_err(failed)?;
    let Some(view) = view else { return Ok(text) };
    // Within a text the marks would be written otherwise.
    let (front, back) = text.split_once(PLACE).unwrap_or((&text, ""));
    Ok([front, r#""view":"#, view, back].concat())
}

/// What this daemon lacks on its host.
fn own_problems(of: &Api, cib: &hac_model::Cib) -> Vec<api::Problem> {
    let problem = |severity, sentence, remedy: &str| api::Problem { severity, sentence, remedy: remedy.to_owned() };
    let remedy = "The service as it is installed allows it; otherwise see system.sched_rr and LimitMEMLOCK=.";
    let mut problems: Vec<api::Problem> =
        of.shared.shortcomings().into_iter().map(|sentence| problem(api::Severity::Info, sentence, remedy)).collect();
    let door = of.door.state();
    if door.open {
        let (minutes, open) = (door.seconds_left.div_ceil(60), door.count.saturating_sub(door.used));
        let sentence = format!("an invitation is open for {minutes} min more: {open} can become a node with its code");
        problems.push(problem(api::Severity::Info, sentence, "'hacctl invite cancel' ends it."));
    }
    for sentence in super::tcp::sentences(&of.trouble) {
        problems.push(problem(
            api::Severity::Warning,
            sentence,
            "It is tried again every few seconds; 'ss -ltnp' shows who has it.",
        ));
    }
    for sentence in of.alerts.problems(cib) {
        let remedy = "Install it on this node too, or change the alert: 'hacctl alert list' shows all of them.";
        problems.push(problem(api::Severity::Warning, sentence, remedy));
    }
    if let Some(why) = of.log.trouble() {
        let sentence = format!("the log file cannot be written: {why}");
        problems.push(problem(api::Severity::Warning, sentence, "It is tried again every few seconds."));
    }
    problems
}

/// How long the steps of the threads take.
fn steps(of: &Api) -> Vec<api::Steps> {
    let threads = [("ring", &of.shared.ring), ("cluster", &of.shared.cluster)];
    let row = |(thread, steps): (&str, &Steps), cause: Cause| {
        let counted = steps.of(cause);
        let ends = CLASSES.iter().map(|end| Some(*end)).chain([None]);
        let classes = ends.zip(counted.classes()).map(|(up_to_us, count)| api::StepClass { up_to_us, count });
        api::Steps {
            thread: thread.to_owned(),
            cause: cause.name().to_owned(),
            longest_us: counted.longest_us(),
            longest_cpu_us: counted.longest_cpu_us(),
            classes: classes.collect(),
        }
    };
    threads.into_iter().flat_map(|thread| Cause::ALL.map(|cause| row(thread, cause))).collect()
}

/// A transition as its events tell of it.
pub(super) fn transition((begun, ended): (Arc<api::Event>, Option<Arc<api::Event>>)) -> api::LastTransition {
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

pub(super) fn members(report: &Report, place: &Place) -> api::Members {
    let nodes = place.current(report);
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
            levels: member.levels.map(|levels| (levels.min.0, levels.max.0)),
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
    let QuorumReport {
        quorate,
        expected_votes,
        highest_expected,
        total_votes,
        quorum,
        flags,
        waiting_for,
        waits_for_all,
        arbiter,
    } = report;
    let arbiter =
        arbiter.map(|arbiter| api::Arbiter { state: arbiter.state, sentence: arbiter.sentence, epoch: arbiter.epoch });
    api::Quorum {
        quorate,
        expected_votes,
        highest_expected,
        total_votes,
        quorum,
        flags,
        waiting_for,
        waits_for_all,
        arbiter,
    }
}
