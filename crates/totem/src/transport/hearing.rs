//! Who hears whom: what this node says of itself, and what others say as far as it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hac_types::{Member, NodeId};

use crate::graph::Rows;
use crate::wire::{Knowledge, Members};

/// The rows of the graph of who hears whom.
#[derive(Debug)]
pub(crate) struct Hearing {
    me: Member,
    /// The other nodes of the configuration.
    others: BTreeSet<NodeId>,
    /// Whom this node hears, with a number that grows with every change.
    row: (u64, Members),
    /// The same of others, as far as told.
    rows: BTreeMap<Member, (u64, Members)>,
    /// What others are told, until a row changes.
    told: Option<Knowledge>,
}

impl Hearing {
    /// Nobody is heard yet.
    pub(crate) fn new(me: Member, others: impl Iterator<Item = NodeId>) -> Self {
        Self { me, others: others.collect(), row: (1, Members::default()), rows: BTreeMap::new(), told: None }
    }

    /// Whom this node hears, ascending; whether that is new.
    pub(crate) fn hears(&mut self, heard: Vec<Member>) -> bool {
        if heard == self.row.1.0 {
            return false;
        }
        self.row = (self.row.0 + 1, Members(heard));
        self.told = None;
        true
    }

    /// The known graph: this node, those it hears, those they hear and so on, with what each says to hear. Forgets rows
    /// that nothing leads to any more.
    pub(crate) fn graph(&mut self) -> Rows {
        let mut rows = Rows::from([(self.me.node, (self.me, self.row.1.clone()))]);
        let mut level = vec![self.me];
        // Nearer claims come first, so that a node's present life hides earlier ones that somebody far still claims.
        while !level.is_empty() {
            let mut next: Vec<Member> = Vec::new();
            for member in &level {
                if let Some((_, heard)) = rows.get(&member.node) {
                    next.extend(heard.iter().filter(|heard| !rows.contains_key(&heard.node)));
                }
            }
            next.sort_unstable_by_key(|member| (member.node, std::cmp::Reverse(member.incarnation)));
            next.dedup_by_key(|member| member.node);
            next.retain(|member| self.rows.contains_key(member));
            for member in &next {
                if let Some((_, heard)) = self.rows.get(member) {
                    rows.insert(member.node, (*member, heard.clone()));
                }
            }
            level = next;
        }
        let before = self.rows.len();
        self.rows.retain(|member, _| rows.get(&member.node).is_some_and(|(known, _)| known == member));
        if self.rows.len() != before {
            self.told = None;
        }
        rows
    }

    /// What to tell others: our row, and all others if they do not all say the same.
    pub(crate) fn knowledge(&mut self) -> Knowledge {
        let Self { me, row, rows, told, .. } = self;
        told.get_or_insert_with(|| collect(*me, row, rows)).clone()
    }

    /// Takes what a peer says of itself and of others; whether there was anything new.
    pub(crate) fn learn(&mut self, knowledge: &Knowledge) -> bool {
        let mut news = false;
        for row in knowledge.rows() {
            let listed = self.others.contains(&row.member.node);
            if listed && self.rows.get(&row.member).is_none_or(|(known, _)| *known < row.version) {
                self.rows.insert(row.member, (row.version, row.heard()));
                news = true;
            }
        }
        if news {
            self.told = None;
        }
        news
    }

    /// Writes all rows.
    pub(crate) fn outline(&self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "{:?}{:?}", self.row, self.rows)
    }
}

fn collect(me: Member, row: &(u64, Members), rows: &BTreeMap<Member, (u64, Members)>) -> Knowledge {
    let (version, heard) = row;
    let own = [(me, *version, heard)];
    let same = |(member, (_, theirs)): (&Member, &(u64, Members))| {
        theirs.len() == heard.len()
            && theirs.iter().all(|m| *m == me || (m != member && heard.binary_search(m).is_ok()))
    };
    if rows.iter().all(same) {
        return Knowledge::new(own.into_iter());
    }
    Knowledge::new(own.into_iter().chain(rows.iter().map(|(member, (version, row))| (*member, *version, row))))
}
