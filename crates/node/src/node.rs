//! The front of the crate: one node.

use std::collections::VecDeque;

use hac_crm::local::{InvocationId, Outcome, WatchId};
use hac_crm::model::Cib;
use hac_types::{LinkId, NodeId, Timestamp};

use crate::{Config, ConfigError, Now, Output, PersistId, Report, Request, RequestId, Stored};

/// One node of a cluster.
///
/// Call a `handle_` method or [`Node::shutdown`] when something happens; then drain [`Node::poll_output`] and perform
/// what it gives, in order; then wait until [`Node::poll_timeout`] or the next event. If the time it names has passed,
/// call [`Node::handle_timeout`] at once: decisions are made there, so that one is made for all that came in together.
pub struct Node {
    config: Config,
    cib: Cib,
    outputs: VecDeque<Output>,
}

impl Node {
    /// Starts a node. `entropy` must come from the operating system's random source and never be used twice.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub fn new(config: Config, stored: Stored, entropy: [u8; 32], now: Now) -> Result<Self, ConfigError> {
        let _ = (stored, entropy, now);
        Ok(Self { config, cib: Cib::default(), outputs: VecDeque::new() })
    }

    /// Takes a datagram that came on `link` from the address of `from`. The driver drops what comes from addresses of
    /// no node.
    pub fn handle_datagram(&mut self, now: Now, link: LinkId, from: NodeId, datagram: &[u8]) {
        let _ = (now, link, from, datagram);
    }

    /// Takes the hint that nobody listens at `node` on `link` (ICMP port unreachable).
    pub fn handle_unreachable(&mut self, now: Now, link: LinkId, node: NodeId) {
        let _ = (now, link, node);
    }

    /// Takes the hint that a datagram was too large for the path to `node` (`EMSGSIZE`).
    pub fn handle_too_big(&mut self, now: Now, link: LinkId, node: NodeId) {
        let _ = (now, link, node);
    }

    /// Does what is due. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// Takes a client's request; [`Output::Reply`] with the same `id` follows sooner or later.
    pub fn handle_request(&mut self, now: Now, id: RequestId, request: Request) {
        let _ = (now, id, request);
    }

    /// An agent has finished.
    pub fn handle_outcome(&mut self, now: Now, invocation: InvocationId, outcome: Outcome) {
        let _ = (now, invocation, outcome);
    }

    /// A watched process has ended.
    pub fn handle_process_exited(&mut self, now: Now, watch: WatchId) {
        let _ = (now, watch);
    }

    /// What became of an [`Output::Persist`]; the error in words, such as `no space left on device`.
    pub fn handle_persisted(&mut self, now: Now, id: PersistId, result: Result<(), String>) {
        let _ = (now, id, result);
    }

    /// Hands resources over, leaves, and gives [`Output::Stopped`]. A second call leaves at once.
    pub fn shutdown(&mut self, now: Now) {
        let _ = now;
        self.outputs.push_back(Output::Stopped);
    }

    /// When [`Node::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self, now: Now) -> Report {
        crate::report::empty(&self.config, now)
    }

    /// The cluster's state as this node has it.
    #[must_use]
    pub const fn cib(&self) -> &Cib {
        &self.cib
    }
}
