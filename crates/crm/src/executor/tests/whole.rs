//! The whole loop on two nodes: plan, orders, agents, results, CIB, plan again; with a stand-in for the scheduler that
//! wants one resource to run and be monitored on one node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::op;
use crate::cib::fixtures::{NOW, cluster};
use crate::cib::{Command, StatusChange, history};
use crate::executor::{Abort, Executor, Limits, Output};
use crate::local::{Invocation, Local, Outcome, Output as LocalOutput, ProcessRef, WatchId};
use crate::model::{Cib, parse_score};
use crate::plan::{Action, Plan};
use hac_types::Timestamp;

/// What is delivered in order to all.
enum Message {
    Command(Command),
    Run(crate::local::RunOp),
}

/// Two nodes with one resource, its real state, and what happened, as text.
struct World {
    cib: Cib,
    executor: Executor,
    locals: BTreeMap<String, Local>,
    now: Timestamp,
    stream: std::collections::VecDeque<Message>,
    /// Where the service is up in truth, and who watches it.
    up: BTreeMap<String, Option<WatchId>>,
    /// Nodes on which a start fails.
    broken: Vec<String>,
    /// Agents that are running, and where.
    agents: Vec<(String, Invocation)>,
    story: String,
}

impl World {
    fn new() -> Self {
        let nodes = ["primary", "secondary"];
        let mut world = Self {
            cib: cluster(),
            executor: Executor::new("u"),
            locals: nodes.iter().map(|&name| (name.to_owned(), Local::new(name))).collect(),
            now: Timestamp::ZERO,
            stream: std::collections::VecDeque::new(),
            up: BTreeMap::new(),
            broken: vec![],
            agents: vec![],
            story: String::new(),
        };
        world.executor.abort(world.now, Abort::Other("the cluster begins".into()));
        world.settle();
        world
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.story, "{:<6}{line}", self.now.as_nanos() / 1_000_000);
    }

    /// Until nothing more happens at this time; agents answer at once.
    fn settle(&mut self) {
        loop {
            self.drain();
            if !self.deliver() && !self.answer(0) {
                return;
            }
        }
    }

    fn drain(&mut self) {
        self.drain_executor();
        self.drain_locals();
    }

    /// The next message reaches everybody.
    fn deliver(&mut self) -> bool {
        match self.stream.pop_front() {
            None => return false,
            Some(Message::Command(command)) => {
                let applied = self.cib.apply(&command, NOW);
                if let Command::Status(change) = &command {
                    for local in self.locals.values_mut() {
                        local.handle_delivered(self.now, NOW, change, &applied);
                    }
                }
                self.executor.handle_delivered(self.now, &command, &applied);
            }
            Some(Message::Run(run)) => {
                if let Some(started) = run.started() {
                    let applied = self.cib.apply(&Command::Status(started.clone()), NOW);
                    self.executor.handle_delivered(self.now, &Command::Status(started), &applied);
                }
                for local in self.locals.values_mut() {
                    local.handle_run_op(self.now, &run);
                }
            }
        }
        self.drain();
        true
    }

    /// An agent that is running ends.
    fn answer(&mut self, index: usize) -> bool {
        if index >= self.agents.len() {
            return false;
        }
        let (node, invocation) = self.agents.remove(index);
        let outcome = self.agent(&node, &invocation.action);
        self.say(&format!("{node}: {} -> {}", invocation.action, outcome.rc));
        let local = self.locals.get_mut(&node).expect("it asked");
        local.handle_outcome(self.now, NOW, invocation.id, outcome);
        self.drain();
        true
    }

    fn drain_executor(&mut self) {
        while let Some(output) = self.executor.poll_output() {
            match output {
                Output::Run(run) => self.stream.push_back(Message::Run(run)),
                Output::Status(change) => self.stream.push_back(Message::Command(Command::Status(change))),
                Output::Ended(summary) => {
                    let line = format!("transition {}: {:?}", summary.transition, summary.end);
                    self.say(&line);
                }
                Output::Replan(_) => {
                    let plan = decide(&self.cib);
                    self.executor.start(self.now, plan, Limits::default());
                }
            }
        }
    }

    fn drain_locals(&mut self) {
        let names: Vec<String> = self.locals.keys().cloned().collect();
        for name in names {
            while let Some(output) = self.locals.get_mut(&name).and_then(Local::poll_output) {
                match output {
                    LocalOutput::Invoke(invocation) => self.agents.push((name.clone(), invocation)),
                    LocalOutput::CancelInvocation(id) => {
                        self.agents.retain(|(node, invocation)| *node != name || invocation.id != id);
                    }
                    LocalOutput::Watch(id, _) => {
                        self.up.insert(name.clone(), Some(id));
                    }
                    LocalOutput::Report(change) => self.stream.push_back(Message::Command(Command::Status(change))),
                    LocalOutput::Unwatch(_) => {}
                }
            }
        }
    }

    fn agent(&mut self, node: &str, action: &str) -> Outcome {
        let rc = match action {
            "start" if self.broken.iter().any(|b| b == node) => 1,
            "start" => {
                self.up.entry(node.to_owned()).or_insert(None);
                0
            }
            "stop" => {
                self.up.remove(node);
                0
            }
            _ if self.up.contains_key(node) => 0,
            _ => 7,
        };
        let watch = if self.up.contains_key(node) { vec![ProcessRef { pid: 40, started: 1 }] } else { vec![] };
        Outcome { rc, watch, ..Outcome::default() }
    }

    /// The service dies; the node notices.
    fn kill(&mut self, node: &str) {
        let Some(watch) = self.up.remove(node) else { return };
        self.say(&format!("{node}: the process dies"));
        if let Some(watch) = watch {
            self.locals.get_mut(node).expect("known").handle_process_exited(self.now, watch);
        }
        self.drain();
    }

    fn status(&mut self, change: StatusChange) {
        self.stream.push_back(Message::Command(Command::Status(change)));
    }

    fn assert_agreed(&self) {
        for (name, local) in &self.locals {
            let state = self.cib.status.nodes.iter().find(|s| s.uname.as_ref() == Some(name)).expect("known");
            assert_eq!(local.history(), state.resources, "{name} and the CIB know the same");
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let due = |world: &Self| world.locals.values().filter_map(Local::poll_timeout).min();
        while let Some(next) = due(self).filter(|next| *next <= end) {
            self.now = self.now.max(next);
            for local in self.locals.values_mut() {
                local.handle_timeout(self.now, NOW);
            }
            self.settle();
        }
        self.now = end;
    }
}

