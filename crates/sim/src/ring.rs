//! The ring alone: engines in one world, each sending numbered messages, and a record of all that they were given.

mod coverage;
mod faults;
mod history;
mod hostile;

use std::collections::BTreeMap;
use std::time::Duration;

use hac_netsim::{Attacker, Datagram, Hostility, Net, Queue, Rng};
use hac_totem::{Engine, Guarantee, Output, Stage};
use hac_types::{Incarnation, NodeId, Timestamp};

pub use self::coverage::{COVERAGE, Sometimes};
pub use self::faults::Chaos;
pub use self::history::{History, Item, Message, Process};
use crate::check::Violation;
use crate::check::ring::Watch;
use crate::options::Options;
use crate::trace::Trace;

/// Events at one instant after which a run counts as going round in circles.
const SPIN: u32 = 200_000;

/// Events after which a run counts as a livelock: many times what the busiest seed needs.
const EVENTS_MAX: u64 = 20_000_000;

/// Limits of flow control.
const WINDOW_SIZE: u32 = 50;
const MAX_MESSAGES: u32 = 17;

/// Bytes at the end of a datagram that authenticate all of it.
const CODE: usize = 32;

/// Datagrams that wait in a socket while its owner does not run.
const SOCKET_BUFFER: usize = 200;

#[derive(Clone, Debug)]
enum Event {
    /// A datagram arrives at a host.
    Datagram(Datagram),
    /// An engine asked to be called.
    Wake { host: u32, life: u64 },
    /// The application of a host sends something.
    Send { host: u32 },
    /// An engine starts.
    Start { host: u32 },
    /// A host goes on after a pause.
    Resume { host: u32 },
}

/// One host.
#[derive(Debug, Default)]
pub struct Host {
    engine: Option<Engine>,
    life: u64,
    ring_seq: u64,
    lives: u64,
    paused: bool,
    held: Vec<Datagram>,
    wake: Option<Timestamp>,
    sent: u64,
    /// Datagrams that others sent to it.
    addressed: u64,
}

impl Host {
    fn new(ring_seq: u64) -> Self {
        Self { ring_seq, ..Self::default() }
    }

    /// Whether its engine runs and the host does.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.engine.is_some() && !self.paused
    }

    /// What its engine has counted, if it runs.
    #[must_use]
    pub fn stats(&self) -> Option<hac_totem::Stats> {
        self.engine.as_ref().map(Engine::stats)
    }

    /// Counts its engines.
    #[must_use]
    pub const fn life(&self) -> u64 {
        self.life
    }
}

/// See the [module documentation](self).
pub struct World {
    /// What the seed stands for.
    pub options: Options,
    /// The time.
    pub now: Timestamp,
    queue: Queue<Event>,
    /// The network.
    pub net: Net,
    /// The hosts.
    pub hosts: BTreeMap<u32, Host>,
    /// What happened, for people.
    pub trace: Trace,
    /// What every engine was given, for the checkers.
    pub history: History,
    /// How often each property was looked at.
    pub executed: BTreeMap<&'static str, u64>,
    /// How often something interesting happened.
    pub sometimes: Sometimes,
    /// Looks into the engines after every event.
    pub watch: Watch,
    /// Whether properties are checked: not where a run is only compared with another.
    pub checking: bool,
    attacker: Attacker,
    entropy: Rng,
    load: Rng,
    timing: Rng,
    /// Mean time between two messages of a host.
    pub pace: Duration,
    /// The chances of an engine to die at an output, in millionths.
    pub deadly: u64,
    /// The timeouts with which engines start.
    pub timers: hac_totem::Timers,
    spin: u32,
    happened: u64,
    /// A property was found broken inside an event.
    found: Option<Violation>,
}

