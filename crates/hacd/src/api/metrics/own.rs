//! The series that only hacd has.

use std::fs;

use hac_api::{MemberState, Severity, Status, Sync};
use hac_model::{Cib, Role};
use hac_pacemaker::mon;
use hac_scheduler::view::ClusterView;

use super::super::hub::Counted;
use super::series::{Page, Series};

static BUILD: Series =
    Series::gauge("hacd_build_info", "Version of the daemon and the level of the cluster; always 1.");
static START: Series = Series::gauge("hacd_start_time_seconds", "When the daemon started, seconds since 1970.");
static SYNC: Series =
    Series::gauge("hacd_sync_state", "How far this node is in taking part, 1 for the state it is in.");
static SETTLED: Series = Series::gauge("hacd_settled", "Whether nothing is in progress, 1 or 0.");
static PROBLEMS: Series = Series::gauge("hacd_problems", "Problems that status shows, by severity.");
static EVENTS: Series = Series::counter("hacd_events", "Events since the daemon started, by kind.");
static ACTIONS: Series = Series::counter(
    "hacd_actions",
    "Operations of all nodes that ended since the daemon started, by what they were and whether that was as expected.",
);
static TRANSITIONS: Series = Series::counter(
    "hacd_transitions",
    "Decisions that this node carried out since the daemon started, by how they ended.",
);
static DROPPED: Series = Series::gauge(
    "hacd_series_dropped",
    "Whether the numbers of single resources are left out because there are too many, 1 or 0.",
);

static MEMBERS: Series = Series::gauge("hacd_ring_members", "Members of the ring.");
static LINK_UP: Series = Series::gauge("hacd_link_up", "Whether anything comes from a peer on a link, 1 or 0.");
static LINK_RTT: Series = Series::gauge("hacd_link_rtt_seconds", "Smoothed round-trip time to a peer.");
static LINK_JITTER: Series = Series::gauge("hacd_link_jitter_seconds", "Variation of the round-trip time to a peer.");
static LINK_LOSS: Series = Series::gauge("hacd_link_loss_ratio", "Lost probes to a peer in the recent past, 0 to 1.");
static LINK_LIMIT: Series =
    Series::gauge("hacd_link_silence_limit_seconds", "How long a peer may be silent before it is suspected.");
static LINK_HEARD: Series =
    Series::gauge("hacd_link_last_heard_seconds", "How long ago something was heard of a peer.");

static QUORATE: Series = Series::gauge("hacd_quorate", "Whether this partition may act, 1 or 0.");
static VOTES: Series = Series::gauge("hacd_votes", "Votes: expected, total (of the members) and needed.");
static DC: Series = Series::gauge("hacd_dc", "The designated coordinator that this node knows; always 1.");
static TICKET: Series = Series::gauge("hacd_ticket_granted", "Whether a ticket is granted, 1 or 0.");
static MAINTENANCE: Series = Series::gauge("hacd_maintenance", "Whether the whole cluster is in maintenance, 1 or 0.");

static EPOCH: Series = Series::gauge("hacd_config_epoch", "Changes of the configuration (epoch of the CIB).");
static CONFIG: Series = Series::gauge("hacd_config_version", "Changes of the list of nodes and of the level.");
static LEVEL: Series = Series::gauge("hacd_level", "Level at which the members speak.");

static RUNNING: Series =
    Series::by_resource("hacd_resource_running", "A resource active on a node, by role; always 1.");
static STOPPED: Series =
    Series::by_resource("hacd_resource_stopped", "Whether nothing of a resource is active anywhere, 1 or 0.");
static FIT: Series =
    Series::gauge("hacd_standby_fit", "Whether a node could start all that it would have to if it was alone, 1 or 0.");
static NOT_READY: Series = Series::by_resource(
    "hacd_resource_not_ready",
    "A resource that a node could not start, by what it lacks; always 1.",
);
static FAILURES: Series = Series::by_resource("hacd_resource_failures", "Failures of a resource on a node.");

