//! Who is alive: pings, silence limits, probes, suspicion and return.
//!
//! Suspicion is one node's observation and starts nothing but a new agreement; a wrong one costs a view change, never
//! safety. The limit follows what the path and the hosts really do:
//!
//! ```text
//! limit = max(silence_min, srtt + 4 rttvar + 3 ping + lateness of our own timers, what the measured loss demands)
//! suspect = silent for limit, and three probes on all links unanswered; in any case after silence_max
//! ```
//!
//! The node with the higher id pings half an interval after the other's ping, so that each hears the other twice an
//! interval: its ping and its answer.

use std::time::Duration;

use hac_types::{LinkId, RingId, Timestamp, mutant};

use crate::Notice;
use crate::transport::Transport;
use crate::transport::path::{Answers, Path};
use crate::transport::peer::{Life, Peer};
use crate::wire::{Knowledge, Liveness, Message, Row};

/// Probes of a silent peer and the time between them.
const PROBES: u32 = 3;
const PROBE_SPACING: Duration = Duration::from_millis(10);
/// Shortest wait for the answer to the last probe.
const PROBE_WAIT_MIN: Duration = Duration::from_millis(20);
/// A peer that returns within this time in the same life was suspected falsely.
const FALSE_WITHIN: Duration = Duration::from_secs(10);
/// After so long without suspicion a peer's earlier returns are forgotten.
const STEADY: Duration = Duration::from_secs(600);
const DECAY_EVERY: Duration = Duration::from_secs(3600);
/// After a hint that a peer is gone, which was wrong, no other is listened to for so long.
const FALSE_HINT_PAUSE: Duration = Duration::from_secs(60);
/// Pings for which a datagram or a hint of others is the reason are not closer together than this.
const PING_SPACING: Duration = Duration::from_millis(10);

impl Transport {
    /// The silence tolerated of a peer before it is probed.
    pub(super) fn limit(&self, peer: &Peer) -> Duration {
        let rtt = peer.rtt_bound();
        // Even where no answer can come in time there is some silence before it is asked for.
        let ceiling = self.silence_max - probe_time(rtt).min(self.silence_max / 2);
        if !self.timers.adaptive {
            return ceiling;
        }
        if peer.unreachable {
            return Duration::from_millis(150).max(rtt * 2).min(ceiling);
        }
        let lost = self.ping / 2 * peer.best_path().map_or(1, |path| path.loss.in_a_row());
        let jitter = rtt + self.ping * 3 + self.lateness();
        peer.trust.silence_min.max(jitter).max(lost).min(ceiling)
    }

    /// How late this process was woken at worst in the last minute; it tells how late others may be.
    fn lateness(&self) -> Duration {
        self.late.0.max(self.late.1).min(self.token / 4)
    }

    /// Does what is due for one peer that has a session.
    pub(super) fn watch(&mut self, peer: &mut Peer) {
        self.ping_where_due(peer);
        self.probe_sizes(peer);
        self.watch_links(peer);
        self.watch_life(peer);
        if peer.withheld_until.is_some_and(|until| until <= self.now) {
            peer.withheld_until = None;
            self.changed = true;
        }
        self.readmit_where_due(peer);
        if peer.trust.decay_at.is_some_and(|at| at <= self.now) {
            peer.trust.silence_min = (peer.trust.silence_min * 9 / 10).max(self.silence_min);
            let more = peer.trust.silence_min > self.silence_min;
            peer.trust.decay_at = more.then(|| self.now + DECAY_EVERY);
        }
    }

    fn ping_where_due(&mut self, peer: &mut Peer) {
        for index in 0..peer.paths.len() {
            if peer.paths[index].next_ping <= self.now {
                self.ping(peer, index);
            }
        }
    }

    fn ping(&mut self, peer: &mut Peer, index: usize) {
        let interval = match peer.life {
            Life::Silent { since, .. } if self.now.since(since) > self.token => self.ping.max(self.timers.merge),
            _ => self.ping,
        };
        let next = self.now + interval;
        let Some(path) = peer.paths.get_mut(index) else { return };
        path.pinged(self.now, next);
        let link = path.link;
        let message = Message::Ping(self.liveness(self.now.as_nanos()));
        self.send_on(peer, link, &message);
    }

