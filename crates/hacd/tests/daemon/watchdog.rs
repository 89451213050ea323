//! Watchdogs with real daemons: a program stands for the device, counts as a device would, and kills what runs "on the host" when it
//! was not petted in time: the daemon that had it open, and the service if that node runs it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Cluster, Daemon, send, wait_for};

/// What happened to a device, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Opened(u64),
    /// Closed, after the letter that stops it or without.
    Closed(bool),
    Reset(Instant),
}

/// The host that a device resets.
#[derive(Debug, Default)]
struct Host {
    daemon: Option<u32>,
    service: Option<u32>,
    seen: Vec<Seen>,
    pets: usize,
    /// When it resets the host, while it counts.
    until: Option<Instant>,
    timeout: Duration,
}

/// The watchdog of one node.
#[derive(Clone)]
struct Device(Arc<Mutex<Host>>);

impl Device {
    /// Listens where the node's configuration says that its device is.
    fn of(cluster: &Cluster, node: u8) -> Self {
        let device = Self(Arc::default());
        let listener = UnixListener::bind(cluster.watchdog_path(node)).expect("listens");
        let serving = device.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        let counting = device.clone();
        std::thread::spawn(move || {
            loop {
                counting.count();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        device
    }

    fn with<T>(&self, work: impl FnOnce(&mut Host) -> T) -> T {
        work(&mut self.0.lock().expect("no panic"))
    }

    fn serve(&self, mut stream: UnixStream) {
        let mut line = String::new();
        let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let seconds = line.trim().parse().expect("seconds");
        stream.write_all(line.as_bytes()).expect("answers");
        self.with(|host| {
            host.timeout = Duration::from_secs(seconds);
            host.seen.push(Seen::Opened(seconds));
            host.until = Some(Instant::now() + host.timeout);
        });
        let mut last = [0];
        loop {
            let mut byte = [0];
            match reader.read(&mut byte) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    last = byte;
                    self.with(|host| {
                        host.pets += 1;
                        host.until = host.until.map(|_| Instant::now() + host.timeout);
                    });
                }
            }
        }
        let stops = last == *b"V";
        self.with(|host| {
            host.seen.push(Seen::Closed(stops));
            if stops {
                host.until = None;
            }
        });
    }

    fn count(&self) {
        self.with(|host| {
            if host.until.is_some_and(|until| until <= Instant::now()) {
                host.until = None;
                for pid in host.daemon.take().into_iter().chain(host.service.take()) {
                    // It may be gone already.
                    let _ = send(pid, Signal::KILL);
                }
                host.seen.push(Seen::Reset(Instant::now()));
            }
        });
    }

    fn seen(&self) -> Vec<Seen> {
        self.with(|host| host.seen.clone())
    }

    fn reset(&self) -> Option<Instant> {
        self.seen().into_iter().find_map(|seen| if let Seen::Reset(at) = seen { Some(at) } else { None })
    }

    /// What this device's host runs from now on.
    fn hosts(&self, daemon: &Daemon, service: Option<u32>) {
        self.with(|host| (host.daemon, host.service) = (Some(daemon.pid()), service));
    }
}

/// Three nodes with watchdogs that are counted on, and a service on one of them.
struct World {
    cluster: Cluster,
    devices: Vec<Device>,
    daemons: Vec<Option<Daemon>>,
    /// Where the service runs, from 0.
    holder: usize,
    service: u32,
}

impl World {
    fn new(net: u8) -> Self {
        let cluster = Cluster::new(net, 3).with_service().with_watchdogs();
        let devices: Vec<Device> = (1..=3).map(|node| Device::of(&cluster, node)).collect();
        let daemons: Vec<Daemon> = (1..=3).map(|node| cluster.start(node)).collect();
        daemons.iter().for_each(|daemon| daemon.await_members(&["n1", "n2", "n3"]));
        let first = &daemons[0];
        first.run_service(&cluster);
        let service = wait_for("the service", || cluster.service());
        wait_for("all watchdogs to be known", || {
            (first.property("have-watchdog")? == "true" && Self::known(first) == 3).then_some(())
        });
        let properties =
            json!([["no-quorum-policy", "stop"], ["stonith-enabled", "true"], ["stonith-watchdog-timeout", "-1"]]);
        first.configure(&json!([{"SetProperties": {"section": "CrmConfig", "set": null, "pairs": properties}}]));
        first.settle();
        let holder = (0..3).find(|node| cluster.count(node + 1, "start") > 0).expect("it was started").into();
        for (node, (device, daemon)) in devices.iter().zip(&daemons).enumerate() {
            device.hosts(daemon, (node == holder).then_some(service));
        }
        Self { cluster, devices, daemons: daemons.into_iter().map(Some).collect(), holder, service }
    }

    /// Of how many nodes the watchdog is known.
    fn known(daemon: &Daemon) -> usize {
        let cib = daemon.get("/v1/cib").unwrap_or_default();
        cib["cib"]["status"]["fencing"]["watchdogs"].as_object().map_or(0, serde_json::Map::len)
    }

