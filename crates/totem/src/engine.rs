//! The front of the crate: one node's part in the ring.

use std::collections::VecDeque;

use hac_types::{LinkId, NodeId, Timestamp};
use thiserror::Error;

use crate::{Config, ConfigError, LinkStatus, Output, Rejected, Stats, Stored};

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

/// One node's part in the ring.
///
/// Call a `handle_` method, [`Engine::broadcast`] or [`Engine::leave`] when something happens; then drain
/// [`Engine::poll_output`] and perform what it gives, in order; then wait until [`Engine::poll_timeout`] or the next
/// event. Time comes in as an argument and must not run backwards.
#[derive(Debug)]
pub struct Engine {
    outputs: VecDeque<Output>,
    stats: Stats,
}

impl Engine {
    /// Starts a node. `entropy` must come from the operating system's random source and never be used twice.
    ///
    /// # Errors
    /// The first rule of the configuration that is broken.
    pub fn new(
        config: Config,
        stored: Stored,
        entropy: [u8; 32],
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let _ = (stored, entropy, now);
        Ok(Self {
            outputs: VecDeque::new(),
            stats: Stats::default(),
        })
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
        let _ = (now, link, from, datagram);
        Err(Rejected::NoSession)
    }

    /// Takes the hint that `node` has nobody listening on `link` (ICMP port unreachable). It only shortens the wait; a
    /// peer that lives answers the probes.
    pub fn handle_unreachable(&mut self, now: Timestamp, link: LinkId, node: NodeId) {
        let _ = (now, link, node);
    }

    /// Takes the hint that a datagram was too large for the path to `node` (`EMSGSIZE`).
    pub fn handle_too_big(&mut self, now: Timestamp, link: LinkId, node: NodeId) {
        let _ = (now, link, node);
    }

    /// Does what is due. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// Queues a message of up to 1 MiB for all members, this one included. It is delivered here exactly once, in this
    /// view or a later one, unless this node stops before.
    ///
    /// # Errors
    /// [`QueueFull`] if too much is queued already or the message is too large.
    pub fn broadcast(
        &mut self,
        now: Timestamp,
        payload: Vec<u8>,
        guarantee: Guarantee,
    ) -> Result<(), QueueFull> {
        let _ = (now, payload, guarantee);
        Err(QueueFull)
    }

    /// Says LEAVE to everybody, three times on every link, and is silent afterwards.
    pub fn leave(&mut self, now: Timestamp, reason: LeaveReason) {
        let _ = (now, reason);
    }

    /// When [`Engine::handle_timeout`] must be called; `None` after [`Engine::leave`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Every link to every other node.
    #[must_use]
    pub fn links(&self, now: Timestamp) -> Vec<LinkStatus> {
        let _ = now;
        Vec::new()
    }
}
