//! `hac-lab soak`: many runs of agents and many restarts of a daemon, and whether anything grows by them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::run::{Progress, wait_for};
use crate::{Agents, Cluster, Error, Host, Tools};

/// How long a step may take that does not depend on the numbers.
const LIMIT: Duration = Duration::from_secs(60);
/// Resources whose monitors are the runs.
const RESOURCES: usize = 40;
/// Runs and restarts before the first look: what is made once is made by then.
const WARM_UP: (u64, u32) = (500, 3);
/// How long all is calm before a look: threads that were lent out have gone by then.
const CALM: Duration = Duration::from_secs(13);
/// How much more memory of the daemon is no growth, KiB: what is remembered of the past is bounded, and not full at first.
const MEMORY: u64 = 16 << 10;
/// How many more threads and descriptors are no growth: threads for what may block are kept for a while, and a run that is
/// under way has four descriptors.
const THREADS: u64 = 12;
/// How many more files are no growth: generations of the configuration are kept up to a number, and so are the files of the
/// journals, eight on each host, and of earlier states, sixteen on each, which the first looks do not see full.
const FILES: u64 = 48;

/// Each run is a byte in a file. It runs where a file says so.
const AGENT: &str = r#"#!/bin/sh
f=/run/soak-active-$OCF_RESOURCE_INSTANCE
printf x >>/run/soak-runs
case $1 in
start) : >"$f";;
stop) rm -f "$f";;
monitor) [ -e "$f" ] && exit 0; exit 7;;
meta-data) echo '<?xml version="1.0"?>
<resource-agent name="soak"><version>1.0</version><longdesc lang="en">Counts its runs.</longdesc>
<shortdesc lang="en">Counts</shortdesc><parameters/><actions><action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>';;
*) exit 3;;
esac
"#;

