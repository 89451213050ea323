//! Disks that refuse or do not answer hold up nobody else, and catch up.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn warnings(reply: Option<Reply>) -> Vec<String> {
    match reply {
        Some(Reply::Done { warnings, .. }) => warnings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_counts_without_the_disk_of_one_member_that_is_full() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(2).full = true;
    let told = warnings(cluster.ask(1, set_property("stonith-enabled", "false")));
    assert_eq!(told, ["node2 has not stored the newest configuration: no space left on device"]);
    cluster.assert_equal(&[1, 2]);
    // The first generation has the name that the cluster got when both were together.
    assert_eq!((cluster.disk(1).committed, cluster.disk(2).committed), (Some(2), Some(1)));
    let on_both = [1, 2].map(|node| cluster.report(node).problems);
    assert!(on_both[0].iter().any(|p| p.sentence.starts_with("the newest configuration is not on the disk of node2")));
    assert!(on_both[1].iter().any(|p| p.sentence.starts_with("the newest configuration is not on this node's disk")));

    cluster.disk(2).full = false;
    cluster.advance(11 * SECOND);
    assert!(cluster.disk(2).committed > Some(1), "it is stored by itself");
    for node in [1, 2] {
        let problems = cluster.report(node).problems;
        assert!(!problems.iter().any(|p| p.sentence.contains("newest configuration")), "{problems:?}");
    }
    let told = warnings(cluster.ask(1, set_property("cluster-delay", "80s")));
    assert_eq!(told, [""; 0], "it is asked again");
}

#[test]
fn a_change_that_too_few_could_store_is_refused_and_changes_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.disk(2).full = true;
    cluster.disk(3).full = true;
    let before = cluster.cib(1).version;
    let reply = cluster.ask(1, set_property("stonith-enabled", "false"));
    let Some(Reply::NotStored(refusal)) = reply else { panic!("{reply:?}") };
    assert_eq!(
        refusal.sentence,
        "node2 could not store the change: no space left on device; node3 could not store the change: no space left on \
         device; nothing was changed"
    );
    assert_eq!(cluster.cib(1).version, before);
    assert!(cluster.disk(1).prepared.is_empty(), "the candidate is discarded");
    cluster.assert_equal(&[1, 2, 3]);

    cluster.disk(2).full = false;
    assert_eq!(warnings(cluster.ask(1, set_property("stonith-enabled", "false"))).len(), 1);
    cluster.disk(3).full = false;
    cluster.advance(11 * SECOND);
    assert_eq!(warnings(cluster.ask(1, set_property("cluster-delay", "80s"))).len(), 0);
}

#[test]
fn a_disk_that_hangs_is_waited_for_once_and_catches_up_when_it_answers() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(2).slow = true;
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    cluster.advance(4 * SECOND);
    assert_eq!(cluster.reply(1, id), None, "it may be slow");
    cluster.advance(SECOND);
    let told = warnings(cluster.reply(1, id));
    assert_eq!(told, ["node2 has not stored the newest configuration: its disk does not answer"]);
    let told = warnings(cluster.ask(1, set_property("cluster-delay", "81s")));
    assert_eq!(told.len(), 1, "it is not waited for a second time");
    // The node with the sick disk can be asked as well.
    let told = warnings(cluster.ask(2, set_property("cluster-delay", "82s")));
    assert_eq!(told.len(), 1);
    cluster.assert_equal(&[1, 2]);
    assert!(cluster.disk(2).waits() < 8, "nothing piles up: {}", cluster.disk(2).waits());

    cluster.disk(2).slow = false;
    while cluster.disk(2).waits() > 0 {
        cluster.end_a_write(2);
    }
    assert_eq!(warnings(cluster.ask(1, set_property("cluster-delay", "83s"))).len(), 0);
    cluster.kill(1);
    cluster.kill(2);
    cluster.start(1);
    cluster.start(2);
    cluster.view(&[1, 2]);
    assert_eq!(cluster.cib(2).configuration.property("cluster-delay"), Some("83s"));
}

