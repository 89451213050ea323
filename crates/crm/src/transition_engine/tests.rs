//! Tests: carries a plan out.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cib::Replicated as _;
use crate::cib::fixtures::{NOW, cluster, lost, up};
use crate::cib::{Changes, OpCancelled};
use crate::executor::ExecStatus;
use crate::fencer::requests::{Consequence, Step};
use crate::work::Work;
use hac_model::{Agent, FenceAction, INFINITY, OcfCode, OpHistory};
use hac_scheduler::plan::{Action, ActionKind, Fencing, ResourceOp};

mod chaos;
mod live;
mod migration;
mod taken_up;
mod whole;
mod world;

fn action(key: &str, kind: ActionKind, inputs: &[usize]) -> Action {
    Action {
        inputs: inputs.to_vec(),
        rather_after: vec![],
        key: key.into(),
        node: Some("primary".into()),
        node_id: Some("1".into()),
        router_node: None,
        priority: 0,
        kind,
        downed: vec![],
        meta: Default::default(),
    }
}

/// An operation `RSC_TASK_INTERVAL`.
fn op(key: &str, inputs: &[usize]) -> Action {
    let mut parts = key.split('_');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (resource, task, interval) = (next(), next(), next());
    let op = ResourceOp {
        resource,
        interval_ms: interval.parse().expect("the last part is the interval"),
        expected_rc: if task == "monitor" && interval == "0" { OcfCode::NOT_RUNNING } else { OcfCode::OK },
        task: task.parse().expect("the second part is a task"),
        timeout_ms: 20_000,
        ..ResourceOp::default()
    };
    action(key, ActionKind::Resource(Box::new(op)), inputs)
}

fn pseudo(key: &str, inputs: &[usize]) -> Action {
    action(key, ActionKind::Pseudo, inputs)
}

/// An engine, what it put out, as lines.
struct Bench {
    engine: TransitionEngine,
    /// What is under way when its orders are taken.
    cib: Cib,
    now: Timestamp,
    runs: Vec<Order>,
}

impl Bench {
    fn new() -> Self {
        Self { engine: TransitionEngine::new("u"), cib: Cib::default(), now: Timestamp::ZERO, runs: vec![] }
    }

    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(output) = self.engine.poll_output(&self.cib) {
            lines.push(match output {
                Output::Run(order) => {
                    let word = if matches!(order.work, Work::Cancel(_)) { "cancel" } else { "run" };
                    let line = format!("{word} {} on {} ({})", order.name(), order.by, order.transition_key);
                    self.runs.push(order);
                    line
                }
                Output::TakenUp(run) => format!("taken up {}", run.transition_key),
                Output::Status(StatusChange::OpResult(result)) => {
                    format!("record {} of {} as {}", result.op.operation, result.resource, result.op.op_status)
                }
                Output::Status(change) => format!("{change:?}"),
                Output::Fence { target, action, delay_s } => format!("fence {target} ({action}) after {delay_s} s"),
                Output::Ended(s) => format!("ended {}: {}/{}/{} {:?}", s.transition, s.done, s.fired, s.actions, s.end),
                Output::Replan(reason) => format!("replan: {reason}"),
            });
        }
        lines
    }

    fn start(&mut self, actions: Vec<Action>) -> Vec<String> {
        self.start_with(actions, Limits::default())
    }

    fn start_with(&mut self, actions: Vec<Action>, limits: Limits) -> Vec<String> {
        self.engine.start(self.now, Plan { actions, ..Plan::default() }, limits);
        self.lines()
    }

    fn deliver(&mut self, change: StatusChange) -> Vec<String> {
        self.engine.handle_delivered(self.now, &Command::Status(change), &Applied::Changed(Changes::default()));
        self.lines()
    }

    /// The answer to the order that was put out as the `index`th.
    fn answer(&mut self, index: usize, rc: i32) -> Vec<String> {
        let change = result(&self.runs[index], rc);
        self.deliver(change)
    }
}

