//! Fencing with real daemons and a fence agent that writes down what it is given, byte for byte, and powers off what it is told
//! to, as far as killing processes can stand for that.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Cluster, Daemon, send, wait_for};

fn set(pairs: &[(&str, &str)]) -> Value {
    let pair = |(name, value): &(&str, &str)| json!({"id": "", "id_ref": null, "name": name, "value": value});
    let pairs: Vec<Value> = pairs.iter().map(pair).collect();
    json!({"id": "", "id_ref": null, "score": null, "rule": null, "pairs": pairs})
}

/// A fence device for both nodes, and fencing on.
fn add_device(daemon: &Daemon) {
    let params = set(&[
        ("pcmk_host_map", "n1:7;n2:8"),
        ("pcmk_delay_base", "n1:0s;n2:0s"),
        ("ip", "192.0.2.1"),
        ("passwd", "o p=q"),
    ]);
    let primitive = json!({"id": "F", "agent": {"class": "stonith", "provider": null, "kind": "fence_recorder"},
        "template": null, "description": null, "params": [params], "meta": [], "utilization": [],
        "operations": [], "operations_id": null, "operations_id_ref": null, "attributes": {}});
    daemon.configure(&json!([{"Put": {"object": {"Primitive": primitive}, "mode": "Create"}}]));
    daemon.set_property("stonith-enabled", "true");
}

fn fencing(daemon: &Daemon) -> Value {
    daemon.get("/v1/cib").map(|answer| answer["cib"]["status"]["fencing"].clone()).unwrap_or_default()
}

#[test]
fn a_lost_node_is_fenced_by_an_unchanged_agent_and_its_resource_starts_after_that() {
    let cluster = Cluster::new(116, 2).with_service().with_fence_agent();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    let process = wait_for("the service", || cluster.service());
    add_device(&one);
    wait_for("a run of the agent's monitor", || cluster.fence_log().contains("action=monitor\n").then_some(()));
    one.settle();
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    let status = one.get("/v1/status").expect("answers");
    assert_eq!(status["protected_by"], "power-off (F)", "{status}");
    let (dead, alive, survivor) = if runs_on == 1 { (one, two, 2) } else { (two, one, 1) };
    cluster.hold_fencing();
    dead.kill();
    wait_for("the agent to be asked to fence", || cluster.fence_log().contains("action=reboot\n").then_some(()));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(cluster.count(survivor, "start"), 0, "the node may live as long as nobody has fenced it");
    // What the agent does to the host.
    send(process, Signal::KILL).expect("is killed");
    cluster.release_fencing();
    wait_for("a start on the other node", || (cluster.count(survivor, "start") == 1).then_some(()));
    let plug = if runs_on == 1 { 7 } else { 8 };
    let expected = format!(
        "-- 0 arguments, PCMK_service=pacemaker-fenced\nip=192.0.2.1\npasswd=o p=q\naction=reboot\nnodename=n{runs_on}\n\
         plug={plug}\n"
    );
    let log = cluster.fence_log();
    assert!(log.ends_with(&expected), "{log}");
    let monitor = "-- 0 arguments, PCMK_service=pacemaker-fenced\nip=192.0.2.1\npasswd=o p=q\naction=monitor\n";
    assert!(log.contains(monitor), "{log}");
    assert!(!log.contains("pcmk_") && !log.contains("CRM_meta"), "{log}");
    let known = fencing(&alive);
    assert_eq!(known["history"][0]["target"], format!("n{runs_on}"), "{known}");
    assert_eq!(known["history"][0]["delegate"], format!("n{survivor}"), "{known}");
    assert_eq!(known["history"][0]["end"], "Succeeded", "{known}");
}

