//! The wall clock of a host's daemon. All hosts have the kernel's, and no namespace has one of its own, so libfaketime (Debian's
//! package of this name) stands between the daemon and the C library: it moves the clock that counts years, and no other.

use std::path::PathBuf;

use crate::{Cluster, Error, Host};

/// Says by how much the clock is moved; looked at once a second.
const FILE: &str = "/var/clock";
/// The clock as it is.
const RIGHT: &str = "+0";
/// By how many seconds a clock is moved: a leap, an hour of summer, a wrong date, a host that has forgotten the year, and one
/// that is in the next decade.
pub(super) const STEPS: [i64; 7] = [-2, 3600, -3600, -86_400 * 30, 86_400 * 30, -86_400 * 365 * 20, 86_400 * 365 * 10];

/// Has the daemons of all hosts look at clocks that can be moved. They must not have been started.
///
/// # Errors
/// When libfaketime is not installed, or a file cannot be written.
pub(super) fn prepare(cluster: &Cluster) -> Result<(), Error> {
    let library = library()
        .ok_or_else(|| Error::Missing("libfaketime is not installed (try `apt-get install libfaketime`)".to_owned()))?;
    for host in cluster.lab().hosts() {
        host.write(FILE, RIGHT)?;
        host.give("LD_PRELOAD", library.display().to_string());
        host.give("FAKETIME_TIMESTAMP_FILE", FILE.to_owned());
        host.give("FAKETIME_CACHE_DURATION", "1".to_owned());
        host.give("DONT_FAKE_MONOTONIC", "1".to_owned());
        host.give("NO_FAKE_STAT", "1".to_owned());
    }
    Ok(())
}

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())
}

/// Moves the clock of a host's daemon.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn step(host: &Host, seconds: i64) -> Result<(), Error> {
    host.write(FILE, &format!("{seconds:+}"))
}

/// Puts it right again.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn right(host: &Host) -> Result<(), Error> {
    host.write(FILE, RIGHT)
}