    fn liveness(&mut self, sent_at: u64) -> Liveness {
        Liveness { sent_at, ring: self.ring, small_only: self.small_only, knowledge: self.own_knowledge() }
    }

    fn watch_links(&mut self, peer: &mut Peer) {
        let limit = self.link_limit(peer, self.limit(peer));
        let now = self.now;
        for path in &mut peer.paths {
            if path.up && path.last_heard.is_none_or(|heard| now.since(heard) > limit) {
                path.up = false;
                if peer.session.is_some() && matches!(peer.life, Life::Alive | Life::Probing { .. }) {
                    self.outputs
                        .push_back(crate::Output::Notice(Notice::LinkDown { link: path.link, node: peer.node }));
                }
            }
        }
    }

    /// Silence after which a link is no longer preferred; losing it costs nothing while another is up. `limit` is that of
    /// the peer.
    fn link_limit(&self, peer: &Peer, limit: Duration) -> Duration {
        if peer.paths.len() < 2 { limit } else { (self.ping * 2 + peer.rtt_bound()).min(limit) }
    }

    fn watch_life(&mut self, peer: &mut Peer) {
        let Some(heard) = peer.last_heard else { return };
        let quiet = self.now.since(heard);
        match peer.life {
            Life::Alive if quiet >= self.tolerated(peer) && !mutant("silence-unnoticed") => {
                let until = (self.now + probe_time(peer.rtt_bound())).min(heard + self.silence_max);
                peer.life = Life::Probing { until, next: self.now, sent: 0 };
                self.probe(peer);
            }
            Life::Probing { .. } => self.probe(peer),
            Life::Unproven if quiet >= self.silence_max => {
                // Never answered: make a new session rather than wait for this one.
                peer.session = None;
                peer.hello.next = self.now;
            }
            _ => {}
        }
    }

    /// The silence tolerated before a peer is probed: little where another life of it has proved that it is there.
    fn tolerated(&self, peer: &Peer) -> Duration {
        let limit = self.limit(peer);
        if peer.successor.is_some() && self.timers.adaptive { self.silence_min.min(limit) } else { limit }
    }

    fn probe(&mut self, peer: &mut Peer) {
        let Life::Probing { until, next, sent } = peer.life else { return };
        if until <= self.now {
            self.suspect(peer);
            return;
        }
        if sent < PROBES && next <= self.now {
            peer.life = Life::Probing { until, next: self.now + PROBE_SPACING, sent: sent + 1 };
            for index in 0..peer.paths.len() {
                self.ping(peer, index);
            }
        }
    }

    fn suspect(&mut self, peer: &mut Peer) {
        let quiet = peer.last_heard.map_or(Duration::ZERO, |heard| self.now.since(heard));
        let limit = self.limit(peer);
        if self.now.since(peer.trust.steady_since) > STEADY {
            peer.trust.returns = 0;
        }
        let delay = peer.readmission_delay(&self.timers);
        peer.life = Life::Silent { since: self.now, answers: 0, readmit_at: self.now + delay };
        peer.unreachable = false;
        for path in &mut peer.paths {
            path.up = false;
        }
        self.stats.suspicions += 1;
        self.changed = true;
        self.notice(Notice::Suspected { node: peer.node, quiet, limit });
        self.succeed(peer);
    }

    /// Somebody else does not hear this peer: check it sooner than its limit demands.
    pub(super) fn doubt(&mut self, peer: &mut Peer) {
        let Some(heard) = peer.last_heard else { return };
        let doubtful = self.now.since(heard) > self.ping * 3 / 2 + peer.rtt_bound();
        if peer.life == Life::Alive && doubtful && self.timers.adaptive {
            let until = self.now + probe_time(peer.rtt_bound());
            peer.life = Life::Probing { until, next: self.now, sent: 0 };
            self.probe(peer);
        }
    }

