//! The whole loop on two nodes: plan, orders, agents, results, CIB, plan again; with a stand-in for the scheduler that
//! wants one resource to run and be monitored on one node.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::op;
use crate::cib::fixtures::{NOW, cluster};
use crate::cib::{Command, StatusChange, history};
use crate::executor::{Executor, Limits, Output};
use crate::local::{Local, Outcome, Output as LocalOutput, ProcessRef, WatchId};
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
            story: String::new(),
        };
        world.executor.abort(world.now, crate::executor::Abort::Other("the cluster begins".into()));
        world.settle();
        world
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.story, "{:<6}{line}", self.now.as_nanos() / 1_000_000);
    }

    /// Until nothing more happens at this time.
    fn settle(&mut self) {
        loop {
            self.drain_executor();
            self.drain_locals();
            let Some(message) = self.stream.pop_front() else { return };
            match message {
                Message::Command(command) => {
                    let applied = self.cib.apply(&command, NOW);
                    if let crate::cib::Applied::Changed(changes) = &applied {
                        for local in self.locals.values_mut() {
                            local.handle_changes(self.now, changes);
                        }
                    }
                    self.executor.handle_delivered(self.now, &command, &applied);
                }
                Message::Run(run) => {
                    if let Some(started) = run.started() {
                        let applied = self.cib.apply(&Command::Status(started.clone()), NOW);
                        self.executor.handle_delivered(self.now, &Command::Status(started), &applied);
                    }
                    for local in self.locals.values_mut() {
                        local.handle_run_op(self.now, &run);
                    }
                }
            }
        }
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
                    LocalOutput::Invoke(invocation) => {
                        let outcome = self.agent(&name, &invocation.action);
                        self.say(&format!("{name}: {} -> {}", invocation.action, outcome.rc));
                        let local = self.locals.get_mut(&name).expect("it asked");
                        local.handle_outcome(self.now, NOW, invocation.id, outcome);
                    }
                    LocalOutput::Watch(id, _) => {
                        self.up.insert(name.clone(), Some(id));
                    }
                    LocalOutput::Report(change) => self.stream.push_back(Message::Command(Command::Status(change))),
                    LocalOutput::CancelInvocation(_) | LocalOutput::Unwatch(_) => {}
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
        self.say(&format!("{node}: the process dies"));
        let watch = self.up.remove(node).flatten().expect("it is up and watched");
        self.locals.get_mut(node).expect("known").handle_process_exited(self.now, watch);
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let due = |world: &Self| world.locals.values().filter_map(Local::poll_timeout).min();
        while let Some(next) = due(self).filter(|next| *next <= end) {
            self.now = next;
            for local in self.locals.values_mut() {
                local.handle_timeout(self.now, NOW);
            }
            self.settle();
        }
        self.now = end;
    }
}

/// Probes, then one place to run: the first node that has no fatal failure.
fn decide(cib: &Cib) -> Plan {
    let place = |mut action: Action, node: &str| {
        action.node = Some(node.to_owned());
        action
    };
    let mut actions: Vec<Action> = Vec::new();
    let nodes = ["primary", "secondary"];
    let of = |node: &str| {
        let state = cib.status.nodes.iter().find(|state| state.uname.as_deref() == Some(node))?;
        state.resources.iter().find(|of| of.id == "FloatIP")
    };
    for node in nodes.iter().filter(|node| of(node).is_none()) {
        actions.push(place(op("FloatIP_monitor_0", &[]), node));
    }
    let probes: Vec<usize> = (0..actions.len()).collect();
    let fails = |node: &str, what: &str| {
        cib.transient(node, &format!("fail-count-FloatIP#{what}")).and_then(parse_score).unwrap_or(0)
    };
    let target = nodes.iter().find(|node| fails(node, "start_0") == 0).copied();
    let mut stops = probes.clone();
    let mut runs = false;
    for node in nodes {
        let Some(of) = of(node) else { continue };
        let failed =
            history::has_failure(of) && !of.ops.iter().any(|op| op.id == "FloatIP_last_0" && after_failure(of, op));
        if history::is_running(of) && !failed && Some(node) == target {
            runs = true;
        } else if history::is_running(of) || failed {
            stops.push(actions.len());
            actions.push(place(op("FloatIP_stop_0", &probes), node));
        }
    }
    if let Some(node) = target.filter(|_| !runs) {
        actions.push(place(op("FloatIP_start_0", &stops), node));
        actions.push(place(op("FloatIP_monitor_10000", &[actions.len() - 1]), node));
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
    world.stream.push_back(Message::Command(Command::Status(cleanup)));
    world.settle();
    expect_test::expect![[r#"
        0     primary: monitor -> 7
        0     secondary: stop -> 0
        0     primary: start -> 0
        0     primary: monitor -> 0
        0     transition 4: Complete
    "#]]
    .assert_eq(&world.story);
    for (name, local) in &world.locals {
        let state = world.cib.status.nodes.iter().find(|s| s.uname.as_ref() == Some(name)).expect("known");
        assert_eq!(local.history(), state.resources, "{name} and the CIB know the same");
    }
}

#[test]
fn the_loop_survives_a_new_coordinator() {
    let mut world = World::new();
    world.executor = Executor::new("v");
    world.executor.abort(world.now, crate::executor::Abort::Membership);
    world.story.clear();
    world.settle();
    assert_eq!(world.story.trim(), "0     transition 1: Complete", "all is as wanted");
}
