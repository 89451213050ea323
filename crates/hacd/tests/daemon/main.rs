//! Whole daemons as processes: what they open, what they say, what survives them.

mod agents;
mod fencing;
mod harness;
mod keys;
mod watchdog;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde_json::json;

use harness::{Cluster, send, udp_sockets, wait_for};

#[test]
fn two_daemons_become_one_cluster_and_a_change_made_on_one_is_on_both() {
    let cluster = Cluster::new(101, 2);
    let one = cluster.start(1);
    let status = one.get("/v1/status").expect("answers");
    assert_eq!(status["quorum"]["quorate"], false, "wait_for_all holds");
    let two = cluster.start(2);
    one.await_members(&["n1", "n2"]);
    two.await_members(&["n1", "n2"]);
    let answer = one.set_property("no-quorum-policy", "ignore");
    assert!(answer["version"]["epoch"].as_u64().expect("done") >= 1, "{answer}");
    wait_for("the change on the other node", || two.property("no-quorum-policy").filter(|value| value == "ignore"));
}

#[test]
fn only_the_tutorials_ports_are_used() {
    let cluster = Cluster::new(102, 2).with_two_links();
    let (one, _two) = cluster.start_both();
    let mut sockets = udp_sockets(one.pid());
    sockets.sort();
    // Addresses are written with their bytes in the host's order.
    let (link0, link1) = ("0166007F".to_owned(), "0166017F".to_owned());
    let expected = [(link0.clone(), 5404), (link0, 5405), (link1.clone(), 5405), (link1, 5406)];
    assert_eq!(sockets, expected);
}

#[test]
fn the_configuration_survives_both_daemons_being_killed() {
    let cluster = Cluster::new(103, 2);
    let (one, two) = (cluster.start(1), cluster.start(2));
    one.await_members(&["n1", "n2"]);
    for value in ["1min", "2min", "3min"] {
        let answer = two.set_property("cluster-recheck-interval", value);
        assert!(answer["version"]["epoch"].is_u64(), "{answer}");
    }
    one.kill();
    two.kill();
    let (one, two) = cluster.start_both();
    for daemon in [&one, &two] {
        assert_eq!(daemon.property("cluster-recheck-interval").as_deref(), Some("3min"));
    }
}

#[test]
fn a_damaged_generation_is_set_aside_with_a_message_and_the_one_before_is_used() {
    let cluster = Cluster::new(104, 1);
    let one = cluster.start(1);
    one.await_members(&["n1"]);
    for value in ["1min", "2min"] {
        let answer = one.set_property("cluster-recheck-interval", value);
        assert!(answer["version"]["epoch"].is_u64(), "{answer}");
    }
    one.kill();
    let newest = newest_generation(&cluster);
    let mut bytes = fs::read(&newest).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&newest, bytes).expect("writes");
    let one = cluster.start(1);
    one.await_members(&["n1"]);
    assert_eq!(one.property("cluster-recheck-interval").as_deref(), Some("1min"));
    let log = cluster.log(1);
    assert!(log.contains("is damaged (wrong checksum); set aside as"), "{log}");
}

fn newest_generation(cluster: &Cluster) -> std::path::PathBuf {
    let state = cluster.dir(1).join("state");
    let number = |name: &str| name.strip_prefix("cib.").and_then(|number| number.parse::<u64>().ok());
    let names = fs::read_dir(&state).expect("is there").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let newest = names.filter_map(|name| number(&name)).max().expect("there is one");
    state.join(format!("cib.{newest}"))
}

#[test]
fn a_change_that_cannot_be_stored_is_refused_and_the_old_state_stays() {
    let cluster = Cluster::new(105, 1);
    let one = cluster.start(1);
    one.await_members(&["n1"]);
    one.set_property("cluster-recheck-interval", "1min");
    // The next generations go to a device that is full.
    for number in 1..200 {
        let path = cluster.dir(1).join("state").join(format!("cib.{number}.tmp"));
        std::os::unix::fs::symlink("/dev/full", path).expect("makes a link");
    }
    let answer = one.set_property("cluster-recheck-interval", "2min");
    assert_eq!(answer["code"], "storage", "{answer}");
    assert!(answer["message"].as_str().expect("a sentence").contains("no space left on device"), "{answer}");
    assert_eq!(one.property("cluster-recheck-interval").as_deref(), Some("1min"));
}

