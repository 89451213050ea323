//! S-1: what a coordinator decides is lawful: the checker that knows nothing of scores finds no broken rule in its plan.
//! Whenever a coordinator has decided, the plan for its state is made again and looked at. (A coordinator that is alone
//! has then already applied what it ordered; the plan is that for what is left.) PLAN: what it carries out is what it asked
//! for last, and came in time.

use std::collections::BTreeMap;

use hac_model::Cib;
use hac_scheduler::plan::check::check as broken_rules;
use hac_types::{Timestamp, WallTime};

use super::{Violation, count};
use crate::cluster::Host;

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

/// A coordinator whose plans are made beside everything else begins with one.
pub(crate) fn asked(host: &Host, now: Timestamp, executed: &mut BTreeMap<&'static str, u64>) -> Option<Violation> {
    let (asked, at, budget) = host.desk.asked?;
    count(executed, "PLAN");
    let wrong = match host.desk.answering {
        Some(answered) if answered != asked => "that it had given up",
        Some(_) if now > at + budget => "that came too late",
        Some(_) => return None,
        None => "that nobody made",
    };
    Some(Violation::new("PLAN", format!("node{} carries out a plan {wrong}", host.id)))
}
