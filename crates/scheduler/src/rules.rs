//! The rules: what constraints ask for, those of the configuration and those that follow from what resources are.
//!
//! [`constraints`](crate::constraints) writes them; after that they are only read.

use crate::action::Ordering;
use crate::allowed::Discovery;
use crate::arena::{Arena, Key as _};
use crate::facts::Variant;
use crate::ids::{ColIdx, LocIdx, NodeIdx, ReqIdx, RscIdx};
use crate::known::{Known, Resource};
use hac_model::Role;

/// All rules. The fields are private: what adds a rule needs them to be its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    locations: Arena<LocIdx, Location>,
    colocations: Arena<ColIdx, Colocation>,
    orderings: Vec<Ordering<ReqIdx>>,
    tickets: Vec<TicketRule>,
    of: Vec<OfResource>,
}

/// The rules about one resource.
#[derive(Clone, Debug, Default)]
struct OfResource {
    this_with: Vec<ColIdx>,
    with_this: Vec<ColIdx>,
    locations: Vec<LocIdx>,
    /// It may be looked for only where a location says so.
    exclusive: bool,
}

/// A resource whose role hangs on a ticket.
#[derive(Clone, Debug)]
pub(crate) struct TicketRule {
    /// Id of the constraint.
    pub(crate) constraint: String,
    /// The ticket.
    pub(crate) ticket: String,
    /// The resource.
    pub(crate) rsc: RscIdx,
    /// The role that needs it (`Unknown`: any).
    pub(crate) role: Role,
    /// What happens without it.
    pub(crate) loss: Loss,
}

/// What happens to a resource whose ticket is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is stopped.
    Stop,
    /// It is demoted.
    Demote,
    /// Its nodes are fenced.
    Fence,
    /// It is left alone.
    Freeze,
}

/// What a list of colocations is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    /// "This with".
    ByPrimary,
    /// "With this".
    ByDependent,
}

impl Rules {
    /// Locations, in order of creation.
    pub(crate) const fn locations(&self) -> &Arena<LocIdx, Location> {
        &self.locations
    }

    /// Colocations, in order of creation.
    pub(crate) const fn colocations(&self) -> &Arena<ColIdx, Colocation> {
        &self.colocations
    }

    /// Hands the orderings over, in order of creation: from now on they are the graph's.
    pub(crate) fn take_orderings(&mut self) -> Vec<Ordering<ReqIdx>> {
        std::mem::take(&mut self.orderings)
    }

    /// Resources whose roles hang on tickets, in order of the constraints.
    pub(crate) fn tickets(&self) -> &[TicketRule] {
        &self.tickets
    }

    /// Colocations in which a resource is the dependent (`ByPrimary`) or the primary, sorted.
    pub(crate) fn with(&self, rsc: RscIdx, sort: Sort) -> &[ColIdx] {
        self.of.get(rsc.at()).map_or(&[], |of| match sort {
            Sort::ByPrimary => &of.this_with,
            Sort::ByDependent => &of.with_this,
        })
    }

    /// Locations of a resource.
    pub(crate) fn locations_of(&self, rsc: RscIdx) -> &[LocIdx] {
        self.of.get(rsc.at()).map_or(&[], |of| &of.locations)
    }

    /// Whether a location says that a resource may be looked for only where it says so.
    pub(crate) fn is_exclusive(&self, rsc: RscIdx) -> bool {
        self.of.get(rsc.at()).is_some_and(|of| of.exclusive)
    }
}

/// Adding rules, before they are handed on.
impl Rules {
    fn entry(&mut self, rsc: RscIdx) -> &mut OfResource {
        if self.of.len() <= rsc.at() {
            self.of.resize(rsc.at() + 1, OfResource::default());
        }
        &mut self.of[rsc.at()]
    }

    /// Adds a location; it counts for these resources when roles are chosen.
    pub(crate) fn add_location(&mut self, location: Location, also: Option<RscIdx>) {
        let rsc = location.rsc;
        let idx = self.locations.push(location);
        for rsc in std::iter::once(rsc).chain(also) {
            self.entry(rsc).locations.push(idx);
        }
    }

