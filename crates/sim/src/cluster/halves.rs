//! Nodes in two halves that run apart, as the daemon's two threads do: what one half has for the other arrives a little
//! later, and the half above the ring can stand still, be slow, or have its messages lost on the way down, while the ring
//! goes on.

use std::time::Duration;

use hac_node::Now;
use hac_types::Timestamp;

use super::{Event, Host, Item, World};
use crate::check::still;

/// How the half above the ring is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Above {
    /// It runs apart from the ring half.
    pub(super) apart: bool,
    /// Since when it stands still.
    pub(crate) still: Option<Timestamp>,
    /// It takes this long for each thing that the ring has for it.
    pub(super) slow: Option<Duration>,
    /// What it says does not get to the ring; all else does.
    pub(crate) mute: bool,
    /// It stood still for so long that it owes a word about it.
    pub(crate) owes_a_word: bool,
    /// What waits for it while it stands still, beside what the ring has for it.
    held: Vec<Event>,
    /// What is on its way between the halves is arranged to arrive.
    rising: bool,
    sinking: bool,
    /// Counts how often it stood still.
    times: u64,
}

impl Above {
    /// As it begins in a life of the daemon.
    pub(super) fn begin(&mut self, apart: bool) {
        *self = Self { apart, times: self.times, ..Self::default() };
    }

    /// The whole host went on after a pause: the ring half could not look at its clock meanwhile.
    pub(super) fn resume(&mut self, now: Timestamp) {
        self.still = self.still.map(|_| now);
    }

    /// Whether it does all it should, in time.
    pub(crate) fn is_well(&self) -> bool {
        self.still.is_none() && self.slow.is_none() && !self.mute
    }
}

impl Host {
    /// Keeps an event that is for the half above the ring while that stands still; whether it was one.
    pub(super) fn hold_above(&mut self, event: &Event) -> bool {
        let for_the_ring = match event {
            Event::Datagram(_) => true,
            Event::Persisted(id) => self.disk.is_of_the_ring(*id),
            _ => false,
        };
        let held = self.above.still.is_some() && !for_the_ring;
        if held {
            self.above.held.push(event.clone());
        }
        held
    }
}

