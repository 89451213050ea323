//! A host: a network namespace with private mounts, processes and name, and the daemons on it.
//!
//! A host has its own `/etc`, `/var`, `/usr/local` and `/usr/lib/ocf`, written over the machine's
//! and kept across a power-off; `/run` and `/dev/shm` are empty after each start, as on a real one.

mod processes;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use processes::Process;
use rustix::process::{Pid, Signal, kill_process};

use crate::network::Network;
use crate::plan::Plan;
use crate::run::{checked, wait_for};
use crate::{Error, guard, nginx};

/// What the first process of a host runs.
const INIT: &str = include_str!("host/init.sh");
/// How long a host may take to come up or go down.
const BOOT_LIMIT: Duration = Duration::from_secs(20);
/// Mode of files that the lab writes unless told otherwise.
const PLAIN: u32 = 0o644;
/// The trees that a host has for itself, longest names first where one holds another.
const PRIVATE_TREES: [&str; 4] = ["/usr/lib/ocf", "/usr/local", "/etc", "/var"];

/// A program that a host runs in the foreground of its own, with what it prints in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// What it is called in this lab; its output is in `NAME.out` in the host's directory.
    pub name: &'static str,
    /// Program and arguments.
    pub command: Vec<String>,
}

/// A host that is switched on.
#[derive(Debug)]
struct Running {
    /// The process that made the namespaces and waits for process 1; none for a host that another
    /// process has switched on.
    outer: Option<Child>,
    /// Process 1 as seen from the machine.
    init: i32,
}

impl Running {
    /// Waits until the last process of the host is gone: process 1 is reaped after all others.
    fn wait_gone(&mut self) {
        match &mut self.outer {
            // Its end is the host's end; there is no failure to tell.
            Some(outer) => drop(outer.wait()),
            None => drop(wait_for("the host ends", BOOT_LIMIT, || (!guard::is_alive(self.init)).then_some(()))),
        }
    }
}

/// One host of a [`Lab`](crate::Lab).
#[derive(Debug)]
pub struct Host {
    number: usize,
    namespace: String,
    directory: PathBuf,
    programs: PathBuf,
    network: Network,
    running: Mutex<Option<Running>>,
    daemons: Mutex<BTreeMap<&'static str, Child>>,
    at_boot: Mutex<Vec<Daemon>>,
}

impl Host {
    /// A host that is off. `directory` holds what it keeps, `alive` is the pipe whose end ends it,
    /// `programs` a directory that comes first in its search path.
    pub(crate) fn new(
        number: usize,
        plan: &Plan,
        network: Network,
        directory: &Path,
        programs: &Path,
    ) -> Result<Self, Error> {
        let directory = directory.join(Plan::name(number));
        fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        let mut hosts = String::from("127.0.0.1 localhost\n203.0.113.1 api.digitalocean.com\n");
        for other in plan.hosts() {
            hosts.push_str(&format!("{} {}\n", Plan::private(other), Plan::name(other)));
        }
        write(&directory.join("hosts"), hosts.as_bytes(), PLAIN)?;
        write(&directory.join("init.sh"), INIT.as_bytes(), PLAIN)?;
        Ok(Self {
            number,
            namespace: plan.host_namespace(number),
            directory,
            programs: programs.to_owned(),
            network,
            running: Mutex::new(None),
            daemons: Mutex::new(BTreeMap::new()),
            at_boot: Mutex::new(Vec::new()),
        })
    }