/// Probes, then one place to run, the first node on which no start failed for ever; monitored there. Nothing while a
/// result is awaited.
fn decide(cib: &Cib) -> Plan {
    let place = |mut action: Action, node: &str| {
        action.node = Some(node.to_owned());
        action
    };
    let nodes = ["primary", "secondary"];
    let of = |node: &str| {
        let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node))?;
        state.resources.iter().find(|of| of.id == "FloatIP")
    };
    if nodes.iter().filter_map(|node| of(node)).flat_map(|of| &of.ops).any(history::is_pending) {
        return Plan::default();
    }
    let mut actions: Vec<Action> = Vec::new();
    for node in nodes.iter().filter(|node| of(node).is_none()) {
        actions.push(place(op("FloatIP_monitor_0", &[]), node));
    }
    let probes: Vec<usize> = (0..actions.len()).collect();
    let failed_start = |node: &str| cib.transient(node, "fail-count-FloatIP#start_0").and_then(parse_score).is_some();
    let target = nodes.iter().find(|node| !failed_start(node)).copied();
    let mut stops = probes.clone();
    let (mut runs, mut monitored) = (false, false);
    for node in nodes {
        let Some(of) = of(node) else { continue };
        let entry = |id: &str| of.ops.iter().find(|op| op.id == id);
        let last = entry("FloatIP_last_0");
        let failed = history::has_failure(of) && !last.is_some_and(|last| after_failure(of, last));
        if history::is_running(of) && !failed && Some(node) == target {
            runs = true;
            monitored = entry("FloatIP_monitor_10000").map(|op| op.call_id) > last.map(|op| op.call_id);
        } else if history::is_running(of) || failed {
            stops.push(actions.len());
            actions.push(place(op("FloatIP_stop_0", &probes), node));
        }
    }
    if let Some(node) = target {
        let mut before = probes;
        if !runs {
            before = vec![actions.len()];
            actions.push(place(op("FloatIP_start_0", &stops), node));
        }
        if !monitored {
            actions.push(place(op("FloatIP_monitor_10000", &before), node));
        }
    }
    Plan { actions, ..Plan::default() }
}

/// Whether the last good start or stop is later than the last failure.
fn after_failure(of: &crate::model::ResourceHistory, last: &crate::model::OpHistory) -> bool {
    let failure = of.ops.iter().find(|op| op.id == "FloatIP_last_failure_0");
    let stopped_since =
        |failure: &crate::model::OpHistory| last.call_id > failure.call_id && !history::is_failure(last);
    failure.is_none_or(stopped_since)
}

