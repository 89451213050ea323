//! The calls by which a run is recorded, started, watched and cleared away, each of which the system may refuse. They go through
//! here, so that a test can have each of them refused in turn ([`faults`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread;

use rustix::event::{PollFd, Timespec};
use rustix::fs::{Access, FlockOperation, MemfdFlags};
use rustix::process::{Pid, PidfdFlags};

/// Whether a test wants this call refused.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests it can refuse")]
const fn allowed() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use faults::allowed;

/// Makes a folder with those above it.
pub(crate) fn make_folders(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::create_dir_all(path)
}

/// Makes a folder that is not there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::create_dir(path)
}

/// Removes an empty folder.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::remove_dir(path)
}

/// Opens a file.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    allowed()?;
    options.open(path)
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::remove_file(path)
}

/// Writes all at a place.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
    allowed()?;
    file.write_all_at(bytes, place)
}

/// Takes a lock, if nobody has it.
pub(crate) fn lock(file: &File, operation: FlockOperation) -> io::Result<()> {
    allowed()?;
    Ok(rustix::fs::flock(file, operation)?)
}

/// Whether a file can be run: it is a regular one, and this process may.
pub(crate) fn executable(program: &Path) -> io::Result<()> {
    allowed()?;
    if !fs::metadata(program)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    allowed()?;
    Ok(rustix::fs::access(program, Access::EXEC_OK)?)
}

/// A file in the memory of the kernel with this text, to be read from its beginning.
pub(crate) fn in_memory(name: &str, text: &str) -> io::Result<File> {
    use io::Seek as _;
    allowed()?;
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    allowed()?;
    file.write_all(text.as_bytes())?;
    allowed()?;
    file.rewind()?;
    Ok(file)
}

/// Starts a program.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    allowed()?;
    command.spawn()
}

/// Waits for the end of a program and takes note of it, which is done also if it is refused.
pub(crate) fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let status = child.wait();
    allowed()?;
    status
}

/// A descriptor that becomes readable when a process ends.
pub(crate) fn end_of(pid: Pid) -> io::Result<OwnedFd> {
    allowed()?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits for the end of a program in this way.
pub(crate) fn await_end(wait: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    allowed()?;
    wait()
}

/// Waits until there is something.
pub(crate) fn poll(polled: &mut [PollFd<'_>], limit: Option<&Timespec>) -> io::Result<()> {
    allowed()?;
    Ok(rustix::event::poll(polled, limit).map(drop)?)
}

/// Reads what is there.
pub(crate) fn read(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    allowed()?;
    from.read(bytes)
}

/// Begins a thread.
pub(crate) fn begin_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    allowed()?;
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Has calls of this thread refused.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;

    use rustix::io::Errno;

    thread_local! {
        /// Which call is refused, counted from 1; how; whether all after it are, too; and how many there were.
        static PLAN: Cell<(u64, Errno, bool, u64)> = const { Cell::new((0, Errno::IO, false, 0)) };
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

    /// Whether this call is refused.
    pub(super) fn allowed() -> io::Result<()> {
        let (call, error, for_good, seen) = PLAN.get();
        let seen = seen + 1;
        PLAN.set((call, error, for_good, seen));
        let refused = call > 0 && (seen == call || (for_good && seen > call));
        if refused { Err(error.into()) } else { Ok(()) }
    }
}
