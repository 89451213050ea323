//! A stream that never fails, for what is tested above the ring: memberships form at a word, and everybody in one is
//! given the same, in one order.

use std::collections::{BTreeMap, BTreeSet};

use hac_types::{Departure, Left, Level, Member, NodeId, RingId, View, ViewKind};

/// What a member is told of a membership that forms.
#[derive(Clone, Debug)]
pub struct Formed {
    /// Whom this is for.
    pub node: NodeId,
    /// How the membership before ends; none for a node that was in none.
    pub transitional: Option<View>,
    /// The new one.
    pub regular: View,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    rings: u64,
    seq: u64,
    /// Where each node is: its ring and that ring's members.
    stays: BTreeMap<NodeId, (RingId, BTreeSet<Member>)>,
}

impl Stream {
    /// A node begins a new life: it is in no membership.
    pub fn restart(&mut self, node: NodeId) {
        self.stays.remove(&node);
    }

    /// The ring that a node is in.
    #[must_use]
    pub fn ring(&self, node: NodeId) -> Option<RingId> {
        self.stays.get(&node).map(|(ring, _)| *ring)
    }

    /// These form a membership, whatever they were in before. The first of them is its representative.
    pub fn form(&mut self, members: &[Member]) -> Vec<Formed> {
        let Some(first) = members.first() else { return Vec::new() };
        self.rings += 1;
        let ring = RingId { seq: self.rings * 4, rep: first.node.0, rep_incarnation: first.incarnation };
        let formed = members.iter().map(|&member| self.joins(member, ring, members)).collect();
        let all: BTreeSet<Member> = members.iter().copied().collect();
        self.stays.extend(members.iter().map(|member| (member.node, (ring, all.clone()))));
        formed
    }

    fn joins(&self, member: Member, ring: RingId, members: &[Member]) -> Formed {
        let before = self.stays.get(&member.node);
        let comes_along = |other: &&Member| before.is_some() && self.stays.get(&other.node) == before;
        let staying: Vec<Member> = members.iter().filter(comes_along).copied().collect();
        let left = before.map(|(_, old)| Self::lost(old, &staying)).unwrap_or_default();
        let nodes: Vec<NodeId> = staying.iter().map(|member| member.node).collect();
        let transitional = before.map(|(old, _)| View {
            ring: *old,
            kind: ViewKind::Transitional,
            level: Level::FIRST,
            members: staying,
            continuing: nodes.clone(),
            left: left.clone(),
        });
        let continuing = if nodes.is_empty() { vec![member.node] } else { nodes };
        let regular =
            View { ring, kind: ViewKind::Regular, level: Level::FIRST, members: members.to_vec(), continuing, left };
        Formed { node: member.node, transitional, regular }
    }

    /// A node's membership breaks up for it, before a new one forms: its transitional view, in which it is alone.
    /// `None` if it is in none.
    #[must_use]
    pub fn break_up(&self, member: Member) -> Option<View> {
        let (ring, old) = self.stays.get(&member.node)?;
        Some(View {
            ring: *ring,
            kind: ViewKind::Transitional,
            level: Level::FIRST,
            members: vec![member],
            continuing: vec![member.node],
            left: Self::lost(old, &[member]),
        })
    }

    fn lost(old: &BTreeSet<Member>, staying: &[Member]) -> Vec<Left> {
        let gone = old.iter().filter(|was| !staying.iter().any(|member| member.node == was.node));
        gone.map(|member| Left { member: *member, departure: Departure::Lost }).collect()
    }

    /// A node says something: the number it has in the order, and who is given it.
    pub fn say(&mut self, from: NodeId) -> Option<(u64, Vec<NodeId>)> {
        let (ring, members) = self.stays.get(&from)?;
        self.seq += 1;
        let same = |member: &&Member| self.ring(member.node) == Some(*ring);
        Some((self.seq, members.iter().filter(same).map(|member| member.node).collect()))
    }
}

#[cfg(test)]
mod tests {
    use hac_types::Incarnation;

    use super::*;

    fn members(nodes: &[u32]) -> Vec<Member> {
        nodes.iter().map(|&node| Member { node: NodeId(node), incarnation: Incarnation(1) }).collect()
    }

    fn nodes(of: &[NodeId]) -> Vec<u32> {
        of.iter().map(|node| node.0).collect()
    }

    #[test]
    fn who_was_together_comes_along_and_who_is_gone_has_left() {
        let mut stream = Stream::default();
        let first = stream.form(&members(&[1, 2, 3]));
        assert!(first.iter().all(|formed| formed.transitional.is_none()));
        assert_eq!(nodes(&first[1].regular.continuing), [2]);
        stream.restart(NodeId(2));
        let second = stream.form(&members(&[1, 2]));
        let transitional = second[0].transitional.as_ref().unwrap();
        assert_eq!((transitional.ring, nodes(&transitional.continuing)), (first[0].regular.ring, vec![1]));
        let gone: Vec<NodeId> = second[0].regular.left.iter().map(|left| left.member.node).collect();
        assert_eq!(nodes(&gone), [2, 3]);
        assert!(second[1].transitional.is_none() && second[1].regular.left.is_empty());
        assert!(second[0].regular.ring > first[0].regular.ring);
    }

    #[test]
    fn what_is_said_goes_to_the_members_that_are_still_there() {
        let mut stream = Stream::default();
        assert_eq!(stream.say(NodeId(1)), None);
        stream.form(&members(&[1, 2, 3]));
        stream.form(&members(&[3]));
        let (seq, to) = stream.say(NodeId(1)).unwrap();
        assert_eq!((seq, nodes(&to)), (1, vec![1, 2]));
        assert_eq!(stream.say(NodeId(3)).map(|(seq, to)| (seq, nodes(&to))), Some((2, vec![3])));
    }
}
