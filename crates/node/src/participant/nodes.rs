//! Nodes that come and go for good: what this node does when the list changes, and how the coordinator brings one in.

use std::time::Duration;

use hac_crm::cib::{Join, NodePresence, StatusChange};
use hac_quorum::Voter;
use hac_types::{NodeId, Timestamp, WallTime};

use super::{Participant, Phase};
use crate::cluster::ClusterNode;
use crate::halves::Down;
use crate::wire::{NewNodes, Proposed};
use crate::{Level, Now, Output};

/// How long a learner is a member before it is counted.
const PROMOTED_AFTER: Duration = Duration::from_secs(2);

/// How long a learner is waited for before it is taken back.
const TAKEN_BACK_AFTER: Duration = Duration::from_secs(15 * 60);

/// How long a proposal about a learner is waited for before it is made again.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

/// A node that was added and is not yet counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Learner {
    node: NodeId,
    /// It is a member.
    here: bool,
    /// When this became so.
    since: Timestamp,
    /// When something was last proposed about it.
    asked: Option<Timestamp>,
}

impl Participant {
    /// Whether the node with this id of the CIB has been added and is not yet counted.
    pub(super) fn is_learner(&self, id: &str) -> bool {
        self.replica.cluster.nodes.iter().any(|node| node.learner && node.id.to_string() == id)
    }

    /// The list was changed in the stream.
    pub(super) fn nodes_changed(&mut self, now: Now, wall: WallTime) {
        self.adopt_nodes();
        if matches!(self.phase, Phase::Left) {
            return;
        }
        let members: Vec<NodeId> = self.view.iter().flat_map(|view| view.members.iter().map(|m| m.node)).collect();
        let here = |node: &&ClusterNode| members.contains(&node.id);
        let presence = |node: &ClusterNode| NodePresence {
            id: node.id.to_string(),
            name: node.name.clone(),
            member: true,
            online: true,
            join: if node.learner { Join::Pending } else { Join::Member },
            expected_up: Some(true),
            life: self
                .view
                .iter()
                .flat_map(|view| &view.members)
                .find(|m| m.node == node.id)
                .map_or(0, |m| m.incarnation.0),
        };
        let present: Vec<NodePresence> = self.replica.cluster.nodes.iter().filter(here).map(presence).collect();
        self.record(now, wall, StatusChange::NodeStates(present));
        self.announce_quorum(now);
        self.weigh_raising(now);
        self.weigh_learner(now);
    }

    /// Takes the list of the cluster for its own: names, votes, and whom the ring speaks with. A node that is not in it
    /// any more ends.
    pub(super) fn adopt_nodes(&mut self) {
        let nodes = self.replica.cluster.nodes.clone();
        if nodes.is_empty() {
            return;
        }
        let version = self.replica.cluster.version;
        if !nodes.iter().any(|node| node.id == self.me.node) {
            let text = format!(
                "this node was removed from {} at configuration {version}; 'hacctl join' makes it a new member",
                self.cluster_name
            );
            self.effects.remark(Level::Error, text.clone());
            self.effects.output(Output::Fault(text));
            return self.go_as_it_is();
        }
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let text = format!("the nodes are {} from now on (configuration {version})", names.join(" "));
        self.effects.remark(Level::Notice, text);
        self.names = nodes.iter().map(|node| (node.id, node.name.clone())).collect();
        let voter = |node: &ClusterNode| Voter { node: node.id, name: node.name.clone(), votes: node.votes };
        self.quorum.set_nodes(nodes.iter().map(voter).collect());
        self.effects.order(Down::SetNodes(nodes));
        self.announce_contract();
    }

    /// A view has begun, or the list was changed: whether there is a learner, and since when.
    pub(super) fn weigh_learner(&mut self, now: Now) {
        let learner = self.replica.cluster.nodes.iter().find(|node| node.learner).map(|node| node.id);
        let found = learner.filter(|_| self.is_dc()).map(|node| {
            let here = self.view.as_ref().is_some_and(|view| view.contains(node));
            Learner { node, here, since: now.mono, asked: None }
        });
        let same = |old: &Learner, new: &Learner| old.node == new.node && old.here == new.here && !new.here;
        let kept = self.learner.filter(|old| found.as_ref().is_some_and(|new| same(old, new)));
        self.learner = kept.or(found);
    }

    /// When something is to be proposed about the learner.
    pub(super) fn learner_timeout(&self) -> Option<Timestamp> {
        let learner = self.learner.filter(|_| self.acting())?;
        let first = learner.since + if learner.here { PROMOTED_AFTER } else { TAKEN_BACK_AFTER };
        Some(learner.asked.map_or(first, |asked| first.max(asked + ASKED_AGAIN)))
    }

    /// A learner that is here is counted from now on; one that does not come is taken back.
    pub(super) fn judge_learner(&mut self, now: Now) {
        if self.learner_timeout().is_none_or(|due| due > now.mono) {
            return;
        }
        let Some(learner) = self.learner.as_mut() else { return };
        learner.asked = Some(now.mono);
        let Learner { node: id, here, .. } = *learner;
        let mut nodes = self.replica.cluster.nodes.clone();
        if here {
            for node in nodes.iter_mut().filter(|node| node.id == id) {
                node.learner = false;
                node.votes = 1;
            }
        } else {
            nodes.retain(|node| node.id != id);
        }
        let base = self.replica.cluster.version;
        self.propose(now, Proposed::SetNodes(NewNodes { base, nodes, statement: String::new() }), None, None);
    }
}
