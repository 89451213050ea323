//! The journal: what this node told, in `/var/lib/hacd/events`, for those who ask later why something happened.
//!
//! Files `NNNNNNNN.jsonl`, a line an event, the newest with the highest number: at most [`FILES`] of about [`FILE_MAX`]
//! bytes. A thread of its own writes them, so that neither half of the node waits for that disk, and syncs them each second. What
//! a crash tore is one line, which is skipped and told of; events count, so that what is missing shows.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hac_api::{Event, JournalPage, JournalQuery};
use serde_json::Value;

use crate::numbered::{LAST, list, path};
use crate::{calls, files};

/// Largest file, bytes, but for its last line.
const FILE_MAX: u64 = 4 << 20;

/// How many files are kept.
const FILES: usize = 8;

/// Longest line, bytes: of a longer event the fields are left out, and its sentence is cut.
const LINE_MAX: usize = 32 << 10;

/// Bytes of events that may wait for the disk, about.
const WAITING_MAX: usize = 4 << 20;

/// How long events are gathered before they are written together: to wake the thread costs more than to write a line.
const GATHER: Duration = Duration::from_millis(20);

/// How long what is written may wait to be synced.
const SYNC: Duration = Duration::from_secs(1);

/// How long a reader, or the end of the daemon, waits for what was told to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of events in a page.
const PAGE: usize = 64 << 10;

/// How far the clocks of two events next to each other may differ, milliseconds: what is that much older than what is asked
/// for ends the search.
const BACK: i64 = 3_600_000;

/// Named in what is told of gaps, at most.
const GAPS: usize = 8;

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    folder: PathBuf,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something was put, or all was written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The thread waits for the first one.
    idle: bool,
    /// Somebody waits until all is written.
    hurry: bool,
    /// The thread has some in hand.
    writing: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no thread.
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (own, mut files) = (Arc::clone(&shared), Files::new(folder.to_owned()));
        thread::Builder::new()
            .name("hacd-journal".to_owned())
            .stack_size(256 << 10)
            .spawn(move || files.serve(&own))?;
        Ok(Self { shared, folder: folder.to_owned() })
    }

    /// Has an event written. If the disk does not keep up it is left out, and the count of events shows it.
    pub(crate) fn put(&self, event: &Arc<Event>) {
        let mut queue = self.shared.lock();
        let size = size_of::<Event>() + event.text.len();
        if queue.ended || queue.bytes.saturating_add(size) > WAITING_MAX {
            return;
        }
        queue.bytes += size;
        queue.events.push_back(Arc::clone(event));
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.shared.changed.notify_all();
        }
    }

    /// Has all written that was put, and takes nothing more. A disk that hangs is not waited for.
    pub(crate) fn finish(&self) {
        self.settle();
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    fn settle(&self) {
        let mut queue = self.shared.lock();
        queue.hurry = true;
        self.shared.changed.notify_all();
        let waits = |queue: &mut Queue| !queue.events.is_empty() || queue.writing;
        drop(self.shared.changed.wait_timeout_while(queue, PATIENCE, waits));
    }

    /// The newest events that are asked for. It reads files: not for threads that must not wait.
    ///
    /// # Errors
    /// The files cannot be read.
    pub(crate) fn page(&self, query: &JournalQuery) -> io::Result<JournalPage> {
        self.settle();
        page(&self.folder, query)
    }
}

/// The files, as their writer knows them.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    open: Option<(u64, File, u64)>,
    /// The disk refuses them, and the log knows.
    refused: bool,
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
            while queue.events.is_empty() && !queue.ended {
                (queue.idle, queue.hurry) = (true, false);
                queue = match unsynced.map(|since| SYNC.saturating_sub(since.elapsed())) {
                    Some(rest) if rest.is_zero() => break,
                    Some(rest) => shared.changed.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0,
                    None => shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                };
            }
            queue.idle = false;
            if !queue.events.is_empty() {
                let more = |queue: &mut Queue| !queue.hurry && !queue.ended;
                let gathered = shared.changed.wait_timeout_while(queue, GATHER, more);
                queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
            }
            let (events, ended) = (std::mem::take(&mut queue.events), queue.ended);
            queue.bytes = 0;
            queue.writing = !events.is_empty();
            drop(queue);
            if !events.is_empty() {
                // A fault costs these events, and their numbers show that they are missing.
                let work = catch_unwind(AssertUnwindSafe(|| self.append(&events)));
                let result = work.unwrap_or_else(|_| Err(io::Error::other("hacd has a fault in what writes it")));
                self.judge(result);
                unsynced.get_or_insert_with(Instant::now);
            }
            if ended || unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
                unsynced = None;
                let result = self.open.as_ref().map_or(Ok(()), |(_, file, _)| calls::sync_content(file));
                self.judge(result);
            }
            if ended {
                return;
            }
        }
    }

    fn judge(&mut self, result: io::Result<()>) {
        match result {
            Err(error) if !std::mem::replace(&mut self.refused, true) => {
                let (folder, why) = (self.folder.display(), crate::storage::words(&error));
                tracing::warn!(target: "hacd::journal", "the journal cannot be written: {folder}: {why}");
                self.open = None;
            }
            Err(_) => self.open = None,
            Ok(()) => self.refused = false,
        }
    }

    fn append(&mut self, events: &VecDeque<Arc<Event>>) -> io::Result<()> {
        let mut text = Vec::new();
        for event in events {
            text.extend_from_slice(&line(event));
            if text.len() >= 1 << 20 {
                self.write(&std::mem::take(&mut text))?;
            }
        }
        self.write(&text)
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let (mut number, mut file, mut length) = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        if length >= FILE_MAX {
            calls::sync_content(&file)?;
            (number, file, length) = self.next((number + 1).min(LAST))?;
        }
        calls::write_all(&mut file, text)?;
        self.open = Some((number, file, length.saturating_add(text.len() as u64)));
        Ok(())
    }

    /// Goes on with the newest file. A line that a crash tore is ended there.
    fn begin(&self) -> io::Result<(u64, File, u64)> {
        if !self.folder.is_dir() {
            calls::make_folder(&self.folder)?;
        }
        let Some(&(number, _)) = list(&self.folder)?.last() else { return self.next(1) };
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600);
        let mut file = calls::open_regular(&path(&self.folder, number), &mut options)?;
        let length = file.seek(SeekFrom::End(0))?;
        if length == 0 {
            return Ok((number, file, 0));
        }
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            calls::write_all(&mut file, b"\n")?;
        }
        Ok((number, file, length + 1))
    }

    /// Begins a file and removes the oldest.
    fn next(&self, number: u64) -> io::Result<(u64, File, u64)> {
        let all = list(&self.folder)?;
        let surplus = (all.len() + 1).saturating_sub(FILES);
        for (old, _) in all.iter().take(surplus) {
            calls::remove(&path(&self.folder, *old))?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        let file = calls::open(&path(&self.folder, number), &mut options)?;
        Ok((number, file, 0))
    }
}

