//! This node's disk: what is written to it, why, and what waits for that.

use std::collections::BTreeMap;
use std::time::Duration;

use hac_crm::cib::Refusal;
use hac_totem::Fingerprint;
use hac_types::{Timestamp, mutant};

use super::Participant;
use super::versions::Offered;
use crate::durable::{DISK_PATIENCE, NO_ANSWER, STORING_PATIENCE};
use crate::wire::{Body, ProposalId, Vote};
use crate::{Level, Now, Persist, PersistId, Reply};

/// How soon a state that could not be stored is stored again.
const STORE_AGAIN: Duration = Duration::from_secs(10);

/// The way out of waiting for all nodes; follows other remedies.
pub(super) const UNBLOCK: &str =
    " If they are down for certain, 'hacctl quorum unblock' ends the waiting for all nodes.";

/// What is being written to the disk, and why.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    generation: u64,
    last_id: u64,
    writing: BTreeMap<PersistId, (Timestamp, Purpose)>,
    /// What counts is not on its way to the disk: it is stored when nothing else is being stored, and not before this.
    stale: Option<Timestamp>,
    /// What was prepared and is in the state that counts, or did not count: it is removed when that state is on the disk.
    superseded: Vec<u64>,
    /// Why the newest configuration is not on this node's disk.
    pub(super) undurable: Option<String>,
    /// Why the ring's number is not on this node's disk.
    pub(super) ring_number: Option<String>,
}

/// What is told to who proposed something.
type Answer = (ProposalId, Reply);

/// Why something is written.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// A change of the configuration that this node votes on, as this generation. The same proposal may have been stored
    /// before, in an earlier view, where something else would have come of it.
    Prepare(ProposalId, u64),
    /// A state that was taken over; these answers wait until it counts.
    Store(u64, Vec<Answer>),
    /// A state that counts; these answers wait for it.
    Commit(Vec<Answer>),
    /// What an earlier life had prepared and nobody could judge yet, again: it is there already as this generation.
    Keep(u64),
    /// The next key; once it is late, the others were told.
    KeyStage { next: Fingerprint, late: bool },
    /// The key in use; these proposals wait for it.
    KeyCommit(Vec<ProposalId>),
    /// A next key that is none is removed.
    KeyDiscard,
    /// A state that was given up, or the news that somebody has seen it.
    Lost,
}

impl Disk {
    /// A disk whose generations are numbered up to `generation`.
    pub(super) const fn new(generation: u64) -> Self {
        Self {
            generation,
            last_id: 0,
            writing: BTreeMap::new(),
            stale: None,
            superseded: Vec::new(),
            undurable: None,
            ring_number: None,
        }
    }

    /// A number above all others.
    pub(super) const fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Names a write.
    pub(super) fn begin(&mut self, now: Timestamp, purpose: Purpose) -> PersistId {
        self.last_id += 1;
        let id = PersistId(self.last_id);
        self.writing.insert(id, (now, purpose));
        id
    }

    /// A write that was named and comes to nothing.
    pub(super) fn forget(&mut self, id: PersistId) {
        self.writing.remove(&id);
    }

    /// Whether the key in use is on its way into the key file.
    pub(super) fn replaces_key(&self) -> bool {
        self.writing.values().any(|(_, purpose)| matches!(purpose, Purpose::KeyCommit(_)))
    }

    /// The answers that wait for the newest state which is on its way to the disk, if one is.
    fn waiting(&mut self) -> Option<&mut Vec<Answer>> {
        self.writing.values_mut().rev().find_map(|(_, purpose)| match purpose {
            Purpose::Store(_, answers) | Purpose::Commit(answers) => Some(answers),
            _ => None,
        })
    }

    /// Whether a generation of the configuration is on its way to the disk.
    fn is_storing(&self) -> bool {
        let stores =
            |purpose: &Purpose| matches!(purpose, Purpose::Prepare(..) | Purpose::Store(..) | Purpose::Commit(_));
        self.writing.values().any(|(_, purpose)| stores(purpose))
    }

    /// When a state that counts, or a key, has been on its way to the disk for too long, while somebody waits for it or
    /// nobody knows it yet.
    fn deadline(&self) -> Option<Timestamp> {
        let waited = |(since, purpose): &(Timestamp, Purpose)| match purpose {
            Purpose::Store(_, answers) | Purpose::Commit(answers) => {
                (self.undurable.is_none() || !answers.is_empty()).then_some(*since + DISK_PATIENCE)
            }
            Purpose::KeyStage { late: false, .. } => Some(*since + STORING_PATIENCE),
            Purpose::KeyCommit(waiting) if !waiting.is_empty() => Some(*since + DISK_PATIENCE),
            _ => None,
        };
        self.writing.values().filter_map(waited).min()
    }
}

