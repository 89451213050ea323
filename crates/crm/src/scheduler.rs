//! The scheduler: from a CIB and a time to a plan, as Pacemaker's scheduler would decide.
//!
//! It is a pure function; the live daemon and the simulator call the same one.

mod action;
mod actions;
mod arena;
mod assign;
mod builtin;
mod cluster;
mod config;
mod constraints;
mod digests;
mod fencing;
mod graph;
mod limits;
mod lookup;
mod notify;
mod options;
mod ordering;
mod params;
mod placement;
mod probes;
mod remote;
mod rules;
mod score;
mod status;
pub mod view;

use hac_types::WallTime;

use crate::model::Cib;
use crate::plan::Plan;

pub use digests::digest;
pub use view::{ClusterView, Role};

/// Everything that one run of the scheduler finds out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What to do.
    pub plan: Plan,
    /// How things stand, as read from the status before anything is decided.
    pub view: ClusterView,
    /// Every action that was considered, those that cannot be carried out among them, for drawing.
    pub drawing: Drawing,
    /// Assignment scores, one line each (`RESOURCE allocation score on NODE: SCORE`).
    pub scores: Vec<String>,
}

/// The action graph with what was blocked, for people who look for the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    /// The actions, in order of creation.
    pub actions: Vec<DrawnAction>,
    /// Edges between them: (before, after, is it in the plan).
    pub edges: Vec<(usize, usize, bool)>,
}

/// One action of a [`Drawing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnAction {
    /// Its key, and the node after a blank where it has one.
    pub name: String,
    /// It is in the plan (else it cannot be carried out or is not needed).
    pub planned: bool,
    /// It is needed but cannot be carried out.
    pub blocked: bool,
    /// A milestone, not work.
    pub pseudo: bool,
}

/// Decides what to do about `cib` at `now`.
#[must_use]
pub fn schedule(cib: &Cib, now: WallTime) -> Plan {
    run(cib, now).plan
}

/// How things stand in `cib` at `now`.
#[must_use]
pub fn view(cib: &Cib, now: WallTime) -> ClusterView {
    let mut cluster = config::read(cib, now, false);
    status::read(&mut cluster);
    view::build(&cluster)
}

/// Decides and tells all that was found out on the way.
#[must_use]
pub fn run(cib: &Cib, now: WallTime) -> Outcome {
    decide(cib, now, false)
}

/// The same, with the scores of all resources on all nodes.
#[must_use]
pub fn run_with_scores(cib: &Cib, now: WallTime) -> Outcome {
    decide(cib, now, true)
}

/// All stages in order.
fn decide(cib: &Cib, now: WallTime, scores: bool) -> Outcome {
    let mut cluster = config::read(cib, now, scores);
    status::read(&mut cluster);
    let view = view::build(&cluster);
    placement::health::constrain(&mut cluster);
    constraints::read(&mut cluster);
    placement::run(&mut cluster);
    builtin::run(&mut cluster);
    params::run(&mut cluster);
    assign::run(&mut cluster);
    params::run_deferred(&mut cluster);
    probes::run(&mut cluster);
    params::forgive_removed(&mut cluster);
    actions::run(&mut cluster);
    remote::run(&mut cluster);
    fencing::schedule::run(&mut cluster);
    ordering::run(&mut cluster);
    notify::run(&mut cluster);
    let exceeded = cluster.limits.warnings();
    cluster.warnings.extend(exceeded);
    let plan = graph::plan(&mut cluster);
    let drawing = graph::draw(&mut cluster);
    Outcome { plan, view, drawing, scores: cluster.scores.unwrap_or_default() }
}
