//! Two nodes in one ring, of which one turns bad.

use std::time::Duration;

use hac_netsim::{Datagram, Net, Queue, Weather};
use hac_types::{Incarnation, NodeId, Timestamp};

use crate::wire::Message;
use crate::{AuthKey, Cipher, Config, Engine, Guarantee, NodeConfig, Output, Stored, Timers};

/// Within this time two nodes form a ring; as soon as the token goes round, that is enough.
const FORMING: Duration = Duration::from_secs(2);
/// A ring in which the token came by so often is in service.
const TOKENS: u64 = 3;
/// A node that does more than this within one wait is in a loop: an idle pair needs some 30 a second.
const TIMEOUTS_MAX: u32 = 20_000;

/// A ring of two nodes out of three that are configured.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) now: Timestamp,
    /// The node that is tested.
    pub(super) honest: Engine,
    /// The node whose keys are used to say other things than it would.
    turned: Engine,
    net: Net,
    flying: Queue<Datagram>,
    /// The last datagram from the one to the other.
    last: Vec<u8>,
}

impl Pair {
    const HONEST: u32 = 1;
    /// Number of the node that turns bad.
    pub(super) const TURNED: u32 = 2;

    /// The two in a ring, with nothing on its way.
    pub(super) fn formed(cipher: Cipher) -> Self {
        let now = Timestamp::from_millis(1000);
        let engine = |node: u32| {
            let stored = Stored { ring_seq: 0, incarnation: Incarnation(u64::from(node) << 32 | 1) };
            let entropy = [u8::try_from(node).unwrap_or_default(); 32];
            Engine::new(config(node, cipher, Self::key()), stored, entropy, now)
                .expect("the configuration above is right")
        };
        let (honest, turned) = (engine(Self::HONEST), engine(Self::TURNED));
        let mut net = Net::new(0);
        net.weather = Weather::even();
        let mut pair = Self { now, honest, turned, net, flying: Queue::default(), last: Vec::new() };
        pair.together(FORMING);
        pair
    }

    /// The key that both have.
    pub(super) fn key() -> AuthKey {
        AuthKey::new(vec![7; 32]).expect("32 bytes are enough")
    }

    /// Lets the honest node accept another key besides, which is returned.
    pub(super) fn next_key(&mut self) -> AuthKey {
        let next = AuthKey::new(vec![8; 40]).expect("40 bytes are enough");
        self.honest.accept_key(self.now, Some(&next));
        self.discard_honest();
        next
    }

    /// The hello of the node's next life under `key`, which the honest node would answer.
    pub(super) fn genuine_hello(&mut self, key: AuthKey, cipher: Cipher) -> Vec<u8> {
        let stored = Stored { ring_seq: 0, incarnation: Incarnation(u64::from(Self::TURNED) << 32 | 2) };
        let config = config(Self::TURNED, cipher, key);
        self.turned = Engine::new(config, stored, [9; 32], self.now).expect("the configuration is right");
        self.turned.handle_timeout(self.now);
        self.last.clear();
        self.collect();
        self.flying = Queue::default();
        self.last.clone()
    }

    /// A datagram that the honest node would take, but has not seen.
    pub(super) fn genuine(&mut self) -> Vec<u8> {
        let now = self.now;
        self.turned.broadcast(now, vec![0x42; 40], Guarantee::Agreed).expect("the queue is empty");
        let message = Message::MtuProbe(vec![0; 20]);
        self.turned.net.send(NodeId(Self::HONEST), &message);
        self.collect();
        self.flying = Queue::default();
        self.last.clone()
    }

    /// The node turned bad says this.
    pub(super) fn turned_says(&mut self, message: &Message) {
        self.turned.net.send(NodeId(Self::HONEST), message);
        while let Some(output) = self.turned.poll_output() {
            if let Output::Transmit { link, to: NodeId(Self::HONEST), datagram } = output {
                // Whether it is taken is the honest node's business.
                let _ = self.honest.handle_datagram(self.now, link, NodeId(Self::TURNED), &datagram);
            }
        }
        self.discard_honest();
    }

    /// Time passes for the honest node, whom nobody answers.
    pub(super) fn honest_alone(&mut self, time: Duration) {
        let end = self.now + time;
        let mut count = 0;
        while let Some(at) = self.honest.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.honest.handle_timeout(self.now);
            self.discard_honest();
            count += 1;
            assert!(count < TIMEOUTS_MAX, "the node does not come to rest");
        }
        self.now = end;
    }

    /// Whether the honest node has something to send.
    pub(super) fn answers(&mut self) -> bool {
        std::iter::from_fn(|| self.honest.poll_output()).any(|output| matches!(output, Output::Transmit { .. }))
    }

    fn discard_honest(&mut self) {
        while self.honest.poll_output().is_some() {}
    }

    /// Time passes for both, until they are in service.
    fn together(&mut self, time: Duration) {
        let end = self.now + time;
        self.collect();
        loop {
            let timeouts = [self.honest.poll_timeout(), self.turned.poll_timeout()];
            let next = timeouts.into_iter().flatten().chain(self.flying.next_at()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while let Some((_, Datagram { from, to, link, bytes })) = self.flying.pop(self.now) {
                let engine = if to == Self::HONEST { &mut self.honest } else { &mut self.turned };
                // What is refused is sent again.
                let _ = engine.handle_datagram(self.now, link, NodeId(from), &bytes);
            }
            self.honest.handle_timeout(self.now);
            self.turned.handle_timeout(self.now);
            self.collect();
            if self.in_service() {
                break;
            }
        }
        self.flying = Queue::default();
    }

    fn in_service(&self) -> bool {
        [&self.honest, &self.turned].iter().all(|engine| engine.stats().tokens >= TOKENS)
    }

    fn collect(&mut self) {
        while let Some(output) = self.honest.poll_output() {
            self.fly(Self::HONEST, Self::TURNED, output);
        }
        while let Some(output) = self.turned.poll_output() {
            if let Output::Transmit { to: NodeId(Self::HONEST), datagram, .. } = &output {
                self.last.clone_from(datagram);
            }
            self.fly(Self::TURNED, Self::HONEST, output);
        }
    }

    /// What one says to the other is on its way; all else an engine wants done, nobody does.
    fn fly(&mut self, from: u32, to: u32, output: Output) {
        let Output::Transmit { link, to: addressed, datagram: bytes } = output else { return };
        if addressed == NodeId(to) {
            for (time, datagram) in self.net.carry(Datagram { from, to, link, bytes }) {
                self.flying.push(self.now + time, datagram);
            }
        }
    }
}

fn config(node: u32, cipher: Cipher, authkey: AuthKey) -> Config {
    Config {
        cluster_name: "fuzz".into(),
        node: NodeId(node),
        nodes: (1..=3).map(|n| NodeConfig { node: NodeId(n), links: 1 }).collect(),
        links: 1,
        authkey,
        cipher,
        timers: Timers::default(),
        window_size: 50,
        max_messages: 17,
        netmtu: 1500,
        contract: crate::Contract::default(),
    }
}
