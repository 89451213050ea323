//! One plan on its way: which action waits for what, which is in flight, which is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_types::{Timestamp, mutant};

use super::flights::Flights;
use super::{Abort, End, Limits, Output, Summary};
use crate::cib::{OpResult, OpStarted, StatusChange, history};
use crate::executor::ExecStatus;
use crate::work::{self, Order, Work};
use hac_model::{FenceAction, INFINITY, OcfCode, OpHistory, Task, TransitionKey};
use hac_scheduler::plan::{Action, ActionKind, Fencing, Plan, ResourceOp};

/// Longest pause before an agent that could not ask is tried again; see the executor.
const WAITING_MAX: Duration = Duration::from_secs(300);

/// How long what recurs gives way to all else of the plan, from when the first of it could begin: services run sooner if nobody looks
/// at those that do while others are still to be started, and to look so much later does no harm.
const GIVES_WAY: Duration = Duration::from_secs(1);

/// In place of a node that carries it out: each attempt at a fencing names its own.
const FENCING: &str = "";

/// What a request to fence a node takes at most: each attempt ends in its own time, so this one is never reached.
const FENCING_MAX: Duration = Duration::from_secs(24 * 3600);

/// Where a plan has `priority-fencing-delay` for a node, in seconds.
const PRIORITY_DELAY: &str = "CRM_meta_priority_fencing_delay";

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For so many inputs it waits.
    Waiting(usize),
    /// It was begun and has not ended.
    InFlight,
    Done,
    Failed,
}

/// What became of something that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// An action ended as planned.
    Done,
    /// An action ended otherwise.
    Failed,
    /// No action waited for it.
    NotAwaited,
}

/// What can begin on one node, in this order: what recurs comes last, then the order of the plan counts.
type Lane = BTreeSet<(bool, usize)>;

/// One plan on its way.
#[derive(Debug)]
pub(super) struct Transition {
    number: u64,
    uuid: String,
    actions: Vec<Action>,
    limits: Limits,
    stages: Vec<Stage>,
    /// For each action, those that wait for it.
    dependents: Vec<Vec<usize>>,
    /// Actions that can begin, as far as the plan goes, by the node that carries them out; under none what is nobody's.
    ready: BTreeMap<Option<String>, Lane>,
    flights: Flights,
    /// How many actions that do not recur have not ended.
    changing: usize,
    /// Since when something that recurs could begin and gave way.
    giving_way: Option<Timestamp>,
    /// Actions in flight that nobody was ordered to do, because it was under way: by the key of what is.
    taken_up: BTreeMap<String, usize>,
    /// Actions in flight that were not ordered, because of a migration of an earlier coordinator: by the key of that.
    held_back: BTreeMap<String, BTreeSet<usize>>,
    /// Actions in flight whose agents could not ask and are tried again.
    waiting: BTreeSet<usize>,
    abort: Option<Abort>,
    fired: usize,
    problems: Vec<String>,
}

impl Transition {
    /// What recurs has been giving way since `giving_way`, if it did when the plan before was abandoned.
    pub(super) fn new(number: u64, uuid: String, plan: Plan, limits: Limits, giving_way: Option<Timestamp>) -> Self {
        let actions = plan.actions;
        let mut dependents = vec![Vec::new(); actions.len()];
        let mut stages = Vec::with_capacity(actions.len());
        let mut ready: BTreeMap<_, Lane> = BTreeMap::new();
        for (index, action) in actions.iter().enumerate() {
            let inputs: BTreeSet<usize> = action.inputs.iter().copied().collect();
            for &input in &inputs {
                // An input that does not exist is never done.
                if let Some(list) = dependents.get_mut(input) {
                    list.push(index);
                }
            }
            if inputs.is_empty() {
                ready.entry(lane(action)).or_default().insert((is_recurring(action), index));
            }
            stages.push(Stage::Waiting(inputs.len()));
        }
        let changing = actions.iter().filter(|action| !is_recurring(action)).count();
        Self {
            number,
            uuid,
            changing,
            giving_way,
            actions,
            limits,
            stages,
            dependents,
            ready,
            flights: Flights::new(limits.node_action_limit, limits.cluster_delay),
            taken_up: BTreeMap::new(),
            held_back: BTreeMap::new(),
            waiting: BTreeSet::new(),
            abort: None,
            fired: 0,
            problems: Vec::new(),
        }
    }

