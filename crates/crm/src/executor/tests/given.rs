//! What agents are given after the configuration of what runs has changed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// An order for `task` of the resource `r` by the agent `kind`, with these parameters.
fn order(task: &str, interval_ms: u64, kind: &str, params: &[(&str, &str)]) -> Order {
    let params: BTreeMap<String, String> = params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let op = ResourceOp {
        resource: "r".into(),
        agent: agent("heartbeat", kind).into(),
        task: task.parse().unwrap(),
        interval_ms,
        timeout_ms: 20_000,
        digest: Some(hac_scheduler::digest(&params)),
        params: params.into(),
        ..ResourceOp::default()
    };
    Order { by: "primary".into(), at: "primary".into(), transition_key: "1:1:0:u".into(), work: Work::run(op) }
}

/// Orders it and ends it with `outcome`. What the agent was given, and what was reported.
fn carry_out(executor: &mut Executor, order: &Order, outcome: Outcome) -> (Invocation, OpResult) {
    executor.handle_order(Timestamp::ZERO, order);
    let mut invocation = None;
    while let Some(output) = executor.poll_output() {
        if let Output::Invoke(invoke) = output {
            invocation = Some(invoke);
        }
    }
    let invocation = invocation.expect("it begins");
    executor.handle_outcome(Timestamp::ZERO, NOW, invocation.id, outcome);
    let mut reported = None;
    while let Some(output) = executor.poll_output() {
        if let Output::Report(change) = output {
            executor.handle_delivered(Timestamp::ZERO, NOW, &change, &Applied::Changed(Changes::default()));
            if let StatusChange::OpResult(result) = change {
                reported = Some(result);
            }
        }
    }
    (invocation, reported.expect("a first result is reported"))
}

const OLD: &[(&str, &str)] = &[("ip", "192.0.2.1")];
const NEW: &[(&str, &str)] = &[("ip", "192.0.2.2")];

fn done() -> Outcome {
    Outcome::default()
}

#[test]
fn a_stop_gets_what_the_start_had_though_other_values_are_configured_or_none() {
    for configured in [NEW, &[]] {
        let mut executor = Executor::new("primary");
        carry_out(&mut executor, &order("start", 0, "IPaddr2", OLD), done());
        let (stop, _) = carry_out(&mut executor, &order("stop", 0, "IPaddr2", configured), done());
        assert_eq!(stop.params["ip"], "192.0.2.1");
        let (start, _) = carry_out(&mut executor, &order("start", 0, "IPaddr2", NEW), done());
        assert_eq!(start.params["ip"], "192.0.2.2");
    }
}

#[test]
fn a_stop_goes_to_the_agent_that_started_and_is_recorded_as_its() {
    let mut executor = Executor::new("primary");
    carry_out(&mut executor, &order("start", 0, "IPaddr2", OLD), done());
    let (stop, result) = carry_out(&mut executor, &order("stop", 0, "IPaddr3", NEW), done());
    assert_eq!((stop.agent.kind.as_str(), result.agent.kind.as_str()), ("IPaddr2", "IPaddr2"));
    let (probe, _) = carry_out(&mut executor, &order("monitor", 0, "IPaddr3", NEW), Outcome { rc: 7, ..done() });
    assert_eq!(probe.agent.kind, "IPaddr3", "nothing runs any more");
}

#[test]
fn a_failed_start_is_cleared_away_as_it_was_tried_and_a_failed_stop_tried_again() {
    let mut executor = Executor::new("primary");
    carry_out(&mut executor, &order("start", 0, "IPaddr2", OLD), Outcome { rc: 1, ..done() });
    for rc in [1, 0] {
        let (stop, _) = carry_out(&mut executor, &order("stop", 0, "IPaddr2", NEW), Outcome { rc, ..done() });
        assert_eq!(stop.params["ip"], "192.0.2.1");
    }
    let (stop, _) = carry_out(&mut executor, &order("stop", 0, "IPaddr2", NEW), done());
    assert_eq!(stop.params["ip"], "192.0.2.2", "it is stopped, so nothing is remembered");
}

