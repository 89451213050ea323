//! Hosts made of namespaces: how they boot, where their files are, how one gets in.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::{BOOT_LIMIT, PLAIN, signal, write};
use crate::plan::Plan;
use crate::run::wait_for;
use crate::{Error, guard};

/// What the first process of a host runs.
const INIT: &str = include_str!("init.sh");
/// What the first process of a host runs that becomes systemd.
const SYSTEMD: &str = include_str!("systemd.sh");
/// The trees that a host has for itself, longest names first where one holds another.
const PRIVATE_TREES: [&str; 4] = ["/usr/lib/ocf", "/usr/local", "/etc", "/var"];

/// A host that has booted.
#[derive(Debug)]
pub(super) struct Booted {
    /// The process that made the namespaces and waits for process 1; none for a host that another
    /// process has switched on.
    outer: Option<Child>,
    /// Process 1 as seen from the machine.
    pub(super) init: i32,
}

impl Booted {
    /// A host that another process has booted, if it still runs.
    pub(super) fn of(directory: &Path) -> Option<Self> {
        let text = fs::read_to_string(directory.join("init.pid")).ok()?;
        let init = text.trim().parse().ok().filter(|&init| guard::is_alive(init))?;
        Some(Self { outer: None, init })
    }

    /// Kills everything on the host. Process 1 is reaped after all others, so afterwards there is
    /// nothing left.
    pub(super) fn kill(&mut self) {
        signal(self.init, Signal::KILL);
        match &mut self.outer {
            // Its end is the host's end; there is no failure to tell.
            Some(outer) => drop(outer.wait()),
            None => drop(wait_for("the host ends", BOOT_LIMIT, || (!guard::is_alive(self.init)).then_some(()))),
        }
    }
}

/// Writes what the first process of a host needs.
pub(super) fn prepare(plan: &Plan, directory: &Path, systemd: bool) -> Result<(), Error> {
    let mut hosts = String::from("127.0.0.1 localhost\n203.0.113.1 api.digitalocean.com\n");
    for host in plan.hosts() {
        hosts.push_str(&format!("{} {}\n", Plan::private(host), Plan::name(host)));
    }
    write(&directory.join("hosts"), hosts.as_bytes(), PLAIN)?;
    let init = if systemd { SYSTEMD } else { INIT };
    write(&directory.join("init.sh"), init.as_bytes(), PLAIN)
}

/// Makes the namespaces of a host and waits until its first process has mounted everything.
pub(super) fn boot(namespace: &str, name: &str, directory: &Path, systemd: bool, log: File) -> Result<Booted, Error> {
    let mark = directory.join("init.pid");
    let _ = fs::remove_file(&mark); // it is there only after an earlier life
    // systemd wants a tree of control groups for itself.
    let groups = if systemd { "--cgroup" } else { "" };
    let script = format!("exec 3<\"$1\"; shift; exec unshare --mount --uts --ipc --pid {groups} --fork sh \"$@\"");
    let mut outer = Command::new("ip")
        .args(["netns", "exec", namespace, "sh", "-c", &script, "sh"])
        .arg(directory.join("../alive"))
        .arg(directory.join("init.sh"))
        .args([Path::new(name), directory])
        .process_group(0) // a Ctrl-C on the terminal is for the lab, not for its hosts
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(Error::file(directory))?)
        .stderr(log)
        .spawn()
        .map_err(Error::system("cannot run ip"))?;
    let booted = wait_for(&format!("{name} boots"), BOOT_LIMIT, || {
        let text = fs::read_to_string(&mark).ok()?;
        text.trim().parse::<i32>().ok()
    });
    match booted {
        Ok(init) => Ok(Booted { outer: Some(outer), init }),
        Err(error) => {
            let _ = outer.kill(); // it may have ended by itself
            let _ = outer.wait();
            Err(error)
        }
    }
}

/// Where a path of a host that is off lies, if the host has that tree for itself.
pub(super) fn on_disk(directory: &Path, path: &str, systemd: bool) -> Option<PathBuf> {
    if systemd {
        return Some(directory.join("disk/root").join(path.trim_start_matches('/')));
    }
    let tree = PRIVATE_TREES.iter().find(|tree| path.starts_with(**tree))?;
    let below = path.strip_prefix(tree)?;
    let disk = directory.join("disk").join(tree.replace('/', "_"));
    Some(disk.join(below.trim_start_matches('/')))
}

/// A command that runs inside the host whose process 1 is `init`.
pub(crate) fn inside(init: i32, programs: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-t", &init.to_string(), "-m", "-u", "-i", "-n", "-p", "--"]).args(words);
    set_environment(&mut command, programs);
    command
}

/// The environment of everything that runs on a host; `programs` comes first in the search path.
pub(super) fn set_environment(command: &mut Command, programs: &Path) {
    let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", "/run")
        .env("LANG", "C.UTF-8")
        .env("TERM", std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned()));
}
