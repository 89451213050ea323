//! What constraints say about one resource, in the order in which the scheduler looks at them.

use hac_model::{Cib, Role};
use hac_types::WallTime;

use crate::constraints;
use crate::ids::{ColIdx, RscIdx};
use crate::known::Known;
use crate::reading::{self, Observe, Reading};
use crate::rules::{Rules, Sort};

/// A resource at top level, with what is asked of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Its id.
    pub resource: String,
    /// Ids of everything inside of it, instances and members; it is named by those too.
    pub inside: Vec<String>,
    /// Scores for nodes, the last constraint first.
    pub locations: Vec<Wish>,
    /// What is placed after it.
    pub dependents: Vec<Tie>,
    /// What it is placed after.
    pub primaries: Vec<Tie>,
}

/// A score for a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Id of the constraint, or of its rule.
    pub id: String,
    /// Name of the node.
    pub node: String,
    /// Score.
    pub score: i32,
}

/// A colocation with another resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tie {
    /// Id of the constraint, or of its set.
    pub id: String,
    /// The other resource, at top level or as the constraint names it.
    pub other: String,
    /// Role that the resource depended on must have; `None` is any.
    pub role: Option<Role>,
    /// Role of the dependent that it is about; `None` is any.
    pub own_role: Option<Role>,
    /// Node attribute that must agree; `None` is the node itself.
    pub attribute: Option<String>,
    /// Score.
    pub score: i32,
}

/// The relations of all resources at top level of `cib` at `now`.
#[must_use]
pub fn relations(cib: &Cib, now: WallTime) -> Vec<Relations> {
    let Reading { known, scores, mut requests } = reading::read(cib, now, Observe::default());
    let rules = constraints::unpack(&known, &scores, &mut requests);
    known.top.iter().map(|rsc| of(&known, &rules, *rsc)).collect()
}

fn of(known: &Known<'_>, rules: &Rules, top: RscIdx) -> Relations {
    let mut within = vec![top];
    let mut at = 0;
    while let Some(rsc) = within.get(at).copied() {
        within.extend(known.rsc[rsc].children.iter().copied());
        at += 1;
    }
    let ids = |rsc: &RscIdx| {
        let facts = &known.rsc[*rsc].facts;
        let base = facts.id.split(':').next().unwrap_or_default().to_owned();
        [facts.id.clone(), base]
    };
    Relations {
        resource: known.rsc[top].facts.id.clone(),
        inside: within.iter().flat_map(ids).collect(),
        locations: locations(known, rules, top),
        dependents: rules.with(top, Sort::ByDependent).iter().map(|idx| tie(known, rules, *idx, false)).collect(),
        primaries: rules.with(top, Sort::ByPrimary).iter().map(|idx| tie(known, rules, *idx, true)).collect(),
    }
}

fn locations(known: &Known<'_>, rules: &Rules, rsc: RscIdx) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for idx in rules.locations_of(rsc).iter().rev() {
        let location = &rules.locations()[*idx];
        let wish = |(node, score): &(crate::ids::NodeIdx, i32)| Wish {
            id: location.rule.clone().unwrap_or_else(|| location.id.clone()),
            node: known.node_name(*node).to_owned(),
            score: *score,
        };
        wishes.extend(location.nodes.iter().rev().map(wish));
    }
    wishes
}

fn tie(known: &Known<'_>, rules: &Rules, idx: ColIdx, primary: bool) -> Tie {
    let colocation = &rules.colocations()[idx];
    let other = if primary { colocation.primary } else { colocation.dependent };
    Tie {
        id: colocation.id.clone(),
        other: known.rsc[other].facts.id.clone(),
        role: Some(colocation.primary_role).filter(|role| *role > Role::Started),
        own_role: Some(colocation.dependent_role).filter(|role| *role > Role::Started),
        attribute: colocation.attribute.clone(),
        score: colocation.score,
    }
}