#[test]
fn a_probe_of_what_runs_with_other_values_finds_it_and_tells_that_they_differ() {
    let mut executor = Executor::new("primary");
    let (_, started) = carry_out(&mut executor, &order("start", 0, "IPaddr2", OLD), done());
    let forgotten = HistoryOf { node: "primary".into(), resource: "r".into() };
    executor.handle_changes(Timestamp::ZERO, &Changes { forgotten: vec![forgotten], ..Changes::default() });
    let (probe, result) = carry_out(&mut executor, &order("monitor", 0, "IPaddr2", NEW), done());
    assert_eq!(probe.params["ip"], "192.0.2.1");
    assert_eq!(result.op.op_digest, started.op.op_digest);
}

#[test]
fn a_reload_that_worked_is_what_it_runs_with_and_one_that_failed_is_not() {
    for (rc, runs_with) in [(0, "192.0.2.2"), (1, "192.0.2.1")] {
        let mut executor = Executor::new("primary");
        carry_out(&mut executor, &order("start", 0, "IPaddr2", OLD), done());
        let reload = order("reload-agent", 0, "IPaddr2", NEW);
        let (reload, _) = carry_out(&mut executor, &reload, Outcome { rc, ..done() });
        assert_eq!(reload.params["ip"], "192.0.2.2");
        let (stop, _) = carry_out(&mut executor, &order("stop", 0, "IPaddr2", NEW), done());
        assert_eq!(stop.params["ip"], runs_with);
    }
}

#[test]
fn the_history_tells_which_parameters_need_a_restart_if_others_do_not() {
    let mut executor = Executor::new("primary");
    let params: &[(&str, &str)] = &[("ip", "192.0.2.1"), ("limit", "3")];
    let fixed = Some(BTreeSet::from(["ip".to_owned(), "nic".to_owned()]));
    let tells = Outcome { restart_params: fixed, ..done() };
    let (_, result) = carry_out(&mut executor, &order("start", 0, "IPaddr2", params), tells);
    assert_eq!(result.op.op_force_restart.as_deref(), Some(" ip nic "));
    let of_ip = BTreeMap::from([("ip".to_owned(), "192.0.2.1".to_owned())]);
    assert_eq!(result.op.op_restart_digest, Some(hac_scheduler::digest(&of_ip)));
}

#[test]
fn a_failure_without_a_reason_is_told_with_the_agents_last_words() {
    let output = "starting\nvarnishd: invalid option -- 'u'\n\n".to_owned();
    let of = |outcome: Outcome| {
        let mut executor = Executor::new("primary");
        let (_, result) = carry_out(&mut executor, &order("start", 0, "varnish", OLD), outcome);
        result.op.exit_reason
    };
    let failed = Outcome { rc: 1, output: output.clone(), ..done() };
    assert_eq!(of(failed.clone()).as_deref(), Some("varnishd: invalid option -- 'u'"));
    let gives_one = Outcome { exit_reason: Some("no such user".to_owned()), ..failed };
    assert_eq!(of(gives_one).as_deref(), Some("no such user"));
    assert_eq!(of(Outcome { output, ..done() }), None);
}

#[test]
fn the_history_can_be_compared_where_secrets_are_masked() {
    let mut executor = Executor::new("primary");
    let with = |token| [("ip", "192.0.2.1"), ("token", token)];
    let (_, result) = carry_out(&mut executor, &order("start", 0, "IPaddr2", &with("gold")), done());
    assert_eq!(result.op.op_secure_params.as_deref(), Some(" token "));
    let of_ip = BTreeMap::from([("ip".to_owned(), "192.0.2.1".to_owned())]);
    assert_eq!(result.op.op_secure_digest, Some(hac_scheduler::digest(&of_ip)));
    let (_, result) = carry_out(&mut Executor::new("primary"), &order("start", 0, "IPaddr2", OLD), done());
    assert_eq!((result.op.op_secure_params, result.op.op_secure_digest), (None, None), "there is no secret");
}

