//! Workers of nginx whose master is gone: they still serve, and hold the port that a new master needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use hac_model::ProcessRef;

use crate::watch;

/// How often is looked whether a killed process is gone.
const LOOK: Duration = Duration::from_millis(5);

/// Whether the process runs the program `httpd`.
pub(super) fn is_nginx(pid: u32, httpd: &str) -> bool {
    let Ok(wanted) = fs::canonicalize(httpd) else {
        // The program was removed while it runs: go by the name that nginx gives itself.
        return title(pid).is_some_and(|title| title.starts_with("nginx:"));
    };
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| same_program(&exe, &wanted))
}

/// Whether `exe` is `wanted`, also if the file was replaced since (an upgrade).
fn same_program(exe: &Path, wanted: &Path) -> bool {
    exe == wanted || exe.to_str().is_some_and(|exe| exe.strip_suffix(" (deleted)") == wanted.to_str())
}

fn title(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
}

/// Kills these and waits until they are gone.
pub(super) async fn kill(orphans: &[ProcessRef]) {
    for orphan in orphans {
        if let Some(pid) = i32::try_from(orphan.pid).ok().and_then(Pid::from_raw) {
            // It may have ended in between, which is what is wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    for orphan in orphans {
        while watch::find(orphan.pid) == Some(*orphan) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Workers of `httpd` whose parent is not an nginx. May wait: it looks at all processes.
pub(super) fn find(httpd: &str) -> Vec<ProcessRef> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_orphan(*pid, httpd)).filter_map(watch::find).collect()
}

fn is_orphan(pid: u32, httpd: &str) -> bool {
    let worker = title(pid).is_some_and(|t| t.starts_with("nginx: worker") || t.starts_with("nginx: cache"));
    worker && is_nginx(pid, httpd) && parent(pid).is_none_or(|parent| !is_nginx(parent, httpd))
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