    /// Begins nothing more, except what is to be finished in any case. The first reason stays.
    pub(super) fn abort(&mut self, reason: Abort) {
        self.abort.get_or_insert(reason);
        self.release_waiting();
        self.release_fencing();
    }

    /// Fencing goes on by itself, whatever becomes of the plan that asked for it. One that is abandoned does not wait for it: the
    /// next one joins it, or does not want it any more.
    fn release_fencing(&mut self) {
        let fences = |index: &usize| {
            let action = self.actions.get(*index);
            action.is_some_and(|action| matches!(action.kind, ActionKind::Fence(_)))
        };
        for index in self.flights.keys().filter(fences).collect::<Vec<_>>() {
            self.fail(index, None);
        }
    }

    /// Begins what can begin, in the order of the plan, except that what recurs gives way to all else, though not for long.
    pub(super) fn fire(&mut self, now: Timestamp) -> Vec<Output> {
        let mut outputs = Vec::new();
        // An action that is done at once may make an earlier one ready: start over until nothing more begins.
        while let Some(index) = self.next_ready(now) {
            self.no_longer_ready(index);
            self.fired += 1;
            self.set(index, Stage::InFlight);
            outputs.extend(self.begin(now, index));
        }
        if self.giving_way.is_none() && self.first_ready(false, true).is_some() {
            self.giving_way = Some(now);
        }
        outputs
    }

    fn no_longer_ready(&mut self, index: usize) {
        let recurring = self.actions.get(index).is_some_and(is_recurring);
        self.ready.retain(|_, lane| {
            lane.remove(&(recurring, index));
            !lane.is_empty()
        });
    }

    fn next_ready(&self, now: Timestamp) -> Option<usize> {
        let patient = self.giving_way.is_none_or(|since| now < since + GIVES_WAY);
        let recurring = self.changing == 0 || !patient;
        let begins = self.first_ready(false, recurring);
        begins.or_else(|| self.first_ready(true, true).filter(|_| self.nothing_under_way()))
    }

    /// The first action that can begin; with `lingering` also a stop that would rather let others go first, with `recurring` also
    /// what recurs.
    fn first_ready(&self, lingering: bool, recurring: bool) -> Option<usize> {
        let full = self.limits.batch_limit > 0 && self.flights.len() >= self.limits.batch_limit;
        let open = |node: &Option<String>| node.as_deref().is_none_or(|node| !full && !self.flights.is_full(node));
        let lanes = self.ready.iter().filter(|(node, _)| open(node));
        let firsts = lanes.filter_map(|(node, lane)| {
            let mut turns = lane.iter().copied().take_while(|(recurs, _)| recurring || !recurs);
            turns.find(|&(_, index)| {
                let Some(action) = self.actions.get(index) else { return false };
                let wanted = self.abort.is_none() || action.priority >= INFINITY;
                let in_time = lingering || !action.rather_after.iter().any(|first| self.is_ahead(*first));
                wanted
                    && in_time
                    && !(action.kind == ActionKind::Shutdown && self.has_more_to_do(node.as_deref(), lane))
            })
        });
        firsts.min().map(|(_, index)| index)
    }

    /// Whether an action has not ended, and may yet. What waits until its agent can ask keeps nothing else waiting.
    fn is_ahead(&self, index: usize) -> bool {
        match self.stages.get(index) {
            Some(Stage::Waiting(_)) => true,
            Some(Stage::InFlight) => !self.waiting.contains(&index),
            Some(Stage::Done | Stage::Failed) | None => false,
        }
    }

