//! The level of a cluster: when it is raised by itself, and what becomes of it where only some have heard.

use hac_types::Level;

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Hosts whose programs know levels 1 to `max`, in a cluster that is at level 1: it was made by older programs.
fn cluster(max: &[u16]) -> Cluster {
    let mut cluster = Cluster::of_levels(&vec![1; max.len()]);
    let all: Vec<u32> = cluster.ids();
    cluster.view_at(&all, 1);
    for (id, max) in (1..).zip(max) {
        cluster.kill(id);
        cluster.start_with(id, *max);
    }
    cluster.view_at(&all, 1);
    cluster
}

fn set_level(to: u16) -> Request {
    Request::SetLevel { to: Level(to) }
}

fn refused(reply: Option<Reply>) -> String {
    match reply {
        Some(Reply::Refused(refusal)) => refusal.sentence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_level_is_raised_after_a_day_in_which_all_are_there_and_know_it() {
    let mut cluster = cluster(&[2, 2, 2]);
    cluster.advance(HOUR * 24 - Duration::from_secs(1));
    assert_eq!(cluster.level(1), 1);
    cluster.advance(Duration::from_secs(1));
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [2, 2, 2]);
    cluster.view_at(&[1, 2, 3], 2);
    cluster.advance(HOUR * 48);
    assert_eq!(cluster.level(1), 2, "nobody knows a third");
}

#[test]
fn the_property_says_how_long_or_never() {
    let mut cluster = cluster(&[2, 2]);
    cluster.ask(1, set_property("upgrade-hold", "never"));
    cluster.advance(HOUR * 24 * 365);
    assert_eq!(cluster.level(1), 1);
    assert!(matches!(cluster.ask(1, set_property("upgrade-hold", "0")), Some(Reply::Done { .. })));
    assert_eq!([1, 2].map(|node| cluster.level(node)), [2, 2], "at once: it has been possible for a year");
}

#[test]
fn nothing_is_raised_while_somebody_is_away_or_does_not_know_the_level() {
    let mut cluster = cluster(&[2, 2, 1]);
    cluster.ask(1, set_property("upgrade-hold", "1h"));
    cluster.advance(HOUR * 10);
    assert_eq!(cluster.level(1), 1, "node3 does not know it");
    cluster.kill(3);
    cluster.view_at(&[1, 2], 1);
    cluster.advance(HOUR * 10);
    assert_eq!(cluster.level(1), 1, "node3 is away");
    let why = refused(cluster.ask(2, set_level(2)));
    assert_eq!(why, "level 2 must wait for node3: the level is changed only while all nodes are here");
    cluster.start_with(3, 2);
    cluster.view_at(&[1, 2, 3], 1);
    cluster.advance(HOUR - Duration::from_secs(1));
    assert_eq!(cluster.level(1), 1, "what counts is the time that all are there");
    cluster.advance(Duration::from_secs(1));
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [2, 2, 2]);
}

#[test]
fn another_coordinator_begins_to_wait_anew() {
    let mut cluster = cluster(&[2, 2, 2]);
    cluster.ask(1, set_property("upgrade-hold", "1h"));
    cluster.advance(HOUR / 2);
    cluster.kill(1);
    cluster.view_at(&[2, 3], 1);
    cluster.start_with(1, 2);
    cluster.view_at(&[1, 2, 3], 1);
    assert_ne!(cluster.report(2).dc.as_deref(), Some("node1"));
    cluster.advance(HOUR - Duration::from_secs(1));
    assert_eq!(cluster.level(2), 1);
    cluster.advance(Duration::from_secs(1));
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [2, 2, 2]);
}

#[test]
fn a_transition_is_not_disturbed_and_what_is_due_waits_without_turning_in_circles() {
    let mut cluster = cluster(&[2, 2]);
    cluster.slow_planner(1);
    cluster.ask(1, set_property("upgrade-hold", "0"));
    assert_eq!(cluster.unplanned(1), 1, "the coordinator is at work");
    assert_eq!(cluster.level(1), 1);
    cluster.advance(Duration::from_secs(10));
    assert_eq!(cluster.level(1), 1);
    cluster.planned(1, None);
    assert_eq!([1, 2].map(|node| cluster.level(node)), [2, 2]);
}

