//! What was stored to be voted on when nodes went down: it counts, stays open or is given up, and nothing that was
//! acknowledged is lost by that.

use super::*;

/// Votes on what `from` asked for have been given by these, and nobody has done more; then these lose their power.
fn stored_by(cluster: &mut Cluster, from: u32, request: Request, voters: &[u32], all: &[u32]) {
    for node in all {
        cluster.disk(*node).slow = true;
    }
    cluster.request(from, request);
    cluster.settle();
    voters.iter().for_each(|node| cluster.end_a_write(*node));
}

/// These go on with disks that answer, from what they have.
fn restart(cluster: &mut Cluster, nodes: &[u32]) {
    for &node in nodes {
        cluster.power_off(node);
        cluster.disk(node).slow = false;
        cluster.disk(node).forget_writes();
        cluster.start(node);
    }
}

fn delay(cluster: &Cluster, node: u32) -> Option<&str> {
    cluster.cib(node).configuration.property("cluster-delay")
}

/// Node 1 says that a change counts, node 3 has it prepared, and all lose their power.
fn acknowledged_by_1_prepared_on_3(cluster: &mut Cluster, value: &str) {
    cluster.disk(3).slow = true;
    let change = cluster.request(1, set_property("cluster-delay", value));
    cluster.settle();
    cluster.end_a_write(3);
    assert!(matches!(cluster.reply(1, change), Some(Reply::Done { .. })), "{:?}", cluster.reply(1, change));
    cluster.power_off(1);
    restart(cluster, &[3]);
}

/// Of five nodes 1 and 2 are gone, and 3 has something prepared of which it does not know whether it counts. The newest state that
/// counted cannot be read there any more: it takes over that of another.
fn open_on_3_which_must_take_over() -> Cluster {
    let mut cluster = Cluster::new(5);
    cluster.view(&[1, 2, 3, 4, 5]);
    let old = cluster.disk(3).content.clone();
    cluster.ask(1, set_property("cluster-recheck-interval", "5min"));
    cluster.view(&[1, 2, 3]);
    acknowledged_by_1_prepared_on_3(&mut cluster, "80s");
    cluster.power_off(2);
    cluster.power_off(3);
    cluster.disk(3).content = old;
    cluster.start(3);
    cluster
}

/// Seed 22845 of the simulator.
#[test]
fn what_a_node_alone_had_prepared_does_not_take_the_place_of_what_the_others_agreed_upon_since() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    stored_by(&mut cluster, 2, set_property("cluster-delay", "80s"), &[2], &[1, 2, 3]);
    cluster.power_off(2);
    cluster.view(&[1, 3]);
    for node in [1, 3] {
        cluster.disk(node).slow = false;
        while cluster.disk(node).waits() > 0 {
            cluster.end_a_write(node);
        }
    }
    acknowledged_by_1_prepared_on_3(&mut cluster, "90s");

    restart(&mut cluster, &[2]);
    cluster.view(&[2]);
    assert_eq!(delay(&cluster, 2), None, "nobody knows whether it counts");
    cluster.view(&[2, 3]);
    assert_eq!([2, 3].map(|node| delay(&cluster, node)), [Some("90s"); 2]);
    cluster.start(1);
    cluster.view(&[1, 2, 3]);
    cluster.assert_equal(&[1, 2, 3]);
    assert_eq!(delay(&cluster, 1), Some("90s"));
}

#[test]
fn what_two_of_three_agreed_upon_is_not_lost_because_the_third_was_away() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    cluster.view(&[1, 3]);
    acknowledged_by_1_prepared_on_3(&mut cluster, "80s");
    cluster.view(&[2, 3]);
    assert_eq!([2, 3].map(|node| delay(&cluster, node)), [Some("80s"); 2]);
    // That may be relied on from now on, though neither has heard of it again from the one that is away.
    assert!(matches!(cluster.ask(2, set_property("cluster-recheck-interval", "5min")), Some(Reply::Done { .. })));
    cluster.start(1);
    cluster.view(&[1, 2, 3]);
    cluster.assert_equal(&[1, 2, 3]);
    assert_eq!(delay(&cluster, 1), Some("80s"));
}

/// Seed 8187 of the simulator.
#[test]
fn what_was_prepared_is_kept_until_the_state_that_has_it_is_on_the_disk() {
    for full in [true, false] {
        let mut cluster = Cluster::new(3);
        cluster.view(&[1, 2, 3]);
        cluster.view(&[1, 3]);
        acknowledged_by_1_prepared_on_3(&mut cluster, "80s");
        cluster.start(1);
        // The state is taken over, and the disk refuses it, or the power fails before it is there.
        (cluster.disk(3).full, cluster.disk(3).slow) = (full, !full);
        cluster.view(&[1, 3]);
        assert_eq!(delay(&cluster, 3), Some("80s"));
        assert_eq!(cluster.disk(3).prepared.len(), 1);
        cluster.power_off(1);
        cluster.disk(3).full = false;
        restart(&mut cluster, &[3]);
        cluster.view(&[2, 3]);
        assert_eq!([2, 3].map(|node| delay(&cluster, node)), [Some("80s"); 2]);
        assert_eq!(cluster.disk(3).prepared.len(), 0);
    }
}

