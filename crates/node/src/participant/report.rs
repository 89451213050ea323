//! What this node tells people: the report, and the ring's remarks as events.

use std::collections::BTreeSet;

use hac_model::{Cib, ExecStatus, OpHistory};
use hac_totem::{LinkStatus, Notice, PeerProblem, Stats};
use hac_types::{Departure, Incarnation, NodeId, View, WallTime};

use super::barrier::Barrier;
use super::disk::UNBLOCK;
use super::{Active, Participant, Phase};
use crate::report::{
    Counter, LinkReport, MemberReport, MemberState, Problem, QuorumReport, Report, Severity, Standing, SyncState,
};
use crate::{Event, Level, Now};

/// What is said while a node has only what its disk had.
const UNCOMPARED: &str = "this node has not met most of the votes since it started: what it shows of the configuration is from \
                          its own disk, and another node may have a newer one";
/// What to do about it.
const MEET: &str = "Start the other nodes, or look at the network between them; 'hacctl node remove' takes out one that is gone \
                    for good.";
/// The configuration that this node shows would not survive it.
const UNKEPT: &str = "this node took its configuration over from another one, and it is neither on its own disk nor on enough \
                      others: after a fall of power an older one may be shown";
/// What to do about it.
const STORE: &str = "Look at the disk of /var/lib/hacd; it is stored by itself when the disk answers.";

/// What this node remembers of another (or of itself).
#[derive(Clone, Debug)]
pub(super) struct Acquaintance {
    state: MemberState,
    incarnation: Incarnation,
    joins: u32,
    version: Option<String>,
}

impl Participant {
    /// Notes who is in a view and says so.
    pub(super) fn meet(&mut self, view: &View) {
        let known: BTreeSet<NodeId> =
            if self.view.is_some() { view.continuing.iter().copied().collect() } else { BTreeSet::new() };
        let mut joined = Vec::new();
        for member in &view.members {
            let acquaintance = self.acquaintances.entry(member.node).or_insert(Acquaintance {
                state: MemberState::Unseen,
                incarnation: member.incarnation,
                joins: 0,
                version: None,
            });
            if !known.contains(&member.node) {
                acquaintance.joins = acquaintance.joins.saturating_add(1);
                joined.push(member.node);
            }
            acquaintance.state = MemberState::Joined;
            acquaintance.incarnation = member.incarnation;
        }
        let (mut left, mut lost) = (Vec::new(), Vec::new());
        for gone in &view.left {
            let node = gone.member.node;
            let orderly = gone.departure != Departure::Lost;
            if orderly {
                left.push(node)
            } else {
                lost.push(node)
            }
            if let Some(acquaintance) = self.acquaintances.get_mut(&node)
                && !view.contains(node)
            {
                acquaintance.state = if orderly { MemberState::Left } else { MemberState::Lost };
            }
        }
        let gone: Vec<NodeId> = left.iter().chain(&lost).copied().collect();
        self.tell_of_nodes(&joined, &gone);
        let names = |nodes: Vec<NodeId>| nodes.into_iter().map(|n| self.name_of(n)).collect();
        self.effects.event(Event::View {
            ring: view.ring,
            members: names(view.members.iter().map(|m| m.node).collect()),
            joined: names(joined),
            left: names(left),
            lost: names(lost),
        });
    }

    /// A member told the version of its daemon.
    pub(super) fn learn_version(&mut self, node: NodeId, version: String) {
        if let Some(acquaintance) = self.acquaintances.get_mut(&node) {
            acquaintance.version = Some(version);
        }
    }

