//! The claim where a provider's list of actions on an address is the register: which of the changes decides, and how two nodes
//! that are members come to know it alike, also while the cluster moves the address itself.
//!
//! Every reader sees the same list, and each change that was carried out has its place there. Normally the first
//! change after the known number decides. While the cluster moves the address, the second one does, and it does not matter who
//! ordered the first: it may be the move, a claim, or a late order. Both nodes must count in the same way. Therefore they change
//! from one way to the other in two steps; between them is [`Moving::Announced`].

use hac_types::{Timestamp, mutant};

use super::{
    Answer, Arbiter, Asked, Found, Health, LOOK, Model, Moving, Outcome, Output, Place, Register, Request, UNASKED,
    UNDERWAY,
};

impl Arbiter {
    /// The cluster is about to move the address itself: both nodes are to know it, so that one that loses the other does not take
    /// that move for a claim.
    pub fn moving(&mut self) {
        if self.model == Model::ActionLog
            && let Place::Together { moving, .. } = &mut self.place
        {
            *moving = true;
            self.announce();
        }
    }

    /// An operation of the cluster has ended: the list of actions is looked at soon, while all nodes are members, because a node
    /// that is alone takes what it does not know for somebody else's. Of a move that has ended nothing more is to be expected.
    pub fn moved(&mut self, now: Timestamp, ended: bool) {
        if self.model == Model::ActionLog
            && let Place::Together { next, moving, .. } = &mut self.place
        {
            *next = (*next).min(now + UNDERWAY);
            *moving &= !ended;
        }
    }

    /// What a list of actions says in a claim. Which of the changes after what is known decides, both nodes know alike, or one of
    /// them knows that the other may not: then it needs those of both.
    pub(super) fn claim_in_list(&mut self, now: Timestamp, asked: &Asked, answer: Answer) {
        let Some(known) = self.register.clone() else { return };
        let Outcome::Since { changes, last } = answer.outcome else { return self.silent(now, UNASKED.to_owned()) };
        self.health = Health::Ready;
        let (deciding, nonce) = (known.deciding(), self.nonce(&known));
        let is_mine =
            |found: &Found| found.mark.as_ref().is_some_and(|mark| mark.nonce == nonce || mutant("other-nonce-wins"));
        let mut decided = changes.iter().enumerate().filter(|(place, _)| deciding.contains(place));
        if let Some((_, other)) = decided.clone().find(|(_, found)| !is_mine(found)) {
            let action = other.revision;
            return self.lose(format!(
                "the address was assigned by somebody else since both nodes were members (action {action})"
            ));
        }
        if let Some((_, found)) = decided.next_back().filter(|(place, _)| place == deciding.end()) {
            let (epoch, revision) = (known.epoch.saturating_add(1), found.revision);
            return self.store(now, Register { epoch, revision, store: answer.store, moving: None });
        }
        if last.is_none() {
            return self.underway(now);
        }
        if asked.swaps.is_some() {
            return self.silent(now, UNASKED.to_owned());
        }
        let mark = self.mark(&known, vec![self.me.node]);
        let (expected, epoch) = (known.revision, mark.epoch);
        self.ask(now, Request::Swap { expected, mark }, Some(epoch));
    }

    /// What a list of actions says while all nodes are members: what was changed is known from now on, whoever has ordered it,
    /// because nobody claims. If nothing was, and no move goes on, none is expected any more.
    pub(super) fn settle(&mut self, now: Timestamp, answer: Answer) {
        let (Some(known), Outcome::Since { mut changes, last }) = (self.register.clone(), answer.outcome) else {
            return;
        };
        let Some(revision) = last else { return self.underway(now) };
        // More may be known than when it was asked.
        changes.retain(|found| found.revision > known.revision);
        let Place::Together { steward, next, moving, .. } = &mut self.place else { return };
        (*next, self.health) = (now + LOOK, Health::Ready);
        if changes.is_empty() && known.moving.is_some() {
            return self.announce();
        }
        *moving &= changes.is_empty();
        if revision <= known.revision {
            return self.announce();
        }
        if *steward {
            let (epoch, store) = (known.epoch.saturating_add(1), answer.store);
            self.outputs.push_back(Output::Store(Register { epoch, revision, store, moving: None }));
        }
    }

    /// The next step towards what is to be known of a move of the address, if it is not known yet.
    pub(super) fn announce(&mut self) {
        let (Some(known), Place::Together { steward: true, moving, .. }) = (&self.register, &self.place) else {
            return;
        };
        let moving = match (known.moving, moving) {
            (None, true) | (Some(Moving::Expected), false) if !mutant("moves-in-one-step") => Some(Moving::Announced),
            (None | Some(Moving::Announced), true) => Some(Moving::Expected),
            (Some(_), false) => None,
            (Some(Moving::Expected), true) | (None, false) => return,
        };
        let epoch = known.epoch.saturating_add(1);
        self.outputs.push_back(Output::Store(Register { epoch, moving, ..known.clone() }));
    }

    /// Of a list that nobody agreed on yet the first action is one of the steward, which changes nothing and shows that it can; the
    /// last one is what both know from then on.
    pub(super) fn take_over(&mut self, found: &Option<Found>, store: u64, steward: bool, trusting: bool) -> bool {
        let Some(found) = found else { return false };
        let known = self.register.as_ref().map(|known| known.epoch);
        let is_first = known.is_none() && found.mark.as_ref().is_some_and(|mark| mark.node == self.me.node);
        if !is_first && !trusting {
            return false;
        }
        self.health = Health::Ready;
        if let Place::Together { trusting, .. } = &mut self.place {
            *trusting = false;
        }
        if steward || trusting {
            let (epoch, revision) = (known.unwrap_or(0).saturating_add(1), found.revision);
            self.outputs.push_back(Output::Store(Register { epoch, revision, store, moving: None }));
        }
        true
    }
}
