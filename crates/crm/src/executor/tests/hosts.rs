//! One executor that acts for two nodes: its own, and one that has no executor.

use super::*;
use crate::cib::OpCancelled;

const HOSTS: [&str; 2] = ["primary", "guest"];

/// An order to the node `primary` for the node `at`.
fn order(at: &str, task: &str, interval_ms: u64) -> Order {
    Order { at: at.to_owned(), transition_key: format!("1:1:0:{task}-{at}"), ..run(task, interval_ms) }
}

/// Two hosts on one node.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.executor.add_host("guest");
    bench
}

impl Bench {
    /// Gives the order. What begins: the run, and for which node.
    fn give(&mut self, order: &Order) -> Vec<(InvocationId, String)> {
        self.executor.handle_order(self.now, order);
        self.begun()
    }

    fn begun(&mut self) -> Vec<(InvocationId, String)> {
        std::iter::from_fn(|| self.executor.poll_output())
            .filter_map(|output| match output {
                Output::Invoke(invocation) => Some((invocation.id, invocation.node)),
                _ => None,
            })
            .collect()
    }

    /// The agent ends. What is reported comes back in the stream and out of here.
    fn done(&mut self, id: InvocationId, rc: i32) -> Vec<StatusChange> {
        self.executor.handle_outcome(self.now, NOW, id, Outcome { rc, ..Outcome::default() });
        let mut reports = Vec::new();
        while let Some(output) = self.executor.poll_output() {
            if let Output::Report(change) = output {
                self.executor.handle_delivered(self.now, NOW, &change, &Applied::Changed(Changes::default()));
                reports.push(change);
            }
        }
        reports
    }
}

#[test]
fn each_host_has_its_own_queue_and_history_of_the_same_resource() {
    let mut bench = bench();
    let begun: Vec<_> = HOSTS.iter().flat_map(|at| bench.give(&order(at, "start", 0))).collect();
    let at: Vec<&str> = begun.iter().map(|(_, at)| at.as_str()).collect();
    assert_eq!(at, HOSTS, "neither waits for the other");
    assert_ne!(begun[0].0, begun[1].0);
    assert_eq!(bench.give(&order("guest", "stop", 0)), [], "it waits for the start there");
    assert_eq!(bench.executor.in_progress(), 3);
    for ((id, at), (rc, call)) in begun.into_iter().zip([(0, 1), (1, 2)]) {
        bench.executor.handle_outcome(bench.now, NOW, id, Outcome { rc, ..Outcome::default() });
        let Some(Output::Report(StatusChange::OpResult(result))) = bench.executor.poll_output() else { panic!("{at}") };
        assert_eq!((&result.node, result.op.on_node.as_ref()), (&at, Some(&at)), "it counts for that node");
        assert_eq!((result.op.rc_code, result.op.call_id), (OcfCode(rc), call));
        let change = StatusChange::OpResult(result);
        bench.executor.handle_delivered(bench.now, NOW, &change, &Applied::Changed(Changes::default()));
    }
    let [own, of_guest] = HOSTS.map(|at| bench.executor.history_at(at));
    assert_eq!(bench.executor.history(), own, "at a barrier a node tells of itself");
    assert_eq!((own[0].ops[0].rc_code, own[0].ops.len()), (OcfCode::OK, 1));
    let last = of_guest[0].ops.iter().find(|op| op.id == "Nginx_last_0").map(|op| op.operation.as_str());
    assert_eq!(last, Some("stop"), "{of_guest:?}");
    assert!(bench.executor.is_active());
}

#[test]
fn what_happens_to_one_host_leaves_the_other_alone() {
    let mut bench = bench();
    for at in HOSTS {
        for (task, interval_ms) in [("start", 0), ("monitor", 10_000)] {
            let begun = bench.give(&order(at, task, interval_ms));
            assert_eq!(begun.len(), 1, "{task} at {at}");
            bench.done(begun[0].0, 0);
        }
    }
    // A cancellation at one.
    let cancelled = order("guest", "monitor", 10_000).cancelled();
    bench.executor.handle_order(bench.now, &cancelled);
    let Some(Output::Report(report)) = bench.executor.poll_output() else { panic!("it is told") };
    let StatusChange::OpCancelled(OpCancelled { node, .. }) = &report else { panic!("{report:?}") };
    assert_eq!(node, "guest");
    bench.executor.handle_delivered(bench.now, NOW, &report, &Applied::Changed(Changes::default()));
    bench.now += Duration::from_secs(10);
    bench.executor.handle_timeout(bench.now, NOW);
    let begun = bench.begun();
    assert_eq!(begun.iter().map(|(_, at)| at.as_str()).collect::<Vec<_>>(), ["primary"], "the other goes on");
    bench.done(begun[0].0, 0);
    // A history that is forgotten at one.
    let here = HistoryOf { node: "primary".into(), resource: "Nginx".into() };
    bench.executor.handle_changes(bench.now, &Changes { forgotten: vec![here], ..Changes::default() });
    assert_eq!(HOSTS.map(|at| bench.executor.history_at(at).len()), [0, 1]);
    assert!(!bench.executor.is_active(), "nothing runs on this node itself");
}

#[test]
fn a_view_that_is_over_takes_the_orders_of_all_hosts_with_it() {
    let mut bench = bench();
    for at in HOSTS {
        assert_eq!(bench.give(&order(at, "stop", 0)).len(), 1);
        assert_eq!(bench.give(&order(at, "start", 0)), []);
    }
    bench.executor.end_view(bench.now);
    assert_eq!(bench.executor.in_progress(), 2, "what has begun goes on");
    let again = Order { transition_key: "7:1:0:next".into(), ..order("guest", "stop", 0) };
    assert_eq!(bench.give(&again), [], "the next coordinator's order is answered by what runs");
    assert_eq!(bench.executor.history_at("guest")[0].ops[0].transition_key, "7:1:0:next");
    assert_eq!(bench.executor.history_at("primary")[0].ops[0].transition_key, "1:1:0:stop-primary");
}

#[test]
fn an_order_at_a_node_without_a_connection_has_failed_at_once() {
    let mut bench = Bench::new();
    bench.executor.handle_order(bench.now, &order("guest", "start", 0));
    let Some(Output::Report(StatusChange::OpResult(result))) = bench.executor.poll_output() else {
        panic!("it is told")
    };
    assert_eq!((result.node.as_str(), result.op.transition_key.as_str()), ("guest", "1:1:0:start-guest"));
    assert!(result.op.ended(ExecStatus::NotConnected), "{result:?}");
    assert_eq!(result.op.exit_reason.as_deref(), Some("primary has no connection to guest"));
    assert_eq!(bench.executor.poll_output(), None);
    assert!(bench.executor.history_at("guest").is_empty());
}

#[test]
fn the_limit_of_agents_is_that_of_the_node_for_all_its_hosts_together() {
    let mut bench = bench();
    bench.executor.limit(1);
    let begun = bench.give(&order("guest", "start", 0));
    assert_eq!(bench.give(&order("primary", "start", 0)), [], "another agent runs on this node");
    bench.executor.handle_outcome(bench.now, NOW, begun[0].0, Outcome::default());
    let next: Vec<String> = bench.begun().into_iter().map(|(_, at)| at).collect();
    assert_eq!(next, ["primary"]);
}
