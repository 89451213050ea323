//! What holds while a node is away, and what keeps resources off a node that is there: shutdown locks, standby for one life or
//! for ever, health, capacity.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hac_lab::Tools;

use crate::names::Cluster;

type Test = fn(&Tools) -> anyhow::Result<()>;

pub(crate) fn cases() -> Vec<(&'static str, Test)> {
    vec![
        ("what_a_node_that_leaves_had_waits_for_it_if_it_is_locked", locks),
        ("what_waits_for_its_node_waits_no_longer_than_it_may", limit),
        ("standby_lasts_for_one_life_or_for_ever", standby),
        ("health_and_capacity_decide_where_something_runs", health),
    ]
}

/// How long is looked whether something does not happen.
const WHILE: Duration = Duration::from_secs(3);

/// A service that belongs onto the second node.
fn cluster<'a>(tools: &'a Tools, net: u8, properties: &str) -> anyhow::Result<Cluster<'a>> {
    let cluster = Cluster::with(tools, net, |_| String::new())?;
    cluster.must(&format!("configure property stonith-enabled=false no-quorum-policy=ignore {properties}"))?;
    cluster.must("configure primitive web nginx op monitor interval=10s")?;
    cluster.must("configure location there web 100: secondary")?;
    runs(&cluster, 1)?;
    Ok(cluster)
}

fn here(cluster: &Cluster<'_>, node: usize) -> bool {
    cluster.place.path(&format!("ocf/nginx.{}.web", ["primary", "secondary"][node])).exists()
}

/// Waits until the service runs on this node alone.
fn runs(cluster: &Cluster<'_>, node: usize) -> anyhow::Result<()> {
    cluster.until(&format!("it runs on node {node}"), |cluster| Ok(here(cluster, node) && !here(cluster, 1 - node)))
}

/// Has the daemon of a node leave in good order.
fn leave(cluster: &mut Cluster<'_>, node: usize) -> anyhow::Result<()> {
    let mut daemon = cluster.daemons[node].take().context("it runs")?;
    let asked = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status()?;
    ensure!(asked.success(), "kill");
    let end = Instant::now() + Duration::from_secs(30);
    while daemon.try_wait()?.is_none() {
        if Instant::now() > end {
            daemon.kill()?;
            anyhow::bail!("it did not leave");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// `shutdown-lock-limit`: then it goes where it can, and its node that comes back later finds it there.
fn limit(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = cluster(tools, 145, "shutdown-lock=true shutdown-lock-limit=6s")?;
    leave(&mut cluster, 1)?;
    let end = Instant::now() + WHILE;
    while Instant::now() < end {
        ensure!(!here(&cluster, 0) && !here(&cluster, 1), "it did not wait for its node");
        std::thread::sleep(Duration::from_millis(50));
    }
    runs(&cluster, 0)?;
    let xml = cluster.run(0, "cibadmin", &["-Q", "-o", "status"], "")?.out;
    ensure!(!xml.contains("shutdown-lock=\""), "the lock is still known: {xml}");
    cluster.start(1)?;
    // It likes the second node better.
    runs(&cluster, 1)
}

fn locks(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = cluster(tools, 104, "shutdown-lock=true")?;
    leave(&mut cluster, 1)?;
    let end = Instant::now() + WHILE;
    while Instant::now() < end {
        ensure!(!here(&cluster, 0) && !here(&cluster, 1), "it did not wait for its node");
        std::thread::sleep(Duration::from_millis(50));
    }
    let xml = cluster.run(0, "cibadmin", &["-Q", "-o", "status"], "")?.out;
    ensure!(xml.contains("shutdown-lock=\""), "nobody knows of the lock");
    cluster.start(1)?;
    cluster.until("it runs there again", |cluster| {
        ensure!(!here(cluster, 0), "it was started elsewhere");
        Ok(here(cluster, 1))
    })?;
    // Without the lock it goes where it can.
    cluster.must("configure property shutdown-lock=false")?;
    leave(&mut cluster, 1)?;
    runs(&cluster, 0)
}

fn standby(tools: &Tools) -> anyhow::Result<()> {
    let mut cluster = cluster(tools, 105, "")?;
    cluster.must("node standby secondary reboot")?;
    runs(&cluster, 0)?;
    leave(&mut cluster, 1)?;
    cluster.start(1)?;
    runs(&cluster, 1)?;
    cluster.must("node standby secondary forever")?;
    runs(&cluster, 0)?;
    leave(&mut cluster, 1)?;
    cluster.start(1)?;
    cluster.until("it is back", |cluster| Ok(cluster.crm("status")?.out.contains("Node secondary: standby")))?;
    std::thread::sleep(WHILE);
    ensure!(here(&cluster, 0) && !here(&cluster, 1), "a restart ended it");
    cluster.must("node online secondary")?;
    runs(&cluster, 1)
}

fn health(tools: &Tools) -> anyhow::Result<()> {
    let cluster = cluster(tools, 106, "node-health-strategy=migrate-on-red")?;
    let is = |color: &str| -> anyhow::Result<()> {
        let said = cluster.run(1, "attrd_updater", &["-n", "#health-disk", "-U", color], "")?;
        ensure!(said.code == 0, "{}", said.err);
        Ok(())
    };
    is("red")?;
    runs(&cluster, 0)?;
    is("green")?;
    runs(&cluster, 1)?;
    cluster.must("configure property node-health-strategy=only-green")?;
    is("yellow")?;
    runs(&cluster, 0)?;
    cluster.must("configure property node-health-strategy=none")?;
    runs(&cluster, 1)?;

    cluster.must("configure property placement-strategy=utilization")?;
    cluster.must("node utilization primary set cpu 4")?;
    cluster.must("node utilization secondary set cpu 1")?;
    cluster.must("resource utilization web set cpu 2")?;
    runs(&cluster, 0)?;
    let said = cluster.run(0, "crm_attribute", &["-z", "-N", "secondary", "-n", "cpu", "-v", "8"], "")?;
    ensure!(said.code == 0, "{}", said.err);
    runs(&cluster, 1)?;
    let asked = cluster.run(0, "crm_attribute", &["-z", "-N", "secondary", "-n", "cpu", "-G", "-q"], "")?;
    ensure!(asked.out.trim() == "8", "{}{}", asked.out, asked.err);
    ensure!(cluster.must("node utilization secondary show cpu")?.contains('8'), "node utilization");
    Ok(())
}
