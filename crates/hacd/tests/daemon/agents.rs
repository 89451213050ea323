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
    assert!(cluster.log(1).contains("start of S (process "), "{}", cluster.log(1));
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
