//! The ring's thread: sockets and the ring half, nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hac_node::{ClusterNode, Down, Now, RingHalf, RingOutput, Up};
use hac_types::{LinkId, NodeId, Timestamp};
use hac_udp::{Trouble, Udp};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::between::{Below, Shared};
use super::pace::Pace;
use super::steps::{Cause, Step};
use super::{RingParts, privilege, until};
use crate::config::System;
use crate::recording::Notes;
use crate::storage::{Worker, WorkerReply};
use crate::{clock, udp};

/// Most datagrams taken in one go, before timers and orders have their turn.
const BATCH: usize = 16;

/// After this time no more is taken in this go, neither datagrams nor orders: a step is to be done in less than a millisecond,
/// and one datagram alone, the token, may let as much be sent as the window allows.
const LONG: Duration = Duration::from_micros(300);

/// How often the ring is given fresh randomness.
const STIR_EVERY: Duration = Duration::from_secs(1);

/// Most orders taken in one go.
const ORDERS: usize = 64;

/// See the [module documentation](self).
pub(super) struct Thread {
    half: RingHalf,
    udp: Udp,
    runtime: Option<Runtime>,
    below: Below,
    hints: mpsc::Receiver<(LinkId, NodeId)>,
    stored: mpsc::Receiver<WorkerReply>,
    worker: Arc<Worker>,
    shared: Arc<Shared>,
    notes: Option<Notes>,
    /// When it was last given randomness.
    stirred: Option<Timestamp>,
    /// All sockets are open.
    all_links: bool,
    node: NodeId,
    left: bool,
}

/// What came in.
enum Came {
    Datagrams,
    Time,
    Order(Down),
    Hint(LinkId, NodeId),
    Stored(WorkerReply),
    Missing,
    Room,
    Nobody,
}

impl Thread {
    pub(super) fn new(
        parts: RingParts,
        below: Below,
        worker: Arc<Worker>,
        shared: Arc<Shared>,
        notes: Option<Notes>,
    ) -> Self {
        let RingParts { node, half, udp, runtime, hints, stored } = parts;
        Self {
            half,
            udp,
            runtime: Some(runtime),
            below,
            hints,
            stored,
            worker,
            shared,
            notes,
            stirred: None,
            all_links: false,
            node,
            left: false,
        }
    }

