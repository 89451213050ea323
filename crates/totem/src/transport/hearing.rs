//! Who hears whom: what this node says of itself, and what others say as far as it was told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher};

use hac_types::{Member, NodeId};

use crate::graph::Graph;
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
    pub(crate) fn graph(&mut self) -> Graph {
        let known = self.reached();
        let row = |member: &Member| (*member, self.rows.get(member).map_or(&self.row.1, |(_, heard)| heard));
        let rows: Vec<(Member, &Members)> = known.iter().map(row).collect();
        let graph = Graph::new(self.me, &rows);
        let before = self.rows.len();
        self.rows.retain(|member, _| known.binary_search(member).is_ok());
        if self.rows.len() != before {
            self.told = None;
        }
        graph
    }

    /// This node and all to whose rows others lead, ascending, each in the life that counts: nearer claims come first, so
    /// that a node's present life hides earlier ones that somebody far still claims.
    fn reached(&self) -> Vec<Member> {
        let mut known = vec![self.me];
        let mut next: Vec<Member> = self.row.1.to_vec();
        while !next.is_empty() {
            next.sort_unstable_by_key(|member| (member.node, Reverse(member.incarnation)));
            next.dedup_by_key(|member| member.node);
            next.retain(|member| self.rows.contains_key(member));
            known.extend_from_slice(&next);
            known.sort_unstable();
            let rows = next.iter().filter_map(|member| self.rows.get(member)).map(|(_, heard)| heard);
            let further = rows.filter(|heard| !heard.are_in(&known)).flat_map(|heard| heard.iter());
            let is_new = |member: &&Member| known.binary_search_by_key(&member.node, |known| known.node).is_err();
            next = further.filter(is_new).copied().collect();
        }
        known
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

    /// Adds all rows to a digest.
    pub(crate) fn outline(&self, out: &mut impl Hasher) {
        (&self.row, &self.rows).hash(out);
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
