//! Agents that could not ask.

use super::*;

fn could_not_ask() -> Outcome {
    let exit_reason = Some("the API does not answer".to_owned());
    Outcome { rc: 1, exit_reason, retry_after: Some(Duration::ZERO), ..Outcome::default() }
}

/// A start that could not be asked for once.
fn waiting() -> Bench {
    let mut bench = Bench::new();
    bench.order("start", 0);
    let said = format!("waits since {}: the API does not answer", NOW.as_secs());
    assert_eq!(bench.end_with(could_not_ask()), [said]);
    bench
}

/// Waits until it is tried again, and how long that was.
fn again(bench: &mut Bench) -> Duration {
    let pause = bench.executor.poll_timeout().expect("it is tried again").since(bench.now);
    let millis = u64::try_from(pause.as_millis()).expect("ends");
    assert_eq!(bench.pass(millis), ["invoke Nginx start 0"]);
    pause
}

#[test]
fn a_start_that_could_not_be_asked_for_is_tried_again_until_it_can_without_a_failure() {
    let mut bench = waiting();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        pauses.push(again(&mut bench));
        assert_eq!(bench.end_with(could_not_ask()).len(), 1, "that is told each time");
    }
    assert!(pauses[9] > pauses[0] * 8 && pauses[9] < Duration::from_secs(60), "{pauses:?}");
    let op = &bench.executor.history()[0].ops[0];
    assert_eq!((op.rc_code, op.last_rc_change), (OcfCode::UNKNOWN, Some(NOW.as_secs())));
    again(&mut bench);
    assert_eq!(bench.end(0), ["report start 0 rc=0 call=1"]);
    assert_eq!(bench.executor.in_progress(), 0);
}

#[test]
fn a_stop_displaces_a_start_that_waits() {
    let mut bench = waiting();
    assert_eq!(bench.order("stop", 0), ["invoke Nginx stop 0"]);
    assert_eq!(bench.end(0), ["report stop 0 rc=0 call=2"]);
    assert_eq!(bench.pass(600_000), [""; 0]);
}

#[test]
fn what_waits_is_not_tried_while_its_view_is_in_doubt_nor_when_that_is_over_before_it_is_ordered_again() {
    let mut bench = waiting();
    bench.executor.hold();
    assert_eq!(bench.executor.poll_timeout(), None);
    assert_eq!(bench.pass(60_000), [""; 0]);
    bench.executor.end_view(bench.now);
    assert_eq!(bench.executor.poll_timeout(), None, "the next view may have no quorum");
    assert_eq!(bench.pass(600_000), [""; 0]);
    let order = |key: &str| Order { transition_key: key.into(), ..run("start", 0) };
    bench.executor.handle_order(bench.now, &order("7:1:0:next"));
    assert_eq!(bench.lines(), ["invoke Nginx start 0"], "it was due long ago");
    bench.executor.end_view(bench.now);
    bench.end_with(could_not_ask());
    assert_eq!(bench.executor.poll_timeout(), None, "nor what said so after the end of its view");
    bench.executor.handle_order(bench.now, &order("7:1:0:next"));
    bench.executor.end_view(bench.now);
    let told = &bench.executor.history()[0].ops[0];
    assert!(told.is_pending() && told.exit_reason.is_some(), "the next one knows that nobody tries it: {told:?}");
    bench.executor.handle_order(bench.now, &order("8:1:0:third"));
    again(&mut bench);
    bench.end(0);
    assert_eq!(bench.executor.history()[0].ops[0].transition_key, "8:1:0:third");
}

#[test]
fn a_monitor_that_could_not_ask_found_nothing() {
    let mut bench = Bench::started();
    bench.pass(10_000);
    assert_eq!(bench.end_with(could_not_ask()), [""; 0]);
    bench.pass(10_000);
    assert_eq!(bench.end(7), ["report monitor 10000 rc=7 call=2", "unwatch"]);
}

#[test]
fn what_the_coordinator_gave_up_never_begins() {
    let mut bench = waiting();
    let StatusChange::OpStarted(OpStarted { node, resource, agent, op }) = run("start", 0).started().expect("recorded")
    else {
        panic!("a start")
    };
    let op = OpHistory { rc_code: OcfCode::ERROR, op_status: ExecStatus::Timeout.code(), ..op };
    let lost = StatusChange::OpResult(OpResult { node, resource, agent, op, on_fail: None });
    bench.executor.handle_delivered(bench.now, NOW, &lost, &Applied::Changed(Changes::default()));
    assert_eq!(bench.pass(600_000), [""; 0]);
}