fn result(run: &Order, rc: i32) -> StatusChange {
    StatusChange::OpResult(OpResult {
        node: run.at.clone(),
        resource: run.op().resource.clone(),
        agent: Agent::clone(&run.op().agent),
        op: OpHistory {
            operation: run.op().task.to_string(),
            interval_ms: run.op().interval_ms,
            transition_key: run.transition_key.clone(),
            rc_code: OcfCode(rc),
            ..OpHistory::default()
        },
        on_fail: None,
    })
}

fn rather_after(action: Action, others: &[usize]) -> Action {
    Action { rather_after: others.to_vec(), ..action }
}

#[test]
fn a_stop_that_nothing_waits_for_goes_after_the_start_that_it_is_told() {
    let mut bench = Bench::new();
    let plan = || {
        vec![
            op("FloatIP_stop_0", &[]),
            rather_after(op("Nginx_stop_0", &[]), &[3]),
            pseudo("Nginx-clone_stopped_0", &[1]),
            op("FloatIP_start_0", &[0]),
            op("FloatIP_monitor_10000", &[3]),
        ]
    };
    assert_eq!(bench.start(plan()), ["run FloatIP_stop_0 on primary (0:1:0:u)"]);
    assert_eq!(bench.answer(0, 0), ["run FloatIP_start_0 on primary (3:1:0:u)"]);
    assert_eq!(bench.answer(1, 0), ["run Nginx_stop_0 on primary (1:1:0:u)"]);
    assert_eq!(bench.answer(2, 0), ["run FloatIP_monitor_10000 on primary (4:1:0:u)"]);
    assert_eq!(bench.answer(3, 0), ["ended 1: 5/5/5 Complete"]);

    // A start that fails abandons the plan, as ever: the next one decides.
    bench.start(plan());
    bench.answer(4, 0);
    assert_eq!(
        bench.answer(5, 1),
        [
            "ended 2: 1/2/5 Aborted(UnexpectedResult(\"FloatIP_start_0\", \"primary\"))",
            "replan: FloatIP_start_0 on primary did not end as expected"
        ]
    );
}

#[test]
fn a_stop_is_not_kept_by_a_start_that_cannot_be() {
    let mut bench = Bench::new();
    // The start waits for what is never done.
    let plan = vec![op("FloatIP_start_0", &[9]), rather_after(op("Nginx_stop_0", &[]), &[0]), op("A_start_0", &[])];
    assert_eq!(bench.start(plan), ["run A_start_0 on primary (2:1:0:u)"]);
    assert_eq!(bench.answer(0, 0), ["run Nginx_stop_0 on primary (1:1:0:u)"]);
    assert_eq!(bench.answer(1, 0), ["ended 1: 2/2/3 Stuck"]);
}

#[test]
fn a_stop_is_not_kept_by_a_start_whose_agent_cannot_ask() {
    let mut bench = Bench::new();
    let plan = vec![op("FloatIP_start_0", &[]), rather_after(op("Nginx_stop_0", &[]), &[0])];
    assert_eq!(bench.start(plan), ["run FloatIP_start_0 on primary (0:1:0:u)"]);
    let mut waiting = bench.runs[0].started().expect("it is recorded");
    if let StatusChange::OpStarted(started) = &mut waiting {
        started.op.exit_reason = Some("the API does not answer".into());
    }
    assert_eq!(bench.deliver(waiting), ["run Nginx_stop_0 on primary (1:1:0:u)"]);
}

#[test]
fn an_action_begins_when_its_inputs_are_done() {
    let mut bench = Bench::new();
    let plan = vec![
        op("A_start_0", &[]),
        pseudo("all_started", &[0, 2]),
        op("B_start_0", &[]),
        op("A_monitor_10000", &[0]),
        op("C_start_0", &[1]),
    ];
    assert_eq!(bench.start(plan), ["run A_start_0 on primary (0:1:0:u)", "run B_start_0 on primary (2:1:0:u)"]);
    assert_eq!(bench.engine.awaited().len(), 2);
    assert_eq!(bench.answer(0, 0), [""; 0]);
    assert_eq!(bench.answer(1, 0), ["run C_start_0 on primary (4:1:0:u)"]);
    assert_eq!(bench.answer(2, 0), ["run A_monitor_10000 on primary (3:1:0:u)"]);
    assert!(!bench.engine.is_idle());
    assert_eq!(bench.answer(3, 0), ["ended 1: 5/5/5 Complete"]);
    assert!(bench.engine.is_idle());
}

