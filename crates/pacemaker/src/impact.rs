//! What a change would do to what runs: the scheduler is asked about the state before it and the one after it.

use hac_crm::cib::{Agents, Severity, has_primitive, judge};
use hac_model::{Cib, NodeState, mask_configuration};
use hac_scheduler::plan::{Decision, Verb};
use hac_scheduler::view::{ClusterView, ResourceView};
use hac_types::WallTime;

use crate::crm_syntax;
use crate::simulate::{Clock, Simulation, simulate};

/// What would come of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// What would be done, a line each.
    pub decisions: Vec<String>,
    /// Those of them that interrupt something that runs.
    pub harm: Vec<String>,
    /// Resources that run now and would run nowhere afterwards.
    pub down: Vec<String>,
    /// What changes in the configuration, in crm's words.
    pub difference: String,
    /// What is doubtful about the configuration as it would be, and was not before.
    pub warnings: Vec<String>,
    /// The state before.
    pub before: Cib,
}

impl Impact {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
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

/// What lies between two states of one cluster, decided upon as at `now`.
#[must_use]
pub fn between(before: &Cib, after: &Cib, now: WallTime) -> Impact {
    let decide = |cib| simulate(cib, &Clock::Present(now), false);
    let (old, new) = (decide(before), decide(after));
    // What is under way anyhow does not follow from the change.
    let fresh: Vec<&Decision> =
        new.outcome.plan.summary.iter().filter(|d| !old.outcome.plan.summary.iter().any(|o| same(o, d))).collect();
    // The plan says only that no node may run what is gone from the configuration.
    let told = |decision: &Decision| match decision.verb {
        Verb::Stop if !has_primitive(&after.configuration, &decision.subject) => {
            format!("stop {} ({}): it is no longer configured", decision.subject, decision.detail)
        }
        _ => words(decision),
    };
    let harm = fresh.iter().filter(|decision| interrupts(decision.verb)).map(|decision| told(decision)).collect();
    let standing =
        |simulation: &Simulation| simulation.after.as_ref().map(|(_, view)| view.clone()).unwrap_or_default();
    let ran = &old.outcome.view;
    Impact {
        decisions: fresh.iter().map(|decision| told(decision)).collect(),
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

/// The state as it would be if a node came, or were down and known to be. A node without a state gets one.
#[must_use]
pub fn with_node(cib: &Cib, name: &str, up: bool) -> Cib {
    let mut cib = cib.clone();
    let id = cib.node_id(name).unwrap_or_default().to_owned();
    let found = cib.status.nodes.iter().position(|state| state.uname.as_deref() == Some(name) || state.id == id);
    let at = found.unwrap_or_else(|| {
        cib.status.nodes.push(NodeState { id, uname: Some(name.to_owned()), ..NodeState::default() });
        cib.status.nodes.len() - 1
    });
    let Some(state) = cib.status.nodes.get_mut(at) else { return cib };
    let word = |up: &str, down: &str, is: bool| Some(if is { up } else { down }.to_owned());
    state.in_ccm = word("true", "false", up);
    state.crmd = word("online", "offline", up);
    state.join = word("member", "down", up);
    state.expected = word("member", "down", up);
    if !up {
        // What it did is not known any more.
        state.resources.clear();
        state.attributes.clear();
    }
    cib
}

fn same(a: &Decision, b: &Decision) -> bool {
    a.verb == b.verb && a.subject == b.subject && a.detail == b.detail
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
#[must_use]
pub fn words(decision: &Decision) -> String {
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

/// What differs in the configuration, object by object in crm's words, old with `-` and new with `+`; secrets are masked.
#[must_use]
pub fn difference(before: &Cib, after: &Cib) -> String {
    let shown = |cib: &Cib| {
        let mut configuration = cib.configuration.clone();
        mask_configuration(&mut configuration);
        crm_syntax::show(&configuration, &[])
    };
    compare(&shown(before), &shown(after))
}

/// The objects that differ, old with `-`, new with `+`.
#[must_use]
pub fn compare(old: &str, new: &str) -> String {
    let (old, new) = (objects(old), objects(new));
    let mut text = String::new();
    for object in old.iter().filter(|o| !new.contains(o)) {
        object.lines().for_each(|line| text.push_str(&format!("-{line}\n")));
    }
    for object in new.iter().filter(|o| !old.contains(o)) {
        object.lines().for_each(|line| text.push_str(&format!("+{line}\n")));
    }
    text
}

/// Cuts a text at its objects: a line that begins with a tab goes on with the object before.
fn objects(text: &str) -> Vec<String> {
    let mut objects: Vec<String> = Vec::new();
    for line in text.lines() {
        match objects.last_mut() {
            Some(object) if line.starts_with('\t') => {
                object.push('\n');
                object.push_str(line);
            }
            _ => objects.push(line.to_owned()),
        }
    }
    objects
}

#[cfg(test)]
mod tests {
    use hac_crm::cib::{Configure, Replicated as _};

    use super::*;

    #[test]
    fn a_change_of_nothing_that_runs_has_no_harm() {
        let mut before = Cib::default();
        let changes = crm_syntax::parse("property stonith-enabled=false").expect("is written in crm's words");
        let configure = Configure { changes, ..Configure::default() };
        let after = before.candidate(&configure).expect("is taken");
        let impact = between(&before, &after, WallTime(0));
        assert_eq!((impact.harm.len(), impact.down.len()), (0, 0));
        assert!(impact.difference.contains("stonith-enabled=false"), "{}", impact.difference);
        before = after;
        assert_eq!(between(&before.clone(), &before, WallTime(0)), Impact::default());
    }
}
