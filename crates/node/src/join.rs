//! The barrier at the beginning of each view: members compare their states, take the best one over, and tell how their
//! own resources stand, before anybody acts.
//!
//! ```text
//!  Hellos ──all delivered──► Copying ───Snapshot───► Readies ──all delivered──► over
//!              │                                        ▲
//!              └────────── nobody needs a copy ─────────┘
//! ```
//!
//! Each step is a position in the ordered stream, so all members take it at the same point. All of it belongs to one
//! ring and is dropped with it.
//!
//! Every step has an end. A member that sees no progress for too long says so (`Impatient`), and where that is delivered
//! all members see the same ones missing: those are left out of the next ring, and the others begin again without them.
//! A member that is itself missing is not listened to. Progress is anything that is delivered, each part of a state
//! too: a large state that flows is waited for.

mod offers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hac_types::{Member, NodeId, RingId, Timestamp, WallTime};

use self::offers::Judgement;
use crate::cluster::ClusterConfig;
use crate::wire::{Hello, Offer, Ready};

/// How long nothing may come while hellos are waited for: they are made of what each member has at hand.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing may come while a state is waited for, or readies: a large state must be written and read first.
const STATE_PATIENCE: Duration = Duration::from_secs(10);

/// A member may take a second longer to read so many bytes of a state.
const BYTES_READ_IN_A_SECOND: usize = 4 << 20;

/// The barrier of one view.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// The ring it belongs to.
    pub(crate) ring: RingId,
    members: Vec<Member>,
    hellos: BTreeMap<NodeId, Hello>,
    step: Step,
    /// Bytes of the state that was handed over.
    size: usize,
    /// The last progress, or the last time that somebody here lost patience.
    progress: Timestamp,
    /// When the missing ones were left out last.
    judged: Option<Timestamp>,
    readies: BTreeMap<NodeId, Ready>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Hellos.
    Hellos,
    /// The state of this donor.
    Copying(NodeId),
    /// Readies.
    Readies,
}

/// What the hellos say when all are there. The same on all members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Whose state is taken over.
    pub(crate) donor: NodeId,
    /// Who needs it.
    pub(crate) needy: BTreeSet<NodeId>,
    /// The prepared configuration that counts from now on.
    pub(crate) offer: Option<Offer>,
    /// Whose prepared configuration nobody here can judge.
    pub(crate) open: BTreeSet<NodeId>,
    /// The cluster as such.
    pub(crate) cluster: Option<ClusterConfig>,
}

/// What was said in a barrier that is over. The same on all members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Agreement {
    pub(crate) ring: RingId,
    pub(crate) members: Vec<Member>,
    /// What the members said first.
    pub(crate) hellos: BTreeMap<NodeId, Hello>,
    /// What they said last.
    pub(crate) readies: BTreeMap<NodeId, Ready>,
    pub(crate) comparison: Comparison,
}

impl Agreement {
    /// A civil time that all members agree on: the latest anybody has.
    pub(crate) fn wall(&self) -> WallTime {
        self.hellos.values().map(|hello| hello.wall).max().unwrap_or_default()
    }
}

impl Join {
    /// The barrier of the view of `ring` with `members`.
    pub(crate) const fn new(ring: RingId, members: Vec<Member>, now: Timestamp) -> Self {
        Self {
            ring,
            members,
            hellos: BTreeMap::new(),
            step: Step::Hellos,
            size: 0,
            progress: now,
            judged: None,
            readies: BTreeMap::new(),
        }
    }

    /// Something of the barrier was delivered.
    pub(crate) const fn progress(&mut self, now: Timestamp) {
        self.progress = now;
    }

    /// When it has taken too long that nothing comes.
    pub(crate) fn deadline(&self) -> Timestamp {
        let patience = match self.step {
            Step::Hellos => HELLO_PATIENCE,
            Step::Copying(_) => STATE_PATIENCE,
            Step::Readies => {
                let reading = u64::try_from(self.size / BYTES_READ_IN_A_SECOND).unwrap_or(u64::MAX);
                STATE_PATIENCE.saturating_add(Duration::from_secs(reading))
            }
        };
        self.progress + patience
    }

    /// A member has lost patience: whom all go without, if anybody; not again what another said a moment before. Who is
    /// missing itself does not judge the others.
    pub(crate) fn judge(&mut self, now: Timestamp, from: NodeId) -> Vec<NodeId> {
        let missing = self.missing();
        let again = self.judged.is_some_and(|at| now < at + HELLO_PATIENCE / 2);
        if again || missing.contains(&from) || !self.is_member(from) {
            return Vec::new();
        }
        self.judged = Some(now);
        missing
    }