    /// How things stand.
    pub(crate) fn report(&self, now: Now, stats: &Stats, links: &[LinkStatus]) -> Report {
        let dc = self.standing().dc;
        let dc_version = dc.and_then(|dc| self.acquaintances.get(&dc.node)?.version.clone());
        Report {
            cluster_name: self.cluster_name.clone(),
            name: self.name.clone(),
            node: self.me.node,
            incarnation: self.me.incarnation,
            version: self.version.clone(),
            now: now.wall,
            started: self.started,
            ring: self.ring(),
            sync: self.sync_state(),
            compared: self.is_compared(),
            members: self.member_reports(now, links),
            quorum: self.quorum_report(),
            dc: dc.map(|dc| self.name_of(dc.node)),
            dc_version,
            settled: self.is_settled(),
            waiting_for: self.waiting_for(),
            problems: self.problems(now, links),
            keys: self.key_report(),
            cib_version: self.shown().version,
            cluster: self.replica.cluster.clone(),
            levels: self.levels,
            away: self.gate().away,
            lost: self.lost.iter().map(|kept| (kept.lost.file.clone(), kept.lost.changes.clone())).collect(),
            counters: self.counters(stats),
        }
    }

    /// Whether what this node shows will not be taken back.
    const fn is_compared(&self) -> bool {
        self.compared && !self.unkept
    }

    /// How things stand, in short.
    pub(crate) fn standing(&self) -> Standing {
        let active = self.is_active();
        Standing {
            sync: self.sync_state(),
            compared: self.is_compared(),
            ring: self.ring(),
            dc: self.replica.dc.filter(|_| active),
            quorate: active && self.replica.cib.info.have_quorum,
            settled: self.is_settled(),
            level: self.level(),
            voting: self.durable.current.as_ref().map(|prepare| prepare.since),
        }
    }

    const fn sync_state(&self) -> SyncState {
        match self.phase {
            Phase::Left => SyncState::Stopped,
            Phase::Joining | Phase::Breaking { .. } => SyncState::Joining,
            Phase::Syncing(_) => SyncState::Syncing,
            Phase::Active(_) if self.leaving.is_some() => SyncState::Leaving,
            Phase::Active(_) => SyncState::Active,
        }
    }

    fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Active(Active { busy: false, .. }))
            && self.coordinator().is_none_or(|coordinator| !coordinator.is_busy())
            && self.durable.is_idle()
            && self.proposals.len() == 0
    }

    /// What is in progress or waited for, in words.
    pub(super) fn waiting_for(&self) -> Vec<String> {
        let mut waiting = Vec::new();
        let names = |nodes: Vec<NodeId>| nodes.into_iter().map(|node| self.name_of(node)).collect::<Vec<_>>().join(" ");
        match &self.phase {
            Phase::Joining => waiting.push("waiting for a membership to form".to_owned()),
            Phase::Syncing(Barrier { join, .. }) => {
                waiting.push(format!("comparing states, waiting for {}", names(join.missing())));
            }
            Phase::Breaking { .. } => waiting.push("the membership is changing".to_owned()),
            Phase::Active(active) => {
                if self.doubts.paused {
                    waiting.push("this node was paused and makes sure that it is still a member".to_owned());
                }
                if self.doubts.undecided {
                    waiting.push("the arbiter is asked which of the nodes goes on".to_owned());
                }
                if let Some(prepare) = &self.durable.current {
                    let missing = names(prepare.missing().collect());
                    waiting.push(format!("storing a change of the configuration on {missing}"));
                }
                let planning = self.coordinator().is_some_and(|coordinator| coordinator.planning.is_under_way());
                if active.busy || planning {
                    waiting.push("the coordinator (DC) is at work".to_owned());
                }
            }
            Phase::Left => {}
        }
        waiting.extend(self.quorum.status().waiting_for);
        if self.leaving.is_some() {
            waiting.push("leaving: waiting until the resources of this node are handed over".to_owned());
        }
        waiting
    }

    fn member_reports(&self, now: Now, links: &[LinkStatus]) -> Vec<MemberReport> {
        let info = |node: NodeId| self.quorum.votes_of(node);
        let report = |(&node, name): (&NodeId, &String)| {
            let acquaintance = self.acquaintances.get(&node);
            MemberReport {
                node,
                name: name.clone(),
                local: node == self.me.node,
                state: acquaintance.map_or(MemberState::Unseen, |a| a.state),
                incarnation: acquaintance.map(|a| a.incarnation),
                joins: acquaintance.map_or(0, |a| a.joins),
                votes: info(node),
                levels: acquaintance
                    .filter(|a| a.state == MemberState::Joined)
                    .and_then(|_| self.releases.get(&node).map(|(_, levels)| *levels)),
                version: acquaintance.filter(|a| a.state == MemberState::Joined).and_then(|a| a.version.clone()),
                links: links.iter().filter(|l| l.node == node).map(|l| link_report(now, l)).collect(),
            }
        };
        self.names.iter().map(report).collect()
    }

    fn quorum_report(&self) -> QuorumReport {
        let status = self.quorum.status();
        QuorumReport {
            quorate: self.standing().quorate,
            expected_votes: status.configured_votes,
            highest_expected: status.expected_votes,
            total_votes: status.total_votes,
            quorum: status.quorum,
            flags: status.flags.words().into_iter().map(str::to_owned).collect(),
            waiting_for: status.waiting_for,
            waits_for_all: status.waits_for_all,
            arbiter: self.arbiter_report(),
        }
    }

    fn problems(&self, now: Now, links: &[LinkStatus]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |severity, sentence: String, remedy: &str| {
            problems.push(Problem { severity, sentence, remedy: remedy.to_owned() });
        };
        let quorum = self.quorum.status();
        if let Some(waiting) = quorum.waiting_for
            && self.has_state()
            && !self.doubts.undecided
        {
            let way_out = if quorum.waits_for_all { UNBLOCK } else { "" };
            let remedy = format!("Start the other nodes, or look at the network between them.{way_out}");
            add(Severity::Error, format!("no quorum: {waiting}"), &remedy);
        }
        if !self.compared && self.names.len() > 1 {
            add(Severity::Warning, UNCOMPARED.to_owned(), MEET);
        }
        // While all is well that takes no longer than a write.
        if self.unkept && self.unreliable().is_some() {
            add(Severity::Warning, UNKEPT.to_owned(), STORE);
        }
        self.arbiter_problems(&mut add);
        self.watchdog_problems(&mut add);
        for (sentence, remedy) in self.lost_problems() {
            add(Severity::Error, sentence, &remedy);
        }
        crate::report::fencing::problems(&self.replica.cib, &mut add);
        crate::report::readiness::problems(&self.replica.cib, &mut add);
        let mut told = BTreeSet::new();
        for link in links.iter().filter(|l| l.problem.is_some()) {
            if told.insert(link.node)
                && let Some(problem) = link.problem
            {
                let name = self.name_of(link.node);
                let (sentence, remedy) = peer_problem(problem, &name);
                add(Severity::Error, sentence, remedy);
            }
        }
        if let Some(why) = self.coordinator().and_then(|coordinator| coordinator.planning.failure()) {
            let sentence = format!("the cluster decides nothing, because {why}; what runs goes on as it is");
            let remedy = "Take the last change of the configuration back (fewer instances, fewer constraints).";
            add(Severity::Error, sentence, remedy);
        }
        for (node, why) in &self.left_out {
            let remedy = if *node == self.me.node {
                "See the log of hacd here for what holds it up; it is taken in again when it answers."
            } else {
                "See the log of hacd there; it is taken in again when it answers, at the latest after its restart."
            };
            add(Severity::Error, why.clone(), remedy);
        }
        for (node, why) in self.durable.behind.iter().filter(|(node, _)| **node != self.me.node) {
            let sentence = format!("the newest configuration is not on the disk of {}: {why}", self.name_of(*node));
            let remedy = "Look at /var/lib/hacd there; it is stored by itself when the disk answers.";
            add(Severity::Error, sentence, remedy);
        }
        if let Some(why) = &self.disk.undurable {
            let sentence = format!("the newest configuration is not on this node's disk: {why}");
            let remedy =
                "Make room for /var/lib/hacd, or look at that disk; it is stored by itself when the disk answers.";
            add(Severity::Error, sentence, remedy);
        }
        if let Some(why) = &self.disk.ring_number {
            let sentence = format!("the ring's number is not on this node's disk: {why}");
            let remedy =
                "Look at the disk of /var/lib/hacd; the node serves, but may be refused after its next restart.";
            add(Severity::Error, sentence, remedy);
        }
        if let Some(why) = &self.keys.undurable {
            let sentence = format!("the authkey in use is not in this node's key file: {why}");
            let remedy = "Make its folder writable, then copy the file of another member to this node.";
            add(Severity::Error, sentence, remedy);
        }
        let late = self.rotation_waits_for();
        if !late.is_empty() {
            let sentence = format!("a rotation of the authkey is not finished: {} has not stored it", late.join(", "));
            let remedy =
                "Start hacd there, and it is finished by itself; or finish it without: hacctl key rotate --force.";
            add(Severity::Warning, sentence, remedy);
        }
        let down: Vec<String> = links
            .iter()
            .filter(|l| l.peer_alive && !l.connected)
            .map(|l| format!("link {} to {}", l.link, self.name_of(l.node)))
            .collect();
        if !down.is_empty() {
            let sentence = format!("without connection: {}", down.join(", "));
            add(Severity::Warning, sentence, "Look at that network: the other link carries everything.");
        }
        for sentence in waiting_orders(&self.replica.cib, now.wall) {
            let remedy = "It is tried again by itself, and no failure is counted; see to what does not answer.";
            add(Severity::Warning, sentence, remedy);
        }
        problems.sort_by_key(|p| p.severity);
        problems
    }

    fn counters(&self, stats: &Stats) -> Vec<Counter> {
        let mut counters: Vec<Counter> = Vec::new();
        let mut add = |name: String, value: u64| counters.push(Counter { name, value });
        for (name, &value) in self.effects.counters() {
            add((*name).to_owned(), value);
        }
        for (reason, &value) in &stats.rejected {
            add(format!("totem.rejected.{}", reason.word()), value);
        }
        for (reason, &value) in &stats.gathers {
            add(format!("totem.gathers.{}", reason.word()), value);
        }
        for (name, value) in [
            ("datagrams_sent", stats.datagrams_sent),
            ("datagrams_received", stats.datagrams_received),
            ("bytes_sent", stats.bytes_sent),
            ("bytes_received", stats.bytes_received),
            ("tokens", stats.tokens),
            ("token_retransmits", stats.token_retransmits),
            ("packets_sent", stats.packets_sent),
            ("retransmissions", stats.retransmissions),
            ("retransmit_requests", stats.retransmit_requests),
            ("delivered", stats.delivered),
            ("views", stats.views),
            ("suspicions", stats.suspicions),
            ("false_suspicions", stats.false_suspicions),
            ("pauses", stats.pauses),
            ("queued", stats.queued),
        ] {
            add(format!("totem.{name}"), value);
        }
        counters.sort_by(|a, b| a.name.cmp(&b.name));
        counters
    }
}

