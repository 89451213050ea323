//! A host's disk: what survives a crash, how long writing takes, when it fails.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_node::Persist;
use hac_totem::AuthKey;

/// See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// The highest ring number made durable.
    pub ring_seq: u64,
    /// Lives begun so far.
    pub lives: u64,
    prepared: BTreeMap<u64, Vec<u8>>,
    committed: BTreeMap<u64, Vec<u8>>,
    highest: u64,
    /// The key file, if it was ever replaced.
    pub authkey: Option<AuthKey>,
    /// What is kept beside it.
    pub next_key: Option<Vec<u8>>,
    /// Writing fails.
    pub full: bool,
    /// Time that a write takes.
    pub latency: Duration,
}

impl Disk {
    /// Generations kept.
    const KEPT: usize = 5;

    /// An empty one of usual speed.
    #[must_use]
    pub fn new() -> Self {
        Self { latency: Duration::from_millis(2), ..Self::default() }
    }

    /// Performs a write.
    ///
    /// # Errors
    ///
    /// The disk is full, or a generation is committed that was not prepared.
    pub fn write(&mut self, what: &Persist) -> Result<(), String> {
        match what {
            // Reserved by the file system: hacd overwrites two fixed slots.
            Persist::RingSeq(seq) => self.ring_seq = self.ring_seq.max(*seq),
            Persist::CibPrepare { .. } | Persist::KeyStage { .. } | Persist::KeyCommit { .. } if self.full => {
                return Err("no space left on device".to_owned());
            }
            Persist::CibPrepare { generation, bytes } => {
                self.highest = self.highest.max(*generation);
                self.prepared.insert(*generation, bytes.clone());
            }
            Persist::CibCommit { generation } => {
                let Some(bytes) = self.prepared.remove(generation) else {
                    return Err(format!("generation {generation} was never prepared"));
                };
                self.committed.insert(*generation, bytes);
                while self.committed.len() > Self::KEPT {
                    self.committed.pop_first();
                }
            }
            Persist::CibDiscard { generation } => {
                self.prepared.remove(generation);
            }
            Persist::KeyStage { sealed } => self.next_key = Some(sealed.clone()),
            Persist::KeyCommit { key } => {
                self.authkey = Some(key.clone());
                self.next_key = None;
            }
            Persist::KeyDiscard => self.next_key = None,
        }
        Ok(())
    }

    /// What a daemon finds that starts now; what was prepared only is gone.
    pub fn read(&mut self) -> (Option<Vec<u8>>, u64) {
        self.prepared.clear();
        (self.committed.last_key_value().map(|(_, bytes)| bytes.clone()), self.highest)
    }

    /// The disk is replaced by an empty one. (The boot counter is derived from the clock then.)
    pub fn wipe(&mut self) {
        let lives = self.lives + 1000;
        // Whoever replaces a disk copies the cluster's key from another node.
        let authkey = self.authkey.take();
        *self = Self { lives, latency: self.latency, authkey, ..Self::default() };
    }
}
