//! Ending a run with all that it started.

use std::path::Path;
use std::time::{Duration, Instant};

use hac_model::ProcessRef;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::record::{self, Record};
use super::{cgroup, life, members};
use crate::watch;

/// How long a run that is asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// How often is looked whether it has ended, at first.
const SOON: Duration = Duration::from_millis(10);

/// How often later: what has not ended by now waits for a device that does not answer.
const LATER: Duration = Duration::from_secs(1);

/// Whether a run that an earlier life recorded in `folder` is still under way: its first process is there. Where that has
/// ended, so has the action, and what it left belongs to the resource. If the daemon died before it knew the first process,
/// the run is under way as long as that may become its program, or any process has its mark.
pub(super) fn still_under_way(folder: &Path, record: &Record) -> bool {
    record.boot == record::boot()
        && match record.leader {
            Some(leader) => watch::find(leader.pid) == Some(leader),
            None => life::is_held(folder, record.life()) || members::first(record).is_some(),
        }
}

/// Waits until the first process of a run of an earlier life is known or is not there, however long that takes.
fn await_first(folder: &Path, record: &Record) -> Record {
    let mut found = record.clone();
    while found.leader.is_none() {
        // In this order: what has become its program before the look has its mark.
        let held = life::is_held(folder, record.life());
        found.leader = members::first(record);
        if !held {
            break;
        }
        std::thread::sleep(SOON);
    }
    found
}

/// Kills its control group and its process group, without looking who is in them.
pub(super) fn kill_at_once(record: &Record) {
    if let Some(cgroup) = &record.cgroup {
        cgroup::kill(cgroup);
    }
    if let Some(group) = record.leader.filter(members::exists).and_then(|leader| pid(&leader)) {
        // It may have ended in between.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Ends a run and returns when nothing is left of it, however long that takes. Signals go out again as long as there
/// is somebody: what is killed may have started others just before. One that an earlier life recorded in the folder
/// `earlier` may be on its way to its program.
pub(super) fn end(earlier: Option<&Path>, record: &Record, gently: bool) {
    let record = &earlier.map_or_else(|| record.clone(), |folder| await_first(folder, record));
    let begin = Instant::now();
    let mut known: Vec<ProcessRef> = Vec::new();
    let mut asked = false;
    loop {
        for process in members::of(record) {
            if !known.contains(&process) {
                known.push(process);
            }
        }
        known.retain(|process| watch::find(process.pid) == Some(*process));
        if known.is_empty() {
            break;
        }
        if gently && begin.elapsed() < GRACE {
            // Once: a script may take a second signal for a wish of another kind.
            if !asked {
                known.iter().for_each(|process| send(process, Signal::TERM));
                asked = true;
            }
        } else {
            // Each by itself first: who is in the group and not known yet is seen by the next round.
            known.iter().for_each(|process| send(process, Signal::KILL));
            kill_at_once(record);
        }
        std::thread::sleep(if begin.elapsed() < GRACE * 5 { SOON } else { LATER });
    }
    if let Some(cgroup) = &record.cgroup {
        cgroup::remove(cgroup);
    }
}

fn send(process: &ProcessRef, signal: Signal) {
    if let Some(pid) = pid(process) {
        // It may have ended in between, which is what is wanted.
        let _ = kill_process(pid, signal);
    }
}

fn pid(process: &ProcessRef) -> Option<Pid> {
    i32::try_from(process.pid).ok().and_then(Pid::from_raw)
}