    /// The host's number, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The host's name.
    pub fn name(&self) -> &'static str {
        Plan::name(self.number)
    }

    /// The host's address on the private network.
    pub fn private(&self) -> Ipv4Addr {
        Plan::private(self.number)
    }

    /// The host's address on the public network.
    pub fn public(&self) -> Ipv4Addr {
        Plan::public(self.number)
    }

    /// Whether the host is switched on.
    pub fn is_on(&self) -> bool {
        locked(&self.running).is_some()
    }

    /// Plugs the cables in and boots the host; what [`Self::at_boot`] names is started.
    ///
    /// # Errors
    /// When the namespaces cannot be made. A host that is on stays as it is.
    pub fn power_on(&self) -> Result<(), Error> {
        self.boot()?;
        let daemons = locked(&self.at_boot).clone();
        daemons.iter().try_for_each(|daemon| self.start(daemon))
    }

    fn boot(&self) -> Result<(), Error> {
        let mut running = locked(&self.running);
        if running.is_some() {
            return Ok(());
        }
        self.network.link(self.number, true)?;
        let mark = self.directory.join("init.pid");
        let _ = fs::remove_file(&mark); // it is there only after an earlier life
        let log = self.output_file("init")?;
        let alive = self.directory.join("../alive");
        let script = "exec 3<\"$1\"; shift; exec unshare --mount --uts --ipc --pid --fork sh \"$@\"";
        let mut outer = Command::new("ip")
            .args(["netns", "exec", &self.namespace, "sh", "-c", script, "sh"])
            .process_group(0) // a Ctrl-C on the terminal is for the lab, not for its hosts
            .arg(&alive)
            .arg(self.directory.join("init.sh"))
            .args([Path::new(self.name()), &self.directory])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(Error::file(&self.directory))?)
            .stderr(log)
            .spawn()
            .map_err(Error::system("cannot run ip"))?;
        let booted = wait_for("the host boots", BOOT_LIMIT, || {
            let text = fs::read_to_string(&mark).ok()?;
            text.trim().parse::<i32>().ok()
        });
        match booted {
            Ok(init) => {
                *running = Some(Running { outer: Some(outer), init });
                Ok(())
            }
            Err(_) => {
                let _ = outer.kill(); // it may have ended by itself
                let _ = outer.wait();
                Err(Error::Command {
                    command: format!("boot of {}", self.name()),
                    status: "not up in time".to_owned(),
                    text: self.output("init"),
                })
            }
        }
    }

    /// Power loss: the cables go dead at once, then everything on the host is killed.
    ///
    /// # Errors
    /// When the cables cannot be cut. A host that is off stays off.
    pub fn power_off(&self) -> Result<(), Error> {
        let mut running = locked(&self.running);
        if let Some(mut now) = running.take() {
            let cut = self.network.link(self.number, false);
            signal(now.init, Signal::KILL);
            now.wait_gone();
            for (_, mut child) in std::mem::take(&mut *locked(&self.daemons)) {
                let _ = child.wait(); // killed with its host
            }
            cut?;
        }
        Ok(())
    }

    /// Names a daemon that is started whenever the host is switched on.
    pub fn at_boot(&self, daemon: Daemon) {
        locked(&self.at_boot).push(daemon);
    }

    /// Runs a program on the host and gives what it did, well or badly.
    ///
    /// # Errors
    /// [`Error::Off`], or when the program cannot be started.
    pub fn output_of(&self, command: &[&str]) -> Result<Output, Error> {
        let mut prepared = self.command(command)?;
        prepared.stdin(Stdio::null()).output().map_err(Error::system(format!("cannot run {}", command.join(" "))))
    }

    /// Runs a program on the host and gives what it printed.
    ///
    /// # Errors
    /// [`Error::Command`] unless it ended with exit code 0.
    pub fn exec(&self, command: &[&str]) -> Result<String, Error> {
        let output = self.output_of(command)?;
        checked(&format!("{}: {}", self.name(), command.join(" ")), &output)
    }

    /// Runs a line of shell on the host.
    ///
    /// # Errors
    /// [`Error::Command`] unless it ended with exit code 0.
    pub fn shell(&self, line: &str) -> Result<String, Error> {
        self.exec(&["sh", "-c", line])
    }

    /// Starts a daemon; it runs until it ends or the host dies.
    ///
    /// # Errors
    /// When it runs already, or cannot be started.
    pub fn start(&self, daemon: &Daemon) -> Result<(), Error> {
        let mut daemons = locked(&self.daemons);
        if let Some(child) = daemons.get_mut(daemon.name)
            && matches!(child.try_wait(), Ok(None))
        {
            let text = format!("{} runs already on {}", daemon.name, self.name());
            return Err(Error::Invalid(text));
        }
        let words: Vec<&str> = daemon.command.iter().map(String::as_str).collect();
        let log = self.output_file(daemon.name)?;
        let mut command = self.command(&words)?;
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(Error::file(&self.directory))?).stderr(log);
        let child = command.spawn().map_err(Error::system(format!("cannot start {}", daemon.name)))?;
        daemons.insert(daemon.name, child);
        Ok(())
    }

    /// How a daemon ended; `None` while it runs.
    ///
    /// # Errors
    /// When it was never started.
    pub fn ended(&self, name: &str) -> Result<Option<ExitStatus>, Error> {
        let mut daemons = locked(&self.daemons);
        let child = daemons
            .get_mut(name)
            .ok_or_else(|| Error::Invalid(format!("{name} was not started on {}", self.name())))?;
        child.try_wait().map_err(Error::system(format!("cannot wait for {name}")))
    }

    /// Sends a signal to all processes of the host with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn signal(&self, process: &str, signal_to_send: Signal) -> Result<(), Error> {
        let found = self.processes_named(process)?;
        if found.is_empty() {
            let text = format!("no process {process} on {}", self.name());
            return Err(Error::Invalid(text));
        }
        for process in found {
            signal(process.pid, signal_to_send);
        }
        Ok(())
    }

    /// Asks a daemon to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end within `limit`.
    pub fn stop(&self, name: &str, limit: Duration) -> Result<ExitStatus, Error> {
        self.signal(name, Signal::TERM)?;
        self.wait_ended(name, limit)
    }

    /// Kills a daemon (SIGKILL) and nothing else, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self, name: &str) -> Result<(), Error> {
        self.signal(name, Signal::KILL)?;
        self.wait_ended(name, BOOT_LIMIT).map(drop)
    }

    fn wait_ended(&self, name: &str, limit: Duration) -> Result<ExitStatus, Error> {
        let what = format!("{name} on {} ends", self.name());
        wait_for(&what, limit, || self.ended(name).transpose())?
    }

    /// All processes of the host.
    ///
    /// # Errors
    /// [`Error::Off`].
    pub fn processes(&self) -> Result<Vec<Process>, Error> {
        processes::of_namespace(self.init()?)
    }

    /// The processes of the host with this name (as in `/proc/PID/comm`).
    ///
    /// # Errors
    /// [`Error::Off`].
    pub fn processes_named(&self, name: &str) -> Result<Vec<Process>, Error> {
        let mut found = self.processes()?;
        found.retain(|process| process.name == name);
        Ok(found)
    }

    /// What a daemon (or the boot: `init`) has printed since the lab began.
    pub fn output(&self, name: &str) -> String {
        fs::read(self.directory.join(format!("{name}.out")))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Reads a file of the host, also of one that is off.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn read(&self, path: &str) -> Result<String, Error> {
        let outside = self.outside(path)?;
        let bytes = fs::read(&outside).map_err(Error::file(outside))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file of the host with mode 644, also of one that is off.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: &str) -> Result<(), Error> {
        self.write_with_mode(path, content.as_bytes(), PLAIN)
    }

    /// Writes a file of the host with the permission bits `mode`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_with_mode(&self, path: &str, content: &[u8], mode: u32) -> Result<(), Error> {
        let outside = self.outside(path)?;
        if let Some(parent) = outside.parent() {
            fs::create_dir_all(parent).map_err(Error::file(parent))?;
        }
        write(&outside, content, mode)
    }

    /// Where a path of the host is found from the machine.
    ///
    /// # Errors
    /// [`Error::Off`] for a path that a switched-off host does not have.
    pub fn outside(&self, path: &str) -> Result<PathBuf, Error> {
        if let Ok(init) = self.init() {
            return Ok(PathBuf::from(format!("/proc/{init}/root{path}")));
        }
        let tree = PRIVATE_TREES
            .iter()
            .find(|tree| path.starts_with(**tree))
            .ok_or_else(|| Error::Off(self.name().to_owned()))?;
        let below = path.strip_prefix(tree).unwrap_or_default();
        let disk = self.directory.join("disk").join(tree.replace('/', "_"));
        Ok(disk.join(below.trim_start_matches('/')))
    }

    /// Takes over a host that another process has switched on.
    pub(crate) fn adopt(&self) {
        let text = fs::read_to_string(self.directory.join("init.pid")).unwrap_or_default();
        if let Ok(init) = text.trim().parse()
            && guard::is_alive(init)
        {
            *locked(&self.running) = Some(Running { outer: None, init });
        }
    }

    /// Forgets that the host is on, so that it outlives this process.
    pub(crate) fn leave(&self) {
        *locked(&self.running) = None;
        locked(&self.daemons).clear();
    }

    /// Gives the host its web server's configuration and page.
    pub(crate) fn furnish(&self) -> Result<(), Error> {
        nginx::furnish(self)
    }

    /// Process 1 of the host as seen from the machine.
    pub(crate) fn init(&self) -> Result<i32, Error> {
        locked(&self.running).as_ref().map(|running| running.init).ok_or_else(|| Error::Off(self.name().to_owned()))
    }

    /// The directory with everything that the host keeps.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn command(&self, words: &[&str]) -> Result<Command, Error> {
        Ok(inside(self.init()?, &self.programs, words))
    }

    fn output_file(&self, name: &str) -> Result<File, Error> {
        let path = self.directory.join(format!("{name}.out"));
        OpenOptions::new().create(true).append(true).open(&path).map_err(Error::file(path))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Nothing can be done about a cable that cannot be cut: the namespace goes next.
        let _ = self.power_off();
    }
}

/// A command that runs inside the host whose process 1 is `init`.
pub(crate) fn inside(init: i32, programs: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["-t", &init.to_string(), "-m", "-u", "-i", "-n", "-p", "--"])
        .args(words)
        .env_clear()
        .env("PATH", search_path(programs))
        .env("HOME", "/run")
        .env("LANG", "C.UTF-8")
        .env("TERM", std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned()));
    command
}

fn search_path(programs: &Path) -> String {
    format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", programs.display())
}

/// Sends a signal to a process of the machine; one that is gone needs none.
fn signal(pid: i32, signal_to_send: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal_to_send);
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    fs::write(path, content).map_err(Error::file(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file(path))
}

/// A lock whose holder panicked still guards sound data here: every change is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
