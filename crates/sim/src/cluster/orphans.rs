//! Agents that outlive the daemon that started them: they go on, and do what they were told when their time comes. The
//! next daemon of their host ends them or waits for them before it says a word to the others.

use hac_types::mutant;

use super::host::Run;
use super::{Item, World};

impl World {
    /// The daemon of a host is dead; its agents are not.
    pub(super) fn orphan(&mut self, id: u32) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        for run in std::mem::take(&mut host.invocations).into_values() {
            self.orphans += 1;
            self.queue.push(run.ends, Item::OrphanEnds(id, self.orphans));
            host.orphans.insert(self.orphans, run);
            self.checks.happened("an agent outlived its daemon");
        }
    }

    /// An agent without a daemon comes to its end, unless it was ended or lost its power.
    pub(super) fn orphan_ends(&mut self, id: u32, number: u64) {
        let Some(run) = self.hosts.get_mut(&id).and_then(|host| host.orphans.remove(&number)) else { return };
        let (resource, action) = (&run.invocation.resource, &run.invocation.action);
        self.trace.line(self.now, id, format!("{resource} {action} of an earlier life ends"));
        Self::outcome(&mut self.reality, &mut self.checks, id, &run.invocation, run.fault);
    }

    /// What a daemon that starts does about the agents of earlier lives; whether it has to wait.
    pub(super) fn awaits_orphans(&mut self, id: u32) -> bool {
        let ends_them = self.timing.chance(500);
        let Some(host) = self.hosts.get_mut(&id) else { return false };
        let Some(last) = host.orphans.values().map(|run| run.ends).max() else { return false };
        if mutant("orphan-not-awaited") {
            return false;
        }
        if !ends_them {
            self.checks.happened("a daemon waited for an agent of its earlier life");
            self.queue.push(last, Item::Start(id));
            return true;
        }
        self.checks.happened("a daemon ended an agent of its earlier life");
        for Run { invocation, .. } in std::mem::take(&mut host.orphans).into_values() {
            // It was amid its work: what it was told may be done or not.
            if self.timing.chance(500) {
                self.reality.act(id, &invocation);
            }
        }
        false
    }
}
