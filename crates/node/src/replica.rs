//! What every member has in common: the CIB and up to where the stream has been followed.

use std::collections::BTreeMap;
use std::sync::Arc;

use hac_crm::cib::{Applied, Changes, Command, Refusal, RefusalKind, Replicated as _};
use hac_model::{Cib, Version};
use hac_quorum::Register;
use hac_types::{Incarnation, Member, NodeId, RingId, WallTime, mutant};

use crate::cluster::{ClusterConfig, Gate};
use crate::wire::{self, Lane, Mark, Processed, Proposal, ProposalId, Proposed, Snapshot, SnapshotRef, StoredState};

/// Changes of the configuration that are remembered by name: a node that missed more has not changed anything itself.
const TRAIL: usize = 64;

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
    /// The cluster as such.
    pub(crate) cluster: ClusterConfig,
    /// The last changes of the configuration, the newest last.
    pub(crate) trail: Vec<Mark>,
    /// What is known of the arbiter's register. Who has it has the state that belongs to it: the two lie in one file.
    pub(crate) register: Option<Register>,
    /// What was applied, where somebody wants to know.
    pub(crate) journal: Option<Box<Journal>>,
}

/// What was applied to a state, in order; for those who record streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    /// Not taken yet.
    pub(crate) entries: Vec<Entry>,
    /// The state after the last entry.
    after: Arc<Cib>,
}

/// One thing that happened to a node's copy of the cluster's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// It is this from here on: the node has just started, or taken over another one's.
    State(Arc<Cib>),
    /// A command was applied (or refused), as proposed at this time.
    Command(Command, WallTime),
}

impl Replica {
    /// A state that has seen no stream yet.
    pub(crate) fn new(state: StoredState) -> Self {
        let StoredState { cluster, cib, lineage, trail, register, .. } = state;
        let cib = Arc::new(cib);
        let (processed, lives) = (BTreeMap::new(), BTreeMap::new());
        Self { cib, processed, lineage, dc: None, lives, cluster, trail, register, journal: None }
    }

    /// Applies a command; see [`Cib::apply`].
    pub(crate) fn apply(&mut self, command: &Command, wall: WallTime) -> Applied {
        if let Some(journal) = &mut self.journal {
            if !Arc::ptr_eq(&journal.after, &self.cib) {
                journal.entries.push(Entry::State(Arc::clone(&self.cib)));
            }
            journal.entries.push(Entry::Command(command.clone(), wall));
        }
        let applied = Arc::make_mut(&mut self.cib).apply(command, wall);
        if let Some(journal) = &mut self.journal {
            journal.after = Arc::clone(&self.cib);
        }
        applied
    }

    /// Carries out what all members have stored, or as a trial what they are to store. What comes of it follows from
    /// the state, the proposal and the view, so it is the same on all.
    pub(crate) fn carry_out(&mut self, proposal: &Proposal, gate: &Gate) -> Applied {
        let ProposalId { node, incarnation, seq, .. } = proposal.id;
        match &proposal.what {
            // It was proposed at a level that has been given up since.
            what if what.level() > self.cluster.level => {
                let level = self.cluster.level;
                let sentence = format!("this needs level {}; the cluster is at {level} now", what.level());
                let remedy = "'hacctl upgrade status' says what is missing.";
                Applied::Refused(Refusal::new(sentence, remedy).of(RefusalKind::Level))
            }
            Proposed::Command(command) => {
                let applied = self.apply(command, proposal.wall);
                if matches!(&applied, Applied::Changed(changes) if changes.configuration) {
                    self.note(node, incarnation, seq);
                }
                applied
            }
            Proposed::SetLevel { to } => match gate.refuses(self, *to) {
                Some((sentence, remedy)) => Applied::Refused(Refusal::new(sentence, remedy)),
                None if *to == self.cluster.level => Applied::Unchanged,
                None => {
                    self.cluster = self.cluster.at_level(*to);
                    self.note(node, incarnation, seq);
                    Applied::Changed(Changes::default())
                }
            },
            Proposed::SetNodes(new) => match crate::nodes::refusal(self, gate, new) {
                Some(refusal) => Applied::Refused(refusal),
                None => {
                    crate::nodes::carry_out(self, new);
                    self.note(node, incarnation, seq);
                    Applied::Changed(Changes::default())
                }
            },
            Proposed::SetRegister(new) => {
                let known = self.register.as_ref();
                let is_news = Some(&new.register) > known;
                // What was read of a list, or said of it, is a step from what was known then, and from nothing else.
                if !is_news || (new.read_in.is_some() && !new.register.follows(known)) {
                    return Applied::Unchanged;
                }
                self.register = Some(new.register.clone());
                // Who is quorate by it has the state that counts from here on.
                self.lineage = self.lineage.max(new.claimed);
                Applied::Changed(Changes::default())
            }
            Proposed::Settle | Proposed::CancelWaitForAll | Proposed::RotateKey { .. } | Proposed::Ask { .. } => {
                Applied::Unchanged
            }
        }
    }

