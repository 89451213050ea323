//! N engines, a network between them and a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hac_netsim::{Datagram, Queue, Rng, Weather};
use hac_totem::{
    AuthKey, Cipher, Config, Delivery, Engine, Guarantee, LeaveReason, NodeConfig, Notice, Output, Rejected, Stored,
    Timers,
};
use hac_types::{Incarnation, LinkId, NodeId, Timestamp, View, ViewKind};

/// One thing a node did, for the checks.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Started(Incarnation),
    Sent(Vec<u8>, Guarantee),
    View(View),
    Delivery(Delivery),
    Notice(Notice),
    Stopped,
}

/// A node: its engine while it runs, its disk always.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) engine: Option<Engine>,
    pub(crate) log: Vec<(Timestamp, Event)>,
    boots: u64,
    ring_seq: u64,
    paused_until: Option<Timestamp>,
    inbox: VecDeque<Datagram>,
    /// Power fails after so many more outputs.
    dies_after: Option<u64>,
    pub(crate) transmitted: u64,
    pub(crate) persisted: u64,
}

/// The world of a test.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) now: Timestamp,
    pub(crate) hosts: BTreeMap<u32, Host>,
    /// What datagrams go through.
    pub(crate) air: hac_netsim::Net,
    pub(crate) random: Rng,
    pub(crate) config: Config,
    flying: Queue<Datagram>,
    /// Datagrams to a node that is down are answered with port unreachable.
    pub(crate) unreachable_hints: bool,
    pub(crate) rejected: BTreeMap<Rejected, u64>,
}

/// The stream of random numbers that tests draw from.
const STREAM: u64 = 20;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn config(nodes: u32, links: u8) -> Config {
    Config {
        cluster_name: "test".into(),
        node: NodeId(1),
        nodes: (1..=nodes).map(|n| NodeConfig { node: NodeId(n), links }).collect(),
        links,
        authkey: AuthKey::new(vec![7; 64]).unwrap(),
        cipher: Cipher::None,
        timers: Timers::default(),
        window_size: 50,
        max_messages: 17,
        netmtu: 1500,
        contract: hac_totem::Contract::default(),
    }
}

impl Net {
    /// `nodes` hosts, all off.
    pub(crate) fn new(seed: u64, nodes: u32, links: u8) -> Self {
        Self::with_config(seed, config(nodes, links))
    }

    pub(crate) fn with_config(seed: u64, config: Config) -> Self {
        let host = || Host {
            engine: None,
            log: Vec::new(),
            boots: 0,
            ring_seq: 0,
            paused_until: None,
            inbox: VecDeque::new(),
            dies_after: None,
            transmitted: 0,
            persisted: 0,
        };
        let mut air = hac_netsim::Net::new(seed);
        air.weather = Weather::even();
        Self {
            now: Timestamp::from_millis(1000),
            hosts: config.nodes.iter().map(|n| (n.node.0, host())).collect(),
            air,
            random: Rng::new(seed, STREAM),
            config,
            flying: Queue::default(),
            unreachable_hints: false,
            rejected: BTreeMap::new(),
        }
    }

    /// All hosts on, and one ring of all.
    pub(crate) fn formed(seed: u64, nodes: u32, links: u8) -> Self {
        let mut net = Self::new(seed, nodes, links);
        net.start_all();
        net.run_until_formed(ms(5000));
        net
    }

    pub(crate) fn nodes(&self) -> Vec<u32> {
        self.hosts.keys().copied().collect()
    }

    pub(crate) fn start_all(&mut self) {
        for node in self.nodes() {
            self.start(node);
        }
    }

    pub(crate) fn start(&mut self, node: u32) {
        let mut config = self.config.clone();
        config.node = NodeId(node);
        self.start_with(node, config);
    }

    pub(crate) fn start_with(&mut self, node: u32, config: Config) {
        let low = self.random.bits() & 0xffff_ffff;
        let entropy = self.random.entropy();
        let host = self.hosts.get_mut(&node).unwrap();
        assert!(host.engine.is_none(), "{node} runs already");
        host.boots += 1;
        let incarnation = Incarnation(host.boots << 32 | low);
        let stored = Stored { ring_seq: host.ring_seq, incarnation };
        host.engine = Some(Engine::new(config, stored, entropy, self.now).unwrap());
        host.log.push((self.now, Event::Started(incarnation)));
        host.paused_until = None;
        host.dies_after = None;
        self.drain(node);
    }

    /// Power off: nothing is said.
    pub(crate) fn crash(&mut self, node: u32) {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        if host.engine.take().is_some() {
            host.log.push((now, Event::Stopped));
        }
        host.inbox.clear();
    }

    /// The disk is lost too.
    pub(crate) fn lose_disk(&mut self, node: u32) {
        let host = self.hosts.get_mut(&node).unwrap();
        host.ring_seq = 0;
        host.boots = 0;
    }

