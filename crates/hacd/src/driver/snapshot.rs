//! Where reads are answered from: how things stood after a step of the cluster's thread, and what follows from it, made
//! when somebody asks, once, and never on the cluster's thread.

use std::sync::{Arc, OnceLock};

use hac_model::Cib;
use hac_node::{Problem, Report};
use hac_types::WallTime;

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// What the node knows of itself and the cluster, without what follows from the configuration alone.
    report: Report,
    /// The cluster's state, with secrets.
    pub(crate) cib: Arc<Cib>,
    /// What follows from the state, shared by all snapshots of it.
    derived: Arc<Derived>,
    /// What is wrong or doubtful in the configuration, shared by all snapshots with the same.
    findings: Arc<OnceLock<Vec<Problem>>>,
}

/// What follows from a state alone.
#[derive(Debug, Default)]
struct Derived {
    masked: OnceLock<serde_json::Value>,
    view: OnceLock<Arc<str>>,
}

impl Snapshot {
    /// What is known before there is a node.
    pub(crate) fn first(report: Report, cib: Arc<Cib>) -> Self {
        Self { report, cib, derived: Arc::default(), findings: Arc::default() }
    }

    /// The next one after `before`.
    pub(crate) fn new(report: Report, cib: Arc<Cib>, before: &Self) -> Self {
        let same = Arc::ptr_eq(&cib, &before.cib);
        let derived = if same { Arc::clone(&before.derived) } else { Arc::default() };
        let findings =
            if same || same_configuration(&cib, &before.cib) { Arc::clone(&before.findings) } else { Arc::default() };
        Self { report, cib, derived, findings }
    }

    /// The facts without what is wrong or doubtful in the configuration: at no cost.
    pub(crate) const fn facts(&self) -> &Report {
        &self.report
    }

    /// Everything that people should know. May take a while the first time: not for threads that others wait for.
    pub(crate) fn report(&self) -> Report {
        let findings = self.findings.get_or_init(|| self.report.configuration_problems(&self.cib));
        let mut report = self.report.clone();
        report.problems.extend(findings.iter().cloned());
        report.problems.sort_by_key(|problem| problem.severity);
        report
    }

    /// How nodes and resources stand, as the text of a JSON value. Runs the scheduler's reading of the state the first time:
    /// only inside a time budget.
    pub(crate) fn view(&self, wall: WallTime) -> Arc<str> {
        let view = self.derived.view.get_or_init(|| {
            // A view is plain data.
            let text = serde_json::to_string(&hac_scheduler::view(&self.cib, wall));
            text.unwrap_or_else(|_| "null".to_owned()).into()
        });
        Arc::clone(view)
    }

    /// Whether somebody has asked for that before.
    pub(crate) fn is_viewed(&self) -> bool {
        self.derived.view.get().is_some()
    }

    /// The state as JSON, secrets masked. May take a while the first time.
    pub(crate) fn masked(&self) -> serde_json::Value {
        let masked = self.derived.masked.get_or_init(|| {
            let mut cib = Cib::clone(&self.cib);
            hac_model::mask(&mut cib);
            // A CIB is plain data.
            serde_json::to_value(&cib).unwrap_or_default()
        });
        masked.clone()
    }
}

/// Whether both have the configuration of the same change.
fn same_configuration(one: &Cib, other: &Cib) -> bool {
    let change = |cib: &Cib| (cib.version.admin_epoch, cib.version.epoch, cib.info.last_changed_ms);
    let by = |cib: &Cib| [&cib.info.update_origin, &cib.info.update_client, &cib.info.update_user].map(Clone::clone);
    change(one) == change(other) && by(one) == by(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_the_same_until_it_is_changed() {
        let before = Cib::default();
        let mut after = before.clone();
        after.version.num_updates += 1;
        assert!(same_configuration(&after, &before), "only the status is another");
        after.version.epoch += 1;
        assert!(!same_configuration(&after, &before));
        let fork = |user: &str| {
            let mut cib = after.clone();
            cib.info.update_user = Some(user.to_owned());
            cib
        };
        assert!(!same_configuration(&fork("a"), &fork("b")), "two changes with one number");
    }
}