/// What waits until its agent can ask what it has to ask: for how long, and what was said.
fn waiting_orders(cib: &Cib, now: WallTime) -> Vec<String> {
    let pending = |op: &&OpHistory| op.op_status == ExecStatus::Pending.code() && op.exit_reason.is_some();
    let mut found = Vec::new();
    for state in &cib.status.nodes {
        let node = state.uname.as_deref().unwrap_or(&state.id);
        for op in state.resources.iter().flat_map(|of| of.ops.iter().filter(pending)) {
            let said = op.exit_reason.as_deref().unwrap_or_default();
            let seconds = now.as_secs().saturating_sub(op.last_rc_change.unwrap_or(now.as_secs())).max(0);
            found.push(format!("{} on {node} has waited for {seconds} s: {said}", op.operation_key));
        }
    }
    found
}

fn peer_problem(problem: PeerProblem, name: &str) -> (String, &'static str) {
    let remedy = match problem {
        PeerProblem::WrongKey => {
            "Copy /etc/hacd/authkey and /etc/hacd/hacd.toml of one node to all and restart hacd there; if the key was \
             rotated while a node was away, it is that node that needs the others' files."
        }
        PeerProblem::FormerKey => {
            "Copy /etc/hacd/authkey of a member to that node (owner root, mode 0600) and restart hacd there."
        }
        PeerProblem::CipherDiffers => "Copy /etc/hacd/hacd.toml of one node to all and restart hacd there.",
        PeerProblem::DuplicateNode | PeerProblem::OwnDuplicate { .. } => {
            "Find the second machine with this node's addresses or configuration and stop hacd there."
        }
        PeerProblem::OtherCluster { .. } => {
            "Give one of the two clusters another cluster_name or authkey, or remove /var/lib/hacd on the copy."
        }
        PeerProblem::TooOld(_) | PeerProblem::TooNew(_) => "'hacctl upgrade status' shows every node's release.",
    };
    (problem.sentence(name), remedy)
}

