//! A cluster of two without a network: CIB, engine, both executors, agents that answer when they are told to.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use hac_types::Timestamp;

use crate::cib::Replicated as _;
use crate::cib::fixtures::{NOW, cluster, configure};
use crate::cib::{Change, Command, Lifetime, StatusChange};
use crate::executor::{Executor, Invocation, Outcome, Output as ExecutorOutput, ProcessRef, WatchId};
use crate::transition_engine::{Abort, Limits, Output, TransitionEngine};
use crate::work::Order;
use hac_model::{Cib, ResourceHistory};
use hac_scheduler::plan::Plan;

/// What is delivered in order to all.
enum Message {
    Command(Command),
    Run(Order),
}

/// Two nodes, what really runs on them, and what happened, as text.
pub(super) struct World {
    /// Who decides.
    decide: fn(&Cib) -> Plan,
    pub(super) cib: Cib,
    pub(super) engine: TransitionEngine,
    pub(super) executors: BTreeMap<String, Executor>,
    pub(super) now: Timestamp,
    stream: VecDeque<Message>,
    /// What is up in truth, by node and resource, and who watches it.
    pub(super) up: BTreeMap<(String, String), (ProcessRef, Option<WatchId>)>,
    /// Where a start fails, by node and resource.
    pub(super) broken: Vec<(String, String)>,
    /// Agents that are running, and where.
    pub(super) agents: Vec<(String, Invocation)>,
    /// Starts of what was up, as long as the coordinator waited for everything. An order that it gives up may be carried
    /// out yet, and it decides again before what it tells of that is delivered.
    pub(super) started_again: Vec<String>,
    gave_up: bool,
    /// Whether nodes tell their histories in a new view.
    pub(super) barriers: bool,
    last_pid: u32,
    pub(super) story: String,
}

impl World {
    pub(super) fn new(decide: fn(&Cib) -> Plan) -> Self {
        let nodes = ["primary", "secondary"];
        let mut world = Self {
            decide,
            cib: cluster(),
            engine: TransitionEngine::new("u"),
            executors: nodes.iter().map(|&name| (name.to_owned(), Executor::new(name))).collect(),
            now: Timestamp::ZERO,
            stream: VecDeque::new(),
            up: BTreeMap::new(),
            broken: vec![],
            agents: vec![],
            started_again: vec![],
            gave_up: false,
            barriers: false,
            last_pid: 0,
            story: String::new(),
        };
        world.engine.abort(world.now, Abort::Other("the cluster begins".into()));
        world.settle();
        world
    }

    pub(super) fn say(&mut self, line: &str) {
        let _ = writeln!(self.story, "{:<6}{line}", self.now.as_nanos() / 1_000_000);
    }

