//! One host: its daemon, its disk, its pauses, and what configuration it has.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_model::{Configuration, Version};
use hac_node::{Config, Invocation, InvocationId, Node, NodeInfo, ProcessRef, Standing, WatchId};
use hac_types::{Incarnation, NodeId, RingId, Timestamp};

use super::halves::Above;
use super::planner::Desk;
use super::shots::Shot;
use super::watchdogs::Dog;
use super::{Event, Item, Program, World};
use crate::check::{self, Checks, acknowledged};
use crate::disk::Disk;
use crate::power::Watchdogs;
use crate::service::Fault;

/// Datagrams that wait in a socket while its owner does not run.
const SOCKET_BUFFER: usize = 200;

/// What happens to a host's resources when its daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// The daemon alone dies.
    Stays,
    /// The whole host does.
    Off,
}

/// One run of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) invocation: Invocation,
    /// What will go wrong with it.
    pub(super) fault: Option<Fault>,
    /// When it ends.
    pub(super) ends: Timestamp,
}

/// One host.
pub struct Host {
    /// Which.
    pub id: u32,
    /// Its daemon, if it runs.
    pub node: Option<Node>,
    /// Counts its daemons.
    pub life: u64,
    /// The numbers of its daemons, by the names that they have in memberships.
    pub(crate) lives: BTreeMap<Incarnation, u64>,
    /// Its disk.
    pub disk: Disk,
    /// What this life of its daemon found prepared: the number, and the marks of the changes in it.
    pub(crate) offered: Option<(u64, Vec<String>)>,
    /// Until when the disk is busy.
    pub(super) disk_busy: Timestamp,
    /// What its node was when it last did something, and the version of its CIB.
    pub seen: Option<(Standing, Version)>,
    /// The ring in which its node acts, and since when.
    pub(crate) acts_since: Option<(RingId, Timestamp)>,
    /// The last ring in which it compared states.
    pub(super) syncs: Option<RingId>,
    /// It does not run.
    pub paused: bool,
    held: Vec<Event>,
    /// The earliest call that is arranged.
    pub(super) wake: Option<Timestamp>,
    /// Agents that run.
    pub(crate) invocations: BTreeMap<InvocationId, Run>,
    /// Uses of fence devices that are under way.
    pub(super) shots: BTreeMap<InvocationId, Shot>,
    /// A device took its power, and it has not booted since.
    pub(super) dark: bool,
    /// How often that happened.
    pub(super) times_dark: u64,
    /// There is a device that lets hosts in, and it has not let this one in since its daemon started. (Who is cut off later does
    /// not know it at once.)
    pub(crate) waits_outside: bool,
    /// Its node knows, in this life, that it was fenced.
    pub(crate) learned: bool,
    /// Agents that outlived the daemon that started them.
    pub(crate) orphans: BTreeMap<u64, Run>,
    pub(super) watches: BTreeMap<WatchId, ProcessRef>,
    pub(super) last_request: u64,
    /// How far its civil clock is off, milliseconds.
    pub clock_step_ms: i64,
    /// The program of its daemon.
    pub program: Program,
    /// That of its next one, if another was installed.
    pub(super) next_program: Option<Program>,
    /// A program with a fault has run here.
    pub(super) was_careless: bool,
    /// Its node was at a level above the first.
    pub(super) was_above: bool,
    /// Its watchdog.
    pub(crate) dog: Dog,
    /// The half of its node above the ring.
    pub(crate) above: Above,
    /// Its planner.
    pub(crate) desk: Desk,
    /// The highest of its ring's numbers that was to be stored in this life.
    pub(crate) number_asked: u64,
    /// It said that this is not on the disk, and it is not since.
    pub(crate) number_trouble: bool,
}

