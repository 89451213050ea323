//! What the machine must have, and installing what it lacks.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::run;
use crate::{Error, Ground};

/// The web server.
const NGINX: &str = "/usr/sbin/nginx";
/// The first process of hosts on [`Ground::Systemd`].
const SYSTEMD: &str = "/lib/systemd/systemd";
/// Programs and files that the lab needs, each with the Debian package that has it.
const NEEDED: [(&str, &str); 8] = [
    (NGINX, "nginx-light"),
    ("/usr/lib/ocf/resource.d/heartbeat/nginx", "resource-agents"),
    ("/usr/bin/curl", "curl"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/unshare", "util-linux"),
    ("/bin/ip", "iproute2"),
    ("/bin/hostname", "hostname"),
    ("/bin/ps", "procps"),
];
/// Tells Debian's packages not to start their services; see invoke-rc.d(8).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Debian packages that are missing here.
pub fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        NEEDED.iter().filter(|(file, _)| !Path::new(file).exists()).map(|&(_, package)| package).collect();
    packages.dedup();
    packages
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this machine can hold a lab on this ground.
///
/// # Errors
/// [`Error::Missing`] with what is missing and what to do about it.
pub fn check(ground: Ground) -> Result<(), Error> {
    let packages = match ground {
        Ground::Namespaces | Ground::Systemd if !is_root() => {
            let text = "the lab makes network namespaces: run it as root";
            return Err(Error::Missing(text.to_owned()));
        }
        Ground::Systemd if !Path::new(SYSTEMD).exists() => {
            return Err(Error::Missing(format!("{SYSTEMD} is not there: this machine is no Debian with systemd")));
        }
        Ground::Namespaces | Ground::Systemd => missing(),
        Ground::Loopback if Path::new(NGINX).exists() => Vec::new(),
        Ground::Loopback => vec!["nginx-light"],
    };
    if !packages.is_empty() {
        let list = packages.join(" ");
        let text = format!("not installed: {list} (try `hac-lab setup`, or `apt-get install {list}`)");
        return Err(Error::Missing(text));
    }
    Ok(())
}

/// The best ground that this machine offers, and why it is not the better one.
///
/// # Errors
/// [`Error::Missing`] when it offers none.
pub fn ground(say: &mut dyn Write) -> Result<(Ground, Option<String>), Error> {
    match install(say) {
        Ok(()) => Ok((Ground::Namespaces, None)),
        Err(reason) => check(Ground::Loopback).map(|()| (Ground::Loopback, Some(reason.to_string()))),
    }
}

/// Installs what is missing with apt-get and checks that namespaces can be made. The services of
/// the packages are not started on the machine itself.
///
/// # Errors
/// [`Error::Missing`] when this is not root or no Debian; else what apt-get or iproute2 said.
pub fn install(say: &mut dyn Write) -> Result<(), Error> {
    let packages = missing();
    if !packages.is_empty() {
        if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
            return Err(Error::Missing(format!("please install, as root: {}", packages.join(" "))));
        }
        // Progress only: a closed output does not stop the work.
        let _ = writeln!(say, "installing {} ...", packages.join(" "));
        let _policy = Policy::forbid_services()?;
        if apt(&packages).is_err() {
            run("apt-get", &["update", "-q"])?;
            apt(&packages)?;
        }
    }
    check(Ground::Namespaces)?;
    check_namespaces()
}

/// Whether this machine lets namespaces be made, entered and wired: a container may have everything installed and be
/// allowed none of it.
///
/// # Errors
/// [`Error::Missing`] with what the system said.
pub fn check_namespaces() -> Result<(), Error> {
    let name = format!("hacprobe{}", std::process::id());
    let inside = |words: &[&str]| run("ip", &[&["-n", &name], words].concat()).map(drop);
    let made = run("ip", &["netns", "add", &name]).and_then(|_| {
        let tried = inside(&["link", "set", "lo", "up"])
            .and_then(|()| inside(&["link", "add", "name", "bridge", "type", "bridge"]))
            .and_then(|()| inside(&["link", "add", "name", "one", "type", "veth", "peer", "name", "two"]))
            .and_then(|()| run("unshare", &["--mount", "--uts", "--ipc", "--pid", "--fork", "true"]).map(drop));
        run("ip", &["netns", "delete", &name])?;
        tried
    });
    made.map_err(|error| Error::Missing(format!("hosts cannot be made of namespaces here: {error}")))
}

fn apt(packages: &[&str]) -> Result<(), Error> {
    let status = Command::new("apt-get")
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(Error::system("cannot run apt-get"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: format!("apt-get install {}", packages.join(" ")),
        status: status.to_string(),
        text: "see above".to_owned(),
    })
}

/// Keeps packages from starting services for as long as it lives.
struct Policy {
    /// Whether the file is ours to remove.
    ours: bool,
}

impl Policy {
    fn forbid_services() -> Result<Self, Error> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").map_err(Error::file(POLICY))?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(POLICY, executable).map_err(Error::file(POLICY))?;
        Ok(Self { ours: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY); // gone already is as good
        }
    }
}