static STEPS: Series = Series::counter(
    "hacd_steps",
    "Steps of a thread that took at most so long (le, seconds), by cause; not cumulative.",
);
static STEP_LONGEST: Series = Series::gauge(
    "hacd_step_longest_seconds",
    "Longest step of a thread since the daemon started, by the wall clock and by the processor's.",
);
static REJECTED: Series = Series::counter("hacd_rejected", "Datagrams of the ring that were refused, by reason.");
static GATHERS: Series = Series::counter("hacd_ring_gathers", "Searches for a new membership, by reason.");
static NOTES: Series =
    Series::counter("hacd_node", "What the node counted of unexpected messages and plans, by what it was.");

static SCHEDULE: Series = Series::gauge("hacd_schedule_longest_seconds", "Longest decision since the daemon started.");

static STORE_LONGEST: Series =
    Series::gauge("hacd_store_longest_seconds", "Longest time that storing took since the daemon started.");

static RESIDENT: Series = Series::gauge("process_resident_memory_bytes", "Memory of the daemon that is resident.");
static OPEN_FDS: Series = Series::gauge("process_open_fds", "Descriptors that the daemon has open.");
static THREADS: Series = Series::gauge("process_threads", "Threads of the daemon.");

/// Counters of the status that are a series each.
static COUNTERS: [(&str, Series); 22] = [
    ("totem.datagrams_sent", Series::counter("hacd_ring_datagrams_sent", "Datagrams of the ring that were sent.")),
    ("totem.datagrams_received", Series::counter("hacd_ring_datagrams_received", "Datagrams of the ring that came.")),
    ("totem.bytes_sent", Series::counter("hacd_ring_sent_bytes", "Bytes of the ring that were sent.")),
    ("totem.bytes_received", Series::counter("hacd_ring_received_bytes", "Bytes of the ring that came.")),
    ("totem.tokens", Series::counter("hacd_ring_tokens", "Tokens that this node took.")),
    ("totem.token_retransmits", Series::counter("hacd_ring_token_retransmits", "Tokens that were sent again.")),
    ("totem.packets_sent", Series::counter("hacd_ring_packets_sent", "Packets of messages that were sent.")),
    ("totem.retransmissions", Series::counter("hacd_retransmissions", "Packets of messages that were sent again.")),
    ("totem.retransmit_requests", Series::counter("hacd_retransmit_requests", "Packets that were asked for again.")),
    ("totem.delivered", Series::counter("hacd_messages", "Messages that were delivered in order.")),
    ("totem.views", Series::counter("hacd_ring_views", "Memberships.")),
    ("totem.suspicions", Series::counter("hacd_suspicions", "Peers that were suspected.")),
    ("totem.false_suspicions", Series::counter("hacd_false_suspicions", "Peers that were suspected and were there.")),
    ("totem.pauses", Series::counter("hacd_pauses", "Pauses of this machine that the ring noticed.")),
    ("totem.queued", Series::gauge("hacd_ring_queued", "Messages of this node that wait for the token.")),
    ("udp.received", Series::counter("hacd_udp_received", "Datagrams that the sockets gave.")),
    ("udp.sent", Series::counter("hacd_udp_sent", "Datagrams that the sockets took.")),
    ("udp.unsent", Series::counter("hacd_udp_unsent", "Datagrams that the sockets refused.")),
    ("udp.unlisted", Series::counter("hacd_udp_unlisted", "Datagrams from addresses that are no node's.")),
    ("storage.stored", Series::counter("hacd_stored", "What was stored: configurations, keys, numbers of rings.")),
    ("storage.slow", Series::counter("hacd_stored_slowly", "What took longer than 0.5 s to be stored.")),
    ("log.lost", Series::counter("hacd_log_lost", "Lines that the log had to drop.")),
];

