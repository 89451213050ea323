//! The Debian package on hosts whose first process is systemd.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hac_lab::{Cluster, Host, PACKAGE, Plan};

use crate::common::{LIMIT, assert_contains, steady, wait, wait_online};

/// A test that is given the package.
pub(crate) type Test = fn(&Path) -> anyhow::Result<()>;

/// The tests, and why one of them is not possible here.
pub(crate) fn all() -> Vec<(&'static str, Test, Option<String>)> {
    let lintian = Command::new("lintian").arg("--version").output().is_err();
    vec![
        ("the_package_installs_runs_upgrades_and_leaves_nothing", whole_life, None),
        ("the_package_has_no_errors_for_lintian", lintian_of, lintian.then(|| "not installed: lintian".to_owned())),
    ]
}

/// What Debian has against the package; programs of tests keep their symbols.
fn lintian_of(package: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("lintian");
    command.args(["--fail-on", "error", "--suppress-tags", "unstripped-binary-or-object", "--allow-root"]).arg(package);
    let said = command.output().context("lintian starts")?;
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    ensure!(said.status.success(), "{text}");
    Ok(())
}

/// Everything with the name in the places that packages and daemons write to. What systemd keeps of units in memory is its own,
/// and so is what a person keeps at home (`/run` on hosts of the lab).
const LEFT: &str = "find /etc /usr /var /run -xdev -path /run/systemd -prune -o -path /run/.local -prune -o \\( -name '*hacd*' -o -name '*hacctl*' \\) -print";

fn whole_life(package: &Path) -> anyhow::Result<()> {
    let cluster = Cluster::packaged(package, 2).context("two hosts with the package")?;
    with_journals(&cluster, || {
        installed(&cluster)?;
        running(&cluster)?;
        gone(&cluster)
    })
}

/// A failure comes with what the journals of both hosts say.
pub(crate) fn with_journals(cluster: &Cluster, test: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let journals = |error| anyhow::anyhow!("{error:#}\n{}\n{}", journal(cluster.host(1)), journal(cluster.host(2)));
    test().map_err(journals)
}

/// What the journal of a host has of the daemon.
fn journal(host: &Host) -> String {
    host.shell("journalctl --no-pager -u hacd | tail -n 40").unwrap_or_else(|error| error.to_string())
}

/// Installed, it neither runs nor will at the next boot, and systemd says why it does not start.
fn installed(cluster: &Cluster) -> anyhow::Result<()> {
    for host in cluster.lab().hosts() {
        ensure!(host.processes_named("hacd")?.is_empty(), "hacd runs on {}", host.name());
        let enabled = host.output_of(&["systemctl", "is-enabled", "hacd"])?;
        assert_contains(&String::from_utf8_lossy(&enabled.stdout), "disabled")?;
        host.exec(&["systemctl", "start", "hacd"])?;
        assert_contains(&host.exec(&["systemctl", "show", "-p", "ConditionResult", "hacd"])?, "no")?;
        ensure!(host.processes_named("hacd")?.is_empty(), "hacd runs on {} without a configuration", host.name());
        assert_contains(&host.exec(&["man", "--where", "hacctl-node-standby"])?, "hacctl-node-standby.8")?;
        assert_contains(&host.exec(&["man", "--where", "5", "hacd.toml"])?, "hacd.toml.5")?;
        host.shell("bash -n /usr/share/bash-completion/completions/hacctl")?;
    }
    Ok(())
}

/// Configured and enabled, it serves; a daemon that is killed comes back and finds its service as it was; an upgrade and a
/// reinstallation touch nothing that runs; a host that loses its power is followed by the other.
fn running(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.write_configuration()?;
    for host in cluster.lab().hosts() {
        host.exec(&["systemctl", "enable", "--now", "hacd"])?;
    }
    wait_online(cluster)?;
    cluster.configure_tutorial(1)?;
    cluster.wait_up(LIMIT)?;
    steady(cluster, None, Instant::now())?;

    let active = cluster.active()?;
    let host = cluster.host(active);
    let server = cluster.nginx(active).context("a web server")?;
    let killed = pid(host)?;
    host.shell("kill -9 $(systemctl show -p MainPID --value hacd)")?;
    wait("systemd starts the daemon again", || pid(host).is_ok_and(|now| now != killed))?;
    cluster.wait_up(LIMIT)?;
    ensure!(cluster.nginx(active) == Some(server), "the web server did not outlive its daemon");

    let active = cluster.active()?;
    let host = cluster.host(active);
    let (before, begin) = (pid(host)?, Instant::now());
    let said = host.exec(&["dpkg", "--install", PACKAGE])?;
    assert_contains(&said, "still runs")?;
    host.exec(&["systemctl", "reload", "hacd"])?;
    steady(cluster, Some(active), Instant::now())?;
    ensure!(pid(host)? == before, "an upgrade started another daemon");
    let window = cluster.lab().prober().window(begin);
    ensure!(window.failed == 0, "{} requests failed during an upgrade", window.failed);

    let other = cluster.other(active)?;
    let cut = Instant::now();
    cluster.lab().power_off(active)?;
    steady(cluster, Some(other), cut)?;
    // It was enabled, so it comes back by itself.
    cluster.lab().power_on(active)?;
    cluster.wait_status(other, "both are online", LIMIT, |status| status.online.len() == 2)?;
    cluster.wait_up(LIMIT)?;
    Ok(())
}

/// Removing hands over, and purging leaves nothing.
fn gone(cluster: &Cluster) -> anyhow::Result<()> {
    let active = cluster.active()?;
    let other = cluster.other(active)?;
    let host = cluster.host(active);
    let begin = Instant::now();
    let said = host.exec(&["dpkg", "--remove", "hacd"])?;
    assert_contains(&said, "handing over")?;
    ensure!(cluster.active()? == other, "the address stayed where the package was removed");
    steady(cluster, Some(other), begin)?;
    let window = cluster.lab().prober().window(begin);
    ensure!(window.gap < Duration::from_secs(10), "a gap of {:?} while the package was removed", window.gap);
    let said = host.exec(&["dpkg", "--purge", "hacd"])?;
    assert_contains(&said, "lbcluster")?;
    host.exec(&["rm", PACKAGE])?;
    let left = host.shell(LEFT)?;
    ensure!(left.trim().is_empty(), "left on {} after a purge:\n{left}", Plan::name(active));
    Ok(())
}

/// The daemon that runs on a host.
fn pid(host: &Host) -> anyhow::Result<i32> {
    match host.processes_named("hacd")?.as_slice() {
        [one] => Ok(one.pid),
        others => bail!("{} daemons run on {}", others.len(), host.name()),
    }
}
