//! Whole nodes in one world.
//!
//! One thread, one seed. Everything that happens is an event of the queue; what a node wants done is performed in
//! order, and the node may die between any two of its outputs.

mod agents;
mod calm;
mod faults;
mod halves;
mod host;
mod kept;
mod levels;
mod orphans;
mod planner;
mod shots;
pub(crate) mod watchdogs;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use hac_model::{Cib, Version};
use hac_netsim::{Attacker, Datagram, Net, Queue, Rng};
use hac_node::{InvocationId, Output, Persist, PersistId, Reply, Request, RequestId, SyncState, WatchId};
use hac_types::{LinkId, NodeId, RingId, Timestamp, WallTime};

pub use self::faults::Chaos;
pub use self::host::{Host, Power};
pub use self::levels::Program;
pub use self::planner::{Plan, Planners};
pub(crate) use self::shots::PERSON;
use self::shots::{Due, Powers};
use self::words::{log_line, reply_text};
use crate::check::{Checks, Violation, numbers, once, plans, still, waits};
use crate::manners::Manners;
use crate::options::Options;
use crate::reality::Reality;
use crate::service::Service;
use crate::trace::Trace;
use crate::workload;

/// Civil time at the beginning of every run.
const WALL: i64 = 1_700_000_000_000;

/// Events at one instant after which a run counts as going round in circles.
const SPIN: u32 = 200_000;

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// A datagram arrives.
    Datagram(Datagram),
    /// A write ended.
    Persisted(PersistId),
    /// An agent ended.
    AgentEnded(InvocationId),
    /// A watched process ended.
    ProcessExited(WatchId),
    /// A fence device hears what it is to do.
    DeviceTold(InvocationId),
    /// The agent of a fence device ended.
    DeviceAnswers(InvocationId),
    /// What another node asked was looked at, and this is the answer.
    Answered(hac_node::QuestionId, String),
    /// A client asks.
    Ask(Request),
    /// The planner has come to its end with this.
    Decided(Plan),
}

/// An event, and whom it concerns.
#[derive(Clone, Debug)]
enum Item {
    /// The host, in this life (an event for an earlier life is void).
    Host(u32, u64, Event),
    /// The node of a host, in this life, asked to be called.
    Wake(u32, u64),
    /// The daemon of a host starts.
    Start(u32),
    /// A host goes on after a pause.
    Resume(u32),
    /// An agent of an earlier life of a host ends.
    OrphanEnds(u32, u64),
    /// For a while nothing was in progress, since this change.
    AtRest(u64),
    /// What the ring half of a host, in this life, has for the half above arrives there.
    Rises(u32, u64),
    /// What the half above has for the ring half arrives there.
    Sinks(u32, u64),
    /// The half above the ring of a host, in this life, goes on after so many times of standing still.
    GoesOn(u32, u64, u64),
    /// The half above the ring of a host, in this life, is quick again, and what it says gets out.
    Recovers(u32, u64),
    /// A host, in this life, must have said by now that it stood still.
    Said(u32, u64),
    /// A host, in this life, must not vote in this ring any longer on what it began to vote on then.
    Voted(u32, u64, RingId, Timestamp),
    /// A host, in this life, must not compare states in this ring any longer.
    Synced(u32, u64, RingId),
    /// A request of a host, in this life, must have been answered by now.
    Answered(u32, u64, RequestId),
    /// A device takes the power of a host, and gives it back at once or not.
    LosesPower(u32, bool),
    /// A device cuts a host off, or lets it in.
    CutOff(u32, bool),
    /// A host has its power again, and has booted, unless it lost it again since.
    HasPower(u32, u64),
    /// The watchdog of a host takes its power, unless it was petted more often than so since.
    Bites(u32, u64),
    /// Something about fencing must have come true by now on a host, in this life.
    Fencing(u32, u64, Due),
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked.
    pub request: Request,
    /// When.
    pub at: Timestamp,
    /// The answers; more than one is a fault.
    pub replies: Vec<Reply>,
    /// The life that was asked is over.
    pub void: bool,
}