#[test]
fn an_empty_plan_is_done_at_once() {
    let mut bench = Bench::new();
    assert_eq!(bench.start(vec![]), ["ended 1: 0/0/0 Complete"]);
    assert!(bench.engine.is_idle());
}

#[test]
fn another_result_than_expected_ends_the_plan_when_the_rest_has_ended() {
    let mut bench = Bench::new();
    bench.start(vec![op("A_start_0", &[]), op("B_start_0", &[]), op("A_monitor_10000", &[0]), op("C_start_0", &[1])]);
    assert_eq!(bench.answer(0, 1), [""; 0], "B is on its way");
    assert_eq!(
        bench.answer(1, 0),
        [
            "ended 1: 1/2/4 Aborted(UnexpectedResult(\"A_start_0\", \"primary\"))",
            "replan: A_start_0 on primary did not end as expected",
        ]
    );
}

#[test]
fn a_probe_that_finds_something_asks_for_another_decision() {
    let mut bench = Bench::new();
    bench.start(vec![op("A_monitor_0", &[])]);
    assert_eq!(
        bench.answer(0, 0).last().map(String::as_str),
        Some("replan: A_monitor_0 on primary did not end as expected")
    );
}

#[test]
fn a_degraded_resource_and_a_failed_notification_are_as_expected() {
    let mut bench = Bench::new();
    bench.start(vec![op("B_notify_0", &[]), op("A_monitor_10000", &[])]);
    bench.answer(0, 1);
    assert_eq!(bench.answer(1, 190), ["ended 1: 2/2/2 Complete"]);
}

#[test]
fn when_the_world_changes_nothing_more_begins_but_what_must_be_finished() {
    let mut bench = Bench::new();
    let mut finish = pseudo("A_finished", &[0]);
    finish.priority = INFINITY;
    bench.start(vec![op("A_start_0", &[]), finish, op("B_start_0", &[0]), pseudo("never", &[0])]);
    let command = Command::Configure(Default::default());
    let applied = Applied::Changed(Changes { configuration: true, ..Changes::default() });
    bench.engine.handle_delivered(bench.now, &command, &applied);
    assert_eq!(bench.lines(), [""; 0]);
    assert_eq!(bench.answer(0, 0), ["ended 1: 2/2/4 Aborted(Configuration)", "replan: the configuration changed"]);
    // It is asked once, however much else changes, until there is an answer.
    assert_eq!(bench.deliver(StatusChange::Quorum(true)), [""; 0]);
    assert!(!bench.engine.is_idle());
    bench.start(vec![]);
    assert_eq!(bench.deliver(StatusChange::Quorum(true)), ["replan: quorum changed"]);
}

#[test]
fn nothing_is_awaited_from_a_lost_node() {
    let mut bench = Bench::new();
    let mut there = op("A_start_0", &[]);
    there.node = Some("secondary".into());
    bench.start(vec![there]);
    assert_eq!(
        bench.deliver(StatusChange::NodeStates(vec![up("1", "primary"), lost("2", "secondary")])),
        ["ended 1: 0/1/1 Aborted(Membership)", "replan: the membership changed"]
    );
}

#[test]
fn what_does_not_come_in_time_is_recorded_as_failed() {
    let mut bench = Bench::new();
    bench.start(vec![op("A_start_0", &[])]);
    let due = bench.engine.poll_timeout().expect("there is a deadline");
    assert_eq!(due, Timestamp::from_millis(80_000), "its own timeout and cluster-delay");
    bench.now = due;
    bench.engine.handle_timeout(due);
    assert_eq!(
        bench.lines(),
        [format!("record start of A as {}", ExecStatus::Timeout.code()),],
        "until that is delivered, the order may be: it is not planned anew"
    );
    assert_eq!(bench.engine.poll_timeout(), None);
    assert_eq!(
        bench.answer(0, 1),
        [
            "ended 1: 0/1/1 Aborted(Lost(\"A_start_0\", \"primary\"))".to_owned(),
            "replan: no result of A_start_0 came from primary in time".to_owned(),
        ]
    );
}

