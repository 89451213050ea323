//! What is kept of a run for later: what a node was given (the flight recorder), and what it applied to its state.

use std::collections::BTreeMap;

use hac_model::Cib;
use hac_node::Entry;
use hac_types::WallTime;

use super::{Host, World};

impl World {
    /// From its next start on, all that the node of this host is given is recorded.
    pub fn record(&mut self, id: u32) {
        self.recorded = Some(id);
    }

    /// What was recorded, life by life.
    #[must_use]
    pub fn recordings(self) -> Vec<Vec<u8>> {
        self.recordings.into_values().collect()
    }

    /// From now on what is applied to the state of this host's node is kept.
    pub fn keep_journal(&mut self, id: u32) {
        self.journal = Some((id, Vec::new()));
    }

    /// What was applied.
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.journal.take().map(|(_, entries)| entries).unwrap_or_default()
    }

    pub(super) fn take_entries(&mut self, id: u32) {
        if let Some((kept, entries)) = &mut self.journal
            && *kept == id
            && let Some(node) = self.hosts.get_mut(&id).and_then(|host| host.node.as_mut())
        {
            entries.extend(node.take_journal());
        }
    }

    pub(super) fn take_records(&mut self, id: u32) {
        if self.recorded != Some(id) {
            return;
        }
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(node) = &mut host.node else { return };
        while let Some(chunk) = node.poll_record() {
            self.recordings.entry(host.life).or_default().extend_from_slice(&chunk);
        }
    }

    /// From now on, the states are kept about which a coordinator decides, for [`World::take_decided`].
    pub fn keep_decided(&mut self) {
        self.decided = Some(Vec::new());
    }

    /// The states about which coordinators decided since the last call, and when.
    pub fn take_decided(&mut self) -> Vec<(Cib, WallTime)> {
        self.decided.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// From now on, what happens is kept for [`World::take_log`].
    pub fn keep_log(&mut self) {
        self.log = Some(BTreeMap::new());
    }

    /// What happened since the last call, node by node, without times and ring numbers.
    pub fn take_log(&mut self) -> String {
        let mut text = String::new();
        for (id, lines) in self.log.replace(BTreeMap::new()).unwrap_or_default() {
            for line in lines {
                text.push_str(&format!("node{id} {line}\n"));
            }
        }
        text
    }

    /// How all nodes stand, in words.
    #[must_use]
    pub fn standings(&self) -> String {
        let words = |host: &Host| {
            let Some(node) = &host.node else { return format!("{} is down", host.name()) };
            let report = node.report(self.time_at(host.id));
            let ring = report.ring.map_or_else(|| "-".to_owned(), |ring| ring.to_string());
            format!(
                "{} is {:?} in {ring}, coordinator {}, {}",
                host.name(),
                report.sync,
                report.dc.as_deref().unwrap_or("NONE"),
                report.waiting_for.join("; ")
            )
        };
        self.hosts.values().map(words).collect::<Vec<_>>().join(" | ")
    }
}
