//! The front of the crate: one node's part in the ring.

use std::time::Duration;

use hac_types::{Level, LevelWindow, LinkId, NodeId, Timestamp};
use thiserror::Error;

use crate::ring::{Ring, Settings};
use crate::transport::Transport;
use crate::{
    AuthKey, Config, ConfigError, Exclusion, GatherReason, LinkStatus, NodeConfig, Notice, Output, Rejected, Stats,
    Stored, Timers,
};

/// How long datagrams are dropped after a long pause: what the socket kept describes the past.
const DRAIN: Duration = Duration::from_millis(5);
/// A change may cause another; this many in a row settle everything.
const REVIEWS_MAX: u32 = 16;

/// What a sender may rely on when its message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// In the total order of the ring.
    Agreed,
    /// Additionally only when every member of the view has received it.
    Safe,
}

/// Why a node leaves in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The daemon stops.
    Shutdown {
        /// Whether the resources of this node were handed over or stopped.
        resources_clean: bool,
    },
    /// The daemon stops and will be back at once.
    Restart {
        /// Whether the resources of this node were handed over or stopped.
        resources_clean: bool,
    },
}

/// The queue of messages to send is full, or the message is larger than 1 MiB; nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the queue of outgoing messages is full")]
pub struct QueueFull;

/// This program does not know the level; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("level {level} is unknown here: this program knows {levels}")]
pub struct LevelUnknown {
    /// The level.
    pub level: Level,
    /// What is known.
    pub levels: LevelWindow,
}

/// One node's part in the ring.
///
/// Call a `handle_` method, [`Engine::broadcast`] or [`Engine::leave`] when something happens; then drain
/// [`Engine::poll_output`] and perform what it gives, in order; then wait until [`Engine::poll_timeout`] or the next
/// event. Time comes in as an argument and must not run backwards.
#[derive(Debug)]
pub struct Engine {
    pub(crate) ring: Ring,
    pub(crate) net: Transport,
    /// When this process wanted to be woken, as last told.
    expected: Option<Timestamp>,
    /// Datagrams that arrived before this moment lay in the socket during a long pause.
    drain_until: Option<Timestamp>,
    /// Shortest pause after which the others may have gone on.
    pause_min: Duration,
    timers: Timers,
    left: bool,
}

impl Engine {
    /// Starts a node. `entropy` must come from the operating system's random source and never be used twice.
    ///
    /// # Errors
    /// The first rule of the configuration that is broken.
    pub fn new(config: Config, stored: Stored, entropy: [u8; 32], now: Timestamp) -> Result<Self, ConfigError> {
        config.validate()?;
        let nodes = config.nodes.len();
        let pause_min = config.timers.silence_min_for(nodes).min(config.timers.token_for(nodes) / 2);
        let mut net = Transport::new(&config, stored.incarnation, entropy, now);
        let mut ring = Ring::new(&config, stored, now);
        ring.enter_gather(GatherReason::Startup, &mut net);
        let timers = config.timers;
        let mut engine = Self { ring, net, expected: None, drain_until: None, pause_min, timers, left: false };
        engine.net.handle_timeout();
        engine.settle();
        Ok(engine)
    }

    /// Mixes fresh randomness of the operating system into what sessions are made of. The driver does so whenever it hands
    /// something in, so that a process whose memory was set back to an earlier state (a restored snapshot of its
    /// machine) makes no session again that it made before. What is not called changes nothing else.
    pub fn stir(&mut self, entropy: &[u8; 32]) {
        self.net.stir(entropy);
    }

    /// In every ring the packets are numbered from the one after `before`, instead of from 1. Only for tests of long
    /// lived rings, directly after [`Engine::new`], and alike on all nodes.
    pub fn number_after(&mut self, before: u64) {
        self.ring.first_before = before;
    }

    /// Takes a datagram that came on `link` from the address of `from`. The driver drops what comes from addresses of
    /// no node.
    ///
    /// # Errors
    /// Why it was dropped; already counted.
    pub fn handle_datagram(
        &mut self,
        now: Timestamp,
        link: LinkId,
        from: NodeId,
        datagram: &[u8],
    ) -> Result<(), Rejected> {
        self.advance(now);
        let result = self.take_datagram(link, from, datagram);
        if let Err(reason) = result {
            *self.net.stats.rejected.entry(reason).or_default() += 1;
        }
        self.settle();
        result
    }