#[test]
fn what_comes_to_nothing_is_proposed_again_after_a_while() {
    let mut cluster = cluster(&[2, 2]);
    cluster.disk(1).full = true;
    cluster.disk(2).full = true;
    cluster.ask(1, set_property("upgrade-hold", "0"));
    // Nothing is stored, so nothing counts; the property neither.
    assert_eq!(cluster.level(1), 1);
    cluster.disk(1).full = false;
    cluster.disk(2).full = false;
    cluster.ask(1, set_property("upgrade-hold", "1h"));
    cluster.disk(1).full = true;
    cluster.disk(2).full = true;
    cluster.advance(HOUR);
    assert_eq!(cluster.level(1), 1);
    cluster.disk(1).full = false;
    cluster.disk(2).full = false;
    cluster.advance(Duration::from_secs(59));
    assert_eq!(cluster.level(1), 1);
    cluster.advance(Duration::from_secs(1));
    assert_eq!([1, 2].map(|node| cluster.level(node)), [2, 2]);
}

#[test]
fn who_has_not_heard_that_a_level_counts_learns_it_in_the_next_view() {
    for (from, to) in [(1, 2), (2, 1)] {
        let mut cluster = cluster(&[2, 2, 2]);
        if from == 2 {
            assert!(matches!(cluster.ask(1, set_level(2)), Some(Reply::Done { .. })));
            cluster.view_at(&[1, 2, 3], 2);
        }
        for node in [1, 2, 3] {
            cluster.disk(node).slow = true;
        }
        cluster.request(1, set_level(to));
        cluster.settle();
        let votes = cluster.words_after_writing();
        assert_eq!(votes.len(), 3, "all have stored it");
        cluster.break_up(1, &votes);
        assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [to, from, from], "node1 alone has heard that it counts");
        // The ring has the highest level that a member brings.
        cluster.view_at(&[1, 2, 3], 2);
        assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [to, to, to]);
        let told = [1, 2, 3].map(|node| cluster.told_level(node).unwrap_or(2));
        assert_eq!(told, [to, to, to], "so the next has {to}");
        cluster.view_at(&[1, 2, 3], to);
        cluster.assert_equal(&[1, 2, 3]);
    }
}

#[test]
fn a_cluster_that_never_ran_begins_at_the_highest_level_that_all_know_when_all_are_there() {
    let mut cluster = Cluster::of_levels(&[3, 2, 3]);
    cluster.view_at(&[1, 3], 3);
    assert_eq!([1, 3].map(|node| cluster.level(node)), [1, 1], "what node2 knows nobody can say");
    assert_eq!(cluster.told_level(1), Some(1), "the ring is made anew, so that anybody can join");
    cluster.view_at(&[1, 2, 3], 1);
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [1, 1, 1], "two of them were a cluster already");

    let mut cluster = Cluster::of_levels(&[3, 2, 3]);
    cluster.view_at(&[1, 2, 3], 2);
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [2, 2, 2]);
    assert_eq!(cluster.told_level(1), Some(2));
    for (node, max) in [(1, 3), (2, 2), (3, 3)] {
        cluster.kill(node);
        cluster.start_with(node, max);
    }
    assert_eq!([1, 2, 3].map(|node| cluster.level(node)), [2, 2, 2], "it is stored");
}

#[test]
fn a_level_that_all_had_prepared_before_they_went_down_counts() {
    let mut cluster = cluster(&[2, 2]);
    for node in [1, 2] {
        cluster.disk(node).slow = true;
    }
    cluster.request(1, set_level(2));
    cluster.settle();
    // Stored by both, and acknowledged by neither, when the power goes.
    cluster.words_after_writing();
    for node in [1, 2] {
        cluster.power_off(node);
        cluster.start_with(node, 2);
    }
    cluster.view_at(&[1, 2], 1);
    let levels = [1, 2].map(|node| (cluster.level(node), cluster.told_level(node)));
    assert_eq!(levels[0], levels[1], "both say the same");
    assert_eq!(levels[0].1.unwrap_or(1), levels[0].0, "and the ring is told what is so");
}

#[test]
fn nothing_above_the_level_is_proposed() {
    let mut cluster = cluster(&[2, 1]);
    let reply = cluster.ask(1, set_level(2));
    assert!(refused(reply).contains("node2 runs hacd 0.1.0, which knows levels 1, not 2"));
    let reply = cluster.ask(1, set_level(3));
    assert!(refused(reply).contains("not the next one"));
}

