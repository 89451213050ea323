//! Running a program to its end: recorded before it begins, with bounded output, killed when it is given up.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::record::Record;
use super::{MARK, Runs, cgroup};
use crate::look::Looks;
use crate::watch;

/// Standard output beyond this is read and thrown away, so that the program never blocks on a full pipe. Bytes.
const STDOUT_MAX: usize = 4 << 20;

/// Of standard error the end is kept, because the reason of a failure is the last that is said. Bytes.
const STDERR_MAX: usize = 64 << 10;

/// How long to wait for the end of the output after the program's own end. A service that it started may hold the
/// pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Enters the control group, if there is one, gives up the daemon's protection from the want of memory, and begins when it is
/// told that the run is recorded. A daemon that dies before says nothing, and nothing begins.
const LAUNCH: &str = r#"c=$1; shift
if [ -n "$c" ]; then echo 0 > "$c" || exit 125; fi
{ echo 0 > /proc/self/oom_score_adj; } 2>/dev/null
read -r go && [ "$go" = go ] || exit 125
unset c go
exec "$@" </dev/null"#;

/// What tells a program that its run is recorded.
const GO: &[u8] = b"go\n";

/// A program to be run for a resource.
#[derive(Debug)]
pub(crate) struct Task {
    /// The resource.
    pub(crate) resource: String,
    /// The action.
    pub(crate) action: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Its whole environment.
    pub(crate) environment: BTreeMap<String, String>,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// The beginning of its standard output.
    pub(crate) stdout: Vec<u8>,
    /// The end of its standard error.
    pub(crate) stderr: Vec<u8>,
}

/// A run under way. Dropped, it is ended with all that it started.
struct Live {
    runs: Arc<Runs>,
    record: Option<Record>,
    child: Child,
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.runs.end(record, false);
        }
        self.runs.live.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs a program to its end; see [`Runs::run`].
pub(super) async fn run(runs: &Arc<Runs>, looks: &Looks, task: Task) -> io::Result<Ran> {
    let (key, what) = (task.resource.clone(), format!("starting {}", task.program.display()));
    let (owner, runtime) = (Arc::clone(runs), tokio::runtime::Handle::current());
    let begun = looks.look(&key, what, move || {
        let _inside = runtime.enter();
        begin(owner, &task)
    });
    let mut live = begun.await??;
    let stdout = live.child.stdout.take().map(|pipe| collect(pipe, Keep::Beginning(STDOUT_MAX)));
    let stderr = live.child.stderr.take().map(|pipe| collect(pipe, Keep::End(STDERR_MAX)));
    if let Some(mut stdin) = live.child.stdin.take() {
        // One that has been killed already does not read it.
        let _ = stdin.write_all(GO).await;
    }
    let status = live.child.wait().await?;
    let ran = Ran { status, stdout: finish(stdout).await, stderr: finish(stderr).await };
    if let Some(record) = live.record.take() {
        let owner = Arc::clone(runs);
        looks.look(&key, "noting the end of a run", move || owner.settle(&record)).await?;
    }
    Ok(ran)
}

/// Starts a program that waits for its word, and records it. May wait for the file system.
fn begin(runs: Arc<Runs>, task: &Task) -> io::Result<Live> {
    executable(&task.program)?;
    let mut record = runs.prepare(task);
    runs.record(&record);
    let door = record.cgroup.as_deref().map(cgroup::door).unwrap_or_default();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", LAUNCH, "hacd-run"]).arg(door).arg(&task.program).args(&task.arguments);
    command.env_clear().envs(&task.environment).env(MARK, &record.id).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().inspect_err(|_| runs.settle(&record))?;
    record.leader = child.id().and_then(watch::find);
    runs.record(&record);
    runs.live.fetch_add(1, Ordering::SeqCst);
    Ok(Live { runs, record: Some(record), child })
}

/// Whether a program can be run, before a shell is asked to.
fn executable(program: &Path) -> io::Result<()> {
    if !std::fs::metadata(program)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(rustix::fs::access(program, rustix::fs::Access::EXEC_OK)?)
}

/// Which part of an output is kept, bytes.
#[derive(Clone, Copy)]
enum Keep {
    Beginning(usize),
    End(usize),
}

impl Keep {
    fn add(self, all: &mut Vec<u8>, chunk: &[u8]) {
        match self {
            Self::Beginning(limit) => {
                let room = limit.saturating_sub(all.len());
                all.extend(chunk.iter().take(room));
            }
            Self::End(limit) => {
                all.extend_from_slice(chunk);
                // Seldom, so that each byte is moved a few times at most.
                if all.len() > limit.saturating_mul(2) {
                    all.drain(..all.len() - limit);
                }
            }
        }
    }
}

type Collected = (JoinHandle<()>, tokio::sync::watch::Receiver<Vec<u8>>);

/// Reads in the background; the bytes so far are in the shared buffer at any time.
fn collect(pipe: impl AsyncRead + Unpin + Send + 'static, keep: Keep) -> Collected {
    let (buffer, reader) = tokio::sync::watch::channel(Vec::new());
    let task = tokio::spawn(async move {
        let mut pipe = pipe;
        let mut chunk = vec![0; 8 << 10];
        loop {
            // Who is given up has no reader any more.
            let read = tokio::select! {
                read = pipe.read(&mut chunk) => read,
                () = buffer.closed() => break,
            };
            match read {
                Ok(0) | Err(_) => break,
                Ok(size) => buffer.send_modify(|all: &mut Vec<u8>| keep.add(all, chunk.get(..size).unwrap_or(&[]))),
            }
        }
    });
    (task, reader)
}

async fn finish(collected: Option<Collected>) -> Vec<u8> {
    let Some((mut task, reader)) = collected else { return Vec::new() };
    if tokio::time::timeout(LAST_WORDS, &mut task).await.is_err() {
        task.abort();
    }
    reader.borrow().clone()
}