/// A plan that fences a node, and starts A after that and B at once.
fn fencing_first(delay: Option<&str>) -> Vec<Action> {
    let fencing = Fencing { target: "secondary".into(), action: FenceAction::Reboot };
    let mut fence = action("stonith-secondary-reboot", ActionKind::Fence(fencing), &[]);
    fence.node = Some("secondary".into());
    fence.meta.extend(delay.map(|delay| ("CRM_meta_priority_fencing_delay".to_owned(), delay.to_owned())));
    vec![fence, op("A_start_0", &[0]), op("B_start_0", &[])]
}

/// What came of a step of fencing.
fn fenced(bench: &mut Bench, follows: Consequence) -> Vec<String> {
    let step = Step::Forget { target: None };
    let changes = Changes { fencing: Some(follows), ..Changes::default() };
    let command = Command::Status(StatusChange::Fencing(step));
    bench.engine.handle_delivered(bench.now, &command, &Applied::Changed(changes));
    bench.lines()
}

fn not_fenced(failures: u32, nobody: bool) -> Consequence {
    Consequence::Failed { target: "secondary".into(), action: FenceAction::Reboot, failures, nobody }
}

#[test]
fn what_needs_fencing_begins_when_that_has_succeeded_though_the_node_is_lost_meanwhile() {
    let mut bench = Bench::new();
    let lines = bench.start(fencing_first(Some("15")));
    assert_eq!(lines, ["fence secondary (reboot) after 15 s", "run B_start_0 on primary (2:1:0:u)"]);
    assert_eq!(bench.answer(0, 0), [""; 0]);
    let other = Consequence::Down("third".into());
    assert_eq!(
        fenced(&mut bench, other),
        ["ended 1: 1/2/3 Aborted(Fenced(\"third\"))", "replan: third was fenced"],
        "another node was fenced: the plan is old, and the fencing that is under way goes on by itself"
    );
    let mut bench = Bench::new();
    bench.start(fencing_first(None));
    bench.answer(0, 0);
    assert_eq!(fenced(&mut bench, Consequence::Down("secondary".into())), ["run A_start_0 on primary (1:1:0:u)"]);
}

#[test]
fn a_fencing_that_failed_is_decided_anew_until_it_was_in_vain_too_often_or_nobody_can() {
    for (follows, again) in [
        (not_fenced(1, false), true),
        (not_fenced(9, false), true),
        (not_fenced(10, false), false),
        (not_fenced(1, true), false),
        (Consequence::Outlived("secondary".into()), true),
    ] {
        let mut bench = Bench::new();
        bench.start(fencing_first(None));
        bench.answer(0, 0);
        let lines = fenced(&mut bench, follows.clone());
        let expected = if again {
            vec![
                "ended 1: 1/2/3 Aborted(NotFenced(\"secondary\"))".to_owned(),
                "replan: secondary could not be fenced".to_owned(),
            ]
        } else {
            vec!["ended 1: 1/2/3 Stuck".to_owned()]
        };
        assert_eq!(lines, expected, "{follows:?}");
        assert_eq!(bench.engine.is_idle(), !again);
    }
}

#[test]
fn a_node_that_was_fenced_without_a_plan_asks_for_a_new_decision() {
    let mut bench = Bench::new();
    assert_eq!(fenced(&mut bench, Consequence::Down("secondary".into())), ["replan: secondary was fenced"]);
    assert_eq!(fenced(&mut bench, Consequence::UnderWay(1)), [""; 0]);
}

