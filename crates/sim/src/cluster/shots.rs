//! Fence devices at work: a node tells one to take the power of a host. What the device was told it does, whatever becomes of
//! who told it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_crm::cib::StatusChange;
use hac_crm::executor::{ExecStatus, Outcome};
use hac_crm::fencer::requests::{Step, Wanted};
use hac_model::fencing::{Attempt, End, Record};
use hac_model::{FenceAction, FenceOrder};
use hac_netsim::Rng;
use hac_node::{Invocation, InvocationId, Request};
use hac_types::{NodeId, RingId, Timestamp};

use super::{Event, Item, Power, World};
use crate::check::{Violation, fencing};
use crate::power::{Device, FABRIC, Fencing, Mood, STREAM, Watchdogs};
use crate::service::Fault;
use crate::tutorial::ADDRESS;

/// As whom people have nodes fenced.
pub(crate) const PERSON: &str = "person";

/// How long a host takes to boot: shortest and longest, milliseconds.
const BOOT: (u64, u64) = (3000, 15_000);

/// What must have come true on a host.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// The attempt with this key is over in this ring.
    Ended(RingId, String),
    /// It knows that it was fenced.
    Told,
    /// It is gone, because it was fenced.
    Gone,
}

/// One run of a device's agent.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) invocation: Invocation,
    pub(crate) target: u32,
    mood: Mood,
    /// Number of the request behind it.
    request: Option<u64>,
}

/// All that has to do with the power of hosts.
#[derive(Debug)]
pub(crate) struct Powers {
    rng: Rng,
    /// How this cluster fences, if it does.
    pub(crate) fencing: Option<Fencing>,
    pub(crate) devices: BTreeMap<String, Device>,
    /// Hosts of which a device said that they are off, and they were not, since they last had no power.
    pub(crate) lied_about: BTreeMap<u32, Timestamp>,
    /// Of whom a device lied last: the life, and the request.
    pub(crate) lies: BTreeMap<u32, (u64, u64)>,
    /// The power of which hosts devices took, and when.
    pub(crate) taken: Vec<(u32, Timestamp)>,
    /// All is calm: who is off is switched on soon.
    is_calm: bool,
    /// Hosts that a person had fenced lately.
    pub(crate) asked_for: BTreeMap<u32, Timestamp>,
    /// By name, when a node was last unclean, as a coordinator had it.
    pub(crate) unclean: BTreeMap<String, Timestamp>,
    /// By coordinator (two sides may have one each), who was when it looked last.
    unclean_now: BTreeMap<u32, BTreeSet<String>>,
    /// By name, since when it is known that a node is down, as the coordinator has it.
    pub(crate) ended: BTreeMap<String, Timestamp>,
}

impl Powers {
    /// Those of a cluster.
    pub(crate) fn new(seed: u64, nodes: u32, fencing: Option<Fencing>) -> Self {
        let devices = fencing.iter().flat_map(|fencing| fencing.devices(nodes));
        Self {
            rng: Rng::new(seed, STREAM + 1),
            fencing,
            devices: devices.map(|device| (device.id.clone(), device)).collect(),
            lied_about: BTreeMap::new(),
            lies: BTreeMap::new(),
            taken: Vec::new(),
            is_calm: false,
            asked_for: BTreeMap::new(),
            unclean: BTreeMap::new(),
            unclean_now: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    /// All devices are well, and who was left off is switched on soon.
    pub(crate) fn recover(&mut self) {
        self.is_calm = true;
        self.devices.values_mut().for_each(Device::recover);
    }

    pub(super) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.rng.between(low, high))
    }
}

