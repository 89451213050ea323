//! The half of a node that is the ring: sockets in and out, membership, messages. It never waits for what is above.

use std::collections::VecDeque;
use std::time::Duration;

use hac_totem::{Engine, Guarantee, NodeConfig, Notice, Timers, is_of_a_ring};
use hac_types::{LinkId, NodeId, Timestamp, ViewKind, mutant};

use super::{Assurance, Condition, Down, Transmit, Up};
use crate::{ClusterNode, ConfigError};

/// Most bytes of events that the cluster half may leave unacknowledged: more than the chunks of the largest state.
pub(crate) const BACKLOG_MAX: usize = 160 << 20;

/// How soon a number that could not be stored is stored again.
const STORE_AGAIN: Duration = Duration::from_secs(10);

/// One thing that the ring half wants done. Perform them in the order in which they are given.
#[derive(Clone, Debug)]
pub enum RingOutput {
    /// Send a datagram.
    Transmit(Transmit),
    /// Make this number durable and answer with [`RingHalf::handle_persisted`]. What may not leave before is kept back
    /// by this half, and not for ever: a disk that hangs is one that refuses.
    Persist {
        /// The number.
        ring_seq: u64,
    },
    /// Give this to the cluster half.
    Up(Up),
    /// The cluster half has stood still for so long that this node falls silent. Nothing is to be done but to say it.
    Withdrawn {
        /// For how long.
        stood_still: Duration,
    },
}

/// See the head of `halves.rs`.
#[derive(Debug)]
pub struct RingHalf {
    engine: Engine,
    timers: Timers,
    /// How late the engine may be woken without doubting itself.
    patience: Duration,
    /// How long the cluster half may stand still.
    token: Duration,
    outputs: VecDeque<RingOutput>,
    /// Broadcasts for which the engine has no room yet.
    waiting: VecDeque<Vec<u8>>,
    gate: Gate,
    backlog: Backlog,
    changes: u64,
    /// Since when this half has been silent, because the cluster half stands still.
    withdrawn: Option<Timestamp>,
    next_beat: Timestamp,
    left: bool,
}

/// Keeps back what may not leave before a number is durable.
#[derive(Debug)]
struct Gate {
    /// The number up to which the ring may use.
    durable: u64,
    /// The number in use that is not durable, and until when it is waited for.
    closed: Option<(u64, Timestamp)>,
    held: VecDeque<Transmit>,
    /// The highest number that was to be stored.
    wanted: u64,
    /// It could not be made durable in time.
    troubled: bool,
    /// When it is to be stored again, because the disk refused it.
    again: Option<Timestamp>,
    /// How long a disk may take.
    patience: Duration,
}

impl Gate {
    /// The ring uses this number: what it says waits until that is durable. A disk that was in trouble the last time is
    /// not waited for.
    fn close_above(&mut self, used: u64, now: Timestamp) {
        if used <= self.durable || mutant("number-used-early") {
            return;
        }
        if self.troubled {
            self.durable = used;
            return;
        }
        let until = self.closed.map_or(now + self.patience, |(_, until)| until);
        self.closed = Some((used, until));
    }
}

/// What the cluster half has not acknowledged.
#[derive(Debug, Default)]
struct Backlog {
    given: u64,
    seen: u64,
    bytes: usize,
    /// When each was given, and its size.
    open: VecDeque<(Timestamp, usize)>,
}

impl Backlog {
    fn add(&mut self, now: Timestamp, size: usize) {
        self.given += 1;
        self.bytes = self.bytes.saturating_add(size);
        self.open.push_back((now, size));
    }

