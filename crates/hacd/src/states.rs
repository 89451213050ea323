//! States of earlier moments, in `/var/lib/hacd/states`: what a decision was made on, and how things stood after each event
//! that changed them, so that somebody can ask later what the cluster looked like and why it did what it did.
//!
//! Files `NNNNNNNN.jsonl`, the newest with the highest number, each of them whole by itself: a line that says what it is, with a
//! state; then a line for each later one with its difference to the one before. A life of the daemon begins a file of its own, so
//! that a line that a crash tore is the last one of its file, and costs nothing but itself. There are at most [`FILES`] files of
//! [`LINES`] states, together about [`BYTES`]. A thread of its own writes them; what comes faster than it writes is left out,
//! but for decisions.
//!
//! There are secrets in a state, as in those by which the daemon starts: only root may read the files, and what is shown of
//! them has none.

mod delta;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hac_api::{Event, Moment, Place};
use hac_model::Cib;
use serde::{Deserialize, Serialize};

use crate::numbered::{list, path};
use crate::{calls, files};
use delta::Delta;

/// Most states in a file.
const LINES: usize = 128;

/// Most files.
const FILES: usize = 16;

/// Bytes of all files together: older ones are removed.
const BYTES: u64 = 16 << 20;

/// Longest line, bytes: a larger state is not kept.
const LINE_MAX: usize = 12 << 20;

/// States that may wait: of more the older ones are left out, but for those that decisions were made on.
const WAITING: usize = 8;

/// The kind of the event that tells a decision: its state is always kept.
const DECISION: &str = "transition";

/// Whether things may stand otherwise after an event of this kind.
pub(crate) fn changes(kind: &str) -> bool {
    !matches!(kind, "ring" | "remark" | "key_changed")
}

/// Whether the state after an event of this kind is kept in any case.
pub(crate) fn decides(kind: &str) -> bool {
    kind == DECISION
}

/// How long what is written may wait to be synced.
const SYNC: Duration = Duration::from_secs(1);

/// How long a reader, or the end of the daemon, waits for what was put to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// A state, and after which event it was so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Line {
    /// Id of the event.
    id: String,
    /// Where it stands among those of all nodes.
    ring: u64,
    representative: u32,
    #[serde(default)]
    life: u64,
    delivery: u64,
    nth: u64,
    /// When, milliseconds since 1970.
    time_ms: i64,
    kind: String,
    text: String,
    /// The state as a whole; in the first line of a file.
    whole: Option<Box<Cib>>,
    /// Or what is otherwise than in the line before.
    delta: Option<Box<Delta>>,
}

impl Line {
    fn of(event: &Event) -> Self {
        let Place { ring, representative, life, delivery, nth } = event.place.unwrap_or_default();
        let text = event.text.chars().take(TEXT_MAX).collect();
        let (id, kind, time_ms) = (event.id.clone(), event.kind.clone(), event.time_ms);
        Self { id, ring, representative, life, delivery, nth, time_ms, kind, text, whole: None, delta: None }
    }

    fn moment(&self) -> Moment {
        let Self { ring, representative, life, delivery, nth, .. } = *self;
        Moment {
            id: self.id.clone(),
            place: Place { ring, representative, life, delivery, nth },
            time_ms: self.time_ms,
            kind: self.kind.clone(),
            text: self.text.clone(),
        }
    }
}

/// Longest sentence that is kept with a state, characters.
const TEXT_MAX: usize = 300;

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct States {
    shared: Arc<Shared>,
    folder: PathBuf,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Line, Arc<Cib>)>,
    writing: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of the thread.
pub(crate) const THREAD: &str = "hacd-states";

impl States {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no thread.
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (own, mut files) = (Arc::clone(&shared), Files::new(folder.to_owned()));
        thread::Builder::new().name(THREAD.to_owned()).stack_size(1 << 20).spawn(move || files.serve(&own))?;
        Ok(Self { shared, folder: folder.to_owned() })
    }

    /// After this event things stood so.
    pub(crate) fn put(&self, event: &Event, cib: &Arc<Cib>) {
        let mut queue = self.shared.lock();
        if queue.ended {
            return;
        }
        if queue.waiting.len() >= WAITING {
            // The disk does not keep up: of what happened meanwhile the last counts.
            match queue.waiting.back() {
                Some((last, _)) if last.kind != DECISION => queue.waiting.pop_back(),
                _ => queue.waiting.pop_front(),
            };
        }
        queue.waiting.push_back((Line::of(event), Arc::clone(cib)));
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Has all written that was put, and takes nothing more. A disk that hangs is not waited for.
    pub(crate) fn finish(&self) {
        self.settle();
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    fn settle(&self) {
        let queue = self.shared.lock();
        let waits = |queue: &mut Queue| !queue.waiting.is_empty() || queue.writing;
        drop(self.shared.changed.wait_timeout_while(queue, PATIENCE, waits));
    }

    /// All moments that are kept, the oldest first. It reads files: not for threads that must not wait.
    ///
    /// # Errors
    /// The files cannot be read.
    pub(crate) fn moments(&self) -> io::Result<Vec<Moment>> {
        self.settle();
        let mut all = Vec::new();
        for (number, _) in list(&self.folder)? {
            read(&path(&self.folder, number), |line, _| all.push(line.moment()));
        }
        Ok(all)
    }

    /// The last state for which `wanted` holds; nothing if there is none. It reads files: not for threads that must not wait.
    ///
    /// # Errors
    /// The files cannot be read.
    pub(crate) fn last(&self, wanted: impl Fn(&Moment) -> bool) -> io::Result<Option<(Moment, Cib)>> {
        self.settle();
        let mut found = None;
        let mut numbers = list(&self.folder)?;
        numbers.reverse();
        for (number, _) in numbers {
            read(&path(&self.folder, number), |line, cib| {
                let moment = line.moment();
                if wanted(&moment) {
                    found = Some((moment, cib.clone()));
                }
            });
            if found.is_some() {
                break;
            }
        }
        Ok(found)
    }
}

/// Reads a file as far as it can be read: what a crash tore, or another release wrote, ends it.
fn read(file: &Path, mut each: impl FnMut(&Line, &Cib)) {
    let Ok(bytes) = files::read(file, BYTES.saturating_add(LINE_MAX as u64)) else { return };
    let mut state: Option<Cib> = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(whole) = line.strip_suffix(b"\n") else { return };
        let Ok(mut line) = hac_wire::from_slice::<Line>(whole) else { return };
        let done = match (line.whole.take(), line.delta.take(), state.as_mut()) {
            (Some(cib), _, _) => {
                state = Some(*cib);
                Ok(())
            }
            (None, Some(delta), Some(cib)) => delta.apply(cib),
            _ => return,
        };
        if done.is_err() {
            return;
        }
        if let Some(cib) = &state {
            each(&line, cib);
        }
    }
}