    /// Whether nothing is on its way that could make something else ready.
    fn nothing_under_way(&self) -> bool {
        self.flights.keys().all(|index| self.waiting.contains(&index))
    }

    /// Whether anything else is under way on the node that is to go, or can begin there, or it is to be looked what runs there,
    /// after something else: a probe may yet find there what must not be left behind.
    fn has_more_to_do(&self, node: Option<&str>, lane: &Lane) -> bool {
        lane.len() > 1 || node.is_some_and(|node| self.flights.count(node) > 0 || self.is_to_be_probed(node))
    }

    fn is_to_be_probed(&self, node: &str) -> bool {
        let mut stages =
            self.actions.iter().zip(&self.stages).filter(|(action, _)| action.node.as_deref() == Some(node));
        stages.any(|(action, stage)| {
            let probes =
                |op: &ResourceOp| op.task == Task::Monitor && op.interval_ms == 0 && !op.agent.is_fence_device();
            matches!(&action.kind, ActionKind::Resource(op) if probes(op)) && matches!(stage, Stage::Waiting(_))
        })
    }

    fn begin(&mut self, now: Timestamp, index: usize) -> Option<Output> {
        let action = self.actions.get(index)?;
        let ends = match (&action.kind, by(action), action.node.as_deref()) {
            (ActionKind::Pseudo, ..) => {
                self.done(index);
                return None;
            }
            (ActionKind::Fence(Fencing { target, action: what }), ..) => {
                let delay = action.meta.get(PRIORITY_DELAY).and_then(|text| text.parse().ok());
                let fence = Output::Fence { target: target.clone(), action: *what, delay_s: delay.unwrap_or(0) };
                self.flights.begin(now, index, FENCING, FENCING_MAX);
                let lets_in = *what == FenceAction::On;
                if mutant("started-before-fenced") || lets_in && mutant("started-before-let-in") {
                    self.done(index);
                }
                return Some(fence);
            }
            (_, Some(by), Some(at)) => Some((by.to_owned(), at.to_owned())),
            _ => None,
        };
        let Some((by, at)) = ends else {
            let problem = format!("{} names no node", action.key);
            self.fail(index, problem);
            return None;
        };
        let mut time = Duration::ZERO;
        let order = |rc: OcfCode, work| {
            let (by, at, transition_key) = (by.clone(), at.clone(), self.key(index, rc));
            Output::Run(Order { by, at, transition_key, work })
        };
        let output = match &action.kind {
            ActionKind::Resource(op) => {
                time = order_time(op);
                order(op.expected_rc, Work::run(ResourceOp::clone(op)))
            }
            ActionKind::Cancel(op) => order(op.expected_rc, Work::Cancel(ResourceOp::clone(op))),
            ActionKind::Shutdown => Output::Status(StatusChange::LetGo { node: at }),
            ActionKind::ClearFailCount { resource, .. } => {
                Output::Status(StatusChange::ClearFailCount { resource: resource.clone(), node: at })
            }
            ActionKind::DeleteHistory { resource, .. } => {
                Output::Status(StatusChange::ForgetHistory { resource: Some(resource.clone()), node: Some(at) })
            }
            ActionKind::Pseudo | ActionKind::Fence(_) => return None,
        };
        self.flights.begin(now, index, &by, time);
        Some(output)
    }

    fn key(&self, index: usize, expected_rc: OcfCode) -> String {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let (action, transition) = (number(index as u64), number(self.number));
        TransitionKey { action, transition, expected_rc, uuid: &self.uuid }.to_string()
    }

    /// The action in flight that an order's key names.
    fn action_of(&self, key: &str) -> Option<usize> {
        let key = TransitionKey::parse(key)?;
        let index = usize::try_from(key.action).ok()?;
        let ours = u64::try_from(key.transition) == Ok(self.number) && key.uuid == self.uuid;
        (ours && self.stages.get(index) == Some(&Stage::InFlight)).then_some(index)
    }