    fn acknowledge(&mut self, seen: u64) {
        while self.seen < seen
            && let Some((_, size)) = self.open.pop_front()
        {
            self.seen += 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.open.front().map(|(at, _)| *at)
    }
}

impl RingHalf {
    /// Starts. `entropy` must come from the operating system's random source and never be used twice.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub fn new(
        config: hac_totem::Config,
        stored: hac_totem::Stored,
        entropy: [u8; 32],
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        let nodes = config.nodes.len();
        let token = config.timers.token_for(nodes);
        let patience = config.timers.silence_min_for(nodes).min(token / 2);
        let gate = Gate {
            durable: stored.ring_seq,
            closed: None,
            held: VecDeque::new(),
            wanted: stored.ring_seq,
            troubled: false,
            again: None,
            patience: token / 2,
        };
        let timers = config.timers.clone();
        let engine = Engine::new(config, stored, entropy, now)?;
        let mut half = Self {
            engine,
            timers,
            patience,
            token,
            outputs: VecDeque::new(),
            waiting: VecDeque::new(),
            gate,
            backlog: Backlog::default(),
            changes: 0,
            withdrawn: None,
            next_beat: now,
            left: false,
        };
        half.settle(now);
        Ok(half)
    }

    /// Mixes fresh randomness into what sessions are made of.
    pub fn stir(&mut self, entropy: &[u8; 32]) {
        self.engine.stir(entropy);
    }

    /// Takes a datagram that came on `link` from the address of `from`. What comes from addresses of no node is to be
    /// dropped before.
    pub fn handle_datagram(&mut self, now: Timestamp, link: LinkId, from: NodeId, datagram: &[u8]) {
        // Why it was dropped is counted by the ring and shown in the report.
        let _ = self.enter(now, |engine| engine.handle_datagram(now, link, from, datagram));
    }

    /// Takes the hint that nobody listens at `node` on `link` (ICMP port unreachable).
    pub fn handle_unreachable(&mut self, now: Timestamp, link: LinkId, node: NodeId) {
        self.enter(now, |engine| engine.handle_unreachable(now, link, node));
    }

    /// Takes the hint that a datagram was too large for the path to `node` (`EMSGSIZE`).
    pub fn handle_too_big(&mut self, now: Timestamp, link: LinkId, node: NodeId) {
        self.enter(now, |engine| engine.handle_too_big(now, link, node));
    }

