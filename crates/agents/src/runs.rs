//! The life of what agents start: each run is recorded before its program begins, and what a run leaves unfinished is ended
//! before anything else is done with its resource, also by a later life of the daemon.
//!
//! * Each run has a mark in its environment ([`MARK`]), by which it is found if the daemon died before it could write down
//!   the first process, and a lock says whether there may be such a one ([`life`]).
//! * A run has a control group of its own where the unit delegates one ([`cgroup`]), else a process group; the mark tells
//!   the processes that left that.
//! * A run that ends by itself leaves its services alone: what is still there belongs to the resource from then on.
//! * A run that is given up (timeout, cancelled, daemon ends) is killed with all that it started.
//! * A daemon that starts ends the runs of an earlier life that are still under way ([`Runs::take_over`]). It
//!   cannot know what they did: the probes tell.
//! * What cannot be killed (a process in an uninterruptible wait) keeps its resource: no action of that resource is run
//!   beside it, so a probe fails and nothing is started elsewhere on the strength of a guess.

mod cgroup;
mod ending;
mod life;
mod members;
mod outcome;
mod process;
mod record;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) use outcome::outcome;
pub(crate) use process::{Ran, Task};

use crate::calls;
use cgroup::Cgroups;
use record::{Record, Slot};

/// The variable that marks the processes of a run.
const MARK: &str = "HACD_RUN";

/// How long a starting daemon waits for the end of earlier runs.
const TAKE_OVER: Duration = Duration::from_secs(10);

/// How often is looked whether an earlier run has ended.
const LOOK: Duration = Duration::from_millis(10);

/// How many files for records are kept while nothing is recorded in them: about as many as runs that are under way at one time on
/// a small host, because to make and remove one costs as much as two records.
const SLOTS_MAX: usize = 16;

/// How long a folder that was there counts as being there.
const FRESH: Duration = Duration::from_secs(1);

/// All runs of this daemon.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Where they are recorded.
    folder: PathBuf,
    /// Tells the runs of this life from those of others.
    life: String,
    /// Open, and locked, from the first run on; nothing if that cannot be.
    lock: OnceLock<Option<std::fs::File>>,
    /// This life of the kernel.
    boot: String,
    /// The daemon itself is protected from the want of memory, and gives that up for what it runs.
    protected: bool,
    count: AtomicU64,
    /// How many are under way.
    live: AtomicUsize,
    cgroups: Result<Cgroups, String>,
    /// Files for records in which there is none at present.
    slots: Mutex<Vec<Slot>>,
    /// The folder that programs expect, and when it was seen.
    seen: Mutex<Option<(&'static str, Instant)>>,
    /// What a program reads that is given nothing to read: to open it anew for each costs more than another hold of it.
    nothing: OnceLock<Option<std::fs::File>>,
    /// Runs that are being ended, by id.
    unfinished: Mutex<BTreeMap<String, Record>>,
    /// Those of them for which there was no thread.
    owed: Mutex<Vec<Ending>>,
}

