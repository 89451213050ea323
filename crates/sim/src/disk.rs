//! A host's disk: what survives a crash, how long writing takes, when it fails.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hac_crm::executor::Started;
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
    /// There is no space left for anything new.
    pub full: bool,
    /// Chance of a write to fail, whatever is written, thousandths.
    pub sick: u64,
    /// It answers nothing.
    pub hangs: bool,
    /// Time that a write takes.
    pub latency: Duration,
    /// Time that it takes where all is well.
    usual: Duration,
    /// What somebody has copied from it: the ring's number and the generations that counted.
    copy: (u64, BTreeMap<u64, Vec<u8>>),
    /// The ring's number before the last.
    ring_seq_before: u64,
    /// What resources run with. That is not on the disk, and lives as long as the kernel.
    started: BTreeMap<String, Started>,
}

impl Disk {
    /// Generations kept.
    const KEPT: usize = 5;

    /// Time that a write usually takes.
    const LATENCY: Duration = Duration::from_millis(2);

    /// An empty one of usual speed.
    #[must_use]
    pub fn new() -> Self {
        Self { latency: Self::LATENCY, usual: Self::LATENCY, ..Self::default() }
    }

    /// Where all is well a write takes so long.
    pub fn is_usually(&mut self, latency: Duration) {
        (self.latency, self.usual) = (latency, latency);
    }

    /// From now on it is as fast and as well as any.
    pub fn recover(&mut self) {
        (self.full, self.sick, self.hangs, self.latency) = (false, 0, false, self.usual);
    }

    /// The writes under way, in order.
    pub fn writing(&self) -> impl Iterator<Item = PersistId> {
        self.writing.iter().map(|(id, _)| *id)
    }

    /// A write begins.
    pub fn begin(&mut self, id: PersistId, what: Persist) {
        self.writing.push_back((id, what));
    }

    /// Whether this write is one of the ring's number.
    #[must_use]
    pub fn is_of_the_ring(&self, id: PersistId) -> bool {
        self.writing.iter().any(|(writing, what)| *writing == id && matches!(what, Persist::RingSeq(_)))
    }

    /// A write ends, and what came of it; `None` if it was none of this life, or the disk does not answer.
    pub fn end(&mut self, id: PersistId, rng: &mut Rng) -> Option<Result<(), String>> {
        if self.hangs {
            return None;
        }
        let index = self.writing.iter().position(|(writing, _)| *writing == id)?;
        let (_, what) = self.writing.remove(index)?;
        if self.sick > 0 && rng.chance(self.sick) {
            return Some(Err("input/output error".to_owned()));
        }
        Some(self.write(&what))
    }

    /// The newest generation can no longer be read, nor can the place where the ring's number was written last.
    pub fn rot(&mut self, rng: &mut Rng) {
        if self.committed.len() > 1 {
            self.committed.pop_last();
        }
        if rng.chance(500) {
            self.ring_seq = self.ring_seq_before;
        }
    }

    /// All is as it was when it was copied, when its daemon started for the last time; but for the keys, which are
    /// copied from another node.
    pub fn roll_back(&mut self) {
        (self.ring_seq, self.committed) = self.copy.clone();
        self.prepared.clear();
        self.lacks_key = true;
    }

    /// Nothing of what is being written is done.
    pub fn lose(&mut self) {
        self.writing.clear();
    }