/// Seed 3557 of the simulator.
#[test]
fn what_was_prepared_is_stored_again_before_anything_that_would_hide_it() {
    for written in 0..4 {
        let mut cluster = open_on_3_which_must_take_over();
        // It takes over what another has, and its power fails when so many of its writes have ended.
        cluster.disk(3).slow = true;
        cluster.view(&[3, 4]);
        for _ in 0..written {
            if cluster.disk(3).waits() > 0 {
                cluster.end_a_write(3);
            }
        }
        restart(&mut cluster, &[3]);
        cluster.view(&[3, 4, 5]);
        assert_eq!(delay(&cluster, 3), Some("80s"), "after {written} writes");
    }
}

#[test]
fn what_was_prepared_stays_open_until_most_of_the_votes_are_there_whatever_is_stored_meanwhile() {
    let mut cluster = open_on_3_which_must_take_over();
    for _ in 0..2 {
        cluster.view(&[3, 4]);
        assert_eq!(delay(&cluster, 3), None);
        assert_eq!(cluster.cib(3).configuration.property("cluster-recheck-interval"), Some("5min"));
        assert_eq!(given_up(&cluster, 3), [""; 0]);
        assert_eq!(cluster.disk(3).prepared.len(), 1);
        restart(&mut cluster, &[3]);
    }
    cluster.view(&[3, 4, 5]);
    assert_eq!([3, 4, 5].map(|node| delay(&cluster, node)), [Some("80s"); 3]);
    cluster.assert_equal(&[3, 4, 5]);
    assert_eq!(cluster.disk(3).prepared.len(), 0);
}

#[test]
fn a_change_counts_when_as_many_have_stored_it_as_are_needed_for_quorum() {
    let mut cluster = Cluster::new(5);
    cluster.view(&[1, 2, 3]);
    cluster.disk(3).full = true;
    let reply = cluster.ask(1, set_property("cluster-delay", "80s"));
    assert!(
        matches!(reply, Some(Reply::NotStored(_))),
        "two of five would not be found again by the others: {reply:?}"
    );
}

#[test]
fn a_change_of_the_level_that_only_a_lost_disk_had_committed_counts_or_is_told() {
    let set_level = || Request::SetLevel { to: hac_types::Level(2) };
    let three = || {
        let mut cluster = Cluster::of_levels(&[1, 1, 1]);
        cluster.view_at(&[1, 2, 3], 1);
        for id in [1, 2, 3] {
            cluster.kill(id);
            cluster.start_with(id, 2);
        }
        cluster.view_at(&[1, 2, 3], 1);
        cluster
    };
    // Node 1 has committed it and lost its disk; the others have it prepared.
    let mut cluster = three();
    stored_by(&mut cluster, 1, set_level(), &[1, 2, 3], &[1, 2, 3]);
    cluster.end_a_write(1);
    cluster.power_off(1);
    cluster.disk(1).wipe();
    restart(&mut cluster, &[2, 3]);
    cluster.view_at(&[2, 3], 1);
    assert_eq!([2, 3].map(|node| cluster.level(node)), [2, 2]);
    assert_eq!(given_up(&cluster, 2), [""; 0]);
    // Node 2 alone has it prepared, and the others go on without it.
    let mut cluster = three();
    stored_by(&mut cluster, 2, set_level(), &[2], &[1, 2, 3]);
    cluster.power_off(2);
    cluster.view_at(&[1, 3], 1);
    restart(&mut cluster, &[2]);
    cluster.view_at(&[1, 2, 3], 1);
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [1, 1, 1]);
    let told = given_up(&cluster, 2);
    assert!(told.iter().any(|sentence| sentence.contains("lost: level 2;")), "{told:?}");
}

#[test]
fn what_was_made_while_a_membership_broke_up_is_shown_when_it_counts() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    for node in [1, 2, 3] {
        cluster.disk(node).slow = true;
    }
    cluster.request(3, set_property("cluster-delay", "80s"));
    cluster.settle();
    let votes = cluster.words_after_writing();
    cluster.break_up(1, &votes);
    let shown =
        |cluster: &Cluster, node| cluster.shown(node).configuration.property("cluster-delay").map(str::to_owned);
    assert_eq!((delay(&cluster, 1), shown(&cluster, 1)), (Some("80s"), None));
    cluster.split(&[&[1], &[2]]);
    assert_eq!((delay(&cluster, 1), shown(&cluster, 1)), (Some("80s"), None), "others may go on without it");
    assert!(!cluster.shown(1).info.have_quorum, "what is known of the present is shown");
    assert!(cluster.report(1).cib_version < cluster.cib(1).version);
    cluster.view(&[1, 2]);
    assert_eq!([1, 2].map(|node| shown(&cluster, node)), [Some("80s".to_owned()), Some("80s".to_owned())]);
}
