//! The processes of a host, read from the machine's `/proc`.

use std::fs;
use std::path::Path;

use crate::Error;

/// A process of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number as the machine sees it.
    pub pid: i32,
    /// Its number as the host sees it.
    pub inner_pid: i32,
    /// Its name, as in `/proc/PID/comm`.
    pub name: String,
    /// Memory that is resident, in KiB.
    pub resident_kib: u64,
    /// CPU time used so far, in clock ticks (100 a second on Linux).
    pub cpu_ticks: u64,
    /// The same of its children that have ended, and of theirs.
    pub children_ticks: u64,
}

/// All processes in the pid namespace of process `init`.
pub(super) fn of_namespace(init: i32) -> Result<Vec<Process>, Error> {
    let path = format!("/proc/{init}/ns/pid");
    let namespace = fs::read_link(&path).map_err(Error::file(path))?;
    let entries = fs::read_dir("/proc").map_err(Error::file("/proc"))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let directory = entry.path();
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if fs::read_link(directory.join("ns/pid")).is_ok_and(|link| link == namespace)
            && let Some(process) = read(pid, &directory)
        {
            found.push(process);
        }
    }
    Ok(found)
}

/// The processes `roots` and all their descendants.
pub(super) fn of_roots(roots: &[i32]) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(Process, i32)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((read(pid, &entry.path())?, parent(&entry.path())?))
        })
        .collect();
    let mut wanted = roots.to_vec();
    loop {
        let more: Vec<i32> = all
            .iter()
            .filter(|(process, parent)| wanted.contains(parent) && !wanted.contains(&process.pid))
            .map(|(process, _)| process.pid)
            .collect();
        if more.is_empty() {
            break;
        }
        wanted.extend(more);
    }
    all.into_iter().map(|(process, _)| process).filter(|process| wanted.contains(&process.pid)).collect()
}

/// Whether a process runs and has this name.
pub(super) fn is_called(pid: i32, name: &str) -> bool {
    read(pid, Path::new(&format!("/proc/{pid}"))).is_some_and(|process| process.name == name)
}

fn parent(directory: &Path) -> Option<i32> {
    let status = fs::read_to_string(directory.join("status")).ok()?;
    field(&status, "PPid:")?.parse().ok()
}

/// Reads one process; `None` if it went away meanwhile or is a zombie.
fn read(pid: i32, directory: &Path) -> Option<Process> {
    let status = fs::read_to_string(directory.join("status")).ok()?;
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    if field(&status, "State:")?.starts_with('Z') {
        return None;
    }
    let inner = field(&status, "NSpid:")?.split_whitespace().last()?;
    let resident = field(&status, "VmRSS:").and_then(|text| text.split(' ').next());
    Some(Process {
        pid,
        inner_pid: inner.parse().ok()?,
        name: field(&status, "Name:")?.to_owned(),
        resident_kib: resident.and_then(|text| text.parse().ok()).unwrap_or(0),
        cpu_ticks: cpu_ticks(&stat)?,
        children_ticks: ticks(&stat, CHILDREN)?,
    })
}

fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

/// Where the times of a process begin in `/proc/PID/stat`, after its name.
const OWN: usize = 11;
/// Those of its children.
const CHILDREN: usize = 13;

/// User and system time of `/proc/PID/stat`.
pub(crate) fn cpu_ticks(stat: &str) -> Option<u64> {
    ticks(stat, OWN)
}

/// The two times that begin there; the name may hold blanks and brackets.
fn ticks(stat: &str, begin: usize) -> Option<u64> {
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split(' ').skip(begin);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::{CHILDREN, cpu_ticks, field, ticks};

    #[test]
    fn cpu_time_is_found_behind_an_odd_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 3 1 20 0 1 0 100 1 1";
        assert_eq!((cpu_ticks(stat), ticks(stat, CHILDREN)), (Some(12), Some(4)));
        assert_eq!(cpu_ticks("42 (x) S 1"), None);
    }

    #[test]
    fn fields_of_a_status_are_trimmed() {
        let status = "Name:\thacd\nNSpid:\t4711\t12\nVmRSS:\t    8124 kB\n";
        assert_eq!(field(status, "Name:"), Some("hacd"));
        assert_eq!(field(status, "NSpid:"), Some("4711\t12"));
        assert_eq!(field(status, "VmRSS:"), Some("8124 kB"));
        assert_eq!(field(status, "Nope:"), None);
    }
}
