//! The scheduler: from a CIB and a time to a plan, as Pacemaker's scheduler would decide.
//!
//! It is a pure function; the live daemon and the simulator call the same one.
//!
//! * [`schedule`] and its like turn a CIB into a [`plan`]; [`plan::check`] reads a plan a second time.
//! * [`view`](mod@view) is how things stand, for people.
//! * [`explain`](mod@explain) tells why it decided so, as values and in sentences.
//!
//! Nothing here reads a clock, a socket or a file.

mod action;
mod actions;
mod allowed;
mod arena;
mod assign;
mod conditions;
mod configured;
mod constraints;
mod convert;
mod digests;
mod drawing;
pub mod explain;
mod facts;
mod fencing;
mod graph;
mod ids;
mod index;
mod influence;
mod known;
mod limits;
mod lookup;
mod names;
mod notify;
mod options;
mod ordering;
mod params;
mod placement;
pub mod plan;
mod probes;
mod reading;
pub mod relations;
mod remote;
mod requests;
mod rules;
mod score;
mod scores;
pub mod view;
mod viewing;
mod weigh;
mod witness;

use std::collections::BTreeMap;

use hac_model::{Cib, NvSet};
use hac_types::WallTime;

use graph::Graph;
use placement::Placement;
use plan::Plan;
use reading::{Observe, Reading};

pub use digests::{digest, restart_digest, secure_digest};
pub use drawing::{Drawing, DrawnAction};
pub use fencing::devices::levels as fence_levels;
pub use names::base_name;
pub use view::{ClusterView, Role};

/// Blocks of names and values with what they refer to in its place, as [`values`] reads them.
#[must_use]
pub fn resolved(cib: &Cib, blocks: &[NvSet]) -> Vec<NvSet> {
    index::Index::new(cib).sets(blocks)
}

/// What blocks without references say at `now`, as far as that depends on no node and no resource.
#[must_use]
pub fn values(blocks: &[NvSet], now: WallTime) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let given = conditions::Given { now: now.as_secs(), ..conditions::Given::default() };
    conditions::read_blocks(blocks, None, &given, &mut values);
    values
}

/// Everything that one run of the scheduler finds out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What to do.
    pub plan: Plan,
    /// How things stand, as read from the status before anything is decided.
    pub view: ClusterView,
    /// Every action that was considered, those that cannot be carried out among them, if asked for.
    pub drawing: Drawing,
    /// Assignment scores, one line each (`RESOURCE allocation score on NODE: SCORE`), if asked for.
    pub scores: Vec<String>,
}

/// What a run tells only if asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The scores of all resources on all nodes.
    pub scores: bool,
    /// The action graph with what was blocked.
    pub drawing: bool,
}

/// Whether a text is a moment, as rules name it.
#[must_use]
pub fn is_moment(text: &str) -> bool {
    conditions::parse_date(text).is_some()
}

/// Decides what to do about `cib` at `now`; the same as the plan of [`run`], without the telling.
#[must_use]
pub fn schedule(cib: &Cib, now: WallTime) -> Plan {
    decide(reading::read(cib, now, Observe::default())).1
}

/// How things stand in `cib` at `now`.
#[must_use]
pub fn view(cib: &Cib, now: WallTime) -> ClusterView {
    viewing::build(&reading::read(cib, now, Observe::default()))
}

/// Decides and tells what was found out on the way.
#[must_use]
pub fn run(cib: &Cib, now: WallTime) -> Outcome {
    run_with(cib, now, Extras::default())
}

/// The same, with what is asked for.
#[must_use]
pub fn run_with(cib: &Cib, now: WallTime, extras: Extras) -> Outcome {
    let reading = reading::read(cib, now, Observe { lines: extras.scores, influences: false });
    let view = viewing::build(&reading);
    let (mut graph, plan) = decide(reading);
    let drawing = if extras.drawing { convert::draw(&mut graph) } else { Drawing::default() };
    Outcome { plan, view, drawing, scores: graph.into_lines() }
}

/// All other stages, in order. Each is handed what it may write, and reads the rest.
fn decide(reading: Reading<'_>) -> (Graph<'_>, Plan) {
    let Reading { known, scores, mut requests } = reading;
    let rules = constraints::unpack(&known, &scores, &mut requests);
    let mut placement = Placement::begin(known, rules, scores);
    weigh::run(&mut placement, &mut requests);
    let implied = constraints::imply(&placement, &placement.scores, &mut requests);
    placement.imply(implied);
    weigh::by_nature(&mut placement);
    let fence_devices = fencing::devices::usable(&placement);

    let mut graph = Graph::begin(placement, &requests);
    params::run(&mut graph);
    let (placement, draft) = graph.set_aside();
    let mut graph = draft.resume(assign::run(placement));
    params::run_deferred(&mut graph, &requests);
    probes::run(&mut graph);
    params::forgive_removed(&mut graph);
    actions::run(&mut graph);
    remote::run(&mut graph);
    fencing::schedule::run(&mut graph);
    let mut graph = ordering::run(graph);
    notify::run(&mut graph);
    remote::announce_maintenance(&mut graph);
    let plan = convert::plan(&mut graph);
    (graph, Plan { fence_devices, ..plan })
}
