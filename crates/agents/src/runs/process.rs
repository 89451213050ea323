//! Running a program to its end: recorded before it begins, with bounded output, killed when it is given up.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hac_model::ProcessRef;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::record::Record;
use super::{MARK, Runs, cgroup, members};
use crate::look::Looks;

/// Standard output beyond this is read and thrown away, so that the program never blocks on a full pipe. Bytes.
const STDOUT_MAX: usize = 4 << 20;

/// Of standard error the end is kept, because the reason of a failure is the last that is said. Bytes.
const STDERR_MAX: usize = 64 << 10;

/// Most of an output that is read at one time, bytes.
const CHUNK_MAX: usize = 16 << 10;

/// How long to wait for the end of the output after the program's own end. A service that it started may hold the
/// pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Enters the control group, gives up the daemon's protection from the want of memory, and becomes the program. Only where
/// there is a group: entering it from outside would leave what the program starts at once where the daemon is.
const LAUNCH: &str = r#"c=$1; shift
echo 0 > "$c" || exit 125
{ echo 0 > /proc/self/oom_score_adj; } 2>/dev/null
unset c
exec "$@""#;

/// How much the kernel prefers to end another process when memory is short.
const OOM_SCORE_ADJ: &str = "oom_score_adj";

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
    /// A folder that it expects to be there, if any.
    pub(crate) folder: Option<&'static str>,
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
pub(super) async fn run(runs: &Arc<Runs>, looks: &Arc<Looks>, task: Task) -> io::Result<Ran> {
    let (key, what) = (task.resource.clone(), format!("starting {}", task.program.display()));
    let (owner, runtime) = (Arc::clone(runs), tokio::runtime::Handle::current());
    let begun = looks.look(&key, what, move || {
        let _inside = runtime.enter();
        begin(owner, &task)
    });
    let (mut live, mut child) = begun.await??;
    let ran = attend(&mut child).await?;
    match &live.record {
        // The folder of the records is on no disk.
        Some(record) if record.cgroup.is_none() => {
            runs.settle(record);
            live.record = None;
        }
        // Nobody who waits for the result has to wait for this, but what is done next with the resource comes after it.
        _ => looks.leave(key, "noting the end of a run", move || {
            if let Some(record) = live.record.take() {
                live.runs.settle(&record);
            }
        }),
    }
    Ok(ran)
}

/// Records a run and starts its program. May wait for the file system.
fn begin(runs: Arc<Runs>, task: &Task) -> io::Result<(Live, Child)> {
    if let Some(folder) = task.folder {
        // If that fails the program itself says so.
        let _ = std::fs::create_dir_all(folder);
    }
    executable(&task.program)?;
    runs.begin_life();
    let mut record = runs.prepare(task);
    // A run whose record cannot be written is run all the same: without monitors and stops a full `/run` would be worse.
    let unrecorded = |record: &Record, error: &io::Error| tracing::warn!(target: "hacd::agents", "{record} could not be recorded: {error}");
    let mut file = record.write(&runs.folder).inspect_err(|error| unrecorded(&record, error)).ok();
    let child = spawn(task, &record).inspect_err(|_| runs.settle(&record))?;
    let leader = child.id().and_then(members::process);
    if let Err(error) = record.lead(leader, file.as_mut()) {
        unrecorded(&record, &error);
    }
    if let Some(leader) = leader.filter(|_| runs.protected && record.cgroup.is_none()) {
        give_protection_up(&leader);
    }
    runs.live.fetch_add(1, Ordering::SeqCst);
    Ok((Live { runs, record: Some(record) }, child))
}

