//! What is kept of a run for later: what a node was given (the flight recorder), and what it applied to its state.

use hac_node::Entry;

use super::World;

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
}