#[test]
fn what_the_cluster_does_itself_is_broadcast_and_confirmed_by_its_delivery() {
    let mut bench = Bench::new();
    let clear = action("A_clear_failcount_0", ActionKind::ClearFailCount { resource: "A".into(), instance: None }, &[]);
    let agent = Agent::default();
    let delete = action("A_delete_0", ActionKind::DeleteHistory { resource: "A".into(), instance: None, agent }, &[1]);
    let shutdown = action("do_shutdown-primary", ActionKind::Shutdown, &[0]);
    let first = StatusChange::ClearFailCount { resource: "A".into(), node: "primary".into() };
    let second = StatusChange::LetGo { node: "primary".into() };
    let third = StatusChange::ForgetHistory { resource: Some("A".into()), node: Some("primary".into()) };
    assert_eq!(bench.start(vec![clear, shutdown, delete]), [format!("{first:?}")]);
    // There was no fail count left: that is as good.
    bench.engine.handle_delivered(bench.now, &Command::Status(first), &Applied::Unchanged);
    assert_eq!(bench.lines(), [format!("{second:?}")]);
    assert_eq!(bench.deliver(second), [format!("{third:?}")]);
    let decided = ["ended 1: 3/3/3 Aborted(Cleanup)", "replan: failures or histories were forgotten"];
    assert_eq!(bench.deliver(third), decided, "what is there now has to be asked first");
}

#[test]
fn a_node_is_let_go_when_nothing_else_is_under_way_on_it() {
    let mut bench = Bench::new();
    let shutdown = action("do_shutdown-primary", ActionKind::Shutdown, &[]);
    let let_go = format!("{:?}", StatusChange::LetGo { node: "primary".into() });
    let plan = || vec![shutdown.clone(), op("A_monitor_0", &[])];
    assert_eq!(bench.start(plan()), ["run A_monitor_0 on primary (1:1:7:u)"]);
    assert_eq!(bench.answer(0, 7), [let_go], "nothing runs there");

    let mut bench = Bench::new();
    bench.start(plan());
    let lines = bench.answer(0, 0);
    assert!(lines.last().is_some_and(|line| line.starts_with("replan")), "it must be stopped first: {lines:?}");
}

#[test]
fn a_node_is_not_let_go_before_it_is_known_what_runs_there() {
    let mut bench = Bench::new();
    let fencing = Fencing { target: "primary".into(), action: FenceAction::On };
    let lets_in = Action { node: Some("secondary".into()), ..action("on", ActionKind::Fence(fencing), &[]) };
    let plan = vec![lets_in, op("A_monitor_0", &[0]), action("do_shutdown-primary", ActionKind::Shutdown, &[])];
    assert_eq!(bench.start(plan), ["fence primary (on) after 0 s"], "the probe comes when the node was let in");
    let lines = fenced(&mut bench, Consequence::LetIn("primary".into()));
    assert_eq!(lines, ["run A_monitor_0 on primary (1:1:7:u)"]);
    assert_eq!(bench.answer(0, 7), [format!("{:?}", StatusChange::LetGo { node: "primary".into() })]);
}

#[test]
fn a_cleared_fail_count_asks_for_a_decision_without_it() {
    let mut bench = Bench::new();
    let clear = action("A_clear_failcount_0", ActionKind::ClearFailCount { resource: "A".into(), instance: None }, &[]);
    let cleared = StatusChange::ClearFailCount { resource: "A".into(), node: "primary".into() };
    assert_eq!(bench.start(vec![clear]), [format!("{cleared:?}")]);
    let lines = bench.deliver(cleared);
    assert_eq!(lines.last().map(String::as_str), Some("replan: failures or histories were forgotten"), "{lines:?}");
}

#[test]
fn a_cancelled_monitor_confirms_its_cancellation() {
    let mut bench = Bench::new();
    let ActionKind::Resource(monitor) = op("A_monitor_10000", &[]).kind else { panic!("an operation") };
    let lines = bench.start(vec![action("A_monitor_10000", ActionKind::Cancel(monitor), &[])]);
    assert_eq!(lines, ["cancel A_monitor_10000 on primary (0:1:0:u)"]);
    let cancelled = OpCancelled {
        node: "primary".into(),
        resource: "A".into(),
        task: "monitor".into(),
        interval_ms: 10_000,
        transition_key: "0:1:0:u".into(),
    };
    assert_eq!(bench.deliver(StatusChange::OpCancelled(cancelled)), ["ended 1: 1/1/1 Complete"]);
}