fn link_report(now: Now, link: &LinkStatus) -> LinkReport {
    let micros = |d: std::time::Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    // The share is between 0 and 1, so the cast neither wraps nor loses anything that matters.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let loss_permille = (link.loss.clamp(0.0, 1.0) * 1000.0) as u32;
    LinkReport {
        link: link.link.0,
        connected: link.connected,
        rtt_us: link.rtt.map(micros),
        jitter_us: link.jitter.map(micros),
        loss_permille,
        silence_limit_ms: millis(link.silence_limit),
        last_heard_ms: link.last_heard.map(|at| millis(now.mono.since(at))),
        datagram_max: link.datagram_max,
    }
}

/// A remark of the ring as an event.
pub(super) fn ring_event(notice: &Notice, name: impl Fn(NodeId) -> String) -> Event {
    let (level, what, node) = match notice {
        Notice::GatherEntered { .. } => (Level::Info, "gather_entered", None),
        Notice::RecoveryEntered { .. } => (Level::Info, "recovery_entered", None),
        Notice::Suspected { node, .. } => (Level::Warning, "suspected", Some(*node)),
        Notice::Returned { node, .. } => (Level::Notice, "returned", Some(*node)),
        Notice::Connected { member } => (Level::Info, "connected", Some(member.node)),
        Notice::WrongKey { node } => (Level::Error, "wrong_key", Some(*node)),
        Notice::FormerKey { node } => (Level::Error, "former_key", Some(*node)),
        Notice::FormerKeyRetired => (Level::Notice, "former_key_retired", None),
        Notice::CipherDiffers { node } => (Level::Error, "cipher_differs", Some(*node)),
        Notice::ConfigDiffers { node } => (Level::Warning, "config_differs", Some(*node)),
        Notice::Incompatible { node, .. } => (Level::Error, "incompatible", Some(*node)),
        Notice::DuplicateNode { node } => (Level::Error, "duplicate_node", Some(*node)),
        Notice::PauseDetected { .. } => (Level::Warning, "pause_detected", None),
        Notice::PauseOver => (Level::Notice, "pause_over", None),
        Notice::LinkDown { node, .. } => (Level::Warning, "link_down", Some(*node)),
        Notice::LinkTooNarrow { node, .. } => (Level::Error, "link_too_narrow", Some(*node)),
        Notice::LinkUp { node, .. } => (Level::Notice, "link_up", Some(*node)),
        Notice::PathMtu { node, .. } => (Level::Info, "path_mtu", Some(*node)),
        Notice::Misbehaving { node, .. } => (Level::Error, "misbehaving", Some(*node)),
        Notice::FailedToReceive => (Level::Error, "failed_to_receive", None),
        Notice::Excluded { node, .. } => (Level::Error, "excluded", Some(*node)),
        Notice::ExcludedBy { node, .. } => (Level::Warning, "excluded_by", Some(*node)),
        Notice::Readmitted { node } => (Level::Notice, "readmitted", Some(*node)),
        Notice::LevelTakenOver { .. } => (Level::Notice, "level_taken_over", None),
        Notice::NoStableMembership { .. } => (Level::Warning, "no_stable_membership", None),
        _ => (Level::Info, "other", None),
    };
    let text = match notice {
        Notice::Incompatible { node, problem } => problem.sentence(&name(*node)),
        notice => notice.to_string(),
    };
    Event::Ring { level, what: what.to_owned(), node, text }
}
