//! One node's part in one ring: what a visit of the token does.
//!
//! The order of a visit is that of the Totem papers and of corosync; differences: the number of messages is never
//! wrapped (64 bits), a gap is requested once it was there for a whole rotation, the wait before a token is sent again
//! follows the measured rotation, and rotations that carry the same requests again and again are slowed down.

use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use hac_types::{NodeId, RingId, Timestamp, mutant};

use crate::config::WINDOW_MAX;
use crate::store::{Packet, STORE_MAX, Store};
use crate::transport::Transport;
use crate::wire::body::REQUESTS_MAX;
use crate::wire::{Data, Members, Message, Recovered, Token};

/// Rotations without work after which the representative keeps the token.
pub(crate) const HOLD_AFTER: u32 = 10;
/// Shortest wait before a token is sent again.
const RESEND_MIN: Duration = Duration::from_millis(15);
/// Rotations with the same requests after which the ring is slowed down.
const SAME_REQUESTS: u32 = 4;
/// Longest pause between rotations that carry the same requests.
const BACKOFF_MAX: Duration = Duration::from_millis(64);

/// Most packets that can have been sent in one rotation, whatever window the others are configured with.
const FCC_MAX: u32 = 4 * WINDOW_MAX;

/// Limits of flow control.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) window_size: u32,
    pub(crate) max_messages: u32,
}

/// Why a token stays here for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldReason {
    /// Nothing to do.
    Idle,
    /// The same packets are requested again and again.
    Backoff,
}

/// A token that was taken but not passed on yet.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) token: Token,
    pub(crate) until: Timestamp,
    pub(crate) reason: HoldReason,
}

/// The token last passed on, to be sent again until a successor is seen.
#[derive(Debug)]
struct Sent {
    token: Token,
    resend_at: Timestamp,
    wait: Duration,
}

/// One node's part in one ring.
#[derive(Debug)]
pub(crate) struct Rotation {
    pub(crate) ring: RingId,
    pub(crate) members: Members,
    pub(crate) store: Store,
    /// Everything up to here was received by all members.
    pub(crate) safe: u64,
    pub(crate) held: Option<Held>,
    /// When the token last came.
    pub(crate) last_visit: Timestamp,
    /// When it was last passed on.
    pub(crate) passed_at: Timestamp,
    /// Rotations without work.
    pub(crate) idle: u32,
    me: NodeId,
    sent: Option<Sent>,
    token_seen: u64,
    last_seq: u64,
    last_aru: u64,
    sent_last_visit: u32,
    backlog_told: u32,
    rotation_time: Duration,
    same_requests: u32,
    first_request: u64,
    stalled_since: Option<Timestamp>,
}

/// What a visit needs beside the token.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) token: Token,
    /// Packets that may still be sent in this visit.
    pub(crate) allowance: u32,
    sent: u32,
}

impl Rotation {
    /// Our part in a ring in which the first packet has the number after `before`.
    pub(crate) fn new(ring: RingId, members: Members, me: NodeId, before: u64, now: Timestamp) -> Self {
        Self {
            ring,
            members,
            store: Store::after(before),
            safe: before,
            held: None,
            last_visit: now,
            passed_at: now,
            idle: 0,
            me,
            sent: None,
            token_seen: before,
            last_seq: before,
            last_aru: before,
            sent_last_visit: 0,
            backlog_told: 0,
            rotation_time: Duration::ZERO,
            same_requests: 0,
            first_request: 0,
            stalled_since: None,
        }
    }

    /// The other members.
    pub(crate) fn others(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().map(|member| member.node).filter(|node| *node != self.me)
    }

    pub(crate) fn is_member(&self, node: NodeId) -> bool {
        self.members.incarnation_of(node).is_some()
    }

    /// Whether this node is the representative, the lowest member.
    pub(crate) fn is_representative(&self) -> bool {
        self.members.first().is_some_and(|member| member.node == self.me)
    }

    fn successor(&self) -> NodeId {
        let after = self.members.iter().find(|member| member.node > self.me);
        after.or_else(|| self.members.first()).map_or(self.me, |member| member.node)
    }

    /// The number of the last token acted upon.
    pub(crate) fn token_seen(&self) -> u64 {
        self.token_seen
    }

    /// The first token of the ring.
    pub(crate) fn first_token(&self) -> Token {
        let before = self.last_seq;
        Token { ring: self.ring, token_seq: before + 1, seq: before, aru: before, ..Token::default() }
    }

