//! Participants on a perfect stream: messages are put into one order at once and delivered to all members.

mod arbiter;
pub(crate) mod cluster;
mod collecting;
mod disks;
mod fencing;
mod levels;
mod prepared;
mod rotation;
mod store;
mod waits;
mod watchdog;

use std::time::Duration;

use hac_crm::cib::{Change, Configure, Section, StatusChange};

use self::cluster::Cluster;
use super::*;
use crate::{Reply, Request, RequestId};

pub(crate) fn set_property(name: &str, value: &str) -> Request {
    let pairs = vec![(name.to_owned(), Some(value.to_owned()))];
    let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
    Request::Configure(Configure {
        changes: vec![change],
        origin: "node1".to_owned(),
        client: "test".to_owned(),
        user: "root".to_owned(),
        base: None,
    })
}

#[test]
fn two_nodes_agree_on_a_change_of_the_configuration_and_store_it() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    assert!(cluster.report(1).quorum.quorate);
    assert_eq!(cluster.report(2).dc.as_deref(), Some("node1"));
    assert_eq!(cluster.report(1).sync, crate::SyncState::Active);

    let reply = cluster.ask(1, set_property("stonith-enabled", "false"));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    for node in [1, 2] {
        assert_eq!(cluster.cib(node).configuration.property("stonith-enabled"), Some("false"));
        // The first generation has the name that the cluster got when both were together.
        assert_eq!(cluster.disk(node).committed, Some(2));
    }
    cluster.assert_equal(&[1, 2]);
}

#[test]
fn a_node_alone_waits_for_the_other_and_changes_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1]);
    let report = cluster.report(1);
    assert!(!report.quorum.quorate);
    assert!(report.waiting_for.iter().any(|w| w.starts_with("waiting for node2 (2): wait_for_all")));
    let reply = cluster.ask(1, set_property("stonith-enabled", "false"));
    assert!(matches!(reply, Some(Reply::NoQuorum(_))), "{reply:?}");
}

#[test]
fn a_request_that_a_view_change_interrupts_is_answered_once() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.disk(3).slow = true;
    let id = cluster.request(1, set_property("stonith-enabled", "false"));
    cluster.settle();
    assert_eq!(cluster.reply(1, id), None, "node 3 has not stored it");
    cluster.view(&[1, 2]);
    let reply = cluster.reply(1, id);
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_eq!(cluster.replies(1, id), 1);
    cluster.assert_equal(&[1, 2]);
    cluster.disk(3).slow = false;
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.cib(3).configuration.property("stonith-enabled"), Some("false"));
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn what_was_stored_for_an_earlier_membership_is_no_vote_in_this_one() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.disk(3).slow = true;
    let id = cluster.request(1, set_property("stonith-enabled", "false"));
    cluster.settle();
    cluster.view(&[1, 2, 3]);
    // The change in the earlier membership, its end, the change in this one.
    for _ in 0..2 {
        cluster.end_a_write(3);
        assert_eq!(cluster.reply(1, id), None, "node3 has not stored it in this membership");
    }
    cluster.end_a_write(3);
    let reply = cluster.reply(1, id);
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn what_was_carried_out_while_the_membership_broke_up_is_acknowledged_when_a_quorate_one_has_stored_it() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    for node in [1, 2, 3] {
        cluster.disk(node).slow = true;
    }
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    assert_eq!(votes.len(), 3);
    cluster.break_up(1, &votes);
    cluster.split(&[&[1], &[2, 3]]);
    let value = |cluster: &Cluster, node| cluster.cib(node).configuration.property("cluster-delay").map(str::to_owned);
    assert_eq!((value(&cluster, 1).as_deref(), value(&cluster, 2)), (Some("80s"), None));
    assert_eq!(cluster.reply(1, id), None, "the others may go on without it");

    cluster.disk(2).slow = true;
    cluster.view(&[1, 2, 3]);
    assert_eq!(cluster.reply(1, id), None, "node2 has not stored it");
    cluster.disk(2).slow = false;
    let words = cluster.words_after_writing();
    for word in &words {
        cluster.inject(word);
    }
    let reply = cluster.reply(1, id);
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    assert_eq!(cluster.replies(1, id), 1);
    cluster.kill(1);
    for node in [2, 3] {
        cluster.kill(node);
        cluster.start(node);
    }
    cluster.view(&[2, 3]);
    assert_eq!(value(&cluster, 2).as_deref(), Some("80s"));
    cluster.assert_equal(&[2, 3]);
}

