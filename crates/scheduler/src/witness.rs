//! A witness of how scores come about, present only in a run that is to be explained.
//!
//! After each influence a stage says whose it was ([`Cluster::note`]); what changed in the tables since the last such
//! remark is put down to it. So the parts of a score always add up to it, whatever the stages do.

use crate::influence::{Influence, Part, TieBreak};
use hac_model::INFINITY;

use super::cluster::{Cluster, Key as _, NodeIdx, RscIdx};
use super::options::Strategy;

/// What was seen so far, by resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    seen: Vec<Option<Seen>>,
}

/// What was seen of one resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Its table when it was last looked at, by node.
    table: Vec<Option<i32>>,
    /// What changed it, in order.
    pub(super) parts: Vec<(NodeIdx, Part)>,
    /// The last choice of a node.
    pub(super) choice: Option<Choice>,
    /// What has nothing where this could be.
    pub(super) withheld_by: Option<RscIdx>,
}

/// How a node was chosen for a primitive.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Available nodes with the same score.
    pub(super) equals: Vec<NodeIdx>,
    /// What decided among them; none if there was nothing to decide.
    pub(super) by: Option<TieBreak>,
}

/// What was seen of a resource and its parts, to go back to.
pub(super) type Mark = Vec<(RscIdx, Option<Seen>)>;

impl Witness {
    /// A witness of all that follows.
    pub(super) fn new(cluster: &Cluster<'_>) -> Self {
        let seen = cluster.rsc.keys().map(|rsc| Some(Seen { table: scores(cluster, rsc), ..Seen::default() }));
        Self { seen: seen.collect() }
    }

    /// What was seen of a resource.
    pub(super) fn of(&self, rsc: RscIdx) -> Option<&Seen> {
        self.seen.get(rsc.at())?.as_ref()
    }

    fn entry(&mut self, cluster: &Cluster<'_>, rsc: RscIdx) -> &mut Seen {
        if self.seen.len() <= rsc.at() {
            self.seen.resize(rsc.at() + 1, None);
        }
        // What was made since the beginning began with what its nodes say.
        self.seen[rsc.at()].get_or_insert_with(|| Seen { table: begin(cluster, rsc), ..Seen::default() })
    }

    /// Puts what changed in the table of a resource, and in those of its parts, down to `influence`.
    fn compare(&mut self, cluster: &Cluster<'_>, rsc: RscIdx, influence: &Influence) {
        let now = scores(cluster, rsc);
        let seen = self.entry(cluster, rsc);
        for (at, after) in now.iter().enumerate() {
            let before = seen.table.get(at).copied().flatten();
            if let Some(after) = *after
                && before.unwrap_or(0) != after
            {
                let part = Part { influence: influence.clone(), points: points(before.unwrap_or(0), after), after };
                seen.parts.push((NodeIdx::new(at), part));
            }
        }
        seen.table = now;
        for child in &cluster.rsc[rsc].children {
            self.compare(cluster, *child, influence);
        }
    }

    /// Adds a ban that changes nothing because there was one before.
    fn ban(&mut self, cluster: &Cluster<'_>, rsc: RscIdx, node: NodeIdx, influence: &Influence) {
        let seen = self.entry(cluster, rsc);
        let told = seen.parts.iter().any(|(at, part)| *at == node && part.influence == *influence);
        if !told && seen.table.get(node.at()).copied().flatten() == Some(-INFINITY) {
            let part = Part { influence: influence.clone(), points: -INFINITY, after: -INFINITY };
            seen.parts.push((node, part));
        }
        for child in &cluster.rsc[rsc].children {
            self.ban(cluster, *child, node, influence);
        }
    }
}

/// The scores in a resource's table, by node.
fn scores(cluster: &Cluster<'_>, rsc: RscIdx) -> Vec<Option<i32>> {
    let table = &cluster.rsc[rsc].allowed;
    cluster.nodes.keys().map(|node| table.get(node).map(|allowed| allowed.score)).collect()
}

