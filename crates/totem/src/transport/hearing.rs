//! Who hears whom: what this node says of itself, and what others say as far as it was told.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher};

use hac_types::{Member, NodeId};

use crate::graph::{Graph, Says};
use crate::wire::{Knowledge, Members, Said};

/// The rows of the graph of who hears whom.
#[derive(Debug)]
pub(crate) struct Hearing {
    me: Member,
    /// The other nodes of the configuration.
    others: BTreeSet<NodeId>,
    /// Whom this node hears and whom it goes without.
    row: Row,
    /// The same of others, as far as told.
    rows: BTreeMap<Member, Row>,
    /// What others are told, until a row changes.
    told: Option<Knowledge>,
}

/// What one node says of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Row {
    /// Grows with every change.
    version: u64,
    heard: Members,
    /// Whom it goes without although they answer.
    excluded: Members,
    /// It was said by the node itself, not by another that heard it.
    first_hand: bool,
}

/// What was new in what a peer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Whether there was anything.
    pub(crate) any: bool,
    /// Who now goes without whom.
    pub(crate) excluded: Vec<(Member, Member)>,
}

impl Hearing {
    /// Nobody is heard yet.
    pub(crate) fn new(me: Member, others: impl Iterator<Item = NodeId>) -> Self {
        Self {
            me,
            others: others.collect(),
            row: Row { version: 1, ..Row::default() },
            rows: BTreeMap::new(),
            told: None,
        }
    }

    /// The other nodes of the configuration are these from now on. What nodes said that are not among them is forgotten.
    pub(crate) fn set_others(&mut self, others: BTreeSet<NodeId>) {
        self.others = others;
        self.rows.retain(|member, _| self.others.contains(&member.node));
        self.told = None;
    }

    /// Whom this node hears and whom it goes without, both ascending; whether that is new.
    pub(crate) fn hears(&mut self, heard: Vec<Member>, excluded: Vec<Member>) -> bool {
        if heard == self.row.heard.0 && excluded == self.row.excluded.0 {
            return false;
        }
        self.row =
            Row { version: self.row.version + 1, heard: Members(heard), excluded: Members(excluded), first_hand: true };
        self.told = None;
        true
    }

    /// The known graph: this node, those it hears, those they hear and so on, with what each says to hear. Forgets rows
    /// that nothing leads to any more.
    pub(crate) fn graph(&mut self) -> Graph {
        let known = self.reached();
        let says = |member: &Member| {
            let row = self.rows.get(member).unwrap_or(&self.row);
            Says { member: *member, heard: &row.heard, excluded: &row.excluded }
        };
        let rows: Vec<Says<'_>> = known.iter().map(says).collect();
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
        let mut next: Vec<Member> = self.row.heard.to_vec();
        while !next.is_empty() {
            next.sort_unstable_by_key(|member| (member.node, Reverse(member.incarnation)));
            next.dedup_by_key(|member| member.node);
            next.retain(|member| self.rows.contains_key(member));
            known.extend_from_slice(&next);
            known.sort_unstable();
            let rows = next.iter().filter_map(|member| self.rows.get(member)).map(|row| &row.heard);
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

    /// Takes what a peer says of itself and of others; what was new in it. Of a node that this node hears itself, nobody
    /// else is believed: one that says what others never said could make them be passed over for as long as they live.
    pub(crate) fn learn(&mut self, from: Member, knowledge: &Knowledge) -> News {
        let mut news = News::default();
        for said in knowledge.rows() {
            let member = said.member;
            let first_hand = member == from;
            let known = self.rows.get(&member);
            let is_later = match known {
                None => true,
                Some(known) if first_hand && !known.first_hand => true,
                Some(known) if !first_hand && known.first_hand && self.row.heard.contains(&member) => false,
                Some(known) => known.version < said.version,
            };
            if !self.others.contains(&member.node) || !is_later {
                continue;
            }
            let row = Row { version: said.version, heard: said.heard(), excluded: said.excluded(), first_hand };
            if known.is_some_and(|known| known.heard == row.heard && known.excluded == row.excluded) {
                // The same again, from itself or later.
                self.rows.insert(member, row);
                self.told = None;
                continue;
            }
            let is_new = |other: &&Member| known.is_none_or(|known| !known.excluded.contains(other));
            news.excluded.extend(row.excluded.iter().filter(is_new).map(|other| (member, *other)));
            self.rows.insert(member, row);
            news.any = true;
        }
        if news.any {
            self.told = None;
        }
        news
    }

    /// Whether any row goes without somebody.
    pub(crate) fn is_someone_excluded(&self) -> bool {
        self.rows.values().chain([&self.row]).any(|row| !row.excluded.is_empty())
    }

    /// Adds all rows to a digest.
    pub(crate) fn outline(&self, out: &mut impl Hasher) {
        (&self.row, &self.rows).hash(out);
    }
}

fn collect(me: Member, own: &Row, rows: &BTreeMap<Member, Row>) -> Knowledge {
    let heard = &own.heard;
    let said = |member: Member, row: &Row| Said {
        member,
        version: row.version,
        heard: row.heard.clone(),
        excluded: row.excluded.clone(),
    };
    let same = |(member, theirs): (&Member, &Row)| {
        theirs.excluded.is_empty()
            && theirs.heard.len() == heard.len()
            && theirs.heard.iter().all(|m| *m == me || (m != member && heard.binary_search(m).is_ok()))
    };
    let first = [said(me, own)];
    if own.excluded.is_empty() && rows.iter().all(same) {
        return Knowledge::new(first.into_iter());
    }
    Knowledge::new(first.into_iter().chain(rows.iter().map(|(member, row)| said(*member, row))))
}

#[cfg(test)]
mod tests;
