//! Going without a peer that answers: the layer above has found that it cannot be served or says nothing there.
//!
//! One node's wish is enough: it is told with who hears whom, and all cut the same nodes off (`Graph`). It ends by
//! itself, so that nothing is lost for ever by a wish; each time it is made anew for the same life of the peer it lasts
//! twice as long, so that a peer that never recovers costs less and less. A later life of the peer starts afresh.

use std::time::Duration;

use hac_types::{Incarnation, Member, NodeId, Timestamp};

use crate::transport::Transport;
use crate::transport::peer::Peer;
use crate::{Exclusion, Notice};

/// How long a peer is gone without the first time; twice as long each further time, up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// After so long with the peer, earlier times are forgotten.
const STEADY: Duration = Duration::from_secs(3600);

/// A peer that is gone without, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Excluded {
    life: Incarnation,
    until: Timestamp,
    /// How long it lasts.
    pause: Duration,
    /// The peer is counted again.
    over: bool,
}

impl Peer {
    /// Whether this life of the peer is gone without at present.
    pub(crate) fn is_excluded(&self) -> bool {
        self.excluded.is_some_and(|excluded| self.is_in_life(excluded.life) && !excluded.over)
    }

    /// When it will be counted again, if it is gone without.
    pub(crate) fn readmit_at(&self) -> Option<Timestamp> {
        self.excluded.filter(|excluded| self.is_in_life(excluded.life) && !excluded.over).map(|excluded| excluded.until)
    }
}

impl Transport {
    /// Goes without a peer for a while. One that is not connected is not counted anyway.
    pub(crate) fn exclude(&mut self, node: NodeId, why: Exclusion) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(node) else { return };
        let Some(member) = peer.member().filter(|_| !peer.is_excluded()) else { return };
        let before = peer.excluded.filter(|before| before.life == member.incarnation);
        let recent = before.filter(|before| now.since(before.until) < STEADY);
        let pause = recent.map_or(PAUSE_FIRST, |before| (before.pause * 2).min(PAUSE_MAX));
        peer.excluded = Some(Excluded { life: member.incarnation, until: now + pause, pause, over: false });
        self.changed = true;
        self.notice(Notice::Excluded { node, why, pause });
    }

    /// Counts a peer again at once. The next time it is gone without, that lasts longer all the same.
    pub(crate) fn readmit(&mut self, node: NodeId) {
        self.with_peer(node, |net, peer| {
            if let Some(excluded) = &mut peer.excluded {
                excluded.until = excluded.until.min(net.now);
            }
            net.readmit_where_due(peer);
        });
    }

    /// Ends what has lasted long enough.
    pub(super) fn readmit_where_due(&mut self, peer: &mut Peer) {
        if peer.readmit_at().is_none_or(|at| at > self.now) {
            return;
        }
        if let Some(excluded) = &mut peer.excluded {
            excluded.over = true;
            self.changed = true;
            self.notice(Notice::Readmitted { node: peer.node });
        }
    }

    /// Tells whom others go without.
    pub(super) fn notice_exclusions(&mut self, excluded: &[(Member, Member)]) {
        for (by, member) in excluded {
            self.notice(Notice::ExcludedBy { node: member.node, by: by.node });
        }
    }
}
