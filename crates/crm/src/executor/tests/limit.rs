//! How many agents run on one node at one time.

use super::*;

/// An executor that may run two at a time; who runs is told by instance.
struct Crowd {
    executor: Executor,
    running: Vec<Invocation>,
}

impl Crowd {
    fn new() -> Self {
        let mut executor = Executor::new("primary");
        executor.limit(2);
        Self { executor, running: vec![] }
    }

    fn order(&mut self, resource: &str, task: &str, interval_ms: u64) -> Vec<String> {
        let mut run = run(task, interval_ms);
        resource.clone_into(&mut run.op_mut().resource);
        self.executor.handle_order(Timestamp::ZERO, &run);
        self.begun()
    }

    fn begun(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(output) = self.executor.poll_output() {
            if let Output::Invoke(invocation) = output {
                names.push(format!("{} {}", invocation.action, invocation.resource));
                self.running.push(invocation);
            }
        }
        names
    }

    /// The agent that has run longest ends.
    fn end(&mut self, outcome: Outcome) -> Vec<String> {
        let id = self.running.remove(0).id;
        self.executor.handle_outcome(Timestamp::ZERO, NOW, id, outcome);
        self.begun()
    }
}

#[test]
fn more_wait_in_the_order_of_their_orders() {
    let mut crowd = Crowd::new();
    assert_eq!(crowd.order("z", "start", 0), ["start z"]);
    assert_eq!(crowd.order("y", "start", 0), ["start y"]);
    for late in ["x", "a", "m"] {
        assert!(crowd.order(late, "start", 0).is_empty());
    }
    assert!(crowd.order("z", "stop", 0).is_empty());
    assert_eq!(crowd.executor.in_progress(), 6);
    for next in ["start x", "start a", "start m", "stop z"] {
        assert_eq!(crowd.end(Outcome::default()), [next]);
        assert_eq!(crowd.running.len(), 2);
    }
}

#[test]
fn a_limit_of_nothing_is_none_and_monitors_do_not_count() {
    let mut crowd = Crowd::new();
    crowd.executor.limit(0);
    for name in ["a", "b", "c"] {
        assert_eq!(crowd.order(name, "start", 0).len(), 1);
    }
    crowd.executor.limit(1);
    assert_eq!(
        crowd.order("d", "monitor", 10_000),
        ["monitor d"],
        "recurring: it is not one of those that were ordered"
    );
    assert!(crowd.order("e", "start", 0).is_empty());
}

#[test]
fn what_waits_is_dropped_with_its_view_and_an_agent_that_never_ends_keeps_its_place_no_longer_than_its_time() {
    let mut crowd = Crowd::new();
    for name in ["a", "b", "c"] {
        crowd.order(name, "start", 0);
    }
    crowd.executor.end_view(Timestamp::ZERO);
    assert!(crowd.end(Outcome::default()).is_empty(), "c was never begun");
    crowd.order("d", "start", 0);
    assert!(crowd.order("e", "start", 0).is_empty());
    let due = crowd.executor.poll_timeout().expect("b and d are awaited");
    crowd.executor.handle_timeout(due, NOW);
    assert_eq!(crowd.begun(), ["start e"]);
}

#[test]
fn who_could_not_ask_is_tried_again_although_others_run() {
    let mut crowd = Crowd::new();
    crowd.order("a", "start", 0);
    let again = Outcome { retry_after: Some(Duration::from_secs(1)), ..Outcome::default() };
    assert!(crowd.end(again).is_empty());
    for name in ["b", "c"] {
        assert_eq!(crowd.order(name, "start", 0).len(), 1);
    }
    let due = crowd.executor.poll_timeout().expect("it is tried again");
    crowd.executor.handle_timeout(due, NOW);
    assert_eq!(crowd.begun(), ["start a"]);
    assert!(crowd.executor.poll_timeout().is_some_and(|next| next > due), "and nothing is due twice");
}
