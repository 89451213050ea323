//! Watchdogs of hosts: hardware that takes a host's power when its daemon has not petted it for a while, whatever the daemon does
//! meanwhile: it may be dead, not run, stand still, or have been told not to.

use std::time::Duration;

use hac_crm::fencer::watchdog::WATCHDOG;
use hac_node::{Armed, Deed, Petting, Times};
use hac_types::Timestamp;

use super::{Item, Power, World};
use crate::check::{Violation, watchdogs};

/// Their times. The ring of five may take 5 s to lose a token.
pub(crate) const TIMES: Times = Times { timeout: Duration::from_secs(6), stop: Duration::from_secs(4) };

/// The watchdog of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dog {
    /// What decides when it is petted, in this life of the daemon.
    petting: Option<Petting>,
    /// It counts.
    counts: bool,
    /// How often it was petted.
    pets: u64,
    /// Since when the daemon has gone round without a break.
    pub(crate) able_since: Timestamp,
    /// It was told to reset the host.
    pub(crate) condemned: bool,
}

impl Dog {
    /// A daemon starts; what counts goes on counting.
    pub(super) fn begin(&mut self, now: Timestamp, there: bool) {
        self.petting = there.then(|| Petting::new(TIMES));
        self.able_since = now;
        self.condemned = false;
    }

    /// The host has no power.
    pub(super) fn power_off(&mut self) {
        *self = Self { pets: self.pets, ..Self::default() };
    }

    /// When it is looked at next.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.petting.as_ref().map(Petting::due)
    }
}

impl World {
    /// The loop of a daemon goes round: its watchdog is petted if that is due and right. Whether the node heard of anything.
    pub(super) fn pet(&mut self, id: u32) -> bool {
        let now = self.time_at(id);
        let Some(host) = self.hosts.get_mut(&id).filter(|host| !host.paused && host.above.still.is_none()) else {
            return false;
        };
        let (Some(node), Some(petting)) = (&mut host.node, &mut host.dog.petting) else { return false };
        if !petting.is_due(now.mono) {
            return false;
        }
        let duty = node.duty(now);
        host.dog.condemned = duty.condemned;
        let Some(deed) = petting.judge(now.mono, duty) else { return false };
        if deed == Deed::Forsake {
            self.checks.happened("a watchdog was not petted any more");
            self.trace.line(self.now, id, "does not pet its watchdog any more");
            return false;
        }
        host.dog.counts = true;
        host.dog.pets += 1;
        self.queue.push(self.now + TIMES.timeout, Item::Bites(id, host.dog.pets));
        let arms = deed == Deed::Arm;
        if arms {
            petting.armed(now.mono, Some(TIMES.timeout));
            let armed = Armed { device: "a simulated watchdog".to_owned(), times: TIMES };
            node.handle_watchdog(now, Ok(armed));
            self.trace.line(self.now, id, "arms its watchdog");
        }
        arms
    }

    /// So long ago a watchdog was petted for the so-manieth time: unless it was again, it takes the power of its host.
    pub(super) fn bites(&mut self, id: u32, pets: u64) {
        let Some(host) = self.hosts.get(&id).filter(|host| host.dog.counts && host.dog.pets == pets) else { return };
        if host.dark {
            return;
        }
        let found = watchdogs::bites(self, id);
        found.into_iter().for_each(|violation: Violation| self.checks.violated(violation));
        self.checks.happened("a watchdog took the power of its host");
        self.trace.line(self.now, id, "is reset by its watchdog");
        // Some hosts take so long to boot that others have waited by then.
        let again = self.powers.millis(0, 1) == Duration::ZERO;
        self.loses_power(id, again);
    }

    /// A daemon ends in order: its watchdog is stopped if nothing is left that others may start.
    pub(super) fn has_left(&mut self, id: u32) {
        self.stop_watchdog(id);
        self.trace.line(self.now, id, "has left");
        self.kill(id, Power::Stays);
    }

    fn stop_watchdog(&mut self, id: u32) {
        let now = self.time_at(id);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.node.as_ref().is_some_and(|node| node.leaves_nothing(now)) {
            host.dog.counts = false;
        } else if host.dog.counts {
            self.checks.happened("a daemon ended and left its watchdog counting");
        }
    }

    /// A node hears that its own watchdog is to take its power: often the kernel does it at once, and if not, the watchdog does it.
    pub(super) fn obeys(&mut self, id: u32) {
        self.checks.happened("a node heard that its watchdog is waited for");
        // It stops whatever it can stop, whatever was ordered.
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.learned = true;
        if self.timing.chance(700) {
            return self.loses_power(id, true);
        }
        // If it is not reset because it has stopped everything before, a person starts it.
        let later = self.powers.millis(10_000, 90_000);
        self.start_after(id, later);
    }

    /// Whether what a node uses is the watchdog of another one.
    pub(super) fn is_watchdog(device: &str) -> bool {
        device == WATCHDOG
    }
}

#[cfg(test)]
mod tests;
