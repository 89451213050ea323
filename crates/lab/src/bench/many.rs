//! `bench many`: as many resources as hacd says it can have, on two hosts, with clients that ask all the time.

mod clients;

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use hac_api::Steps;

use super::{Series, pause};
use crate::{Agents, Cluster, Error, Tools, wait_for};
use clients::Clients;

/// A step of this measurement may take this long, and a millisecond more for each resource: a thousand times a script is
/// started in less than a second, ten thousand configured resources take half a minute to be agreed on.
const LIMIT: Duration = Duration::from_secs(120);
/// For each resource.
const LIMIT_EACH: Duration = Duration::from_millis(60);
/// Clock ticks a second, as Linux counts CPU time for programs.
const TICKS: f64 = 100.0;
/// A calm stretch before status is measured.
const CALM: Duration = Duration::from_secs(3);
/// How many times status is asked for where all is calm.
const STATUSES: usize = 9;
/// Clients that ask while the cluster works, and how often each does.
const CLIENTS: usize = 10;
const PERIOD: Duration = Duration::from_millis(50);
/// Part of the resources that run before the other host loses power, so that it dies in the middle of a transition.
const MIDDLE: usize = 3;

/// As cheap as a script can be; what runs is a file each.
const AGENT: &str = r#"#!/bin/sh
f=/run/null-$OCF_RESOURCE_INSTANCE
case $1 in
start) : >"$f"; exit 0;;
stop) rm -f "$f"; exit 0;;
monitor) [ -e "$f" ] && exit 0; exit 7;;
meta-data) cat <<'X'
<?xml version="1.0"?>
<resource-agent name="null"><version>1.0</version><longdesc lang="en">Nothing.</longdesc>
<shortdesc lang="en">Nothing</shortdesc><parameters/><actions><action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>
X
exit 0;;
*) exit 3;;
esac
"#;

/// What one run shows.
#[derive(Debug, Default)]
struct Seen {
    accept: Duration,
    start: Duration,
    /// Of the processor until then: the daemons, and what they ran.
    used: Used,
    status: Series,
    resident_mib: [u64; 2],
    failover: Duration,
    /// Memberships that nobody asked for: all after both were online, less the one that the power-off makes.
    memberships: usize,
    asked: usize,
    unanswered: usize,
    slowest_answer: Duration,
    ring: Step,
    cluster: Step,
}

/// Time of the processor, of both hosts, in clock ticks.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    daemons: u64,
    agents: u64,
}

/// The longest step of a thread, microseconds.
#[derive(Debug, Default, Clone, Copy)]
struct Step {
    wall: u64,
    work: u64,
}

/// Configures `resources` scripts on two hosts, starts them with `CLIENTS` clients asking for the status, takes the power
/// of one host away (while a transition runs, if `amid`), and prints what it took; once for each of `programs`.
///
/// # Errors
/// When the lab cannot be built, or a step does not end in time.
pub fn many(programs: &[Tools], resources: usize, amid: bool, polled: bool, out: &mut dyn Write) -> Result<(), Error> {
    for tools in programs {
        let seen = once(tools, resources, amid, polled)?;
        print(tools, resources, amid, &seen, out).map_err(Error::system("cannot write"))?;
    }
    Ok(())
}

fn once(tools: &Tools, resources: usize, amid: bool, polled: bool) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let limit = LIMIT + LIMIT_EACH * u32::try_from(resources).unwrap_or(u32::MAX);
    let cluster = Cluster::new(tools, 2, Agents::Native, "")?;
    for host in cluster.lab().hosts() {
        host.write_with_mode("/usr/lib/ocf/resource.d/lab/null", AGENT.as_bytes(), 0o755)?;
    }
    cluster.start_all()?;
    cluster.wait_status(1, "both are online", LIMIT, |status| status.online.len() == 2)?;
    let formed = memberships(&cluster)?;
    cluster.hacctl(1, &["configure", "property", "stonith-enabled=false", "no-quorum-policy=ignore"])?;
    cluster.host(1).write("/many.crm", &configuration(resources)?)?;
    let clients = polled.then(|| Clients::new(&cluster, CLIENTS, PERIOD)).transpose()?;

    let before = used(&cluster)?;
    let begin = Instant::now();
    cluster.hacctl(1, &["--timeout", "600", "configure", "load", "update", "/many.crm"])?;
    seen.accept = begin.elapsed();
    let wanted = if amid { resources / MIDDLE } else { resources };
    wait_for("the resources run", limit, || (running(&cluster, 1) + running(&cluster, 2) >= wanted).then_some(()))?;
    seen.start = begin.elapsed();
    let after = used(&cluster)?;
    seen.used.daemons = after.daemons.saturating_sub(before.daemons);
    seen.used.agents = after.agents.saturating_sub(before.agents);
    if !amid {
        pause(CALM);
        for _ in 0..STATUSES {
            let begin = Instant::now();
            cluster.hacctl(1, &["status"])?;
            seen.status.add(begin.elapsed());
        }
    }
    for (host, resident) in seen.resident_mib.iter_mut().enumerate() {
        *resident = memory(&cluster, host + 1)?;
    }
    let begin = Instant::now();
    cluster.lab().power_off(2)?;
    wait_for("all run on the survivor", limit, || (running(&cluster, 1) >= resources).then_some(()))?;
    seen.failover = begin.elapsed();
    if let Some(clients) = clients {
        (seen.asked, seen.unanswered, seen.slowest_answer) = clients.end();
    }
    seen.memberships = memberships(&cluster)?.saturating_sub(formed + 1);
    let told = cluster.told(1).ok_or_else(|| Error::Invalid("the survivor does not answer".to_owned()))?;
    (seen.ring, seen.cluster) = (longest(&told.steps, "ring"), longest(&told.steps, "cluster"));
    Ok(seen)
}

