//! Two releases in one cluster: a pair of daemons built from the same sources, of which one knows a level more.
//!
//! The same steps for hosts in namespaces and for daemons on loopback addresses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hac_lab::{Cluster, Plan, Status, wait_for};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(40);
/// So many answers in a row mean that the page is there.
const STEADY: usize = 10;
/// Where the state is.
const STATE: &str = "/var/lib/hacd";
/// How the service manager is told to try again.
const PASSING: i32 = 71;
/// The exit code of what was understood and refused.
const REFUSED: i32 = 78;

/// The two programs.
#[derive(Debug, Clone)]
pub struct Releases {
    /// The one of this build: levels 1 to 1.
    pub old: PathBuf,
    /// The one that knows levels 1 to 2.
    pub new: PathBuf,
}

/// A pair of different releases forms and fails over both ways; the older is replaced under way; the level is raised by
/// command; then the older program is refused.
///
/// # Errors
/// What was not as it should be.
pub fn rolling_upgrade(cluster: &Cluster, releases: &Releases) -> anyhow::Result<()> {
    start_mixed(cluster, releases)?;
    the_level_waits(cluster)?;
    for lost in [1, 2] {
        fails_over(cluster, lost)?;
    }
    let begin = Instant::now();
    let servers = web_servers(cluster)?;
    replace(cluster, 2, &releases.new)?;
    expect_levels(cluster, 1, &[(1, 2), (1, 2)])?;
    cluster.hacctl(1, &["upgrade", "check"])?;
    cluster.hacctl(2, &["upgrade", "finish"])?;
    wait_level(cluster, 2)?;
    cluster.hacctl(1, &["configure", "property", "word=x"])?;
    nothing_failed(cluster, begin)?;
    ensure!(web_servers(cluster)? == servers, "a web server was restarted");
    old_is_refused(cluster, releases)
}

/// Forwards by itself, and back: what only the higher level has is in the way until it is gone; then the older program
/// joins again.
///
/// # Errors
/// What was not as it should be.
pub fn up_by_itself_and_back(cluster: &Cluster, releases: &Releases) -> anyhow::Result<()> {
    start_mixed(cluster, releases)?;
    let begin = Instant::now();
    let servers = web_servers(cluster)?;
    cluster.hacctl(1, &["upgrade", "hold", "0"])?;
    replace(cluster, 2, &releases.new)?;
    wait_level(cluster, 2)?;
    cluster.hacctl(2, &["configure", "property", "word=x"])?;
    let why = refused(cluster, 1, &["upgrade", "revert", "--to", "1"], REFUSED)?;
    contains(&why, "the configuration uses what level 1 does not have: the word")?;
    cluster.hacctl(1, &["upgrade", "hold", "never"])?;
    cluster.hacctl(1, &["configure", "property", "word="])?;
    cluster.hacctl(1, &["upgrade", "revert", "--to", "1"])?;
    wait_level(cluster, 1)?;
    replace(cluster, 2, &releases.old)?;
    expect_levels(cluster, 1, &[(1, 2), (1, 1)])?;
    nothing_failed(cluster, begin)?;
    ensure!(web_servers(cluster)? == servers, "a web server was restarted");
    fails_over(cluster, 1)
}

/// What was on the disks of nodes before there were levels is taken over by either release with everything in it.
///
/// # Errors
/// What was not as it should be.
pub fn state_from_before(cluster: &Cluster, program: &Path, state: &[u8], shown: &str) -> anyhow::Result<()> {
    let host = cluster.host(1);
    host.install("hacd", program);
    let path = format!("{STATE}/cib.2");
    host.write_with_mode(&path, state, 0o600)?;
    cluster.start(1)?;
    wait_for("the daemon answers", LIMIT, || cluster.told(1))?;
    let now = cluster.hacctl(1, &["configure", "show"])?;
    for line in shown.lines().filter(|line| !line.contains("dc-version=") && !line.contains("cluster-name=")) {
        ensure!(now.contains(line.trim_end_matches(" \\")), "{line:?} is not in\n{now}");
    }
    Ok(())
}

/// The first host has the newer release, the second the older one; all is up.
fn start_mixed(cluster: &Cluster, releases: &Releases) -> anyhow::Result<()> {
    cluster.host(1).install("hacd", &releases.new);
    cluster.host(2).install("hacd", &releases.old);
    cluster.start_all()?;
    cluster.wait_status(1, "all hosts are online", LIMIT, |status| status.online.len() == 2)?;
    cluster.configure_tutorial(1)?;
    all_is_up(cluster)?;
    expect_levels(cluster, 1, &[(1, 2), (1, 1)])
}

fn all_is_up(cluster: &Cluster) -> anyhow::Result<Status> {
    let status = cluster.wait_up(LIMIT)?;
    cluster.lab().prober().wait_answers(None, Instant::now(), STEADY, LIMIT)?;
    Ok(status)
}

/// Nothing above the level is done, and who asks is told why.
fn the_level_waits(cluster: &Cluster) -> anyhow::Result<()> {
    let why = refused(cluster, 1, &["configure", "property", "word=x"], REFUSED)?;
    contains(&why, "the word needs level 2; the cluster is at 1 because secondary still runs 0.1.0")?;
    contains(&why, "'hacctl upgrade status' says what is missing.")?;
    let why = refused(cluster, 1, &["upgrade", "finish"], REFUSED)?;
    contains(&why, "secondary runs hacd 0.1.0, which knows levels 1, not 2")?;
    let why = refused(cluster, 2, &["upgrade", "check"], 2)?;
    contains(&why, "secondary runs hacd 0.1.0, which knows levels up to 1, not 2")
}