    fn node(&self, of: usize) -> u8 {
        u8::try_from(of).expect("small") + 1
    }

    fn holders_daemon(&mut self) -> Daemon {
        self.daemons[self.holder].take().expect("it runs")
    }

    fn others(&self) -> Vec<usize> {
        (0..3).filter(|node| *node != self.holder).collect()
    }

    /// How often the others have started the service.
    fn starts_elsewhere(&self) -> usize {
        self.others().into_iter().map(|node| self.cluster.count(self.node(node), "start")).sum()
    }
}

#[test]
fn a_daemon_that_stands_still_is_reset_in_time_and_what_it_ran_starts_elsewhere_after_that() {
    let mut world = World::new(146);
    let status = world.daemons[world.holder].as_ref().and_then(|daemon| daemon.get("/v1/status")).expect("answers");
    assert_eq!(status["protected_by"], "watchdog (n1, n2, n3)", "{status}");
    let still = Instant::now();
    let daemon = world.holders_daemon();
    daemon.signal(Signal::STOP);
    let device = world.devices[world.holder].clone();
    let reset = wait_for("the reset", || {
        assert_eq!(world.starts_elsewhere(), 0, "the host may live");
        device.reset()
    });
    assert!(reset.duration_since(still) < Duration::from_millis(5200), "{:?}", reset.duration_since(still));
    wait_for("nothing to run there any more", || (world.cluster.service() != Some(world.service)).then_some(()));
    wait_for("a start elsewhere", || (world.starts_elsewhere() == 1).then_some(()));
    for other in world.others() {
        assert_eq!(world.devices[other].reset(), None);
    }
}

#[test]
fn a_daemon_that_is_killed_and_is_back_in_time_goes_on_and_one_that_is_late_is_reset() {
    let mut world = World::new(147);
    let device = world.devices[world.holder].clone();
    world.holders_daemon().kill();
    let back = world.cluster.start(world.node(world.holder));
    device.hosts(&back, Some(world.service));
    back.await_members(&["n1", "n2", "n3"]);
    wait_for("the device to be open again", || {
        (device.seen().iter().filter(|seen| matches!(seen, Seen::Opened(_))).count() == 2).then_some(())
    });
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(device.seen(), [Seen::Opened(5), Seen::Closed(false), Seen::Opened(5)], "it counted on in between");
    assert_eq!(world.starts_elsewhere(), 0, "it stays where it was");
    let logs = (1..=3).map(|node| world.cluster.log(node)).collect::<String>();
    assert_eq!(world.cluster.service(), Some(world.service), "it is the process that it was:\n{logs}");
    // Nobody starts it in time.
    back.kill();
    wait_for("the reset", || device.reset());
    wait_for("a start elsewhere", || (world.starts_elsewhere() == 1).then_some(()));
}

#[test]
fn a_node_without_quorum_stops_what_it_runs_and_is_not_reset_and_a_clean_stop_disarms() {
    let mut world = World::new(148);
    let device = world.devices[world.holder].clone();
    for other in world.others() {
        // Their hosts have no power: nothing counts there.
        world.devices[other].with(|host| host.until = None);
        world.daemons[other].take().expect("it runs").kill();
    }
    wait_for("the service to be stopped", || (world.cluster.service().is_none()).then_some(()));
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(device.seen(), [Seen::Opened(5)], "it is petted while nothing runs");
    let pets = device.with(|host| host.pets);
    let daemon = world.holders_daemon();
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
    assert_eq!(device.seen(), [Seen::Opened(5), Seen::Closed(true)]);
    assert!(device.with(|host| host.pets) >= pets);
}

#[test]
fn a_device_that_is_not_there_is_said_and_what_must_not_run_twice_is_not_started_on_that_node() {
    let cluster = Cluster::new(149, 1).with_service().with_watchdogs();
    let daemon = cluster.start(1);
    daemon.await_members(&["n1"]);
    let problem = wait_for("a problem in the status", || {
        let problems = daemon.get("/v1/status")?["problems"].as_array()?.clone();
        problems
            .into_iter()
            .find(|it| it["sentence"].as_str().is_some_and(|it| it.starts_with("the watchdog is not armed")))
    });
    assert!(problem["remedy"].as_str().is_some_and(|it| it.contains("watchdog.device")), "{problem}");
    let answer = daemon.set_property("stonith-watchdog-timeout", "30s");
    assert!(answer["message"].as_str().is_some_and(|it| it.contains("no node has a watchdog")), "{answer}");
    // It is there after all.
    let device = Device::of(&cluster, 1);
    device.hosts(&daemon, None);
    wait_for("the watchdog", || (World::known(&daemon) == 1).then_some(()));
    let answer = daemon.set_property("stonith-watchdog-timeout", "5s");
    assert!(answer["message"].as_str().is_some_and(|it| it.contains("is 5 s and n1 needs")), "{answer}");
    let log = cluster.log(1);
    assert!(log.contains("the watchdog is armed: a stand-in for tests at"), "{log}");
}
