//! Two hosts with watchdogs and a third vote, and no other fence device: what must not run twice does not, whatever happens to the
//! host that runs it. A program stands for each device and takes the power of its host; what really runs is looked at from outside.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hac_lab::{Cluster, Store, StoreKind, wait_for};

use crate::Test;
use crate::common::{Env, assert_contains, wait, wait_online};

/// The daemon's configuration on a host.
const FILE: &str = "/etc/hacd/hacd.toml";
/// An agent that runs any program.
const ANYTHING: &str = "/usr/lib/ocf/resource.d/heartbeat/anything";
/// The program that must not run twice, by the name of its process.
const ALONE: &str = "alone";
/// Where it lies.
const PROGRAM: &str = "/etc/hacd/alone";
/// Longer than a lost host has until it counts as gone (3 s, 5 s and 5 s, and some), and the other one to start.
const RECOVERED: Duration = Duration::from_secs(45);
/// How often is looked what runs.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn all() -> Vec<(&'static str, Test, Option<String>)> {
    let missing = (!Path::new(ANYTHING).exists()).then(|| "not installed: resource-agents".to_owned());
    vec![
        ("a_frozen_daemon_is_reset_by_its_watchdog_before_the_other_host_starts_anything", frozen, missing.clone()),
        ("a_host_that_hears_nobody_stops_before_the_other_one_starts", deaf, missing.clone()),
        ("a_killed_daemon_and_a_lost_power_never_make_two_of_one", killed, missing),
    ]
}

/// A device that counts.
#[derive(Clone, Default)]
struct Device(Arc<Mutex<Counting>>);

#[derive(Default)]
struct Counting {
    until: Option<Instant>,
    timeout: Duration,
    resets: usize,
}

impl Device {
    fn with<T>(&self, work: impl FnOnce(&mut Counting) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves whoever opens it, for as long as this process lives.
    fn serve_at(&self, path: &Path) -> anyhow::Result<()> {
        let listener = UnixListener::bind(path).with_context(|| path.display().to_string())?;
        let device = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let device = device.clone();
                // Whoever opens it and says nothing sensible has armed nothing.
                std::thread::spawn(move || drop(device.serve(stream)));
            }
        });
        Ok(())
    }

    fn serve(&self, mut stream: UnixStream) -> anyhow::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let timeout = Duration::from_secs(line.trim().parse()?);
        stream.write_all(line.as_bytes())?;
        self.with(|it| (it.timeout, it.until) = (timeout, Some(Instant::now() + timeout)));
        let (mut byte, mut stops) = ([0], false);
        while reader.read(&mut byte)? > 0 {
            stops = byte == *b"V";
            self.with(|it| it.until = it.until.map(|_| Instant::now() + timeout));
        }
        if stops {
            self.with(|it| it.until = None);
        }
        Ok(())
    }

    /// Whether it resets its host now.
    fn bites(&self) -> bool {
        self.with(|it| {
            let bites = it.until.take_if(|until| *until <= Instant::now()).is_some();
            it.resets += usize::from(bites);
            bites
        })
    }

    fn resets(&self) -> usize {
        self.with(|it| it.resets)
    }
}

/// What is looked at while a test runs.
struct Watch<'a> {
    cluster: &'a Cluster,
    devices: [Device; 2],
    /// How often it was seen on both hosts at once.
    twice: AtomicUsize,
    over: AtomicBool,
}

impl Watch<'_> {
    fn runs(&self, host: usize) -> bool {
        let host = self.cluster.host(host);
        host.is_on() && host.processes_named(ALONE).is_ok_and(|found| !found.is_empty())
    }

    fn place(&self) -> Option<usize> {
        [1, 2].into_iter().find(|host| self.runs(*host))
    }

    /// Counts, and takes the power of hosts, until the test is over.
    fn keep(&self) {
        while !self.over.load(Ordering::Relaxed) {
            for (host, device) in (1..).zip(&self.devices) {
                if device.bites() {
                    // It may have lost it already.
                    let _ = self.cluster.lab().power_off(host);
                }
            }
            if self.runs(1) && self.runs(2) {
                self.twice.fetch_add(1, Ordering::Relaxed);
            }
            sleep(LOOK);
        }
    }

    /// It runs on this host alone, sooner or later.
    fn wait_place(&self, host: usize) -> anyhow::Result<()> {
        wait_for(&format!("it runs on host {host}"), RECOVERED, || (self.place() == Some(host)).then_some(()))?;
        Ok(())
    }

    /// A host comes back and takes part, and nothing moves because of that.
    fn come_back(&self, host: usize) -> anyhow::Result<()> {
        if !self.cluster.host(host).is_on() {
            self.cluster.lab().power_on(host)?;
        }
        wait_online(self.cluster)?;
        let known = |of: usize| self.cluster.hacctl(1, &["fence", "list", hac_lab::Plan::name(of)]);
        wait("its watchdog is known", || known(host).is_ok_and(|text| text.contains("counts as gone")))?;
        wait("nothing is in progress", || self.cluster.is_settled(1) && self.cluster.is_settled(2))
    }
}