#[test]
fn what_a_stale_disk_has_does_not_win_against_what_was_acknowledged() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.ask(1, set_property("cluster-delay", "79s"));
    cluster.disk(2).slow = true;
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    cluster.advance(6 * SECOND);
    assert_eq!(warnings(cluster.reply(1, id)).len(), 1);
    // The power fails for both while the disk hangs.
    for node in [1, 2] {
        cluster.kill(node);
        cluster.start(node);
    }
    cluster.disk(2).slow = false;
    assert_eq!(cluster.cib(2).configuration.property("cluster-delay"), Some("79s"));
    cluster.view(&[2]);
    assert!(!cluster.report(2).quorum.quorate, "it waits for the other before it does anything");
    cluster.view(&[1, 2]);
    for node in [1, 2] {
        assert_eq!(cluster.cib(node).configuration.property("cluster-delay"), Some("80s"));
    }
}

#[test]
fn the_node_that_was_asked_answers_although_its_own_disk_hangs() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(2).slow = true;
    let id = cluster.request(2, set_property("cluster-delay", "80s"));
    cluster.settle();
    // It votes, and hangs when the change is to become the newest.
    cluster.end_a_write(2);
    assert_eq!(cluster.reply(2, id), None);
    cluster.advance(6 * SECOND);
    let told = warnings(cluster.reply(2, id));
    assert_eq!(told, ["node2 could not store the configuration: its disk does not answer"]);
    cluster.end_a_write(2);
    let problems = cluster.report(2).problems;
    assert!(!problems.iter().any(|p| p.sentence.contains("newest configuration")), "{problems:?}");
}

#[test]
fn who_is_behind_stays_so_in_the_next_membership_and_hands_no_state_over() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2]);
    cluster.disk(1).slow = true;
    let id = cluster.request(2, set_property("cluster-delay", "80s"));
    cluster.settle();
    cluster.advance(31 * SECOND);
    let reply = cluster.reply(2, id);
    assert!(matches!(reply, Some(Reply::NotStored(_))), "one of three is too few: {reply:?}");

    cluster.view(&[1, 2, 3]);
    let id = cluster.request(2, set_property("cluster-delay", "81s"));
    cluster.settle();
    cluster.advance(6 * SECOND);
    assert_eq!(warnings(cluster.reply(2, id)).len(), 1);
    cluster.kill(3);
    cluster.disk(3).wipe();
    cluster.view(&[1, 2]);
    cluster.start(3);
    cluster.view(&[1, 2, 3]);
    cluster.assert_equal(&[1, 2, 3]);
    assert_eq!(cluster.report(3).problems.iter().filter(|p| p.sentence.contains("the disk of node1")).count(), 1);
    assert_eq!(warnings(cluster.ask(3, set_property("cluster-delay", "82s"))).len(), 1, "at once");
}

#[test]
fn who_is_behind_and_not_asked_does_not_make_the_others_enough() {
    let mut cluster = Cluster::new(5);
    cluster.view(&[1, 2, 3, 4, 5]);
    cluster.disk(4).full = true;
    cluster.disk(5).full = true;
    assert_eq!(warnings(cluster.ask(1, set_property("cluster-delay", "80s"))).len(), 2, "three of five are enough");
    // In a smaller view everybody is asked anew; whoever cannot is behind there too.
    cluster.view(&[1, 2, 4, 5]);
    let before = cluster.cib(1).version;
    for value in ["81s", "82s"] {
        let reply = cluster.ask(1, set_property("cluster-delay", value));
        assert!(matches!(reply, Some(Reply::NotStored(_))), "two of five are not: {reply:?}");
    }
    assert_eq!(cluster.cib(1).version.epoch, before.epoch);
}

#[test]
fn a_change_that_gave_way_before_it_was_on_the_disk_is_not_acknowledged_but_made_again() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.split(&[&[1], &[2]]);
    cluster.disk(1).slow = true;
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    // It votes for itself, and hangs when the change is to become the newest.
    cluster.end_a_write(1);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    for value in ["5min", "6min"] {
        cluster.ask(2, set_property("cluster-recheck-interval", value));
    }
    cluster.view(&[1, 2]);
    while cluster.disk(1).waits() > 0 {
        cluster.end_a_write(1);
        let reply = cluster.reply(1, id);
        assert!(
            reply.is_none() || cluster.cib(2).configuration.property("cluster-delay") == Some("80s"),
            "acknowledged, and nobody has it: {reply:?}"
        );
    }
    assert!(matches!(cluster.reply(1, id), Some(Reply::Done { .. })), "{:?}", cluster.reply(1, id));
    cluster.assert_equal(&[1, 2]);
}