#[test]
fn the_batch_limit_holds() {
    let mut bench = Bench::new();
    let limits = Limits { batch_limit: 2, ..Limits::default() };
    let plan = vec![op("A_start_0", &[]), op("B_start_0", &[]), op("C_start_0", &[]), pseudo("p", &[])];
    assert_eq!(bench.start_with(plan, limits).len(), 2);
    assert_eq!(bench.answer(1, 0), ["run C_start_0 on primary (2:1:0:u)"]);
}

#[test]
fn what_only_looks_gives_way_to_what_changes_something() {
    let mut bench = Bench::new();
    let limits = Limits { batch_limit: 1, ..Limits::default() };
    let plan = vec![op("A_start_0", &[]), op("A_monitor_10000", &[0]), op("B_start_0", &[])];
    assert_eq!(bench.start_with(plan, limits), ["run A_start_0 on primary (0:1:0:u)"]);
    assert_eq!(bench.answer(0, 0), ["run B_start_0 on primary (2:1:0:u)"]);
    assert_eq!(bench.answer(1, 0), ["run A_monitor_10000 on primary (1:1:0:u)"]);
    assert_eq!(bench.answer(2, 0), ["ended 1: 3/3/3 Complete"]);
}

#[test]
fn what_only_looks_gives_way_for_a_second_whatever_becomes_of_the_plan() {
    let mut bench = Bench::new();
    let plan = || vec![op("A_start_0", &[]), op("A_monitor_10000", &[0]), op("B_start_0", &[])];
    bench.start(plan());
    assert_eq!(bench.answer(0, 0), [""; 0], "B is to be started, here or elsewhere");
    let due = bench.engine.poll_timeout().expect("a monitor waits");
    assert_eq!(due, bench.now + Duration::from_secs(1));
    bench.now = due;
    bench.engine.handle_timeout(due);
    assert_eq!(bench.lines(), ["run A_monitor_10000 on primary (1:1:0:u)"]);
    bench.answer(2, 0);
    assert_eq!(bench.answer(1, 0), ["ended 1: 3/3/3 Complete"]);

    // Another plan that was abandoned for one like it does not make a monitor wait anew.
    bench.start(plan());
    bench.answer(3, 0);
    let began = bench.now;
    bench.engine.abort(began, Abort::Quorum);
    bench.answer(4, 0);
    bench.now = began + Duration::from_millis(600);
    bench.start(plan());
    bench.answer(5, 0);
    assert_eq!(bench.engine.poll_timeout(), Some(began + Duration::from_secs(1)));
}

#[test]
fn the_limit_of_a_node_leaves_the_others_free() {
    let mut bench = Bench::new();
    let limits = Limits { node_action_limit: 1, ..Limits::default() };
    let mut there = op("Z_start_0", &[]);
    there.node = Some("secondary".into());
    let mut plan: Vec<_> = (0..9).map(|number| op(&format!("R{number}_start_0"), &[])).collect();
    plan.push(there);
    let lines = bench.start_with(plan, limits);
    assert_eq!(
        lines.len(),
        9,
        "eight are there for one that is carried out, so that the node need not wait: {lines:?}"
    );
    assert_eq!(lines[7..], ["run R7_start_0 on primary (7:1:0:u)", "run Z_start_0 on secondary (9:1:0:u)"]);
    assert_eq!(bench.answer(0, 0), ["run R8_start_0 on primary (8:1:0:u)"]);
}

#[test]
fn results_of_others_and_of_earlier_plans_are_news() {
    let mut bench = Bench::new();
    bench.start(vec![op("A_monitor_10000", &[])]);
    assert_eq!(bench.answer(0, 0), ["ended 1: 1/1/1 Complete"]);
    assert_eq!(bench.answer(0, 7), ["replan: A_monitor_10000 on primary did not end as expected"]);
    bench.start(vec![]);
    assert_eq!(bench.answer(0, 0), ["replan: A_monitor_10000 on primary has a new result"]);
}

