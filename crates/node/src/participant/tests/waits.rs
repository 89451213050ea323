//! Every wait comes to its end, and what does not come leaves out the one that is silent, never all.

use hac_crm::executor::{ExecStatus, Outcome};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Time passes, in seconds.
fn pass(cluster: &mut Cluster, seconds: u32) {
    for _ in 0..seconds {
        cluster.advance(SECOND);
    }
}

#[test]
fn two_of_three_go_on_without_the_third_that_says_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.hang(3, true);
    cluster.view(&[1, 2, 3]);
    pass(&mut cluster, 4);
    assert_eq!(cluster.report(1).sync, crate::SyncState::Syncing);
    assert_eq!(cluster.withheld(1), Vec::<u32>::new());
    pass(&mut cluster, 2);
    assert_eq!((cluster.withheld(1), cluster.withheld(2)), (vec![3], vec![3]), "both go on without the same one");
    let problems = cluster.report(2).problems;
    let told = problems.iter().any(|p| p.sentence.starts_with("node3 has not said what state it has in time"));
    assert!(told, "{problems:?}");

    cluster.view(&[1, 2]);
    assert_eq!(cluster.report(1).sync, crate::SyncState::Active);
    assert!(matches!(cluster.ask(1, set_property("cluster-delay", "80s")), Some(Reply::Done { .. })));
    assert!(
        cluster.report(1).problems.iter().any(|p| p.sentence.starts_with("node3 has not said")),
        "as long as it is out"
    );

    cluster.hang(3, false);
    cluster.view(&[1, 2, 3]);
    assert!(!cluster.report(1).problems.iter().any(|p| p.sentence.starts_with("node3 has not said")), "it is back");
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn of_a_pair_the_one_that_works_goes_on() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    cluster.hang(2, true);
    cluster.view(&[1, 2]);
    pass(&mut cluster, 6);
    assert_eq!(cluster.withheld(1), [2]);
    cluster.view(&[1]);
    assert!(cluster.report(1).quorum.quorate, "two_node");
}

/// Two or three nodes, of which the first coordinates and then says nothing.
fn without_a_word_of_the_coordinator(count: u32) -> Cluster {
    let mut cluster = Cluster::new(count);
    cluster.view(&(1..=count).collect::<Vec<_>>());
    assert_eq!(cluster.report(2).dc.as_deref(), Some("node1"));
    cluster.hang(1, true);
    cluster
}

/// All wait for the coordinator and go on without it.
fn coordinator_left_out(cluster: &mut Cluster, count: u32) {
    pass(cluster, 18);
    assert_eq!(cluster.withheld(2), Vec::<u32>::new(), "it may be slow");
    pass(cluster, 4);
    assert!(cluster.withheld(2).contains(&1), "all go on without it");
    let problems = cluster.report(2).problems;
    assert!(problems.iter().any(|p| p.sentence.contains("node1 gives no sign of life")), "{problems:?}");
    cluster.view(&(2..=count).collect::<Vec<_>>());
    pass(cluster, 2);
}

fn attribute() -> Request {
    let value = Some("1".to_owned());
    Request::Status(StatusChange::SetAttribute {
        node: "node2".to_owned(),
        name: "a".to_owned(),
        value,
        private: false,
        dampening_ms: 0,
        utilization: false,
    })
}

#[test]
fn a_coordinator_that_says_nothing_holds_up_no_change_of_the_configuration() {
    for count in [2, 3] {
        let mut cluster = without_a_word_of_the_coordinator(count);
        let id = cluster.request(2, set_property("cluster-delay", "80s"));
        coordinator_left_out(&mut cluster, count);
        assert!(matches!(cluster.reply(2, id), Some(Reply::Done { .. })), "{count}: {:?}", cluster.reply(2, id));
    }
}