    /// Power fails in the middle of what the node does next.
    pub(crate) fn crash_after_outputs(&mut self, node: u32, outputs: u64) {
        self.hosts.get_mut(&node).unwrap().dies_after = Some(outputs);
    }

    pub(crate) fn leave(&mut self, node: u32, clean: bool) {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        if let Some(engine) = &mut host.engine {
            engine.leave(now, LeaveReason::Shutdown { resources_clean: clean });
        }
        self.drain(node);
        self.crash(node);
    }

    pub(crate) fn pause(&mut self, node: u32, time: Duration) {
        self.hosts.get_mut(&node).unwrap().paused_until = Some(self.now + time);
    }

    pub(crate) fn send(&mut self, node: u32, payload: Vec<u8>, guarantee: Guarantee) -> bool {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        if host.paused_until.is_some() {
            return false;
        }
        let Some(engine) = &mut host.engine else { return false };
        let taken = engine.broadcast(now, payload.clone(), guarantee).is_ok();
        if taken {
            host.log.push((now, Event::Sent(payload, guarantee)));
        }
        self.drain(node);
        taken
    }

    /// Cuts one link between all.
    pub(crate) fn cut_link(&mut self, link: u8) {
        for a in self.nodes() {
            for b in self.nodes() {
                self.air.cut_one_way(a, b, LinkId(link));
            }
        }
    }

    /// Cuts everything between these and the others.
    pub(crate) fn partition(&mut self, side: &[u32]) {
        let (these, others) = self.nodes().into_iter().partition(|node| side.contains(node));
        self.air.partition(&[these, others]);
    }

    /// No power fails any more.
    pub(crate) fn spare_all(&mut self) {
        for host in self.hosts.values_mut() {
            host.dies_after = None;
        }
    }

    /// Performs what a node wants done.
    pub(crate) fn drain(&mut self, node: u32) {
        loop {
            let now = self.now;
            let host = self.hosts.get_mut(&node).unwrap();
            let Some(output) = host.engine.as_mut().and_then(Engine::poll_output) else { return };
            if let Some(left) = &mut host.dies_after {
                if *left == 0 {
                    self.crash(node);
                    return;
                }
                *left -= 1;
            }
            match output {
                Output::Transmit { link, to, datagram } => {
                    host.transmitted += 1;
                    self.fly(Datagram { from: node, to: to.0, link, bytes: datagram });
                }
                Output::Persist { ring_seq } => {
                    host.ring_seq = ring_seq;
                    host.persisted += 1;
                }
                Output::View(view) => host.log.push((now, Event::View(view))),
                Output::Delivery(delivery) => host.log.push((now, Event::Delivery(delivery))),
                Output::Notice(notice) => host.log.push((now, Event::Notice(notice))),
            }
        }
    }

    fn fly(&mut self, datagram: Datagram) {
        for (time, datagram) in self.air.carry(datagram) {
            self.inject(time, datagram);
        }
    }

    /// Puts a datagram on its way.
    pub(crate) fn inject(&mut self, delay: Duration, datagram: Datagram) {
        self.flying.push(self.now + delay, datagram);
    }

    fn next_event(&self) -> Option<Timestamp> {
        let wakes = self.hosts.values().filter_map(|host| {
            let due = host.engine.as_ref()?.poll_timeout();
            host.paused_until.or(due)
        });
        wakes.chain(self.flying.next_at()).min()
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_while(end, |_| true);
    }

