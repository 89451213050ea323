//! A host and the daemons on it.
//!
//! On its proper ground a host is a network namespace with private mounts, processes and name: it
//! has its own `/etc`, `/var`, `/usr/local` and `/usr/lib/ocf`, written over the machine's
//! and kept across a power-off; `/run` and `/dev/shm` are empty after each start, as on a real one.

mod ground;
mod namespaces;
mod processes;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use ground::Ground;
pub(crate) use ground::{Footing, free_ring_port, free_tcp_port};
pub(crate) use namespaces::inside;
pub use processes::Process;
pub(crate) use processes::cpu_ticks;
use rustix::process::{Pid, Signal, kill_process};

use crate::plan::Plan;
use crate::run::{checked, wait_for};
use crate::{Error, nginx};

/// How long a host may take to come up or go down.
const BOOT_LIMIT: Duration = Duration::from_secs(20);
/// Mode of files that the lab writes unless told otherwise.
const PLAIN: u32 = 0o644;
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
enum Running {
    Namespaces(namespaces::Booted),
    Loopback,
}

/// One host of a [`Lab`](crate::Lab).
#[derive(Debug)]
pub struct Host {
    number: usize,
    footing: Footing,
    directory: PathBuf,
    programs: PathBuf,
    running: Mutex<Option<Running>>,
    daemons: Mutex<BTreeMap<&'static str, Child>>,
    at_boot: Mutex<Vec<Daemon>>,
    /// What is run in place of a daemon's program, by its name.
    installed: Mutex<BTreeMap<String, PathBuf>>,
    /// What daemons find in their environment besides what everything on the host does.
    environment: Mutex<Vec<(&'static str, String)>>,
}

impl Host {
    /// A host that is off. `directory` is the lab's, `programs` one that comes first in the host's
    /// search path.
    pub(crate) fn new(
        number: usize,
        plan: &Plan,
        footing: Footing,
        directory: &Path,
        programs: &Path,
    ) -> Result<Self, Error> {
        let directory = directory.join(Plan::name(number));
        fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        if let Footing::Namespaces { systemd, .. } = footing {
            namespaces::prepare(plan, &directory, systemd)?;
        }
        Ok(Self {
            number,
            footing,
            directory,
            programs: programs.to_owned(),
            running: Mutex::new(None),
            daemons: Mutex::new(BTreeMap::new()),
            at_boot: Mutex::new(Vec::new()),
            installed: Mutex::new(BTreeMap::new()),
            environment: Mutex::new(Vec::new()),
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
        self.footing.private(self.number)
    }

    /// The host's address on the public network.
    pub fn public(&self) -> Ipv4Addr {
        self.footing.public(self.number)
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
        *running = Some(match &self.footing {
            Footing::Namespaces { namespace, network, systemd } => {
                network.link(self.number, true)?;
                network.fresh(self.number)?;
                let log = self.output_file("init")?;
                let booted = namespaces::boot(namespace, self.name(), &self.directory, *systemd, log);
                let booted = booted.map_err(|error| match error {
                    Error::Late { what, limit } => {
                        Error::Late { what: format!("{what}: {}", self.output("init")), limit }
                    }
                    other => other,
                })?;
                Running::Namespaces(booted)
            }
            Footing::Loopback { .. } => {
                for path in ["etc/hacd", "etc/nginx", "var/lib/hacd", "var/log/hacd", "var/www/html", "run"] {
                    let path = self.root().join(path);
                    fs::create_dir_all(&path).map_err(Error::file(path))?;
                }
                Running::Loopback
            }
        });
        Ok(())
    }

    /// Power loss: the cables go dead at once, then everything on the host is killed. Without
    /// namespaces there are no cables: everything is killed.
    ///
    /// # Errors
    /// When the cables cannot be cut. A host that is off stays off.
    pub fn power_off(&self) -> Result<(), Error> {
        let mut running = locked(&self.running);
        let mut result = Ok(());
        match (running.take(), &self.footing) {
            (Some(Running::Namespaces(mut booted)), Footing::Namespaces { network, .. }) => {
                result = network.link(self.number, false);
                // What has been paused reaps nobody, and a host is gone when all on it are reaped.
                locked(&self.daemons).values_mut().for_each(|child| drop(child.kill()));
                booted.kill();
            }
            (Some(_), _) => self.kill_processes()?,
            (None, _) => return Ok(()),
        }
        for (_, mut child) in std::mem::take(&mut *locked(&self.daemons)) {
            // Ended with its host.
            let _ = child.kill();
            let _ = child.wait();
        }
        result
    }

    /// Kills the processes of a host that shares the machine's, until none is left.
    fn kill_processes(&self) -> Result<(), Error> {
        let what = format!("the processes of {} end", self.name());
        wait_for(&what, BOOT_LIMIT, || {
            let left = processes::of_roots(&self.roots());
            left.iter().for_each(|process| signal(process.pid, Signal::KILL));
            left.is_empty().then_some(())
        })
    }

    /// Where the processes of a host that shares the machine's begin: what the lab started, and
    /// the web server, which has left its parents.
    fn roots(&self) -> Vec<i32> {
        let daemons = locked(&self.daemons);
        let mut roots: Vec<i32> = daemons.values().filter_map(|child| i32::try_from(child.id()).ok()).collect();
        let pid = fs::read_to_string(self.root().join("run/nginx.pid")).unwrap_or_default();
        roots.extend(pid.trim().parse::<i32>().ok().filter(|&pid| processes::is_called(pid, "nginx")));
        roots
    }

    /// The directory that a host without private mounts has in place of `/`.
    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Names a daemon that is started whenever the host is switched on.
    pub fn at_boot(&self, daemon: Daemon) {
        locked(&self.at_boot).push(daemon);
    }

    /// From now on nothing is started when the host is switched on: a person does it.
    pub fn nothing_at_boot(&self) {
        locked(&self.at_boot).clear();
    }

    /// From its next start on, a daemon of this host is another program, with the same file name: another release.
    pub fn install(&self, name: &str, program: &Path) {
        locked(&self.installed).insert(name.to_owned(), program.to_owned());
    }

    /// Has lines of shell run now and at every boot, before any daemon, with `$dir` as the host's directory on the machine.
    ///
    /// # Errors
    /// When they cannot be written, or fail now.
    pub(crate) fn boot_with(&self, lines: &str) -> Result<(), Error> {
        write(&self.directory.join("boot.sh"), lines.as_bytes(), PLAIN)?;
        self.shell(&format!("set -eu; dir={}\n{lines}", self.directory.display())).map(drop)
    }

    /// Gives daemons that are started from now on a variable more.
    pub(crate) fn give(&self, name: &'static str, value: String) {
        locked(&self.environment).push((name, value));
    }

    /// The words with which a daemon is started: its program is the one that was installed last.
    fn words(&self, daemon: &Daemon) -> Vec<String> {
        let installed = locked(&self.installed);
        let of = |word: &String| installed.get(word).map_or_else(|| word.clone(), |path| path.display().to_string());
        let first = daemon.command.first().map(of);
        first.into_iter().chain(daemon.command.iter().skip(1).cloned()).collect()
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

    /// Starts a program on the host to be talked to through its standard input and output. It ends with the host.
    ///
    /// # Errors
    /// [`Error::Off`], or when the program cannot be started.
    pub fn converse(&self, command: &[&str]) -> Result<Child, Error> {
        let mut prepared = self.command(command)?;
        prepared.process_group(0); // as for daemons
        let log = self.output_file("converse")?;
        prepared.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        prepared.spawn().map_err(Error::system(format!("cannot run {}", command.join(" "))))
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
        let words = self.words(daemon);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let log = self.output_file(daemon.name)?;
        let mut command = self.command(&words)?;
        command.envs(locked(&self.environment).iter().map(|(name, value)| (name, value)));
        let mut daemons = locked(&self.daemons);
        if let Some(child) = daemons.get_mut(daemon.name)
            && matches!(child.try_wait(), Ok(None))
        {
            let text = format!("{} runs already on {}", daemon.name, self.name());
            return Err(Error::Invalid(text));
        }
        command.process_group(0); // a Ctrl-C on the terminal is for the lab, not for its hosts
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
        if signal_to_send == Signal::CONT {
            // A program that was paused has paused the one that brought it onto the host.
            let daemons = locked(&self.daemons);
            let pids = daemons.values().filter_map(|child| i32::try_from(child.id()).ok());
            pids.for_each(|pid| signal(pid, Signal::CONT));
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
        match &*locked(&self.running) {
            None => Err(Error::Off(self.name().to_owned())),
            Some(Running::Namespaces(booted)) => processes::of_namespace(booted.init),
            Some(Running::Loopback) => Ok(processes::of_roots(&self.roots())),
        }
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
        match (&*locked(&self.running), &self.footing) {
            (_, Footing::Loopback { .. }) => Ok(self.root().join(path.trim_start_matches('/'))),
            (Some(Running::Namespaces(booted)), _) => Ok(PathBuf::from(format!("/proc/{}/root{path}", booted.init))),
            (Some(Running::Loopback) | None, Footing::Namespaces { systemd, .. }) => {
                namespaces::on_disk(&self.directory, path, *systemd).ok_or_else(|| Error::Off(self.name().to_owned()))
            }
        }
    }

    /// Takes over a host of namespaces that another process has switched on.
    pub(crate) fn adopt(&self) {
        let booted = namespaces::Booted::of(&self.directory);
        *locked(&self.running) = booted.map(Running::Namespaces);
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

    /// Where API and metadata service listen for this host alone; none in namespaces, where they
    /// have addresses of their own.
    pub fn cloud(&self) -> Option<SocketAddr> {
        match self.footing {
            Footing::Namespaces { .. } => None,
            Footing::Loopback { cloud, .. } => Some(cloud),
        }
    }

    /// Where the host stands.
    pub(crate) fn footing(&self) -> &Footing {
        &self.footing
    }

    /// The directory with everything that the host keeps.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn command(&self, words: &[&str]) -> Result<Command, Error> {
        match &*locked(&self.running) {
            None => Err(Error::Off(self.name().to_owned())),
            Some(Running::Namespaces(booted)) => Ok(inside(booted.init, &self.programs, words)),
            Some(Running::Loopback) => {
                let mut command = Command::new("env");
                command.args(words).current_dir(self.root());
                namespaces::set_environment(&mut command, &self.programs);
                command.env("HACD_SOCKET", self.root().join("run/hacd.sock"));
                Ok(command)
            }
        }
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
