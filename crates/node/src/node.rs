//! The front of the crate: one node, its two halves joined in one thread.

use std::collections::VecDeque;
use std::sync::Arc;

use hac_crm::executor::{InvocationId, Outcome, WatchId};
use hac_model::Cib;
use hac_quorum::Answer as ArbiterAnswer;
use hac_scheduler::plan::Plan;
use hac_scheduler::schedule;
use hac_totem::SALT_LEN;
use hac_types::{Level, LinkId, NodeId, Timestamp, WallTime};

use crate::halves::{Assurance, ClusterHalf, Down, Effect, RingHalf, RingOutput, Transmit, Up};
use crate::participant::planning::{DecideId, Unplannable};
use crate::recording::{Input, Tape};
use crate::{
    Armed, Config, ConfigError, Duty, Entry, Now, Output, Persist, PersistId, QuestionId, Report, Request, RequestId,
    Standing, Stored,
};

/// Set in the ids of what the ring half has stored, so that they differ from those of the cluster half.
const OF_THE_RING: u64 = 1 << 63;

/// One node of a cluster.
///
/// Call a `handle_` method or [`Node::shutdown`] when something happens; then drain [`Node::poll_output`] and perform
/// what it gives, in order; then wait until [`Node::poll_timeout`] or the next event. If the time it names has passed,
/// call [`Node::handle_timeout`] at once: decisions are made there, so that one is made for all that came in together.
///
/// The halves are joined with no delay, unless [`Node::join_loosely`] says otherwise.
pub struct Node {
    ring: RingHalf,
    cluster: ClusterHalf,
    outputs: VecDeque<Output>,
    joint: Joint,
    decides: Decides,
    /// What the ring half had published, if that was recorded.
    assured: Option<Assurance>,
    now: Now,
    /// On the way up and down between the halves.
    rising: VecDeque<Up>,
    sinking: VecDeque<Down>,
    /// What this node says while it is mute.
    unsaid: Option<Vec<Down>>,
    /// Numbers of the ring that are being stored.
    storing: VecDeque<(PersistId, u64)>,
    last_stored: u64,
    /// [`Output::Stopped`] was given.
    stopped: bool,
    tape: Option<Box<Tape>>,
}

/// How the halves are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    /// What one gives, the other has.
    Tight,
    /// The owner says when.
    Loose,
}

/// Who answers [`Output::Decide`].
#[derive(Clone, Debug, PartialEq)]
enum Decides {
    /// The node itself.
    AtOnce,
    /// The owner; with what was asked last.
    Outside(Option<(DecideId, Arc<Cib>, WallTime)>),
}

