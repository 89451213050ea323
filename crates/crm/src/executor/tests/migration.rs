//! The halves of a live migration.

use super::*;
use hac_model::Migration;

fn half(task: &str, target: &str, key: &str) -> Order {
    let mut order = run(task, 0);
    let op = ResourceOp {
        migration: Some(Migration { source: "primary".into(), target: target.into() }),
        unrecorded: true,
        ..order.op().clone()
    };
    order.work = Work::run(op);
    Order { transition_key: key.to_owned(), ..order }
}

fn ends(op: &OpHistory) -> (Option<&str>, Option<&str>) {
    (op.migrate_source.as_deref(), op.migrate_target.as_deref())
}

#[test]
fn a_half_is_recorded_with_its_ends_when_it_begins_whatever_is_configured_and_when_it_has_ended() {
    for task in ["migrate_to", "migrate_from"] {
        let order = half(task, "secondary", "1:1:0:u");
        let Some(StatusChange::OpStarted(started)) = order.started() else { panic!("a new coordinator must know") };
        assert_eq!(ends(&started.op), (Some("primary"), Some("secondary")));
        let mut bench = Bench::new();
        bench.executor.handle_order(bench.now, &order);
        let mut outputs = std::iter::from_fn(|| bench.executor.poll_output());
        let begun =
            outputs.find_map(|output| if let Output::Invoke(invocation) = output { Some(invocation) } else { None });
        let invocation = begun.expect("it begins");
        assert_eq!(invocation.migration.map(|ends| ends.target).as_deref(), Some("secondary"));
        bench.executor.handle_outcome(bench.now, NOW, invocation.id, Outcome::default());
        bench.lines();
        let ops = &bench.executor.history()[0].ops;
        assert_eq!((ops.len(), ops[0].id.as_str()), (1, format!("Nginx_{task}_0").as_str()));
        assert_eq!((ends(&ops[0]), ops[0].rc_code), ((Some("primary"), Some("secondary")), OcfCode::OK));
    }
}

#[test]
fn a_half_under_way_answers_the_next_coordinators_order_between_the_same_nodes_alone() {
    for (target, runs) in [("secondary", 1), ("third", 2)] {
        let mut bench = Bench::new();
        bench.executor.handle_order(bench.now, &half("migrate_to", "secondary", "1:1:0:u"));
        assert_eq!(bench.lines(), ["invoke Nginx migrate_to 0"]);
        bench.executor.end_view(bench.now);
        bench.executor.handle_order(bench.now, &half("migrate_to", target, "7:1:0:next"));
        assert_eq!(bench.lines(), [""; 0]);
        assert_eq!(bench.executor.in_progress(), runs, "to {target}");
    }
}

/// A node that was probed, and to which the resource is on its way.
fn awaiting() -> Bench {
    let mut bench = Bench::new();
    bench.order("monitor", 0);
    bench.end(7);
    let changes = Changes {
        arriving: vec![HistoryOf { node: "primary".into(), resource: "Nginx".into() }],
        ..Changes::default()
    };
    bench.executor.handle_changes(bench.now, &changes);
    bench
}

#[test]
fn what_may_have_come_here_and_was_never_looked_at_is_in_doubt_when_the_view_is_over() {
    let mut bench = awaiting();
    let history = bench.executor.history();
    assert_eq!(history[0].ops[0].last_rc_change, Some(0), "an old answer");
    bench.executor.hold();
    bench.executor.handle_order(bench.now, &half("migrate_from", "primary", "1:1:0:u"));
    assert_eq!(bench.lines(), [""; 0], "it is in doubt whether it counts");
    assert_eq!(bench.executor.history(), history, "nor does it say anything yet");
    bench.executor.end_view(bench.now);
    assert_eq!(bench.executor.history(), [], "it may run here, so that a probe found nothing before counts no more");
}

#[test]
fn what_was_done_with_what_came_here_is_known_after_the_view() {
    for (task, rc) in [("migrate_from", 0), ("stop", 0), ("start", 1)] {
        let mut bench = awaiting();
        bench.order(task, 0);
        bench.executor.end_view(bench.now);
        assert!(bench.executor.history()[0].ops.iter().all(OpHistory::is_pending), "{task} is under way");
        bench.end(rc);
        bench.executor.end_view(bench.now);
        assert_eq!(bench.executor.history()[0].ops[0].rc_code, OcfCode(rc), "{task}");
    }
}