    /// Whoever writes dies. Of the writes under way the first ones are done, none of them, or all; whether any was lost.
    pub fn die(&mut self, rng: &mut Rng) -> bool {
        while let Some((_, what)) = self.writing.pop_front() {
            // A number that is torn is none: the one before it, in its other place, counts.
            if rng.chance(500) {
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
            // Its two places take no more room once both have been written.
            Persist::RingSeq(_) if self.full && self.ring_seq_before == 0 => {
                return Err("no space left on device".to_owned());
            }
            Persist::RingSeq(seq) => {
                self.ring_seq_before = self.ring_seq;
                self.ring_seq = self.ring_seq.max(*seq);
            }
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

    /// Under which later number the same is prepared as is under this one, if it is.
    #[must_use]
    pub fn prepared_again(&self, generation: u64) -> Option<u64> {
        let bytes = self.prepared.get(&generation)?;
        let mut later = self.prepared.range(generation + 1..);
        later.find_map(|(number, again)| (again == bytes).then_some(*number))
    }

    /// What a daemon finds that starts now: the newest state that counts, and the newest that is prepared after it.
    pub fn read(&mut self, totem: hac_totem::Stored) -> hac_node::Stored {
        self.copy = (self.ring_seq, self.committed.clone());
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
            started: self.started.clone(),
        }
    }

    /// What a resource runs with is kept, or forgotten: not on the disk, but for as long as the kernel lives.
    pub fn remember(&mut self, resource: String, started: Option<Started>) {
        match started {
            Some(started) => self.started.insert(resource, started),
            None => self.started.remove(&resource),
        };
    }

    /// The host lost its power.
    pub fn power_off(&mut self) {
        self.started.clear();
    }

    /// The disk is replaced by an empty one. (The boot counter is derived from the clock then.)
    pub fn wipe(&mut self) {
        let lives = self.lives + 1000;
        *self = Self { lives, latency: self.latency, usual: self.usual, lacks_key: true, ..Self::default() };
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

    fn read(disk: &mut Disk) -> Option<Vec<u8>> {
        disk.read(hac_totem::Stored { ring_seq: 0, incarnation: hac_types::Incarnation(1) }).cib
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_prepared_again_is_found_under_its_later_number() {
        let (mut disk, mut rng) = (Disk::new(), Rng::new(1, 1));
        for (id, generation, text) in [(1, 1, "a"), (2, 2, "b"), (3, 3, "a")] {
            disk.begin(PersistId(id), prepare(generation, text));
            assert_eq!(disk.end(PersistId(id), &mut rng), Some(Ok(())));
        }
        assert_eq!([1, 2, 3, 4].map(|generation| disk.prepared_again(generation)), [Some(3), None, None, None]);
    }

    #[test]
    fn a_write_is_there_when_it_has_ended_and_not_before() {
        let (mut disk, mut rng) = (Disk::new(), Rng::new(1, 1));
        disk.begin(PersistId(1), prepare(1, "change-1 change-12"));
        assert!(!disk.holds(&words("change-1")));
        assert_eq!(disk.end(PersistId(1), &mut rng), Some(Ok(())));
        assert_eq!(disk.end(PersistId(1), &mut rng), None);
        assert!(disk.holds(&words("change-1 change-12")) && !disk.holds(&words("change-1 change-2")));
        assert!(!disk.holds(&words("hange-2")), "a word ends where it ends");
        assert!(!disk.has_committed(&words("change-1")));
        disk.begin(PersistId(2), Persist::CibCommit { generation: 1 });
        assert_eq!(disk.end(PersistId(2), &mut rng), Some(Ok(())));
        assert!(disk.has_committed(&words("change-12")) && !disk.has_committed(&words("change-2")));
    }

    #[test]
    fn what_has_rotted_or_was_rolled_back_is_what_was_there_before() {
        let (mut disk, mut rng) = (Disk::new(), Rng::new(1, 1));
        let mut write = |disk: &mut Disk, generation| {
            for what in [prepare(generation, &format!("g{generation}")), Persist::CibCommit { generation }] {
                disk.begin(PersistId(generation), what);
                assert_eq!(disk.end(PersistId(generation), &mut rng), Some(Ok(())));
            }
        };
        write(&mut disk, 1);
        assert_eq!(read(&mut disk), Some(b"g1".to_vec()));
        write(&mut disk, 2);
        write(&mut disk, 3);
        disk.rot(&mut Rng::new(1, 1));
        assert!(disk.has_committed(&words("g2")) && !disk.has_committed(&words("g3")));
        disk.roll_back();
        assert_eq!(read(&mut disk), Some(b"g1".to_vec()));
    }

    #[test]
    fn a_sick_disk_fails_whatever_is_written() {
        let (mut disk, mut rng) = (Disk::new(), Rng::new(1, 1));
        disk.sick = 1000;
        for (number, what) in [Persist::RingSeq(7), prepare(1, "a"), Persist::KeyDiscard].into_iter().enumerate() {
            let id = PersistId(number as u64);
            disk.begin(id, what);
            assert!(disk.end(id, &mut rng).unwrap().is_err());
        }
        assert_eq!((disk.ring_seq, disk.prepared.len()), (0, 0));
        disk.recover();
        disk.begin(PersistId(9), Persist::RingSeq(7));
        assert_eq!(disk.end(PersistId(9), &mut rng), Some(Ok(())));
        assert_eq!(disk.ring_seq, 7);
    }

    #[test]
    fn a_disk_that_does_not_answer_has_written_nothing_and_goes_on_where_it_was() {
        let (mut disk, mut rng) = (Disk::new(), Rng::new(1, 1));
        disk.hangs = true;
        disk.begin(PersistId(1), Persist::RingSeq(7));
        assert!(disk.is_of_the_ring(PersistId(1)) && !disk.is_of_the_ring(PersistId(2)));
        assert_eq!((disk.end(PersistId(1), &mut rng), disk.ring_seq), (None, 0));
        disk.recover();
        assert_eq!((disk.end(PersistId(1), &mut rng), disk.ring_seq), (Some(Ok(())), 7));
    }

    #[test]
    fn of_what_was_being_written_at_a_death_the_first_may_be_there_and_the_last_may_be_lost() {
        let mut rng = Rng::new(1, 1);
        let mut seen = [0; 3];
        for _ in 0..100 {
            let mut disk = Disk::new();
            disk.begin(PersistId(2), prepare(1, "a"));
            disk.begin(PersistId(1), Persist::RingSeq(7));
            disk.begin(PersistId(3), prepare(2, "b"));
            let lost = disk.die(&mut rng);
            let there = disk.prepared.len();
            assert_eq!(lost, there < 2);
            assert!(disk.ring_seq == if there == 0 { 0 } else { 7 } || there == 1, "in order");
            assert!(there == 0 || disk.prepared.contains_key(&1), "in order");
            assert_eq!(disk.end(PersistId(3), &mut rng), None);
            seen[there] += 1;
        }
        assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
    }
}
