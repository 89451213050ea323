//! What would happen: the report of `crm_simulate -S` about a CIB, and the graph in Pacemaker's two forms.
//!
//! The scheduler decides, every action of its plan is then taken to succeed, and the status that follows is read anew.

mod apply;
mod clock;
mod execute;
mod graph;
mod ids;
mod stuck;
mod summary;

#[cfg(test)]
mod tests;

use hac_model::Cib;
use hac_scheduler::{ClusterView, Drawing, Outcome};

pub use hac_scheduler::Extras;
use time::OffsetDateTime;

pub use clock::Clock;
pub use stuck::Stuck;

use crate::standing::{Show, node_list, resource_list};
use crate::text::Lines;

/// A decision with what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// What the scheduler found out.
    pub outcome: Outcome,
    /// Indexes of the plan's actions in the order in which they were carried out.
    pub executed: Vec<usize>,
    /// The state once all of them had succeeded, and how it stands.
    pub after: Option<(Cib, ClusterView)>,
    clock: Clock,
    recorded: Option<i64>,
    names: ids::Names,
}

/// Decides about `cib`; carries the plan out unless `schedule_only`.
#[must_use]
pub fn simulate(cib: &Cib, clock: &Clock, schedule_only: bool) -> Simulation {
    simulate_with(cib, clock, schedule_only, Extras::default())
}

/// The same, with what else is asked for.
#[must_use]
pub fn simulate_with(cib: &Cib, clock: &Clock, schedule_only: bool, extras: Extras) -> Simulation {
    let outcome = hac_scheduler::run_with(cib, clock.time_for(cib), extras);
    if schedule_only { Simulation::of(cib, outcome, clock) } else { carry_out(cib, outcome, clock) }
}

/// Carries out what was decided about `cib`.
#[must_use]
pub fn carry_out(cib: &Cib, outcome: Outcome, clock: &Clock) -> Simulation {
    let now = clock.time_for(cib);
    let mut simulation = Simulation::of(cib, outcome, clock);
    simulation.executed = execute::sweep(&simulation.outcome.plan);
    let after = apply::apply(cib, &simulation, now);
    let view = hac_scheduler::view(&after, now);
    simulation.after = Some((after, view));
    simulation
}

impl Simulation {
    /// A decision that is not carried out yet.
    fn of(cib: &Cib, outcome: Outcome, clock: &Clock) -> Self {
        let names = ids::Names::of(&outcome.view);
        let recorded = cib.info.execution_date;
        Self { outcome, executed: Vec::new(), after: None, clock: clock.clone(), recorded, names }
    }

    /// The report in `crm_simulate`'s words.
    #[must_use]
    pub fn report(&self) -> String {
        let mut lines = Lines::default();
        let note = self.clock_note();
        if let Some(note) = &note {
            lines.plain(note);
        }
        let view = &self.outcome.view;
        preamble(&mut lines, view);
        lines.plain("Current cluster status:");
        standing(&mut lines, view, true);
        lines.plain("");
        lines.plain("Transition Summary:");
        summary::summary(&mut lines, &self.outcome);
        if let Some((_, after)) = &self.after {
            lines.plain("");
            lines.plain("Executing Cluster Transition:");
            execute::execution(&mut lines, self);
            if let Some(note) = &note {
                lines.plain(note);
            }
            lines.plain("");
            lines.plain("Revised Cluster Status:");
            standing(&mut lines, after, false);
        }
        lines.finish()
    }

    /// The plan as Pacemaker's transition graph.
    #[must_use]
    pub fn graph_xml(&self, cib: &Cib) -> String {
        graph::xml(&self.outcome.plan, cib, &self.names)
    }

    /// The plan with what was blocked, as a graph for Graphviz; empty unless the drawing was asked for.
    #[must_use]
    pub fn dot(&self) -> String {
        let drawing: &Drawing = &self.outcome.drawing;
        graph::dot(drawing)
    }

    fn clock_note(&self) -> Option<String> {
        match (&self.clock, self.recorded) {
            (Clock::Given(_, words), _) => Some(format!("Setting effective cluster time: {words}")),
            (Clock::Present(_), Some(recorded)) => {
                let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
                let words = OffsetDateTime::from_unix_timestamp(recorded).ok().and_then(|t| t.format(&format).ok());
                words.map(|words| format!("Using the original execution date of: {words}"))
            }
            (Clock::Present(_), None) => None,
        }
    }
}

/// What stands before the first section when it matters.
fn preamble(lines: &mut Lines, view: &ClusterView) {
    if view.maintenance_mode {
        lines.plain("\u{20}             *** Resource management is DISABLED ***");
        lines.plain("  The cluster will not attempt to start, stop or recover services");
        lines.plain("");
    }
    if view.disabled > 0 || view.blocked > 0 {
        lines.plain(&format!(
            "{} of {} resource instances DISABLED and {} BLOCKED from further action due to failure",
            view.disabled, view.instances, view.blocked
        ));
        lines.plain("");
    }
}

fn standing(lines: &mut Lines, view: &ClusterView, pending: bool) {
    lines.item(1, "Node List:");
    node_list(lines, 2, view);
    lines.plain("");
    lines.item(1, "Full List of Resources:");
    let show = Show { view, pending, inactive: true, places: true };
    if !resource_list(lines, 2, show) {
        lines.item(2, "No resources");
    }
}