#[cfg(feature = "level2")]
mod with_a_second_level {
    use hac_crm::cib::RefusalKind;
    use hac_model::level_two::NewWord;

    use super::*;

    fn word(word: &str) -> Request {
        let mut request = set_property("a", "b");
        if let Request::Configure(configure) = &mut request {
            configure.changes = vec![Change::SetWord(NewWord(word.to_owned()))];
        }
        request
    }

    #[test]
    fn what_needs_the_second_level_is_refused_at_the_first_with_who_is_in_the_way() {
        let mut cluster = cluster(&[2, 1]);
        let Some(Reply::Refused(refusal)) = cluster.ask(1, word("x")) else { panic!("it is refused") };
        assert_eq!(refusal.kind, RefusalKind::Level);
        assert_eq!(refusal.sentence, "the word needs level 2; the cluster is at 1 because node2 still runs 0.1.0");
        assert_eq!(refusal.remedy, "'hacctl upgrade status' says what is missing.");
        assert!(cluster.cib(1).configuration.word.0.is_empty());
    }

    #[test]
    fn nobody_goes_back_below_what_is_used() {
        let mut cluster = cluster(&[2, 2]);
        cluster.ask(1, set_level(2));
        cluster.view_at(&[1, 2], 2);
        assert!(matches!(cluster.ask(2, word("x")), Some(Reply::Done { .. })));
        assert_eq!(cluster.cib(1).configuration.word.0, "x");
        let why = refused(cluster.ask(1, set_level(1)));
        assert_eq!(why, "the configuration uses what level 1 does not have: the word");
        assert!(matches!(cluster.ask(1, word("")), Some(Reply::Done { .. })));
        assert!(matches!(cluster.ask(1, set_level(1)), Some(Reply::Done { .. })));
        assert_eq!([1, 2].map(|node| cluster.level(node)), [1, 1]);
    }

    #[test]
    fn what_was_proposed_at_a_level_that_is_given_up_is_refused() {
        let mut cluster = cluster(&[2, 2]);
        cluster.ask(1, set_level(2));
        cluster.view_at(&[1, 2], 2);
        // One after the other, in one ring.
        let lower = cluster.request(1, set_level(1));
        let late = cluster.request(1, word("x"));
        cluster.settle();
        assert!(matches!(cluster.reply(1, lower), Some(Reply::Done { .. })));
        let Some(Reply::Refused(refusal)) = cluster.reply(1, late) else { panic!("{:?}", cluster.reply(1, late)) };
        assert_eq!((refusal.kind, cluster.cib(2).configuration.word.0.as_str()), (RefusalKind::Level, ""));
    }

    #[test]
    fn what_the_next_ring_does_not_have_is_not_proposed_again() {
        let mut cluster = cluster(&[2, 2, 2]);
        cluster.ask(1, set_level(2));
        cluster.view_at(&[1, 2, 3], 2);
        let late = cluster.capture(2, word("x"));
        assert_eq!(late.0, 2, "it never gets into the stream");
        assert!(matches!(cluster.ask(1, set_level(1)), Some(Reply::Done { .. })));
        cluster.view_at(&[1, 2, 3], 1);
        assert!(
            matches!(cluster.reply(2, RequestId(1)), Some(Reply::Refused(_))),
            "{:?}",
            cluster.reply(2, RequestId(1))
        );
        cluster.assert_equal(&[1, 2, 3]);
    }

    /// One side of a cut has not heard that the level was lowered, and uses what the higher one has.
    #[test]
    fn a_state_that_says_more_than_the_level_raises_it_again() {
        let mut cluster = cluster(&[2, 2]);
        cluster.ask(1, set_level(2));
        cluster.view_at(&[1, 2], 2);
        for node in [1, 2] {
            cluster.disk(node).slow = true;
        }
        cluster.request(1, set_level(1));
        cluster.settle();
        let votes = cluster.words_after_writing();
        cluster.break_up(1, &votes);
        assert_eq!([1, 2].map(|node| cluster.level(node)), [1, 2]);
        cluster.view_at(&[2], 2);
        assert!(matches!(cluster.ask(2, word("x")), Some(Reply::Done { .. })));
        cluster.view_at(&[1, 2], 2);
        assert_eq!([1, 2].map(|node| cluster.level(node)), [2, 2]);
        assert_eq!([1, 2].map(|node| cluster.told_level(node)), [Some(2), Some(2)]);
        cluster.assert_equal(&[1, 2]);
    }
}