#[test]
fn a_file_that_reaches_the_limit_of_its_size_is_a_full_disk() {
    let cluster = Cluster::new(119, 1);
    let one = cluster.start(1);
    one.await_members(&["n1"]);
    one.set_property("cluster-recheck-interval", "1min");
    let limit = |current| {
        let pid = i32::try_from(one.pid()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current, maximum: None };
        rustix::process::prlimit(pid, Resource::Fsize, limit).expect("is set");
    };
    // Neither state nor log nor journal takes another byte.
    limit(Some(16));
    let answer = one.set_property("cluster-recheck-interval", "2min");
    assert_eq!(answer["code"], "storage", "{answer}");
    assert!(answer["message"].as_str().expect("a sentence").contains("file too large"), "{answer}");
    assert_eq!(one.property("cluster-recheck-interval").as_deref(), Some("1min"));
    limit(None);
    let answer = one.set_property("cluster-recheck-interval", "3min");
    assert!(answer["version"]["epoch"].is_u64(), "{answer}");
}

#[test]
fn another_key_makes_no_cluster_and_both_sides_say_so() {
    let cluster = Cluster::new(106, 2);
    cluster.write_key(2, 8);
    let (one, two) = (cluster.start(1), cluster.start(2));
    for (daemon, node) in [(&one, 1), (&two, 2)] {
        wait_for("a problem in the status", || {
            let status = daemon.get("/v1/status")?;
            status["problems"].as_array()?.iter().find(|problem| problem.to_string().contains("authkey")).cloned()
        });
        wait_for("a message in the log", || cluster.log(node).contains("authkey").then_some(()));
        wait_for("a membership of one", || (daemon.members() == [format!("n{node}")]).then_some(()));
    }
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let cluster = Cluster::new(107, 2);
    let config = cluster.config();
    cluster.write_config(2, &config.replace("cluster_name", "cluster_nam"));
    let (code, said) = cluster.fail(2);
    let file = cluster.dir(2).join("hacd.toml");
    let line = format!("hacd: {}:2: totem.cluster_nam: unknown key, did you mean \"cluster_name\"?\n", file.display());
    assert_eq!((code, said), (Some(78), line));

    cluster.write_config(2, &config);
    let _taken = std::net::UdpSocket::bind((cluster.address(2), 5405)).expect("binds");
    let (code, said) = cluster.fail(2);
    assert_eq!((code, said.lines().count()), (Some(71), 1), "{said}");
    assert!(said.contains("UDP port 127.0.107.2:5405 is taken by another program"), "{said}");

    let _one = cluster.start(1);
    let (code, said) = cluster.fail(1);
    assert_eq!(code, Some(71));
    assert!(said.contains("another hacd uses this directory"), "{said}");
}

#[test]
fn sighup_opens_the_log_anew_and_sigterm_twice_ends_at_once() {
    let cluster = Cluster::new(108, 1);
    let one = cluster.start(1);
    one.await_members(&["n1"]);
    let rotated = cluster.dir(1).join("old.log");
    fs::rename(cluster.log_path(1), &rotated).expect("rotates");
    one.signal(Signal::HUP);
    wait_for("the new file", || cluster.log_path(1).exists().then_some(()));
    one.set_property("cluster-recheck-interval", "1min");
    wait_for("a line in it", || cluster.log(1).contains("the configuration changed").then_some(()));
    one.signal(Signal::TERM);
    wait_for("the first to be heard", || cluster.log(1).contains("handing resources over").then_some(()));
    one.signal(Signal::TERM);
    assert!(one.wait().success());
    assert!(!cluster.dir(1).join("sock").exists());
}

#[test]
fn the_death_of_a_process_is_noticed_at_once_and_it_is_started_again_in_place() {
    let cluster = Cluster::new(110, 2).with_service();
    let (one, _two) = cluster.start_both();
    one.run_service(&cluster);
    let first = wait_for("the service", || cluster.service());
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    // Its process is watched once the monitor has run; that recurs only once a minute.
    wait_for("the first monitor", || (cluster.count(runs_on, "monitor") >= 2).then_some(()));
    one.settle();
    let killed = Instant::now();
    send(first, Signal::KILL).expect("is killed");
    let second = wait_for("another process", || cluster.service().filter(|pid| *pid != first));
    assert!(killed.elapsed() < Duration::from_secs(20), "long before the next monitor");
    assert_eq!(cluster.count(3 - runs_on, "start"), 0, "in place");
    assert_ne!(first, second);
}