/// A host loses its power, the other one takes over, and the first comes back.
fn fails_over(cluster: &Cluster, lost: usize) -> anyhow::Result<()> {
    let other = cluster.other(lost)?;
    let begin = Instant::now();
    cluster.lab().power_off(lost)?;
    cluster.lab().prober().wait_answers(Some(Plan::name(other)), begin, STEADY, LIMIT)?;
    cluster.lab().power_on(lost)?;
    all_is_up(cluster).map(drop)
}

/// A daemon is stopped and another release started in its place, while what it runs goes on.
fn replace(cluster: &Cluster, host: usize, program: &Path) -> anyhow::Result<()> {
    let other = cluster.other(host)?;
    cluster.hacctl(other, &["configure", "property", "maintenance-mode=true"])?;
    cluster.stop(host)?;
    cluster.host(host).install("hacd", program);
    cluster.start(host)?;
    cluster.wait_status(other, "both are online again", LIMIT, |status| status.online.len() == 2)?;
    cluster.hacctl(other, &["configure", "property", "maintenance-mode=false"])?;
    all_is_up(cluster).map(drop)
}

/// The older release does not start with what the newer one has stored, and leaves it as it is; with nothing stored it is
/// refused by the member, and both say why.
fn old_is_refused(cluster: &Cluster, releases: &Releases) -> anyhow::Result<()> {
    cluster.kill(2)?;
    let before = files(cluster, 2)?;
    cluster.host(2).install("hacd", &releases.old);
    cluster.start(2)?;
    let ended = wait_for("the older program ends", LIMIT, || cluster.host(2).ended("hacd").transpose())??;
    ensure!(ended.code() == Some(PASSING), "it ended with {ended}");
    let said = cluster.host(2).output("hacd");
    contains(&said, "was written at level 2 by hacd 0.2.0, which is newer; this is hacd 0.1.0, which knows levels 1")?;
    let after = files(cluster, 2)?;
    ensure!(before == after, "it touched what it cannot read: {:?}, then {:?}", before.keys(), after.keys());

    for name in before.keys() {
        std::fs::remove_file(cluster.host(2).outside(STATE)?.join(name))?;
    }
    cluster.start(2)?;
    let on_new = "secondary runs hacd 0.1.0, which knows levels up to 1; this cluster is at level 2: install 0.2.0 or newer \
                  there";
    let on_old = "this node runs hacd 0.1.0, which knows levels up to 1; the cluster of primary is at level 2: install 0.2.0 \
                  or newer here";
    for (host, sentence) in [(1, on_new), (2, on_old)] {
        let what = format!("{} says {sentence:?} in its status", Plan::name(host));
        wait_for(&what, LIMIT, || {
            let told = cluster.told(host)?;
            told.problems.iter().any(|problem| problem.sentence.contains(sentence)).then_some(())
        })?;
        contains(&cluster.log(host), sentence)?;
    }
    Ok(())
}

/// The files of a host's state with what is in them, but for its count of lives and rings and its lock.
fn files(cluster: &Cluster, host: usize) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let directory = cluster.host(host).outside(STATE)?;
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("cib") {
            files.insert(name, std::fs::read(entry.path())?);
        }
    }
    ensure!(!files.is_empty(), "no state in {}", directory.display());
    Ok(files)
}

fn expect_levels(cluster: &Cluster, level: u16, windows: &[(u16, u16)]) -> anyhow::Result<()> {
    let now = level_at(cluster, 1).context("no answer")?;
    ensure!(now == level, "the cluster is at level {now}, not {level}");
    let status = cluster.told(1).context("no status")?;
    let known: Vec<Option<(u16, u16)>> = status.members.nodes.iter().map(|node| node.levels).collect();
    let expected: Vec<Option<(u16, u16)>> = windows.iter().map(|window| Some(*window)).collect();
    ensure!(known == expected, "the programs know {known:?}, not {expected:?}");
    Ok(())
}

/// The level in force, as a host says.
fn level_at(cluster: &Cluster, host: usize) -> Option<u16> {
    let output = cluster.try_hacctl(host, &["--json", "upgrade", "status"]).ok()?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    u16::try_from(told.get("level")?.as_u64()?).ok()
}

fn wait_level(cluster: &Cluster, level: u16) -> anyhow::Result<()> {
    for host in [1, 2] {
        let what = format!("{} is at level {level}", Plan::name(host));
        wait_for(&what, LIMIT, || level_at(cluster, host).filter(|now| *now == level))?;
    }
    all_is_up(cluster).map(drop)
}

/// Every request since `begin` was answered.
fn nothing_failed(cluster: &Cluster, begin: Instant) -> anyhow::Result<()> {
    let window = cluster.lab().prober().window(begin);
    ensure!(window.failed == 0, "{} requests failed, {} were answered", window.failed, window.answered);
    ensure!(window.answered > STEADY, "nobody asked");
    Ok(())
}

fn web_servers(cluster: &Cluster) -> anyhow::Result<Vec<i32>> {
    [1, 2]
        .map(|host| cluster.nginx(host).with_context(|| format!("no nginx on {}", Plan::name(host))))
        .into_iter()
        .collect()
}

/// A command ends with this exit code; what it says.
fn refused(cluster: &Cluster, host: usize, words: &[&str], code: i32) -> anyhow::Result<String> {
    let output = cluster.try_hacctl(host, words)?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() != Some(code) {
        bail!("hacctl {} ended with {}, not {code}:\n{text}", words.join(" "), output.status);
    }
    Ok(text)
}

fn contains(text: &str, part: &str) -> anyhow::Result<()> {
    ensure!(text.contains(part), "no {part:?} in:\n{text}");
    Ok(())
}
