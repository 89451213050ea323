//! What is written down of a run, so that a later life of the daemon can end it: before its program begins what is to be
//! run, and in a second line its first process, as soon as that is known.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hac_model::ProcessRef;
use serde_json::{Value, json};

use crate::{calls, look};

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
    /// The life of the daemon that began it.
    pub(super) fn life(&self) -> &str {
        self.id.rsplit_once('-').map_or("", |(life, _)| life)
    }

    fn read(file: &Path) -> Option<Self> {
        let text = look::read(file, RECORD_MAX).ok()?;
        let mut lines = text.lines();
        let value: Value = serde_json::from_str(lines.next()?).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        // Earlier releases had a file for each run, with the id as its name, and wrote all into one line.
        let named = || Some(file.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned());
        let told = number("pid").and_then(|pid| u32::try_from(pid).ok()).zip(number("started"));
        let added = lines.next().and_then(|line| {
            let (pid, started) = line.split_once(' ')?;
            Some((pid.parse().ok()?, started.parse().ok()?))
        });
        let leader = added.or(told);
        Some(Self {
            id: text("id").or_else(named)?,
            resource: text("resource")?,
            action: text("action")?,
            boot: text("boot")?,
            leader: leader.map(|(pid, started)| ProcessRef { pid, started }),
            cgroup: text("cgroup").map(PathBuf::from),
        })
    }
}

/// A file that holds one record after another: to make and remove one for each run costs more than to write it.
#[derive(Debug)]
pub(super) struct Slot {
    path: PathBuf,
    file: fs::File,
    /// Where the line about the first process begins.
    second: u64,
}

impl Slot {
    /// A new file in `folder`.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!("{name}{SUFFIX}"));
        let file = calls::open(&path, fs::OpenOptions::new().create(true).truncate(true).write(true))?;
        Ok(Self { path, file, second: 0 })
    }

    /// It is not needed any more. It may be gone already.
    pub(super) fn remove(self) {
        let _ = calls::remove(&self.path);
    }

    /// Whether it is still in its folder. What is written to one that is not nobody will find.
    pub(super) fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.nlink() > 0)
    }

    /// Writes down that a run is about to begin. The empty line behind it ends what counts: the rest is of an earlier one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<()> {
        let value = json!({
            "id": record.id,
            "resource": record.resource,
            "action": record.action,
            "boot": record.boot,
            "cgroup": record.cgroup,
        });
        let text = format!("{value}\n\n");
        calls::write_all_at(&self.file, text.as_bytes(), 0)?;
        self.second = u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_sub(1);
        Ok(())
    }

    /// The first process of the run is known.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn lead(&mut self, leader: ProcessRef) -> io::Result<()> {
        calls::write_all_at(&self.file, format!("{} {}\n", leader.pid, leader.started).as_bytes(), self.second)
    }

    /// The run is over. What is left in the file is no record.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn clear(&self) -> io::Result<()> {
        calls::write_all_at(&self.file, b"-", 0)
    }
}

/// All records in `folder`, with their files.
pub(super) fn all(folder: &Path) -> Vec<(PathBuf, Record)> {
    files(folder).filter_map(|file| Record::read(&file).map(|record| (file, record))).collect()
}

/// Removes what is neither a record nor a [life](super::life).
pub(super) fn tidy(folder: &Path) {
    for file in files(folder).filter(|file| Record::read(file).is_none()) {
        let _ = fs::remove_file(file);
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|file| !super::life::is_one(file))
}

/// Names this life of the kernel.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
