//! Running a program to its end: recorded before it begins, with bounded output, killed when it is given up.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hac_model::ProcessRef;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::record::Record;
use super::{Kept, MARK, Runs, cgroup, lock, members};
use crate::calls;
use crate::look::{Key, Looks};

/// Standard output beyond this is read and thrown away, so that the program never blocks on a full pipe. Bytes.
const STDOUT_MAX: usize = 4 << 20;

/// Of standard error the end is kept, because the reason of a failure is the last that is said. Bytes.
const STDERR_MAX: usize = 64 << 10;

/// Most of an output that is read at one time, bytes. Lies on the stack.
const CHUNK_MAX: usize = 16 << 10;

/// How long to wait for the end of the output after the program's own end. A service that it started may hold the
/// pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// How long a program's end is told by its outputs alone, which it closes. Most have ended by then, and to have the kernel tell
/// the end of one that leaves its outputs to others costs as much as all that is recorded of a run.
const SOON: Duration = Duration::from_millis(20);

/// How often is asked for the program's end where the kernel does not tell it.
const ASK: Duration = Duration::from_millis(10);

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
    /// What it reads on its standard input, if anything. There may be secrets in it.
    pub(crate) input: Option<String>,
    /// Numbers of the user as whom it is run, and of the group, if not as the daemon. It gets no control group: only the
    /// daemon itself may enter one.
    pub(crate) user: Option<(u32, u32)>,
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

/// A run, as its thread and who waits for it see it.
pub(super) struct Run {
    runs: Arc<Runs>,
    stage: Mutex<Stage>,
}

/// How far a run is.
enum Stage {
    /// It has no process yet.
    Beginning,
    /// Its program runs.
    Live(Record, Kept, Child),
    /// Its thread takes note of its end.
    Over,
    /// Nobody waits for it any more, and it is being ended.
    GivenUp,
}

impl Run {
    pub(super) fn new(runs: &Arc<Runs>) -> Self {
        Self { runs: Arc::clone(runs), stage: Mutex::new(Stage::Beginning) }
    }

    /// Ends it with all that it started, if it is not over.
    fn give_up(&self) {
        let mut stage = lock(&self.stage);
        *stage = match mem::replace(&mut *stage, Stage::GivenUp) {
            Stage::Over => Stage::Over,
            Stage::Live(record, kept, child) => {
                self.runs.end(record, kept, Some(child));
                self.runs.live.fetch_sub(1, Ordering::SeqCst);
                Stage::GivenUp
            }
            // Its thread sees it.
            Stage::Beginning | Stage::GivenUp => Stage::GivenUp,
        };
    }

    /// The whole run; what has to be done afterwards comes beside. Waits for the file system and for the program.
    pub(super) fn serve(&self, key: &Key, task: &Task) -> io::Result<(Ran, Record, Kept)> {
        let (record, kept, mut child) = begin(&self.runs, task)?;
        key.is_past();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut end = End::new(child.id());
        self.runs.live.fetch_add(1, Ordering::SeqCst);
        let unwanted = {
            let mut stage = lock(&self.stage);
            matches!(mem::replace(&mut *stage, Stage::Live(record, kept, child)), Stage::GivenUp)
        };
        let said =
            if unwanted { Err(io::Error::other("nobody waits for it")) } else { self.attend(&mut end, stdout, stderr) };
        let (stdout, stderr) = said.inspect_err(|_| self.give_up())?;
        let stage = mem::replace(&mut *lock(&self.stage), Stage::Over);
        let Stage::Live(record, kept, mut child) = stage else {
            *lock(&self.stage) = stage;
            return Err(io::Error::other("it was given up"));
        };
        match calls::wait(&mut child) {
            Ok(status) => Ok((Ran { status, stdout, stderr }, record, kept)),
            Err(error) => {
                self.runs.settle(&record, kept);
                self.runs.live.fetch_sub(1, Ordering::SeqCst);
                Err(error)
            }
        }
    }
}