    /// The action in flight that `order` names is under way as `earlier`: its result answers the action. Whether there is
    /// such an action.
    pub(super) fn take_up(&mut self, order: &str, earlier: &OpHistory) -> bool {
        let Some(index) = self.action_of(order) else { return false };
        self.taken_up.insert(earlier.transition_key.clone(), index);
        if earlier.exit_reason.is_some() {
            self.waiting.insert(index);
            self.release_waiting();
        }
        true
    }

    /// The action in flight that `order` names is not ordered before `migration` has ended, and then decided anew. Whether there is
    /// such an action.
    pub(super) fn hold_back(&mut self, order: &str, migration: &OpHistory) -> bool {
        let Some(index) = self.action_of(order) else { return false };
        self.held_back.entry(migration.transition_key.clone()).or_default().insert(index);
        true
    }

    /// The action under this key waits until its agent can ask; that was said just now. What is not this coordinator's `own` was
    /// taken up while its agent ran, and is not waited for: nobody tries it any more before it is ordered again.
    pub(super) fn waits(&mut self, now: Timestamp, key: &str, own: bool) {
        let Some(index) = self.awaited_by(key) else { return };
        if !own {
            return self.fail(index, None);
        }
        let Some(ActionKind::Resource(op)) = self.actions.get(index).map(|action| &action.kind) else { return };
        let time = order_time(op) + WAITING_MAX;
        self.flights.extend(now, index, time);
        self.waiting.insert(index);
        self.release_waiting();
    }

    /// A plan that is abandoned does not wait for what may wait for ever.
    fn release_waiting(&mut self) {
        if self.abort.is_some() {
            for index in std::mem::take(&mut self.waiting) {
                if self.stages.get(index) == Some(&Stage::InFlight) {
                    self.fail(index, None);
                }
            }
        }
    }

    /// The action in flight that waits for a result under this key.
    fn awaited_by(&self, key: &str) -> Option<usize> {
        let in_flight = |index: &usize| self.stages.get(*index) == Some(&Stage::InFlight);
        self.action_of(key).or_else(|| self.taken_up.get(key).copied().filter(in_flight))
    }

    /// Takes what was delivered.
    pub(super) fn confirm(&mut self, now: Timestamp, change: &StatusChange) -> Confirmed {
        let index = match change {
            StatusChange::OpResult(result) => return self.confirm_result(now, result),
            StatusChange::OpCancelled(cancelled) => self.action_of(&cancelled.transition_key),
            StatusChange::LetGo { node } => self.in_flight(node, |kind| matches!(kind, ActionKind::Shutdown)),
            StatusChange::ClearFailCount { resource, node } => self.in_flight(
                node,
                |kind| matches!(kind, ActionKind::ClearFailCount { resource: r, .. } if r == resource),
            ),
            StatusChange::ForgetHistory { resource: Some(resource), node: Some(node) } => self
                .in_flight(node, |kind| matches!(kind, ActionKind::DeleteHistory { resource: r, .. } if r == resource)),
            _ => None,
        };
        match index {
            Some(index) => {
                self.done(index);
                Confirmed::Done
            }
            None => Confirmed::NotAwaited,
        }
    }

    fn confirm_result(&mut self, now: Timestamp, result: &OpResult) -> Confirmed {
        let held_back = self.held_back.remove(&result.op.transition_key).unwrap_or_default();
        for &index in &held_back {
            if self.stages.get(index) == Some(&Stage::InFlight) {
                self.fail(index, None);
            }
        }
        let awaited = self.awaited_by(&result.op.transition_key).filter(|_| !mutant("result-forgotten"));
        let Some(index) = awaited else { return Confirmed::NotAwaited };
        self.flights.heard(now, index);
        if !held_back.is_empty() {
            // What was held back was not ordered: as after a result that nobody waited for, it is decided anew.
            self.abort(Abort::Other("a migration that kept others back has ended".to_owned()));
        }
        // Nobody depends on what an agent answers to a notification.
        if !history::is_unexpected(&result.op) || result.op.task() == Some(Task::Notify) {
            self.done(index);
            return Confirmed::Done;
        }
        let key = self.actions.get(index).map(|action| action.key.clone()).unwrap_or_default();
        let op = &result.op;
        let why = op.exit_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let given_up = self.flights.is_given_up(index);
        let problem = format!("{key} on {} gave {} (status {}){why}", result.node, op.rc_code, op.op_status);
        self.fail(index, (!given_up).then_some(problem));
        self.abort(Abort::UnexpectedResult(key, result.node.clone()));
        Confirmed::Failed
    }

