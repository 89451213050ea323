//! What `init` and `join` have in common: a host that is not part of a cluster yet, the files that make it one, and starting
//! the daemon.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::failure::Failure;
use crate::terminal;

/// Exit code when something that is there would have to be overwritten (`EX_CANTCREAT`).
const EXISTS: u8 = 73;

/// Processes that would fight with hacd over ports and resources.
const OTHERS: &[&str] = &["corosync", "pacemakerd", "keepalived"];

/// Where the files of this host are, and how its daemon is started.
#[derive(Clone, Debug, Args)]
pub(crate) struct FreshArgs {
    /// The configuration that is written; the key comes beside it
    #[arg(long, value_name = "FILE", default_value = "/etc/hacd/hacd.toml")]
    pub(crate) config: PathBuf,
    /// The daemon's state, which must not exist yet
    #[arg(long, value_name = "DIR", default_value = "/var/lib/hacd")]
    pub(crate) state: PathBuf,
    /// Set what is there aside (configuration, key and state of another cluster), and go on
    #[arg(long)]
    pub(crate) force: bool,
    /// Write the files and leave starting hacd to somebody else
    #[arg(long)]
    pub(crate) no_start: bool,
}

impl FreshArgs {
    /// The key file beside the configuration.
    pub(crate) fn key(&self) -> PathBuf {
        self.config.with_file_name("authkey")
    }

    /// Refuses if this host is part of a cluster already, or something else manages its resources.
    pub(crate) fn check(&self, socket: &Path, what: &str) -> Result<(), Failure> {
        if UnixStream::connect(socket).is_ok() {
            return Err(exists("hacd runs on this host already: it is part of a cluster")
                .with_remedy("'hacctl status' shows which one; 'hacctl node remove' on another node takes it out."));
        }
        if let Some((name, pid)) = other_manager() {
            let text =
                format!("{name} is active on this host (process {pid}): two managers would fight over its resources");
            return Err(Failure { exit_code: 78, ..Failure::usage(text) }
                .with_remedy(format!("Stop it first: 'systemctl disable --now {name}'. Nothing was changed.")));
        }
        let there = self.there();
        if there.is_empty() || self.force {
            return Ok(());
        }
        let names: Vec<String> = there.iter().map(|path| path.display().to_string()).collect();
        let names = names.join(" and ");
        Err(exists(format!("{names} is there already: this host is or was part of a cluster; nothing was changed"))
            .with_remedy(format!("{what} --force sets it aside as .before-TIME and goes on.")))
    }

    /// What of a cluster is on this host. An empty state directory is none.
    fn there(&self) -> Vec<PathBuf> {
        let has_state = fs::read_dir(&self.state).is_ok_and(|mut entries| entries.next().is_some());
        let files = [self.config.clone(), self.key()].into_iter().filter(|path| path.exists());
        files.chain(has_state.then(|| self.state.clone())).collect()
    }

    /// Sets aside what is there; it was asked for.
    pub(crate) fn set_aside(&self) -> Result<(), Failure> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default();
        for path in self.there() {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".before-{time}"));
            let aside = PathBuf::from(name);
            fs::rename(&path, &aside)
                .map_err(|error| Failure::system(&format!("could not set {} aside", path.display()), &error))?;
            eprintln!("INFO: {} is kept as {}", path.display(), aside.display());
        }
        Ok(())
    }

    /// Writes configuration and key. Neither is there yet; what was written is gone again if not all of it could be.
    pub(crate) fn write(&self, config: &str, key: &[u8], key_file: &Path) -> Result<(), Failure> {
        let files = [(key_file, key, 0o600), (self.config.as_path(), config.as_bytes(), 0o644)];
        for (number, (path, content, mode)) in files.iter().enumerate() {
            if let Err(error) = create(path, content, *mode) {
                files.iter().take(number).for_each(|(written, ..)| drop(fs::remove_file(written)));
                let failure = Failure::system(&format!("could not write {}", path.display()), &error);
                return Err(failure.with_remedy("Run hacctl as root, and see that there is room on the disk."));
            }
        }
        Ok(())
    }

    /// Starts the daemon now and at every boot, unless somebody else does.
    pub(crate) fn start(&self) -> Result<(), Failure> {
        if self.no_start {
            eprintln!("INFO: start hacd now: 'systemctl enable --now hacd'");
            return Ok(());
        }
        let done = Command::new("systemctl").args(["enable", "--now", "hacd"]).output();
        match done {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = terminal::harmless(said.trim());
                Err(Failure::system("hacd could not be started", &said)
                    .with_remedy("'journalctl -u hacd' says why; then 'systemctl enable --now hacd'."))
            }
            Err(error) => Err(Failure::system("hacd could not be started: systemctl cannot be run", &error)
                .with_remedy("Start hacd by hand; the configuration and the key are in place.")),
        }
    }
}