    /// Does what is due. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.enter(now, |engine| engine.handle_timeout(now));
    }

    /// What became of a [`RingOutput::Persist`]; the error in words. A disk that refuses does not stop the ring: it is
    /// said, this node goes on without the promise, and the number is stored again until that succeeds.
    pub fn handle_persisted(&mut self, now: Timestamp, ring_seq: u64, result: Result<(), String>) {
        self.gate.durable = self.gate.durable.max(ring_seq);
        let newest = ring_seq >= self.gate.wanted;
        match result {
            Err(why) => {
                self.gate.again = Some(now + STORE_AGAIN).filter(|_| newest).or(self.gate.again);
                self.number_in_trouble(now, why);
            }
            Ok(()) if newest => {
                self.gate.again = None;
                if std::mem::take(&mut self.gate.troubled) {
                    self.up(now, Up::RingNumber(Ok(())));
                }
            }
            // The one that counts is still on its way.
            Ok(()) => {}
        }
        self.settle(now);
    }

    /// Takes an order of the cluster half.
    pub fn handle_command(&mut self, now: Timestamp, command: Down) {
        self.wake(now);
        match command {
            Down::Broadcast(message) => self.waiting.push_back(message),
            Down::AcceptKey(key) => self.engine.accept_key(now, Some(&key)),
            Down::UseKey => self.engine.use_key(now),
            Down::Exclude(nodes, why) => self.engine.exclude(now, &nodes, why),
            Down::Readmit(nodes) => self.engine.readmit(now, &nodes),
            Down::SetLevel(level) => {
                if let Err(why) = self.engine.set_level(now, level) {
                    self.up(now, Up::Refused(why.to_string()));
                }
            }
            Down::SetCluster { uuid, version } => self.engine.set_cluster(uuid, version),
            Down::SetNodes(nodes) => self.set_nodes(now, &nodes),
            // It is answered when this half takes part again.
            Down::Confirm if self.left || self.withdrawn.is_some() => {}
            Down::Confirm => self.up(now, Up::Confirmed),
            Down::Seen(seen) => {
                self.backlog.acknowledge(seen);
                self.return_if_caught_up(now);
            }
            Down::Look => {
                let condition = self.condition(now);
                self.up(now, Up::Condition(Box::new(condition)));
            }
            Down::Leave(reason) => {
                self.engine.leave(now, reason);
                self.left = true;
                self.take_from_engine(now);
                self.open_gate();
                self.up(now, Up::Left);
            }
        }
        self.settle(now);
    }

    fn set_nodes(&mut self, now: Timestamp, nodes: &[ClusterNode]) {
        let node = |node: &ClusterNode| NodeConfig {
            node: node.id,
            links: u8::try_from(node.addresses.len()).unwrap_or(u8::MAX),
        };
        let nodes: Vec<NodeConfig> = nodes.iter().map(node).collect();
        if let Err(why) = self.engine.set_nodes(now, &nodes) {
            return self.up(now, Up::Refused(format!("the ring cannot have these nodes: {why}")));
        }
        self.token = self.timers.token_for(nodes.len());
        self.patience = self.timers.silence_min_for(nodes.len()).min(self.token / 2);
        self.gate.patience = self.token / 2;
    }

    /// When [`RingHalf::handle_timeout`] must be called; `None` when the ring was left.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.left {
            return None;
        }
        let gate = self.gate.closed.map(|(_, until)| until);
        let beat = match self.backlog.oldest() {
            Some(oldest) => Some(oldest + self.token).filter(|_| self.withdrawn.is_none()),
            None => Some(self.next_beat),
        };
        let engine = self.engine.poll_timeout().filter(|_| self.withdrawn.is_none());
        [engine, gate, self.gate.again, beat].into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<RingOutput> {
        self.outputs.pop_front()
    }

    /// Until when the membership is known to hold, to be published after each call, at the latest when the outputs are
    /// performed.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        let due = self.engine.poll_timeout().filter(|_| self.withdrawn.is_none() && !self.left);
        let until = due.map_or(Timestamp::ZERO, |due| due + self.patience);
        Assurance { changes: self.changes, until, serves: due.is_some() && self.engine.is_in_service() }
    }

    /// Counters and links, for reports.
    #[must_use]
    pub fn condition(&self, now: Timestamp) -> Condition {
        Condition { stats: self.engine.stats(), links: self.engine.links(now) }
    }

    /// Lets the engine do what is due. It alone knows whether this process was paused, and this may be the first thing
    /// that comes after a pause.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        if self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
    }

    /// After each call: what the engine has is passed on, and what waits for it goes in.
    fn settle(&mut self, now: Timestamp) {
        loop {
            self.take_from_engine(now);
            if !self.pass_down(now) {
                break;
            }
        }
        if let Some((_, until)) = self.gate.closed
            && until <= now
        {
            self.number_in_trouble(now, "the disk does not answer".to_owned());
        }
        if self.gate.closed.is_some_and(|(used, _)| used <= self.gate.durable) {
            self.open_gate();
        }
        if self.gate.again.take_if(|at| *at <= now).is_some() && !self.left {
            self.outputs.push_back(RingOutput::Persist { ring_seq: self.gate.wanted });
        }
        // Something is on its way up at least this often, so that a cluster half that stands still is noticed.
        if self.backlog.open.is_empty() && self.next_beat <= now && !self.left {
            self.next_beat = now + self.token / 2;
            self.up(now, Up::Beat);
        }
    }

    /// Gives the engine something, unless this half is silent because the cluster half stands still.
    fn enter<T>(&mut self, now: Timestamp, work: impl FnOnce(&mut Engine) -> T) -> Option<T> {
        self.withdraw_if_stalled(now);
        let result = self.withdrawn.is_none().then(|| work(&mut self.engine));
        self.settle(now);
        result
    }

    /// Falls silent if the cluster half stands still.
    fn withdraw_if_stalled(&mut self, now: Timestamp) {
        let late = self.backlog.oldest().map(|at| now.since(at)).unwrap_or_default();
        let keeps_up = late < self.token && self.backlog.bytes <= BACKLOG_MAX;
        if self.withdrawn.is_some() || self.left || keeps_up || mutant("standstill-unnoticed") {
            return;
        }
        if self.engine.poll_timeout().is_some_and(|due| now.since(due) > self.patience) {
            // This process itself was kept from running: the cluster half had no chance to answer.
            self.backlog.open.iter_mut().for_each(|(at, _)| *at = now);
            return;
        }
        self.withdrawn = Some(now);
        // What waits for the disk would be said by a node that is to be silent, of a ring that goes on without it.
        self.gate.held.clear();
        self.outputs.push_back(RingOutput::Withdrawn { stood_still: late });
    }

    /// Takes part again when nothing old is unacknowledged any more.
    fn return_if_caught_up(&mut self, now: Timestamp) {
        let late = self.backlog.oldest().map(|at| now.since(at)).unwrap_or_default();
        let Some(since) = self.withdrawn.filter(|_| late <= self.token / 2) else { return };
        self.withdrawn = None;
        self.up(now, Up::Returned(now.since(since)));
        // It finds that it was not scheduled, and doubts itself.
        self.engine.handle_timeout(now);
        self.take_from_engine(now);
        self.up(now, Up::Confirmed);
    }

    fn take_from_engine(&mut self, now: Timestamp) {
        self.gate.close_above(self.engine.ring_seq(), now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                hac_totem::Output::Transmit { link, to, datagram } => self.transmit(Transmit { link, to, datagram }),
                hac_totem::Output::Persist { ring_seq } => {
                    self.gate.wanted = self.gate.wanted.max(ring_seq);
                    self.outputs.push_back(RingOutput::Persist { ring_seq });
                }
                hac_totem::Output::View(view) => {
                    if view.kind == ViewKind::Regular {
                        self.drop_waiting(now);
                    }
                    self.changes += 1;
                    self.up(now, Up::View(view));
                }
                hac_totem::Output::Delivery(delivery) => self.up(now, Up::Delivery(delivery)),
                hac_totem::Output::Notice(notice) => {
                    self.changes += u64::from(matches!(notice, Notice::PauseDetected { .. }));
                    self.up(now, Up::Notice(notice));
                }
            }
        }
    }

    /// What waited was meant for a membership that is over.
    fn drop_waiting(&mut self, now: Timestamp) {
        let dropped = self.waiting.len();
        self.waiting.clear();
        if dropped > 0 {
            self.up(now, Up::Room(dropped));
        }
    }

    /// Gives the engine as many broadcasts as it has room for; whether there were any.
    fn pass_down(&mut self, now: Timestamp) -> bool {
        let mut taken = 0;
        while self.withdrawn.is_none()
            && let Some(message) = self.waiting.front()
            && self.engine.broadcast(now, message.clone(), Guarantee::Safe).is_ok()
        {
            self.waiting.pop_front();
            taken += 1;
        }
        if taken > 0 {
            self.up(now, Up::Room(taken));
        }
        taken > 0
    }

    fn up(&mut self, now: Timestamp, event: Up) {
        self.backlog.add(now, event.size());
        self.outputs.push_back(RingOutput::Up(event));
    }

    /// Probes and greetings say nothing of a ring: the others go on hearing this node while its disk works.
    fn transmit(&mut self, transmit: Transmit) {
        if self.gate.closed.is_some() && is_of_a_ring(&transmit.datagram) {
            self.gate.held.push_back(transmit);
        } else {
            self.outputs.push_back(RingOutput::Transmit(transmit));
        }
    }

    fn number_in_trouble(&mut self, now: Timestamp, why: String) {
        if let Some((used, _)) = self.gate.closed {
            self.gate.durable = self.gate.durable.max(used);
        }
        if !std::mem::replace(&mut self.gate.troubled, true) {
            self.up(now, Up::RingNumber(Err(why)));
        }
    }

    fn open_gate(&mut self) {
        self.gate.closed = None;
        self.outputs.extend(self.gate.held.drain(..).map(RingOutput::Transmit));
    }
}