#[test]
fn a_change_made_while_the_view_broke_up_is_not_acknowledged_by_a_node_that_cannot_store_it() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.disk(1).full = true;
    assert_eq!(warnings(cluster.ask(2, set_property("cluster-delay", "79s"))).len(), 1);
    // The disk of node2 alone counts now.
    cluster.disk(2).slow = true;
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    cluster.break_up(1, &votes);
    cluster.kill(2);
    cluster.view(&[1]);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    let reply = cluster.reply(1, id);
    let Some(Reply::TimedOut(refusal)) = reply else { panic!("{reply:?}") };
    assert_eq!(refusal.sentence, "node1 could not store the change: no space left on device, though it was made");
}

#[test]
fn a_change_made_while_the_view_broke_up_is_acknowledged_with_what_is_known_of_the_disks_since() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.disk(1).slow = true;
    let id = cluster.request(1, set_property("cluster-delay", "80s"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    // It has voted, and stores nothing from now on.
    cluster.disk(1).full = true;
    cluster.break_up(1, &votes);
    assert_eq!(cluster.cib(1).configuration.property("cluster-delay"), Some("80s"));
    cluster.view(&[1, 2, 3]);
    let told = warnings(cluster.reply(1, id));
    assert_eq!(told, ["node1 has not stored the newest configuration: no space left on device"]);
}

/// Seed 3871 of the simulator.
#[test]
fn a_disk_without_the_rings_number_is_not_counted_on() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.ring_number(1, Err("input/output error".to_owned()));
    cluster.view(&[1, 2]);
    let before = cluster.disk(2).highest;
    let reply = cluster.ask(2, set_property("cluster-delay", "80s"));
    let Some(Reply::NotStored(refusal)) = reply else { panic!("{reply:?}") };
    assert_eq!(
        refusal.sentence,
        "node1 could not store the change: it does not take the ring's number: input/output error; nothing was changed"
    );
    assert_eq!(cluster.disk(2).highest, before, "nothing that counts nowhere is left behind");
    // Two others are enough without it.
    cluster.view(&[1, 2, 3]);
    let told = warnings(cluster.ask(2, set_property("cluster-delay", "80s")));
    assert_eq!(told.len(), 1, "{told:?}");
    cluster.view(&[1, 2]);
    cluster.ring_number(1, Ok(()));
    cluster.settle();
    let told = warnings(cluster.ask(2, set_property("cluster-delay", "81s")));
    assert_eq!(told, [""; 0]);
}

/// Seed 2835 of the simulator.
#[test]
fn who_took_over_what_is_on_too_few_disks_says_so() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.view(&[1, 2]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    cluster.power_off(1);
    cluster.disk(3).full = true;
    cluster.view(&[2, 3]);
    assert_eq!(cluster.cib(3).configuration.property("cluster-delay"), Some("80s"));
    let says = |cluster: &Cluster, node| {
        let report = cluster.report(node);
        let told = report.problems.iter().any(|p| p.sentence.contains("after a fall of power"));
        (report.compared, told)
    };
    assert_eq!([2, 3].map(|node| says(&cluster, node)), [(true, false), (false, true)]);
    // It would be found again with two other disks that have it.
    cluster.start(1);
    cluster.view(&[1, 2, 3]);
    assert_eq!(says(&cluster, 3), (true, false));
    // It would with this one as well.
    cluster.ask(1, set_property("cluster-delay", "81s"));
    cluster.power_off(3);
    cluster.disk(3).full = false;
    cluster.disk(3).slow = true;
    cluster.start(3);
    cluster.view(&[2, 3]);
    assert_eq!(says(&cluster, 3), (false, false), "nobody knows yet that it takes long");
    while cluster.disk(3).waits() > 0 {
        cluster.end_a_write(3);
        cluster.settle();
    }
    assert_eq!(says(&cluster, 3), (true, false));
}