impl World {
    /// A world in which nothing was started.
    #[must_use]
    pub fn new(options: Options, recording: bool) -> Self {
        let seed = options.seed;
        let mut world = Self {
            now: Timestamp::from_millis(1000),
            queue: Queue::default(),
            net: Net::new(seed),
            hosts: (1..=options.nodes).map(|id| (id, Host::new(options.numbers_from))).collect(),
            trace: Trace::new(recording),
            history: History::default(),
            executed: BTreeMap::new(),
            sometimes: Sometimes::default(),
            watch: Watch::new(WINDOW_SIZE, MAX_MESSAGES, options.numbers_from),
            checking: true,
            attacker: Attacker::new(seed, hostile::foreign(config(&options, 1))),
            entropy: Rng::new(seed, 4),
            load: Rng::new(seed, 6),
            timing: Rng::new(seed, 2),
            pace: Duration::from_millis(50),
            deadly: 0,
            timers: hac_totem::Timers::default(),
            spin: 0,
            happened: 0,
            found: None,
            options,
        };
        for id in 1..=world.options.nodes {
            world.queue.push(world.now, Event::Send { host: id });
        }
        world
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// The world goes round in circles.
    pub fn run(&mut self, time: Duration) -> Result<(), Violation> {
        let until = self.now + time;
        while let Some((at, event)) = self.queue.pop(until) {
            self.spin = if at > self.now { 0 } else { self.spin + 1 };
            self.happened += 1;
            if self.spin > SPIN {
                return Err(Violation::new("LIVE-2", "something happens without end at one instant"));
            }
            if self.happened > EVENTS_MAX {
                return Err(Violation::new("LIVE-2", format!("more than {EVENTS_MAX} events: a livelock")));
            }
            self.now = self.now.max(at);
            self.happen(event);
            if let Some(violation) = self.found.take() {
                return Err(violation);
            }
        }
        self.now = until;
        Ok(())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { host } => self.start_now(host),
            Event::Resume { host } => self.resume(host),
            Event::Send { host } => {
                self.send(host);
                let pace = u64::try_from(self.pace.as_nanos()).unwrap_or(u64::MAX);
                let next = Duration::from_nanos(self.load.between(1, pace.saturating_mul(2)));
                self.queue.push(self.now + next, Event::Send { host });
            }
            Event::Wake { host, life } => self.wake(host, life),
            Event::Datagram(arrival) => self.arrive(arrival),
        }
    }