#[test]
fn what_is_there_already_is_acknowledged_when_the_node_that_was_asked_has_stored_it() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    for node in [1, 2] {
        cluster.disk(node).slow = true;
    }
    let id = cluster.request(2, set_property("cluster-delay", "80s"));
    cluster.settle();
    // Only node 1 is given the votes. It makes the change and dies; back again, it has the newer configuration.
    for (from, vote) in cluster.words_after_writing() {
        cluster.deliver_bytes(1, from, &vote);
    }
    cluster.settle();
    cluster.kill(1);
    cluster.start(1);
    cluster.disk(2).slow = true;
    cluster.view(&[1, 2]);
    assert_eq!(cluster.cib(2).configuration.property("cluster-delay"), Some("80s"), "taken over");
    let before = cluster.disk(2).committed;
    while cluster.disk(2).committed == before {
        assert_eq!(cluster.reply(2, id), None, "node2 has not stored it");
        cluster.end_a_write(2);
    }
    let reply = cluster.reply(2, id);
    assert!(matches!(&reply, Some(Reply::Done { warnings, .. }) if warnings.is_empty()), "{reply:?}");
    assert_eq!(cluster.replies(2, id), 1);
    cluster.assert_equal(&[1, 2]);
}

#[test]
fn what_was_stored_before_all_died_is_there_again() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.ask(2, set_property("cluster-delay", "70s"));
    let version = cluster.cib(1).version;
    cluster.kill(1);
    cluster.kill(2);
    cluster.start(1);
    cluster.start(2);
    cluster.view(&[1, 2]);
    for node in [1, 2] {
        assert_eq!(cluster.cib(node).configuration.property("cluster-delay"), Some("70s"));
        assert_eq!(cluster.cib(node).version.epoch, version.epoch);
    }
    cluster.assert_equal(&[1, 2]);
}

#[test]
fn a_node_whose_disk_is_lost_takes_the_others_state_over_and_stores_it() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.ask(1, set_property("cluster-delay", "70s"));
    cluster.kill(2);
    cluster.view(&[1]);
    assert!(cluster.report(1).quorum.quorate, "two_node");
    cluster.disk(2).wipe();
    cluster.start(2);
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    assert_eq!(cluster.cib(2).configuration.property("cluster-delay"), Some("70s"));
    assert!(cluster.disk(2).committed.is_some());
    assert_eq!(cluster.report(2).dc.as_deref(), Some("node1"), "the coordinator stays");
}

#[test]
fn of_two_sides_the_one_with_the_newer_configuration_wins() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.ask(2, set_property("cluster-delay", "80s"));
    cluster.view(&[1, 2]);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    cluster.assert_equal(&[1, 2]);
}

/// What `node` says was given up on this side of a cut.
fn given_up(cluster: &Cluster, node: u32) -> Vec<String> {
    let problems = cluster.report(node).problems.into_iter().map(|problem| problem.sentence);
    problems.filter(|sentence| sentence.contains("both sides of a cut")).collect()
}

