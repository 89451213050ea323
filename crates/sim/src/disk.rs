//! A host's disk: what survives a crash, how long writing takes, when it fails.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hac_netsim::Rng;
use hac_node::{Persist, PersistId};
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
    lost: Vec<(String, Vec<u8>)>,
    highest: u64,
    /// Writes under way, in order.
    writing: VecDeque<(PersistId, Persist)>,
    /// The key file, if it was ever replaced.
    pub authkey: Option<AuthKey>,
    /// What is kept beside it.
    pub next_key: Option<Vec<u8>>,
    /// It was replaced by an empty one, and nobody has copied the key to it yet.
    pub lacks_key: bool,
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

    /// A write begins. The ring's number is stored at once: hacd overwrites a reserved place before anything else goes on.
    pub fn begin(&mut self, id: PersistId, what: Persist) {
        if let Persist::RingSeq(seq) = &what {
            self.ring_seq = self.ring_seq.max(*seq);
        }
        self.writing.push_back((id, what));
    }

    /// A write ends, and what came of it; `None` if it was none of this life.
    pub fn end(&mut self, id: PersistId) -> Option<Result<(), String>> {
        let index = self.writing.iter().position(|(writing, _)| *writing == id)?;
        let (_, what) = self.writing.remove(index)?;
        Some(self.write(&what))
    }

    /// Whoever writes dies. Of the writes under way the first ones are done, none of them, or all; whether any was lost.
    pub fn die(&mut self, rng: &mut Rng) -> bool {
        while let Some((_, what)) = self.writing.pop_front() {
            if !matches!(what, Persist::RingSeq(_)) && rng.chance(500) {
                self.writing.clear();
                return true;
            }
            // Nobody is left to be told.
            drop(self.write(&what));
        }
        false
    }

    /// Whether a daemon that votes may rely on it that all of these words are stored: in one state, which counts or is
    /// prepared.
    #[must_use]
    pub fn holds(&self, words: &[String]) -> bool {
        self.committed.values().chain(self.prepared.values()).any(|state| has_all(state, words))
    }

    /// Whether all of these words are in a state that counts.
    #[must_use]
    pub fn has_committed(&self, words: &[String]) -> bool {
        self.committed.values().any(|state| has_all(state, words))
    }

    /// Performs a write.
    ///
    /// # Errors
    ///
    /// The disk is full, or a generation is committed that was not prepared.
    fn write(&mut self, what: &Persist) -> Result<(), String> {
        match what {
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
            Persist::CibLost { file, bytes } => self.lost.push((file.clone(), bytes.clone())),
            Persist::CibLostSeen => self.lost.clear(),
            Persist::KeyStage { sealed } => self.next_key = Some(sealed.clone()),
            Persist::KeyCommit { key } => {
                self.authkey = Some(key.clone());
                self.next_key = None;
            }
            Persist::KeyDiscard => self.next_key = None,
        }
        Ok(())
    }

    /// What a daemon finds that starts now: the newest state that counts, and the newest that is prepared after it.
    pub fn read(&mut self, totem: hac_totem::Stored) -> hac_node::Stored {
        let counts = self.committed.last_key_value();
        let newest = counts.map_or(0, |(number, _)| *number);
        let prepared = self.prepared.last_key_value().filter(|(number, _)| **number > newest);
        let prepared = prepared.map(|(number, bytes)| (*number, bytes.clone()));
        self.prepared.retain(|number, _| prepared.as_ref().is_some_and(|(kept, _)| kept == number));
        hac_node::Stored {
            totem,
            cib: counts.map(|(_, bytes)| bytes.clone()),
            cib_generation: self.highest,
            prepared,
            lost: self.lost.clone(),
            next_key: self.next_key.clone(),
        }
    }

    /// The disk is replaced by an empty one. (The boot counter is derived from the clock then.)
    pub fn wipe(&mut self) {
        let lives = self.lives + 1000;
        *self = Self { lives, latency: self.latency, lacks_key: true, ..Self::default() };
    }

    /// Whoever replaces a disk copies the cluster's key from another node, as it is when the node is to start, and with
    /// it the next one of a rotation that is not finished.
    pub fn copy_key(&mut self, of: &Self) {
        self.authkey.clone_from(&of.authkey);
        self.next_key.clone_from(&of.next_key);
        self.lacks_key = false;
    }
}

/// Whether all of these words are in a stored state: texts are stored as they are, followed by something else than a
/// letter or digit.
fn has_all(state: &[u8], words: &[String]) -> bool {
    words.iter().all(|word| {
        let ends = |at: usize| !state.get(at).is_some_and(u8::is_ascii_alphanumeric);
        let mut places = state.windows(word.len()).enumerate().filter(|(_, window)| *window == word.as_bytes());
        places.any(|(at, _)| ends(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(generation: u64, text: &str) -> Persist {
        Persist::CibPrepare { generation, bytes: text.as_bytes().to_vec() }
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_write_is_there_when_it_has_ended_and_not_before() {
        let mut disk = Disk::new();
        disk.begin(PersistId(1), prepare(1, "change-1 change-12"));
        assert!(!disk.holds(&words("change-1")));
        assert_eq!(disk.end(PersistId(1)), Some(Ok(())));
        assert_eq!(disk.end(PersistId(1)), None);
        assert!(disk.holds(&words("change-1 change-12")) && !disk.holds(&words("change-1 change-2")));
        assert!(!disk.holds(&words("hange-2")), "a word ends where it ends");
        assert!(!disk.has_committed(&words("change-1")));
        disk.begin(PersistId(2), Persist::CibCommit { generation: 1 });
        assert_eq!(disk.end(PersistId(2)), Some(Ok(())));
        assert!(disk.has_committed(&words("change-12")) && !disk.has_committed(&words("change-2")));
    }

    #[test]
    fn of_what_was_being_written_at_a_death_the_first_may_be_there_and_the_last_may_be_lost() {
        let mut rng = Rng::new(1, 1);
        let mut seen = [0; 3];
        for _ in 0..100 {
            let mut disk = Disk::new();
            disk.begin(PersistId(1), Persist::RingSeq(7));
            disk.begin(PersistId(2), prepare(1, "a"));
            disk.begin(PersistId(3), prepare(2, "b"));
            let lost = disk.die(&mut rng);
            let there = disk.prepared.len();
            assert_eq!((disk.ring_seq, lost), (7, there < 2));
            assert!(there == 0 || disk.prepared.contains_key(&1), "in order");
            assert_eq!(disk.end(PersistId(3)), None);
            seen[there] += 1;
        }
        assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
    }
}