fn exists(text: impl Into<String>) -> Failure {
    Failure { exit_code: EXISTS, ..Failure::usage(text) }
}

/// Writes a file that is not there yet, durable when this returns.
fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = out.write_all(content).and_then(|()| out.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Another cluster manager in this network namespace: its name and process.
pub(crate) fn other_manager() -> Option<(String, u32)> {
    let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    let own = network("self");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let named = |pid: u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        OTHERS.contains(&name.trim()).then(|| name.trim().to_owned())
    };
    pids.filter_map(|pid| Some((named(pid)?, pid))).find(|(_, pid)| network(&pid.to_string()) == own)
}

/// The name of this host, without its domain.
pub(crate) fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

/// The private addresses of this host, ascending.
pub(crate) fn private_addresses() -> Vec<Ipv4Addr> {
    let table = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let mut found = local_addresses(&table);
    found.retain(Ipv4Addr::is_private);
    found
}

/// The addresses of this host in the kernel's table: a line with the address, then one that says that it is local.
fn local_addresses(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in table.lines() {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address.trim().parse().ok();
        } else if line.contains("/32 host LOCAL") {
            found.extend(last);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether an address belongs to this host.
pub(crate) fn is_local(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrNotAvailable,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fresh(name: &str) -> FreshArgs {
        let folder = std::env::temp_dir().join(format!("hacctl-fresh-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the test");
        let (config, state) = (folder.join("etc/hacd.toml"), folder.join("state"));
        FreshArgs { config, state, force: false, no_start: true }
    }

    #[test]
    fn what_is_there_is_never_overwritten_and_set_aside_only_if_that_is_asked_for() {
        let mut args = fresh("aside");
        let nowhere = args.state.with_file_name("no-socket");
        args.check(&nowhere, "hacctl init").expect("nothing is there");
        args.write("one", b"key one", &args.key()).expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        assert_eq!((mode(&args.key()), mode(&args.config)), (0o600, 0o644));
        let refused = args.check(&nowhere, "hacctl init").expect_err("a configuration is there");
        assert_eq!(refused.exit_code, 73);
        assert!(refused.remedy.is_some_and(|remedy| remedy.starts_with("hacctl init --force sets it aside")));
        args.write("two", b"key two", &args.key()).expect_err("it is not overwritten");
        assert_eq!(fs::read(&args.config).expect("is there"), b"one");
        args.force = true;
        args.check(&nowhere, "hacctl init").expect("it was asked for");
        args.set_aside().expect("set aside");
        args.write("two", b"key two", &args.key()).expect("written");
        let folder = args.config.parent().expect("a folder");
        let kept = fs::read_dir(folder).expect("is there").count();
        assert_eq!(kept, 4, "both files, and those before them");
        fs::remove_dir_all(folder.parent().expect("the folder of the test")).expect("removed");
    }

    #[test]
    fn addresses_are_read_from_the_kernels_table() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n        /32 host LOCAL\n\
                     \x20    |-- 10.0.0.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\nLocal:\n\
                     \x20    |-- 10.0.0.7\n        /32 host LOCAL\n";
        assert_eq!(local_addresses(table), [Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::LOCALHOST]);
    }
}