/// All of them.
#[cfg(test)]
pub(super) fn all() -> Vec<&'static Series> {
    let named = [
        &BUILD,
        &START,
        &SYNC,
        &SETTLED,
        &PROBLEMS,
        &EVENTS,
        &ACTIONS,
        &TRANSITIONS,
        &DROPPED,
        &MEMBERS,
        &LINK_UP,
        &LINK_RTT,
        &LINK_JITTER,
        &LINK_LOSS,
        &LINK_LIMIT,
        &LINK_HEARD,
        &QUORATE,
        &VOTES,
        &DC,
        &TICKET,
        &MAINTENANCE,
        &EPOCH,
        &CONFIG,
        &LEVEL,
        &RUNNING,
        &STOPPED,
        &FAILURES,
        &FIT,
        &NOT_READY,
        &STEPS,
        &STEP_LONGEST,
        &REJECTED,
        &GATHERS,
        &NOTES,
        &RESIDENT,
        &OPEN_FDS,
        &THREADS,
        &SCHEDULE,
        &STORE_LONGEST,
    ];
    named.into_iter().chain(COUNTERS.iter().map(|(_, series)| series)).collect()
}

/// Adds what the daemon knows of itself and of the ring.
pub(super) fn node(page: &mut Page, status: &Status, cib: &Cib) {
    let level = status.cluster.level.to_string();
    page.put(&BUILD, &[("version", &status.hacd_version), ("level", &level)], 1.0);
    page.count(&START, &[], u64::try_from(status.started_ms.div_euclid(1000)).unwrap_or(0));
    for (state, word) in
        [(Sync::Joining, "joining"), (Sync::Syncing, "syncing"), (Sync::Active, "active"), (Sync::Leaving, "leaving")]
    {
        page.flag(&SYNC, &[("state", word)], status.sync == state);
    }
    page.flag(&SETTLED, &[], status.settled);
    for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "info")] {
        let count = status.problems.iter().filter(|problem| problem.severity == severity).count();
        page.count(&PROBLEMS, &[("severity", word)], count as u64);
    }
    for told in &status.readiness {
        page.flag(&FIT, &[("node", &told.node)], told.ready);
        for lack in &told.lacks {
            for resource in &lack.resources {
                page.put(&NOT_READY, &[("resource", resource), ("node", &told.node), ("what", &lack.what)], 1.0);
            }
        }
    }
    page.flag(&QUORATE, &[], status.quorum.quorate);
    for (kind, votes) in [
        ("expected", status.quorum.expected_votes),
        ("total", status.quorum.total_votes),
        ("needed", status.quorum.quorum),
    ] {
        page.put(&VOTES, &[("kind", kind)], f64::from(votes));
    }
    if let Some(dc) = &status.dc {
        page.put(&DC, &[("node", dc)], 1.0);
    }
    page.count(&EPOCH, &[], cib.version.epoch);
    page.count(&CONFIG, &[], status.cluster.version);
    page.put(&LEVEL, &[], f64::from(status.cluster.level));
    links(page, status);
    steps(page, status);
    counters(page, status);
    process(page);
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn links(page: &mut Page, status: &Status) {
    let joined = status.members.nodes.iter().filter(|member| member.state == MemberState::Joined);
    page.count(&MEMBERS, &[], joined.count() as u64);
    for member in status.members.nodes.iter().filter(|member| !member.local) {
        for link in &member.links {
            let number = link.link.to_string();
            let labels = [("peer", member.name.as_str()), ("link", number.as_str())];
            page.flag(&LINK_UP, &labels, link.connected);
            for (series, value, unit) in [
                (&LINK_RTT, link.rtt_us, 1e-6),
                (&LINK_JITTER, link.jitter_us, 1e-6),
                (&LINK_LOSS, link.loss_permille.map(u64::from), 1e-3),
                (&LINK_LIMIT, link.silence_limit_ms, 1e-3),
                (&LINK_HEARD, link.last_heard_ms, 1e-3),
            ] {
                if let Some(value) = value {
                    page.put(series, &labels, value as f64 * unit);
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn steps(page: &mut Page, status: &Status) {
    for steps in &status.steps {
        let labels = [("thread", steps.thread.as_str()), ("cause", steps.cause.as_str())];
        for (clock, us) in [("wall", steps.longest_us), ("cpu", steps.longest_cpu_us)] {
            page.put(&STEP_LONGEST, &[labels[0], labels[1], ("clock", clock)], us as f64 * 1e-6);
        }
        for class in &steps.classes {
            let end = class.up_to_us.map_or_else(|| "+Inf".to_owned(), |us| (us as f64 * 1e-6).to_string());
            page.count(&STEPS, &[labels[0], labels[1], ("le", &end)], class.count);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn counters(page: &mut Page, status: &Status) {
    for counter in &status.counters {
        if let Some((_, series)) = COUNTERS.iter().find(|(name, _)| *name == counter.name) {
            page.count(series, &[], counter.value);
        } else if counter.name == "storage.longest_us" {
            page.put(&STORE_LONGEST, &[], counter.value as f64 * 1e-6);
        } else if counter.name == "planner.longest_us" {
            page.put(&SCHEDULE, &[], counter.value as f64 * 1e-6);
        } else {
            let (series, label, word) = counted_by_word(&counter.name);
            page.count(series, &[(label, word)], counter.value);
        }
    }
}

/// The series of a counter whose name ends in a word. What belongs to no other counts as the node's.
fn counted_by_word(name: &str) -> (&'static Series, &'static str, &str) {
    let families =
        [("totem.rejected.", &REJECTED, "reason"), ("totem.gathers.", &GATHERS, "reason"), ("node.", &NOTES, "what")];
    let found =
        families.into_iter().find_map(|(prefix, series, label)| Some((series, label, name.strip_prefix(prefix)?)));
    found.unwrap_or((&NOTES, "what", name))
}

/// What the kernel says of this process. What it does not say is left out.
fn process(page: &mut Page) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    if let Some(kib) = field("VmRSS") {
        page.count(&RESIDENT, &[], kib.saturating_mul(1024));
    }
    if let Some(threads) = field("Threads") {
        page.count(&THREADS, &[], threads);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.count(&OPEN_FDS, &[], open.count() as u64);
    }
}

/// Adds what runs where.
pub(super) fn resources(page: &mut Page, view: &ClusterView) {
    page.flag(&MAINTENANCE, &[], view.maintenance_mode);
    for ticket in &view.tickets {
        page.flag(&TICKET, &[("ticket", &ticket.id)], ticket.granted);
    }
    for resource in mon::primitives(view) {
        let name = resource.name.as_str();
        let role = if resource.role == Role::Stopped { Role::Started } else { resource.role };
        let role = role.to_string().to_lowercase();
        for node in &resource.nodes {
            page.put(&RUNNING, &[("resource", name), ("node", node), ("role", &role)], 1.0);
        }
        for (node, count, _) in &resource.fail_counts {
            page.put(&FAILURES, &[("resource", name), ("node", node)], f64::from(*count));
        }
    }
    for resource in &view.resources {
        page.flag(&STOPPED, &[("resource", &resource.id)], !resource.flags.active);
    }
}

/// Adds how many events there were, and of what.
pub(super) fn events(page: &mut Page, counted: &Counted) {
    counted.kinds.iter().for_each(|(kind, count)| page.count(&EVENTS, &[("kind", kind)], *count));
    for ((task, expected), count) in &counted.actions {
        let result = if *expected { "expected" } else { "failed" };
        page.count(&ACTIONS, &[("task", task), ("result", result)], *count);
    }
    counted.transitions.iter().for_each(|(end, count)| page.count(&TRANSITIONS, &[("end", end)], *count));
}

/// Adds whether numbers of single resources were left out.
pub(super) fn dropped(page: &mut Page, dropped: bool) {
    page.flag(&DROPPED, &[], dropped);
}
