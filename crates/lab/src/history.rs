//! `hac-lab history`: clients write and read through real daemons while their hosts are hurt; what they were told is recorded,
//! and then judged.
//!
//! * `nemesis`: what befalls the hosts, with `disk` and `clock` for those that need preparation.
//! * `manager`: the service manager that starts their daemons again.
//! * `check`: the judgement, a function of what was recorded.

mod check;
mod clock;
pub(crate) mod disk;
mod manager;
mod nemesis;

use std::io::{Read as _, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::TOKEN;
use crate::http::Answer;
use crate::run::{Progress, wait_for};
use crate::{Agents, Cluster, Error, Host, Plan, Tools};
pub use disk::DISK;

use check::{Read, Recorded, Written};
use manager::Manager;
use nemesis::{Harm, Nemesis};

/// How long a step may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long after all is well again the cluster may need to be calm.
const HEALED: Duration = Duration::from_secs(90);
/// How often ground truth is looked at.
const SAMPLE: Duration = Duration::from_millis(10);
/// How long after an answer everybody sees what it acknowledges.
const PUBLISHED: Duration = Duration::from_millis(500);
/// How long a client waits for an answer, seconds.
const PATIENCE: &str = "20";
/// How long one that speaks the API itself waits.
const API_PATIENCE: Duration = Duration::from_secs(20);

/// A resource that must run once: where it does is a file.
const AGENT: &str = r#"#!/bin/sh
f=/run/history-active
case $1 in
start) sleep 0.2; : >"$f";;
stop) rm -f "$f";;
monitor) [ -e "$f" ] && exit 0; exit 7;;
meta-data) echo '<?xml version="1.0"?>
<resource-agent name="exclusive"><version>1.0</version><longdesc lang="en">A file.</longdesc>
<shortdesc lang="en">A file</shortdesc><parameters/><actions><action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>';;
*) exit 3;;
esac
"#;

/// What the threads share.
struct Run<'a> {
    cluster: &'a Cluster,
    begin: Instant,
    ended: AtomicBool,
    recorded: Mutex<Recorded>,
    nemesis: Nemesis<'a>,
    manager: Manager,
}

impl Run<'_> {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn hosts(&self) -> usize {
        self.cluster.lab().hosts().len()
    }
}

/// Hurts a cluster of `hosts` hosts for `length`, with clients for each host, and judges what they saw. A pair is as in the
/// tutorial; of three, those that are lost to the others lose their power (`stonith-enabled`). The disk of each daemon has this
/// size, as `truncate` reads it.
///
/// # Errors
/// When the lab cannot be built, the cluster does not become calm in time, or a promise was broken.
pub fn run(
    tools: &Tools,
    hosts: usize,
    length: Duration,
    seed: u64,
    disk: &str,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let cluster = Cluster::new(tools, hosts, Agents::Native, "")?;
    for host in cluster.lab().hosts() {
        host.write_with_mode("/usr/lib/ocf/resource.d/lab/exclusive", AGENT.as_bytes(), 0o755)?;
    }
    let mut harms = Vec::new();
    match disk::prepare(&cluster, disk) {
        Ok(()) => harms.extend([Harm::Freeze, Harm::Fill]),
        Err(error) => say(out, &format!("no disk is frozen or filled here: {error}"))?,
    }
    match clock::prepare(&cluster) {
        Ok(()) => harms.push(Harm::Clock),
        Err(error) => say(out, &format!("no clock is moved here: {error}"))?,
    }
    cluster.start_all()?;
    cluster.wait_status(1, "all are online", LIMIT, |status| status.online.len() == hosts)?;
    configure(&cluster)?;
    let run = Run {
        cluster: &cluster,
        begin: Instant::now(),
        ended: AtomicBool::new(false),
        recorded: Mutex::new(Recorded::new(hosts)),
        nemesis: Nemesis::new(&cluster, seed, hosts > 2, &harms),
        manager: Manager::new()?,
    };
    let run = &run;
    let rounds = thread::scope(|scope| {
        for number in 1..=hosts {
            scope.spawn(move || count_up(run, number));
            scope.spawn(move || read(run, number, told));
            scope.spawn(move || read(run, number, told_by_api));
        }
        scope.spawn(|| sample(run));
        scope.spawn(|| tell_progress(run));
        scope.spawn(|| run.manager.manage(run.cluster, &run.ended));
        let rounds = hurt(run, length, out);
        run.ended.store(true, Ordering::Relaxed);
        rounds
    });
    judge(run, seed, rounds, out)
}