#[test]
fn what_the_side_that_gives_way_changed_or_deleted_is_told() {
    let unset = |name: &str| {
        let pairs = vec![(name.to_owned(), None)];
        let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
        Request::Configure(Configure { changes: vec![change], ..Configure::default() })
    };
    for (mine, name) in [
        (set_property("cluster-delay", "81s"), "property cluster-delay"),
        (unset("cluster-delay"), "property cluster-delay (deleted here, or new there)"),
    ] {
        let mut cluster = Cluster::new(2);
        cluster.view(&[1, 2]);
        cluster.ask(1, set_property("cluster-delay", "80s"));
        cluster.split(&[&[1], &[2]]);
        assert!(matches!(cluster.ask(1, mine), Some(Reply::Done { .. })));
        for value in ["5min", "6min"] {
            cluster.ask(2, set_property("cluster-recheck-interval", value));
        }
        cluster.view(&[1, 2]);
        cluster.assert_equal(&[1, 2]);
        for node in [1, 2] {
            let told = given_up(&cluster, node);
            assert!(told.iter().any(|sentence| sentence.contains(name)), "{name}: {told:?}");
        }
        assert_eq!(cluster.disk(1).lost.len(), 1, "the state is kept");
        cluster.kill(1);
        cluster.start(1);
        cluster.view(&[1, 2]);
        assert!(!given_up(&cluster, 1).is_empty(), "until somebody has looked at it");
    }
}

#[test]
fn of_two_changes_with_one_number_the_one_that_gives_way_is_told() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    cluster.ask(2, set_property("cluster-delay", "90s"));
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    for node in [1, 2] {
        let told = given_up(&cluster, node);
        assert!(told.iter().any(|sentence| sentence.contains("property cluster-delay")), "{told:?}");
    }
}

#[test]
fn a_change_that_both_sides_have_under_another_number_is_not_lost() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    for node in [1, 2, 3] {
        cluster.disk(node).slow = true;
    }
    cluster.request(3, set_property("cluster-delay", "80s"));
    cluster.settle();
    cluster.request(2, set_property("cluster-recheck-interval", "5min"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    assert_eq!(votes.len(), 3);
    cluster.break_up(1, &votes);
    // The others carry the two out in another order.
    cluster.split(&[&[1], &[2, 3]]);
    let value = |cluster: &Cluster, node, name: &str| cluster.cib(node).configuration.property(name).map(str::to_owned);
    for node in [1, 2] {
        assert_eq!(value(&cluster, node, "cluster-delay").as_deref(), Some("80s"));
    }
    assert_eq!(value(&cluster, 1, "cluster-recheck-interval"), None);
    assert_eq!(value(&cluster, 2, "cluster-recheck-interval").as_deref(), Some("5min"));
    cluster.view(&[1, 2, 3]);
    cluster.assert_equal(&[1, 2, 3]);
    for node in [1, 2, 3] {
        assert_eq!(given_up(&cluster, node), [""; 0]);
    }
}

#[test]
fn a_change_of_a_membership_that_broke_up_is_told_where_nobody_can_say_what_was_answered() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    for node in [1, 2, 3] {
        cluster.disk(node).slow = true;
    }
    cluster.request(3, set_property("cluster-delay", "80s"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    cluster.break_up(1, &votes);
    cluster.split(&[&[1], &[2]]);
    // Who asked for it forgets it: whether it had answered that it is done, the others do not know.
    cluster.kill(3);
    cluster.start(3);
    cluster.view(&[2, 3]);
    for value in ["5min", "6min"] {
        let reply = cluster.ask(2, set_property("cluster-recheck-interval", value));
        assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    }
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    cluster.kill(1);
    cluster.start(1);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"), "it is on its disk");
    cluster.view(&[1, 2, 3]);
    cluster.assert_equal(&[1, 2, 3]);
    for node in [1, 2, 3] {
        let told = given_up(&cluster, node);
        assert!(told.iter().any(|sentence| sentence.contains("property cluster-delay")), "{told:?}");
    }
}

/// Node 2 has committed a change and said so, node 1 has voted for it and has it prepared, and then all lose their power.
fn prepared_on_1_committed_on_2() -> Cluster {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(1).slow = true;
    let change = cluster.request(2, set_property("cluster-delay", "80s"));
    cluster.settle();
    cluster.end_a_write(1);
    assert!(matches!(cluster.reply(2, change), Some(Reply::Done { .. })));
    for node in [1, 2] {
        cluster.power_off(node);
    }
    cluster.disk(1).slow = false;
    assert_eq!(cluster.disk(1).prepared.len(), 1);
    cluster
}

#[test]
fn what_only_a_lost_disk_had_committed_counts_where_nobody_went_on_without_it() {
    let mut cluster = prepared_on_1_committed_on_2();
    cluster.disk(2).wipe();
    cluster.start(2);
    cluster.view(&[2]);
    cluster.start(1);
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    assert_eq!(cluster.cib(2).configuration.property("cluster-delay"), Some("80s"));
    assert_eq!(given_up(&cluster, 1), [""; 0]);
}

#[test]
fn what_only_a_lost_disk_had_committed_is_told_where_that_node_went_on_without_it() {
    let mut cluster = prepared_on_1_committed_on_2();
    cluster.disk(2).wipe();
    cluster.start(2);
    cluster.view(&[2]);
    cluster.ask(2, Request::CancelWaitForAll);
    for value in ["5min", "6min", "7min"] {
        let reply = cluster.ask(2, set_property("cluster-recheck-interval", value));
        assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    }
    cluster.start(1);
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), None);
    for node in [1, 2] {
        let told = given_up(&cluster, node);
        assert!(told.iter().any(|sentence| sentence.contains("property cluster-delay")), "{told:?}");
    }
    assert_eq!((cluster.disk(1).lost.len(), cluster.disk(1).prepared.len()), (1, 0), "the state is kept");
    cluster.kill(1);
    cluster.start(1);
    cluster.view(&[1, 2]);
    assert!(!given_up(&cluster, 1).is_empty(), "until somebody has looked at it");
}

