//! Attributes whose changes are collected before they count (dampening): when the time of each has come, the coordinator says so.
//!
//! All nodes keep the time, so that the next coordinator goes on where the last one ended. A node that was handed the state knows no
//! time: as coordinator it lets count at once what it finds collected.

use std::time::Duration;

use hac_crm::cib::{Applied, Command, StatusChange};
use hac_types::Timestamp;

use super::Participant;
use crate::Now;
use crate::wire::{Body, Dated};

/// How long a word of the coordinator is waited for before it is said again.
const SAID_AGAIN: Duration = Duration::from_secs(30);

impl Participant {
    /// An attribute may have changed: its time begins anew.
    pub(super) fn collect(&mut self, now: Now, command: &Command, applied: &Applied) {
        let Command::Status(StatusChange::SetAttribute { name, .. } | StatusChange::SetDampening { name, .. }) =
            command
        else {
            return;
        };
        if !matches!(applied, Applied::Changed(_)) {
            return;
        }
        match self.replica.cib.status.held(name).filter(|held| held.waits()) {
            Some(held) => {
                let due = now.mono + Duration::from_millis(held.dampening_ms);
                self.collected.insert(name.clone(), due);
            }
            None => drop(self.collected.remove(name)),
        }
    }

    /// When the first of them is to count.
    pub(super) fn collecting_timeout(&self) -> Option<Timestamp> {
        let held = &self.replica.cib.status.held;
        if held.is_empty() || !self.is_dc() || !self.acting() {
            return None;
        }
        let due = |name: &String| self.collected.get(name).copied().unwrap_or(Timestamp::ZERO);
        held.iter().filter(|held| held.waits()).map(|held| due(&held.name)).min()
    }

    /// What was collected long enough counts.
    pub(super) fn write_collected(&mut self, now: Now) {
        if self.collecting_timeout().is_none_or(|due| due > now.mono) {
            return;
        }
        let is_due = |name: &String| self.collected.get(name).is_none_or(|due| *due <= now.mono);
        let waiting = self.replica.cib.status.held.iter().filter(|held| held.waits());
        let due: Vec<String> = waiting.map(|held| held.name.clone()).filter(|name| is_due(name)).collect();
        let kept = &self.replica.cib.status;
        self.collected.retain(|name, _| kept.held(name).is_some());
        for name in due {
            self.collected.insert(name.clone(), now.mono + SAID_AGAIN);
            let change = StatusChange::WriteAttributes { name: Some(name) };
            self.broadcast(Body::Change(Dated { wall: now.wall, change }));
        }
    }
}