/// Gives the cluster the resource that must run once, and three hosts what takes the power from one of them.
fn configure(cluster: &Cluster) -> Result<(), Error> {
    if cluster.lab().hosts().len() == 2 {
        cluster.hacctl(1, &["configure", "property", "stonith-enabled=false", "no-quorum-policy=ignore"])?;
    } else {
        let map = cluster.lab().hosts().iter().map(|host| format!("{}:{}", host.name(), Plan::droplet(host.number())));
        let map = format!("pcmk_host_map={}", map.collect::<Vec<_>>().join(";"));
        let token = format!("api_token={TOKEN}");
        let device = ["configure", "primitive", "Power", "stonith:fence_digitalocean", "params", &token, &map];
        cluster.hacctl(1, &[&device[..], &["op", "monitor", "interval=60s"]].concat())?;
        cluster.hacctl(1, &["configure", "property", "stonith-enabled=true"])?;
    }
    let primitive =
        ["--wait", "configure", "primitive", "exclusive", "ocf:lab:exclusive", "op", "monitor", "interval=2s"];
    cluster.hacctl(1, &primitive).map(drop)
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), Error> {
    writeln!(out, "{line}").map_err(Error::system("cannot write"))
}

/// Says what was seen, and what of it is wrong.
fn judge(run: &Run<'_>, seed: u64, rounds: Result<usize, Error>, out: &mut dyn Write) -> Result<(), Error> {
    let recorded = run.recorded();
    let acknowledged = recorded.writes.iter().filter(|write| write.acknowledged).count();
    let line = format!(
        "{} hosts, {} s, seed {seed}: {} writes, {acknowledged} acknowledged, {} reads, {} looks at the hosts, {} sentences \
         about forks",
        run.hosts(),
        run.begin.elapsed().as_secs(),
        recorded.writes.len(),
        recorded.reads.len(),
        recorded.samples,
        recorded.forks.len()
    );
    say(out, &line)?;
    say(out, &format!("ends of daemons: {}", run.manager.told()))?;
    for sentence in &recorded.forks {
        say(out, &format!("told: {sentence}"))?;
    }
    let mut broken = check::broken(&recorded);
    match rounds {
        Ok(_)
            if acknowledged == 0
                || recorded.samples == 0
                || recorded.reads.iter().all(|read| read.values.is_empty()) =>
        {
            broken.push("nothing was seen, so nothing was checked".to_owned());
        }
        Ok(rounds) => say(out, &format!("{rounds} rounds"))?,
        Err(error) => broken.push(error.to_string()),
    }
    drop(recorded);
    if broken.is_empty() {
        return Ok(());
    }
    // The lab goes with this run: what its daemons said is all that is left.
    say(out, &run.cluster.report())?;
    Err(Error::Invalid(broken.join("; ")))
}

/// Rounds of harm and calm until the time is over.
fn hurt(run: &Run<'_>, length: Duration, out: &mut dyn Write) -> Result<usize, Error> {
    let mut rounds = 0;
    while run.begin.elapsed() < length {
        let what = run.nemesis.harm()?;
        say(out, &format!("{:>5} s  {what}", run.begin.elapsed().as_secs()))?;
        run.nemesis.heal()?;
        calm(run).map_err(|error| Error::Invalid(format!("after: {what}: {error}")))?;
        run.nemesis.well();
        rounds += 1;
    }
    Ok(rounds)
}

/// Waits until all are one cluster and the resource runs once, and has every host say what was acknowledged before.
fn calm(run: &Run<'_>) -> Result<(), Error> {
    let hosts = run.hosts();
    for host in 1..=hosts {
        run.cluster.wait_status(host, "all are online again", HEALED, |status| status.online.len() == hosts)?;
    }
    let once = wait_for("the resource runs once and nothing is in progress", HEALED, || {
        let settled = (1..=hosts).all(|host| run.cluster.is_settled(host));
        (active(run.cluster).len() == 1 && settled).then_some(())
    });
    once.map_err(|error| Error::Invalid(format!("{error}; it is active on hosts {:?}", active(run.cluster))))?;
    let acknowledged = run.recorded().acknowledged();
    sleep(PUBLISHED);
    for host in 1..=hosts {
        let told = wait_for("a host tells its state", LIMIT, || told(run, host))?;
        note_forks(run, &told);
        let values = check::registers(&told, hosts);
        run.recorded().at_rest(host, &acknowledged, &values);
    }
    Ok(())
}

/// The hosts on which the resource is active in truth.
fn active(cluster: &Cluster) -> Vec<usize> {
    let is = |host: &&Host| host.outside("/run/history-active").is_ok_and(|path| path.exists());
    cluster.lab().hosts().iter().filter(is).map(Host::number).collect()
}

