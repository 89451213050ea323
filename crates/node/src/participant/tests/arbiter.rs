//! Tests: the third vote, from the loss of the other node to what the coordinator decides.

use hac_crm::cib::{Object, PutMode};
use hac_crm::executor::{Invocation, Outcome};

use super::*;

fn state(cluster: &Cluster, node: u32) -> String {
    cluster.report(node).quorum.arbiter.expect("it has an arbiter").state
}

fn is_quorate(cluster: &Cluster, node: u32) -> bool {
    cluster.report(node).quorum.quorate
}

/// Time enough for any grace.
const GRACE: Duration = Duration::from_secs(2);

#[test]
fn both_write_the_register_once_and_need_it_no_more() {
    let mut cluster = Cluster::with_store();
    cluster.view(&[1, 2]);
    assert_eq!((state(&cluster, 1), state(&cluster, 2)), ("ready".to_owned(), "ready".to_owned()));
    let store = cluster.store.clone().expect("a store");
    assert_eq!(store.revision, 2, "one of them writes for both");
    cluster.advance(Duration::from_secs(61));
    assert_eq!(state(&cluster, 2), "ready");
    assert_eq!(cluster.store.as_ref().map(|store| store.revision), Some(2), "looking changes nothing");
    if let Some(store) = &mut cluster.store {
        store.down = true;
    }
    cluster.advance(Duration::from_secs(61));
    assert_eq!(state(&cluster, 1), "silent");
    assert!(is_quorate(&cluster, 1) && is_quorate(&cluster, 2), "both together need no vote");
    let problems = cluster.report(1).problems;
    assert!(problems.iter().any(|problem| problem.sentence.starts_with("no arbiter: the next death")), "{problems:?}");
}

#[test]
fn of_two_halves_exactly_one_is_quorate_and_stays_so_until_they_meet() {
    let mut cluster = Cluster::with_store();
    cluster.view(&[1, 2]);
    for _ in 0..3 {
        cluster.split(&[&[1], &[2]]);
        cluster.advance(GRACE);
        assert!(is_quorate(&cluster, 1), "the coordinator went first");
        assert!(!is_quorate(&cluster, 2));
        assert_eq!((state(&cluster, 1), state(&cluster, 2)), ("won".to_owned(), "lost".to_owned()));
        // Without the store the winner keeps what it has, in new memberships of its own too.
        if let Some(store) = &mut cluster.store {
            store.down = true;
        }
        cluster.view(&[1]);
        cluster.view(&[2]);
        cluster.advance(Duration::from_secs(30));
        assert!(is_quorate(&cluster, 1) && !is_quorate(&cluster, 2));
        if let Some(store) = &mut cluster.store {
            store.down = false;
        }
        let reply = cluster.ask(1, set_property("cluster-delay", "61s"));
        assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
        let reply = cluster.ask(2, set_property("cluster-delay", "62s"));
        assert!(matches!(reply, Some(Reply::NoQuorum(_))), "{reply:?}");
        cluster.view(&[1, 2]);
        cluster.advance(GRACE);
        assert!(is_quorate(&cluster, 1) && is_quorate(&cluster, 2));
        assert_eq!(cluster.cib(2).configuration.property("cluster-delay"), Some("61s"));
        cluster.assert_equal(&[1, 2]);
    }
}

#[test]
fn nothing_is_decided_before_the_answer_and_the_node_goes_on_without_one_in_time() {
    let mut cluster = Cluster::with_store();
    cluster.view(&[1, 2]);
    if let Some(store) = &mut cluster.store {
        store.down = true;
    }
    cluster.view(&[2]);
    cluster.advance(Duration::from_secs(3));
    assert_eq!(state(&cluster, 2), "asked");
    let waits = cluster.report(2).waiting_for;
    assert!(waits.iter().any(|wait| wait.contains("the arbiter is asked")), "{waits:?}");
    cluster.advance(Duration::from_secs(4));
    assert_eq!(state(&cluster, 2), "lost", "it goes on without");
    assert!(!is_quorate(&cluster, 2));
    if let Some(store) = &mut cluster.store {
        store.down = false;
    }
    cluster.advance(Duration::from_secs(6));
    assert!(is_quorate(&cluster, 2), "it asks again by itself");
}

#[test]
fn what_was_won_counts_when_it_is_stored_and_lasts_over_a_restart() {
    let mut cluster = Cluster::with_store();
    cluster.view(&[1, 2]);
    cluster.disk(1).slow = true;
    cluster.view(&[1]);
    cluster.advance(GRACE);
    assert_eq!(cluster.store.as_ref().map(|store| store.revision), Some(3), "it has won");
    assert!(!is_quorate(&cluster, 1), "and not stored it");
    while cluster.disk(1).waits() > 0 {
        cluster.end_a_write(1);
    }
    cluster.disk(1).slow = false;
    cluster.advance(GRACE);
    assert!(is_quorate(&cluster, 1));
    // The other one has the older revision; this one has the newer in its file, and may claim with it.
    cluster.kill(1);
    cluster.start(1);
    cluster.view(&[2]);
    cluster.advance(Duration::from_secs(10));
    assert!(!is_quorate(&cluster, 2));
    cluster.view(&[1]);
    cluster.advance(GRACE);
    assert!(is_quorate(&cluster, 1));
}