    /// Adds what makes the state of this ring to a digest.
    pub(crate) fn outline(&self, out: &mut impl Hasher) {
        let store = &self.store;
        let packets = (store.aru(), store.high(), store.delivered(), store.released(), store.len());
        let account = (self.token_seen, self.last_seq, self.last_aru, self.sent_last_visit, self.backlog_told);
        let waits = (self.held.is_some(), self.sent.is_some(), self.idle, self.same_requests, self.stalled_since);
        (self.ring, &self.members, self.safe, packets, account, waits).hash(out);
    }

    /// Takes no further part: the ring has ended here.
    pub(crate) fn stop(&mut self) {
        self.held = None;
        self.sent = None;
    }

    /// Whether a token is newer than every one seen.
    pub(crate) fn accepts(&self, token: &Token) -> bool {
        let newer = token.token_seq > self.token_seen || mutant("token-repeated");
        newer && token.seq >= self.last_seq
    }

    /// Whether a token claims what cannot be: no ring gets so far ahead of a member that takes part.
    pub(crate) fn is_impossible(&self, token: &Token) -> bool {
        token.seq > self.safe.saturating_add(2 * STORE_MAX)
            || token.fcc > FCC_MAX
            || token.token_seq > self.token_seen.saturating_add(1 << 32)
    }

    /// The token has come: note what it says.
    pub(crate) fn arrive(&mut self, token: &Token, now: Timestamp) {
        self.token_seen = token.token_seq;
        self.sent = None;
        if self.idle < HOLD_AFTER {
            let interval = now.since(self.last_visit);
            self.rotation_time = (self.rotation_time * 3 + interval.min(Duration::from_secs(1))) / 4;
        }
        self.last_visit = now;
        let nothing_new = token.seq == self.last_seq && token.aru == token.seq && token.requests.is_empty();
        self.idle = if nothing_new && self.store.delivered() == token.seq { self.idle.saturating_add(1) } else { 0 };
        self.safe = self.safe.max(token.aru.min(self.last_aru));
        self.store.release(self.safe);
    }

    /// Serves requests and states our own; gives what remains of the right to send.
    pub(crate) fn begin(&mut self, mut token: Token, flow: Flow, queued: usize, net: &mut Transport) -> Visit {
        let mut allowance = self.allowance(&token, flow, queued);
        let mut sent = 0;
        let requests = std::mem::take(&mut token.requests);
        for seq in requests {
            match self.store.get(seq) {
                Some(packet) if allowance > 0 && !mutant("requests-unserved") => {
                    net.stats.retransmissions += 1;
                    net.send_all(self.others(), &to_message(packet));
                    allowance -= 1;
                    sent += 1;
                }
                // Somebody else may have it; what is older than what everybody has needs no answer.
                _ if seq > token.aru => token.requests.push(seq),
                _ => {}
            }
        }
        self.request_missing(&mut token, net);
        self.last_seq = token.seq;
        Visit { token, allowance, sent }
    }

    fn request_missing(&mut self, token: &mut Token, net: &mut Transport) {
        let room = REQUESTS_MAX.saturating_sub(token.requests.len());
        let limit = self.last_seq.min(token.seq);
        let room = if mutant("nothing-requested") { 0 } else { room };
        let missing: Vec<u64> =
            self.store.missing(limit).filter(|seq| token.requests.binary_search(seq).is_err()).take(room).collect();
        net.stats.retransmit_requests += missing.len() as u64;
        token.requests.extend(missing);
        token.requests.sort_unstable();
        let first = token.requests.first().copied().unwrap_or(0);
        self.same_requests = if first != 0 && first == self.first_request { self.same_requests + 1 } else { 0 };
        self.first_request = first;
        if self.same_requests == SAME_REQUESTS {
            net.verify_paths();
        }
    }

    fn allowance(&self, token: &Token, flow: Flow, queued: usize) -> u32 {
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        let mut window = flow.window_size.saturating_sub(token.fcc);
        if mutant("window-ignored") {
            window = flow.window_size;
        }
        let mut allowance = if mutant("burst-unlimited") { window } else { flow.max_messages.min(window) };
        let waiting = token.backlog.saturating_add(queued).saturating_sub(self.backlog_told);
        if waiting > 0 {
            let share = u64::from(flow.window_size) * u64::from(self.backlog_told) / u64::from(waiting);
            if share > 0 {
                allowance = allowance.min(u32::try_from(share).unwrap_or(u32::MAX));
            }
        }
        let guard = u64::from(flow.window_size) + u64::from(allowance);
        if token.seq.saturating_add(guard) > self.safe.saturating_add(STORE_MAX) { 0 } else { allowance }
    }

