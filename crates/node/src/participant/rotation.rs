//! Changing the cluster's key while it is in service.
//!
//! ```text
//!  rotate ─► proposed, sealed under ─► every member stores it beside  ─► all have told ─► every member sends with it
//!            the present key            its key file and accepts it        KeyStored        and replaces its key file
//! ```
//!
//! Nobody sends with the next key before every member has it on its disk, so whoever dies at any moment finds a key
//! with which the others can be joined: the present one, and the next one sealed under it if it was stored. For that the
//! present one must be in the key file before another next one is stored: what lies beside it is opened with what it has.
//!
//! A node that has told that it stored the next key never drops it by itself, because the others may have gone on. What
//! remains is settled by the next view, in which every member says which keys it has: where a member uses the next key
//! already, those who have stored it follow at once; where nobody does, it is proposed again as soon as all configured
//! nodes are there. A disk that does not answer in time counts as one that cannot store it; when it answers later, the
//! rotation is proposed again too. A rotation that was begun is therefore finished, unless a person replaces the key files by hand.
//! Another key that is proposed meanwhile takes no effect, and whoever wanted it is told when the first one is used: members who
//! hear of it in a regular view would put it in the place of the first, and those for whom that view breaks up would not.

use std::collections::{BTreeMap, BTreeSet};

use hac_crm::cib::{Refusal, RefusalKind};
use hac_totem::{AuthKey, Fingerprint, SealedKey};
use hac_types::{NodeId, mutant};

use super::Participant;
use super::disk::Purpose;
use crate::durable::NO_ANSWER;
use crate::halves::Down;
use crate::report::{KeyMember, KeyReport};
use crate::request::Rotate;
use crate::wire::{Body, KeyStanding, KeyStored, ProposalId, Proposed};
use crate::{Event, Level, Now, Persist, PersistId, Reply};

/// The keys of this node, and what it knows of those of the others.
pub(super) struct Keys {
    own: AuthKey,
    staged: Option<Staged>,
    round: Option<Round>,
    /// What the members of the present view have.
    standing: BTreeMap<NodeId, KeyStanding>,
    /// Proposals of this node that are answered when the key was changed.
    waiting: BTreeSet<ProposalId>,
    /// Why the key in use is not in this node's key file.
    pub(super) undurable: Option<String>,
    /// The key in use is in this node's key file.
    filed: bool,
    /// The next key is to be stored as soon as that is so: the name of that write, and what is to be written.
    deferred: Option<(PersistId, SealedKey)>,
}

/// The next key on this node.
struct Staged {
    key: AuthKey,
    sealed: SealedKey,
    /// It is on the disk.
    stored: bool,
}

/// A rotation in the present view.
struct Round {
    next: Fingerprint,
    /// Who must have stored the next key before anybody uses it.
    required: BTreeSet<NodeId>,
    stored: BTreeSet<NodeId>,
}

impl Keys {
    /// The keys of a node that has just started; whether what was stored as the next key is none.
    pub(super) fn new(own: AuthKey, stored: Option<Vec<u8>>) -> (Self, bool) {
        let sealed = stored.map(SealedKey::from_bytes);
        let unsealed = sealed.as_ref().and_then(|sealed| own.unseal(sealed));
        let stale = sealed.is_some() && unsealed.is_none();
        let staged = sealed.zip(unsealed).map(|(sealed, key)| Staged { key, sealed, stored: true });
        let keys = Self {
            own,
            staged,
            round: None,
            standing: BTreeMap::new(),
            waiting: BTreeSet::new(),
            undurable: None,
            filed: true,
            deferred: None,
        };
        (keys, stale)
    }

    /// What this node can say of its keys: only what is on its disk.
    pub(super) fn standing(&self) -> KeyStanding {
        let next = self.staged.as_ref().filter(|staged| staged.stored).map(|staged| staged.key.fingerprint().0);
        KeyStanding { own: self.own.fingerprint().0, next }
    }

    /// A new view: who stored what is asked anew.
    pub(super) fn begin_view(&mut self) {
        self.round = None;
        self.standing.clear();
    }

    /// A member said which keys it has.
    pub(super) fn learn(&mut self, node: NodeId, standing: KeyStanding) {
        self.standing.insert(node, standing);
    }
}

