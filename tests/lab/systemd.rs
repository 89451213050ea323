//! Units of systemd as resources, on hosts whose first process is systemd.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use hac_lab::{Cluster, Host};

use crate::common::{LIMIT, assert_contains, wait, wait_online};
use crate::package::{Test, with_journals};

pub(crate) fn all() -> Vec<(&'static str, Test)> {
    vec![("units_of_systemd_are_resources", units)]
}

/// A service that systemd itself would start again, one that fails, and a script of init.
const UNITS: &[(&str, &str)] = &[
    (
        "/etc/systemd/system/sleeper.service",
        "[Unit]\nDescription=Sleeps\n[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n",
    ),
    (
        "/etc/systemd/system/broken.service",
        "[Unit]\nDescription=Breaks at once\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/false\n",
    ),
];

/// Keeps its state in a file, as a small script of init does.
const SCRIPT: &str = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: marker\n# Short-Description: keeps a mark\n### END INIT INFO\n\
                      case $1 in start) touch /run/marker;; stop) rm -f /run/marker;; status) [ -e /run/marker ] || exit 3;; esac\n";

fn units(package: &Path) -> anyhow::Result<()> {
    let cluster = Cluster::packaged(package, 2).context("two hosts with the package")?;
    with_journals(&cluster, || {
        cluster.write_configuration()?;
        for host in cluster.lab().hosts() {
            for (path, text) in UNITS {
                host.write(path, text)?;
            }
            host.write_with_mode("/etc/init.d/marker", SCRIPT.as_bytes(), 0o755)?;
            host.exec(&["systemctl", "daemon-reload"])?;
            host.exec(&["systemctl", "enable", "--now", "hacd"])?;
        }
        wait_online(&cluster)?;
        for line in [
            "configure property stonith-enabled=false no-quorum-policy=ignore",
            "configure primitive Sleeper systemd:sleeper op monitor interval=1s timeout=20s",
            "configure primitive Mark lsb:marker op monitor interval=1s timeout=20s",
        ] {
            cluster.hacctl(1, &line.split_whitespace().collect::<Vec<_>>())?;
        }
        runs_once(&cluster)?;
        is_watched(&cluster)?;
        moves(&cluster)?;
        what_fails_is_told(&cluster)
    })
}

/// The number of the host on which a resource runs in the eyes of the cluster, and nothing else does.
fn placed(cluster: &Cluster, resource: &str) -> anyhow::Result<usize> {
    let status =
        cluster.wait_status(1, &format!("{resource} runs"), LIMIT, |status| status.place(resource).is_some())?;
    let place = status.place(resource).context("a place")?;
    cluster.lab().plan().number(place).with_context(|| format!("{place} is no host"))
}

fn active(host: &Host, unit: &str) -> bool {
    host.output_of(&["systemctl", "is-active", "--quiet", unit]).is_ok_and(|output| output.status.success())
}

fn runs_once(cluster: &Cluster) -> anyhow::Result<()> {
    let place = placed(cluster, "Sleeper")?;
    for host in cluster.lab().hosts() {
        ensure!(active(host, "sleeper") == (host.number() == place), "sleeper on {}", host.name());
    }
    let host = cluster.host(place);
    let drop_in = host.read("/run/systemd/system/sleeper.service.d/50-hacd.conf")?;
    assert_contains(&drop_in, "Restart=no")?;
    assert_contains(&drop_in, "Before=hacd.service")?;
    let mark = placed(cluster, "Mark")?;
    cluster.host(mark).read("/run/marker")?;
    assert_contains(&cluster.hacctl(1, &["ra", "info", "systemd:broken"])?, "Breaks at once")?;
    assert_contains(&cluster.hacctl(1, &["ra", "info", "lsb:marker"])?, "keeps a mark")
}

/// Its main process dies: hacd starts it again and counts it; systemd executes itself anew and nothing is lost by it.
fn is_watched(cluster: &Cluster) -> anyhow::Result<()> {
    let host = cluster.host(placed(cluster, "Sleeper")?);
    let pid = main_pid(host)?;
    host.exec(&["kill", "-9", &pid])?;
    wait("the unit is started again", || main_pid(host).is_ok_and(|now| now != pid && now != "0"))?;
    let count = cluster.hacctl(1, &["resource", "failcount", "Sleeper", "show", host.name()])?;
    assert_contains(&count, "1")?;
    cluster.hacctl(1, &["resource", "cleanup", "Sleeper"])?;
    let pid = main_pid(host)?;
    host.exec(&["systemctl", "daemon-reexec"])?;
    let begin = Instant::now();
    // Some monitors pass.
    wait("some monitors have passed", || begin.elapsed().as_secs() >= 4)?;
    ensure!(main_pid(host)? == pid, "systemd executed itself anew, and the unit was started again");
    let status = cluster.hacctl(1, &["status"])?;
    ensure!(!status.contains("Failed"), "{status}");
    Ok(())
}

fn main_pid(host: &Host) -> anyhow::Result<String> {
    Ok(host.exec(&["systemctl", "show", "-p", "MainPID", "--value", "sleeper"])?.trim().to_owned())
}

/// On standby the other host has it, and nothing stays behind.
fn moves(cluster: &Cluster) -> anyhow::Result<()> {
    let place = placed(cluster, "Sleeper")?;
    let (from, to) = (cluster.host(place), cluster.host(cluster.other(place)?));
    cluster.hacctl(1, &["--wait", "node", "standby", from.name()])?;
    ensure!(active(to, "sleeper") && !active(from, "sleeper"), "the unit did not move");
    ensure!(from.read("/run/systemd/system/sleeper.service.d/50-hacd.conf").is_err(), "its drop-in stayed");
    cluster.hacctl(1, &["--wait", "node", "online", from.name()])?;
    // A daemon that dies and one that follows it find the unit running.
    let pid = main_pid(to)?;
    to.shell("kill -9 $(systemctl show -p MainPID --value hacd)")?;
    cluster.wait_status(1, "both are online", LIMIT, |status| status.online.len() == 2)?;
    placed(cluster, "Sleeper")?;
    ensure!(main_pid(to)? == pid || active(from, "sleeper"), "the unit was started twice");
    Ok(())
}

/// A unit that fails, and one that is not there: status says why.
fn what_fails_is_told(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.hacctl(1, &["configure", "primitive", "Broken", "systemd:broken"])?;
    wait("status tells of the unit that fails", || {
        cluster.hacctl(1, &["status"]).is_ok_and(|text| text.contains("broken.service failed"))
    })?;
    let refused = cluster.try_hacctl(1, &["configure", "primitive", "Gone", "systemd:nowhere"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_contains(&said, "systemd:nowhere")
}