#[test]
fn what_was_prepared_and_is_there_in_the_state_that_counts_is_not_lost() {
    let mut cluster = prepared_on_1_committed_on_2();
    cluster.start(2);
    cluster.view(&[2]);
    cluster.ask(2, Request::CancelWaitForAll);
    cluster.ask(2, set_property("cluster-recheck-interval", "5min"));
    cluster.start(1);
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    assert_eq!(given_up(&cluster, 1), [""; 0]);
    assert_eq!(cluster.disk(1).prepared.len(), 0);
}

#[test]
fn what_was_told_as_lost_is_not_told_any_more_when_it_is_there() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    for node in [1, 2, 3] {
        cluster.disk(node).slow = true;
    }
    let change = cluster.request(3, set_property("cluster-delay", "80s"));
    cluster.settle();
    cluster.end_a_write(1);
    cluster.power_off(1);
    cluster.disk(1).slow = false;
    // Node 2 drops it; node 3 hears of nothing for a while, and will propose it again.
    cluster.hang(3, true);
    cluster.view(&[2]);
    cluster.words_after_writing();
    cluster.settle();
    cluster.start(1);
    cluster.view(&[1, 2]);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), None);
    let told = given_up(&cluster, 1);
    assert!(told.iter().any(|sentence| sentence.contains("property cluster-delay")), "{told:?}");
    cluster.hang(3, false);
    cluster.view(&[1, 2, 3]);
    assert!(matches!(cluster.reply(3, change), Some(Reply::Done { .. })));
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    assert_eq!(given_up(&cluster, 1), [""; 0]);
    assert_eq!(cluster.disk(1).lost.len(), 0, "nor after a restart");
}