/// What is to be kept after the executor has done what was ordered.
fn kept(executor: &mut Executor, order: &Order, outcome: Outcome) -> Vec<Option<String>> {
    executor.handle_order(Timestamp::ZERO, order);
    let mut kept = Vec::new();
    while let Some(output) = executor.poll_output() {
        match output {
            Output::Remember(id, started) => {
                assert_eq!(id, "r");
                kept.push(started.map(|started| started.params["ip"].clone()));
            }
            Output::Invoke(invoke) => {
                executor.handle_outcome(Timestamp::ZERO, NOW, invoke.id, outcome.clone());
            }
            _ => {}
        }
    }
    kept
}

#[test]
fn what_runs_is_kept_before_it_starts_and_until_it_is_stopped() {
    let mut executor = Executor::new("primary");
    executor.handle_order(Timestamp::ZERO, &order("start", 0, "IPaddr2", OLD));
    assert!(matches!(executor.poll_output(), Some(Output::Remember(_, Some(_)))), "first this");
    assert!(matches!(executor.poll_output(), Some(Output::Invoke(_))), "then the agent");

    let mut executor = Executor::new("primary");
    let (old, new) = (Some("192.0.2.1".to_owned()), Some("192.0.2.2".to_owned()));
    assert_eq!(kept(&mut executor, &order("start", 0, "IPaddr2", OLD), done()), [old]);
    assert_eq!(kept(&mut executor, &order("monitor", 0, "IPaddr2", NEW), done()), [], "nothing new");
    assert_eq!(kept(&mut executor, &order("reload-agent", 0, "IPaddr2", NEW), done()), [new]);
    assert_eq!(kept(&mut executor, &order("stop", 0, "IPaddr2", NEW), Outcome { rc: 1, ..done() }), []);
    assert_eq!(kept(&mut executor, &order("stop", 0, "IPaddr2", NEW), done()), [None]);
}

/// The executor of the next life of the daemon on a host where `r` was started with the old value.
fn next_life() -> Executor {
    let Work::Operation(op) = order("start", 0, "IPaddr2", OLD).work else { panic!("a start") };
    let started = Started::by(&op);
    let mut executor = Executor::new("primary");
    executor.restore(BTreeMap::from([("r".to_owned(), started)]));
    executor
}

#[test]
fn the_next_life_of_the_daemon_watches_and_stops_what_runs_as_it_was_started() {
    for (task, interval_ms, rc) in [("stop", 0, 0), ("monitor", 0, 0), ("monitor", 10_000, 0), ("demote", 0, 0)] {
        let (given, _) =
            carry_out(&mut next_life(), &order(task, interval_ms, "IPaddr3", NEW), Outcome { rc, ..done() });
        assert_eq!((given.params["ip"].as_str(), given.agent.kind.as_str()), ("192.0.2.1", "IPaddr2"), "{task}");
    }
    let mut executor = next_life();
    let gone = Outcome { rc: 7, ..done() };
    carry_out(&mut executor, &order("monitor", 0, "IPaddr2", NEW), gone);
    let (stop, _) = carry_out(&mut executor, &order("stop", 0, "IPaddr2", NEW), done());
    assert_eq!(stop.params["ip"], "192.0.2.2", "it was not running any more");
}

#[test]
fn what_runs_and_is_no_longer_configured_is_told_by_the_next_life() {
    let mut executor = next_life();
    executor.expose_unconfigured(|_| true);
    assert_eq!(executor.history(), [], "it is probed");
    executor.expose_unconfigured(|_| false);
    assert!(executor.is_active(), "{:?}", executor.history());
    let (stop, result) = carry_out(&mut executor, &order("stop", 0, "IPaddr2", &[]), done());
    assert_eq!((stop.params["ip"].as_str(), result.op.rc_code), ("192.0.2.1", OcfCode::OK));
    executor.expose_unconfigured(|_| false);
    assert!(!executor.is_active(), "it is stopped");
}

#[test]
fn what_an_earlier_life_started_may_run_until_somebody_has_looked() {
    let mut executor = next_life();
    assert!(executor.is_active(), "nobody knows");
    carry_out(&mut executor, &order("monitor", 0, "IPaddr2", NEW), Outcome { rc: 7, ..done() });
    assert!(!executor.is_active(), "it does not run");
    let mut executor = next_life();
    carry_out(&mut executor, &order("monitor", 0, "IPaddr2", NEW), done());
    assert!(executor.is_active(), "it runs");
}
