//! A small disk of its own for each host's daemon, which can be frozen and filled.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::run::{checked, run};
use crate::{Cluster, Error, Host};

/// Where it is mounted.
const PLACE: &str = "/var/own";
/// What fills it.
const FILLING: &str = "/var/own/filling";
/// How large it is unless somebody says otherwise: there is room for all that a daemon keeps at most (journals 32 MiB, earlier
/// states 16), and for the log of an hour.
pub const DISK: &str = "256M";

/// Mounts it and puts what the daemon keeps, and its log, on it. What filled it before is gone.
const MOUNT: &str = r#"mkdir -p /var/own
mount -o loop "$dir/own.img" /var/own
mkdir -p /var/own/lib /var/own/log
chmod 700 /var/own/lib
rm -f /var/own/filling
mount --bind /var/own/lib /var/lib/hacd
mount --bind /var/own/log /var/log/hacd
"#;

/// Freezes the file system of a folder, for a time that ends whatever becomes of this program: what writes there in between
/// cannot even be killed.
const FREEZE: &str = r#"exec 4<"$1" && fsfreeze -f /proc/self/fd/4 && { sleep "$2"; fsfreeze -u /proc/self/fd/4; }"#;

/// Gives every host such a disk.
///
/// # Errors
/// When this machine has no loop devices or lacks a program.
pub(crate) fn prepare(cluster: &Cluster, size: &str) -> Result<(), Error> {
    for host in cluster.lab().hosts() {
        let image = host.directory().join("own.img");
        let image = image.to_string_lossy();
        run("truncate", &["-s", size, &image])?;
        run("mkfs.ext4", &["-q", "-m", "0", &image])?;
        host.boot_with(MOUNT)?;
    }
    Ok(())
}

/// Has the disk of a host take no write and answer none for `time`, and waits for the end of it.
///
/// # Errors
/// When it cannot be frozen.
pub(crate) fn freeze(host: &Host, time: Duration) -> Result<(), Error> {
    let mut command = Command::new("sh");
    command.args(["-c", FREEZE, "sh"]).arg(host.outside(PLACE)?).arg(format!("{:.3}", time.as_secs_f64()));
    // A Ctrl-C ends this program, but not what thaws the disk.
    let output = command.process_group(0).stdin(Stdio::null()).output().map_err(Error::system("cannot run sh"))?;
    checked(&format!("freezing the disk of {}", host.name()), &output).map(drop)
}

/// Fills the disk of a host to the last byte.
///
/// # Errors
/// When it is off, or something can still be written.
pub(super) fn fill(host: &Host) -> Result<(), Error> {
    host.shell(&format!("! cat /dev/zero >{FILLING} 2>/dev/null")).map(drop)
}

/// Makes room again. A host that was switched off has done so at its boot.
pub(super) fn empty(host: &Host) {
    let _ = host.shell(&format!("rm -f {FILLING}"));
}