#[test]
fn a_daemon_killed_and_started_again_leaves_what_runs_alone() {
    let cluster = Cluster::new(111, 2).with_service();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    let process = wait_for("the service", || cluster.service());
    one.settle();
    let starts = |cluster: &Cluster| cluster.count(1, "start") + cluster.count(2, "start");
    assert_eq!(starts(&cluster), 1);
    // Both daemons die; the service does not.
    one.kill();
    two.kill();
    let (one, _two) = cluster.start_both();
    one.settle();
    assert_eq!(cluster.service(), Some(process));
    assert_eq!(starts(&cluster), 1, "nothing is started twice");
}

#[test]
fn a_daemon_killed_for_good_loses_its_resource_to_the_other() {
    let cluster = Cluster::new(112, 2).with_service();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    let process = wait_for("the service", || cluster.service());
    one.settle();
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    let (dead, alive, survivor) = if runs_on == 1 { (one, two, 2) } else { (two, one, 1) };
    // The whole host dies, as far as one process can stand for it.
    dead.kill();
    send(process, Signal::KILL).expect("is killed");
    wait_for("a start on the other node", || (cluster.count(survivor, "start") == 1).then_some(()));
    let name = format!("n{survivor}");
    alive.await_members(&[&name]);
    wait_for("the service", || cluster.service().filter(|pid| *pid != process));
}

#[test]
fn every_daemon_explains_where_a_resource_runs_and_the_coordinator_what_it_did() {
    let cluster = Cluster::new(115, 2).with_service();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    wait_for("the service", || cluster.service());
    one.settle();
    two.settle();
    let runs_on = if cluster.count(1, "start") > 0 { "n1" } else { "n2" };
    for (daemon, name) in [(&one, "n1"), (&two, "n2")] {
        let answer = daemon.get("/v1/explain?name=S").expect("answers");
        let text = answer["text"].as_str().expect("is text");
        assert!(text.contains(&format!("runs on {runs_on} and stays as it is")), "{text}");
        assert_eq!(answer["explanation"]["services"][0]["now"][0]["node"], runs_on);
        let whole = daemon.get("/v1/explain").expect("answers");
        assert_eq!(whole["explanation"]["steps"], json!([]), "{whole}");
        if whole["dc"] == name {
            let last = &whole["last_transition"];
            assert!(last["end"].as_str().expect("ended").starts_with("complete"), "{last}");
        }
        let unknown = daemon.get("/v1/explain?name=s").expect("answers");
        assert_eq!(
            (&unknown["code"], &unknown["remedy"]),
            (&json!("no_such"), &json!("Did you mean S? There are: S, n1, n2."))
        );
    }
}

#[test]
fn a_daemon_that_is_asked_to_leaves_in_good_order() {
    let cluster = Cluster::new(109, 2);
    let (one, two) = cluster.start_both();
    one.signal(Signal::TERM);
    assert!(one.wait().success());
    two.await_members(&["n2"]);
    let members = two.get("/v1/members").expect("answers");
    assert_eq!(members["nodes"][0]["state"], "left", "{members}");
    // A graceful leave is no reason to wait for a timeout, and the one that stays keeps quorum.
    assert_eq!(two.get("/v1/quorum").expect("answers")["quorate"], true);
}

#[test]
fn a_leaving_node_hands_its_resource_over_and_the_last_one_stops_it() {
    let cluster = Cluster::new(113, 2).with_service();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    wait_for("the service", || cluster.service());
    one.settle();
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    let (leaving, staying, other) = if runs_on == 1 { (one, two, 2) } else { (two, one, 1) };
    leaving.signal(Signal::TERM);
    assert!(leaving.wait().success());
    assert_eq!(cluster.count(runs_on, "stop"), 1);
    wait_for("a start on the other node", || (cluster.count(other, "start") == 1).then_some(()));
    let name = format!("n{other}");
    staying.await_members(&[&name]);
    staying.settle();
    assert_eq!(cluster.count(other, "start"), 1, "also if the one that left coordinated");
    staying.signal(Signal::TERM);
    assert!(staying.wait().success());
    assert_eq!(cluster.count(other, "stop"), 1);
    // The agent sends its process a signal and does not wait for it.
    wait_for("the end of the service", || cluster.service().is_none().then_some(()));
}