impl Runs {
    /// Runs are recorded in `folder`, which need not be there yet. It should be on a file system that does not hang and
    /// does not outlive the kernel (`/run`).
    pub(crate) fn new(folder: PathBuf) -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self {
            folder,
            life: format!("{:x}-{:x}", std::process::id(), nanos),
            lock: OnceLock::new(),
            boot: record::boot(),
            protected: process::is_protected(),
            count: AtomicU64::new(0),
            live: AtomicUsize::new(0),
            cgroups: Cgroups::delegated(),
            slots: Mutex::default(),
            seen: Mutex::default(),
            nothing: OnceLock::new(),
            unfinished: Mutex::default(),
            owed: Mutex::default(),
        }
    }

    /// How runs are kept together, for people.
    pub(crate) fn describe(&self) -> String {
        match &self.cgroups {
            Ok(cgroups) => format!("each run of an agent has a control group of its own below {}", cgroups.place()),
            Err(why) => format!("each run of an agent has a process group of its own: {why}"),
        }
    }

    /// Ends what earlier lives of the daemon left under way, and waits for it, [`TAKE_OVER`] at most. Gives a sentence
    /// for each that was found.
    pub(crate) fn take_over(self: &Arc<Self>) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Err(error) = calls::make_folders(&self.folder) {
            remarks.push(format!("runs of agents cannot be recorded in {}: {error}", self.folder.display()));
        }
        for (file, record) in record::all(&self.folder) {
            let kept = Kept::Earlier(file);
            match ending::still_under_way(&self.folder, &record) {
                true => {
                    remarks.push(format!("{record} was under way when an earlier life of hacd ended; ending it"));
                    self.end(record, kept, None);
                }
                false => self.settle(&record, kept),
            }
        }
        record::tidy(&self.folder);
        life::tidy(&self.folder);
        if let Ok(cgroups) = &self.cgroups {
            let unfinished = lock(&self.unfinished);
            cgroups.sweep(|id| unfinished.contains_key(id));
        }
        if !self.wait(TAKE_OVER) {
            let left = lock(&self.unfinished);
            remarks.extend(left.values().map(|record| {
                format!("{record} cannot be ended; nothing is done with {} on this node until it has", record.resource)
            }));
        }
        remarks
    }

    /// Waits until nothing is under way and all that is being ended has ended; whether it has.
    pub(crate) fn wait(self: &Arc<Self>, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        // In this order: what is given up is being ended before it is no longer under way.
        while self.live.load(Ordering::SeqCst) > 0 || !lock(&self.unfinished).is_empty() {
            if Instant::now() >= end {
                return false;
            }
            self.end_owed();
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Waits until nothing of an earlier run of `resource` is left. Has no end of its own.
    pub(crate) async fn alone(self: &Arc<Self>, resource: &str) {
        while self.unfinished(resource).is_some() {
            self.end_owed();
            tokio::time::sleep(LOOK).await;
        }
    }

    /// An earlier run of `resource` that has not come to its end, for people.
    pub(crate) fn unfinished(&self, resource: &str) -> Option<String> {
        let unfinished = lock(&self.unfinished);
        unfinished.values().find(|record| record.resource == resource).map(ToString::to_string)
    }

    /// Locks this life, once.
    fn begin_life(&self) {
        let begin = || life::begin(&self.folder, &self.life);
        let made = |error: io::Error| match error.kind() {
            // It could not be made at first.
            io::ErrorKind::NotFound => calls::make_folders(&self.folder).and_then(|()| begin()),
            _ => Err(error),
        };
        self.lock.get_or_init(|| match begin().or_else(made) {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(target: "hacd::agents", "no life can be begun in {}: {error}", self.folder.display());
                None
            }
        });
    }

    /// Whether a folder is there, or was just before.
    fn has_seen(&self, folder: &'static str) -> bool {
        let now = Instant::now();
        let known = *lock(&self.seen);
        if known.is_some_and(|(of, at)| of == folder && now.saturating_duration_since(at) < FRESH) {
            return true;
        }
        let there = Path::new(folder).is_dir();
        *lock(&self.seen) = there.then_some((folder, now));
        there
    }

    /// Nothing to be read.
    fn nothing(&self) -> Stdio {
        let open = || std::fs::File::open("/dev/null").ok();
        let hold = self.nothing.get_or_init(open).as_ref().and_then(|file| file.try_clone().ok());
        hold.map_or_else(Stdio::null, Stdio::from)
    }

    /// A record for a run to come, and the control group for it.
    fn prepare(&self, task: &Task) -> Record {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{count:x}", self.life);
        let cgroups = self.cgroups.as_ref().ok().filter(|_| task.user.is_none());
        let cgroup = cgroups.and_then(|cgroups| cgroups.make(&id));
        let (resource, action) = (task.resource.clone(), task.action.clone());
        Record { id, resource, action, boot: self.boot.clone(), leader: None, cgroup }
    }

    /// Writes a record down, so that a later life of the daemon finds it.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep(&self, record: &Record) -> io::Result<Slot> {
        let free = std::iter::from_fn(|| lock(&self.slots).pop()).find(Slot::is_there);
        let new = || match Slot::new(&self.folder, &record.id) {
            // It could not be made at first, or was removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                calls::make_folders(&self.folder)?;
                Slot::new(&self.folder, &record.id)
            }
            made => made,
        };
        let mut slot = free.map_or_else(new, Ok)?;
        match slot.write(record) {
            Ok(()) => Ok(slot),
            Err(error) => {
                slot.remove();
                Err(error)
            }
        }
    }

    /// A record is not needed any more.
    fn forget(&self, kept: Kept) {
        match kept {
            Kept::Slot(slot) => {
                let mut slots = lock(&self.slots);
                // What cannot be cleared must not be found by the next life: with it, what the run left would be ended.
                if slots.len() < SLOTS_MAX && slot.clear().is_ok() {
                    slots.push(slot);
                } else {
                    drop(slots);
                    slot.remove();
                }
            }
            // It may be gone already.
            Kept::Earlier(file) => drop(calls::remove(&file)),
            Kept::Nowhere => {}
        }
    }

    /// A run that ended by itself: what it left belongs to its resource.
    fn settle(&self, record: &Record, kept: Kept) {
        self.forget(kept);
        if let Some(cgroup) = &record.cgroup {
            cgroup::hand_over(cgroup, &record.resource);
        }
    }

    /// Ends a run with all that it started, on a thread of its own. One of this life, whose first process is `child`, is
    /// killed; one of an earlier life is asked before.
    fn end(self: &Arc<Self>, record: Record, kept: Kept, child: Option<std::process::Child>) {
        lock(&self.unfinished).insert(record.id.clone(), record.clone());
        if let Some(error) = self.end_on_thread(Ending { record, kept, child }) {
            tracing::error!(target: "hacd::agents", "no thread to end a run, trying again: {error}");
        }
    }

    /// The error if there is no thread: then what is to be ended is killed, and [`Self::end_owed`] does the rest.
    fn end_on_thread(self: &Arc<Self>, ending: Ending) -> Option<io::Error> {
        let record = ending.record.clone();
        let shared = Arc::new(Mutex::new(Some(ending)));
        let (runs, work) = (Arc::clone(self), Arc::clone(&shared));
        let thread = calls::begin_thread(crate::THREADS[1], move || {
            let Some(Ending { record, kept, child }) = lock(&work).take() else { return };
            let earlier = child.is_none().then_some(runs.folder.as_path());
            let end = AssertUnwindSafe(|| ending::end(earlier, &record, child.is_none()));
            if catch_unwind(end).is_err() {
                ending::kill_at_once(&record);
            }
            // Nothing of it is left but what its parent has to take note of.
            let _ = child.map(|mut child| child.wait());
            runs.forget(kept);
            lock(&runs.unfinished).remove(&record.id);
        });
        let error = thread.err()?;
        ending::kill_at_once(&record);
        lock(&self.owed).extend(lock(&shared).take());
        Some(error)
    }

    /// Ends what could not be ended because there was no thread.
    fn end_owed(self: &Arc<Self>) {
        let owed = std::mem::take(&mut *lock(&self.owed));
        for ending in owed {
            // It is owed again if there is still none, and that was told.
            let _ = self.end_on_thread(ending);
        }
    }

    /// Runs a program to its end. If the future is dropped before, it is killed with all that it started.
    ///
    /// # Errors
    /// It cannot be started or waited for.
    pub(crate) async fn run(self: &Arc<Self>, looks: &Arc<crate::look::Looks>, task: Task) -> io::Result<Ran> {
        process::run(self, looks, task).await
    }
}

/// A run that is to be ended.
#[derive(Debug)]
struct Ending {
    record: Record,
    kept: Kept,
    /// Its first process, if this life began it.
    child: Option<std::process::Child>,
}

/// Where a record is.
#[derive(Debug)]
enum Kept {
    /// In a file of this life.
    Slot(Slot),
    /// In a file of an earlier one.
    Earlier(PathBuf),
    /// It could not be written.
    Nowhere,
}

/// Nothing panics while it holds one of these locks, and none is held across an await.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
