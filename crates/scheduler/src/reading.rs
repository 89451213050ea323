//! The layer below all others: what the configuration says and what the status knows.
//!
//! [`config`] and [`status`] write it, and nobody after them: a fact stands in a [`Fact`](fact::Fact), which only this
//! module and those below it can write. What a failure or a lost node calls for is not done here, but asked of the graph.

pub(crate) mod config;
pub(crate) mod fact;
pub(crate) mod status;

use std::ops::{Deref, DerefMut};

use hac_model::{Cib, Task};
use hac_types::WallTime;

use crate::allowed::{Allowed, AllowedTable};
use crate::digests::Places;
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::known::Known;
use crate::requests::Requests;
use crate::scores::{Scores, Why};

/// What is to be written down of how scores come about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observe {
    /// The scores, as lines for people.
    pub(crate) lines: bool,
    /// Every change of a score with its influence.
    pub(crate) influences: bool,
}

/// What reading finds out: what is known, how scores begin, and what is asked of the graph.
pub(crate) struct Reading<'a> {
    /// Facts, and how things stand.
    pub(crate) known: Known<'a>,
    /// Which nodes each resource may run on, as far as configuration and status say.
    pub(crate) scores: Scores,
    /// What the status asks of the graph.
    pub(crate) requests: Requests,
}

/// Reads the configuration of `cib` as it holds at `now`, then its status.
pub(crate) fn read(cib: &Cib, now: WallTime, observe: Observe) -> Reading<'_> {
    let mut reading = config::read(cib, now, observe.lines);
    if observe.influences {
        reading.scores.explain();
    }
    status::read(&mut reading);
    reading
}

impl<'a> Deref for Reading<'a> {
    type Target = Known<'a>;

    fn deref(&self) -> &Known<'a> {
        &self.known
    }
}

impl DerefMut for Reading<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.known
    }
}

impl<'a> Places<'a> for Reading<'a> {
    fn known(&self) -> &Known<'a> {
        &self.known
    }

    fn place(&self, _rsc: RscIdx) -> Option<NodeIdx> {
        None
    }
}

impl Reading<'_> {
    /// A reason for changes of scores, worked out only in a run that is to be explained.
    fn because(&self, influence: impl FnOnce(&Self) -> Influence) -> Why {
        self.scores.because(|| influence(self))
    }

    /// Adds `points` for `node` (or all nodes) to a resource and all its parts.
    fn add_score(&mut self, rsc: RscIdx, node: Option<NodeIdx>, points: i32, why: &Why) {
        self.scores.spread(&self.known, rsc, node, points, why);
    }

    /// A table that bans all nodes.
    fn banned_everywhere(&self) -> AllowedTable {
        let mut table = AllowedTable::default();
        for node in self.nodes.keys() {
            let entry = self.nodes[node].table_entry;
            table.insert(node, Allowed { score: -hac_model::INFINITY, ..entry });
        }
        table
    }

    /// Whether `node` can be fenced from here.
    fn can_fence(&self, node: NodeIdx) -> bool {
        self.known.can_fence(&self.scores, node)
    }

    /// Marks a node as one to be fenced and asks for it.
    fn fence_node(&mut self, node: NodeIdx, reason: &str, delay: bool) {
        self.known.fence_node(&mut self.requests, node, reason, delay);
    }

    /// Asks for an action.
    fn ask_for(&mut self, rsc: RscIdx, task: Task, node: NodeIdx) {
        self.known.ask_for(&mut self.requests, rsc, task, node);
    }
}