    /// Until nothing more happens at this time; agents answer at once.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            self.drain();
            if !self.deliver() && !self.answer(0) {
                return;
            }
        }
        panic!("it never settles:\n{}", self.story);
    }

    pub(super) fn drain(&mut self) {
        self.drain_executor();
        self.drain_locals();
    }

    /// The next message reaches everybody.
    pub(super) fn deliver(&mut self) -> bool {
        match self.stream.pop_front() {
            None => return false,
            Some(Message::Command(command)) => {
                let applied = self.cib.apply(&command, NOW);
                if let Command::Status(change) = &command {
                    for executor in self.executors.values_mut() {
                        executor.handle_delivered(self.now, NOW, change, &applied);
                    }
                }
                self.engine.handle_delivered(self.now, &command, &applied);
            }
            Some(Message::Run(run)) => {
                if let Some(started) = run.started() {
                    let applied = self.cib.apply(&Command::Status(started.clone()), NOW);
                    self.engine.handle_delivered(self.now, &Command::Status(started), &applied);
                }
                for executor in self.executors.values_mut() {
                    executor.handle_order(self.now, &run);
                }
            }
        }
        self.drain();
        true
    }

    /// An agent that is running ends.
    pub(super) fn answer(&mut self, index: usize) -> bool {
        if index >= self.agents.len() {
            return false;
        }
        let (node, invocation) = self.agents.remove(index);
        let outcome = self.agent(&node, &invocation);
        let line = format!("{node}: {} {} -> {}", invocation.resource, invocation.action, outcome.rc);
        self.say(&line);
        let executor = self.executors.get_mut(&node).expect("it asked");
        executor.handle_outcome(self.now, NOW, invocation.id, outcome);
        self.drain();
        true
    }

    fn drain_executor(&mut self) {
        while let Some(output) = self.engine.poll_output(&self.cib) {
            match output {
                Output::TakenUp(_) => {}
                Output::Run(run) => self.stream.push_back(Message::Run(run)),
                Output::Status(change) => {
                    self.gave_up |= matches!(change, StatusChange::OpResult(_));
                    if let StatusChange::LetGo { node } = &change {
                        self.say(&format!("{node}: may go"));
                    }
                    self.status(change);
                }
                Output::Fence { target, .. } => panic!("nobody is fenced here: {target}"),
                Output::Ended(summary) => {
                    let line = format!("transition {}: {:?}", summary.transition, summary.end);
                    self.say(&line);
                }
                Output::Replan(_) => {
                    let plan = (self.decide)(&self.cib);
                    self.engine.start(self.now, plan, Limits::default());
                }
            }
        }
    }

    fn drain_locals(&mut self) {
        let names: Vec<String> = self.executors.keys().cloned().collect();
        for name in names {
            while let Some(output) = self.executors.get_mut(&name).and_then(Executor::poll_output) {
                match output {
                    ExecutorOutput::Invoke(invocation) => {
                        let key = (name.clone(), invocation.resource.clone());
                        if invocation.action == "start" && self.up.contains_key(&key) && !self.gave_up {
                            self.started_again.push(format!("{} on {name}", invocation.resource));
                        }
                        self.agents.push((name.clone(), invocation));
                    }
                    ExecutorOutput::CancelInvocation(id) => {
                        self.agents.retain(|(node, invocation)| *node != name || invocation.id != id);
                    }
                    ExecutorOutput::Watch(id, process) => {
                        for (up, watch) in self.up.values_mut().filter(|(up, _)| *up == process) {
                            (*up, *watch) = (process, Some(id));
                        }
                    }
                    ExecutorOutput::Report(change) => self.stream.push_back(Message::Command(Command::Status(change))),
                    ExecutorOutput::Unwatch(_) | ExecutorOutput::Remember(..) => {}
                }
            }
        }
    }

    fn agent(&mut self, node: &str, invocation: &Invocation) -> Outcome {
        let key = (node.to_owned(), invocation.resource.clone());
        let target = invocation.migration.as_ref().map(|ends| (ends.target.clone(), invocation.resource.clone()));
        let rc = match invocation.action.as_str() {
            "start" | "migrate_to" if self.broken.contains(&key) => 1,
            // It is there from now on, and nothing is left of it here.
            "migrate_to" => match (self.up.remove(&key), target) {
                (Some((process, _)), Some(target)) => {
                    self.up.entry(target).or_insert((process, None));
                    0
                }
                _ => 1,
            },
            "migrate_from" if !self.up.contains_key(&key) => 1,
            "start" => {
                self.last_pid += 1;
                let process = ProcessRef { pid: self.last_pid, started: 1 };
                self.up.entry(key.clone()).or_insert((process, None));
                0
            }
            "stop" => {
                self.up.remove(&key);
                0
            }
            _ if self.up.contains_key(&key) => 0,
            _ => 7,
        };
        let watch = self.up.get(&key).map(|(process, _)| *process).into_iter().collect();
        Outcome { rc, watch, ..Outcome::default() }
    }

    /// The service dies; the node notices.
    pub(super) fn kill(&mut self, node: &str, resource: &str) {
        let Some((_, watch)) = self.up.remove(&(node.to_owned(), resource.to_owned())) else { return };
        self.say(&format!("{node}: the process of {resource} dies"));
        if let Some(watch) = watch {
            self.executors.get_mut(node).expect("known").handle_process_exited(self.now, watch);
        }
        self.drain();
    }

    /// Where something is up, as `RSC@NODE`.
    pub(super) fn running(&self) -> Vec<String> {
        self.up.keys().map(|(node, resource)| format!("{resource}@{node}")).collect()
    }

    /// There is another view and another coordinator: orders that were not delivered in the old one never are.
    pub(super) fn new_coordinator(&mut self, uuid: String) {
        self.stream.retain(|message| !matches!(message, Message::Run(_)));
        if self.barriers {
            self.barrier();
        }
        self.engine = TransitionEngine::new(uuid);
        self.engine.abort(self.now, Abort::Membership);
    }

    /// What has not begun never will, and each node tells what it has done and is at.
    fn barrier(&mut self) {
        let reported = self.stream.iter().filter_map(|message| match message {
            Message::Command(Command::Status(change)) => Some(change),
            _ => None,
        });
        let reported: Vec<StatusChange> = reported.cloned().collect();
        for (node, executor) in &mut self.executors {
            executor.end_view(self.now);
            let resources = executor.history_with(reported.iter());
            self.cib.apply(&Command::Status(StatusChange::NodeHistory { node: node.clone(), resources }), NOW);
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        self.stream.push_back(Message::Command(command));
    }

    /// Somebody sends a node to standby, or calls it back.
    pub(super) fn standby(&mut self, node: &str, on: bool) {
        let (node, name) = (node.to_owned(), "standby".to_owned());
        let value = on.then(|| "on".to_owned());
        let change = Change::SetNodeAttribute { node, name, value, lifetime: Lifetime::Forever };
        self.command(configure(vec![change]));
    }

    pub(super) fn status(&mut self, change: StatusChange) {
        self.stream.push_back(Message::Command(Command::Status(change)));
    }

    /// Each node and the CIB know the same. The order of entries tells nothing: it may differ where a history was
    /// forgotten between the order of an operation and its begin.
    pub(super) fn assert_agreed(&self) {
        let by_id = |mut histories: Vec<ResourceHistory>| {
            histories.iter_mut().for_each(|history| history.ops.sort_by(|a, b| a.id.cmp(&b.id)));
            histories.sort_by(|a, b| a.id.cmp(&b.id));
            histories
        };
        for (name, executor) in &self.executors {
            let state = self.cib.status.nodes.iter().find(|s| s.uname.as_ref() == Some(name)).expect("known");
            let known = state.resources.iter().map(|of| ResourceHistory::clone(of)).collect();
            assert_eq!(by_id(executor.history()), by_id(known), "{name} and the CIB know the same");
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let due = |world: &Self| world.executors.values().filter_map(Executor::poll_timeout).min();
        while let Some(next) = due(self).filter(|next| *next <= end) {
            self.now = self.now.max(next);
            for executor in self.executors.values_mut() {
                executor.handle_timeout(self.now, NOW);
            }
            self.settle();
        }
        self.now = end;
    }
}