/// Everything that `hacctl` tells of a host; none while its daemon does not answer.
fn told(run: &Run<'_>, host: usize) -> Option<Value> {
    let output = run.cluster.try_hacctl(host, &["--json", "status"]).ok()?;
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

/// The same, as a program gets it that speaks the API itself.
fn told_by_api(run: &Run<'_>, host: usize) -> Option<Value> {
    let answer = api(run, host, "GET", "/v1/status", "").ok()?;
    (answer.status == 200).then(|| answer.json())
}

/// Asks the daemon of a host on its socket.
fn api(run: &Run<'_>, host: usize, method: &str, path: &str, body: &str) -> Result<Answer, Error> {
    let socket = run.cluster.host(host).outside("/run/hacd/hacd.sock")?;
    let failed = || Error::system(format!("{method} {path} on {}", Plan::name(host)));
    let mut stream = UnixStream::connect(socket).map_err(failed())?;
    stream.set_read_timeout(Some(API_PATIENCE)).map_err(failed())?;
    stream.set_write_timeout(Some(API_PATIENCE)).map_err(failed())?;
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: hacd\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).map_err(failed())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed())?;
    Answer::parse(&bytes).ok_or_else(|| failed()(std::io::ErrorKind::UnexpectedEof.into()))
}

/// What a node says of changes that it gave up.
fn note_forks(run: &Run<'_>, told: &Value) {
    let problems = told.get("problems").and_then(Value::as_array).into_iter().flatten();
    let sentences = problems.filter_map(|problem| problem.get("sentence").and_then(Value::as_str));
    for sentence in sentences.filter(|sentence| sentence.contains("both sides of a cut")) {
        run.recorded().forks.insert(sentence.to_owned());
    }
}

/// A client that counts its own register up, through whichever host it happens to ask.
fn count_up(run: &Run<'_>, client: usize) {
    let (register, mut value) = (check::register(client), 0_u64);
    while !run.over() {
        value += 1;
        let host = 1 + (client + usize::try_from(value / 7).unwrap_or(0)) % run.hosts();
        let (name, text) = (Plan::name(1), value.to_string());
        // In turns as a person does it and as a program does.
        let acknowledged = if value % 2 == 0 {
            let words = ["--timeout", PATIENCE, "node", "attribute", name, "set", &register, &text];
            run.cluster.try_hacctl(host, &words).is_ok_and(|answer| answer.status.success())
        } else {
            let change = json!({"node": name, "name": register, "value": text, "lifetime": "Forever"});
            let body = json!({"changes": [{"SetNodeAttribute": change}], "client": "history"}).to_string();
            api(run, host, "POST", "/v1/configure", &body).is_ok_and(|answer| answer.status == 200)
        };
        run.recorded().writes.push(Written { client, value, host, acknowledged });
        sleep(Duration::from_millis(if acknowledged { 50 } else { 300 }));
    }
}

/// A client that reads all registers from one host.
fn read(run: &Run<'_>, host: usize, ask: impl Fn(&Run<'_>, usize) -> Option<Value>) {
    while !run.over() {
        let asked = run.begin.elapsed();
        if let Some(told) = ask(run, host) {
            let time = (asked, run.begin.elapsed());
            note_forks(run, &told);
            let values = check::registers(&told, run.hosts());
            let mut recorded = run.recorded();
            let forks = recorded.forks.len();
            let life = told.get("started_ms").and_then(Value::as_i64).unwrap_or_default();
            let uncompared = told.get("uncompared").and_then(Value::as_bool).unwrap_or_default();
            recorded.reads.push(Read { host, time, values, forks, life, uncompared });
        }
        sleep(Duration::from_millis(150));
    }
}

/// Tells who waits how far it is.
fn tell_progress(run: &Run<'_>) {
    let mut progress = Progress::begin();
    while !run.over() {
        progress.say(|| {
            let recorded = run.recorded();
            let acknowledged = recorded.writes.iter().filter(|write| write.acknowledged).count();
            let (writes, reads) = (recorded.writes.len(), recorded.reads.len());
            format!("{writes} writes, {acknowledged} acknowledged, {reads} reads")
        });
        sleep(Duration::from_millis(200));
    }
}

/// Looks at the hosts themselves.
fn sample(run: &Run<'_>) {
    while !run.over() {
        let strict = run.nemesis.strict();
        // Twice: between the looks at one host and the next it may have moved.
        let (first, second) = (active(run.cluster), active(run.cluster));
        let both: Vec<usize> =
            second.into_iter().filter(|host| first.contains(host) && strict.contains(host)).collect();
        let same = strict == run.nemesis.strict();
        let mut recorded = run.recorded();
        recorded.samples += 1;
        if both.len() > 1 && same {
            recorded.twice.push(format!("{both:?} at {:.1} s", run.begin.elapsed().as_secs_f64()));
        }
        drop(recorded);
        sleep(SAMPLE);
    }
}