    /// What the missing ones owe, for people: `has not said hello`.
    pub(crate) const fn owed(&self) -> &'static str {
        match self.step {
            Step::Hellos => "has not said what state it has",
            Step::Copying(_) => "has not handed its state over",
            Step::Readies => "has not taken the state over",
        }
    }

    /// Takes a hello; the comparison when it was the last one.
    pub(crate) fn hello(&mut self, from: NodeId, hello: Hello) -> Option<Comparison> {
        if self.step != Step::Hellos || !self.is_member(from) {
            return None;
        }
        self.hellos.insert(from, hello);
        if self.hellos.len() < self.members.len() {
            return None;
        }
        let comparison = compare(&self.hellos);
        if let Some(comparison) = &comparison {
            let copies = !comparison.needy.is_empty();
            self.step = if copies { Step::Copying(comparison.donor) } else { Step::Readies };
        }
        comparison
    }

    /// The state was delivered, with so many bytes, from this member; whether it was waited for.
    pub(crate) fn copied(&mut self, from: NodeId, size: usize) -> bool {
        let awaited = self.step == Step::Copying(from);
        if awaited {
            self.step = Step::Readies;
            self.size = size;
        }
        awaited
    }

    /// Takes the news that a member has the state; if it was the last one, the barrier is over and gives up all it has.
    pub(crate) fn ready(&mut self, from: NodeId, ready: Ready) -> Option<Agreement> {
        if self.step != Step::Readies || !self.is_member(from) {
            return None;
        }
        self.readies.insert(from, ready);
        if self.readies.len() < self.members.len() {
            return None;
        }
        let comparison = compare(&self.hellos)?;
        Some(Agreement {
            ring: self.ring,
            members: std::mem::take(&mut self.members),
            hellos: std::mem::take(&mut self.hellos),
            readies: std::mem::take(&mut self.readies),
            comparison,
        })
    }

    /// What was compared; `None` before all hellos are there.
    pub(crate) fn comparison(&self) -> Option<Comparison> {
        if self.step == Step::Hellos { None } else { compare(&self.hellos) }
    }

    /// Who has not said hello, has not handed its state over, or is not ready: whoever this step waits for.
    pub(crate) fn missing(&self) -> Vec<NodeId> {
        let all = self.members.iter().map(|m| m.node);
        match self.step {
            Step::Hellos => all.filter(|node| !self.hellos.contains_key(node)).collect(),
            Step::Copying(donor) => vec![donor],
            Step::Readies => all.filter(|node| !self.readies.contains_key(node)).collect(),
        }
    }

    /// What the members said first, by node.
    pub(crate) const fn hellos(&self) -> &BTreeMap<NodeId, Hello> {
        &self.hellos
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.members.iter().any(|m| m.node == node)
    }
}

/// Chooses the donor: the highest configuration wins, as in Pacemaker; among equals the state that was last part of a
/// quorate view, then one that is not only from the disk (where nothing is known of the present, nor which proposals were
/// carried out), then the one that followed the stream further, then one that has its state on its disk, then the previous
/// coordinator, then the lowest id. Who has anything else needs a copy. What is only prepared takes part if it counts.
fn compare(hellos: &BTreeMap<NodeId, Hello>) -> Option<Comparison> {
    let Judgement { counts, open, cluster } = offers::judge(hellos);
    let brought = |hello: &Hello| counts.filter(|offer| hello.offer.as_ref().is_some_and(|own| own.is(offer)));
    let brings = |hello: &Hello| match brought(hello) {
        Some(offer) => (offer.version, offer.digest),
        None => (hello.version, hello.digest),
    };
    let rank = |entry: &(&NodeId, &Hello)| {
        let (&node, hello) = *entry;
        let (version, _) = brings(hello);
        let lineage = brought(hello).map_or(hello.lineage, |offer| offer.lineage.max(hello.lineage));
        let followed = hello.since != RingId::default();
        let durable = hello.undurable.is_none();
        let was_dc = hello.dc.is_some_and(|dc| dc.node == node);
        let lowest = std::cmp::Reverse(node);
        (offers::configuration(version), lineage, followed, version.num_updates, durable, was_dc, lowest)
    };
    let (&donor, best) = hellos.iter().max_by_key(rank)?;
    let same = |(&node, hello): (&NodeId, &Hello)| {
        // What is prepared says nothing of the present: who has been in a view since knows something of that besides.
        let alike = counts.is_none() || hello.since == RingId::default() && best.since == RingId::default();
        node == donor || alike && brings(hello) == brings(best) && hello.processed == best.processed
    };
    let needy = hellos.iter().filter(|entry| !same(*entry)).map(|(&node, _)| node).collect();
    Some(Comparison { donor, needy, offer: counts.cloned(), open, cluster })
}

#[cfg(test)]
mod tests;
