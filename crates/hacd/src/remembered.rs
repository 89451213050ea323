//! What resources were started with, for the next life of the daemon: it stops and watches what runs as it was started,
//! whatever is configured by then.
//!
//! A file for each resource in a folder beside the socket: on no disk, gone with the kernel, as is what runs. Secrets are
//! among the parameters, so only root can read it. A thread writes them, in order; an agent begins when what it starts
//! with is written.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use hac_crm::executor::Started;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{calls, files};

/// The longest file that is read, bytes: far above what a resource can be given.
const LONGEST: u64 = 16 << 20;

/// What ends the names of the files.
const SUFFIX: &str = ".json";

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct Entry {
    resource: String,
    started: Started,
}

/// Writes what is to be remembered.
#[derive(Debug)]
pub(crate) struct Remembered(mpsc::Sender<Order>);

/// What is to be written, and who waits for it.
type Order = (String, Option<Started>, oneshot::Sender<()>);

impl Remembered {
    /// What is found in `folder`, and the thread that writes there from now on.
    ///
    /// # Errors
    /// There can be no more threads.
    pub(crate) fn open(folder: PathBuf) -> io::Result<(Self, BTreeMap<String, Started>)> {
        let found = all(&folder);
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::Builder::new().name("hacd-started".to_owned()).spawn(move || {
            for (resource, started, done) in orders {
                // A fault costs this one and no other.
                let work = AssertUnwindSafe(|| write(&folder, &resource, started));
                let fault = |_| Err(io::Error::other("hacd has a fault in what keeps it"));
                if let Err(error) = catch_unwind(work).unwrap_or_else(fault) {
                    tracing::warn!(
                        target: "hacd::storage",
                        "what {resource} is started with cannot be kept in {}: {error}; after a restart of hacd it is \
                         stopped as it is configured then",
                        folder.display()
                    );
                }
                // Nobody may wait for it.
                let _ = done.send(());
            }
        })?;
        Ok((Self(sender), found))
    }

    /// Keeps what the resource is started with, or forgets it. The answer comes when that is done, or cannot be.
    pub(crate) fn put(&self, resource: String, started: Option<Started>) -> oneshot::Receiver<()> {
        let (done, answer) = oneshot::channel();
        // Without the thread the answer fails at once.
        let _ = self.0.send((resource, started, done));
        answer
    }
}

/// The name of a resource's file: what is not a letter, a digit, `_`, `-` or `.` within becomes `%` and its code.
fn file(folder: &Path, resource: &str) -> PathBuf {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let encoded: String =
        resource.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02x}") }).collect();
    folder.join(encoded + SUFFIX)
}

fn write(folder: &Path, resource: &str, started: Option<Started>) -> io::Result<()> {
    let path = file(folder, resource);
    let Some(started) = started else {
        return match calls::remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    calls::make_folder(folder)?;
    let text = serde_json::to_vec(&Entry { resource: resource.to_owned(), started })?;
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = calls::open(&new, &mut options)?;
    calls::write_all(&mut out, &text)?;
    calls::rename(&new, &path)
}

/// Everything that is kept. What cannot be read is as good as not there.
fn all(folder: &Path) -> BTreeMap<String, Started> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let read = |path: PathBuf| {
        path.to_str()?.strip_suffix(SUFFIX)?;
        let entry: Entry = serde_json::from_slice(&files::read(&path, LONGEST).ok()?).ok()?;
        Some((entry.resource, entry.started))
    };
    entries.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use hac_model::Agent;

    use super::*;
    use crate::testing::{TempDir, fifo};

    fn started(value: &str) -> Started {
        let params = BTreeMap::from([("token".to_owned(), value.to_owned())]);
        Started { agent: Agent::default(), params, digest: Some("d".to_owned()) }
    }

    fn wait(answer: oneshot::Receiver<()>) {
        answer.blocking_recv().expect("the thread answers");
    }

    #[test]
    fn the_next_life_finds_what_runs_and_not_what_was_stopped() {
        let dir = TempDir::new();
        let folder = dir.path().join("started");
        let (remembered, found) = Remembered::open(folder.clone()).unwrap();
        assert!(found.is_empty());
        wait(remembered.put("db:0".to_owned(), Some(started("old"))));
        wait(remembered.put("db:0".to_owned(), Some(started("gold"))));
        wait(remembered.put("../web".to_owned(), Some(started("x"))));
        wait(remembered.put("../web".to_owned(), None));
        wait(remembered.put("never".to_owned(), None));
        let (_, found) = Remembered::open(folder.clone()).unwrap();
        assert_eq!(found, BTreeMap::from([("db:0".to_owned(), started("gold"))]));
        for path in [folder.clone(), file(&folder, "db:0")] {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "others can read {}", path.display());
        }
    }

    #[test]
    fn a_fault_costs_what_is_kept_then_and_nothing_else() {
        let dir = TempDir::new();
        let folder = dir.path().join("started");
        let (remembered, _) = Remembered::open(folder.clone()).unwrap();
        wait(remembered.put("db".to_owned(), Some(started(calls::faults::FAULT))));
        wait(remembered.put("web".to_owned(), Some(started("x"))));
        assert_eq!(Remembered::open(folder).unwrap().1, BTreeMap::from([("web".to_owned(), started("x"))]));
    }

    #[test]
    fn each_call_may_be_refused_and_what_was_kept_is_whole() {
        use rustix::io::Errno;
        for error in [Errno::IO, Errno::NOSPC, Errno::MFILE, Errno::ACCESS, Errno::INTR] {
            for call in 1.. {
                let dir = TempDir::new();
                write(dir.path(), "db", Some(started("old"))).unwrap();
                calls::faults::refuse(call, error, true);
                let kept = write(dir.path(), "db", Some(started("new"))).is_ok();
                let gone = write(dir.path(), "db", None).is_ok();
                if !calls::faults::end() {
                    assert!(kept && gone && call > 4);
                    break;
                }
                let found = all(dir.path());
                let value = if kept { "new" } else { "old" };
                assert!(!gone && found == BTreeMap::from([("db".to_owned(), started(value))]), "{call}: {found:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let dir = TempDir::new();
        fs::write(file(dir.path(), "a"), "{").unwrap();
        fs::write(dir.path().join("b.new"), "{}").unwrap();
        fifo(&file(dir.path(), "c"));
        assert!(Remembered::open(dir.path().to_owned()).unwrap().1.is_empty());
    }
}