#[test]
fn a_recorded_flight_can_be_flown_again_and_shows_no_secret() {
    let cluster = Cluster::new(114, 2).with_service().with_recordings();
    let (one, two) = (cluster.start(1), cluster.start(2));
    one.await_members(&["n1", "n2"]);
    one.run_service(&cluster);
    wait_for("the service", || cluster.service());
    one.settle();
    one.signal(Signal::TERM);
    assert!(one.wait().success());
    two.await_members(&["n2"]);
    two.settle();
    two.kill();

    for (node, stopped) in [(1, true), (2, false)] {
        let recording = fs::read(cluster.recording(node)).expect("it was recorded");
        let mode = fs::metadata(cluster.recording(node)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shown = |known: &[u8]| recording.windows(known.len()).any(|bytes| bytes == known);
        assert!(!shown(b"pidfile") && !shown(&[7; 16]), "parameters or the key can be read");

        let authkey = hac_totem::AuthKey::new(vec![7; 128]).expect("128 bytes are a key");
        let mut replay = hac_node::Replay::open(&recording, authkey).expect("it can be read");
        let mut invoked = Vec::new();
        while let Some(step) = replay.step().expect("the same happens again") {
            invoked.extend(step.outputs.iter().filter_map(|output| match output {
                hac_node::Output::Invoke(invocation) if invocation.interval_ms == 0 => Some(invocation.action.clone()),
                _ => None,
            }));
        }
        assert_eq!(replay.played().complete, stopped, "the second one was killed");
        let starts = invoked.iter().filter(|action| *action == "start").count();
        assert_eq!(starts, cluster.count(node, "start"), "{invoked:?}");
    }
}

#[test]
fn the_journals_tell_after_a_restart_what_happened_where_and_who_asked_for_it() {
    let cluster = Cluster::new(141, 2).with_service();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    wait_for("the service", || cluster.service());
    one.settle();
    let started = |event: &serde_json::Value| event["details"]["operation"] == "S_start_0";
    // Lines are gathered for some milliseconds: what is killed meanwhile has not written them.
    wait_for("the start in the journal", || {
        let page = one.post("/v1/journal", &json!({"node": "n1", "filter": {"kinds": ["operation"]}}));
        page["events"].as_array()?.iter().any(started).then_some(())
    });
    one.kill();
    let one = cluster.start(1);
    one.await_members(&["n1", "n2"]);
    one.settle();
    // n1 knows from its files what it told before, and n2 is asked by n1.
    let of = |node: &str, kind: &str| {
        let page = one.post("/v1/journal", &json!({"node": node, "filter": {"kinds": [kind]}}));
        assert_eq!(page["node"], node, "{page}");
        page["events"].as_array().expect("has events").clone()
    };
    let (mine, others) = (of("n1", "configuration"), of("n2", "configuration"));
    let put = |events: &[serde_json::Value]| {
        let wrote = |event: &&serde_json::Value| event["details"]["changes"][0] == "S written";
        events.iter().find(wrote).cloned().expect("who made S is on record")
    };
    let (mine, others) = (put(&mine), put(&others));
    assert_eq!(mine["details"]["origin"], "n1");
    assert_eq!(mine["place"]["delivery"], others["place"]["delivery"], "one delivery has one place");
    assert_ne!(mine["id"], others["id"]);
    let operations: Vec<_> = of("n1", "operation").into_iter().chain(of("n2", "operation")).filter(started).collect();
    let by: Vec<_> = of("n1", "transition").into_iter().chain(of("n2", "transition")).collect();
    let caused = operations.iter().any(|order| by.iter().any(|decision| order["cause"] == decision["id"]));
    assert!(caused, "the coordinator knows its decision: {operations:?} {by:?}");
    let unknown = one.post("/v1/journal", &json!({"node": "n9"}));
    assert_eq!(unknown["code"], "usage", "{unknown}");
    drop(two);
}
