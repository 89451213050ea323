//! The scores: which nodes each resource may run on, and how much it wants to be on each.
//!
//! Nothing but this module changes a score, and every change names its influence: what a score is made of is written
//! down in the moment it is made, if somebody wants it explained ([`Because`]).

use hac_model::INFINITY;

use crate::allowed::{Allowed, AllowedTable, Discovery};
use crate::arena::Arena;
use crate::ids::{NodeIdx, RscIdx};
use crate::influence::Influence;
use crate::known::Known;
use crate::witness::{Because, Choice, Seen, Witness};

/// The tables of all resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scores {
    tables: Arena<RscIdx, Table>,
    /// Assignment scores for people, if wanted.
    lines: Option<Vec<String>>,
    /// How scores come about, if wanted.
    witness: Option<Witness>,
}

/// What is said of one resource.
#[derive(Clone, Debug, Default)]
struct Table {
    allowed: AllowedTable,
    /// It may be looked for only where a constraint says so.
    exclusive: bool,
}

/// The reason for a change; `None` in a run that nobody wants explained. Made by [`Scores::because`] alone.
#[derive(Clone, Debug)]
pub(crate) struct Why(Option<Because>);

/// Tables as they were before an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Saved(Vec<(RscIdx, AllowedTable, Option<Seen>)>);

impl Scores {
    /// No resources yet; with `lines` the scores are also written down for people.
    pub(crate) fn new(lines: bool) -> Self {
        Self { lines: lines.then(Vec::new), ..Self::default() }
    }

    /// From now on every change is written down with its influence.
    pub(crate) fn explain(&mut self) {
        self.witness = Some(Witness::default());
    }

    /// Whether changes are written down with their influences.
    pub(crate) const fn is_explained(&self) -> bool {
        self.witness.is_some()
    }

    /// A reason for changes.
    pub(crate) fn because(&self, influence: impl FnOnce() -> Influence) -> Why {
        let because = |witness: &Witness| Because { serial: witness.serial(), influence: influence() };
        Why(self.witness.as_ref().map(because))
    }

    /// One more resource, which may run nowhere so far.
    pub(crate) fn add_resource(&mut self) {
        self.tables.push(Table::default());
    }

    /// The table of a resource.
    pub(crate) fn of(&self, rsc: RscIdx) -> &AllowedTable {
        &self.tables[rsc].allowed
    }

    /// Whether a resource may be looked for only where a constraint says so.
    pub(crate) fn is_exclusive(&self, rsc: RscIdx) -> bool {
        self.tables[rsc].exclusive
    }

    /// A resource may be looked for only where a constraint says so.
    pub(crate) fn make_exclusive(&mut self, rsc: RscIdx) {
        self.tables[rsc].exclusive = true;
    }

    /// What a table says of a node before anything has an influence on it.
    pub(crate) fn begin(&mut self, rsc: RscIdx, node: NodeIdx, allowed: Allowed) {
        self.tables[rsc].allowed.insert(node, allowed);
    }

    /// Takes back how a table began.
    pub(crate) fn begin_anew(&mut self, rsc: RscIdx) {
        self.tables[rsc].allowed.clear();
    }

    /// Adds points for a node; a node that is missing gets `entry` first.
    pub(crate) fn add_or_insert(&mut self, rsc: RscIdx, node: NodeIdx, entry: Allowed, points: i32, why: &Why) {
        self.change(rsc, node, why, |table| {
            if !table.has(node) {
                table.insert(node, entry);
            }
            table.add(node, points);
        });
    }

    /// Adds points for a node that is there.
    pub(crate) fn add(&mut self, rsc: RscIdx, node: NodeIdx, points: i32, why: &Why) {
        self.change(rsc, node, why, |table| table.add(node, points));
    }

