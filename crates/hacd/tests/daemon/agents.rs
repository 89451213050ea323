//! What agents do to a daemon, and what becomes of them when it dies.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Cluster, wait_for};

#[test]
fn a_start_that_its_daemon_left_under_way_is_ended_before_another_begins() {
    let cluster = Cluster::new(131, 1).with_service();
    cluster.slow_down();
    let one = cluster.start(1);
    one.run_service(&cluster);
    wait_for("a start", || (cluster.count(1, "start") == 1).then_some(()));
    one.kill();
    let one = cluster.start(1);
    wait_for("the service", || cluster.service());
    one.settle();
    // With its process, if there was time to write it down.
    assert!(cluster.log(1).contains("start of S "), "{}", cluster.log(1));
    // The first one would be done by now.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((cluster.count(1, "start"), cluster.count(1, "started")), (2, 1));
}

#[test]
fn a_daemon_that_ends_at_once_takes_what_its_agents_are_doing_with_it() {
    let cluster = Cluster::new(132, 1).with_service();
    cluster.slow_down();
    let one = cluster.start(1);
    one.run_service(&cluster);
    wait_for("a start", || (cluster.count(1, "start") == 1).then_some(()));
    one.signal(Signal::TERM);
    // Two of a kind that wait together are one.
    wait_for("the first to be heard", || (one.get("/v1/status")?["sync"] == "leaving").then_some(()));
    one.signal(Signal::TERM);
    one.wait();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(cluster.count(1, "started"), 0, "the start went on");
}

#[test]
fn a_daemon_does_not_start_beside_another_cluster_manager() {
    let cluster = Cluster::new(133, 1);
    // In a network of its own, so that it stands in nobody's way.
    let script = "cp /bin/sleep $0/corosync && ($0/corosync 30 >/dev/null 2>&1 & echo $! > $0/other) && sleep 0.3 && exec \"$@\"";
    let own = || {
        let mut command = std::process::Command::new("unshare");
        command.arg("--net");
        command
    };
    if !own().arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: this user may make no network");
        return;
    }
    let dir = cluster.dir(1);
    let config = dir.join("hacd.toml").display().to_string();
    let state = dir.join("state").display().to_string();
    let words = [env!("CARGO_BIN_EXE_hacd"), "--config", &config, "--state", &state, "--node", "n1"];
    let output = own().args(["sh", "-c", script]).arg(cluster.dir(1)).args(words).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let other = std::fs::read_to_string(dir.join("other")).expect("written");
    let other: u32 = other.trim().parse().expect("a number");
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("corosync is active on this host") && said.contains("--beside"), "{said}");
    crate::harness::send(other, Signal::KILL).expect("it was left alone");
}

#[test]
fn a_configuration_that_everybody_can_write_is_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let cluster = Cluster::new(134, 1);
    let file = cluster.dir(1).join("hacd.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("changed");
    let (code, said) = cluster.fail(1);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("is open to everybody (mode 666)"), "{said}");
}