impl World {
    /// The half above the ring of a host stands still for a while; whether there was one that could.
    pub fn stand_still(&mut self, id: u32, time: Duration) -> bool {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return false };
        if host.node.is_none() || host.paused || !host.above.apart || !host.above.is_well() {
            return false;
        }
        host.above.still = Some(now);
        host.above.times += 1;
        let item = Item::GoesOn(id, host.life, host.above.times);
        self.queue.push(now + time, item);
        self.trace.line(now, id, format!("stands still above the ring for {} ms", time.as_millis()));
        true
    }

    /// For a while the half above the ring of a host takes so long for each thing.
    pub(super) fn slow_down(&mut self, id: u32, step: Duration, time: Duration) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.above.apart && host.above.is_well()) else {
            return;
        };
        host.above.slow = Some(step);
        self.queue.push(self.now + time, Item::Recovers(id, host.life));
        self.checks.happened("a node was slow above the ring");
        self.trace.line(self.now, id, format!("takes {} ms for each step above the ring", step.as_millis()));
    }

    /// For a while nothing that a host says gets out.
    pub(super) fn mute(&mut self, id: u32, time: Duration) {
        let now = self.time_at(id);
        self.run_program_of(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.above.apart && host.above.is_well()) else {
            return;
        };
        let Some(node) = &mut host.node else { return };
        node.mute(now, true);
        host.above.mute = true;
        self.queue.push(self.now + time, Item::Recovers(id, host.life));
        self.checks.happened("a member said nothing more");
        self.trace.line(self.now, id, "says nothing more");
    }

    /// Whether all halves do as they should; a host that is down has none that do not.
    pub(super) fn halves_are_well(&self) -> bool {
        self.hosts.values().all(|host| host.above.is_well())
    }

    /// The half above the ring of a host is quick again, and what it says gets out, unless it has died since.
    pub(super) fn is_well_again(&mut self, id: u32, life: u64) {
        let now = self.time_at(id);
        self.run_program_of(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.life == life) else { return };
        host.above.slow = None;
        if std::mem::take(&mut host.above.mute)
            && let Some(node) = &mut host.node
        {
            node.mute(now, false);
        }
        self.trace.line(self.now, id, "is well again above the ring");
        self.arrange_passes(id);
    }

    /// The half above the ring of a host goes on.
    pub(super) fn goes_on(&mut self, id: u32, life: u64, times: u64) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.life == life && host.above.times == times) else {
            return;
        };
        if host.paused {
            return self.queue.push(now + Duration::from_millis(100), Item::GoesOn(id, life, times));
        }
        let Some(since) = host.above.still.take() else { return };
        host.dog.able_since = now;
        let held = std::mem::take(&mut host.above.held);
        self.trace.line(now, id, "goes on above the ring");
        if now >= since + still::silence(self.options.nodes)
            && let Some(host) = self.hosts.get_mut(&id)
        {
            host.above.owes_a_word = true;
            self.checks.happened("a node fell silent because it stood still above the ring");
            self.queue.push(now + still::WORD, Item::Said(id, life));
        }
        for event in held {
            if self.hosts.get(&id).is_some_and(|host| host.life == life && host.node.is_some()) {
                self.handle(id, event);
            }
        }
        self.look_at_clock(id);
    }

    /// What the halves of a node have for each other arrives a little later.
    pub(super) fn arrange_passes(&mut self, id: u32) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.above.apart && !host.paused) else { return };
        let Some((up, down)) = host.node.as_ref().map(hac_node::Node::between) else { return };
        let life = host.life;
        if up > 0 && !host.above.rising && host.above.still.is_none() {
            host.above.rising = true;
            let quick = Duration::from_micros(self.timing.between(10, 300));
            self.queue.push(now + host.above.slow.unwrap_or(quick), Item::Rises(id, life));
        }
        if down > 0 && !host.above.sinking {
            host.above.sinking = true;
            let quick = Duration::from_micros(self.timing.between(10, 300));
            self.queue.push(now + quick, Item::Sinks(id, life));
        }
    }

    /// What the ring half has arrives above.
    pub(super) fn rises(&mut self, id: u32, life: u64) {
        let now = self.time_at(id);
        self.run_program_of(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.life == life) else { return };
        host.above.rising = false;
        if host.paused || host.above.still.is_some() {
            // It is arranged anew when it goes on.
            return;
        }
        let Some(node) = &mut host.node else { return };
        let waiting = node.between().0 as u64;
        let count = if host.above.slow.is_some() { 1 } else { self.timing.between(1, waiting.max(1)) };
        node.pass_up(now, usize::try_from(count).unwrap_or(1));
        self.drain(id);
    }

    /// What the half above has arrives at the ring.
    pub(super) fn sinks(&mut self, id: u32, life: u64) {
        let now = self.time_at(id);
        self.run_program_of(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.life == life) else { return };
        host.above.sinking = false;
        if host.paused {
            return;
        }
        let Some(node) = &mut host.node else { return };
        let waiting = node.between().1 as u64;
        let count = self.timing.between(1, waiting.max(1));
        node.pass_down(now, usize::try_from(count).unwrap_or(1));
        self.drain(id);
    }

    /// Both halves do what is due, each for itself.
    pub(super) fn look_at_both_clocks(&mut self, id: u32, now: Now) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(node) = &mut host.node else { return };
        if node.poll_ring_timeout().is_some_and(|due| due <= now.mono) {
            node.handle_ring_timeout(now);
        }
        if host.above.still.is_none() && node.poll_cluster_timeout().is_some_and(|due| due <= now.mono) {
            node.handle_cluster_timeout(now);
        }
    }
}