#[test]
fn a_live_node_that_learns_that_it_was_fenced_stops_everything_and_stays_away() {
    let cluster = Cluster::new(117, 2).with_service().with_fence_agent();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    wait_for("the service", || cluster.service());
    add_device(&one);
    wait_for("a run of the agent's monitor", || cluster.fence_log().contains("action=monitor\n").then_some(()));
    one.settle();
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    let (victim, other) = if runs_on == 1 { (one, two) } else { (two, one) };
    // The device says that it was done, and the node lives: fencing that cuts off storage is so.
    let answer = other.post(
        "/v1/command",
        &json!({"command": "fence", "node": format!("n{runs_on}"), "action": "off", "client": "test", "delay_s": 0}),
    );
    assert!(answer["version"].is_object(), "{answer}");
    assert_eq!(victim.wait().code(), Some(100));
    assert!(cluster.count(runs_on, "stop") >= 1, "what ran there was stopped");
    let log = cluster.log(runs_on);
    assert!(log.contains("this node was fenced, but it still runs"), "{log}");
    wait_for("a start on the other node", || (cluster.count(3 - runs_on, "start") == 1).then_some(()));
}

#[test]
fn a_fencing_that_fails_is_told_and_a_person_may_confirm_that_the_node_is_down() {
    let cluster = Cluster::new(118, 2).with_service().with_fence_agent();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    let process = wait_for("the service", || cluster.service());
    add_device(&one);
    one.set_property("stonith-max-attempts", "1");
    wait_for("a run of the agent's monitor", || cluster.fence_log().contains("action=monitor\n").then_some(()));
    one.settle();
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    let (dead, alive, survivor) = if runs_on == 1 { (one, two, 2) } else { (two, one, 1) };
    fs::write(cluster.path("fence.fails"), "no route to 192.0.2.1").expect("writes");
    dead.kill();
    send(process, Signal::KILL).expect("is killed");
    let problem = wait_for("a problem in the status", || {
        let status = alive.get("/v1/status")?;
        let problems = status["problems"].as_array()?.clone();
        problems
            .into_iter()
            .find(|problem| problem["sentence"].as_str().is_some_and(|it| it.contains("could not be fenced")))
    });
    assert!(problem["sentence"].as_str().expect("a sentence").contains("no route to 192.0.2.1"), "{problem}");
    assert!(problem["remedy"].as_str().expect("a remedy").contains("hacctl fence confirm"), "{problem}");
    assert_eq!(cluster.count(survivor, "start"), 0);
    let confirm = |node: u8| {
        alive.post("/v1/command", &json!({"command": "confirm_down", "node": format!("n{node}"), "client": "test"}))
    };
    let refused = confirm(survivor);
    assert_eq!(refused["code"], "invalid", "{refused}");
    let answer = confirm(runs_on);
    assert!(answer["version"].is_object(), "{answer}");
    wait_for("a start on the other node", || (cluster.count(survivor, "start") == 1).then_some(()));
}

#[test]
fn a_node_that_panics_when_it_learns_that_it_was_fenced_resets_its_host_at_once() {
    let cluster = Cluster::new(142, 2).with_service().with_fence_agent();
    let (one, two) = cluster.start_both();
    add_device(&one);
    one.set_property("fencing-reaction", "panic");
    wait_for("a run of the agent's monitor", || cluster.fence_log().contains("action=monitor\n").then_some(()));
    one.settle();
    let answer = one.post(
        "/v1/command",
        &json!({"command": "fence", "node": "n2", "action": "off", "client": "test", "delay_s": 0}),
    );
    assert!(answer["version"].is_object(), "{answer}");
    // The kernel that would do it is a file here, so the daemon goes on to leave.
    assert_eq!(two.wait().code(), Some(100));
    assert_eq!(fs::read_to_string(cluster.path("sysrq")).expect("is written"), "b");
    assert!(cluster.log(2).contains("fencing-reaction=panic: this host is reset now"), "{}", cluster.log(2));
}