/// What is looked at: a name, its value, and how much more of it is no growth.
type Row = (&'static str, u64, u64);

/// Runs agents `runs` times and restarts the second daemon `restarts` times, killed and stopped in turn, and prints what
/// there was before, between and after.
///
/// # Errors
/// When the lab cannot be built, a step does not end in time, or something has grown.
pub fn run(tools: &Tools, restarts: u32, runs: u64, out: &mut dyn Write) -> Result<(), Error> {
    let cluster = Cluster::new(tools, 2, Agents::Native, "")?;
    for host in cluster.lab().hosts() {
        host.write_with_mode("/usr/lib/ocf/resource.d/lab/soak", AGENT.as_bytes(), 0o755)?;
    }
    cluster.start_all()?;
    cluster.wait_status(1, "both are online", LIMIT, |status| status.online.len() == 2)?;
    cluster.hacctl(1, &["configure", "property", "stonith-enabled=false", "no-quorum-policy=ignore"])?;
    let lines = (0..RESOURCES).map(|n| format!("primitive s{n} ocf:lab:soak op monitor interval=300ms\n"));
    cluster.host(1).write("/soak.crm", &lines.collect::<String>())?;
    cluster.hacctl(1, &["configure", "load", "update", "/soak.crm"])?;

    let begin = Instant::now();
    let done = (|| {
        agents(&cluster, WARM_UP.0)?;
        restart(&cluster, WARM_UP.1)?;
        let first = look(&cluster)?;
        let ran = agents(&cluster, runs)?;
        let second = look(&cluster)?;
        restart(&cluster, restarts)?;
        Ok((first, ran, second, look(&cluster)?))
    })();
    let (first, ran, second, third) = match done {
        Ok(done) => done,
        Err(error) => {
            // The lab goes with this function: what its daemons said is all that is left.
            writeln!(out, "{}", cluster.report()).map_err(Error::system("cannot write"))?;
            return Err(error);
        }
    };

    let mut write = |line: String| writeln!(out, "{line}").map_err(Error::system("cannot write"));
    let took = begin.elapsed().as_secs();
    write(format!("\n{ran} runs of agents and {restarts} restarts of the other daemon in {took} s"))?;
    let (runs, all) = (format!("after {ran} runs"), format!("after {restarts} restarts"));
    write(format!("{:<44} {:>10} {runs:>18} {all:>20}", "", "before"))?;
    let mut grown = Vec::new();
    for (((what, before, allowed), (_, between, _)), (_, after, _)) in first.iter().zip(&second).zip(&third) {
        write(format!("{what:<44} {before:>10} {between:>18} {after:>20}"))?;
        if *between.max(after) > before + allowed {
            grown.push(format!("{what}: from {before} to {between} and {after}"));
        }
    }
    if grown.is_empty() { Ok(()) } else { Err(Error::Invalid(format!("grown: {}", grown.join("; ")))) }
}

/// Waits for so many more runs of agents, and gives their number.
fn agents(cluster: &Cluster, runs: u64) -> Result<u64, Error> {
    let count = || {
        let size = |host: &Host| Some(std::fs::metadata(host.outside("/run/soak-runs").ok()?).ok()?.len());
        cluster.lab().hosts().iter().filter_map(size).sum::<u64>()
    };
    let begin = count();
    let limit = LIMIT + Duration::from_millis(40).saturating_mul(u32::try_from(runs).unwrap_or(u32::MAX));
    let mut progress = Progress::begin();
    wait_for("the agents run", limit, || {
        let done = count() - begin;
        progress.say(|| format!("{done} of {runs} runs of agents"));
        (done >= runs).then_some(())
    })?;
    Ok(count() - begin)
}

/// Restarts the daemon of the second host, killed and stopped in turn.
fn restart(cluster: &Cluster, times: u32) -> Result<(), Error> {
    let mut progress = Progress::begin();
    for time in 0..times {
        progress.say(|| format!("{time} of {times} restarts"));
        if time % 2 == 0 {
            cluster.kill(2)?
        } else {
            cluster.stop(2)?
        }
        cluster.start(2)?;
        let what = format!("both are online after restart {time}");
        // First as the new one sees it: the other may not have noticed yet that it was gone.
        for host in [2, 1] {
            cluster.wait_status(host, &what, LIMIT, |status| status.online.len() == 2)?;
        }
    }
    Ok(())
}

/// What there is while all is calm.
fn look(cluster: &Cluster) -> Result<Vec<Row>, Error> {
    wait_for("nothing is in progress", LIMIT, || cluster.is_settled(1).then_some(()))?;
    cluster.hacctl(1, &["configure", "property", "maintenance-mode=true"])?;
    sleep(CALM);
    let first = daemon(cluster, 1)?;
    let second = daemon(cluster, 2)?;
    let mut rows = vec![
        ("memory of the daemon that stays, KiB", first.memory, MEMORY),
        ("  its descriptors", first.descriptors, THREADS),
        ("  its threads", first.threads, THREADS),
        ("  control groups below its own", first.groups, 0),
        ("descriptors of the other", second.descriptors, THREADS),
        ("  its threads", second.threads, THREADS),
    ];
    let mut processes = 0;
    for host in cluster.lab().hosts() {
        processes += host.processes()?.len() as u64;
    }
    rows.push(("processes on both hosts", processes, 0));
    for (what, path) in [("files below /run", "/run"), ("files below /var/lib/hacd", "/var/lib/hacd")] {
        let mut files = 0;
        for host in cluster.lab().hosts() {
            files += below(&host.outside(path)?);
        }
        rows.push((what, files, FILES));
    }
    cluster.hacctl(1, &["configure", "property", "maintenance-mode=false"])?;
    Ok(rows)
}

/// What a daemon uses.
struct Used {
    /// Resident, KiB.
    memory: u64,
    descriptors: u64,
    threads: u64,
    /// Control groups below its own.
    groups: u64,
}

/// What a host's daemon uses.
fn daemon(cluster: &Cluster, host: usize) -> Result<Used, Error> {
    let found = cluster.host(host).processes_named("hacd")?;
    let process = found.first().ok_or_else(|| Error::Invalid(format!("no hacd on host {host}")))?;
    let place = Path::new("/proc").join(process.pid.to_string());
    let entries = |name: &str| std::fs::read_dir(place.join(name)).map_or(0, |all| all.count() as u64);
    let group = std::fs::read_to_string(place.join("cgroup")).unwrap_or_default();
    // Where the group is the machine's root, other programs make groups there.
    let group = group.lines().find_map(|line| line.strip_prefix("0::/")).filter(|path| !path.is_empty());
    let folders = |path: PathBuf| {
        std::fs::read_dir(path).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()).count() as u64
    };
    Ok(Used {
        memory: process.resident_kib,
        descriptors: entries("fd"),
        threads: entries("task"),
        groups: group.map_or(0, |path| folders(Path::new("/sys/fs/cgroup").join(path))),
    })
}

/// How many files there are below a folder.
fn below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => below(&entry.path()),
        _ => 1,
    };
    entries.map(count).sum()
}
