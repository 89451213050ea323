//! Lives of the daemon, as files that are locked: each life locks its own. A process that is on its way between the daemon
//! and the program that it will be has a share in the lock until it is that program, whatever became of the daemon. So who
//! gets the lock knows that all that was begun in that life can be found by its mark, or is not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::calls;

/// What ends the names of the files.
const SUFFIX: &str = ".life";

fn file(folder: &Path, life: &str) -> PathBuf {
    folder.join(format!("{life}{SUFFIX}"))
}

/// Whether this is the file of a life.
pub(super) fn is_one(file: &Path) -> bool {
    file.to_str().is_some_and(|name| name.ends_with(SUFFIX))
}

/// Begins a life: it lasts as long as the file is open, here or in what was begun and is not yet the program that it will
/// be.
///
/// # Errors
/// The file cannot be made or locked.
pub(super) fn begin(folder: &Path, life: &str) -> io::Result<File> {
    let file = calls::open(&file(folder, life), File::options().create(true).truncate(true).write(true))?;
    calls::lock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Whether something may be on its way from `life` to its program.
pub(super) fn is_held(folder: &Path, life: &str) -> bool {
    File::open(file(folder, life)).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// Removes what is left of the lives from which nothing is on its way any more.
pub(super) fn tidy(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let life = path.file_name().and_then(|name| name.to_str()?.strip_suffix(SUFFIX).map(str::to_owned));
        if life.is_some_and(|life| !is_held(folder, &life)) {
            let _ = fs::remove_file(path);
        }
    }
}