#[test]
fn another_store_is_believed_when_a_person_says_so() {
    let mut cluster = Cluster::with_store();
    cluster.view(&[1, 2]);
    cluster.store = Some(store::Store { id: 8, revision: 1, ..store::Store::default() });
    cluster.advance(Duration::from_secs(61));
    assert_eq!(state(&cluster, 1), "strange");
    cluster.view(&[1]);
    cluster.advance(Duration::from_secs(20));
    assert!(!is_quorate(&cluster, 1), "it claims nothing there");
    let reply = cluster.ask(1, Request::TrustArbiter);
    assert!(matches!(reply, Some(Reply::Unavailable(_))), "not while the other is away: {reply:?}");
    cluster.view(&[1, 2]);
    let reply = cluster.ask(2, Request::TrustArbiter);
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.view(&[2]);
    cluster.advance(GRACE);
    assert!(is_quorate(&cluster, 2));
}

#[test]
fn a_node_that_was_told_of_no_arbiter_does_not_go_on_alone() {
    let mut cluster = Cluster::with_store();
    cluster.view(&[1, 2]);
    // Its file has two_node and no arbiter any more.
    cluster.kill(2);
    let store = cluster.store.take();
    cluster.start(2);
    cluster.store = store;
    cluster.view(&[1, 2]);
    let problems = cluster.report(1).problems;
    assert!(problems.iter().any(|problem| problem.sentence.contains("node2 was told of no arbiter")), "{problems:?}");
    cluster.split(&[&[1], &[2]]);
    cluster.advance(GRACE);
    assert!(!is_quorate(&cluster, 2), "the other may have the vote");
    assert!(is_quorate(&cluster, 1));
    assert!(cluster.cib(1).info.have_quorum);
}

#[test]
fn only_the_half_that_has_won_shoots_and_it_does_so_after_that() {
    let mut cluster = Cluster::with_store();
    cluster.agents_answer(|invocation| invocation.fencing.is_none().then(Outcome::default));
    cluster.view(&[1, 2]);
    let put = |id: &str, agent: &str| {
        let agent = agent.parse().expect("an agent");
        let primitive = hac_model::Primitive { id: id.to_owned(), agent, ..hac_model::Primitive::default() };
        Change::Put { object: Object::Primitive(primitive), mode: PutMode::Create }
    };
    let pairs = vec![("stonith-enabled".to_owned(), Some("true".to_owned()))];
    let enabled = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
    let changes = vec![enabled, put("Db", "ocf:heartbeat:pgsql"), put("Shooter", "stonith:fence_x")];
    let configure = Configure { changes, client: "test".to_owned(), user: "root".to_owned(), ..Configure::default() };
    let reply = cluster.ask(1, Request::Configure(configure));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.settle();
    let shots = |cluster: &mut Cluster, node| cluster.invoked(node).iter().filter(|it| it.fencing.is_some()).count();
    if let Some(store) = &mut cluster.store {
        store.down = true;
    }
    cluster.split(&[&[1], &[2]]);
    cluster.advance(GRACE);
    assert_eq!((shots(&mut cluster, 1), shots(&mut cluster, 2)), (0, 0), "nobody has won yet");
    if let Some(store) = &mut cluster.store {
        store.down = false;
    }
    for _ in 0..4 {
        cluster.advance(GRACE);
    }
    let won = [1, 2].map(|node| is_quorate(&cluster, node));
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    let shot = [shots(&mut cluster, 1), shots(&mut cluster, 2)];
    assert_eq!(shot.map(|count| count > 0), won, "the winner, and nobody else");
}

#[test]
fn a_list_of_actions_is_taken_over_by_both_and_decides_between_two_halves() {
    let mut cluster = Cluster::with_list();
    let epoch = |cluster: &Cluster, node: u32| cluster.report(node).quorum.arbiter.map(|arbiter| arbiter.epoch);
    cluster.view(&[1, 2]);
    cluster.advance(GRACE);
    assert_eq!((state(&cluster, 1), state(&cluster, 2)), ("ready".to_owned(), "ready".to_owned()));
    let first = epoch(&cluster, 1);
    assert_eq!(cluster.store.as_ref().map(|store| store.revision), Some(2), "one order shows that it can be done");
    // The cluster moves the address: both know that soon.
    let moved = cluster.store.as_mut().map(|store| store.order(hac_quorum::Progress::Completed));
    assert_eq!(moved, Some(3));
    cluster.advance(Duration::from_secs(61));
    assert_eq!((epoch(&cluster, 1), epoch(&cluster, 2)), (first.map(|it| it + 1), first.map(|it| it + 1)));
    for round in 0..3 {
        cluster.split(&[&[1], &[2]]);
        cluster.advance(Duration::from_secs(10));
        assert_eq!((state(&cluster, 1), state(&cluster, 2)), ("won".to_owned(), "lost".to_owned()), "round {round}");
        assert!(is_quorate(&cluster, 1) && !is_quorate(&cluster, 2));
        assert_eq!(cluster.store.as_ref().map(|store| store.revision), Some(4 + round), "one order a cut");
        cluster.view(&[1, 2]);
        cluster.advance(GRACE);
        assert_eq!((state(&cluster, 1), state(&cluster, 2)), ("ready".to_owned(), "ready".to_owned()));
    }
}