    /// Anything authentic came from the peer.
    pub(super) fn heard_from(&mut self, peer: &mut Peer, link: LinkId) {
        let now = self.now;
        peer.last_heard = Some(now);
        if std::mem::take(&mut peer.unreachable) {
            // The hint was wrong, whoever sent it.
            peer.hints_from = now + FALSE_HINT_PAUSE;
        }
        peer.replays = 0;
        if let Some(path) = peer.path_mut(link) {
            path.last_heard = Some(now);
        }
        if matches!(peer.life, Life::Probing { .. }) {
            peer.life = Life::Alive;
        }
    }

    /// Answers a ping.
    pub(super) fn handle_ping(&mut self, peer: &mut Peer, link: LinkId, ping: Liveness) {
        let pong = Message::Pong(self.liveness(ping.sent_at));
        self.send_on(peer, link, &pong);
        let half_later = self.now + self.ping / 2;
        let steady = match peer.life {
            Life::Alive => true,
            Life::Silent { readmit_at, .. } => readmit_at > self.now,
            _ => false,
        };
        let follows = self.me.node > peer.node;
        if let Some(path) = peer.path_mut(link) {
            if !steady || (!path.up && path.unanswered < 2) {
                // It can reach us: an answered ping from here makes the path usable in both directions.
                let soonest = path.last_ping.map_or(Timestamp::ZERO, |last| last + PING_SPACING);
                path.next_ping = path.next_ping.min(soonest);
            } else if follows {
                path.next_ping = half_later;
            }
        }
        self.learn(peer, ping.ring, ping.small_only, &ping.knowledge);
    }

    /// Takes the answer to a ping of ours.
    pub(super) fn handle_pong(&mut self, peer: &mut Peer, link: LinkId, pong: Liveness) {
        let sent = Timestamp::from_nanos(pong.sent_at);
        let now = self.now;
        // An answer that lay in the socket while this process did not run says nothing of the path.
        if sent <= now
            && sent >= self.awake_since
            && now.since(sent) < Duration::from_secs(60)
            && let Some(path) = peer.path_mut(link)
        {
            path.answered(now, sent);
            let came_up = !path.up && !path.mtu.narrow;
            if came_up {
                path.up = true;
                if path.mtu.next().is_none() {
                    path.mtu.search(now);
                }
                // A peer whose paths were too narrow is heard again.
                self.changed = true;
                self.notice(Notice::LinkUp { link, node: peer.node });
            }
        }
        self.is_doubled(peer, sent);
        self.answered(peer);
        self.learn(peer, pong.ring, pong.small_only, &pong.knowledge);
    }

    fn answered(&mut self, peer: &mut Peer) {
        match peer.life {
            Life::Unproven => {
                peer.life = Life::Alive;
                peer.trust.steady_since = self.now;
                self.changed = true;
            }
            Life::Silent { since, answers, readmit_at } if answers >= 1 && readmit_at <= self.now => {
                peer.life = Life::Alive;
                peer.paths.iter_mut().for_each(Path::forget_counts);
                peer.trust.returns = peer.trust.returns.saturating_add(1);
                peer.trust.steady_since = self.now;
                if self.now.since(since) < FALSE_WITHIN {
                    self.stats.false_suspicions += 1;
                    peer.trust.silence_min = (peer.trust.silence_min * 3 / 2).min(self.silence_max);
                    peer.trust.decay_at = Some(self.now + DECAY_EVERY);
                }
                self.changed = true;
                self.notice(Notice::Returned { node: peer.node, silence_min: peer.trust.silence_min });
            }
            Life::Silent { since, answers, readmit_at } => {
                peer.life = Life::Silent { since, answers: answers.saturating_add(1), readmit_at };
                if answers == 0 {
                    self.ping_soon(peer);
                }
            }
            Life::Alive | Life::Probing { .. } | Life::Left { .. } => {}
        }
    }

    /// Pings on all links as soon as the spacing allows.
    pub(super) fn ping_soon(&self, peer: &mut Peer) {
        for path in &mut peer.paths {
            let soonest = path.last_ping.map_or(self.now, |last| last + PING_SPACING);
            path.next_ping = path.next_ping.min(soonest);
        }
    }

