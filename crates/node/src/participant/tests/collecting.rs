//! Attributes whose changes are collected: when they count, and who says so.

use std::time::Duration;

use hac_crm::cib::StatusChange;

use super::cluster::Cluster;
use crate::Request;

fn set(cluster: &mut Cluster, on: u32, node: &str, value: &str) {
    let change = StatusChange::SetAttribute {
        node: node.to_owned(),
        name: "pingd".to_owned(),
        value: Some(value.to_owned()),
        private: false,
        dampening_ms: 5000,
        utilization: false,
    };
    cluster.request(on, Request::Status(change));
    cluster.settle();
}

fn counting(cluster: &Cluster, on: u32) -> [Option<String>; 2] {
    ["node1", "node2"].map(|node| cluster.cib(on).transient(node, "pingd").map(str::to_owned))
}

fn pass(cluster: &mut Cluster, ms: u64) {
    for _ in 0..ms / 100 {
        cluster.advance(Duration::from_millis(100));
        cluster.settle();
    }
}

#[test]
fn changes_at_0_and_3_seconds_with_5_of_dampening_count_together_at_8() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    set(&mut cluster, 1, "node1", "0");
    pass(&mut cluster, 3000);
    set(&mut cluster, 2, "node2", "0");
    pass(&mut cluster, 4900);
    for on in [1, 2] {
        assert_eq!(counting(&cluster, on), [None, None]);
    }
    pass(&mut cluster, 200);
    for on in [1, 2] {
        assert_eq!(counting(&cluster, on), [Some("0".to_owned()), Some("0".to_owned())]);
    }
}

#[test]
fn what_is_collected_outlives_the_coordinator() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.report(2).dc.as_deref(), Some("node1"));
    set(&mut cluster, 2, "node2", "0");
    set(&mut cluster, 1, "node1", "0");
    pass(&mut cluster, 2000);
    cluster.kill(1);
    cluster.view(&[2, 3]);
    cluster.settle();
    assert_eq!(counting(&cluster, 2), [None, None], "its time has not come");
    pass(&mut cluster, 3200);
    assert_eq!(counting(&cluster, 2), [None, Some("0".to_owned())], "node1 took its own with it");
    assert_eq!(counting(&cluster, 3), counting(&cluster, 2));
}