/// An event as a line, of a bounded length.
fn line(event: &Event) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(event).unwrap_or_default();
    if bytes.len() >= LINE_MAX {
        let mut end = event.text.len().min(LINE_MAX / 8);
        while !event.text.is_char_boundary(end) {
            end -= 1;
        }
        let text = format!("{} … (cut)", event.text.get(..end).unwrap_or_default());
        bytes = serde_json::to_vec(&Event { text, details: Value::Null, ..event.clone() }).unwrap_or_default();
    }
    bytes.push(b'\n');
    bytes
}

/// A place in the files: the number of a file, and bytes of it.
fn cursor(number: u64, offset: usize) -> u64 {
    number << 32 | u64::try_from(offset).unwrap_or(u64::MAX) & 0xffff_ffff
}

fn page(folder: &Path, query: &JournalQuery) -> io::Result<JournalPage> {
    let mut found = Found::default();
    let mut files = list(folder)?;
    files.reverse();
    let (before, offset) = match query.before {
        Some(before) => (before >> 32, usize::try_from(before & 0xffff_ffff).unwrap_or(usize::MAX)),
        None => (u64::MAX, usize::MAX),
    };
    for (number, _) in files.into_iter().filter(|(number, _)| *number <= before) {
        let text = files::read(&path(folder, number), FILE_MAX + (4 << 20))?;
        let end = if number == before { offset.min(text.len()) } else { text.len() };
        // What has no end is being written.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = end.min(whole);
        let mut rest = text.get(..end).unwrap_or_default();
        while let Some(line) = last_line(rest) {
            let begin = rest.len() - line.len();
            if !found.take(line, query) {
                found.page.before = Some(cursor(number, rest.len()));
                return Ok(found.end());
            }
            if found.over {
                return Ok(found.end());
            }
            rest = rest.get(..begin).unwrap_or_default();
        }
    }
    Ok(found.end())
}

/// The last line, with its end.
fn last_line(text: &[u8]) -> Option<&[u8]> {
    let before = text.get(..text.len().checked_sub(1)?)?;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    text.get(begin..)
}

/// What is found, from the newest back.
#[derive(Default)]
struct Found {
    page: JournalPage,
    bytes: usize,
    /// Life and number of the event after the next one.
    later: Option<(String, u64)>,
    /// Nothing before it is asked for.
    over: bool,
}

impl Found {
    /// Whether there was room for this line.
    fn take(&mut self, line: &[u8], query: &JournalQuery) -> bool {
        let Ok(event) = serde_json::from_slice::<Event>(line) else {
            if !line.trim_ascii().is_empty() {
                self.gap("a line that cannot be read was skipped, as a crash leaves it".to_owned());
            }
            return true;
        };
        if query.filter.takes(&event) {
            if self.bytes.saturating_add(line.len()) > PAGE {
                return false;
            }
            self.bytes += line.len();
            self.page.events.push(event.clone());
        }
        let life = event.id.rsplit_once('.').map_or_else(String::new, |(life, _)| life.to_owned());
        if let Some((later, number)) = &self.later
            && *later == life
            && *number > event.seq + 1
        {
            let missing = number - event.seq - 1;
            self.gap(format!("{missing} events after {} were not written", event.id));
        }
        self.later = Some((life, event.seq));
        self.over = query.filter.since_ms.is_some_and(|since| event.time_ms < since.saturating_sub(BACK));
        true
    }

    fn gap(&mut self, what: String) {
        if self.page.gaps.len() < GAPS {
            self.page.gaps.push(what);
        }
    }

    fn end(mut self) -> JournalPage {
        self.page.events.reverse();
        self.page
    }
}

#[cfg(test)]
mod tests;