impl Participant {
    /// The ring's number could not be stored, and why; or it could again.
    pub(super) fn handle_ring_number(&mut self, result: Result<(), String>) {
        if let Err(why) = &result {
            self.effects.remark(Level::Error, format!("the ring's number could not be stored: {why}"));
        }
        self.disk.ring_number = result.err();
        self.announce_caught_up();
    }

    /// Why nobody is to count on this disk. One that does not take the ring's number does not remember in which ring it has
    /// stored anything: a later ring of most of the votes might have a lower number, and what is agreed there would give way
    /// to what was only prepared in this one.
    pub(super) fn unreliable(&self) -> Option<String> {
        let number = self.disk.ring_number.as_ref().map(|why| format!("it does not take the ring's number: {why}"));
        self.disk.undurable.clone().or(number)
    }

    /// Whether what this node has in memory is on its disk, or on those of as many others as are needed for a quorum: then
    /// it is found again whatever loses its power.
    pub(super) fn is_kept(&self) -> bool {
        let counts = |purpose: &Purpose| matches!(purpose, Purpose::Store(..) | Purpose::Commit(_));
        let on_its_way = self.disk.writing.values().any(|(_, purpose)| counts(purpose));
        let here = self.disk.undurable.is_none() && self.disk.stale.is_none() && !on_its_way;
        let members = self.view.iter().flat_map(|view| view.members.iter().map(|member| member.node));
        let others = members.filter(|&node| node != self.me.node && !self.durable.behind.contains_key(&node));
        here || self.is_active() && self.is_enough(&others.collect())
    }

    /// Has a candidate stored, to vote on it.
    pub(super) fn prepare(&mut self, now: Now, proposal: ProposalId, generation: u64, bytes: Vec<u8>) {
        let id = self.disk.begin(now.mono, Purpose::Prepare(proposal, generation));
        let what = Persist::CibPrepare { generation, bytes };
        self.effects.persist(id, what);
        if mutant("vote-before-stored") {
            self.broadcast(Body::Vote(Vote { proposal, error: None }));
        }
    }

    /// Has a state that was taken over stored.
    pub(super) fn store(&mut self, now: Now, bytes: Vec<u8>) {
        let generation = self.disk.next_generation();
        self.keep_offer(now);
        let id = self.disk.begin(now.mono, Purpose::Store(generation, Vec::new()));
        let what = Persist::CibPrepare { generation, bytes };
        self.effects.persist(id, what);
    }

    /// What an earlier life had prepared and nobody could judge yet is stored again under a higher number than what counts meanwhile,
    /// and before it: of what was prepared only the newest is read at a start, and only if it is newer than what counts.
    fn keep_offer(&mut self, now: Now) {
        let Some(bytes) = self.offer.as_ref().and_then(Offered::bytes) else { return };
        let generation = self.disk.next_generation();
        let before = self.offer.as_mut().map_or(0, |offered| std::mem::replace(&mut offered.generation, generation));
        let id = self.disk.begin(now.mono, Purpose::Keep(before));
        self.effects.persist(id, Persist::CibPrepare { generation, bytes });
    }

    /// Makes a stored candidate the configuration, and then answers.
    pub(super) fn commit(&mut self, now: Now, generation: u64, proposal: ProposalId, reply: Reply) {
        if let Some(why) = self.durable.behind.get(&self.me.node).cloned() {
            // Nobody counts on this disk: the newest state goes there when it answers.
            self.disk.undurable.get_or_insert(why);
            self.disk.stale = Some(now.mono);
            self.discard(generation);
            self.answer(proposal, reply);
            return self.catch_up(now);
        }
        // In a transitional view the answer is only remembered; it is given when the proposal comes back.
        let answers = if self.is_mine(proposal) && !self.is_breaking() {
            vec![(proposal, reply)]
        } else {
            self.answer(proposal, reply);
            Vec::new()
        };
        self.commit_generation(now, generation, answers);
    }

    pub(super) fn commit_generation(&mut self, now: Now, generation: u64, answers: Vec<Answer>) {
        let id = self.disk.begin(now.mono, Purpose::Commit(answers));
        let what = Persist::CibCommit { generation };
        self.effects.persist(id, what);
    }

