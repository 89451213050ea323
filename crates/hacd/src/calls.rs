//! The calls by which this daemon keeps files, each of which the system may refuse. Whatever must survive goes through here,
//! so that a test can have each of them refused in turn ([`faults`]).

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::files;

/// Whether a test wants this call refused.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests it can refuse")]
const fn allowed() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use faults::allowed;

/// Makes a folder of this owner alone, with those above it.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    allowed()?;
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a folder that others may look into, with those above it.
pub(crate) fn make_open_folder(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::create_dir_all(path)
}

/// Closes a folder to others.
pub(crate) fn close_folder(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Names of what is in a folder. One that is not UTF-8 is left out: this daemon did not make it.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    allowed()?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

/// What is known of a file without opening it.
pub(crate) fn metadata(path: &Path) -> io::Result<Metadata> {
    allowed()?;
    fs::metadata(path)
}

/// Opens a file of any kind that does not hang.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    allowed()?;
    files::at_once(path, options)
}

/// Opens a regular file.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    allowed()?;
    files::regular(path, options)
}

/// The content of a regular file, up to `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    allowed()?;
    files::read(path, limit)
}

/// Reads so many bytes at a place.
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], place: u64) -> io::Result<()> {
    allowed()?;
    file.read_exact_at(bytes, place)
}

/// Writes all; what is refused may be written in part.
pub(crate) fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    faults::tried(bytes);
    if let Err(refused) = allowed() {
        file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
        return Err(refused);
    }
    file.write_all(bytes)
}

/// Writes all at a place; what is refused may be written in part.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
    if let Err(refused) = allowed() {
        file.write_all_at(bytes.get(..bytes.len() / 2).unwrap_or_default(), place)?;
        return Err(refused);
    }
    file.write_all_at(bytes, place)
}

/// Makes what was written durable.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    allowed()?;
    file.sync_all()
}

/// Makes what was written over something else in a file durable.
pub(crate) fn sync_content(file: &File) -> io::Result<()> {
    allowed()?;
    file.sync_data()
}

/// Makes a change of a folder's entries durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    allowed()?;
    let folder = File::open(folder)?;
    allowed()?;
    folder.sync_all()
}

/// Gives a file another name.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    allowed()?;
    fs::rename(from, to)
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::remove_file(path)
}

/// Takes a lock, if nobody has it.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    allowed()?;
    Ok(rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)?)
}

/// Has calls of this thread refused, and writing of any thread panic.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;

    use rustix::io::Errno;

    thread_local! {
        /// Which call is refused, counted from 1; how; whether all after it are, too; and how many there were.
        static PLAN: Cell<(u64, Errno, bool, u64)> = const { Cell::new((0, Errno::IO, false, 0)) };
    }

    /// Writing this panics, on whatever thread: how a fault of ours is tried.
    pub(crate) const FAULT: &str = "a fault of ours is tried here";

    /// Panics if [`FAULT`] is among these bytes.
    pub(super) fn tried(bytes: &[u8]) {
        assert!(!bytes.windows(FAULT.len()).any(|part| part == FAULT.as_bytes()), "{FAULT}");
    }

    /// Has the `call`-th call from now on refused with this error, and if `for_good` all after it.
    pub(crate) fn refuse(call: u64, error: Errno, for_good: bool) {
        PLAN.set((call, error, for_good, 0));
    }

    /// Refuses nothing any more. Whether anything was refused.
    pub(crate) fn end() -> bool {
        let (call, .., seen) = PLAN.replace((0, Errno::IO, false, 0));
        call > 0 && seen >= call
    }

    pub(super) fn allowed() -> io::Result<()> {
        let (call, error, for_good, seen) = PLAN.get();
        let seen = seen + 1;
        PLAN.set((call, error, for_good, seen));
        let refused = call > 0 && (seen == call || (for_good && seen > call));
        if refused { Err(error.into()) } else { Ok(()) }
    }
}
