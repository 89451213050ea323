//! Which processes belong to a run.

use std::fs::{self, File};
use std::io::Read as _;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use hac_model::ProcessRef;
use rustix::time::{ClockId, clock_gettime};

use super::{MARK, cgroup};
use crate::runs::record::Record;
use crate::watch;

/// How long may be looked through the environments of all processes: one that holds its memory map hangs who looks.
const LIMIT: Duration = Duration::from_secs(2);

/// Longest environment that is looked through, bytes.
const ENVIRONMENT_MAX: u64 = 4 << 20;

/// The processes of a run that have not ended.
pub(super) fn of(record: &Record) -> Vec<ProcessRef> {
    if let Some(pids) = record.cgroup.as_deref().and_then(cgroup::pids) {
        let mut all: Vec<ProcessRef> = pids.into_iter().filter_map(watch::find).collect();
        // It may be on its way into the group.
        let leader = record.leader.filter(|leader| watch::find(leader.pid) == Some(*leader));
        all.extend(leader.filter(|leader| !all.contains(leader)));
        return all;
    }
    let mut all = group(record);
    for process in descendants(record).into_iter().chain(marked(record.id.clone())) {
        if !all.contains(&process) {
            all.push(process);
        }
    }
    all
}

/// The first process of a run whose record does not tell it: of those in its control group or with its mark the one that
/// began first.
pub(super) fn first(record: &Record) -> Option<ProcessRef> {
    let inside = record.cgroup.as_deref().and_then(cgroup::pids).unwrap_or_default();
    let all = inside.into_iter().filter_map(watch::find).chain(marked(record.id.clone()));
    all.min_by_key(|process| (process.started, process.pid))
}

/// Those that its first process started, and those that they started, as far as their parents are still there: one that
/// cleared its environment and left the group is found in no other way.
fn descendants(record: &Record) -> Vec<ProcessRef> {
    let Some(leader) = record.leader.filter(exists) else { return Vec::new() };
    let parents: Vec<(u32, u64)> = processes().into_iter().filter_map(|pid| Some((pid, field(pid, 1)?))).collect();
    let mut all = vec![leader.pid];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        next += 1;
        let children = parents.iter().filter(|(pid, of)| *of == u64::from(parent) && !all.contains(pid));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        all.extend(children);
    }
    all.into_iter().filter_map(watch::find).collect()
}

/// Those of its process group, as long as that is its own: a number is given to another only when nobody has it.
fn group(record: &Record) -> Vec<ProcessRef> {
    let Some(leader) = record.leader.filter(exists) else { return Vec::new() };
    processes()
        .into_iter()
        .filter(|pid| field(*pid, 2) == Some(u64::from(leader.pid)))
        .filter_map(watch::find)
        .collect()
}

/// The process of this id, be it that only its parent has to take note of its end.
pub(super) fn process(pid: u32) -> Option<ProcessRef> {
    field(pid, 19).map(|started| ProcessRef { pid, started })
}

/// A child that this process has begun since `before`, in [`ticks`], and has not taken note of. If that was within one tick,
/// it began in that one: to ask for it costs as much as the rest of what is recorded of a run.
pub(super) fn begun(pid: u32, before: u64) -> Option<ProcessRef> {
    /// Whether this kernel counts as is thought here.
    static RECKONED: OnceLock<bool> = OnceLock::new();
    let asked = || process(pid);
    if ticks() != before {
        return asked();
    }
    let reckoned = ProcessRef { pid, started: before };
    if RECKONED.get().copied() == Some(true) {
        return Some(reckoned);
    }
    let found = asked()?;
    RECKONED.get_or_init(|| found == reckoned);
    Some(found)
}

/// How long the kernel has been up, as `/proc/PID/stat` tells when a process began: in hundredths of a second.
pub(super) fn ticks() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let part = |part: i64, of: u64| u64::try_from(part).unwrap_or(0) / of;
    part(time.tv_sec, 1).saturating_mul(100).saturating_add(part(time.tv_nsec, 10_000_000))
}

/// Whether the process is there, be it that only its parent has to take note of its end.
pub(super) fn exists(process: &ProcessRef) -> bool {
    field(process.pid, 19) == Some(process.started)
}

/// Those that carry the mark of the run.
fn marked(id: String) -> Vec<ProcessRef> {
    let (sender, receiver) = mpsc::channel();
    let mark = format!("{MARK}={id}");
    let thread = std::thread::Builder::new().name(crate::THREADS[2].into()).spawn(move || {
        let own = std::process::id();
        let carries = |pid: &u32| *pid != own && environment(*pid).is_some_and(|all| carries(&all, mark.as_bytes()));
        for process in processes().into_iter().filter(carries).filter_map(watch::find) {
            if sender.send(process).is_err() {
                return;
            }
        }
    });
    if thread.is_err() {
        return Vec::new();
    }
    let end = std::time::Instant::now() + LIMIT;
    let mut all = Vec::new();
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(std::time::Instant::now())) {
            Ok(process) => all.push(process),
            Err(mpsc::RecvTimeoutError::Disconnected) => return all,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::warn!(target: "hacd::agents", "looking for processes of a run hangs; one may be missed");
                return all;
            }
        }
    }
}

fn carries(environment: &[u8], mark: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
}

fn environment(pid: u32) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/environ")).ok()?.take(ENVIRONMENT_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A field of `/proc/PID/stat`, counted from the state (0) on.
fn field(pid: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(index)?.parse().ok()
}