    /// A stored candidate comes to nothing.
    pub(super) fn discard(&mut self, generation: u64) {
        self.disk.last_id += 1;
        let id = PersistId(self.disk.last_id);
        let what = Persist::CibDiscard { generation };
        self.effects.persist(id, what);
    }

    /// What an earlier life had prepared is not needed any more when the state is on the disk that takes its place, and not
    /// before: others may have counted on it, and this state may be on too few other disks.
    pub(super) fn discard_when_stored(&mut self, generation: u64) {
        self.disk.superseded.push(generation);
    }

    /// The state that counts is on the disk, unless something is still on its way there.
    pub(super) fn discard_superseded(&mut self) {
        if self.disk.stale.is_none() && self.disk.undurable.is_none() && !self.disk.is_storing() {
            std::mem::take(&mut self.disk.superseded).into_iter().for_each(|generation| self.discard(generation));
        }
    }

    /// Has a state that was given up kept.
    pub(super) fn keep_lost(&mut self, now: Now, file: String, bytes: Vec<u8>) {
        let id = self.disk.begin(now.mono, Purpose::Lost);
        self.effects.persist(id, Persist::CibLost { file, bytes });
    }

    /// The states that were given up are no longer told of.
    pub(super) fn mark_lost_seen(&mut self, now: Now) {
        let id = self.disk.begin(now.mono, Purpose::Lost);
        self.effects.persist(id, Persist::CibLostSeen);
    }

    /// What became of something that was to be stored.
    pub(super) fn handle_persisted(&mut self, now: Now, id: PersistId, result: Result<(), String>) {
        let Some((_, purpose)) = self.disk.writing.remove(&id) else { return };
        self.stored(now, purpose, result);
        self.catch_up(now);
    }

    fn stored(&mut self, now: Now, purpose: Purpose, result: Result<(), String>) {
        match purpose {
            Purpose::Prepare(proposal, generation) => {
                let current = self.durable.current.as_ref().map(|p| (p.proposal.id, p.generation));
                if current == Some((proposal, generation)) && !self.is_breaking() {
                    self.broadcast(Body::Vote(Vote { proposal, error: result.err() }));
                }
            }
            Purpose::Store(generation, answers) => match result {
                Ok(()) => self.commit_generation(now, generation, answers),
                Err(why) => {
                    self.discard(generation);
                    self.written(now, answers, Err(why));
                }
            },
            Purpose::Commit(answers) => self.written(now, answers, result),
            Purpose::Keep(before) => match result {
                Ok(()) => self.discard(before),
                Err(why) => {
                    let text = format!("what was prepared before this node went down could not be stored again: {why}");
                    self.effects.remark(Level::Error, text);
                }
            },
            Purpose::KeyStage { next, .. } => self.key_staged(now, next, result),
            Purpose::Lost => {
                if let Err(why) = result {
                    self.effects.remark(Level::Error, format!("a state that was given up could not be kept: {why}"));
                }
            }
            Purpose::KeyCommit(waiting) => self.key_filed(now, waiting, result),
            Purpose::KeyDiscard => {
                if let Err(why) = result {
                    self.effects.remark(
                        Level::Warning,
                        format!("a stored next key is unusable and could not be removed: {why}"),
                    );
                }
            }
        }
    }

    /// A state that counts is on the disk, or could not be put there; these answers waited for that.
    fn written(&mut self, now: Now, answers: Vec<Answer>, result: Result<(), String>) {
        let warning = result.err().map(|why| self.not_durable(why));
        if warning.is_some() {
            self.disk.stale = Some(now.mono + STORE_AGAIN);
        } else if self.disk.stale.is_none() && !self.disk.is_storing() {
            self.disk.undurable = None;
            self.discard_superseded();
            self.announce_caught_up();
        }
        for (proposal, reply) in answers {
            self.answer_stored(proposal, reply, warning.clone().into_iter().collect());
        }
    }

    /// Stores what counts, if it is neither on the disk nor on its way there.
    pub(super) fn catch_up(&mut self, now: Now) {
        let due = self.disk.stale.is_some_and(|at| at <= now.mono);
        if !due || self.disk.is_storing() {
            return;
        }
        self.disk.stale = None;
        match self.replica.durable() {
            Some(bytes) => self.store(now, bytes),
            None => self.disk.undurable = Some("it is too large".to_owned()),
        }
    }

    /// Tells those who think that this disk is behind that it is not.
    pub(super) fn announce_caught_up(&mut self) {
        if self.is_active() && self.unreliable().is_none() && self.durable.behind.contains_key(&self.me.node) {
            self.broadcast(Body::Stored(self.replica.cib.version));
        }
    }

