//! What scripts said of themselves: asked again when their file is another.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Tells a file from what it was: device, inode, size, and when content and inode changed (seconds and nanoseconds).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([i64; 4], [u64; 3]);

impl Stamp {
    /// Of the file as it is now; links are followed. `None` if it cannot be looked at.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let about = std::fs::metadata(file).ok()?;
        let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
        Some(Self(times, [about.dev(), about.ino(), about.size()]))
    }
}

/// The answer of one script. Who holds the lock asks; others wait for the answer and do not ask as well.
type Entry = Arc<tokio::sync::Mutex<Option<(Stamp, String)>>>;

/// The answers, by agent.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<BTreeMap<String, Entry>>);

impl Said {
    pub(super) fn entry(&self, agent: &str) -> Entry {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(agent.to_owned()).or_default())
    }
}