/// See the [module documentation](self).
pub struct World {
    /// What the seed stands for.
    pub options: Options,
    /// The time.
    pub now: Timestamp,
    queue: Queue<Item>,
    /// The network.
    pub net: Net,
    /// The hosts.
    pub hosts: BTreeMap<u32, Host>,
    /// What is really so.
    pub reality: Reality,
    /// What happened.
    pub trace: Trace,
    /// The properties that are checked.
    pub checks: Checks,
    /// All requests, by host, life and number.
    pub asked: BTreeMap<(u32, u64, RequestId), Asked>,
    timing: Rng,
    agents: Rng,
    entropy: Rng,
    disks: Rng,
    attacker: Attacker,
    spin: u32,
    /// The ring and the state, while nothing is in progress; and how often that changed.
    rest: Option<(RingId, Version)>,
    rests: u64,
    /// Agents that have outlived their daemons so far.
    orphans: u64,
    changed: bool,
    /// States about which coordinators decided, and when, where someone wants them.
    decided: Option<Vec<(Cib, WallTime)>>,
    /// Lines for scenarios, by host.
    log: Option<BTreeMap<u32, Vec<String>>>,
    /// The host whose flights are recorded.
    recorded: Option<u32>,
    /// The host whose journal is kept, and what it has so far.
    journal: Option<(u32, Vec<hac_node::Entry>)>,
    /// Its recordings, by life.
    recordings: BTreeMap<u64, Vec<u8>>,
    /// The chances of a daemon to die at an output, in millionths.
    pub deadly: u64,
    /// How long agents take: shortest and longest.
    pub agent_time: (Duration, Duration),
    /// What is wrong with the service behind the address.
    pub service: Service,
    /// The newest program there is.
    pub newest: Program,
    /// How agents behave.
    pub manners: Manners,
    /// All power goes, and the disk of this host, if it acknowledges a change before this.
    pub black_out_after: Option<(u32, Timestamp)>,
    /// How planners are, where plans are made beside everything else.
    pub planners: Planners,
    /// What can take the power of hosts.
    pub(crate) powers: Powers,
}

