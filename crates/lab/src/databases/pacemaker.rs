//! Corosync and Pacemaker on the hosts of a lab, as far as a comparison needs them.

use std::fs;
use std::time::Duration;

use crate::host::Daemon;
use crate::run::{run, wait_for};
use crate::{Error, Host, Plan, Status};

/// How long a daemon may take until it can be asked.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Writes Corosync's configuration and key.
pub(super) fn prepare(hosts: &[Host]) -> Result<(), Error> {
    let nodes: String = (1..=hosts.len())
        .map(|id| {
            format!("node {{\n ring0_addr: {}\n name: {}\n nodeid: {id}\n}}\n", Plan::private(id), Plan::name(id))
        })
        .collect();
    let two = if hosts.len() == 2 { " two_node: 1\n" } else { "" };
    let text = format!(
        "totem {{\n version: 2\n cluster_name: lbcluster\n transport: knet\n crypto_cipher: aes256\n crypto_hash: sha256\n}}\n\
         quorum {{\n provider: corosync_votequorum\n{two}}}\nnodelist {{\n{nodes}}}\n\
         logging {{\n to_logfile: yes\n logfile: /var/log/corosync/corosync.log\n}}\n"
    );
    let first = hosts.first().ok_or_else(|| Error::Invalid("there are no hosts".to_owned()))?;
    first.shell("mkdir -p /etc/corosync /var/log/corosync && corosync-keygen -k /etc/corosync/authkey")?;
    let key = first.outside("/etc/corosync/authkey")?;
    let key = fs::read(&key).map_err(Error::file(key))?;
    for host in hosts {
        host.write("/etc/corosync/corosync.conf", &text)?;
        host.write_with_mode("/etc/corosync/authkey", &key, 0o400)?;
        host.shell("mkdir -p /var/log/corosync /var/lib/corosync")?;
    }
    Ok(())
}

/// Starts both on a host.
pub(super) fn start(host: &Host) -> Result<(), Error> {
    host.start(&Daemon { name: "corosync", command: vec!["corosync".to_owned(), "-f".to_owned()] })?;
    wait_for("corosync can be asked", START_LIMIT, || {
        host.output_of(&["corosync-quorumtool", "-s"]).ok().filter(|output| !output.stdout.is_empty()).map(drop)
    })?;
    host.start(&Daemon { name: "pacemakerd", command: vec!["pacemakerd".to_owned()] })
}

/// Gives the cluster a configuration in XML, by Pacemaker's own program.
pub(super) fn configure(host: &Host, xml: &str) -> Result<(), Error> {
    let path = "/etc/corosync/database.xml";
    host.write(path, xml)?;
    for scope in ["crm_config", "resources", "constraints"] {
        host.exec(&["/usr/sbin/cibadmin", "--replace", "-o", scope, "--xml-file", path])?;
    }
    Ok(())
}

/// What `crm_mon` shows.
pub(super) fn status(host: &Host) -> Option<Status> {
    let output = host.output_of(&["/usr/sbin/crm_mon", "-1", "-r"]).ok()?;
    output.status.success().then(|| Status::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Whether Corosync and Pacemaker are installed here.
pub fn installed() -> bool {
    run("sh", &["-c", "command -v corosync pacemakerd cibadmin"]).is_ok()
}