#[test]
fn who_is_alone_waits_for_what_is_under_way_and_gives_way_to_what_it_does_not_know() {
    let mut cluster = Cluster::with_list();
    cluster.view(&[1, 2]);
    cluster.advance(GRACE);
    let id = cluster.store.as_mut().map(|store| store.order(hac_quorum::Progress::Underway));
    cluster.view(&[2]);
    cluster.advance(Duration::from_secs(20));
    assert_eq!(state(&cluster, 2), "asked", "the action may yet fail");
    let end = |cluster: &mut Cluster, progress| {
        let list = cluster.store.as_mut().and_then(|store| store.list.as_mut());
        list.into_iter().flatten().filter(|action| Some(action.id) == id).for_each(|action| action.progress = progress);
    };
    end(&mut cluster, hac_quorum::Progress::Errored);
    cluster.advance(GRACE);
    cluster.advance(GRACE);
    assert_eq!(state(&cluster, 2), "won", "it came to nothing");
    cluster.view(&[1, 2]);
    cluster.advance(GRACE);
    cluster.store.as_mut().map(|store| store.order(hac_quorum::Progress::Completed));
    cluster.view(&[2]);
    cluster.advance(Duration::from_secs(10));
    assert_eq!(state(&cluster, 2), "lost", "somebody else has moved the address since");
    let without = cluster.report(2).quorum.arbiter.map(|arbiter| arbiter.sentence).unwrap_or_default();
    assert!(without.contains("assigned by somebody else"), "{without}");
}

#[test]
fn who_loses_the_other_while_the_cluster_moves_the_address_does_not_take_the_move_for_a_claim() {
    let mut cluster = Cluster::with_list();
    // Whatever is started takes its time.
    let is_start = |invocation: &Invocation| invocation.action == "start";
    cluster.agents_answer(|it| {
        let rc = if it.action == "monitor" { 7 } else { 0 };
        (it.action != "start").then(|| Outcome { rc, ..Outcome::default() })
    });
    cluster.view(&[1, 2]);
    cluster.advance(GRACE);
    let before = cluster.report(1).quorum.arbiter.map(|arbiter| arbiter.epoch);
    let address = hac_model::Primitive {
        id: "FloatIP".to_owned(),
        agent: "ocf:digitalocean:floatip".parse().expect("an agent"),
        ..hac_model::Primitive::default()
    };
    let put = Change::Put { object: Object::Primitive(address), mode: PutMode::Create };
    let pairs = vec![("stonith-enabled".to_owned(), Some("false".to_owned()))];
    let disabled = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
    let (client, user) = ("test".to_owned(), "root".to_owned());
    let reply = cluster
        .ask(1, Request::Configure(Configure { changes: vec![disabled, put], client, user, ..Configure::default() }));
    assert!(matches!(reply, Some(Reply::Done { .. })), "{reply:?}");
    cluster.advance(GRACE);
    let started = [1, 2].map(|node| cluster.invoked(node).into_iter().find(is_start));
    let (at, start) = match started {
        [Some(start), None] => (1, start),
        [None, Some(start)] => (2, start),
        other => panic!("one of them starts it: {other:?}"),
    };
    let epoch = |cluster: &Cluster, node: u32| cluster.report(node).quorum.arbiter.map(|arbiter| arbiter.epoch);
    let told = before.map(|epoch| epoch + 2);
    assert_eq!((epoch(&cluster, 1), epoch(&cluster, 2)), (told, told), "both know of the move before it is made");
    // It comes to nothing: none is expected any more, and one order decides.
    let failed = Outcome { rc: 1, exit_reason: Some("no".to_owned()), ..Outcome::default() };
    cluster.agent_ends(at, &start, failed);
    let revision = |cluster: &Cluster| cluster.store.as_ref().map(|store| store.revision);
    let starts: Vec<_> = (0..5)
        .flat_map(|_| {
            cluster.advance(GRACE);
            [1, 2].map(|node| cluster.invoked(node).into_iter().find(is_start).map(|_| node))
        })
        .flatten()
        .collect();
    // It is tried again, and is under way when that node dies.
    let at = *starts.first().expect("it is started again");
    cluster.store.as_mut().map(|store| store.order(hac_quorum::Progress::Completed));
    let moved = revision(&cluster);
    cluster.kill(at);
    let other = 3 - at;
    cluster.view(&[other]);
    cluster.advance(Duration::from_secs(20));
    assert_eq!(state(&cluster, other), "won", "{:?}", cluster.report(other).quorum.arbiter);
    assert_eq!(revision(&cluster), moved.map(|moved| moved + 1), "one order after the move decides");
}
