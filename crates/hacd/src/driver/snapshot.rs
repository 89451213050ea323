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
}

/// What follows from a state alone.
#[derive(Debug, Default)]
struct Derived {
    findings: OnceLock<Vec<Problem>>,
    masked: OnceLock<serde_json::Value>,
    view: OnceLock<serde_json::Value>,
}

impl Snapshot {
    /// What is known before there is a node.
    pub(crate) fn first(report: Report, cib: Arc<Cib>) -> Self {
        Self { report, cib, derived: Arc::default() }
    }

    /// The next one after `before`.
    pub(crate) fn new(report: Report, cib: Arc<Cib>, before: &Self) -> Self {
        let same = Arc::ptr_eq(&cib, &before.cib);
        let derived = if same { Arc::clone(&before.derived) } else { Arc::default() };
        Self { report, cib, derived }
    }

    /// The facts without what is wrong or doubtful in the configuration: at no cost.
    pub(crate) const fn facts(&self) -> &Report {
        &self.report
    }

    /// Everything that people should know. May take a while the first time: not for threads that others wait for.
    pub(crate) fn report(&self) -> Report {
        let findings = self.derived.findings.get_or_init(|| self.report.configuration_problems(&self.cib));
        let mut report = self.report.clone();
        report.problems.extend(findings.iter().cloned());
        report.problems.sort_by_key(|problem| problem.severity);
        report
    }

    /// How nodes and resources stand, as JSON. Runs the scheduler's reading of the state the first time: only inside a
    /// time budget.
    pub(crate) fn view(&self, wall: WallTime) -> serde_json::Value {
        let view = self.derived.view.get_or_init(|| {
            // A view is plain data.
            serde_json::to_value(hac_scheduler::view(&self.cib, wall)).unwrap_or_default()
        });
        view.clone()
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
