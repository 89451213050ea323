//! S-1: what a coordinator decides is lawful: the checker that knows nothing of scores finds no broken rule in its plan.
//! Whenever a coordinator has decided, the plan for its state is made again and looked at. (A coordinator that is alone
//! has then already applied what it ordered; the plan is that for what is left.)

use std::collections::BTreeMap;

use hac_model::Cib;
use hac_scheduler::plan::check::check as broken_rules;
use hac_types::WallTime;

use super::{Violation, count};

/// A coordinator decided, and has this state.
pub(super) fn check(
    id: u32,
    cib: &Cib,
    wall: WallTime,
    executed: &mut BTreeMap<&'static str, u64>,
) -> Option<Violation> {
    let outcome = hac_scheduler::run(cib, wall);
    count(executed, "S-1");
    let broken = broken_rules(cib, &outcome.view, &outcome.plan);
    let first = broken.first()?;
    Some(Violation::new("S-1", format!("the plan of node{id} breaks a rule: {first}")))
}
