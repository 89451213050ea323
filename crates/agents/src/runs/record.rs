//! What is written down of a run, so that a later life of the daemon can end it: before its program begins what is to be
//! run, and in a second line its first process, as soon as that is known.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hac_model::ProcessRef;
use serde_json::{Value, json};

use crate::look;

/// What ends the names of records.
const SUFFIX: &str = ".run";

/// Longest record that is read, bytes.
const RECORD_MAX: u64 = 64 << 10;

/// A run of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Names it among all runs on this host.
    pub(super) id: String,
    /// The resource.
    pub(super) resource: String,
    /// The action.
    pub(super) action: String,
    /// The life of the kernel in which it runs.
    pub(super) boot: String,
    /// Its first process, leader of its process group; `None` before that is known.
    pub(super) leader: Option<ProcessRef>,
    /// Its control group, if it has one.
    pub(super) cgroup: Option<PathBuf>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.action, self.resource)?;
        self.leader.map_or(Ok(()), |leader| write!(f, " (process {})", leader.pid))
    }
}

impl Record {
    /// Writes down that it is about to begin. The file is for [`Record::lead`]. What is cut short has not begun.
    pub(super) fn write(&self, folder: &Path) -> io::Result<fs::File> {
        let value = json!({
            "resource": self.resource,
            "action": self.action,
            "boot": self.boot,
            "cgroup": self.cgroup,
        });
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.file(folder))?;
        file.write_all(format!("{value}\n").as_bytes())?;
        Ok(file)
    }

    /// Its first process is known: adds it to the record, which is in `file`.
    pub(super) fn lead(&mut self, leader: Option<ProcessRef>, file: Option<&mut fs::File>) -> io::Result<()> {
        self.leader = leader;
        let (Some(leader), Some(file)) = (leader, file) else { return Ok(()) };
        file.write_all(format!("{} {}\n", leader.pid, leader.started).as_bytes())
    }

    /// The life of the daemon that began it.
    pub(super) fn life(&self) -> &str {
        self.id.rsplit_once('-').map_or("", |(life, _)| life)
    }

    /// Removes it; it may be gone already.
    pub(super) fn remove(&self, folder: &Path) {
        let _ = fs::remove_file(self.file(folder));
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}{SUFFIX}", self.id))
    }

    fn read(file: &Path) -> Option<Self> {
        let id = file.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned();
        let text = look::read(file, RECORD_MAX).ok()?;
        let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
        let value: Value = serde_json::from_str(first).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        // Earlier releases wrote all into one line.
        let told = number("pid").and_then(|pid| u32::try_from(pid).ok()).zip(number("started"));
        let added =
            second.trim().split_once(' ').and_then(|(pid, started)| Some((pid.parse().ok()?, started.parse().ok()?)));
        let leader = added.or(told);
        Some(Self {
            id,
            resource: text("resource")?,
            action: text("action")?,
            boot: text("boot")?,
            leader: leader.map(|(pid, started)| ProcessRef { pid, started }),
            cgroup: text("cgroup").map(PathBuf::from),
        })
    }
}

/// All records in `folder`. What is neither one nor a [life](super::life) is removed.
pub(super) fn all(folder: &Path) -> Vec<Record> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if super::life::is_one(&entry.path()) {
            continue;
        }
        match Record::read(&entry.path()) {
            Some(record) => all.push(record),
            None => {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    all
}

/// Names this life of the kernel.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