    /// The configuration, or the cluster as such, was changed by what has this name.
    fn note(&mut self, node: NodeId, incarnation: Incarnation, seq: u64) {
        let Version { admin_epoch, epoch, .. } = self.cib.version;
        let (passing, apart) = (false, false);
        self.trail.push(Mark { admin_epoch, epoch, node, incarnation, seq, passing, apart });
        let surplus = self.trail.len().saturating_sub(TRAIL);
        self.trail.drain(..surplus);
    }

    /// Says where the last change counts, if it is the one that was proposed under this name.
    pub(crate) fn qualify(&mut self, id: ProposalId, passing: bool, apart: bool) {
        let last = self.trail.last_mut();
        if let Some(mark) =
            last.filter(|mark| (mark.node, mark.incarnation, mark.seq) == (id.node, id.incarnation, id.seq))
        {
            (mark.passing, mark.apart) = (passing, apart);
        }
    }

    /// This state counts from now on: for all if most of the votes are here, and otherwise on this side. Whether that is
    /// more than was known of one of its changes.
    pub(crate) fn counts(&mut self, majority: bool) -> bool {
        let mut changed = false;
        for mark in &mut self.trail {
            let apart = !majority && (mark.apart || mark.passing);
            changed |= mark.passing || mark.apart != apart;
            (mark.passing, mark.apart) = (false, apart);
        }
        changed
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
        wire::encode_snapshot(&SnapshotRef {
            cib: &self.cib,
            processed: &self.processed(),
            lineage: self.lineage,
            dc: self.dc,
            lives: &self.lives,
            trail: &self.trail,
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
            cluster: std::mem::take(&mut self.cluster),
            trail: snapshot.trail,
            register: self.register.take(),
            journal: self.journal.take(),
        };
    }

    /// What of this goes to the disk: what people asked for, without what is known of the present.
    pub(crate) fn durable(&self) -> Option<Vec<u8>> {
        wire::encode_stored(&self.cib, &self.cluster, self.lineage, &self.trail, self.register.as_ref())
    }
}

/// The changes that a state with this trail has and `other`, which takes its place, never had: both were changed while they
/// were apart. One that is older than all that `other` remembers is taken for one that it has, unless nobody else can
/// have heard of it.
pub(crate) fn not_in<'a>(trail: &'a [Mark], other: &'a [Mark]) -> impl Iterator<Item = &'a Mark> {
    let oldest = other.first().filter(|_| other.len() >= TRAIL).map(|mark| (mark.admin_epoch, mark.epoch));
    let forgotten = move |mark: &Mark| oldest.is_some_and(|oldest| oldest > (mark.admin_epoch, mark.epoch));
    trail.iter().filter(move |mark| !other.iter().any(|theirs| theirs.is(mark)) && (mark.apart || !forgotten(mark)))
}

#[cfg(test)]
mod tests;