#[test]
fn a_resource_is_probed_started_and_recovered_when_it_dies() {
    let mut world = World::new();
    world.pass(Duration::from_secs(12));
    world.kill("primary");
    world.settle();
    world.pass(Duration::from_secs(12));
    expect_test::expect![[r#"
        0     primary: monitor -> 7
        0     secondary: monitor -> 7
        0     primary: start -> 0
        0     primary: monitor -> 0
        0     transition 1: Complete
        10000 primary: monitor -> 0
        12000 primary: the process dies
        12000 primary: monitor -> 7
        12000 primary: stop -> 0
        12000 primary: start -> 0
        12000 primary: monitor -> 0
        12000 transition 2: Complete
        22000 primary: monitor -> 0
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.cib.transient("primary", "fail-count-FloatIP#monitor_10000"), Some("1"));
    assert!(world.executor.is_idle());
}

#[test]
fn a_start_that_fails_moves_the_resource() {
    let mut world = World::new();
    world.broken.push("primary".into());
    world.kill("primary");
    world.settle();
    expect_test::expect![[r#"
        0     primary: monitor -> 7
        0     secondary: monitor -> 7
        0     primary: start -> 0
        0     primary: monitor -> 0
        0     transition 1: Complete
        0     primary: the process dies
        0     primary: monitor -> 7
        0     primary: stop -> 0
        0     primary: start -> 1
        0     transition 2: Aborted(UnexpectedResult("FloatIP_start_0", "primary"))
        0     primary: stop -> 0
        0     secondary: start -> 0
        0     secondary: monitor -> 0
        0     transition 3: Complete
    "#]]
    .assert_eq(&world.story);
    assert_eq!(world.cib.transient("primary", "fail-count-FloatIP#start_0"), Some("INFINITY"));
    // Cleanup forgets it everywhere, also on the node itself, and the resource comes back.
    world.broken.clear();
    world.story.clear();
    let cleanup = StatusChange::ClearFailures { resource: Some("FloatIP".into()), node: None, operation: None };
    world.status(cleanup);
    world.settle();
    expect_test::expect![[r#"
        0     primary: monitor -> 7
        0     secondary: stop -> 0
        0     primary: start -> 0
        0     primary: monitor -> 0
        0     transition 4: Complete
    "#]]
    .assert_eq(&world.story);
    world.assert_agreed();
}

#[test]
fn the_loop_survives_a_new_coordinator() {
    let mut world = World::new();
    world.executor = Executor::new("v");
    world.executor.abort(world.now, Abort::Membership);
    world.story.clear();
    world.settle();
    assert_eq!(world.story.trim(), "0     transition 1: Complete", "all is as wanted");
}

/// What may happen at any moment.
#[derive(Clone, Debug)]
enum Step {
    Deliver,
    Answer(prop::sample::Index),
    Kill(bool),
    Break(bool),
    Mend,
    Cleanup,
    Refresh(bool),
    Attribute,
    Pass(u64),
    NewCoordinator,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Deliver),
        6 => any::<prop::sample::Index>().prop_map(Step::Answer),
        2 => any::<bool>().prop_map(Step::Kill),
        1 => any::<bool>().prop_map(Step::Break),
        1 => Just(Step::Mend),
        1 => Just(Step::Cleanup),
        1 => any::<bool>().prop_map(Step::Refresh),
        1 => Just(Step::Attribute),
        2 => (0..40_000_u64).prop_map(Step::Pass),
        1 => Just(Step::NewCoordinator),
    ]
}

fn name(first: bool) -> String {
    if first { "primary" } else { "secondary" }.to_owned()
}

impl World {
    fn step(&mut self, step: Step, count: u32) {
        match step {
            Step::Deliver => {
                self.deliver();
            }
            Step::Answer(pick) if !self.agents.is_empty() => {
                self.answer(pick.index(self.agents.len()));
            }
            Step::Answer(_) => {}
            Step::Kill(first) => self.kill(&name(first)),
            Step::Break(first) => self.broken.push(name(first)),
            Step::Mend => self.broken.clear(),
            Step::Cleanup => {
                self.status(StatusChange::ClearFailures { resource: None, node: None, operation: None });
            }
            Step::Refresh(first) => {
                self.status(StatusChange::ForgetHistory { resource: None, node: Some(name(first)) });
            }
            Step::Attribute => {
                let (node, name, value) = (name(true), "colour".to_owned(), Some(count.to_string()));
                self.status(StatusChange::SetAttribute { node, name, value });
            }
            Step::Pass(millis) => self.now += Duration::from_millis(millis),
            Step::NewCoordinator => {
                self.executor = Executor::new(format!("u{count}"));
                self.executor.abort(self.now, Abort::Membership);
            }
        }
        for local in self.locals.values_mut() {
            local.handle_timeout(self.now, NOW);
        }
        self.executor.handle_timeout(self.now);
        self.drain();
    }
}

proptest! {
    #[test]
    fn whatever_happens_it_ends_with_the_service_up_once_and_everybody_agreed(
        steps in prop::collection::vec(any_step(), 0..120),
    ) {
        let mut world = World::new();
        for (count, step) in (0..).zip(steps) {
            world.step(step, count);
            let running: Vec<&String> = world.agents.iter().map(|(node, _)| node).collect();
            prop_assert!(running.len() <= 2 && (running.len() < 2 || running[0] != running[1]), "{:?}", running);
        }
        // Then nothing more goes wrong.
        world.broken.clear();
        for _ in 0..3 {
            world.settle();
            world.pass(Duration::from_secs(100));
            world.executor.handle_timeout(world.now);
            world.settle();
        }
        world.status(StatusChange::ClearFailures { resource: None, node: None, operation: None });
        world.settle();
        prop_assert!(world.executor.is_idle(), "{:?}", world.executor.awaited());
        prop_assert_eq!(world.up.keys().collect::<Vec<_>>(), ["primary"], "{}", world.story);
        world.assert_agreed();
    }
}