#[test]
fn limits_are_cluster_properties() {
    let mut cib = cluster();
    let set =
        vec![("batch-limit".to_owned(), Some("5".to_owned())), ("cluster-delay".to_owned(), Some("10s".to_owned()))];
    let section = crate::cib::Section::CrmConfig;
    let change = crate::cib::Change::SetProperties { section, set: None, pairs: set };
    cib.apply(&crate::cib::fixtures::configure(vec![change]), NOW);
    let limits =
        Limits { batch_limit: 5, node_action_limit: 8, cluster_delay: Duration::from_secs(10), ..Limits::default() };
    assert_eq!(Limits::of(&cib.configuration, 4), limits, "twice the cores unless configured");
    let change = |value: &str| crate::cib::Change::SetProperties {
        section,
        set: None,
        pairs: vec![("node-action-limit".to_owned(), Some(value.to_owned()))],
    };
    for (value, limit) in [("3", 3), ("0", 8)] {
        cib.apply(&crate::cib::fixtures::configure(vec![change(value)]), NOW);
        assert_eq!(Limits::of(&cib.configuration, 4).node_action_limit, limit);
    }
}

/// A random graph without cycles: inputs have lower numbers, then the actions are shuffled by a rotation.
fn any_plan() -> impl Strategy<Value = Vec<Action>> {
    let node = (any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..4));
    (prop::collection::vec(node, 1..25), any::<usize>()).prop_map(|(nodes, turn)| {
        let count = nodes.len();
        let place = |index: usize| (index + turn % count) % count;
        let mut plan = vec![pseudo("", &[]); count];
        for (index, (is_pseudo, picks)) in nodes.into_iter().enumerate() {
            let inputs: Vec<usize> = picks.iter().filter(|_| index > 0).map(|pick| place(pick.index(index))).collect();
            let key = format!("R{index}_start_0");
            plan[place(index)] = if is_pseudo { pseudo(&key, &inputs) } else { op(&key, &inputs) };
        }
        plan
    })
}

proptest! {
    #[test]
    fn every_action_begins_once_and_after_its_inputs(
        plan in any_plan(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 100),
        batch_limit in 0..4_usize,
    ) {
        let mut bench = Bench::new();
        let count = plan.len();
        let mut lines = bench.start_with(plan.clone(), Limits { batch_limit, ..Limits::default() });
        let mut answered: Vec<usize> = vec![];
        for pick in order {
            let open: Vec<usize> = (0..bench.runs.len()).filter(|index| !answered.contains(index)).collect();
            prop_assert!(batch_limit == 0 || open.len() <= batch_limit);
            if open.is_empty() {
                break;
            }
            let index = open[pick.index(open.len())];
            answered.push(index);
            lines.extend(bench.answer(index, 0));
        }
        prop_assert_eq!(lines.last().cloned(), Some(format!("ended 1: {count}/{count}/{count} Complete")));
        let keys: std::collections::BTreeSet<&String> = bench.runs.iter().map(|run| &run.transition_key).collect();
        prop_assert_eq!(keys.len(), bench.runs.len(), "each once");
        let position = |action: usize| {
            bench.runs.iter().position(|run| run.transition_key.starts_with(&format!("{action}:")))
        };
        for (index, action) in plan.iter().enumerate() {
            for input in &action.inputs {
                if let (Some(before), Some(after)) = (position(*input), position(index)) {
                    prop_assert!(before < after);
                }
            }
        }
    }

    #[test]
    fn hostile_plans_do_no_harm(inputs in prop::collection::vec(prop::collection::vec(0..9_usize, 0..4), 0..6)) {
        // Inputs that do not exist, cycles, oneself.
        let plan: Vec<Action> = inputs.iter().map(|inputs| op("A_start_0", inputs)).collect();
        let mut bench = Bench::new();
        bench.start(plan);
        for index in 0..bench.runs.len() {
            bench.answer(index, 0);
        }
        bench.engine.abort(bench.now, Abort::Membership);
        bench.lines();
        prop_assert!(bench.engine.poll_timeout().is_none() || !bench.engine.is_idle());
    }
}

#[test]
fn the_end_of_a_transition_key_is_a_uuid() {
    let uuid = uuid_of("node1-1.5");
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert!(uuid.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{uuid}");
    assert_eq!((uuid.as_bytes()[14], uuid == uuid_of("node1-1.5"), uuid == uuid_of("node1-1.6")), (b'3', true, false));
}