impl Node {
    /// Starts a node. `entropy` must come from the operating system's random source and never be used twice.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub fn new(config: Config, stored: Stored, entropy: [u8; 32], now: Now) -> Result<Self, ConfigError> {
        Self::assemble(config, stored, entropy, now, (Joint::Tight, Decides::AtOnce))
    }

    /// Starts a node as two threads would: joined loosely from the beginning, and with the owner deciding.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub fn apart(config: Config, stored: Stored, entropy: [u8; 32], now: Now) -> Result<Self, ConfigError> {
        Self::assemble(config, stored, entropy, now, (Joint::Loose, Decides::Outside(None)))
    }

    fn assemble(
        config: Config,
        stored: Stored,
        entropy: [u8; 32],
        now: Now,
        (joint, decides): (Joint, Decides),
    ) -> Result<Self, ConfigError> {
        let totem = stored.totem;
        let cluster = ClusterHalf::new(&config, stored, now)?;
        let ring = RingHalf::new(config.totem, totem, entropy, now.mono)?;
        let mut node = Self {
            ring,
            cluster,
            outputs: VecDeque::new(),
            joint,
            decides,
            assured: None,
            now,
            rising: VecDeque::new(),
            sinking: VecDeque::new(),
            unsaid: None,
            storing: VecDeque::new(),
            last_stored: 0,
            stopped: false,
            tape: None,
        };
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

    /// From now on the halves are two: what one has for the other waits until [`Node::pass_up`] or [`Node::pass_down`]
    /// is called, and each notices the time for itself ([`Node::handle_ring_timeout`], [`Node::handle_cluster_timeout`]).
    /// For owners that try what happens when they run on two threads.
    pub fn join_loosely(&mut self) {
        self.note(self.now, || Input::JoinLoosely);
        self.joint = Joint::Loose;
    }

    /// From now on the owner decides: [`Output::Decide`] is given instead of being answered at once, and answered with
    /// [`Node::handle_decided`] later, earlier than it is due, or never.
    pub fn decide_outside(&mut self) {
        self.note(self.now, || Input::DecideOutside);
        self.decides = Decides::Outside(None);
    }

    /// What came of an [`Output::Decide`].
    pub fn handle_decided(&mut self, now: Now, id: DecideId, result: Result<Plan, Unplannable>) {
        self.note(now, || Input::Decided(id, result.as_ref().err().cloned()));
        self.enter_cluster(now);
        self.cluster.handle_decided(now, id, result);
        self.pump(now);
    }

    /// What came of an [`Output::Ask`].
    pub fn handle_answered(&mut self, now: Now, id: QuestionId, text: String) {
        self.note(now, || Input::Answered(id, text.clone()));
        self.enter_cluster(now);
        self.cluster.handle_answered(now, id, text);
        self.pump(now);
    }

    /// What the arbiter's store said to an [`Output::Arbiter`], or why it said nothing.
    pub fn handle_arbiter(&mut self, now: Now, id: u64, answer: Result<ArbiterAnswer, String>) {
        self.note(now, || Input::Arbiter(id, answer.clone()));
        self.enter_cluster(now);
        self.cluster.handle_arbiter(now, id, answer);
        self.pump(now);
    }

    /// The watchdog of this host was armed, or why it is not.
    pub fn handle_watchdog(&mut self, now: Now, told: Result<Armed, String>) {
        self.note(now, || Input::Watchdog(told.clone()));
        self.enter_cluster(now);
        self.cluster.handle_watchdog(now, told);
        self.pump(now);
    }

    /// How this node is, for its watchdog. Nothing is changed by it.
    #[must_use]
    pub fn duty(&self, now: Now) -> Duty {
        self.cluster.duty(now, self.assurance())
    }

    /// Whether nothing runs here that others may start when this node is gone.
    #[must_use]
    pub fn leaves_nothing(&self, now: Now) -> bool {
        self.cluster.leaves_nothing(now)
    }

    /// How many events are on their way up, and how many orders on their way down.
    #[must_use]
    pub fn between(&self) -> (usize, usize) {
        (self.rising.len(), self.sinking.len())
    }

    /// The cluster half is given up to so many of the events that wait for it.
    pub fn pass_up(&mut self, now: Now, count: usize) {
        self.note(now, || Input::PassUp(count));
        for _ in 0..count {
            let Some(event) = self.rising.pop_front() else { break };
            self.cluster.assure(now, self.assurance());
            self.cluster.handle_event(now, event);
            self.pump(now);
        }
    }

    /// The ring half is given up to so many of the orders that wait for it.
    pub fn pass_down(&mut self, now: Now, count: usize) {
        self.note(now, || Input::PassDown(count));
        for _ in 0..count {
            let Some(order) = self.sinking.pop_front() else { break };
            self.ring.handle_command(now.mono, order);
            self.pump(now);
        }
    }

    /// From now on nothing that this node says gets to its ring half, and all else does; or what waited goes there. For
    /// owners of a loosely joined node that try what the others do about a member that is there and says nothing.
    pub fn mute(&mut self, now: Now, mute: bool) {
        self.note(now, || Input::Mute(mute));
        if mute {
            self.unsaid.get_or_insert_default();
        } else {
            self.sinking.extend(self.unsaid.take().unwrap_or_default());
        }
    }

    /// Takes an input of any kind; see the method of its name.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Datagram { link, from, bytes } => self.handle_datagram(now, link, from, &bytes),
            Input::Unreachable(link, node) => self.handle_unreachable(now, link, node),
            Input::TooBig(link, node) => self.handle_too_big(now, link, node),
            Input::Stir(entropy) => self.stir(now, &entropy),
            Input::Timeout => self.handle_timeout(now),
            Input::Request(id, request) => self.handle_request(now, id, request),
            Input::Outcome(invocation, outcome) => self.handle_outcome(now, invocation, outcome),
            Input::ProcessExited(watch) => self.handle_process_exited(now, watch),
            Input::Persisted(id, result) => self.handle_persisted(now, id, result),
            Input::Shutdown => self.shutdown(now),
            Input::DecideOutside => self.decide_outside(),
            Input::Answered(id, text) => self.handle_answered(now, id, text),
            Input::Arbiter(id, answer) => self.handle_arbiter(now, id, answer),
            Input::Watchdog(told) => self.handle_watchdog(now, told),
            Input::Decided(id, Some(why)) => self.handle_decided(now, id, Err(why)),
            Input::Decided(id, None) => self.decide_again(now, id),
            Input::Assured(assurance) => self.assured = Some(assurance),
            Input::Look => {
                self.cluster.look();
                self.pump(now);
            }
            Input::RingStored(ring_seq, result) => {
                self.ring.handle_persisted(now.mono, ring_seq, result);
                self.pump(now);
            }
            Input::JoinLoosely => self.join_loosely(),
            Input::Mute(mute) => self.mute(now, mute),
            Input::PassUp(count) => self.pass_up(now, count),
            Input::PassDown(count) => self.pass_down(now, count),
            Input::RingTimeout => self.handle_ring_timeout(now),
            Input::ClusterTimeout => self.handle_cluster_timeout(now),
        }
    }

    /// Mixes fresh randomness of the operating system into what sessions with other nodes are made of: a machine that was
    /// set back to an earlier state makes no session again that it made before. Now and then is enough.
    pub fn stir(&mut self, now: Now, entropy: &[u8; 32]) {
        self.note(now, || Input::Stir(*entropy));
        self.ring.stir(entropy);
    }

    /// Takes a datagram that came on `link` from the address of `from`. The driver drops what comes from addresses of
    /// no node.
    pub fn handle_datagram(&mut self, now: Now, link: LinkId, from: NodeId, datagram: &[u8]) {
        self.note(now, || Input::Datagram { link, from, bytes: datagram.to_vec() });
        self.ring.handle_datagram(now.mono, link, from, datagram);
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

    /// Does what is due in both halves. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        self.note(now, || Input::Timeout);
        self.ring.handle_timeout(now.mono);
        self.pump(now);
        self.enter_cluster(now);
        self.cluster.handle_timeout(now);
        self.pump(now);
    }

    /// Does what is due in the ring half alone.
    pub fn handle_ring_timeout(&mut self, now: Now) {
        self.note(now, || Input::RingTimeout);
        self.ring.handle_timeout(now.mono);
        self.pump(now);
    }

    /// Does what is due in the cluster half alone.
    pub fn handle_cluster_timeout(&mut self, now: Now) {
        self.note(now, || Input::ClusterTimeout);
        self.enter_cluster(now);
        self.cluster.handle_timeout(now);
        self.pump(now);
    }

    /// Takes a client's request; [`Output::Reply`] with the same `id` follows sooner or later.
    pub fn handle_request(&mut self, now: Now, id: RequestId, request: Request) {
        self.note(now, || Input::Request(id, request.clone()));
        self.enter_cluster(now);
        self.cluster.handle_request(now, id, request);
        self.pump(now);
    }

    /// An agent has finished.
    pub fn handle_outcome(&mut self, now: Now, invocation: InvocationId, outcome: Outcome) {
        self.note(now, || Input::Outcome(invocation, outcome.clone()));
        self.enter_cluster(now);
        self.cluster.handle_outcome(now, invocation, outcome);
        self.pump(now);
    }

    /// A watched process has ended.
    pub fn handle_process_exited(&mut self, now: Now, watch: WatchId) {
        self.note(now, || Input::ProcessExited(watch));
        self.enter_cluster(now);
        self.cluster.handle_process_exited(now, watch);
        self.pump(now);
    }

    /// What became of an [`Output::Persist`]; the error in words, such as `no space left on device`.
    pub fn handle_persisted(&mut self, now: Now, id: PersistId, result: Result<(), String>) {
        self.note(now, || Input::Persisted(id, result.clone()));
        if let Some(index) = self.storing.iter().position(|(storing, _)| *storing == id) {
            if let Some((_, ring_seq)) = self.storing.remove(index) {
                self.ring.handle_persisted(now.mono, ring_seq, result);
            }
        } else {
            self.enter_cluster(now);
            self.cluster.handle_persisted(now, id, result);
        }
        self.pump(now);
    }

    /// Hands resources over, leaves, and gives [`Output::Stopped`]. A second call leaves at once.
    pub fn shutdown(&mut self, now: Now) {
        self.note(now, || Input::Shutdown);
        self.enter_cluster(now);
        self.cluster.shutdown(now);
        self.pump(now);
    }

    /// When [`Node::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.poll_ring_timeout(), self.poll_cluster_timeout()].into_iter().flatten().min()
    }

    /// When [`Node::handle_ring_timeout`] must be called, if the halves are joined loosely.
    #[must_use]
    pub fn poll_ring_timeout(&self) -> Option<Timestamp> {
        self.ring.poll_timeout().filter(|_| !self.stopped)
    }

    /// When [`Node::handle_cluster_timeout`] must be called, if the halves are joined loosely.
    #[must_use]
    pub fn poll_cluster_timeout(&self) -> Option<Timestamp> {
        self.cluster.poll_timeout().filter(|_| !self.stopped)
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
        self.now = now;
        if let Some(tape) = &mut self.tape {
            tape.input(now, input());
        }
    }

    /// How things stand.
    #[must_use]
    pub fn report(&self, now: Now) -> Report {
        let condition = self.ring.condition(now.mono);
        let mut report = self.cluster.report_with(now, &condition.stats, &condition.links);
        report.problems.extend(report.configuration_problems(self.cib()));
        report.problems.sort_by_key(|problem| problem.severity);
        report
    }

    /// The most important facts of [`Node::report`], at no cost.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.cluster.standing()
    }

    /// From now on what is applied to the state is kept for [`Node::take_journal`]; for those who record streams.
    pub fn keep_journal(&mut self) {
        self.cluster.keep_journal();
    }

    /// What was applied to the state since the last call.
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.cluster.take_journal()
    }

    /// The level of the cluster as this node has it: that of the next ring, if it was changed in this one.
    #[must_use]
    pub fn level(&self) -> Level {
        self.cluster.active_level()
    }

    /// The cluster's state as people are to see it; see [`ClusterHalf::shown`].
    #[must_use]
    pub fn shown(&self) -> Arc<Cib> {
        self.cluster.shown()
    }

    /// The cluster's state as this node has it.
    #[must_use]
    pub fn cib(&self) -> &Cib {
        self.cluster.cib()
    }

    /// Before the cluster half is given anything but an event: the ring alone knows whether this process was paused, and
    /// this may be the first thing that comes after a pause. Joined tightly it is asked at once; joined loosely it has
    /// published what it knows.
    fn enter_cluster(&mut self, now: Now) {
        if self.joint == Joint::Tight {
            self.ring.wake(now.mono);
            self.pump(now);
        }
        self.cluster.assure(now, self.assurance());
        self.pump(now);
    }

    fn assurance(&self) -> Assurance {
        self.assured.unwrap_or_else(|| self.ring.assurance())
    }

    /// Decides as the owner of a recorded node did.
    fn decide_again(&mut self, now: Now, id: DecideId) {
        let Decides::Outside(Some((asked, cib, wall))) = &self.decides else { return };
        if *asked == id {
            let plan = schedule(cib, *wall);
            self.handle_decided(now, id, Ok(plan));
        }
    }

    /// Passes on between the halves until both are quiet.
    fn pump(&mut self, now: Now) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.ring.poll_output() {
                quiet = false;
                self.take_from_ring(now, output);
            }
            while let Some(output) = self.cluster.poll_output() {
                quiet = false;
                self.take_from_cluster(now, output);
            }
            if quiet {
                return;
            }
        }
    }

    fn take_from_ring(&mut self, now: Now, output: RingOutput) {
        match output {
            RingOutput::Transmit(Transmit { link, to, datagram }) => {
                self.outputs.push_back(Output::Transmit { link, to, datagram });
            }
            RingOutput::Persist { ring_seq } => {
                self.last_stored += 1;
                let id = PersistId(OF_THE_RING | self.last_stored);
                self.storing.push_back((id, ring_seq));
                self.outputs.push_back(Output::Persist { id, what: Persist::RingSeq(ring_seq) });
            }
            // The cluster half says it itself when it goes on.
            RingOutput::Withdrawn { .. } => {}
            RingOutput::Up(event) if self.joint == Joint::Loose => self.rising.push_back(event),
            RingOutput::Up(event) => {
                self.cluster.assure(now, self.ring.assurance());
                self.cluster.handle_event(now, event);
                while let Some(output) = self.cluster.poll_output() {
                    self.take_from_cluster(now, output);
                }
            }
        }
    }

    fn take_from_cluster(&mut self, now: Now, output: Effect) {
        match output {
            Effect::Down(order) if self.joint == Joint::Loose => match &mut self.unsaid {
                Some(unsaid) if matches!(order, Down::Broadcast(_)) => unsaid.push(order),
                _ => self.sinking.push_back(order),
            },
            Effect::Down(order) => self.ring.handle_command(now.mono, order),
            Effect::Do(Output::Decide { id, cib, wall, .. }) if self.decides == Decides::AtOnce => {
                self.cluster.handle_decided(now, id, Ok(schedule(&cib, wall)));
            }
            Effect::Do(output) => {
                if let Output::Decide { id, cib, wall, .. } = &output {
                    self.decides = Decides::Outside(Some((*id, Arc::clone(cib), *wall)));
                }
                self.stopped |= matches!(output, Output::Stopped);
                self.outputs.push_back(output);
            }
        }
    }
}

#[cfg(test)]
mod tests;