#[test]
fn a_coordinator_that_says_nothing_is_left_out_after_any_proposal() {
    let mut cluster = without_a_word_of_the_coordinator(3);
    assert!(
        cluster.ask(2, attribute()).is_some(),
        "nobody need coordinate that, but somebody must look at what follows"
    );
    coordinator_left_out(&mut cluster, 3);
    assert_eq!(cluster.report(2).dc.as_deref(), Some("node2"));
}

#[test]
fn a_coordinator_that_says_nothing_keeps_nobody_from_leaving() {
    let mut cluster = without_a_word_of_the_coordinator(3);
    cluster.shutdown(3);
    cluster.settle();
    coordinator_left_out(&mut cluster, 3);
    assert!(cluster.has_left(3));
}

#[test]
fn a_coordinator_that_is_only_slow_or_has_nothing_to_say_stays() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2, 3]);
    for _ in 0..3 {
        cluster.hang(1, true);
        cluster.request(2, attribute());
        pass(&mut cluster, 8);
        cluster.hang(1, false);
        pass(&mut cluster, 30);
    }
    assert_eq!((cluster.withheld(2), cluster.withheld(3)), (vec![], vec![]));
}

#[test]
fn who_is_left_out_says_so_and_does_not_judge_the_others() {
    let mut cluster = Cluster::new(3);
    cluster.form(&[1, 2, 3]);
    // Nothing that node 3 says is delivered; what it hears of the others, it hears.
    for _ in 0..60 {
        cluster.lose_words_of(3);
        cluster.step();
        cluster.lose_words_of(3);
    }
    for _ in 0..6 {
        cluster.pass(SECOND);
        for _ in 0..20 {
            cluster.lose_words_of(3);
            cluster.step();
        }
    }
    assert_eq!((cluster.withheld(1), cluster.withheld(2), cluster.withheld(3)), (vec![3], vec![3], vec![]));
    let problems = cluster.report(3).problems;
    assert!(problems.iter().any(|p| p.sentence.contains("goes on without this node")), "{problems:?}");
}

#[test]
fn an_impatient_member_that_is_itself_missing_leaves_nobody_out() {
    let mut cluster = Cluster::new(3);
    cluster.hang(3, true);
    cluster.view(&[1, 2, 3]);
    let ring = cluster.report(1).ring.unwrap();
    let bytes = wire::encode(&Message { ring, body: Body::Impatient }, hac_types::Level::FIRST).unwrap();
    cluster.deliver_bytes(1, 3, &bytes);
    assert_eq!(cluster.withheld(1), Vec::<u32>::new());
}

#[test]
fn a_state_that_flows_is_waited_for_and_one_that_stops_is_not() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2]);
    fill(&mut cluster, 4);
    cluster.form(&[1, 2, 3]);
    let mut slowly = 0;
    // The donor's parts come one every four seconds, far more of them than fit into the time without progress.
    while cluster.report(3).sync == crate::SyncState::Syncing && slowly < 200 {
        if !cluster.trickle() {
            cluster.pass(Duration::from_secs(4));
        }
        slowly += 1;
    }
    assert_eq!(cluster.report(3).sync, crate::SyncState::Active);
    assert!(slowly > 10, "{slowly} parts");
    assert_eq!(cluster.withheld(2), Vec::<u32>::new());
    cluster.settle();
    cluster.assert_equal(&[1, 2, 3]);

    cluster.kill(3);
    cluster.view(&[1, 2]);
    cluster.start(3);
    cluster.form(&[1, 2, 3]);
    for _ in 0..8 {
        cluster.trickle();
    }
    cluster.hang(1, true);
    pass(&mut cluster, 12);
    assert_eq!((cluster.withheld(2), cluster.withheld(3)), (vec![1], vec![1]), "the donor");
}

/// A configuration of about so many megabytes, by resources' parameters.
fn fill(cluster: &mut Cluster, megabytes: u32) {
    for number in 0..megabytes {
        let pairs = (0..20).map(|part| (format!("note-{number}-{part}"), Some("x".repeat(50_000)))).collect();
        let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
        let configure = Configure { changes: vec![change], ..Configure::default() };
        let reply = cluster.ask(1, Request::Configure(configure));
        assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    }
}

