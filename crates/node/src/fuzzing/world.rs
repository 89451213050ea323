//! One participant, a disk that takes everything, agents that never answer, and a stream with another member whose
//! words come from the fuzzer.

use std::time::Duration;

use hac_netsim::{Formed, Stream};
use hac_totem::{AuthKey, Cipher, Delivery, Guarantee, NodeConfig, Timers};
use hac_types::{Incarnation, Member, NodeId, Timestamp, WallTime};

use crate::halves::{Down, Effect};
use crate::participant::{Incoming, Participant};
use crate::wire::{self, Body, Message};
use crate::{Config, NodeInfo, Now, Output, Stored};

const HONEST: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);
/// A node that does more than this without time passing is in a loop.
const ROUNDS_MAX: u32 = 10_000;

/// See the module.
pub(super) struct World {
    participant: Participant,
    now: Now,
    stream: Stream,
    /// What it says that is not in the stream.
    words: Vec<Vec<u8>>,
    /// What it wants done that is not done.
    outputs: Vec<Output>,
}

impl World {
    /// A node in a view with its peer. A polite one says hello with the node's own state and is ready.
    pub(super) fn with_peer(polite: bool) -> Self {
        let mut world = Self::new(None).expect("the configuration is right and there is no state");
        world.form(true);
        let words = world.own_words();
        for message in words {
            let theirs = polite.then(|| as_peer(message.body.clone()));
            world.deliver(HONEST, message.body);
            if let Some(body) = theirs {
                world.deliver(PEER, body);
            }
        }
        let ready = polite.then_some(Body::Ready(wire::Ready {
            quorate: true,
            history: None,
            lost: None,
            register: None,
            arbiter: false,
            watchdog: None,
        }));
        if let Some(ready) = ready {
            world.deliver(PEER, ready);
        }
        world.settle();
        world
    }

    /// A node that finds this on its disk; `None` if it refuses to start from it.
    pub(super) fn from_disk(stored: Vec<u8>) -> Option<Self> {
        Self::new(Some(stored))
    }

    fn new(cib: Option<Vec<u8>>) -> Option<Self> {
        let now = Now { mono: Timestamp::from_millis(1), wall: WallTime(1_700_000_000_000) };
        let totem = hac_totem::Stored { ring_seq: 0, incarnation: member(HONEST).incarnation };
        let stored = Stored { cib, cib_generation: 1, ..Stored::blank(totem) };
        let participant = Participant::new(&config(), stored, now).ok()?;
        let (words, outputs) = (Vec::new(), Vec::new());
        let mut world = Self { participant, now, stream: Stream::default(), words, outputs };
        world.collect();
        Some(world)
    }

    /// A new view, with the peer or without, after the old one has broken up.
    pub(super) fn view(&mut self, with_peer: bool) {
        self.form(with_peer);
        self.settle();
    }

    fn form(&mut self, with_peer: bool) {
        let members = if with_peer { &[member(HONEST), member(PEER)][..] } else { &[member(HONEST)] };
        for Formed { transitional, regular, .. } in
            self.stream.form(members).into_iter().filter(|formed| formed.node == HONEST)
        {
            for view in transitional.into_iter().chain([regular]) {
                self.give(Incoming::View(view));
            }
        }
        if !with_peer {
            // It has gone nowhere else, and comes back as one that was away.
            self.stream.restart(PEER);
        }
    }

    /// The peer says this in the present view.
    pub(super) fn peer_says(&mut self, body: Body) {
        self.deliver(PEER, body);
        self.settle();
    }

    /// Time passes.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        let mut rounds = 0;
        while let Some(due) = self.participant.poll_timeout().filter(|due| *due <= end) {
            self.pass(due.max(self.now.mono));
            self.give(Incoming::Time);
            self.settle();
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "the node does not come to rest");
        }
        self.pass(end);
    }

    fn pass(&mut self, until: Timestamp) {
        let millis = i64::try_from(until.since(self.now.mono).as_millis()).unwrap_or(i64::MAX);
        self.now = Now { mono: until, wall: WallTime(self.now.wall.0.saturating_add(millis)) };
    }

    /// Everything happens that needs no time.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            while !self.outputs.is_empty() {
                for output in std::mem::take(&mut self.outputs) {
                    match output {
                        Output::Persist { id, .. } => self.give(Incoming::Persisted(id, Ok(()))),
                        Output::Decide { id, cib, wall, .. } => {
                            self.give(Incoming::Decided(id, Ok(hac_scheduler::schedule(&cib, wall))));
                        }
                        _ => {}
                    }
                }
            }
            let words = self.own_words();
            if words.is_empty() {
                return;
            }
            words.into_iter().for_each(|message| self.deliver(HONEST, message.body));
        }
        panic!("the node talks without end");
    }

    fn give(&mut self, incoming: Incoming) {
        self.participant.handle(self.now, incoming);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(effect) = self.participant.poll_effect() {
            match effect {
                Effect::Down(Down::Broadcast(bytes)) => self.words.push(bytes),
                Effect::Down(_) => {}
                Effect::Do(output) => self.outputs.push(output),
            }
        }
    }

    /// What the node has to say.
    fn own_words(&mut self) -> Vec<Message> {
        let words = std::mem::take(&mut self.words);
        words.iter().map(|b| wire::decode(b, hac_types::Level::FIRST).expect("a node speaks sense")).collect()
    }

    fn deliver(&mut self, origin: NodeId, body: Body) {
        let Some(ring) = self.stream.ring(HONEST) else { return };
        let Some(payload) = wire::encode(&Message { ring, body }, hac_types::Level::FIRST) else { return };
        let Some((seq, _)) = self.stream.say(HONEST) else { return };
        let delivery = Delivery { ring, seq, origin, guarantee: Guarantee::Safe, transitional: false, payload };
        self.give(Incoming::Delivery(delivery));
    }
}

fn member(node: NodeId) -> Member {
    Member { node, incarnation: Incarnation(u64::from(node.0) << 32 | 1) }
}

/// The node's own hello, said by the peer.
fn as_peer(body: Body) -> Body {
    match body {
        Body::Hello(hello) => Body::Hello(wire::Hello { name: "node2".to_owned(), ..hello }),
        other => other,
    }
}

/// The configuration of a node and a peer.
pub(crate) fn config() -> Config {
    let ids = [HONEST, PEER];
    let name = |id: NodeId| format!("node{}", id.0);
    let voters = ids.iter().map(|&node| hac_quorum::Voter { node, name: name(node), votes: 1 }).collect();
    let mut quorum = hac_quorum::Config::new(HONEST, voters);
    quorum.two_node = true;
    quorum.wait_for_all = Some(false);
    Config {
        totem: hac_totem::Config {
            cluster_name: "fuzz".to_owned(),
            node: HONEST,
            nodes: ids.iter().map(|&node| NodeConfig { node, links: 1 }).collect(),
            links: 1,
            authkey: AuthKey::new(vec![7; 32]).expect("32 bytes are enough"),
            cipher: Cipher::None,
            timers: Timers::default(),
            window_size: 50,
            max_messages: 17,
            netmtu: 1500,
            contract: hac_totem::Contract::default(),
        },
        quorum,
        name: name(HONEST),
        nodes: ids.iter().map(|&id| NodeInfo { id, name: name(id) }).collect(),
        cluster_name: "fuzz".to_owned(),
        version: "0.1.0".to_owned(),
        seed: None,
        shutdown_escalation: Config::SHUTDOWN_ESCALATION,
        request_timeout: Config::REQUEST_TIMEOUT,
        cores: 2,
    }
}