    fn arrive(&mut self, arrival: Datagram) {
        if let Some((kind, hostile)) = self.attacker.attack(&arrival) {
            self.suffer(kind, &hostile);
        }
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&arrival.to) else { return };
        if host.paused {
            if host.held.len() < SOCKET_BUFFER {
                host.held.push(arrival);
            }
            return;
        }
        let Some(engine) = &mut host.engine else { return };
        // Why a datagram is refused is counted by the engine.
        if engine.handle_datagram(now, arrival.link, NodeId(arrival.from), &arrival.bytes).is_ok() {
            self.attacker.record(&arrival);
        }
        self.drain(arrival.to);
    }

    /// A hostile datagram comes to a host that has done all that is due.
    fn suffer(&mut self, kind: Hostility, hostile: &Datagram) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&hostile.to).filter(|host| host.is_up()) else { return };
        let life = host.life;
        if let Some(engine) = &mut host.engine {
            engine.handle_timeout(now);
        }
        self.drain(hostile.to);
        let Some(host) = self.hosts.get_mut(&hostile.to).filter(|host| host.life == life) else { return };
        let Some(engine) = &mut host.engine else { return };
        *self.executed.entry(hostile::property(kind)).or_default() += 1;
        match hostile::attempt(engine, now, kind, hostile, self.checking) {
            Ok(outputs) => outputs.into_iter().for_each(|output| self.perform(hostile.to, output)),
            Err(violation) => self.found = Some(violation),
        }
    }

    fn wake(&mut self, id: u32, life: u64) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.life != life || host.paused || host.wake != Some(now) {
            return;
        }
        host.wake = None;
        let Some(engine) = &mut host.engine else { return };
        if engine.poll_timeout().is_some_and(|due| due <= now) {
            engine.handle_timeout(now);
            self.drain(id);
        } else {
            self.arrange_wake(id);
        }
    }

    /// Has an engine called when it wants to be. One that is called too early names its time anew: cheaper than to arrange
    /// every change of its mind.
    fn arrange_wake(&mut self, id: u32) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(due) = host.engine.as_ref().and_then(Engine::poll_timeout).map(|due| due.max(now)) else { return };
        if host.wake.is_none_or(|arranged| arranged > due) {
            host.wake = Some(due);
            self.queue.push(due, Event::Wake { host: id, life: host.life });
        }
    }

    /// Every host sends something within a short time, and goes on at its pace.
    pub fn send_soon(&mut self) {
        for id in 1..=self.options.nodes {
            self.queue.push(self.now + Duration::from_millis(1), Event::Send { host: id });
        }
    }

    /// The application of a host sends a message outside its pace.
    pub fn send_now(&mut self, id: u32) {
        self.send(id);
    }

    /// The application of a host sends a numbered message of a random size.
    fn send(&mut self, id: u32) {
        let now = self.now;
        let size = match self.load.below(1000) {
            0 => self.load.below(1_000_000),
            1..=9 => self.load.below(60_000),
            10..=99 => self.load.below(5000),
            _ => self.load.below(200),
        };
        let guarantee = if self.load.chance(700) { Guarantee::Safe } else { Guarantee::Agreed };
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.paused {
            return;
        }
        let Some(engine) = &mut host.engine else { return };
        let message = Message { host: id, life: host.life, number: host.sent + 1 };
        if engine.broadcast(now, message.encode(size), guarantee).is_ok() {
            host.sent += 1;
            self.history.record(id, host.life, Item::Sent { message, guarantee });
        }
        self.drain(id);
    }

    fn drain(&mut self, id: u32) {
        self.perform_all(id);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(engine) = &host.engine else { return };
        if self.checking {
            match self.watch.look(id, host.life, engine) {
                Ok(Some((before, after))) => {
                    self.sometimes.step(&before, &after, usize::try_from(WINDOW_SIZE).unwrap_or(0));
                }
                Ok(None) => {}
                Err(violation) => self.found = Some(violation),
            }
        }
        self.arrange_wake(id);
    }

    fn perform_all(&mut self, id: u32) {
        loop {
            let Some(host) = self.hosts.get_mut(&id) else { return };
            let Some(engine) = &mut host.engine else { return };
            let Some(output) = engine.poll_output() else { return };
            self.perform(id, output);
            if self.deadly > 0 && self.timing.below(1_000_000) < self.deadly {
                self.trace.line(self.now, id, "dies between two outputs");
                self.kill(id);
                self.start_after(id, Duration::from_millis(300));
                return;
            }
        }
    }

    fn perform(&mut self, id: u32, output: Output) {
        let now = self.now;
        match output {
            Output::Transmit { link, to, datagram } => {
                // Datagrams that differ at all differ in their authentication codes.
                self.trace.mix(now, id, datagram.last_chunk::<CODE>().map_or(&datagram[..], |code| code));
                if let Some(host) = self.hosts.get_mut(&to.0) {
                    host.addressed += 1;
                }
                for (delay, arrival) in self.net.carry(Datagram { from: id, to: to.0, link, bytes: datagram }) {
                    self.queue.push(now + delay, Event::Datagram(arrival));
                }
            }
            Output::Persist { ring_seq } => {
                if let Some(host) = self.hosts.get_mut(&id) {
                    host.ring_seq = host.ring_seq.max(ring_seq);
                }
            }
            Output::View(view) => {
                let members: Vec<u32> = view.members.iter().map(|m| m.node.0).collect();
                self.trace.line(now, id, format!("{:?} view {} {members:?}", view.kind, view.ring));
                self.sometimes.view(&view);
                self.record(id, Item::View(view));
            }
            Output::Delivery(delivery) => {
                self.sometimes.delivery(&delivery);
                self.trace.mix(now, id, &delivery.seq.to_le_bytes());
                self.record(id, Item::of(&delivery));
            }
            Output::Notice(notice) => {
                let token = hac_totem::Timers::default().token_for(self.hosts.len());
                self.sometimes.notice(&notice, token);
                self.trace.line(now, id, notice.to_string());
            }
        }
    }

    fn record(&mut self, id: u32, item: Item) {
        let life = self.hosts.get(&id).map_or(0, |host| host.life);
        self.history.record(id, life, item);
    }

    /// The engine of a host starts after a while, unless it runs then.
    pub fn start_after(&mut self, id: u32, delay: Duration) {
        self.queue.push(self.now + delay, Event::Start { host: id });
    }

    fn start_now(&mut self, id: u32) {
        let now = self.now;
        let mut config = config(&self.options, id);
        config.timers = self.timers.clone();
        let numbers_from = self.options.numbers_from;
        let entropy = self.entropy.entropy();
        let random = self.entropy.bits() & 0xffff_ffff;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.engine.is_some() {
            return;
        }
        host.lives += 1;
        host.life += 1;
        host.wake = None;
        host.sent = 0;
        let incarnation = Incarnation(host.lives << 32 | random);
        let stored = hac_totem::Stored { ring_seq: host.ring_seq, incarnation };
        self.history.begin(id, host.life, incarnation);
        host.engine = Engine::new(config, stored, entropy, now).ok();
        if let Some(engine) = &mut host.engine {
            engine.number_after(numbers_from);
        }
        self.trace.line(now, id, format!("starts, life {}", host.life));
        self.drain(id);
    }

    /// An engine dies.
    pub fn kill(&mut self, id: u32) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(engine) = host.engine.take() else { return };
        host.held.clear();
        host.paused = false;
        let life = host.life;
        if self.checking
            && let Err(violation) = self.watch.look_at_dying(id, life, &engine)
        {
            self.found = Some(violation);
        }
        self.history.record(id, life, Item::Died);
        self.trace.line(self.now, id, "is killed");
    }

    /// An engine leaves in good order.
    pub fn leave(&mut self, id: u32) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.paused {
            return;
        }
        if let Some(engine) = &mut host.engine {
            engine.leave(now, hac_totem::LeaveReason::Shutdown { resources_clean: true });
            self.trace.line(now, id, "leaves");
            self.drain(id);
            self.kill(id);
        }
    }

    /// The active level becomes the highest, as one host has it.
    pub fn raise_level(&mut self, id: u32) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| !host.paused) else { return };
        if let Some(engine) = &mut host.engine {
            self.trace.line(now, id, format!("level {} is active", LEVELS.max));
            // It knows the level.
            let _ = engine.set_level(now, LEVELS.max);
            self.drain(id);
        }
    }

    /// Which of its lives a host is in.
    #[must_use]
    pub fn life_of(&self, id: u32) -> u64 {
        self.hosts.get(&id).map_or(0, Host::life)
    }

    /// Datagrams that were sent to a host so far.
    #[must_use]
    pub fn addressed(&self, id: u32) -> u64 {
        self.hosts.get(&id).map_or(0, |host| host.addressed)
    }

    /// Every host sends something so often, on the mean; less often where there are many hosts.
    pub fn set_pace(&mut self, pace: Duration) {
        let many = self.options.nodes * self.options.nodes / 16;
        self.pace = pace * many.max(1);
    }

    /// Whether every host runs and is in service: one that agrees on a membership still counts the last as its own.
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        let in_service = |engine: &Engine| engine.inspect().stage == Stage::Operational;
        self.hosts.values().all(|host| host.is_up() && host.engine.as_ref().is_some_and(in_service))
    }

    pub(crate) fn pause_host(&mut self, id: u32, time: Duration) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.engine.is_none() || host.paused {
            return;
        }
        host.paused = true;
        self.trace.line(self.now, id, format!("is paused for {} ms", time.as_millis()));
        self.queue.push(self.now + time, Event::Resume { host: id });
    }

    fn resume(&mut self, id: u32) {
        let now = self.now;
        let timers_first = self.timing.chance(500);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !std::mem::take(&mut host.paused) {
            return;
        }
        let held = std::mem::take(&mut host.held);
        let Some(engine) = &mut host.engine else { return };
        self.trace.line(now, id, "goes on");
        if timers_first {
            engine.handle_timeout(now);
        }
        host.wake = None;
        let life = host.life;
        self.drain(id);
        for Datagram { link, from, bytes, .. } in held {
            let Some(host) = self.hosts.get_mut(&id).filter(|host| host.life == life) else { return };
            let Some(engine) = &mut host.engine else { return };
            let _ = engine.handle_datagram(now, link, NodeId(from), &bytes);
            self.drain(id);
        }
        let Some(engine) = self.hosts.get_mut(&id).and_then(|host| host.engine.as_mut()) else { return };
        engine.handle_timeout(now);
        self.drain(id);
    }
}

/// What all hosts know: two levels, whatever this program has.
const LEVELS: hac_types::LevelWindow = hac_types::LevelWindow { min: hac_types::Level(1), max: hac_types::Level(2) };

/// The configuration of a host.
fn config(options: &Options, id: u32) -> hac_totem::Config {
    let links = options.links;
    let node = |id: u32| hac_totem::NodeConfig { node: NodeId(id), links };
    let key = hac_totem::AuthKey::new(vec![0x42; 64]);
    hac_totem::Config {
        cluster_name: "sim".to_owned(),
        node: NodeId(id),
        nodes: (1..=options.nodes).map(node).collect(),
        links,
        authkey: key.expect("64 bytes are a key"),
        cipher: hac_totem::Cipher::None,
        timers: hac_totem::Timers::default(),
        window_size: WINDOW_SIZE,
        max_messages: MAX_MESSAGES,
        netmtu: 1500,
        contract: hac_totem::Contract { levels: LEVELS, level: LEVELS.min, ..Default::default() },
    }
}

#[cfg(test)]
mod tests;