    fn in_flight(&self, node: &str, is: impl Fn(&ActionKind) -> bool) -> Option<usize> {
        self.flights.keys().find(|&index| {
            self.actions.get(index).is_some_and(|action| action.node.as_deref() == Some(node) && is(&action.kind))
        })
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The fencings of `target` that are waited for and of this kind.
    fn fencings(&self, target: &str, is: impl Fn(FenceAction) -> bool) -> Vec<usize> {
        let awaited = |index: &usize| {
            let kind = self.actions.get(*index).map(|action| &action.kind);
            matches!(kind, Some(ActionKind::Fence(fencing)) if fencing.target == target && is(fencing.action))
        };
        self.flights.keys().filter(awaited).collect()
    }

    /// The node was fenced. Whether that was waited for.
    pub(super) fn fenced(&mut self, target: &str, is: impl Fn(FenceAction) -> bool) -> bool {
        let awaited = self.fencings(target, is);
        awaited.iter().for_each(|index| self.done(*index));
        !awaited.is_empty()
    }

    /// The node was not fenced: what waits for that stays undone. Whether it was waited for.
    pub(super) fn not_fenced(&mut self, target: &str, is: impl Fn(FenceAction) -> bool) -> bool {
        let awaited = self.fencings(target, is);
        for index in &awaited {
            self.fail(*index, format!("{target} could not be fenced; what waits for that stays undone"));
        }
        !awaited.is_empty()
    }

    /// Nothing more comes from a node that is gone, except that it is fenced.
    pub(super) fn node_lost(&mut self, node: &str) {
        let counts = |index: &usize| {
            let action = self.actions.get(*index);
            action.is_some_and(|it| it.node.as_deref() == Some(node) && !matches!(it.kind, ActionKind::Fence(_)))
        };
        let mut lost: BTreeSet<usize> = self.flights.on(node).collect();
        lost.extend(self.flights.keys().filter(counts));
        for index in lost {
            let key = self.actions.get(index).map(|action| action.key.clone()).unwrap_or_default();
            self.fail(index, format!("{key} was on its way when {node} was lost"));
        }
    }

    /// Gives up what should have ended long ago. What is to be recorded about it comes out.
    pub(super) fn give_up_overdue(&mut self, now: Timestamp) -> Vec<Output> {
        let overdue = self.flights.overdue(now);
        let mut outputs = Vec::new();
        for index in overdue {
            let Some(action) = self.actions.get(index) else { continue };
            let key = action.key.clone();
            let node = action.node.clone().unwrap_or_default();
            let by = by(action).unwrap_or_default();
            let problem = format!("no result of {key} came from {by} in time");
            let held_back = self.held_back.values().any(|held| held.contains(&index));
            if let (ActionKind::Resource(op), false) = (&action.kind, held_back) {
                // The order may yet be delivered, before this and not after it. A new plan before that might order the
                // same a second time.
                outputs.push(Output::Status(lost_result((by, &node), op, &self.key(index, op.expected_rc))));
                self.flights.give_up(index);
                self.problems.push(problem);
            } else {
                self.fail(index, problem);
            }
            self.abort(Abort::Lost(key, node));
        }
        outputs
    }

    pub(super) fn timeout(&self) -> Option<Timestamp> {
        // Before that somebody else's end may let it begin; after it, nothing waits for the time.
        let giving_way =
            self.giving_way.map(|since| since + GIVES_WAY).filter(|_| self.first_ready(false, true).is_some());
        self.flights.timeout().into_iter().chain(giving_way).min()
    }

    /// Since when what recurs has been giving way, if it has.
    pub(super) const fn giving_way(&self) -> Option<Timestamp> {
        self.giving_way
    }

    pub(super) fn awaited(&self) -> Vec<(String, String)> {
        let of = |index: usize| {
            let action = self.actions.get(index)?;
            Some((action.key.clone(), action.node.clone().unwrap_or_default()))
        };
        self.flights.keys().filter_map(of).collect()
    }

    /// How it went, if nothing is in flight and nothing can begin.
    pub(super) fn ended(&self) -> Option<Summary> {
        if !self.flights.is_empty() || self.first_ready(true, true).is_some() {
            return None;
        }
        let done = self.stages.iter().filter(|stage| **stage == Stage::Done).count();
        let end = match &self.abort {
            Some(reason) => End::Aborted(reason.clone()),
            None if done == self.actions.len() => End::Complete,
            None => End::Stuck,
        };
        Some(Summary {
            transition: self.number,
            actions: self.actions.len(),
            fired: self.fired,
            done,
            end,
            problems: self.problems.clone(),
        })
    }

    fn set(&mut self, index: usize, stage: Stage) {
        let Some(slot) = self.stages.get_mut(index) else { return };
        let has_ended = |stage: Stage| matches!(stage, Stage::Done | Stage::Failed);
        let before = std::mem::replace(slot, stage);
        if has_ended(stage) && !has_ended(before) && !self.actions.get(index).is_some_and(is_recurring) {
            self.changing = self.changing.saturating_sub(1);
        }
    }

    fn done(&mut self, index: usize) {
        self.flights.end(index);
        self.set(index, Stage::Done);
        let dependents = self.dependents.get(index).cloned().unwrap_or_default();
        for dependent in dependents {
            if let Some(Stage::Waiting(inputs)) = self.stages.get_mut(dependent) {
                *inputs = inputs.saturating_sub(1);
                if *inputs == 0 || mutant("one-input-is-enough") {
                    let Some(action) = self.actions.get(dependent) else { continue };
                    self.ready.entry(lane(action)).or_default().insert((is_recurring(action), dependent));
                }
            }
        }
    }

    fn fail(&mut self, index: usize, problem: impl Into<Option<String>>) {
        self.flights.end(index);
        self.set(index, Stage::Failed);
        self.problems.extend(problem.into());
    }
}

/// Name of the node that carries an action out.
fn by(action: &Action) -> Option<&str> {
    action.router_node.as_deref().or(action.node.as_deref())
}

/// Where an action waits for its turn: with its node, if a node carries it out.
fn lane(action: &Action) -> Option<String> {
    by(action).filter(|_| action.kind != ActionKind::Pseudo).map(str::to_owned)
}

/// Whether it only looks at what runs. Where a node has more to do than it can, that comes after what changes something.
fn is_recurring(action: &Action) -> bool {
    matches!(&action.kind, ActionKind::Resource(op) if op.interval_ms > 0)
}

/// How long an operation may take by itself.
fn order_time(op: &ResourceOp) -> Duration {
    Duration::from_millis(op.timeout_ms) + Duration::from_millis(op.start_delay_ms)
}

/// The result of an operation of which nothing was heard from the node `by`, for the history of the node `at`.
fn lost_result((by, at): (&str, &str), op: &ResourceOp, transition_key: &str) -> StatusChange {
    let OpStarted { node, resource, agent, op: entry } = work::pending(at, transition_key, op);
    let entry = OpHistory {
        transition_magic: String::new(),
        rc_code: OcfCode::ERROR,
        op_status: ExecStatus::Timeout.code(),
        exit_reason: Some(format!("no result came from {by} in time")),
        ..entry
    };
    StatusChange::OpResult(OpResult { node, resource, agent, op: entry, on_fail: op.on_fail })
}