impl World {
    /// A node is to use a device.
    pub(super) fn shoot(&mut self, id: u32, invocation: Invocation, order: &FenceOrder) {
        let target = order.target.strip_prefix("node").and_then(|id| id.parse().ok()).unwrap_or_default();
        let text = format!("uses {} ({}) against node{target}", invocation.resource, invocation.action);
        self.trace.line(self.now, id, text);
        // The host that is let in lets itself in.
        let is_elsewhere = lets_in(&invocation) && invocation.resource == FABRIC && target != id;
        let only_waits = Self::is_watchdog(&invocation.resource);
        let mood = match self.powers.devices.get(&invocation.resource) {
            _ if only_waits => Mood::Well,
            _ if is_elsewhere => Mood::Unable,
            Some(device) if device.unreached.contains(&id) => Mood::Refuses,
            Some(device) if device.targets.contains(&target) => device.mood,
            _ => Mood::Refuses,
        };
        if !only_waits {
            self.checks.happened(mood.name());
        }
        let found = fencing::shoots(self, id, &invocation, target);
        found.into_iter().for_each(|violation| self.checks.violated(violation));
        let number = invocation.id;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let (life, deadline) = (host.life, invocation.timeout);
        let ring = host.node.as_ref().and_then(|node| node.standing().ring);
        let running = host.node.iter().flat_map(|node| &node.cib().status.fencing.running);
        let mut mine = running.filter_map(|request| Some((request.id, request.attempt.as_ref()?)));
        let is_this = |attempt: &Attempt| attempt.device == invocation.resource && attempt.by == invocation.node;
        let found = mine.find(|(_, attempt)| is_this(attempt)).map(|(request, attempt)| (request, attempt.key.clone()));
        let request = found.as_ref().map(|(request, _)| *request);
        if let (Some(ring), Some((_, key))) = (ring, found) {
            self.queue.push(self.now + order.delay + fencing::ENDS, Item::Fencing(id, life, Due::Ended(ring, key)));
        }
        host.shots.insert(number, Shot { invocation, target, mood, request });
        let sends = self.now + order.delay + self.powers.millis(20, 400);
        if only_waits {
            // Nobody is told anything: time passes.
            return self.queue.push(sends, Item::Host(id, life, Event::DeviceAnswers(number)));
        }
        let ends = if matches!(mood, Mood::Hangs | Mood::Silent) { self.now + deadline } else { sends };
        self.queue.push(sends, Item::Host(id, life, Event::DeviceTold(number)));
        if ends > sends || mood == Mood::Hangs {
            self.queue.push(ends, Item::Host(id, life, Event::DeviceAnswers(number)));
        }
    }

    /// A node knows something new: if it coordinates, whom it has reason to have shot now.
    pub(super) fn note_unclean(&mut self, id: u32) {
        let Some(node) = self.hosts.get(&id).and_then(|host| host.node.as_ref()) else { return };
        if node.standing().dc.is_none_or(|dc| dc.node != NodeId(id)) {
            return;
        }
        let view = hac_scheduler::view(node.cib(), self.time_at(id).wall);
        let unclean = view.nodes.iter().filter(|node| node.unclean).map(|node| node.name.clone());
        let unclean: BTreeSet<String> = unclean.collect();
        // Who was until now, was so at this moment last.
        let before = self.powers.unclean_now.insert(id, unclean.clone()).unwrap_or_default();
        self.powers.unclean.extend(before.into_iter().chain(unclean).map(|name| (name, self.now)));
        let fencing = &node.cib().status.fencing;
        let ended = fencing.lives.iter().filter(|(name, life)| fencing.has_ended(name, **life)).map(|(name, _)| name);
        let known = std::mem::take(&mut self.powers.ended);
        let since = |name: &String| (name.clone(), known.get(name).copied().unwrap_or(self.now));
        self.powers.ended = ended.map(since).collect();
    }

    pub(crate) fn asked_for(&self, target: u32) -> bool {
        self.powers.asked_for.get(&target).is_some_and(|at| self.now.since(*at) < Duration::from_secs(60))
    }

    /// The device hears what it is to do.
    pub(super) fn device_told(&mut self, id: u32, number: InvocationId) {
        let Some(host) = self.hosts.get(&id) else { return };
        let Some(shot) = host.shots.get(&number) else { return };
        let (mood, target, life) = (shot.mood, shot.target, host.life);
        let invocation = shot.invocation.clone();
        let found = fencing::hits(self, id, &invocation, target);
        found.into_iter().for_each(|violation| self.checks.violated(violation));
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(shot) = host.shots.get(&number) else { return };
        let again = shot.invocation.action == FenceAction::Reboot.name();
        let (is_fabric, lets_in) = (shot.invocation.resource == FABRIC, lets_in(&shot.invocation));
        let takes = match mood {
            Mood::Late => self.powers.millis(4000, 12_000),
            _ => self.powers.millis(100, 2500),
        };
        if is_fabric && (mood.does() || lets_in && mood == Mood::Lies) {
            self.queue.push(self.now + takes, Item::CutOff(target, !lets_in));
        } else if mood.does() && !lets_in {
            self.queue.push(self.now + takes, Item::LosesPower(target, again));
        }
        if !matches!(mood, Mood::Hangs | Mood::Silent) {
            let answers = self.now + takes + self.powers.millis(50, 1500);
            self.queue.push(answers, Item::Host(id, life, Event::DeviceAnswers(number)));
        }
    }