/// The files, as their writer knows them.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    open: Option<Open>,
    refused: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    lines: usize,
    bytes: u64,
    /// The state of the last line.
    last: Arc<Cib>,
}

impl Files {
    const fn new(folder: PathBuf) -> Self {
        Self { folder, open: None, refused: false }
    }

    fn serve(&mut self, shared: &Shared) {
        let mut unsynced: Option<Instant> = None;
        loop {
            let mut queue = shared.lock();
            queue.writing = false;
            shared.changed.notify_all();
            while queue.waiting.is_empty() && !queue.ended {
                queue = match unsynced.map(|since| SYNC.saturating_sub(since.elapsed())) {
                    Some(rest) if rest.is_zero() => break,
                    Some(rest) => shared.changed.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0,
                    None => shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                };
            }
            let (waiting, ended) = (std::mem::take(&mut queue.waiting), queue.ended);
            queue.writing = !waiting.is_empty();
            drop(queue);
            for (line, cib) in waiting {
                // A fault costs this state.
                let work = catch_unwind(AssertUnwindSafe(|| self.keep(line, &cib)));
                let result = work.unwrap_or_else(|_| Err(io::Error::other("hacd has a fault in what keeps states")));
                self.judge(result);
                unsynced.get_or_insert_with(Instant::now);
            }
            if ended || unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
                unsynced = None;
                let result = self.open.as_ref().map_or(Ok(()), |open| calls::sync_content(&open.file));
                self.judge(result);
            }
            if ended {
                return;
            }
        }
    }

    fn judge(&mut self, result: io::Result<()>) {
        match result {
            Err(error) => {
                if !std::mem::replace(&mut self.refused, true) {
                    let (folder, why) = (self.folder.display(), crate::storage::words(&error));
                    tracing::warn!(target: "hacd::states", "earlier states cannot be kept: {folder}: {why}");
                }
                self.open = None;
            }
            Ok(()) => self.refused = false,
        }
    }

    fn keep(&mut self, mut line: Line, cib: &Arc<Cib>) -> io::Result<()> {
        let usable = self.open.take().filter(|open| open.lines < LINES && open.bytes < BYTES / 4);
        if let Some(mut open) = usable {
            let delta = Delta::between(&open.last, cib);
            line.delta = Some(Box::new(delta));
            let bytes = written(&line)?;
            // Much changed: a file of its own costs no more.
            if bytes.len() <= LINE_MAX {
                calls::write_all(&mut open.file, &bytes)?;
                (open.lines, open.last) = (open.lines + 1, Arc::clone(cib));
                open.bytes = open.bytes.saturating_add(bytes.len() as u64);
                self.open = Some(open);
                return Ok(());
            }
            line.delta = None;
        }
        line.whole = Some(Box::new(Cib::clone(cib)));
        let bytes = written(&line)?;
        if bytes.len() > LINE_MAX {
            return Err(io::Error::other(format!("a state is larger than {} MiB", LINE_MAX >> 20)));
        }
        if !self.folder.is_dir() {
            calls::make_folder(&self.folder)?;
        }
        let all = list(&self.folder)?;
        self.make_room(&all, bytes.len() as u64)?;
        let number = all.last().map_or(1, |(number, _)| number.saturating_add(1));
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        let mut file = calls::open(&path(&self.folder, number), &mut options)?;
        calls::write_all(&mut file, &bytes)?;
        self.open = Some(Open { file, lines: 1, bytes: bytes.len() as u64, last: Arc::clone(cib) });
        Ok(())
    }

    /// Removes the oldest files until so much more has room. What a file may still grow by is reckoned with.
    fn make_room(&self, all: &[(u64, u64)], more: u64) -> io::Result<()> {
        let mut bytes = all.iter().map(|(_, length)| *length).sum::<u64>().saturating_add(more);
        let mut count = all.len() + 1;
        for (number, length) in all {
            if count <= FILES && bytes <= BYTES * 3 / 4 {
                break;
            }
            calls::remove(&path(&self.folder, *number))?;
            (bytes, count) = (bytes.saturating_sub(*length), count - 1);
        }
        Ok(())
    }
}

fn written(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = hac_wire::to_vec(line).map_err(io::Error::other)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