impl Participant {
    /// At the start: peers may use the next key already.
    pub(super) fn accept_next_key(&mut self) {
        if let Some(staged) = &self.keys.staged {
            self.effects.order(Down::AcceptKey(staged.key.clone()));
        }
    }

    /// What a client's wish to change the key comes to: the rotation that was begun is finished, or a new one begins.
    pub(super) fn rotation_of(&self, wish: &Rotate) -> Result<Proposed, Reply> {
        if self.has_state() {
            self.may_rotate(wish.force).map_err(Reply::Refused)?;
        }
        let sealed = match &self.keys.staged {
            Some(staged) => staged.sealed.clone(),
            None => self.keys.own.seal(&wish.next, wish.salt),
        };
        Ok(Proposed::RotateKey { sealed: sealed.bytes().to_vec(), force: wish.force })
    }

    /// Whether all are there who should get the next key.
    fn may_rotate(&self, force: bool) -> Result<(), Refusal> {
        let absent = self.absent_names();
        if force || absent.is_empty() {
            return Ok(());
        }
        let them = absent.join(" and ");
        let by_force = format!(
            "with --force, and then copy /etc/hacd/authkey of a member to {them} before hacd is started there."
        );
        Err(if self.keys.staged.is_some() {
            Refusal::new(
                format!("the rotation that was begun waits for {them}: not a member now"),
                format!("Start hacd on {them}, and it is finished by itself; or finish it without, {by_force}"),
            )
            .of(RefusalKind::Unsafe)
        } else {
            Refusal::new(
                format!("{them} would be left with the present key: not a member now; the key was not changed"),
                format!("Start hacd on {them} and try again; or rotate without, {by_force}"),
            )
            .of(RefusalKind::Unsafe)
        })
    }

    fn absent_names(&self) -> Vec<String> {
        let here = |node: &NodeId| self.view.as_ref().is_some_and(|view| view.contains(*node));
        self.names.iter().filter(|(node, _)| !here(node)).map(|(_, name)| name.clone()).collect()
    }

    /// A rotation was agreed on: the next key is stored, which every member tells.
    pub(super) fn begin_rotation(&mut self, now: Now, id: ProposalId, sealed: Vec<u8>, force: bool) {
        if self.is_breaking() {
            // Its origin, or whoever has stored it, proposes it again.
            return;
        }
        let sealed = SealedKey::from_bytes(sealed);
        let next = match self.next_key(&sealed, force) {
            Ok(next) => next,
            Err(reply) => {
                self.answer(id, reply);
                return;
            }
        };
        if self.is_mine(id) {
            self.keys.waiting.insert(id);
        }
        if self.keys.round.as_ref().is_some_and(|round| round.next != next.fingerprint()) {
            // Those for whom the membership breaks up already do not hear this one, and may use the first.
            return;
        }
        let members = self.view.iter().flat_map(|view| view.members.iter().map(|member| member.node));
        let mut required: BTreeSet<NodeId> = members.collect();
        if !force {
            required.extend(self.names.keys());
        }
        self.keys.round = Some(Round { next: next.fingerprint(), required, stored: BTreeSet::new() });
        match &self.keys.staged {
            Some(staged) if staged.key == next && staged.stored => self.tell_stored(next.fingerprint(), None),
            Some(staged) if staged.key == next => {}
            _ => self.stage(now, next, sealed),
        }
    }

    /// The key that a proposal brings, if this partition may change to it.
    fn next_key(&self, sealed: &SealedKey, force: bool) -> Result<AuthKey, Reply> {
        if !self.may_configure() {
            return Err(Reply::NoQuorum(self.no_quorum()));
        }
        self.may_rotate(force).map_err(Reply::Refused)?;
        self.keys.own.unseal(sealed).ok_or_else(|| {
            Reply::Refused(
                Refusal::new(
                    "the key was changed by somebody else meanwhile; it was not changed again",
                    "See `hacctl key status`, and rotate again if it is still wanted.",
                )
                .of(RefusalKind::Old),
            )
        })
    }

    /// What was stored as the next key cannot be opened with the present one: that was changed since.
    pub(super) fn discard_next_key(&mut self, now: Now) {
        self.effects
            .remark(Level::Notice, "the next key that was stored here does not belong to authkey and is removed");
        let id = self.disk.begin(now.mono, Purpose::KeyDiscard);
        self.effects.persist(id, Persist::KeyDiscard);
    }

