//! The list of nodes: which other list may follow, and what follows from it. A function of the state, the proposal and the
//! members alone, so it is the same on all.
//!
//! What keeps two histories from arising: the nodes change by one at a time, and only while all nodes are members that are
//! in the old list and the new one. So any majority of the old list and any of the new one have a member in common that
//! knows the new one. A node that is not there can only be removed with a statement of whoever knows that it is off; how
//! few of two nodes are left is no reason against it, because then no software can tell.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hac_crm::cib::{Refusal, RefusalKind};
use hac_types::NodeId;

use crate::cluster::{ClusterNode, Gate, Retired};
use crate::replica::Replica;
use crate::wire::NewNodes;

/// Most nodes of a cluster.
const NODES_MAX: usize = 64;

/// Why this list cannot follow, or nothing.
pub(crate) fn refusal(replica: &Replica, gate: &Gate, new: &NewNodes) -> Option<Refusal> {
    let cluster = &replica.cluster;
    if new.base != cluster.version {
        let sentence = format!(
            "the list of nodes was made from version {} of the cluster's configuration, which is at {} now",
            new.base, cluster.version
        );
        return Some(Refusal::new(sentence, "Look at the nodes and try again.").of(RefusalKind::Old));
    }
    if let Some(what) = wrong(new, &cluster.retired) {
        return Some(Refusal::new(what, "Nothing was changed."));
    }
    let step = Step::between(&present(replica), &cluster.nodes, &new.nodes);
    step.refusal(gate, new)
}

/// What is wrong with the list itself.
fn wrong(new: &NewNodes, retired: &[Retired]) -> Option<String> {
    let nodes = &new.nodes;
    if !(1..=NODES_MAX).contains(&nodes.len()) {
        return Some(format!("a cluster has 1 to {NODES_MAX} nodes, not {}", nodes.len()));
    }
    if !nodes.windows(2).all(|pair| pair[0].id < pair[1].id) {
        return Some("the nodes are not in the order of their ids, or an id is there twice".to_owned());
    }
    let names: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let addresses: BTreeSet<&IpAddr> = nodes.iter().flat_map(|node| &node.addresses).collect();
    if names.len() != nodes.len() {
        return Some("two nodes have one name".to_owned());
    }
    let links = nodes[0].addresses.len();
    if !(1..=2).contains(&links) || nodes.iter().any(|node| node.addresses.len() != links) {
        return Some("all nodes need the same number of addresses, one or two".to_owned());
    }
    if addresses.len() != nodes.len() * links {
        return Some("two nodes have one address".to_owned());
    }
    if nodes.iter().all(|node| node.votes == 0) {
        return Some("nobody would have a vote".to_owned());
    }
    let known = nodes.iter().find(|node| retired.iter().any(|retired| retired.id == node.id));
    known.map(|node| format!("the id {} was that of a node that was removed", node.id))
}

/// The ids of the nodes as all members have them: those of the list, or of the CIB while there is none.
fn present(replica: &Replica) -> BTreeSet<NodeId> {
    if !replica.cluster.nodes.is_empty() {
        return replica.cluster.nodes.iter().map(|node| node.id).collect();
    }
    let nodes = &replica.cib.configuration.nodes;
    let ours = nodes.iter().filter(|node| node.kind.as_deref().is_none_or(|kind| kind == "member"));
    ours.filter_map(|node| node.id.parse().ok().map(NodeId)).collect()
}

/// How two lists differ.
#[derive(Debug, Default)]
struct Step {
    present: BTreeSet<NodeId>,
    added: Vec<NodeId>,
    removed: Vec<NodeId>,
    /// Nodes that become something else.
    changed: Vec<NodeId>,
    /// A node that is being added already.
    learner: Option<NodeId>,
}

impl Step {
    fn between(present: &BTreeSet<NodeId>, old: &[ClusterNode], new: &[ClusterNode]) -> Self {
        let ids: BTreeSet<NodeId> = new.iter().map(|node| node.id).collect();
        let changed = |node: &&ClusterNode| old.iter().any(|before| before.id == node.id && before != *node);
        Self {
            present: present.clone(),
            added: ids.difference(present).copied().collect(),
            removed: present.difference(&ids).copied().collect(),
            changed: new.iter().filter(changed).map(|node| node.id).collect(),
            learner: old.iter().find(|node| node.learner).map(|node| node.id),
        }
    }