impl Host {
    /// A host that was never started.
    #[must_use]
    pub fn new(id: u32) -> Self {
        Self {
            id,
            node: None,
            life: 0,
            lives: BTreeMap::new(),
            disk: Disk::new(),
            offered: None,
            disk_busy: Timestamp::ZERO,
            seen: None,
            acts_since: None,
            syncs: None,
            paused: false,
            held: Vec::new(),
            wake: None,
            invocations: BTreeMap::new(),
            shots: BTreeMap::new(),
            dark: false,
            times_dark: 0,
            waits_outside: false,
            learned: false,
            orphans: BTreeMap::new(),
            watches: BTreeMap::new(),
            last_request: 0,
            clock_step_ms: 0,
            program: Program::NEW,
            next_program: None,
            was_careless: false,
            was_above: false,
            dog: Dog::default(),
            above: Above::default(),
            desk: Desk::default(),
            number_asked: 0,
            number_trouble: false,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("node{}", self.id)
    }

    /// Counts what is interesting about its death.
    fn count_death(&self, power: Power, checks: &mut Checks) {
        let Some((standing, _)) = self.seen.filter(|_| self.node.is_some()) else { return };
        let coordinates = standing.dc.is_some_and(|dc| dc.node == NodeId(self.id));
        if coordinates && !standing.settled {
            checks.happened("the coordinator died at work");
        }
        if power == Power::Stays && !self.invocations.is_empty() {
            checks.happened("a daemon died amid its agent's run");
        }
    }

    /// Keeps an event until the host runs again; a socket holds so many datagrams and no more.
    pub(super) fn hold(&mut self, event: Event) {
        let datagrams = self.held.iter().filter(|e| matches!(e, Event::Datagram(_))).count();
        if !matches!(event, Event::Datagram(_)) || datagrams < SOCKET_BUFFER {
            self.held.push(event);
        }
    }
}

impl World {
    /// The daemon of a host starts after a while, unless it runs then.
    pub fn start_after(&mut self, id: u32, delay: Duration) {
        self.queue.push(self.now + delay, Item::Start(id));
    }

    pub(super) fn start_now(&mut self, id: u32) {
        if self.hosts.get(&id).is_none_or(|host| host.node.is_some() || host.dark) || self.awaits_orphans(id) {
            return;
        }
        self.reality.power_on(id);
        self.copy_key(id);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.take_program();
        }
        self.run_program_of(id);
        let config = self.config(id);
        let now = self.time_at(id);
        let entropy = self.entropy.entropy();
        let random = self.entropy.bits() & 0xffff_ffff;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.life += 1;
        host.learned = false;
        host.waits_outside = self.powers.fencing.is_some_and(|fencing| fencing.fabric);
        host.disk.lives += 1;
        host.dog.begin(now.mono, self.powers.fencing.is_some_and(|it| it.watchdogs != Watchdogs::None));
        let incarnation = Incarnation(host.disk.lives << 32 | random);
        host.lives.insert(incarnation, host.life);
        let totem = hac_totem::Stored { ring_seq: host.disk.ring_seq, incarnation };
        host.wake = None;
        let stored = host.disk.read(totem);
        let marks = |bytes: &[u8]| check::marks_in(&String::from_utf8_lossy(bytes)).collect();
        host.offered = stored.prepared.as_ref().map(|(generation, bytes)| (*generation, marks(bytes)));
        self.checks.starts_with(id, stored.cib.as_deref().unwrap_or_default());
        let made = if self.recorded == Some(id) {
            let mut salt = [0; 16];
            salt[..8].copy_from_slice(&host.life.to_le_bytes());
            Node::recorded(config, stored, entropy, now, salt)
        } else {
            Node::new(config, stored, entropy, now)
        };
        let node = match made {
            Ok(node) => node,
            Err(why) => {
                self.trace.line(self.now, id, format!("cannot start: {why}"));
                self.cannot_start(id, &why.to_string());
                return;
            }
        };
        host.node = Some(node);
        if let (Some((kept, _)), Some(node)) = (&self.journal, &mut host.node)
            && *kept == id
        {
            node.keep_journal();
        }
        host.above.begin(self.options.apart);
        host.desk = Desk::default();
        (host.number_asked, host.number_trouble) = (0, false);
        if let Some(node) = &mut host.node {
            if self.options.apart {
                node.join_loosely();
            }
            if self.options.planner || self.options.apart {
                node.decide_outside();
            }
        }
        self.trace.line(self.now, id, format!("starts, life {}", host.life));
        self.drain(id);
    }