    /// The device's agent has come to its end.
    pub(super) fn device_answers(&mut self, id: u32, number: InvocationId) {
        let now = self.time_at(id);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(shot) = host.shots.remove(&number) else { return };
        let (rc, status) = match shot.mood {
            Mood::Hangs | Mood::Silent => (1, ExecStatus::Timeout),
            Mood::Refuses | Mood::SaysNo => (1, ExecStatus::Done),
            Mood::Unable => (1, ExecStatus::NoFenceDevice),
            Mood::Well | Mood::Late | Mood::Lies => (0, ExecStatus::Done),
        };
        if Self::is_watchdog(&shot.invocation.resource) {
            let found = crate::check::watchdogs::waited(self, id, shot.target);
            found.into_iter().for_each(|violation| self.checks.violated(violation));
        }
        // Who is only cut off lives on, too.
        let lives = shot.mood == Mood::Lies || shot.invocation.resource == FABRIC && rc == 0;
        if lives && !lets_in(&shot.invocation) && !self.reality.is_off(shot.target) {
            self.powers.lied_about.insert(shot.target, self.now);
            let life = self.hosts.get(&shot.target).map_or(0, |host| host.life);
            if let Some(request) = shot.request {
                self.powers.lies.insert(shot.target, (life, request));
                self.queue.push(self.now + fencing::TOLD, Item::Fencing(shot.target, life, Due::Told));
            }
        }
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let exit_reason = (rc == 1).then(|| shot.mood.name().to_owned());
        let outcome = Outcome { rc, status, exit_reason, ..Outcome::default() };
        if let Some(node) = &mut host.node {
            node.handle_outcome(now, number, outcome);
        }
    }

    /// A device takes the power of a host, and gives it back or not; in the end somebody switches it on.
    pub(super) fn loses_power(&mut self, target: u32, again: bool) {
        self.trace.line(self.now, target, "is powered off by a device");
        self.powers.taken.push((target, self.now));
        self.kill(target, Power::Off);
        let Some(host) = self.hosts.get_mut(&target) else { return };
        (host.dark, host.times_dark) = (true, host.times_dark + 1);
        let times = host.times_dark;
        let stays =
            if again || self.powers.is_calm { Duration::from_secs(1) } else { self.powers.millis(5000, 30_000) };
        let boots = self.powers.millis(BOOT.0, BOOT.1);
        self.queue.push(self.now + stays + boots, Item::HasPower(target, times));
    }

    /// A device has cut a host off, or let it in.
    pub(super) fn cut_off(&mut self, target: u32, is_cut: bool) {
        let what = if is_cut { "is cut off by a device" } else { "is let in" };
        self.trace.line(self.now, target, what);
        self.checks.happened(if is_cut { "a host was cut off" } else { "a host was let in" });
        if let Some(host) = self.hosts.get_mut(&target).filter(|_| !is_cut) {
            host.waits_outside = false;
        }
    }