    /// A resource may be looked for only where a location says so.
    pub(crate) fn make_exclusive(&mut self, rsc: RscIdx) {
        self.entry(rsc).exclusive = true;
    }

    /// Adds a colocation to both sides' sorted lists.
    pub(crate) fn add_colocation(&mut self, known: &Known<'_>, colocation: Colocation) {
        let (dependent, primary) = (colocation.dependent, colocation.primary);
        let idx = self.colocations.push(colocation);
        for (rsc, sort) in [(dependent, Sort::ByPrimary), (primary, Sort::ByDependent)] {
            let mut list = self.with(rsc, sort).to_vec();
            insert(known, |idx| &self.colocations[idx], &mut list, idx, sort);
            match sort {
                Sort::ByPrimary => self.entry(rsc).this_with = list,
                Sort::ByDependent => self.entry(rsc).with_this = list,
            }
        }
    }

    /// Adds an ordering.
    pub(crate) fn add_ordering(&mut self, ordering: Ordering<ReqIdx>) {
        self.orderings.push(ordering);
    }

    /// Adds a ticket.
    pub(crate) fn add_ticket(&mut self, ticket: TicketRule) {
        self.tickets.push(ticket);
    }

    /// Adds what follows from what resources are: orderings and colocations.
    pub(crate) fn append(&mut self, known: &Known<'_>, implied: Self) {
        for colocation in implied.colocations.iter() {
            self.add_colocation(known, colocation.clone());
        }
        self.orderings.extend(implied.orderings);
    }
}

/// Puts a colocation at its place in a list: before those that are its equals.
pub(crate) fn insert<'c>(
    known: &Known<'_>,
    colocation: impl Fn(ColIdx) -> &'c Colocation,
    list: &mut Vec<ColIdx>,
    idx: ColIdx,
    sort: Sort,
) {
    let subject = |idx: ColIdx| match sort {
        Sort::ByPrimary => &known.rsc[colocation(idx).primary],
        Sort::ByDependent => &known.rsc[colocation(idx).dependent],
    };
    let at = list.partition_point(|other| compare(subject(*other), subject(idx)).is_lt());
    list.insert(at, idx);
}

/// Which of two resources comes first in a list of colocations.
fn compare(a: &Resource, b: &Resource) -> std::cmp::Ordering {
    let rank = |rsc: &Resource| match rsc.variant {
        Variant::Bundle(_) => 0,
        Variant::Clone(_) if rsc.is.promotable => 1,
        Variant::Clone(_) => 2,
        Variant::Group { .. } => 3,
        Variant::Primitive => 4,
    };
    b.priority.cmp(&a.priority).then(rank(a).cmp(&rank(b))).then_with(|| a.id.cmp(&b.id))
}

/// A location constraint as scores for nodes.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    /// Its id.
    pub(crate) id: String,
    /// Id of the rule that it comes from.
    pub(crate) rule: Option<String>,
    /// The resource.
    pub(crate) rsc: RscIdx,
    /// Applies to this role (`Unknown`: any).
    pub(crate) role: Role,
    /// Its discovery mode.
    pub(crate) discovery: Discovery,
    /// Scores.
    pub(crate) nodes: Vec<(NodeIdx, i32)>,
}

/// A colocation of a pair.
#[derive(Clone, Debug)]
pub(crate) struct Colocation {
    /// Its id.
    pub(crate) id: String,
    /// Placed after ...
    pub(crate) dependent: RscIdx,
    /// ... this.
    pub(crate) primary: RscIdx,
    /// Role of the dependent that it is about (`Unknown`: any).
    pub(crate) dependent_role: Role,
    /// Role of the primary that it is about (`Unknown`: any).
    pub(crate) primary_role: Role,
    /// How much.
    pub(crate) score: i32,
    /// Node attribute that must agree; `None` is the node itself.
    pub(crate) attribute: Option<String>,
    /// The dependent's wishes count for an active primary.
    pub(crate) influence: bool,
    /// Written by a person, not built in.
    pub(crate) explicit: bool,
}
