//! The placement: which resource goes where, and what that makes of nodes.
//!
//! It stands on what is known, whose standing it may revise, and on the rules, which it only reads. The stages
//! [`weigh`](crate::weigh) and [`assign`](crate::assign) write it; afterwards it is read through the graph.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use crate::action::Ordering;
use crate::allowed::{Allowed, AllowedTable};
use crate::arena::{Arena, Key as _};
use crate::digests::Places;
use crate::ids::{ColIdx, LocIdx, NodeIdx, ReqIdx, RscIdx};
use crate::influence::Influence;
use crate::known::Known;
use crate::limits::Limits;
use crate::rules::{self, Colocation, Rules, Sort};
use crate::score;
use crate::scores::{Scores, Why};

/// Where everything goes.
pub(crate) struct Placement<'a> {
    known: Known<'a>,
    rules: Rules,
    /// Which nodes each resource may run on, and how much it wants to.
    pub(crate) scores: Scores,
    /// Where each resource will be.
    pub(crate) placed: Arena<RscIdx, Placed>,
    /// What each node carries.
    pub(crate) load: Arena<NodeIdx, Load>,
    /// What the assignment may still cost.
    pub(crate) limits: Limits,
    /// What turned out to have no node: whatever is to start it cannot.
    pub(crate) given_up: Vec<RscIdx>,
    /// Colocations that follow from where something was placed, and the lists of those concerned.
    late: Vec<Colocation>,
    late_lists: BTreeMap<(RscIdx, Sort), Vec<ColIdx>>,
}

/// Where a resource will be.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Where it will be.
    pub(crate) assigned: Option<NodeIdx>,
    /// Its score there when that was decided.
    pub(crate) assigned_score: i32,
    /// Not yet assigned.
    pub(crate) unassigned: bool,
    /// Being assigned.
    pub(crate) assigning: bool,
    /// Its scores are being added somewhere (cuts recursion).
    pub(crate) updating_nodes: bool,
    /// How much it wants to be promoted (instances), or the priority borrowed for it.
    pub(crate) promotion_priority: i32,
    /// Clones: promotion scores were added to the instances' tables.
    pub(crate) promotion_added: bool,
    /// Clones: roles are being, or were, chosen.
    pub(crate) choosing_roles: bool,
}

/// What a node carries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    /// Capacity left.
    pub(crate) room: BTreeMap<String, i64>,
    /// Number of resources assigned to it in this run.
    pub(crate) resources: usize,
}

impl Default for Placed {
    fn default() -> Self {
        Self {
            assigned: None,
            assigned_score: 0,
            unassigned: true,
            assigning: false,
            updating_nodes: false,
            promotion_priority: 0,
            promotion_added: false,
            choosing_roles: false,
        }
    }
}

impl<'a> Deref for Placement<'a> {
    type Target = Known<'a>;

    fn deref(&self) -> &Known<'a> {
        &self.known
    }
}

impl DerefMut for Placement<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.known
    }
}

impl<'a> Placement<'a> {
    /// Nothing is placed yet.
    pub(crate) fn begin(known: Known<'a>, rules: Rules, scores: Scores) -> Self {
        let (mut placed, mut load) = (Arena::default(), Arena::default());
        for _ in known.rsc.keys() {
            placed.push(Placed::default());
        }
        for node in known.nodes.iter() {
            load.push(Load { room: node.capacity.clone(), resources: 0 });
        }
        Self {
            known,
            rules,
            scores,
            placed,
            load,
            limits: Limits::default(),
            given_up: Vec::new(),
            late: Vec::new(),
            late_lists: BTreeMap::new(),
        }
    }

    /// The rules.
    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Adds the rules that follow from what resources are.
    pub(crate) fn imply(&mut self, implied: Rules) {
        self.rules.append(&self.known, implied);
    }

    /// Hands the orderings over to the graph.
    pub(crate) fn take_orderings(&mut self) -> Vec<Ordering<ReqIdx>> {
        self.rules.take_orderings()
    }

    /// A colocation.
    pub(crate) fn colocation(&self, idx: ColIdx) -> &Colocation {
        let ruled = self.rules.colocations();
        match idx.at().checked_sub(ruled.len()) {
            Some(late) => &self.late[late],
            None => &ruled[idx],
        }
    }

    /// Colocations in which a resource is the dependent (`ByPrimary`) or the primary, sorted.
    pub(crate) fn colocations_of(&self, rsc: RscIdx, sort: Sort) -> &[ColIdx] {
        self.late_lists.get(&(rsc, sort)).map_or_else(|| self.rules.with(rsc, sort), Vec::as_slice)
    }

    /// Puts a colocation at its place in a list.
    pub(crate) fn insert(&self, list: &mut Vec<ColIdx>, idx: ColIdx, sort: Sort) {
        rules::insert(&self.known, |idx| self.colocation(idx), list, idx, sort);
    }

    /// Adds a colocation that follows from where something was placed.
    pub(crate) fn add_colocation(&mut self, colocation: Colocation) {
        let (dependent, primary) = (colocation.dependent, colocation.primary);
        if dependent == primary {
            return;
        }
        let idx = ColIdx::new(self.rules.colocations().len() + self.late.len());
        self.late.push(colocation);
        for (rsc, sort) in [(dependent, Sort::ByPrimary), (primary, Sort::ByDependent)] {
            let mut list = self.colocations_of(rsc, sort).to_vec();
            self.insert(&mut list, idx, sort);
            self.late_lists.insert((rsc, sort), list);
        }
    }

