//! The flight recorder's file (`--record FILE`): what the node records goes through a bounded queue to a thread that
//! appends it, so that a slow disk never stops the ring. The entries come sealed; nothing readable gets here.
//!
//! A recording must be whole from its beginning to be replayed, so it ends where it cannot go on: when it has reached
//! its limit, the disk refuses it or does not keep up. The log says so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// Largest recording, bytes: a node of a small, quiet cluster fills it in two to three days.
const SIZE_MAX: u64 = 1 << 30;

/// How many entries may wait for the disk.
const QUEUE: usize = 4096;

/// The way to the thread; it ends, all written, when this is dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    chunks: Option<mpsc::SyncSender<Vec<u8>>>,
    thread: Option<thread::JoinHandle<()>>,
    /// The disk refused something.
    failed: Arc<AtomicBool>,
    size: u64,
    limit: u64,
}

impl Recording {
    /// Creates the file, readable for its owner alone. One that is there already is kept as `FILE.1`.
    ///
    /// # Errors
    /// The file cannot be created, or no thread started.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, SIZE_MAX)
    }

    fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok() {
            fs::rename(path, earlier(path))?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let (chunks, inbox) = mpsc::sync_channel(QUEUE);
        let failed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&failed);
        let thread = thread::Builder::new().name("hacd-record".to_owned()).spawn(move || write(file, &inbox, &flag))?;
        Ok(Self { chunks: Some(chunks), thread: Some(thread), failed, size: 0, limit })
    }

    /// Appends. Whether the recording goes on; once it does not, it never will.
    pub(crate) fn append(&mut self, chunk: Vec<u8>) -> bool {
        let Some(chunks) = &self.chunks else { return false };
        self.size = self.size.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        let why = if self.size > self.limit {
            "it has reached its largest size"
        } else if self.failed.load(Ordering::Relaxed) {
            "the disk refuses it"
        } else if chunks.try_send(chunk).is_err() {
            "the disk does not keep up"
        } else {
            return true;
        };
        tracing::warn!(target: "hacd::recording", "the recording ends here: {why}");
        self.chunks = None;
        false
    }
}

impl Drop for Recording {
    /// Waits until all is written.
    fn drop(&mut self) {
        self.chunks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where an earlier recording is kept.
fn earlier(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

fn write(mut file: File, inbox: &mpsc::Receiver<Vec<u8>>, failed: &AtomicBool) {
    for chunk in inbox {
        if let Err(error) = file.write_all(&chunk) {
            tracing::error!(target: "hacd::recording", "the recording cannot be written: {error}");
            failed.store(true, Ordering::Relaxed);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn an_earlier_recording_is_kept_and_the_new_one_ends_at_its_limit() {
        let directory = TempDir::new();
        let path = directory.path().join("flight.rec");
        fs::write(&path, "before").expect("writes");
        let mut recording = Recording::with_limit(&path, 10).expect("creates");
        assert!(recording.append(b"12345".to_vec()));
        assert!(recording.append(b"67890".to_vec()));
        assert!(!recording.append(b"x".to_vec()), "that is over the limit");
        assert!(!recording.append(Vec::new()), "and it has ended");
        drop(recording);
        assert_eq!(fs::read(&path).expect("reads"), b"1234567890");
        assert_eq!(fs::read(earlier(&path)).expect("reads"), b"before");
    }
}