    /// Lets time pass until `goes_on` is false; whether that happened before the end.
    pub(crate) fn run_while(&mut self, end: Timestamp, goes_on: impl Fn(&Self) -> bool) -> bool {
        while goes_on(self) {
            match self.next_event() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.step();
                }
                _ => {
                    self.now = end;
                    return false;
                }
            }
        }
        true
    }

    fn step(&mut self) {
        if let Some((_, datagram)) = self.flying.pop(self.now) {
            self.arrive(datagram);
            return;
        }
        for node in self.nodes() {
            self.wake(node);
        }
    }

    fn arrive(&mut self, datagram: Datagram) {
        let now = self.now;
        let host = self.hosts.get_mut(&datagram.to).unwrap();
        if host.paused_until.is_some() {
            host.inbox.push_back(datagram);
            return;
        }
        let Datagram { from, to, link, bytes } = datagram;
        match &mut host.engine {
            Some(engine) => {
                if let Err(reason) = engine.handle_datagram(now, link, NodeId(from), &bytes) {
                    *self.rejected.entry(reason).or_default() += 1;
                }
                self.drain(to);
            }
            None if self.unreachable_hints => {
                if let Some(engine) = self.hosts.get_mut(&from).and_then(|host| host.engine.as_mut()) {
                    engine.handle_unreachable(now, link, NodeId(to));
                    self.drain(from);
                }
            }
            None => {}
        }
    }

    fn wake(&mut self, node: u32) {
        let now = self.now;
        let host = self.hosts.get_mut(&node).unwrap();
        if let Some(until) = host.paused_until {
            if until > now {
                return;
            }
            host.paused_until = None;
            for Datagram { from, link, bytes, .. } in std::mem::take(&mut host.inbox) {
                let host = self.hosts.get_mut(&node).unwrap();
                if let Some(engine) = &mut host.engine {
                    // Refused ones are counted by the engine.
                    let _ = engine.handle_datagram(now, link, NodeId(from), &bytes);
                }
                self.drain(node);
            }
        }
        let host = self.hosts.get_mut(&node).unwrap();
        if let Some(engine) = &mut host.engine
            && engine.poll_timeout().is_some_and(|at| at <= now)
        {
            engine.handle_timeout(now);
            self.drain(node);
        }
    }

    /// The regular view a node is in.
    pub(crate) fn view(&self, node: u32) -> Option<&View> {
        self.hosts[&node].engine.as_ref()?;
        self.hosts[&node].log.iter().rev().take_while(|(_, e)| !matches!(e, Event::Started(_))).find_map(
            |(_, event)| match event {
                Event::View(view) if view.kind == ViewKind::Regular => Some(view),
                _ => None,
            },
        )
    }

    pub(crate) fn member_ids(&self, node: u32) -> Vec<u32> {
        self.view(node).map(|view| view.members.iter().map(|m| m.node.0).collect()).unwrap_or_default()
    }

    pub(crate) fn running(&self) -> Vec<u32> {
        self.hosts.iter().filter(|(_, host)| host.engine.is_some()).map(|(node, _)| *node).collect()
    }

    /// Whether these nodes, and no others, are in one and the same view and at work on its ring.
    pub(crate) fn is_formed(&self, nodes: &[u32]) -> bool {
        let mut views = nodes.iter().map(|node| self.view(*node));
        let Some(Some(first)) = views.next() else { return false };
        let members: Vec<u32> = first.members.iter().map(|m| m.node.0).collect();
        members == nodes
            && views.all(|view| view.is_some_and(|view| view.ring == first.ring && view.members == first.members))
    }

    /// Runs until all running nodes form one ring; panics if they do not in time. Returns how long it took.
    pub(crate) fn run_until_formed(&mut self, limit: Duration) -> Duration {
        let nodes = self.running();
        self.run_until_ring(&nodes, limit)
    }

    pub(crate) fn run_until_ring(&mut self, nodes: &[u32], limit: Duration) -> Duration {
        let start = self.now;
        let formed = self.run_while(start + limit, |net| !net.is_formed(nodes));
        if !formed {
            for node in self.nodes() {
                eprintln!("node {node}: {:?} {:?}", self.member_ids(node), self.tail(node, 25));
            }
            panic!("{nodes:?} did not form a ring within {limit:?}");
        }
        self.now.since(start)
    }

    fn tail(&self, node: u32, count: usize) -> Vec<String> {
        let log = &self.hosts[&node].log;
        log.iter()
            .skip(log.len().saturating_sub(count))
            .map(|(at, event)| format!("\n  {at} {}", brief(event)))
            .collect()
    }

    /// What a node delivered since it last started.
    pub(crate) fn deliveries(&self, node: u32) -> Vec<&Delivery> {
        let log = &self.hosts[&node].log;
        let start = log.iter().rposition(|(_, event)| matches!(event, Event::Started(_))).unwrap_or(0);
        let deliveries = log[start..].iter().filter_map(|(_, event)| match event {
            Event::Delivery(delivery) => Some(delivery),
            _ => None,
        });
        deliveries.collect()
    }

    pub(crate) fn views(&self, node: u32) -> Vec<&View> {
        let views = self.hosts[&node].log.iter().filter_map(|(_, event)| match event {
            Event::View(view) => Some(view),
            _ => None,
        });
        views.collect()
    }

    pub(crate) fn regular_views(&self, node: u32) -> usize {
        self.views(node).iter().filter(|view| view.kind == ViewKind::Regular).count()
    }

    pub(crate) fn notices(&self, node: u32) -> Vec<&Notice> {
        let notices = self.hosts[&node].log.iter().filter_map(|(_, event)| match event {
            Event::Notice(notice) => Some(notice),
            _ => None,
        });
        notices.collect()
    }
}

fn brief(event: &Event) -> String {
    match event {
        Event::Started(incarnation) => format!("started {incarnation}"),
        Event::Sent(payload, guarantee) => format!("sent {} bytes {guarantee:?}", payload.len()),
        Event::View(view) => {
            let members: Vec<u32> = view.members.iter().map(|m| m.node.0).collect();
            format!("{:?} view {} {members:?}", view.kind, view.ring)
        }
        Event::Delivery(d) => format!("delivery {} #{} of {} ({} bytes)", d.ring, d.seq, d.origin, d.payload.len()),
        Event::Notice(notice) => notice.to_string(),
        Event::Stopped => "stopped".into(),
    }
}