    /// What a peer says about itself.
    fn learn(&mut self, peer: &mut Peer, ring: RingId, small_only: bool, knowledge: &Knowledge) {
        if peer.ring != ring {
            peer.ring = ring;
            self.changed = true;
        }
        if small_only && !peer.small_only {
            let now = self.now;
            for path in &mut peer.paths {
                path.mtu.fall_back(now);
            }
        }
        peer.small_only = small_only;
        let Some(member) = peer.member() else { return };
        let news = self.learn_rows(member, knowledge);
        let hears_us = |row: Row<'_>| row.member.node != peer.node || row.heard().contains(&self.me);
        if news && peer.is_alive() && !knowledge.rows().all(hears_us) {
            // Let it hear us.
            self.ping_soon(peer);
        }
    }

    fn probe_sizes(&mut self, peer: &mut Peer) {
        for index in 0..peer.paths.len() {
            let Some(path) = peer.paths.get_mut(index) else { return };
            let spacing = Duration::from_millis(50).max(path.rtt.bound() * 2);
            // A path that is too narrow is down, but may answer.
            let alive = path.up || (path.mtu.narrow && path.unanswered < 2);
            let answers = Answers { spacing, alive, in_a_row: path.loss.in_a_row(), ping: path.answered_ping };
            let (link, before, was_narrow) = (path.link, path.mtu.current, path.mtu.narrow);
            let size = path.mtu.poll(self.now, answers);
            let (after, is_narrow) = (path.mtu.current, path.mtu.narrow);
            if is_narrow && !was_narrow {
                path.up = false;
                self.changed = true;
                self.notice(Notice::LinkTooNarrow { link, node: peer.node, needed: after });
            }
            if before != after {
                self.notice(Notice::PathMtu { link, node: peer.node, datagram_max: after });
            }
            if let Some(size) = size {
                self.send_size_probe(peer, link, size);
            }
        }
    }

    fn send_size_probe(&mut self, peer: &mut Peer, link: LinkId, size: u16) {
        let padding = usize::from(size).saturating_sub(self.overhead + 4);
        let message = Message::MtuProbe(vec![0; padding]);
        self.send_on(peer, link, &message);
    }

    /// Answers a size probe with the size of the datagram it came in.
    pub(super) fn handle_size_probe(&mut self, peer: &mut Peer, link: LinkId, datagram_len: usize) {
        let size = u16::try_from(datagram_len).unwrap_or(u16::MAX);
        self.send_on(peer, link, &Message::MtuAck(size));
    }

    pub(super) fn handle_size_ack(&mut self, peer: &mut Peer, link: LinkId, size: u16) {
        let (now, node) = (self.now, peer.node);
        if let Some(path) = peer.path_mut(link)
            && path.mtu.acknowledge(now, size)
        {
            self.notice(Notice::PathMtu { link, node, datagram_max: size });
        }
    }

    /// When something is due for a peer with a session.
    pub(super) fn next_watch(&self, peer: &Peer) -> Option<Timestamp> {
        let limit = self.limit(peer);
        let link_limit = self.link_limit(peer, limit);
        let life = match peer.life {
            Life::Alive => peer.last_heard.map(|heard| heard + self.tolerated(peer)),
            Life::Probing { until, next, sent } => Some(if sent < PROBES { next.min(until) } else { until }),
            Life::Unproven => peer.last_heard.map(|heard| heard + self.silence_max),
            Life::Silent { .. } => None,
            Life::Left { .. } => return None,
        };
        let own = [life, peer.withheld_until, peer.readmit_at(), peer.trust.decay_at].into_iter().flatten().min();
        peer.paths.iter().fold(own, |soonest, path| {
            let silent = if path.up { silent_at(path, link_limit) } else { None };
            [soonest, Some(path.next_ping), path.mtu.next(), silent].into_iter().flatten().min()
        })
    }
}

/// How long the probes of a peer take in all, if its answers come within `rtt`.
fn probe_time(rtt: Duration) -> Duration {
    PROBE_SPACING * (PROBES - 1) + PROBE_WAIT_MIN.max(rtt)
}

/// Just after a link has been silent for `limit`.
fn silent_at(path: &Path, limit: Duration) -> Option<Timestamp> {
    path.last_heard.map(|heard| heard + limit + Duration::from_nanos(1))
}