fn configuration(resources: usize) -> Result<String, Error> {
    let mut text = String::new();
    for number in 0..resources {
        writeln!(text, "primitive n{number} ocf:lab:null op monitor interval=30s")
            .map_err(|_| Error::Invalid("cannot write into memory".to_owned()))?;
    }
    Ok(text)
}

/// How many of the scripts' files a host has; none while it is off.
fn running(cluster: &Cluster, host: usize) -> usize {
    let host = cluster.host(host);
    if !host.is_on() {
        return 0;
    }
    let files = host.outside("/run").ok().and_then(|path| std::fs::read_dir(path).ok());
    files.map_or(0, |files| {
        files.flatten().filter(|file| file.file_name().to_string_lossy().starts_with("null-")).count()
    })
}

/// How many memberships host 1 was in so far.
fn memberships(cluster: &Cluster) -> Result<usize, Error> {
    Ok(cluster.events(1)?.iter().filter(|event| event.text.contains("new membership")).count())
}

/// What the daemons and their agents have used so far.
fn used(cluster: &Cluster) -> Result<Used, Error> {
    let mut used = Used::default();
    for host in cluster.lab().hosts() {
        for daemon in host.processes_named("hacd")? {
            used.daemons += daemon.cpu_ticks;
            used.agents += daemon.children_ticks;
        }
    }
    Ok(used)
}

/// Resident memory of a host's daemon, MiB.
fn memory(cluster: &Cluster, host: usize) -> Result<u64, Error> {
    let found = cluster.host(host).processes_named("hacd")?;
    let pid = found.first().map(|process| process.inner_pid);
    let Some(pid) = pid else { return Err(Error::Invalid(format!("hacd does not run on host {host}"))) };
    let text = cluster.host(host).exec(&["cat", &format!("/proc/{pid}/status")])?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kib.map(|kib| kib / 1024).ok_or_else(|| Error::Invalid("VmRSS is not told".to_owned()))
}

fn longest(steps: &[Steps], thread: &str) -> Step {
    steps.iter().filter(|steps| steps.thread == thread).fold(Step::default(), |most, steps| Step {
        wall: most.wall.max(steps.longest_us),
        work: most.work.max(steps.longest_cpu_us),
    })
}

fn print(tools: &Tools, resources: usize, amid: bool, seen: &Seen, out: &mut dyn Write) -> std::io::Result<()> {
    let when = if amid { "in the middle of the start" } else { "when all ran" };
    writeln!(out, "\n{resources} scripts on two hosts, one loses power {when}: {}", tools.directory().display())?;
    let mut line = |what: &str, value: String| writeln!(out, "{what:<56} {value}");
    let seconds = |time: Duration| format!("{:>9.3} s", time.as_secs_f64());
    line("configuration given to accepted", seconds(seen.accept))?;
    line(if amid { "  to a third running" } else { "  to all running" }, seconds(seen.start))?;
    let each = |ticks: u64| {
        let milliseconds = f64::from(u32::try_from(ticks).unwrap_or(u32::MAX)) * 1000.0 / TICKS;
        milliseconds / f64::from(u32::try_from(resources.max(1)).unwrap_or(u32::MAX))
    };
    let value = format!("{:>9.2} ms, their agents {:.2} ms", each(seen.used.daemons), each(seen.used.agents));
    line("  of the processor for each: both daemons", value)?;
    if !amid {
        line("one hacctl status (median, worst)", seen.status.columns())?;
    }
    line("power-off to all running on the survivor", seconds(seen.failover))?;
    line("memberships that nobody asked for", format!("{:>9}", seen.memberships))?;
    line("resident before the power-off, both hosts", format!("{:?} MiB", seen.resident_mib))?;
    if seen.asked > 0 {
        let answered = format!("{:>9} asked, {} without an answer", seen.asked, seen.unanswered);
        line("status asked for meanwhile", answered)?;
        line("  the slowest answer", seconds(seen.slowest_answer))?;
    }
    for (thread, step) in [("ring", seen.ring), ("cluster", seen.cluster)] {
        let millis = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
        let value = format!("{:>9.3} ms, of work alone {:.3} ms", millis(step.wall), millis(step.work));
        line(&format!("longest step of the survivor's {thread} thread"), value)?;
    }
    Ok(())
}