/// Runs a test on two hosts with watchdogs, a third vote, and something that must not run twice.
fn with_watchdogs(env: &Env, test: impl FnOnce(&Watch<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    env.with_hosts(2, "", |cluster| {
        let _store = Store::start(cluster.lab(), StoreKind::StandIn)?;
        let devices = [Device::default(), Device::default()];
        for (host, device) in cluster.lab().hosts().iter().zip(&devices) {
            let path = host.directory().join("dog");
            device.serve_at(&path)?;
            let text = host.read(FILE)?.replace("two_node = 1\n", "");
            let arbiter = format!("[arbiter]\nmodel = \"etcd\"\nendpoints = [\"{}\"]\n", Store::url());
            let dog = format!("[watchdog]\ndevice = \"{}\"\ntimeout = 5000\nstop = 5000\n", path.display());
            host.write(FILE, &format!("{text}{arbiter}{dog}"))?;
            // A program of a name that nothing else has.
            host.shell(&format!("cp /bin/sleep {PROGRAM}"))?;
        }
        let watch = Watch { cluster, devices, twice: AtomicUsize::new(0), over: AtomicBool::new(false) };
        let result = scope(|threads| {
            threads.spawn(|| watch.keep());
            let result = begin(&watch).and_then(|()| test(&watch));
            watch.over.store(true, Ordering::Relaxed);
            result
        });
        result?;
        let twice = watch.twice.load(Ordering::Relaxed);
        ensure!(twice == 0, "it was seen on both hosts {twice} times");
        Ok(())
    })
}

fn begin(watch: &Watch<'_>) -> anyhow::Result<()> {
    let cluster = watch.cluster;
    cluster.start_all()?;
    wait_online(cluster)?;
    for host in [1, 2] {
        let known = || cluster.hacctl(1, &["fence", "list", hac_lab::Plan::name(host)]);
        wait("the watchdogs are known", || known().is_ok_and(|text| text.contains("a stand-in for tests")))?;
    }
    let binfile = format!("binfile={PROGRAM}");
    let properties = ["no-quorum-policy=stop", "stonith-enabled=true", "stonith-watchdog-timeout=-1"];
    cluster.hacctl(1, &[&["configure", "property"][..], &properties].concat())?;
    let words =
        ["configure", "primitive", "Alone", "ocf:heartbeat:anything", "params", &binfile, "cmdline_options=86400"];
    cluster.hacctl(1, &[&words[..], &["op", "monitor", "interval=10s"]].concat())?;
    wait("it runs", || watch.place().is_some())?;
    wait("nothing is in progress", || cluster.is_settled(1) && cluster.is_settled(2))?;
    let safety = cluster.hacctl(1, &["explain", "--safety"])?;
    assert_contains(&safety, "Protected by: watchdog (primary, secondary)")?;
    assert_contains(&safety, "Alone (must not run twice): safe")
}

fn frozen(env: &Env) -> anyhow::Result<()> {
    with_watchdogs(env, |watch| {
        let holder = watch.place().context("it runs")?;
        let other = 3 - holder;
        watch.cluster.pause(holder)?;
        watch.wait_place(other)?;
        ensure!(watch.devices[holder - 1].resets() == 1, "its host was not reset");
        ensure!(!watch.cluster.host(holder).is_on() && watch.devices[other - 1].resets() == 0);
        let history = watch.cluster.hacctl(other, &["fence", "history"])?;
        assert_contains(&history, hac_lab::Plan::name(holder))?;
        watch.come_back(holder)
    })
}

fn deaf(env: &Env) -> anyhow::Result<()> {
    with_watchdogs(env, |watch| {
        let holder = watch.place().context("it runs")?;
        let network = watch.cluster.lab().network()?;
        // Neither the other host nor the store with the third vote can be reached from there.
        network.link(holder, false)?;
        watch.wait_place(3 - holder)?;
        ensure!(watch.devices.iter().all(|device| device.resets() == 0), "it stops in time, so no host is reset");
        network.link(holder, true)?;
        watch.come_back(holder)?;
        // A cut between the two alone moves nothing.
        let holder = watch.place().context("it runs")?;
        network.cut()?;
        sleep(Duration::from_secs(25));
        ensure!(watch.place() == Some(holder) && watch.devices.iter().all(|device| device.resets() == 0));
        network.heal()?;
        watch.come_back(3 - holder)
    })
}

fn killed(env: &Env) -> anyhow::Result<()> {
    with_watchdogs(env, |watch| {
        let holder = watch.place().context("it runs")?;
        watch.cluster.kill(holder)?;
        // Nobody starts it again: the program would run on.
        watch.wait_place(3 - holder)?;
        ensure!(watch.devices[holder - 1].resets() == 1, "its host was not reset");
        watch.come_back(holder)?;
        let holder = watch.place().context("it runs")?;
        watch.devices[holder - 1].with(|it| it.until = None);
        watch.cluster.lab().power_off(holder)?;
        watch.wait_place(3 - holder)?;
        watch.come_back(holder)
    })
}