/// The scores that a resource's table begins with.
fn begin(cluster: &Cluster<'_>, rsc: RscIdx) -> Vec<Option<i32>> {
    let table = &cluster.rsc[rsc].allowed;
    cluster.nodes.keys().map(|node| table.has(node).then(|| cluster.nodes[node].table_entry.score)).collect()
}

/// What must have been added to get from one score to another.
fn points(before: i32, after: i32) -> i32 {
    // Beyond infinity nothing is added: the score was set.
    if after.abs() >= INFINITY || before.abs() >= INFINITY { after } else { after - before }
}

impl Cluster<'_> {
    /// Puts what changed in the scores of `rsc` and its parts since the last remark down to an influence. Does nothing
    /// in a run that nobody wants explained.
    pub(super) fn note(&mut self, rsc: RscIdx, influence: impl FnOnce(&Self) -> Influence) {
        if let Some(mut witness) = self.witness.take() {
            witness.compare(self, rsc, &influence(self));
            self.witness = Some(witness);
        }
    }

    /// The same for an influence that bans `rsc` from a node, which is noted even if others did so before.
    pub(super) fn note_ban(&mut self, rsc: RscIdx, node: NodeIdx, influence: impl FnOnce(&Self) -> Influence) {
        if let Some(mut witness) = self.witness.take() {
            let influence = influence(self);
            witness.compare(self, rsc, &influence);
            witness.ban(self, rsc, node, &influence);
            self.witness = Some(witness);
        }
    }

    /// Notes between which nodes the choice for `rsc` was.
    pub(super) fn note_choice(&mut self, rsc: RscIdx, chosen: Option<NodeIdx>, prefer: Option<NodeIdx>) {
        if let Some(mut witness) = self.witness.take() {
            witness.entry(self, rsc).choice = chosen.map(|chosen| self.choice(rsc, chosen, prefer));
            self.witness = Some(witness);
        }
    }

    fn choice(&self, rsc: RscIdx, chosen: NodeIdx, prefer: Option<NodeIdx>) -> Choice {
        let table = &self.rsc[rsc].allowed;
        let equal = |node: &NodeIdx| {
            *node != chosen
                && self.node_available(*node)
                && table.has(*node)
                && table.score(*node) == table.score(chosen)
        };
        let equals: Vec<NodeIdx> = self.node_order.iter().copied().filter(equal).collect();
        let load = |node: NodeIdx| self.nodes[node].assigned;
        let by = if equals.is_empty() {
            None
        } else if self.rsc[rsc].active.contains(&chosen) {
            Some(TieBreak::Active)
        } else if prefer == Some(chosen) {
            Some(TieBreak::Preferred)
        } else if self.options.strategy != Strategy::Minimal && equals.iter().all(|node| load(*node) > load(chosen)) {
            Some(TieBreak::FewerResources)
        } else if self.options.strategy == Strategy::Balanced {
            Some(TieBreak::MoreRoom)
        } else {
            Some(TieBreak::Order)
        };
        Choice { equals, by }
    }

    /// Notes that `rsc` and its parts are nowhere because no part of `partner` goes with them.
    pub(super) fn note_withheld(&mut self, rsc: RscIdx, partner: RscIdx) {
        let Some(mut witness) = self.witness.take() else { return };
        witness.entry(self, rsc).withheld_by = Some(partner);
        self.witness = Some(witness);
        for child in self.rsc[rsc].children.clone() {
            self.note_withheld(child, partner);
        }
    }

    /// What was seen of `rsc` and its parts, to go back to when an attempt fails.
    pub(super) fn mark(&self, rsc: RscIdx) -> Mark {
        let Some(witness) = &self.witness else { return Mark::new() };
        let mut marked = vec![(rsc, witness.of(rsc).cloned())];
        for child in &self.rsc[rsc].children {
            marked.extend(self.mark(*child));
        }
        marked
    }

    /// Forgets what was seen since `mark`.
    pub(super) fn go_back(&mut self, mark: &Mark) {
        let Some(witness) = &mut self.witness else { return };
        for (rsc, seen) in mark {
            if let Some(slot) = witness.seen.get_mut(rsc.at()) {
                slot.clone_from(seen);
            }
        }
    }
}