    fn refusal(&self, gate: &Gate, new: &NewNodes) -> Option<Refusal> {
        let steps = self.added.len() + self.removed.len() + self.changed.len();
        if steps == 0 {
            return Some(Refusal::new("the list of nodes is as it was", "Nothing was changed."));
        }
        if steps > 1 {
            let sentence = "the nodes are changed one at a time, so that any two majorities have a node in common";
            return Some(Refusal::new(sentence, "Add or remove one node, then the next.").of(RefusalKind::Unsafe));
        }
        if !self.added.is_empty() && self.learner.is_some() {
            let sentence = "another node is being added just now";
            return Some(Refusal::new(sentence, "Try again when it has joined.").of(RefusalKind::Unsafe));
        }
        if let Some(node) = new.nodes.iter().find(|node| self.added.contains(&node.id) && node.votes > 0) {
            let sentence = format!("{} is new and has no vote before it has the state", node.name);
            return Some(Refusal::new(sentence, "Add it as a learner."));
        }
        self.absent(gate, new)
    }

    /// Who must be here and is not.
    fn absent(&self, gate: &Gate, new: &NewNodes) -> Option<Refusal> {
        let is_here = |id: &&NodeId| gate.here.contains(id);
        let staying = self.present.iter().filter(|id| !self.removed.contains(id));
        // A learner that does not come is nobody that anybody counts on.
        let away: Vec<String> = staying
            .filter(|id| !is_here(id) && (Some(**id) != self.learner || self.changed.contains(id)))
            .map(|id| new.nodes.iter().find(|node| node.id == *id).map_or_else(|| id.to_string(), |n| n.name.clone()))
            .collect();
        if !away.is_empty() {
            let away = away.join(" and ");
            let sentence = format!("{away} is away: the nodes are changed only while all that stay are members");
            let remedy = format!("Start hacd on {away}, or remove it first.");
            return Some(Refusal::new(sentence, remedy).of(RefusalKind::Unsafe));
        }
        let gone = self.removed.iter().find(|id| !is_here(id) && Some(**id) != self.learner);
        if gone.is_some() && new.statement.trim().is_empty() {
            let sentence = "the node is away, and nobody has said that it is off: what runs there would run twice";
            let remedy = "Look that it is off, then say how you know: --node-is-off \"powered off in the panel\".";
            return Some(Refusal::new(sentence, remedy).of(RefusalKind::Unsafe));
        }
        None
    }
}

/// Puts the list in place. It was not refused.
pub(crate) fn carry_out(replica: &mut Replica, new: &NewNodes) {
    let kept: BTreeSet<NodeId> = new.nodes.iter().map(|node| node.id).collect();
    let gone: Vec<NodeId> = present(replica).difference(&kept).copied().collect();
    let name = |replica: &Replica, id: NodeId| {
        let known = replica.cib.configuration.nodes.iter().find(|node| node.id == id.to_string());
        let listed = replica.cluster.nodes.iter().find(|node| node.id == id).map(|node| node.name.clone());
        listed.or_else(|| known.map(|node| node.uname.clone())).unwrap_or_else(|| id.to_string())
    };
    let version = replica.cluster.version.saturating_add(1);
    let statement = new.statement.clone();
    let retired = |id: &NodeId| Retired { id: *id, name: name(replica, *id), version, statement: statement.clone() };
    let retired: Vec<Retired> = gone.iter().map(retired).collect();
    replica.cluster.version = version;
    replica.cluster.nodes.clone_from(&new.nodes);
    replica.cluster.retired.extend(retired);
    replica.cluster.retired.sort_by_key(|retired| retired.id);
    if gone.is_empty() {
        return;
    }
    let cib = Arc::make_mut(&mut replica.cib);
    let is_gone = |id: &str| gone.iter().any(|gone| gone.to_string() == id);
    cib.configuration.nodes.retain(|node| !is_gone(&node.id));
    cib.status.nodes.retain(|node| !is_gone(&node.id));
    cib.version.epoch = cib.version.epoch.saturating_add(1);
    cib.version.num_updates = 0;
}

#[cfg(test)]
mod tests;