/// Starts the program: by itself, or if it has to enter a control group by a shell that does so.
fn spawn(task: &Task, record: &Record) -> io::Result<Child> {
    let start = |mut command: Command| {
        command.args(&task.arguments).env_clear().envs(&task.environment).env(MARK, &record.id).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command.spawn()
    };
    let shell = || Command::new("/bin/sh");
    if let Some(cgroup) = &record.cgroup {
        let mut command = shell();
        command.args(["-c", LAUNCH, "hacd-run"]).arg(cgroup::door(cgroup)).arg(&task.program);
        return start(command);
    }
    match start(Command::new(&task.program)) {
        // A script that does not say what reads it.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            let mut command = shell();
            command.arg(&task.program);
            start(command)
        }
        // It is there: that was looked at.
        Err(error) if error.kind() == ErrorKind::NotFound => Err(io::Error::other("what is to read it is not there")),
        result => result,
    }
}

/// Whether this process is protected from the want of memory.
pub(super) fn is_protected() -> bool {
    std::fs::read_to_string(Path::new("/proc/self").join(OOM_SCORE_ADJ)).is_ok_and(|text| text.trim() != "0")
}

/// Gives up what a program inherited of the daemon's protection, and what it started so far.
fn give_protection_up(leader: &ProcessRef) {
    let process = Path::new("/proc").join(leader.pid.to_string());
    // They may have ended in between.
    let _ = std::fs::write(process.join(OOM_SCORE_ADJ), "0");
    let children = process.join("task").join(leader.pid.to_string()).join("children");
    for child in std::fs::read_to_string(children).unwrap_or_default().split_whitespace() {
        let _ = std::fs::write(Path::new("/proc").join(child).join(OOM_SCORE_ADJ), "0");
    }
}

/// Whether a program can be run, before anything is recorded of it.
fn executable(program: &Path) -> io::Result<()> {
    if !std::fs::metadata(program)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(rustix::fs::access(program, rustix::fs::Access::EXEC_OK)?)
}

/// Reads what a program says until it has ended.
async fn attend(child: &mut Child) -> io::Result<Ran> {
    let mut stdout = Output::new(child.stdout.take(), Keep::Beginning(STDOUT_MAX));
    let mut stderr = Output::new(child.stderr.take(), Keep::End(STDERR_MAX));
    let mut ended = None;
    let mut until = Instant::now();
    loop {
        if let Some(status) = ended.filter(|_| stdout.is_over() && stderr.is_over()) {
            return Ok(Ran { status, stdout: stdout.kept, stderr: stderr.kept });
        }
        tokio::select! {
            () = stdout.read(), if !stdout.is_over() => {}
            () = stderr.read(), if !stderr.is_over() => {}
            status = child.wait(), if ended.is_none() => {
                ended = Some(status?);
                until = Instant::now() + LAST_WORDS;
            }
            () = tokio::time::sleep_until(until), if ended.is_some() => {
                stdout.pipe = None;
                stderr.pipe = None;
            }
        }
    }
}

/// Which part of an output is kept, bytes.
#[derive(Clone, Copy)]
enum Keep {
    Beginning(usize),
    End(usize),
}

/// An output of a program.
struct Output<P> {
    /// Nothing when there is nothing more to come, or nobody waits for it any more.
    pipe: Option<P>,
    keep: Keep,
    kept: Vec<u8>,
    chunk: Vec<u8>,
}

impl<P: AsyncRead + Unpin> Output<P> {
    const fn new(pipe: Option<P>, keep: Keep) -> Self {
        Self { pipe, keep, kept: Vec::new(), chunk: Vec::new() }
    }

    const fn is_over(&self) -> bool {
        self.pipe.is_none()
    }

    /// Reads what is there, if anything. Dropped, it has read nothing.
    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read_buf(&mut self.chunk).await {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(_) => {
                self.keep.add(&mut self.kept, &self.chunk);
                // Most say nothing or one line; who says more is read in larger pieces.
                let more = self.chunk.len() == self.chunk.capacity() && self.chunk.len() < CHUNK_MAX;
                self.chunk.clear();
                self.chunk.reserve(if more { CHUNK_MAX } else { 0 });
            }
        }
    }
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
