//! What is known of one other node.

use std::time::Duration;

use hac_types::{Incarnation, LinkId, Member, NodeId, RingId, Timestamp, mutant};

use crate::PeerProblem;
use crate::config::{LINKS_MAX, Timers};
use crate::crypto::{SessionNonce, session_nonce};
use crate::transport::excluding::Excluded;
use crate::transport::hello::{Pending, Successor, Told};
use crate::transport::path::Path;
use crate::transport::segment::Segments;
use crate::transport::session::Session;

/// Whether a peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    /// No answered ping yet in this session.
    Unproven,
    /// It answers.
    Alive,
    /// It was silent for its limit: probes are out.
    Probing {
        /// When the suspicion becomes final.
        until: Timestamp,
        /// When the next probe goes out.
        next: Timestamp,
        /// Probes sent.
        sent: u32,
    },
    /// It did not answer the probes. It is back after two answered pings, and not before `readmit_at`.
    Silent { since: Timestamp, answers: u32, readmit_at: Timestamp },
    /// It said LEAVE: nothing is expected of this life any more.
    Left { clean: bool },
}

/// When hellos go out to a peer without a session.
#[derive(Debug)]
pub(crate) struct HelloPace {
    pub(crate) next: Timestamp,
    pub(crate) wait: Duration,
    /// Answers given in the second that began at `window`.
    pub(crate) answers: u32,
    pub(crate) window: Timestamp,
}

/// How often a peer came and went, and what was learned from it.
#[derive(Debug, Hash)]
pub(crate) struct Trust {
    /// Silence tolerated at least; grows with false suspicions, decays with quiet hours.
    pub(crate) silence_min: Duration,
    pub(crate) decay_at: Option<Timestamp>,
    /// Returns since the last long steady time.
    pub(crate) returns: u32,
    pub(crate) steady_since: Timestamp,
}

/// One other node.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) paths: Vec<Path>,
    pub(crate) session: Option<Session>,
    /// When it was made.
    pub(crate) session_at: Timestamp,
    /// The session before, under the former key: what is on its way is still read.
    pub(crate) former: Option<Session>,
    /// A session offered to the peer which it has not confirmed yet.
    pub(crate) pending: Option<Pending>,
    /// A proven session with another life of the peer, while the present one answers.
    pub(crate) successor: Option<Successor>,
    /// How many sessions were made; each has its own nonce.
    generation: u32,
    pub(crate) nonce: SessionNonce,
    /// When it was taken.
    pub(crate) nonce_at: Timestamp,
    /// Datagrams in a row that were refused because their numbers were used already.
    pub(crate) replays: u32,
    pub(crate) hello: HelloPace,
    pub(crate) life: Life,
    pub(crate) last_heard: Option<Timestamp>,
    pub(crate) trust: Trust,
    /// The ring it says to be in.
    pub(crate) ring: RingId,
    pub(crate) small_only: bool,
    /// Do not count it among those heard before this time, although it answers.
    pub(crate) withheld_until: Option<Timestamp>,
    /// What it has proved to be, last.
    pub(crate) told: Option<Told>,
    /// Whether the layer above goes without it.
    pub(crate) excluded: Option<Excluded>,
    pub(crate) unreachable: bool,
    /// Before this time nobody is believed who says that nobody listens there.
    pub(crate) hints_from: Timestamp,
    pub(crate) problem: Option<(PeerProblem, Timestamp)>,
    pub(crate) problem_told: Option<(PeerProblem, Timestamp)>,
    pub(crate) misbehaviour_told: Option<Timestamp>,
    pub(crate) segments: Segments,
}

