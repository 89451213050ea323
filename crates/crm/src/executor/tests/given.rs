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