    /// Adds `points` for `node` (or all nodes) to a resource and all its parts.
    pub(crate) fn spread(&mut self, known: &Known<'_>, rsc: RscIdx, node: Option<NodeIdx>, points: i32, why: &Why) {
        let nodes = node.as_ref().map_or(&known.node_order[..], std::slice::from_ref);
        self.spread_on(known, rsc, nodes, points, why);
        if node.is_none() && points <= -INFINITY {
            // Bundle nodes that only their own may use are in the list too; nothing is left that could be used.
            self.ban_all(rsc, why);
        }
    }

    fn spread_on(&mut self, known: &Known<'_>, rsc: RscIdx, nodes: &[NodeIdx], points: i32, why: &Why) {
        for child in &known.rsc[rsc].children {
            self.spread_on(known, *child, nodes, points, why);
        }
        for node in nodes {
            self.add_or_insert(rsc, *node, known.nodes[*node].table_entry, points, why);
        }
    }

    /// Sets the score of a node that is there.
    pub(crate) fn set(&mut self, rsc: RscIdx, node: NodeIdx, points: i32, why: &Why) {
        self.change(rsc, node, why, |table| {
            if let Some(allowed) = table.get_mut(node) {
                allowed.score = points;
            }
        });
    }

    /// Forbids all nodes that are there.
    pub(crate) fn ban_all(&mut self, rsc: RscIdx, why: &Why) {
        let mut table = self.of(rsc).clone();
        table.set_all(-INFINITY);
        self.replace(rsc, table, why);
    }

    /// Puts another table in the place of a resource's.
    pub(crate) fn replace(&mut self, rsc: RscIdx, table: AllowedTable, why: &Why) {
        let before = std::mem::replace(&mut self.tables[rsc].allowed, table);
        if let (Some(witness), Some(because)) = (&mut self.witness, &why.0) {
            let after = &self.tables[rsc].allowed;
            for node in after.nodes() {
                witness.record(rsc, node, before.get(node).map(|allowed| allowed.score), after.score(node), because);
            }
        }
    }

    /// A resource may be looked for on a node only as `discovery` says, if that is stricter than what was said.
    pub(crate) fn restrict_discovery(&mut self, rsc: RscIdx, node: NodeIdx, discovery: Discovery) {
        let table = &mut self.tables[rsc];
        if let Some(allowed) = table.allowed.get_mut(node)
            && allowed.discovery < discovery
        {
            allowed.discovery = discovery;
            table.exclusive |= discovery == Discovery::Exclusive;
        }
    }

    /// Takes a node out of a table after the assignment: nothing of the resource is looked for there.
    pub(crate) fn forget(&mut self, rsc: RscIdx, node: NodeIdx) {
        self.tables[rsc].allowed.remove(node);
    }

    /// One more instance is on a node.
    pub(crate) fn count(&mut self, rsc: RscIdx, node: NodeIdx) {
        if let Some(allowed) = self.tables[rsc].allowed.get_mut(node) {
            allowed.count += 1;
        }
    }

    /// No instance is anywhere.
    pub(crate) fn reset_counts(&mut self, rsc: RscIdx) {
        self.tables[rsc].allowed.reset_counts();
    }

    /// Saves the tables of these resources before an attempt.
    pub(crate) fn save(&self, resources: &[RscIdx]) -> Saved {
        let seen = |rsc: RscIdx| self.witness.as_ref().and_then(|witness| witness.of(rsc)).cloned();
        Saved(resources.iter().map(|rsc| (*rsc, self.of(*rsc).clone(), seen(*rsc))).collect())
    }

    /// Puts saved tables back: the attempt never was.
    pub(crate) fn restore(&mut self, saved: &Saved) {
        for (rsc, table, seen) in &saved.0 {
            self.tables[*rsc].allowed.clone_from(table);
            if let Some(witness) = &mut self.witness {
                witness.go_back(*rsc, seen.clone());
            }
        }
    }

    fn change(&mut self, rsc: RscIdx, node: NodeIdx, why: &Why, change: impl FnOnce(&mut AllowedTable)) {
        let table = &mut self.tables[rsc].allowed;
        let before = table.get(node).map(|allowed| allowed.score);
        change(table);
        if let (Some(witness), Some(because)) = (&mut self.witness, &why.0)
            && let Some(after) = self.tables[rsc].allowed.get(node)
        {
            witness.record(rsc, node, before, after.score, because);
        }
    }
}