    /// Runs until the ring was left, or nobody is there any more who would want it.
    pub(super) fn run(mut self, system: &System) {
        privilege::raise_priority(system, &self.shared);
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(self.serve());
        }
    }

    async fn serve(&mut self) {
        let mut missing = tokio::time::interval(udp::RETRY);
        let mut pace = Pace::new(clock::now().mono);
        self.perform();
        let mut step = Step::begin();
        while !self.left {
            let wait = self.wait();
            let came = tokio::select! {
                () = self.udp.readable() => Came::Datagrams,
                () = until(wait) => Came::Time,
                order = self.below.orders.recv() => order.map_or(Came::Nobody, Came::Order),
                Some((link, node)) = self.hints.recv() => Came::Hint(link, node),
                Some(reply) = self.stored.recv() => Came::Stored(reply),
                _ = missing.tick(), if !self.all_links => Came::Missing,
                () = self.below.events.room() => Came::Room,
            };
            step.go_on();
            let mut rest = match came {
                Came::Datagrams => pace.woken(clock::now().mono),
                _ => None,
            };
            self.stir();
            let cause = match came {
                Came::Datagrams => {
                    if self.datagrams() {
                        rest = None;
                    }
                    Cause::Messages
                }
                Came::Time => Cause::Timer,
                Came::Order(order) => self.orders(order),
                Came::Hint(link, node) => self.hint(link, node),
                Came::Stored(reply) => self.stored(reply),
                Came::Missing => {
                    self.all_links = self.udp.retry().unwrap_or(false);
                    Cause::Timer
                }
                Came::Room => {
                    self.below.events.go_on();
                    Cause::Command
                }
                Came::Nobody => return,
            };
            let now = clock::now();
            if self.half.poll_timeout().is_some_and(|due| due <= now.mono) {
                self.note(now, hac_node::Input::RingTimeout);
                self.half.handle_timeout(now.mono);
            }
            self.perform();
            self.shared.ring.end(cause, &mut step);
            if let Some(rest) = rest {
                // The runtime's timers are too coarse. Nothing else runs on this thread, and the sockets keep what comes.
                std::thread::sleep(rest);
            }
        }
        while self.below.events.waits() {
            self.below.events.room().await;
            self.below.events.go_on();
        }
    }

    /// Gives the ring fresh randomness, now and then, before anything of what came in. Without it, it goes on with what it
    /// has.
    fn stir(&mut self) {
        let now = clock::now();
        if self.stirred.is_some_and(|at| now.mono.since(at) < STIR_EVERY) {
            return;
        }
        self.stirred = Some(now.mono);
        let mut entropy = [0; 32];
        if SystemRandom::new().fill(&mut entropy).is_ok() {
            self.note(now, hac_node::Input::Stir(entropy));
            self.half.stir(&entropy);
        }
    }

    /// How long nothing is to be done; `None` for ever.
    fn wait(&self) -> Option<Duration> {
        Some(self.half.poll_timeout()?.since(clock::now().mono))
    }

    /// Handles what is there; whether there may be more.
    fn datagrams(&mut self) -> bool {
        let mut begin = None;
        for _ in 0..BATCH {
            let Some(datagram) = self.udp.receive() else { return false };
            let now = clock::now();
            if let Some(notes) = &mut self.notes {
                let bytes = datagram.bytes.to_vec();
                notes.ring(now, hac_node::Input::Datagram { link: datagram.link, from: datagram.from, bytes });
            }
            self.half.handle_datagram(now.mono, datagram.link, datagram.from, datagram.bytes);
            self.perform();
            if now.mono.since(*begin.get_or_insert(now.mono)) >= LONG {
                break;
            }
        }
        true
    }

    fn orders(&mut self, first: Down) -> Cause {
        let (mut next, mut count, mut begin) = (Some(first), 0, None);
        while let Some(order) = next.take() {
            if matches!(order, Down::SetNodes(_)) {
                // What is to be sent to a node that goes, leaves before it does.
                self.perform();
            }
            let now = clock::now();
            self.note(now, hac_node::Input::PassDown(1));
            self.follow(&order);
            self.half.handle_command(now.mono, order);
            // What several cause leaves together.
            self.perform_outputs();
            count += 1;
            if count < ORDERS && now.mono.since(*begin.get_or_insert(now.mono)) < LONG {
                next = self.below.orders.try_recv();
            }
        }
        self.shared.count(self.udp.counters());
        Cause::Command
    }

    /// Other nodes have other addresses: before the ring speaks with them.
    fn follow(&mut self, order: &Down) {
        let Down::SetNodes(nodes) = order else { return };
        let own: Vec<SocketAddr> = self.udp.own().collect();
        let others = nodes.iter().filter(|node| node.id != self.node);
        let peers = own.iter().enumerate().map(|(link, own)| {
            let place = |node: &ClusterNode| Some((node.id, SocketAddr::new(*node.addresses.get(link)?, own.port())));
            others.clone().filter_map(place).collect()
        });
        match self.udp.set_peers(peers) {
            Ok(complete) => self.all_links = complete,
            Err(error) => {
                // It is tried again with what is missing.
                self.all_links = false;
                tracing::error!(target: "hacd::udp", "link {}: {}: {}", error.link, error.address, error.source);
            }
        }
    }

    fn hint(&mut self, link: LinkId, node: NodeId) -> Cause {
        let now = clock::now();
        self.note(now, hac_node::Input::Unreachable(link, node));
        self.half.handle_unreachable(now.mono, link, node);
        Cause::Messages
    }

    fn stored(&mut self, reply: WorkerReply) -> Cause {
        let now = clock::now();
        let WorkerReply { id, result } = reply;
        self.note(now, hac_node::Input::RingStored(id.0, result.clone()));
        self.half.handle_persisted(now.mono, id.0, result);
        Cause::Result
    }

    /// Performs everything that is to be done now. Datagrams that follow each other leave together, and the cluster's thread
    /// is woken once.
    fn perform(&mut self) {
        loop {
            self.perform_outputs();
            if !self.flush() {
                break;
            }
        }
        self.below.events.push();
    }

    /// Performs what is to be done now, but for what waits to leave with more of its kind.
    fn perform_outputs(&mut self) {
        self.shared.assure(self.half.assurance());
        while let Some(output) = self.half.poll_output() {
            if let Some(notes) = &mut self.notes {
                notes.gave_ring(&output);
            }
            match output {
                RingOutput::Transmit(transmit) => self.udp.queue(transmit.link, transmit.to, &transmit.datagram),
                RingOutput::Up(event) => {
                    self.left |= matches!(event, Up::Left);
                    self.below.events.put(event);
                }
                RingOutput::Persist { ring_seq } => self.store(ring_seq),
                RingOutput::Withdrawn { stood_still } => tracing::error!(
                    target: "hacd::ring",
                    "nothing above the ring has gone on for {} ms: this node falls silent, so that the others go on",
                    stood_still.as_millis()
                ),
            }
        }
    }

    fn store(&mut self, ring_seq: u64) {
        if let Err(why) = self.worker.reserve(ring_seq) {
            let now = clock::now();
            self.note(now, hac_node::Input::RingStored(ring_seq, Err(why.clone())));
            self.half.handle_persisted(now.mono, ring_seq, Err(why));
        }
    }

    /// Sends what is queued; whether the half had to be told of troubles.
    fn flush(&mut self) -> bool {
        let troubles = self.udp.flush();
        for trouble in &troubles {
            let now = clock::now();
            match *trouble {
                Trouble::Refused(link, to) => {
                    self.note(now, hac_node::Input::Unreachable(link, to));
                    self.half.handle_unreachable(now.mono, link, to);
                }
                Trouble::TooBig(link, to) => {
                    self.note(now, hac_node::Input::TooBig(link, to));
                    self.half.handle_too_big(now.mono, link, to);
                }
            }
        }
        !troubles.is_empty()
    }

    fn note(&mut self, now: Now, input: hac_node::Input) {
        if let Some(notes) = &mut self.notes {
            notes.ring(now, input);
        }
    }
}
