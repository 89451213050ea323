//! From a state to a plan: asked for with a copy of the state, and answered when it is ready.
//!
//! ```text
//!  DIRTY ── Decide ──► DECIDING ── a plan, and nothing has changed since ──► carried out
//!    ▲                    ├─ a plan of a state that has changed meanwhile ──► dropped, DIRTY
//!    │                    └─ no plan in time, or a fault of the planner ────► UNPLANNABLE
//!    └──── the state changes, or a pause that is longer each time is over ◄──────┘
//! ```
//!
//! While a plan is being made the cluster goes on: results are recorded, nodes come and go, monitors run. A state that
//! never rests is planned all the same: after [`OUTDATED_MAX`] plans in a row that came too late, the next one begins
//! although the state has changed, and is abandoned after its first orders. That is what happens to any plan when a
//! change is delivered just after it began. But nothing is ordered of a resource of which something else is known by then:
//! it may run meanwhile, here or elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hac_crm::transition_engine::{Abort, Limits};
use hac_model::{Cib, NodeState};
use hac_scheduler::base_name;
use hac_scheduler::plan::{Action, ActionKind, Decision, Plan};
use hac_types::{Timestamp, WallTime, mutant};
use serde::{Deserialize, Serialize};

use super::coordinator::{Coordinator, REST, RESTLESS, Seat};
use crate::{Event, Level, Output};

/// Longest time for one plan. The largest state that is allowed takes about a second; what takes this long will not be
/// ready while anybody waits for it, and requests end after a minute.
pub(crate) const BUDGET: Duration = Duration::from_secs(30);

/// So many plans in a row may be dropped because the state has changed meanwhile.
const OUTDATED_MAX: u32 = 3;

/// The first pause after a state that cannot be planned; each one is twice as long.
const PAUSE: Duration = Duration::from_secs(30);

/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// Names one [`Output::Decide`] in one life of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DecideId(pub u64);

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unplannable {
    /// It was not ready in time.
    TooSlow(Duration),
    /// The scheduler has a fault, with its words.
    Fault(String),
}

impl std::fmt::Display for Unplannable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooSlow(budget) => write!(f, "no plan was ready within {} s", budget.as_secs()),
            Self::Fault(words) => write!(f, "the scheduler has a fault: {words}"),
        }
    }
}

/// Where the coordinator is with its next plan.
#[derive(Debug, Default)]
pub(super) struct Planning {
    /// The plan that is being made, when it is no longer waited for, and the state of which it is made.
    current: Option<(DecideId, Timestamp, Arc<Cib>)>,
    /// Plans in a row that were outdated.
    outdated: u32,
    /// Why the state cannot be planned, how often in a row a pause was of no use, and when that was counted.
    failed: Option<(Unplannable, u32, Timestamp)>,
}

impl Planning {
    /// A plan is being made.
    pub(super) const fn is_under_way(&self) -> bool {
        self.current.is_some()
    }

    /// When it is no longer waited for.
    pub(super) fn timeout(&self) -> Option<Timestamp> {
        self.current.as_ref().map(|(_, until, _)| *until)
    }

    /// Why the state cannot be planned.
    pub(super) fn failure(&self) -> Option<&Unplannable> {
        self.failed.as_ref().map(|(why, ..)| why)
    }
}

impl Coordinator {
    /// Asks for a plan of the present state.
    pub(super) fn decide(&mut self, seat: &mut Seat<'_>) {
        *seat.decisions += 1;
        let id = DecideId(*seat.decisions);
        self.dirty = false;
        self.not_before = None;
        self.engine.decision_begun();
        let (cib, wall) = (Arc::clone(&seat.replica.cib), seat.now.wall);
        self.planning.current = Some((id, seat.now.mono + BUDGET, Arc::clone(&cib)));
        seat.effects.output(Output::Decide { id, cib, wall, level: seat.view_level, budget: BUDGET });
    }

    /// The answer to an [`Output::Decide`]. One that is not waited for any more is ignored.
    pub(super) fn handle_decided(&mut self, seat: &mut Seat<'_>, id: DecideId, result: Result<Plan, Unplannable>) {
        let planning = &mut self.planning;
        let awaited = planning.current.take_if(|(current, ..)| *current == id).map(|(.., cib)| cib);
        if awaited.is_none() && !mutant("late-plan-used") {
            return;
        }
        match result {
            Err(why) => self.plan_failed(seat, why),
            Ok(_) if !seat.acting => self.dirty = true,
            Ok(_) if self.dirty && planning.outdated < OUTDATED_MAX => {
                planning.outdated += 1;
                seat.effects.count("node.outdated_plans");
            }
            Ok(mut plan) => {
                planning.outdated = 0;
                planning.failed = None;
                let outdated = std::mem::take(&mut self.dirty);
                if let Some(then) = awaited.filter(|_| outdated) {
                    leave_changed(&mut plan, &then, &seat.replica.cib);
                }
                self.carry_out(seat, plan);
                if outdated {
                    let why = "the state changed while it was planned".to_owned();
                    self.engine.abort(seat.now.mono, Abort::Other(why));
                }
                self.announce_progress(seat);
            }
        }
    }