    /// A host has power again, and has booted.
    pub(super) fn has_power(&mut self, id: u32, times: u64) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.times_dark == times) else { return };
        host.dark = false;
        self.start_now(id);
    }

    /// Whether hosts have watchdogs.
    pub(super) fn has_watchdogs(&self) -> bool {
        self.powers.fencing.is_some_and(|fencing| fencing.watchdogs != Watchdogs::None)
    }

    /// Whether no host is without its daemon.
    pub(crate) fn all_run(&self) -> bool {
        self.hosts.values().all(|host| host.node.is_some())
    }

    /// A node learns that it was fenced.
    pub(super) fn learns(&mut self, id: u32, why: &str) {
        self.trace.line(self.now, id, why);
        let found = fencing::survived(self, id);
        found.into_iter().for_each(|violation| self.checks.violated(violation));
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.learned = true;
        self.queue.push(self.now + fencing::GONE, Item::Fencing(id, host.life, Due::Gone));
        // A person looks at it, and starts it.
        let later = self.powers.millis(10_000, 90_000);
        self.start_after(id, later);
    }

    /// What must have come true by now.
    pub(super) fn fencing_due(&mut self, id: u32, due: &Due) {
        let found = match due {
            Due::Ended(ring, key) => fencing::ends(self, id, *ring, key),
            Due::Told => fencing::told(self, id),
            Due::Gone => fencing::gone(self, id),
        };
        found.into_iter().for_each(|violation| self.checks.violated(violation));
    }

    /// A node takes part in a view: if a device lied about it, and the state knows of that success, it is to be told.
    pub(super) fn meets(&mut self, id: u32) {
        let Some((life, _)) = self.powers.lies.get(&id).copied() else { return };
        if self.hosts.get(&id).is_some_and(|host| host.life == life) {
            self.queue.push(self.now + fencing::TOLD, Item::Fencing(id, life, Due::Told));
        }
    }

    /// Whether a node takes part in a membership that knows that it was fenced in its present life. A success that comes when
    /// the node has joined in a life that nobody can compare proves nothing of that one (seed 5000722).
    pub(crate) fn could_know(&self, id: u32) -> bool {
        let Some(host) = self.hosts.get(&id) else { return false };
        let Some(node) = host.node.as_ref().filter(|node| node.standing().takes_part()) else { return false };
        let Some((_, request)) = self.powers.lies.get(&id).filter(|(life, _)| *life == host.life) else { return false };
        let known = |record: &&Record| record.id == *request && record.end == End::Succeeded;
        let mut records = node.cib().status.fencing.history.iter().filter(known);
        let fencing = &node.cib().status.fencing;
        let is_known = fencing.ended.contains_key(&host.name()) || fencing.survivors.contains(&host.name());
        is_known && records.any(|record| record.target == host.name())
    }

    /// A device that a node does not reach cannot be watched by it.
    pub(super) fn cannot_reach(&self, id: u32, invocation: &Invocation) -> Option<Fault> {
        let device = self.powers.devices.get(&invocation.resource)?;
        let asks = matches!(invocation.action.as_str(), "start" | "monitor");
        (asks && device.unreached.contains(&id)).then_some(Fault::Refused)
    }

    /// Some runs of two with fence devices begin with a cut.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub(super) fn race(&mut self) -> Result<(), Violation> {
        // Who is cut off lives, and may do the same to the other.
        let decides = self.powers.fencing.is_some_and(|fencing| !fencing.fabric);
        if decides && self.is_settled() && self.powers.rng.chance(300) {
            return self.lose_each_other();
        }
        Ok(())
    }

    /// Two that see each other lose each other for a while, and shoot; then they meet again.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub(super) fn lose_each_other(&mut self) -> Result<(), Violation> {
        let ids: Vec<u32> = self.hosts.keys().copied().collect();
        let [one, other] = ids[..] else { return Ok(()) };
        self.checks.happened("two nodes lost each other with fence devices");
        let address = self.reality.places(ADDRESS).first().copied();
        let begin = self.powers.taken.len();
        self.net.partition(&[vec![one], vec![other]]);
        self.trace.line(self.now, 0, "the two lose each other");
        self.run(Duration::from_secs(90))?;
        let taken: Vec<u32> = self.powers.taken.iter().skip(begin).map(|(id, _)| *id).collect();
        fencing::raced(self, &taken, address).map_or(Ok(()), Err)?;
        self.net.heal();
        self.run_until(Duration::from_secs(60), Self::is_settled)?;
        Ok(())
    }

    /// Something happens to a device, or a person uses one.
    pub(super) fn trouble_with_power(&mut self, ids: &[u32]) {
        let Some(fencing) = self.powers.fencing else { return };
        if !self.powers.rng.chance(fencing.often) {
            return;
        }
        if self.powers.rng.chance(80) {
            return self.person_shoots(ids);
        }
        let names: Vec<String> = self.powers.devices.keys().cloned().collect();
        let Some(name) = self.powers.rng.pick(&names) else { return };
        let Powers { rng, devices, .. } = &mut self.powers;
        let Some(device) = devices.get_mut(name) else { return };
        device.changes(rng, fencing, ids);
        let text = format!("{name} is {}, and not reached from {:?}", device.mood.name(), device.unreached);
        if !device.unreached.is_empty() {
            self.checks.happened("a device was not reached from everywhere");
        }
        self.trace.line(self.now, 0, text);
    }

    /// A person wants a node fenced, or says of one that is off that it is.
    fn person_shoots(&mut self, ids: &[u32]) {
        let (Some(&at), Some(&target)) = (self.powers.rng.pick(ids), self.powers.rng.pick(ids)) else { return };
        let (client, origin) = (PERSON.to_owned(), format!("node{at}"));
        let name = format!("node{target}");
        let step = if self.reality.is_off(target) {
            self.checks.happened("a person said that a node is down");
            Step::Confirmed { target: name, client, origin, force: false }
        } else {
            self.checks.happened("a person had a node fenced");
            self.powers.asked_for.insert(target, self.now);
            let action = if self.powers.rng.chance(500) { FenceAction::Off } else { FenceAction::Reboot };
            Step::Wanted(Wanted { target: name, action, client, origin, delay_s: Some(0), ..Wanted::default() })
        };
        self.ask(at, Request::Status(StatusChange::Fencing(step)));
    }
}

fn lets_in(invocation: &Invocation) -> bool {
    invocation.action == FenceAction::On.name()
}

#[cfg(test)]
mod tests;
