//! Judging a change of the configuration before this node proposes it, on the planner's thread and on a copy of the state.
//!
//! No other node judges it again: what was proposed is applied by all alike (decision 39). What the cluster refuses
//! anyway, because it cannot be made, is left to the cluster, which has the newest state.

use hac_api::{ErrorCode, Finding};
use hac_crm::cib::{Agents, Configure, Refusal, Replicated as _, Severity, judge};
use hac_crm::fencer::watchdog;
use hac_model::Cib;
use hac_node::SyncState;
use hac_types::WallTime;

use super::convert;
use super::explain::BUDGET;
use super::refusal::Refused;
use super::routes::look;
use super::server::Api;
use crate::clock;

/// What is doubtful about a change.
///
/// # Errors
/// What is wrong with it; or it is so large that this node could not make a plan in time. The coordinator has more time,
/// because it plans states as well in which something has failed.
pub(super) async fn judged(api: &Api, configure: &Configure) -> Result<Vec<Finding>, Refused> {
    let look = look(api).await;
    // Until this node takes part, its state is an old one: good enough to judge values by, not worth a plan.
    let plans = look.facts().sync == SyncState::Active;
    let (configure, wall) = (configure.clone(), clock::wall());
    let work = move || weigh(&look.cib, &configure, plans.then_some(wall));
    let judged = api.planner.run(BUDGET, work).await.map_err(|why| {
        Refused::new(ErrorCode::Invalid, format!("the cluster could not decide anything about this: {why}"))
            .with_remedy("Make it smaller: fewer instances of a clone, fewer constraints. Nothing was changed.")
    })?;
    judged.map_err(|refusal| Refused::of(convert::refusal(refusal.kind), refusal))
}

/// Judges, and decides about the outcome as at `wall`, if that is given, to see that it can be decided.
fn weigh(cib: &Cib, configure: &Configure, wall: Option<WallTime>) -> Result<Vec<Finding>, Refusal> {
    let Ok(after) = cib.candidate(configure) else { return Ok(Vec::new()) };
    let mut warnings = Vec::new();
    for found in judge(&cib.configuration, &after.configuration, &Agents::default()) {
        if found.severity == Severity::Error {
            return Err(found.into());
        }
        let sentence = found.to_string();
        let severity = "warning".to_owned();
        warnings.push(Finding { severity, subject: found.subject, sentence, remedy: found.remedy });
    }
    // Only a cluster that runs knows which watchdogs its nodes have, and how long they take.
    if watchdog::wait(&after.configuration) != watchdog::wait(&cib.configuration)
        && let Some((sentence, remedy)) = watchdog::misfit(&after)
    {
        return Err(Refusal::new(format!("stonith-watchdog-timeout: {sentence}"), remedy));
    }
    if let Some(wall) = wall.filter(|_| after.configuration != cib.configuration) {
        let _ = hac_scheduler::schedule(&after, wall);
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::{Change, Section};
    use hac_model::fencing::Watchdog;

    use super::*;

    fn property(name: &str, value: &str) -> Configure {
        let pairs = vec![(name.to_owned(), Some(value.to_owned()))];
        let changes = vec![Change::SetProperties { section: Section::CrmConfig, set: None, pairs }];
        Configure { changes, ..Configure::default() }
    }

    #[test]
    fn an_error_is_refused_and_a_warning_is_passed_on_with_its_remedy() {
        let cib = Cib::default();
        let refusal = weigh(&cib, &property("maintenance-mode", "sometimes"), None).unwrap_err();
        assert!(refusal.sentence.ends_with("\"sometimes\" is no value for maintenance-mode"), "{refusal}");
        assert!(!refusal.remedy.is_empty());
        let warnings = weigh(&cib, &property("stonith-enable", "false"), None).unwrap();
        assert!(
            warnings
                .iter()
                .any(|w| w.subject == "stonith-enable" && w.remedy.starts_with("Did you mean stonith-enabled?")),
            "{warnings:?}"
        );
        assert_eq!(weigh(&cib, &property("stonith-enabled", "false"), None), Ok(Vec::new()));
    }

    #[test]
    fn a_time_for_watchdogs_is_refused_where_there_are_none_or_they_need_longer() {
        let mut cib = Cib::default();
        let refusal = weigh(&cib, &property("stonith-watchdog-timeout", "30s"), None).unwrap_err();
        assert!(refusal.sentence.contains("no node has a watchdog"), "{refusal}");
        cib.status.fencing.lives.insert("n1".to_owned(), 3);
        let armed = Watchdog { life: 3, gone_after_ms: Some(31_000), ..Watchdog::default() };
        cib.status.fencing.watchdogs.insert("n1".to_owned(), armed);
        let refusal = weigh(&cib, &property("stonith-watchdog-timeout", "30s"), None).unwrap_err();
        assert!(refusal.sentence.contains("is 30 s and n1 needs 31 s"), "{refusal}");
        for fits in ["31s", "-1", "0"] {
            assert!(weigh(&cib, &property("stonith-watchdog-timeout", fits), None).is_ok(), "{fits}");
        }
    }

    #[test]
    fn what_cannot_be_made_is_left_to_the_cluster() {
        let changes = vec![Change::Delete { id: "Nobody".to_owned(), force: false }];
        assert_eq!(weigh(&Cib::default(), &Configure { changes, ..Configure::default() }, None), Ok(Vec::new()));
    }
}