impl World {
    /// A world in which nothing has been started.
    #[must_use]
    pub fn new(options: Options, recording: bool) -> Self {
        let seed = options.seed;
        let hosts = (1..=options.nodes).map(|id| (id, Host::new(id))).collect();
        Self {
            now: Timestamp::from_millis(1000),
            queue: Queue::default(),
            net: Net::new(seed),
            hosts,
            reality: Reality::default(),
            trace: Trace::new(recording),
            checks: Checks::default(),
            asked: BTreeMap::new(),
            timing: Rng::new(seed, 2),
            agents: Rng::new(seed, 3),
            entropy: Rng::new(seed, 4),
            disks: Rng::new(seed, 12),
            attacker: Attacker::new(seed, Vec::new()),
            spin: 0,
            rest: None,
            rests: 0,
            orphans: 0,
            changed: false,
            log: None,
            decided: None,
            recorded: None,
            journal: None,
            recordings: BTreeMap::new(),
            deadly: 0,
            agent_time: (Duration::from_millis(5), Duration::from_millis(60)),
            service: Service::well(),
            newest: Program::NEW,
            manners: Manners::good(),
            black_out_after: None,
            planners: Planners::default(),
            powers: Powers::new(seed, options.nodes, options.fencing),
            options,
        }
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub fn run(&mut self, time: Duration) -> Result<(), Violation> {
        let until = self.now + time;
        while let Some((at, item)) = self.queue.pop(until) {
            self.spin = if at > self.now { 0 } else { self.spin + 1 };
            if self.spin > SPIN {
                return Err(Violation::new("P-11", "something happens without end at one instant"));
            }
            self.now = self.now.max(at);
            self.happen(item);
            self.check_all()?;
        }
        self.now = until;
        Ok(())
    }

    /// Lets time pass until `so` or `patience` is over. Whether it became so.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub fn run_until(&mut self, patience: Duration, so: impl Fn(&Self) -> bool) -> Result<bool, Violation> {
        let until = self.now + patience;
        while self.now < until {
            if so(self) {
                return Ok(true);
            }
            self.run(Duration::from_millis(10))?;
        }
        Ok(so(self))
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Start(id) => self.start_now(id),
            Item::Resume(id) => self.resume(id),
            Item::OrphanEnds(id, number) => self.orphan_ends(id, number),
            Item::Synced(id, life, ring) if self.runs_again(&item, id, life) => {
                let found = waits::barrier(self, id, ring);
                found.into_iter().for_each(|violation| self.checks.violated(violation));
            }
            Item::Answered(id, life, request) if self.runs_again(&item, id, life) => {
                let found = waits::answer(self, id, life, request);
                found.into_iter().for_each(|violation| self.checks.violated(violation));
            }
            Item::AtRest(change) if change == self.rests => {
                let found = once::check(self);
                found.into_iter().for_each(|violation| self.checks.violated(violation));
            }
            Item::Said(id, life) if self.runs_again(&item, id, life) => {
                let found = still::word(self, id);
                found.into_iter().for_each(|violation| self.checks.violated(violation));
            }
            Item::Voted(id, life, ring, since) if self.runs_again(&item, id, life) => {
                let found = waits::vote(self, id, ring, since);
                found.into_iter().for_each(|violation| self.checks.violated(violation));
            }
            Item::Fencing(id, life, ref due) if self.runs_again(&item, id, life) => self.fencing_due(id, due),
            Item::Fencing(..) => {}
            Item::LosesPower(id, again) => self.loses_power(id, again),
            Item::CutOff(id, is_cut) => self.cut_off(id, is_cut),
            Item::HasPower(id, dark) => self.has_power(id, dark),
            Item::Bites(id, pets) => self.bites(id, pets),
            Item::AtRest(_) | Item::Synced(..) | Item::Answered(..) | Item::Said(..) | Item::Voted(..) => {}
            Item::Rises(id, life) => self.rises(id, life),
            Item::Sinks(id, life) => self.sinks(id, life),
            Item::Recovers(id, life) => self.is_well_again(id, life),
            Item::GoesOn(id, life, times) => self.goes_on(id, life, times),
            Item::Wake(id, life) => self.wake(id, life),
            Item::Host(id, life, event) => {
                let Some(host) = self.hosts.get_mut(&id) else { return };
                if host.life != life {
                    return;
                }
                if host.paused {
                    host.hold(event);
                    return;
                }
                if !host.hold_above(&event) {
                    self.handle(id, event);
                }
            }
        }
    }

    /// Whether what a host in this life must have done by now can be judged. If it does not run at present, or not above
    /// the ring, that is put off; what all do together, as long as nobody is heard who decides.
    fn runs_again(&mut self, item: &Item, id: u32, life: u64) -> bool {
        let Some(host) = self.hosts.get(&id).filter(|host| host.life == life) else { return false };
        let ill = |host: &Host| host.paused || !host.above.is_well();
        let (waits, time) = match item {
            Item::Synced(..) => (ill(host), waits::BARRIER),
            Item::Voted(..) => (self.hosts.values().any(ill), waits::VOTE),
            _ => (host.paused || host.above.still.is_some() || host.above.slow.is_some(), Duration::from_secs(1)),
        };
        if waits {
            self.queue.push(self.now + time, item.clone());
        }
        !waits
    }

    /// The time has come that a node named, unless it has named another one since.
    fn wake(&mut self, id: u32, life: u64) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.life != life || host.wake != Some(now) {
            return;
        }
        host.wake = None;
        // Who is paused finds its timers due when it goes on.
        if !host.paused {
            self.look_at_clock(id);
        }
    }

    /// A node does what is due.
    pub(super) fn look_at_clock(&mut self, id: u32) {
        let now = self.time_at(id);
        self.run_program_of(id);
        if self.hosts.get(&id).is_some_and(|host| host.above.apart) {
            self.look_at_both_clocks(id, now);
            return self.drain(id);
        }
        let Some(node) = self.hosts.get_mut(&id).and_then(|host| host.node.as_mut()) else { return };
        if node.poll_timeout().is_some_and(|due| due <= now.mono) {
            node.handle_timeout(now);
        }
        self.drain(id);
    }

    /// The time as a host sees it.
    pub(crate) fn time_at(&self, id: u32) -> hac_node::Now {
        let step = self.hosts.get(&id).map_or(0, |host| host.clock_step_ms);
        let millis = i64::try_from(self.now.as_nanos() / 1_000_000).unwrap_or(i64::MAX);
        hac_node::Now { mono: self.now, wall: WallTime(WALL + millis + step) }
    }

    fn handle(&mut self, id: u32, event: Event) {
        let now = self.time_at(id);
        self.run_program_of(id);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if let Event::AgentEnded(invocation) = &event {
            // Agents live on when the daemon dies, and do what they were told.
            let invocation = *invocation;
            self.agent_ended(id, invocation);
            return self.drain(id);
        }
        if let Event::Decided(plan) = &event {
            return self.planned(id, plan);
        }
        let Some(node) = &mut host.node else { return };
        match event {
            Event::Datagram(datagram) => {
                if let Some((_, hostile)) = self.attacker.attack(&datagram).filter(|(_, hostile)| hostile.to == id) {
                    self.checks.happened("a datagram was replayed or forged");
                    node.handle_datagram(now, hostile.link, NodeId(hostile.from), &hostile.bytes);
                }
                self.attacker.record(&datagram);
                node.handle_datagram(now, datagram.link, NodeId(datagram.from), &datagram.bytes);
            }
            Event::Persisted(persist) => {
                if let Some(result) = host.disk.end(persist, &mut self.disks) {
                    if result.is_err() {
                        self.checks.happened("a write failed");
                    }
                    host.number_trouble &= host.disk.ring_seq < host.number_asked;
                    node.handle_persisted(now, persist, result);
                }
            }
            Event::Answered(question, text) => node.handle_answered(now, question, text),
            Event::ProcessExited(watch) => {
                host.watches.remove(&watch);
                node.handle_process_exited(now, watch);
            }
            Event::Ask(request) => {
                host.last_request += 1;
                let number = RequestId(host.last_request);
                let key = (id, host.life, number);
                let asked = Asked { request: request.clone(), at: self.now, replies: Vec::new(), void: false };
                self.asked.insert(key, asked);
                self.queue.push(self.now + waits::ANSWER, Item::Answered(id, host.life, number));
                node.handle_request(now, number, request);
            }
            Event::DeviceTold(number) => self.device_told(id, number),
            Event::DeviceAnswers(number) => self.device_answers(id, number),
            Event::AgentEnded(_) | Event::Decided(_) => {}
        }
        self.drain(id);
    }

    /// Performs what a node wants done, in order, unless it dies in between.
    fn drain(&mut self, id: u32) {
        loop {
            self.take_entries(id);
            let Some(host) = self.hosts.get_mut(&id) else { return };
            let Some(node) = &mut host.node else { return };
            let Some(output) = node.poll_output() else { break };
            self.take_records(id);
            self.perform(id, output);
            if self.deadly > 0 && self.timing.below(1_000_000) < self.deadly {
                self.trace.line(self.now, id, "dies between two outputs");
                self.checks.happened("a daemon died between two outputs");
                self.kill(id, Power::Stays);
                self.start_after(id, Duration::from_millis(300));
                return;
            }
        }
        if self.pet(id) {
            return self.drain(id);
        }
        self.take_records(id);
        self.arrange_wake(id);
        self.arrange_passes(id);
        self.look_at(id);
    }

    /// Notes what a node is now; the checkers look when that is something else than before.
    fn look_at(&mut self, id: u32) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let seen = host.node.as_ref().map(|node| (node.standing(), node.cib().version));
        if host.seen == seen {
            return;
        }
        self.changed = true;
        let before = host.seen.map(|(standing, _)| standing.level);
        let voted = host.seen.and_then(|(standing, _)| standing.voting);
        host.seen = seen;
        self.note_level(id, before, seen.map(|(standing, _)| standing.level));
        self.checks.shows(id, &self.hosts);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let acts = seen.filter(|(standing, _)| standing.takes_part() && standing.quorate);
        let ring = acts.and_then(|(standing, _)| standing.ring);
        if host.acts_since.map(|(ring, _)| ring) != ring {
            host.acts_since = ring.map(|ring| (ring, self.now));
        }
        if let Some((standing, _)) = seen
            && let (Some(since), Some(ring)) = (standing.voting, standing.ring)
            && voted != Some(since)
        {
            self.queue.push(self.now + waits::VOTE, Item::Voted(id, host.life, ring, since));
        }
        if self.powers.fencing.is_some() {
            self.note_unclean(id);
        }
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let syncing = seen.filter(|(standing, _)| standing.sync == SyncState::Syncing);
        if let Some(ring) = syncing.and_then(|(standing, _)| standing.ring).filter(|ring| host.syncs != Some(*ring)) {
            host.syncs = Some(ring);
            self.queue.push(self.now + waits::BARRIER, Item::Synced(id, host.life, ring));
        }
    }

    fn arrange_wake(&mut self, id: u32) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(node) = &host.node else { return };
        let due = if host.above.still.is_some() { node.poll_ring_timeout() } else { node.poll_timeout() };
        let petted = host.dog.due().filter(|_| host.above.still.is_none());
        let Some(due) = due.into_iter().chain(petted).min().map(|due| due.max(self.now)) else { return };
        // If it is called too early it names its time anew: cheaper than to arrange every change of its mind.
        if host.wake.is_none_or(|arranged| arranged > due) {
            host.wake = Some(due);
            self.queue.push(due, Item::Wake(id, host.life));
        }
    }

    fn perform(&mut self, id: u32, output: Output) {
        match output {
            Output::Transmit { link, to, datagram } => self.transmit(id, link, to, datagram),
            Output::Persist { id: persist, what } => self.persist(id, persist, what),
            Output::Invoke(invocation) => self.invoke(id, invocation),
            Output::CancelInvocation(invocation) => {
                if let Some(host) = self.hosts.get_mut(&id) {
                    host.invocations.remove(&invocation);
                    host.shots.remove(&invocation);
                }
            }
            Output::Watch(watch, process) => {
                let alive = self.reality.is_alive(process);
                let Some(host) = self.hosts.get_mut(&id) else { return };
                host.watches.insert(watch, process);
                if !alive {
                    let event = Event::ProcessExited(watch);
                    self.queue.push(self.now, Item::Host(id, host.life, event));
                }
            }
            Output::Remember(resource, started) => {
                if let Some(host) = self.hosts.get_mut(&id) {
                    host.disk.remember(resource, started);
                }
            }
            Output::Unwatch(watch) => {
                if let Some(host) = self.hosts.get_mut(&id) {
                    host.watches.remove(&watch);
                }
            }
            // Nodes decide themselves, unless they were told that their owner does.
            Output::Decide { id: decide, cib, wall, budget, .. } => self.plan(id, decide, (cib, wall), budget),
            Output::Reply { id: request, reply } => self.answered(id, request, reply),
            Output::Event(told) => self.told(id, &told),
            Output::Alert(_) => {}
            Output::Ask(question, _) => self.looks_at_nothing(id, question),
            // No simulated cluster has an arbiter; its claims are searched in a world of their own.
            Output::Arbiter { .. } => {}
            Output::Fault(why) => self.cannot_read(id, &why),
            Output::Fenced { panics: true, .. } if self.has_watchdogs() => self.obeys(id),
            Output::Fenced { why, .. } => self.learns(id, &why),
            Output::Stopped => self.has_left(id),
        }
    }

    /// A node tells what happened.
    fn told(&mut self, id: u32, told: &hac_node::Told) {
        let event = &told.event;
        self.checks.saw(self.hosts.get(&id), told);
        if matches!(event, hac_node::Event::Active { .. }) {
            self.meets(id);
        }
        if matches!(event, hac_node::Event::Configuration { .. }) {
            self.checks.counts(id, &self.hosts);
        }
        if matches!(event, hac_node::Event::Transition { .. }) {
            self.decided(id);
        }
        if let Some(host) = self.hosts.get_mut(&id) {
            still::heard(host, event);
            let found = numbers::heard(host, event, &mut self.checks.executed);
            found.into_iter().for_each(|violation| self.checks.violated(violation));
        }
        if let (Some(log), Some(line)) = (&mut self.log, log_line(event)) {
            log.entry(id).or_default().push(line);
        }
        self.trace.line(self.now, id, event.to_string());
    }

    fn answered(&mut self, id: u32, request: RequestId, reply: Reply) {
        self.trace.line(self.now, id, format!("answers: {}", reply_text(&reply)));
        self.checks.answered(&reply);
        let Some(host) = self.hosts.get(&id) else { return };
        let ring = host.node.as_ref().and_then(|node| node.standing().ring);
        let mut black_out = false;
        let Some(asked) = self.asked.get_mut(&(id, host.life, request)) else { return };
        if let (Request::Configure(configure), Reply::Done { warnings, .. }) = (&asked.request, &reply) {
            self.checks.acknowledged(ring, self.hosts.len());
            let armed = self.black_out_after.take_if(|(lost, _)| *lost == id && warnings.is_empty());
            black_out = armed.is_some_and(|(_, until)| self.now <= until);
            let names = configure.changes.iter().filter_map(workload::name);
            names.for_each(|name| self.checks.happened(name));
            // A warning says that it could not be stored.
            if warnings.is_empty() {
                self.checks.said_stored(host, configure);
            }
        }
        asked.replies.push(reply);
        if black_out {
            // What the others are writing is lost.
            self.hosts.values_mut().filter(|host| host.id != id).for_each(|host| host.disk.lose());
            self.black_out(id);
        }
    }

    /// A coordinator decided: the plan for its state is looked at, and the state kept where someone wants it.
    fn decided(&mut self, id: u32) {
        let wall = self.time_at(id).wall;
        let Some(host) = self.hosts.get(&id) else { return };
        let found = plans::asked(host, self.now, &mut self.checks.executed);
        found.into_iter().for_each(|violation| self.checks.violated(violation));
        let Some(node) = &host.node else { return };
        self.checks.decided(id, node.cib(), wall);
        if let Some(states) = &mut self.decided {
            states.push((node.cib().clone(), wall));
        }
    }

    fn transmit(&mut self, from: u32, link: LinkId, to: NodeId, datagram: Vec<u8>) {
        self.trace.mix(self.now, from, &datagram);
        let found = self
            .hosts
            .get(&from)
            .and_then(|host| still::speaks(host, self.now, self.options.nodes, &mut self.checks.executed));
        found.into_iter().for_each(|violation| self.checks.violated(violation));
        let Some(life) = self.hosts.get(&to.0).map(|host| host.life) else { return };
        for (delay, datagram) in self.net.carry(Datagram { from, to: to.0, link, bytes: datagram }) {
            self.queue.push(self.now + delay, Item::Host(to.0, life, Event::Datagram(datagram)));
        }
    }

    fn persist(&mut self, id: u32, persist: PersistId, what: Persist) {
        let (now, at) = (self.now, self.time_at(id));
        self.checks.persists(id, &what, &self.hosts, &self.asked, at);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if let Persist::RingSeq(seq) = what {
            host.number_asked = host.number_asked.max(seq);
        }
        host.disk.begin(persist, what);
        host.disk_busy = host.disk_busy.max(now) + host.disk.latency;
        self.queue.push(host.disk_busy, Item::Host(id, host.life, Event::Persisted(persist)));
    }

    /// A disk is well again, and what waited for it is written as fast as ever.
    pub(super) fn recover_disk(&mut self, id: u32) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.disk.recover();
        host.disk_busy = self.now;
        for write in host.disk.writing() {
            host.disk_busy += host.disk.latency;
            self.queue.push(host.disk_busy, Item::Host(id, host.life, Event::Persisted(write)));
        }
    }

    /// A client asks a host, now.
    pub fn ask(&mut self, id: u32, request: Request) {
        if let Some(host) = self.hosts.get(&id) {
            self.queue.push(self.now, Item::Host(id, host.life, Event::Ask(request)));
        }
    }

    /// Hosts whose node runs and is not paused.
    pub fn up(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values().filter(|host| host.node.is_some() && !host.paused)
    }

    /// Whether all nodes that run are one active cluster in which nothing is in progress.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let mut rings = Vec::new();
        for node in self.hosts.values().filter_map(|host| host.node.as_ref()) {
            let standing = node.standing();
            if standing.sync != SyncState::Active || !standing.settled || !standing.quorate {
                return false;
            }
            rings.push(standing.ring);
        }
        !rings.is_empty() && rings.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Whether nothing is in progress on any node that runs, be they one cluster or several.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut nodes = self.hosts.values().filter(|host| !host.paused).filter_map(|host| host.node.as_ref());
        nodes.all(|node| {
            let standing = node.standing();
            standing.sync == SyncState::Active && standing.settled
        })
    }

    /// What a node tells people.
    #[must_use]
    pub fn report(&self, id: u32) -> Option<hac_node::Report> {
        let node = self.hosts.get(&id)?.node.as_ref()?;
        Some(node.report(self.time_at(id)))
    }

    fn check_all(&mut self) -> Result<(), Violation> {
        if !std::mem::take(&mut self.changed) && !self.checks.found_something() {
            return Ok(());
        }
        let rest = once::rest(&self.hosts);
        if rest != self.rest {
            self.rest = rest;
            self.rests += 1;
            if rest.is_some() {
                self.queue.push(self.now + once::REST, Item::AtRest(self.rests));
            }
        }
        self.checks.after_event(&self.hosts)
    }
}
