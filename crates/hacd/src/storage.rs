//! What survives a restart, in `/var/lib/hacd`:
//!
//! * `lock`: held (flock) by the one daemon that may use the directory.
//! * `ring`: the ring's number and the counter of this node's lives, in two slots that are written in turn, each with a
//!   checksum ([`slots`]).
//! * `events/`: the journal ([`crate::journal`]).
//! * `cib.N`: generations of the configuration, each with a checksum ([`generations`]).
//!
//! A file whose checksum proves that it is torn or corrupt is set aside as `NAME.corrupt-TIME`, with a message, and the newest
//! intact one is used. A file that cannot be read is not damaged for that: it stays, and the daemon does not start.

pub(crate) mod generations;
mod keyfile;
pub(crate) mod slots;
mod worker;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hac_node::Stored;
use hac_types::Incarnation;
use thiserror::Error;

use crate::{calls, files};
pub(crate) use generations::Generations;
pub(crate) use keyfile::KeyFile;
pub(crate) use slots::{RingState, Slots};
pub(crate) use worker::{Files, Times, Worker, WorkerReply};

/// Where the state is unless the command line says otherwise.
pub(crate) const DIRECTORY: &str = "/var/lib/hacd";

/// Why the state cannot be used. Nothing was changed but what the variants say.
#[derive(Debug, Error)]
pub(crate) enum StorageError {
    /// A file or the directory cannot be used.
    #[error("{}: {}", path.display(), words(source))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon holds the lock.
    #[error("{}: another hacd uses this directory; stop it first", .0.display())]
    Locked(PathBuf),
    /// A file that this release cannot judge. Nothing was changed.
    #[error("{} {why}; nothing was changed: install that release here, or move the file away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        why: String,
    },
}

/// Adds the path to an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> StorageError + use<'_> {
    move |source| StorageError::Io { path: path.to_owned(), source }
}

/// An error of the operating system in words, without its number: `no space left on device`.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The state directory, locked.
#[derive(Debug)]
pub(crate) struct Storage {
    /// The ring's number and the counter of lives.
    pub(crate) slots: Slots,
    /// The configuration.
    pub(crate) generations: Generations,
    /// Keeps the directory ours.
    pub(crate) lock: File,
}

/// What was found when the directory was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The directory.
    pub(crate) storage: Storage,
    /// What the node begins with; this life is counted already. The next key is not in this directory.
    pub(crate) stored: Stored,
    /// Files of the state and of what was prepared after it, for messages about their content.
    pub(crate) files: (PathBuf, PathBuf),
    /// What was set aside, one sentence each.
    pub(crate) remarks: Vec<String>,
}

/// How long is waited for the lock: a process that a daemon had begun when it was killed, and that was not yet the program that
/// it was to be, has a share in it for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How often is looked whether it is free.
const LOCK_STEP: Duration = Duration::from_millis(20);

/// Lives by which a node leaps ahead whose record of them was damaged: it may have been restarted often in the last seconds.
const LOST_LIVES: u32 = 60;

/// Opens (or makes) the directory, takes the lock, counts this life, and reads what is there.
///
/// # Errors
/// The directory cannot be used, or another daemon uses it.
pub(crate) fn open(directory: &Path, wall_secs: i64, random: u32) -> Result<Opened, StorageError> {
    if !directory.is_dir() {
        if fs::symlink_metadata(directory).is_ok() {
            // In its place is a file, or a link that leads nowhere.
            return Err(at(directory)(io::ErrorKind::NotADirectory.into()));
        }
        calls::make_folder(directory).map_err(at(directory))?;
    }
    calls::close_folder(directory).map_err(at(directory))?;
    let lock = lock(directory)?;
    let mut remarks = Vec::new();
    let mut generations = Generations::new(directory.to_owned());
    let newest = generations.newest(wall_secs, &mut remarks)?;
    // Last, so that nothing can fail between finding it damaged and writing it anew.
    let before = remarks.len();
    let (mut slots, found) = Slots::open(directory, wall_secs, &mut remarks)?;
    let damaged = remarks.len() > before;
    // Wall clock seconds as the floor: a node that lost its disk is still in a later life than before.
    let lost = if damaged { LOST_LIVES } else { 0 };
    let boot = found.boots.saturating_add(1).max(u32::try_from(wall_secs).unwrap_or(0).saturating_add(lost));
    let state = RingState { boots: boot, ring_seq: found.ring_seq };
    slots.write(state)?;
    if found == RingState::default() {
        // Both slots have their place on the disk from now on: a full disk cannot stop the ring.
        slots.write(state)?;
    }
    let incarnation = Incarnation(u64::from(boot) << 32 | u64::from(random));
    let prepared = newest.prepared.as_ref().map_or(0, |(number, _)| *number);
    let files = (generations.committed(newest.number), generations.prepared(prepared));
    let stored = Stored {
        totem: hac_totem::Stored { ring_seq: state.ring_seq, incarnation },
        cib: newest.content,
        cib_generation: newest.highest,
        prepared: newest.prepared,
        lost: newest.lost,
        next_key: None,
        // What is kept for as long as the kernel lives is not in this directory.
        started: BTreeMap::new(),
    };
    Ok(Opened { storage: Storage { slots, generations, lock }, stored, files, remarks })
}

/// The CIB in a state of this directory that was given up; `None` if it cannot be read.
pub(crate) fn read_lost(directory: &Path, name: &str) -> Option<hac_model::Cib> {
    let number = generations::lost_number(name)?;
    let bytes = files::read(&directory.join(name), generations::MAX).ok()?;
    hac_node::stored_cib(&generations::content(bytes, number).ok()?).ok()
}

fn lock(directory: &Path) -> Result<File, StorageError> {
    let path = directory.join("lock");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = calls::open_regular(&path, &mut options).map_err(at(&path))?;
    let end = Instant::now() + LOCK_WAIT;
    loop {
        match calls::lock(&file) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Err(StorageError::Io { path, source: error });
            }
            Err(_) if Instant::now() >= end => return Err(StorageError::Locked(directory.to_owned())),
            Err(_) => std::thread::sleep(LOCK_STEP),
        }
    }
}

/// Moves a file that cannot be trusted out of the way and says so.
fn set_aside(path: &Path, wall_secs: i64, why: &str, remarks: &mut Vec<String>) -> Result<(), StorageError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".corrupt-{wall_secs}"));
    let aside = path.with_file_name(name);
    calls::rename(path, &aside).map_err(at(path))?;
    remarks.push(format!("{} is damaged ({why}); set aside as {}", path.display(), aside.display()));
    Ok(())
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
