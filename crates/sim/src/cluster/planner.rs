//! Plans that are made beside everything else: at once, late, too late, never, or with a panic. What a planner owes its
//! node is the daemon's own code ([`hac_node::planner`]); while all its places are taken it answers that it has none.

use std::sync::Arc;
use std::time::Duration;

use hac_model::Cib;
use hac_netsim::Rng;
use hac_node::planner::{PLACES, guarded};
use hac_node::{DecideId, Unplannable};
use hac_scheduler::schedule;
use hac_types::{Timestamp, WallTime};

use super::{Event, Item, World};

/// So many runs in a row may fail: the pauses after them grow, and the calm must be longer.
const FAILURES_MAX: u32 = 2;

/// How ill the planners are: chances in thousandths, drawn for each run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planners {
    /// It takes long.
    pub slow: u64,
    /// It takes longer than anybody waits for it.
    pub late: u64,
    /// It does not come to its end.
    pub hangs: u64,
    /// It panics.
    pub panics: u64,
}

/// The planner of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    /// Places that are taken.
    taken: usize,
    /// Runs that do not come to their end.
    hung: Vec<Plan>,
    /// Runs in a row that failed.
    failures: u32,
    /// What the node asked for last, when, and how long it waits.
    pub(crate) asked: Option<(DecideId, Timestamp, Duration)>,
    /// What is being answered.
    pub(crate) answering: Option<DecideId>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    id: DecideId,
    cib: Arc<Cib>,
    wall: WallTime,
    /// It has no place, and so nothing comes of it.
    refused: Option<Duration>,
    panics: bool,
}

impl Plan {
    /// Which.
    pub(super) fn id(&self) -> DecideId {
        self.id
    }

    /// What comes of it.
    pub(super) fn result(&self) -> Result<hac_scheduler::plan::Plan, Unplannable> {
        if let Some(budget) = self.refused {
            return Err(Unplannable::TooSlow(budget));
        }
        guarded(|| {
            if self.panics {
                // As a panic, but without its noise.
                std::panic::resume_unwind(Box::new("the simulator has made it fail"));
            }
            schedule(&self.cib, self.wall)
        })
    }
}

impl Planners {
    /// Planners that are slow now and then.
    #[must_use]
    pub const fn slow() -> Self {
        Self { slow: 150, late: 0, hangs: 0, panics: 0 }
    }

    /// How they may be for a while.
    pub fn ill(rng: &mut Rng) -> Self {
        let mut chance = |most| if rng.chance(500) { rng.below(most) } else { 0 };
        Self { slow: 150, late: chance(300), hangs: chance(150), panics: chance(400) }
    }
}

impl World {
    /// A plan is made, beside everything else; while the host is paused it waits.
    pub(super) fn plan(&mut self, id: u32, decide: DecideId, (cib, wall): (Arc<Cib>, WallTime), budget: Duration) {
        let now = self.now;
        let ill = self.planners;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let desk = &mut host.desk;
        desk.asked = Some((decide, now, budget));
        let mut plan = Plan { id: decide, cib, wall, refused: None, panics: false };
        let millis = |rng: &mut Rng, from, to| Duration::from_millis(rng.between(from, to));
        let quick = millis(&mut self.timing, 0, 50);
        let drawn = if ill == Planners::default() { 1000 } else { self.timing.below(1000) };
        let may_fail = desk.failures < FAILURES_MAX;
        let (late, hangs) = (ill.slow + ill.late, ill.slow + ill.late + ill.hangs);
        let time = if desk.taken >= PLACES {
            self.checks.happened("a planner had no place");
            plan.refused = Some(budget);
            Duration::ZERO
        } else if drawn < ill.slow {
            self.checks.happened("a plan took long");
            millis(&mut self.timing, 500, 20_000)
        } else if drawn < late && may_fail {
            self.checks.happened("a plan came too late");
            desk.failures += 1;
            budget + millis(&mut self.timing, 1, 10_000)
        } else if drawn >= late && drawn < hangs && may_fail && desk.hung.is_empty() {
            self.checks.happened("a plan never came");
            desk.failures += 1;
            desk.taken += 1;
            return desk.hung.push(plan);
        } else if drawn >= hangs && drawn < hangs + ill.panics && may_fail {
            self.checks.happened("a planner panicked");
            desk.failures += 1;
            plan.panics = true;
            quick
        } else {
            desk.failures = 0;
            quick
        };
        desk.taken += usize::from(plan.refused.is_none());
        self.queue.push(now + time, Item::Host(id, host.life, Event::Decided(plan)));
    }

    /// A run has come to its end.
    pub(super) fn planned(&mut self, id: u32, plan: &Plan) {
        let now = self.time_at(id);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.desk.taken = host.desk.taken.saturating_sub(usize::from(plan.refused.is_none()));
        host.desk.answering = Some(plan.id());
        if let Some(node) = &mut host.node {
            node.handle_decided(now, plan.id(), plan.result());
        }
        self.drain(id);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.desk.answering = None;
        }
    }

    /// All runs come to their ends.
    pub(super) fn end_plans(&mut self) {
        for (&id, host) in &mut self.hosts {
            for plan in std::mem::take(&mut host.desk.hung) {
                self.queue.push(self.now, Item::Host(id, host.life, Event::Decided(plan)));
            }
        }
    }
}