#[test]
fn a_state_that_cannot_be_read_sends_its_reader_away_and_nobody_else() {
    let mut cluster = Cluster::new(3);
    cluster.view(&[1, 2]);
    cluster.ask(1, set_property("cluster-delay", "80s"));
    cluster.form(&[1, 2, 3]);
    cluster.replace_words(|body| match body {
        Body::Snapshot(_) => Body::Snapshot(vec![1, 2, 3]),
        other => other,
    });
    assert!(cluster.has_left(3));
    assert!(!cluster.has_left(1) && !cluster.has_left(2));
    cluster.view(&[1, 2]);
    assert_eq!(cluster.report(1).sync, crate::SyncState::Active);
}

#[test]
fn a_change_up_to_the_limit_travels_in_parts_and_one_above_it_is_refused_at_once() {
    let mut cluster = Cluster::new(2);
    cluster.view(&[1, 2]);
    let change = |bytes: usize| {
        let pairs = (0..bytes / 50_000).map(|part| (format!("note-{part}"), Some("x".repeat(50_000)))).collect();
        let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
        Request::Configure(Configure { changes: vec![change], ..Configure::default() })
    };
    let reply = cluster.ask(1, change(4_150_000));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.assert_equal(&[1, 2]);
    let before = cluster.cib(1).version;
    let reply = cluster.ask(1, change(4_250_000));
    let Some(Reply::TooLarge(refusal)) = reply else { panic!("{reply:?}") };
    assert!(refusal.sentence.contains("4 MiB"), "{refusal:?}");
    assert_eq!(cluster.cib(1).version, before);
}

#[test]
fn a_value_up_to_its_limit_is_taken_and_a_longer_one_is_refused_with_the_limit() {
    let mut cluster = Cluster::new(1);
    cluster.view(&[1]);
    let reply = cluster.ask(1, set_property("note", &"x".repeat(65_536)));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    let reply = cluster.ask(1, set_property("note", &"x".repeat(65_537)));
    let Some(Reply::TooLarge(refusal)) = reply else { panic!("{reply:?}") };
    assert!(refusal.sentence.contains("64 KiB"), "{refusal:?}");
    let attribute = StatusChange::SetAttribute {
        node: "node1".to_owned(),
        name: "note".to_owned(),
        value: Some("x".repeat(65_537)),
        private: false,
        dampening_ms: 0,
        utilization: false,
    };
    let reply = cluster.ask(1, Request::Status(attribute));
    assert!(matches!(reply, Some(Reply::TooLarge(_))), "{reply:?}");
}

#[test]
fn a_value_that_no_xml_can_have_is_refused_with_its_character() {
    let mut cluster = Cluster::new(1);
    cluster.view(&[1]);
    let reply = cluster.ask(1, set_property("note", "two\nlines\tand \u{f6}"));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    let reply = cluster.ask(1, set_property("note", "\u{1b}[2J"));
    let Some(Reply::TooLarge(refusal)) = reply else { panic!("{reply:?}") };
    assert!(refusal.sentence.contains("control character (U+001B)"), "{refusal:?}");
}

#[test]
fn what_an_agent_says_is_cut_where_it_enters_with_a_mark() {
    let outcome =
        |reason: String| Outcome { rc: 1, status: ExecStatus::Done, exit_reason: Some(reason), ..Outcome::default() };
    let at = limits::cut(outcome("x".repeat(4096))).exit_reason.unwrap();
    assert_eq!(at.len(), 4096);
    let above = limits::cut(outcome("ü".repeat(4096))).exit_reason.unwrap();
    assert!(above.len() <= 4096 && above.ends_with("ü … (8192 bytes, cut)"), "{}", &above[above.len() - 40..]);
}
