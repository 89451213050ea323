//! The front of the crate: one node.

use std::collections::VecDeque;

use hac_crm::executor::{InvocationId, Outcome, WatchId};
use hac_crm::model::Cib;
use hac_totem::{Engine, Guarantee, SALT_LEN};
use hac_types::{LinkId, NodeId, Timestamp};

use crate::participant::{KeyOrder, Participant};
use crate::recording::{Input, Tape};
use crate::{Config, ConfigError, Now, Output, PersistId, Report, Request, RequestId, Standing, Stored};

/// One node of a cluster.
///
/// Call a `handle_` method or [`Node::shutdown`] when something happens; then drain [`Node::poll_output`] and perform
/// what it gives, in order; then wait until [`Node::poll_timeout`] or the next event. If the time it names has passed,
/// call [`Node::handle_timeout`] at once: decisions are made there, so that one is made for all that came in together.
pub struct Node {
    ring: Engine,
    participant: Participant,
    outputs: VecDeque<Output>,
    /// [`Output::Stopped`] was given.
    stopped: bool,
    tape: Option<Box<Tape>>,
}

impl Node {
    /// Starts a node. `entropy` must come from the operating system's random source and never be used twice.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub fn new(config: Config, stored: Stored, entropy: [u8; 32], now: Now) -> Result<Self, ConfigError> {
        config.validate()?;
        let totem = stored.totem;
        let participant = Participant::new(&config, stored, now)?;
        let ring = Engine::new(config.totem, totem, entropy, now.mono)?;
        let mut node = Self { ring, participant, outputs: VecDeque::new(), stopped: false, tape: None };
        node.pump(now);
        Ok(node)
    }

    /// The same, and from the beginning all that the node is given is recorded: take it with [`Node::poll_record`].
    /// `salt` must come from the operating system's random source, as `entropy` does.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub fn recorded(
        config: Config,
        stored: Stored,
        entropy: [u8; 32],
        now: Now,
        salt: [u8; SALT_LEN],
    ) -> Result<Self, ConfigError> {
        let tape = Tape::new(&config, &stored, entropy, now, salt);
        let mut node = Self::new(config, stored, entropy, now)?;
        node.tape = Some(Box::new(tape));
        Ok(node)
    }

    /// Takes an input of any kind; see the method of its name.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Datagram { link, from, bytes } => self.handle_datagram(now, link, from, &bytes),
            Input::Unreachable(link, node) => self.handle_unreachable(now, link, node),
            Input::TooBig(link, node) => self.handle_too_big(now, link, node),
            Input::Timeout => self.handle_timeout(now),
            Input::Request(id, request) => self.handle_request(now, id, request),
            Input::Outcome(invocation, outcome) => self.handle_outcome(now, invocation, outcome),
            Input::ProcessExited(watch) => self.handle_process_exited(now, watch),
            Input::Persisted(id, result) => self.handle_persisted(now, id, result),
            Input::Shutdown => self.shutdown(now),
        }
    }

    /// Takes a datagram that came on `link` from the address of `from`. The driver drops what comes from addresses of
    /// no node.
    pub fn handle_datagram(&mut self, now: Now, link: LinkId, from: NodeId, datagram: &[u8]) {
        self.note(now, || Input::Datagram { link, from, bytes: datagram.to_vec() });
        // Why it was dropped is counted by the ring and shown in the report.
        let _ = self.ring.handle_datagram(now.mono, link, from, datagram);
        self.pump(now);
    }

    /// Takes the hint that nobody listens at `node` on `link` (ICMP port unreachable).
    pub fn handle_unreachable(&mut self, now: Now, link: LinkId, node: NodeId) {
        self.note(now, || Input::Unreachable(link, node));
        self.ring.handle_unreachable(now.mono, link, node);
        self.pump(now);
    }

    /// Takes the hint that a datagram was too large for the path to `node` (`EMSGSIZE`).
    pub fn handle_too_big(&mut self, now: Now, link: LinkId, node: NodeId) {
        self.note(now, || Input::TooBig(link, node));
        self.ring.handle_too_big(now.mono, link, node);
        self.pump(now);
    }

    /// Does what is due. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        self.note(now, || Input::Timeout);
        self.wake(now);
        self.participant.handle_timeout(now);
        self.pump(now);
    }

    /// Takes a client's request; [`Output::Reply`] with the same `id` follows sooner or later.
    pub fn handle_request(&mut self, now: Now, id: RequestId, request: Request) {
        self.note(now, || Input::Request(id, request.clone()));
        self.wake(now);
        self.participant.handle_request(now, id, request);
        self.pump(now);
    }

    /// An agent has finished.
    pub fn handle_outcome(&mut self, now: Now, invocation: InvocationId, outcome: Outcome) {
        self.note(now, || Input::Outcome(invocation, outcome.clone()));
        self.wake(now);
        self.participant.handle_outcome(now, invocation, outcome);
        self.pump(now);
    }

    /// A watched process has ended.
    pub fn handle_process_exited(&mut self, now: Now, watch: WatchId) {
        self.note(now, || Input::ProcessExited(watch));
        self.wake(now);
        self.participant.handle_process_exited(now, watch);
        self.pump(now);
    }

    /// What became of an [`Output::Persist`]; the error in words, such as `no space left on device`.
    pub fn handle_persisted(&mut self, now: Now, id: PersistId, result: Result<(), String>) {
        self.note(now, || Input::Persisted(id, result.clone()));
        self.wake(now);
        self.participant.handle_persisted(now, id, result);
        self.pump(now);
    }

    /// Hands resources over, leaves, and gives [`Output::Stopped`]. A second call leaves at once.
    pub fn shutdown(&mut self, now: Now) {
        self.note(now, || Input::Shutdown);
        self.wake(now);
        self.participant.shutdown(now);
        self.pump(now);
    }

    /// When [`Node::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.stopped {
            return None;
        }
        [self.ring.poll_timeout(), self.participant.poll_timeout()].into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        if let Some(tape) = &mut self.tape {
            tape.output(&output);
        }
        Some(output)
    }

    /// The next bytes of the recording, to be appended to what was taken before. Take them after the outputs: a daemon
    /// that dies in between loses the end.
    pub fn poll_record(&mut self) -> Option<Vec<u8>> {
        self.tape.as_mut()?.poll()
    }

    /// Nothing more is recorded.
    pub fn stop_recording(&mut self) {
        self.tape = None;
    }

    fn note(&mut self, now: Now, input: impl FnOnce() -> Input) {
        if let Some(tape) = &mut self.tape {
            tape.input(now, input());
        }
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self, now: Now) -> Report {
        self.participant.report(now, &self.ring.stats(), &self.ring.links(now.mono))
    }

    /// The most important facts of [`Node::report`], at no cost.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.participant.standing()
    }

    /// The cluster's state as this node has it.
    #[must_use]
    pub const fn cib(&self) -> &Cib {
        self.participant.cib()
    }

    /// Lets the ring do what is due. It alone knows whether this process was paused, and this may be the first thing that
    /// comes after a pause: nobody is to act on it as if the node still belonged.
    fn wake(&mut self, now: Now) {
        if self.ring.poll_timeout().is_some_and(|due| due <= now.mono) {
            self.ring.handle_timeout(now.mono);
            self.pump(now);
        }
    }

    /// Passes on between the ring and the participant until both are quiet.
    fn pump(&mut self, now: Now) {
        loop {
            self.pass_up(now);
            while let Some(output) = self.participant.poll_output() {
                self.outputs.push_back(output);
            }
            while let Some(order) = self.participant.next_key_order() {
                match order {
                    KeyOrder::Accept(key) => self.ring.accept_key(now.mono, Some(&key)),
                    KeyOrder::Use => self.ring.use_key(now.mono),
                }
                self.pass_up(now);
            }
            if let Some(reason) = self.participant.take_leave() {
                self.ring.leave(now.mono, reason);
                self.pass_up(now);
                self.outputs.push_back(Output::Stopped);
                self.stopped = true;
            }
            if self.stopped || !self.pass_down(now) {
                return;
            }
        }
    }

    /// What the ring has for the driver and for the participant, in order.
    fn pass_up(&mut self, now: Now) {
        while let Some(output) = self.ring.poll_output() {
            match output {
                hac_totem::Output::Transmit { link, to, datagram } => {
                    self.outputs.push_back(Output::Transmit { link, to, datagram });
                }
                hac_totem::Output::Persist { ring_seq } => self.participant.persist_ring_seq(ring_seq),
                hac_totem::Output::View(view) => self.participant.handle_view(now, view),
                hac_totem::Output::Delivery(delivery) => {
                    self.participant.handle_delivery(now, &delivery);
                }
                hac_totem::Output::Notice(notice) => self.participant.handle_notice(now, &notice),
            }
            while let Some(output) = self.participant.poll_output() {
                self.outputs.push_back(output);
            }
        }
    }

    /// Messages of the participant for the ring; whether there were any. What the ring has no room for stays.
    fn pass_down(&mut self, now: Now) -> bool {
        let mut any = false;
        while let Some(message) = self.participant.next_message() {
            if self.ring.broadcast(now.mono, message.clone(), Guarantee::Safe).is_err() {
                return any;
            }
            self.participant.sent();
            any = true;
        }
        any
    }
}

#[cfg(test)]
mod tests;
