//! What an earlier coordinator ordered and is still under way, or was until a moment ago.

use std::sync::Arc;

use super::world::World;
use super::*;
use crate::cib::fixtures::{configure, property};
use hac_scheduler::schedule;

/// An operation whose parameters have this digest.
fn digested(key: &str, digest: &str, inputs: &[usize]) -> Action {
    let mut action = op(key, inputs);
    if let ActionKind::Resource(op) = &mut action.kind {
        op.digest = Some(digest.to_owned());
    }
    action
}

/// A coordinator that began this, of which nothing has come yet: its order, and the CIB that it leaves behind.
fn begun(action: Action) -> (Order, Cib) {
    let mut bench = Bench::new();
    bench.start(vec![action]);
    let run = bench.runs.remove(0);
    let mut cib = cluster();
    if let Some(started) = run.started() {
        assert!(matches!(cib.apply(&Command::Status(started), NOW), Applied::Changed(_)));
    }
    (run, cib)
}

/// The next coordinator, which has just put out something about the first of these, and what.
fn next(actions: Vec<Action>, cib: Cib) -> (Bench, String) {
    let mut bench = Bench::new();
    bench.engine = TransitionEngine::new("v");
    bench.cib = cib;
    let mut lines = bench.start(actions);
    assert_eq!(lines.len(), 1, "{lines:?}");
    (bench, lines.remove(0))
}

/// The next coordinator, which takes the first of these up.
fn takes_up(actions: Vec<Action>, cib: Cib) -> Bench {
    let (bench, line) = next(actions, cib);
    assert_eq!(line, "taken up 0:1:0:v");
    bench
}

#[test]
fn the_result_of_what_is_under_way_answers_the_next_coordinator() {
    let (before, cib) = begun(digested("A_start_0", "d", &[]));
    let mut bench = takes_up(vec![digested("A_start_0", "d", &[]), op("A_monitor_10000", &[0])], cib);
    assert_eq!(bench.deliver(result(&before, 0)), ["run A_monitor_10000 on primary (1:1:0:v)"]);
}

#[test]
fn so_does_its_failure_and_once() {
    let (before, cib) = begun(digested("A_start_0", "d", &[]));
    let mut bench = takes_up(vec![digested("A_start_0", "d", &[]), op("A_monitor_10000", &[0])], cib);
    let lines = bench.deliver(result(&before, 1));
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[1], "replan: A_start_0 on primary did not end as expected");
    bench.start(vec![]);
    assert_eq!(bench.deliver(result(&before, 1)), ["replan: A_start_0 on primary did not end as expected"]);
}

#[test]
fn what_is_taken_up_is_given_up_like_anything_else() {
    let (_, cib) = begun(digested("A_start_0", "d", &[]));
    let mut bench = takes_up(vec![digested("A_start_0", "d", &[])], cib);
    bench.now = bench.engine.poll_timeout().expect("it is waited for");
    bench.engine.handle_timeout(bench.now);
    assert_eq!(bench.lines()[0], "record start of A as 2");
}

#[test]
fn another_operation_is_ordered_whatever_is_under_way() {
    let start = || digested("A_start_0", "d", &[]);
    let (_, cib) = begun(start());
    let order = |action: Action| next(vec![action], Cib::default()).0.runs.remove(0);
    let with = |change: fn(&mut Order)| {
        let mut run = order(start());
        change(&mut run);
        run
    };
    assert_eq!(order(start()).under_way(&cib).map(|op| op.transition_key.as_str()), Some("0:1:0:u"));
    let others = [
        ("another resource", order(digested("B_start_0", "d", &[]))),
        ("another task", order(digested("A_stop_0", "d", &[]))),
        ("other parameters", order(digested("A_start_0", "e", &[]))),
        ("parameters that nobody knows", order(op("A_start_0", &[]))),
        ("another node", with(|run| run.at = "secondary".into())),
        ("another agent", with(|run| Arc::make_mut(&mut run.op_mut().agent).kind = "other".into())),
        ("another result expected", with(|run| run.op_mut().expected_rc = OcfCode::NOT_RUNNING)),
        ("a cancellation", order(start()).cancelled()),
    ];
    for (what, run) in others {
        assert_eq!(run.under_way(&cib), None, "{what}");
    }
    let (_, cib) = begun(digested("A_monitor_10000", "d", &[]));
    assert_eq!(order(digested("A_monitor_10000", "d", &[])).under_way(&cib), None, "it never ends");
}

#[test]
fn what_has_ended_is_not_under_way() {
    let (before, mut cib) = begun(digested("A_start_0", "d", &[]));
    cib.apply(&Command::Status(result(&before, 0)), NOW);
    assert_eq!(before.under_way(&cib), None);
}

/// The tutorial's cluster while a service is being started on a node that has come back from standby.
fn starting() -> World {
    let mut world = World::new(|cib| schedule(cib, NOW));
    world.standby("secondary", true);
    world.settle();
    world.standby("secondary", false);
    while !world.agents.iter().any(|(_, invocation)| invocation.action == "start") {
        assert!(world.deliver() || world.answer(0), "it is started:\n{}", world.story);
    }
    while world.deliver() {}
    world.story.clear();
    world
}

/// Another coordinator takes over, and what is running ends before that, or before anything that the new one ordered can
/// arrive.
fn change_coordinator(world: &mut World, ends_first: bool) {
    if ends_first {
        world.answer(0);
    }
    world.new_coordinator("v".into());
    world.drain();
    if !ends_first {
        world.answer(0);
    }
}

