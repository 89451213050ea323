//! What a change would do to what runs: the scheduler is asked before and after, on the live state.

use std::time::{SystemTime, UNIX_EPOCH};

use hac_api::ErrorCode;
use hac_crm::cib::{Agents, Change, Configure, Replicated as _, Severity, judge};
use hac_model::{Cib, mask_configuration};
use hac_pacemaker::crm_syntax;
use hac_pacemaker::simulate::{Clock, Simulation, simulate};
use hac_scheduler::plan::{Decision, Verb};
use hac_scheduler::view::{ClusterView, ResourceView};
use hac_types::WallTime;

use super::Context;
use super::configure::file::compare;
use crate::failure::Failure;

/// What would come of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Impact {
    /// What would be done, a line each.
    pub(crate) decisions: Vec<String>,
    /// Those of them that interrupt something that runs.
    pub(crate) harm: Vec<String>,
    /// Resources that run now and would run nowhere afterwards.
    pub(crate) down: Vec<String>,
    /// What changes in the configuration, in crm's words.
    pub(crate) difference: String,
    /// What is doubtful about the configuration as it would be, and was not before.
    pub(crate) warnings: Vec<String>,
    /// The state before.
    pub(crate) before: Cib,
}

impl Impact {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if self.difference.is_empty() {
            text.push_str("The configuration would not change.\n");
        } else {
            text.push_str(&format!("The configuration would change:\n{}", self.difference));
        }
        if self.decisions.is_empty() {
            text.push_str("Nothing that runs would be touched.\n");
        } else {
            text.push_str("The cluster would:\n");
            self.decisions.iter().for_each(|line| text.push_str(&format!("  * {line}\n")));
        }
        if !self.down.is_empty() {
            text.push_str(&format!("Running nowhere afterwards: {}\n", self.down.join(", ")));
        }
        text.push_str("Nothing was changed (--dry-run).\n");
        text
    }
}

/// What `changes` would come to.
pub(crate) async fn of(context: &Context, changes: &[Change]) -> Result<Impact, Failure> {
    let before = state(context).await?;
    let configure = Configure { changes: changes.to_vec(), ..Configure::default() };
    // What the cluster refuses is left to it: its sentence is the better one.
    match before.candidate(&configure) {
        Err(_) => Ok(Impact::default()),
        Ok(after) => Ok(Impact { before: before.clone(), ..between(&before, &after) }),
    }
}

/// The state of the cluster, with secrets if this user may have them: the plan depends on whether a parameter changed.
pub(crate) async fn state(context: &Context) -> Result<Cib, Failure> {
    match context.client.cib(true).await {
        Err(failure) if failure.exit_code == ErrorCode::NotPermitted.exit_code() => context.client.cib(false).await,
        other => other,
    }
}

/// What lies between two states of one cluster.
pub(crate) fn between(before: &Cib, after: &Cib) -> Impact {
    let (old, new) = (decide(before), decide(after));
    // What is under way anyhow does not follow from the change.
    let fresh: Vec<&Decision> =
        new.outcome.plan.summary.iter().filter(|d| !old.outcome.plan.summary.iter().any(|o| same(o, d))).collect();
    let harm = fresh.iter().filter(|decision| interrupts(decision.verb)).map(|decision| words(decision)).collect();
    let standing =
        |simulation: &Simulation| simulation.after.as_ref().map(|(_, view)| view.clone()).unwrap_or_default();
    let ran = &old.outcome.view;
    Impact {
        decisions: fresh.iter().map(|decision| words(decision)).collect(),
        harm,
        down: down(ran, &standing(&new)),
        difference: difference(before, after),
        warnings: judge(&before.configuration, &after.configuration, &Agents::default())
            .into_iter()
            .filter(|finding| finding.severity == Severity::Warning)
            .map(|finding| finding.to_string())
            .collect(),
        before: Cib::default(),
    }
}

fn same(a: &Decision, b: &Decision) -> bool {
    a.verb == b.verb && a.subject == b.subject && a.detail == b.detail
}

/// Decides about a state as of now.
pub(crate) fn decide(cib: &Cib) -> Simulation {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    simulate(cib, &Clock::Present(WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))), false)
}

const fn interrupts(verb: Verb) -> bool {
    match verb {
        Verb::Fence
        | Verb::Stop
        | Verb::Restart
        | Verb::Recover
        | Verb::Move
        | Verb::Migrate
        | Verb::Demote
        | Verb::RePromote => true,
        Verb::Start | Verb::Reload | Verb::Promote => false,
    }
}

/// `stop FloatIP (primary): reason`.
pub(crate) fn words(decision: &Decision) -> String {
    let verb = match decision.verb {
        Verb::Fence => "fence",
        Verb::Start => "start",
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Recover => "recover",
        Verb::Move => "move",
        Verb::Migrate => "migrate",
        Verb::Reload => "reload",
        Verb::Promote => "promote",
        Verb::Demote => "demote",
        Verb::RePromote => "demote and promote again",
    };
    let why = decision.why();
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let blocked = if decision.blocked { " (blocked: it cannot be done)" } else { "" };
    format!("{verb} {} ({}){why}{blocked}", decision.subject, decision.detail)
}

/// Names of top-level resources that run in `before` and nowhere in `after`.
fn down(before: &ClusterView, after: &ClusterView) -> Vec<String> {
    let runs = |view: &ClusterView, name: &str| view.resources.iter().any(|r| r.name == name && r.flags.active);
    let was_up = |resource: &&ResourceView| resource.flags.active && !resource.flags.removed;
    let names = before.resources.iter().filter(was_up).map(|resource| resource.name.clone());
    // What is wrapped into a group or clone runs on under that name.
    names.filter(|name| !runs(after, name) && !inside(&after.resources, name)).collect()
}

fn inside(resources: &[ResourceView], name: &str) -> bool {
    resources
        .iter()
        .any(|r| r.children.iter().any(|child| child.name == name && child.flags.active) || inside(&r.children, name))
}

/// What differs in the configuration, with secrets masked.
pub(crate) fn difference(before: &Cib, after: &Cib) -> String {
    let shown = |cib: &Cib| {
        let mut configuration = cib.configuration.clone();
        mask_configuration(&mut configuration);
        crm_syntax::show(&configuration, &[])
    };
    compare(&shown(before), &shown(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_nothing_that_runs_has_no_harm() {
        let mut before = Cib::default();
        let changes = crm_syntax::parse("property stonith-enabled=false").expect("is written in crm's words");
        let configure = Configure { changes, ..Configure::default() };
        let after = before.candidate(&configure).expect("is taken");
        let impact = between(&before, &after);
        assert_eq!((impact.harm.len(), impact.down.len()), (0, 0));
        assert!(impact.difference.contains("stonith-enabled=false"), "{}", impact.difference);
        before = after;
        assert_eq!(between(&before.clone(), &before), Impact::default());
    }
}