/// Seed 91000233 of the simulator.
#[test]
fn what_the_side_that_gives_way_proposes_again_is_not_told_as_lost() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    cluster.disk(1).slow = true;
    let change = cluster.request(1, set_property("cluster-recheck-interval", "5min"));
    cluster.settle();
    cluster.end_a_write(1);
    assert_eq!(cluster.cib(1).configuration.property("cluster-recheck-interval"), Some("5min"));
    assert_eq!(cluster.reply(1, change), None, "it counts, and is not on the disk");
    for value in ["5", "6", "7"] {
        cluster.ask(2, set_property("batch-limit", value));
    }
    cluster.view(&[1, 2]);
    let assert_told = |cluster: &Cluster| {
        for node in [1, 2] {
            let told = given_up(cluster, node);
            assert!(told.iter().any(|sentence| sentence.contains("property cluster-delay")), "{told:?}");
            assert!(told.iter().all(|sentence| !sentence.contains("cluster-recheck-interval")), "{told:?}");
        }
    };
    assert_told(&cluster);
    while cluster.disk(1).waits() > 0 {
        cluster.end_a_write(1);
    }
    assert!(matches!(cluster.reply(1, change), Some(Reply::Done { .. })));
    cluster.assert_equal(&[1, 2]);
    assert_eq!(cluster.cib(2).configuration.property("cluster-recheck-interval"), Some("5min"));
    cluster.disk(1).slow = false;
    cluster.kill(1);
    cluster.start(1);
    cluster.view(&[1, 2]);
    assert_told(&cluster);
}

#[test]
fn of_what_was_told_as_lost_only_that_is_told_further_which_is_not_there() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.ask(1, set_property("no-quorum-policy", "ignore"));
    for node in [1, 2, 3] {
        cluster.disk(node).slow = true;
    }
    let change = cluster.request(3, set_property("cluster-recheck-interval", "5min"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    cluster.break_up(1, &votes);
    cluster.hang(3, true);
    cluster.split(&[&[1], &[2]]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    for value in ["5", "6", "7"] {
        cluster.ask(2, set_property("batch-limit", value));
    }
    cluster.view(&[1, 2]);
    let tells = |cluster: &Cluster, name: &str| given_up(cluster, 1).iter().any(|sentence| sentence.contains(name));
    assert!(tells(&cluster, "cluster-delay") && tells(&cluster, "cluster-recheck-interval"));
    cluster.hang(3, false);
    cluster.view(&[1, 2, 3]);
    assert!(matches!(cluster.reply(3, change), Some(Reply::Done { .. })));
    cluster.assert_equal(&[1, 2, 3]);
    assert!(!tells(&cluster, "cluster-recheck-interval"), "it is there");
    assert!(tells(&cluster, "cluster-delay"), "{:?}", given_up(&cluster, 1));
}

#[test]
fn what_one_of_a_pair_changed_alone_is_told_however_much_the_other_changed() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    for number in 0..200 {
        cluster.ask(2, set_property("cluster-recheck-interval", &format!("{}s", 100 + number)));
    }
    // It was restarted meanwhile, and knows what it did from its disk.
    cluster.kill(1);
    cluster.start(1);
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    let told = given_up(&cluster, 1);
    assert!(told.iter().any(|sentence| sentence.contains("property cluster-delay")), "{told:?}");
}

#[test]
fn what_one_of_a_pair_changed_alone_and_shared_later_is_not_lost() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.kill(1);
    for number in 0..200 {
        cluster.ask(2, set_property("cluster-recheck-interval", &format!("{}s", 100 + number)));
    }
    cluster.start(1);
    cluster.view(&[1, 2]);
    cluster.assert_equal(&[1, 2]);
    assert_eq!(given_up(&cluster, 1), [""; 0]);
}

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    let delete = Change::Delete { id: "nothing".to_owned(), force: false };
    let configure = Configure { changes: vec![delete], ..Configure::default() };
    let reply = cluster.ask(1, Request::Configure(configure));
    let Some(Reply::Refused(refusal)) = reply else { panic!("{reply:?}") };
    assert!(refusal.sentence.contains("nothing"), "{refusal:?}");

    let reply = cluster.ask(1, Request::Status(StatusChange::Quorum(true)));
    assert!(matches!(reply, Some(Reply::Refused(_))), "{reply:?}");
}

