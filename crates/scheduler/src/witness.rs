//! A witness of how scores come about, present only in a run that is to be explained.
//!
//! [`Scores`](crate::scores::Scores) reports every change to it, with the influence that made it; so the parts of a
//! score always add up to it, whatever the stages do.

use std::cell::Cell;

use hac_model::INFINITY;

use crate::arena::Key as _;
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::{Influence, Part, TieBreak};

/// What was seen so far, by resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    seen: Vec<Seen>,
    /// Number of the last cause.
    causes: Cell<u64>,
}

/// What was seen of one resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// What changed its scores, in order.
    changes: Vec<Change>,
    /// The last choice of a node.
    pub(crate) choice: Option<Choice>,
    /// What has nothing where this could be.
    pub(crate) withheld_by: Option<RscIdx>,
}

/// One change of a score.
#[derive(Clone, Debug)]
struct Change {
    node: NodeIdx,
    /// Number of its cause.
    serial: u64,
    influence: Influence,
    before: i32,
    after: i32,
}

/// Why a score changes. The influence is worked out only in a run that is to be explained.
#[derive(Clone, Debug)]
pub(crate) struct Because {
    /// Changes of one cause to one score count as one.
    pub(crate) serial: u64,
    /// The influence.
    pub(crate) influence: Influence,
}

/// How a node was chosen for a primitive.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Available nodes with the same score.
    pub(crate) equals: Vec<NodeIdx>,
    /// What decided among them; none if there was nothing to decide.
    pub(crate) by: Option<TieBreak>,
}

impl Witness {
    /// The number of one more cause.
    pub(crate) fn serial(&self) -> u64 {
        let serial = self.causes.get() + 1;
        self.causes.set(serial);
        serial
    }

    /// What was seen of a resource.
    pub(crate) fn of(&self, rsc: RscIdx) -> Option<&Seen> {
        self.seen.get(rsc.at())
    }

    /// The same, to add to it.
    pub(crate) fn entry(&mut self, rsc: RscIdx) -> &mut Seen {
        if self.seen.len() <= rsc.at() {
            self.seen.resize(rsc.at() + 1, Seen::default());
        }
        &mut self.seen[rsc.at()]
    }

    /// Forgets what was seen of a resource since `seen`.
    pub(crate) fn go_back(&mut self, rsc: RscIdx, seen: Option<Seen>) {
        *self.entry(rsc) = seen.unwrap_or_default();
    }

    /// Puts a change down to its cause. What one cause does to one score is one change.
    pub(crate) fn record(&mut self, rsc: RscIdx, node: NodeIdx, before: Option<i32>, after: i32, why: &Because) {
        let before = before.unwrap_or(0);
        if before == after {
            return;
        }
        let changes = &mut self.entry(rsc).changes;
        let last = changes.iter().rposition(|change| change.node == node);
        match last.filter(|at| changes[*at].serial == why.serial) {
            Some(at) if changes[at].before == after => drop(changes.remove(at)),
            Some(at) => changes[at].after = after,
            None => {
                changes.push(Change { node, serial: why.serial, influence: why.influence.clone(), before, after });
            }
        }
    }

    /// Adds a ban that changes nothing because there was one before.
    pub(crate) fn ban(&mut self, rsc: RscIdx, node: NodeIdx, why: &Because) {
        let changes = &mut self.entry(rsc).changes;
        if !changes.iter().any(|change| change.node == node && change.influence == why.influence) {
            let influence = why.influence.clone();
            changes.push(Change { node, serial: why.serial, influence, before: -INFINITY, after: -INFINITY });
        }
    }
}

impl Seen {
    /// What a score is made of.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (NodeIdx, Part)> + '_ {
        self.changes.iter().map(|change| {
            let points = points(change.before, change.after);
            (change.node, Part { influence: change.influence.clone(), points, after: change.after })
        })
    }

    /// Whether something of this kind had a part in any score.
    pub(crate) fn has(&self, kind: impl Fn(&Influence) -> bool) -> bool {
        self.changes.iter().any(|change| kind(&change.influence))
    }
}

/// What must have been added to get from one score to another.
fn points(before: i32, after: i32) -> i32 {
    // Beyond infinity nothing is added: the score was set.
    if after.abs() >= INFINITY || before.abs() >= INFINITY { after } else { after - before }
}