impl Peer {
    pub(crate) fn new(
        node: NodeId,
        links: u8,
        netmtu: u16,
        entropy: &[u8; 32],
        silence_min: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            node,
            paths: (0..links).map(|link| Path::new(LinkId(link), netmtu, now)).collect(),
            session: None,
            session_at: now,
            former: None,
            pending: None,
            successor: None,
            generation: 0,
            nonce: session_nonce(entropy, node, 0),
            nonce_at: now,
            replays: 0,
            hello: HelloPace { next: now, wait: HELLO_FIRST, answers: 0, window: now },
            life: Life::Unproven,
            last_heard: None,
            trust: Trust { silence_min, decay_at: None, returns: 0, steady_since: now },
            ring: RingId::default(),
            small_only: false,
            withheld_until: None,
            told: None,
            excluded: None,
            unreachable: false,
            hints_from: now,
            problem: None,
            problem_told: None,
            misbehaviour_told: None,
            segments: Segments::default(),
        }
    }

    /// The life of the peer a session exists with.
    pub(crate) fn member(&self) -> Option<Member> {
        self.session.as_ref().map(Session::member)
    }

    /// Whether it is in contact in this life.
    pub(crate) fn is_alive(&self) -> bool {
        self.session.is_some() && matches!(self.life, Life::Alive | Life::Probing { .. })
    }

    /// Whether it counts as heard: alive and not withheld.
    pub(crate) fn is_heard(&self, now: Timestamp) -> bool {
        self.is_alive()
            && !self.is_excluded()
            && !self.is_unusable()
            && self.withheld_until.is_none_or(|until| until <= now)
    }

    /// Whether it answers only on paths that carry no messages: as if it were cut off.
    fn is_unusable(&self) -> bool {
        self.paths.iter().any(|path| path.mtu.narrow) && !self.paths.iter().any(|path| path.up)
    }

    /// Whether `incarnation` is the life that is connected.
    pub(crate) fn is_in_life(&self, incarnation: Incarnation) -> bool {
        self.session.as_ref().is_some_and(|session| session.peer.incarnation == incarnation)
    }

    /// Takes a new nonce, so that what was said for the session just made cannot be used for another. What was being made
    /// with the one before is given up: a peer that confirms the new one would be in another session than this node.
    pub(crate) fn renew_nonce(&mut self, entropy: &[u8; 32], now: Timestamp) {
        if mutant("nonce-again") {
            return;
        }
        self.pending = None;
        self.nonce_at = now;
        self.generation = self.generation.wrapping_add(1);
        self.nonce = session_nonce(entropy, self.node, self.generation);
    }

    pub(crate) fn path_mut(&mut self, link: LinkId) -> Option<&mut Path> {
        self.paths.get_mut(usize::from(link.0))
    }

    /// Longest usual round trip on any link that answers.
    pub(crate) fn rtt_bound(&self) -> Duration {
        self.paths.iter().filter(|path| path.up).map(|path| path.rtt.bound()).max().unwrap_or_default()
    }

    /// The links to use for small urgent frames: all that answer, or all if none does.
    pub(crate) fn usable_links(&self) -> Links {
        let up = Links::of(self.paths.iter().filter(|path| path.up));
        if up.is_empty() { Links::of(&self.paths) } else { up }
    }

    /// The link for packets of messages: up, least loss, then shortest round trip, then lowest number.
    pub(crate) fn best_path(&self) -> Option<&Path> {
        if let [only] = self.paths.as_slice() {
            return Some(only);
        }
        self.paths.iter().min_by_key(|path| {
            let rtt = path.rtt.smoothed().unwrap_or(Duration::MAX).as_millis();
            (!path.up, path.loss.step(), rtt, path.link)
        })
    }

    /// How long after its suspicion the peer is admitted again at the earliest.
    pub(crate) fn readmission_delay(&self, timers: &Timers) -> Duration {
        match self.trust.returns {
            0 => Duration::ZERO,
            returns => Duration::from_millis(500).saturating_mul(1 << (returns - 1).min(16)).min(timers.rejoin_hold),
        }
    }
}

/// Some of the links to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Links(u8);

impl Links {
    /// The links of these paths; their numbers are below [`LINKS_MAX`].
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Self(paths.into_iter().fold(0, |bits, path| bits | 1 << path.link.0))
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Ascending.
    pub(crate) fn iter(self) -> impl Iterator<Item = LinkId> {
        (0..LINKS_MAX).filter(move |link| self.0 & 1 << link != 0).map(LinkId)
    }
}

/// First wait between hellos; doubles up to [`HELLO_SLOWEST`].
pub(crate) const HELLO_FIRST: Duration = Duration::from_millis(50);
/// Longest wait between hellos to a node that is down.
pub(crate) const HELLO_SLOWEST: Duration = Duration::from_millis(1000);
