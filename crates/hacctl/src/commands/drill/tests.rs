//! When a drill may begin, and what is made of its measurements.

use hac_api::{Members, MembersEntry, Quorum};
use hac_model::{Agent, Location, LocationSubject, LocationTarget};
use hac_scheduler::view::{NodeView, ResourceFlags};

use super::*;

fn status() -> Status {
    let node = |id, name: &str| MembersEntry {
        id,
        name: name.to_owned(),
        state: MemberState::Joined,
        ..MembersEntry::default()
    };
    Status {
        members: Members { nodes: vec![node(1, "n1"), node(2, "n2")], ..Members::default() },
        quorum: Quorum { quorate: true, ..Quorum::default() },
        settled: true,
        now_ms: 1_000_000_000_000,
        node: "n1".to_owned(),
        ..Status::default()
    }
}

fn view() -> ClusterView {
    let node = |name: &str| NodeView { name: name.to_owned(), online: true, ..NodeView::default() };
    let address = ResourceView {
        id: "IP".to_owned(),
        name: "IP".to_owned(),
        kind: ResourceKind::Primitive { agent: Agent::default() },
        nodes: vec!["n1".to_owned()],
        flags: ResourceFlags { managed: true, active: true, ..ResourceFlags::default() },
        ..ResourceView::default()
    };
    ClusterView {
        nodes: vec![node("n1"), node("n2")],
        resources: vec![address],
        quorate: true,
        ..ClusterView::default()
    }
}

fn why(status: &Status, view: &ClusterView, cib: &Cib, past: &[Record]) -> String {
    let failure = interlock(status, view, cib, "n1", past);
    if let Some(failure) = &failure {
        assert_eq!(failure.exit_code, 107);
        assert!(failure.remedy.is_some(), "{failure:?}");
    }
    failure.map(|failure| failure.message).unwrap_or_default()
}

fn record(time: i64) -> Record {
    Record {
        time,
        node: "n1".to_owned(),
        how: "standby".to_owned(),
        gap_ms: Some(400),
        lost: 4,
        asked: 400,
        moved_ms: 500,
        passed: true,
    }
}

#[test]
fn nothing_is_in_the_way_of_a_healthy_pair() {
    assert_eq!(why(&status(), &view(), &Cib::default(), &[]), "");
    assert_eq!(holder(&view()).as_deref(), Some("n1"));
}

#[test]
fn each_interlock_refuses() {
    let (well, seen, cib) = (status(), view(), Cib::default());
    let mut away = well.clone();
    away.members.nodes[1].state = MemberState::Lost;
    assert!(why(&away, &seen, &cib, &[]).starts_with("n2 is away"));
    let mut alone = well.clone();
    alone.members.nodes.truncate(1);
    assert_eq!(why(&alone, &seen, &cib, &[]), "there is only one node");
    let mut inquorate = well.clone();
    inquorate.quorum.quorate = false;
    assert_eq!(why(&inquorate, &seen, &cib, &[]), "this partition has no quorum");
    let busy = Status { settled: false, waiting_for: vec!["a transition".to_owned()], ..well.clone() };
    assert_eq!(why(&busy, &seen, &cib, &[]), "the cluster is at work: a transition");
    let mut standby = seen.clone();
    standby.nodes[1].standby = true;
    assert_eq!(why(&well, &standby, &cib, &[]), "a node is on standby or in maintenance");
    let mut maintenance = seen.clone();
    maintenance.maintenance_mode = true;
    assert_eq!(why(&well, &maintenance, &cib, &[]), "a node is on standby or in maintenance");
    let mut failed = seen.clone();
    failed.failed.push(hac_scheduler::view::FailedOperation::default());
    assert!(why(&well, &failed, &cib, &[]).starts_with("something has failed"));
    let mut elsewhere = seen.clone();
    elsewhere.resources[0].nodes = vec!["n2".to_owned()];
    assert_eq!(why(&well, &elsewhere, &cib, &[]), "nothing that could move runs on n1");
    let mut drilled = cib.clone();
    drilled.configuration.constraints.push(Constraint::Location(Location {
        id: "drill-IP".to_owned(),
        subject: LocationSubject::Resource("IP".to_owned()),
        role: None,
        resource_discovery: None,
        target: LocationTarget::Node { node: "n1".to_owned(), score: None },
        lifetime: Vec::new(),
    }));
    assert_eq!(why(&well, &seen, &drilled, &[]), "another drill is under way");
    let now = well.now_ms / 1000;
    assert_eq!(why(&well, &seen, &cib, &[record(now - 60)]), "there was a test less than 10 minutes ago");
    let three = [record(now - 3600), record(now - 7200), record(now - 10_800)];
    assert_eq!(why(&well, &seen, &cib, &three), "there were 3 tests today");
    assert_eq!(why(&well, &seen, &cib, &[record(now - 90_000)]), "", "one of another day is in nobody's way");
}

#[test]
fn what_came_of_a_drill_is_kept() {
    let state = std::env::temp_dir().join(format!("hacctl-drill-{}", std::process::id()));
    fs::create_dir_all(&state).expect("a folder for the test");
    assert_eq!((records(&state), last(&state)), (Vec::new(), None));
    keep(&state, &record(1));
    keep(&state, &Record { passed: false, ..record(2) });
    assert_eq!(records(&state), [record(1), Record { passed: false, ..record(2) }]);
    assert_eq!(last(&state), Some(1), "one that failed proves nothing");
    fs::remove_dir_all(state).expect("removed");
}

#[test]
fn what_could_not_be_taken_back_is_told() {
    let failed = || Failure::new(ErrorCode::Timeout, "it did not move").with_remedy("Look.");
    let remedy = |outcome, undone| ended::<()>(outcome, undone).expect_err("it failed").remedy.unwrap_or_default();
    assert_eq!(remedy(Err(failed()), Ok(())), "Look. Nothing of the test is left.");
    for outcome in [Err(failed()), Ok(())] {
        let told = remedy(outcome, Err(failed()));
        assert!(told.contains("may be left") && told.contains("'hacctl configure delete ID'"), "{told}");
    }
    assert_eq!(ended(Ok(1), Ok(())), Ok(1));
}