    fn take_datagram(&mut self, link: LinkId, from: NodeId, datagram: &[u8]) -> Result<(), Rejected> {
        if self.left {
            return Err(Rejected::HasLeft);
        }
        if self.drain_until.is_some_and(|until| self.net.now < until) {
            return Err(Rejected::Paused);
        }
        if let Some((member, message)) = self.net.receive(link, from, datagram)? {
            self.ring.handle(member, message, &mut self.net);
        }
        Ok(())
    }

    /// Takes the hint that `node` has nobody listening on `link` (ICMP port unreachable). Anybody can send one: it shortens
    /// the wait once, a peer that lives answers the probes, and after a wrong one others are ignored for a minute.
    pub fn handle_unreachable(&mut self, now: Timestamp, link: LinkId, node: NodeId) {
        self.advance(now);
        self.net.hint_unreachable(link, node);
        self.settle();
    }

    /// Takes the hint that a datagram was too large for the path to `node` (`EMSGSIZE`). Anybody can cause one: it makes the
    /// size be checked with probes, at most once a second, and only those decide.
    pub fn handle_too_big(&mut self, now: Timestamp, link: LinkId, node: NodeId) {
        self.advance(now);
        self.net.hint_too_big(link, node);
        self.settle();
    }

    /// Does what is due. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        if !self.left {
            self.net.handle_timeout();
            self.review();
            self.ring.handle_timeout(&mut self.net);
        }
        self.settle();
    }

    /// Queues a message of up to 1 MiB for all members, this one included. It is delivered here exactly once, in this
    /// view or a later one, unless this node stops before.
    ///
    /// # Errors
    /// [`QueueFull`] if too much is queued already, the message is too large, or this node has left.
    pub fn broadcast(&mut self, now: Timestamp, payload: Vec<u8>, guarantee: Guarantee) -> Result<(), QueueFull> {
        self.advance(now);
        if self.left {
            return Err(QueueFull);
        }
        let result = self.ring.broadcast(payload, guarantee, &mut self.net);
        self.settle();
        result
    }

    /// Talks to peers that use `next` as well as to those that use the present key; to the latter alone if there is none.
    /// The first step of changing the key: everybody accepts the next one before anybody sends with it.
    pub fn accept_key(&mut self, now: Timestamp, next: Option<&AuthKey>) {
        self.advance(now);
        self.net.accept_key(next);
        self.settle();
    }

    /// Sends with the accepted key from now on, and moves every session to it without interruption; the second step.
    /// After twice the token timeout the former key opens nothing any more ([`Notice::FormerKeyRetired`]). Nothing
    /// happens without an accepted key.
    pub fn use_key(&mut self, now: Timestamp) {
        self.advance(now);
        self.net.use_key();
        if !self.left {
            self.net.handle_timeout();
        }
        self.settle();
    }

    /// The active level is another one from now on. A ring of a lower level is given up at once, one of a higher level after
    /// the token timeout, so that all members have set the lower one by then; and the next one has the highest that a member
    /// brings ([`hac_types::View::level`]). The level of a ring is active without being told; but
    /// where no member has one yet, the ring takes the highest that all know and none is active before this call.
    ///
    /// # Errors
    /// [`LevelUnknown`] if this program does not know the level; nothing has changed.
    pub fn set_level(&mut self, now: Timestamp, level: Level) -> Result<(), LevelUnknown> {
        self.advance(now);
        let levels = self.net.contract.levels;
        if !levels.contains(level) {
            return Err(LevelUnknown { level, levels });
        }
        self.net.contract.level = level;
        if !self.left {
            self.ring.level_changed(&mut self.net);
        }
        self.settle();
        Ok(())
    }

    /// The configured nodes are these from now on; this node is one of them, and ids are never used again for another node.
    /// Who is no longer among them is not spoken with any more, and the next ring is formed without it at once; who is new
    /// is taken in when it answers. All members are given the same list at the same place of the order.
    ///
    /// # Errors
    /// The first rule of [`Config`] that is broken; nothing has changed.
    pub fn set_nodes(&mut self, now: Timestamp, nodes: &[NodeConfig]) -> Result<(), ConfigError> {
        self.advance(now);
        self.config_rules(nodes)?;
        let count = nodes.len();
        let settings = Settings::new(&self.timers, count, self.ring.settings.flow);
        self.pause_min = self.timers.silence_min_for(count).min(settings.token / 2);
        self.ring.settings = settings;
        self.net.set_nodes(nodes);
        if !self.left {
            self.net.handle_timeout();
        }
        self.settle();
        Ok(())
    }

    fn config_rules(&self, nodes: &[NodeConfig]) -> Result<(), ConfigError> {
        crate::config::validate_nodes(nodes, self.net.me.node)?;
        self.timers.validate(nodes.len())
    }

    /// Which cluster this is and which version of its configuration is stored here, to be told to peers that connect
    /// from now on.
    pub fn set_cluster(&mut self, cluster_uuid: [u8; 16], config_version: u64) {
        self.net.contract.cluster_uuid = cluster_uuid;
        self.net.contract.config_version = config_version;
    }

    /// Goes without these nodes although they take part in the ring: the next ring is formed without them, by all members
    /// that hear this node (unless `nodes` are more than half of all; then this node goes alone). [`Notice::Excluded`]
    /// tells why. It ends after a pause that is longer each time, at once with [`Engine::readmit`] or in a later life
    /// of the node. Nodes that are not connected, or gone without already, are passed over.
    pub fn exclude(&mut self, now: Timestamp, nodes: &[NodeId], why: Exclusion) {
        self.advance(now);
        if !self.left {
            nodes.iter().for_each(|node| self.net.exclude(*node, why));
        }
        self.settle();
    }

    /// Counts these nodes again, if they were gone without.
    pub fn readmit(&mut self, now: Timestamp, nodes: &[NodeId]) {
        self.advance(now);
        if !self.left {
            nodes.iter().for_each(|node| self.net.readmit(*node));
        }
        self.settle();
    }

    /// Says LEAVE to everybody, three times on every link, and is silent afterwards.
    pub fn leave(&mut self, now: Timestamp, reason: LeaveReason) {
        self.advance(now);
        if !self.left {
            self.ring.leave(reason, &mut self.net);
            self.left = true;
        }
        self.settle();
    }

    /// The number of the ring in service or being formed; at most what was reserved ([`Output::Persist`]).
    #[must_use]
    pub const fn ring_seq(&self) -> u64 {
        self.ring.ring_seq_used
    }

    /// Whether a ring is in service: its token goes round, and this node has not begun to seek another one. What is not in service
    /// for longer than it takes to lose a token is over.
    #[must_use]
    pub const fn is_in_service(&self) -> bool {
        self.ring.phase.operational().is_some()
    }

    /// When [`Engine::handle_timeout`] must be called; `None` after [`Engine::leave`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.expected
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.net.outputs.pop_front()
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.net.stats.clone();
        stats.queued = self.ring.queue.len() as u64;
        stats
    }

    /// Every link to every other node.
    #[must_use]
    pub fn links(&self, now: Timestamp) -> Vec<LinkStatus> {
        self.net.links(now)
    }

    /// Time goes on; finds out whether this process was kept from running.
    fn advance(&mut self, now: Timestamp) {
        let late = self.net.advance(now, self.expected);
        if late.is_zero() || self.left {
            return;
        }
        self.ring.postpone(late);
        if late > self.pause_min {
            self.net.stats.pauses += 1;
            self.ring.doubting = Some(self.net.now);
            self.net.notice(Notice::PauseDetected { paused: late });
        }
        if late > self.ring.settings.token / 2 {
            self.drain_until = Some(self.net.now + DRAIN);
        }
    }

    /// Lets the ring see changes of connectivity.
    fn review(&mut self) {
        for _ in 0..REVIEWS_MAX {
            if !std::mem::take(&mut self.net.changed) {
                return;
            }
            self.ring.review(&mut self.net);
        }
    }

    fn settle(&mut self) {
        if self.left {
            self.expected = None;
            return;
        }
        self.review();
        let next = [self.ring.next_timeout(), self.net.next_timeout()].into_iter().flatten().min();
        self.expected = next.map(|at| at.max(self.net.now));
    }
}