    /// If the disk of this host was replaced, the key is copied from another one: from a member in service, if there is
    /// any.
    fn copy_key(&mut self, id: u32) {
        if self.hosts.get(&id).is_none_or(|host| !host.disk.lacks_key) {
            return;
        }
        let in_service = |host: &&Host| {
            let takes_part = host.seen.is_some_and(|(standing, _)| standing.takes_part() && standing.quorate);
            (takes_part && !host.paused, host.node.is_some())
        };
        let others = self.hosts.values().filter(|host| host.id != id && !host.disk.lacks_key);
        let source = others.max_by_key(in_service).map(|host| host.disk.clone());
        if let (Some(source), Some(host)) = (source, self.hosts.get_mut(&id)) {
            host.disk.copy_key(&source);
            self.checks.happened("a key was copied");
        }
    }

    /// A daemon dies, with its host or alone.
    pub fn kill(&mut self, id: u32, power: Power) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.count_death(power, &mut self.checks);
        if power == Power::Off {
            // Agents die with the host; with the daemon alone they do not.
            host.invocations.clear();
            host.orphans.clear();
            host.disk.power_off();
            host.dog.power_off();
            self.reality.power_off(id);
            self.powers.lied_about.remove(&id);
        }
        host.shots.clear();
        if host.node.take().is_none() {
            return;
        }
        host.seen = None;
        host.acts_since = None;
        host.above.begin(false);
        host.watches.clear();
        host.held.clear();
        host.paused = false;
        if host.disk.die(&mut self.disks) {
            self.checks.happened("a write was lost");
        }
        let life = host.life;
        host.life += 1;
        self.orphan(id);
        for asked in self.asked.range_mut((id, life, hac_node::RequestId(0))..) {
            if (asked.0.0, asked.0.1) == (id, life) {
                asked.1.void = true;
            }
        }
        let what = if power == Power::Off { "loses its power" } else { "is killed" };
        self.trace.line(self.now, id, what);
    }

    /// All hosts lose their power at once, and this one its disk, if all that was acknowledged or shown is on each of the
    /// others', and the number of each quorate ring: of what all have stored, nothing is lost with one disk. What a quorum has
    /// stored is on too few when one of its disks is gone, and a majority of which one has lost its disk and the other has
    /// forgotten the ring's number (its disk refused it, or it was not in that ring) begins with a lower one: what it agrees on
    /// gives way later to what somebody has prepared in the ring that both do not know. See
    /// `docs/decisions/0066-numbers-and-copies.md`. A cluster whose key is on no disk any more would be another one.
    pub fn black_out(&mut self, lost: u32) {
        let ids: Vec<u32> = self.hosts.keys().copied().collect();
        self.checks.happened("all power was lost");
        for &id in &ids {
            self.kill(id, Power::Off);
        }
        let marks: Vec<String> = acknowledged(&self.asked).into_iter().chain(self.checks.shown()).collect();
        let highest = self.checks.highest_ring;
        let others = || self.hosts.values().filter(|host| host.id != lost);
        let key_is_kept = others().any(|host| !host.disk.lacks_key);
        if key_is_kept && others().all(|host| host.disk.holds(&marks) && host.disk.ring_seq >= highest) {
            if let Some(host) = self.hosts.get_mut(&lost) {
                host.disk.wipe();
            }
            self.trace.line(self.now, lost, "gets an empty disk");
            self.checks.happened("all power was lost, and a disk");
        }
        let within = if self.timing.chance(500) { 100 } else { 4000 };
        for &id in &ids {
            let delay = self.timing.between(1, within);
            self.start_after(id, Duration::from_millis(delay));
        }
    }

    /// A daemon is asked to leave; whether there was one that could be asked.
    pub fn shut_down(&mut self, id: u32) -> bool {
        let now = self.time_at(id);
        let Some(host) = self.hosts.get_mut(&id) else { return false };
        let runs = !host.paused && host.above.still.is_none();
        let Some(node) = host.node.as_mut().filter(|_| runs) else { return false };
        self.trace.line(self.now, id, "is asked to leave");
        host.program.runs();
        node.shutdown(now);
        self.drain(id);
        true
    }

    /// A host does not run for a while; what comes waits.
    pub fn pause_host(&mut self, id: u32, time: Duration) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.node.is_none() || host.paused {
            return;
        }
        host.paused = true;
        self.trace.line(self.now, id, format!("is paused for {} ms", time.as_millis()));
        self.queue.push(self.now + time, Item::Resume(id));
    }

    pub(super) fn resume(&mut self, id: u32) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !std::mem::take(&mut host.paused) {
            return;
        }
        let held = std::mem::take(&mut host.held);
        host.above.resume(self.now);
        host.dog.able_since = self.now;
        self.trace.line(self.now, id, "goes on");
        // A process that was stopped finds its timers due first, as often as it finds its sockets readable first.
        let (sockets, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|e| matches!(e, Event::Datagram(_)));
        let timers_first = self.timing.chance(500);
        if timers_first {
            self.look_at_clock(id);
        }
        let in_order: Vec<Event> = if timers_first {
            rest.into_iter().chain(sockets).collect()
        } else {
            sockets.into_iter().chain(rest).collect()
        };
        for event in in_order {
            let Some(host) = self.hosts.get_mut(&id).filter(|host| host.node.is_some()) else { continue };
            if !host.hold_above(&event) {
                self.handle(id, event);
            }
        }
        self.look_at_clock(id);
    }

    fn config(&self, id: u32) -> Config {
        let ids: Vec<u32> = self.hosts.keys().copied().collect();
        let program = self.hosts.get(&id).map_or(Program::NEW, |host| host.program);
        let name = |id: u32| format!("node{id}");
        let voter = |&id: &u32| hac_quorum::Voter { node: NodeId(id), name: name(id), votes: 1 };
        let mut quorum = hac_quorum::Config::new(NodeId(id), ids.iter().map(voter).collect());
        quorum.two_node = ids.len() == 2;
        let link = |&id: &u32| hac_totem::NodeConfig { node: NodeId(id), links: self.options.links };
        let first = || hac_totem::AuthKey::new(vec![0x42; 64]);
        let key = self.hosts.get(&id).and_then(|host| host.disk.authkey.clone()).map_or_else(first, Ok);
        Config {
            totem: hac_totem::Config {
                cluster_name: "sim".to_owned(),
                node: NodeId(id),
                nodes: ids.iter().map(link).collect(),
                links: self.options.links,
                // 64 bytes are a key.
                authkey: key.expect("64 bytes are a key"),
                cipher: hac_totem::Cipher::None,
                timers: hac_totem::Timers::default(),
                window_size: 50,
                max_messages: 17,
                netmtu: 1500,
                contract: hac_totem::Contract {
                    levels: program.levels,
                    release: program.release().to_owned(),
                    ..hac_totem::Contract::default()
                },
            },
            quorum,
            name: name(id),
            nodes: ids.iter().map(|&id| NodeInfo { id: NodeId(id), name: name(id) }).collect(),
            cluster_name: "sim".to_owned(),
            version: program.release().to_owned(),
            seed: Some(self.seed_configuration()),
            shutdown_escalation: Config::SHUTDOWN_ESCALATION,
            request_timeout: Duration::from_secs(20),
            cores: 2,
        }
    }

    fn seed_configuration(&self) -> Configuration {
        let mut configuration = crate::tutorial::configuration(self.options.nodes, self.options.machine);
        if let Some(fencing) = self.options.fencing {
            fencing.configure(&mut configuration, self.options.nodes);
        }
        configuration
    }
}

#[cfg(test)]
mod tests;