    /// No plan came in time.
    pub(super) fn expire_planning(&mut self, seat: &mut Seat<'_>) {
        if self.planning.current.take_if(|(_, until, _)| *until <= seat.now.mono).is_some() {
            self.plan_failed(seat, Unplannable::TooSlow(BUDGET));
        }
    }

    fn plan_failed(&mut self, seat: &mut Seat<'_>, why: Unplannable) {
        seat.effects.count("node.unplannable");
        let now = seat.now.mono;
        // Several failures within one pause (a state that changes while the planner hangs) are one.
        let (times, counted) = match &self.planning.failed {
            Some((_, times, counted)) if now.since(*counted) < PAUSE => (*times, *counted),
            Some((_, times, _)) => (times + 1, now),
            None => (0, now),
        };
        let pause = PAUSE.saturating_mul(1 << times.min(5)).min(PAUSE_MAX);
        self.recheck = Some(seat.now.mono + pause);
        if mutant("fault-ends-planning") {
            self.recheck = None;
        }
        let text = format!("nothing is decided, because {why}; what runs goes on as it is");
        self.planning.failed = Some((why, times, counted));
        seat.effects.remark(Level::Error, text);
        self.announce_progress(seat);
    }

    fn carry_out(&mut self, seat: &mut Seat<'_>, plan: Plan) {
        let now = seat.now;
        self.recheck = Some(now.mono + next_recheck(&plan, now.wall, seat.recheck_interval()));
        for warning in &plan.warnings {
            seat.effects.remark(Level::Debug, warning.clone());
        }
        let limits = Limits::of(&seat.replica.cib.configuration, seat.cores);
        let actions = plan.actions.len();
        let decisions = plan.summary.iter().map(decision_text).collect();
        self.fencing.planned(&seat.replica.cib, &plan);
        self.engine.start(now.mono, plan, limits);
        if actions == 0 {
            self.restless = 0;
        } else {
            self.restless = self.restless.saturating_add(1);
            if self.restless >= RESTLESS {
                self.not_before = Some(now.mono + REST);
            }
            seat.effects.event(Event::Transition { number: self.engine.number(), actions, decisions });
        }
        self.take_from_engine(seat);
    }
}

/// Keeps what was planned of the state `then` from what is otherwise known of `now`: a resource with another history on any node, a
/// node that came or went, and a node that is let go when it has nothing left.
fn leave_changed(plan: &mut Plan, then: &Cib, now: &Cib) {
    let (mut resources, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    for (state, other) in
        now.status.nodes.iter().map(|state| (state, then)).chain(then.status.nodes.iter().map(|state| (state, now)))
    {
        let other = other.status.nodes.iter().find(|other| other.id == state.id);
        if other.map(presence) != Some(presence(state)) {
            nodes.extend(state.uname.as_deref());
        }
        for of in &state.resources {
            let before = other.and_then(|other| other.resources.get(other.resources.place(&of.id)?));
            if before != Some(of) {
                resources.insert(base_name(&of.id));
            }
        }
    }
    let is_left = |action: &Action| match &action.kind {
        ActionKind::Resource(op) | ActionKind::Cancel(op) => resources.contains(base_name(&op.resource)),
        ActionKind::ClearFailCount { resource, .. } | ActionKind::DeleteHistory { resource, .. } => {
            resources.contains(base_name(resource))
        }
        ActionKind::Fence(fencing) => nodes.contains(fencing.target.as_str()),
        ActionKind::Shutdown => true,
        ActionKind::Pseudo => false,
    };
    let never = plan.actions.len();
    for action in &mut plan.actions {
        let node = action.node.as_deref();
        if is_left(action) || node.is_some_and(|node| nodes.contains(node)) {
            // What waits for something that is not in the plan never begins.
            action.inputs.push(never);
        }
    }
}

/// What tells whether a node is there.
fn presence(state: &NodeState) -> [Option<&str>; 4] {
    [&state.in_ccm, &state.crmd, &state.join, &state.expected].map(Option::as_deref)
}

/// When to decide again although nothing happens: when the plan says that time alone changes something, and at the
/// latest after `interval`. An interval of zero means never.
fn next_recheck(plan: &Plan, wall: WallTime, interval: Duration) -> Duration {
    let never = Duration::from_secs(365 * 24 * 3600);
    let interval = if interval.is_zero() { never } else { interval };
    let by = plan.recheck_by.map(|at| {
        let seconds = at.saturating_sub(wall.as_secs()).max(0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).max(Duration::from_secs(1))
    });
    by.map_or(interval, |by| by.min(interval))
}

/// One line of the summary: `Move FloatIP (primary -> secondary) because primary is on standby`.
fn decision_text(decision: &Decision) -> String {
    let mut text = format!("{} {} ({})", decision.verb, decision.subject, decision.detail);
    let why = decision.why();
    if !why.is_empty() {
        text.push_str(&format!(" because {why}"));
    }
    if decision.blocked {
        text.push_str(" [blocked]");
    }
    text
}

#[cfg(test)]
mod tests;
