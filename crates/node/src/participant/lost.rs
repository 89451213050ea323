//! States that this node gave up for another: they are kept, and what was lost with them is told until somebody has looked
//! at it, or it turns out not to be lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use hac_crm::cib::Applied;
use hac_model::Cib;
use hac_types::{LevelWindow, NodeId, RingId, mutant};

use super::Participant;
use super::versions::Offered;
use crate::cluster::ClusterConfig;
use crate::differences::{differences, given_up, of_clusters};
use crate::replica::{Replica, not_in};
use crate::wire::{self, Lane, Lost, Mark, ProposalId};
use crate::{Level as Importance, Now};

/// How many differences of a state that was given up are told one by one.
const LOST_TOLD: usize = 50;

/// A state that was given up, and that nobody has looked at.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) lost: Lost,
    /// Its changes that the state which counts has not had since. None at first where they are not known.
    marks: Vec<Mark>,
    /// What is lost with it, in words, however much that is.
    changes: Vec<String>,
    /// The state itself, where it can be read.
    state: Option<(Arc<Cib>, ClusterConfig)>,
}

impl Kept {
    /// One of its changes was carried out after all: what the present state has is not lost.
    fn shrink(&mut self, now: &Replica) {
        let Some((cib, cluster)) = &self.state else { return };
        let lost: BTreeSet<String> = lost_with(cib, cluster, now).into_iter().collect();
        self.changes.retain(|change| lost.contains(change));
        self.lost = told(self.lost.file.clone(), self.changes.clone());
    }
}

/// A state that gives way.
struct Yielding {
    cib: Arc<Cib>,
    cluster: ClusterConfig,
    bytes: Option<Vec<u8>>,
    lineage: Option<RingId>,
    marks: Vec<Mark>,
}

impl Participant {
    /// This node's state gives way to this one. What it has prepared has all that it has itself, and comes first.
    pub(super) fn give_way(&mut self, now: Now, donor: NodeId, trail: &[Mark], other: &Cib) {
        if !self.give_up_offer(now, donor, trail, other) && self.gives_up_changes(&self.replica.trail, trail) {
            let replica = &self.replica;
            let yielding = Yielding {
                cib: Arc::clone(&replica.cib),
                cluster: replica.cluster.clone(),
                bytes: replica.durable(),
                lineage: replica.lineage,
                marks: not_in(&replica.trail, trail).copied().collect(),
            };
            let donor = self.name_of(donor);
            self.keep(now, yielding, other, |lost| {
                format!(
                    "the configuration was changed on both sides of a cut; that of {donor} counts, changes made here are \
                     {lost}"
                )
            });
        }
    }

    /// What this node had stored when it went down does not count: others went on without it. Whether it is kept because it
    /// has a change that the state which counts has not. It may have been acknowledged: by a node whose disk was lost
    /// since, or that keeps it on the other side of a cut.
    pub(super) fn give_up_offer(&mut self, now: Now, donor: NodeId, trail: &[Mark], other: &Cib) -> bool {
        let judged = self.offer.take_if(|offered| offered.passed_over);
        let Some(Offered { generation, state, .. }) = judged else { return false };
        let kept = self.gives_up_changes(&state.trail, trail) && !mutant("prepared-unreported");
        if kept {
            let yielding = Yielding {
                bytes: wire::encode_stored(
                    &state.cib,
                    &state.cluster,
                    state.lineage,
                    &state.trail,
                    state.register.as_ref(),
                ),
                cib: Arc::new(state.cib),
                cluster: state.cluster,
                lineage: state.lineage,
                marks: not_in(&state.trail, trail).copied().collect(),
            };
            let donor = self.name_of(donor);
            self.keep(now, yielding, other, |lost| {
                format!(
                    "this node went down while the configuration was changed, and nobody who is here knows what came of \
                     that; the configuration of {donor} counts, changes stored here are {lost}"
                )
            });
            self.discard(generation);
        } else {
            self.discard_when_stored(generation);
        }
        kept
    }

    /// Keeps a state, and tells in words what is lost with it.
    fn keep(&mut self, now: Now, yielding: Yielding, other: &Cib, words: impl FnOnce(&str) -> String) {
        let Yielding { cib, cluster, bytes, lineage, marks } = yielding;
        let then = self.with_proposed(other, &marks);
        let changes = lost_with(&cib, &cluster, &then);
        let Some(bytes) = bytes.filter(|_| !changes.is_empty()) else { return };
        let file = lost_name(self.disk.next_generation(), lineage.unwrap_or_default());
        let text = words(&format!("lost: {}; the whole is kept as {file}", changes.join(", ")));
        self.effects.remark(Importance::Error, text);
        self.keep_lost(now, file.clone(), bytes);
        let lost = told(file, changes.clone());
        self.lost.push(Kept { lost, marks, changes, state: Some((cib, cluster)) });
    }

    /// This state with those of these changes that this node proposes again, because it never saw them come back: who asked
    /// for them is answered when they do, so they are not lost.
    fn with_proposed(&self, state: &Cib, marks: &[Mark]) -> Replica {
        let mut then = self.replica.clone();
        then.cib = Arc::new(state.clone());
        then.journal = None;
        let gate = self.gate();
        let is_among = |id: ProposalId| marks.iter().any(|mark| is_named(mark, id)) && !mutant("fork-imagined");
        for proposal in self.proposals.again().filter(|proposal| is_among(proposal.id)) {
            // Where it is refused it is lost, and named.
            let _: Applied = then.carry_out(proposal, &gate);
        }
        then
    }

