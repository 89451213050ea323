//! Cleaning up: after signals, and after labs whose process was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::netns;

/// What the names of all labs begin with.
pub(crate) const PREFIX: &str = "hac";
/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// The labs of this process that are to be removed when it is told to end.
static LIVE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Where all labs of this user keep their files.
pub(crate) fn base() -> PathBuf {
    let user = rustix::process::geteuid();
    std::env::temp_dir().join(format!("hac-lab-{}", user.as_raw()))
}

pub(crate) fn enlist(prefix: &str) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.push(prefix.to_owned());
}

pub(crate) fn discharge(prefix: &str) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|name| name != prefix);
}

/// From now on SIGINT, SIGTERM and SIGHUP remove the labs of this process before they end it.
///
/// # Errors
/// When the signals cannot be watched.
pub fn clean_up_on_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate, mut hang_up) = {
        let _in_runtime = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => (),
                    _ = terminate.recv() => (),
                    _ = hang_up.recv() => (),
                }
            });
            let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
            live.iter().for_each(|prefix| remove(prefix));
            std::process::exit(INTERRUPTED);
        })
        .map(drop)
}

/// Removes everything that a lab left: its hosts' processes, namespaces and files.
pub(crate) fn remove(prefix: &str) {
    let directory = base().join(prefix);
    for init in inits(&directory) {
        kill(init);
    }
    for process in standing_in(&directory) {
        kill(process);
    }
    for namespace in netns::list(&format!("{prefix}-")) {
        let _ = netns::remove(&namespace); // another sweep may have been faster
    }
    let _ = fs::remove_dir_all(&directory);
}

/// Removes what labs of dead processes left. Labs that were kept on purpose stay.
pub fn sweep() {
    let Ok(entries) = fs::read_dir(base()) else {
        return;
    };
    for entry in entries.flatten() {
        if let Some(prefix) = entry.file_name().to_str()
            && let Some(owner) = owner(prefix)
            && !is_alive(owner)
            && keeper_of(&entry.path()).is_none()
        {
            remove(prefix);
        }
    }
}

/// The process that made a lab, from the lab's name.
fn owner(prefix: &str) -> Option<i32> {
    let numbers = prefix.strip_prefix(PREFIX)?;
    numbers.split_once('x')?.0.parse().ok()
}

/// The living process that keeps a lab.
pub(crate) fn keeper_of(directory: &Path) -> Option<i32> {
    let text = fs::read_to_string(directory.join("keeper.pid")).ok()?;
    let keeper = text.trim().parse().ok()?;
    is_alive(keeper).then_some(keeper)
}

/// The first processes of the hosts below a lab's directory.
fn inits(directory: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("init.pid")).ok())
        .filter_map(|text| text.trim().parse().ok())
        .filter(|&init| is_host(init))
        .collect()
}

/// Processes whose working directory lies in a lab: those of its hosts without namespaces.
fn standing_in(directory: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory)))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether a process is the first one of a host, and not a stranger with a number used again.
fn is_host(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains("/init.sh"))
}

pub(crate) fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL); // one that is gone needs none
    }
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn a_lab_is_named_after_its_process() {
        assert_eq!(owner("hac4711x0"), Some(4711));
        assert_eq!(owner("hac4711"), None);
        assert_eq!(owner("lab-h1"), None);
    }
}