    fn stage(&mut self, now: Now, key: AuthKey, sealed: SealedKey) {
        let id = self.disk.begin(now.mono, Purpose::KeyStage { next: key.fingerprint(), late: false });
        if self.keys.filed {
            self.effects.persist(id, Persist::KeyStage { sealed: sealed.bytes().to_vec() });
        } else {
            if let Some((earlier, _)) = self.keys.deferred.replace((id, sealed.clone())) {
                self.disk.forget(earlier);
            }
            if !self.disk.replaces_key() {
                self.replace_key_file(now, Vec::new());
            }
        }
        self.effects.order(Down::AcceptKey(key.clone()));
        if mutant("key-told-too-early") {
            self.tell_stored(key.fingerprint(), None);
        }
        self.keys.staged = Some(Staged { key, sealed, stored: false });
    }

    /// What became of storing the next key.
    pub(super) fn key_staged(&mut self, now: Now, next: Fingerprint, result: Result<(), String>) {
        let Some(staged) = self.keys.staged.as_mut().filter(|staged| staged.key.fingerprint() == next) else { return };
        staged.stored = result.is_ok();
        if result.is_err() {
            // It is accepted for the rest of this life, and stored when it is proposed again.
            self.keys.staged = None;
        }
        if !self.is_active() {
            return;
        }
        if self.keys.round.as_ref().is_some_and(|round| round.next == next) {
            self.tell_stored(next, result.err());
        } else {
            // It came too late, or after the view in which it was asked for. Whoever is to finish what was begun knows now.
            if result.is_ok() {
                self.tell_stored(next, None);
            }
            self.finish_rotation(now);
        }
    }

    /// The disk has not answered for so long that the others need not wait: the present key stays in use. When it
    /// answers all the same, the rotation is finished.
    pub(super) fn key_is_late(&mut self, next: Fingerprint) {
        if self.is_active() && self.keys.round.as_ref().is_some_and(|round| round.next == next) {
            self.tell_stored(next, Some(NO_ANSWER.to_owned()));
        }
    }

    fn tell_stored(&mut self, next: Fingerprint, error: Option<String>) {
        self.broadcast(Body::KeyStored(KeyStored { next: next.0, error }));
    }

    /// A member has stored the next key, or could not.
    pub(super) fn handle_key_stored(&mut self, now: Now, from: NodeId, told: KeyStored) {
        let next = Fingerprint(told.next);
        if told.error.is_none()
            && let Some(standing) = self.keys.standing.get_mut(&from)
        {
            standing.next = Some(told.next);
        }
        let Some(round) = self.keys.round.as_mut().filter(|round| round.next == next) else {
            if self.rotation_waits_for().is_empty() {
                self.finish_rotation(now);
            }
            return;
        };
        if let Some(why) = told.error {
            self.keys.round = None;
            self.rotation_failed(from, &why);
            return;
        }
        round.stored.insert(from);
        if round.required.is_subset(&round.stored) || mutant("key-used-too-early") {
            self.change_key(now);
        }
    }

    /// A member could not store the next key: the present one stays in use.
    fn rotation_failed(&mut self, node: NodeId, why: &str) {
        let name = self.name_of(node);
        let refusal = Refusal::new(
            format!("{name} could not store the next key: {why}; the present key stays in use"),
            format!(
                "Make it possible to write beside /etc/hacd/authkey on {name}, then run `hacctl key rotate` again."
            ),
        );
        self.effects.remark(Level::Warning, refusal.sentence.clone());
        for id in std::mem::take(&mut self.keys.waiting) {
            self.answer(id, Reply::NotStored(refusal.clone()));
        }
    }

    /// Everybody has stored the next key: it is used from now on.
    fn change_key(&mut self, now: Now) {
        let Some(staged) = self.keys.staged.take() else { return };
        self.keys.round = None;
        let before = self.keys.own.fingerprint();
        let after = staged.key.fingerprint();
        for standing in self.keys.standing.values_mut().filter(|standing| standing.next == Some(after.0)) {
            *standing = KeyStanding { own: after.0, next: None };
        }
        self.keys.own = staged.key;
        self.effects.order(Down::UseKey);
        self.effects.event(Event::KeyChanged { fingerprint: after.to_string(), before: before.to_string() });
        let waiting = std::mem::take(&mut self.keys.waiting);
        if self.is_breaking() {
            // Remembered, and given when the proposal comes back.
            waiting.iter().for_each(|&id| self.answer(id, self.done(Vec::new())));
        }
        self.keys.filed = false;
        self.replace_key_file(now, waiting.into_iter().collect());
    }