    /// Whether a state with these changes has one that may count somewhere and is not among `other`. What this node still
    /// proposes was not acknowledged, and is not lost. Of what another member proposed in its present life, that member says
    /// itself whether it is lost: if it never saw it come back, it proposes it again.
    fn gives_up_changes(&self, trail: &[Mark], other: &[Mark]) -> bool {
        let members = || self.view.iter().flat_map(|view| &view.members).filter(|member| member.node != self.me.node);
        let is_anothers = |mark: &Mark| members().any(|m| (m.node, m.incarnation) == (mark.node, mark.incarnation));
        let is_proposed = |mark: &Mark| self.proposals.again().any(|proposal| is_named(mark, proposal.id));
        if mutant("fork-unreported") {
            return false;
        }
        let imagined = mutant("fork-imagined");
        not_in(trail, other).any(|mark| imagined || (!is_proposed(mark) && !is_anothers(mark)))
    }

    /// What the state has by now is not lost: who proposed it was away, and has proposed it again.
    pub(super) fn find_lost(&mut self, now: Now) {
        let trail = &self.replica.trail;
        let is_there = |mark: &Mark| trail.iter().any(|known| known.is(mark));
        let before = self.lost.len();
        self.lost.retain_mut(|kept| {
            let known = kept.marks.len();
            kept.marks.retain(|mark| !is_there(mark));
            if kept.marks.len() == known {
                return true;
            }
            kept.shrink(&self.replica);
            !kept.marks.is_empty() && !kept.changes.is_empty()
        });
        if self.lost.len() == before {
            return;
        }
        self.effects.remark(Importance::Notice, "changes that were told as lost are there again");
        if self.lost.is_empty() {
            self.mark_lost_seen(now);
        }
    }

    /// People have looked at what was given up.
    pub(super) fn forget_lost(&mut self, now: Now) {
        self.lost.clear();
        self.lost_elsewhere.clear();
        self.mark_lost_seen(now);
    }

    /// A member says what it gave up.
    pub(super) fn learn_lost(&mut self, from: NodeId, lost: Option<Lost>) {
        let name = self.name_of(from);
        match lost {
            Some(lost) if from != self.me.node => {
                self.lost_elsewhere.insert(name, lost.changes);
            }
            _ => {
                self.lost_elsewhere.remove(&name);
            }
        }
    }

    /// What was given up and not looked at, in sentences with their remedies.
    pub(super) fn lost_problems(&self) -> Vec<(String, String)> {
        let here = self.lost.iter().map(|Kept { lost, .. }| {
            let sentence = format!(
                "the configuration was changed on both sides of a cut; changes made here were lost: {}; they are kept in {}",
                lost.changes.join(", "),
                lost.file
            );
            (sentence, "'hacctl configure conflict show' shows them, 'hacctl configure conflict clear' ends this.".to_owned())
        });
        let elsewhere = self.lost_elsewhere.iter().map(|(name, changes)| {
            let sentence = format!(
                "the configuration was changed on both sides of a cut; changes made on {name} were lost: {}",
                changes.join(", ")
            );
            (sentence, format!("'hacctl configure conflict show' on {name} shows them."))
        });
        here.chain(elsewhere).collect()
    }
}

/// What a state has, in words, that is lost with it where the other one counts.
fn lost_with(cib: &Cib, cluster: &ClusterConfig, other: &Replica) -> Vec<String> {
    let configuration = &other.cib.configuration;
    let mut changes = given_up(&cib.configuration, configuration);
    changes.extend(of_clusters(cluster, &other.cluster, configuration));
    changes
}

/// Whether this is the change that was proposed under this name.
fn is_named(mark: &Mark, id: ProposalId) -> bool {
    id.lane == Lane::Configure && (id.node, id.incarnation, id.seq) == (mark.node, mark.incarnation, mark.seq)
}

/// `cib.N.lost-RING`.
fn lost_name(generation: u64, ring: RingId) -> String {
    let RingId { seq, rep, rep_incarnation } = ring;
    format!("cib.{generation}.lost-{seq:x}.{rep}.{:x}", rep_incarnation.0)
}

fn told(file: String, mut changes: Vec<String>) -> Lost {
    let more = changes.len().saturating_sub(LOST_TOLD);
    changes.truncate(LOST_TOLD);
    if more > 0 {
        changes.push(format!("{more} more"));
    }
    Lost { file, changes }
}

/// What was given up in earlier lives of this node, as far as it is not there now.
pub(super) fn read_lost(files: &[(String, Vec<u8>)], now: &Replica, known: LevelWindow) -> Vec<Kept> {
    let read = |(file, bytes): &(String, Vec<u8>)| {
        let (changes, marks, state) = match wire::decode_stored(bytes, known) {
            Ok(state) => {
                let missing = |mark: &&Mark| !now.trail.iter().any(|theirs| theirs.is(mark));
                let marks: Vec<Mark> = state.trail.iter().filter(missing).copied().collect();
                if marks.is_empty() && !state.trail.is_empty() {
                    return None;
                }
                let mut changes = differences(&state.cib.configuration, &now.cib.configuration);
                changes.extend(of_clusters(&state.cluster, &now.cluster, &now.cib.configuration));
                (changes, marks, Some((Arc::new(state.cib), state.cluster)))
            }
            Err(why) => (vec![why.to_string()], Vec::new(), None),
        };
        // What has come since is no part of it, so what was deleted cannot be told by name any more.
        let changes = if changes.is_empty() { vec!["something that was deleted".to_owned()] } else { changes };
        Some(Kept { lost: told(file.clone(), changes.clone()), marks, changes, state })
    };
    files.iter().filter_map(read).collect()
}
