//! Processes behind resources: which they are, and when they end.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use hac_model::ProcessRef;
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::look;

/// How long a dead process may wait for its parent before it is told of all the same.
const REAPED: Duration = Duration::from_secs(1);
/// Longest pid file that is read, bytes.
const PID_FILE_MAX: u64 = 4 << 10;
/// How often is looked whether the parent took note.
const LOOK: Duration = Duration::from_millis(2);

/// The process that a pid file names, if it is there.
/// May wait for the file: only to be called on a thread that may.
pub(crate) fn from_file(file: &Path) -> Option<ProcessRef> {
    let pid = look::read(file, PID_FILE_MAX).ok()?.trim().parse().ok()?;
    find(pid)
}

/// The process of this id, if there is one that has not ended.
pub(crate) fn find(pid: u32) -> Option<ProcessRef> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything; behind it come the fields from the third on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let state = fields.first()?;
    let started = fields.get(19)?.parse().ok()?;
    (!matches!(*state, "Z" | "X")).then_some(ProcessRef { pid, started })
}

/// Returns when the process has ended, at once if it is no longer there.
///
/// # Errors
/// If the system cannot watch processes (a kernel before 5.3).
pub async fn ended(process: ProcessRef) -> io::Result<()> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    let fd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // The descriptor may be that of a later process of the same id.
    if find(process.pid) != Some(process) {
        return Ok(());
    }
    readiness(fd)?.readable().await?.retain_ready();
    reaped(pid).await;
    Ok(())
}

/// Waits until nothing is left of a process that has ended: until its parent takes note, signals still reach it, and a
/// monitor that looks in this way would find it alive.
async fn reaped(pid: Pid) {
    let end = tokio::time::Instant::now() + REAPED;
    while test_kill_process(pid).is_ok() && tokio::time::Instant::now() < end {
        tokio::time::sleep(LOOK).await;
    }
}

/// Deprecated because a type may lie about its descriptor; an [`OwnedFd`] cannot, and what replaces it is `unsafe`.
#[allow(deprecated)]
fn readiness(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_noticed() {
        let mut child = tokio::process::Command::new("sleep").arg("60").spawn().expect("started");
        let process = find(child.id().expect("runs")).expect("there");
        let watch = tokio::spawn(ended(process));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!watch.is_finished(), "it still runs");
        child.kill().await.expect("ended by this test");
        tokio::time::timeout(Duration::from_secs(5), watch)
            .await
            .expect("in time")
            .expect("no panic")
            .expect("watched");
        assert_eq!(find(process.pid), None);
    }

    #[tokio::test]
    async fn another_process_of_the_same_id_is_not_the_one() {
        let own = find(std::process::id()).expect("this test runs");
        let other = ProcessRef { started: own.started + 1, ..own };
        tokio::time::timeout(Duration::from_secs(5), ended(other)).await.expect("at once").expect("no error");
    }
}