/// Gives a run up when it is dropped.
struct Waiting(Arc<Run>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// Runs a program to its end; see [`Runs::run`]. All of it is done by one thread that may wait: each change of threads costs
/// as much as what is recorded of the run.
pub(super) async fn run(runs: &Arc<Runs>, looks: &Arc<Looks>, task: Task) -> io::Result<Ran> {
    let (key, what) = (task.resource.clone(), format!("starting {}", task.program.display()));
    let run = Arc::new(Run::new(runs));
    let waiting = Waiting(Arc::clone(&run));
    let work = move |key: &Key| match run.serve(key, &task) {
        Ok((ran, record, kept)) => (Ok(ran), Some((record, kept))),
        Err(error) => (Err(error), None),
    };
    let owner = Arc::clone(runs);
    // Nobody who waits for the result has to wait for this, but what is done next with the resource comes after it.
    let note = move |noted: Option<(Record, Kept)>| {
        if let Some((record, kept)) = noted {
            owner.settle(&record, kept);
            owner.live.fetch_sub(1, Ordering::SeqCst);
        }
    };
    let ran = looks.look_then(&key, what, work, "noting the end of a run", note).await;
    drop(waiting);
    ran?
}

/// Records a run and starts its program. May wait for the file system.
fn begin(runs: &Runs, task: &Task) -> io::Result<(Record, Kept, Child)> {
    if let Some(folder) = task.folder.filter(|folder| !runs.has_seen(folder)) {
        // If that fails the program itself says so.
        let _ = calls::make_folders(Path::new(folder));
    }
    if runs.cgroups.is_ok() && task.user.is_none() {
        // The shell that enters the group would not say it.
        calls::executable(&task.program)?;
    }
    runs.begin_life();
    let mut record = runs.prepare(task);
    let mut kept = match runs.keep(&record) {
        Ok(slot) => Kept::Slot(slot),
        Err(error) if leaves_nothing(&task.action) => {
            tracing::warn!(target: "hacd::agents", "{record} could not be recorded: {error}");
            Kept::Nowhere
        }
        Err(error) => {
            runs.settle(&record, Kept::Nowhere);
            let place = runs.folder.display();
            let why = format!("it is not run, because it cannot be recorded in {place}: {error}");
            return Err(io::Error::new(error.kind(), why));
        }
    };
    let before = members::ticks();
    let child = match spawn(runs, task, &record) {
        Ok(child) => child,
        Err(error) => {
            runs.settle(&record, kept);
            return Err(calls::executable(&task.program).err().unwrap_or(error));
        }
    };
    record.leader = members::begun(child.id(), before);
    if let (Kept::Slot(slot), Some(leader)) = (&mut kept, record.leader)
        && let Err(error) = slot.lead(leader)
    {
        // The record stays: a later life looks for the mark instead.
        tracing::warn!(target: "hacd::agents", "the first process of the {record} could not be recorded: {error}");
    }
    if let Some(leader) = record.leader.filter(|_| runs.protected && record.cgroup.is_none()) {
        give_protection_up(&leader);
    }
    Ok((record, kept, child))
}

/// Whether nothing of an action may be left that a later life of the daemon would have to know of, or it must be tried in any
/// case: what runs must be looked at and stopped, and a node that fails must be fenced, also with a full `/run`. To begin
/// something that nobody could find is worse than not to begin it.
fn leaves_nothing(action: &str) -> bool {
    !matches!(action, "start" | "promote" | "migrate_to" | "migrate_from" | "reload" | "reload-agent")
}

/// Starts the program: by itself, or if it has to enter a control group by a shell that does so.
fn spawn(runs: &Runs, task: &Task, record: &Record) -> io::Result<Child> {
    let start = |mut command: Command| {
        command.stdin(match &task.input {
            // Nobody waits until it has been read, and it lies nowhere.
            Some(input) => Stdio::from(calls::in_memory("hacd-input", input)?),
            None => runs.nothing(),
        });
        command.args(&task.arguments).env_clear().envs(&task.environment).env(MARK, &record.id).current_dir("/");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some((user, group)) = task.user {
            command.uid(user).gid(group);
        }
        calls::spawn(&mut command)
    };
    let shell = || Command::new("/bin/sh");
    if let Some(cgroup) = &record.cgroup {
        let mut command = shell();
        command.args(["-c", LAUNCH, "hacd-run"]).arg(cgroup::door(cgroup)).arg(&task.program);
        return start(command);
    }
    match start(Command::new(&task.program)) {
        // A script that does not say what reads it.
        Err(error) if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
            let mut command = shell();
            command.arg(&task.program);
            start(command)
        }
        // If the program itself is not there, that is said instead.
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

/// The end of a process that this one started and has not taken note of.
struct End {
    pid: Option<Pid>,
    /// Becomes readable then; nothing where the kernel does not give it, or was not asked for it yet.
    descriptor: Option<OwnedFd>,
}

impl End {
    fn new(pid: u32) -> Self {
        Self { pid: i32::try_from(pid).ok().and_then(Pid::from_raw), descriptor: None }
    }

    /// Has the kernel tell it.
    fn watch(&mut self) {
        self.descriptor = self.pid.and_then(|pid| calls::end_of(pid).ok());
    }

    /// Whether it has come. Its parent still has to take note of it.
    fn has_come(&self) -> bool {
        // Another thread has taken note of it.
        self.state(WaitIdOptions::NOHANG).unwrap_or(true)
    }

    /// Waits for it. Its parent still has to take note of it.
    fn wait(&self) -> io::Result<()> {
        calls::await_end(|| match self.state(WaitIdOptions::empty()) {
            Err(Errno::INTR) => Err(Errno::INTR.into()),
            Ok(_) | Err(_) => Ok(()),
        })
    }

    fn state(&self, more: WaitIdOptions) -> rustix::io::Result<bool> {
        let Some(pid) = self.pid else { return Ok(true) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | more;
        rustix::process::waitid(WaitId::Pid(pid), options).map(|status| status.is_some())
    }
}

/// What a program said: the beginning of its standard output, the end of its standard error.
type Said = (Vec<u8>, Vec<u8>);

impl Run {
    /// Has the kernel tell the end of the program. It has not been taken note of, so its number is nobody else's.
    fn watch(&self, end: &mut End) -> io::Result<()> {
        let stage = lock(&self.stage);
        if !matches!(*stage, Stage::Live(..)) {
            return Err(io::Error::other("it was given up"));
        }
        end.watch();
        Ok(())
    }

    /// Reads what a program says until it has ended. Waits as long as it runs.
    fn attend(&self, end: &mut End, stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) -> io::Result<Said> {
        let mut stdout = Output { pipe: stdout, keep: Keep::Beginning(STDOUT_MAX), kept: Vec::new() };
        let mut stderr = Output { pipe: stderr, keep: Keep::End(STDERR_MAX), kept: Vec::new() };
        let mut soon = Some(Instant::now() + SOON);
        let mut until: Option<Instant> = None;
        let mut chunk = [0; CHUNK_MAX];
        loop {
            if stdout.pipe.is_none() && stderr.pipe.is_none() {
                match end.wait() {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    waited => return waited.map(|()| (stdout.kept, stderr.kept)),
                }
            }
            let now = Instant::now();
            if until.is_some_and(|until| now >= until) {
                return Ok((stdout.kept, stderr.kept));
            }
            if soon.is_some_and(|soon| now >= soon) {
                soon = None;
                self.watch(end)?;
            }
            let limit = until.or(soon).map(|until| until.saturating_duration_since(now));
            let asks_often = limit.is_none() && end.descriptor.is_none();
            let limit = limit.or_else(|| asks_often.then_some(ASK)).and_then(|limit| Timespec::try_from(limit).ok());
            let outputs = (stdout.pipe.as_ref().map(AsFd::as_fd), stderr.pipe.as_ref().map(AsFd::as_fd));
            let ending = end.descriptor.as_ref().map(AsFd::as_fd).filter(|_| until.is_none());
            let all = [outputs.0, outputs.1, ending].into_iter().flatten();
            let mut polled: Vec<PollFd<'_>> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
            match calls::poll(&mut polled, limit.as_ref()) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let mut ready = polled.iter().map(|polled| !polled.revents().is_empty());
            let mut is_ready = |there: bool| there && ready.next().unwrap_or(false);
            let (out, err) = (is_ready(outputs.0.is_some()), is_ready(outputs.1.is_some()));
            let ended = is_ready(ending.is_some()) || asks_often && end.has_come();
            drop(polled);
            if out {
                stdout.read(&mut chunk);
            }
            if err {
                stderr.read(&mut chunk);
            }
            if ended {
                until = Some(Instant::now() + LAST_WORDS);
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
    /// Nothing when there is nothing more to come.
    pipe: Option<P>,
    keep: Keep,
    kept: Vec<u8>,
}

impl<P: Read> Output<P> {
    /// Reads what is there, which must be something or the end.
    fn read(&mut self, chunk: &mut [u8]) {
        let Some(pipe) = &mut self.pipe else { return };
        match calls::read(pipe, chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => self.pipe = None,
            Ok(size) => self.keep.add(&mut self.kept, chunk.get(..size).unwrap_or_default()),
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