    /// Puts the key in use into the key file.
    fn replace_key_file(&mut self, now: Now, waiting: Vec<ProposalId>) {
        let id = self.disk.begin(now.mono, Purpose::KeyCommit(waiting));
        self.effects.persist(id, Persist::KeyCommit { key: self.keys.own.clone() });
    }

    /// The key file was replaced, or could not be; the next key may have waited for that.
    pub(super) fn key_filed(&mut self, now: Now, waiting: Vec<ProposalId>, result: Result<(), String>) {
        self.keys.filed = result.is_ok();
        let deferred = self.keys.deferred.take();
        let why = result.as_ref().err().cloned();
        self.key_committed(waiting, result);
        let Some((id, sealed)) = deferred else { return };
        match why {
            None => self.effects.persist(id, Persist::KeyStage { sealed: sealed.bytes().to_vec() }),
            Some(why) => {
                self.disk.forget(id);
                let next = self.keys.staged.as_ref().map(|staged| staged.key.fingerprint());
                if let Some(next) = next {
                    self.key_staged(now, next, Err(why));
                }
            }
        }
    }

    /// What is told of replacing the key file to those who wait for it.
    pub(super) fn key_committed(&mut self, waiting: Vec<ProposalId>, result: Result<(), String>) {
        let warnings = match &result {
            Ok(()) => Vec::new(),
            Err(why) => {
                let text = format!("{} could not replace its key file: {why}", self.name);
                self.effects.remark(Level::Error, text.clone());
                vec![text]
            }
        };
        self.keys.undurable = result.err();
        for id in waiting {
            let reply = self.done(warnings.clone());
            self.answer_stored(id, reply, Vec::new());
        }
    }

    /// A view is active and every member's keys are known: follow those who have gone on, and finish what was begun.
    pub(super) fn settle_keys(&mut self, now: Now) {
        let next = self.keys.standing().next;
        if next.is_some() && self.keys.standing.values().any(|standing| Some(standing.own) == next) {
            self.change_key(now);
        }
        self.finish_rotation(now);
    }

    /// Proposes the stored next key again, if all are there and no other member is to do it.
    fn finish_rotation(&mut self, now: Now) {
        let Some(staged) = self.keys.staged.as_ref().filter(|staged| staged.stored) else { return };
        let next = Some(staged.key.fingerprint().0);
        let me = self.me.node;
        let another = self.keys.standing.iter().any(|(&node, standing)| node < me && standing.next == next);
        let begun = self.keys.round.is_some() || self.proposals.rotates();
        if another || begun || !self.absent_names().is_empty() || !self.may_configure() {
            return;
        }
        let sealed = staged.sealed.bytes().to_vec();
        self.propose(now, Proposed::RotateKey { sealed, force: false }, None, None);
    }

    /// Who has not stored the next key yet, by name; empty if there is none.
    pub(super) fn rotation_waits_for(&self) -> Vec<String> {
        let Some(staged) = &self.keys.staged else { return Vec::new() };
        let next = Some(staged.key.fingerprint().0);
        let stored = |node: &NodeId| {
            let told = self.keys.standing.get(node).is_some_and(|standing| standing.next == next);
            told || (*node == self.me.node && staged.stored)
        };
        self.names.iter().filter(|(node, _)| !stored(node)).map(|(_, name)| name.clone()).collect()
    }

    /// The keys, by their fingerprints.
    pub(super) fn key_report(&self) -> KeyReport {
        let shown = |bytes: [u8; 8]| Fingerprint(bytes).to_string();
        let member = |(node, name): (&NodeId, &String)| {
            let mut standing = self.keys.standing.get(node).copied();
            if *node == self.me.node {
                standing = Some(self.keys.standing());
            }
            KeyMember {
                node: *node,
                name: name.clone(),
                fingerprint: standing.map(|standing| shown(standing.own)),
                next: standing.and_then(|standing| standing.next).map(shown),
            }
        };
        KeyReport {
            fingerprint: self.keys.own.fingerprint().to_string(),
            next: self.keys.staged.as_ref().map(|staged| staged.key.fingerprint().to_string()),
            waiting_for: self.rotation_waits_for(),
            members: self.names.iter().map(member).collect(),
        }
    }
}