    /// Takes what a resource needs from a node (`sign` -1), or gives it back (1).
    pub(crate) fn change_room(&mut self, rsc: RscIdx, node: NodeIdx, sign: i64) {
        for (name, amount) in &self.known.rsc[rsc].utilization {
            if let Some(left) = self.load[node].room.get_mut(name) {
                *left += sign * amount;
            }
        }
    }
}

impl<'a> Places<'a> for Placement<'a> {
    fn known(&self) -> &Known<'a> {
        &self.known
    }

    fn place(&self, rsc: RscIdx) -> Option<NodeIdx> {
        self.placed[rsc].assigned
    }
}

/// Scores, and the reasons for their changes.
impl Placement<'_> {
    /// A reason for changes of scores, worked out only in a run that is to be explained.
    pub(crate) fn because(&self, influence: impl FnOnce(&Self) -> Influence) -> Why {
        self.scores.because(|| influence(self))
    }

    /// Adds `points` for `node` (or all nodes) to a resource and all its parts.
    pub(crate) fn add_score(&mut self, rsc: RscIdx, node: Option<NodeIdx>, points: i32, why: &Why) {
        self.scores.spread(&self.known, rsc, node, points, why);
    }

    /// Writes down a ban of a resource and its parts that changed nothing because there was one before.
    pub(crate) fn note_ban(&mut self, rsc: RscIdx, node: NodeIdx, why: &Why) {
        self.scores.note_ban(rsc, node, why);
        for child in self.rsc[rsc].children.clone() {
            self.note_ban(child, node, why);
        }
    }

    /// Writes the table of `rsc` and those of its parts down, if people want scores.
    pub(crate) fn note_scores(&mut self, rsc: RscIdx) {
        if !self.scores.has_lines() || self.rsc[rsc].is.removed {
            return;
        }
        for child in self.rsc[rsc].children.clone() {
            self.note_scores(child);
        }
        for node in self.node_order.clone() {
            if let Some(allowed) = self.scores.of(rsc).get(node) {
                let points = score::text(allowed.score);
                let (id, name) = (&self.known.rsc[rsc].id, &self.known.nodes[node].name);
                self.scores.line(|| format!("{id} allocation score on {name}: {points}"));
            }
        }
    }

    /// Applies a location to one table; without `scores` only its nodes and discovery mode.
    pub(crate) fn add_location(&mut self, rsc: RscIdx, location: LocIdx, scores: bool, why: &Why) {
        if !self.location_counts(rsc, location) {
            return;
        }
        let location = &self.rules.locations()[location];
        for (node, points) in &location.nodes {
            let points = if scores { *points } else { 0 };
            let entry = Allowed { score: 0, ..self.known.nodes[*node].table_entry };
            self.scores.add_or_insert(rsc, *node, entry, points, why);
            self.scores.restrict_discovery(rsc, *node, location.discovery);
        }
    }

    /// A copy of a resource's table with the scores of these locations in it.
    pub(crate) fn with_locations(&self, rsc: RscIdx, locations: &[LocIdx]) -> AllowedTable {
        let mut table = self.scores.of(rsc).clone();
        for location in locations.iter().filter(|location| self.location_counts(rsc, **location)) {
            for (node, points) in &self.rules.locations()[*location].nodes {
                if !table.has(*node) {
                    table.insert(*node, Allowed { score: 0, ..self.known.nodes[*node].table_entry });
                }
                table.add(*node, *points);
            }
        }
        table
    }

    /// Whether a location is about the role that a resource is to reach.
    fn location_counts(&self, rsc: RscIdx, location: LocIdx) -> bool {
        let role = self.rules.locations()[location].role;
        role == hac_model::Role::Unknown || role == self.known.rsc[rsc].next_role
    }
}

/// Questions that the placement answers.
impl Placement<'_> {
    /// Whether `node` can be fenced from here.
    pub(crate) fn can_fence(&self, node: NodeIdx) -> bool {
        self.known.can_fence(&self.scores, node)
    }

    /// Whether `rsc` may be placed on `node`: available and not banned.
    pub(crate) fn is_allowed(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        self.scores.of(rsc).get(node).is_some_and(|allowed| allowed.score >= 0)
    }

    /// Whether `node` may run resources, guests only if their container will be somewhere.
    pub(crate) fn node_or_host_available(&self, node: NodeIdx) -> bool {
        if !self.node_available(node) {
            return false;
        }
        match self.container_of(node).filter(|_| self.nodes[node].is_guest()) {
            Some(container) => self.placed[container].assigned.is_some(),
            None => true,
        }
    }

    /// The one node on which a resource is active (`current`) or will be; `None` if there is none or more than one.
    pub(crate) fn location(&self, rsc: RscIdx, current: bool) -> Option<NodeIdx> {
        let mut found = None;
        for part in self.primitives(rsc) {
            let assigned = self.placed[part].assigned;
            let nodes = if current { self.rsc[part].active.as_slice() } else { assigned.as_slice() };
            for node in nodes {
                if found.is_some_and(|other| other != *node) {
                    return None;
                }
                found = Some(*node);
            }
        }
        found
    }
}
