//! Corosync's CPG as the other contender, where Corosync, a C compiler and the headers of libcpg are installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Protection;
use super::contender::{Contender, Sender, lab};
use crate::{Daemon, Error, Lab, guard, wait_for};

/// The program that sends over CPG; it speaks the language of `ring-node`.
const SOURCE: &str = include_str!("cpg.c");
/// Bytes of Corosync's key.
const KEY_LEN: usize = 256;
/// Mode of the key.
const KEY_MODE: u32 = 0o400;
/// How long the daemons may take to answer their clients.
const LIMIT: Duration = Duration::from_secs(20);

/// One way of Corosync to send datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transport {
    name: &'static str,
    cipher: &'static str,
    hash: &'static str,
}

/// The transports that protect messages in this way.
pub(super) const fn transports(protection: Protection) -> &'static [Transport] {
    match protection {
        Protection::Encrypted => &[Transport { name: "knet", cipher: "aes256", hash: "sha256" }],
        Protection::Plain => &[
            Transport { name: "knet", cipher: "none", hash: "none" },
            Transport { name: "udpu", cipher: "none", hash: "none" },
        ],
    }
}

/// The program that sends over CPG, built.
#[derive(Debug)]
pub(super) struct Client {
    directory: PathBuf,
    version: String,
}

impl Drop for Client {
    fn drop(&mut self) {
        // A file that is left in the temporary directory does no harm.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Client {
    /// Builds it; why not, in words, where that cannot be.
    pub(super) fn build() -> Result<Self, String> {
        let version = output(Command::new("corosync").arg("-v")).map_err(|why| format!("no corosync ({why})"))?;
        let version = version.lines().next().unwrap_or_default().to_owned();
        let directory = guard::base().join(format!("cpg-{}", std::process::id()));
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let client = Self { directory, version };
        let source = client.directory.join("cpg.c");
        fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-o"]).arg(client.program()).arg(&source).arg("-lcpg");
        output(&mut compiler).map_err(|why| format!("cc or the headers of libcpg are missing ({why})"))?;
        Ok(client)
    }

    /// What Corosync says of itself.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    fn program(&self) -> PathBuf {
        self.directory.join("cpg")
    }

    /// Corosync with this transport on so many hosts.
    pub(super) fn contender(&self, hosts: usize, transport: Transport) -> Result<Contender, Error> {
        let lab = lab(hosts)?;
        let mut key = vec![0; KEY_LEN];
        // What is measured is no secret; the key must only be the same everywhere.
        key.iter_mut().zip((0..=u8::MAX).cycle()).for_each(|(byte, value)| *byte = value);
        for host in lab.hosts() {
            host.write_with_mode("/etc/corosync/authkey", &key, KEY_MODE)?;
            host.write("/etc/corosync/corosync.conf", &configuration(&lab, transport))?;
            host.exec(&["mkdir", "-p", "/var/lib/corosync", "/var/log/corosync"])?;
            host.start(&Daemon { name: "corosync", command: vec!["corosync".to_owned(), "-f".to_owned()] })?;
        }
        let (program, count) = (self.program().display().to_string(), hosts.to_string());
        let mut senders = Vec::new();
        let mut daemons = Vec::new();
        for host in lab.hosts() {
            wait_for("corosync answers clients", LIMIT, || {
                // The program ends at once when it is told to wait for nobody.
                host.exec(&[&program, "0"]).ok()
            })
            .map_err(|error| Error::Invalid(format!("{error}\n{}", host.output("corosync"))))?;
            senders.push(Sender::new(host.converse(&[&program, &count])?)?);
            daemons.extend(host.processes_named("corosync")?.into_iter().map(|process| process.pid));
        }
        Contender::of_daemons(transport.name, senders, daemons, lab)
    }
}

/// The configuration, after corosync.conf(5).
fn configuration(lab: &Lab, transport: Transport) -> String {
    let Transport { name, cipher, hash } = transport;
    let nodes: String = lab
        .hosts()
        .iter()
        .map(|host| {
            let (address, name, number) = (host.private(), host.name(), host.number());
            format!("  node {{\n    ring0_addr: {address}\n    name: {name}\n    nodeid: {number}\n  }}\n")
        })
        .collect();
    format!(
        "totem {{\n  version: 2\n  cluster_name: bench\n  transport: {name}\n  crypto_cipher: {cipher}\n  \
         crypto_hash: {hash}\n}}\nnodelist {{\n{nodes}}}\nsystem {{\n  sched_rr: no\n}}\n\
         logging {{\n  to_stderr: yes\n  to_logfile: no\n  to_syslog: no\n}}\n"
    )
}

/// What a program prints; what it says where it fails.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(text.lines().next().unwrap_or_default().to_owned())
}