/// Only the daemon that is asked judges a change. What a stricter one would have refused is applied by it like by all
/// others; the coordinator goes on with what it can, and everybody who looks is told.
#[test]
fn what_only_a_stricter_release_refuses_is_applied_by_both_alike() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    for asked in [1, 2] {
        let reply = cluster.ask(asked, set_property(&format!("node-health-{asked}"), "1"));
        assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
        let reply = cluster.ask(asked, set_property("maintenance-mode", &format!("sometimes{asked}")));
        assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
        cluster.assert_equal(&[1, 2]);
    }
    for node in [1, 2] {
        let report = cluster.report(node);
        assert!(report.settled, "{:?}", report.waiting_for);
        let told = report.configuration_problems(cluster.cib(node));
        assert!(
            told.iter().any(|problem| problem.sentence.contains("\"sometimes2\" is no value for maintenance-mode")),
            "{told:?}"
        );
    }
}

#[test]
fn a_request_that_nobody_agrees_to_is_answered_in_time() {
    let mut cluster = Cluster::new(2);
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    assert_eq!(cluster.reply(1, id), None);
    cluster.advance(Duration::from_secs(61));
    let reply = cluster.reply(1, id);
    assert!(matches!(reply, Some(Reply::TimedOut(_))), "{reply:?}");
}

#[test]
fn waiting_until_all_is_done_works_on_any_node() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    for node in [1, 2] {
        let reply = cluster.ask(node, Request::Settle { timeout: Duration::from_secs(5) });
        assert_eq!(reply, Some(Reply::Settled { settled: true, waiting_for: Vec::new() }));
        assert!(cluster.report(node).settled, "{:?}", cluster.report(node).waiting_for);
    }
}

#[test]
fn a_message_for_another_view_means_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    let stale = cluster.capture(1, set_property("cluster-delay", "80s"));
    cluster.view(&[1, 2]);
    let version = cluster.cib(1).version;
    cluster.inject(&stale);
    assert_eq!(cluster.cib(1).version, version);
    let report = cluster.report(2);
    assert!(report.counters.iter().any(|c| c.name == "node.stale_messages" && c.value > 0));
}

#[test]
fn who_cannot_read_a_delivery_leaves_alone_and_does_nothing_more() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.deliver_bytes(1, 2, &[1, 0xff, 0xff, 0xff]);
    cluster.deliver_bytes(1, 2, &[]);
    let report = cluster.report(1);
    let count = report.counters.iter().find(|c| c.name == "node.undecodable").map(|c| c.value);
    assert_eq!(count, Some(1), "after the first there is nothing more");
    assert_eq!(report.sync, crate::SyncState::Stopped);
    assert_eq!(cluster.report(2).sync, crate::SyncState::Active, "the other one is not concerned");
}

#[test]
fn who_is_not_the_coordinator_cannot_order() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    let before = cluster.cib(1).clone();
    let change = StatusChange::Quorum(false);
    cluster.say_as(2, Body::Change(wire::Dated { wall: WallTime(0), change }));
    assert_eq!(*cluster.cib(1), before);
}

#[test]
fn a_member_answers_what_another_one_asks_and_who_is_away_is_named() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2]);
    let question =
        |node| Request::Ask { node: NodeId(node), question: "how?".to_owned(), timeout: Duration::from_secs(8) };
    let reply = cluster.ask(1, question(2));
    assert_eq!(reply, Some(Reply::Answered("node2 was asked: how?".to_owned())));
    let reply = cluster.ask(1, question(3));
    assert!(
        matches!(&reply, Some(Reply::Unavailable(why)) if why.sentence.starts_with("node3 is not a member")),
        "{reply:?}"
    );
    let long = Request::Ask { node: NodeId(2), question: "x".repeat(5000), timeout: Duration::from_secs(8) };
    assert!(matches!(cluster.ask(1, long), Some(Reply::TooLarge(_))));
    // Whoever says nothing is not waited for, and nothing else waits meanwhile.
    cluster.hang(2, true);
    let id = cluster.request(1, question(2));
    cluster.settle();
    assert!(cluster.report(1).settled, "{:?}", cluster.report(1).waiting_for);
    cluster.advance(Duration::from_secs(9));
    let reply = cluster.reply(1, id);
    assert!(
        matches!(&reply, Some(Reply::TimedOut(why)) if why.sentence == "node2 did not answer in time"),
        "{reply:?}"
    );
}