#[test]
fn a_start_that_ends_while_the_coordinator_changes_is_run_once() {
    for ends_first in [false, true] {
        let mut world = starting();
        change_coordinator(&mut world, ends_first);
        world.settle();
        assert_eq!(world.story.matches("Nginx start").count(), 1, "{}", world.story);
        assert!(world.engine.is_idle() && world.running().len() == 3, "{}", world.story);
        world.assert_agreed();
    }
}

#[test]
fn a_start_that_fails_while_the_coordinator_changes_counts_once_and_is_stopped_first() {
    for ends_first in [false, true] {
        let mut world = starting();
        world.broken.push(("secondary".into(), "Nginx".into()));
        world.command(configure(vec![property("start-failure-is-fatal", "false")]));
        while world.deliver() {}
        change_coordinator(&mut world, ends_first);
        world.broken.clear();
        world.settle();
        let runs: Vec<&str> = world.story.lines().filter_map(|line| line.split_once("Nginx ")).map(|l| l.1).collect();
        assert_eq!(runs, ["start -> 1", "stop -> 0", "start -> 0", "monitor -> 0"], "{}", world.story);
        assert_eq!(world.cib.transient("secondary", "fail-count-Nginx#start_0"), Some("1"));
        world.assert_agreed();
    }
}

/// What the node of `run` says while its agent cannot ask.
fn waits(run: &Order) -> StatusChange {
    let Some(StatusChange::OpStarted(mut started)) = run.started() else { panic!("it is recorded") };
    started.op.exit_reason = Some("the API does not answer".to_owned());
    StatusChange::OpStarted(started)
}

#[test]
fn what_waits_until_it_can_ask_is_not_given_up_and_holds_up_nothing_else() {
    let mut bench = Bench::new();
    bench.start(vec![op("A_start_0", &[])]);
    for _ in 0..100 {
        bench.now += Duration::from_secs(60);
        bench.engine.handle_timeout(bench.now);
        let waits = waits(&bench.runs[0]);
        assert_eq!(bench.deliver(waits), [""; 0]);
    }
    let decided = ["ended 1: 0/1/1 Aborted(Quorum)", "replan: quorum changed"];
    assert_eq!(bench.deliver(StatusChange::Quorum(false)), decided);
    // An answer that was on its way is news then.
    bench.start(vec![]);
    assert_eq!(bench.answer(0, 0), ["replan: A_start_0 on primary has a new result"]);
}

#[test]
fn what_waits_since_an_earlier_coordinator_is_ordered_again() {
    let start = || digested("A_start_0", "d", &[]);
    let (before, mut cib) = begun(start());
    let mut bench = takes_up(vec![start()], cib.clone());
    let waits = waits(&before);
    let lines = bench.deliver(waits.clone());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with("replan: "), "{lines:?}");
    cib.apply(&Command::Status(waits), NOW);
    bench.cib = cib.clone();
    assert_eq!(bench.start(vec![start()]), ["run A_start_0 on primary (0:2:0:v)"]);
    assert_eq!(next(vec![start()], cib).1, "run A_start_0 on primary (0:1:0:v)");
}

#[test]
fn what_was_begun_before_this_coordinator_and_could_not_ask_is_decided_on_whatever_the_plan_was() {
    let (before, _) = begun(digested("A_stop_0", "d", &[]));
    let next = || Bench { engine: TransitionEngine::new("v"), ..Bench::new() };
    // Nobody tries it any more: a plan that left it alone, because it was under way, was made of another state.
    let mut bench = next();
    assert_eq!(bench.deliver(waits(&before)), ["replan: A_stop_0 on primary could not ask"]);
    let mut bench = next();
    bench.start(vec![op("B_start_0", &[])]);
    assert_eq!(bench.deliver(waits(&before)), [""; 0], "what is under way ends first");
    let lines = bench.answer(0, 0);
    assert_eq!(lines.last().map(String::as_str), Some("replan: A_stop_0 on primary could not ask"), "{lines:?}");
}

#[test]
fn what_a_migration_has_held_back_is_decided_anew_when_that_was_taken_up_and_ends() {
    let migration = || {
        let mut action = digested("A_start_0", "d", &[]);
        if let ActionKind::Resource(op) = &mut action.kind {
            op.task = hac_model::Task::MigrateTo;
        }
        action
    };
    let (before, cib) = begun(migration());
    let mut bench = Bench { engine: TransitionEngine::new("v"), cib, ..Bench::new() };
    let lines = bench.start(vec![migration(), op("A_monitor_0", &[])]);
    assert_eq!(lines, ["taken up 0:1:0:v", "taken up 1:1:7:v"]);
    let lines = bench.deliver(result(&before, 0));
    let replan = "replan: a migration that kept others back has ended";
    assert_eq!(lines.last().map(String::as_str), Some(replan), "{lines:?}");
}

#[test]
fn what_waits_is_waited_for_if_nothing_else_happens() {
    let mut bench = Bench::new();
    bench.start(vec![op("A_start_0", &[]), op("A_monitor_10000", &[0])]);
    let waits = waits(&bench.runs[0]);
    bench.deliver(waits);
    assert_eq!(bench.answer(0, 0), ["run A_monitor_10000 on primary (1:1:0:u)"]);
}
