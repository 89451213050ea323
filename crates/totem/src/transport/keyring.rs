//! The keys in use: the one that is sent with, and while it is being changed the next one.
//!
//! ```text
//!              accept_key(next)            use_key                2 token later
//!   one key ───────────────────► two keys ─────────► sessions move ────────────► one key
//!     hellos   own key             own, then next      next, as own                next
//!     sessions own key             own or next         own until moved             next
//! ```
//!
//! Nobody sends with a key before everybody accepts it (the layer above sees to that), so no message meets a node that
//! cannot read it. A session under the former key goes on until a hello under the new one has made another in its place;
//! the peer stays connected, its links, round trips and silence limits stay what they are. What has not moved within
//! twice the token timeout is ended: from then on the former key opens nothing.

use std::sync::Arc;

use hac_types::Timestamp;

use crate::crypto::ClusterKeys;
use crate::transport::Transport;
use crate::transport::peer::{HELLO_FIRST, Life, Peer};
use crate::transport::session::Session;
use crate::wire::{Class, Header};
use crate::{AuthKey, Notice, PeerProblem};

/// So many datagrams in a row whose numbers were used already are no accident.
const REPLAYS_MAX: u32 = 16;

/// See the [module documentation](self).
#[derive(Debug)]
pub(crate) struct Keyring {
    /// The key that is sent with.
    own: Arc<ClusterKeys>,
    /// A key that is answered under too.
    next: Option<Arc<ClusterKeys>>,
    /// The name in headers of the key that was the own one before.
    former: Option<[u8; 4]>,
    /// When sessions under the former key end.
    retire_at: Option<Timestamp>,
}

impl Keyring {
    pub(crate) fn new(own: ClusterKeys) -> Self {
        Self { own: Arc::new(own), next: None, former: None, retire_at: None }
    }

    /// The key that is sent with.
    pub(crate) fn own(&self) -> Arc<ClusterKeys> {
        Arc::clone(&self.own)
    }

    /// The key that is accepted besides, if the key is being changed.
    pub(crate) fn next(&self) -> Option<Arc<ClusterKeys>> {
        self.next.clone()
    }

    /// The key that a header names, if hellos under it are answered.
    pub(crate) fn named(&self, cluster: [u8; 4]) -> Option<Arc<ClusterKeys>> {
        [Some(&self.own), self.next.as_ref()].into_iter().flatten().find(|keys| keys.cluster() == cluster).cloned()
    }

    /// How new a key is: 0 if it is neither the own nor the next one.
    pub(crate) fn age_rank(&self, cluster: [u8; 4]) -> u8 {
        let is = |keys: &Arc<ClusterKeys>| keys.cluster() == cluster;
        if self.next.as_ref().is_some_and(is) { 2 } else { u8::from(is(&self.own)) }
    }

    /// Whether a header names the key that was in use before.
    pub(crate) fn is_former(&self, cluster: [u8; 4]) -> bool {
        self.former == Some(cluster)
    }

    /// Whether the key was changed a moment ago, so that what is on its way still bears the former one.
    pub(crate) const fn is_changing(&self) -> bool {
        self.retire_at.is_some()
    }
}

impl Transport {
    /// Answers hellos under `next` too; under the own key alone if there is none.
    pub(crate) fn accept_key(&mut self, next: Option<&AuthKey>) {
        self.keyring.next = next.map(|key| Arc::new(ClusterKeys::new(key, &self.cluster_name)));
    }

    /// Sends with the key that was accepted from now on. Nothing happens if there is none.
    pub(crate) fn use_key(&mut self) {
        let Some(next) = self.keyring.next.take() else { return };
        let former = std::mem::replace(&mut self.keyring.own, next);
        self.keyring.former = Some(former.cluster());
        self.keyring.retire_at = Some(self.now + self.token * 2);
        for peer in self.peers.iter_mut() {
            peer.hello.next = self.now;
            peer.hello.wait = HELLO_FIRST;
        }
    }

    /// Whether a session should be made with this peer: there is none, or one under a key that is no longer used.
    pub(super) fn wants_session(&self, peer: &Peer) -> bool {
        match &peer.session {
            None => true,
            Some(session) => match peer.life {
                Life::Left { .. } => false,
                Life::Silent { since, .. } if self.is_unheard(peer, since) => true,
                _ => self.keyring.age_rank(session.cluster()) == 0,
            },
        }
    }

    /// Whether the peer is silent and nothing speaks for its being there.
    pub(super) fn is_just_silent(&self, peer: &Peer) -> bool {
        matches!(peer.life, Life::Silent { .. }) && peer.replays < REPLAYS_MAX
    }

    /// Whether the session with a silent peer may be of no use although the peer is there: one of the two was set back to
    /// an earlier state, so that everything it says has been said before. A session that was just made has its chance
    /// first: if another were offered meanwhile, each end could take another of the two.
    fn is_unheard(&self, peer: &Peer, since: Timestamp) -> bool {
        peer.replays >= REPLAYS_MAX || self.now.since(since.max(peer.session_at)) >= self.silence_max
    }

    /// When the next hello to this peer is due.
    pub(super) fn next_offer(&self, peer: &Peer) -> Option<Timestamp> {
        self.wants_session(peer).then_some(peer.hello.next)
    }

    /// Puts a session with the same life, under a newer key or the same, in the place of the present one. The peer stays
    /// what it is.
    pub(super) fn move_to(&mut self, peer: &mut Peer, mut session: Session) {
        if let Some(before) = peer.session.take() {
            session.continue_after(&before);
            peer.former = Some(before).filter(|before| before.cluster() != session.cluster());
        }
        peer.session = Some(session);
        peer.session_at = self.now;
        peer.pending = None;
        peer.replays = 0;
        self.renew_nonce(peer);
        peer.hello.wait = HELLO_FIRST;
    }

    /// When sessions under the former key end, if there may be any.
    pub(super) const fn next_retirement(&self) -> Option<Timestamp> {
        self.keyring.retire_at
    }

    /// Ends what is under the former key, if it is time.
    pub(super) fn retire_former_key(&mut self) {
        if self.keyring.retire_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.keyring.retire_at = None;
        for peer in self.peers.iter_mut() {
            peer.former = None;
            let old = |session: &Session| self.keyring.age_rank(session.cluster()) == 0;
            // Of those that left too: what they are offered from now on tells them that the key is another one.
            if peer.session.as_ref().is_some_and(old) {
                peer.session = None;
                peer.life = Life::Unproven;
                self.changed = true;
            }
            if peer.pending.as_ref().is_some_and(|pending| old(&pending.session)) {
                peer.pending = None;
            }
        }
        self.notice(Notice::FormerKeyRetired);
    }

    /// Whether there may be a key for this: hellos are read under keys in use, the rest also in sessions that exist.
    pub(super) fn can_read(&self, peer: &Peer, header: &Header) -> bool {
        let sessions = [&peer.session, &peer.former];
        self.keyring.age_rank(header.cluster) > 0
            || (header.class != Class::Hello && sessions.into_iter().flatten().any(|s| s.cluster() == header.cluster))
    }

    /// Something came under a key that is not used here. Nothing proves who sent it: of a peer that answers, and so has
    /// the right key, it says nothing.
    pub(super) fn report_foreign(&mut self, peer: &mut Peer, cluster: [u8; 4]) {
        if peer.is_alive() {
            return;
        }
        if !self.keyring.is_former(cluster) {
            self.report_problem(peer, PeerProblem::WrongKey);
        } else if !self.keyring.is_changing() {
            self.report_problem(peer, PeerProblem::FormerKey);
        }
    }
}