#[test]
fn a_node_that_stood_still_while_it_was_fenced_learns_of_it_and_stays_away() {
    let cluster = Cluster::new(143, 2).with_service().with_fence_agent();
    let (one, two) = cluster.start_both();
    add_device(&one);
    wait_for("a run of the agent's monitor", || cluster.fence_log().contains("action=monitor\n").then_some(()));
    one.settle();
    // It is stopped, and the device says that it has been rebooted.
    send(two.pid(), Signal::STOP).expect("is stopped");
    wait_for("a success", || (fencing(&one)["history"][0]["end"] == "Succeeded").then_some(()));
    send(two.pid(), Signal::CONT).expect("goes on");
    assert_eq!(two.wait().code(), Some(100));
    let problem = wait_for("a problem in the status", || {
        let problems = one.get("/v1/status")?["problems"].as_array()?.clone();
        let sentence = |problem: &Value| problem["sentence"].as_str().unwrap_or_default().to_owned();
        problems.iter().map(sentence).find(|it| it.contains("without having been restarted"))
    });
    assert!(problem.starts_with("n2 was fenced by n1"), "{problem}");
    // A new life is as good as any other.
    let two = cluster.start(2);
    two.await_members(&["n1", "n2"]);
    let told = one.get("/v1/status").expect("answers")["problems"].to_string();
    assert!(!told.contains("without having been restarted"), "{told}");
}

#[test]
fn a_node_is_let_in_by_an_agent_on_that_node_before_anything_starts_there() {
    let cluster = Cluster::new(145, 2).with_service().with_fence_agent();
    let (one, two) = cluster.start_both();
    one.run_service(&cluster);
    wait_for("the service", || cluster.service());
    one.settle();
    let runs_on = if cluster.count(1, "start") > 0 { 1 } else { 2 };
    let (stays, leaves) = if runs_on == 1 { (two, one) } else { (one, two) };
    let primitive = json!({"id": "G", "agent": {"class": "stonith", "provider": null, "kind": "fence_fabric"},
        "template": null, "description": null, "params": [set(&[("pcmk_host_map", "n1:7;n2:8")])],
        "meta": [set(&[("provides", "unfencing")])], "utilization": [],
        "operations": [], "operations_id": null, "operations_id_ref": null, "attributes": {}});
    stays.configure(&json!([{"Put": {"object": {"Primitive": primitive}, "mode": "Create"}}]));
    stays.set_property("stonith-enabled", "true");
    // Who comes back is let in before the service may start there.
    drop(leaves);
    wait_for("a fencing", || fencing(&stays)["history"][0]["end"].as_str().map(drop));
    cluster.hold_fencing();
    let back = cluster.start(runs_on);
    back.await_members(&["n1", "n2"]);
    let asked = format!("action=on\nnodename=n{runs_on}\n");
    wait_for("the agent to be asked", || cluster.fence_log().contains(&asked).then_some(()));
    cluster.release_fencing();
    let attribute = |name: &str| {
        let nodes = back.get("/v1/cib")?["cib"]["status"]["nodes"].as_array()?.clone();
        let node = nodes.into_iter().find(|node| node["uname"] == format!("n{runs_on}"))?;
        let pairs = node["attributes"][0]["pairs"].as_array()?.clone();
        pairs.into_iter().find(|pair| pair["name"] == name)?["value"].as_str().map(str::to_owned)
    };
    let since = wait_for("the node to be let in", || attribute("#node-unfenced"));
    assert!(since.parse::<i64>().is_ok_and(|at| at > 1_700_000_000), "{since}");
    assert!(attribute("#digests-all").is_some_and(|all| all.starts_with("G:fence_fabric:")));
    let known = fencing(&back);
    let records = known["history"].as_array().expect("a history").clone();
    let on = |record: &Value| record["action"] == "on" && record["target"] == format!("n{runs_on}");
    let record = records.into_iter().rev().find(on).expect("a record");
    assert_eq!((&record["end"], &record["delegate"]), (&json!("Succeeded"), &json!(format!("n{runs_on}"))), "{record}");
}
