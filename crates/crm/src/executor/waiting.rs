//! An order whose agent could not ask: the service that it needs does not answer, or wants to be asked later. That is no
//! failure of the resource. The order is tried again, after pauses that grow, for as long as the coordinator wants it;
//! meanwhile the history has it as pending, with since when and what was said. When the view is over in which it was
//! ordered, it is not tried until the next coordinator orders it again.

use std::time::Duration;

use hac_types::{Timestamp, WallTime};

use super::resource::Job;
use super::{Outcome, Output};
use crate::cib::{OpStarted, StatusChange};
use crate::work;
use hac_model::Task;

/// The first pause.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause that is made without being asked to. Below `cluster-delay`, so that the coordinator hears of the
/// order before it gives it up.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause at all: what an agent asks for beyond that is not believed.
const ASKED_MAX: Duration = Duration::from_secs(300);

/// See the [module documentation](self).
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: Job,
    /// When it is tried again.
    due: Timestamp,
    /// Since when it waits.
    since: WallTime,
    tries: u32,
    /// What its agent said last.
    said: String,
    /// It was ordered in a view that is over, and not again since.
    pub(super) inherited: bool,
}

impl Waiting {
    /// `job` could not be asked for, by the last of so many tries. `node` is this node's name: nodes shall not try in step.
    pub(super) fn new(
        node: &str,
        job: Job,
        (since, tries): (WallTime, u32),
        now: Timestamp,
        outcome: &Outcome,
        inherited: bool,
    ) -> Self {
        let due = now + pause(node, tries, outcome.retry_after.unwrap_or_default());
        let said = outcome.exit_reason.clone().unwrap_or_else(|| "the agent could not ask".to_owned());
        Self { job, due, since, tries, said, inherited }
    }

    /// When it is tried again, if its order counts.
    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.inherited).then_some(self.due)
    }

    /// Since when it waits, and how often it was tried.
    pub(super) const fn standing(&self) -> (WallTime, u32) {
        (self.since, self.tries)
    }

    /// What there is to tell: it is pending, since when, and what was said.
    pub(super) fn standing_still(&self) -> Option<OpStarted> {
        if self.job.op.task == Task::Notify {
            return None;
        }
        let mut started = work::pending(&self.job.at, &self.job.transition_key, &self.job.op);
        started.op.last_rc_change = Some(self.since.as_secs());
        started.op.exit_reason = Some(self.said.clone());
        Some(started)
    }

    /// The same, to be told.
    pub(super) fn report(&self) -> Option<Output> {
        self.standing_still().map(|started| Output::Report(StatusChange::OpStarted(started)))
    }
}

/// How long to pause after so many tries: doubled each time, up to a quarter less or more, and never less than was asked
/// for.
fn pause(node: &str, tries: u32, asked: Duration) -> Duration {
    let doubled = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(PAUSE_MAX);
    // FNV-1a: the same on every platform, and it needs no randomness from outside.
    let text = node.bytes().chain(tries.to_le_bytes());
    let hash =
        text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let percent = u32::try_from(75 + (hash >> 32) % 51).unwrap_or(100);
    (doubled.saturating_mul(percent) / 100).max(asked.min(ASKED_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ_between_nodes() {
        let of = |node| (1..12).map(|tries| pause(node, tries, Duration::ZERO)).collect::<Vec<_>>();
        let (first, second) = (of("primary"), of("secondary"));
        assert_ne!(first, second);
        for pauses in [first, second] {
            assert!(pauses[0] >= PAUSE_MIN * 3 / 4 && pauses[4] > pauses[0] * 4);
            assert!(pauses.iter().all(|pause| *pause <= PAUSE_MAX * 5 / 4));
        }
    }

    #[test]
    fn what_the_service_asks_for_is_granted_within_reason() {
        assert_eq!(pause("primary", 1, Duration::from_secs(60)), Duration::from_secs(60));
        assert_eq!(pause("primary", u32::MAX, Duration::MAX), ASKED_MAX);
    }
}