    /// When something is to be done about the disk although it does not answer.
    pub(super) fn disk_timeout(&self) -> Option<Timestamp> {
        let again = self.disk.stale.filter(|_| !self.disk.is_storing());
        [again, self.disk.deadline()].into_iter().flatten().min()
    }

    /// Who waits for a disk that does not answer is told so: what counts does so without it.
    pub(super) fn expire_writes(&mut self, now: Now) {
        let (mut states, mut staged, mut committed) = (Vec::new(), Vec::new(), Vec::new());
        for (since, purpose) in self.disk.writing.values_mut() {
            let over = |patience| *since + patience <= now.mono;
            match purpose {
                Purpose::Store(_, answers) | Purpose::Commit(answers) if over(DISK_PATIENCE) => {
                    states.push(std::mem::take(answers));
                }
                Purpose::KeyStage { next, late } if over(STORING_PATIENCE) && !*late => {
                    *late = true;
                    staged.push(*next);
                }
                Purpose::KeyCommit(waiting) if over(DISK_PATIENCE) && !waiting.is_empty() => {
                    committed.push(std::mem::take(waiting));
                }
                _ => {}
            }
        }
        staged.into_iter().for_each(|next| self.key_is_late(next));
        committed.into_iter().for_each(|waiting| self.key_committed(waiting, Err(NO_ANSWER.to_owned())));
        if !states.is_empty() {
            self.states_are_late(states.into_iter().flatten());
        }
        self.catch_up(now);
    }

    fn states_are_late(&mut self, answers: impl Iterator<Item = Answer>) {
        let warning = if self.disk.undurable.is_none() {
            self.not_durable(NO_ANSWER.to_owned())
        } else {
            self.not_stored(NO_ANSWER)
        };
        for (proposal, reply) in answers {
            self.answer_stored(proposal, reply, vec![warning.clone()]);
        }
    }

    /// There is nothing to change: that is told when what counts already is on the disk.
    pub(super) fn answer_unchanged(&mut self, proposal: ProposalId) {
        let mut warnings = self.behind_warnings();
        if warnings.is_empty() {
            warnings.extend(self.disk.undurable.as_ref().map(|why| self.not_stored(why)));
        }
        let reply = self.done(warnings);
        let now = self.is_mine(proposal) && !self.is_breaking();
        match self.disk.waiting() {
            Some(answers) if now => answers.push((proposal, reply)),
            _ => self.refuse(proposal, reply),
        }
    }

    /// The state was replaced by one that may not have what was carried out in the one before: what is not in it is proposed
    /// again, and answered as that turns out.
    pub(super) fn doubt_answers(&mut self) {
        let is_kept = |id: ProposalId| self.replica.is_processed(id);
        for (_, purpose) in self.disk.writing.values_mut() {
            if let Purpose::Store(_, answers) | Purpose::Commit(answers) = purpose {
                answers.retain(|(id, _)| is_kept(*id));
            }
        }
        self.proposals.doubt(is_kept);
    }

    /// A change counts, is stored here, and may be acknowledged. The view may have broken up meanwhile: that does not
    /// matter, because the votes of all were delivered in a regular one.
    pub(super) fn answer_stored(&mut self, proposal: ProposalId, reply: Reply, more: Vec<String>) {
        let reply = match reply {
            Reply::Done { version, mut warnings } => {
                warnings.extend(more);
                Reply::Done { version, warnings }
            }
            other => other,
        };
        if let Some(concluded) = self.proposals.conclude(proposal)
            && let Some(request) = concluded.request
        {
            self.effects.reply(request, reply);
        }
    }

    fn not_durable(&mut self, why: String) -> String {
        let text = self.not_stored(&why);
        self.effects.remark(Level::Error, text.clone());
        self.disk.undurable = Some(why);
        text
    }

    fn not_stored(&self, why: &str) -> String {
        format!("{} could not store the configuration: {why}", self.name)
    }

    /// Why a client cannot be served without quorum.
    pub(super) fn no_quorum(&self) -> Refusal {
        let quorum = self.quorum.status();
        let waiting = quorum.waiting_for.map(|w| format!(" ({w})")).unwrap_or_default();
        let way_out = if quorum.waits_for_all { UNBLOCK } else { "" };
        Refusal::new(
            format!("this partition has no quorum{waiting}; nothing was changed"),
            format!("Try again when the other nodes are back; 'hacctl quorum' shows who is missing.{way_out}"),
        )
    }
}