    /// Sends a new packet to all members and keeps our copy.
    pub(crate) fn send(&mut self, visit: &mut Visit, packet: impl FnOnce(RingId, u64) -> Packet, net: &mut Transport) {
        visit.token.seq += 1;
        visit.allowance = visit.allowance.saturating_sub(1);
        visit.sent += 1;
        let packet = packet(self.ring, visit.token.seq);
        net.stats.packets_sent += 1;
        net.send_bulk(self.others(), &to_message(&packet));
        if !mutant("own-packet-forgotten") {
            self.store.insert(packet);
        }
    }

    /// Completes the account of the visit.
    pub(crate) fn finish(&mut self, visit: Visit, queued: usize, now: Timestamp) -> Token {
        let Visit { mut token, sent, .. } = visit;
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        token.fcc = token.fcc.saturating_add(sent).saturating_sub(self.sent_last_visit);
        token.backlog = token.backlog.saturating_add(queued).saturating_sub(self.backlog_told);
        self.sent_last_visit = sent;
        self.backlog_told = queued;
        let aru = self.store.aru();
        let lower = aru < token.aru && !mutant("lack-concealed");
        if lower || token.aru_addr == self.me.0 || token.aru_addr == 0 {
            token.aru = aru.min(token.seq);
            token.aru_addr = if token.aru == token.seq { 0 } else { self.me.0 };
        }
        let pinned = token.aru_addr == self.me.0 && token.aru == self.last_aru;
        self.stalled_since = if pinned { self.stalled_since.or(Some(now)) } else { None };
        self.last_aru = token.aru;
        self.last_seq = token.seq;
        if sent > 0 {
            self.idle = 0;
        }
        token.token_seq += 1;
        token
    }

    /// For how long everybody has waited for what this node lacks.
    pub(crate) fn stalled_for(&self, now: Timestamp) -> Duration {
        self.stalled_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Passes the token on; gives it back if this node is alone.
    pub(crate) fn pass(&mut self, token: Token, resend_max: Duration, net: &mut Transport) -> Option<Token> {
        let next = self.successor();
        self.passed_at = net.now;
        if next == self.me {
            return Some(token);
        }
        let idle = self.idle + 1 >= HOLD_AFTER;
        let usual = (self.rotation_time * 3).max(net.rtt_bound(self.others()) * 2).max(RESEND_MIN);
        let wait = if idle { resend_max } else { usual.min(resend_max) };
        net.send(next, &Message::Token(token.clone()));
        self.sent = Some(Sent { token, resend_at: net.now + wait, wait });
        None
    }

    /// How long to keep a token whose requests nobody could serve for several rotations.
    pub(crate) fn backoff(&self) -> Option<Duration> {
        let over = self.same_requests.checked_sub(SAME_REQUESTS)?;
        Some(Duration::from_millis(1 << (over / 2).min(6)).min(BACKOFF_MAX))
    }

    /// Keeps a token for a while.
    pub(crate) fn hold(&mut self, token: Token, until: Timestamp, reason: HoldReason) {
        self.held = Some(Held { token, until, reason });
    }

    /// Gives the token that was kept, if its time has come.
    pub(crate) fn take_held(&mut self, now: Timestamp) -> Option<Token> {
        self.held.take_if(|held| held.until <= now).map(|held| held.token)
    }

    /// When the token must be sent again.
    pub(crate) fn resend_at(&self) -> Option<Timestamp> {
        self.sent.as_ref().map(|sent| sent.resend_at)
    }

    /// Sends the token again if it is time, or at once if somebody waits for it.
    pub(crate) fn resend(&mut self, resend_max: Duration, at_once: bool, net: &mut Transport) {
        let next = self.successor();
        let Some(sent) = &mut self.sent else { return };
        if (sent.resend_at > net.now && !at_once) || mutant("token-not-repeated") {
            return;
        }
        sent.wait = (sent.wait * 2).min(resend_max);
        sent.resend_at = net.now + sent.wait;
        net.stats.token_retransmits += 1;
        let message = Message::Token(sent.token.clone());
        net.send(next, &message);
    }

    /// A packet of this ring has come; whether it was new.
    pub(crate) fn receive(&mut self, packet: Packet) -> bool {
        if self.sent.as_ref().is_some_and(|sent| packet.seq() > sent.token.seq) {
            // Only a later token allows a higher number: ours has arrived.
            self.sent = None;
        }
        self.store.insert(packet)
    }
}

fn to_message(packet: &Packet) -> Message {
    match packet {
        Packet::Data(data) => Message::Data(data.clone()),
        Packet::Recovered(recovered) => Message::Recovered(recovered.clone()),
    }
}

/// Wraps a packet of an old ring for the new one.
pub(crate) fn recovered(ring: RingId, seq: u64, sender: NodeId, old: Data) -> Packet {
    Packet::Recovered(Recovered { ring, seq, sender, old })
}
