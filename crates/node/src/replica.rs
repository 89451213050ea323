//! What every member has in common: the CIB and up to where the stream has been followed.

use std::collections::BTreeMap;
use std::sync::Arc;

use hac_crm::cib::{Applied, Command, Replicated as _};
use hac_crm::model::{Cib, Status};
use hac_types::{Incarnation, Member, NodeId, RingId, WallTime, mutant};

use crate::wire::{self, Lane, Processed, ProposalId, Snapshot, StoredState};

/// The replicated state. Members that were handed the same stream have equal ones.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    /// Copied on write: whoever reads it keeps what it was.
    pub(crate) cib: Arc<Cib>,
    processed: BTreeMap<(NodeId, Lane), (Incarnation, u64)>,
    /// The newest quorate active view whose state this is.
    pub(crate) lineage: Option<RingId>,
    /// The coordinator of the last active view.
    pub(crate) dc: Option<Member>,
    /// The life of each node in which it last was a member: what is known of another life is over.
    pub(crate) lives: BTreeMap<NodeId, Incarnation>,
}

impl Replica {
    /// A state that has seen no stream yet.
    pub(crate) fn new(cib: Cib, lineage: Option<RingId>) -> Self {
        Self { cib: Arc::new(cib), processed: BTreeMap::new(), lineage, dc: None, lives: BTreeMap::new() }
    }

    /// Applies a command; see [`Cib::apply`].
    pub(crate) fn apply(&mut self, command: &Command, wall: WallTime) -> Applied {
        Arc::make_mut(&mut self.cib).apply(command, wall)
    }

    /// Whether a proposal was processed before. Another life of a node has proposed nothing yet: no two lives of a node
    /// are ever in one membership, and which of two is the later one does not matter here.
    pub(crate) fn is_processed(&self, id: ProposalId) -> bool {
        self.processed
            .get(&(id.node, id.lane))
            .is_some_and(|&(incarnation, seq)| id.incarnation == incarnation && id.seq <= seq)
    }

    /// A proposal was carried out. One node's proposals of a lane come in order, so all before it are over too.
    pub(crate) fn mark_processed(&mut self, id: ProposalId) {
        let mark = self.processed.entry((id.node, id.lane)).or_default();
        let before = if mark.0 == id.incarnation { mark.1 } else { 0 };
        *mark = (id.incarnation, before.max(id.seq));
    }

    /// The marks, in order.
    pub(crate) fn processed(&self) -> Vec<Processed> {
        let row = |(&(node, lane), &(incarnation, seq))| Processed { node, lane, incarnation, seq };
        self.processed.iter().map(row).collect()
    }

    /// For a member that has another state.
    pub(crate) fn snapshot(&self) -> Option<Vec<u8>> {
        wire::encode_snapshot(&Snapshot {
            cib: Cib::clone(&self.cib),
            processed: self.processed(),
            lineage: self.lineage,
            dc: self.dc,
            lives: self.lives.clone(),
        })
    }

    /// Takes another member's state over.
    pub(crate) fn replace(&mut self, snapshot: Snapshot) {
        let row = |p: Processed| ((p.node, p.lane), (p.incarnation, p.seq));
        let marks = snapshot.processed.into_iter().filter(|_| !mutant("marks-untaken"));
        *self = Self {
            cib: Arc::new(snapshot.cib),
            processed: marks.map(row).collect(),
            lineage: snapshot.lineage,
            dc: snapshot.dc,
            lives: snapshot.lives,
        };
    }

    /// What of `cib` goes to the disk: what people asked for, without what is known of the present.
    pub(crate) fn durable(cib: &Cib, lineage: Option<RingId>) -> Option<Vec<u8>> {
        let mut cib = Cib { status: Status::default(), ..cib.clone() };
        cib.version.num_updates = 0;
        cib.info.have_quorum = false;
        cib.info.dc_uuid = None;
        wire::encode_stored(&StoredState { cib, lineage })
    }
}

#[cfg(test)]
mod tests;