impl Scores {
    /// What was seen of a resource, in a run that is to be explained.
    pub(crate) fn seen(&self, rsc: RscIdx) -> Option<&Seen> {
        self.witness.as_ref()?.of(rsc)
    }

    /// Writes down a ban that changed nothing because there was one before.
    pub(crate) fn note_ban(&mut self, rsc: RscIdx, node: NodeIdx, why: &Why) {
        if let (Some(witness), Some(because)) = (&mut self.witness, &why.0)
            && self.tables[rsc].allowed.get(node).is_some_and(|allowed| allowed.score == -INFINITY)
        {
            witness.ban(rsc, node, because);
        }
    }

    /// Writes down between which nodes the last choice for a resource was.
    pub(crate) fn note_choice(&mut self, rsc: RscIdx, choice: Option<Choice>) {
        if let Some(witness) = &mut self.witness {
            witness.entry(rsc).choice = choice;
        }
    }

    /// Writes down that a resource is nowhere because no part of `partner` goes with it.
    pub(crate) fn note_withheld(&mut self, rsc: RscIdx, partner: RscIdx) {
        if let Some(witness) = &mut self.witness {
            witness.entry(rsc).withheld_by = Some(partner);
        }
    }

    /// Whether people want the scores as lines.
    pub(crate) const fn has_lines(&self) -> bool {
        self.lines.is_some()
    }

    /// A line for people, if they want them.
    pub(crate) fn line(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }

    /// The lines for people.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key as _;
    use crate::influence::Part;

    const POINTS: i32 = 5;

    fn explained() -> (Scores, RscIdx, NodeIdx) {
        let (mut scores, rsc, node) = (Scores::new(false), RscIdx::new(0), NodeIdx::new(0));
        scores.explain();
        scores.add_resource();
        scores.begin(rsc, node, Allowed::default());
        (scores, rsc, node)
    }

    fn parts(scores: &Scores, rsc: RscIdx) -> Vec<Part> {
        scores.seen(rsc).into_iter().flat_map(Seen::parts).map(|(_, part)| part).collect()
    }

    #[test]
    fn what_one_cause_does_to_one_score_is_one_part() {
        let (mut scores, rsc, node) = explained();
        let why = scores.because(|| Influence::Stickiness);
        scores.add(rsc, node, POINTS, &why);
        scores.add(rsc, node, POINTS, &why);
        let again = scores.because(|| Influence::Stickiness);
        scores.add(rsc, node, 1, &again);
        let part = |points, after| Part { influence: Influence::Stickiness, points, after };
        assert_eq!(parts(&scores, rsc), [part(2 * POINTS, 2 * POINTS), part(1, 2 * POINTS + 1)]);
    }

    #[test]
    fn a_cause_that_takes_its_change_back_has_no_part() {
        let (mut scores, rsc, node) = explained();
        let before = scores.of(rsc).clone();
        let why = scores.because(|| Influence::Capacity);
        scores.add(rsc, node, -INFINITY, &why);
        scores.replace(rsc, before, &why);
        assert_eq!(parts(&scores, rsc), []);
    }

    #[test]
    fn an_attempt_that_is_restored_leaves_neither_score_nor_part() {
        let (mut scores, rsc, node) = explained();
        let saved = scores.save(&[rsc]);
        let why = scores.because(|| Influence::Promotion);
        scores.add(rsc, node, POINTS, &why);
        scores.restore(&saved);
        assert_eq!((scores.of(rsc).score(node), parts(&scores, rsc)), (0, Vec::new()));
    }

    #[test]
    fn a_reason_is_worked_out_only_in_a_run_that_is_explained() {
        let asked = std::cell::Cell::new(false);
        let why = Scores::new(true).because(|| {
            asked.set(true);
            Influence::Health
        });
        assert!(why.0.is_none() && !asked.get());
    }
}
